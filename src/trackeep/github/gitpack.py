"""Reads the commits out of a git pack file, parents before children, in bounded memory."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from trackeep.errors import GitHubTooLarge, GitHubTooManyCommits, GitHubUnavailable
from trackeep.github.gitobjects import parents_of, parse_commit
from trackeep.model import Commit

# Object types of https://git-scm.com/docs/gitformat-pack.
COMMIT, TREE, _OFFSET_DELTA, _SHA_DELTA = 1, 2, 6, 7
DELTAS = (_OFFSET_DELTA, _SHA_DELTA)
HEADER, TRAILER = 12, 20
_PIECE = 1024  # most commits inflate from less, and what follows is copied for each object
_LARGEST_COMMIT = 64 * 1024 * 1024
DEEPEST_DELTA = 4096
_KEPT_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class CommitPack:
    """A pack on disk of which the commits' places, names and parents are known.

    `others` counts what is no commit.
    """

    data: mmap.mmap
    size: int
    index: dict[bytes, int] = field(default_factory=dict)
    starts: array[int] = field(default_factory=lambda: array("Q"))
    parents: list[tuple[bytes, ...]] = field(default_factory=list)
    others: int = 0
    # The first commits as they were inflated for their shas, so that most packs are inflated once only.
    kept: list[bytes] = field(default_factory=list)
    kept_bytes: int = 0

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, sha: str) -> bool:
        return bytes.fromhex(sha) in self.index

    def outside(self) -> set[str]:
        """Parents that the pack does not hold."""
        return {p.hex() for parents in self.parents for p in parents if p not in self.index}

    def commits(self) -> Iterator[Commit]:
        """Every commit once, each after all of its parents that the pack holds."""
        for sha, raw in self._raw_commits():
            yield parse_commit(sha, raw)

    def pages(self, most_commits: int, most_bytes: int) -> Iterator[list[Commit]]:
        """The same in lists, each of which ends at `most_commits` or once it has `most_bytes` of objects."""
        page: list[Commit] = []
        size = 0
        for sha, raw in self._raw_commits():
            page.append(parse_commit(sha, raw))
            size += len(raw)
            if len(page) >= most_commits or size >= most_bytes:
                yield page
                page, size = [], 0
        if page:
            yield page

    def reached_from(self, shas: set[str]) -> set[str]:
        """Those of the pack's commits that `shas` lead to within the pack, themselves included."""
        names = list(self.index)
        stack = [self.index[key] for key in map(bytes.fromhex, shas) if key in self.index]
        seen = set(stack)
        while stack:
            for parent in self.parents[stack.pop()]:
                number = self.index.get(parent)
                if number is not None and number not in seen:
                    seen.add(number)
                    stack.append(number)
        return {names[number].hex() for number in seen}

    def close(self) -> None:
        self.data.close()

    def _raw_commits(self) -> Iterator[tuple[str, bytes]]:
        reader = PackReader(self.data, self.size - TRAILER)
        shas = list(self.index)
        for number in self._parents_first():
            if number < len(self.kept):
                raw = self.kept[number]
            else:
                raw = reader.whole(self.starts[number], self.index, self.starts)
            yield shas[number].hex(), raw

    def _parents_first(self) -> Iterator[int]:
        # Git writes newest first, so going backwards most parents have been met already.
        done = bytearray(len(self.parents))
        for start in range(len(self.parents) - 1, -1, -1):
            stack = [start]
            while stack:
                number = stack[-1]
                missing = [
                    place
                    for parent in self.parents[number]
                    if (place := self.index.get(parent)) is not None and not done[place]
                ]
                if missing and not done[number]:
                    stack.extend(missing)
                    continue
                stack.pop()
                if not done[number]:
                    done[number] = 1
                    yield number


def read_pack(file: IO[bytes], *, most_commits: int) -> CommitPack:
    """Check the pack in `file` against its own checksum and find its commits.

    Raises GitHubUnavailable when it is cut or damaged, GitHubTooManyCommits beyond `most_commits` and
    GitHubTooLarge for a commit of more than 64 MB.
    """
    with mapped(file) as data:
        return _indexed(CommitPack(data, len(data)), most_commits)


