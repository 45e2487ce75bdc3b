"""Objects of S3, Google Cloud Storage and the like, through fsspec: listed and fetched. Credentials
come from where their own tools look for them, and are never said.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cvtasks.errors import InputError, UsageError
from cvtasks.media.addresses import is_address
from cvtasks.media.download import MAX_BYTES

SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs")
"""Of addresses that fsspec reads."""


def scheme_of(address: str) -> str:
    """The scheme of an address; empty for a path."""
    return address.partition("://")[0].lower() if is_address(address) else ""


def is_object(address: str) -> bool:
    """Whether fsspec reads it."""
    return scheme_of(address) in SCHEMES


def fetch_object(address: str, shown: str, most: int = MAX_BYTES) -> bytes:
    """What lies at an address.

    Args:
        shown: what errors call it. most: refuse more bytes.

    Raises:
        InputError: it cannot be read, or is larger. UsageError: what reads it is not installed.
    """
    try:
        with _fsspec().open(address, "rb") as file:
            content: bytes = file.read(most + 1)
    except Exception as error:  # each store has errors of its own
        raise _unreadable(error, shown) from None  # what it says may quote credentials
    if len(content) > most:
        raise InputError(
            f"an object may have at most {most:,} bytes; {shown!r} has more. Fetch it by hand."
        )
    return content


def list_objects(address: str, shown: str) -> list[str]:
    """The addresses that a glob matches, or of all objects below an address without wild cards;
    none where there are none.

    Raises:
        InputError: they cannot be listed. UsageError: what lists them is not installed.
    """
    try:
        store, path = _fsspec().core.url_to_fs(address)
        found = store.glob(path) if any(mark in path for mark in "*?[") else store.find(path)
        scheme, _, rest = address.partition("://")
        host = rest.partition("/")[0] if scheme.lower() == "hdfs" else ""
        return [
            f"{scheme}://{host}/{one.lstrip('/')}" if host else f"{scheme}://{one.lstrip('/')}"
            for one in found
        ]
    except Exception as error:  # each store has errors of its own
        raise _unreadable(error, shown) from None


def _fsspec() -> Any:
    if not find_spec("fsspec"):
        raise UsageError(
            "addresses of object stores need fsspec, which is not installed. Install it: pip "
            'install "cvtasks[cloud]"'
        )
    return import_module("fsspec")


def _unreadable(error: Exception, shown: str) -> Exception:
    if isinstance(error, UsageError):
        return error
    if isinstance(error, ImportError):
        return UsageError(
            f"{scheme_of(shown)} addresses need a package that is not installed. Install it: pip "
            'install "cvtasks[cloud]" (S3 and Google), adlfs (Azure), pyarrow (HDFS)'
        )
    kinds = {FileNotFoundError: "it is not there", PermissionError: "it may not be read"}
    why = next((text for kind, text in kinds.items() if isinstance(error, kind)), "")
    return InputError(
        f"an object must be one that can be read; {shown!r} cannot: {why or type(error).__name__}. "
        "Check the address, and that its store's own tool reads it with the credentials of this "
        "machine."
    )
