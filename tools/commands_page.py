"""Writes docs/commands.md from the commands themselves: `.venv/bin/python tools/commands_page.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from trackeep.cli import program

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
WIDTH = 100
INTRODUCTION = """\
# Commands

Made by `tools/commands_page.py` from the commands themselves; change those, not this page.

* Data goes to standard output, messages and progress go to standard error.
* `--json` prints JSON: one object, or for a list one array. `--jsonl` prints one object a line. Pull
  requests, commits, repositories and branches are the objects of the [JSON API](api.md); fields may be added,
  none is renamed or taken away. Figures also come as `--csv`.
* `--quiet` leaves out everything but data, `--verbose` logs what happens. Colours are for terminals;
  `NO_COLOR` and `--no-color` turn them off.
* A sync shows its progress, one line a repository on a terminal and plain lines elsewhere;
  `--no-progress` turns that off. Ctrl-C ends it after the page in hand: what was read is kept, and the
  next one goes on from there.
* What deletes asks first; where nobody can be asked it wants `--yes`. `--dry-run` only says what would be
  done.
* Flags stand above the environment. A setting of [the environment](../README.md) is named beside its flag.
* Days are those of your time zone: the one chosen on the settings page, else this computer's.

| exit code | meaning |
|---:|---|
| 0 | done |
| 1 | an error |
| 2 | a command that cannot be meant, or a wrong setting |
| 3 | some repositories failed, the others are up to date |
| 4 | not signed in, or the token is dead |
| 5 | GitHub's limit is reached (`trackeep sync --no-wait`) |
| 6 | not there, or no access to it |
| 7 | the database needs another version of the program |
| 8 | nothing to do (with `--exit-status`) |
| 130 | stopped with Ctrl-C |

`trackeep completion bash|zsh|fish` prints what makes your shell complete all of these."""


def main() -> int:
    PAGE.write_text(text())
    return 0


def text() -> str:
    """The whole page."""
    return "\n\n".join([INTRODUCTION, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    for path, context in commands():
        name = " ".join(path)
        level = "##" if len(path) < 3 else "###"
        yield f"{level} `{name}`\n\n```text\n{context.get_help()}\n```"


def commands() -> Iterator[tuple[tuple[str, ...], click.Context]]:
    """Each command with what stands before it, in the order of `--help`; hidden ones are left out."""
    root = click.Context(program, info_name="trackeep", max_content_width=WIDTH, terminal_width=WIDTH)
    yield from _below(("trackeep",), root)


def _below(path: tuple[str, ...], context: click.Context) -> Iterator[tuple[tuple[str, ...], click.Context]]:
    yield path, context
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not command.hidden:
            yield from _below((*path, name), click.Context(command, parent=context, info_name=name))


if __name__ == "__main__":
    sys.exit(main())
