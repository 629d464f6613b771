"""Webhooks: what is signed makes a poll come soon, and nothing else does anything."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from local_instance import Guest, LocalInstance, serve
from programs import Program
from sandbox_control import Sandbox
from signed_delivery import FORM, JSON, SECRET, Delivery, about, as_form, examples, signature
from sqlalchemy import func, select, update

from trackeep.instance import deliveries
from trackeep.model import Email, Person, Repository
from trackeep.store import activity, hints, people, schedule
from trackeep.store.people import Credential
from trackeep.store.tables_sync import delivery
from trackeep.store.tables_sync import schedule as schedule_table

pytestmark = pytest.mark.anyio

ALICE, ATLAS = 1001, 70001
PUSH = about(ATLAS, ref="refs/heads/main")
# Nothing here asks GitHub.
NOWHERE = "http://127.0.0.1:9"


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[LocalInstance]:
    """An instance where alice follows atlas and is due in a long time; without a worker."""
    async with serve(folder, NOWHERE, **{"webhook_secret": SECRET, **settings}) as instance:
        await follow(instance, [ATLAS])
        yield instance


async def follow(instance: LocalInstance, ids: list[int]) -> None:
    site = instance.site
    shape = ("fernhill", "atlas", False, False, False, "main", "", "", 1, 1, 1, 1)
    async with site.db.write() as conn:
        await people.save_account(conn, Person(ALICE, "alice"), [Email("alice@example.org")], site.now())
        credential = Credential("token", "the token of alice", "print")
        await people.save_credential(conn, site.vault, ALICE, credential, site.now())
        await activity.save_repositories(conn, [Repository(each, f"R_{each}", *shape) for each in ids])
        await activity.grant_access(conn, ALICE, dict.fromkeys(ids, "admin"), site.now())
        await schedule.follow_repositories(conn, ALICE, ids, site.now())
    await rest(instance)


async def rest(instance: LocalInstance) -> None:
    """As after a pass: due in a long time, with no hint open."""
    async with instance.site.db.write() as conn:
        far = instance.site.now() + 10**6
        await conn.execute(
            update(schedule_table).values(
                due_at=far, priority=schedule.POLL, hinted_at=None, walk_asked_at=None
            )
        )


async def is_due(instance: LocalInstance) -> bool:
    async with instance.site.db.read() as conn:
        row = (await conn.execute(select(schedule_table))).one()
    return bool(row.due_at <= instance.site.now())


async def count(instance: LocalInstance) -> int:
    """How many deliveries are known."""
    async with instance.site.db.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(delivery))).scalar_one())


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[LocalInstance]:
    async with running(tmp_path) as local:
        yield local


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def test_without_a_secret_there_is_no_webhook(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """Not set up, the address answers like any that does not exist, whoever signs with whatever."""
    async with running(tmp_path, webhook_secret="") as instance:
        for secret in (SECRET, ""):
            reply = await Delivery(PUSH, secret=secret).send(instance.url, http)
            assert (reply.status, reply.sentence) == (404, "There is no page at this address.")
        assert not await is_due(instance) and await count(instance) == 0


@pytest.mark.parametrize("content_type", [JSON, FORM, "application/json; charset=utf-8", "Application/JSON"])
async def test_a_signed_delivery_makes_a_poll_due(
    instance: LocalInstance, http: aiohttp.ClientSession, content_type: str
) -> None:
    """In both content types GitHub offers; as a poll, not as a person's click."""
    body = as_form(PUSH) if content_type == FORM else PUSH
    reply = await Delivery(body, content_type=content_type).send(instance.url, http)
    assert (reply.status, json.loads(reply.text)) == (202, {"status": "accepted"})
    assert await is_due(instance)
    async with instance.site.db.read() as conn:
        assert (await conn.execute(select(schedule_table.c.priority))).scalar_one() == schedule.POLL


