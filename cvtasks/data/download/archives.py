"""Unpacking archives of files and folders, and of nothing else."""

import gzip
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from cvtasks.errors import DataError
from cvtasks.files.bounded import BoundedReader
from cvtasks.files.writing import cannot_write
from cvtasks.media.safe_paths import leads_out

ENDINGS = (".tar", ".tar.gz", ".tgz")
"""What the names of archives end in."""
MOST_MEMBERS = 500_000
_TIMES = 4  # what unpacks to more than so many times its size, and 16 MiB, is no archive of images
_MORE = 1 << 24
_CHUNK = 1 << 20


def unpack(
    archive: Path, folder: Path, on_file: Callable[[int], None] = lambda count: None
) -> None:
    """Write the files and folders of a `.tar`, `.tar.gz` or `.tgz` below `folder`, an existing one.

    Links, devices and pipes are refused, and names that lead out of the folder or come twice; so is
    what unpacks to far more than images can. Owners, rights and times are not taken over. What an
    earlier archive left in `folder` may be replaced, and after an error it holds a part: give one
    that can be thrown away.

    Args:
        on_file: is called after each file with the number of files so far.

    Raises:
        DataError: the archive is damaged, or holds what is refused. CVTasksError: the folder cannot
            be written.
    """
    if not archive.is_file():  # a named pipe would block for ever
        raise DataError(
            f"an archive must be a regular file that exists; {str(archive)!r} is none. Check the "
            "name."
        )
    most = _TIMES * archive.stat().st_size + _MORE
    written, files = 0, 0
    seen: set[str] = set()
    try:
        with archive.open("rb") as raw:
            plain = raw if archive.suffix == ".tar" else gzip.GzipFile(fileobj=raw)
            # Tables of names can be bombs as well as files.
            stream = BoundedReader(plain, most, partial(_too_much, archive, most))
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar:
                for number, member in enumerate(tar):
                    name = _checked(member, archive)
                    written += abs(member.size)
                    if number >= MOST_MEMBERS or written > most:
                        raise _too_much(archive, most)
                    target = folder / name
                    (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
                    if member.isdir():
                        continue
                    if str(name).casefold() in seen:
                        raise FileExistsError(f"{member.name!r} comes twice")
                    seen.add(str(name).casefold())  # on some systems A.jpg and a.jpg are one file
                    _write(tar, member, target)
                    files += 1
                    on_file(files)
            while stream.read(_CHUNK):  # to the end of the packing, where its checksum is
                pass
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(
            f"an archive must hold every name once; in {str(archive)!r}: {error}. It is not "
            "unpacked."
        ) from error
    except (
        tarfile.TarError,
        EOFError,
        ValueError,
        RecursionError,
        zlib.error,
        gzip.BadGzipFile,
    ) as error:
        raise DataError(
            f"an archive must be whole; {str(archive)!r} is not: {error}. Get it again."
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error


class _Member(tarfile.TarInfo):
    """A header. Before the mark of the end all must be good: tarfile takes the first bad or missing
    one for the end.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        """Raise ReadError for a header that is cut or damaged."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(f"{error}, before the mark of its end") from error


def _checked(member: tarfile.TarInfo, archive: Path) -> PurePosixPath:
    """The path of a member that may be written."""
    name = PurePosixPath(member.name)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise DataError(
            f"an archive must hold files and folders alone; {member.name!r} of {str(archive)!r} is "
            "something else."
        )
    if leads_out(member.name) or (not name.parts and not member.isdir()):
        raise DataError(
            "names in an archive must lead below its folder, and be no longer than a file's; "
            f"{str(archive)!r} has "
            f"{member.name[:300]!r}."
        )
    return name


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name!r} has no content")
    with target.open("wb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)


def _too_much(archive: Path, most: int) -> DataError:
    return DataError(
        f"an archive of {archive.stat().st_size:,} bytes may unpack to {most:,} bytes and "
        f"{MOST_MEMBERS:,} names; "
        f"{str(archive)!r} holds more. It is not unpacked."
    )
