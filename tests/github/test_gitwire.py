"""Refs and commits over the real git wire, and what it does when the wire is bad."""

from __future__ import annotations

import hashlib
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from gitrepo import GitRepo, ask, remote, served
from programs import Program, start

from trackeep.errors import (
    GitHubError,
    GitHubNoAccess,
    GitHubRateLimited,
    GitHubTooLarge,
    GitHubTooManyCommits,
    GitHubTooSlow,
    GitHubUnavailable,
)
from trackeep.github.gitpack import CommitPack, read_pack
from trackeep.github.gitwire import Caps, GitRemote, Haves, fetch_pack, list_refs

pytestmark = pytest.mark.anyio
ATLAS = "fernhill/atlas"
PLACES = ("refs/heads", "refs/tags")
MB = 1 << 20


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A sandbox for faults that are over when a test ends."""
    program = start("sandbox", "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("sandbox")))
    yield program
    program.stop()


def shas(pack: CommitPack) -> list[str]:
    return [commit.sha for commit in pack.commits()]


async def test_refs_are_those_git_lists(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """Every branch and tag with what it peels to and the default branch, in one POST without a GET."""
    git, repo = remote(http, sandbox.url, ATLAS), served(sandbox.url, ATLAS)
    listed = await list_refs(git)
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", *PLACES).splitlines()
    expected = {(name, sha, (peeled or [sha])[0]) for name, sha, *peeled in map(str.split, lines)}
    assert {(ref.name, ref.sha, ref.commit_sha) for ref in listed.refs} == expected
    assert (listed.head, git.posts) == ("refs/heads/main", 1)
    assert any(ref.sha != ref.commit_sha for ref in listed.refs)


async def test_everything_arrives_parents_first(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """The commits of all refs equal `git rev-list --all`, and none comes before a parent."""
    git, repo = remote(http, sandbox.url, ATLAS), served(sandbox.url, ATLAS)
    pack = await fetch_pack(git, sorted({ref.commit_sha for ref in (await list_refs(git)).refs}), Haves())
    seen: set[str] = set()
    for commit in pack.commits():
        assert seen.issuperset(commit.parents)
        seen.add(commit.sha)
    assert (seen, pack.outside(), pack.others, git.posts) == (repo.all_shas(), set(), 0, 2)
    assert pack.reached_from({repo.git("rev-parse", "main")}) == repo.all_shas("main")
    pack.close()


@pytest.mark.parametrize(("unknown", "posts"), [(0, 1), (300, 2), (1_300, 3), (6_000, 4)])
async def test_only_what_is_missing_is_sent(
    sandbox: Program, http: aiohttp.ClientSession, unknown: int, posts: int
) -> None:
    """A have found in the first round or in a later one limits the pack; however many, none is left out."""
    git, repo = remote(http, sandbox.url, ATLAS), served(sandbox.url, ATLAS)
    tip, old = repo.git("rev-parse", "main", "main~5").split()
    foreign = [f"{number:040x}" for number in range(unknown)]
    pack = await fetch_pack(git, [tip], Haves([*foreign, old]))
    assert set(shas(pack)) == repo.all_shas(f"{old}..{tip}")
    assert git.posts == posts
    pack.close()


async def test_listed_tips_are_named_at_once(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """What the server itself lists needs no second round, and what lies far back is found when all fails."""
    git, repo = remote(http, sandbox.url, ATLAS), served(sandbox.url, ATLAS)
    tip, old = repo.git("rev-parse", "main", "main~5").split()
    foreign = [f"{number:040x}" for number in range(1_000)]

    async def older() -> list[str]:
        return [old]

    for haves, posts in ((Haves([*foreign, old], listed=1_001), 1), (Haves(foreign, older=older), 3)):
        git.posts = 0
        pack = await fetch_pack(git, [tip], haves)
        assert (set(shas(pack)), git.posts) == (repo.all_shas(f"{old}..{tip}"), posts)
        pack.close()


async def test_pages_are_bounded_by_bytes_too(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """A page ends at its number of commits or of bytes, and all pages together are the pack."""
    git, repo = remote(http, sandbox.url, ATLAS), served(sandbox.url, ATLAS)
    pack = await fetch_pack(git, [repo.git("rev-parse", "main")], Haves())
    everything = shas(pack)
    for most_commits, most_bytes, longest in ((100, 1 << 30, 100), (1_000, 4_000, 40), (1_000, 1, 1)):
        pages = list(pack.pages(most_commits, most_bytes))
        assert [commit.sha for page in pages for commit in page] == everything
        assert max(map(len, pages)) <= longest
    pack.close()


async def test_a_history_without_a_common_commit(fresh_sandbox: Program, http: aiohttp.ClientSession) -> None:
    """When nothing we have is related the server is told that we are done and sends all of it."""
    repo = served(fresh_sandbox.url, ATLAS)
    tip = repo.commit(message="A second beginning")
    repo.point("refs/heads/second", tip)
    git = remote(http, fresh_sandbox.url, ATLAS)
    pack = await fetch_pack(git, [tip], Haves([repo.git("rev-parse", "main")]))
    assert (shas(pack), git.posts) == ([tip], 2)
    pack.close()


async def test_odd_objects_arrive_whole(fresh_sandbox: Program, http: aiohttp.ClientSession) -> None:
    """An octopus of 70 parents, 5 MB of message, bytes that are no text, tags of tags, of trees and blobs."""
    repo = served(fresh_sandbox.url, "alice/seedling")
    root = repo.commit(message="word " * 1_000_000)
    octopus = repo.commit(*(repo.commit(root, message=f"Arm {number}") for number in range(70)))
    odd = repo.raw(b"tree " + repo.git("mktree").encode() + b"\nparent " + octopus.encode() + b"\n\n\0\xff")
    repo.point("refs/heads/main", odd)
    who = ("-c", "user.name=A", "-c", "user.email=a@x")
    repo.git(*who, "tag", "-a", "-m", "one", "once", octopus)
    repo.git(*who, "tag", "-a", "-m", "two", "twice", "once")
    repo.git("tag", "of-blob", repo.git("hash-object", "-w", "--stdin", stdin=b"text" * 100_000))
    repo.git("tag", "of-tree", repo.git("mktree"))
    git = remote(http, fresh_sandbox.url, "alice/seedling")
    refs = {ref.name: ref for ref in (await list_refs(git)).refs}
    assert refs["refs/tags/twice"].commit_sha == octopus
    pack = await fetch_pack(git, sorted({ref.commit_sha for ref in refs.values()}), Haves())
    commits = {commit.sha: commit for commit in pack.commits()}
    assert commits.keys() == repo.all_shas("main") and pack.others
    assert (len(commits[octopus].parents), len(commits[root].message)) == (70, 5_000_000)
    pack.close()


async def test_an_empty_repository_has_no_refs(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """Nothing pushed yet: no refs and no default branch, no error."""
    listed = await list_refs(remote(http, sandbox.url, "alice/seedling"))
    assert (listed.head, listed.refs) == ("", ())


@pytest.mark.parametrize("option", ["--delta-base-offset", "--no-reuse-delta"])
def test_deltas_are_resolved(tmp_path: Path, option: str) -> None:
    """Commits that git stored as differences to others, by offset and by name, are read as they were."""
    repo = GitRepo.create(tmp_path / "deltas.git")
    tip, body = repo.commit(), "\n".join(f"A line of prose, number {n}, that stays." for n in range(60))
    for number in range(40):
        tip = repo.commit(tip, message=f"{body}\nChange {number}")
    repo.point("refs/heads/main", tip)
    names = "\n".join(sorted(repo.all_shas())).encode()
    path = tmp_path / "pack"
    path.write_bytes(repo.git_bytes("pack-objects", "--stdout", "--window=50", option, stdin=names))
    with path.open("rb") as file:
        pack = read_pack(file, most_commits=100)
    commits = {commit.sha: commit.message for commit in pack.commits()}
    assert commits.keys() == repo.all_shas() and pack.size < 10_000
    assert commits[tip] == f"{body}\nChange 39"
    pack.close()


def test_a_damaged_pack_is_refused_wherever_it_is_damaged(tmp_path: Path) -> None:
    """A pack that is cut or has a bit changed anywhere is one clear error, never half a history."""
    repo = GitRepo.create(tmp_path / "one.git")
    names = (repo.commit(message="Hello") + "\n").encode()
    good = repo.git_bytes("pack-objects", "--stdout", stdin=names)
    path = tmp_path / "pack"
    for place in range(len(good)):
        for bad in (good[:place], good[:place] + bytes([good[place] ^ 64]) + good[place + 1 :]):
            path.write_bytes(bad)
            with path.open("rb") as file, pytest.raises(GitHubUnavailable, match="damaged pack"):
                read_pack(file, most_commits=9)


def test_a_small_delta_that_makes_gigabytes_is_refused(tmp_path: Path) -> None:
    """Twelve hundred bytes that copy a megabyte three hundred times do not take the memory for it."""
    base = b"tree " + b"0" * 40 + b"\n\n" + b"a" * MB
    delta = varint(len(base)) + varint(100) + b"\xf0\xff\xff\x0f" * 300
    first = size_of(1, len(base)) + zlib.compress(base)
    content = b"PACK" + (2).to_bytes(4, "big") + (2).to_bytes(4, "big") + first
    name = hashlib.sha1(b"commit %d\0" % len(base) + base, usedforsecurity=False).digest()
    content += size_of(7, len(delta)) + name + zlib.compress(delta)
    path = tmp_path / "pack"
    path.write_bytes(content + hashlib.sha1(content, usedforsecurity=False).digest())
    tracemalloc.start()
    try:
        with path.open("rb") as file, pytest.raises(GitHubUnavailable, match="another length"):
            read_pack(file, most_commits=9)
        assert tracemalloc.get_traced_memory()[1] < 32 * MB
    finally:
        tracemalloc.stop()


def varint(number: int) -> bytes:
    """Seven bits a byte, lowest first, as deltas write sizes."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def size_of(kind: int, size: int) -> bytes:
    """The head of an object in a pack: its kind and its size."""
    low, rest = kind << 4 | size & 15, size >> 4
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