async def test_a_ping_is_answered(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """What GitHub sends when a webhook was added."""
    body = json.dumps({"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"type": "App"}}).encode()
    assert (await Delivery(body, "ping").send(instance.url, http)).status == 200


GOOD = signature(PUSH)
NAME = "X-Hub-Signature-256"


UNSIGNED = (
    {NAME: ""},
    {NAME: "", "X-Hub-Signature": "sha1=" + "0" * 40},
    {NAME: signature(PUSH, "another secret of forty-two characters")},
    {NAME: signature(PUSH, "")},
    {NAME: signature(PUSH + b" ")},
    {NAME: GOOD.upper()},
    {NAME: "sha256=" + GOOD.removeprefix("sha256=").upper()},
    {NAME: GOOD.removeprefix("sha256=")},
    {NAME: GOOD.replace("sha256", "sha512")},
    {NAME: GOOD.replace("sha256", "sha1")},
    {NAME: GOOD.replace("=", "= ")},
    {NAME: GOOD[:40] + " " + GOOD[40:]},
    {NAME: GOOD[:-1]},
    {NAME: GOOD + "0"},
    {NAME: GOOD + ", " + GOOD},
    {NAME: "sha256=" + "é" * 64},
    {NAME: "sha256=" + "0" * 64},
    {NAME: "x" * 8_000},
)


async def test_what_is_not_signed_is_refused(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """Missing, wrong, of another algorithm or writing: one sentence, the same for all; nothing happens."""
    for headers in UNSIGNED:
        reply = await Delivery(PUSH, headers=headers).send(instance.url, http)
        assert reply.status == 401, headers
        assert reply.sentence == "This is not signed with the webhook secret of this Trackeep."
        assert json.loads(reply.text)["hint"] == ""
    assert not await is_due(instance) and await count(instance) == 0


async def test_two_signatures_are_none(instance: LocalInstance) -> None:
    """Whoever adds a header of their own beside GitHub's gets nowhere, even if one of both is right."""
    lines = [f"{NAME}: {GOOD}", f"{NAME}: {signature(PUSH, 'mallory')}"]
    for pair in (lines, lines[::-1]):
        assert await status_of(instance, [*pair, f"Content-Length: {len(PUSH)}"], PUSH) == 401
    assert await count(instance) == 0


async def test_comparing_takes_the_same_time(instance: LocalInstance) -> None:
    """The signature is compared by the function made for it, with every secret there is, and never by ==."""
    source = inspect.getsource(deliveries.is_signed)
    assert "hmac.compare_digest" in source and "==" not in source and "any([" in source


async def test_two_secrets_while_one_replaces_the_other(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """Either signs; a third, or both together, do not."""
    old, new = "the old secret, which has commas".replace(",", ""), "the new secret of this year"
    async with running(tmp_path, webhook_secret=f"{new},{old}") as instance:
        for secret, status in ((old, 202), (new, 202), (f"{new},{old}", 401), (SECRET, 401), ("", 401)):
            assert (await Delivery(PUSH, secret=secret).send(instance.url, http)).status == status


DEEP = b'{"repository":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


NONSENSE = (
    (b"", JSON),
    (b"hello", JSON),
    (PUSH[:-1], JSON),
    (PUSH + PUSH, JSON),
    (b"[]", JSON),
    (b"null", JSON),
    (b'"push"', JSON),
    (b"[" + PUSH + b"]", JSON),
    (b'{"repository": []}', JSON),
    (b'{"repository": {"id": "70001"}}', JSON),
    (b'{"repository": {"id": true}}', JSON),
    (b'{"repository": {"id": 9223372036854775808}}', JSON),
    (b'{"repository": {"id": -1}}', JSON),
    (b'{"repository": {"id": 1e400}}', JSON),
    (b'{"repository": {"id": ' + b"9" * 5_000 + b"}}", JSON),
    (b'{"repository": {"login": "\xff"}}', JSON),
    (DEEP, JSON),
    (DEEP.replace(b"repository", b"something"), JSON),
    (b"payload=%5B%5D", FORM),
    (b"payload=", FORM),
    (b"payload", FORM),
    (b"other=%7B%7D", FORM),
    (b"payload=%7B%7D&payload=%7B%7D", FORM),
    (b"a=1&" * 50_000 + b"payload=%7B%7D", FORM),
    (b"payload=\xff", FORM),
    (b"payload=%ff", FORM),
    (PUSH, FORM),
    (as_form(PUSH), JSON),
    (PUSH, "text/plain"),
    (PUSH, "multipart/form-data; boundary=x"),
)


async def test_signed_nonsense_is_refused(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """A right signature does not make a delivery: 400 and a sentence, never an error of ours."""
    for body, content_type in NONSENSE:
        reply = await Delivery(body, "repository", content_type=content_type).send(instance.url, http)
        assert reply.status == 400, (body[:60], content_type)
        assert reply.sentence.startswith(("This is signed, but", "GitHub sends no such content type"))
    assert not await is_due(instance) and await count(instance) == 0


UNNAMED = (
    {"X-GitHub-Event": ""},
    {"X-GitHub-Delivery": ""},
    {"X-GitHub-Event": "push push"},
    {"X-GitHub-Delivery": "x" * 101},
    {"X-GitHub-Delivery": "';drop table delivery"},
)


async def test_a_delivery_has_a_name_and_a_number(
    instance: LocalInstance, http: aiohttp.ClientSession
) -> None:
    """Signed, but not as GitHub sends it."""
    for headers in UNNAMED:
        reply = await Delivery(PUSH, headers=headers).send(instance.url, http)
        assert reply.status == 400 and "X-GitHub-" in reply.sentence, headers
    assert await count(instance) == 0


OF_NOBODY = (
    ("push", b"{}"),
    ("push", b'{"repository": null}'),
    ("push", b'{"repository": {}}'),
    ("push", b'{"repository": {"id": 4611686018427387904}}'),
    ("membership", b'{"member": {"id": 5}, "organization": {"login": "nobody\\u0000"}}'),
    ("organization", b'{"membership": {"user": null}, "installation": {"account": {"login": null}}}'),
    ("push", about(ATLAS + 1)),
    ("something-of-next-year", b'{"action": "unheard-of"}'),
)


async def test_what_concerns_nobody_is_accepted(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """Unknown events, unknown repositories or none: the same answer as to a push that somebody waits for."""
    replies = [await Delivery(body, event).send(instance.url, http) for event, body in OF_NOBODY]
    assert not await is_due(instance)
    known = await Delivery(PUSH).send(instance.url, http)
    assert await is_due(instance)
    assert {(reply.status, reply.text, *sorted(reply.headers)) for reply in replies} == {
        (202, known.text, *sorted(known.headers))
    }


async def test_a_delivery_counts_once(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """Sent again it gets the same answer and does nothing; another one does."""
    first = Delivery(PUSH)
    answers = [await first.send(instance.url, http)]
    await rest(instance)
    answers.append(await first.send(instance.url, http))
    assert not await is_due(instance)
    assert [(each.status, each.text) for each in answers] == [(202, answers[0].text)] * 2
    await Delivery(PUSH).send(instance.url, http)
    assert await is_due(instance)


async def test_two_hundred_deliveries_in_disorder(
    instance: LocalInstance, http: aiohttp.ClientSession
) -> None:
    """Each is taken, once, and together they are one poll."""
    bodies = [body for event, body in examples() if event == "push"]
    some = [Delivery(json.dumps(bodies[n % len(bodies)]).encode(), id=f"id-{n % 100}") for n in range(160)]
    some += [Delivery(about(ATLAS, action="renamed"), "repository", id=f"id-{n}") for n in range(100, 140)]
    replies = await asyncio.gather(*(each.send(instance.url, http) for each in reversed(some)))
    assert {each.status for each in replies} == {202}
    assert await count(instance) == 140
    assert await is_due(instance)
    async with instance.site.db.read() as conn:
        asked_at = await hints.walk_asked_at(conn, ALICE)
    assert 0 < asked_at <= instance.site.now()


async def test_githubs_examples(instance: LocalInstance, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Each is accepted and makes its repository's followers look again; no word of it is kept."""
    ids = {body["repository"]["id"] for _, body in examples() if "repository" in body}
    await follow(instance, sorted(ids))
    for number, (event, body) in enumerate(examples()):
        await rest(instance)
        packed = json.dumps(body, ensure_ascii=bool(number % 2)).encode()
        form = number % 3 == 0
        one = Delivery(as_form(packed) if form else packed, event, content_type=FORM if form else JSON)
        reply = await one.send(instance.url, http)
        assert reply.status == (200 if event == "ping" else 202), (event, body.get("action"), reply.text)
        assert "repository" not in body or await is_due(instance), (event, body.get("action"))
    assert await count(instance) == len(examples()) > 300
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("trackeep.db*")).lower()
    assert b"create table" in kept
    assert not [word for word in (b"codertocat", b"hello-world", b"refs/heads", b"spelling") if word in kept]


RENAMES = ("renamed", "transferred", "deleted", "privatized", "archived", "unheard-of")
OF_ACCESS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("repository", {"action": each, "repository": {"id": ATLAS}}) for each in RENAMES),
    ("public", {"repository": {"id": ATLAS}}),
    ("member", {"action": "added", "member": {"id": ALICE}, "repository": {"id": 9}}),
    ("membership", {"member": {"id": ALICE}, "organization": {"login": "other"}}),
    ("organization", {"action": "member_removed", "membership": {"user": {"id": ALICE}}}),
    ("organization", {"action": "renamed", "organization": {"login": "FernHill"}}),
    ("team", {"action": "removed_from_repository", "organization": {"login": "fernhill"}}),
    ("installation", {"action": "deleted", "repositories": [{"id": 8}, {"id": ATLAS}]}),
    ("installation", {"action": "suspend", "installation": {"account": {"login": "fernhill"}}}),
    ("installation_repositories", {"repositories_removed": [{"id": ATLAS}]}),
    ("installation_repositories", {"repositories_added": [{"id": ATLAS}]}),
    ("github_app_authorization", {"action": "revoked", "sender": {"id": ALICE}}),
)


async def test_what_changes_access_has_everything_listed_again(
    instance: LocalInstance, http: aiohttp.ClientSession
) -> None:
    """Renamed, moved, made private, members and apps: the poll does not trust that lists look the same."""
    for event, body in OF_ACCESS:
        await rest(instance)
        await Delivery(json.dumps(body).encode(), event).send(instance.url, http)
        assert await is_due(instance), body
        async with instance.site.db.read() as conn:
            assert await hints.walk_asked_at(conn, ALICE) > 0, body


async def test_mallory_fills_nothing(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """Without the secret she is told the same each time, soon to wait, and leaves no row and no poll."""
    forged = [Delivery(about(ATLAS, n=n), secret=f"a guess of mallory, number {n}") for n in range(80)]
    replies = [await each.send(instance.url, http) for each in forged]
    assert [each.status for each in replies] == [401] * 60 + [429] * 20
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 60
    assert await count(instance) == 0 and not await is_due(instance)
    instance.clock.ahead_s += 61
    assert (await Delivery(PUSH).send(instance.url, http)).status == 202


async def test_the_owner_sees_when_the_last_one_came(
    sandbox: Program, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    """On the page Sync, so that a webhook that went silent is noticed; nobody else is told."""
    github = Sandbox(sandbox.url)
    async with (
        serve(tmp_path, sandbox.url, webhook_secret=SECRET, allowed_users="bob") as instance,
        Guest(instance.url, "") as alice,
        Guest(instance.url, "") as bob,
    ):
        await alice.set_up(await instance.code())
        for guest, login in ((alice, "alice"), (bob, "bob")):
            await guest.send("/signin/token", {"token": github.token(login)})
        assert "Webhook on · nothing delivered" in (await alice.open("/sync")).text
        await Delivery(PUSH).send(instance.url, http)
        assert "Webhook on · GitHub last told us" in (await alice.open("/sync")).text
        page = await bob.open("/sync")
        assert page.status == 200 and "Webhook" not in page.text


async def test_a_session_is_no_signature(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """Coming from a page of the instance itself helps nobody."""
    own = {NAME: "", "Origin": instance.url, "Sec-Fetch-Site": "same-origin", "Cookie": "session=1"}
    assert (await Delivery(PUSH, headers=own).send(instance.url, http)).status == 401


# ---- long bodies --------------------------------------------------------------------------------


async def status_of(instance: LocalInstance, lines: list[str], body: bytes = b"") -> int:
    """The status of a request written by hand; what is not sent is waited for by nobody."""
    port = urlsplit(instance.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    named = ["X-GitHub-Event: push", "X-GitHub-Delivery: by-hand", f"Content-Type: {JSON}"]
    head = ["POST /webhooks/github HTTP/1.1", "Host: localhost", *named, *lines, "", ""]
    writer.write("\r\n".join(head).encode() + body)
    async with asyncio.timeout(60):
        answer = await reader.readline()
    writer.close()
    return int(answer.split()[1])


async def test_a_body_beyond_githubs_own_limit_is_not_waited_for(instance: LocalInstance) -> None:
    """Announced it is refused before a byte of it came; in pieces, as soon as it is too long."""
    length = deliveries.LONGEST_BODY + 1
    assert await status_of(instance, [f"{NAME}: {GOOD}", f"Content-Length: {length}"]) == 413
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert await status_of(instance, [f"{NAME}: {GOOD}", "Transfer-Encoding: chunked"], piece * 26) == 413
    assert await count(instance) == 0


async def test_without_a_signature_no_body_is_read(instance: LocalInstance) -> None:
    """The answer comes while the announced megabytes are still on their way."""
    assert await status_of(instance, ["Content-Length: 20000000"]) == 401


async def test_the_longest_body_is_taken(instance: LocalInstance, http: aiohttp.ClientSession) -> None:
    """As long as GitHub's limit, several at the same time; all others go on being answered."""
    start = PUSH[:-1] + b',"x":"'
    body = start + b"x" * (deliveries.LONGEST_BODY - len(start) - 2) + b'"}'
    assert len(body) == deliveries.LONGEST_BODY
    long = asyncio.gather(*(Delivery(body).send(instance.url, http) for _ in range(6)))
    assert (await Delivery(PUSH).send(instance.url, http)).status == 202
    assert [each.status for each in await long] == [202] * 6
    assert await count(instance) == 7
