"""`cvtasks data get`: downloads that go on, checks, and archives that try to do harm. Everything
comes from a local server.
"""

import gzip
import hashlib
import io
import math
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import typer
from PIL import Image

from cvtasks.answers import Boxes, Labels
from cvtasks.cli.data import get as get_command
from cvtasks.data import open_source
from cvtasks.data.download import archives, catalogue, fetch
from cvtasks.data.download.catalogue import KNOWN, RemoteFile
from cvtasks.errors import DataError, OutputError
from tests.media.site import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    """A server on this machine; without other orders it serves what is put into `files`."""
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """The folder of caches of this test."""
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# === data sets of the real ones' shape, small ===


def packed(files: dict[str, bytes], kind: str) -> bytes:
    """An archive of files, and of folders, whose names end in a slash."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{kind}") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.size, info.type = (
                len(content),
                tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE,
            )
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def png(number: int) -> bytes:
    """A small grey image."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), (10 * number,) * 3).save(stream, "PNG")
    return stream.getvalue()


def idx(*sides: int) -> bytes:
    """A packed idx file of zeros."""
    head = bytes([0, 0, 8, len(sides)]) + b"".join(side.to_bytes(4, "big") for side in sides)
    return gzip.compress(head + bytes(math.prod(sides)))


def voc(year: str) -> dict[str, bytes]:
    """A year of VOC: four images of a cat."""
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    xml = f"<annotation><object><name>cat</name>{box}</object></annotation>".encode()
    files = {f"{year}/JPEGImages/{n}.png": png(n) for n in range(4)} | {
        f"{year}/Annotations/{n}.xml": xml for n in range(4)
    }
    return files | {f"{year}/ImageSets/Main/train.txt": b"0\n1\n2\n3\n"}


def offered(name: str) -> dict[str, bytes]:
    """The files of a data set of that name, with four images in its split `train`."""
    data = KNOWN[name]
    names = [file.name for file in data.files]
    if name in ("mnist", "fashion-mnist"):
        return dict(zip(names, (idx(4, 28, 28), idx(4), idx(2, 28, 28), idx(2)), strict=True))
    if name == "cifar10":
        batches = {
            "data_batch_1.bin": bytes(4 * 3073),
            "test_batch.bin": bytes(3073),
            "batches.meta.txt": b"cat\ndog\n\n",
        }
        return {
            names[0]: packed(
                {f"{data.root}/{path}": content for path, content in batches.items()}, "gz"
            )
        }
    if name == "imagenette":
        wnids = [line.split()[0] for line in data.extra["classes.txt"].splitlines()]
        files = {f"{data.root}/train/{wnid}/{wnid}.PNG": png(n) for n, wnid in enumerate(wnids[:4])}
        folders = {
            f"{data.root}/{split}/{wnid}/": b"" for split in ("train", "val") for wnid in wnids
        }
        return {
            names[0]: packed(
                folders | files | {f"{data.root}/noisy_imagenette.csv": b"path\n"}, "gz"
            )
        }
    files = voc(data.root)
    parts = [list(files)[::2], list(files)[1::2]] if len(names) == 2 else [list(files)]
    lists = [path for path in files if path.endswith(".txt")]  # lie in both archives
    return {
        n: packed({path: files[path] for path in {*part, *lists}}, "")
        for n, part in zip(names, parts, strict=True)
    }


@pytest.fixture
def offer(site, monkeypatch) -> Callable[[str], None]:
    """`offer(name)`: the server has a small data set in the place of the known one, and the table
    knows its MD5s.
    """

    def put(name: str) -> None:
        files = offered(name)
        site.files.update(files)
        table = tuple(
            RemoteFile(n, len(content), hashlib.md5(content).hexdigest())
            for n, content in files.items()
        )
        monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], files=table))

    return put


@pytest.fixture
def get(site, cli) -> Callable[..., tuple[int, str, str]]:
    """`get(name, *options)`: the command, asking the server."""
    return lambda name, *options: cli("data", "get", name, "--url", site.url, *options)


