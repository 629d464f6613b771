"""One connection of a visitor: how long a request may be on its way, how slowly its answer may be read."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's, with an end to how long a request's head and its way here may be: the parser knows none."""

    longest_head = 65_536
    arrives_within_s = 20.0
    moves_within_s = 60.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(_InOneGo(transport, self.loop, self.moves_within_s))
        self._head_bytes, self._in_head = 0, True
        self._late = self.loop.call_later(self.arrives_within_s, self.transport.close)

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.longest_head and not self.transport.is_closing():
                self.send_400_response("The head of this request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._in_head = 0, True
        self._late.cancel()
        self._late = self.loop.call_later(self.arrives_within_s, self.transport.close)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._late.cancel()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)


class _InOneGo(asyncio.Transport):
    """A connection on which the head and the body of an answer leave together: one system call, not two.

    It ends when its reader takes next to nothing of what is there for `moves_within_s`: else one who
    reads byte by byte, or not at all, would hold it and its answer for ever.
    """

    most_waiting = 65_536
    least_taken = 16_384

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, moves_within_s: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._moves_within_s = moves_within_s
        self._waiting: list[bytes] = []
        self._bytes = self._handed_on = 0
        self._is_watched = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(bytes(data))
        self._bytes += len(data)
        # A long answer is handed on as it comes, so that a slow reader holds the writer back as before.
        if self._bytes > self.most_waiting:
            self._send()

    def _send(self) -> None:
        if self._waiting:
            self._transport.write(b"".join(self._waiting))
            self._waiting.clear()
            self._handed_on += self._bytes
            self._bytes = 0
            if not self._is_watched:
                self._watch()

    def _watch(self) -> None:
        left = self._transport.get_write_buffer_size()
        self._is_watched = left > 0
        if left:
            enough = self._handed_on - left + min(left, self.least_taken)
            self._loop.call_later(self._moves_within_s, self._look, enough)

    def _look(self, enough: int) -> None:
        left = self._transport.get_write_buffer_size()
        if left and self._handed_on - left < enough:
            self._transport.abort()
        else:
            self._watch()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)
