"""Compares the folders of commits in a git pack file: which paths each commit changed, in bounded memory."""

from __future__ import annotations

import hashlib
import mmap
import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from trackeep.errors import GitHubTooLarge, GitHubUnavailable
from trackeep.github.gitpack import (
    COMMIT,
    DEEPEST_DELTA,
    DELTAS,
    HEADER,
    TRAILER,
    TREE,
    PackReader,
    checked_count,
    damaged,
    mapped,
    patched,
)
from trackeep.model import ChangedPaths

LONGEST_PATH = 600  # characters, of four bytes at most: PostgreSQL indexes no more than 2,704 bytes
_DEEPEST_PATH = 4096  # bytes; no program opens a file below
_LARGEST_TREE = 8 * 1024 * 1024
_KEPT_BYTES = 32 * 1024 * 1024
_KEPT_ENTRIES_BYTES = 4 * 1024 * 1024  # in memory they are many times as large
# Bytes that are taken apart for one commit, and for all that is found in one pack. A pack of a few thousand
# bytes can stand for any number of them.
_MOST_OF_COMMIT, _MOST_OF_PACK = 64 * 1024 * 1024, 4 * 1024**3
_EMPTY_TREE = bytes.fromhex("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
# Layout: mode, space, name, NUL, sha of 20 bytes (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
_ENTRY = re.compile(rb"[0-7]+ [^\0]+\0.{20}", re.DOTALL)
_FOLDER, _EXECUTABLE, _TYPE = 0o040000, 0o100, 0o170000


class _Kept:
    """What was used last, as much as comes from so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._size = most_bytes, 0
        self._items: OrderedDict[object, tuple[object, int]] = OrderedDict()

    def get(self, key: object) -> object | None:
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: object, value: object, size: int) -> None:
        if key in self._items:
            return
        self._items[key] = (value, size)
        self._size += size
        while self._size > self._most and len(self._items) > 1:
            self._size -= self._items.popitem(last=False)[1][1]


@dataclass(slots=True)
class TreePack:
    """A pack on disk of which the places of folders, and the folder of each commit, are known."""

    data: mmap.mmap
    starts: dict[bytes, int] = field(default_factory=dict)
    roots: dict[bytes, bytes] = field(default_factory=dict)
    handled_bytes: int = 0
    _raw: _Kept = field(default_factory=lambda: _Kept(_KEPT_BYTES))
    _entries: _Kept = field(default_factory=lambda: _Kept(_KEPT_ENTRIES_BYTES))

    def changed(self, sha: str, parent: str, most: int) -> ChangedPaths:
        """At most `most` paths that differ between a commit and its parent ("" when it has none).

        Renamed files are there with both names. Raises GitHubUnavailable where the pack lacks something.
        """
        found: dict[str, None] = {}
        is_cut, seen = False, 0
        handled_until = self.handled_bytes + _MOST_OF_COMMIT
        waiting = deque([(b"", self._root(parent) if parent else b"", self._root(sha))])
        while waiting:
            folder, old, new = waiting.popleft()
            before, after = self._opened(old), self._opened(new)
            if before is None or after is None or len(folder) > _DEEPEST_PATH:
                is_cut = True
                continue
            for name, was, now in _differences(before, after):
                # Not only what is found: of long paths many are stored as one.
                seen += 1
                if _is_file(was) or _is_file(now):
                    found[_text(folder + name)] = None
                if _is_folder(was) or _is_folder(now):
                    below = folder + name + b"/"
                    found[_text(below)] = None
                    waiting.append((below, _below(was), _below(now)))
                if max(seen, len(found)) >= most or self.handled_bytes > handled_until:
                    return ChangedPaths(tuple(found)[:most], is_cut=True)
        return ChangedPaths(tuple(found), is_cut)

    def close(self) -> None:
        self.data.close()

    def _root(self, sha: str) -> bytes:
        try:
            return self.roots[bytes.fromhex(sha)]
        except KeyError:
            raise _left_out() from None

    def _opened(self, tree: bytes) -> frozenset[bytes] | None:
        """The entries of a folder; None when there are too many to compare."""
        if not tree or (tree == _EMPTY_TREE and tree not in self.starts):
            return frozenset()
        kept = self._entries.get(tree)
        if isinstance(kept, frozenset):
            return kept
        if tree not in self.starts:
            raise _left_out()
        raw = self.whole(self.starts[tree])[1]
        if len(raw) > _LARGEST_TREE:
            return None
        self.handled_bytes += len(raw)
        entries = frozenset(_ENTRY.findall(raw))
        self._entries.put(tree, entries, len(raw))
        return entries

    def whole(self, start: int) -> tuple[int, bytes]:
        """The type and bytes of the object at `start`, its deltas applied; KeyError without its base."""
        reader = PackReader(self.data, len(self.data) - TRAILER)
        chain: list[int] = []
        kept = self._raw.get(start)
        while kept is None and (kind := reader.kind(start)) in DELTAS:
            if len(chain) > DEEPEST_DELTA:
                raise damaged("its deltas do not end")
            chain.append(start)
            _, _, base = reader.opened(start)
            start = base if isinstance(base, int) else self.starts[base]
            kept = self._raw.get(start)
        kind, raw = kept if isinstance(kept, tuple) else (kind, reader.inflated(start)[0])
        self.handled_bytes += 0 if kept else len(raw)
        self._raw.put(start, (kind, raw), len(raw))
        for delta in reversed(chain):
            raw = patched(raw, reader.inflated(delta)[0])
            self.handled_bytes += len(raw)
            self._raw.put(delta, (kind, raw), len(raw))
        return kind, raw


def read_trees(file: IO[bytes], *, most_objects: int) -> TreePack:
    """Check the pack in `file` against its own checksum and find its commits and folders.

    Raises GitHubUnavailable when it is cut or damaged, GitHubTooLarge beyond `most_objects`.
    """
    with mapped(file) as data:
        return _indexed(TreePack(data), most_objects)


def _indexed(pack: TreePack, most_objects: int) -> TreePack:
    end = len(pack.data) - TRAILER
    count = checked_count(pack.data, len(pack.data))
    if count > most_objects:
        raise GitHubTooLarge(
            f"The repository has more folders ({count}) than are compared at once ({most_objects}).",
            "Give up the search of its files.",
        )
    reader = PackReader(pack.data, end)
    deltas: list[int] = []
    position = HEADER
    for _ in range(count):
        start = position
        kind = reader.kind(start)
        position = reader.skipped(start)
        if kind in DELTAS:
            deltas.append(start)
        elif kind in (COMMIT, TREE):
            _remember(pack, start)
    if position != end:
        raise damaged("it holds more than it announces")
    # A delta may name a base by a sha that is itself a later delta, so go round until nothing changes.
    while deltas:
        waiting = [start for start in deltas if not _remember(pack, start)]
        if len(waiting) == len(deltas):
            break  # deltas of files, which nobody asked for
        deltas = waiting
    return pack


def _remember(pack: TreePack, start: int) -> bool:
    """Note what stands at `start`; False while its base is not known."""
    if pack.handled_bytes > _MOST_OF_PACK:
        raise GitHubTooLarge(
            "The repository's folders are larger than is compared at once.",
            "Give up the search of its files.",
        )
    try:
        kind, raw = pack.whole(start)
    except KeyError:
        return False
    name = {COMMIT: b"commit", TREE: b"tree"}.get(kind)
    if name is None:
        return True
    sha = hashlib.sha1(b"%s %d\0" % (name, len(raw)) + raw, usedforsecurity=False).digest()
    # By its sha a delta finds a commit as its base, too.
    pack.starts[sha] = start
    if kind == COMMIT:
        pack.roots[sha] = _tree_of(raw)
    return True


def _tree_of(raw: bytes) -> bytes:
    try:
        return bytes.fromhex(raw[5:45].decode("ascii"))
    except ValueError:
        return b""


_Entry = tuple[int, bytes] | None


def _differences(before: frozenset[bytes], after: frozenset[bytes]) -> Iterator[tuple[bytes, _Entry, _Entry]]:
    """(name, what it was, what it is) of everything in a folder that is not the same, by name."""
    was, now = (dict(map(_read, only)) for only in (before - after, after - before))
    for name in sorted({*was, *now}):
        old, new = was.get(name), now.get(name)
        if old != new:
            yield name, old, new


def _read(entry: bytes) -> tuple[bytes, _Entry]:
    mode, _, rest = entry.partition(b" ")
    return rest[:-21], (_kind(int(mode, 8)), rest[-20:])


def _kind(mode: int) -> int:
    """A mode as git compares it: of a file it matters only whether it can be run."""
    kind = mode & _TYPE
    return kind if kind != 0o100000 else kind | (mode & _EXECUTABLE)


def _is_folder(entry: _Entry) -> bool:
    return entry is not None and entry[0] == _FOLDER


def _is_file(entry: _Entry) -> bool:
    return entry is not None and entry[0] != _FOLDER


def _below(entry: _Entry) -> bytes:
    return entry[1] if entry is not None and _is_folder(entry) else b""


def _text(path: bytes) -> str:
    """A path as it is stored: UTF-8, else Latin-1; of a long one the beginning, a folder's slash after it."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = path.decode("latin-1")
    if len(text) <= LONGEST_PATH:
        return text
    return text[: LONGEST_PATH - 1] + ("/" if text.endswith("/") else text[LONGEST_PATH - 1])


def _left_out() -> GitHubUnavailable:
    return GitHubUnavailable("GitHub's git server left out folders.", "They are fetched again later.")
