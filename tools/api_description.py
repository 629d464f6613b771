"""Writes the API's description from its routes: `.venv/bin/python tools/api_description.py`."""

from __future__ import annotations

import json
import sys

from trackeep.instance.api.description import made
from trackeep.instance.api.schema import FILE


def main() -> int:
    FILE.write_text(text())
    return 0


def text() -> str:
    """The whole file."""
    return json.dumps(made(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
