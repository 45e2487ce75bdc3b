"""Wrong archives, and some that only look wrong."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cvtasks.data.download.archives import unpack
from tests.laws.tour import Case, Make

Member = tuple[str, bytes, dict[str, object]]


def packed(*members: Member, mode: str = "w:gz") -> bytes:
    """A tar of (name, content, other fields of its header)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def tree(folder: Path) -> set[str]:
    """Everything below a folder, by name, kind and size; links are not followed."""
    found = set()
    for home, folders, files in os.walk(folder):
        found |= {f"{Path(home, name).relative_to(folder)}/" for name in folders}
        found |= {
            f"{(path := Path(home, name)).relative_to(folder)}={path.lstat().st_size}"
            for name in files
        }
    return found


def unpacked(
    content: bytes | Callable[[], bytes],
    name: str = "a.tar.gz",
    prepare: Callable[[Path], object] = lambda out: None,
) -> Make:
    """An archive that is unpacked; nothing may come to lie outside its folder, whether it is
    refused or not.
    """

    def make(folder: Path) -> Callable[[], object]:
        place, out = folder / name, folder / "in" / "out"
        place.write_bytes(content if isinstance(content, bytes) else content())
        out.mkdir(parents=True)
        prepare(out)
        return partial(look, place, out)

    def look(place: Path, out: Path) -> str:
        home = place.parent
        before = tree(home) - {f"in/out/{entry}" for entry in tree(out)}
        try:
            unpack(place, out)
        finally:
            if stray := (tree(home) - {f"in/out/{entry}" for entry in tree(out)}) ^ before:
                raise RuntimeError(f"something changed outside the folder: {stray}")
        return " ".join(sorted(tree(out)))

    return make


def good(says: str, *members: Member, **how: str) -> Case:
    return Case(unpacked(lambda: packed(*members, **how), "a.tar" if how else "a.tar.gz"), "", says)


def bad(says: str, *members: Member, **how: str) -> Case:
    return Case(
        unpacked(lambda: packed(*members, **how), "a.tar" if how else "a.tar.gz"), "DataError", says
    )


def raw(says: str, content: bytes | Callable[[], bytes], name: str = "a.tar.gz") -> Case:
    return Case(unpacked(content, name), "DataError", says)


def lying(size: int) -> bytes:
    """A tar whose only file declares this size and holds a byte."""
    info = tarfile.TarInfo("a")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + b"1".ljust(512, b"\0") + bytes(1024)


def special(prepare: Callable[[Path], object], name: str = "a.tar") -> Make:
    def make(folder: Path) -> Callable[[], object]:
        prepare(folder / name)
        (folder / "out").mkdir()
        return partial(unpack, folder / name, folder / "out")

    return make


A = ("a", b"1", {})
THROUGH = (("way", b"", {"type": tarfile.SYMTYPE, "linkname": ".."}), ("way/x", b"1", {}))
OUT, ALONE, ONCE, WHOLE, MORE = (
    "must lead below its folder",
    "must hold files and folders alone",
    "must hold every name once",
    "must be whole",
    "holds more. It is not unpacked",
)

