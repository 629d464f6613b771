"""GET /metrics: what this instance counts for its operator; no label names a person or a repository."""

from __future__ import annotations

import asyncio
import hmac
import platform
from collections.abc import Mapping

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Info,
    generate_latest,
)
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from trackeep import __version__
from trackeep.errors import DatabaseError
from trackeep.instance.site import Site, site_of
from trackeep.store import instance_figures
from trackeep.store.instance_figures import Figures, Size, Worker
from trackeep.store.leases import SILENT_AFTER_S

log = structlog.get_logger()

PATH = "/metrics"
ANSWERS_WITHIN_S = 5.0


async def show(request: Request) -> Response:
    """GET /metrics: off without a setting, and then only for whoever sends its token."""
    site = site_of(request)
    if not site.settings.metrics_token:
        raise HTTPException(404)
    address, now = request.state.client_address, site.clock()
    site.metrics_tries.check(address, now)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(token.strip().encode(), site.settings.metrics_token.encode())
    if scheme.lower() != "bearer" or not right:
        site.metrics_tries.note(address, now)
        return Response(status_code=401, headers={"www-authenticate": 'Bearer realm="trackeep"'})
    text = site.requests.text() + await _from_database(site)
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"})


async def _from_database(site: Site) -> bytes:
    """What is the same whichever process is asked; while the database is away, only that it is."""
    now = site.now()
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), site.db.read() as conn:
            figures = await instance_figures.figures(conn, now)
            workers = await instance_figures.workers(conn)
            size = await instance_figures.size(site.db, conn)
    except (DatabaseError, SQLAlchemyError, OSError, TimeoutError) as error:
        log.warning("no figures from the database", reason=type(error).__name__)
        return generate_latest(_registry_of(site, is_up=False))
    registry = _registry_of(site, is_up=True)
    _sync(registry, figures, now)
    _workers(registry, workers, now)
    _sizes(registry, figures, size)
    return generate_latest(registry)


def _registry_of(site: Site, *, is_up: bool) -> CollectorRegistry:
    registry = CollectorRegistry()
    build = Info("trackeep_build", "What runs here.", registry=registry)
    kind = "sqlite" if site.db.is_sqlite else "postgresql"
    build.info({"version": __version__, "python": platform.python_version(), "database": kind})
    _gauge(registry, "trackeep_database_up", "1 while the database answers.", float(is_up))
    return registry


def _sync(registry: CollectorRegistry, figures: Figures, now: int) -> None:
    oldest = figures.oldest_look_at
    lag = 0 if oldest is None else max(0, now - oldest)
    for name, text, value in (
        ("trackeep_sync_lag_seconds", "Of all accounts, the longest since a sync came to its end.", lag),
        ("trackeep_sync_waiting", "Accounts that are due and that no worker has taken.", figures.waiting),
        ("trackeep_sync_working", "Accounts that a worker works for.", figures.working),
        ("trackeep_connections_broken", "Accounts that have to connect to GitHub again.", figures.reconnect),
        ("trackeep_github_last_hour_bytes", "Received in runs of the last hour.", figures.received_bytes),
    ):
        _gauge(registry, name, text, value)
    for name, text, label, values in (
        ("trackeep_sync_runs_last_hour", "Runs that ended within an hour.", "outcome", figures.runs),
        ("trackeep_github_requests_last_hour", "Asked in those runs.", "resource", figures.requests),
        (
            "trackeep_github_budget_remaining",
            "The least any account has left.",
            "resource",
            figures.remaining,
        ),
        ("trackeep_github_budget_limit", "The lowest limit of any account.", "resource", figures.limits),
    ):
        _gauges(registry, name, text, label, values)


def _workers(registry: CollectorRegistry, workers: tuple[Worker, ...], now: int) -> None:
    alive = [one for one in workers if one.seen_at > now - SILENT_AFTER_S]
    text = f"Workers heard of within {SILENT_AFTER_S} seconds."
    _gauge(registry, "trackeep_workers", text, len(alive))
    if workers:
        age = max(0, now - workers[0].seen_at)
        _gauge(registry, "trackeep_worker_heartbeat_seconds", "Since the last worker was heard of.", age)


def _sizes(registry: CollectorRegistry, figures: Figures, size: Size) -> None:
    _gauge(registry, "trackeep_database_bytes", "What the database takes.", size.database)
    if size.log is not None:
        _gauge(registry, "trackeep_database_log_bytes", "What its log of writes takes.", size.log)
    _gauge(registry, "trackeep_accounts", "People with an account.", figures.accounts)
    _gauge(registry, "trackeep_sessions", "Browsers that are signed in.", figures.sessions)
    _gauge(registry, "trackeep_repositories", "Repositories that are known.", figures.repositories)
    _gauge(registry, "trackeep_repositories_followed", "Of these, followed by somebody.", figures.followed)


def _gauge(registry: CollectorRegistry, name: str, text: str, value: float) -> None:
    Gauge(name, text, registry=registry).set(value)


def _gauges(registry: CollectorRegistry, name: str, text: str, label: str, values: Mapping[str, int]) -> None:
    gauge = Gauge(name, text, [label], registry=registry)
    for key, value in values.items():
        gauge.labels(key).set(value)