# === the table ===


def test_the_table_is_in_order():
    for name, data in KNOWN.items():
        assert data.base.endswith("/"), name
        assert data.base.startswith(("http://", "https://")), name
        assert data.terms.endswith("."), name
        for file in data.files:
            assert len(bytes.fromhex(file.md5)) == 16, file.name
            assert file.size > 0
            assert file.name.endswith(archives.ENDINGS) == (data.root != "."), file.name
    assert len({file.md5 for data in KNOWN.values() for file in data.files}) == sum(
        len(d.files) for d in KNOWN.values()
    )


def test_the_command_knows_the_whole_table():
    _, argument = get_args(get_command.__annotations__["name"])
    assert [argument.callback(name) for name in KNOWN] == list(KNOWN)
    assert all(name in argument.help for name in KNOWN)
    with pytest.raises(typer.BadParameter, match="'voc2013' is not one of 'mnist'"):
        argument.callback("voc2013")


def test_fashion_mnist_is_the_one_of_its_authors(cvtasks_data):
    for file in KNOWN["fashion-mnist"].files:
        content = (cvtasks_data / "fashion_mnist" / file.name).read_bytes()
        assert (len(content), hashlib.md5(content).hexdigest()) == (file.size, file.md5)


# === the whole way ===


@pytest.mark.parametrize("name", KNOWN)
def test_a_data_set_is_fetched_found_by_its_name_and_left_alone_the_second_time(
    name, offer, get, site, cache
):
    offer(name)
    code, out, err = get(name)
    assert code == 0, err
    assert KNOWN[name].terms in err
    assert Path(out.strip()) == catalogue.place_of(name) / KNOWN[name].root
    assert catalogue.place_of(name).is_relative_to(cache)
    for kind in (Labels, Boxes) if name.startswith("voc") else (Labels,):
        source = open_source(name, "train", kind)
        assert len(source) == 4
        assert list(source.problems()) == []
    left = [
        path.name
        for path in catalogue.place_of(name).rglob("*")
        if path.name.endswith((*archives.ENDINGS, ".part"))
    ]
    assert left == [], "archives go when they are unpacked"
    asked = len(site.asked)
    code, again, err = get(name)
    assert (code, again) == (0, out)
    assert "there already, left as it is" in err
    assert len(site.asked) == asked


def test_classes_have_names(offer, get):
    for name, classes in (
        ("fashion-mnist", ("T-shirt/top", "Ankle boot")),
        ("imagenette", ("tench", "parachute")),
    ):
        offer(name)
        get(name)
        found = open_source(name, "train", Labels).classes
        assert (len(found), found[0], found[-1]) == (10, *classes)


def test_both_years_share_a_devkit(offer, get):
    for name in ("voc2012", "voc2007"):
        offer(name)
        assert get(name)[0] == 0
    assert len(open_source("voc2007+2012", "2007+2012-train", Labels)) == 8


def test_another_folder_may_be_named(offer, get, tmp_path, cache):
    offer("cifar10")
    code, out, _ = get("cifar10", "-o", tmp_path / "mine")
    assert code == 0
    assert len(open_source(out.strip(), "train", Labels)) == 4
    assert Path(out.strip()).is_relative_to(tmp_path / "mine")
    assert not cache.exists()


def test_a_folder_that_lacks_a_file_is_left_as_it_is(offer, get):
    offer("imagenette")
    root = catalogue.place_of("imagenette") / KNOWN["imagenette"].root
    root.mkdir(parents=True)
    (root / "mine.txt").write_text("precious", encoding="utf-8")
    code, _, err = get("imagenette")
    assert code == 5
    assert "lacks a file" in err
    assert [path.name for path in root.iterdir()] == ["mine.txt"]


def test_a_lost_file_is_fetched_again_alone(offer, get, site):
    offer("mnist")
    get("mnist")
    lost = KNOWN["mnist"].files[2].name
    (catalogue.place_of("mnist") / lost).unlink()
    site.asked.clear()
    assert get("mnist")[0] == 0
    assert site.asked == [(lost, "")]


