"""`trackeep broker config`, `doctor`, `healthcheck`, `openapi`: what holds, and whether all is in place."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from trackeep.cli.broker_keys import keys_file_option
from trackeep.cli.conventions import json_option
from trackeep.cli.doctor import checked, github_answers, say_findings, say_health, trouble_at
from trackeep.cli.edge import finish
from trackeep.cli.output import show_json
from trackeep.model import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from trackeep.environment import BrokerSettings


@click.command()
@click.option("--source", "with_source", is_flag=True, help="Also where each came from.")
@json_option
def config(with_source: bool, as_json: bool) -> None:
    """The settings of the service as they hold now; what is secret is not shown."""
    from trackeep.cli.config import effective, show_effective
    from trackeep.settings_table import SETTINGS

    asked = [setting for setting in SETTINGS if setting.is_for_broker]
    found = effective(_settings(), asked, os.environ)
    show_effective(found, with_source=with_source, as_json=as_json)


@click.command()
@keys_file_option("The file to look at.")
@json_option
def doctor(keys_file: Path, as_json: bool) -> None:
    """Check settings, keys, Redis and GitHub; exit 1 when something is broken."""
    settings = dataclasses.replace(_settings(), keys_file=keys_file.expanduser())
    say_findings(finish(_examine(settings)), as_json=as_json)


@click.command()
@json_option
def healthcheck(as_json: bool) -> None:
    """Exit 0 when the service of this configuration can sign people in, 1 otherwise; needs no curl."""
    settings = _settings()
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    url = f"http://{host}:{settings.port}{urlsplit(settings.base_url).path.rstrip('/')}/readyz"
    say_health(trouble_at(url), as_json=as_json)


@click.command()
def openapi() -> None:
    """Print the description of the service's addresses (OpenAPI 3.1)."""
    from trackeep.broker.openapi import document

    # Whoever only wants the description need not have registered anything at GitHub.
    show_json(document(os.environ.get("TRACKEEP_BROKER_BASE_URL", "").strip() or "http://localhost:9090"))


def _settings() -> BrokerSettings:
    from trackeep import logs
    from trackeep.environment import broker_settings

    settings = broker_settings({"TRACKEEP_LOG_LEVEL": "warning", **os.environ})
    logs.set_up(settings.log)
    return settings


async def _examine(settings: BrokerSettings) -> list[Finding]:
    import aiohttp

    findings = [Finding("settings", "ok", f"public address {settings.base_url}, no mistakes.")]
    findings += [Finding("settings", "warning", warning) for warning in settings.warnings]
    findings += [*_cleartext(settings), await checked("keys", lambda: _keys(settings))]
    if settings.redis_url:
        findings.append(await checked("Redis", lambda: _redis(settings)))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
        findings.append(await checked("GitHub", lambda: github_answers(http, settings.github)))
    return findings


def _cleartext(settings: BrokerSettings) -> list[Finding]:
    from trackeep.environment import is_loopback_host

    parts = urlsplit(settings.base_url)
    if parts.scheme == "https" or is_loopback_host(parts.hostname or ""):
        return []
    hint = "Put a proxy with https before it; logins must not travel in clear text."
    return [Finding("settings", "error", "The public address is not encrypted.", hint)]


async def _keys(settings: BrokerSettings) -> Finding:
    import time

    from trackeep.handshake.keys_file import load_complete, readable_by_others

    ring = load_complete(settings.keys_file, int(time.time()))
    if readable_by_others(settings.keys_file):
        return Finding("keys", "error", f"{settings.keys_file} can be read by others.", "chmod 600 it.")
    count = len(ring.states(time.time()))
    return Finding("keys", "ok", f"{settings.keys_file} has {count} keys and is yours alone.")


async def _redis(settings: BrokerSettings) -> Finding:
    import time
    from contextlib import aclosing

    from trackeep.broker.memory_choice import choose

    async with aclosing(choose(settings, time.time)) as memory:
        await memory.count("doctor", 1, 0)
    return Finding("Redis", "ok", "answers.")
