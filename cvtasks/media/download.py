"""Fetching over http or https, within limits of time and size: one encoded picture, or a look at what an address gives."""

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from string import punctuation
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, UnknownHandler

from cvtasks.errors import InputError

TIMEOUT_S = 20.0
MAX_BYTES = 64 * 2**20
_MOST_REDIRECTS = 5


def download(url: str, timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_BYTES) -> bytes:
    """Return what lies at `url`, an http or https address; whether it is a picture is for the reader to see.

    Args:
        timeout_s: seconds for the whole of it; a server that falls silent just before may take as long again.
        max_bytes: refuse more.

    Raises:
        InputError: the address cannot be reached, answers with another status than 200, too late, with too much, or
            redirects to anything but http(s).
    """
    deadline = time.monotonic() + timeout_s
    with _answer(url, deadline, timeout_s) as (_, response):
        content = bytearray()
        while chunk := response.read1(2**16):
            content += chunk
            if len(content) > max_bytes:
                raise InputError(f"A picture may have at most {max_bytes:,} bytes; {url!r} sends more. Fetch it by hand.")
            if time.monotonic() > deadline:
                raise _late(url, timeout_s)
        return bytes(content)


def peek(url: str, timeout_s: float = TIMEOUT_S, most: int = 1024) -> tuple[str, str, bytes]:
    """Return where `url` leads in the end, the kind of content it gives ("video/mp4") and up to `most` bytes of it.

    Raises:
        InputError: as `download`.
    """
    deadline = time.monotonic() + timeout_s
    with _answer(url, deadline, timeout_s) as (at, response):
        head = bytearray()
        while len(head) < most and time.monotonic() < deadline and (chunk := response.read1(most - len(head))):
            head += chunk
        return at, response.headers.get("Content-Type", "").lower(), bytes(head)


def http_opener() -> OpenerDirector:
    """Opens http and https addresses alone, and follows no redirects.

    Python's own opener knows file:// and ftp:// too, and its redirect handler reads a redirect's body without a limit.
    """
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(), UnknownHandler()):
        opener.add_handler(handler)
    return opener


@contextmanager
def _answer(url: str, deadline: float, timeout_s: float) -> Iterator[tuple[str, HTTPResponse]]:
    """The address after all redirects, and its answer of status 200; what goes wrong in the context is an InputError too."""
    at, opener = url, http_opener()
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            with opener.open(_request(at), timeout=max(deadline - time.monotonic(), 0.001)) as response:
                location = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or location is None:
                    if response.status != 200:
                        raise InputError(
                            f"An address must answer with status 200; {url!r} answers {response.status} {response.reason}. "
                            "Open it in a browser to see why."
                        )
                    yield at, response
                    return
            at = urljoin(at, location)
            if not at.lower().startswith(("http://", "https://")):
                raise InputError(f"An address may redirect to http(s) only; {url!r} does to {at!r}. Fetch it by hand.")
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no valid address
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _late(url, timeout_s) from error
        raise InputError(
            f"An address must be one that can be fetched; {url!r} cannot: {reason}. Check the address and the connection."
        ) from error
    raise InputError(f"An address may redirect at most {_MOST_REDIRECTS} times; {url!r} does more often. Check it.")


def _request(url: str) -> Request:
    """The request for an address, whose name and password, as in http://name:password@host, go where a server looks for them."""
    headers, parts = {"User-Agent": "cvtasks"}, urlsplit(url)
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        url = url.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)
    return Request(quote(url, punctuation, errors="surrogateescape"), headers=headers)


def _late(url: str, timeout_s: float) -> InputError:
    return InputError(
        f"An address must send what it has within {timeout_s:g} s; {url!r} did not. Try again, or fetch it by hand."
    )
