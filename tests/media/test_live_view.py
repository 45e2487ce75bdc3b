"""The live view: a page that only this machine reaches, for several viewers, none of whom slows
anything down.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from cvtasks.errors import OutputError, UsageError
from cvtasks.media import viewer
from cvtasks.media.page import Page

FACTS = {"frames a second": "25.0", "latency": "12 ms"}


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page("cvtasks <detect>")
    yield page
    page.close()


def grey(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def asked(page: Page, path: str, method: str = "GET") -> http.client.HTTPResponse:
    """The answer to a request for a path below the page's address, or for a whole path that begins
    with a slash.
    """
    _, _, place, secret, _ = page.address.split("/")
    connection = http.client.HTTPConnection(place, timeout=10)
    connection.request(method, path if path.startswith("/") else f"/{secret}/{path}")
    return connection.getresponse()


def next_image(response: http.client.HTTPResponse) -> np.ndarray:
    """The next image of a motion JPEG."""
    length = 0
    while line := response.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n" and length:
            return cv2.imdecode(
                np.frombuffer(response.read(length), np.uint8), cv2.IMREAD_COLOR_RGB
            )
    raise EOFError


def test_the_page_and_what_it_says(page: Page) -> None:
    response = asked(page, "")
    assert response.status == 200
    content = response.read().decode()
    assert 'data-mode="live"' in content
    assert "<!doctype html>" in content and "http" not in content.replace("<!doctype html>", ""), (
        "it loads nothing from elsewhere"
    )
    assert json.load(asked(page, "facts")) == {
        "title": "cvtasks <detect>",
        "ended": False,
        "frame": 0,
        "facts": {},
    }
    page.show(grey(9), FACTS)
    said = json.load(asked(page, "facts"))
    assert (said["facts"], said["frame"]) == (FACTS, 1)


def test_only_this_machine_and_only_with_the_secret(page: Page) -> None:
    assert page.address.startswith("http://127.0.0.1:")
    assert page._server.server_address[0] == "127.0.0.1"
    for path in (
        "/",
        "/stream",
        "/facts",
        "/wrong/stream",
        "//stream",
        "elsewhere",
        "../",
        "page.py",
    ):
        assert asked(page, path).status == 404
    assert asked(page, "/stop", "POST").status == 404
    assert asked(page, "stop", "GET").status == 404
    assert not page.closed


def test_the_stream_shows_the_newest_image_to_several_viewers_at_once(page: Page) -> None:
    page.show(grey(10), FACTS)
    streams = [asked(page, "stream") for _ in range(3)]
    assert streams[0].headers["Content-Type"].startswith("multipart/x-mixed-replace")
    for level in (10, 90, 200):
        page.show(grey(level), FACTS)
        for stream in streams:
            shown = next_image(stream)
            while abs(int(shown.mean()) - level) > 2:  # one that came before
                shown = next_image(stream)
            assert shown.shape == (48, 64, 3)


def test_large_images_are_made_smaller_for_the_page(page: Page) -> None:
    page.show(grey(1, 1500, 3000), FACTS)
    assert next_image(asked(page, "stream")).shape == (640, 1280, 3)


def test_an_image_of_a_pixels_width_is_shown(page: Page) -> None:
    """Made smaller it would have none."""
    for shape in ((20000, 3), (1, 4000)):
        page.show(grey(90, *shape), FACTS)
        shown = next_image(asked(page, "stream"))
        assert sorted(shown.shape[:2]) == [1, 1280]


def test_a_viewer_who_takes_nothing_slows_nobody_down(page: Page) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(3)]
    _, _, place, secret, _ = page.address.split("/")
    with socket.create_connection(("127.0.0.1", int(place.split(":")[1]))) as lazy:
        lazy.sendall(f"GET /{secret}/stream HTTP/1.0\r\n\r\n".encode())
        page.wait_for_somebody(10)
        begun = time.monotonic()
        for i in range(300):
            page.show(images[i % 3], FACTS)
        assert time.monotonic() - begun < 2
        page.show(grey(77), FACTS)
        assert abs(int(next_image(asked(page, "stream")).mean()) - 77) <= 2


def test_stop_is_heard(page: Page) -> None:
    assert not page.closed
    assert asked(page, "stop", "POST").status == 200
    assert page.closed
    begun = time.monotonic()
    page.rest(30)
    page.wait_for_somebody(30)
    assert time.monotonic() - begun < 10


def test_waiting_for_somebody_ends_when_somebody_looks(page: Page) -> None:
    page.wait_for_somebody(0.01)
    threading.Timer(0.1, asked, (page, "stream")).start()
    begun = time.monotonic()
    page.wait_for_somebody(30)
    assert time.monotonic() - begun < 10


def test_the_end_reaches_the_viewers_and_frees_the_port() -> None:
    page = Page("x")
    page.show(grey(50), FACTS)
    stream = asked(page, "stream")
    assert abs(int(next_image(stream).mean()) - 50) <= 2
    page.close()
    with pytest.raises(EOFError):
        next_image(stream)
    port = int(page.address.split("/")[2].split(":")[1])
    Page("again", port).close()


def test_a_port_that_is_taken_is_named(page: Page) -> None:
    port = int(page.address.split("/")[2].split(":")[1])
    with pytest.raises(UsageError, match=str(port)):
        Page("x", port)


def test_without_a_window_there_is_a_page_and_the_reason_is_said(monkeypatch) -> None:
    monkeypatch.setattr(viewer.sys, "platform", "linux")
    monkeypatch.setattr(
        viewer.cv2, "getBuildInformation", lambda: "  GUI:                           QT5\n"
    )
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    shown = viewer.open_viewer("auto", "x")
    assert isinstance(shown, Page)
    shown.close()
    with pytest.raises(UsageError, match="no desktop"):
        viewer.open_viewer("window", "x")
    monkeypatch.setenv("DISPLAY", ":98765")
    with pytest.raises(UsageError, match=r"cannot be reached|opencv-python-headless"):
        viewer.open_viewer("window", "x")
    monkeypatch.setattr(
        viewer.cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n"
    )
    with pytest.raises(UsageError, match="opencv-python-headless"):
        viewer.open_viewer("window", "x")


def test_a_window_whose_desktop_goes_away_is_an_output_that_cannot_be_written(monkeypatch) -> None:
    def gone(*_: object) -> None:
        raise cv2.error("the display is gone")

    for name in ("namedWindow", "resizeWindow", "setWindowTitle"):
        monkeypatch.setattr(viewer.cv2, name, lambda *_: None, raising=False)
    monkeypatch.setattr(viewer.cv2, "imshow", gone, raising=False)
    with pytest.raises(OutputError, match="could not be drawn: the display is gone"):
        viewer.Window("x").show(np.zeros((4, 4, 3), np.uint8), {})
