"""Reads what a git repository holds into the sandbox's nouns, whatever stands in its commits."""

import re
from collections.abc import Iterator
from pathlib import Path

from trackeep.sandbox.history import git
from trackeep.sandbox.world import Commit, Repository, Signature, Tag

# Four digits of a year are all that RFC 3339, and so the API, can write; a day is left for the offset.
_EARLIEST, _LATEST = -30_610_137_600, 253_402_214_399
_MINUTES_A_DAY = 24 * 60
_HEADS, _TAGS = "refs/heads/", "refs/tags/"


def read_back(repository: Repository) -> None:
    """Make the repository's commits, branches and tags what its git directory says.

    Tags that lead to no commit are left out, because the API's lists of tags name a commit each.
    """
    git_dir = repository.git_dir
    repository.commits = {commit.sha: commit for commit in _commits(git_dir)}
    form = "--format=%(objectname) %(*objectname) %(objecttype) %(refname)"
    repository.branches, repository.tags = {}, {}
    for line in git(git_dir, "for-each-ref", form, _HEADS, _TAGS).decode(errors="replace").splitlines():
        sha, _, _, name = line.split(" ", 3)
        if name.startswith(_HEADS):
            repository.branches[name.removeprefix(_HEADS)] = sha
        elif commit_sha := _peeled(git_dir, sha):
            short = name.removeprefix(_TAGS)
            repository.tags[short] = Tag(short, sha, commit_sha)


def _peeled(git_dir: Path, sha: str) -> str:
    """The commit that a tag leads to, "" when it is something else; for-each-ref follows one tag only."""
    kind = git(git_dir, "cat-file", "-t", sha).decode().strip()
    while kind == "tag":
        head = git(git_dir, "cat-file", "tag", sha).decode(errors="replace").splitlines()
        sha, kind = head[0].removeprefix("object "), head[1].removeprefix("type ")
    return sha if kind == "commit" else ""


def _commits(git_dir: Path) -> Iterator[Commit]:
    shas = git(git_dir, "rev-list", "--all")
    counts = _line_counts(git_dir, shas) if shas else {}
    out, position = git(git_dir, "cat-file", "--batch", stdin=shas), 0
    for _ in shas.split():
        end = out.index(b"\n", position)
        sha, _, size = out[position:end].decode().split()
        position = end + 1 + int(size)
        yield _commit(sha, out[end + 1 : position], counts.get(sha, (0, 0, 0)))
        position += 1


def _line_counts(git_dir: Path, shas: bytes) -> dict[str, tuple[int, int, int]]:
    """Additions, deletions and changed files of each commit against its first parent."""
    ask = ("log", "--stdin", "--no-walk=unsorted", "--format=%x01%H", "--numstat", "--no-renames")
    out = git(git_dir, *ask, "--diff-merges=first-parent", stdin=shas).decode(errors="replace")
    found = {}
    for part in out.split("\x01")[1:]:
        sha, *rows = part.splitlines()
        pairs = [row.split("\t")[:2] for row in rows if row]
        # A binary file has a dash in place of lines.
        added, deleted = (sum(int(pair[side]) for pair in pairs if pair[side] != "-") for side in (0, 1))
        found[sha] = (added, deleted, len(pairs))
    return found


def _commit(sha: str, raw: bytes, counts: tuple[int, int, int]) -> Commit:
    head, _, message = raw.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, []).append(value)
    encoding = fields.get(b"encoding", [b""])[0].decode(errors="replace")
    author, committer = (_signature(fields.get(key, [b""])[0], encoding) for key in (b"author", b"committer"))
    parents = tuple(parent.decode() for parent in fields.get(b"parent", ()))
    tree = fields[b"tree"][0].decode()
    return Commit(sha, tree, parents, author, committer, _text(message, encoding).strip("\n"), *counts)


def _signature(line: bytes, encoding: str) -> Signature:
    who, _, when = line.rpartition(b">")
    name, _, email = who.partition(b"<")
    found = re.match(rb" *(-?\d+)(?: ([+-])(\d{2})(\d{2}))?", when)
    at = max(_EARLIEST, min(int(found[1][:20]), _LATEST)) if found else 0
    offset_min = int(found[3]) * 60 + int(found[4]) if found and found[2] else 0
    if offset_min >= _MINUTES_A_DAY:
        offset_min = 0
    signed = -offset_min if found and found[2] == b"-" else offset_min
    return Signature(_text(name, encoding).strip(), _text(email, encoding).strip(), at, signed)


def _text(raw: bytes, encoding: str) -> str:
    """Up to the first NUL, where whoever reads it as a C string ends, git itself among them."""
    raw = raw.partition(b"\0")[0]
    try:
        text = raw.decode(encoding or "utf-8")
        text.encode()
        return text
    except (LookupError, ValueError):
        return raw.decode(errors="replace")
