"""Times on the GraphQL wire: DateTime is always UTC, GitTimestamp keeps the author's offset."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from graphql import GraphQLError


def write_time(at: Any) -> str:
    """Unix seconds as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_git_time(value: tuple[int, int]) -> str:
    """Unix seconds and minutes east of UTC as `2026-01-31T14:00:00+02:00`; UTC itself is `Z`."""
    at, offset_min = value
    written = datetime.fromtimestamp(at, timezone(timedelta(minutes=offset_min))).isoformat()
    return written.replace("+00:00", "Z")


def parse_time(value: Any) -> int:
    """ISO 8601, in UTC unless it says otherwise, as unix seconds. Raises GraphQLError for anything else."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise GraphQLError(f"{value!r} is not a valid ISO 8601 time.") from None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
