"""What may stand in the query of a list; a name that is not known is refused, not ignored."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from trackeep.instance.api.models_figures import Period
from trackeep.instance.frame import bounds_of
from trackeep.store.reports_access import Reader

MOST = 500
USUAL = 50
FULL_NAME = r"^[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}$"


def _in_history(day: date) -> date:
    if not 1970 <= day.year < date.max.year:
        raise ValueError("Write a day from 1970-01-01 on.")
    return day


# PostgreSQL refuses U+0000.
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
Day = Annotated[date, AfterValidator(_in_history)]
Name = Annotated[
    str | None,
    Field(pattern=FULL_NAME, description="Only this repository, as owner/name.", examples=["fernhill/atlas"]),
]


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Query):
    """One page of a list."""

    limit: int = Field(USUAL, ge=1, le=MOST, description="How many rows at most.")
    cursor: Words = Field(
        "",
        max_length=4_000,
        description="`next` of the page before; the rest of the query must be the same.",
        json_schema_extra={"format": "cursor"},
    )


class _Between(Page):
    since: Day | None = Field(None, description="First day, in your time zone.", examples=["2026-11-01"])
    until: Day | None = Field(None, description="Last day, which belongs to it.", examples=["2026-11-23"])

    def bounds(self, reader: Reader) -> tuple[int | None, int | None]:
        """Both days as instants, the second one's end."""
        return bounds_of(self.since, self.until, reader.zone)


class CommitsHere(_Between):
    """Which commits of a repository."""

    q: Words = Field(
        "",
        max_length=500,
        description="What to look for, as in the search box: words, a phrase in quotes, a sha's beginning, "
        "`author:me`, `since:7d`.",
        examples=["retry -author:bob"],
        json_schema_extra={"format": "search"},
    )
    author: Words = Field("", max_length=100, description="A login, a name, or `me`.", examples=["alice"])
    dated: Literal["committer", "author"] = Field(
        "committer", description="Whose date orders and bounds the list."
    )
    counted: bool = Field(False, description="Only what counts: on the default branch, no merges.")


class CommitsQuery(CommitsHere):
    """Which commits."""

    repository: Name = None


class SearchQuery(_Between):
    """What to look for."""

    q: Words = Field(
        min_length=1,
        max_length=500,
        description="What to look for, as in the search box.",
        examples=['"retry after" since:3m'],
        json_schema_extra={"format": "search"},
    )
    repository: Name = None


class PullsHere(_Between):
    """Which pull requests of a repository."""

    q: Words = Field("", max_length=200, description="Words of the title.")
    state: Literal["all", "open", "merged", "closed"] = Field(
        "all",
        description="Newest first by when they were opened; with merged and closed by when that was.",
    )
    author: Words = Field("", max_length=100, description="A login, or `me`.", examples=["alice"])


class PullsQuery(PullsHere):
    """Which pull requests."""

    repository: Name = None


class EventsQuery(_Between):
    """Which events."""

    kind: Literal["", "commit", "pull", "review", "issue", "release", "branch"] = Field(
        "", description="Only this kind."
    )
    mine: bool = Field(False, description="Only what you did.")
    repository: Name = None


class RepositoriesQuery(Page):
    """Which repositories, and over which period they are measured."""

    q: Words = Field("", max_length=100, description="A part of owner/name.")
    period: Period = Field("30d", description="The window of the figures; it ends with today.")


class PeriodQuery(Query):
    """Over which period."""

    period: Period = Field("30d", description="The window; it ends with today.")


class CalendarQuery(Query):
    """Which days of the calendar."""

    kind: Literal["", "commit", "pull", "review", "issue"] = Field("", description="Only this kind.")
    year: int | None = Field(
        None, ge=1970, le=9998, description="A calendar year; the last 365 days without.", examples=[2026]
    )


class CycleQuery(PeriodQuery):
    """Whose pull requests, merged in which period."""

    repository: Name = None
    author: Words = Field("", max_length=100, description="A login, or `me`.", examples=["alice"])
