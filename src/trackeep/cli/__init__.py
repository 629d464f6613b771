"""The `trackeep` command: every group is imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from trackeep import __version__
from trackeep.errors import TrackeepError

# name -> (module below trackeep.cli, attribute, one line of help). The help stands here so that
# `trackeep --help` needs no heavy import.
COMMANDS = {
    "demo": ("demo", "demo", "Start a local GitHub, the broker and an instance, with invented data."),
    "serve": ("serve", "serve", "Run the web application and its sync worker."),
    "worker": ("serve", "worker", "Run only the background sync."),
    "sync": ("sync", "sync", "Fetch new activity now."),
    "status": ("status", "status", "Show what is followed, how fresh it is and what is left of the budgets."),
    "export": ("export", "export", "Write what you may read to a file."),
    "import": ("import_", "import_", "Take in a database of github-to-sqlite."),
    "backup": ("backup", "backup", "Copy the whole database, also while it is in use."),
    "restore": ("backup", "restore", "Put a backup in the place of the database."),
    "db": ("db", "db", "Look after the database: version, soundness, space, another home."),
    "key": ("key", "key", "The key that encrypts GitHub tokens: a new one, and the change to it."),
    "doctor": ("doctor", "doctor", "Check settings, database, broker and GitHub."),
    "healthcheck": ("doctor", "healthcheck", "Exit 0 when the local server is ready."),
    "token": ("token", "token", "API tokens: what programs use to ask an instance in your name."),
    "openapi": ("get", "openapi", "Print the description of the JSON API."),
    "get": ("get", "get", "Print what one request answers; no server has to run."),
    "user": ("user", "user", "Who may sign in, and who owns this instance."),
    "broker": ("broker", "broker", "Run the OAuth service."),
    "sandbox": ("sandbox", "sandbox", "Run a small local GitHub."),
}


class _Lazy(click.Group):
    """Lists the table above and imports a command's module only to run it."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command = getattr(importlib.import_module(f"trackeep.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trackeep")
@click.option("--until-stdin-closes", is_flag=True, hidden=True, help="So the demo's programs end with it.")
def program(until_stdin_closes: bool) -> None:
    """Sign in with GitHub and keep your own GitHub activity in your own database."""
    if until_stdin_closes:
        importlib.import_module("trackeep.cli.lifeline").hold()


def main() -> None:
    """Run the program; an error of ours is one line on stderr and its exit code."""
    try:
        result = program(prog_name="trackeep", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TrackeepError as error:
        click.echo(f"trackeep: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) went away; that is no failure of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    # Outside standalone mode click hands back the code that `ctx.exit` was given.
    sys.exit(result if isinstance(result, int) else 0)
