"""Fetching over http or https, within limits of time and size: one encoded image, a look at what an
address gives, a file.
"""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cvtasks.errors import CVTasksError, DataError, InputError
from cvtasks.media.addresses import shown
from cvtasks.media.connection import Patience
from cvtasks.media.http import Answer, Unreachable, answer

TIMEOUT_S = 20.0
MAX_BYTES = 64 * 2**20
SLOWEST = 10_000
"""Bytes a second: whoever sends a large file more slowly is given up."""
_CHUNK = 1 << 18
_MOST_UNKNOWN = 4 * 2**30  # of a file of unknown size


def download(
    url: str, timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_BYTES, *, outside: bool = False
) -> bytes:
    """What lies at `url`, an http or https address; whether it is an image is for the reader
    to see.

    Args:
        timeout_s: seconds for the whole of it.
        max_bytes: refuse more.
        outside: refuse an address in a private network or on this machine.

    Raises:
        InputError: the address cannot be reached, answers with another status than 200, too late,
            with too much, breaks off, or redirects to anything but http(s) or further into the
            network.
    """
    try:
        with answer(url, Patience(timeout_s), outside=outside) as given:
            content = bytearray()
            while chunk := given.read(2**16):
                content += chunk
                if len(content) > max_bytes:
                    raise InputError(
                        f"an image may have at most {max_bytes:,} bytes; {shown(url)!r} sends "
                        "more. Fetch it by hand."
                    )
            check_whole(given, len(content))
            return bytes(content)
    except Unreachable as error:
        raise cannot_fetch(url, error) from error


def peek(url: str, timeout_s: float = TIMEOUT_S, most: int = 1024) -> tuple[str, str, bytes]:
    """Where `url` leads in the end, the kind of content it gives ("video/mp4") and up to
    `most` bytes of it.

    Raises:
        InputError: as `download`.
    """
    try:
        with answer(url, Patience(timeout_s)) as given:
            return given.at, given.kind, head_of(given, most)
    except Unreachable as error:
        raise cannot_fetch(url, error) from error


def head_of(given: Answer, most: int = 1024) -> bytes:
    """Up to `most` bytes of an answer; fewer where it ends, breaks off or falls silent
    before.
    """
    head = b""
    try:
        while len(head) < most and (chunk := given.read(most - len(head))):
            head += chunk
    except Unreachable:
        if not head:
            raise
    return head


def check_whole(given: Answer, received: int) -> None:
    """Raise `Unreachable` if an answer broke off after so many bytes."""
    if given.length is not None and given.length > 0:  # what http.client still waits for
        raise Unreachable(f"it broke off after {received:,} of {received + given.length:,} bytes")


def cannot_fetch(url: str, error: Unreachable) -> InputError:
    """The error for an address that cannot be fetched."""
    return InputError(
        f"an address must be one that can be fetched; {shown(url)!r} cannot: {error}. Check the "
        "address and the connection."
    )


def download_file(
    url: str,
    path: Path,
    md5: str | None,
    size: int | None = None,
    report: Callable[[str], None] = lambda text: None,
    timeout_s: float = 30.0,
    *,
    bounds: tuple[int, int] | None = None,
    check: Callable[[Path], None] = lambda part: None,
) -> None:
    """Download `url` to `path` by way of `path` + `.part`, going on with one that is there if the
    MD5 or the bounds are known.

    Args:
        md5: of the file, 32 hexadecimal digits, or 64 of its SHA-256; what has another is removed.
        size: bytes that it has, more or less; what is more than a tenth larger is refused.
        report: is told how far it is; often.
        timeout_s: seconds that the server may be silent.
        bounds: bytes that it has at least and at most, where no MD5 is known; what has others is
            removed. Whoever gives them checks what the file holds.
        check: looks at what came, before it is called `path`; what it refuses by an error is
            removed.

    Raises:
        DataError: the address cannot be had or redirects to where it must not, the connection
            breaks off, the server is silent or slow, or the file is too large, too small or has
            another MD5.
        OSError: the file cannot be written.
    """
    resumes = bool(md5 or bounds)
    part = path.with_name(f"{path.name}.part" if resumes else f".{path.name}.{os.getpid()}.part")
    most = bounds[1] if bounds else _MOST_UNKNOWN if size is None else size + size // 10
    try:
        if size is None or not (part.is_file() and part.stat().st_size == size):
            _receive(url, part, size, most, report, timeout_s)
        with part.open("rb+") as content:
            os.fsync(content.fileno())
            received = hashlib.file_digest(content, _hasher(md5)).hexdigest()
        if md5 and received != md5:
            part.unlink()
            raise DataError(
                f"a file must have the {kind_of(md5)} that its authors publish, {md5}; what "
                f"{shown(url)!r} gives has {received}. It is "
                "removed; try again, or give another address."
            )
        if bounds and not bounds[0] <= (received_bytes := part.stat().st_size) <= bounds[1]:
            part.unlink()
            raise DataError(
                f"{path.name!r} must have {bounds[0]:,} to {bounds[1]:,} bytes; what "
                f"{shown(url)!r} gives has {received_bytes:,}. It is removed; try again, or give "
                "another address."
            )
        try:
            check(part)
        except CVTasksError:
            part.unlink()
            raise
        part.replace(path)
    finally:
        if not resumes:
            part.unlink(missing_ok=True)


