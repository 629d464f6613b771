"""Makes repositories on demand: with hostile history, with hundreds of refs, heavy, large, or empty."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trackeep.sandbox import history, readback, relic_commits
from trackeep.sandbox.quota import Clock
from trackeep.sandbox.world import Repository, World, node_id

Asked = Mapping[str, Any]
_WHO = "Alice <alice@fernhill.example>"
_BEGAN = 1_700_000_000


class RelicRefused(Exception):
    """A repository that cannot be made: its owner is unknown, its name taken, or its kind not known."""


class Relics:
    """Writes repositories beside those of the world; every kind's method documents the fields it takes."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._kinds: dict[str, Callable[[Path, Asked], None]] = {
            "empty": lambda _git_dir, _asked: None,
            "hostile": _hostile,
            "many-refs": _many_refs,
            "heavy": _heavy,
        }

    def make(self, asked: Asked) -> Repository:
        """A new repository `owner`/`name` of `kind` with `private`, `collaborators` (login to permission).

        It is not part of the world yet. Raises RelicRefused or, for a field that is missing, KeyError.
        """
        owner, name, kind = str(asked["owner"]), str(asked["name"]), str(asked.get("kind", "empty"))
        if kind not in self._kinds:
            raise RelicRefused(f"unknown kind {kind}; known are {', '.join(self._kinds)}")
        if self._world.repository(owner, name) is not None:
            raise RelicRefused(f"{owner} has a repository {name} already")
        made, now = self._world.new_id(), int(self._clock.now())
        repository = Repository(
            id=made,
            node_id=node_id("R", made),
            owner=owner,
            name=name,
            private=bool(asked.get("private")),
            default_branch="main",
            description="Made on demand",
            created_at=now,
            pushed_at=now,
            updated_at=now,
            git_dir=self._folder() / f"{made}.git",
            collaborators=dict(asked.get("collaborators", {})),
        )
        history.create(repository.git_dir)
        self._kinds[kind](repository.git_dir, asked)
        readback.read_back(repository)
        return repository

    def _folder(self) -> Path:
        return next(iter(self._world.repositories.values())).git_dir.parent


def _hostile(git_dir: Path, _asked: Asked) -> None:
    """Everything of `relic_commits`, and tags of tags, of a folder and of a file."""

    def write(kind: str, raw: bytes) -> str:
        args = ("hash-object", "-t", kind, "-w", "--literally", "--stdin")
        return history.git(git_dir, *args, stdin=raw).decode().strip()

    def tag(name: str, kind: str, sha: str, message: bytes = b"Tagged\n") -> str:
        head = f"object {sha}\ntype {kind}\ntag {name}\ntagger {_WHO} 1700000000 +0200\n\n"
        return write("tag", head.encode() + message)

    write("tree", b"")
    blob = write("blob", b"not a commit")
    refs = {
        f"refs/heads/{name}": sha
        for name, sha in relic_commits.write_all(lambda raw: write("commit", raw)).items()
    }
    once = tag("once", "commit", refs["refs/heads/twin"])
    refs |= {
        "refs/tags/once": once,
        "refs/tags/twice": tag("twice", "tag", once, b"\xff\0\x1b[1m\n"),
        "refs/tags/thrice": tag("thrice", "tag", tag("inner", "tag", once)),
        "refs/tags/of-tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "refs/tags/of-blob": blob,
        "refs/tags/said-of-blob": tag("said-of-blob", "blob", blob),
        "refs/tags/twin": refs["refs/heads/unrelated"],
        # Listed by nobody who asks for branches and tags only.
        "refs/pull/1/head": write("commit", relic_commits.body(b"Only in a pull request\n")),
        "refs/notes/commits": write("commit", relic_commits.body(b"Only in notes\n")),
    }
    lines = "".join(f"create {name} {sha}\n" for name, sha in refs.items())
    history.git(git_dir, "update-ref", "--stdin", stdin=lines.encode())


def _many_refs(git_dir: Path, asked: Asked) -> None:
    """`commits` (60) on the trunk; `branches` (200), each one commit off it; `tags` (200), half annotated."""
    history.git(git_dir, "fast-import", "--quiet", stdin="".join(_ref_lines(asked)).encode())
    history.git(git_dir, "pack-refs", "--all")


def _ref_lines(asked: Asked) -> Iterator[str]:
    trunk, branches, tags = (
        int(asked.get(name, count)) for name, count in (("commits", 60), ("branches", 200), ("tags", 200))
    )
    for mark in range(1, trunk + 1):
        yield _commit_lines("refs/heads/main", mark, _BEGAN + mark, f"Trunk {mark}", mark - 1)
    for number in range(branches):
        mark = trunk + 1 + number
        base = 1 + number % trunk
        at = _BEGAN + trunk + number
        yield _commit_lines(f"refs/heads/work/{number:04}", mark, at, f"Work {number}", base)
    for number in range(tags):
        mark = 1 + number % trunk
        if number % 2:
            yield f"reset refs/tags/v{number}\nfrom :{mark}\n\n"
        else:
            yield f"tag v{number}\nfrom :{mark}\ntagger {_WHO} {_BEGAN} +0000\ndata 0\n\n"


def _heavy(git_dir: Path, asked: Asked) -> None:
    """`commits` (24) in a line, each with a message of `bytes` (5,000,000)."""
    count, size = int(asked.get("commits", 24)), int(asked.get("bytes", 5_000_000))
    body = "word " * (size // 5)
    lines = [
        _commit_lines("refs/heads/main", n, _BEGAN + n, f"{n}\n\n{body}", n - 1) for n in range(1, count + 1)
    ]
    history.git(git_dir, "fast-import", "--quiet", stdin="".join(lines).encode())


def _commit_lines(ref: str, mark: int, at: int, message: str, parent: int) -> str:
    """One commit for fast-import; `parent` is a mark, 0 for none."""
    start = f"from :{parent}\n" if parent else ""
    text = f"data {len(message)}\n{message}\n"
    return f"commit {ref}\nmark :{mark}\ncommitter {_WHO} {at} +0000\n{text}{start}\n"
