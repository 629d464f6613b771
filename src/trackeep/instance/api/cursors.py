"""Where the next page of a list begins: a text that means something to us, and to the same question only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from starlette.requests import Request

from trackeep.errors import UsageError
from trackeep.instance.frame import viewer_of

# They change where a page begins and ends, or what it says above, not what is listed.
_OF_THE_PAGE = ("cursor", "limit", "done")
_LARGEST = 2**63 - 1
Part = int | str


def cursor_after(request: Request, *key: Part) -> str:
    """The cursor of the page that begins after the row with this key."""
    text = json.dumps([_question(request), *key], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def key_in(request: Request, *kinds: type[int] | type[str]) -> tuple[Any, ...] | None:
    """The key in `?cursor=`, whose parts are of these kinds; None without one.

    Raises UsageError for what is not ours, or belongs to another question. It proves nothing and needs
    not: what may be read is decided anew for each page.
    """
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    refused = UsageError("This cursor belongs to another list.", "Begin again without a cursor.")
    try:
        question, *key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise refused from None
    if question != _question(request) or len(key) != len(kinds):
        raise refused
    if not all(_is(part, kind) for part, kind in zip(key, kinds, strict=True)):
        raise refused
    return tuple(key)


def _question(request: Request) -> str:
    query = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _OF_THE_PAGE)
    asked = json.dumps([viewer_of(request).account_id, request.scope["path"], query])
    return hashlib.sha256(asked.encode()).hexdigest()[:12]


def _is(part: object, kind: type[int] | type[str]) -> bool:
    # A truth value is a number to Python, not to us.
    if not isinstance(part, kind) or isinstance(part, bool):
        return False
    if isinstance(part, int):
        return -_LARGEST <= part <= _LARGEST
    # A lone half of a character cannot be sent to a database, nor can U+0000.
    return "\0" not in part and not any("\ud800" <= letter <= "\udfff" for letter in part)
