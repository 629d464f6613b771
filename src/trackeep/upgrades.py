"""Runs what brings older tables up to date; imported only when there is something to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(conn: Connection, migrations: Path) -> None:
    """Run each version of the folder `migrations` that this database has not; in the caller's transaction."""
    script = scripts(migrations)

    def steps(revision: Any, _context: object) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=conn, transactional_ddl=False)
        environment.run_migrations()


def scripts(migrations: Path) -> ScriptDirectory:
    """The versions in the folder `migrations`, as Alembic reads them."""
    config = Config()
    # A % would be taken for the name of another option.
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return ScriptDirectory.from_config(config)
