"""The server itself: where it listens, and how it ends."""

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import uvicorn

from cvtasks.errors import UsageError
from cvtasks.serving.app import Service, application
from cvtasks.serving.connections import connection_class
from cvtasks.serving.limits import LOOPBACK

_LOOK_S = 2.0  # between two looks at the models' folders
_TICK_S = 0.02
_GRACE_S = 0.2


class Server:
    """A server of models.

    Args:
        service: what it serves.
        host, port: where it listens; port 0 for any that is free.

    Attributes:
        address: of the page.

    Raises:
        UsageError: it cannot listen there.
    """

    def __init__(self, service: Service, host: str, port: int) -> None:
        self.service = service
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.port}/"
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        limits = service.setting.limits
        self._patience_s = limits.body_s + limits.seconds + limits.stalled_s
        config = uvicorn.Config(
            application(service),
            http=connection_class(limits),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type]  # seconds, to `call_later`
            timeout_graceful_shutdown=max(1, round(self._patience_s)),
        )
        self._server = _Uvicorn(config)

    def run(self) -> None:
        """Serve until `stop`; then answer what was accepted, and return."""
        watching = threading.Thread(target=self._watch, name="models", daemon=True)
        watching.start()
        try:
            with closing(self._socket), _logged(self.service.tell):
                asyncio.run(self._serve())
        finally:
            self._stop.set()
            watching.join(_LOOK_S)
            self.service.close()

    def stop(self) -> None:
        """Let it end; from any thread, or from the handler of a signal."""
        self._stop.set()
        if self._loop and self._stopping:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._stopping.set)

    def reload(self) -> None:
        """Load all models again, beside what is done; returns at once."""
        threading.Thread(target=self.service.shelf.look, args=(True,), daemon=True).start()

    @contextmanager
    def reloading_on_hangup(self) -> Iterator[None]:
        """`reload` on SIGHUP, where there is one and this is the main thread."""
        main = threading.current_thread() is threading.main_thread()
        if sys.platform == "win32" or not main:
            yield
            return
        before = signal.signal(signal.SIGHUP, lambda number, frame: self.reload())
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        if self._stop.is_set():  # it was asked to before it began
            self._stopping.set()
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        waiting = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        self.service.state.stopping = True
        until = time.monotonic() + self._patience_s
        while self.service.state.under_way and time.monotonic() < until:
            await asyncio.sleep(_TICK_S)  # who asks meanwhile is told that it stops
        for listening in getattr(self._server, "servers", ()):
            listening.close()
        await asyncio.sleep(_GRACE_S)  # who has just been let in is told so, too
        self._server.should_exit = True
        await serving

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.service.shelf.look()


class _Uvicorn(uvicorn.Server):
    """uvicorn, which leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle none."""
        yield


def is_loopback(host: str) -> bool:
    """Whether a host is one that this machine alone reaches.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    return host in LOOPBACK


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # by its protocol asyncio knows connections whose answers are to leave at once: without it they
    # wait for the client's delayed acknowledgement, 40 ms
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
        made.setblocking(False)
    except (OSError, OverflowError, UnicodeError) as error:
        made.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"the server needs a host of this machine and a port that is free; {host[:100]!r} and "
            f"{port} are not: {reason}. Choose another.",
            ways={"port": "0"},
        ) from error
    return made


@contextmanager
def _logged(tell: Callable[[str], None]) -> Iterator[None]:
    """Have the faults that uvicorn and asyncio log told in a line each."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            said = f": {type(error).__name__}: {error}" if error else ""
            tell(f"{record.getMessage().strip()}{said}")

    handler = Handler(logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    before = [(one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.propagate = False
        one.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for one, (propagate, level) in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.propagate = propagate
            one.setLevel(level)
