"""What to fetch next follows from the cursors and the clock alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trackeep.github.graphql import LIST_PAGE, WantedPage
from trackeep.model import Repository
from trackeep.store.schedule import Cursor
from trackeep.sync import plan

NOW = 1_700_000_000


def repository(number: int, pushed_at: int = 100) -> Repository:
    return Repository(number, f"R{number}", "alice", f"r{number}", pushed_at=pushed_at)


def test_a_new_repository_is_looked_at_first() -> None:
    """Its commits can be fetched at once; its pages wait until their number is known."""
    found = plan.steps([repository(1)], {}, NOW, urgent=False)
    assert (len(found.unknown), len(found.commits), found.pulls, found.issues) == (1, 1, (), ())


def test_nothing_moved_means_nothing_to_do() -> None:
    """Complete streams and an unchanged push time leave no step."""
    done = {
        (1, "commits"): Cursor({"pushed_at": 100}, complete=True),
        (1, "pulls"): Cursor({"total": 3}, complete=True),
        (1, "issues"): Cursor({"total": 0}, complete=True),
    }
    assert plan.steps([repository(1)], done, NOW, urgent=True) == plan.Steps((), (), (), ())
    assert plan.steps([repository(1, pushed_at=101)], done, NOW, urgent=False).commits


def test_every_repository_is_looked_at_once_a_day() -> None:
    """A day after the last look at its releases, and not earlier, however often it is asked."""
    looked = {(1, plan.DAILY): Cursor({"looked_at": NOW}, complete=True)}
    assert not plan.steps([repository(1)], looked, NOW + 86_399, urgent=True).looks
    assert plan.steps([repository(1)], looked, NOW + 86_400, urgent=False).looks
    assert not plan.steps([repository(1)], {}, NOW, urgent=False).looks


def test_a_failing_repository_waits_alone() -> None:
    """Until its time it is left out, unless a person asks; the others go on."""
    failed = {(1, "commits"): Cursor(due_at=NOW + 60, failures=3)}
    both = [repository(1), repository(2)]
    assert [each.id for each in plan.steps(both, failed, NOW, urgent=False).commits] == [2]
    assert [each.id for each in plan.steps(both, failed, NOW, urgent=True).commits] == [1, 2]
    assert [each.id for each in plan.steps(both, failed, NOW + 60, urgent=False).commits] == [1, 2]


@given(sizes=st.lists(st.integers(1, LIST_PAGE), min_size=1, max_size=100))
def test_queries_are_packed_to_one_point(sizes: list[int]) -> None:
    """Every page is asked exactly once, in order, and no query is larger than one point allows."""
    waiting = [WantedPage(f"R{index}", size) for index, size in enumerate(sizes)]
    asked = []
    while waiting:
        some = plan.packed(waiting)
        assert some and sum(each.first for each in some) <= LIST_PAGE
        asked += some
        waiting = waiting[len(some) :]
    assert [each.first for each in asked] == sizes


def test_page_is_no_larger_than_what_is_left() -> None:
    """A repository with two pull requests asks for two; one that had to be halved remembers it."""
    assert plan.next_page(repository(1), Cursor({"total": 2})).first == 2
    assert plan.next_page(repository(1), Cursor({"total": 500, "after": "c"})).first == LIST_PAGE
    assert plan.next_page(repository(1), Cursor({"total": 500, "first": 12, "read": 49})).first == 12
    assert plan.next_page(repository(1), Cursor({"total": 50, "read": 49}, items=50)).first == 1


def test_page_size_shrinks_at_once_and_grows_slowly() -> None:
    """A half that worked is the next limit, and each success adds a little up to a full page."""
    assert plan.grown(LIST_PAGE, asked=48, answered=12) == 12
    assert 12 < plan.grown(12, asked=12, answered=12) < 18
    assert plan.grown(LIST_PAGE, asked=10, answered=10) == LIST_PAGE


def test_waiting_doubles_up_to_hours() -> None:
    """One minute after the first failure, six hours at most."""
    waits = [plan.backoff_s(failures) for failures in range(1, 13)]
    assert waits[:3] == [60, 120, 240] and waits[-1] == 6 * 3600


def test_polling_slows_down_when_left_alone() -> None:
    """A person who has not looked for hours is polled less often, one who looks as set."""
    assert plan.next_due_at(NOW, 60) == NOW + 60
    assert plan.next_due_at(NOW, 60, last_visit_at=NOW - 60) == NOW + 60
    assert plan.next_due_at(NOW, 60, last_visit_at=NOW - 86_400) == NOW + 300
    assert plan.next_due_at(NOW, 60, failures=4) == NOW + 480


def test_the_second_of_a_change_is_waited_out() -> None:
    """Within the second of the newest change another could not be told apart; a strange clock is ignored."""
    assert 0.5 < plan.settle_s(NOW, NOW + 0.5) < 0.6
    assert plan.settle_s(NOW, NOW + 2) == 0
    assert plan.settle_s(NOW + 3600, NOW) == 0


def test_walk_ends_where_the_stored_list_begins() -> None:
    """The last repository of a page, stored as it is, means that the following ones are too."""
    assert plan.stop_walk([(1, 30), (2, 20)], {2: 20})
    assert not plan.stop_walk([(1, 30), (2, 20)], {1: 30, 2: 10})
    assert not plan.stop_walk([], {})


def test_lists_that_change_without_a_change_are_asked_less_often() -> None:
    """Five polls in a row that found nothing and were not free: asked five times less often."""
    costly, free = (2, 0), (2, 2)
    assert plan.is_restless([costly] * 5) and not plan.is_restless([costly] * 4)
    assert not plan.is_restless([free] * 5) and not plan.is_restless([free, free, free, costly, costly])
    assert not plan.is_restless([])
    assert plan.next_due_at(NOW, 60, restless=True) == NOW + 300