@contextlib.contextmanager
def mapped(file: IO[bytes]) -> Iterator[mmap.mmap]:
    """The pack in `file` as bytes; closed only if it turns out to be none that can be read.

    Raises GitHubUnavailable when it is cut or damaged.
    """
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise damaged("it is empty") from None
    try:
        yield data
    except IndexError:
        data.close()
        raise damaged("an object ends too early") from None
    except BaseException:
        data.close()
        raise


def _indexed(pack: CommitPack, most_commits: int) -> CommitPack:
    count = checked_count(pack.data, pack.size)
    if count > most_commits:
        raise GitHubTooManyCommits(
            f"The repository has more new commits ({count}) than are fetched at once ({most_commits}).",
            "Leave this repository out, or raise the limit.",
        )
    reader = PackReader(pack.data, pack.size - TRAILER)
    deltas = []
    position = HEADER
    for _ in range(count):
        start, kind = position, reader.kind(position)
        if kind == COMMIT:
            raw, position = reader.inflated(start)
            _remember(pack, start, raw)
        else:
            position = reader.skipped(start)
            if kind in DELTAS:
                deltas.append(start)
            else:
                pack.others += 1
    if position != pack.size - TRAILER:
        raise damaged("it holds more than it announces")
    _resolve(pack, reader, deltas)
    return pack


def _resolve(pack: CommitPack, reader: PackReader, deltas: list[int]) -> None:
    # A delta may name a base by a sha that is itself a later delta, so go round until nothing changes.
    while deltas:
        waiting = []
        for start in deltas:
            try:
                raw = reader.whole(start, pack.index, pack.starts)
            except KeyError:
                waiting.append(start)
                continue
            if raw:
                _remember(pack, start, raw)
            else:
                pack.others += 1
        if len(waiting) == len(deltas):
            pack.others += len(waiting)  # deltas of trees, blobs or tags, which nobody asked for
            return
        deltas = waiting


def _remember(pack: CommitPack, start: int, raw: bytes) -> None:
    sha = hashlib.sha1(b"commit %d\0" % len(raw) + raw, usedforsecurity=False).digest()
    if sha in pack.index:
        return
    pack.index[sha] = len(pack.parents)
    pack.starts.append(start)
    pack.parents.append(tuple(parents_of(raw)))
    if pack.kept_bytes < _KEPT_BYTES and len(pack.kept) == len(pack.parents) - 1:
        pack.kept.append(raw)
        pack.kept_bytes += len(raw)


def checked_count(data: mmap.mmap, size: int) -> int:
    """The number of objects that the header announces, once the checksum at the end is right."""
    if size < HEADER + TRAILER or data[:4] != b"PACK":
        raise damaged("it has no header")
    digest = hashlib.sha1(usedforsecurity=False)
    with memoryview(data) as view:
        digest.update(view[: size - TRAILER])
    if digest.digest() != data[size - TRAILER :]:
        raise damaged("its checksum is wrong")
    version, count = struct.unpack(">II", data[4:HEADER])
    if version not in (2, 3):
        raise damaged(f"version {version} is not known")
    return int(count)


