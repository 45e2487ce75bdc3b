"""The one client for http: every wait has an end, no redirect leads further in, and passwords are
shown nowhere.
"""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path

import pytest

from cvtasks.errors import DataError, InputError
from cvtasks.media import http, served
from cvtasks.media.addresses import depth, shown, stem_of
from cvtasks.media.connection import Patience, look_up
from cvtasks.media.download import download, download_file
from cvtasks.media.sources import expand


class Scripted:
    """A server that answers each connection with the same pieces of bytes, a pause behind each;
    `asked` is what it was asked.
    """

    def __init__(
        self, pieces: Callable[[], Iterator[bytes]], host: str = "127.0.0.1", pause_s: float = 0.0
    ) -> None:
        self.asked: list[bytes] = []
        self._pieces, self._pause_s = pieces, pause_s
        self._over = threading.Event()
        self._socket = socket.create_server((host, 0))
        self.host, self.port = self._socket.getsockname()[:2]
        self.url = f"http://{self.host}:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._socket.accept()[0]
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self.asked.append(connection.recv(2**16))
            for piece in self._pieces():
                connection.sendall(piece)
                if self._over.wait(self._pause_s):
                    return

    def close(self) -> None:
        self._over.set()
        self._socket.close()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scripted]]:
    """`scripted(*pieces, host=…, pause_s=…)`: a server that sends these; a piece that is an
    iterator is sent bit by bit.
    """
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers: list[Scripted] = []

    def make(*pieces: bytes | Callable[[], Iterator[bytes]], **how: object) -> Scripted:
        def lines() -> Iterator[bytes]:
            return chain.from_iterable(
                [piece] if isinstance(piece, bytes) else piece() for piece in pieces
            )

        servers.append(Scripted(lines, **how))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def ok(content: bytes, *headers: bytes) -> bytes:
    """An answer with this content."""
    return b"\r\n".join(
        [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(content), *headers, b"", content]
    )


def to(address: str) -> bytes:
    """A redirect."""
    return f"HTTP/1.1 302 Found\r\nLocation: {address}\r\nContent-Length: 0\r\n\r\n".encode()


# === a server that drips ===

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPS: dict[
    str, tuple[bytes, bytes]
] = {  # name → what comes at once, what comes every 10 ms from then on
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "header": (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"\r\n "),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body of a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"a"),
    "body without length": (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    "chunk size": (CHUNKED, b"0"),
    "chunk extension": (CHUNKED + b"5;", b"a"),
    "chunk": (CHUNKED + b"fffff\r\n", b"a"),
    "chunks": (CHUNKED, b"1\r\na\r\n"),
    "trailer": (CHUNKED + b"1\r\na\r\n0\r\n", b"X: y\r\n"),
    "a long trailer": (CHUNKED + b"1\r\na\r\n0\r\nX: ", b"y"),
    "redirects' headers": (b"HTTP/1.1 302 Found\r\nLocation: /\r\nX: ", b"y"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_no_drip_holds_a_command(scripted, tmp_path: Path, name: str) -> None:
    begin, drop = DRIPS[name]
    server = scripted(begin, lambda: repeat(drop), pause_s=0.01)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"127.0.0.1.* it has not sent everything within 0.1 s"):
        download(f"{server.url}/a.jpg", timeout_s=0.1)
    with pytest.raises(
        DataError, match=r"silent for too long, or sends fewer than 10,000 bytes a second"
    ):
        download_file(f"{server.url}/a.bin", tmp_path / "a.bin", "0" * 32, 10**6, timeout_s=0.1)
    assert 0.18 < time.monotonic() - begun < 1.5


@pytest.mark.parametrize(
    ("begin", "drop"), [(b"", b""), (b"\x16\x03\x03\x40\x00", b"\2")]
)  # nothing; 16 kB byte by byte
def test_a_dripping_handshake_ends_too(scripted, begin: bytes, drop: bytes) -> None:
    server = scripted(begin, lambda: repeat(drop), pause_s=0.01)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"within 0\.2 s"):
        download(server.url.replace("http", "https"), timeout_s=0.2)
    assert time.monotonic() - begun < 1


