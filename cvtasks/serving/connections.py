"""Connections with an end: each has so long for the head of a request, between two requests, and to
take what it is sent; and there are only so many.

uvicorn waits for a first request for ever, and keeps what a client does not read.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cvtasks.serving.limits import Limits

_LINGER_S = 2.0  # that the rest of a body is passed over whose request was answered early
_SLOWEST = 10_000  # bytes a second that a client takes of an answer
_PATIENCE_S = 5.0  # that a body may take when there are too many connections
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    b"retry-after: 1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
)


class Connection(H11Protocol):
    """A connection to one client."""

    limits = Limits()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._unread = 0
        self._since = self.loop.time()

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room, or make some."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections and not self._make_room():
            content = b'{"error": "The server has too many connections. Try again soon."}'
            transport.write(_FULL % (len(content), content))
            transport.close()
            self._end_by(self.limits.stalled_s)
            return
        self._end_by(self.limits.header_s)

    def _make_room(self) -> bool:
        """Close the connection that is needed least; False where all have work under way."""
        others = [one for one in self.connections if one is not self]
        idle = [one for one in others if isinstance(one, Connection) and not one.busy]
        now = self.loop.time()
        if not idle:
            idle = [
                one
                for one in others
                if isinstance(one, Connection)
                and one.cycle.more_body
                and now - one._since > _PATIENCE_S
            ]
        if not idle:
            return False
        oldest = min(idle, key=lambda one: one._since)
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_by(None)
        if self._stalled:
            self._stalled.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        before = self.cycle
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # nonsense, while an answer is under way
            self.transport.abort()
            return
        if self.busy:
            if self.cycle is not before:
                self._since = self.loop.time()
            self._end_by(None)
        elif self._deadline is None and not self.transport.is_closing():
            self._end_by(self.limits.header_s)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one's body."""
        self._since = self.loop.time()
        super().on_response_complete()
        if self.transport.is_closing():
            self._end_by(self.limits.stalled_s)
        elif not self.busy and self.conn.their_state is h11.SEND_BODY:
            self._end_by(_LINGER_S)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing comes."""
        super().timeout_keep_alive_handler()
        self._end_by(self.limits.stalled_s)

    def shutdown(self) -> None:
        """Close it, or do so when the request under way is answered."""
        super().shutdown()
        if not self.busy:
            self._end_by(self.limits.stalled_s)

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP."""
        super().send_400_response(msg)
        self._end_by(self.limits.stalled_s)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        if self._stalled is None:
            self._unread = self.transport.get_write_buffer_size()
            self._stalled = self.loop.call_later(self.limits.stalled_s, self._look_whether_it_takes)

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    def _look_whether_it_takes(self) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread > self._unread - _SLOWEST * self.limits.stalled_s:
            self.transport.abort()
            return
        self._unread = unread
        self._stalled = self.loop.call_later(self.limits.stalled_s, self._look_whether_it_takes)

    def _end_by(self, seconds: float | None) -> None:
        """Cut it off after so many seconds; None for never."""
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._cut_off)

    def _cut_off(self) -> None:
        # a response in the buffer is more than nobody's silence: it has its own limit
        if self._stalled is None:
            self.transport.abort()


def connection_class(limits: Limits) -> type[Connection]:
    """The class of connections within these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
