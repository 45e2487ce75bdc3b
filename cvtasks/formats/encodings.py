"""Which encoding a text is in: UTF-8, UTF-16 and UTF-32 by their marks, and Windows-1252 where
bytes are no UTF-8, as spreadsheets on Windows write them. JSON and XML have rules of their own.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.western import odd_word
from cvtasks.text import some

_MARKS = {  # those of UTF-32 begin as one of UTF-16 does
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UNMARKED = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_CONTROLS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f]")  # none of a text
_DOS_END = "\x1a"
_LONE = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8
_WORDS = (  # the best to show first: with a letter beyond ASCII, with a sign
    re.compile(r"[\w’'-]*[^\W\d_\x00-\x7f][\w’'-]*"),
    re.compile(r"[\w’'-]*[^\s\x00-\x7f][\w’'-]*"),
)

Heard = dict[str, str]
"""The file of a text that was read as Windows-1252 → a word of it, as it was read."""

_HEARS: ContextVar[Heard | None] = ContextVar("_HEARS", default=None)


@contextmanager
def hearing() -> Iterator[Heard]:
    """The texts that are read as Windows-1252 within, to be said by `said_of`; nobody else hears of
    them, unless an error leaves: whoever is hearing outside hears then too, and the outermost adds
    to the error what was read so.
    """
    heard: Heard = {}
    outside = _HEARS.get()
    token = _HEARS.set(heard)
    try:
        yield heard
    except CVTasksError as error:
        if outside is not None:
            outside.update(heard)
        elif heard:
            said = said_of(heard)[0]
            text = f"{error} {said[:1].upper()}{said[1:]}."
            raise type(error)(text, error.rule, error.count, error.ways) from error
        raise
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
    """The text of a file that people or programs wrote: in UTF-8, in UTF-16 or UTF-32 with their
    marks, else in Windows-1252, which `hearing` hears; without the sign that ends texts of DOS.

    Raises:
        DataError: it is none of these: bytes of nothing are in it, UTF-8 beside other bytes, words
            that no Western language has, or control characters.

    >>> [text_of("Hündin".encode(one), "a.txt") for one in ("utf-8-sig", "utf-16", "cp1252")]
    ['Hündin', 'Hündin', 'Hündin']
    """
    encoding = _marked(content)
    western = False
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig" or not (text := _western(content)):
            raise _unread(name, _unmarked(content) or str(error)) from error
        western = True
    text = text.rstrip(_DOS_END)
    if found := _CONTROLS.search(text):
        line = len(re.findall("\r\n|\r|\n", text[: found.start()])) + 1
        nothing = ", as UTF-16 without its mark or padded text has" if found[0] == "\0" else ""
        raise _unread(
            name,
            _unmarked(content) or f"line {line} has the control character {found[0]!r}{nothing}",
        )
    if western:
        if word := odd_word(content, text):
            raise _unread(
                name,
                f"it would have words like {word[:40]!r} in Windows-1252, as those of other "
                "encodings look there",
            )
        words = (found[0].strip("’'-_")[:40] for one in _WORDS if (found := one.search(text)))
        hear_again({name: next(words, "")})
    return text


def begun_text(head: bytes) -> str:
    """The beginning of such a text, or of a JSON, which may be cut anywhere; what cannot be read is
    replaced.
    """
    encoding = json.detect_encoding(head)
    if not encoding.startswith("utf-8"):
        return head.decode(encoding, "replace").rstrip(_DOS_END)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        text = _western(head) or head.decode("utf-8-sig", "replace")
    return text.rstrip(_DOS_END)


def _unread(name: str, why: str) -> DataError:
    return DataError(
        f"an annotation must be text in UTF-8; {name!r} is not: {why}. Save it as UTF-8."
    )


def _marked(content: bytes) -> str:
    """The encoding that a mark tells; UTF-8 where there is none."""
    return next((one for mark, one in _MARKS.items() if content.startswith(mark)), "utf-8-sig")


def _unmarked(content: bytes) -> str:
    """That a text looks like UTF-16 or UTF-32 without its mark; nothing where it does not."""
    for encoding in _UNMARKED if b"\0" in content else ():
        try:
            text = content.decode(encoding).rstrip(_DOS_END)
        except UnicodeDecodeError:
            continue
        if not _CONTROLS.search(text) and 2 * sum(map(str.isascii, text)) >= len(text):
            return f"it looks like {encoding[:6].upper()} without its mark"
    return ""


def _western(content: bytes) -> str:
    """A text in Windows-1252; empty where bytes stand for nothing, or for UTF-8 beside others."""
    marks = _LONE.sub("", content.decode("utf-8", "surrogateescape"))
    try:
        return "" if not marks.isascii() else content.decode("cp1252")
    except UnicodeDecodeError:
        return ""
