"""Keeps what every program of the tests wrote, and searches all of it for secrets at the end."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

# GitHub's own form of a token, whoever issued it.
GITHUB_TOKEN = re.compile(r"gh[a-z]_[A-Za-z0-9._-]{20,}")
# Secrets of all kinds consist of such words; what is shorter is no secret.
_WORD = re.compile(r"[A-Za-z0-9_-]{16,}")


@dataclass
class Secrets:
    """What must not be read anywhere: tokens, codes, verifiers, sealed values, JWTs, keys."""

    words: set[str] = field(default_factory=set)

    def add(self, *values: str) -> None:
        """Sealed values and JWTs are known by what follows their first dot: before it stands a key's name."""
        for value in values:
            parts = value.split(".")
            self.words.update(part for part in parts[1:] or parts if _WORD.fullmatch(part))

    def found_in(self, text: str) -> list[tuple[int, str]]:
        """The lines of `text` that hold one of them, or anything in the form of GitHub's tokens."""
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            guilty = [*GITHUB_TOKEN.findall(line), *self.words.intersection(_WORD.findall(line))]
            # Only the beginning: what a test shows goes to a log as well.
            found += [(number, f"{word[:8]}...") for word in guilty]
        return found


# Filled by the local GitHubs when they stop, and by the visitors of the service.
issued = Secrets()


@cache
def folder() -> Path:
    """Where the logs of this run are; it stays when something is found in them."""
    return Path(tempfile.mkdtemp(prefix="trackeep-logs-"))


def new_log(words: Iterable[str]) -> IO[bytes]:
    """A file for the standard error of `trackeep WORDS`."""
    name = re.sub(r"[^a-z]+", "-", " ".join(words).split(" -")[0].lower())[:40].strip("-")
    descriptor, _ = tempfile.mkstemp(dir=folder(), prefix=f"{name}-", suffix=".log")
    return os.fdopen(descriptor, "w+b")


def findings() -> list[str]:
    """`file:line: what` for every secret in everything that was written."""
    return [
        f"{path}:{number}: {what}"
        for path in sorted(folder().iterdir())
        for number, what in issued.found_in(path.read_text(errors="replace"))
    ]


def forget() -> None:
    """Deletes the logs."""
    shutil.rmtree(folder(), ignore_errors=True)
