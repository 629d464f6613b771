"""Lets work end tidily when it is told to stop: no statement of the database is torn off half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")

GRACE_S = 2.0


async def in_full(work: Coroutine[Any, Any, T]) -> T:
    """The result of short work that is not interrupted; a cancellation counts only after it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def until_stopped(http: aiohttp.ClientSession, work: Coroutine[Any, Any, T]) -> T:
    """The result of long work that lives on `http`, which nobody else uses.

    Cancelled, it closes `http`, so that the next request ends the work at a moment when nothing is being
    written; only what does not end within the grace is cut off.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await http.close()
        await asyncio.wait([task], timeout=GRACE_S)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            # Whatever it ended with, it was told to end.
            task.exception()
        raise