async def test_who_may_not_read_is_told_so(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """Git's no is no proof that a token is dead; no text of an error holds the token or the name."""
    with pytest.raises(GitHubNoAccess) as refused:
        await list_refs(remote(http, sandbox.url, "fernhill/harbor", login="mallory"))
    with pytest.raises(GitHubNoAccess):
        await list_refs(GitRemote(http, f"{sandbox.url}/fernhill/harbor.git"))
    with pytest.raises(GitHubNoAccess) as dead:
        await list_refs(GitRemote(http, f"{sandbox.url}/fernhill/harbor.git", "ghp_dead"))
    for error in (refused, dead):
        assert "harbor" not in str(error.value) and "ghp_" not in str(error.value)
    assert "ghp_" not in repr(GitRemote(http, "", "ghp_dead"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 502}, GitHubUnavailable),
        ({"kind": "html", "status": 503}, GitHubUnavailable),
        ({"kind": "cut"}, GitHubUnavailable),
        ({"kind": "status", "status": 404}, GitHubNoAccess),
        ({"kind": "status", "status": 401}, GitHubNoAccess),
        ({"kind": "status", "status": 407}, GitHubNoAccess),
        ({"kind": "html", "status": 200}, GitHubNoAccess),
        ({"kind": "status", "status": 429, "retry_after": 30}, GitHubRateLimited),
        ({"kind": "timeout", "delay_s": 5}, GitHubTooSlow),
    ],
)
async def test_a_bad_wire(
    breakable: Program, http: aiohttp.ClientSession, fault: dict[str, object], error: type[GitHubError]
) -> None:
    """Every kind of trouble has its own error for the refs and for the commits; a time to wait is kept."""
    git = remote(http, breakable.url, ATLAS, caps=Caps(seconds=0.6))
    git.clock = lambda: 1000.0
    tip = served(breakable.url, ATLAS).git("rev-parse", "main")
    ask(breakable.url, "/_sandbox/faults", {"match": "git-upload-pack", "times": 2, **fault})
    with pytest.raises(error):
        await list_refs(git)
    with pytest.raises(error) as second:
        await fetch_pack(git, [tip], Haves())
    if isinstance(second.value, GitHubRateLimited):
        assert second.value.retry_at == 1030.0


