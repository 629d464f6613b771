"""Settings, system: what runs here, on what, and what is wrong with it; for the owner, and to paste."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from trackeep import __version__
from trackeep.environment import GitHubAddresses, InstanceSettings
from trackeep.instance import checks, words
from trackeep.instance.contacts import contacts
from trackeep.instance.settings import licences
from trackeep.instance.settings.sections import show_section
from trackeep.instance.site import Site, site_of
from trackeep.model import Finding
from trackeep.store import instance_figures
from trackeep.store.instance_figures import Figures, Worker
from trackeep.store.leases import SILENT_AFTER_S


@dataclass(frozen=True)
class Fact:
    label: str
    value: str


@dataclass(frozen=True)
class State:
    """The system at one moment."""

    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]
    workers: tuple[Worker, ...]


async def page(request: Request) -> Response:
    """GET /settings/system"""
    site = site_of(request)
    state = await _state(site, request.headers.get("host", ""))
    return show_section(
        request,
        "settings_system.html",
        "system",
        state=state,
        troubles=sum(finding.state != "ok" for finding in state.findings),
        alive_since=site.now() - SILENT_AFTER_S,
        contacts=contacts(site.settings),
        libraries=licences.libraries(),
        report=redacted(report(state, site.now()), site.settings, request.headers.get("host", "")),
    )


async def _state(site: Site, host: str) -> State:
    now, version = site.now(), await site.db.version()
    async with site.db.read() as conn:
        is_current = await site.db.is_current(conn)
        server = await instance_figures.server_version(site.db, conn)
        size = await instance_figures.size(site.db, conn)
        workers = await instance_figures.workers(conn)
        is_needed = await instance_figures.needs_worker(conn)
        figures = await instance_figures.figures(conn, now)
    kind = "SQLite" if site.db.is_sqlite else "PostgreSQL"
    log = "" if size.log is None else f", and {words.size(size.log)} in its log of writes"
    facts = (
        Fact("Trackeep", __version__),
        Fact("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"),
        Fact("Database", f"{kind} {server}"),
        Fact("Size", f"{words.size(size.database)}{log}"),
        Fact("Tables", f"version {version}" + ("" if is_current else ", not ours")),
        *_counts(figures),
    )
    findings = (
        *checks.of_settings(site.settings),
        checks.of_address(site.settings, host),
        checks.of_database(kind, version, is_current=is_current),
        checks.of_key(site.settings, site.vault),
        checks.of_disk(site.settings),
        checks.of_workers(workers, now, is_needed=is_needed),
    )
    return State(facts, findings, workers)


def _counts(figures: Figures) -> tuple[Fact, ...]:
    people = words.counted(figures.accounts, "person", "people")
    known = words.counted(figures.repositories, "repository", "repositories")
    runs = ", ".join(f"{count} {outcome}" for outcome, count in sorted(figures.runs.items())) or "none"
    return (
        Fact("People", f"{people}, {words.counted(figures.reconnect, 'connection')} to renew"),
        Fact("Repositories", f"{known}, {figures.followed:,} followed"),
        Fact("Runs of the last hour", runs),
        Fact("Queue", f"{figures.waiting:,} waiting, {figures.working:,} in work"),
    )


def report(state: State, now: int) -> str:
    """The same as plain text."""
    lines = [f"{fact.label}: {fact.value}" for fact in state.facts]
    lines.append(f"Workers: {_ages(state.workers, now)}")
    lines += [f"[{each.state}] {each.check}: {each.sentence} {each.hint}".rstrip() for each in state.findings]
    return "\n".join(lines)


def _ages(workers: Sequence[Worker], now: int) -> str:
    # Their names are those of machines.
    return ", ".join(f"heard of {max(0, now - one.seen_at)} s ago" for one in workers) or "none"


def redacted(text: str, settings: InstanceSettings, host: str) -> str:
    """`text` without what says where this instance is: to be shown to strangers."""
    usual = GitHubAddresses()
    places = {
        settings.base_url: "(public address)",
        urlsplit(settings.base_url).netloc: "(public host)",
        str(settings.data_dir): "(data directory)",
        settings.broker_url: "(OAuth service)",
        host[:100]: "(another host)",
        **{
            address: "(GitHub)"
            for address in (settings.github.web, settings.github.api, settings.github.git)
            if address not in (usual.web, usual.api)
        },
    }
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = text.replace(place, places[place])
    return text
