"""What each figure means, in one sentence; the key is the function of this package that computes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """`key` is "file.function" below `metrics`; `title` is what pages call it; `sentence` is exact."""

    key: str
    title: str
    sentence: str


MEANINGS = (
    # Commits.
    Meaning(
        "commits.is_counted",
        "Counted commit",
        "On the default branch and with at most one parent, so merges are left out; where all branches "
        "are asked for, on any of them.",
    ),
    Meaning(
        "commits.count",
        "Commits",
        "Counted commits by sha: one that several repositories or forks hold counts once.",
    ),
    Meaning(
        "commits.counted_at",
        "Date of a commit",
        "In your own views a commit has the day on which it was written (author date); in the views of a "
        "repository the day on which it was put in (committer date).",
    ),
    Meaning(
        "commits.churn",
        "Churn",
        "Lines added plus lines deleted, summed over the counted commits whose lines are known.",
    ),
    Meaning(
        "commits.net",
        "Net lines",
        "Lines added minus lines deleted, summed over the counted commits whose lines are known.",
    ),
    Meaning(
        "commits.punch_card",
        "Punch card",
        "Counted commits by weekday and hour: in your own views by the clock of the person who wrote "
        "them, in the views of a repository by the clock of your time zone.",
    ),
    Meaning(
        "commits.punch_cell",
        "Cell of the punch card",
        "The weekday and the hour of a moment on a given clock; Monday comes first.",
    ),
    # Days.
    Meaning(
        "contributions.of_day",
        "Contributions of a day",
        "Your counted commits outside forks, pull requests you opened, different pull requests of others "
        "that you reviewed, and issues you opened on that day of your time zone.",
    ),
    Meaning(
        "contributions.levels",
        "Level of a day",
        "Empty days are level 0; the others are level 1 to 4 by the quartiles (nearest rank) of the days "
        "in view that are not empty. With fewer than four different counts the level is the count, at "
        "most 4.",
    ),
    Meaning(
        "contributions.streaks",
        "Streak",
        "Days in a row with at least one contribution. The current run ends today, or yesterday while "
        "today is still empty; the longest is the longest of all.",
    ),
    Meaning(
        "contributions.active_days",
        "Active days",
        "Days of the window with at least one contribution.",
    ),
    Meaning(
        "contributions.change_percent",
        "Change against before",
        "Growth in whole percent against the window of the same length just before; while today still "
        "runs, that window ends at the same time of day. Nothing is shown where there was nothing before.",
    ),
    # People.
    Meaning(
        "people.is_bot",
        "Bot",
        "An account that GitHub calls a bot, whose login ends in [bot], or that stands on your list of "
        "bots; bots are left out of what is said about people and reviews.",
    ),
    Meaning(
        "people.contributors",
        "Contributors",
        "Different people, bots left out, who wrote a counted commit or stand in it as co-author with an "
        "address that is known to be theirs.",
    ),
    Meaning(
        "people.absence_factor",
        "Contributor absence factor",
        "The smallest number of people who together made at least half of the counted commits.",
    ),
    # Pull requests, counted.
    Meaning(
        "pulls.throughput",
        "Opened, merged, closed",
        "Pull requests that were opened, merged, or closed without a merge in the window: each counted by "
        "its own moment, so one pull request may be opened in one week and merged in another.",
    ),
    Meaning(
        "pulls.weekly",
        "Opened and merged per week",
        "The same for each span of seven days; the newest ends with today.",
    ),
    Meaning(
        "pulls.merge_rate",
        "Merge rate",
        "Merged pull requests divided by those merged or closed without a merge, all by the day they were "
        "closed.",
    ),
    Meaning(
        "pulls.size",
        "Size",
        "Lines added plus lines deleted: XS below 10, S below 30, M below 100, L below 500, XL below "
        "1,000, XXL from there on.",
    ),
    Meaning(
        "pulls.sizes",
        "Sizes",
        "How many pull requests there are of each size; those whose lines are not known yet are counted "
        "apart.",
    ),
    Meaning(
        "pulls.is_stale",
        "Stale pull request",
        "Open, and nothing by anybody happened to it for 14 days, or for as many as you set.",
    ),
    # Reviews.
    Meaning(
        "reviews.counts",
        "Review",
        "A submitted review by somebody who is neither the author of the pull request nor a bot.",
    ),
    Meaning(
        "reviews.first_at",
        "First review",
        "The earliest review that counts: by neither the author nor a bot.",
    ),
    Meaning(
        "reviews.depth",
        "Review depth",
        "Reviews and comments on lines by people other than the author and bots, divided by the merged "
        "pull requests they belong to.",
    ),
    Meaning(
        "reviews.is_merged_without",
        "Merged without review",
        "Merged, with no review by anybody other than the author and bots; comments alone are no review.",
    ),
    Meaning(
        "reviews.load",
        "Review load",
        "Reviews that each person gave in the window; reviews of one's own pull requests are left out.",
    ),
    Meaning(
        "reviews.is_waiting_for_first",
        "Waiting for a first review",
        "Open, no draft, and not reviewed by anybody other than the author and bots; its wait has no end "
        "yet, so it is counted beside the median and not in it.",
    ),
    # Durations.
    Meaning(
        "durations.spread",
        "p50 and p90",
        "Half of the values are at most p50 (the median), nine in ten at most p90 (nearest rank); what is "
        "not known is left out, n says how many are known, and fewer than five are shown grey.",
    ),
    Meaning(
        "contributions.nearest_rank",
        "Nearest rank",
        "The smallest of the values that at least so many percent of all do not exceed; it is always one "
        "of them.",
    ),
    Meaning(
        "durations.ready_at",
        "Ready",
        "When a pull request asked for attention: the last time it was marked ready for review if it was "
        "a draft, else when it was opened.",
    ),
    Meaning(
        "durations.coding_time",
        "Coding",
        "From the author date of the first commit until the pull request was ready; unknown where it was "
        "ready before its first commit.",
    ),
    Meaning(
        "durations.pickup_time",
        "Pickup",
        "From ready until the first review by somebody other than the author and bots.",
    ),
    Meaning(
        "durations.review_time",
        "Review time",
        "From the first review by somebody other than the author and bots until the merge.",
    ),
    Meaning(
        "durations.time_to_merge",
        "Time to merge",
        "From ready until the merge.",
    ),
    Meaning(
        "durations.cycle_time",
        "Cycle time",
        "From the author date of the first commit until the merge.",
    ),
    Meaning(
        "durations.age",
        "Age",
        "How long an open pull request has been ready; a draft's age counts from when it was opened.",
    ),
    Meaning(
        "durations.review_turnaround",
        "Review turnaround",
        "From the latest request for your review until your first review after it.",
    ),
    # Whose turn it is.
    Meaning(
        "pulls.needs_review",
        "Needs your review",
        "Open, no draft, your review is asked for, and you have not reviewed it since.",
    ),
    Meaning(
        "pulls.is_returned",
        "Returned to you",
        "Your open pull request, when changes were asked for and no commit came after, its checks fail, "
        "or it conflicts with its base.",
    ),
    Meaning(
        "pulls.returned_because",
        "Why it was returned",
        "The first that holds: its checks fail, it conflicts, or changes were asked for.",
    ),
    Meaning(
        "pulls.is_ready",
        "Ready to merge",
        "Your open pull request, no draft, approved or with no review required, its checks passing or "
        "none, and no conflict known.",
    ),
    Meaning(
        "pulls.section",
        "Queue",
        "Each pull request stands once, in the first section that fits: needs your review, drafts, "
        "returned to you, ready to merge, waiting for reviewers, merged in the last 7 days.",
    ),
    # Branches.
    Meaning(
        "branches.state",
        "State of a branch",
        "The first that fits: default; merged, when its last commit is part of the default branch or was "
        "the head of a merged pull request; stale, when that commit was put in more than 90 days ago; "
        "active.",
    ),
    Meaning(
        "branches.distances",
        "Ahead and behind",
        "Commits that only the branch has, and commits that only the default branch has, from the stored "
        "history; counted anew whenever one of the two moves.",
    ),
    # Syncing.
    Meaning(
        "syncing.lag_s",
        "Sync lag",
        "Time since a repository was last brought up to date; the page shows the longest.",
    ),
    Meaning(
        "syncing.hit_ratio",
        "Cache hit ratio",
        'Answers of "unchanged" divided by the requests that asked whether something changed.',
    ),
    Meaning(
        "syncing.budget_use",
        "Budget use",
        "The share of GitHub's limit that is used up since its window began.",
    ),
    Meaning(
        "syncing.seconds_left",
        "Time left",
        "What is still to do, at the pace so far.",
    ),
)

BY_KEY = {each.key: each for each in MEANINGS}
