"""The control API: what is true, what was asked, and levers for clock, budgets, faults, tokens, changes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from trackeep.sandbox import newcomers, truth
from trackeep.sandbox.changes import ChangeRefused, Changes
from trackeep.sandbox.oauth import ready_made_token
from trackeep.sandbox.relics import RelicRefused, Relics
from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.webhooks import Hook, Hooks

PREFIX = "/_sandbox"


class _BadControl(Exception):
    """A control request that cannot be meant."""


def routes(state: SandboxState) -> list[BaseRoute]:
    """Every control address; there is no sign-in, the server listens on loopback."""
    control = _Control(state)
    table: dict[tuple[str, str], Callable[[Request], Awaitable[Any]]] = {
        ("GET", "/people"): control.people,
        ("POST", "/people"): control.add_people,
        ("POST", "/organizations/{login}/members"): control.change_members,
        ("GET", "/truth"): control.truth,
        ("GET", "/log"): control.log,
        ("DELETE", "/log"): control.clear_log,
        ("GET", "/clock"): control.clock,
        ("POST", "/clock"): control.set_clock,
        ("POST", "/quota"): control.quota,
        ("GET", "/faults"): control.faults,
        ("POST", "/faults"): control.add_fault,
        ("DELETE", "/faults"): control.clear_faults,
        ("GET", "/tokens"): control.tokens,
        ("POST", "/tokens"): control.add_token,
        ("GET", "/issued"): control.issued,
        ("POST", "/apps"): control.add_app,
        ("POST", "/latency"): control.latency,
        ("POST", "/repositories"): control.add_repository,
        ("POST", "/repos/{owner}/{name}/change"): control.change,
        ("POST", "/webhooks"): control.add_webhook,
        ("GET", "/webhooks"): control.webhooks,
    }
    return [Route(PREFIX + path, _json(how), methods=[method]) for (method, path), how in table.items()]


def _json(how: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await how(request))
        except (_BadControl, ChangeRefused, RelicRefused, ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 422)

    return answer


class _Control:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._changes = Changes(state.world, state.clock)
        self._hooks = Hooks(state)
        self._relics = Relics(state.world, state.clock)

    async def people(self, request: Request) -> Any:
        users = [p.login for p in self._state.world.people.values() if p.kind == "User"]
        return truth.people(self._state.world, {login: ready_made_token(login) for login in users})

    async def add_people(self, request: Request) -> Any:
        """`count` new people, each with a repository of their own, who work on `shared` (2) others, too."""
        world = self._state.world
        asked = await _read(request)
        count, shared = int(asked["count"]), int(asked.get("shared", 2))
        arrived = await asyncio.to_thread(newcomers.arrive, world, self._relics, count, shared)
        told = []
        for person, works_on in arrived:
            newcomers.settle(world, person, works_on)
            self._state.authority.welcome(person.login)
            token, names = ready_made_token(person.login), [each.full_name for each in works_on]
            told.append({"login": person.login, "id": person.id, "token": token, "repositories": names})
        return told

    async def change_members(self, request: Request) -> Any:
        """`add` or `remove` one login; what an organisation's repositories grant follows by itself."""
        asked, organization = await _read(request), self._state.world.people[request.path_params["login"]]
        gone = {asked.get("remove"), asked.get("add")}
        organization.members = [login for login in organization.members if login not in gone]
        organization.members += [self._state.world.people[asked["add"]].login] if "add" in asked else []
        return {"members": organization.members}

    async def truth(self, request: Request) -> Any:
        """`?commits=1` adds every commit that branches and tags reach.

        `?repository=owner/name` tells of that one alone, `?numbers=1` how many there are of everything.
        """
        asked, world = request.query_params, self._state.world
        if asked.get("numbers", "") not in ("", "0"):
            return await asyncio.to_thread(truth.numbers, world)
        with_commits, only = asked.get("commits", "") not in ("", "0"), None
        if "repository" in asked:
            only = world.repository(*asked["repository"].split("/"))
            if only is None:
                raise _BadControl("there is no such repository")
        return await asyncio.to_thread(truth.truth, world, with_commits=with_commits, only=only)

    async def log(self, request: Request) -> Any:
        since = int(request.query_params.get("since", "0"))
        return [asdict(entry) for entry in self._state.log.since(since)]

    async def clear_log(self, request: Request) -> Any:
        self._state.log.clear()
        return {}

    async def clock(self, request: Request) -> Any:
        return {"now": self._state.clock.now()}

    async def set_clock(self, request: Request) -> Any:
        """One of `advance_s`, `at` (RFC 3339 or unix seconds) or `real`."""
        asked = await _read(request)
        if "advance_s" in asked:
            self._state.clock.advance(float(asked["advance_s"]))
        elif "at" in asked:
            self._state.clock.set(_moment(asked["at"]))
        elif asked.get("real"):
            self._state.clock.real()
        else:
            raise _BadControl("say advance_s, at or real")
        return await self.clock(request)

    async def quota(self, request: Request) -> Any:
        asked = await _read(request)
        limit, used = asked.get("limit"), asked.get("used")
        budget = self._state.quota.set(asked.get("login"), asked["resource"], limit=limit, used=used)
        return asdict(budget)

    async def faults(self, request: Request) -> Any:
        return self._state.faults.listing()

    async def add_fault(self, request: Request) -> Any:
        return asdict(self._state.faults.add(await _read(request)))

    async def clear_faults(self, request: Request) -> Any:
        self._state.faults.clear()
        return {}

    async def tokens(self, request: Request) -> Any:
        known = self._state.authority.tokens()
        listed = [
            {
                "login": token.login,
                "client_id": token.client_id,
                "scopes": list(token.scopes),
                "kind": token.kind,
                "revoked": not self._state.authority.is_alive(token),
                "created_at": token.created_at,
                "expires_at": token.expires_at,
            }
            for token in known
        ]
        alive = sum(1 for token in listed if not token["revoked"])
        return {"count": len(listed), "alive": alive, "tokens": listed}

    async def issued(self, request: Request) -> Any:
        """Every code and token that was ever given out, for whoever searches logs for them."""
        return {"values": self._state.authority.issued()}

    async def add_token(self, request: Request) -> Any:
        asked = await _read(request)
        if self._state.world.person(asked["login"]) is None:
            raise _BadControl(f"nobody is called {asked['login']}")
        token = self._state.authority.mint_personal(asked["login"], tuple(asked.get("scopes", ())))
        return {"token": token.value, "scopes": list(token.scopes)}

    async def add_app(self, request: Request) -> Any:
        asked = await _read(request)
        app = self._state.authority.register((asked["callback_url"],), expiring=bool(asked.get("expiring")))
        return {"client_id": app.client_id, "client_secret": app.client_secret}

    async def latency(self, request: Request) -> Any:
        self._state.latency_s = float((await _read(request))["ms"]) / 1000
        return {"ms": self._state.latency_s * 1000}

    async def add_repository(self, request: Request) -> Any:
        """`{"owner": ..., "name": ..., "kind": ...}`: see `relics.py` for the kinds and their fields."""
        asked = await _read(request)
        if self._state.world.person(str(asked["owner"])) is None:
            raise _BadControl(f"nobody is called {asked['owner']}")
        made = await asyncio.to_thread(self._relics.make, asked)
        # Here, where nobody else is going through the world's repositories.
        self._state.world.repositories[made.id] = made
        return {"id": made.id, "full_name": made.full_name, "git_dir": str(made.git_dir)}

    async def change(self, request: Request) -> Any:
        """`{"kind": ..., ...}`: see `changes.py` for the kinds and their fields."""
        repository = self._state.world.repository(request.path_params["owner"], request.path_params["name"])
        if repository is None:
            raise _BadControl("there is no such repository")
        asked = await _read(request)
        changed = await asyncio.to_thread(self._changes.apply, repository, asked)
        self._hooks.tell(repository, asked, changed)
        return changed

    async def add_webhook(self, request: Request) -> Any:
        """`url`, `secret` and `content_type` (json or form): told of every change from now on."""
        hook = Hook(**await _read(request))
        # Any page in a browser here can send this request: it must not reach further than this computer.
        if urlsplit(hook.url).hostname not in ("localhost", "127.0.0.1", "::1"):
            raise _BadControl("a webhook must be on this computer")
        self._hooks.add(hook)
        return {}

    async def webhooks(self, request: Request) -> Any:
        """What was delivered, and how it was answered (status 0: not at all)."""
        return self._hooks.deliveries


async def _read(request: Request) -> dict[str, Any]:
    asked = json.loads(await request.body() or b"{}")
    if not isinstance(asked, dict):
        raise _BadControl("the body must be a JSON object")
    return asked


def _moment(said: str | float) -> float:
    if isinstance(said, str):
        return datetime.fromisoformat(said).timestamp()
    return float(said)
