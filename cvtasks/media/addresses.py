"""Addresses: how one is shown, since it may hold a password,
and how far inside a network it lies.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

_HIDDEN = "***"
# Parameters by whose names cameras and clouds take passwords: ?pwd=, &access_token=,
# &X-Amz-Signature= …
_SECRET = (
    r"[\w.-]*(?:token|passw|passphrase|pwd|secret|signature|credential|api[_-]?key|access[_-]?key"
    r"|auth)[\w.-]*|pass|key|sig"
)
_PARAMETER = re.compile(rf"(?<=[?&;#])({_SECRET})=[^&;#\s]+", re.IGNORECASE)
_LOGIN = re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s/?#@:'\"]*:)?[^\s/?#@'\"]*@", re.IGNORECASE)
# IPv4 addresses as networks of IPv6 alone write them (RFC 6052).
_TRANSLATED = ip_network("64:ff9b::/96")


def is_address(text: str) -> bool:
    """Whether a text is an address with a scheme, and no path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) is not None


def shown(address: str) -> str:
    """An address as it may be shown and written down: without passwords. What is no address
    stays as it is.

    A name without a password is hidden too, for it is often a key.

    >>> shown("http://me:secret@host/a.jpg?size=2&token=5")
    'http://me:***@host/a.jpg?size=2&token=***'
    >>> shown("rtsp://key@host"), shown("a:b@c.jpg")
    ('rtsp://***@host', 'a:b@c.jpg')
    """
    if not is_address(address):
        return address
    scheme, _, rest = address.partition("://")
    end = len(re.split(r"[/?#\\]", rest, maxsplit=1)[0])
    at = rest.rfind("@", 0, end)
    if at < 0 and re.search(r":(?![0-9]{0,5}$)", re.sub(r"\[.*?\]", "", rest[:end])):
        # no port behind the colon: a password with a slash or the like, which should be written %2F
        at = rest.rfind("@")
    if at >= 0:
        name, colon, _ = rest[:at].partition(":")
        rest = f"{name + ':' if colon else ''}{_HIDDEN}{rest[at:]}"
    return _PARAMETER.sub(rf"\1={_HIDDEN}", f"{scheme}://{rest}")


def without_passwords(text: str) -> str:
    """A text in which every address is as `shown` has it, as far as its name and password
    go.

    >>> without_passwords("'http://me:secret@host/a.jpg' is none, nor is x@y")
    "'http://me:***@host/a.jpg' is none, nor is x@y"
    """
    return _LOGIN.sub(lambda found: f"{found[1]}{found[2] or ''}{_HIDDEN}@", text)


def stem_of(address: str) -> str:
    """The last part of an address' path without its ending; its host where there is no path,
    "" where there is neither.

    >>> stem_of("http://me:secret@host/a/b.png?x=/y"), stem_of("rtsp://me:secret@host:554")
    ('b', 'host')
    """
    rest = shown(address).partition("://")[2]
    place = re.split(r"[?#]", rest)[0].rpartition("@")[2]
    host, _, path = place.partition("/")
    return PurePosixPath(path).stem or re.sub(r":[0-9]*$", "", host).strip("[]")


def login_of(address: str) -> tuple[str, str] | None:
    """Name and password of an address, None if it has neither.

    Raises:
        ValueError: it is no valid address.
    """
    parts = urlsplit(address)
    return (
        None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    )


def depth(number: str) -> int:
    """How far inside an IP address lies: 0 on the internet, 1 in a private network, 2 on the same
    link, 3 in this machine.

    >>> [depth(number) for number in ("93.184.215.14", "192.168.1.5", "169.254.169.254")]
    [0, 1, 2]
    >>> depth("127.0.0.1"), depth("::ffff:127.0.0.1")
    (3, 3)
    """
    at = ip_address(number.partition("%")[0])
    if isinstance(at, IPv6Address):
        inner = at.ipv4_mapped or at.sixtofour
        if at in _TRANSLATED:
            inner = IPv4Address(int(at) & 0xFFFFFFFF)
        if inner:
            return depth(str(inner))
    if at.is_loopback or at.is_unspecified:
        return 3
    if at.is_link_local:
        return 2
    return 0 if at.is_global and not at.is_multicast else 1
