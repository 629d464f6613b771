"""Delivers to a webhook as GitHub does, signed, named and numbered; and GitHub's own examples of it."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import json
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

SECRET = "a webhook secret of forty-two characters.."
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
EXAMPLES = Path(__file__).parent / "vendor" / "octokit-webhooks-examples-7.6.1" / "examples.json.gz"


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def sentence(self) -> str:
        return str(json.loads(self.text)["error_description"])


@dataclass(frozen=True)
class Delivery:
    """One delivery; `body` is sent as it is, `headers` win over those GitHub would send."""

    body: bytes
    event: str = "push"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: str = SECRET
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, instance_url: str, http: aiohttp.ClientSession) -> Reply:
        sent = {
            "Accept": "*/*",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "Content-Type": self.content_type,
            "X-GitHub-Event": self.event,
            "X-GitHub-Delivery": self.id,
            "X-Hub-Signature-256": signature(self.body, self.secret),
            **self.headers,
        }
        kept = [(name, value) for name, value in sent.items() if value]
        body = io.BytesIO(self.body)
        async with http.post(f"{instance_url}/webhooks/github", data=body, headers=kept) as answer:
            return Reply(answer.status, await answer.text(), dict(answer.headers))


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def about(repository_id: int, **more: Any) -> bytes:
    """The body of a delivery about a repository."""
    return json.dumps({"repository": {"id": repository_id, "full_name": "fernhill/atlas"}, **more}).encode()


def as_form(body: bytes) -> bytes:
    return urlencode({"payload": body.decode()}).encode()


@cache
def examples() -> list[tuple[str, dict[str, Any]]]:
    """(event, body) of every example."""
    events: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(EXAMPLES.read_bytes()))
    return [(event, body) for event, bodies in events.items() for body in bodies]
