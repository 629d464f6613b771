"""The list of requests the local GitHub has answered, kept for whoever wants to count them."""

import time
from collections import deque
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection


@dataclass(slots=True)
class LogEntry:
    """One answered request; handlers fill in login, token, resource, cost and conditional as they learn them.

    `token` is a fingerprint, never the token; `resource` is core, graphql, search or git; `cost` is in that
    resource's units (0 for a 304); `conditional` says that the request carried a validator. `digest` names
    the body that was sent, "" without one; `fault` is the kind of failure that struck. `began` and `ended`
    are seconds of a clock that nobody sets: two requests were in flight together if these overlap.
    `said` are the headers by which a client names itself.
    """

    n: int
    at: float
    method: str
    path: str
    query: str
    status: int = 0
    login: str | None = None
    token: str | None = None
    resource: str | None = None
    cost: int = 0
    conditional: bool = False
    digest: str = ""
    fault: str = ""
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    said: dict[str, str] = field(default_factory=dict)


class RequestLog:
    """The newest entries, numbered from 1; clearing does not restart the numbers."""

    def __init__(self, keep: int = 50_000) -> None:
        self.entries: deque[LogEntry] = deque(maxlen=keep)
        self._count = 0

    def start(self, at: float, method: str, path: str, query: str) -> LogEntry:
        self._count += 1
        return LogEntry(self._count, at, method, path, query)

    def add(self, entry: LogEntry) -> None:
        self.entries.append(entry)

    def since(self, number: int) -> list[LogEntry]:
        return sorted((e for e in self.entries if e.n > number), key=lambda e: e.n)

    def clear(self) -> None:
        self.entries.clear()


def entry_of(request: HTTPConnection) -> LogEntry:
    """The entry of the request being answered."""
    entry = request.scope["sandbox.entry"]
    assert isinstance(entry, LogEntry)
    return entry
