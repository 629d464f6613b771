"""Turns the levers of a running sandbox, and reads what is true in it and what it was asked."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from trackeep.environment import GitHubAddresses


@dataclass(frozen=True)
class Sandbox:
    """One running local GitHub at `url`."""

    url: str

    @property
    def addresses(self) -> GitHubAddresses:
        return GitHubAddresses(web=self.url, api=f"{self.url}/api/v3", git=self.url)

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def token(self, login: str = "alice") -> str:
        return next(str(each["token"]) for each in self.ask("/people") if each["login"] == login)

    def new_token(self, login: str, *scopes: str) -> str:
        return str(self.ask("/tokens", {"login": login, "scopes": list(scopes)})["token"])

    def person_id(self, login: str = "alice") -> int:
        return next(int(each["id"]) for each in self.ask("/people") if each["login"] == login)

    def repositories(self, login: str = "alice") -> list[dict[str, Any]]:
        """The truth about every repository that this person may read."""
        return [each for each in self.ask("/truth")["repositories"] if login in each["readers"]]

    def repository(self, full_name: str) -> dict[str, Any]:
        return next(each for each in self.ask("/truth")["repositories"] if each["full_name"] == full_name)

    def change(self, full_name: str, kind: str, **more: Any) -> dict[str, Any]:
        changed: dict[str, Any] = self.ask(f"/repos/{full_name}/change", {"kind": kind, **more})
        return changed

    def member(self, login: str, *, is_one: bool, organisation: str = "fernhill") -> None:
        """Take somebody into an organisation, or put them out of it."""
        self.ask(f"/organizations/{organisation}/members", {"add" if is_one else "remove": login})

    def make(self, full_name: str, kind: str = "empty", **more: Any) -> dict[str, Any]:
        """A new repository of this kind: its id, full_name and git_dir."""
        owner, name = full_name.split("/")
        made: dict[str, Any] = self.ask("/repositories", {"owner": owner, "name": name, "kind": kind, **more})
        return made

    def tell(self, url: str, secret: str) -> None:
        """Deliver every change to this webhook from now on."""
        self.ask("/webhooks", {"url": url, "secret": secret})

    def fault(self, match: str, kind: str, times: int = 1, **more: Any) -> None:
        self.ask("/faults", {"match": match, "kind": kind, "times": times, **more})

    def quota(self, resource: str, login: str = "alice", **more: int) -> dict[str, Any]:
        budget: dict[str, Any] = self.ask("/quota", {"login": login, "resource": resource, **more})
        return budget

    def now(self) -> float:
        return float(self.ask("/clock")["now"])

    def advance(self, seconds: float) -> None:
        self.ask("/clock", {"advance_s": seconds})

    def mark(self) -> int:
        """The number of the last request so far, for `log`."""
        return max((each["n"] for each in self.ask("/log")), default=0)

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.ask(f"/log?since={since}")
        return entries
