"""What each figure means, in one sentence; the key is the function of this package that computes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """`key` is "file.function" below `metrics`; `title` is what pages call it; `sentence` is exact."""

    key: str
    title: str
    sentence: str


DEFINITIONS = (
    # Commits.
    Definition(
        "commits.is_counted",
        "Counted commit",
        "On the default branch and with at most one parent, so merges are left out; where all branches "
        "are asked for, on any of them.",
    ),
    Definition(
        "commits.count",
        "Commits",
        "Counted commits by sha: one that several repositories or forks hold counts once.",
    ),
    Definition(
        "commits.counted_at",
        "Date of a commit",
        "In your own views a commit has the day on which it was written (author date); in the views of a "
        "repository the day on which it was put in (committer date).",
    ),
    Definition(
        "commits.churn",
        "Churn",
        "Lines added plus lines deleted, summed over the counted commits whose lines are known.",
    ),
    Definition(
        "commits.net",
        "Net lines",
        "Lines added minus lines deleted, summed over the counted commits whose lines are known.",
    ),
    Definition(
        "commits.punch_card",
        "Punch card",
        "Counted commits by weekday and hour: in your own views by the clock of the person who wrote "
        "them, in the views of a repository by the clock of your time zone.",
    ),
    Definition(
        "commits.punch_cell",
        "Cell of the punch card",
        "The weekday and the hour of a moment on a given clock; Monday comes first.",
    ),
    # Days.
    Definition(
        "contributions.of_day",
        "Contributions of a day",
        "Your counted commits outside forks, pull requests you opened, different pull requests of others "
        "that you reviewed, and issues you opened on that day of your time zone.",
    ),
    Definition(
        "contributions.levels",
        "Level of a day",
        "Empty days are level 0; the others are level 1 to 4 by the quartiles (nearest rank) of the days "
        "in view that are not empty. With fewer than four different counts the level is the count, at "
        "most 4.",
    ),
    Definition(
        "contributions.streaks",
        "Streak",
        "Days in a row with at least one contribution. The current run ends today, or yesterday while "
        "today is still empty; the longest is the longest of all.",
    ),
    Definition(
        "contributions.active_days",
        "Active days",
        "Days of the window with at least one contribution.",
    ),
    Definition(
        "contributions.change_percent",
        "Change against before",
        "Growth in whole percent against the window of the same length just before; while today still "
        "runs, that window ends at the same time of day. Nothing is shown where there was nothing before.",
    ),
    # People.
    Definition(
        "people.is_bot",
        "Bot",
        "An account that GitHub calls a bot, whose login ends in [bot], or that stands on your list of "
        "bots; bots are left out of what is said about people and reviews.",
    ),
    Definition(
        "people.contributors",
        "Contributors",
        "Different people, bots left out, who wrote a counted commit or stand in it as co-author with an "
        "address that is known to be theirs.",
    ),
    Definition(
        "people.absence_factor",
        "Contributor absence factor",
        "The smallest number of people who together made at least half of the counted commits.",
    ),
    # Pull requests, counted.
    Definition(
        "pulls.throughput",
        "Opened, merged, closed",
        "Pull requests that were opened, merged, or closed without a merge in the window: each counted by "
        "its own moment, so one pull request may be opened in one week and merged in another.",
    ),
    Definition(
        "pulls.weekly",
        "Opened and merged per week",
        "The same for each span of seven days; the newest ends with today.",
    ),
    Definition(
        "pulls.merge_rate",
        "Merge rate",
        "Merged pull requests divided by those merged or closed without a merge, all by the day they were "
        "closed.",
    ),
    Definition(
        "pulls.size",
        "Size",
        "Lines added plus lines deleted: XS below 10, S below 30, M below 100, L below 500, XL below "
        "1,000, XXL from there on.",
    ),
    Definition(
        "pulls.sizes",
        "Sizes",
        "How many pull requests there are of each size; those whose lines are not known yet are counted "
        "apart.",
    ),
    Definition(
        "pulls.is_stale",
        "Stale pull request",
        "Open, and nothing by anybody happened to it for 14 days, or for as many as you set.",
    ),
    # Reviews.
    Definition(
        "reviews.counts",
        "Review",
        "A submitted review by somebody who is neither the author of the pull request nor a bot.",
    ),
    Definition(
        "reviews.first_at",
        "First review",
        "The earliest review that counts: by neither the author nor a bot.",
    ),
    Definition(
        "reviews.depth",
        "Review depth",
        "Reviews and comments on lines by people other than the author and bots, divided by the merged "
        "pull requests they belong to.",
    ),
    Definition(
        "reviews.is_merged_without",
        "Merged without review",
        "Merged, with no review by anybody other than the author and bots; comments alone are no review.",
    ),
    Definition(
        "reviews.load",
        "Review load",
        "Reviews that each person gave in the window; reviews of one's own pull requests are left out.",
    ),
    Definition(
        "reviews.is_waiting_for_first",
        "Waiting for a first review",
        "Open, no draft, and not reviewed by anybody other than the author and bots; its wait has no end "
        "yet, so it is counted beside the median and not in it.",
    ),
    # Durations.
    Definition(
        "durations.spread",
        "p50 and p90",
        "Half of the values are at most p50 (the median), nine in ten at most p90 (nearest rank); what is "
        "not known is left out, n says how many are known, and fewer than five are shown grey.",
    ),
    Definition(
        "contributions.nearest_rank",
        "Nearest rank",
        "The smallest of the values that at least so many percent of all do not exceed; it is always one "
        "of them.",
    ),
    Definition(
        "durations.ready_at",
        "Ready",
        "When a pull request asked for attention: the last time it was marked ready for review if it was "
        "a draft, else when it was opened.",
    ),
    Definition(
        "durations.coding_time",
        "Coding",
        "From the author date of the first commit until the pull request was ready; unknown where it was "
        "ready before its first commit.",
    ),
    Definition(
        "durations.pickup_time",
        "Pickup",
        "From ready until the first review by somebody other than the author and bots.",
    ),
    Definition(
        "durations.review_time",
        "Review time",
        "From the first review by somebody other than the author and bots until the merge.",
    ),
    Definition(
        "durations.time_to_merge",
        "Time to merge",
        "From ready until the merge.",
    ),
    Definition(
        "durations.cycle_time",
        "Cycle time",
        "From the author date of the first commit until the merge.",
    ),
    Definition(
        "durations.age",
        "Age",
        "How long an open pull request has been ready; a draft's age counts from when it was opened.",
    ),
    Definition(
        "durations.review_turnaround",
        "Review turnaround",
        "From the latest request for your review until your first review after it.",
    ),
    # Whose turn it is.
    Definition(
        "pulls.needs_review",
        "Needs your review",
        "Open, no draft, a review is asked for of you or of a team you are in, and you have not reviewed it "
        "since.",
    ),
    Definition(
        "pulls.is_returned",
        "Returned to you",
        "Your open pull request, when changes were asked for and no commit came after, its checks fail, "
        "or it conflicts with its base.",
    ),
    Definition(
        "pulls.returned_because",
        "Why it was returned",
        "The first that holds: its checks fail, it conflicts, or changes were asked for.",
    ),
    Definition(
        "pulls.is_ready",
        "Ready to merge",
        "Your open pull request, no draft, approved or with no review required, its checks passing or "
        "none, and no conflict known. Checks that GitHub does not tell are not passing.",
    ),
    Definition(
        "pulls.section",
        "Queue",
        "Each pull request stands once, in the first section that fits: needs your review, drafts, "
        "returned to you, ready to merge, waiting for reviewers, merged in the last 7 days.",
    ),
    # Branches.
    Definition(
        "branches.state",
        "State of a branch",
        "The first that fits: default, merged, stale, active.",
    ),
    Definition(
        "branches.is_stale",
        "Stale branch",
        "Not the default branch, and its last commit was put in more than 90 days ago.",
    ),
    Definition(
        "branches.is_merged",
        "Merged branch",
        "Not the default branch, and its last commit is part of the default branch or was the head of a "
        "merged pull request.",
    ),
    Definition(
        "branches.ahead_behind",
        "Ahead and behind",
        "Commits that only the branch has, and commits that only the default branch has, from the stored "
        "history; counted anew whenever one of the two moves.",
    ),
    # Syncing.
    Definition(
        "syncing.lag_s",
        "Sync lag",
        "Time since a repository was last brought up to date; the page shows the longest.",
    ),
    Definition(
        "syncing.hit_ratio",
        "Cache hit ratio",
        'Answers of "unchanged" divided by the requests that asked whether something changed.',
    ),
    Definition(
        "syncing.budget_use",
        "Budget use",
        "The share of GitHub's limit that is used up since its window began.",
    ),
    Definition(
        "syncing.seconds_left",
        "Time left",
        "What is still to do, at the pace so far.",
    ),
    Definition(
        "syncing.pages_left",
        "Pages left",
        "Requests until everything of a kind is read; at least one, because the end is known only once it "
        "was seen.",
    ),
    Definition(
        "syncing.eta_s",
        "Time until all is read",
        "Pending requests divided by the requests a second that GitHub allows until its limit is renewed.",
    ),
    Definition(
        "syncing.behind",
        "Behind GitHub",
        "The longest sync lag, and the one that nineteen of twenty do not exceed.",
    ),
    Definition(
        "storage.stored_bytes",
        "Stored",
        "An estimate: so many bytes for each stored row of a kind, its indexes included.",
    ),
)

BY_KEY = {each.key: each for each in DEFINITIONS}
