"""Writes docs/configuration.md from the table of settings: `.venv/bin/python tools/configuration_page.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from trackeep.cli.config import reference

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
INTRODUCTION = """\
# Configuration

Made by `tools/configuration_page.py` from the table that the programs read; change that, not this page.

Settings are variables of the environment. None is needed on your own computer; an instance that others reach
needs one, `TRACKEEP_BASE_URL`. They are read once, at the start: every mistake is told at once, each with its
cure, and an unknown name that begins with `TRACKEEP_` is a warning with the nearest known one. Flags such
as `--port` stand above the environment.

Where the last column says so, the value may stand in a file instead, whose path is given under the same name
with `_FILE` at its end (`TRACKEEP_SECRET_KEY_FILE=/run/secrets/key`): for the secrets of Docker, Kubernetes
and systemd.
"""


def main() -> int:
    PAGE.write_text(text())
    return 0


def text() -> str:
    """The whole page."""
    return f"{INTRODUCTION}\n{reference()}"


if __name__ == "__main__":
    sys.exit(main())
