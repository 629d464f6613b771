"""Asks a git server for refs and new commits over smart HTTP, protocol version 2, without a clone.

The protocol: https://git-scm.com/docs/protocol-v2 and https://git-scm.com/docs/http-protocol.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import urljoin, urlsplit

import aiohttp

from trackeep import __version__
from trackeep.errors import (
    GitHubError,
    GitHubNoAccess,
    GitHubTooLarge,
    GitHubTooSlow,
    GitHubUnavailable,
)
from trackeep.github import ratelimit
from trackeep.github.gitpack import CommitPack, read_pack
from trackeep.github.gittrees import TreePack, read_trees
from trackeep.github.turns import Turns
from trackeep.model import Ref

_FLUSH, _DELIMITER, _RESPONSE_END = b"0000", b"0001", b"0002"
_AGENT = f"trackeep/{__version__}"
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=120)
_MOST_REDIRECTS = 3
# Haves of the first round; each one after it has four times as many, as git's own client increases them.
_FIRST_HAVES, _MORE_HAVES = 256, 4
# PostgreSQL cannot index more; GitHub itself stops at 255 bytes.
_LONGEST_REF = 1024
_LATER = "It is fetched again later; nothing is lost."
_NO_GIT = (
    "What answered is not GitHub's git server.",
    "Check GITHUB_GIT_URL and proxies in between; it is tried again later.",
)


@dataclass(frozen=True, slots=True)
class Caps:
    """What one fetch may take at most."""

    ref_bytes: int = 128 * 1024 * 1024
    pack_bytes: int = 2 * 1024 * 1024 * 1024
    commits: int = 2_000_000
    seconds: float = 900.0


@dataclass
class GitRemote:
    """One repository's git address and what asking it has cost so far; bytes are those received."""

    http: aiohttp.ClientSession
    url: str
    token: str = field(default="", repr=False)
    caps: Caps = Caps()
    clock: Callable[[], float] = time.time
    turns: Turns | None = None
    posts: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """Branches and tags as the server lists them; `head` is the default branch's name, "" when unborn."""

    head: str
    refs: tuple[Ref, ...]


async def list_refs(git: GitRemote) -> RemoteRefs:
    """Every branch and tag with the commit it leads to, in one POST.

    Raises GitHubNoAccess, GitHubRateLimited, GitHubUnavailable, GitHubTooLarge,
    GitHubTooSlow, GitHubError.
    """
    prefixes = [f"ref-prefix {prefix}" for prefix in ("HEAD", "refs/heads/", "refs/tags/")]
    body = _request("ls-refs", ["peel", "symrefs", *prefixes])
    head, refs = "", []
    async with _limited(git), _answer(git, body) as content:
        packets = _Packets(git, content, git.caps.ref_bytes)
        while (line := await packets.line()) is not None:
            ref, target = _parse_ref(line)
            if ref.name == "HEAD":
                head = target
            elif len(ref.name.encode()) <= _LONGEST_REF:
                refs.append(ref)
    return RemoteRefs(head if any(ref.name == head for ref in refs) else "", tuple(refs))


@dataclass(frozen=True, slots=True)
class Haves:
    """Stored commits to name to the server, most useful first; only such whose whole ancestry is stored.

    The first `listed` are tips that the server itself lists; all are named at once, in fewer bytes than
    their list has, because the server sends as soon as it can and then what it does not know of comes
    again. `older` finds further ones, far apart, and is
    asked only when those before did not tell the server where our history meets the wanted one.
    """

    shas: Sequence[str] = ()
    listed: int = 0
    older: Callable[[], Awaitable[Sequence[str]]] | None = None


async def fetch_pack(git: GitRemote, wants: Sequence[str], haves: Haves) -> CommitPack:
    """The commits that lead to `wants` but not to `haves`, as an open pack the caller closes.

    One POST when the server finds the first of the haves sufficient, which are all tips that it lists and
    at least 256 commits; else one for each further round and one that says that there are no more.
    Raises what list_refs raises, and GitHubTooManyCommits.
    """
    with tempfile.TemporaryFile() as file:
        async with _limited(git):
            await _negotiate(git, wants, haves, file)
        file.flush()
        return await asyncio.to_thread(read_pack, file, most_commits=git.caps.commits)