# === downloads ===


CONTENT = bytes(range(256)) * 400
FILE = RemoteFile("a.bin", len(CONTENT), hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def take(site, tmp_path) -> Callable[..., Path]:
    """`take(file=FILE)`: download it from the server; where it went."""
    site.files["a.bin"] = CONTENT

    def call(file: RemoteFile = FILE, timeout_s: float = 5.0) -> Path:
        fetch.download(f"{site.url}/a.bin", file, tmp_path / "got" / "a.bin", timeout_s=timeout_s)
        return tmp_path / "got" / "a.bin"

    return call


def left_in(tmp_path: Path) -> dict[str, int]:
    """Name → size of what lies where the download goes."""
    return {path.name: path.stat().st_size for path in (tmp_path / "got").glob("*")}


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(take, site, tmp_path, ranges):
    site.break_after, site.ranges = 50_000, ranges
    with pytest.raises(
        DataError, match=r"broke off after 50,000 of 102,400 bytes. Try again, which goes on"
    ):
        take()
    assert left_in(tmp_path) == {"a.bin.part": 50_000}
    site.break_after = None
    assert take().read_bytes() == CONTENT
    assert site.asked == [("a.bin", ""), ("a.bin", "bytes=50000-")]
    assert left_in(tmp_path) == {"a.bin": len(CONTENT)}


def test_a_download_of_unknown_length_is_read_to_its_end(take, site):
    site.length = False
    assert take().read_bytes() == CONTENT


@pytest.mark.parametrize("size", [FILE.size, FILE.size - 1])
def test_a_complete_part_is_enough(take, site, tmp_path, size):
    """The table's size may be a little off; then the server says that nothing is missing."""
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "a.bin.part").write_bytes(CONTENT)
    assert take(replace(FILE, size=size)).read_bytes() == CONTENT
    assert [wanted for _, wanted in site.asked] == (
        [] if size == FILE.size else [f"bytes={FILE.size}-"]
    )


def test_another_md5_is_refused_and_nothing_stays(take, site, tmp_path):
    site.files["a.bin"] = CONTENT[:-1] + b"?"
    wrong = hashlib.md5(site.files["a.bin"]).hexdigest()
    with pytest.raises(DataError, match=f"{FILE.md5}.*{wrong}"):
        take()
    assert left_in(tmp_path) == {}


def test_a_part_of_something_else_is_removed(take, tmp_path):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "a.bin.part").write_bytes(b"?" * 100)
    with pytest.raises(DataError, match="must have the MD5"):
        take()
    assert left_in(tmp_path) == {}
    assert take().read_bytes() == CONTENT


@pytest.mark.parametrize("length", [True, False])
def test_what_is_too_large_is_not_read(take, site, tmp_path, length):
    site.length = length
    with pytest.raises(DataError, match=r"must have about 1,000 bytes; .* sends"):
        take(replace(FILE, size=1000))
    assert sum(left_in(tmp_path).values()) <= len(CONTENT) * (not length)


def test_a_server_that_falls_silent_is_left(take, site, tmp_path):
    site.stall_after = 30_000
    begun = time.monotonic()
    with pytest.raises(DataError, match="silent for too long"):
        take(timeout_s=0.3)
    assert time.monotonic() - begun < 5
    assert left_in(tmp_path) == {"a.bin.part": 30_000}


def test_a_server_that_trickles_is_left(take, site, tmp_path):
    """Ten bytes every 20 ms are 500 a second; the limit is 10,000, and half a second's worth may be
    owed.
    """
    site.drip = (10, 0.02)
    begun = time.monotonic()
    with pytest.raises(
        DataError, match=r"fewer than 10,000 bytes a second.*Try again, which goes on"
    ):
        take(timeout_s=0.3)
    assert 0.25 < time.monotonic() - begun < 2
    assert 0 < left_in(tmp_path)["a.bin.part"] < 1000


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": 404}, "answers 404"),
        ({"status": 500}, "answers 500"),
        ({"location": "file:///etc/passwd"}, "'file:///etc/passwd' is neither http nor https"),
        ({"location": "ftp://127.0.0.1/a.bin"}, "neither http nor https"),
        ({"location": "http://["}, "Invalid IPv6"),
        ({"location": "a.bin"}, "redirects more than 5 times"),
    ],
)
def test_an_address_that_gives_nothing_is_named(take, site, tmp_path, wrong, message):
    for name, value in wrong.items():
        setattr(site, name, value)
    with pytest.raises(DataError, match=message):
        take()
    assert left_in(tmp_path) == {}


