"""The login tokens of examples/test-vectors.json, judged by every example and by ourselves."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from programs import environment
from running_example import FOLDER, NAMES, install

from trackeep.errors import TrackeepError
from trackeep.handshake import token

FILE = FOLDER / "test-vectors.json"
WRITTEN: dict[str, Any] = json.loads(FILE.read_text())

# Each prints, in the order of the vectors, whether the example's own `verify` accepts the token.
PYTHON = """
import json, sys
from app import verify
given, verdicts = json.load(open(sys.argv[1], encoding="utf-8")), []
for each in given["vectors"]:
    try:
        verify(each["token"], given["nonce"], given["now"], given["issuer"], given["audience"])
        verdicts.append(True)
    except Exception:
        verdicts.append(False)
print(json.dumps(verdicts))
"""
NODE = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const { verify } = await import(pathToFileURL(process.argv[2]));
const { vectors, nonce, now, issuer, audience } = JSON.parse(readFileSync(process.argv[1]));
const verdicts = [];
for (const { token } of vectors)
  verdicts.push(await verify(token, nonce, now, issuer, audience).then(() => true, () => false));
console.log(JSON.stringify(verdicts));
"""


class KeyServer(ThreadingHTTPServer):
    """Publishes the key set of the vectors where a service would, and counts who asks."""

    requests = 0


class Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, KeyServer)
        self.server.requests += 1
        found = self.path == "/.well-known/jwks.json"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(WRITTEN["jwks"]).encode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer(("127.0.0.1", 0), Publisher)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_judges_as_it_should(name: str, key_server: KeyServer, tmp_path: Path) -> None:
    """Every good token is accepted and every forged one refused, with one look at the service's keys."""
    program = install(name, tmp_path / name)
    source = Path(program[-1])
    if name.startswith("node"):
        command = ["node", "--input-type=module", "-e", NODE, "--", str(FILE), str(source)]
    else:
        command = [sys.executable, "-W", "error::DeprecationWarning", "-c", PYTHON, str(FILE)]
    settings = {
        "BROKER_URL": f"http://127.0.0.1:{key_server.server_address[1]}",
        "DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": str(source.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ended = subprocess.run(
        command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    _compare(json.loads(ended.stdout))
    # Unknown keys are named by several tokens; all of them together are worth one look a minute.
    assert key_server.requests == 1


def test_our_own_verdicts() -> None:
    """What the examples are measured by is what our own instance accepts."""
    keys = token.public_keys(WRITTEN["jwks"])
    _compare([_accepts(each["token"], keys) for each in WRITTEN["vectors"]])


def test_the_vectors_cover_every_check() -> None:
    """Each claim, each part of the header and the signature is wrong in at least one token."""
    names = " ".join(each["name"] for each in WRITTEN["vectors"])
    for word in (
        "alg none",
        "HS256",
        "RS256",
        "kid",
        "typ",
        "issuer",
        "audience",
        "nonce",
        "jti",
        "sub",
        "iat",
    ):
        assert word in names
    assert sum(each["accepted"] for each in WRITTEN["vectors"]) >= 5
    assert len({each["name"] for each in WRITTEN["vectors"]}) == len(WRITTEN["vectors"])


def _accepts(unverified: str, keys: token.VerifyingKeys) -> bool:
    expected = {name: WRITTEN[name] for name in ("issuer", "audience", "now", "nonce")}
    try:
        token.verify(unverified, keys, **expected)
    except TrackeepError:
        return False
    return True


def _compare(verdicts: list[bool]) -> None:
    wrong = [
        each["name"]
        for each, verdict in zip(WRITTEN["vectors"], verdicts, strict=True)
        if verdict != each["accepted"]
    ]
    assert not wrong