ARCHIVES = {
    "a file in a folder": good("b/ b/a.txt=2", ("b/a.txt", b"12", {})),
    "nothing in it": Case(unpacked(packed, "a.tgz"), "", ""),
    "rights, owners and times of others": good(
        "a=1", ("a", b"1", {"mode": 0o6777, "uid": 1 << 30, "mtime": 1 << 40})
    ),
    "names with dots that do not climb": good(
        "..a=1 b.. b../ b../c=1".replace("b.. ", ""), ("..a", b"1", {}), ("./b../c", b"1", {})
    ),
    "a long name in a PAX header": good(f"{'ü' * 100}=1", ("ü" * 100, b"1", {}), mode="w:"),
    "a plain tar named .tar.gz": raw("Not a gzipped file", lambda: packed(A, mode="w:")),
    "a packed tar named .tar": raw(WHOLE, lambda: packed(A), "a.tar"),
    "a name that climbs": bad(OUT, A, ("../x", b"2", {})),
    "a name that climbs later": bad(OUT, ("a/b/../../../x", b"2", {})),
    "a name from the root": bad(OUT, ("/tmp/tour-of-wrong-inputs", b"2", {})),
    "a name of a drive": bad(OUT, ("C:\\x", b"2", {})),
    "a name that climbs on Windows": bad(OUT, ("..\\x", b"2", {})),
    "a name that is empty": bad(OUT, ("", b"2", {})),
    "a name that is a dot": bad(OUT, (".", b"2", {})),
    "a name that climbs in its PAX header": bad(
        OUT, ("a", b"2", {"pax_headers": {"path": "../x"}})
    ),
    "a name with a NUL in its PAX header": bad(OUT, ("a", b"2", {"pax_headers": {"path": "a\0b"}})),
    "a name too long for any disk": bad("no longer than a file's", ("x" * 300, b"2", {})),
    "a folder that climbs": bad(OUT, ("../x", b"", {"type": tarfile.DIRTYPE})),
    "a symbolic link": bad(ALONE, A, ("b", b"", {"type": tarfile.SYMTYPE, "linkname": "a"})),
    "a file through a symbolic link": bad(ALONE, *THROUGH),
    "a hard link": bad(ALONE, A, ("b", b"", {"type": tarfile.LNKTYPE, "linkname": "a"})),
    "a hard link to a file outside": bad(
        ALONE, ("b", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})
    ),
    "a device": bad(ALONE, ("b", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5})),
    "a named pipe": bad(ALONE, ("b", b"", {"type": tarfile.FIFOTYPE})),
    "a kind that does not exist": bad(ALONE, ("b", b"", {"type": b"Z"})),
    "a file of holes": bad(ALONE, ("b", b"", {"type": tarfile.GNUTYPE_SPARSE})),
    "a file of holes, by PAX": bad(
        ALONE,
        (
            "b",
            b"1\n0\n1\n".ljust(512, b"\0"),
            {
                "pax_headers": {
                    "GNU.sparse.major": "1",
                    "GNU.sparse.minor": "0",
                    "GNU.sparse.name": "b",
                    "GNU.sparse.realsize": "99999999999",
                }
            },
        ),
    ),
    "a size that is none, by PAX": bad(WHOLE, ("b", b"1", {"pax_headers": {"size": "many"}})),
    "a size below nothing, by PAX": bad(WHOLE, ("b", b"1", {"pax_headers": {"size": "-512"}})),
    "a name twice": bad(ONCE, A, A),
    "a name twice, in capitals": bad(ONCE, A, ("A", b"1", {})),
    "a file where a folder is": bad(ONCE, ("a/b", b"1", {}), A),
    "a folder where a file is": bad(ONCE, A, ("a/b", b"1", {})),
    "100 MB of nothing": bad(MORE, ("a", bytes(100_000_000), {})),
    "a header of 100 MB": bad(MORE, ("a", b"1", {"pax_headers": {"comment": "x" * 100_000_000}})),
    "1,000 files of 20 kB of nothing": bad(
        MORE, *((f"{i}", bytes(20_000), {}) for i in range(1000))
    ),
    "an exabyte is declared": raw(MORE, lambda: lying(1 << 60), "a.tar"),
    "a size below nothing": raw(MORE, lambda: lying(-(1 << 40)), "a.tar"),
    "more is declared than is there": raw(WHOLE, lambda: lying(5000), "a.tar"),
    "nothing at all": raw(WHOLE, b""),
    "text": raw(WHOLE, b"<html>404 Not Found</html>"),
    "text named .tar": raw(WHOLE, b"<html>404 Not Found</html>" * 99, "a.tar"),
    "cut within a file": raw(WHOLE, lambda: packed(("a", os.urandom(9000), {}))[:4000]),
    "cut within the packing's end": raw(WHOLE, lambda: packed(A)[:-5]),
    "cut before its end": raw(
        WHOLE, lambda: packed(("a", os.urandom(9000), {}), mode="w:")[:5000], "a.tar"
    ),
    "a wrong sum of the packing": raw(WHOLE, lambda: (c := packed(A))[:-8] + bytes(4) + c[-4:]),
    "a wrong sum of its second header": raw(
        WHOLE,
        lambda: packed(("b", b"1" * 512, {}), A, mode="w:").replace(
            b"a" + bytes(99), b"c" + bytes(99)
        ),
        "a.tar",
    ),
    "cut between two files": raw(
        WHOLE, lambda: packed(A, ("b", b"2", {}), mode="w:")[:1024], "a.tar"
    ),
    "a name of 3000 folders": bad("no longer than a file's", ("x/" * 3000, b"2", {})),
    "a wrong sum of a header": raw(
        WHOLE, lambda: packed(A, mode="w:").replace(b"0000644", b"0000755", 1), "a.tar"
    ),
    "packed twice": raw(WHOLE, lambda: gzip.compress(packed(A))),
    "a folder": Case(special(Path.mkdir), "DataError", "regular file"),
    "a named pipe in its place": Case(special(os.mkfifo), "DataError", "regular file"),
    "no file": Case(special(lambda path: None), "DataError", "regular file that exists"),
}

CASES = {f"archive: {name}": case for name, case in ARCHIVES.items()}
