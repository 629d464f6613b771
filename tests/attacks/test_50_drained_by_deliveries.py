"""Attack 50: mallory manages one repository, so she can sign deliveries, and sends them without end."""

from __future__ import annotations

from trackeep.store.hints import GAP_S
from trackeep.sync import plan

LIMIT = 5_000
HOUR_S = 3_600


def requests_in_an_hour(listed: int) -> int:
    """What walks cost somebody with so many repositories when each pass was asked to make one."""
    full_at, spent = 0, 0
    for now in range(plan.FULL_WALK_EVERY_S, plan.FULL_WALK_EVERY_S + HOUR_S, GAP_S):
        if plan.is_walk_due(full_at, now, asked_at=now, listed=listed):
            full_at, spent = now, spent + 1 + listed // 100
    return spent


def test_nobody_is_drained() -> None:
    """Whatever she says about access, walks take less than a fifth of anybody's requests of an hour."""
    costs = [requests_in_an_hour(listed) for listed in (1, 99, 100, 250, 1_000, 5_000)]
    assert all(0 < each < LIMIT / 5 for each in costs), costs


def test_the_first_wish_is_met_at_once_and_the_last_is_not_lost() -> None:
    """Access taken away after quiet minutes is noticed in that very pass; a wish that came too soon waits."""
    asked_at = plan.FULL_WALK_EVERY_S
    assert plan.is_walk_due(asked_at - 600, asked_at, asked_at=asked_at, listed=1_000)
    assert not plan.is_walk_due(asked_at, asked_at + 60, asked_at=asked_at, listed=1_000)
    assert plan.is_walk_due(asked_at, asked_at + 600, asked_at=asked_at, listed=1_000)
