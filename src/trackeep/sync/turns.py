"""Shares a worker's places between accounts: while others wait, a turn ends at the next page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trackeep.store.leases import LEASE_S
from trackeep.store.schedule import CLICK


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker divides its time: seconds that a lease and a turn last, and accounts side by side.

    A person who clicks waits for less: that long has a turn been at most when it ends for a click.
    """

    lease_s: int = LEASE_S
    turn_s: float = 60.0
    click_turn_s: float = 10.0
    at_once: int = 4

    def least_s(self, waiting: int) -> float:
        """How long a turn lasts at least, when somebody of this priority waits for a place."""
        return min(self.turn_s, self.click_turn_s) if waiting == CLICK else self.turn_s


@dataclass(slots=True)
class Turn:
    """One pass's time on one of the places; `began` is on a clock that only goes forwards."""

    began: float
    is_over: bool = False
    has_begun: bool = False

    def is_up(self) -> bool:
        """Asked before each page; for one there is always time, so that the shortest turn leads somewhere."""
        had_one, self.has_begun = self.has_begun, True
        return self.is_over and had_one


def end_one(turns: Collection[Turn], least_s: float, now: float) -> None:
    """End the longest of the turns that last for `least_s` already; one place is enough for who waits."""
    ripe = [each for each in turns if not each.is_over and now - each.began >= least_s]
    if ripe:
        min(ripe, key=lambda each: each.began).is_over = True
