"""The libraries that run with this program, and under which licences they came."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata

UNKNOWN = "not stated"
# What some packages put there is the whole text.
LONGEST = 60
EXTRAS = ("postgres", "redis")


@dataclass(frozen=True)
class Library:
    name: str
    version: str
    licence: str


@lru_cache(maxsize=1)
def libraries() -> tuple[Library, ...]:
    """Everything that is installed for this program, by name: what it needs, and what that needs."""
    found: dict[str, Library] = {}
    waiting = ["trackeep"]
    while waiting:
        name = waiting.pop()
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # For another system or another version of Python.
        if package.name.lower() in found:
            continue
        found[package.name.lower()] = Library(package.name, package.version, licence_of(package.metadata))
        waiting += [name for each in package.requires or () if (name := _needed(each))]
    found.pop("trackeep", None)
    return tuple(found[name] for name in sorted(found))


def licence_of(told: metadata.PackageMetadata) -> str:
    """The expression a package gives, else its own short words, else what it is classified as."""
    for field in ("License-Expression", "License"):
        text = " ".join((told[field] or "").split()) if field in told else ""
        if 0 < len(text) <= LONGEST:
            return text
    classes = [line for line in told.get_all("Classifier") or () if line.startswith("License :: ")]
    return classes[-1].rpartition(" :: ")[2] if classes else UNKNOWN


def _needed(requirement: str) -> str:
    """The name in a requirement (PEP 508), "" for one of an extra that is not ours to offer."""
    extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", requirement)
    if extra and extra[1] not in EXTRAS:
        return ""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    return name[0] if name else ""
