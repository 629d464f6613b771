"""REST answers about one repository: itself, its languages, contributors, commits, branches and tags."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path

from trackeep.sandbox.representation_work import FileChange, Work
from trackeep.sandbox.rest_people import site_of
from trackeep.sandbox.rest_protocol import Answer, Call, Problem, not_found
from trackeep.sandbox.world import Commit, Repository, ancestors

KEPT_WALKS = 64
_MOVED = "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"
_SHA = re.compile("[0-9a-f]{40}")
_STATUS = {"A": "added", "M": "modified", "D": "removed", "T": "changed"}


def repository_of(call: Call) -> Repository:
    """The repository of the address; 301 for a former name, 404 for what the token may not see."""
    params = call.request.path_params
    if "repository_id" in params:
        found = call.world.repositories.get(params["repository_id"])
    else:
        found = call.world.repository(params["owner"], params["name"])
    if found is None or not call.sees(found):
        raise not_found()
    if "name" in params and f"{params['owner']}/{params['name']}".lower() != found.full_name.lower():
        raise _moved(call, found)
    return found


def rest_of_path(call: Call) -> str:
    """The address after the repository's own part: `/pulls/3`, or nothing."""
    parts = call.request.url.path.removeprefix("/api/v3/").split("/")
    own = 2 if parts[0] == "repositories" else 3
    return "".join(f"/{part}" for part in parts[own:])


def canonical_path(call: Call, repository: Repository) -> str:
    """Links to further pages name the repository by id, as GitHub's do."""
    return f"/repositories/{repository.id}{rest_of_path(call)}"


def work_of(call: Call) -> Work:
    return Work(site_of(call), repository_of(call))


async def repository(call: Call) -> Answer:
    found = repository_of(call)
    return Answer(site_of(call).full_repository(found, call.login), last_modified=found.updated_at)


async def languages(call: Call) -> Answer:
    sizes = repository_of(call).languages
    return Answer({name: sizes[name] for name in sorted(sizes, key=lambda n: (-sizes[n], n))})


async def branches(call: Call) -> Answer:
    """By name."""
    work = work_of(call)
    page, link = call.page_of(sorted(work.repository.branches), canonical_path(call, work.repository))
    return Answer([work.branch(name, work.repository.branches[name]) for name in page], headers=link)


async def branch(call: Call) -> Answer:
    """The long form, with the commit at its tip."""
    work, name = work_of(call), call.request.path_params["branch"]
    tip = work.repository.branches.get(name)
    if tip is None:
        raise Problem(404, "Branch not found")
    return Answer(work.full_branch(name, work.repository.commits[tip]))


async def tags(call: Call) -> Answer:
    """By name, the last first."""
    work = work_of(call)
    names = sorted(work.repository.tags, reverse=True)
    page, link = call.page_of(names, canonical_path(call, work.repository))
    return Answer([work.tag(work.repository.tags[name]) for name in page], headers=link)


class History:
    """Answers that need a repository's commits; walks are kept by their tip, which never changes meaning."""

    def __init__(self) -> None:
        self._walks: OrderedDict[str, tuple[Commit, ...]] = OrderedDict()

    def walk(self, repository: Repository, tip: str) -> tuple[Commit, ...]:
        """Every commit reachable from the tip, newest committer date first."""
        if tip not in self._walks:
            self._walks[tip] = tuple(ancestors(repository.commits, tip))
        self._walks.move_to_end(tip)
        while len(self._walks) > KEPT_WALKS:
            self._walks.popitem(last=False)
        return self._walks[tip]

    async def commits(self, call: Call) -> Answer:
        work = work_of(call)
        start = _resolve(work.repository, call.text("sha", work.repository.default_branch))
        if not work.repository.commits:
            raise Problem(409, "Git Repository is empty.")
        if start is None:
            raise not_found()
        found = _filtered(call, await self._touching(call, work.repository, start))
        page, link = call.page_of(found, canonical_path(call, work.repository))
        return Answer([work.commit(commit) for commit in page], headers=link)

    async def commit(self, call: Call) -> Answer:
        work, ref = work_of(call), call.request.path_params["ref"]
        if not work.repository.commits:
            raise Problem(409, "Git Repository is empty.")
        sha = _resolve(work.repository, ref)
        if sha is None:
            raise Problem(422, f"No commit found for SHA: {ref}")
        found = work.repository.commits[sha]
        base = found.parents[0] if found.parents else None
        files = await changed_files(work.repository.git_dir, base, sha)
        return Answer(work.full_commit(found, files), last_modified=found.committer.at)

    async def contributors(self, call: Call) -> Answer:
        found = repository_of(call)
        if not found.commits:
            return Answer(None, 204)
        addresses = Counter(c.author.email for c in self.walk(found, found.branches[found.default_branch]))
        counts: Counter[str] = Counter()
        anonymous: list[dict[str, object]] = []
        for address, count in addresses.items():
            person = call.world.person_by_email(address)
            if person is not None:
                counts[person.login] += count
            elif call.text("anon") in ("1", "true"):
                anonymous.append(
                    {"email": address, "name": address, "type": "Anonymous", "contributions": count}
                )
        site = site_of(call)
        known = [(site.user(login) or {}) | {"contributions": n} for login, n in counts.most_common()]
        page, link = call.page_of([*known, *anonymous], canonical_path(call, found))
        return Answer(list(page), headers=link)

    async def _touching(self, call: Call, repository: Repository, start: str) -> tuple[Commit, ...]:
        path = call.text("path")
        if not path:
            return self.walk(repository, start)
        out = await git(repository.git_dir, "log", "--format=%H", start, "--", path)
        return tuple(repository.commits[sha] for sha in out.decode().split())


