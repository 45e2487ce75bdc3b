"""SOURCE: every way of naming images; whatever is wrong with one of them is an InputError when it
is read.
"""

import http.server
import importlib.util
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cvtasks.errors import InputError
from cvtasks.inference.sink import Sink
from cvtasks.media import sources
from cvtasks.media.download import download
from cvtasks.media.file_types import SUFFIXES
from cvtasks.media.images import read_image, write_image
from cvtasks.media.names import natural_key, safe_stem
from cvtasks.media.sources import Item, expand
from cvtasks.media.streams import Stream
from cvtasks.tasks.segment import Segment

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> bytes:
    write_image(tmp_path / "photo.png", RGB)
    content = (tmp_path / "photo.png").read_bytes()
    (tmp_path / "photo.png").unlink()
    return content


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(item: Item | Stream) -> str:
    """The message of an item that cannot be read, or a stream not opened: it has a rule, names the
    source, can be printed.
    """
    with pytest.raises(InputError) as error:
        item.read() if isinstance(item, Item) else item.open()
    message = str(error.value)
    assert repr(item.source) in message or item.source == "-"
    assert message.endswith((".", "?"))
    message.encode()
    return message


def the_one(*given: str, **limits: float) -> Item | Stream:
    (item,) = expand(given, **limits)
    return item


# === files, folders, globs ===


def test_nothing_gives_nothing() -> None:
    assert list(expand([])) == []


def test_one_string_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="list"):
        list(expand("photos"))


NAMES = [
    "a.png",
    "a b.png",
    "größe.png",
    "-rf.png",
    "a[1].png",
    "what?.png",
    "no ending",
    "movie.mp4",
    "0",
    "sample:a",
    ".b.png",
]


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"not \xff utf-8.png")])
def test_what_exists_is_read_whatever_its_name(here: Path, photo: bytes, name: str) -> None:
    try:
        Path(name).write_bytes(photo)
    except OSError:
        pytest.skip("this file system does not take the name")
    Path("a1.png").write_bytes(b"the glob must not win")
    for given in (name, str(here / name), Path(name)):
        item = the_one(given)
        assert item.source == str(given)
        assert (item.read() == RGB).all()
        assert (item.read() == RGB).all()


