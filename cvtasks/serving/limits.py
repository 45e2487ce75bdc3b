"""The bounds within which requests are served, and how the server is set up."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cvtasks.errors import UsageError
from cvtasks.media.images import MAX_PIXELS

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that this machine alone reaches."""


@dataclass(frozen=True)
class Limits:
    """What one request, one connection and all of them together may take.

    Attributes:
        megabytes: of the body of a request.
        pixels: of an image, width * height.
        images: of a request.
        tiles: looks of the network at one image.
        queue: images of a model that wait or are under way; beyond it requests get 429.
        seconds: for the answer to a request, from its last byte on.
        body_s: for the body of a request.
        header_s: for the head of a request, from the connection's beginning or the first byte on.
        idle_s: between two requests of a connection.
        stalled_s: that a client may take nothing of what it is sent.
        connections: open at a time; beyond it the one that has been idle longest is closed.
        held_megabytes: of all bodies together, beyond the first megabyte of each; one body may
            have more, alone.
    """

    megabytes: float = 20.0
    pixels: int = MAX_PIXELS
    images: int = 16
    tiles: int = 100
    queue: int = 128
    seconds: float = 30.0
    body_s: float = 30.0
    header_s: float = 10.0
    idle_s: float = 5.0
    stalled_s: float = 10.0
    connections: int = 512
    held_megabytes: float = 256.0

    @property
    def bytes(self) -> int:
        """Bytes of a body."""
        return int(self.megabytes * 1_000_000)

    def to_dict(self) -> dict[str, Any]:
        """What clients should know of them."""
        return {
            "megabytes": self.megabytes,
            "pixels": self.pixels,
            "images": self.images,
            "seconds": self.seconds,
            "queue": self.queue,
        }


@dataclass(frozen=True)
class Setting:
    """How the server is set up.

    Attributes:
        token: that requests must bring; empty for none.
        origins: of pages from elsewhere whose scripts may ask.
        hosts: names by which it may be addressed; empty for any.
        urls: whether it fetches images from addresses on the internet.
        explain: whether it explains answers, for which it loads Keras.
        how: of `load`, such as the engine.
    """

    limits: Limits = field(default_factory=Limits)
    token: str = ""
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    urls: bool = False
    explain: bool = False
    how: Mapping[str, Any] = field(default_factory=dict)


def token_of(host: str, given: str) -> str:
    """The token that requests must bring: the one that was given, or a new one where other machines
    can ask; empty where there is none.

    Raises:
        UsageError: it cannot be sent in a header.
    """
    if not given:
        return "" if host in LOOPBACK else secrets.token_urlsafe(24)
    if not given.isascii() or not given.isprintable() or " " in given:
        raise UsageError(
            "a token is of ASCII letters, digits and marks without spaces, as it is sent in a "
            f"header; the one given has {len(given)} characters, and others among them. Choose "
            "another."
        )
    return given


def hosts_of(host: str, token: str) -> tuple[str, ...]:
    """The names by which the server may be addressed; empty for any.

    A name of somebody else's that leads here (DNS rebinding) makes a page of theirs one of ours;
    but no such page knows the token.
    """
    return () if token else tuple(dict.fromkeys((*LOOPBACK, host)))


def checked_origins(given: Iterable[str]) -> tuple[str, ...]:
    """Origins of pages; raises UsageError for what is none.

    >>> checked_origins(["https://example.org/"])
    ('https://example.org',)
    """
    found = []
    for one in given:
        try:
            parts = urlsplit(one)
        except ValueError:  # such as "http://["
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise UsageError(
                "an origin is the beginning of a page's address, as https://example.org or "
                f"http://localhost:3000; got {one[:200]!r}. Correct it."
            )
        found.append(f"{parts.scheme}://{parts.netloc}")
    return tuple(found)
