"""Fetches the metadata documents that hosts publish about themselves, without becoming anybody's tool.

https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/ (revision 02). Whoever names
an address makes this service open a connection to it, so: https on port 443 only, to public addresses
only and to exactly the address that was checked, no redirects, little, quickly and seldom.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from trackeep.broker.document_rules import Document, DocumentRefused, host_of, read_document
from trackeep.broker.public_addresses import Address, is_public

Resolve = Callable[[str], Awaitable[Sequence[str]]]

MOST_BYTES = 5_120
WITHIN_S = 5.0
FETCH_EVERY_S = 30.0
MOST_IN_FLIGHT = 10
# Many names can lead to one computer: all of them together ask it no more often than this.
MOST_PER_ADDRESS = 10
MOST_ADDRESSES = 8
MOST_REMEMBERED = 2_000
MOST_KEPT = 1_000
KEPT_S = 3_600.0
LONGEST_KEPT_S = 86_400.0

log = structlog.get_logger()


class NotNow(DocumentRefused):
    """Nothing is known against the document: its host was not asked, or could not be reached."""


@dataclass(frozen=True)
class _Kept:
    """A document that was fetched, until when it counts, and until when it may stand in for a newer one."""

    document: Document
    until: float
    in_need_until: float


@dataclass
class _Visit:
    """The last time a host was asked: for which document, and how that ended (None: it is under way)."""

    url: str
    at: float
    answer: asyncio.Task[Document]


class Documents:
    """Metadata documents by address, fetched at most every 30 s from one host and kept for up to a day.

    The arguments exist so that tests can reach a server of their own: `resolve` gives the addresses of a
    name, `may_connect` says which of them are acceptable, `clock` counts seconds.
    """

    def __init__(
        self,
        *,
        resolve: Resolve | None = None,
        port: int = 443,
        tls: ssl.SSLContext | None = None,
        may_connect: Callable[[Address], bool] = is_public,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve or self._ask_dns
        self._port = port
        self._given_tls = tls
        self._may_connect = may_connect
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._asked: dict[str, list[float]] = {}
        self._in_flight = 0

    async def fetch(self, url: str) -> Document:
        """The document at `url`, kept or fetched; raises DocumentRefused with one clear sentence."""
        host = host_of(url)
        now = self._clock()
        kept = self._kept.get(url)
        if kept and now < kept.until:
            return kept.document
        # What was there before has turns of its own: made-up paths must not use up those of its host.
        turn = url if kept else host
        try:
            visit = self._recent_visit(turn, now) or self._begin(turn, url, now)
            if visit.url != url:
                raise _not_now()
            # Shielded: one visitor who leaves must not take the answer from the others.
            return await asyncio.shield(visit.answer)
        except NotNow:
            # Nor must whoever keeps us, our name server or the host busy keep a known program's people out.
            if kept and now < kept.in_need_until:
                return kept.document
            raise

    def _recent_visit(self, turn: str, now: float) -> _Visit | None:
        while self._visits and next(iter(self._visits.values())).at <= now - FETCH_EVERY_S:
            self._visits.popitem(last=False)
        return self._visits.get(turn)

    def _begin(self, turn: str, url: str, now: float) -> _Visit:
        if self._in_flight >= MOST_IN_FLIGHT or len(self._visits) >= MOST_REMEMBERED:
            raise NotNow("Too many metadata documents are being fetched.", "Try again in a minute.")
        self._in_flight += 1
        visit = _Visit(url, now, asyncio.create_task(self._fetch_and_keep(url)))
        # Whoever waits gets the error; when nobody does any more, asyncio need not complain.
        visit.answer.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._visits[turn] = visit
        return visit

    async def _fetch_and_keep(self, url: str) -> Document:
        try:
            async with asyncio.timeout(WITHIN_S):
                document, kept_s = await self._fetch(host_of(url), url)
        except NotNow:
            raise
        except DocumentRefused as refused:
            # Taken down or changed by its host: what was there before stands in for nothing any more.
            self._kept.pop(url, None)
            log.info("metadata document refused", reason=refused.sentence)
            raise
        except (TimeoutError, OSError, aiohttp.ClientError, ValueError) as error:
            log.info("metadata document not fetched", reason=type(error).__name__)
            raise NotNow(
                "The metadata document of this address cannot be fetched.",
                "It has to be reachable by https with a valid certificate, within 5 seconds.",
            ) from None
        finally:
            self._in_flight -= 1
        now = self._clock()
        self._kept[url] = _Kept(document, now + kept_s, now + LONGEST_KEPT_S)
        self._kept.move_to_end(url)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return document

    async def _fetch(self, host: str, url: str) -> tuple[Document, float]:
        """The document and for how many seconds it may be kept."""
        addresses = await self._checked(host)
        connector = aiohttp.TCPConnector(
            resolver=_Checked(addresses, self._port), ssl=self._tls, use_dns_cache=False, force_close=True
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            # Time is limited around everything, names and handshakes included.
            timeout=aiohttp.ClientTimeout(total=WITHIN_S),
        )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Trackeep"}
        async with (
            session,
            session.get(URL(url, encoded=True), headers=headers, allow_redirects=False) as answer,
        ):
            _check_head(answer)
            body = await _body(answer)
        return read_document(url, body), kept_for(answer.headers.get("Cache-Control", ""))

    async def _checked(self, host: str) -> list[Address]:
        """Every address of `host`, all of them public and none asked too often."""
        addresses = [ipaddress.ip_address(text) for text in await self._resolve(host)]
        # One that is not public among others that are is a trick, not a misfortune.
        if not addresses or not all(self._may_connect(address) for address in addresses):
            raise DocumentRefused(
                "The host of this client id is not on the public internet.",
                "A metadata document has to be reachable from everywhere; leave it out otherwise.",
            )
        for address in addresses[:MOST_ADDRESSES]:
            self._count(address)
        return addresses[:MOST_ADDRESSES]

    def _count(self, address: Address) -> None:
        now = self._clock()
        network = str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), False))
        if len(self._asked) > MOST_REMEMBERED * MOST_ADDRESSES:
            self._asked = {
                name: times for name, times in self._asked.items() if times[-1] > now - FETCH_EVERY_S
            }
        times = [at for at in self._asked.get(network, []) if at > now - FETCH_EVERY_S]
        if len(times) >= MOST_PER_ADDRESS:
            raise _not_now()
        self._asked[network] = [*times, now]

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or ssl.create_default_context()

    @cached_property
    def _dns_threads(self) -> ThreadPoolExecutor:
        # Threads of their own: a name server that never answers must not hold up the lookups of GitHub.
        return ThreadPoolExecutor(MOST_IN_FLIGHT, thread_name_prefix="document-dns")

    async def _ask_dns(self, host: str) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._dns_threads, lambda: socket.getaddrinfo(host, self._port, type=socket.SOCK_STREAM)
        )
        return [str(entry[4][0]) for entry in found]


class _Checked(AbstractResolver):
    """Answers with the addresses that were checked, whatever the name server would say by now."""

    def __init__(self, addresses: Sequence[Address], port: int) -> None:
        self._addresses = addresses
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=self._port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to give back."""