def test_a_folder_gives_its_own_images_in_natural_order(tmp_path: Path, photo: bytes) -> None:
    folder = tmp_path / "photos"
    (folder / "below.jpg").mkdir(parents=True)
    (folder / "below.jpg" / "c.png").write_bytes(photo)
    names = ["2.png", "10.png", "a1.JPG", "a02.webp", "a10.gif", "b.tiff"]
    for name in [*reversed(names), "notes.txt", ".hidden.png", "._10.png", "movie.mp4"]:
        (folder / name).write_bytes(photo)
    items = list(expand([str(folder)]))
    assert [Path(item.source).name for item in items] == names
    assert [item.name for item in items] == ["2", "10", "a1", "a02", "a10", "b"]
    assert all((item.read() == RGB).all() for item in items)
    assert [item.source for item in expand([f"{folder}{os.sep}"])] == [
        item.source for item in items
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_folders_and_globs_choose_alike(here: Path, photo: bytes, suffix: str) -> None:
    Path("d").mkdir()
    for name in ("x1", "x10", "x2"):
        Path("d", name + suffix).write_bytes(photo)
    Path("d", "x3.txt").write_bytes(b"")
    by_folder, by_glob = list(expand(["d"])), list(expand(["d/*"]))
    assert [item.source for item in by_folder] == [item.source for item in by_glob]
    assert [item.name for item in by_glob] == ["x1", "x2", "x10"]


def test_globs(here: Path, photo: bytes) -> None:
    for path in ("a/x1.png", "a/x2.png", "a/b/x3.png", "a[1]/x4.png", "ä ö/x5.png"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(photo)
    found = lambda pattern: [Path(item.source).as_posix() for item in expand([pattern])]  # noqa: E731
    assert found("a/*.png") == ["a/x1.png", "a/x2.png"]
    assert found("a/x[2-9].png") == ["a/x2.png"]
    assert found("**/x?.png") == ["a/b/x3.png", "a/x1.png", "a/x2.png", "a[1]/x4.png", "ä ö/x5.png"]
    assert found(str(here / "a" / "*.png")) == [
        (here / "a" / f"x{i}.png").as_posix() for i in (1, 2)
    ]
    assert found("a[1]") == ["a[1]/x4.png"]  # the folder of that name wins
    assert found("ä ö/*") == ["ä ö/x5.png"]
    for pattern in ("a/*.jpg", "*", "nowhere/*.png", "[", "a/b*"):
        assert "match" in refusal(the_one(pattern)) or pattern == "["


def test_empty_folders_say_so(here: Path, photo: bytes) -> None:
    Path("empty").mkdir()
    assert "0 other" in refusal(the_one("empty"))
    Path("empty", "below").mkdir()
    Path("empty", "below", "a.png").write_bytes(photo)
    message = refusal(the_one("empty"))
    assert "1 other" in message
    pattern = str(Path("empty", "**", "*"))
    assert repr(pattern) in message  # the way out works
    assert (the_one(pattern).read() == RGB).all()


@pytest.mark.parametrize(
    "given", ["photo_10.pgn", "Photo_01.png", "photo_10.png/", "PHOTO_10.PNGG"]
)
def test_a_near_name_is_proposed(here: Path, photo: bytes, given: str) -> None:
    for name in ("PHOTO_10.PNG", "other.txt"):
        Path(name).write_bytes(photo)
    if not Path(given).exists():
        assert "Did you mean 'PHOTO_10.PNG'?" in refusal(the_one(given))


def test_missing_things(here: Path) -> None:
    assert "folder 'gone'" in refusal(the_one("gone/a.png"))
    for given in ("", "a.png", "gone.png", "x" * 300, os.fsdecode(b"\xff.png"), "a\0b.png"):
        refusal(the_one(given))


def test_what_lies_in_a_locked_folder_is_not_called_missing(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    item = the_one("locked/a.png")
    monkeypatch.setattr(os, "lstat", locked)
    assert "'locked/a.png' cannot: Permission denied" in refusal(item)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_that_lead_nowhere_are_reported(here: Path, photo: bytes) -> None:
    Path("good.png").write_bytes(photo)
    Path("loop.png").symlink_to("loop.png")
    Path("dangling.png").symlink_to("nothing")
    for given in (".", "*.png"):
        dangling, good, loop = expand([given])
        assert (good.read() == RGB).all()
        refusal(dangling), refusal(loop)
    refusal(the_one("loop.png")), refusal(the_one("good.png/a.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_between_folders_show_each_image_once(here: Path, photo: bytes) -> None:
    """One that leads back to its own folder would give each image forty times, two of them would
    never end.
    """
    for path in ("a/x.png", "a/b/y.png", "c/z.png", ".hidden/h.png"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(photo)
    for link, target in (
        ("a/loop", "."),
        ("a/again", "../a"),
        ("a/b/up", ".."),
        ("a/to_c", "../c"),
        ("c/to_a", "../a"),
    ):
        Path(link).symlink_to(target)
    begun = time.monotonic()
    found = lambda *patterns: [Path(item.source).as_posix() for item in expand(patterns)]  # noqa: E731
    every = ["a/b/y.png", "a/x.png", "c/z.png"]
    for pattern in (
        "**",
        "**/*",
        "**/*.png",
        "**/**/*.png",
        "*/**/*.png",
        str(here / "**" / "*.png"),
    ):
        assert [os.path.relpath(path) for path in found(pattern)] == every, pattern
    assert found("a/**/*.png") == ["a/b/y.png", "a/to_c/z.png", "a/x.png"], (
        "what only a link leads to is found by it"
    )
    assert found("a/loop/*.png") == ["a/loop/x.png"], "who names a link means it"
    assert found("*/x.png", "a/loop/x.png") == ["a/x.png", "a/loop/x.png"]
    assert time.monotonic() - begun < 5
    Path("a/same.png").symlink_to("x.png")
    assert found("a/*.png") == ["a/same.png", "a/x.png"], "a link to a file is a name of its own"
    assert found(".hidden/*.png") == found(".h*/*.png") == [".hidden/h.png"]


def test_a_folder_that_a_glob_cannot_look_into_is_named(
    here: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("a/x.png", "locked/y.png"):
        Path(path).parent.mkdir()
        Path(path).write_bytes(photo)
    real = os.scandir

    def scandir(folder: str) -> object:
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    for pattern in ("**/*.png", "*/*.png"):
        good, locked = expand([pattern])
        assert (good.read() == RGB).all()
        assert "'locked' cannot: Permission denied" in refusal(locked)
    for given in ("locked", "locked/*.png"):
        assert "'locked' cannot: Permission denied" in refusal(the_one(given))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_special_files_among_images_are_named_and_do_not_block(here: Path, photo: bytes) -> None:
    Path("a.png").write_bytes(photo)
    os.mkfifo("b.png"), os.mkfifo("c.mp4"), os.mkfifo(".d.png")
    for given in (".", "*"):
        good, pipe, *more = expand([given])
        assert (good.read() == RGB).all()
        assert "named pipe" in refusal(pipe)
        assert [refusal(one).count("named pipe") for one in more] == [1] * (given == "*")


def test_one_bad_source_does_not_stop_the_others(here: Path, photo: bytes) -> None:
    Path("a.png").write_bytes(photo)
    Path("b.png").write_bytes(photo[:30])
    Path("c.png").write_bytes(photo)
    items = list(
        expand(
            ["a.png", "b.png", "missing", "9999", "*.jpg", "rtmp://x/y", "sample:nothing", "c.png"]
        )
    )
    assert len(items) == 8
    for item in items[1:-1]:
        refusal(item)
    assert all((item.read() == RGB).all() for item in (items[0], items[-1]))


def test_nothing_is_opened_before_it_is_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(1000):
        Path(f"{i}.png").touch()

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("an image was opened or an address fetched")

    monkeypatch.setattr(sources, "read_image", forbidden)
    monkeypatch.setattr(sources, "download", forbidden)
    monkeypatch.setattr(sys, "stdin", None)
    items = expand([".", "*.png", "http://127.0.0.1:1/x.png", "-", "sample:astronaut"])
    assert [next(items).name for _ in range(3)] == ["0", "1", "2"]
    assert len(list(items)) == 2000


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("rtmp://host/stream", "stream"),
        ("udp://@:1234", "stream"),
        ("file:///etc/passwd", "file address"),
        ("ftp://host/a.png", "ftp address"),
        ("data://a", "data address"),
    ],
)
def test_what_is_no_image_is_recognised(here: Path, given: str, word: str) -> None:
    assert word in refusal(the_one(given))


MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(99)


@pytest.mark.parametrize(
    ("name", "content"),
    [("clip.jpg", MP4), ("clip.mp4", MP4), ("clip.mov", b""), ("clip.MKV", b"text")],
)
def test_a_video_is_recognised_by_its_content_or_else_by_its_name(
    here: Path, name: str, content: bytes
) -> None:
    Path(name).write_bytes(content)
    stream = the_one(name)
    assert isinstance(stream, Stream)
    assert (stream.name, stream.source, stream.live) == ("clip", name, False)
    assert "video" in refusal(stream)


def test_a_folder_gives_no_videos_and_a_glob_does(here: Path, photo: bytes) -> None:
    Path("a.png").write_bytes(photo)
    Path("b.mp4").write_bytes(MP4)
    assert [item.source for item in expand(["."])] == ["a.png"]
    assert [(item.source, type(item)) for item in expand(["*"])] == [
        ("a.png", Item),
        ("b.mp4", Stream),
    ]


@pytest.mark.parametrize(
    ("given", "name", "live"),
    [
        ("0", "camera-0", True),
        ("12", "camera-12", True),
        ("rtsp://host/stream", "stream", True),
        ("RTSPS://host:554", "host", True),
        ("rtsp://[", "stream", True),
        ("http://h/clip.mp4?x=1", "clip", False),
        ("https://h/camera.mjpg", "camera", True),
    ],
)
def test_cameras_and_addresses_of_streams_are_recognised_by_their_names(
    here: Path, given: str, name: str, live: bool
) -> None:
    stream = the_one(given)
    assert isinstance(stream, Stream)
    assert (stream.name, stream.source, stream.live) == (name, given, live)


def test_passwords_are_not_shown(here: Path) -> None:
    stream = the_one("rtsp://me:secret@host:554/stream")
    assert stream.source == "rtsp://me:***@host:554/stream"
    assert "secret" not in repr(stream)
    assert "secret" not in refusal(the_one("http://me:secret@127.0.0.1:1/a.mp4"))


def test_the_limit_of_pixels_is_passed_on(here: Path, photo: bytes) -> None:
    Path("a.png").write_bytes(photo)
    for given in ("a.png", ".", "*.png"):
        assert (the_one(given, max_pixels=35).read() == RGB).all()
        assert "max_pixels" in refusal(the_one(given, max_pixels=34))


# === standard input ===


class Input(io.TextIOWrapper):
    def __init__(self, content: bytes, tty: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


def test_standard_input(monkeypatch: pytest.MonkeyPatch, photo: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Input(photo))
    first, second = expand(["-", "-"])
    assert (first.read() == RGB).all()
    assert "twice" in refusal(second)
    for stdin, word in (
        (Input(b""), "0 bytes"),
        (Input(b"some text"), "text"),
        (Input(photo, tty=True), "piped"),
        (Input(photo * 9), "at most"),
        (None, "piped"),
    ):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert word in refusal(the_one("-", max_bytes=2 * len(photo)))


# === addresses ===


class Server(http.server.BaseHTTPRequestHandler):
    def __init__(self, photo: bytes, *args: object) -> None:
        self.photo = photo
        super().__init__(*args)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        try:
            if path in ("/good.png", "/a%20%C3%B6.png"):
                self.answer(self.photo)
            elif path == "/cut.png":
                self.answer(self.photo[:-20], Content_Length=str(len(self.photo)))
            elif path == "/html.png":
                self.answer(b"<!doctype html><html></html>")
            elif path.startswith("/to/"):
                targets = {
                    "good": "/good.png",
                    "file": "file:///etc/passwd",
                    "ftp": "ftp://127.0.0.1/a",
                    "loop": "/to/loop",
                }
                self.answer(b"x" * 99, 302, Location=targets[path.removeprefix("/to/")])
            elif path == "/empty.png":
                self.answer(b"")
            elif path == "/slow.png":
                self.send_response(200)
                self.end_headers()
                for byte in self.photo * 20:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            elif path == "/silent.png":
                time.sleep(1)
            elif path == "/endless.png":
                self.answer(self.photo)
                while True:
                    self.wfile.write(bytes(2**16))
            elif path == "/garbage.png":
                self.wfile.write(b"this is no HTTP\r\n\r\n")
            else:
                self.answer(b"gone", 404)
        except ConnectionError:
            pass  # the other side had enough, which is what some tests want


@pytest.fixture
def site(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, photo)) as server:
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "path", ["/good.png", "/good.png?size=1#x", "/to/good", "/a%20%C3%B6.png", "/a ö.png"]
)
def test_good_addresses(site: str, path: str) -> None:
    item = the_one(site + path)
    assert item.source == site + path
    assert (item.read() == RGB).all()
    assert (item.read() == RGB).all()
    assert read_image(download(site + path)).shape == RGB.shape


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/missing.png", "404"),
        ("/html.png", "HTML"),
        ("/cut.png", "broke off after"),
        ("/empty.png", "0 bytes"),
        ("/slow.png", "0.3 s"),
        ("/silent.png", "0.3 s"),
        ("/endless.png", "100,000 bytes"),
        ("/garbage.png", "cannot"),
        ("/to/file", "file:///etc/passwd"),
        ("/to/ftp", "ftp://"),
        ("/to/loop", "5 times"),
    ],
)
def test_bad_addresses(site: str, path: str, word: str) -> None:
    start = time.monotonic()
    assert word in refusal(the_one(site + path, timeout_s=0.3, max_bytes=100_000))
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "given",
    ["http://", "http://[", "http://127.0.0.1:1/x", "http://127.0.0.1:x/", "https://127.0.0.1:1/"],
)
def test_impossible_addresses(given: str) -> None:
    assert "address" in refusal(the_one(given, timeout_s=1))


def test_names_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "what_an_address_gives", lambda url: "image")
    given = ["http://h/a/b.png?x=/y", "https://h/a/#f", "http://h", "http://h/a%2Fb.jpg"]
    assert [item.name for item in expand(given)] == ["b", "a", "h", "a%2Fb"]


