"""The commands are light to start, alike in what they understand, and documented as they are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

import click
import pytest
from rules.source import ROOT

from trackeep.settings_table import SETTINGS

HEAVY = {
    *("sqlalchemy", "aiohttp", "starlette", "fastapi", "pydantic", "cryptography", "joserfc", "rich"),
    *("alembic", "uvicorn", "jinja2", "structlog", "graphql", "msgspec"),
}
# What runs until it is stopped, or whose output has its own form already.
WITHOUT_JSON = {
    *("serve", "worker", "demo", "sandbox serve", "broker serve"),
    *("broker openapi", "openapi", "get", "completion", "db shell", "key generate"),
}


def page() -> ModuleType:
    """The script that writes docs/commands.md."""
    spec = importlib.util.spec_from_file_location("commands_page", ROOT / "tools" / "commands_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves() -> dict[str, click.Command]:
    """Every command that does something, by its name without the program's."""
    return {
        " ".join(path[1:]): context.command
        for path, context in page().commands()
        if not isinstance(context.command, click.Group)
    }


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["sync", "--help"], ["pr", "list", "--help"]])
def test_asking_for_help_loads_nothing_heavy(words: list[str]) -> None:
    """No database, no web framework, no cryptography, no drawing on terminals, only to say what there is."""
    script = (
        "import sys\nfrom trackeep.cli import main\nsys.argv = ['trackeep', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print(*filter(sys.modules.get, sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stderr.split())


def test_the_page_of_commands_is_what_they_say() -> None:
    """docs/commands.md is made from the commands; after a change run tools/commands_page.py."""
    assert (ROOT / "docs" / "commands.md").read_text() == page().text()


def test_every_command_speaks_json() -> None:
    """Programs read every answer; what only runs, or prints a form of its own, is listed here."""
    silent = {name for name, command in leaves().items() if "--json" not in options(command)}
    assert silent <= WITHOUT_JSON


def test_every_list_comes_line_by_line_too() -> None:
    """The lists of activity have `--jsonl`."""
    lists = ("repo list", "repo discover", "pr list", "commit list", "commit search", "branch list")
    assert not [name for name in lists if "--jsonl" not in options(leaves()[name])]


def test_all_understand_the_same_switches() -> None:
    """Quiet, verbose, without colours and without progress."""
    for name, command in leaves().items():
        assert {"--quiet", "--verbose", "--no-color", "--no-progress"} <= options(command), name


def test_what_deletes_may_be_told_to_go_ahead() -> None:
    """Commands that take something away have `--yes`."""
    for name in ("repo remove", "logout", "user remove", "user disconnect", "token revoke"):
        assert "--yes" in options(leaves()[name])


def test_an_option_names_the_setting_it_stands_for() -> None:
    """Whoever reads the help of a flag learns which variable does the same."""
    # The demo and the local GitHub have ports of their own.
    own = {name: each for name, each in leaves().items() if not name.startswith(("demo", "sandbox"))}
    for name, command in own.items():
        settings = {
            flag: setting.name
            for setting in SETTINGS
            for flag in [flag_of(setting.name, name)]
            if setting.is_for_broker == name.startswith("broker") or setting.program == "both"
        }
        for option in command.params:
            for flag in set(getattr(option, "opts", ())) & settings.keys():
                record = option.get_help_record(click.Context(command))  # type: ignore[attr-defined]
                assert settings[flag] in record[1], f"{name} {flag}"


def flag_of(setting: str, command: str) -> str:
    prefix = "TRACKEEP_BROKER_" if command.startswith("broker") else "TRACKEEP_"
    return "--" + setting.removeprefix(prefix).lower().replace("_", "-")


def options(command: click.Command) -> set[str]:
    return {word for option in command.params for word in option.opts}