def _filtered(call: Call, commits: tuple[Commit, ...]) -> tuple[Commit, ...]:
    """Both ends of the period are inclusive and compared with the committer's date."""
    since, until = call.time("since"), call.time("until")
    author, committer = call.text("author"), call.text("committer")
    if since is not None or until is not None:
        first, last = since or 0, until if until is not None else call.state.clock.now()
        commits = tuple(c for c in commits if first <= c.committer.at <= last)
    if author:
        theirs = _addresses(call, author)
        commits = tuple(c for c in commits if c.author.email.lower() in theirs)
    if committer:
        theirs = _addresses(call, committer)
        commits = tuple(c for c in commits if c.committer.email.lower() in theirs)
    return commits


def _addresses(call: Call, wanted: str) -> set[str]:
    """A person is named by login or by an address."""
    person = call.world.person(wanted)
    if person is None:
        return {wanted.lower()}
    return {person.noreply.lower(), *(e.address.lower() for e in person.emails if e.verified)}


def _resolve(repository: Repository, ref: str) -> str | None:
    """The commit that a branch, tag, full or shortened sha names."""
    name = ref.removeprefix("refs/").removeprefix("heads/").removeprefix("tags/")
    if name in repository.branches:
        return repository.branches[name]
    if name in repository.tags:
        return repository.tags[name].commit_sha
    if ref in repository.commits:
        return ref
    matches = [sha for sha in repository.commits if sha.startswith(ref)] if len(ref) >= 7 else []
    return matches[0] if len(matches) == 1 else None


def _moved(call: Call, found: Repository) -> Problem:
    url = f"{call.api}/repositories/{found.id}{rest_of_path(call)}"
    query = call.request.url.query
    url = f"{url}?{query}" if query else url
    problem = Problem(301, "Moved Permanently", url=url, documentation_url=_MOVED)
    problem.headers["Location"] = url
    return problem


async def changed_files(git_dir: Path, base: str | None, head: str) -> list[FileChange]:
    """What changed between two commits, or since nothing, as git counts it."""
    ends = [base, head] if base else ["--root", "--no-commit-id", head]
    out = await git(git_dir, "diff-tree", "-r", "--raw", "--numstat", "-z", *ends)
    fields = out.decode(errors="replace").split("\0")
    raw: dict[str, tuple[str, str]] = {}
    changes = []
    while fields and fields[0]:
        entry = fields.pop(0)
        if entry.startswith(":"):
            _, _, before, after, status = entry.split(" ")
            raw[fields.pop(0)] = (_STATUS.get(status[0], "changed"), before if status == "D" else after)
            continue
        added, deleted, path = entry.split("\t", 2)
        status, blob = raw[path]
        counts = (0, 0) if added == "-" else (int(added), int(deleted))
        changes.append(FileChange(path, blob, status, *counts))
    return changes


async def first_files(git_dir: Path, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The first file that differs between two commits, for many pairs (base, head) at once."""
    lines = "".join(f"{head} {base}\n" for base, head in dict.fromkeys(pairs))
    out = await git(git_dir, "diff-tree", "--stdin", "-r", "--name-only", stdin=lines.encode())
    found: dict[tuple[str, str], str] = {}
    heads = iter(dict.fromkeys(pairs))
    at: tuple[str, str] | None = None
    for line in out.decode(errors="replace").splitlines():
        if _SHA.fullmatch(line):
            at = next(pair for pair in heads if pair[1] == line)
        elif at is not None:
            found.setdefault(at, line)
    return found


async def git(git_dir: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """What git prints. Raises Problem 500 when it fails."""
    process = await asyncio.create_subprocess_exec(
        "git",
        f"--git-dir={git_dir}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate(stdin)
    if process.returncode:
        raise Problem(500, "Server Error")
    return out
