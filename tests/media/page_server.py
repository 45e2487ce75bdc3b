"""A small server of the page, with answers that a test gives: the routes of the real one."""

import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cvtasks.media.page_files import SECURITY, page_files


@dataclass(frozen=True)
class Asked:
    """A request: its path, its query, and the image in it."""

    path: str
    query: dict[str, str]
    name: str
    content: bytes


@dataclass(eq=False)
class Given:
    """What the server answers, and what it was asked.

    Attributes:
        answer: of an image: (status, document). Called in threads.
        token: that requests must bring; empty for none.
    """

    models: list[dict[str, Any]]
    answer: Callable[[Asked], tuple[int, dict[str, Any]]]
    explain: tuple[str, ...] = ()
    megabytes: float = 20.0
    token: str = ""
    asked: list[Asked] = field(default_factory=list)
    address: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    given: Given

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/")
        files = page_files("serve")
        if path in files:
            self._send(200, *files[path])
        elif self._is_let_in() and path == "models":
            facts = {
                "models": self.given.models,
                "limits": {"megabytes": self.given.megabytes},
                "explain": list(self.given.explain),
            }
            self._send_json(200, facts)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_let_in():
            return
        parts = urlsplit(self.path)
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + content, policy=email.policy.HTTP)
        part = next(iter(message.iter_parts()))
        asked = Asked(
            parts.path,
            dict(parse_qsl(parts.query)),
            part.get_filename() or "",
            part.get_payload(decode=True),
        )
        self.given.asked.append(asked)
        self._send_json(*self.given.answer(asked))

    def _is_let_in(self) -> bool:
        if self.given.token and self.headers["Authorization"] != f"Bearer {self.given.token}":
            self._send_json(401, {"error": "requests must bring the token.", "status": 401})
            return False
        return True

    def _send_json(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", SECURITY)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def page_server(given: Given) -> Iterator[Given]:
    """Serve the page on this machine; `given.address` says where."""
    handler = type("_Bound", (_Handler,), {"given": given})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    given.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield given
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
