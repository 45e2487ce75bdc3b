"""Connections whose every wait has an end: sockets for `http.client`, the look-up of names, and how
long is waited.

The time limit of a socket is one of each read alone: a server that sends a byte now and then, in
the status line, a header, a chunk's size or its trailer, or one `100 Continue` after the other,
would hold whoever asks for ever.
"""

import io
import math
import socket
import ssl
import threading
import time
from http.client import HTTPConnection
from typing import Any, Protocol


class Patience:
    """Until when an answer is waited for.

    Args:
        seconds: for the whole of it if `slowest` is infinite; otherwise that it may be silent.
        slowest: bytes of content a second; each byte that comes puts the end off accordingly, but
            never further than `seconds` from now.
    """

    def __init__(self, seconds: float, slowest: float = math.inf) -> None:
        self.seconds, self.slowest = seconds, slowest
        self._end = time.monotonic() + seconds

    def count(self, received: int) -> None:
        """So many bytes of content have come."""
        self._end = min(time.monotonic() + self.seconds, self._end + received / self.slowest)

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def words(self) -> str:
        """The limit, as an error says it."""
        if self.slowest == math.inf:
            return f"it has not sent everything within {self.seconds:g} s"
        return f"it is silent for too long, or sends fewer than {self.slowest:,.0f} bytes a second"


def look_up(host: str, port: int, seconds: float) -> list[tuple]:
    """What `socket.getaddrinfo` says of a host, within a time that it does not know itself.

    Raises:
        OSError: there is none of this name. TimeoutError: nobody says. ValueError: it cannot be a
            name.
    """
    found: list[list[tuple] | Exception] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=ask, name="look up", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TimeoutError
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


# === what `http.client` takes for a socket ===


class _Timed(io.RawIOBase):
    """What comes from a socket; no wait is longer than what is left of the time."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock, self._patience = sock, patience
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._patience.left())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class TimedSocket:
    """The few methods of a socket that `http.client` calls; none waits longer than what is left of
    the time.
    """

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self.sock, self._patience = sock, patience

    def sendall(self, content: bytes) -> None:
        """Send all of the content."""
        self.sock.settimeout(self._patience.left())
        self.sock.sendall(content)  # the limit is that of the whole call

    def makefile(self, *_: object) -> io.BufferedReader:
        """What comes, to be read."""
        return io.BufferedReader(_Timed(self.sock, self._patience))

    def secure(self, context: ssl.SSLContext, host: str | None) -> None:
        """Go on by TLS."""
        self.sock.settimeout(self._patience.left())
        sock = context.wrap_socket(self.sock, server_hostname=host, do_handshake_on_connect=False)
        self.sock = sock
        sock.settimeout(self._patience.left())
        sock.do_handshake()  # the limit is that of the whole handshake

    def setsockopt(self, *option: int) -> None:
        """Set an option of the socket."""
        self.sock.setsockopt(*option)

    def close(self) -> None:
        """Close it, as soon as what comes is not read any more."""
        self.sock.close()


class Lead(Protocol):
    """What leads a connection: where to, and until when."""

    patience: Patience

    def connect(self, address: tuple[str, int], *_: object) -> "TimedSocket":
        """Connect to (host, port)."""


class Connection(HTTPConnection):
    """A connection to http by a socket of the journey's."""

    def __init__(self, host: str, *, journey: Lead, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._journey, self._create_connection = journey, journey.connect


class SecureConnection(Connection):
    """The same, to https."""

    default_port = 443

    def connect(self) -> None:
        """Connect, and shake hands."""
        super().connect()  # through a proxy if there is one
        # `sock` is a TimedSocket, and typeshed leaves out `_tunnel_host`, the host behind a proxy.
        self.sock.secure(ssl.create_default_context(), self._tunnel_host or self.host)  # type: ignore[union-attr,attr-defined]
