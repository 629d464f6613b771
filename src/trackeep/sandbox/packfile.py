"""Writes git's objects straight into one packfile, and reads single commits back without starting git."""

from __future__ import annotations

import hashlib
import mmap
import zlib
from array import array
from collections.abc import Iterator, MutableMapping
from functools import cached_property
from pathlib import Path

from trackeep.sandbox.world import Commit, Signature

# https://git-scm.com/docs/gitformat-pack
COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_ID_BYTES = 20
_PIECE_BYTES = 512


class PackWriter:
    """Collects the objects of one repository; `finish` puts them into its `objects/pack`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        self._size = 12
        self._others: set[bytes] = set()

    def add(self, kind: int, body: bytes) -> str:
        """Its id; an object that was added before is not added again."""
        digest = hashlib.sha1(b"%s %d\0%s" % (_NAMES[kind], len(body), body), usedforsecurity=False).digest()
        if digest not in self._places:
            part = _header(kind, len(body)) + zlib.compress(body, 1)
            self._places[digest] = (self._size, zlib.crc32(part))
            self._parts.append(part)
            self._size += len(part)
            if kind != COMMIT:
                self._others.add(digest)
        return digest.hex()

    def finish(self, git_dir: Path) -> PackedCommits:
        head = b"PACK" + (2).to_bytes(4, "big") + len(self._parts).to_bytes(4, "big")
        body = b"".join((head, *self._parts))
        checksum = hashlib.sha1(body, usedforsecurity=False).digest()
        folder, ids = git_dir / "objects" / "pack", sorted(self._places)
        path = folder / f"pack-{checksum.hex()}.pack"
        path.write_bytes(body + checksum)
        path.with_suffix(".idx").write_bytes(self._index(ids, checksum))
        commits = [each for each in ids if each not in self._others]
        return PackedCommits(path, b"".join(commits), array("L", (self._places[each][0] for each in commits)))

    def _index(self, ids: list[bytes], pack_checksum: bytes) -> bytes:
        starts = [0] * 256
        for each in ids:
            starts[each[0]] += 1
        fanout, total = array("I"), 0
        for count in starts:
            total += count
            fanout.append(total)
        sums = array("I", (self._places[each][1] for each in ids))
        offsets = array("I", (self._places[each][0] for each in ids))
        for numbers in (fanout, sums, offsets):
            numbers.byteswap()
        version = b"\xfftOc" + (2).to_bytes(4, "big")
        lists = (fanout.tobytes(), b"".join(ids), sums.tobytes(), offsets.tobytes())
        written = b"".join((version, *lists, pack_checksum))
        return written + hashlib.sha1(written, usedforsecurity=False).digest()


class PackedCommits(MutableMapping[str, Commit]):
    """A repository's commits by id: those of its pack are read when they are asked for, new ones are kept."""

    def __init__(self, pack: Path, ids: bytes, offsets: array[int]) -> None:
        self._pack = pack
        self._ids = ids
        self._offsets = offsets
        self._added: dict[str, Commit] = {}

    def __getitem__(self, sha: str) -> Commit:
        if sha in self._added:
            return self._added[sha]
        place = self._place(sha)
        if place is None:
            raise KeyError(sha)
        start = self._offsets[place]
        while self._bytes[start] & 0x80:
            start += 1
        reader, text = zlib.decompressobj(), bytearray()
        for at in range(start + 1, len(self._bytes), _PIECE_BYTES):
            text += reader.decompress(self._bytes[at : at + _PIECE_BYTES])
            if reader.eof:
                break
        return _parsed(sha, text.decode())

    def __setitem__(self, sha: str, commit: Commit) -> None:
        self._added[sha] = commit

    def __delitem__(self, sha: str) -> None:
        del self._added[sha]

    def __contains__(self, sha: object) -> bool:
        return sha in self._added or (isinstance(sha, str) and self._place(sha) is not None)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._ids), _ID_BYTES):
            yield self._ids[start : start + _ID_BYTES].hex()
        yield from self._added

    def __len__(self) -> int:
        return len(self._offsets) + len(self._added)

    @cached_property
    def _bytes(self) -> mmap.mmap:
        with self._pack.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _place(self, sha: str) -> int | None:
        try:
            wanted = bytes.fromhex(sha)
        except ValueError:
            return None
        low, high = 0, len(self._offsets)
        while low < high:
            middle = (low + high) // 2
            found = self._ids[middle * _ID_BYTES : (middle + 1) * _ID_BYTES]
            if found == wanted:
                return middle
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return None


def line_counts(sha: str) -> tuple[int, int, int]:
    """Additions, deletions and changed files, invented from the id: such commits share one tree."""
    return 1 + int(sha[:4], 16) % 120, int(sha[4:8], 16) % 60, 1 + int(sha[8], 16) % 6


def _header(kind: int, size: int) -> bytes:
    found, size, byte = bytearray(), size >> 4, kind << 4 | size & 15
    while size:
        found.append(byte | 0x80)
        size, byte = size >> 7, size & 0x7F
    found.append(byte)
    return bytes(found)


def _parsed(sha: str, text: str) -> Commit:
    head, _, message = text.partition("\n\n")
    lines = [line.partition(" ") for line in head.split("\n")]
    parents = tuple(value for key, _, value in lines if key == "parent")
    said = {key: value for key, _, value in lines}
    author, committer = _signature(said["author"]), _signature(said["committer"])
    counts = line_counts(sha)
    return Commit(sha, said["tree"], parents, author, committer, message.removesuffix("\n"), *counts)


def _signature(line: str) -> Signature:
    who, at, zone = line.rsplit(" ", 2)
    name, _, email = who.removesuffix(">").rpartition(" <")
    minutes = int(zone[1:3]) * 60 + int(zone[3:])
    return Signature(name, email, int(at), -minutes if zone[0] == "-" else minutes)
