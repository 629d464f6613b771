"""`trackeep version`: which program this is, and what it runs on."""

from __future__ import annotations

import platform
import sqlite3

import click

from trackeep import __version__
from trackeep.cli.conventions import json_option, manner
from trackeep.cli.output import show_json


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print which version this is; with --verbose also what it runs on."""
    parts = {
        "trackeep": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
    }
    if as_json:
        show_json(parts)
        return
    click.echo(f"trackeep {__version__}")
    if manner().verbosity:
        for name in ("python", "sqlite", "system"):
            click.echo(f"{name} {parts[name]}")
