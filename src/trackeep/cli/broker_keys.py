"""`trackeep broker keys`: show, renew and retire the keys of the OAuth service."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trackeep.cli.conventions import json_option
from trackeep.cli.output import done, show_json

if TYPE_CHECKING:
    from trackeep.handshake.keys import KeyRing, KeyState

F = TypeVar("F", bound=Callable[..., Any])

# What stops working when a key is taken out before its time.
BREAKS = {
    "login": "Login tokens that it signed are refused from now on; whoever was given one signs in again.",
    "id-rs256": "An id_token that it signed and nobody has checked yet is refused; that login starts again.",
    "id-es256": "An id_token that it signed and nobody has checked yet is refused; that login starts again.",
    "flow": "Logins that are under way with it end in an error; people start them again.",
    "consent": "Consents remembered with it are forgotten; people are asked once more.",
    "refresh": "Refresh tokens sealed with it are refused; those instances ask their people to reconnect.",
    "registration": "Every client id and secret made with it stopped working; those programs register again.",
}


def keys_file_option(text: str) -> Callable[[F], F]:
    """The option that names the keys file, in every command the same."""
    return click.option(
        "--keys-file",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("./trackeep-broker-keys.json"),
        envvar="TRACKEEP_BROKER_KEYS_FILE",
        show_default=True,
        show_envvar=True,
        help=text,
    )


def algorithm_option(text: str, default: str | None = None) -> Callable[[F], F]:
    """The option that chooses how login tokens are signed."""
    choice = click.Choice(("ES256", "EdDSA"), case_sensitive=False)
    return click.option(
        "--algorithm", type=choice, default=default, show_default=default is not None, help=text
    )


@click.group()
def keys() -> None:
    """Show, renew and retire the service's keys; a running service follows the file by itself."""


@keys.command("list")
@keys_file_option("The file to read.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times in unix seconds.")
def list_(keys_file: Path, as_json: bool) -> None:
    """Every key with its family, its times in UTC and its state: next, current, kept or gone."""
    from trackeep.handshake.keys_file import load

    states = load(keys_file.expanduser()).states(time.time())
    if as_json:
        show_json([as_item(each) for each in states])
        return
    row = "{:<44} {:<13} {:<16} {:<16} {:<16} {}"
    click.echo(row.format("key", "family", "made", "used from", "kept until", "state"))
    for each in states:
        times = (each.key.made_at, each.key.use_from, each.kept_until)
        click.echo(row.format(each.key.id, each.family, *map(_minute, times), each.state))


@keys.command()
@keys_file_option("The file to change.")
@click.option("--family", "families", metavar="NAME", multiple=True, help="Only this one; may be repeated.")
@algorithm_option("How login tokens are signed from the new key on; without it as before.")
@json_option
def rotate(keys_file: Path, families: tuple[str, ...], algorithm: str | None, as_json: bool) -> None:
    """Add a new key to every family but `registration`, and take out those that nothing needs any more.

    Nothing breaks: old keys stay as long as something made with them may still come back.
    """
    from trackeep.handshake import rotation
    from trackeep.handshake.keys_file import change

    chosen = _checked(families or rotation.BY_DEFAULT, algorithm)
    now = int(time.time())
    known: set[str] = set()

    def edit(ring: KeyRing) -> KeyRing:
        known.update(each.key.id for each in ring.states(now))
        return rotation.rotate(ring, chosen, now, algorithm or "")

    ring = change(keys_file.expanduser(), edit)
    new = [each for each in ring.states(now) if each.key.id not in known]
    if as_json:
        show_json([as_item(each) for each in new])
        return
    for each in new:
        done(f"{each.family:<13} {each.key.id}, used from {_minute(each.key.use_from)} UTC")


# The names of signing keys may begin with a hyphen.
@keys.command(context_settings={"ignore_unknown_options": True})
@click.argument("key_id")
@keys_file_option("The file to change.")
@click.option("--registrations", is_flag=True, help="End every client id and secret made with this key.")
@json_option
def retire(key_id: str, keys_file: Path, registrations: bool, as_json: bool) -> None:
    """Take out the key KEY_ID now, before its time: for a key that somebody else may have seen."""
    from trackeep.handshake import rotation
    from trackeep.handshake.keys_file import change

    now = time.time()
    families = []

    def edit(ring: KeyRing) -> KeyRing:
        ring, family = rotation.retire(ring, key_id, now, registrations=registrations)
        families.append(family)
        return ring

    change(keys_file.expanduser(), edit)
    if as_json:
        show_json({"id": key_id, "family": families[0], "consequence": BREAKS[families[0]]})
    else:
        done(f"Took out the {families[0]} key {key_id}. {BREAKS[families[0]]}")


def _checked(families: tuple[str, ...], algorithm: str | None) -> tuple[str, ...]:
    from trackeep.errors import UsageError
    from trackeep.handshake.keys import FAMILIES, LOGIN

    for name in families:
        if name not in FAMILIES:
            raise UsageError(f"There is no family {name}.", f"Choose from {', '.join(FAMILIES)}.")
    if algorithm and LOGIN not in families:
        raise UsageError("--algorithm is for login tokens only.", f"Add --family {LOGIN}.")
    return families


def as_item(state: KeyState) -> dict[str, object]:
    """A key for programs, without what is secret; times in unix seconds."""
    return {
        "id": state.key.id,
        "family": state.family,
        "algorithm": getattr(state.key, "algorithm", None),
        "made_at": state.key.made_at,
        "use_from": state.key.use_from,
        "kept_until": state.kept_until,
        "state": state.state,
    }


def _minute(at: int | None) -> str:
    return "—" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
