"""Adds single commits to a repository that exists: writes them, moves refs, counts lines, all by git."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trackeep.sandbox.history import data, git, signed
from trackeep.sandbox.world import Commit, Repository, Signature, Tag

_ZERO = "0" * 40


@dataclass(frozen=True)
class NewCommit:
    """`files` are new contents by path; `entries` further lines of fast-import, as `M mode sha path`."""

    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    files: dict[str, bytes] = field(default_factory=dict)
    entries: tuple[str, ...] = ()


def commit(repository: Repository, new: NewCommit) -> Commit:
    """Write one commit, known to the repository but on no branch yet."""
    head = f"commit refs/building\nmark :1\nauthor {signed(new.author)}\ncommitter {signed(new.committer)}\n"
    words = ("from", *("merge" for _ in new.parents[1:]))
    links = "".join(f"{word} {parent}\n" for word, parent in zip(words, new.parents, strict=True))
    stream = head.encode() + data(f"{new.message}\n".encode()) + links.encode()
    for path, content in new.files.items():
        stream += f"M 100644 inline {path}\n".encode() + data(content)
    stream += "".join(f"{entry}\n" for entry in new.entries).encode()
    marks = repository.git_dir / "marks"
    git(repository.git_dir, "fast-import", "--quiet", "--force", f"--export-marks={marks}", stdin=stream)
    sha = marks.read_text().split()[1]
    marks.unlink()
    git(repository.git_dir, "update-ref", "-d", "refs/building")
    tree = git(repository.git_dir, "rev-parse", f"{sha}^{{tree}}").decode().strip()
    counts = difference(repository.git_dir, new.parents[0], sha)
    written = Commit(sha, tree, new.parents, new.author, new.committer, new.message, *counts)
    repository.commits[sha] = written
    return written


def difference(git_dir: Path, old: str, new: str) -> tuple[int, int, int]:
    """Lines added, lines deleted and files changed from one commit to another."""
    listed = git(git_dir, "diff-tree", "-r", "--no-renames", "--numstat", old, new).decode().splitlines()
    counts = [line.split("\t") for line in listed]
    return sum(int(c[0]) for c in counts), sum(int(c[1]) for c in counts), len(counts)


def merge_base(git_dir: Path, one: str, other: str) -> str:
    return git(git_dir, "merge-base", one, other).decode().strip()


def entries_since(git_dir: Path, base: str, tip: str) -> tuple[str, ...]:
    """What a branch changed, as lines of fast-import; where the trunk changed it too the branch wins."""
    listed = git(git_dir, "diff-tree", "-r", "--no-renames", base, tip).decode().splitlines()
    found = []
    for line in listed:
        fields, path = line.split("\t")
        _, mode, _, sha, _ = fields.split()
        found.append(f"D {path}" if sha == _ZERO else f"M {mode} {sha} {path}")
    return tuple(found)


def count_between(git_dir: Path, base: str, tip: str) -> int:
    return int(git(git_dir, "rev-list", "--count", f"{base}..{tip}"))


def move_branch(repository: Repository, name: str, sha: str | None) -> None:
    """Point a branch at a commit, creating it; None deletes it."""
    ref = f"refs/heads/{name}"
    if sha is None:
        git(repository.git_dir, "update-ref", "-d", ref)
        del repository.branches[name]
        return
    git(repository.git_dir, "update-ref", ref, sha)
    repository.branches[name] = sha


def delete_refs(repository: Repository, names: Sequence[str]) -> None:
    """Delete branches and tags by their full names, all at once."""
    lines = "".join(f"delete {name}\n" for name in names)
    git(repository.git_dir, "update-ref", "--stdin", stdin=lines.encode())
    for name in names:
        repository.branches.pop(name.removeprefix("refs/heads/"), None)
        repository.tags.pop(name.removeprefix("refs/tags/"), None)


def tag(repository: Repository, name: str, sha: str, tagger: Signature) -> Tag:
    """An annotated tag."""
    stream = f"tag {name}\nfrom {sha}\ntagger {signed(tagger)}\n".encode() + data(
        f"Release {name}\n".encode()
    )
    git(repository.git_dir, "fast-import", "--quiet", stdin=stream)
    tag_sha = git(repository.git_dir, "rev-parse", f"refs/tags/{name}").decode().strip()
    repository.tags[name] = Tag(name, tag_sha, sha)
    return repository.tags[name]
