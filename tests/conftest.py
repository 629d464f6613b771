"""The real parts every test may ask for: the sandbox, both databases, a browser."""

from __future__ import annotations

import shutil
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import client_program
import hypothesis
import leaks
import postgres
import pytest
import ready_databases
import redis_server
from browser import chromium
from local_broker import broker_environment
from playwright.sync_api import Browser
from programs import Program, github_environment, start
from sandbox_control import Sandbox

from trackeep.database import Database

# A busy machine is no failure: what is promised is checked, how long it took is not.
hypothesis.settings.register_profile("trackeep", deadline=None, print_blob=True)
hypothesis.settings.load_profile("trackeep")
# A shell that runs the tests in the background has them ignore Ctrl-C, and so would the programs they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


# A test of the first takes ten times as long as one of the last. Of several processes none works on alone
# for long when what is left for the end is short.
LONGEST_FIRST = ("journeys", "clients", "examples", "gates", "sync", "attacks", "sandbox", "broker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rooms = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rooms.get(item.path.parent.name, len(rooms)))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Whatever else a run shows: no program of it wrote a secret. Each process of a parallel run looks."""
    yield
    # The last of all to end, so every program has stopped. Only what the sandbox prints on its standard
    # output is left out (not kept at all): it shows its own people their tokens.
    found = leaks.findings()
    if found:
        pytest.fail("Secrets stand in the logs of this run:\n" + "\n".join(found[:50]), pytrace=False)
    leaks.forget()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A small GitHub that all tests read and none changes."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    yield program
    program.stop()


@pytest.fixture
def fresh_sandbox(tmp_path: Path) -> Iterator[Program]:
    """A small GitHub of this test's own, to be changed, limited and broken."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path / "sandbox"))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A small GitHub that the tests of one file share and change."""
    data = tmp_path_factory.mktemp("sandbox")
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(data))
    yield Sandbox(program.url)
    program.stop()


@pytest.fixture(scope="session")
def broker(sandbox: Program) -> Iterator[Program]:
    """The OAuth service with throw-away keys, signing people in at the shared sandbox."""
    program = start("broker", "serve", "--dev", "--port", "0", env=broker_environment(sandbox.url))
    yield program
    program.stop()


@pytest.fixture
def instance(sandbox: Program, broker: Program, tmp_path: Path) -> Iterator[Program]:
    """A new instance without an owner, that signs people in through the shared service."""
    program = start(
        "serve",
        *("--port", "0"),
        env={
            **github_environment(sandbox.url),
            "TRACKEEP_BROKER_URL": broker.url,
            "TRACKEEP_DATA_DIR": str(tmp_path / "instance"),
            "TRACKEEP_LOG_FORMAT": "json",
        },
    )
    yield program
    program.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    server = postgres.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis() -> Iterator[redis_server.RedisServer]:
    """What replicas of the service share; each test takes names of its own, or empties it first."""
    server = redis_server.start()
    yield server
    redis_server.end(server)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real one. Ends with its file: while it runs, no test of another file could have an event loop."""
    with chromium() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """All tables, no row: every test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield ready_databases.sqlite_at(tmp_path / "trackeep.db")
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"test_{uuid.uuid4().hex}"
    yield ready_databases.postgres_at(server, name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Not even a table, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'trackeep.db'}"
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"test_{uuid.uuid4().hex}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """An empty database of each kind, open; a file whose tests want something in it adds that to this one."""
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database, open, where one kind is enough; not the file of `db`."""
    database = await Database.open(f"sqlite:///{tmp_path / 'lite.db'}")
    yield database
    await database.close()


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the JavaScript clients of others."""
    if not shutil.which("npm"):
        pytest.fail("The clients of others need Node.js with npm; install them.")
    return client_program.install_node_packages(tmp_path_factory.mktemp("node"))