async def test_the_caps(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """Too many bytes and too many commits are refused, each with its own error."""
    tip = served(sandbox.url, ATLAS).git("rev-parse", "main")
    with pytest.raises(GitHubTooLarge):
        await list_refs(remote(http, sandbox.url, ATLAS, caps=Caps(ref_bytes=100)))
    with pytest.raises(GitHubTooLarge):
        await fetch_pack(remote(http, sandbox.url, ATLAS, caps=Caps(pack_bytes=1000)), [tip], Haves())
    with pytest.raises(GitHubTooManyCommits):
        await fetch_pack(remote(http, sandbox.url, ATLAS, caps=Caps(commits=3)), [tip], Haves())


async def test_a_want_that_is_gone(sandbox: Program, http: aiohttp.ClientSession) -> None:
    """A commit that the server no longer has is asked for again later, from a new list of refs."""
    with pytest.raises(GitHubUnavailable, match="not our ref"):
        await fetch_pack(remote(http, sandbox.url, ATLAS), ["1" * 40], Haves())


async def test_a_renamed_repository_is_found(fresh_sandbox: Program, http: aiohttp.ClientSession) -> None:
    """A redirect on GitHub's own host is followed with the token."""
    ask(fresh_sandbox.url, f"/_sandbox/repos/{ATLAS}/change", {"kind": "rename", "name": "globe"})
    assert (await list_refs(remote(http, fresh_sandbox.url, ATLAS))).head == "refs/heads/main"


async def test_the_token_is_not_carried_to_another_host(http: aiohttp.ClientSession) -> None:
    """A redirect to mallory's host is refused before anything is sent there; so is one in a circle."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        target = "http://mallory.example/x" if request.path.startswith("/away") else request.path
        return web.Response(status=307, headers={"Location": target})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name, message in (("away", "another host"), ("circle", "in a circle")):
        with pytest.raises(GitHubError, match=message):
            await list_refs(GitRemote(http, f"{base}/{name}.git", "ghp_secret"))
    assert asked == ["/away.git/git-upload-pack"] + ["/circle.git/git-upload-pack"] * 4
    await runner.cleanup()
