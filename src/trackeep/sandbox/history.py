"""Writes planned commits into bare repositories by one `git fast-import` each, and reads back their ids."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from trackeep.sandbox.draft import Planned, render
from trackeep.sandbox.plan import Plan
from trackeep.sandbox.world import Commit, Signature, Tag

_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tcompression = 1
\tlogAllRefUpdates = false
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[gc]
\tauto = 0
[maintenance]
\tauto = false
[pack]
\tthreads = 1
"""


class GitFailed(Exception):
    """A git command ended with an error; the message is what it wrote."""


class Abandoned(Exception):
    """Nobody waits for this repository any more."""


def environment() -> dict[str, str]:
    """An environment in which no setting of the person or the machine reaches git."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def git(git_dir: Path, *args: str, stdin: bytes = b"") -> bytes:
    """Run git in a repository: its output. Raises GitFailed."""
    command = ["git", "--git-dir", str(git_dir), *args]
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment(), check=False)
    if done.returncode:
        raise GitFailed(f"git {args[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def create(git_dir: Path, default_branch: str = "main") -> None:
    """An empty bare repository, without templates and without starting git."""
    shutil.rmtree(git_dir, ignore_errors=True)
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (git_dir / folder).mkdir(parents=True)
    (git_dir / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n")
    (git_dir / "config").write_text(_CONFIG)


def write(
    git_dir: Path, plan: Plan, refs: Mapping[str, int], abandoned: threading.Event
) -> tuple[list[str], dict[str, Tag]]:
    """Create the repository: its commits' ids (index = mark, 0 unused) and tags. `refs` map to marks.

    Raises Abandoned soon after that event.
    """
    create(git_dir)
    marks = git_dir / "marks"
    stream = b"".join(_unless(abandoned, _stream(plan, refs)))
    # Neither compressed nor as deltas: a third of the time for three times the space.
    git(git_dir, "fast-import", "--quiet", "--depth=0", f"--export-marks={marks}", stdin=stream)
    ids = {int(mark): sha for mark, sha in (line[1:].split() for line in marks.read_text().splitlines())}
    marks.unlink()
    count = len(plan.draft.commits)
    shas = ["", *(ids[mark] for mark in range(1, count + 1))]
    versions = enumerate(plan.versions, count + 1)
    return shas, {v.name: Tag(v.name, ids[mark], shas[v.mark]) for mark, v in versions}


def read_trees(git_dir: Path) -> dict[str, str]:
    """The tree of every commit that any ref reaches."""
    listed = git(git_dir, "log", "--all", "--format=%H %T").decode()
    return dict(line.split() for line in listed.splitlines())


def commit_of(planned: Planned, sha: str, tree_sha: str, shas: list[str]) -> Commit:
    """A planned commit as it stands in git."""
    parents = tuple(shas[mark] for mark in planned.parents)
    counts = (planned.additions, planned.deletions, len(planned.files))
    return Commit(sha, tree_sha, parents, planned.author, planned.committer, planned.message, *counts)


def signed(signature: Signature) -> str:
    """A signature as git writes it: name, address, seconds, zone."""
    sign = "-" if signature.offset_min < 0 else "+"
    hours, minutes = divmod(abs(signature.offset_min), 60)
    return f"{signature.name} <{signature.email}> {signature.at} {sign}{hours:02}{minutes:02}"


def data(text: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(text), text)


def _unless(abandoned: threading.Event, parts: Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        if abandoned.is_set():
            raise Abandoned
        yield part


def _stream(plan: Plan, refs: Mapping[str, int]) -> Iterator[bytes]:
    flavour = plan.draft.flavour
    for mark, planned in enumerate(plan.draft.commits, 1):
        yield _commit_header(mark, planned)
        for path, lines in planned.files.items():
            yield f"M 100644 inline {path}\n".encode()
            yield data(render(flavour, path, lines))
    for ref, mark in refs.items():
        yield f"reset {ref}\nfrom :{mark}\n\n".encode()
    for mark, version in enumerate(plan.versions, len(plan.draft.commits) + 1):
        head = f"tag {version.name}\nmark :{mark}\nfrom :{version.mark}\ntagger {signed(version.tagger)}\n"
        yield head.encode()
        yield data(f"Release {version.name}\n".encode())
    yield f"reset refs/building\nfrom {'0' * 40}\n\n".encode()


def _commit_header(mark: int, planned: Planned) -> bytes:
    """Commits are written beside all refs; the refs are set at the end."""
    head = f"commit refs/building\nmark :{mark}\nauthor {signed(planned.author)}\n"
    head += f"committer {signed(planned.committer)}\n"
    words = ("from", "merge")[: len(planned.parents)]
    links = "".join(f"{word} :{parent}\n" for word, parent in zip(words, planned.parents, strict=True))
    return head.encode() + data(f"{planned.message}\n".encode()) + links.encode()
