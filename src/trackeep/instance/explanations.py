"""What the pages say of a figure behind its small button: the exact definitions, and where it is counted."""

from __future__ import annotations

from dataclasses import dataclass

from trackeep.metrics.definitions import BY_KEY


@dataclass(frozen=True)
class Explanation:
    """A figure's name and how it is computed, in a few sentences."""

    title: str
    words: str


def _explained(title: str, *parts: str) -> Explanation:
    """`parts` are keys of definitions, whose sentences are taken over, or sentences of their own."""
    return Explanation(title, " ".join(BY_KEY[part].sentence if part in BY_KEY else part for part in parts))


_YOURS = "By you, by author date in your time zone."
_MERGED_IN_PERIOD = "Of the pull requests merged in the period."
_COMPARED = "contributions.change_percent"

EXPLANATIONS = {
    "commits": _explained("Commits", "commits.count", "commits.is_counted", _YOURS, _COMPARED),
    "merged": _explained(
        "Pull requests merged",
        "Pull requests you opened, by the moment they were merged, whenever they were opened.",
        _COMPARED,
    ),
    "reviews": _explained(
        "Reviews given",
        "Every review you submitted on somebody else’s pull request, by the moment you submitted it.",
        _COMPARED,
    ),
    "time-to-merge": _explained("Median time to merge", "durations.time_to_merge", "durations.spread"),
    "streak": _explained("Current streak", "contributions.streaks"),
    "contributions": _explained("Contributions", "contributions.of_day", "contributions.levels"),
    "github-total": _explained(
        "GitHub’s own total",
        "GitHub’s own total is not stored here, and may differ: it counts a commit made on its site in its "
        "own time zone, knows only addresses that belong to your account there, and includes repositories "
        "that you do not follow here. This calendar counts what is stored, in your time zone.",
    ),
    "pulse": _explained(
        "Pulse",
        "commits.is_counted",
        "By committer date. Lines and files are those of the commits whose lines are counted; a file counts "
        "once for each commit that changes it.",
    ),
    "repository-time-to-merge": _explained(
        "Median time to merge", _MERGED_IN_PERIOD, "durations.time_to_merge", "durations.spread"
    ),
    "unreviewed": _explained("Merged without review", _MERGED_IN_PERIOD, "reviews.is_merged_without"),
    "absence": _explained("Half of the work", "people.absence_factor"),
    "contributors": _explained(
        "Contributors",
        "By committer date; also authors whose account nobody knows, by their name.",
        "people.contributors",
        "people.is_bot",
    ),
    "code-frequency": _explained(
        "Code frequency",
        "Lines that counted commits added and removed, each against its first parent. Commits whose lines "
        "are not counted yet are left out and named, never taken for zero.",
    ),
    "punch-card": _explained("When work happens", "commits.punch_card"),
    "my-hours": _explained(
        "When you work",
        "Your counted commits by author date, forks too, each once. A commit that came over GitHub's API "
        "instead of git has lost the clock of its author and stands in UTC.",
        "commits.punch_card",
    ),
    "ahead-behind": _explained("Ahead and behind", "branches.ahead_behind"),
    "branch-state": _explained(
        "State of a branch", "branches.state", "Merged:", "branches.is_merged", "Stale:", "branches.is_stale"
    ),
}