def test_another_range_than_asked_for_is_refused(take, site, tmp_path):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "a.bin.part").write_bytes(CONTENT[:10])
    site.lie = f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}"
    with pytest.raises(DataError, match="asked for what follows byte 10"):
        take()
    assert left_in(tmp_path) == {"a.bin.part": 10}


@pytest.mark.parametrize(
    "url", ["file:///etc", "ftp://127.0.0.1", "/etc", "http://127.0.0.1:1", "http://[", "http:// x"]
)
def test_other_addresses_are_refused(url, cli, cache):
    code, out, err = cli("data", "get", "mnist", "--url", url)
    assert (code, out) == (5, "")
    assert "an address must give its file" in err
    assert "Traceback" not in err
    assert not list(cache.rglob("*.gz*"))


def test_ctrl_c_leaves_the_part(take, site, tmp_path, monkeypatch):
    def press(_: str) -> None:
        raise KeyboardInterrupt

    site.stall_after = 20_000
    with pytest.raises(KeyboardInterrupt):
        fetch.download(f"{site.url}/a.bin", FILE, tmp_path / "got" / "a.bin", press)
    assert 0 < left_in(tmp_path)["a.bin.part"] <= 20_000


def test_progress_is_told(take, site, tmp_path):
    told = []
    fetch.download(f"{site.url}/a.bin", FILE, tmp_path / "got" / "a.bin", told.append)
    assert told[-1] == "a.bin: 0.1 of 0.1 MB"


# === archives ===