def kept_for(cache_control: str) -> float:
    """For how many seconds a document is kept: as its host says, within 30 s and a day; an hour unsaid."""
    said = cache_control.lower()
    age = re.search(r"(?:^|[ ,])max-age=\"?([0-9]{1,9})", said)
    if re.search(r"(?:^|[ ,])no-(?:store|cache)", said):
        return FETCH_EVERY_S
    # Less would leave the time until the next fetch without any answer.
    return min(LONGEST_KEPT_S, max(FETCH_EVERY_S, float(age[1]))) if age else KEPT_S


def _check_head(answer: aiohttp.ClientResponse) -> None:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if answer.status != 200:
        raise DocumentRefused(
            "There is no metadata document at this address.", "It has to answer 200, without a redirect."
        )
    if not re.fullmatch(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json", kind):
        raise DocumentRefused("The metadata document is not JSON.", "Send it as application/json.")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DocumentRefused("The metadata document is compressed.", "Send it as it is.")


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    while chunk := await answer.content.read(MOST_BYTES + 1 - len(body)):
        body += chunk
        if len(body) > MOST_BYTES:
            raise DocumentRefused("The metadata document is too long.", f"Keep it below {MOST_BYTES} bytes.")
    return body


def _not_now() -> NotNow:
    return NotNow("This host was asked for a metadata document a moment ago.", "Try again in half a minute.")
