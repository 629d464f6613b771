"""What an account may not read changes nothing in any answer: not a row, not a count, not an error."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from small_world import ALICE, BOB, MALLORY, NOW, SECRET, fill, reader
from sqlalchemy import Table, delete

import trackeep.store
from trackeep.database import Database
from trackeep.metrics.windows import Window, compare, steps
from trackeep.store import tables_fetched as fetched
from trackeep.store.reports_access import Reader
from trackeep.store.reports_listing import Listing
from trackeep.store.search_grammar import parse
from trackeep.store.search_keys import COMMITS

pytestmark = pytest.mark.anyio

# What these tell is about the account itself: its connection, its budgets, its own runs.
OWN = {"connection_of", "is_graphql_refused", "blocked_owners", "budgets", "runs"}
# These too, and numbers of workers and accounts.
OWN |= {"account_streams", "readings", "line"}
WINDOW = Window(0, NOW)
ARGUMENTS: dict[str, Any] = {
    "window": WINDOW,
    "comparison": compare("30d", NOW, reader().zone),
    "shown": (date(2026, 1, 1), date(2026, 11, 23)),
    "first": date(2026, 1, 1),
    "last": date(2026, 11, 23),
    "since": 0,
    "weeks": 40,
    "steps": steps(date(2026, 1, 1), date(2026, 11, 23)),
    "repository_id": SECRET,
    "ids": [SECRET],
    "owner": "bob",
    "name": "secret-plan",
    "login": "bob",
    "number": 1,
    "listing": Listing(),
    "query": parse("repo:secret-plan author:bob", COMMITS, date(2026, 11, 23)),
    "commits": [(SECRET, "s1")],
}


def questions() -> Iterator[tuple[Any, Any]]:
    """Every public function of the readers that is given a connection."""
    names = [each.name for each in pkgutil.iter_modules(trackeep.store.__path__)]
    for name in sorted(each for each in names if each.startswith(("reports", "search"))):
        module = importlib.import_module(f"trackeep.store.{name}")
        for function_name, function in vars(module).items():
            is_own = inspect.iscoroutinefunction(function) and function.__module__ == module.__name__
            if is_own and not function_name.startswith("_") and function_name not in OWN:
                yield module, function


QUESTIONS = {f"{module.__name__}.{function.__name__}": (module, function) for module, function in questions()}


@pytest.fixture
async def db(db: Database) -> Database:
    await fill(db)
    return db


async def answer(db: Database, module: Any, function: Any, who: Reader) -> Any:
    parameters = inspect.signature(function).parameters
    assert "reader" in parameters, f"{function.__qualname__} reads activity for nobody in particular"
    given: dict[str, Any] = {"reader": who, **ARGUMENTS}
    if "wanted" in parameters:
        given["wanted"] = module.Wanted(repository=("bob", "secret-plan"))
    needed = [each.name for each in parameters.values() if each.default is each.empty and each.name != "conn"]
    async with db.read() as conn:
        return await function(conn, **{name: given[name] for name in needed})


async def answers(db: Database, account_id: int, *, is_public: bool = False) -> dict[str, Any]:
    who = replace(reader(account_id), is_public=is_public)
    return {name: await answer(db, *question, who) for name, question in QUESTIONS.items()}


async def add_to_the_secret(db: Database) -> None:
    """A pull request with a review by alice, an issue, a branch and a release, where only bob may read."""
    key, time = {"repository_id": SECRET}, NOW - 3600
    made = {"created_at": time, "updated_at": time}
    pull = {
        **key,
        "number": 1,
        "id": 901,
        "title": "secret-plan",
        "state": "open",
        "author_id": ALICE,
        **made,
    }
    review = {**key, "id": 902, "number": 1, "author_id": ALICE, "state": "APPROVED", "submitted_at": time}
    ref = {**key, "name": "refs/heads/secret-plan", "sha": "s1", "commit_sha": "s1"}
    change = {**key, "name": "refs/heads/secret-plan", "kind": "created", "seen_at": time}
    issue = {**key, "number": 2, "id": 903, "title": "secret-plan", "state": "open", "author_id": ALICE}
    release = {**key, "id": 904, "tag": "secret-plan", "author_id": ALICE, "created_at": time}
    asked = {**key, "number": 1, "reviewer_id": ALICE, "team": ""}
    async with db.write() as conn:
        await conn.execute(fetched.pull_request.insert().values(pull))
        await conn.execute(fetched.review.insert().values(review))
        await conn.execute(fetched.review_request.insert().values(asked))
        await conn.execute(fetched.ref.insert().values(**ref, first_seen_at=time, moved_at=time))
        await conn.execute(fetched.ref_change.insert().values(change))
        await conn.execute(fetched.issue.insert().values(**issue, **made))
        await conn.execute(fetched.release.insert().values(**release, published_at=time))


async def forget_the_secret(db: Database) -> None:
    """Take away every row of the repository that bob alone may read."""
    async with db.write() as conn:
        for table in vars(fetched).values():
            if isinstance(table, Table) and "repository_id" in table.c:
                await conn.execute(delete(table).where(table.c.repository_id == SECRET))


def test_there_are_questions() -> None:
    """A moved file must not make this one pass by finding nothing."""
    assert len(QUESTIONS) > 15


@pytest.mark.parametrize("account_id", [ALICE, MALLORY], ids=["alice", "mallory"])
async def test_what_others_may_read_changes_nothing(db: Database, account_id: int) -> None:
    """Asked for bob's private repository by name and number, all answers are as if it were empty."""
    await add_to_the_secret(db)
    before = await answers(db, account_id)
    assert "secret-plan" not in repr(before)
    await forget_the_secret(db)
    assert await answers(db, account_id) == before


async def test_what_is_private_changes_nothing_for_the_public(db: Database) -> None:
    """Bob himself, asked as everybody at GitHub would be answered: his repository is not there."""
    await add_to_the_secret(db)
    before = await answers(db, BOB, is_public=True)
    assert "secret-plan" not in repr(before)
    await forget_the_secret(db)
    assert await answers(db, BOB, is_public=True) == before


async def test_who_may_read_gets_answers(db: Database) -> None:
    """The same questions by bob do depend on those rows: the test above could fail."""
    await add_to_the_secret(db)
    before = await answers(db, BOB)
    await forget_the_secret(db)
    after = await answers(db, BOB)
    assert len([name for name in before if before[name] != after[name]]) > 12
