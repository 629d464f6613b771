"""Fills one generated repository: commits straight into a pack, pull requests with reviews, issues, refs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial

from trackeep.sandbox import words
from trackeep.sandbox.cast import GITHUB_NOREPLY, Cast
from trackeep.sandbox.crowd import Crowd, Member, Team, alices_signature
from trackeep.sandbox.packfile import BLOB, COMMIT, TAG, TREE, PackWriter, line_counts
from trackeep.sandbox.rhythm import DAY, HOUR
from trackeep.sandbox.world import (
    Event,
    Issue,
    PullRequest,
    Release,
    Repository,
    Review,
    Tag,
    node_id,
)

_DIRECT, _WORK, _MERGE = range(3)
_FLAVOURS = sorted(words.FLAVOURS)
_STATES = ("APPROVED", "APPROVED", "APPROVED", "CHANGES_REQUESTED", "COMMENTED", "COMMENTED")
_LATELY = 0.97
Step = tuple[float, int, int]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What one repository becomes; `alices_share` is her part of the work, times are unix seconds."""

    id: int
    rng: random.Random
    began: int
    ended: int
    commits: int
    pulls: int
    issues: int
    alices_share: float
    is_own: bool


@dataclass(slots=True)
class _Line:
    """A pull request while its history is written."""

    author: Member | None
    title: str
    fate: str
    works: int
    number: int = 0
    opened_at: int = 0
    base: str = ""
    tip: str = ""
    merged: str | None = None
    ended_at: int | None = None
    shas: list[str] = field(default_factory=list)


class Builder:
    """Fills repositories one after another; everything random comes from each one's own source."""

    def __init__(self, crowd: Crowd, cast: Cast) -> None:
        self._crowd = crowd
        self._cast = cast

    def fill(self, repository: Repository, blueprint: Blueprint) -> None:
        """Write its git and describe its pull requests, issues and releases."""
        if not blueprint.commits:
            return
        team = self._crowd.team(blueprint.rng, blueprint.commits, blueprint.alices_share)
        _Filling(repository, blueprint, team, self._cast).fill()


