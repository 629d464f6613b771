"""Places are shared: a turn ends while somebody waits, one at a time, and sooner for a person's click."""

from __future__ import annotations

from trackeep.store.schedule import BACKFILL, CLICK, POLL
from trackeep.sync.turns import Pace, Turn, end_one


def test_one_turn_ends_for_one_who_waits() -> None:
    """The longest goes first; the next one only when still somebody waits."""
    turns = [Turn(began=30.0), Turn(began=10.0), Turn(began=20.0)]
    least_s = Pace(turn_s=60).least_s(POLL)
    end_one(turns, least_s, now=69.9)
    assert not any(each.is_over for each in turns)
    end_one(turns, least_s, now=70.0)
    assert [each.is_over for each in turns] == [False, True, False]
    end_one(turns, least_s, now=79.9)
    assert [each.is_over for each in turns] == [False, True, False]
    end_one(turns, least_s, now=80.0)
    assert [each.is_over for each in turns] == [False, True, True]


def test_every_turn_has_time_for_a_page() -> None:
    """A turn that was over before it began still reads one page: nobody goes round in circles."""
    turn = Turn(began=0.0, is_over=True)
    assert [turn.is_up() for _ in range(3)] == [False, True, True]


def test_a_person_waits_for_less() -> None:
    """For a click a turn ends after seconds; for polls and backfills it lasts its minute."""
    pace = Pace()
    assert pace.least_s(CLICK) < pace.least_s(POLL) == pace.least_s(BACKFILL)
    assert Pace(turn_s=1).least_s(CLICK) == 1
