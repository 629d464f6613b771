"""What every command understands: how much it says, in which colours, and the settings by flag."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import click

from trackeep.settings_table import SETTINGS, Setting

Command = Callable[..., Any]
_MANNER = "trackeep.manner"
# Commands that work with no instance of their own.
WITHOUT_DATABASE = {"demo", "sandbox", "completion", "version"}
PLACES = ("TRACKEEP_DATA_DIR", "TRACKEEP_DATABASE_URL")

json_option: Callable[[Command], Command] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON."
)
jsonl_option: Callable[[Command], Command] = click.option(
    "--jsonl", "as_jsonl", is_flag=True, help="Print one JSON object a line."
)
yes_option: Callable[[Command], Command] = click.option(
    "--yes", is_flag=True, help="Do it without asking; needed where nobody can be asked."
)
dry_run_option: Callable[[Command], Command] = click.option(
    "--dry-run", is_flag=True, help="Only say what would be done."
)


@dataclass
class Manner:
    """How this run of the program was asked to speak; `flags` are settings by their name."""

    is_quiet: bool = False
    verbosity: int = 0
    has_progress: bool = True
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def log_level(self) -> str | None:
        """The level that `--verbose` asks for, None without."""
        return (None, "info", "debug")[min(self.verbosity, 2)]


def manner() -> Manner:
    """How the command that runs now was asked to speak."""
    context = click.get_current_context(silent=True)
    if context is None:
        return Manner()
    found = context.meta.setdefault(_MANNER, Manner())
    assert isinstance(found, Manner)
    return found


def equip(command: click.Command, name: str) -> None:
    """Give `command`, and each command below it, the options that all of them understand."""
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            equip(each, f"{name} {below}")
        return
    known = {word for option in command.params for word in option.opts}
    for option in _shared(name):
        if not known & set(option.opts):
            command.params.append(option)


def setting_options(names: Iterable[str]) -> Callable[[Command], Command]:
    """An option for each of these settings, above what the environment says."""
    wanted = [setting for setting in SETTINGS if setting.name in set(names)]

    def add(function: Command) -> Command:
        for setting in reversed(wanted):
            function = click.option(flag_of(setting), **_setting_option(setting))(function)
        return function

    return add


def flag_of(setting: Setting) -> str:
    """TRACKEEP_BROKER_BASE_URL of the OAuth service as `--base-url`."""
    prefix = "TRACKEEP_BROKER_" if setting.program == "broker" else "TRACKEEP_"
    return "--" + setting.name.removeprefix(prefix).lower().replace("_", "-")


def is_colourful(environ: dict[str, str] | os._Environ[str]) -> bool | None:
    """What the environment says of colours; None leaves it to whether a terminal is there.

    https://no-color.org, https://bixense.com/clicolors
    """
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if environ.get("CLICOLOR_FORCE", "0") != "0" or environ.get("FORCE_COLOR", "0") not in ("0", ""):
        return True
    return None


def _shared(name: str) -> list[click.Option]:
    options = [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_quiet,
            help="Say only data.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_verbose,
            help="Log what happens on stderr; twice for everything.  [env: TRACKEEP_LOG_LEVEL]",
        ),
        click.Option(
            ["--no-color"],
            is_flag=True,
            expose_value=False,
            callback=_colour,
            help="No colours.  [env: NO_COLOR]",
        ),
        click.Option(
            ["--no-progress"],
            is_flag=True,
            expose_value=False,
            callback=_progress,
            help="No progress lines.",
        ),
    ]
    group = name.split()[0]
    if group in WITHOUT_DATABASE or group == "broker":
        return options
    places = [setting for setting in SETTINGS if setting.name in PLACES]
    return [click.Option([flag_of(each)], **_setting_option(each)) for each in places] + options


def _setting_option(setting: Setting) -> dict[str, Any]:
    def keep(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            manner().flags[setting.name] = value

    words = setting.meaning.replace("`", "")
    default = setting.default.replace("`", "")
    help_line = f"{words[0].upper()}{words[1:]}.  [env: {setting.name}; default: {default}]"
    return {"metavar": "TEXT", "expose_value": False, "callback": keep, "help": help_line}


def _quiet(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    manner().is_quiet |= value


def _verbose(_context: click.Context, _option: click.Parameter, value: int) -> None:
    manner().verbosity = max(manner().verbosity, value)


def _colour(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        context.color = False


def _progress(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    manner().has_progress &= not value
