"""Decides by which way a repository's commits come: git, where that is refused GraphQL, and then REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from trackeep.errors import GitHubNoAccess
from trackeep.github import rest
from trackeep.github.graphql_history import GraphqlHistory
from trackeep.github.history import History
from trackeep.github.rest_history import RestHistory
from trackeep.model import Repository
from trackeep.store import schedule
from trackeep.store.inventory import count
from trackeep.store.schedule import Cursor
from trackeep.store.tables_fetched import commit
from trackeep.sync.commits import sync_commits
from trackeep.sync.commits_by_api import STREAM, sync_by_api
from trackeep.sync.fallback import either
from trackeep.sync.work import Work

TRIED_AGAIN_AFTER_S = 86_400

log = structlog.get_logger()


def is_git_due(position: Mapping[str, Any], now: int, *, urgent: bool) -> bool:
    """Git is asked first, unless it refused within the day and no person is waiting for this pass."""
    refused_at = position.get("git_refused_at")
    return urgent or refused_at is None or now - int(refused_at) >= TRIED_AGAIN_AFTER_S


async def fetch_commits(work: Work, repository: Repository) -> None:
    """Bring one repository's branches, tags and commits up to date by the best way that is open.

    Only a refusal leads to the next way; a limit, a broken connection or a failing server is raised as it
    is. The stream's cursor keeps when git refused and which way was taken: {"pushed_at", "source",
    "git_refused_at", and while GitHub's API is walked "walk"}.
    """
    place = (repository.id, STREAM)
    await work.settled(repository.pushed_at)
    async with work.db.write() as conn:
        await schedule.begin(conn, work.account_id, place, work.now)
    position = dict(work.cursor(*place).position)
    if is_git_due(position, work.now, urgent=work.wishes.urgent):
        try:
            await _by_git(work, repository)
        except GitHubNoAccess as refusal:
            await rest.repository(work.github, repository.full_name)  # raises unless the no is git's alone
            position["git_refused_at"] = work.now
            log.warning("git refused, GitHub's API is asked", problem=refusal.sentence)
        else:
            return
    refused_at = position["git_refused_at"]
    kept = {"git_refused_at": refused_at, "pushed_at": position.get("pushed_at")}

    async def by(source: History) -> None:
        await sync_by_api(work, repository, source, {**kept, "source": source.name})

    async def by_rest() -> None:
        await by(RestHistory(work.github, repository))

    async def by_graphql() -> None:
        try:
            await by(GraphqlHistory(work.github, repository))
        except GitHubNoAccess:  # to this repository alone; REST says whether that is so, and why
            await by_rest()

    await either(work, by_graphql, by_rest)


async def _by_git(work: Work, repository: Repository) -> None:
    git, at = work.git(repository), work.cursor(repository.id, STREAM)
    deep = bool(at.position.get("deep"))
    try:
        host = work.github.addresses.noreply_host
        found = await sync_commits(work.db, git, repository, now=work.now, noreply_host=host, deep=deep)
    finally:
        work.git_posts += git.posts
        work.charge([(repository.id, STREAM)], git.posts)
        work.git_bytes += git.bytes
    work.found.commits += found.commits
    work.found.refs += found.refs_moved
    async with work.db.write() as conn:
        # Somebody else may have had a part of them stored.
        items = at.items + found.commits if at.complete else await count(conn, commit, repository.id)
        new = Cursor({"pushed_at": repository.pushed_at}, complete=True, items=items)
        await work.advance(conn, repository.id, STREAM, new)
    work.notify()
