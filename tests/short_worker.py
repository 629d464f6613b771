"""A worker with a lease and turns of seconds: DATABASE_URL GITHUB_URL FOLDER KEY LEASE_S TURN_S AT_ONCE."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from trackeep import logs
from trackeep.database import Database
from trackeep.environment import GitHubAddresses, LogSettings
from trackeep.sync.credentials import Credentials
from trackeep.sync.turns import Pace
from trackeep.sync.worker import Worker
from trackeep.vault import open_vault


async def main(database_url: str, github_url: str, folder: str, key: str, *pace: str) -> None:
    logs.set_up(LogSettings(format="json"))
    lease_s, turn_s, at_once = (int(each) for each in pace)
    db = await Database.open(database_url)
    addresses = GitHubAddresses(github_url, f"{github_url}/api/v3", github_url)
    credentials = Credentials(db, open_vault(key, Path(folder)))
    limits = Pace(lease_s, turn_s, turn_s, at_once)
    running = asyncio.ensure_future(Worker(db, credentials, addresses, 3600, pace=limits).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    print("ready", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
