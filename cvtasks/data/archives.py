"""Unpacking archives of files and folders, and of nothing else."""

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cvtasks.data.inside import leads_out
from cvtasks.errors import DataError
from cvtasks.files import cannot_write

ENDINGS = (".tar", ".tar.gz", ".tgz")
"""What the names of archives end in."""
MOST_MEMBERS = 500_000
_TIMES = 4  # what unpacks to more than so many times its size, and 16 MiB, is no archive of pictures
_MORE = 1 << 24
_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path, on_file: Callable[[int], None] = lambda count: None) -> None:
    """Write the files and folders of a `.tar`, `.tar.gz` or `.tgz` below `folder`, an existing one.

    Links, devices and pipes are refused, and names that lead out of the folder or come twice; so is what unpacks to far
    more than pictures can. Owners, rights and times are not taken over. After an error `folder` holds a part: give one that
    can be thrown away.

    Args:
        on_file: is called after each file with the number of files so far.

    Raises:
        DataError: the archive is damaged, or holds what is refused. CVTasksError: the folder cannot be written.
    """
    most = _TIMES * archive.stat().st_size + _MORE
    written = files = 0
    try:
        with archive.open("rb") as raw:
            plain = raw if archive.suffix == ".tar" else gzip.GzipFile(fileobj=raw)
            with tarfile.open(fileobj=_Bounded(plain, most, archive), mode="r|") as tar:
                for number, member in enumerate(tar):
                    name, target = _target(member, archive, folder)
                    written += member.size
                    if number >= MOST_MEMBERS or written > most:
                        raise _too_much(archive, most)
                    if member.isdir():
                        target.mkdir(parents=True, exist_ok=True)
                        continue
                    target.parent.mkdir(parents=True, exist_ok=True)
                    content = tar.extractfile(member)
                    if content is None:
                        raise DataError(f"{str(archive)!r} is damaged: {name!r} has no content. Get it again.")
                    with _new(target, name, archive) as file:
                        while chunk := content.read(_CHUNK):
                            file.write(chunk)
                    files += 1
                    on_file(files)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"an archive must be whole; {str(archive)!r} is not: {error}. Get it again.") from error
    except OSError as error:
        raise cannot_write(folder, error) from error


class _Bounded(io.RawIOBase):
    """A stream of which no more than so many bytes are read: tables of names can be bombs as well as files."""

    def __init__(self, stream: io.BufferedIOBase, most: int, archive: Path) -> None:
        self._stream, self._left, self._most, self._archive = stream, most, most, archive

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(_CHUNK if size < 0 else size)
        self._left -= len(content)
        if self._left < 0:
            raise _too_much(self._archive, self._most)
        return content


def _target(member: tarfile.TarInfo, archive: Path, folder: Path) -> tuple[str, Path]:
    """The member's name and where it goes."""
    name = member.name
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise DataError(f"an archive must hold files and folders alone; in {str(archive)!r}, {name!r} is something else.")
    if leads_out(name) or (not PurePosixPath(name).parts and not member.isdir()):
        raise DataError(f"names in an archive must lead below its folder; {str(archive)!r} has {name!r}. It is not unpacked.")
    return name, folder / PurePosixPath(name)


def _new(target: Path, name: str, archive: Path) -> io.BufferedWriter:
    try:
        return open(target, "xb")
    except (FileExistsError, IsADirectoryError):
        raise DataError(f"an archive must hold every name once; {str(archive)!r} has {name!r} again. Get it again.") from None


def _too_much(archive: Path, most: int) -> DataError:
    return DataError(
        f"an archive of {os.path.getsize(archive):,} bytes may unpack to {most:,} bytes and {MOST_MEMBERS:,} names; "
        f"{str(archive)!r} holds more. It is not unpacked."
    )
