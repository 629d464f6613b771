"""What several screens are looked at with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from running_instance import PATHS, Running, leave


@pytest.fixture(params=PATHS)
def running(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Running]:
    """A filled instance of this test's own."""
    started = Running(tmp_path, request.param)
    yield started
    leave(browser)
    started.stop()