# === samples ===


def test_every_sample_is_an_image() -> None:
    message = refusal(the_one("sample:"))
    names = message.split("Known: ")[1].rstrip(".").split(", ")
    assert {"astronaut", "chelsea", "coffee"} <= set(names)
    for name in names:
        image = the_one(f"sample:{name}").read()
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


def test_samples_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'Did you mean "astronaut"?' in refusal(the_one("sample:astronout"))
    refusal(the_one("sample:../../etc/passwd"))
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    assert 'pip install "cvtasks[samples]"' in refusal(the_one("sample:astronaut"))


def test_samples_do_not_import_their_package() -> None:
    assert importlib.util.find_spec("skimage") is not None, "the test extra brings scikit-image"
    before = set(sys.modules)
    the_one("sample:coffee").read()
    assert not {name for name in set(sys.modules) - before if name.startswith("skimage.")}


# === names ===


def test_stems_are_unique_safe_and_the_same_again(tmp_path: Path) -> None:
    names = [
        "a",
        "A",
        "a",
        "a-2",
        "a-2",
        "ä",
        "a\u0308",
        "x" * 300,
        "x" * 300,
        "ö" * 300,
        "",
        "",
        ".",
        "..",
        " ",
        "-",
        "/",
        "a/b",
    ]
    names += [
        "a\\b",
        "C:x",
        "con",
        "NUL.png",
        "com1",
        "..hidden",
        "end. ",
        "\0",
        "\n",
        os.fsdecode(b"\xff"),
        "image",
        "日本",
        "<&>",
    ]
    names += ["dog"] * 1000
    found, again = (
        [sink.stem(safe_stem(name)).name for name in names]
        for sink in (Sink(tmp_path, Segment(), ()) for _ in range(2))
    )
    assert found == again
    assert len(found) == len(names) == len({stem.casefold() for stem in found})
    assert found[0] == "a" and found[-1] == "dog-1000" and "日本" in found
    for stem in found:
        assert stem and len(stem.encode()) <= 160
        assert Path(stem).name == stem and not stem.startswith((".", "-", " "))
        assert stem.upper() not in ("CON", "NUL", "COM1")
        (tmp_path / f"{stem}.png").touch()
    assert len(list(tmp_path.iterdir())) == len(names)


def test_names_of_items_are_safe_already(here: Path, photo: bytes) -> None:
    for name in NAMES:
        Path(name).write_bytes(photo)
    for item in expand([*NAMES, "http://h/..", "sample:../..", "-", "/", "*.nothing"]):
        assert safe_stem(item.name) == item.name


def test_natural_order_is_an_order() -> None:
    names = [
        "a",
        "A",
        "a1",
        "a01",
        "a2",
        "a10",
        "1",
        "01",
        "10a",
        "b",
        "",
        "²",
        "٣",
        "ä",
        "a1b2",
        "a1b10",
        "9" * 200,
    ]
    order = sorted(names, key=natural_key)
    names.reverse()
    assert order == sorted(names, key=natural_key)
    assert order.index("a2") < order.index("a10") and order.index("a1b2") < order.index("a1b10")
