"""The one client for http and https: redirects that lead no further in, and an end to every wait.

Whoever names an address may name any. Where it leads is another's choice: a redirect goes to
http(s) alone, and never further into the network than the address before it, so that no server
makes us ask a router or a service of this machine.
"""

import math
import re
import socket
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.client import HTTPException, HTTPResponse
from string import punctuation
from urllib.parse import SplitResult, quote, urljoin, urlsplit
from urllib.request import (
    AbstractHTTPHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
    getproxies,
    proxy_bypass,
)

from cvtasks.media.addresses import depth, login_of, shown
from cvtasks.media.connection import Connection, Patience, SecureConnection, TimedSocket, look_up

MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class Unreachable(Exception):
    """An address gives nothing, or not all; the text says why,
    in words that follow "it did not:".
    """


@dataclass(frozen=True, eq=False)
class Answer:
    """What a server answers.

    Attributes:
        at: the address, after all redirects.
        patience: how long its content is waited for.
    """

    at: str
    status: int
    headers: Message
    _response: HTTPResponse
    patience: Patience

    @property
    def length(self) -> int | None:
        """Bytes of the content that are yet to come; None where the server does not say."""
        return self._response.length

    @property
    def kind(self) -> str:
        """The kind of content: "video/mp4"."""
        return self.headers.get("Content-Type", "").lower()

    def read(self, most: int) -> bytes:
        """Up to `most` bytes of the content as soon as some are there, b"" at its end.

        Raises:
            Unreachable: the connection breaks off, or nothing comes in time.
        """
        with in_words(self.patience):
            content = self._response.read1(most)
            self.patience.count(len(content))
            return content


@contextmanager
def answer(
    url: str,
    patience: Patience,
    headers: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (200,),
    *,
    outside: bool = False,
) -> Iterator[Answer]:
    """Ask an http(s) address; the context gives its answer, after all redirects, and closes the
    connection.

    A name and a password, as in http://name:password@host, go where a server looks for them.

    Args:
        headers: more of them.
        accept: which status counts as an answer.
        outside: whether already the first address must lie on the internet, and not in a private
            network or on this machine: where another names it.

    Raises:
        Unreachable: it cannot be reached, answers with another status, too late, or leads where it
            must not.
    """
    at, journey = url, Journey(patience, 0 if outside else math.inf)
    for _ in range(MOST_REDIRECTS + 1):
        with in_words(patience):
            response = journey.ask(at, dict(headers or {}))
        with response:
            if response.status not in _REDIRECTS or response.headers.get("Location") is None:
                if response.status not in accept:
                    raise Unreachable(f"it answers {response.status} {response.reason}".rstrip())
                yield Answer(at, response.status, response.headers, response, patience)
                return
            with in_words(patience):
                at = urljoin(at, response.headers["Location"])
    raise Unreachable(f"it redirects more than {MOST_REDIRECTS} times")


@contextmanager
def in_words(patience: Patience) -> Iterator[None]:
    """Whatever goes wrong in the context is `Unreachable`; nothing is kept of errors whose text may
    hold a password.
    """
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no valid address
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise Unreachable(patience.words()) from None
        raise Unreachable(
            getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        ) from None


class Journey:
    """From an address to the next that it redirects to: knows how far in it may lead, and when it
    ends.
    """

    def __init__(self, patience: Patience, deepest: float = math.inf) -> None:
        self.patience, self._deepest, self._proxied = patience, deepest, False
        self._outside = deepest == 0

    def ask(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        """Ask the address, and follow no redirect."""
        parts = valid(url, ("http", "https"))
        host = parts.hostname or ""
        self._proxied = parts.scheme in getproxies() and not proxy_bypass(host)
        if (
            self._proxied
        ):  # whoever stands in between looks the name up; what can be seen here is seen
            self._check_literal(host)
        if login := login_of(url):
            headers["Authorization"] = f"Basic {b64encode(':'.join(login).encode()).decode()}"
            url = url.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)
        request = Request(
            quote(url, punctuation, errors="surrogateescape"),
            headers={"User-Agent": "cvtasks", **headers},
        )
        opener = (
            OpenerDirector()
        )  # Python's own knows file:// and ftp:// too, and reads a redirect's body without a limit
        for handler in (ProxyHandler(), _Handler(self), UnknownHandler()):
            opener.add_handler(handler)
        return opener.open(request, timeout=self.patience.left())

    def connect(self, address: tuple[str, int], *_: object) -> TimedSocket:
        """Connect to a host of this name, if it lies no further in than those before."""
        found = look_up(*address, self.patience.left())
        error: OSError = OSError(f"{address[0]!r} has no address")
        for remaining, (family, kind, protocol, _, place) in zip(
            range(len(found))[::-1], found, strict=True
        ):
            inside = 0 if self._proxied else depth(place[0])
            if inside > self._deepest:
                error = self._further_in(place[0])
                continue
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self.patience.left() / (2 if remaining else 1))
                sock.connect(place)
            except OSError as failure:
                sock.close()
                error = failure
                continue
            if not self._proxied:
                self._deepest = inside
            return TimedSocket(sock, self.patience)
        raise error

    def _check_literal(self, host: str) -> None:
        try:
            inside = depth("127.0.0.1" if host.lower().rstrip(".").endswith("localhost") else host)
        except ValueError:
            return  # a name
        if inside > self._deepest:
            raise self._further_in(host)
        self._deepest = inside

    def _further_in(self, host: str) -> OSError:
        if self._outside:
            return OSError(
                f"it leads to {host}, in a private network or on the machine that would fetch it"
            )
        return OSError(
            f"it leads to {host}, further into the network than the address before; give that "
            "address itself if it is meant"
        )


def valid(url: str, schemes: tuple[str, str]) -> SplitResult:
    """The parts of an address of one of two schemes.

    Raises:
        Unreachable: it is none; the text says why, and nothing that may be a password.
    """
    if url.partition("://")[0].lower() not in schemes:
        raise Unreachable(f"{shown(url)!r} is neither {schemes[0]} nor {schemes[1]}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        if re.match(r"[^/?#]*:[0-9]+(?:[/?#]|$)", url.partition("://")[2]):
            raise Unreachable(f"the port of {shown(url)!r} must be one of 0 to 65535") from None
        raise Unreachable(
            f"{shown(url)!r} is no valid address; within a password, @ : / ? # are written %40 %3A "
            "%2F %3F %23"
        ) from None
    if not host:
        raise Unreachable(f"{shown(url)!r} names no host")
    return parts


class _Handler(AbstractHTTPHandler):
    """Opens http and https by our connections, and follows no redirect."""

    http_request = https_request = AbstractHTTPHandler.do_request_

    def __init__(self, journey: Journey) -> None:
        super().__init__()
        self._journey = journey

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(partial(Connection, journey=self._journey), request)

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(partial(SecureConnection, journey=self._journey), request)
