"""Fetching a known data set: downloads that go on where they broke off, checked before they count,
unpacked whole.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cvtasks.data.download.archives import ENDINGS, unpack
from cvtasks.data.download.catalogue import KnownData, RemoteFile, is_complete
from cvtasks.errors import DataError, OutputError
from cvtasks.files.writing import cannot_write, write_text
from cvtasks.media.download import download_file
from cvtasks.text import counted

TIMEOUT_S = 30.0
"""Seconds that a server may be silent."""

Report = Callable[[str], None]
"""Is told how far it is; often."""


def fetch(
    known: KnownData, place: Path, base: str = "", report: Report = lambda text: None
) -> bool:
    """Bring a data set to the folder `place`; False where it lies there already.

    Archives are unpacked into a folder of their own first, so that the data set's folder appears
    whole or not at all, and are then removed. A broken download leaves a `.part` that the next call
    goes on with; a complete one with another MD5 than the table's is removed.

    Args:
        base: address below which the files lie; the table's own if empty.

    Raises:
        DataError: a file cannot be had, is another one, or an archive holds what is refused.
        OutputError: the folder cannot be written.
    """
    if is_complete(known, place):
        return False
    if (place / known.root).exists() and known.root != ".":
        raise DataError(
            "what lies there is left as it is, so a data set's folder must be new; "
            f"{str(place / known.root)!r} is there and "
            "lacks a file. Remove it, or choose another folder."
        )
    base = base or known.base
    try:
        for file in known.files:
            if not (place / file.name).is_file():
                download(f"{base.rstrip('/')}/{file.name}", file, place / file.name, report)
        if known.root != ".":
            _unpack_all(known, place, report)
        else:
            for name, text in known.extra.items():
                write_text(place / name, text)
    except OSError as error:
        raise cannot_write(place, error) from error
    return True


def download(
    url: str,
    file: RemoteFile,
    path: Path,
    report: Report = lambda text: None,
    timeout_s: float | None = None,
) -> None:
    """Download `url` to `path` by way of `path` + `.part`, going on with one that is there.

    Args:
        timeout_s: seconds that the server may be silent; `TIMEOUT_S` by default.

    Raises:
        DataError: as `cvtasks.media.download.download_file`.
    """
    download_file(
        url, path, file.md5, file.size, report, TIMEOUT_S if timeout_s is None else timeout_s
    )


def _unpack_all(known: KnownData, place: Path, report: Report) -> None:
    """Unpack the archives together, and move the data set's folder into its place when it is
    complete.
    """
    archives = [place / file.name for file in known.files if file.name.endswith(ENDINGS)]
    with tempfile.TemporaryDirectory(dir=place, prefix=".unpacking-") as scratch:
        for archive in archives:
            unpack(archive, Path(scratch), partial(_unpacked, report, archive.name))
        made, target = Path(scratch, known.root), place / known.root
        if not made.is_dir():
            names = ", ".join(archive.name for archive in archives)
            raise DataError(
                f"the archives of a data set must bring its folder {known.root!r}; {names} did not."
            )
        for name, text in known.extra.items():
            write_text(made / name, text)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.rename(target)
        except OSError as error:
            raise OutputError(
                f"{str(target)!r} could not be put in its place: {error}. Nothing is changed there."
            ) from error
    for archive in archives:
        archive.unlink()


def _unpacked(report: Report, name: str, count: int) -> None:
    report(f"{name}: {counted(count, 'file', ',')} unpacked")
