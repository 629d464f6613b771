"""Turns the bytes of a git commit into `model.Commit`, whatever somebody once wrote into them."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from trackeep.model import EARLIEST_AT, LATEST_AT, CoAuthor, Commit, Signature

_MINUTES_A_DAY = 24 * 60
_SHA_BYTES, _PARENT_LINE = 20, 47
# Longer than any address mail can use (RFC 5321: 254); PostgreSQL refuses to index much more.
_LONGEST_ADDRESS = 320
# GitHub's own limit of an account's name; somebody's two megabytes would stand on every page.
_LONGEST_NAME = 255
_LONGEST_REMEMBERED = 512  # bytes of "name <address>"; a few thousand of them are kept
_MOST_CO_AUTHORS = 200
# Codecs of Python that are no character encodings, or take quadratic time on long input.
_NO_ENCODINGS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}

_CO_AUTHOR = re.compile(r"^co-authored-by:([^<>\n]*)<([^<>\n]*)>", re.IGNORECASE | re.MULTILINE)


def parse_commit(sha: str, raw: bytes) -> Commit:
    """The commit `sha` from the bytes of its object; never raises, missing parts are empty.

    Text is read by the declared `encoding`, else (none, unknown, or it does not fit) as UTF-8, else as
    Latin-1; U+0000 becomes U+FFFD. A name has at most 255 characters, an address 320, co-authors are 200.
    Line breaks at the end of a message are left out, as GitHub's API does, so that a commit is the same
    wherever it came from.
    A time outside of the years 2 to 9998 becomes the nearest second inside; one that is no number is 0, and
    so is a zone of a day or more (`+9999`). Of a zone with more digits the first four count (`+051800`).
    Layout: https://git-scm.com/docs/git-commit-tree and the gpgsig and encoding headers of git-commit.
    """
    head, _, body = raw.partition(b"\n\n")
    author = committer = b""
    encoding = ""
    signed = False
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"author":
            author = value
        elif key == b"committer":
            committer = value
        elif key == b"encoding":
            encoding = _encoding(value)
        elif key.startswith(b"gpgsig"):
            signed = True
    message = plain_message(_text(body, encoding))
    wrote = _signature(author, encoding)
    return Commit(
        sha=sha,
        parents=tuple([parent.hex() for parent in parents_of(raw)]),
        author=wrote,
        committer=wrote if committer == author else _signature(committer, encoding),
        message=message,
        signed=signed,
        co_authors=co_authors_of(message),
    )


def parents_of(raw: bytes) -> list[bytes]:
    """The parents' shas (20 bytes each) of a commit object: the lines after the first that name one."""
    parents = []
    position = raw.find(b"\n") + 1
    while raw.startswith(b"parent ", position):
        end = raw.find(b"\n", position)
        try:
            sha = bytes.fromhex(raw[position + 7 : end].decode("ascii"))
        except ValueError:
            break
        if end - position != _PARENT_LINE or len(sha) != _SHA_BYTES:
            break
        parents.append(sha)
        position = end + 1
    return parents


def plain_message(text: str) -> str:
    """A message as it is stored: nothing a database refuses, no line breaks at its end."""
    return _without_nul(text).rstrip("\r\n")


def plain_signature(name: str, email: str, at: int, offset_minutes: int) -> Signature:
    """A signature as it is stored: texts short enough for an index, an instant a calendar can show."""
    return Signature(*_plain_who(name, email), _in_a_calendar(at), offset_minutes)


def co_authors_of(message: str) -> tuple[CoAuthor, ...]:
    """Whom the trailers of a message name, each address once."""
    if "o-authored-by:" not in message and "o-authored-by:" not in message.lower():
        return ()
    found: dict[str, CoAuthor] = {}
    for name, email in _CO_AUTHOR.findall(message):
        address = _short(email, _LONGEST_ADDRESS)
        if address and len(found) < _MOST_CO_AUTHORS:
            found.setdefault(address, CoAuthor(_short(name, _LONGEST_NAME), address))
    return tuple(found.values())


def _signature(line: bytes, encoding: str) -> Signature:
    # As git does: the first "<" and the ">" after it hold the address, the last ">" precedes the time.
    who, _, when = line.rpartition(b">")
    whose = who if who else line
    named = _who if len(whose) <= _LONGEST_REMEMBERED else _who.__wrapped__
    stamp, _, zone = when.strip().partition(b" ") if who else (b"", b"", b"")
    return Signature(*named(whose, encoding), _in_a_calendar(_instant(stamp)), _offset(zone))


@lru_cache(maxsize=4096)
def _who(line: bytes, encoding: str) -> tuple[str, str]:
    name, _, rest = line.partition(b"<")
    email = rest.partition(b">")[0]
    return _plain_who(_text(name, encoding), _text(email, encoding))


def _plain_who(name: str, email: str) -> tuple[str, str]:
    return _short(name, _LONGEST_NAME), _short(email, _LONGEST_ADDRESS)


def _in_a_calendar(at: int) -> int:
    return max(EARLIEST_AT, min(at, LATEST_AT))


def _instant(stamp: bytes) -> int:
    # Twenty digits are more than any calendar has; as in C the number ends where the digits do.
    if len(stamp) <= 20 and stamp.isdigit():
        return int(stamp)
    found = re.match(rb"[+-]?\d{1,20}", stamp)
    return int(found[0]) if found else 0


@lru_cache(maxsize=1024)
def _offset(zone: bytes) -> int:
    """Minutes east of UTC of `+hhmm`; of longer digits the first four count, impossible zones are 0."""
    found = re.match(rb"([+-]?)(\d{1,4})", zone.strip())
    if not found:
        return 0
    hours, minutes = divmod(int(found[2]), 100)
    total = hours * 60 + minutes
    if total >= _MINUTES_A_DAY:
        return 0
    return -total if found[1] == b"-" else total


def _text(raw: bytes, encoding: str) -> str:
    return _without_nul(_decoded(raw, encoding))


def _short(text: str, most: int) -> str:
    return _without_nul(text).strip()[:most].rstrip()


def _without_nul(text: str) -> str:
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _decoded(raw: bytes, encoding: str) -> str:
    if encoding:
        try:
            text = raw.decode(encoding)
            text.encode()  # some codecs yield half characters, which no database takes
            return text
        except (LookupError, ValueError):
            pass
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


@lru_cache(maxsize=256)
def _encoding(name: bytes) -> str:
    """The codec that a commit's `encoding` header means, "" when it is UTF-8 or unknown."""
    try:
        codec = codecs.lookup(name.decode("ascii").strip()).name
    except (LookupError, ValueError):
        return ""
    return "" if codec == "utf-8" or codec in _NO_ENCODINGS else codec
