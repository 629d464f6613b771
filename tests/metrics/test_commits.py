"""Which commits count, when, and how many lines they moved."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from trackeep.metrics import commits
from trackeep.metrics.commits import Made
from trackeep.metrics.windows import offset_s

MADE = st.builds(
    Made, sha=st.sampled_from(["a", "b", "c", "d"]), parents=st.integers(0, 3), on_default=st.booleans()
)
LINES = st.lists(st.tuples(st.none() | st.integers(0, 10**6), st.none() | st.integers(0, 10**6)))
INSTANTS = st.integers(0, 4_000_000_000)


def test_merges_and_other_branches_do_not_count() -> None:
    """A root and a plain commit count, a merge never, another branch only when all are asked for."""
    found = [Made("a", 0, True), Made("b", 1, True), Made("c", 2, True), Made("d", 1, False)]
    assert commits.count(found) == 2
    assert commits.count(found, everywhere=True) == 3


def test_a_sha_counts_once_even_in_forks() -> None:
    """The same commit in a repository and two forks of it is one."""
    assert commits.count([Made("a", 1, True)] * 3) == 1
    # On a topic branch of one and on the default branch of the other: it is on a default branch.
    assert commits.count([Made("a", 1, False), Made("a", 1, True)]) == 1


@given(st.lists(MADE))
def test_counting_is_of_shas(made: list[Made]) -> None:
    """Never more than there are shas, never fewer with all branches, and order says nothing."""
    found = commits.count(made)
    assert found == commits.count([*reversed(made), *made])
    assert found <= commits.count(made, everywhere=True) <= len({each.sha for each in made})


@given(INSTANTS, INSTANTS)
def test_whose_date_a_commit_has(authored_at: int, committed_at: int) -> None:
    """My views go by when it was written, a repository's by when it was put in."""
    assert commits.counted_at(authored_at, committed_at, mine=True) == authored_at
    assert commits.counted_at(authored_at, committed_at, mine=False) == committed_at


def test_lines_that_are_not_known_are_left_out() -> None:
    """10+4 and 1+1 are 16 lines, 6 more than before; what was not measured is no zero."""
    lines = [(10, 4), (None, None), (1, 1)]
    assert (commits.churn(lines), commits.net(lines)) == (16, 6)
    assert commits.churn([(None, 3)]) is None
    assert commits.net([]) is None


@given(LINES)
def test_churn_and_net_are_one_pair(lines: list[tuple[int | None, int | None]]) -> None:
    """Their sum is twice the added lines, and neither is known without the other."""
    churn, net = commits.churn(lines), commits.net(lines)
    if churn is None or net is None:
        assert churn is net is None
        return
    known = [added for added, deleted in lines if added is not None and deleted is not None]
    assert churn + net == 2 * sum(known)
    assert abs(net) <= churn


def test_the_hour_is_on_the_clock_that_is_asked_for() -> None:
    """Monday 00:30 in Prague is still Sunday, 23:30 in UTC."""
    at = int(datetime(2026, 11, 22, 23, 30, tzinfo=UTC).timestamp())
    assert commits.punch_cell(at, 3_600) == (0, 0)
    assert commits.punch_cell(at, 0) == (6, 23)


@given(INSTANTS, st.sampled_from(["Europe/Prague", "Asia/Kathmandu", "America/St_Johns", "UTC"]))
def test_a_cell_is_what_the_calendar_says(at: int, name: str) -> None:
    """Weekday and hour are those of the standard library's own clock in that zone."""
    zone = ZoneInfo(name)
    local = datetime.fromtimestamp(at, zone)
    assert commits.punch_cell(at, offset_s(zone, at)) == (local.weekday(), local.hour)


@given(st.lists(st.tuples(INSTANTS, st.integers(-12 * 3_600, 14 * 3_600))))
def test_a_punch_card_holds_every_commit(moments: list[tuple[int, int]]) -> None:
    """Seven days of 24 hours, and nothing is lost or counted twice."""
    card = commits.punch_card(moments)
    assert [len(row) for row in card] == [24] * 7
    assert sum(map(sum, card)) == len(moments)