def kind_of(digest: str) -> str:
    """What a hash is, by its length.

    >>> kind_of("6d6bbae143d832006294945121d1f1fc")
    'MD5'
    """
    return "SHA-256" if len(digest) == 64 else "MD5"


def _hasher(digest: str | None) -> Callable[[], Any]:
    """What makes hashes such as this one."""
    if digest and len(digest) == 64:
        return hashlib.sha256
    return partial(hashlib.md5, usedforsecurity=False)


def _receive(
    url: str,
    part: Path,
    size: int | None,
    most: int,
    report: Callable[[str], None],
    timeout_s: float,
) -> None:
    """Append to the part, or begin it, until all is there: `most` bytes at most, about `size` where
    that is known.
    """
    have = part.stat().st_size if part.is_file() else 0
    asked = {"Range": f"bytes={have}-"} if have else {}
    name = part.name.removesuffix(".part")
    try:
        with answer(
            url, Patience(timeout_s, SLOWEST), asked, (200, 206, 416) if have else (200,)
        ) as given:
            if (
                given.status == 416
            ):  # nothing is missing, or what is here is too much: the MD5 will tell
                return
            done, total = _extent(given, have)
            if total is not None and total > most:
                raise _too_large(url, name, size, most, total)
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("r+b" if done else "wb") as out:
                out.seek(done)
                out.truncate()
                while chunk := given.read(_CHUNK):
                    out.write(chunk)
                    done += len(chunk)
                    report(
                        f"{name}: {done / 1e6:,.1f} of {max(total or size or 0, done) / 1e6:,.1f} "
                        "MB"
                    )
                    if done > most:
                        raise _too_large(url, name, size, most, done)
            if total is not None and done < total:
                raise Unreachable(f"it broke off after {done:,} of {total:,} bytes")
    except Unreachable as error:
        raise DataError(
            f"an address must give its file; {shown(url)!r} did not: {error}. Try again, which "
            "goes on with what has come already, "
            "or give another address."
        ) from error


def _extent(given: Answer, have: int) -> tuple[int, int | None]:
    """Where in the file an answer begins, and the bytes of the whole file if it says so."""
    if given.status == 200:  # the server knows no ranges, or nothing was there: from the start
        return 0, given.length
    unit, _, rest = given.headers.get("Content-Range", "").partition(" ")
    span, _, whole = rest.partition("/")
    if unit.lower() != "bytes" or span.partition("-")[0] != str(have):
        raise Unreachable(
            f"it was asked for what follows byte {have:,} and answers with "
            f"{rest or 'something else'!r}"
        )
    return have, int(whole) if whole.isdecimal() else None


def _too_large(url: str, name: str, size: int | None, most: int, received: int) -> DataError:
    rule = f"may have at most {most:,} bytes" if size is None else f"must have about {size:,} bytes"
    return DataError(
        f"{name!r} {rule}; {shown(url)!r} sends {received:,} or more. Give another address."
    )
