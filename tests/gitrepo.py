"""A bare git repository that tests read and write with git itself."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from trackeep.github.gitwire import Caps, GitRemote

WHO = b"Alice <alice@fernhill.example> 1700000000 +0200"


@dataclass(frozen=True)
class GitRepo:
    path: Path

    @classmethod
    def create(cls, path: Path) -> GitRepo:
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
        return cls(path)

    def git(self, *args: str, stdin: bytes = b"") -> str:
        return self.git_bytes(*args, stdin=stdin).decode().strip()

    def git_bytes(self, *args: str, stdin: bytes = b"") -> bytes:
        command = ["git", "-C", str(self.path), *args]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout

    def all_shas(self, *what: str) -> set[str]:
        """What `git rev-list` says; everything that branches and tags reach when nothing is named."""
        return set(self.git("rev-list", *(what or ("--branches", "--tags"))).split())

    def raw(self, body: bytes) -> str:
        """Write the bytes of a commit object as they are and return its sha."""
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=body)

    def commit(self, *parents: str, message: str = "Work", who: bytes = WHO) -> str:
        lines = [f"tree {self.git('mktree')}".encode(), *(f"parent {each}".encode() for each in parents)]
        head = b"\n".join([*lines, b"author " + who, b"committer " + who])
        return self.raw(head + b"\n\n" + message.encode())

    def point(self, ref: str, sha: str) -> None:
        self.git("update-ref", ref, sha)


def remote(
    http: aiohttp.ClientSession, base: str, full_name: str, *, login: str = "alice", caps: Caps | None = None
) -> GitRemote:
    """The git address of a sandbox's repository, with that person's own token."""
    token = next(each["token"] for each in ask(base, "/_sandbox/people") if each["login"] == login)
    return GitRemote(http, f"{base}/{full_name}.git", token, caps or Caps())


def served(base: str, full_name: str) -> GitRepo:
    """The repository on disk that the sandbox serves as `full_name`."""
    known = {each["full_name"]: each for each in ask(base, "/_sandbox/truth")["repositories"]}
    return GitRepo(Path(known[full_name]["git_dir"]))


def ask(base: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """A question to the sandbox's control API: GET, or POST with a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
