"""The short form of `python3 run.py soak`: failures and kills at random moments lose and repeat nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaign import campaign
from postgres import Server

FAULTS = 60


@pytest.mark.parametrize(
    ("seed", "is_sqlite"), [(20_261, True), (20_262, False)], ids=["sqlite", "postgresql"]
)
def test_failures_and_kills(seed: int, is_sqlite: bool, tmp_path: Path, postgres_server: Server) -> None:
    """Every copy equals GitHub whenever it is quiet, and no stored page is asked for again while it fills."""
    tally = campaign(FAULTS, seed, tmp_path, None if is_sqlite else postgres_server)
    assert tally.faults >= FAULTS and tally.comparisons >= 2