class PackReader:
    """Single objects of a pack by the place where they start; `end` is where the last one ends."""

    def __init__(self, data: mmap.mmap, end: int) -> None:
        self.data = data
        self.end = end

    def kind(self, start: int) -> int:
        return (self.data[start] >> 4) & 7

    def whole(self, start: int, index: dict[bytes, int], starts: array[int]) -> bytes:
        """The commit at `start` with its deltas applied, b"" when it is something else.

        Raises KeyError when a base is not known (yet).
        """
        chain: list[int] = []
        while (kind := self.kind(start)) in DELTAS:
            if len(chain) > DEEPEST_DELTA:
                raise damaged("its deltas do not end")
            chain.append(start)
            _, _, base = self.opened(start)
            start = base if isinstance(base, int) else starts[index[base]]
        if kind != COMMIT:
            return b""
        raw, _ = self.inflated(start)
        for delta in reversed(chain):
            raw = patched(raw, self.inflated(delta)[0])
        return raw

    def inflated(self, start: int) -> tuple[bytes, int]:
        """The bytes of the object at `start`, not yet patched, and where the next one starts."""
        position, size, _ = self.opened(start)
        if size > _LARGEST_COMMIT:
            raise GitHubTooLarge(
                f"A commit or folder of the repository is {size} bytes long.", "Leave this repository out."
            )
        pieces: list[bytes] = []
        following = self._inflate(position, size, pieces.append)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), following

    def skipped(self, start: int) -> int:
        """Where the object after the one at `start` begins; no more than a piece of it is held."""
        position, size, _ = self.opened(start)
        return self._inflate(position, size, lambda _piece: None)

    def _inflate(self, position: int, size: int, take: Callable[[bytes], None]) -> int:
        """Give `take` the `size` bytes of the zlib stream at `position`; returns where the stream ends."""
        inflater = zlib.decompressobj()
        length, have = _PIECE, 0
        while not inflater.eof and have <= size:
            fed = self.data[position : min(position + length, self.end)]
            if not fed:
                raise damaged("it ends within an object")
            length = min(length * 2, 1 << 20)
            try:
                piece = inflater.decompress(fed, 1 << 24)
            except zlib.error:
                raise damaged("an object cannot be inflated") from None
            position += len(fed) - len(inflater.unused_data) - len(inflater.unconsumed_tail)
            have += len(piece)
            take(piece)
        if have != size:
            raise damaged("an object has another length than announced")
        return position

    def opened(self, start: int) -> tuple[int, int, int | bytes]:
        """Of the object at `start`: where its zlib stream begins, its size, and a delta's base."""
        data, position = self.data, start
        byte = data[position]
        kind, size, shift = (byte >> 4) & 7, byte & 15, 4
        while byte & 0x80:
            position += 1
            byte = data[position]
            size |= (byte & 0x7F) << shift
            shift += 7
        position += 1
        if kind == _SHA_DELTA:
            return position + 20, size, data[position : position + 20]
        if kind != _OFFSET_DELTA:
            return position, size, 0
        byte = data[position]
        back = byte & 0x7F
        while byte & 0x80:
            position += 1
            byte = data[position]
            back = ((back + 1) << 7) | (byte & 0x7F)
        if not HEADER <= start - back < start:
            raise damaged("a delta points outside of it")
        return position + 1, size, start - back


def patched(base: bytes, delta: bytes) -> bytes:
    """`base` after the copy and insert instructions of `delta` (see gitformat-pack)."""
    _, position = _number(delta, 0)
    size, position = _number(delta, position)
    out = bytearray()
    # Looked at while it grows: a few bytes that copy 16 MB each would take all memory before the end.
    while position < len(delta) and len(out) <= size <= _LARGEST_COMMIT:
        code = delta[position]
        position += 1
        if not code & 0x80:
            out += delta[position : position + code]
            position += code
            continue
        offset, length, position = _copied(delta, position, code)
        out += base[offset : offset + length]
    if len(out) != size or size > _LARGEST_COMMIT:
        raise damaged("a delta makes another length than announced")
    return bytes(out)


def _copied(delta: bytes, position: int, code: int) -> tuple[int, int, int]:
    """Where a copy instruction copies from, how much, and where the next instruction starts."""
    offset = length = 0
    for bit in range(7):
        if not code & (1 << bit):
            continue
        if bit < 4:
            offset |= delta[position] << (8 * bit)
        else:
            length |= delta[position] << (8 * (bit - 4))
        position += 1
    return offset, length or 0x10000, position


def _number(delta: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = delta[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, position


def damaged(why: str) -> GitHubUnavailable:
    return GitHubUnavailable(f"GitHub sent a damaged pack of commits: {why}.", "It is fetched again later.")
