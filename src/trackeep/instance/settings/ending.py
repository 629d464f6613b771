"""The end of one thing of one's own: what the button beside it in a list of the settings does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance.frame import viewer_of
from trackeep.instance.site import site_of

# Of the account with this number, the thing with that one; whether it was still there.
End = Callable[[AsyncConnection, int, int], Awaitable[bool]]


async def ended(request: Request, what: str, end: End, back: str) -> Response:
    """Ends the `what` that the form numbers, and goes back to the list. Raises UsageError and NotFound."""
    site, number = site_of(request), number_in(await request.form(), what)
    async with site.db.write() as conn:
        if not await end(conn, viewer_of(request).account_id, number):
            raise NotFound(f"This {what} is gone already.", "Open the list again.")
    return site.go(back)


def number_in(form: FormData, what: str) -> int:
    """The number of a row, in the field that is called `what`; raises UsageError."""
    text = str(form.get(what, ""))
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise UsageError(f"It is not said which {what} is meant.", "Use the buttons of the page.")
    return int(text)
