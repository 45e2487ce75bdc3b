"""Which encoding a text is in: UTF-8, UTF-16 by its mark, and Windows-1252 where bytes are no
UTF-8, as spreadsheets on Windows write them. JSON and XML have rules of their own.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cvtasks.errors import DataError
from cvtasks.text import some

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROLS = re.compile("[\0-\x08\x0e-\x19\x1b-\x1f\x7f]")  # none of a text, DOS's end (1a) aside
_LONE = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8
_WORD = re.compile(r"[\w'-]*[^\x00-\x7f][\w'-]*")

Heard = dict[str, str]
"""The file of a text that was read as Windows-1252 → a word of it, as it was read."""

_HEARS: ContextVar[Heard | None] = ContextVar("_HEARS", default=None)


@contextmanager
def hearing() -> Iterator[Heard]:
    """The texts that are read as Windows-1252 within, to be said by `said_of`; nobody else hears of
    them.
    """
    heard: Heard = {}
    token = _HEARS.set(heard)
    try:
        yield heard
    finally:
        _HEARS.reset(token)


def hear_again(heard: Mapping[str, str]) -> None:
    """Texts that were read before, and are used again."""
    hears = _HEARS.get()
    if hears is not None:
        hears.update(heard)


def said_of(heard: Mapping[str, str]) -> tuple[str, ...]:
    """The sentence about texts that were read as Windows-1252; none where none was."""
    if not heard:
        return ()
    words = list(dict.fromkeys(filter(None, heard.values())))
    such = f", such as {words[0]!r}" if words else ""
    return (
        f"no UTF-8, and read as Windows-1252{such}: {some([Path(one).name for one in heard], 3)}; "
        "where letters are wrong, save it as UTF-8",
    )


def text_of(content: bytes, name: str) -> str:
    """The text of a file that people or programs wrote: in UTF-8 or UTF-16 with or without their
    mark, which UTF-16 needs, else in Windows-1252, which `hearing` hears.

    Raises:
        DataError: it is none of these, as bytes of nothing are in it, or UTF-8 beside other bytes.

    >>> [text_of("Hündin".encode(one), "a.txt") for one in ("utf-8-sig", "utf-16", "cp1252")]
    ['Hündin', 'Hündin', 'Hündin']
    """
    try:
        return content.decode("utf-16" if content.startswith(_WIDE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        text = "" if content.startswith(_WIDE) else _western(content)
        if not text:
            raise DataError(
                f"an annotation must be text in UTF-8; {name!r} is not: {error}. Save it as UTF-8."
            ) from error
    word = _WORD.search(text)
    hear_again({name: word[0][:40] if word else ""})
    return text


def begun_text(head: bytes) -> str:
    """The beginning of such a text, or of a JSON, which may be cut anywhere; what cannot be read is
    replaced.
    """
    encoding = json.detect_encoding(head)
    if not encoding.startswith("utf-8"):
        return head.decode(encoding, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return _western(head) or head.decode("utf-8-sig", "replace")


def _western(content: bytes) -> str:
    """A text in Windows-1252; empty where it is binary, or a damaged one in UTF-8."""
    marks = _LONE.sub("", content.decode("utf-8", "surrogateescape"))
    try:
        text = "" if not marks.isascii() else content.decode("cp1252")
    except UnicodeDecodeError:  # bytes that stand for nothing
        return ""
    return "" if _CONTROLS.search(text) else text
