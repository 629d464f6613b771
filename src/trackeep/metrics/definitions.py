"""What each figure means, in words: the pages show these sentences, docs/metrics.md holds the same ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """A figure's name and how it is computed, in one or two sentences."""

    title: str
    words: str


DEFINITIONS = {
    "commits": Definition(
        "Commits",
        "Distinct commits by you on default branches, merges left out, by author date in your time zone. "
        "The same commit in a fork counts once.",
    ),
    "merged": Definition(
        "Pull requests merged",
        "Pull requests you opened, by the moment they were merged, whenever they were opened.",
    ),
    "reviews": Definition(
        "Reviews given",
        "Every review you submitted on somebody else’s pull request, by the moment you submitted it.",
    ),
    "time-to-merge": Definition(
        "Median time to merge",
        "From ready for review (or opened, when it never was a draft) to merged; half took at most this "
        "long, nine in ten at most p90. What is not known is left out, fewer than five are grey.",
    ),
    "streak": Definition(
        "Current streak",
        "Days in a row with at least one contribution, ending today, or yesterday while today has none yet.",
    ),
    "contributions": Definition(
        "Contributions",
        "Per day: your commits on default branches outside forks, pull requests and issues you opened, and "
        "each pull request of others that you reviewed, once a day. A cell’s shade is its quartile among the "
        "days in view that are not empty.",
    ),
    "github-total": Definition(
        "Why GitHub shows another number",
        "GitHub’s own total is not stored here. It counts days in its own time zone for commits made on its "
        "site, knows only addresses that belong to your account there, and includes repositories that you "
        "do not follow here; this calendar counts what is stored, in your time zone.",
    ),
    "compared": Definition(
        "Change",
        "The change is against as many days immediately before; a day that still runs is compared with the "
        "same hours of its counterpart.",
    ),
    "pulse": Definition(
        "Pulse",
        "Commits by committer date in your time zone, merges left out. Lines and files are those of the "
        "commits on the default branch whose lines are counted; a file counts once for each commit that "
        "changes it.",
    ),
    "repository-time-to-merge": Definition(
        "Median time to merge",
        "Of the pull requests merged in the period: from ready for review (or opened) to merged. Fewer than "
        "five are grey.",
    ),
    "unreviewed": Definition(
        "Merged without review",
        "Pull requests merged in the period that nobody but their author and bots has reviewed.",
    ),
    "absence": Definition(
        "Half of the work",
        "The smallest number of people who together made at least half of the counted commits; CHAOSS calls "
        "it the contributor absence factor.",
    ),
    "contributors": Definition(
        "Contributors",
        "Authors of commits on the default branch, merges left out, by committer date. A bot is an account "
        "that GitHub calls one, a login that ends in [bot], or one of your own list in the settings.",
    ),
    "code-frequency": Definition(
        "Code frequency",
        "Lines added and removed by commits on the default branch, merges left out, each against its first "
        "parent. Commits whose lines are not counted yet are left out and named, never taken for zero.",
    ),
    "punch-card": Definition(
        "When work happens",
        "Commits on the default branch, merges left out, by weekday and hour of the committer date in your "
        "time zone.",
    ),
    "ahead-behind": Definition(
        "Ahead and behind",
        "Commits that only the branch has, and commits that only the default branch has, counted in the "
        "stored history for the two commits they point at.",
    ),
    "branch-state": Definition(
        "State of a branch",
        "Merged: its newest commit is on the default branch, or is the head of a merged pull request. Stale: "
        "neither merged nor the default branch, and no commit for 90 days. Active: all others.",
    ),
}
