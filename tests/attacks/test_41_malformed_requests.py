"""Attack 41: requests no honest program makes: smuggled, nested, of other methods, beside the address."""

import asyncio
import base64
from urllib.parse import urlsplit

import pytest
from programs import Program

pytestmark = pytest.mark.anyio

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
JSON = "Content-Type: application/json\r\n"
START = "/auth/github?redirect_uri=https://home.example"
SECOND = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POSTED = b"grant_type=authorization_code&client_id=https://home.example&code=x&redirect_uri=x&code_verifier=x"


async def raw(broker: Program, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Sends the bytes as they are and reads until the service hangs up: status, headers, everything else."""
    reader, writer = await asyncio.open_connection("localhost", urlsplit(broker.url).port)
    writer.write(head.encode("latin-1") + b"\r\n" + body)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    lines, _, rest = answer.partition(b"\r\n\r\n")
    status, *headers = lines.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in headers)
    return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, rest


def head(line: str, more: str = "", length: int | None = None) -> str:
    counted = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}{counted}"


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 3\r\nContent-Length: 30\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Content-Length: 3\r\n",
    ],
)
async def test_a_body_of_doubtful_length_is_not_read(broker: Program, lengths: str) -> None:
    """What a proxy may take for one request is never taken for two here: 400, and the line is cut."""
    status, _, rest = await raw(broker, head("POST /token", FORM + lengths), b"a=b" + SECOND)
    assert status == 400
    assert b"HTTP/1.1" not in rest


async def test_brackets_in_brackets_are_a_bad_request(broker: Program) -> None:
    """Nesting deeper than the parser goes is refused like anything else that makes no sense."""
    for body in (b"[" * 16_000, b'{"a":' * 3_000, b'{"redirect_uris":' + b"[" * 9_000):
        status, _, _ = await raw(broker, head("POST /register", JSON, len(body)), body)
        assert status == 400
    nested = b'{"typ":"dpop+jwt","alg":"ES256","x":' + b"[" * 2_000
    proof = f"DPoP: {base64.urlsafe_b64encode(nested).rstrip(b'=').decode()}.e30.AAAA\r\n"
    for path in ("/token", "/par"):
        status, _, rest = await raw(broker, head(f"POST {path}", FORM + proof, len(POSTED)), POSTED)
        assert status == 400
        assert b"invalid_dpop_proof" in rest


async def test_bytes_that_are_no_text_are_a_bad_request(broker: Program) -> None:
    """In a field, a header or an address: refused or not found, never a failure."""
    for body in (b"\xff\xfe", b"grant_type=%ff&client_id=%ed%a0%80", b"token=%00", b"a=1&" * 40):
        for path in ("/token", "/par", "/revoke", "/auth/github", "/authorize", "/apps/new"):
            status, _, _ = await raw(broker, head(f"POST {path}", FORM, len(body)), body)
            # Ending a token that nobody knows is no mistake (RFC 7009 section 2.2).
            assert status in ((200, 400) if path == "/revoke" else (400, 401, 403)), (path, body)
    for authorization in ("Bearer \xe9.\xe9.\xe9", "Bearer \xe9.\xe9", "Basic \xe9", "bearer", "Basic w6k6"):
        more = f"Authorization: {authorization}\r\n"
        for path in ("/userinfo", "/api/v1/user/me"):
            assert (await raw(broker, head(f"GET {path}", more)))[0] == 401
        status, _, _ = await raw(broker, head("POST /token", FORM + more, len(POSTED)), POSTED)
        assert status in (400, 401)
    for path in ("/%ff", "/%00", "/auth/github%00", "/.well-known/oauth-protected-resource/%ff"):
        assert (await raw(broker, head(f"GET {path}")))[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"])
async def test_other_methods_are_told_which_ones_there_are(broker: Program, method: str) -> None:
    """405 with the methods of all routes of the address, and nothing of the request comes back."""
    expected = {
        START: "GET, HEAD, POST",
        "/token": "POST",
        "/userinfo": "GET, HEAD, OPTIONS, POST",
        "/auth/github/callback": "GET, HEAD",
    }
    for path, methods in expected.items():
        status, headers, rest = await raw(broker, head(f"{method} {path}", "X-Secret: hidden\r\n"))
        assert (status, headers["allow"]) == (405, methods)
        assert b"hidden" not in rest


async def test_a_slash_more_or_a_letter_else_is_another_address(broker: Program) -> None:
    """Not found, and above all no redirect, which would carry a posted code to wherever Host says."""
    for path in (
        "/token/",
        "/auth/github/",
        "/TOKEN",
        "/./token",
        "/x/../token",
        "//token",
        "//evil.example",
    ):
        for method in ("GET", "POST"):
            status, headers, _ = await raw(broker, head(f"{method} {path}", FORM, len(POSTED)), POSTED)
            assert (status, "location" in headers) == (404, False)


async def test_asking_for_the_head_alone_begins_nothing(broker: Program) -> None:
    """The answer to HEAD is that to GET without its body, and has no login in it."""
    status, headers, rest = await raw(broker, head(f"HEAD {START}", "Accept: text/html\r\n"))
    assert (status, rest) == (200, b"")
    assert int(headers["content-length"]) > 1_000
    assert "txn-" not in headers.get("set-cookie", "")
    assert (await raw(broker, head("HEAD /token")))[0] == 405


async def test_an_address_in_the_first_line_changes_nothing(broker: Program) -> None:
    """Neither it nor Host nor two of them say who we are."""
    line = f"GET http://mallory.example{START}"
    more = "Accept: text/html\r\nHost: mallory.example\r\n"
    status, _, rest = await raw(broker, head(line, more))
    assert status in (200, 400)
    assert b"mallory" not in rest