async def fetch_trees(git: GitRemote, commits: Sequence[str], *, most_objects: int) -> TreePack:
    """The folders of these commits as they were, without files, as an open pack the caller closes.

    One POST. Nothing is named that we have: what is compared must be there in full, and folders that
    several of the commits share come once. Raises what list_refs raises; a commit that the server does not
    have any more makes it GitHubUnavailable.
    """
    options = ["ofs-delta", "no-progress", "deepen 1", "filter blob:none"]
    body = _request("fetch", [*options, *(f"want {sha}" for sha in commits), "done"])
    with tempfile.TemporaryFile() as file:
        async with _limited(git), _answer(git, body) as content:
            await _save_last(_Packets(git, content, git.caps.pack_bytes), file)
        file.flush()
        return await asyncio.to_thread(read_trees, file, most_objects=most_objects)


async def _negotiate(git: GitRemote, wants: Sequence[str], haves: Haves, file: IO[bytes]) -> None:
    options = ["ofs-delta", "no-progress", "filter tree:0", *(f"want {sha}" for sha in wants)]
    common: dict[str, None] = {}
    async for batch in _rounds(haves):
        body = _request("fetch", [*options, *(f"have {sha}" for sha in dict.fromkeys([*common, *batch]))])
        async with _answer(git, body) as content:
            found = await _read_fetch(_Packets(git, content, git.caps.pack_bytes), file)
        if found is None:
            return
        common |= dict.fromkeys(found)
    body = _request("fetch", [*options, *(f"have {sha}" for sha in common), "done"])
    async with _answer(git, body) as content:
        await _save_last(_Packets(git, content, git.caps.pack_bytes), file)


async def _save_last(packets: _Packets, file: IO[bytes]) -> None:
    if await _read_fetch(packets, file) is not None:
        raise GitHubError("GitHub's git server ended without sending commits.", _LATER)


async def _rounds(haves: Haves) -> AsyncIterator[Sequence[str]]:
    """What is named in each round; nothing is left out, however much there is."""
    size = max(_FIRST_HAVES, haves.listed)
    start = 0
    while start < len(haves.shas):
        yield haves.shas[start : start + size]
        start += size
        size *= _MORE_HAVES
    if haves.older is not None and (older := await haves.older()):
        yield older


async def _read_fetch(packets: _Packets, file: IO[bytes]) -> list[str] | None:
    """Write the pack to `file` and return None; or the acknowledged shas when the server wants more."""
    common: list[str] = []
    while (section := await packets.line()) is not None:
        if section == b"packfile":
            await packets.save_pack(file)
            return None
        if section not in (b"acknowledgments", b"shallow-info"):
            raise GitHubError("GitHub's git server sent an answer of a kind that was not asked for.", _LATER)
        while (line := await packets.line()) is not None:
            if line.startswith(b"ACK "):
                common.append(line[4:44].decode("ascii", "replace"))
        if packets.flushed:
            return common
    return common


class _Packets:
    """The pkt-lines of one answer, counted; `flushed` tells whether the last section was the last."""

    def __init__(self, git: GitRemote, content: aiohttp.StreamReader, most_bytes: int) -> None:
        self.flushed = False
        self._git = git
        self._content = content
        self._left = most_bytes

    async def line(self) -> bytes | None:
        """The next line without its newline, None at the end of a section."""
        packet = await self._packet()
        if packet is None:
            return None
        if packet.startswith(b"ERR "):
            raise _refused(self._git, packet[4:])
        return packet.rstrip(b"\n")

    async def save_pack(self, file: IO[bytes]) -> None:
        """Write the pack's bytes, which come on band 1, to `file`; band 2 is progress, band 3 an error."""
        # Writes of 64 kB into the page cache take microseconds, a thread for each would take longer.
        while (packet := await self._packet()) is not None:
            if packet[:1] == b"\1":
                file.write(packet[1:])
            elif packet[:1] == b"\3":
                raise _refused(self._git, packet[1:])

    async def _packet(self) -> bytes | None:
        size = await self._content.readexactly(4)
        if size in (_FLUSH, _DELIMITER, _RESPONSE_END):
            self.flushed = size == _FLUSH
            self._git.bytes += 4
            return None
        try:
            length = int(size, 16)
        except ValueError:
            length = 0
        if length < 4:
            raise _no_git()
        self._left -= length
        self._git.bytes += length
        if self._left < 0:
            raise GitHubTooLarge(
                "The repository's commits or refs are more bytes than are fetched at once.",
                "Leave this repository out, or raise the limit.",
            )
        return await self._content.readexactly(length - 4)


