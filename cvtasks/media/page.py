"""A live view in the browser: a page on 127.0.0.1 with a motion JPEG, for machines without a
desktop.

Nothing but this machine reaches it; from elsewhere one forwards the port over SSH. The address
holds a secret, so that other users of the machine, and other pages in the browser, cannot look.
"""

import json
import secrets
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from cvtasks.errors import UsageError
from cvtasks.media.page_files import SECURITY, page_files

_MOST_PIXELS_A_SIDE = 1280
_QUALITY = 85
_SLOWEST_S = 10.0  # a viewer that takes nothing for so long is left
_BOUNDARY = "frame"


class Page:
    """A page that shows the newest image to any number of viewers. Each has a thread, and none
    makes `show` wait.

    Args:
        title: stands above the image.
        port: on 127.0.0.1; 0 for any that is free.

    Attributes:
        address: of the page.

    Raises:
        UsageError: the port is taken.
    """

    def __init__(self, title: str, port: int = 0) -> None:
        self._title = title
        self._secret = secrets.token_urlsafe(9)
        self._changed = threading.Condition()
        self._image: np.ndarray | None = None
        self._number = 0
        self._facts: dict[str, str] = {}
        self._encoding = threading.Lock()
        self._encoded = (0, b"")  # number, JPEG
        self._ended = self._stopped = False
        self._viewers = 0
        self._files = page_files("live")
        try:
            self._server = _Server(("127.0.0.1", port), _Handler, self)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"the port must be free on this machine; {port} is not: {error}. Leave it out for "
                "any.",
                ways={"port": "0"},
            ) from error
        self.address = f"http://127.0.0.1:{self._server.server_port}/{self._secret}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="page", daemon=True
        )
        self._thread.start()

    @property
    def where(self) -> str:
        """The address and how to reach it from elsewhere."""
        port = self._server.server_port
        return (
            f"{self.address} (from another machine first: ssh -L {port}:127.0.0.1:{port} "
            "THIS_MACHINE)"
        )

    @property
    def closed(self) -> bool:
        """Whether somebody has pressed its button "Stop"."""
        return self._stopped

    def show(self, image: np.ndarray, facts: dict[str, str]) -> None:
        """Show an image, (h, w, 3) uint8 RGB, which nobody may change from now on, and what is to
        be said about it.
        """
        with self._changed:
            self._image, self._facts, self._number = image, facts, self._number + 1
            self._changed.notify_all()

    def wait_for_somebody(self, seconds: float) -> None:
        """Give the user that long to open the page; returns as soon as somebody has."""
        with self._changed:
            self._changed.wait_for(lambda: self._viewers > 0 or self._stopped, seconds)

    def rest(self, seconds: float) -> None:
        """Do nothing but stay open for that long, or until "Stop" is pressed."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)

    def close(self) -> None:
        """Let every viewer have the last image and the word that this was it;
        then end the server.
        """
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._viewers == 0, 2)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # === for the threads of the viewers ===

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        path, method = handler.path.removeprefix(f"/{self._secret}/"), handler.command
        if path == handler.path:
            handler.send_error(
                HTTPStatus.NOT_FOUND, "the address must be the one that was printed."
            )
        elif method == "GET" and path in self._files:
            content, kind = self._files[path]
            _send(handler, kind, content)
        elif (method, path) == ("GET", "facts"):
            facts = {
                "title": self._title,
                "ended": self._ended or self._stopped,
                "frame": self._number,
                "facts": self._facts,
            }
            _send(handler, "application/json", json.dumps(facts).encode())
        elif (method, path) == ("POST", "stop"):
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            _send(handler, "text/plain", b"stopping")
        elif (method, path) == ("GET", "stream"):
            self._stream(handler)
        else:
            handler.send_error(HTTPStatus.NOT_FOUND)

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        """Send image after image, the newest each time, until the end or until the
        viewer leaves.
        """
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        handler.send_header("Cache-Control", "no-store")
        handler.end_headers()
        with self._changed:
            self._viewers += 1
            self._changed.notify_all()
        sent = 0
        try:
            while (jpeg := self._newest(sent)) is not None:
                sent, content = jpeg
                head = (
                    f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    f"{len(content)}\r\n\r\n"
                )
                # The boundary behind it: without, browsers show each image only when the next one
                # comes.
                handler.wfile.write(head.encode() + content + f"\r\n--{_BOUNDARY}\r\n".encode())
            handler.wfile.write(f"--{_BOUNDARY}--\r\n".encode())
        finally:
            with self._changed:
                self._viewers -= 1
                self._changed.notify_all()

    def _newest(self, sent: int) -> tuple[int, bytes] | None:
        """The newest image after number `sent`, waiting for it, as (number, JPEG); None after the
        last one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number > sent or self._ended)
            if self._number == sent:
                return None
            number, image = self._number, self._image
        with self._encoding:  # once for all viewers
            if self._encoded[0] < number and image is not None:
                self._encoded = number, _jpeg(image)
            return self._encoded


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], page: Page
    ) -> None:
        self.page = page
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: viewers come and go."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOWEST_S
    server: _Server

    def _answer(self) -> None:
        with suppress(OSError):  # the viewer has left, or takes nothing any more
            self.server.page.respond(self)

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _send(handler: BaseHTTPRequestHandler, kind: str, content: bytes) -> None:
    handler.send_response(HTTPStatus.OK)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.send_header("Cache-Control", "no-store")
    handler.send_header("Content-Security-Policy", SECURITY)
    handler.send_header("X-Content-Type-Options", "nosniff")
    handler.end_headers()
    handler.wfile.write(content)


def _jpeg(image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    scale = _MOST_PIXELS_A_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
    )[1].tobytes()