def archive(path: Path, *members: tuple[str, bytes, dict[str, object]]) -> Path:
    """Write a `.tar.gz` of (name, content, other fields of its header)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return path


@contextmanager
def refused(tmp_path: Path, message: str) -> Iterator[Path]:
    """A folder for what is unpacked; the context raises DataError and writes nothing outside the
    folder.
    """
    folder = tmp_path / "out" / "here"
    folder.mkdir(parents=True)
    before = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    with pytest.raises(DataError, match=message):
        yield folder
    assert {path for path in tmp_path.rglob("*") if folder not in path.parents} == before


def test_an_archive_of_nothing_is_nothing(tmp_path):
    (tmp_path / "out").mkdir()
    archives.unpack(archive(tmp_path / "a.tgz"), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_files_and_folders_come_out_as_they_were(tmp_path):
    (tmp_path / "out").mkdir()
    long = "x" * 120 + "/" + "ü" * 60  # needs the longer kinds of headers
    members = (
        ("./", b"", {"type": tarfile.DIRTYPE}),
        ("./a/b.txt", b"b", {"mode": 0o4777}),
        (long, b"c" * 3000, {}),
    )
    told = []
    archives.unpack(archive(tmp_path / "a.tar.gz", *members), tmp_path / "out", told.append)
    out = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in tmp_path.glob("out/*/*")
    }
    assert out == {"a/b.txt": b"b", long: b"c" * 3000}
    assert (tmp_path / "out" / "a" / "b.txt").stat().st_mode & 0o7000 == 0
    assert told == [1, 2]


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "\\\\server\\x", "a\\..\\..\\x"]
)
def test_names_that_lead_out_are_refused(tmp_path, name):
    made = archive(tmp_path / "a.tgz", ("a/fine", b"1", {}), (name, b"2", {}))
    with refused(tmp_path, "must lead below its folder") as folder:
        archives.unpack(made, folder)


@pytest.mark.parametrize(
    "kind", ["SYMTYPE", "LNKTYPE", "FIFOTYPE", "CHRTYPE", "BLKTYPE", "CONTTYPE", "GNUTYPE_SPARSE"]
)
def test_anything_but_files_and_folders_is_refused(tmp_path, kind):
    made = archive(
        tmp_path / "a.tgz",
        ("a", b"1", {}),
        ("b", b"", {"type": getattr(tarfile, kind), "linkname": "a"}),
    )
    with refused(tmp_path, "must hold files and folders alone; 'b'") as folder:
        archives.unpack(made, folder)


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "./a"), ("a", "A"), ("a", "a/b"), ("a/b", "a")]
)
def test_names_that_come_twice_are_refused(tmp_path, names):
    made = archive(tmp_path / "a.tgz", *((name, b"1", {}) for name in names))
    with refused(tmp_path, "every name once") as folder:
        archives.unpack(made, folder)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path):
    made = archive(tmp_path / "a.tgz", ("small", b"1", {}), ("bomb", bytes(2 * archives._MORE), {}))
    with refused(tmp_path, "holds more. It is not unpacked") as folder:
        archives.unpack(made, folder)
    assert [path.name for path in (tmp_path / "out" / "here").iterdir()] == ["small"]


def test_headers_that_unpack_to_too_much_are_refused(tmp_path):
    """The bomb is in the table of a name, which has no size of its own to be added up."""
    made = archive(
        tmp_path / "a.tgz", ("a", b"1", {"pax_headers": {"comment": "x" * (2 * archives._MORE)}})
    )
    with refused(tmp_path, "holds more. It is not unpacked") as folder:
        archives.unpack(made, folder)


def test_too_many_names_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 5)
    made = archive(
        tmp_path / "a.tgz", *((f"folder{i}", b"", {"type": tarfile.DIRTYPE}) for i in range(6))
    )
    with refused(tmp_path, "5 names") as folder:
        archives.unpack(made, folder)


@pytest.mark.parametrize("cut", [0, 10, 300])
def test_a_damaged_archive_is_refused(tmp_path, cut):
    made = archive(
        tmp_path / "a.tgz",
        *((f"{i}", hashlib.sha256(bytes([i])).digest() * 50, {}) for i in range(20)),
    )
    made.write_bytes(made.read_bytes()[:cut])
    with refused(tmp_path, "must be whole") as folder:
        archives.unpack(made, folder)


def test_a_bad_archive_leaves_no_folder(offer, get, site, monkeypatch, tmp_path):
    content = archive(
        tmp_path / "bad.tgz", ("cifar-10-batches-bin/ok", b"1", {}), ("../x", b"2", {})
    ).read_bytes()
    (name,) = (file.name for file in KNOWN["cifar10"].files)
    site.files[name] = content
    table = (RemoteFile(name, len(content), hashlib.md5(content).hexdigest()),)
    monkeypatch.setitem(KNOWN, "cifar10", replace(KNOWN["cifar10"], files=table))
    code, _, err = get("cifar10")
    assert code == 5
    assert "'../x'" in err
    assert [path.name for path in catalogue.place_of("cifar10").rglob("*")] == [name]


def test_an_archive_without_the_folder_is_refused(get, site, monkeypatch, tmp_path):
    content = gzip.compress(bytes(10240))
    (name,) = (file.name for file in KNOWN["imagenette"].files)
    site.files[name] = content
    table = (RemoteFile(name, len(content), hashlib.md5(content).hexdigest()),)
    monkeypatch.setitem(KNOWN, "imagenette", replace(KNOWN["imagenette"], files=table))
    code, _, err = get("imagenette")
    assert code == 5
    assert "must bring its folder 'imagenette2-160'" in err


def test_a_folder_that_cannot_be_written_is_named(offer, get, tmp_path):
    offer("mnist")
    (tmp_path / "file").write_bytes(b"")
    code, _, err = get("mnist", "-o", tmp_path / "file")
    assert code == OutputError.exit_code == 2
    assert "could not be written" in err
