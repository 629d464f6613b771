"""Whether an instance lives and is ready, on both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Api, small_api
from local_instance import Guest
from small_world import NOW
from sqlalchemy import delete, insert, text

from trackeep.store import tables_sync

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with small_api(tmp_path, database_url=database_url) as found:
        yield found


async def ready(api: Api) -> tuple[int, str, str]:
    async with Guest(api.instance.url, "") as probe:
        answer = await probe.open("/readyz")
        told = json.loads(answer.text)
        return answer.status, told["status"], told.get("worker", "")


async def test_it_tells_of_the_worker(api: Api) -> None:
    """Never heard of, lately, too long ago: the pages stay."""
    assert await ready(api) == (200, "ready", "silent")
    for seen_at, told in ((NOW - 20, "ok"), (NOW - 200, "silent")):
        async with api.instance.site.db.write() as conn:
            await conn.execute(delete(tables_sync.worker))
            await conn.execute(insert(tables_sync.worker).values(name="w:1", started_at=NOW, seen_at=seen_at))
        assert await ready(api) == (200, "ready", told)


async def test_tables_of_another_version_are_told(api: Api) -> None:
    """A newer program has been at the database: this one must not be sent visitors."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(text("update alembic_version set version_num = '9999'"))
    assert (await ready(api))[:2] == (503, "database has the tables of another version")


async def test_the_process_lives_without_its_database(api: Api) -> None:
    """Healthy asks nothing of the database: nobody restarts a process for a database's fault."""
    async with api.instance.site.db.write() as conn:
        await conn.execute(text("alter table worker rename to elsewhere"))
    async with Guest(api.instance.url, "") as probe:
        assert (await probe.open("/healthz")).status == 200
    assert (await ready(api))[:2] == (503, "database does not answer")
