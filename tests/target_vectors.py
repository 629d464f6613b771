"""Addresses with the verdict they must get, and the trick that each of them tries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).parent / "attacks" / "targets.json"


@dataclass(frozen=True)
class Vector:
    """`code` and `token`: the modes in which it may be a base URL; `exact`: whether it may be registered."""

    trick: str
    address: str
    code: bool
    token: bool
    exact: bool


def vectors() -> list[Vector]:
    """All of them; each stands in the file as its trick, the words of its verdict, and the address."""
    found = []
    for trick, verdict, address in json.loads(VECTORS.read_text(encoding="utf-8")):
        words = verdict.split()
        assert set(words) <= {"code", "token", "exact"}
        found.append(Vector(trick, address, "code" in words, "token" in words, "exact" in words))
    return found
