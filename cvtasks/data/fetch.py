"""Fetching a known data set: downloads that go on where they broke off, checked before they count, unpacked whole."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import Request

from cvtasks.data.archives import ENDINGS, unpack
from cvtasks.data.known import KnownData, RemoteFile, is_complete
from cvtasks.errors import CVTasksError, DataError
from cvtasks.files import cannot_write, write_text
from cvtasks.media.download import http_opener

TIMEOUT_S = 30.0
"""Seconds that a server may be silent."""
_SLOWEST = 10_000  # bytes a second: whoever sends less is given up, and is asked for the rest another time
_MOST_REDIRECTS = 5
_CHUNK = 1 << 18

Report = Callable[[str], None]
"""Is told how far it is; often."""


def fetch(known: KnownData, place: Path, base: str = "", report: Report = lambda text: None) -> bool:
    """Bring a data set to the folder `place`; False where it lies there already.

    Archives are unpacked into a folder of their own first, so that the data set's folder appears whole or not at all, and
    are then removed. A broken download leaves a `.part` that the next call goes on with; a complete one with another MD5 than
    the table's is removed.

    Args:
        base: address below which the files lie; the table's own if empty.

    Raises:
        DataError: a file cannot be had, is another one, or an archive holds what is refused.
        CVTasksError: the folder cannot be written.
    """
    if is_complete(known, place):
        return False
    if (place / known.root).exists() and known.root != ".":
        raise DataError(
            f"what lies there is left as it is, so a data set's folder must be new; {str(place / known.root)!r} is there and "
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
    url: str, file: RemoteFile, path: Path, report: Report = lambda text: None, timeout_s: float | None = None
) -> None:
    """Download `url` to `path` by way of `path` + `.part`, going on with one that is there.

    Args:
        timeout_s: seconds that the server may be silent; `TIMEOUT_S` by default.

    Raises:
        DataError: the address cannot be had or redirects to anything but http(s), the connection breaks off, the server is
            silent or slow, or the file is too large or has another MD5.
    """
    part = path.with_name(f"{path.name}.part")
    if not (part.is_file() and part.stat().st_size == file.size):
        _receive(url, file, part, report, TIMEOUT_S if timeout_s is None else timeout_s)
    with part.open("rb+") as content:
        os.fsync(content.fileno())
        received = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if received != file.md5:
        part.unlink()
        raise DataError(
            f"a file must have the MD5 that its authors publish, {file.md5}; what {url!r} gives has {received}. It is removed; "
            "try again, or another address with --url."
        )
    part.replace(path)


def _receive(url: str, file: RemoteFile, part: Path, report: Report, timeout_s: float) -> None:
    """Append to the part, or begin it, until all is there."""
    have = part.stat().st_size if part.is_file() else 0
    most = file.size + file.size // 10
    try:
        with _answer(url, have, timeout_s) as response:
            if response.status == 416:  # nothing is missing, or what is here is too much: the MD5 will tell
                return
            start, total = _extent(response, have)
            if total is not None and total > most:
                raise _too_large(url, file, total)
            begun, done = time.monotonic(), start
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("r+b" if start else "wb") as out:
                out.seek(start)
                out.truncate()
                for chunk in _chunks(response):
                    out.write(chunk)
                    done += len(chunk)
                    report(f"{file.name}: {done / 1e6:,.1f} of {max(total or file.size, done) / 1e6:,.1f} MB")
                    if done > most:
                        raise _too_large(url, file, done)
                    if time.monotonic() - begun > timeout_s + (done - start) / _SLOWEST:
                        raise _Unreachable(f"it sends fewer than {_SLOWEST:,} bytes a second")
            if total is not None and done < total:
                raise _Unreachable(f"it broke off after {done:,} of {total:,} bytes")
    except _Unreachable as error:
        raise DataError(
            f"an address must give its file; {url!r} did not: {error}. Try again, which goes on with what has come already, "
            "or give another address with --url."
        ) from error


class _Unreachable(Exception):
    """An address could not be asked, or not to the end; the text says why."""


def _unreachable(error: Exception) -> _Unreachable:
    reason = getattr(error, "reason", error)
    return _Unreachable("it is silent for too long" if isinstance(reason, TimeoutError) else str(reason))


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """What an answer holds, as it comes."""
    try:
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _unreachable(error) from error


@contextmanager
def _answer(url: str, have: int, timeout_s: float) -> Iterator[HTTPResponse]:
    """The answer of status 200 or 206, or 416 to a request for what is beyond the end, after all redirects."""
    headers = {"User-Agent": "cvtasks", **({"Range": f"bytes={have}-"} if have else {})}
    at, opener = url, http_opener()
    for _ in range(_MOST_REDIRECTS + 1):
        if not at.lower().startswith(("http://", "https://")):
            raise _Unreachable(f"{at!r} is neither http nor https")
        try:
            response = opener.open(Request(at, headers=headers), timeout=timeout_s)
            following = urljoin(at, response.headers.get("Location", ""))
        except (OSError, HTTPException, ValueError) as error:  # ValueError: no valid address
            raise _unreachable(error) from error
        with response:
            if response.status in (200, 206) or (response.status == 416 and have):
                yield response
                return
            if response.status not in (301, 302, 303, 307, 308):
                raise _Unreachable(f"it answers {response.status} {response.reason}")
        at = following
    raise _Unreachable(f"it redirects more than {_MOST_REDIRECTS} times")


def _extent(response: HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where in the file an answer begins, and the bytes of the whole file if it says so."""
    length = response.headers.get("Content-Length", "")
    if response.status == 200:  # the server knows no ranges, or nothing was there: from the start
        return 0, int(length) if length.isdecimal() else None
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    span, _, whole = rest.partition("/")
    if unit.lower() != "bytes" or span.partition("-")[0] != str(have):
        raise _Unreachable(f"it was asked for what follows byte {have:,} and answers with {rest or 'something else'!r}")
    return have, int(whole) if whole.isdecimal() else None


def _too_large(url: str, file: RemoteFile, received: int) -> DataError:
    return DataError(
        f"{file.name!r} must have about {file.size:,} bytes; {url!r} sends {received:,} or more. Give another address with --url."
    )


def _unpack_all(known: KnownData, place: Path, report: Report) -> None:
    """Unpack the archives together, and move the data set's folder into its place when it is complete."""
    archives = [place / file.name for file in known.files if file.name.endswith(ENDINGS)]
    with tempfile.TemporaryDirectory(dir=place, prefix=".unpacking-") as scratch:
        for archive in archives:
            unpack(archive, Path(scratch), lambda count, name=archive.name: report(f"{name}: {count:,} files unpacked"))
        made, target = Path(scratch, known.root), place / known.root
        if not made.is_dir():
            names = ", ".join(archive.name for archive in archives)
            raise DataError(f"the archives of a data set must bring its folder {known.root!r}; {names} did not.")
        for name, text in known.extra.items():
            write_text(made / name, text)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.rename(target)
        except OSError as error:
            raise CVTasksError(f"{str(target)!r} could not be put in its place: {error}. Nothing is changed there.") from error
    for archive in archives:
        archive.unlink()
