"""Pages of a list as GitHub's GraphQL gives them: opaque cursors, totals, and refusals of wrong bounds."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode

PAGE_LIMIT = 100
_CURSOR = "cursor:v2:"

Key = tuple[int | str, ...]
Info = GraphQLResolveInfo[Any]
Resolver = Callable[..., Any]


class Refused(Exception):
    """An error of one field; `kind` is what GitHub writes as the error's `type` (None: without a type)."""

    def __init__(self, kind: str | None, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def not_found(message: str) -> NoReturn:
    raise Refused("NOT_FOUND", message)


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything a connection could show, in order; the keys say where a cursor stands when things move."""

    entries: Sequence[tuple[Key, Any]]
    descending: bool = False

    @staticmethod
    def by(key: Callable[[Any], Key], items: Iterable[Any], *, descending: bool = False) -> "Listing":
        entries = sorted(
            ((key(item), item) for item in items), key=lambda entry: entry[0], reverse=descending
        )
        return Listing(entries, descending)

    @staticmethod
    def as_given(items: Iterable[Any]) -> "Listing":
        return Listing([((place,), item) for place, item in enumerate(items)])


@dataclass(frozen=True, slots=True)
class Connection:
    """One page; `edges` are (cursor, node) pairs."""

    edges: Sequence[tuple[str, Any]]
    total_count: int
    has_next: bool
    has_previous: bool
    whole: Any = None

    @property
    def nodes(self) -> list[Any]:
        return [node for _, node in self.edges]


def connect(
    info: Info,
    args: dict[str, Any],
    listing: Callable[[], Listing],
    *,
    total: int | None = None,
    whole: Any = None,
) -> Connection:
    """The page that `first`, `last`, `after` and `before` ask for; `whole` is kept for extra fields.

    `listing` is not called when only a known `total` is wanted. Raises Refused for bounds GitHub refuses.
    """
    if not _wants_page(info):
        return Connection((), len(listing().entries) if total is None else total, False, False, whole)
    size, from_end = _bounds(info.field_name, args)
    found = listing()
    start, end = _window(found, args)
    low = max(start, end - size) if from_end else start
    high = end if from_end else min(end, start + size)
    edges = [(_cursor(key), item) for key, item in found.entries[low:high]]
    count = len(found.entries) if total is None else total
    return Connection(edges, count, high < len(found.entries), low > 0, whole)


def _bounds(name: str, args: dict[str, Any]) -> tuple[int, bool]:
    """The page's size and whether it is counted from the end."""
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        message = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        raise Refused("MISSING_PAGINATION_BOUNDARIES", message)
    if first is not None and last is not None:
        message = f"Passing both `first` and `last` to paginate the `{name}` connection is not supported."
        raise Refused(None, message)
    argument, size = ("last", last) if first is None else ("first", first)
    assert isinstance(size, int)
    if size > PAGE_LIMIT:
        asked = f"Requesting {size} records on the `{name}` connection"
        message = f"{asked} exceeds the `{argument}` limit of {PAGE_LIMIT} records."
        raise Refused("EXCESSIVE_PAGINATION", message)
    if size < 1:
        raise Refused(None, f"`{argument}` on the `{name}` connection must be within 1-100, not {size}.")
    return size, argument == "last"


def _window(listing: Listing, args: dict[str, Any]) -> tuple[int, int]:
    """First and one-past-last index that the cursors leave."""
    after, before = args.get("after"), args.get("before")
    start, end = 0, len(listing.entries)
    if after:
        key = _key(after)
        start = sum(1 for known, _ in listing.entries if not _is_beyond(known, key, listing.descending))
    if before:
        key = _key(before)
        end = sum(1 for known, _ in listing.entries if _is_beyond(key, known, listing.descending))
    return start, max(start, end)


def _is_beyond(known: Key, key: Key, descending: bool) -> bool:
    return known < key if descending else known > key


def _cursor(key: Key) -> str:
    return base64.b64encode(f"{_CURSOR}{json.dumps(key)}".encode()).decode()


def _key(cursor: str) -> Key:
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return tuple(json.loads(text.removeprefix(_CURSOR)))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError, TypeError):
        message = f"`{cursor}` does not appear to be a valid cursor."
        raise Refused("INVALID_CURSOR_ARGUMENTS", message) from None


def _wants_page(info: Info) -> bool:
    """GitHub asks for bounds only where nodes are wanted; a total needs none."""
    return any(_selects_page(info, field.selection_set) for field in info.field_nodes)


def _selects_page(info: Info, selected: SelectionSetNode | None) -> bool:
    for selection in selected.selections if selected else ():
        if isinstance(selection, FieldNode):
            if selection.name.value in ("nodes", "edges", "pageInfo"):
                return True
        elif isinstance(selection, FragmentSpreadNode):
            if _selects_page(info, info.fragments[selection.name.value].selection_set):
                return True
        elif isinstance(selection, InlineFragmentNode) and _selects_page(info, selection.selection_set):
            return True
    return False
