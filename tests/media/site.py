"""A server on this machine that can do wrong, for what is downloaded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has and how it behaves; `asked` is what it was asked for, with ranges."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    break_after: int | None = None  # bytes of a body, after which the connection is closed
    stall_after: int | None = None  # bytes of a body, after which nothing comes
    status: int = 200
    location: str = ""
    lie: str = ""  # a Content-Range that is not the one asked for
    drip: tuple[int, float] | None = None  # bytes that come at once, and the pause behind them
    length: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Serves a `Site`."""

    def do_GET(self) -> None:
        site, wanted = self.server.site, self.headers.get("Range", "")
        name = self.path.rpartition("/")[2]
        site.asked.append((name, wanted))
        if site.location or site.status != 200 or name not in site.files:
            self.send_response(302 if site.location else site.status if site.status != 200 else 404)
            if site.location:
                self.send_header("Location", site.location)
            self.end_headers()
            return
        content, start = site.files[name], 0
        if wanted and site.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206)
            self.send_header(
                "Content-Range", site.lie or f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        else:
            self.send_response(200)
        if site.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = next(
            (n for n in (site.break_after, site.stall_after) if n is not None), len(content)
        )
        if site.drip:
            with suppress(ConnectionError):
                for at in range(start, len(content), site.drip[0]):
                    self.wfile.write(content[at : at + site.drip[0]])
                    self.server.released.wait(site.drip[1])
            return
        with suppress(ConnectionError):  # who asked has heard enough
            self.wfile.write(content[start : start + stop])
            self.wfile.flush()
        if site.stall_after is not None:
            self.server.released.wait(20)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Site]:
    """A server on this machine; without other orders it serves what is put into `files`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.site, server.released = Site(), threading.Event()
    server.site.url = f"http://127.0.0.1:{server.server_address[1]}/some/where"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.site
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
