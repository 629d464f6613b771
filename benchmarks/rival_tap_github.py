"""Runs tap-github against another GitHub and stores what it says: `rival_... EXECUTABLE API TOKEN DATABASE`.

The Python beside the executable runs the tap in a process of its own; its messages come through a pipe into
one table, as with any Singer target. Configuration and state are files beside the database. The tap cannot
list a person's repositories, so their names are asked for once, where a user would write them down. It checks
tokens at api.github.com, which is written into it: every request's address is changed on its way out.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WRITTEN_IN = "https://api.github.com"
STREAMS = {"commits", "branches", "pull_requests", "reviews", "issues"}
TABLE = "create table if not exists record (stream text, key text, value text, primary key (stream, key))"


def main() -> None:
    if sys.argv[1] == "--tap":
        run_tap(*sys.argv[2:])
        return
    executable, api, token, path = sys.argv[1:]
    database = Path(path)
    config, state = database.with_suffix(".config.json"), database.with_suffix(".state.json")
    if not config.exists():
        settings = {"auth_token": token, "repositories": repositories(api, token)}
        # Otherwise it would ask for each repository itself, and leave the answer out.
        config.write_text(json.dumps(settings | {"skip_parent_streams": True}))
    python = Path(executable).with_name("python")
    command = (str(python), __file__, "--tap", api, str(config), str(state))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tap:
        assert tap.stdout is not None
        store(tap.stdout, database, state)
    sys.exit(tap.returncode)


def repositories(api: str, token: str) -> list[str]:
    request = urllib.request.Request(f"{api}/user/repos?per_page=100")
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("User-Agent", "benchmark")
    with urllib.request.urlopen(request) as answer:
        return [repository["full_name"] for repository in json.load(answer)]


def store(messages: Iterable[bytes], path: Path, state: Path) -> None:
    """Keep the newest of each record, and the state that came after all of them."""
    database = sqlite3.connect(path)
    database.execute(TABLE)
    keys: dict[str, list[str]] = {}
    for line in messages:
        message = json.loads(line)
        if message["type"] == "SCHEMA":
            keys[message["stream"]] = message["key_properties"]
        elif message["type"] == "RECORD":
            stream, record = message["stream"], message["record"]
            key = json.dumps([record[name] for name in keys[stream]])
            row = (stream, key, json.dumps(record))
            database.execute("insert or replace into record values (?, ?, ?)", row)
        elif message["type"] == "STATE":
            database.commit()
            state.write_text(json.dumps(message["value"]))
    database.commit()
    database.close()


def run_tap(api: str, config: str, state: str) -> None:
    """In the tap's own environment: write the messages of the chosen streams to the output."""
    # Neither belongs to our own environment.
    import requests
    from tap_github.tap import TapGitHub

    redirect(requests.Session, api)
    known = json.loads(Path(state).read_text()) if Path(state).exists() else None
    catalog = TapGitHub(config=config).catalog
    for name, stream in catalog.items():
        stream.metadata.root.selected = name in STREAMS
    TapGitHub(config=config, catalog=catalog, state=known).sync_all()


def redirect(session_class: Any, api: str) -> None:
    send = session_class.send
    graphql = api.replace("/api/v3", "/api/graphql")

    def elsewhere(session: Any, request: Any, **more: Any) -> Any:
        request.url = request.url.replace(f"{WRITTEN_IN}/graphql", graphql, 1).replace(WRITTEN_IN, api, 1)
        return send(session, request, **more)

    session_class.send = elsewhere


if __name__ == "__main__":
    main()
