"""Folders out of a pack of git's: compared as git compares them, however packed, whoever made them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from gitrepo import WHO, GitRepo
from paths_in_git import Pairs, true_paths

from trackeep.errors import GitHubTooLarge, GitHubUnavailable
from trackeep.github.gittrees import TreePack, read_trees

MANY = 5_000


def history(folder: Path, commits: int = 40) -> GitRepo:
    """A line of commits over some wide folders, so that git packs most of their trees as deltas."""
    repo = GitRepo.create(folder / "line.git")
    lines = []
    for number in range(commits):
        names = [f"src/wide/file{each}" for each in range(60)] if not number else []
        names += [f"src/wide/file{number}", f"src/deep/{number % 3}/part{number}.py"]
        start = (
            f"commit refs/heads/main\nmark :{number + 1}\ncommitter A <a@x.example> {number} +0000\ndata 0\n"
        )
        lines.append(start + (f"from :{number}\n" if number else ""))
        lines += [f"M 100644 inline {name}\ndata {len(str(number))}\n{number}\n" for name in names]
        lines += [f"D src/wide/file{number + 1}\n"] if number % 7 == 6 else []
    repo.git("fast-import", "--quiet", stdin="".join(lines).encode())
    return repo


def packed(repo: GitRepo, folder: Path, *options: str) -> bytes:
    """All commits and folders of it, without files."""
    listed = repo.git("rev-list", "--objects", "--all", "--filter=blob:none")
    names = "\n".join(line.split()[0] for line in listed.splitlines()).encode()
    return repo.git_bytes("pack-objects", "--stdout", *options, stdin=names)


def opened(folder: Path, content: bytes, most_objects: int = 10_000) -> TreePack:
    path = folder / "pack"
    path.write_bytes(content)
    with path.open("rb") as file:
        return read_trees(file, most_objects=most_objects)


def changes(repo: GitRepo, pack: TreePack) -> Pairs:
    lines = [line.split() for line in repo.git("rev-list", "--all", "--parents").splitlines()]
    found = {sha: pack.changed(sha, (*parents, "")[0], MANY).paths for sha, *parents in lines}
    return {(sha, name) for sha, names in found.items() for name in names if not name.endswith("/")}


@pytest.mark.parametrize("option", ["--delta-base-offset", "--window=50", "--window=0"])
def test_however_git_packs_them(tmp_path: Path, option: str) -> None:
    """Deltas that name their base by place, by sha, and none at all: the same paths, which are git's."""
    repo = history(tmp_path)
    pack = opened(tmp_path, packed(repo, tmp_path, option))
    assert changes(repo, pack) == true_paths(repo)
    pack.close()


def test_upper_folders_come_first(tmp_path: Path) -> None:
    """Of a commit that changed more than is wanted it is what lies highest, and it is said so."""
    repo = history(tmp_path, 1)
    pack = opened(tmp_path, packed(repo, tmp_path))
    found = pack.changed(repo.git("rev-parse", "main"), "", 4)
    assert found.is_cut and found.paths[:3] == ("src/", "src/deep/", "src/wide/")
    pack.close()


def test_a_damaged_pack_is_one_clear_error(tmp_path: Path) -> None:
    """Cut or changed anywhere it is refused; whole, but of things other than they are called, as well."""
    repo = history(tmp_path, 3)
    good = packed(repo, tmp_path)
    for place in range(0, len(good), 5):
        for bad in (good[:place], good[:place] + bytes([good[place] ^ 64]) + good[place + 1 :]):
            with pytest.raises(GitHubUnavailable, match="damaged pack"):
                opened(tmp_path, bad)
        # With a checksum that is right it may pass as a pack, but never end otherwise.
        body = good[:-20][:place] + bytes([good[place] ^ 16]) + good[:-20][place + 1 :]
        try:
            pack = opened(tmp_path, body + hashlib.sha1(body, usedforsecurity=False).digest())
            changes(repo, pack)
        except (GitHubUnavailable, GitHubTooLarge):
            pass


def test_what_is_left_out_is_missed(tmp_path: Path) -> None:
    """Half of the folders are not half of the changes: nothing is said about such a commit."""
    repo = history(tmp_path, 2)
    commits = repo.git_bytes("rev-list", "--all")
    pack = opened(tmp_path, repo.git_bytes("pack-objects", "--stdout", stdin=commits))
    with pytest.raises(GitHubUnavailable, match="left out folders"):
        changes(repo, pack)
    pack.close()
    with pytest.raises(GitHubTooLarge, match="more folders"):
        opened(tmp_path, packed(repo, tmp_path), most_objects=3)


@pytest.mark.parametrize("above", ["", "x" * 210], ids=["short", "long"])
def test_a_bomb_of_folders(tmp_path: Path, above: str) -> None:
    """Ten folders that hold one and the same folder, thirty deep: few are read, whatever is stored."""
    repo = GitRepo.create(tmp_path / "bomb.git")
    tree = repo.git("mktree", stdin=f"100644 blob {repo.git('hash-object', '-w', '--stdin')}\tf\n".encode())
    for _ in range(30):
        tree = repo.git("mktree", stdin="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode())
    for _ in range(3 if above else 0):
        tree = repo.git("mktree", stdin=f"040000 tree {tree}\t{above}\n".encode())
    who = WHO.decode()
    sha = repo.raw(f"tree {tree}\nauthor {who}\ncommitter {who}\n\nBomb\n".encode())
    repo.point("refs/heads/main", sha)
    pack = opened(tmp_path, packed(repo, tmp_path))
    found = pack.changed(sha, "", MANY)
    assert found.is_cut and len(found.paths) == (3 if above else MANY)
    pack.close()
