"""Writes docs/configuration.md from the table of settings: `.venv/bin/python tools/configuration_page.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from trackeep.settings_table import SETTINGS, Setting

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
HEAD = "| setting | default | meaning | as a file |\n|---|---|---|---|"


def main() -> int:
    PAGE.write_text(text())
    return 0


def text() -> str:
    """The whole page."""
    of = {
        title: [setting for setting in SETTINGS if setting.program == program]
        for title, program in (
            ("Instance", "instance"),
            ("OAuth service", "broker"),
            ("Both programs", "both"),
        )
    }
    return "\n".join([INTRODUCTION, *(_section(title, settings) for title, settings in of.items())])


def _section(title: str, settings: Iterable[Setting]) -> str:
    return "\n".join([f"## {title}", "", HEAD, *map(_row, settings), ""])


def _row(setting: Setting) -> str:
    as_file = "yes" if setting.may_be_a_file else ""
    return f"| `{setting.name}` | {setting.default} | {setting.meaning} | {as_file} |".replace("  |", " |")


if __name__ == "__main__":
    sys.exit(main())
