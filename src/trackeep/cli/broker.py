"""`trackeep broker`: make the keys of the OAuth service, look after them, and run it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path

import click

from trackeep.cli.broker_check import config, doctor, healthcheck, openapi
from trackeep.cli.broker_keys import algorithm_option, as_item, keys, keys_file_option
from trackeep.cli.conventions import json_option
from trackeep.cli.edge import settle
from trackeep.cli.output import done, show_json


@click.group()
def broker() -> None:
    """Run the OAuth service."""


for each in (keys, config, doctor, healthcheck, openapi):
    broker.add_command(each)


@broker.command()
@keys_file_option("Where to write them; an existing file is left as it is.")
@algorithm_option("How login tokens are signed.", default="ES256")
@json_option
def init(keys_file: Path, algorithm: str, as_json: bool) -> None:
    """Write new signing and sealing keys to a file that only you can read."""
    from trackeep.handshake.keys import make_ring
    from trackeep.handshake.keys_file import write

    now = int(time.time())
    ring = make_ring(now, algorithm)
    write(ring, keys_file.expanduser())
    if as_json:
        show_json({"file": str(keys_file), "keys": [as_item(each) for each in ring.states(now)]})
    else:
        done(f"Wrote new keys to {keys_file}. Keep the file secret, and keep a copy.")


@broker.command()
@click.option("--host", help="Where to listen.  [env: TRACKEEP_BROKER_HOST; default: 127.0.0.1]")
@click.option(
    "--port", type=int, help="0 lets the system choose.  [env: TRACKEEP_BROKER_PORT; default: 9090]"
)
@click.option("--base-url", help="The public address.  [env: TRACKEEP_BROKER_BASE_URL]")
@click.option("--dev", is_flag=True, help="Use keys that are thrown away at the end; no keys file is needed.")
def serve(host: str | None, port: int | None, base_url: str | None, dev: bool) -> None:
    """Run the OAuth service until it is told to end."""
    from trackeep import logs, web
    from trackeep.broker.app import create_app
    from trackeep.environment import broker_settings
    from trackeep.handshake.keys import make_ring
    from trackeep.handshake.keys_file import load_complete, readable_by_others

    environ = _with_flags(os.environ, host, port, base_url)
    settings = broker_settings(environ, dev=dev)
    logs.set_up(settings.log)
    for warning in settings.warnings:
        click.echo(f"trackeep: {warning}", err=True)
    now = int(time.time())
    ring = make_ring(now) if dev else load_complete(settings.keys_file, now)
    if not dev and readable_by_others(settings.keys_file):
        click.echo(f"trackeep: {settings.keys_file} can be read by others; chmod 600 it.", err=True)
    # Bound before the program is made: with port 0 the address is only known now.
    with web.bind(settings.host, settings.port) as listener:
        if not environ.get("TRACKEEP_BROKER_BASE_URL", "").strip():
            real_port = listener.getsockname()[1]
            settings = dataclasses.replace(settings, base_url=f"http://localhost:{real_port}", port=real_port)
        app = create_app(settings, ring, keys_file=None if dev else settings.keys_file)

        def say() -> None:
            settle()
            click.echo(f"Broker ready at {settings.base_url}")

        asyncio.run(web.serve(app, listener, say))


def _with_flags(
    environ: Mapping[str, str], host: str | None, port: int | None, base_url: str | None
) -> dict[str, str]:
    """`environ` with what was said on the command line in place of it."""
    flags = {
        "TRACKEEP_BROKER_HOST": host,
        "TRACKEEP_BROKER_PORT": None if port is None else str(port),
        "TRACKEEP_BROKER_BASE_URL": base_url,
    }
    return {**environ, **{name: value for name, value in flags.items() if value is not None}}
