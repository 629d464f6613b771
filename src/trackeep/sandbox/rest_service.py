"""REST answers about the service itself: its budgets, what it is, and everybody's picture."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from trackeep.sandbox.representation import Json
from trackeep.sandbox.rest_protocol import Answer, Call


async def meta(call: Call) -> Answer:
    return Answer({"verifiable_password_authentication": False})


async def rate_limit(call: Call) -> Answer:
    """Asking costs nothing."""
    resources = {name: _budget(call, name) for name in ("core", "search", "graphql")}
    return Answer({"resources": resources, "rate": resources["core"]})


def _budget(call: Call, resource: str) -> Json:
    budget = call.state.quota.look(call.login, resource)
    return {
        "limit": budget.limit,
        "used": budget.used,
        "remaining": budget.remaining,
        "reset": budget.reset_at,
    }


async def avatar(request: Request) -> Response:
    """A plain picture whose colours come from the account's number."""
    number = request.path_params["id"]
    hue = number * 47 % 360
    dots = "".join(
        f'<rect x="{8 + column * 8}" y="{8 + row * 8}" width="8" height="8"/>'
        for row in range(6)
        for column in range(6)
        if (number * 2654435761 >> (row * 3 + min(column, 5 - column))) & 1
    )
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" '
        f'fill="hsl({hue} 45% 88%)"/><g fill="hsl({hue} 50% 42%)">{dots}</g></svg>'
    )
    headers = {"Cache-Control": "max-age=3600"}
    return Response(picture, media_type="image/svg+xml", headers=headers)
