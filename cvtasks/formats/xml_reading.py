"""XML of other programs, read without what could do harm, whatever the namespace."""

import codecs
import re
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cvtasks.errors import DataError

_HEAD = 1000  # bytes
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*(["'])([A-Za-z0-9._:-]+)\1""")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""How a file begins, and in what it is then."""

_WIDE = {
    **dict.fromkeys(("gb2312", "gbk", "gb18030", "cp936", "ms936", "windows-936"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "cp950", "ms950", "windows-950"), "cp950"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "cp932", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-jp", "eucjp"), "euc_jp"),
    **dict.fromkeys(("euc-kr", "euckr", "ks_c_5601-1987", "cp949", "windows-949"), "cp949"),
}
"""Encodings of several bytes a letter, which XML parsers leave to others, as files name them."""


def parsed_xml(content: bytes, name: str) -> Element:
    """The root element of a file.

    Raises:
        DataError: it is no whole XML, or declares a document type or entities.
    """
    try:
        return fromstring(_in_utf8(content), forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError(
            f"an annotation must not declare a document type or entities; {name!r} does. Remove "
            "them.",
            "XML",
        ) from error
    except (
        ParseError,
        LookupError,
        ValueError,
    ) as error:  # LookupError, ValueError: an encoding that does not exist
        raise DataError(
            f"an annotation must be whole, correct XML; {name!r} is not: {_why(content, error)}. "
            "Write it again.",
            "XML",
        ) from error


def text_of_xml(content: bytes) -> str:
    """The text of a file or of its beginning; what cannot be read of it is replaced."""
    return _in_utf8(content, "replace").decode("utf-8", "replace")


def _in_utf8(content: bytes, errors: str = "strict") -> bytes:
    """The file in UTF-8, where the parser would not read it: by its byte order mark, by where its
    zeros stand, or as it declares, if that is one of the usual encodings of East Asia. UTF-16 that
    is declared by a file of single bytes, as .NET does it, is none.
    """
    found = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    declared = _DECLARED.match(content)
    if not found and declared:
        name = declared[2].decode("ascii").casefold()
        found = "utf-8" if name.startswith(("utf-16", "utf16")) else _WIDE.get(name, "")
    if not found:
        return content
    text = content.decode(found, errors)
    return re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text).encode()


def _why(content: bytes, error: Exception) -> str:
    """What is wrong with a file, in words."""
    declared = _DECLARED.match(content)
    name = declared[2].decode("ascii") if declared else ""
    try:
        marked = any(content.startswith(mark) for mark, _ in _MARKS)
        if name.casefold() in ("", "utf-8", "utf8") and not marked:
            content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        which = "which it declares" if name else "which counts where nothing is declared"
        return f"byte {wrong.start + 1} is not in UTF-8, {which}"
    return str(error)


def tag_of(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def child_of(element: Element, tag: str) -> Element | None:
    """The first child of that name, in any namespace."""
    return next((child for child in element if tag_of(child) == tag), None)


def text_of(element: Element, tag: str) -> str:
    """The text of the first child of that name; empty where there is none."""
    child = child_of(element, tag)
    return "" if child is None else (child.text or "").strip()
