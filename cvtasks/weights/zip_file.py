"""Zip files of others, which are checked whole before a byte of them is unpacked.

A zip can hold far more than its size: members that overlap, so that the same bytes are unpacked a
thousand times (D. Fifield, A better zip bomb, WOOT 2019); members that declare sizes which no
compressed bytes can back; a directory of millions of names. None of these is let through. Nothing
is written under a name that comes from the file.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from cvtasks.files.bounded import BoundedReader
from cvtasks.media.safe_paths import leads_out, of_windows
from cvtasks.weights.stored import damaged

DEFLATE_LIMIT = 1100
"""Bytes that one compressed byte can stand for; deflate reaches 1032."""

MEMBER_LIMIT = 5_000
"""Files in a zip; PyTorch's have one for every tensor, and ResNet-152 has about a thousand."""

DIRECTORY_LIMIT = 2 << 20
"""Bytes of the list of names, which is held in memory; a name takes 46 and its own at least."""

_END = 100  # bytes of the records behind that list, which are read with it


@dataclass(frozen=True)
class Member:
    """One file within a zip.

    Attributes:
        size: in bytes, unpacked.
        begin: the byte of the zip at which the content lies, as it is; None where it is compressed.
        open: returns a stream of the content, which raises at its end if the checksum is wrong.
    """

    size: int
    begin: int | None
    open: Callable[[], IO[bytes]]


@contextmanager
def opened_zip(path: Path) -> Iterator[dict[str, Member]]:
    """Open a zip and give its files by name, folders left out.

    Raises:
        ModelError: it is no zip, or damaged, or members are encrypted, compressed by another method
            than deflate, overlap, come twice, have names that lead out of the archive, or declare
            more than their bytes can hold.
    """
    with BoundedReader(io.FileIO(path), DIRECTORY_LIMIT + _END, _too_many_names) as file:
        try:  # reads the whole list of names in one piece
            archive = zipfile.ZipFile(file)
            file.most = None
        except Exception as error:  # zipfile raises nearly every kind on foreign bytes
            raise damaged(path, f"it must be a zip archive; {error}") from error
        with archive:
            yield _members(path, archive, file)


def _too_many_names() -> ValueError:
    return ValueError(f"its list of names must have at most {DIRECTORY_LIMIT} bytes; it has more")


def _members(path: Path, archive: zipfile.ZipFile, file: IO[bytes]) -> dict[str, Member]:
    """The files of the archive, checked."""
    found = archive.infolist()
    if len(found) > MEMBER_LIMIT:
        raise damaged(path, f"it must hold at most {MEMBER_LIMIT} files; it holds {len(found)}")
    members: dict[str, Member] = {}
    spans = []
    for info in found:
        name = info.filename[:200]
        if name in members:
            raise damaged(path, f"{name!r} must be in it once; it is there twice")
        if len(info.filename) > 200 or leads_out(info.filename) or of_windows(info.filename):
            raise damaged(
                path, f"names in it must be relative and of 1 to 200 characters; it has {name!r}"
            )
        if info.flag_bits & 1:
            raise damaged(path, f"{name!r} must not be encrypted, and is")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(
                path,
                f"{name!r} must be stored or deflated; it has compression method "
                f"{info.compress_type}",
            )
        stored = info.compress_type == zipfile.ZIP_STORED
        if info.file_size > info.compress_size * (1 if stored else DEFLATE_LIMIT):
            received = f"{info.file_size}, and has {info.compress_size} compressed ones for them"
            raise damaged(path, f"{name!r} must have the bytes it declares; it declares {received}")
        begin = _begin(path, file, info)
        spans.append((info.header_offset, begin + info.compress_size, name))
        if not info.is_dir():
            members[name] = Member(
                info.file_size, begin if stored else None, partial(archive.open, info)
            )
    reached = 0
    for start, end, name in sorted(spans):
        if start < reached or end > archive.start_dir:
            raise damaged(
                path, f"files in it must not overlap; {name!r} shares bytes with what is beside it"
            )
        reached = end
    return members


def _begin(path: Path, file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """The byte at which a member's content begins, after its own header, which is padded as
    the writer likes.
    """
    try:
        file.seek(info.header_offset)
        header = file.read(30)
    except (OSError, ValueError) as error:
        raise damaged(path, f"{info.filename[:200]!r} must lie within it; {error}") from error
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise damaged(
            path,
            f"{info.filename[:200]!r} must begin with a header; there is none at byte "
            f"{info.header_offset}",
        )
    return (
        info.header_offset
        + 30
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:30], "little")
    )
