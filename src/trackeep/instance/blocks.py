"""The blocks of a page, each made apart: one that fails says so in its place, and the others stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from trackeep.database import Database
from trackeep.errors import TrackeepError
from trackeep.instance.site import site_of

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Failed:
    """Stands where a block could not be made; the log has the cause under `request_id`."""

    request_id: str


@dataclass(frozen=True)
class Blocks:
    """Makes the blocks of one page from one connection.

    What a block was to be made from may be Failed itself: then it fails for the same reason, which is not
    logged again. Errors of our own tree are about the whole page, and raised.
    """

    db: Database
    conn: AsyncConnection
    request_id: str

    async def read(self, load: Callable[..., Awaitable[T]], *parts: Any, **options: Any) -> T | Failed:
        """What `load(conn, *parts)` answers. Raises what it raised where the database is gone as a whole."""
        if (failed := _first_failed(parts)) is not None:
            return failed
        try:
            return await load(self.conn, *parts, **options)
        except TrackeepError:
            raise
        except Exception as error:
            await self._begin_again(error)
            return self._failed(load, error)

    def made(self, make: Callable[..., T], *parts: Any) -> T | Failed:
        """What `make(*parts)` returns."""
        if (failed := _first_failed(parts)) is not None:
            return failed
        try:
            return make(*parts)
        except TrackeepError:
            raise
        except Exception as error:
            return self._failed(make, error)

    async def _begin_again(self, error: Exception) -> None:
        """PostgreSQL answers nothing more in a transaction that failed; the next block begins another."""
        try:
            await self.conn.rollback()
            await self.db.is_current(self.conn)
        except Exception:
            raise error from None

    def _failed(self, make: Callable[..., Any], error: Exception) -> Failed:
        name = f"{make.__module__}.{make.__qualname__}".removeprefix("trackeep.")
        log.error("block failed", block=name, exc_info=error)
        return Failed(self.request_id)


@asynccontextmanager
async def blocks_of(request: Request) -> AsyncIterator[Blocks]:
    """The blocks of the page that `request` asks for. Raises DatabaseError."""
    db = site_of(request).db
    async with db.read() as conn:
        yield Blocks(db, conn, request.state.request_id)


def has_failed(part: object) -> bool:
    """For templates: whether this block could not be made."""
    return isinstance(part, Failed)


def _first_failed(parts: tuple[Any, ...]) -> Failed | None:
    return next((part for part in parts if isinstance(part, Failed)), None)
