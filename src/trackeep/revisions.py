"""Which state of the database figures were counted from: a number that every change of the counted raises.

A transaction of `Database.write` notices by its statements whether they changed such a table, whoever sent
them, and then raises the number as the last thing before it is committed. The row is locked for no longer
than that, and as the last lock of all it can make no two transactions wait for each other.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Delete, UpdateBase

# What a table is marked with whose rows nobody counts; one without the mark is counted.
UNCOUNTED = {"counted": False}
_CHANGES, _SNAPSHOT = "trackeep_changes", "trackeep_snapshot"
# Steps of any length: a database that was put back and went on comes to no number that stood for other rows.
_MOST_BITS = 30
_MOST_FIGURES = 256
_RAISE = text(
    "insert into revision (id, number) values (1, :step) "
    "on conflict (id) do update set number = revision.number + excluded.number"
)
_HARMLESS = ("select", "set", "pragma", "begin", "savepoint", "release", "rollback")


# ---- those who write ----------------------------------------------------------------------------


@dataclass
class Changes:
    """Whether the transaction at hand has changed what figures are counted from."""

    are_counted: bool = False


async def watch(conn: AsyncConnection) -> Changes:
    """Notice from now on what this connection changes; what `notice` listens to must be its engine."""
    changes = Changes()
    await conn.execution_options(**{_CHANGES: changes})
    return changes


def changed(conn: AsyncConnection) -> None:
    """Say so for what goes to the driver past every statement, such as PostgreSQL's COPY."""
    changes = conn.sync_connection and conn.sync_connection.get_execution_options().get(_CHANGES)
    if changes:
        changes.are_counted = True


def notice(
    conn: Connection, cursor: Any, statement: str, _parameters: object, context: Any, _many: bool
) -> None:
    """After each statement of an engine; one that found no row to change has changed nothing."""
    changes: Changes | None = conn.get_execution_options().get(_CHANGES)
    if changes is not None and not changes.are_counted and cursor.rowcount != 0:
        changes.are_counted = _is_counted(statement, context.compiled)


async def raise_if_counted(conn: AsyncConnection, changes: Changes) -> None:
    """The last statement of a transaction."""
    if changes.are_counted:
        await conn.run_sync(raise_number)


def raise_number(conn: Connection) -> None:
    """No figure that was counted before holds any more."""
    conn.execute(_RAISE, {"step": 1 + secrets.randbits(_MOST_BITS)})


def _is_counted(statement: str, compiled: Any) -> bool:
    made_of = getattr(compiled, "statement", None)
    if isinstance(made_of, Delete):
        return any(map(_is_marked, _falling_with(made_of.table)))
    if isinstance(made_of, UpdateBase):
        return _is_marked(made_of.table)
    # What is written by hand, or writes within a question, may have changed anything.
    return not statement.lstrip().lower().startswith(_HARMLESS)


def _is_marked(table: Any) -> bool:
    return bool(getattr(table, "info", {}).get("counted", True))


@lru_cache(maxsize=128)
def _falling_with(table: Any) -> frozenset[Any]:
    """The table, and those whose rows the database deletes together with its own."""
    found, new = {table}, [table] if isinstance(table, Table) else []
    while new:
        above = new.pop()
        below = {
            each
            for each in above.metadata.tables.values()
            for key in each.foreign_keys
            if key.column.table is above and key.ondelete == "CASCADE"
        } - found
        found |= below
        new += below
    return frozenset(found)


# ---- those who read -----------------------------------------------------------------------------


@dataclass
class Figures:
    """What was counted of the revision that was read last; no more than those asked for last."""

    most: int = _MOST_FIGURES
    _revision: int = -1
    _found: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, revision: int, key: Hashable, default: Any) -> Any:
        if revision != self._revision or key not in self._found:
            return default
        self._found.move_to_end(key)
        return self._found[key]

    def keep(self, revision: int, key: Hashable, figure: Any) -> None:
        if revision != self._revision:
            # Nobody will ask again for what another state of the database came to.
            self._revision = revision
            self._found.clear()
        self._found[key] = figure
        self._found.move_to_end(key)
        while len(self._found) > self.most:
            self._found.popitem(last=False)


@dataclass
class Snapshot:
    """One state of the database that is read, and the figures that may be known of it.

    `states` has its number with what a reader may read, once that was asked for. Whoever begins again on
    the same connection, after a statement that failed, sees another state.
    """

    figures: Figures
    states: dict[Hashable, tuple[int, str]] = field(default_factory=dict)
    transaction: object = None

    def note(self, conn: AsyncConnection, who: Hashable, state: tuple[int, str]) -> None:
        """What was just read of the transaction at hand."""
        self.states[who] = state
        self.transaction = conn.sync_connection and conn.sync_connection.get_transaction()


async def show(conn: AsyncConnection, snapshot: Snapshot, **more: Any) -> None:
    """Whoever reads on this connection sees one state of the database, and may use what is known of it."""
    await conn.execution_options(**{_SNAPSHOT: snapshot}, **more)


def snapshot_of(conn: AsyncConnection) -> Snapshot | None:
    """None where statements see what others commit meanwhile, or what the transaction itself has changed."""
    own = conn.sync_connection
    snapshot: Snapshot | None = own.get_execution_options().get(_SNAPSHOT) if own is not None else None
    if own is None or snapshot is None:
        return None
    transaction = own.get_transaction()
    if transaction is None or snapshot.transaction is not transaction:
        snapshot.states.clear()
    return snapshot
