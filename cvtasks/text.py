"""Text that others wrote, such as names of classes and files, made fit for the place it goes to:
the one set of rules.

Names are taken as they come, with line breaks, escape sequences and bytes that are no UTF-8; what a
place cannot hold is escaped at its door, and nowhere before. An escape is what Python writes for
the character: `\\n`, `\\x1b`, `\\u202e`. A byte of a file name that is no UTF-8, which Python holds
as a lone surrogate, becomes `\\xe9`: two such names stay apart.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_LONE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_QUOTED = re.compile(r"\\udc([89a-f][0-9a-f])")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def encodable(text: str) -> str:
    """The text with everything escaped that UTF-8 cannot hold: for JSON, and for names of samples
    and classes.

    >>> encodable(b"caf\\xe9.jpg".decode(errors="surrogateescape"))
    'caf\\\\xe9.jpg'
    """
    return _same(_LONE.sub(_escape, text))


def composed(text: str) -> str:
    """The text with each letter and its accent as one sign where there is one (NFC): the same word
    is the same text, whichever system wrote it.

    >>> composed("Hu\\u0308ndin") == "H\\xfcndin"
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def class_name(text: str) -> str:
    """The name of a class as data write it, `encodable` and `composed`."""
    return composed(encodable(text))


def decoded(name: str) -> str:
    """The name of a file as the system has it, from what `encodable` wrote.

    >>> decoded("caf\\\\xe9.jpg").encode(errors="surrogateescape")
    b'caf\\xe9.jpg'
    """
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), name)


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold the text as it is."""
    return not _LONE.search(text)


def one_line(text: str) -> str:
    """The text with control characters and line breaks escaped too: for XML, tables and lists in
    files.

    >>> one_line("cat\\ndog\\x1b")
    'cat\\\\ndog\\\\x1b'
    """
    return text if text.isprintable() else _CONTROL.sub(_escape, text)


def listed(name: str) -> str:
    """A name as a line of a list that is read line by line without the space around it; never
    empty.

    >>> listed(" cat\\n"), listed("")
    ('\\\\x20cat\\\\n', '\\\\x20')
    """
    line = one_line(name)
    inside = line.strip()
    if not inside:
        return "\\x20" * max(1, len(line))
    before, _, after = line.partition(inside)
    return "\\x20" * len(before) + inside + "\\x20" * len(after)


def some(names: Sequence[str], most: int) -> str:
    """The first names as a sentence lists them, and how many more there are.

    >>> some(["a", "b", "c", "d"], 2), some(["a"], 2)
    ('a, b and 2 more', 'a')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: float, noun: str, form: str = "") -> str:
    """A number of things, in the singular where it is one.

    Args:
        form: how the number is formatted.

    >>> counted(1, "image"), counted(0, "class"), counted(3, "copy"), counted(1200, "epoch", ",")
    ('1 image', '0 classes', '3 copies', '1,200 epochs')
    """
    if number != 1:
        if noun.endswith("y"):
            noun = noun[:-1] + "ie"
        noun += "es" if noun.endswith(("s", "x", "tch", "sh")) else "s"
    return f"{number:{form}} {noun}"


def agreeing(number: float, one: str = "is", several: str = "are") -> str:
    """The form of a word that goes with so many things.

    >>> agreeing(1), agreeing(0), agreeing(2, "shows", "show")
    ('is', 'are', 'show')
    """
    return one if number == 1 else several


def visible(text: str) -> str:
    """The text with everything escaped that could steer a terminal or hide in it: for whatever
    people look at.

    That is what `str.isprintable` refuses: control characters, line breaks, marks that turn the
    direction of writing, letters without width, spaces that are none.

    >>> visible("\\x1b[31mred\\u202e")
    '\\\\x1b[31mred\\\\u202e'
    """
    return _same(
        text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)
    )


def harmless(text: str) -> str:
    """`visible`, but line breaks, carriage returns and tabs stay: for text of several lines."""
    return _same(
        text
        if text.isprintable()
        else "".join(c if c.isprintable() or c in "\n\r\t" else _escaped(c) for c in text)
    )


def cell(value: Any) -> Any:
    """A value for a CSV file: numbers as they are; text in one line, and behind an apostrophe where
    a spreadsheet would run it.

    The rule is OWASP's ("CSV Injection"): text that begins with = + - @, a tab or a line break is a
    formula to a spreadsheet. Where it has apostrophes before that, it gets one more, so that
    `without_guard` gives every text back.

    >>> [cell(value) for value in ("cat", "=1+1", "-3.5", -3.5, "-", "'-1", "'a")]
    ['cat', "'=1+1", "'-3.5", -3.5, '-', "''-1", "'a"]
    """
    if not isinstance(value, str):
        return value
    guarded = value.lstrip("'").startswith(_FORMULA) and value != "-"  # which is standard input
    return f"'{one_line(value)}" if guarded else one_line(value)


