"""What must never stand in a tracked file."""

import re

from rules.source import ROOT, tracked

# Written in pieces, so that this file does not hold what it forbids.
REGISTRIES = re.compile(rf"{'py' + 'pi'}\.org|python{'hosted'}\.org|npm{'js'}\.org|deb\.{'debian'}\.org")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home|root|work)/[a-z]")
LOCKS = {"uv.lock", "pylock.toml", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"}


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        if path.is_file() and path.suffix not in {".png", ".gz", ".ico"}:
            found.append(
                (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace"))
            )
    return found


def test_no_registry_is_named() -> None:
    """Packages are named by name and hash; where they come from is the installer's business."""
    assert not [name for name, text in texts() if REGISTRIES.search(text)]


def test_no_path_of_somebodys_machine() -> None:
    """A path that exists on one machine only explains nothing on another."""
    assert not [name for name, text in texts() if MACHINE_PATHS.search(text) and "/vendor/" not in name]


def test_no_lock_file_with_addresses() -> None:
    """requirements.lock is the only lock file."""
    assert not [path.name for path in tracked() if path.name in LOCKS]
