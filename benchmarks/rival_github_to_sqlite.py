"""Runs github-to-sqlite against another GitHub: `rival_github_to_sqlite.py API TOKEN DATABASE`.

The program has api.github.com written into it, so every request's address is changed on its way out. Its
pause of a second between repositories is left out: it would only make it look slower.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import requests
import sqlite_utils
from github_to_sqlite.cli import cli

WRITTEN_IN = "https://api.github.com"


def main() -> None:
    api, token, database = sys.argv[1:]
    _redirect(api)
    time.sleep = lambda seconds: None
    auth = Path(database).with_suffix(".auth.json")
    auth.write_text(json.dumps({"github_personal_token": token}))
    _run("repos", database, "--auth", str(auth))
    names = [row["full_name"] for row in sqlite_utils.Database(database)["repos"].rows]
    _run("commits", database, *names, "--auth", str(auth))
    for name in names:
        _run("pull-requests", database, name, "--auth", str(auth))


def _run(*args: str) -> None:
    cli.main(args=list(args), standalone_mode=False)


def _redirect(api: str) -> None:
    send = requests.Session.request

    def request(session: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        return send(session, method, url.replace(WRITTEN_IN, api, 1), **more)

    requests.Session.request = request


if __name__ == "__main__":
    main()
