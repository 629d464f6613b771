"""A walk by the graph finds every commit once, whatever the dates say and wherever it is interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from trackeep.github.history import HistoryPage
from trackeep.model import Commit, Signature
from trackeep.sync import commit_walk
from trackeep.sync.commit_walk import Walk

NOBODY = Signature("", "", 0, 0)


@dataclass
class Graph:
    """A history whose commits are named by number; a commit's parents have smaller ones."""

    parents: list[list[int]]
    dates: list[int]
    stored: set[str] = field(default_factory=set)
    asked: int = 0

    def ancestors(self, *tips: int) -> set[int]:
        found: set[int] = set()
        waiting = list(tips)
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += self.parents[number]
        return found

    def page(self, tip: str, after: str | None, first: int) -> HistoryPage:
        """As GitHub gives it: the tip, then whatever has the latest date of what is open."""
        self.asked += 1
        order, waiting = list[int](), {int(tip)}
        while waiting:
            number = max(waiting, key=lambda each: (self.dates[each], each))
            waiting.remove(number)
            order.append(number)
            waiting |= set(self.parents[number]) - set(order)
        start = int(after or 0)
        commits = [
            Commit(str(each), tuple(map(str, self.parents[each])), NOBODY, NOBODY, "")
            for each in order[start : start + first]
        ]
        end = start + first
        return HistoryPage(tuple(commits), str(end) if end < len(order) else None)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(1, 30))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=4, unique=True)) if number else []
        for number in range(size)
    ]
    return Graph(parents, draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)))


@given(graphs(), st.data(), st.integers(1, 7), st.booleans())
def test_a_walk_ends_with_everything_stored_once(
    graph: Graph, data: st.DataObject, first: int, interrupted: bool
) -> None:
    """From any tips to any known commits, in any order of dates, also when every step is a new process."""
    numbers = st.lists(st.integers(0, len(graph.parents) - 1), max_size=5)
    known = graph.ancestors(*data.draw(numbers))
    tips = data.draw(numbers)
    graph.stored = set(map(str, known))
    walk = commit_walk.with_tips(Walk(), map(str, tips), graph.stored)
    while not walk.is_through:
        page = graph.page(*walk.question, first)
        walk, fresh = commit_walk.stepped(walk, page, graph.stored & commit_walk.named(page))
        assert not graph.stored & {each.sha for each in fresh}
        graph.stored |= {each.sha for each in fresh}
        if interrupted:
            source = data.draw(st.sampled_from(["graphql", "rest"]))
            kept = json.loads(json.dumps({"walk": commit_walk.written(walk, "graphql")}))
            walk = commit_walk.read(kept, source) or Walk()
    assert graph.stored == set(map(str, known | graph.ancestors(*tips)))
    # No page without a new commit is followed by another of the same history.
    assert graph.asked <= 2 * len(graph.stored) + len(tips)


def test_an_old_branch_costs_two_questions() -> None:
    """Hundreds of known commits lie between a merge and the old branch that it brought; none is read."""
    trunk = [[number - 1] if number else [] for number in range(500)]
    merge = Graph([*trunk, [3], [500], [499, 501]], [*range(500), 4, 5, 600])
    merge.stored = set(map(str, range(500)))
    walk = commit_walk.with_tips(Walk(), ["502"], set())
    while not walk.is_through:
        page = merge.page(*walk.question, 100)
        walk, fresh = commit_walk.stepped(walk, page, merge.stored & commit_walk.named(page))
        merge.stored |= {each.sha for each in fresh}
    assert (len(merge.stored), merge.asked) == (503, 2)
