"""Tells webhooks what has changed, signed as GitHub signs; bodies hold what identifies, not every detail."""

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from trackeep.sandbox.representation import Site
from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.world import Repository

# https://docs.github.com/webhooks/webhook-events-and-payloads: the events of a change and their actions.
_EVENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "push": (("push", ""),),
    "merge-old-branch": (("push", ""),),
    "force-push": (("push", ""),),
    "delete-branch": (("delete", ""), ("push", "")),
    "delete-refs": (("delete", ""), ("push", "")),
    "rename-branch": (("create", ""), ("delete", "")),
    "tag": (("create", ""), ("push", ""), ("release", "published")),
    "rename": (("repository", "renamed"),),
    "open-pull": (("create", ""), ("push", ""), ("pull_request", "opened")),
    "ready-pull": (("pull_request", "ready_for_review"),),
    "merge-pull": (("pull_request", "closed"), ("push", "")),
    "close-pull": (("pull_request", "closed"),),
    "review": (("pull_request_review", "submitted"),),
    "delete-comment": (("pull_request_review_comment", "deleted"),),
    "open-issue": (("issues", "opened"),),
    "close-issue": (("issues", "closed"),),
}
_WAIT_S = 10


@dataclass(frozen=True)
class Hook:
    url: str
    secret: str
    content_type: str = "json"


@dataclass
class Hooks:
    """Every webhook; each hears of every repository, as an organisation's does of its own."""

    state: SandboxState
    hooks: list[Hook] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    _on_the_way: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, hook: Hook) -> None:
        """From now on this one hears, first of itself."""
        self.hooks.append(hook)
        self._start(hook, [("ping", {"zen": "Small steps.", "hook_id": len(self.hooks)})])

    def tell(self, repository: Repository, asked: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        """Deliver what a change (see changes.py) was about, in the background, as GitHub does."""
        if not self.hooks:
            return
        site = Site(self.state.url, self.state.world)
        sender = site.user(asked.get("by") or asked.get("author") or "alice")
        about = {"repository": site.repository(repository), "sender": sender}
        bodies = []
        for event, action in self._events(asked):
            member = {"member": site.user(asked["login"])} if event == "member" else {}
            details = {name: changed[name] for name in ("before", "after", "number") if name in changed}
            ref = {"ref": f"refs/heads/{changed['branch']}"} if "branch" in changed else {}
            named = {"action": action} if action else {}
            bodies.append((event, {**named, **ref, **details, **member, **about}))
        for hook in self.hooks:
            self._start(hook, bodies)

    def _events(self, asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield from _EVENTS.get(asked["kind"], ())
        if asked["kind"] == "access" and "login" in asked:
            yield "member", "added" if asked.get("permission") else "removed"
        if asked["kind"] == "access" and "private" in asked:
            yield "repository", "privatized" if asked["private"] else "publicized"

    def _start(self, hook: Hook, bodies: list[tuple[str, dict[str, Any]]]) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(hook, bodies))
        self._on_the_way.add(task)
        task.add_done_callback(self._on_the_way.discard)

    async def _deliver(self, hook: Hook, bodies: list[tuple[str, dict[str, Any]]]) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WAIT_S)) as http:
            for event, said in bodies:
                number = str(uuid.uuid4())
                body, headers = _signed(hook, event, said, number)
                status = await _post(http, hook.url, body, headers)
                self.deliveries.append({"event": event, "id": number, "url": hook.url, "status": status})


async def _post(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer, 0 without one; a redirect is not followed."""
    try:
        async with http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


def _signed(hook: Hook, event: str, said: dict[str, Any], number: str) -> tuple[bytes, dict[str, str]]:
    body, kind = json.dumps(said).encode(), "application/json"
    if hook.content_type == "form":
        body, kind = urlencode({"payload": body.decode()}).encode(), "application/x-www-form-urlencoded"
    # https://docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers
    headers = {
        "Accept": "*/*",
        "Content-Type": kind,
        "User-Agent": "GitHub-Hookshot/sandbox",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": number,
        "X-GitHub-Hook-ID": "1",
        "X-Hub-Signature-256": "sha256=" + hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    return body, headers
