"""The addresses of the JSON API are those that docs/api.md and the description name."""

import re
import runpy

from fastapi.routing import APIRoute
from rules.source import ROOT

from trackeep.instance.api.problem_types import TYPES
from trackeep.instance.api.routes import ROUTES
from trackeep.instance.api.schema import API_PATH, FILE, document
from trackeep.store.api_tokens import SCOPES

DOCS = (ROOT / "docs" / "api.md").read_text()
# Scripts and tools of others use these; they stay.
PROMISED = {
    *("GET /me", "GET /repos", "POST /repos", "GET /repos/{owner}/{name}", "DELETE /repos/{owner}/{name}"),
    *("POST /repos/{owner}/{name}/sync", "GET /repos/{owner}/{name}/commits"),
    *("GET /repos/{owner}/{name}/pulls", "GET /repos/{owner}/{name}/branches"),
    *("GET /commits", "GET /pulls", "GET /activity", "GET /search", "GET /sync", "GET /export"),
    *("GET /stats/summary", "GET /stats/calendar", "GET /stats/cycle-time"),
}


def routed() -> set[str]:
    assert all(isinstance(route, APIRoute) for route in ROUTES)
    return {f"{method} {route.path}" for route in ROUTES for method in route.methods or ()}  # type: ignore[attr-defined]


def test_every_promised_address_is_there_and_no_other() -> None:
    """The routes are exactly those that were promised."""
    assert routed() == PROMISED


def test_the_documentation_lists_every_address() -> None:
    """The table of docs/api.md is the list of routes."""
    assert {
        f"{method} {path}" for method, path in re.findall(r"^\| ([A-Z]+) \| `([^`]+)`", DOCS, re.M)
    } == routed()


def test_the_description_lists_every_address() -> None:
    """What tools read is the list of routes, too."""
    described = document("https://a.example")["paths"]
    listed = {f"{method.upper()} {path}" for path, item in described.items() for method in item}
    assert listed == {one.replace(" ", f" {API_PATH}") for one in routed()}


def test_the_description_is_made_from_the_routes() -> None:
    """openapi.json is what the routes and models say; after a change run tools/api_description.py."""
    assert FILE.read_text() == runpy.run_path(str(ROOT / "tools" / "api_description.py"))["text"]()


def test_every_route_says_which_scope_it_needs() -> None:
    """What is enforced is what is described; a change is never for `read`."""
    for route in ROUTES:
        assert isinstance(route, APIRoute) and route.openapi_extra is not None
        (scope,) = route.openapi_extra["security"][0]["token"]
        assert scope in SCOPES
        assert (scope == "read") is (route.methods == {"GET"}), route.path


def test_scopes_and_problems_are_documented() -> None:
    """docs/api.md explains each scope; the example of a problem has a type there is."""
    for scope in SCOPES:
        assert f"| `{scope}` |" in DOCS
    named = re.findall(r"/api/docs#(\w+)", DOCS)
    assert named and set(named) <= set(TYPES)
