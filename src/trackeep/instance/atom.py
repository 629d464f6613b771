"""Atom feeds as RFC 4287 wants them, from plain entries; pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
# Names for things, for ever: whatever the address of this instance becomes, readers know an entry again.
_OURS = uuid.UUID("6d3f6a8c-52a1-5f0b-9c57-7c2b1f0e4a11")
# Everything that XML 1.0 does not allow in any document (https://www.w3.org/TR/xml/#charsets).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ElementTree.register_namespace("", NAMESPACE)


@dataclass(frozen=True)
class Entry:
    """One thing that happened; `key` names it for ever, `at` (unix seconds) is when it last changed."""

    key: tuple[object, ...]
    title: str
    at: int
    link: str
    author: str
    text: str = ""


@dataclass(frozen=True)
class Feed:
    """`itself` and `page` are addresses; `since` (unix seconds) is its time while it has no entry."""

    key: tuple[object, ...]
    title: str
    itself: str
    page: str
    since: int
    generator: str
    entries: tuple[Entry, ...]


def write(feed: Feed) -> bytes:
    """The document in UTF-8. Of entries with the same key only the first is there."""
    root = ElementTree.Element(_name("feed"))
    _texts(root, (("id", _urn(feed.key)), ("title", feed.title), ("updated", _time(_updated(feed)))))
    _link(root, "self", feed.itself, MEDIA_TYPE)
    _link(root, "alternate", feed.page, "text/html")
    _texts(root, (("generator", feed.generator),))
    for entry in _once(feed.entries):
        _entry(root, entry)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _entry(root: ElementTree.Element, entry: Entry) -> None:
    element = ElementTree.SubElement(root, _name("entry"))
    moment = _time(entry.at)
    title = entry.title or "(no title)"
    _texts(element, (("id", _urn(entry.key)), ("title", title), ("updated", moment), ("published", moment)))
    _texts(ElementTree.SubElement(element, _name("author")), (("name", entry.author or "Somebody"),))
    _link(element, "alternate", entry.link, "text/html")
    if entry.text:
        _texts(element, (("summary", entry.text),))


def _texts(parent: ElementTree.Element, pairs: Iterable[tuple[str, str]]) -> None:
    for name, text in pairs:
        ElementTree.SubElement(parent, _name(name)).text = _FORBIDDEN.sub("", text)


def _link(parent: ElementTree.Element, rel: str, href: str, kind: str) -> None:
    ElementTree.SubElement(parent, _name("link"), {"rel": rel, "href": href, "type": kind})


def _once(entries: Iterable[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(_urn(entry.key), entry)
    return list(found.values())


def _updated(feed: Feed) -> int:
    return max((entry.at for entry in feed.entries), default=feed.since)


def _urn(key: tuple[object, ...]) -> str:
    return uuid.uuid5(_OURS, repr(key)).urn


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _name(tag: str) -> str:
    return f"{{{NAMESPACE}}}{tag}"
