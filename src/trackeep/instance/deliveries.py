"""What GitHub delivers to a webhook: whether it is signed, and where it says that something moved; pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import parse_qs

import msgspec

from trackeep.errors import UsageError
from trackeep.store.hints import Moved

# https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap
LONGEST_BODY = 25 * 1024 * 1024
MOST_REPOSITORIES = 500
# After these, who may read a repository, or what it is called, may be another than before.
ACCESS_EVENTS = {
    *("repository", "public", "member", "membership", "organization", "team", "team_add"),
    *("installation", "installation_repositories", "installation_target", "github_app_authorization"),
}
LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}")

Number = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]


class _Thing(msgspec.Struct):
    id: Number | None = None
    login: str | None = None


class _Installation(msgspec.Struct):
    account: _Thing | None = None


class _Membership(msgspec.Struct):
    user: _Thing | None = None


class _Delivery(msgspec.Struct):
    """The few fields that tell where something moved; all others are skipped unread."""

    repository: _Thing | None = None
    repositories: list[_Thing] | None = None
    repositories_added: list[_Thing] | None = None
    repositories_removed: list[_Thing] | None = None
    organization: _Thing | None = None
    installation: _Installation | None = None
    account: _Thing | None = None
    membership: _Membership | None = None
    member: _Thing | None = None
    sender: _Thing | None = None


def is_signed(body: bytes, signature: str, secrets: str) -> bool:
    """True when `signature`, "sha256=" and hex digits, is that of the raw body with one of the `secrets`.

    Commas separate them while a new one replaces an old one.
    https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    """
    made = [hmac.new(each.encode(), body, hashlib.sha256).hexdigest() for each in secrets.split(",")]
    return any([hmac.compare_digest(f"sha256={each}".encode(), signature.encode()) for each in made])


def read(body: bytes, content_type: str, event: str) -> Moved:
    """Where something moved according to a delivery. Raises UsageError for what GitHub does not send."""
    if content_type == "application/x-www-form-urlencoded":
        body = _payload(body)
    elif content_type != "application/json":
        raise UsageError("GitHub sends no such content type.", "Choose application/json for the webhook.")
    try:
        said = msgspec.json.decode(body, type=_Delivery)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError("This is signed, but it is no delivery as GitHub writes them.") from None
    return _of_access(said) if event in ACCESS_EVENTS else Moved(_ids([said.repository]))


def _of_access(said: _Delivery) -> Moved:
    listed = [
        *(said.repositories or ()),
        *(said.repositories_added or ()),
        *(said.repositories_removed or ()),
    ]
    account = said.installation.account if said.installation else None
    user = said.membership.user if said.membership else None
    return Moved(
        _ids([said.repository, *listed[:MOST_REPOSITORIES]]),
        _logins([said.organization, account, said.account]),
        _ids([said.member, user, said.sender]),
        is_access=True,
    )


def _payload(form: bytes) -> bytes:
    """The JSON in a form of one field. Raises UsageError."""
    try:
        fields = parse_qs(form.decode("ascii"), strict_parsing=True, max_num_fields=2)
        (payload,) = fields["payload"]
    except (ValueError, KeyError):
        raise UsageError("This is signed, but the form has no field called payload.") from None
    return payload.encode()


def _ids(things: Iterable[_Thing | None]) -> frozenset[int]:
    return frozenset(each.id for each in things if each and each.id)


def _logins(things: Iterable[_Thing | None]) -> frozenset[str]:
    names = (each.login for each in things if each and each.login)
    return frozenset(name.lower() for name in names if LOGIN.fullmatch(name))
