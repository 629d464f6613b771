"""The `trackeep` command: every group is imported only when it is called."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import click

from trackeep import __version__
from trackeep.errors import TrackeepError

INTERRUPTED = 130

# name -> (module below trackeep.cli, attribute, one line of help). The help stands here so that
# `trackeep --help` needs no heavy import.
COMMANDS = {
    "demo": ("demo", "demo", "Start a local GitHub, the broker and an instance, with invented data."),
    "serve": ("serve", "serve", "Run the web application and its sync worker."),
    "worker": ("serve", "worker", "Run only the background sync."),
    "login": ("login", "login", "Connect your GitHub account from the terminal."),
    "logout": ("login", "logout", "Disconnect from GitHub, and end the token there."),
    "sync": ("sync", "sync", "Fetch new activity now."),
    "status": ("status", "status", "What needs you, how fresh the copy is, what is left of the budgets."),
    "repo": ("repo", "repo", "Choose which repositories are followed."),
    "pr": ("pr", "pr", "Pull requests: what waits for whom, and how long changes take."),
    "commit": ("commit", "commit", "List and search commits."),
    "branch": ("branch", "branch", "Branches: which are stale, which are merged."),
    "stats": ("stats", "stats", "Your figures, by repository, time or kind."),
    "standup": ("standup", "standup", "What you did since yesterday, to paste."),
    "report": ("report", "report", "A week in Markdown or HTML."),
    "export": ("export", "export", "Write what you may read to a file."),
    "config": ("config", "config", "The settings: what holds, where it came from, what there is."),
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
    "completion": ("completion", "completion", "Print what makes your shell complete commands."),
    "version": ("version", "version", "Print which version this is."),
    "broker": ("broker", "broker", "Run the OAuth service."),
    "sandbox": ("sandbox", "sandbox", "Run a small local GitHub."),
}


class _ReaderGone(Exception):
    """Whoever read our output (head, less) has enough; click would end with 1 for it."""


class _Lazy(click.Group):
    """Lists the table above and imports a command's module only to run it."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError:
            raise _ReaderGone from None

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise _ReaderGone from None

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command = getattr(importlib.import_module(f"trackeep.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        importlib.import_module("trackeep.cli.conventions").equip(command, name)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=_Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trackeep")
@click.option("--until-stdin-closes", is_flag=True, hidden=True, help="So the demo's programs end with it.")
@click.pass_context
def program(context: click.Context, until_stdin_closes: bool) -> None:
    """Sign in with GitHub and keep your own GitHub activity in your own database.

    Without a command: what needs you, or how to begin. Exit codes: 0 done, 1 an error, 2 a wrong command,
    3 some repositories failed, 4 not signed in, 5 GitHub's limit is reached, 6 not there or no access,
    7 the database needs another version, 8 nothing to do.
    """
    if until_stdin_closes:
        importlib.import_module("trackeep.cli.lifeline").hold()
    context.color = importlib.import_module("trackeep.cli.conventions").is_colourful(os.environ)
    if context.invoked_subcommand is None:
        importlib.import_module("trackeep.cli.start").begin(context)


def main() -> None:
    """Run the program; an error of ours is one line on stderr and its exit code."""
    # structlog loads all of rich to draw stack traces, which we never ask for: 5 MB and 40 ms of every start.
    # None keeps it out (https://docs.python.org/3/reference/import.html#the-module-cache).
    sys.modules["rich"] = None  # type: ignore[assignment]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A title may hold what this terminal cannot write; a mark in its place is better than an end.
            stream.reconfigure(errors="replace")
    try:
        result = program(prog_name="trackeep", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TrackeepError as error:
        say_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (_ReaderGone, BrokenPipeError):
        # That is no failure of ours; nothing more is written, also not at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    # Outside standalone mode click hands back the code that `ctx.exit` was given.
    sys.exit(result if isinstance(result, int) else 0)


def say_error(error: TrackeepError) -> None:
    """One line on stderr; it may repeat what somebody at GitHub wrote, so a terminal obeys nothing in it."""
    output = importlib.import_module("trackeep.cli.output")
    click.echo(output.plain(f"trackeep: {error}"), err=True)
