"""Settings, who is who: addresses and accounts that are the reader's, and logins they call bots."""

from __future__ import annotations

import re

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance.frame import reader_of, viewer_of
from trackeep.instance.site import site_of
from trackeep.store import claims, reports_identities

ADDRESS = re.compile(r"[^\s@<>\x00-\x1f]{1,190}@[^\s@<>\x00-\x1f]{1,63}")
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,98}(\[bot\])?")


async def claim(request: Request) -> Response:
    """POST /settings/me: `add` an address or a login, or `drop` an address or the number of an account."""
    site, viewer, form = site_of(request), viewer_of(request), await request.form()
    added, dropped = _text(form, "add"), _text(form, "drop")
    async with site.db.write() as conn:
        if dropped.isdecimal():
            await claims.drop_account(conn, viewer.account_id, int(dropped[:18]))
        elif dropped:
            await claims.drop_address(conn, viewer.account_id, dropped)
        elif ADDRESS.fullmatch(added):
            await claims.claim_address(conn, viewer.account_id, added)
        elif LOGIN.fullmatch(added):
            found = await reports_identities.person_met(conn, reader_of(request), added)
            if found is None:
                raise NotFound(
                    f"Nobody called {added} did anything in the repositories you may read.",
                    "Check the spelling, or claim an e-mail address instead.",
                )
            await claims.claim_account(conn, viewer.account_id, found)
        else:
            raise UsageError(
                "That is neither an e-mail address nor a login.", "Write me@example.org, or a login."
            )
    return site.go("/settings#me")


async def bots(request: Request) -> Response:
    """POST /settings/bots: `add` a login that is a bot, or `drop` one that is not."""
    site, viewer, form = site_of(request), viewer_of(request), await request.form()
    added, dropped = _text(form, "add"), _text(form, "drop")
    if not LOGIN.fullmatch(added or dropped):
        raise UsageError("That is not a login of GitHub.", "Write it as GitHub shows it.")
    async with site.db.write() as conn:
        if added:
            await claims.call_bot(conn, viewer.account_id, added)
        else:
            await claims.call_person(conn, viewer.account_id, dropped)
    return site.go("/settings#bots")


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip().removeprefix("@")
