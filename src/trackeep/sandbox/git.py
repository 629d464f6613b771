"""Git over smart HTTP: clones and fetches answered by `git upload-pack`, as GitHub answers them."""

import asyncio
import contextlib
import os
import signal
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from trackeep.sandbox import history
from trackeep.sandbox.oauth import BadCredentials, Grant
from trackeep.sandbox.requestlog import entry_of
from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.world import Repository

_SERVICE = "git-upload-pack"
_CHUNK = 64 * 1024
_MOST_REQUEST_BYTES = 32 * 1024 * 1024
_FRESH = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache"}
_ADVERTISEMENT = b"001e# service=git-upload-pack\n0000"


def routes(state: SandboxState) -> list[BaseRoute]:
    """The protocol's three addresses below every repository."""
    door = _Door(state)
    return [
        Route("/{owner}/{name}/info/refs", door.advertise, methods=["GET"]),
        Route("/{owner}/{name}/git-upload-pack", door.upload_pack, methods=["POST"]),
        Route("/{owner}/{name}/git-receive-pack", door.receive_pack, methods=["POST"]),
    ]


class _Refused(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class _Door:
    """Opens a repository to those who may read it."""

    state: SandboxState

    async def advertise(self, request: Request) -> Response:
        try:
            repository = self._repository(request)
        except _Refused as refused:
            return refused.response
        service = request.query_params.get("service")
        if service != _SERVICE:
            return _no_push() if service else PlainTextResponse("Please upgrade your git client.\n", 403)
        version_2 = "version=2" in request.headers.get("git-protocol", "")
        prelude = b"" if version_2 else _ADVERTISEMENT
        body = _talk(repository, request, ["--http-backend-info-refs"], None, prelude)
        return StreamingResponse(body, headers=_FRESH, media_type=f"application/x-{_SERVICE}-advertisement")

    async def upload_pack(self, request: Request) -> Response:
        try:
            repository = self._repository(request)
            asked = await _body(request)
        except _Refused as refused:
            return refused.response
        body = _talk(repository, request, [], asked, b"")
        return StreamingResponse(body, headers=_FRESH, media_type=f"application/x-{_SERVICE}-result")

    async def receive_pack(self, request: Request) -> Response:
        try:
            self._repository(request)
        except _Refused as refused:
            return refused.response
        return _no_push()

    def _repository(self, request: Request) -> Repository:
        """The repository asked for. Raises _Refused with what GitHub says to somebody who may not read it."""
        grant = self._grant(request)
        owner, name = request.path_params["owner"], request.path_params["name"].removesuffix(".git")
        repository = self.state.world.repository(owner, name)
        if repository is None or not _may_read(self.state, grant, repository):
            # Without credentials GitHub asks for them, so that nobody learns what exists.
            raise _Refused(_ask_for_password() if grant is None else _not_found())
        if repository.full_name.lower() != f"{owner}/{name}".lower():
            rest = request.url.path.split("/", 3)[3]
            query = f"?{request.url.query}" if request.url.query else ""
            raise _Refused(RedirectResponse(f"/{repository.full_name}.git/{rest}{query}", 301))
        return repository

    def _grant(self, request: Request) -> Grant | None:
        entry = entry_of(request)
        entry.resource = "git"
        try:
            grant = self.state.authority.authenticate(request.headers.get("authorization"))
        except BadCredentials:
            raise _Refused(_ask_for_password("Invalid username or token.")) from None
        if grant is not None:
            entry.login, entry.token = grant.login, grant.token_fingerprint
        return grant


def _may_read(state: SandboxState, grant: Grant | None, repository: Repository) -> bool:
    if grant is None or "repo" not in grant.scopes:
        return not repository.private
    return state.world.may_read(grant.login, repository)


def _ask_for_password(text: str = "Repository not found.") -> Response:
    return PlainTextResponse(text, 401, {"WWW-Authenticate": 'Basic realm="GitHub"'})


def _not_found() -> Response:
    return PlainTextResponse("Repository not found.", 404)


def _no_push() -> Response:
    return PlainTextResponse("This local GitHub does not take pushes.", 403)


async def _body(request: Request) -> bytes:
    """The request's body, unpacked if git has compressed it. Raises _Refused when broken or too large."""
    unpack = zlib.decompressobj(31) if request.headers.get("content-encoding") == "gzip" else None
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        try:
            part = unpack.decompress(chunk, _MOST_REQUEST_BYTES) if unpack else chunk
        except zlib.error:
            raise _Refused(PlainTextResponse("The compressed body is broken.", 400)) from None
        size += len(part)
        if size > _MOST_REQUEST_BYTES or (unpack and unpack.unconsumed_tail):
            raise _Refused(PlainTextResponse("The request is too large.", 413))
        parts.append(part)
    return b"".join(parts)


async def _talk(
    repository: Repository, request: Request, options: list[str], asked: bytes | None, prelude: bytes
) -> AsyncIterator[bytes]:
    """Run `git upload-pack` once: send what was asked, yield its answer in pieces."""
    if prelude:
        yield prelude
    protocol = request.headers.get("git-protocol", "")
    process = await asyncio.create_subprocess_exec(
        *("git", "upload-pack", "--stateless-rpc", "--strict", *options, str(repository.git_dir)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**history.environment(), "GIT_PROTOCOL": protocol},
    )
    assert process.stdin is not None and process.stdout is not None
    feeding = asyncio.create_task(_feed(process.stdin, asked or b""))
    try:
        while chunk := await process.stdout.read(_CHUNK):
            yield chunk
        await feeding
        await process.wait()
    finally:
        feeding.cancel()
        if process.returncode is None:
            # Not process.kill(): it collects a child that has just ended before asyncio's watcher can.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())


async def _feed(stdin: asyncio.StreamWriter, asked: bytes) -> None:
    """Git may answer and leave before it has read everything."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(asked)
        await stdin.drain()
    stdin.close()
