"""Asks REST which pull requests and issues there are and when each changed last, a hundred a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from trackeep.errors import GitHubNoAccess
from trackeep.github import rest
from trackeep.github.graphql_inventory import ISSUES, PULLS, Listed, WantedList
from trackeep.github.parse import decoded
from trackeep.github.transport import GitHub

_PATHS = {PULLS: "pulls", ISSUES: "issues"}


class _Item(msgspec.Struct):
    number: int
    updated_at: datetime
    # Every pull request is in the list of issues too, where it says so.
    pull_request: dict[str, Any] | None = None


async def inventory(github: GitHub, wanted: Sequence[WantedList]) -> dict[tuple[str, str], Listed]:
    """One page of each of these lists, by (node id, kind); what is gone is missing.

    A request each, and for the last page of a list one or two that count it: only there is `total` right.
    """
    found = {}
    for each in wanted:
        try:
            found[(each.node_id, each.kind)] = await _page(github, each)
        except GitHubNoAccess:
            continue
    return found


async def _page(github: GitHub, wanted: WantedList) -> Listed:
    path = f"/repos/{wanted.full_name}/{_PATHS[wanted.kind]}"
    order: dict[str, str | int] = {
        "state": "all",
        "sort": "created",
        "direction": "asc",
        "per_page": rest.PER_PAGE,
    }
    answer = await github.get(wanted.after or path, None if wanted.after else order)
    items = [each for each in decoded(answer.body, list[_Item]) if each.pull_request is None]
    updated = {each.number: int(each.updated_at.timestamp()) for each in items}
    total = len(updated) if answer.next_url else await _total(github, wanted)
    return Listed(updated, total, answer.next_url)


async def _total(github: GitHub, wanted: WantedList) -> int:
    pulls = (await rest.counted(github, wanted.full_name, "pulls")).total
    if wanted.kind == PULLS:
        return pulls
    return (await rest.counted(github, wanted.full_name, "issues")).total - pulls
