"""`trackeep config`: which settings hold, where each came from, whether they are right, and all there are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import click

from trackeep.cli.conventions import flag_of, json_option, manner
from trackeep.cli.edge import settings_of
from trackeep.cli.output import NOTHING, Column, Listing, done, show, show_json
from trackeep.settings_table import SETTINGS, Setting

if TYPE_CHECKING:
    from trackeep.environment import BrokerSettings, InstanceSettings

HIDDEN = "********"
TITLES = {"instance": "Instance", "broker": "OAuth service", "both": "Both programs"}
HEAD = "| setting | default | meaning | as a file |\n|---|---|---|---|"


@dataclass(frozen=True)
class Effective:
    """One setting as it holds; `source` is default, flag, environment or the file that NAME_FILE names."""

    name: str
    value: str
    source: str


@click.group()
def config() -> None:
    """The settings: what holds, where it came from, what there is."""


@config.command("show")
@click.option("--source", "with_source", is_flag=True, help="Also where each came from.")
@json_option
def show_(with_source: bool, as_json: bool) -> None:
    """The settings of the instance as they hold now; what is secret is not shown."""
    settings = settings_of(level="info")
    asked = [setting for setting in SETTINGS if setting.is_for_instance]
    show_effective(effective(settings, asked, os.environ), with_source=with_source, as_json=as_json)


@config.command()
@json_option
def check(as_json: bool) -> None:
    """Read the settings; every mistake is named at once, and a name that is none is a warning."""
    warnings = settings_of(say_warnings=not as_json).warnings
    if as_json:
        show_json({"warnings": list(warnings)})
    else:
        done("The settings are right." if not warnings else "The settings are right, but for the above.")


@config.command()
@json_option
def docs(as_json: bool) -> None:
    """Every setting there is, in Markdown: its name, what holds without it, what it means."""
    if as_json:
        show_json(
            [
                {
                    "name": setting.name,
                    "default": setting.default.replace("`", ""),
                    "meaning": setting.meaning.replace("`", ""),
                    "program": setting.program,
                    "secret": setting.is_secret,
                    "as_file": setting.may_be_a_file,
                }
                for setting in SETTINGS
            ]
        )
        return
    click.echo(reference().rstrip())


def show_effective(found: Iterable[Effective], *, with_source: bool, as_json: bool) -> None:
    """Print settings with their values, one a line."""
    rows = list(found)
    columns = [Column("setting"), Column("value")] + ([Column("from")] if with_source else [])
    cells = [[one.name, one.value or NOTHING, one.source][: len(columns)] for one in rows]
    listing = Listing(tuple(columns), cells, lambda: [vars(one) for one in rows])
    show(listing, as_json=as_json)


def effective(
    settings: InstanceSettings | BrokerSettings, asked: Iterable[Setting], environ: Mapping[str, str]
) -> list[Effective]:
    """The value of each setting and where it came from; of a secret only whether there is one."""
    return [
        Effective(one.name, _shown(one, attrgetter(one.field)(settings)), _source(one, environ))
        for one in asked
    ]


def reference() -> str:
    """The tables of all settings, by program."""
    return "\n".join(
        "\n".join(
            [f"## {title}", "", HEAD, *(_row(each) for each in SETTINGS if each.program == program), ""]
        )
        for program, title in TITLES.items()
    )


def _row(setting: Setting) -> str:
    as_file = " yes |" if setting.may_be_a_file else " |"
    return f"| `{setting.name}` | {setting.default} | {setting.meaning} |{as_file}"


def _shown(setting: Setting, value: Any) -> str:
    if isinstance(value, tuple):
        value = ", ".join(str(one) for one in value)
    if setting.is_secret:
        return HIDDEN if value else ""
    text = str(value)
    # `//name:password@host`; a password may itself hold an @, so the last one counts.
    return re.sub(r"(?<=://).*@", f"{HIDDEN}@", text) if setting.may_hold_password else text


def _source(setting: Setting, environ: Mapping[str, str]) -> str:
    if setting.name in manner().flags:
        return flag_of(setting)
    if environ.get(setting.name, "").strip():
        return "environment"
    file = environ.get(f"{setting.name}_FILE", "").strip()
    return f"file {file}" if file else "default"