class _Filling:
    def __init__(self, repository: Repository, blueprint: Blueprint, team: Team, cast: Cast) -> None:
        self.repository, self.blueprint, self.team = repository, blueprint, team
        self.rng = blueprint.rng
        self.flavour = words.FLAVOURS[self.rng.choice(_FLAVOURS)]
        self._alice = partial(alices_signature, cast, self.rng)
        self._pack = PackWriter()
        self._tree = b""
        self._trunk: list[tuple[str, int]] = []

    def fill(self) -> None:
        lines = [self._line() for _ in range(self.blueprint.pulls)]
        steps = self._steps(lines)
        times = self._times(len(steps) + 1)
        reported = sorted(
            self.rng.randint(times[0], self.blueprint.ended) for _ in range(self.blueprint.issues)
        )
        self._number(lines, steps, times, reported)
        self._write(lines, steps, times)
        for line in lines:
            self._describe(line)
        self._releases()
        self.repository.commits = self._pack.finish(self.repository.git_dir)
        self._save_refs()
        self.repository.pushed_at = times[-1]
        touched = [each.updated_at for each in self.repository.pulls.values()]
        touched += [each.updated_at for each in self.repository.issues.values()]
        self.repository.updated_at = max([times[-1], *touched])

    def _line(self) -> _Line:
        rng = self.rng
        fate = rng.choices(("merged", "closed", "open"), (87, 8, 5))[0]
        return _Line(self.team.somebody(rng), words.title(rng, self.flavour), fate, rng.choice((1, 1, 2, 3)))

    def _steps(self, lines: list[_Line]) -> list[Step]:
        """Every commit but the first, in order: on the trunk, on the line of a pull request, or its merge."""
        rng, steps = self.rng, list[Step]()
        for place, line in enumerate(lines):
            at = rng.uniform(_LATELY, 0.995) if line.fate == "open" else rng.random() * _LATELY
            for _ in range(line.works):
                steps.append((at, _WORK, place))
                at += rng.random() * 0.004
            if line.fate == "merged":
                steps.append((at + rng.random() * 0.01, _MERGE, place))
        steps += ((rng.random(), _DIRECT, 0) for _ in range(self.blueprint.commits - 1 - len(steps)))
        return sorted(steps)

    def _times(self, count: int) -> list[int]:
        """Moments of work: more of them lately, few on weekends, hardly any at night."""
        rng, first, last = self.rng, self.blueprint.began, self.blueprint.ended
        found = []
        for _ in range(count):
            at = first + int((last - first) * rng.random() ** 0.8)
            day = at // DAY
            # 1970 began on a Thursday.
            if (day + 3) % 7 > 4 and rng.random() < 0.8:
                day -= 2
            at = day * DAY + int(rng.triangular(6, 22, 13) * HOUR)
            found.append(min(max(at, first), last))
        return sorted(found)

    def _number(self, lines: list[_Line], steps: list[Step], times: list[int], reported: list[int]) -> None:
        """Issues and pull requests share one sequence, in the order in which they were opened."""
        for at, (_, kind, place) in zip(times[1:], steps, strict=True):
            if kind == _WORK and not lines[place].opened_at:
                lines[place].opened_at = at
        opened: list[tuple[int, _Line | None]] = [(line.opened_at, line) for line in lines]
        opened += ((at, None) for at in reported)
        opened.sort(key=lambda each: each[0])
        for number, (at, line) in enumerate(opened, 1):
            if line is None:
                self._report(number, at)
            else:
                line.number = number

    def _write(self, lines: list[_Line], steps: list[Step], times: list[int]) -> None:
        blob = self._pack.add(BLOB, f"# {self.repository.name}\n".encode())
        self._tree = self._pack.add(TREE, b"100644 README.md\0" + bytes.fromhex(blob)).encode()
        first = self.team.somebody(self.rng)
        tip = self._commit((), first, times[0], "Begin")
        self._trunk.append((tip, times[0]))
        for at, (_, kind, place) in zip(times[1:], steps, strict=True):
            line = lines[place] if lines else None
            if kind == _DIRECT or line is None:
                tip = self._commit((tip,), self.team.somebody(self.rng), at, self._message())
            elif kind == _WORK:
                line.base = line.base or tip
                message = self._message() if line.tip else line.title
                line.tip = self._commit((line.tip or line.base,), line.author, at, message)
                line.shas.append(line.tip)
                continue
            else:
                tip = line.merged = self._merge(line, tip, at)
            self._trunk.append((tip, at))
        self.repository.branches["main"] = tip

    def _merge(self, line: _Line, tip: str, at: int) -> str:
        line.ended_at = at
        message = f"Merge pull request #{line.number} from {self.repository.owner}/{self._branch(line)}"
        web = f"GitHub <{GITHUB_NOREPLY}> {at} +0000".encode()
        text = f"{message}\n\n{line.title}"
        return self._commit((tip, line.tip), self.team.somebody(self.rng), at, text, web)

    def _commit(
        self, parents: tuple[str, ...], who: Member | None, at: int, message: str, committer: bytes = b""
    ) -> str:
        written_at = at - self.rng.randrange(3 * DAY) if self.rng.random() < 0.05 else at
        author = who.sign(written_at) if who else self._alice(written_at)
        links = b"".join(b"parent %s\n" % parent.encode() for parent in parents)
        # A rebased commit keeps its author's time; name and address stay those of one person.
        by = committer or (author if written_at == at else _at(author, at))
        body = b"tree %s\n%sauthor %s\ncommitter %s\n\n%s\n"
        return self._pack.add(COMMIT, body % (self._tree, links, author, by, message.encode()))

    def _message(self) -> str:
        rng, text = self.rng, words.title(self.rng, self.flavour)
        if rng.random() < 0.25:
            text += f"\n\n{words.body(rng)}"
        if rng.random() < 0.04 and (helper := self.team.somebody(rng)) is not None:
            text += f"\n\nCo-authored-by: {helper.name} <{helper.address}>"
        return text

    def _branch(self, line: _Line) -> str:
        return f"{words.slug(line.title)}-{line.number}"

    def _describe(self, line: _Line) -> None:
        rng, number = self.rng, line.number
        database_id = self.repository.id * 10_000 + number
        if line.fate == "closed":
            line.ended_at = min(line.opened_at + int(rng.expovariate(0.1) * DAY), self.blueprint.ended)
        if line.fate != "merged":
            self.repository.branches[self._branch(line)] = line.tip
        author = _login(line.author)
        reviews = self._reviews(line)
        counts = [line_counts(sha) for sha in line.shas]
        asked = [_login(self.team.somebody(rng)) for _ in range(rng.randint(0, 2))]
        waiting = sorted({each for each in asked if each != author}) if line.fate == "open" else []
        self.repository.pulls[number] = PullRequest(
            id=database_id,
            node_id=node_id("PR", database_id),
            number=number,
            title=line.title,
            body=words.body(rng),
            state="open" if line.fate == "open" else "closed",
            draft=line.fate == "open" and rng.random() < 0.15,
            author=author,
            base_ref="main",
            head_ref=self._branch(line),
            base_sha=line.base,
            head_sha=line.tip,
            merge_sha=line.merged,
            created_at=line.opened_at,
            updated_at=line.ended_at or max([line.opened_at, *(each.submitted_at for each in reviews)]),
            closed_at=line.ended_at,
            merged_at=line.ended_at if line.merged else None,
            merged_by=author if line.merged else None,
            additions=sum(each[0] for each in counts),
            deletions=sum(each[1] for each in counts),
            changed_files=max(each[2] for each in counts),
            commit_count=line.works,
            labels=rng.sample(self.repository.labels, rng.choice((0, 0, 0, 1, 1, 2))),
            requested_reviewers=waiting,
            reviews=reviews,
            events=_events(line, author, waiting),
            comment_count=rng.choice((0, 0, 1, 2, 4)),
        )

    def _reviews(self, line: _Line) -> list[Review]:
        rng, found = self.rng, list[Review]()
        last = line.ended_at or self.blueprint.ended
        count = rng.choice((0, 1, 1, 2, 3))
        first_id = 1_000_000_000 + self.repository.id % 1_000 * 1_000_000 + line.number * 100
        for database_id in range(first_id, first_id + count):
            who, state = _login(self.team.somebody(rng)), rng.choice(_STATES)
            state = state if who != _login(line.author) else "COMMENTED"
            at = rng.randint(line.opened_at, max(line.opened_at, last))
            body = rng.choice(words.REMARKS[state])
            found.append(
                Review(
                    database_id,
                    node_id("PRR", database_id),
                    who,
                    state,
                    body,
                    at,
                    line.tip,
                    rng.choice((0, 0, 1)),
                )
            )
        return sorted(found, key=lambda each: each.submitted_at)

    def _report(self, number: int, at: int) -> None:
        rng = self.rng
        database_id = self.repository.id * 10_000 + number
        closed = at + int(rng.expovariate(1 / 20) * DAY) + HOUR
        closed_at = closed if closed < self.blueprint.ended and rng.random() < 0.85 else None
        labels = rng.sample(self.repository.labels, rng.choice((0, 1, 1)))
        author, state = _login(self.team.somebody(rng)), "closed" if closed_at else "open"
        self.repository.issues[number] = Issue(
            database_id, node_id("I", database_id), number, words.issue_title(rng, self.flavour), "",
            state, author, at, closed_at or at, closed_at,
            labels, rng.choice((0, 1, 1, 2, 3, 6)),
        )  # fmt: skip

    def _releases(self) -> None:
        """Annotated tags at even distances on the trunk, a release of each."""
        count = min(12, len(self._trunk) // 100)
        for number in range(1, count + 1):
            sha, at = self._trunk[len(self._trunk) * number // (count + 1)]
            name = f"v{number // 8}.{number % 8}.0"
            who = self.team.somebody(self.rng)
            tagger = who.sign(at) if who else self._alice(at)
            body = b"object %s\ntype commit\ntag %s\ntagger %s\n\nRelease %s\n"
            tag = self._pack.add(TAG, body % (sha.encode(), name.encode(), tagger, name.encode()))
            self.repository.tags[name] = Tag(name, tag, sha)
            database_id = self.repository.id * 100 + number
            self.repository.releases.append(
                Release(
                    database_id, node_id("RE", database_id), name, name.removeprefix("v"), False, False,
                    _login(who), at, at + 240, f"What changed in {name}.",
                )
            )  # fmt: skip

    def _save_refs(self) -> None:
        found = {f"refs/heads/{name}": sha for name, sha in self.repository.branches.items()}
        found |= {f"refs/pull/{each.number}/head": each.head_sha for each in self.repository.pulls.values()}
        found |= {f"refs/tags/{tag.name}": f"{tag.sha}" for tag in self.repository.tags.values()}
        peeled = {f"refs/tags/{tag.name}": f"^{tag.commit_sha}\n" for tag in self.repository.tags.values()}
        listed = "".join(f"{found[name]} {name}\n{peeled.get(name, '')}" for name in sorted(found))
        head = "# pack-refs with: peeled fully-peeled sorted \n"
        (self.repository.git_dir / "packed-refs").write_text(head + listed)


def _login(who: Member | None) -> str:
    return who.login if who else "alice"


def _at(signature: bytes, at: int) -> bytes:
    """The same person at another time."""
    who, _, zone = signature.rsplit(b" ", 2)
    return b"%s %d %s" % (who, at, zone)


def _events(line: _Line, author: str, waiting: list[str]) -> list[Event]:
    found = [Event("review_requested", author, line.opened_at + 60, login) for login in waiting]
    if line.ended_at is not None:
        found.append(Event("merged" if line.merged else "closed", author, line.ended_at))
    return found
