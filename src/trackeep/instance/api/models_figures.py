"""What the JSON API answers with figures: summary, calendar, durations, and the state of the sync."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from trackeep.instance.api.models import FullName, Instant, Model, Seconds

Period = Literal["7d", "30d", "90d", "12m", "all"]
Day = Annotated[date, Field(examples=["2026-11-23"])]


class Window(Model):
    """Whole days in your time zone; both belong to it. `since` is null for all time."""

    period: Period
    since: Day | None
    until: Day


class Figure(Model):
    value: int = Field(examples=[184])
    previous: int | None = Field(
        description="In the equal window before, until the same time of day; null for all time.",
        examples=[164],
    )


class Spread(Model):
    """Half of `n` durations are at most `p50_s`, nine in ten at most `p90_s`."""

    n: int = Field(examples=[23])
    p50_s: Seconds | None
    p90_s: Seconds | None


class Streak(Model):
    """Days in a row with at least one contribution."""

    current: int = Field(examples=[12])
    longest: int = Field(examples=[41])


class Summary(Model):
    """How active you were."""

    window: Window
    commits: Figure
    merged_pulls: Figure
    reviews: Figure
    contributions: int = Field(examples=[230])
    active_days: int = Field(examples=[21])
    time_to_merge: Spread = Field(description="Of your own pull requests, from ready to merged.")
    streak: Streak


class CalendarDay(Model):
    day: Day
    level: int = Field(description="0 to 4, by quartiles of the days that are not empty.", examples=[3])
    contributions: int = Field(examples=[8])
    commits: int = Field(examples=[5])
    pulls: int = Field(examples=[1])
    reviews: int = Field(examples=[2])
    issues: int = Field(examples=[0])


class Calendar(Model):
    """Your contributions, one row per day, oldest first."""

    first: Day
    last: Day
    contributions: int = Field(examples=[1204])
    active_days: int = Field(examples=[198])
    streak: Streak = Field(description="Within the days shown.")
    days: tuple[CalendarDay, ...]


class CycleTime(Model):
    """Where the time of merged pull requests went; only what is known is counted, so each has its own `n`."""

    window: Window
    merged_pulls: int = Field(examples=[23])
    coding: Spread = Field(description="From the first commit to ready for review.")
    pickup: Spread = Field(description="From ready to the first review by somebody else who is no bot.")
    review: Spread = Field(description="From that review to the merge.")
    time_to_merge: Spread = Field(description="From ready to the merge.")
    cycle_time: Spread = Field(description="From the first commit to the merge.")
    without_review: int = Field(description="Merged without a review by somebody else.", examples=[2])
    waiting: int = Field(description="Open, ready and not reviewed yet, whenever opened.", examples=[4])


# ---- the sync -----------------------------------------------------------------------------------


class Budget(Model):
    resource: str = Field(examples=["core"])
    limit: int = Field(examples=[5000])
    remaining: int = Field(examples=[4812])
    reset_at: Instant
    seen_at: Instant


class Stream(Model):
    """How far one kind of thing of a repository has been fetched."""

    name: str = Field(examples=["commits"])
    complete: bool
    succeeded_at: Instant | None
    due_at: Instant | None
    items: int = Field(examples=[1840])
    failures: int = Field(examples=[0])
    problem: str


class RepositorySync(Model):
    repository: FullName
    follow: Literal["tracked", "paused"]
    state: Literal["ok", "gone"]
    complete: bool
    succeeded_at: Instant | None
    problem: str
    streams: tuple[Stream, ...]


class Sync(Model):
    """Whether the sync works, and what GitHub lets us ask."""

    connection: Literal["ok", "reconnect", "none"]
    problem: str
    followed: int = Field(examples=[31])
    complete: int = Field(description="How many of them are read to the end.", examples=[31])
    succeeded_at: Instant | None
    running_since: Instant | None
    due_at: Instant | None
    worker_seen_at: Instant | None
    budgets: tuple[Budget, ...]
    repositories: tuple[RepositorySync, ...]
