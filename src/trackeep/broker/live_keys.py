"""The keys in use: they follow their file while the service runs, and are renewed when they are old."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog

from trackeep.errors import SecretsError
from trackeep.handshake import keys_file, rotation
from trackeep.handshake.keys import DAY_S, KeyRing

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
# What tells one state of the file from another: a change of rights is one too.
Mark = tuple[int, int, int, int]
NEVER: Mark = (0, 0, 0, 0)


class LiveKeys:
    """`ring` is always a whole ring; without a `path` it lives, and is renewed, in memory alone."""

    def __init__(self, ring: KeyRing, path: Path | None, clock: Callable[[], float]) -> None:
        self.ring = ring
        self._path = path
        self._clock = clock
        self._seen: Mark | None = NEVER
        self._told: Mark | None = NEVER
        self._renew_again_at = 0.0

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Looks after the keys, once a second, for as long as this lasts."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Reads the file when it changed, renews what is old; a file that cannot be used changes nothing."""
        if self._path is not None:
            self._read(self._path)
        try:
            self._renew()
        except SecretsError as error:
            log.error("keys not renewed", reason=error.sentence, hint=error.hint)

    def _read(self, path: Path) -> None:
        mark = _mark_of(path)
        if mark == self._seen:
            return
        try:
            ring = keys_file.load(path)
            if rotation.missing(ring):
                raise SecretsError(f"The keys file {path} lacks a key.", "Run `trackeep broker keys rotate`.")
        except SecretsError as error:
            # Tried again each time, as the trouble may be the disk's; told once for each state of the file.
            if mark != self._told:
                log.error(
                    "keys not read", reason=error.sentence, hint=error.hint, used="the keys from before"
                )
            self._told = mark
            return
        self._seen, self._told = mark, NEVER
        self.ring = ring

    def _renew(self) -> None:
        now = self._clock()
        old = rotation.due(self.ring, now)
        if not old or now < self._renew_again_at:
            return
        # Once a day is enough for whatever goes wrong here: an old key is no broken key.
        self._renew_again_at = now + DAY_S
        if self._path is None:
            self.ring = rotation.rotate(self.ring, old, int(now))
        elif keys_file.is_writable(self._path):
            self.ring = keys_file.change(self._path, lambda ring: _renewed(ring, int(now)))
        else:
            log.warning("keys are old", families=old, do="trackeep broker keys rotate")
            return
        self._renew_again_at = now
        log.info("keys renewed", families=old)


def _renewed(ring: KeyRing, now: int) -> KeyRing:
    """Asked again under the lock: another replica may have been faster."""
    old = rotation.due(ring, now)
    return rotation.rotate(ring, old, now) if old else ring


def _mark_of(path: Path) -> Mark | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - all four from one call
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
