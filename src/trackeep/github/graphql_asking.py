"""Asks GraphQL: one question, smaller when GitHub runs out of its ten seconds, with what it cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from trackeep.errors import GitHubError, GitHubGraphQLRefused, GitHubNoAccess, GitHubUnavailable
from trackeep.github.parse import decoded
from trackeep.github.parse_graphql import Shown
from trackeep.github.transport import GitHub

PAUSES_S = (0.5, 2.0)
CUT = ("GitHub left out a part of its answer.", "It is asked for less at once.")
# What a token may not ask for at all; below a path it concerns one alias only.
_REFUSALS = ("FORBIDDEN", "INSUFFICIENT_SCOPES")


@dataclass(frozen=True, slots=True)
class Result:
    """Each alias with its JSON; those GitHub knows nothing of (deleted, no access) are missing.

    `withheld` are the places inside them that GitHub would not show: (alias, inner alias, field).
    """

    data: Mapping[str, msgspec.Raw]
    withheld: frozenset[tuple[str, ...]] = frozenset()


@cache
def text(name: str) -> str:
    """The text of `queries/{name}.graphql`."""
    return (files("trackeep.github") / "queries" / f"{name}.graphql").read_text(encoding="utf-8")


class TooMuch(GitHubUnavailable):
    """GitHub ran out of its ten seconds: the same question has to be asked in smaller parts."""


class _Problem(msgspec.Struct):
    message: str = ""
    type: str = ""
    path: list[str | int] | None = None


class _Envelope(msgspec.Struct):
    data: dict[str, msgspec.Raw] | None = None
    errors: list[_Problem] = []
    message: str = ""


async def ask(github: GitHub, query: str, variables: Mapping[str, Any]) -> Result:
    """Raises TooMuch when the answer did not get ready in time, GitHubGraphQLRefused when GitHub, or
    something on the way to it, answers no question of this token, GitHubError for any other refusal."""
    try:
        answer = await github.post_graphql(msgspec.json.encode({"query": query, "variables": variables}))
    except GitHubNoAccess as error:
        raise GitHubGraphQLRefused(f"GraphQL is refused: {error.sentence}", error.hint) from error
    if answer.status != 200:
        raise TooMuch(f"GitHub needed too long for this question ({answer.status}).", "It is asked again.")
    envelope = decoded(answer.body, _Envelope)
    data = envelope.data or {}
    # `null` where GitHub wrote an error for one alias: that alias has no access, the others hold.
    _check(github, envelope)
    shown = {name: raw for name, raw in data.items() if bytes(raw) != b"null"}
    return Result(shown, frozenset(tuple(map(str, (each.path or ())[:3])) for each in envelope.errors))


def _check(github: GitHub, envelope: _Envelope) -> None:
    others = [
        each for each in envelope.errors if each.type not in ("NOT_FOUND", "FORBIDDEN") or not each.path
    ]
    if not others and (envelope.data or not envelope.errors):
        return
    first = (others or envelope.errors)[0]
    said = github.plain(first.message)
    if first.type in _REFUSALS:
        raise GitHubGraphQLRefused(f"GraphQL is refused: {said}.", "Check the token's scopes.")
    if not first.type:
        # An error without a type is GitHub's own failure, in practice its time limit.
        raise TooMuch(f"GitHub could not finish a question: {said}.", "It is asked again later.")
    raise GitHubError(f"GitHub refused a question: {said}.", "Check the token's scopes.")


async def ask_again(github: GitHub, query: str, variables: Mapping[str, Any]) -> Result:
    """Ask what cannot be asked in smaller parts; GitHub may only have stumbled."""
    for pause_s in PAUSES_S:
        try:
            return await ask(github, query, variables)
        except TooMuch:
            await asyncio.sleep(pause_s)
    return await ask(github, query, variables)


async def halving(
    github: GitHub,
    items: list[Any],
    request: Callable[[Any], tuple[str, dict[str, Any]]],
    is_cut: Callable[[Result, Sequence[Any]], bool] = lambda result, asked: False,
) -> list[Result]:
    """The results for all `items`, as many at once as GitHub manages; see `fitting`."""
    found = []
    while items:
        count, result = await fitting(github, items, request, is_cut)
        found.append(result)
        items = items[count:]
    return found


async def fitting(
    github: GitHub,
    items: Sequence[Any],
    request: Callable[[Any], tuple[str, dict[str, Any]]],
    is_cut: Callable[[Result, Sequence[Any]], bool] = lambda result, asked: False,
) -> tuple[int, Result]:
    """How many of `items` from the front GitHub managed at once, which is remembered, and its result.

    Each is a node id, or has one. `is_cut` finds an answer from which GitHub left something out without a
    word. Raises TooMuch when it fails on the first alone.
    """
    query = _name_of(request(items[:1])[0])
    repositories = [getattr(each, "node_id", each) for each in items]
    while True:
        count = github.sizes.fit(query, repositories)
        try:
            result = await (ask if count > 1 else ask_again)(github, *request(items[:count]))
            if count > 1 and is_cut(result, items[:count]):
                raise TooMuch(*CUT)
        except TooMuch:
            if count == 1:
                raise
            github.sizes.too_much(query, repositories[:count])
            continue
        github.sizes.managed(query, repositories[:count])
        return count, result


def _name_of(query: str) -> str:
    return query[: query.index("(")].rpartition(" ")[2]


def is_withheld(result: Result, node_id: str, alias: str, field: str) -> bool:
    """True when GitHub would not show `field` of the thing with this alias in that repository."""
    places = [place for place in result.withheld if place[1:] == (alias, field) and place[0] in result.data]
    return any(decoded(result.data[place[0]], Shown).id == node_id for place in places)


def aliased(result: Result, letter: str) -> Iterator[tuple[str, str, msgspec.Raw]]:
    """(repository's node id, alias without its letter, answer) of everything asked for by alias."""
    for name, raw in result.data.items():
        if name == "rateLimit":
            continue
        fields = decoded(raw, dict[str, msgspec.Raw])
        node_id = decoded(fields["id"], str)
        for alias, inner in fields.items():
            if alias.startswith(letter) and bytes(inner) != b"null":
                yield node_id, alias[1:], inner
