"""A repository's commits while they are planned: what each changes, line by line, before git sees them."""

import random
from dataclasses import dataclass, field

from trackeep.sandbox.words import Flavour, paths
from trackeep.sandbox.world import Signature

Lines = tuple[int, ...]
"""A file as the numbers of its lines. A number occurs once per repository, so every diff is unambiguous."""

_LONGEST_SHARED_FILE = 60
_SMALL, _WIDE = (1.2, 0.9), (2.2, 1.35)


@dataclass(slots=True)
class Planned:
    """A commit to be written; parents are marks (1 is the first commit), `files` the whole new contents."""

    parents: tuple[int, ...]
    author: Signature
    committer: Signature
    message: str
    files: dict[str, Lines]
    additions: int
    deletions: int


@dataclass(slots=True)
class Line:
    """A branch beside the trunk: the marks of its base and tip, its files as they were and as they are."""

    name: str
    base: int
    tip: int
    old: dict[str, Lines]
    files: dict[str, Lines]
    commit_count: int = 0

    def size(self) -> tuple[int, int, int]:
        """Added lines, deleted lines and changed files against the base."""
        pairs = ((self.old[path], now) for path, now in self.files.items())
        changed = [(set(before), set(now)) for before, now in pairs if before != now]
        added = sum(len(now - before) for before, now in changed)
        return added, sum(len(before - now) for before, now in changed), len(changed)


@dataclass
class Draft:
    """The trunk and all commits so far. Files of a branch that will be merged are left alone elsewhere."""

    flavour: Flavour
    rng: random.Random
    file_count: int
    commits: list[Planned] = field(default_factory=list)
    trunk: dict[str, Lines] = field(default_factory=dict)
    tip: int = 0
    _locked: set[str] = field(default_factory=set)
    _unused: list[str] = field(default_factory=list)
    _known: list[str] = field(default_factory=list)
    _line_count: int = 0

    def begin(self, author: Signature) -> None:
        """The first commit: a README and a handful of files."""
        self._unused = paths(self.flavour, self.file_count)[::-1]
        files = {"README.md": self._fresh(12)}
        files.update({self._unused.pop(): self._fresh(8) for _ in range(min(4, len(self._unused)))})
        added = sum(len(lines) for lines in files.values())
        self._settle(files)
        self.tip = self._commit(Planned((), author, author, "Initial commit", files, added, 0))

    def direct(self, author: Signature, committer: Signature, message: str) -> int:
        """A commit straight on the trunk that touches one file, sometimes two."""
        wanted = 2 if self.rng.random() < 0.2 else 1
        chosen = {self._pick() for _ in range(wanted)}
        before = {path: self.trunk.get(path, ()) for path in sorted(chosen)}
        files, added, deleted = self._edit(before, trim=True)
        self._settle(files)
        self.tip = self._commit(Planned((self.tip,), author, committer, message, files, added, deleted))
        return self.tip

    def branch(self, name: str, *, will_merge: bool) -> Line:
        """Start a branch at the trunk's tip; the files it will work on are chosen now."""
        chosen = {self._pick() for _ in range(self.rng.choice((1, 1, 2, 3)))}
        old = {path: self.trunk.get(path, ()) for path in sorted(chosen)}
        if will_merge:
            self._locked |= chosen
        return Line(name, self.tip, self.tip, old, dict(old))

    def work(self, line: Line, author: Signature, message: str) -> int:
        """One more commit on a branch."""
        path = self.rng.choice(list(line.files))
        files, added, deleted = self._edit({path: line.files[path]}, trim=False)
        line.files.update(files)
        line.commit_count += 1
        line.tip = self._commit(Planned((line.tip,), author, author, message, files, added, deleted))
        return line.tip

    def merge(self, line: Line, author: Signature, committer: Signature, message: str) -> int:
        """A merge commit on the trunk."""
        return self._land(line, (self.tip, line.tip), (author, committer), message)

    def squash(self, line: Line, author: Signature, committer: Signature, message: str) -> int:
        """The whole branch as one commit on the trunk."""
        return self._land(line, (self.tip,), (author, committer), message)

    def _land(
        self, line: Line, parents: tuple[int, ...], who: tuple[Signature, Signature], message: str
    ) -> int:
        added, deleted, _ = line.size()
        changed = {path: now for path, now in line.files.items() if now != line.old[path]}
        self._settle(changed)
        self._locked -= set(line.files)
        self.tip = self._commit(Planned(parents, *who, message, changed, added, deleted))
        return self.tip

    def _commit(self, planned: Planned) -> int:
        self.commits.append(planned)
        return len(self.commits)

    def _settle(self, files: dict[str, Lines]) -> None:
        self._known.extend(path for path in files if path not in self.trunk)
        self.trunk.update(files)

    def _pick(self) -> str:
        """A file to work on: an unlocked one of bearable length, else a new one."""
        if self._unused and self.rng.random() < 0.2:
            return self._unused.pop()
        for _ in range(8):
            path = self.rng.choice(self._known)
            if path not in self._locked and len(self.trunk[path]) <= _LONGEST_SHARED_FILE:
                return path
        self._line_count += 1
        folder = self.rng.choice(self.flavour.folders)
        return f"{folder}/part_{self._line_count}.{self.flavour.ending}"

    def _edit(self, files: dict[str, Lines], *, trim: bool) -> tuple[dict[str, Lines], int, int]:
        """Replace some lines: the new contents, how many were added and deleted; `trim` keeps files short."""
        result, added, deleted = {}, 0, 0
        for path, lines in files.items():
            fresh = self._fresh(1 + min(int(self.rng.lognormvariate(*(_SMALL if trim else _WIDE))), 700))
            longest = len(lines) - 18 if trim and len(lines) > 26 else 0
            cut = longest or self.rng.randint(0, min(len(lines) // 3, 12))
            at = self.rng.randint(0, len(lines) - cut)
            result[path] = lines[:at] + fresh + lines[at + cut :]
            added, deleted = added + len(fresh), deleted + cut
        return result, added, deleted

    def _fresh(self, count: int) -> Lines:
        first = self._line_count + 1
        self._line_count += count
        return tuple(range(first, first + count))


def render(flavour: Flavour, path: str, lines: Lines) -> bytes:
    """The bytes of a file."""
    if path.endswith(".md"):
        return "".join(f"Note {n}: {flavour.things[n % len(flavour.things)]}.\n" for n in lines).encode()
    code = flavour.code
    return "".join([code[n % len(code)].format(n) + "\n" for n in lines]).encode()
