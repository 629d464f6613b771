"""The JSON API put together: its routers in one list, mounted below /api/v1."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from trackeep.instance.api import account, lists, problems, repositories, stats
from trackeep.instance.api.access import Bounded
from trackeep.instance.site import Site

ROUTES = [route for each in (account, repositories, lists, stats) for route in each.router.routes]
# The library can send traces to a collector named in the environment. Nothing leaves an instance unasked.
SILENT = TelemetryConfig(
    tracing=False, metrics=False, logs=False, operation_spans=False, auto_configure=False
)


def create(site: Site) -> ASGIApp:
    """The API as an ASGI program for everything below its address."""
    app = FastAPI(
        routes=ROUTES,
        exception_handlers=dict(problems.handlers()),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=SILENT,
    )
    app.state.site = site
    return Bounded(app)