def test_redirects_share_the_time(scripted) -> None:
    server = scripted(
        lambda: iter([b"HTTP/1.1 302 Found\r\n", b"Location: /b\r\n\r\n"]), pause_s=0.08
    )
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"within 0\.2 s"):
        download(server.url, timeout_s=0.2)
    assert time.monotonic() - begun < 1


def test_a_name_that_nobody_answers_for_ends_in_time(monkeypatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1))
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        look_up("host", 80, 0.1)
    assert time.monotonic() - begun < 0.5


def test_patience_is_prolonged_by_content_alone_and_never_beyond_its_length(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("cvtasks.media.connection.time.monotonic", lambda: now[0])
    whole, flow = Patience(10), Patience(10, slowest=100)
    assert whole.left() == flow.left() == 10
    now[0] = 4
    whole.count(10**9), flow.count(200)  # 200 bytes are 2 s
    assert (whole.left(), flow.left()) == (6, 8)
    flow.count(10**9)
    assert flow.left() == 10
    now[0] = 14
    for patience in (whole, flow):
        with pytest.raises(TimeoutError):
            patience.left()


def test_a_body_that_breaks_off_or_says_a_wrong_length_is_named(scripted) -> None:
    server = scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    with pytest.raises(InputError, match="broke off after 3 of 10 bytes"):
        download(server.url)
    for broken in (CHUNKED + b"5\r\nab", CHUNKED + b"zz\r\nab", b"\xff\n", b""):
        with pytest.raises(InputError, match="cannot: "):
            download(scripted(broken).url, timeout_s=2)
    assert (
        download(scripted(CHUNKED + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n").url)
        == b"abcde"
    )


# === where a redirect may lead ===


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        *(
            ("93.184.215.14", 0),
            ("2606:4700::1", 0),
            ("10.1.2.3", 1),
            ("172.16.0.1", 1),
            ("192.168.0.1", 1),
            ("100.64.0.1", 1),
        ),
        *(
            ("fd00::1", 1),
            ("224.0.0.1", 1),
            ("255.255.255.255", 1),
            ("169.254.169.254", 2),
            ("fe80::1%eth0", 2),
        ),
        *(("127.8.8.8", 3), ("::1", 3), ("0.0.0.0", 3), ("::", 3)),
        *(
            ("::ffff:10.0.0.1", 1),
            ("::ffff:127.0.0.1", 3),
            ("64:ff9b::7f00:1", 3),
            ("2002:a9fe:a9fe::1", 2),
        ),
    ],
)
def test_how_far_inside_an_address_lies(address: str, inside: int) -> None:
    assert depth(address) == inside


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 is on the internet, and all else within this machine."""
    with suppress(OSError):
        socket.create_server(("127.0.0.2", 0)).close()
        monkeypatch.setattr(http, "depth", lambda number: 0 if number == "127.0.0.1" else 3)
        return
    pytest.skip("this system has no second address of its own")


def test_what_must_lie_outside_does_so_from_the_first_address_on(scripted, outside) -> None:
    inner = scripted(ok(b"secret"), host="127.0.0.2")
    with pytest.raises(InputError, match="in a private network or on the machine"):
        download(inner.url, outside=True)
    assert inner.asked == [], "it is not even connected to"
    assert download(scripted(ok(b"open")).url, outside=True) == b"open"


def test_a_redirect_leads_no_further_in(scripted, outside) -> None:
    inner = scripted(ok(b"secret"), host="127.0.0.2")
    for way in (to(inner.url), to(inner.url.replace("http:", "HTTP:"))):
        outer = scripted(way)
        with pytest.raises(
            InputError,
            match=r"leads to 127\.0\.0\.2, further into the network than the address before",
        ):
            download(outer.url)
    with pytest.raises(InputError, match="further into the network"):
        download(scripted(to(outer.url)).url)
    assert inner.asked == [], "it is not even connected to"
    assert download(inner.url) == b"secret", "whoever names it may have it"
    back = scripted(to(scripted(ok(b"out")).url), host="127.0.0.2")
    assert download(back.url) == b"out"


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/", "data:image/png,x", "//["],
)
def test_a_redirect_leads_to_http_alone(scripted, target: str) -> None:
    with pytest.raises(InputError, match=r"cannot: .*(neither http nor https|Invalid|no valid)"):
        download(scripted(to(target)).url)


def test_a_proxy_is_asked_for_the_whole_address_and_literal_ones_are_checked(
    scripted, monkeypatch
) -> None:
    proxy = scripted(ok(b"by proxy"))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    assert download("http://me:word@images.invalid/a.jpg") == b"by proxy"
    assert proxy.asked[0].startswith(b"GET http://images.invalid/a.jpg HTTP/1.1\r\n")
    monkeypatch.setenv("http_proxy", scripted(to("http://169.254.169.254/latest")).url)
    with pytest.raises(InputError, match=r"leads to 169\.254\.169\.254, further"):
        download("http://93.184.215.14/a.jpg")


def rtsp(*headers: str, status: str = "200 OK") -> bytes:
    """An answer by RTSP."""
    return "\r\n".join([f"RTSP/1.0 {status}", "CSeq: 1", *headers, "", ""]).encode()


def test_a_redirect_of_a_camera_leads_no_further_in_either(scripted, outside) -> None:
    inner = scripted(rtsp(), host="127.0.0.2")
    for scheme in ("rtsp", "http", "file"):
        target = f"{scheme}://127.0.0.2:{inner.port}/x"
        outer = scripted(rtsp(f"Location: {target}", status="302 Moved"))
        with pytest.raises(
            http.Unreachable,
            match="further into the network" if scheme == "rtsp" else "neither rtsp nor rtsps",
        ):
            served.rtsp_target(f"rtsp://me:word@127.0.0.1:{outer.port}/live")
    assert inner.asked == []
    assert outer.asked[0].startswith(b"DESCRIBE rtsp://127.0.0.1:%d/live RTSP/1.0\r\n" % outer.port)
    assert b"word" not in outer.asked[0]


@pytest.mark.parametrize(
    "said", [rtsp(), rtsp(status="401 Unauthorized"), b"no RTSP at all\r\n\r\n", b""]
)
def test_a_camera_that_does_not_redirect_is_ffmpegs(scripted, said: bytes) -> None:
    url = f"rtsp://me:word@127.0.0.1:{scripted(said).port}/live"
    assert served.rtsp_target(url) == url


def test_a_camera_that_redirects_to_another_is_given_by_number(scripted) -> None:
    other = scripted(rtsp())
    first = scripted(rtsp(f"Location: rtsp://localhost:{other.port}/b?x=1", status="301 Moved"))
    assert (
        served.rtsp_target(f"rtsp://127.0.0.1:{first.port}/a")
        == f"rtsp://127.0.0.1:{other.port}/b?x=1"
    )


def test_a_camera_that_is_not_there_is_named_without_its_password() -> None:
    (stream,) = expand(["rtsp://me:word@127.0.0.1:1/live"])
    with pytest.raises(
        InputError, match=r"'rtsp://me:\*\*\*@127\.0\.0\.1:1/live' cannot: Connection refused"
    ):
        stream.open()


# === passwords ===

SHOWN = [
    ("http://host/a@2x.jpg?size=5#x@y", "http://host/a@2x.jpg?size=5#x@y"),
    ("http://me:word@host/a.jpg", "http://me:***@host/a.jpg"),
    ("http://me:123456/word@host/a.jpg", "http://me:***@host/a.jpg"),
    ("HTTPS://me:wo%40rd@host:8080/a.jpg", "HTTPS://me:***@host:8080/a.jpg"),
    ("http://me:wo@rd@host/a.jpg", "http://me:***@host/a.jpg"),
    ("http://me:@host/", "http://me:***@host/"),
    ("http://wordword@host/", "http://***@host/"),
    ("http://:word@host/", "http://:***@host/"),
    ("rtsp://me:word@[fe80::1]:554/a", "rtsp://me:***@[fe80::1]:554/a"),
    ("rtsp://me:wo/rd@host/a", "rtsp://me:***@host/a"),
    ("rtsp://me:wo#rd?@host/a", "rtsp://me:***@host/a"),
    ("ftp://me:word@host/a.jpg", "ftp://me:***@host/a.jpg"),
    ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
    ("http://host/a.jpg?user=me&pwd=word&x=1", "http://host/a.jpg?user=me&pwd=***&x=1"),
    ("http://host/a.jpg?access_token=word#k", "http://host/a.jpg?access_token=***#k"),
    (
        "http://host/a?X-Amz-Signature=word&X-Amz-Date=1",
        "http://host/a?X-Amz-Signature=***&X-Amz-Date=1",
    ),
    (
        "http://host/a?API_KEY=word&keyboard=1&monkey=2",
        "http://host/a?API_KEY=***&keyboard=1&monkey=2",
    ),
    ("me:word@host.jpg", "me:word@host.jpg"),
    ("", ""),
]


@pytest.mark.parametrize(("address", "expected"), SHOWN)
def test_addresses_are_shown_without_passwords(address: str, expected: str) -> None:
    assert shown(address) == expected
    assert shown(expected) == expected
    assert "word" not in stem_of(address) or "word" in expected


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://me:s3cret@127.0.0.1:1/a.jpg",
            "http://me:s3cret@127.0.0.1:1",
            "https://s3cret@127.0.0.1:1/a.jpg",
        ),
        *(
            "http://me:s3cret@127.0.0.1:1/a.mp4",
            "http://me:s3cret@127.0.0.1:1/live",
            "rtsp://me:s3cret@127.0.0.1:1",
        ),
        *(
            "http://me:s3cret/x@127.0.0.1/a.jpg",
            "http://me:s3cret?@127.0.0.1/a.mp4",
            "rtsp://me:s3cret#1@127.0.0.1/a",
        ),
        *(
            "ftp://me:s3cret@host/a.jpg",
            "rtmp://me:s3cret@host/live",
            "http://me:s3cret@[/a.jpg",
            "http://me:s3cret@/a.jpg",
        ),
        *("http:/me:s3cret@host/a.jpg", "rtsp:me:s3cret@host/live"),
        *(
            "http://127.0.0.1:1/a.jpg?token=s3cret",
            "http://me:%73%33cret@127.0.0.1:1/a.jpg",
            "http://me:s3cret@h\n/a.jpg",
        ),
    ],
)
def test_no_error_no_name_and_no_record_shows_a_password(address: str) -> None:
    (one,) = expand([address], timeout_s=1)
    with pytest.raises(InputError) as error:
        one.read() if hasattr(one, "read") else one.open()
    chained = [error.value, error.value.__cause__, error.value.__context__]
    for text in (str(one.name), one.source, repr(one), *map(str, chained), *map(repr, chained)):
        assert "s3cret" not in text and "%73%33cret" not in text


@pytest.mark.parametrize("address", ["http://host:99999/a.jpg", "rtsp://me:word@[::1]:70000"])
def test_a_port_that_cannot_be_is_named(address: str) -> None:
    (one,) = expand([address], timeout_s=1)
    with pytest.raises(InputError, match=r"the port of .* must be one of 0 to 65535") as error:
        one.read() if hasattr(one, "read") else one.open()
    assert "word" not in str(error.value)


def test_a_login_goes_where_a_server_looks_for_it_and_to_no_other_host(scripted) -> None:
    other = scripted(ok(b"there"))
    server = scripted(to(f"http://user:s3cret@localhost:{other.port}/x"))
    assert download(server.url.replace("//", "//me:wo%40rd@") + "/a ö.jpg?q=1") == b"there"
    assert server.asked[0].startswith(b"GET /a%20%C3%B6.jpg?q=1 HTTP/1.1\r\n")
    assert b"Authorization: Basic " + b64encode(b"me:wo@rd") in server.asked[0]
    assert (
        b64encode(b"user:s3cret") in other.asked[0] and b64encode(b"me:wo@rd") not in other.asked[0]
    )
    failing = scripted(to("http://user:s3cret@127.0.0.1:1/x?token=s3cret"))
    for call in (
        lambda: download(failing.url),
        lambda: download_file(failing.url, Path("x"), None),
    ):
        with pytest.raises((InputError, DataError)) as error:
            call()
        assert "s3cret" not in str(error.value)
    with pytest.raises(InputError, match=r"'ftp://user:\*\*\*@host/' is neither"):
        download(scripted(to("ftp://user:s3cret@host/")).url)
