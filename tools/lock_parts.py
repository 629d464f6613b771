"""Takes the parts of requirements.lock that a container needs: deploy/runtime.lock and deploy/build.lock.

    .venv/bin/python tools/lock_parts.py [--check]

Each part holds what some packages need, whatever the platform, with the versions, markers and hashes of the
whole: nothing is resolved anew. What needs what is read from the packages that `.venv` holds. `--check`
writes nothing and ends with 1 when a file is not what it should be.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("postgres", "redis")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    stale = {path: text for path, text in parts().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if not asked.check:
            path.write_text(text)
        print(path.relative_to(ROOT), "is stale" if asked.check else "written")
    return 1 if asked.check and stale else 0


def parts() -> dict[Path, str]:
    """What each of the files has to hold."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = told["project"]
    runs = [*project["dependencies"], *(one for e in EXTRAS for one in project["optional-dependencies"][e])]
    return {
        ROOT / "deploy" / "runtime.lock": part(runs),
        ROOT / "deploy" / "build.lock": part(told["build-system"]["requires"]),
    }


def part(requirements: Iterable[str]) -> str:
    """The entries of the lock for `requirements` and all that they need."""
    locked = entries((ROOT / "requirements.lock").read_text())
    return "".join(locked[name] for name in sorted(reached(requirements, locked)))


def entries(lock: str) -> dict[str, str]:
    """Each package of a lock with its lines."""
    blocks = re.findall(r"^[^\s#].*\n(?:[ \t]+.*\n)*", lock, re.M)
    return {_name(block): block for block in blocks}


def reached(requirements: Iterable[str], locked: dict[str, str]) -> set[str]:
    """Names of `requirements` and of everything they need; what no platform of the lock needs is left out."""
    found: set[str] = set()
    waiting = [(_name(one), _extras(one)) for one in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        if one in seen or one[0] not in locked:
            continue
        seen.add(one)
        found.add(one[0])
        waiting.extend(_needs(*one))
    return found


def _needs(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    try:
        required = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        # Locked for another system only, such as Windows.
        return
    for one in required:
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", one)
        if extra is None or extra[1] in extras:
            yield _name(one), _extras(one)


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _extras(requirement: str) -> frozenset[str]:
    found = re.match(r"[A-Za-z0-9._-]+\s*\[([^\]]*)\]", requirement)
    return frozenset(part.strip() for part in found[1].split(",")) if found else frozenset()


if __name__ == "__main__":
    sys.exit(main())