def without_guard(text: str) -> str:
    """The text of a cell without the apostrophe that `cell` puts before a formula.

    >>> [without_guard(text) for text in ("'=1+1", "''-1", "'a", "cat")]
    ['=1+1', "'-1", "'a", 'cat']
    """
    guarded = text.startswith("'") and text.lstrip("'").startswith(_FORMULA)
    return text[1:] if guarded else text


def markdown(text: str) -> str:
    """The text as plain words within Markdown, also in a cell of a table.

    >>> markdown("a|b `c`\\n# d")
    'a\\\\|b \\\\`c\\\\`\\\\\\\\n\\\\# d'
    """
    return re.sub(r"([\\`|*\[\]<>#&~])", r"\\\1", one_line(text))


def code(text: str) -> str:
    """The text as code within a line of Markdown: fenced by more backticks than it has.

    >>> code("ls"), code("a `b`")
    ('`ls`', '`` a `b` ``')
    """
    line = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    gap = " " if "`" in line else ""
    return f"{fence}{gap}{line}{gap}{fence}"


def dumps(document: Any, indent: int | None = None) -> str:
    """JSON in ASCII that every reader takes: no lone surrogates, which only Python writes, and no
    control character.

    >>> dumps({"source": "caf\\udce9"})
    '{"source": "caf\\\\\\\\xe9"}'
    """
    text = json.dumps(document, indent=indent)
    if "\\ud" in text:  # of a pair of surrogates, as a rule
        text = json.dumps(_tree(document), indent=indent)
    return text.replace("\x7f", "\\u007f")


def width(text: str) -> int:
    """Columns that the text takes on a terminal: two for a wide letter, none for a mark above
    another one.

    >>> width("cat"), width("猫")
    (3, 2)
    """
    if text.isascii():
        return len(text)
    above = [c for c in text if unicodedata.category(c) in ("Mn", "Me")]
    return len(text) - len(above) + sum(unicodedata.east_asian_width(c) in ("W", "F") for c in text)


def padded(text: str, columns: int, right: bool = False) -> str:
    """The text, visible, in so many columns at least; to the right of them if asked for."""
    shown = visible(text)
    space = " " * (columns - width(shown))
    return space + shown if right else shown + space


def cut(text: str, columns: int) -> str:
    """The text in so many columns at most, its end an ellipsis where it has more.

    >>> cut("cat", 3), cut("kitten", 4), cut("猫猫猫", 4)
    ('cat', 'kit…', '猫…')
    """
    if width(text) <= columns:
        return text
    shown = text[: max(columns - 1, 0)]
    while width(shown) > columns - 1 and shown:
        shown = shown[:-1]
    return f"{shown}…"


def table(rows: list[list[str]], least: int = 0) -> list[str]:
    """Rows of texts → lines of columns, the first to the left, the others to the right and of
    `least` columns at least.
    """
    shown = [[visible(text) for text in row] for row in rows]
    widths = [
        max(least if place else 0, *map(width, column))
        for place, column in enumerate(zip(*shown, strict=True))
    ]
    return [
        "  ".join(
            padded(text, columns, right=place > 0)
            for place, (text, columns) in enumerate(zip(row, widths, strict=True))
        )
        for row in shown
    ]


def byte_count(text: str) -> int:
    """How many bytes an amount is: a number and its unit.

    >>> byte_count("4 GB"), byte_count("0.5gb")
    (4000000000, 500000000)

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-zA-Z]+)\s*", text)
    units = {unit.casefold(): size for unit, size in _UNITS.items()}
    if not found or found[2].casefold() not in units:
        raise ValueError(f"a unit is one of {', '.join(_UNITS)}")
    return round(float(found[1]) * units[found[2].casefold()])


def _tree(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {_tree(key): _tree(item) for key, item in value.items()}
    return [_tree(item) for item in value] if isinstance(value, list | tuple) else value


def _same(text: str) -> str:
    """The text with `\\udce9`, as `repr` quotes a byte that is no UTF-8, written as the escape that
    it has everywhere.
    """
    return _QUOTED.sub(r"\\x\1", text) if "\\udc" in text else text


def _escape(match: re.Match[str]) -> str:
    return _escaped(match[0])


def _escaped(letter: str) -> str:
    code_point = ord(letter)
    if 0xDC80 <= code_point <= 0xDCFF:  # a byte that is no UTF-8 (PEP 383)
        return f"\\x{code_point - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()