@contextlib.asynccontextmanager
async def _limited(git: GitRemote) -> AsyncIterator[None]:
    """Turns network trouble into errors of ours, and ends what takes longer than the cap."""
    limit = asyncio.timeout(git.caps.seconds)
    try:
        async with limit:
            yield
    except (aiohttp.ClientError, asyncio.IncompleteReadError, TimeoutError) as error:
        if limit.expired():
            raise GitHubTooSlow(
                f"Fetching commits took longer than {git.caps.seconds:g} seconds.",
                "It is tried again later; if it keeps failing, leave this repository out.",
            ) from error
        raise GitHubUnavailable("The connection to GitHub's git server broke.", _LATER) from error


@contextlib.asynccontextmanager
async def _answer(git: GitRemote, body: bytes) -> AsyncIterator[aiohttp.StreamReader]:
    """POST `body` and follow redirects that stay on the host; elsewhere the token would be given away."""
    base = git.url.rstrip("/") + "/git-upload-pack"
    target = base
    for _ in range(_MOST_REDIRECTS + 1):
        if git.turns is not None:
            await git.turns.wait(git.turns.git)
        git.posts += 1
        async with git.http.post(
            target, data=body, headers=_headers(git), allow_redirects=False, timeout=_TIMEOUT
        ) as response:
            await _heed(git, response)
            if response.status not in (301, 302, 307, 308):
                _check(git, response)
                yield response.content
                return
            target = urljoin(target, response.headers.get("Location", ""))
        if urlsplit(target)[:2] != urlsplit(base)[:2]:
            raise GitHubNoAccess(
                "GitHub's git server redirected to another host, which is not followed.",
                "Check GITHUB_GIT_URL.",
            )
    raise GitHubError("GitHub's git server redirected in a circle.", "Check GITHUB_GIT_URL.")


async def _heed(git: GitRemote, response: aiohttp.ClientResponse) -> None:
    """A time that git's server names holds for everything that the account asks."""
    turns = git.turns or Turns(git.clock)
    earlier = turns.git.refusals
    refused = ratelimit.refusal(response.status, response.headers, "", git.clock(), earlier=earlier)
    await turns.heed(turns.git, refused)


def _check(git: GitRemote, response: aiohttp.ClientResponse) -> None:
    status = response.status
    # 401 as well: only GitHub's API knows whether the token is dead or merely may not read contents.
    if 400 <= status < 500 and status != 408:
        raise GitHubNoAccess(
            f"GitHub's git server gives no access to the repository ({status}).",
            "It is gone, renamed, or the token may not read its contents.",
        )
    if status >= 500:
        raise GitHubUnavailable(f"GitHub's git server answered {status}.", _LATER)
    if status != 200:
        raise GitHubError(f"GitHub's git server answered {status}, which was not expected.", _LATER)
    if response.content_type != "application/x-git-upload-pack-result":
        raise GitHubNoAccess(*_NO_GIT)


def _headers(git: GitRemote) -> dict[str, str]:
    headers = {
        "Accept": "application/x-git-upload-pack-result",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-git-upload-pack-request",
        "Git-Protocol": "version=2",
        "User-Agent": f"git/2 ({_AGENT})",
    }
    if git.token:
        pair = base64.b64encode(f"x-access-token:{git.token}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return headers


def _request(command: str, arguments: Sequence[str]) -> bytes:
    capabilities = [f"command={command}", f"agent={_AGENT}", "object-format=sha1"]
    lines = [*map(_packed, capabilities), _DELIMITER, *map(_packed, arguments), _FLUSH]
    return b"".join(lines)


def _packed(line: str) -> bytes:
    data = line.encode() + b"\n"
    return b"%04x" % (len(data) + 4) + data


def _parse_ref(line: bytes) -> tuple[Ref, str]:
    """The ref of one line of ls-refs, and the name it points to when it is symbolic."""
    sha, _, rest = line.decode(errors="backslashreplace").partition(" ")
    name, *attributes = rest.split(" ")
    found = dict(part.partition(":")[::2] for part in attributes)
    peeled = found.get("peeled", sha)
    if len(sha) != 40 or len(peeled) != 40 or not name:
        raise _no_git()
    return Ref(name, sha, peeled), found.get("symref-target", "")


def _refused(git: GitRemote, why: bytes) -> GitHubError:
    text = "".join(char if char.isprintable() else " " for char in why.decode(errors="replace")).strip()
    if git.token:
        text = text.replace(git.token, "[token]")
    return GitHubUnavailable(f"GitHub's git server refused: {text[:200]}.", _LATER)


def _no_git() -> GitHubError:
    return GitHubUnavailable(*_NO_GIT)
