"""What several screens are looked at with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_instance import Running


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A filled instance of this test's own."""
    started = Running(tmp_path)
    yield started
    started.stop()
