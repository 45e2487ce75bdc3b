"""Fetching one encoded picture over http or https, within limits of time and size."""

import time
from http.client import HTTPException, HTTPResponse
from string import punctuation
from urllib.parse import quote, urljoin
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
    # Python's own redirect handler reads a redirect's body without a limit, and its opener knows file:// and ftp://.
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(), UnknownHandler()):
        opener.add_handler(handler)
    at = url
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            request = Request(quote(at, punctuation, errors="surrogateescape"), headers={"User-Agent": "cvtasks"})
            with opener.open(request, timeout=max(deadline - time.monotonic(), 0.001)) as response:
                location = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or location is None:
                    return _body(response, url, deadline, timeout_s, max_bytes)
            at = urljoin(at, location)
            if not at.lower().startswith(("http://", "https://")):
                raise InputError(f"An address may redirect to http(s) only; {url!r} does to {at!r}. Fetch it by hand.")
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no valid address
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _late(url, timeout_s) from error
        raise InputError(
            f"A picture's address must be one that can be fetched; {url!r} cannot: {reason}. "
            "Check the address and the connection."
        ) from error
    raise InputError(f"An address may redirect at most {_MOST_REDIRECTS} times; {url!r} does more often. Check it.")


def _body(response: HTTPResponse, url: str, deadline: float, timeout_s: float, max_bytes: int) -> bytes:
    """Return the whole body of a response of status 200."""
    if response.status != 200:
        raise InputError(
            f"A picture's address must answer with status 200; {url!r} answers {response.status} {response.reason}. "
            "Open it in a browser to see why."
        )
    content = bytearray()
    while chunk := response.read1(2**16):
        content += chunk
        if len(content) > max_bytes:
            raise InputError(f"A picture may have at most {max_bytes:,} bytes; {url!r} sends more. Fetch it by hand.")
        if time.monotonic() > deadline:
            raise _late(url, timeout_s)
    return bytes(content)


def _late(url: str, timeout_s: float) -> InputError:
    return InputError(
        f"An address must send its picture within {timeout_s:g} s; {url!r} did not. Try again, or fetch it by hand."
    )
