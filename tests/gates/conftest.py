"""One filled instance for all gates, at the root and below a path, and one browser."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from filled_instance import Filled, filled, served


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("filled")


@pytest.fixture(scope="session")
def github(folder: Path) -> Iterator[str]:
    with filled(folder) as url:
        yield url


@pytest.fixture(scope="session")
def alice(folder: Path, github: str) -> Iterator[Filled]:
    """alice at the root of an address."""
    with served(folder, github) as found:
        yield found


@pytest.fixture(scope="session")
def alice_below(folder: Path, github: str, alice: Filled) -> Iterator[Filled]:
    """alice at a path of an address, with the same data."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with served(folder, github, base_url=f"http://localhost:{port}/t", port=port) as found:
        assert found.cookies != alice.cookies
        yield found


@pytest.fixture(params=["/", "/t"])
def who(request: pytest.FixtureRequest) -> Filled:
    """alice at the root of an address, then below a path."""
    found: Filled = request.getfixturevalue("alice" if request.param == "/" else "alice_below")
    return found
