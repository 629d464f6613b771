"""How much room what was fetched takes, by one rule: so many bytes for each row, its indexes included."""

from __future__ import annotations

from collections.abc import Mapping

# Averages as SQLite stored the sandbox's repositories, by the stream that brings the rows. A pull request
# comes with its reviews and requests; everything else of a repository is small beside these.
BYTES_PER_ROW = {
    "commits": 550,
    "pulls": 1_100,
    "issues": 350,
    "comments": 150,
    "releases": 250,
    "files": 100,
}


def stored_bytes(rows: Mapping[str, int]) -> int:
    """The estimate for so many rows by stream; streams that are not in the rule count nothing."""
    return sum(BYTES_PER_ROW.get(stream, 0) * count for stream, count in rows.items())
