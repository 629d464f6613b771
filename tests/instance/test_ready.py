"""Whether an instance is ready: its database, the version of its tables, and a worker that was heard of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Api, small_api
from local_instance import Guest
from small_world import NOW
from sqlalchemy import delete, insert, text

from trackeep.store import tables, tables_sync

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, database_url=database_url) as found:
        yield found


async def ready(api: Api, query: str = "") -> tuple[int, str]:
    async with Guest(api.instance.url, "") as probe:
        answer = await probe.open(f"/readyz{query}")
        return answer.status, json.loads(answer.text)["status"]


async def heard(api: Api, seen_at: int) -> None:
    async with api.instance.site.db.write() as conn:
        await conn.execute(delete(tables_sync.worker))
        await conn.execute(insert(tables_sync.worker).values(name="w:1", started_at=NOW, seen_at=seen_at))


async def test_a_worker_must_be_heard_of(api: Api) -> None:
    """Never, lately, too long ago; a process that only shows pages can be asked without."""
    assert await ready(api) == (503, "no worker answers")
    assert await ready(api, "?worker=optional") == (200, "ready")
    await heard(api, NOW - 20)
    assert await ready(api) == (200, "ready")
    await heard(api, NOW - 200)
    assert await ready(api) == (503, "no worker answers")


async def test_without_anybody_connected_no_worker_is_needed(api: Api) -> None:
    """A new instance is ready before its first sign-in."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(delete(tables.connection))
    assert await ready(api) == (200, "ready")


async def test_tables_of_another_version_are_told(api: Api) -> None:
    """A newer program has been at the database: this one must not be sent visitors."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(text("update alembic_version set version_num = '9999'"))
    assert await ready(api, "?worker=optional") == (503, "database is of another version")


async def test_the_process_lives_without_its_database(api: Api) -> None:
    """Healthy asks nothing of the database, ready does: nobody restarts a process for a database's fault."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(text("drop table alembic_version"))
        await conn.execute(text("alter table instance rename to elsewhere"))
    async with Guest(api.instance.url, "") as probe:
        assert (await probe.open("/healthz")).status == 200
    assert await ready(api) == (503, "database does not answer")
