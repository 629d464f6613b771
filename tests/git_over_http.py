"""What the sandbox's own tests ask it from outside: its truth, its levers, and git over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any


def control(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the control API; raises urllib.error.HTTPError for a refusal."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/_sandbox{path}", data, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def truth_of(url: str, full_name: str, *, commits: bool = False) -> dict[str, Any]:
    """What is so in one repository."""
    everything = control(url, "GET", "/truth?commits=1" if commits else "/truth")
    return next(r for r in everything["repositories"] if r["full_name"] == full_name)


def change(url: str, full_name: str, kind: str, **fields: Any) -> dict[str, Any]:
    """Let something happen in a repository: what changed."""
    changed: dict[str, Any] = control(url, "POST", f"/repos/{full_name}/change", {"kind": kind, **fields})
    return changed


def token_of(url: str, login: str) -> str:
    return next(str(p["token"]) for p in control(url, "GET", "/people") if p["login"] == login)


def address(url: str, full_name: str, token: str | None = None) -> str:
    """Where git finds a repository, with the token as the password."""
    signed = url if token is None else url.replace("://", f"://x:{token}@")
    return f"{signed}/{full_name}.git"


def run_git(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Git as on a machine without settings, which never asks for a password."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    return subprocess.run(["git", *map(str, args)], capture_output=True, text=True, env=env, check=False)


def listed(url: str, full_name: str, token: str | None = None, *options: str) -> dict[str, str]:
    """All refs of a repository as git lists them over HTTP."""
    done = run_git(*options, "ls-remote", address(url, full_name, token))
    assert done.returncode == 0, done.stderr
    return {ref: sha for sha, ref in (line.split("\t") for line in done.stdout.splitlines())}


def commits_in(git_dir: Path | str, *what: str) -> set[str]:
    done = run_git("--git-dir", git_dir, "rev-list", *(what or ("--branches", "--tags")))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
