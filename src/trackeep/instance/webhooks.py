"""GitHub tells that something moved: a delivery is checked, and then it only makes a poll come sooner."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.errors import NotFound, NotSignedIn, UsageError
from trackeep.instance import deliveries
from trackeep.instance.site import Site, site_of
from trackeep.store import hints

PATH = "/webhooks/github"
# Longer ones are rare. They take turns, so that many at once do not fill the memory, and a thread.
LONG_BODY = 262_144
SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
WORD = re.compile(r"[0-9A-Za-z_-]{1,100}")

P = ParamSpec("P")
T = TypeVar("T")


async def receive(request: Request) -> Response:
    """POST /webhooks/github: the same answer whether or not anybody here follows what it is about."""
    site = site_of(request)
    if not site.settings.webhook_secret:
        raise NotFound("There is no page at this address.")
    length = request.headers.get("content-length", "")
    is_long = not length.isdecimal() or int(length[:12]) > LONG_BODY
    async with site.long_deliveries if is_long else contextlib.nullcontext():
        return await _take(request, site, is_long)


async def _take(request: Request, site: Site, is_long: bool) -> Response:
    body = await _signed_body(request, site, is_long)
    event, delivery_id = _word(request, "X-GitHub-Event"), _word(request, "X-GitHub-Delivery")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    moved = await _call(is_long, deliveries.read, body, content_type, event)
    async with site.db.write() as conn:
        if await hints.save_delivery(conn, delivery_id, site.now()):
            await hints.hint(conn, moved, site.now())
    return _answer("pong", 200) if event == "ping" else _answer("accepted", 202)


async def _signed_body(request: Request, site: Site, is_long: bool) -> bytes:
    """The body as it came, once its signature is right. Raises NotSignedIn and TooManyRequests."""
    address = request.state.client_address
    site.delivery_tries.check(address, site.clock())
    signatures = request.headers.getlist("x-hub-signature-256")
    # What cannot be right is not even read.
    if len(signatures) == 1 and SIGNATURE.fullmatch(signatures[0]):
        body = await request.body()
        secrets = site.settings.webhook_secret
        if await _call(is_long, deliveries.is_signed, body, signatures[0], secrets):
            return body
    site.delivery_tries.note(address, site.clock())
    raise NotSignedIn("This is not signed with the webhook secret of this Trackeep.")


def _word(request: Request, name: str) -> str:
    word = request.headers.get(name, "")
    if not WORD.fullmatch(word):
        raise UsageError(f"The header {name} is missing, or not as GitHub writes it.")
    return word


async def _call(beside: bool, how: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    return await asyncio.to_thread(how, *args, **more) if beside else how(*args, **more)


def _answer(status: str, code: int) -> Response:
    return JSONResponse({"status": status}, status_code=code, headers={"cache-control": "no-store"})
