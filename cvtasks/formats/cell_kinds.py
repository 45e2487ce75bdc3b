"""What the cells of tables of labels may say: yes or no, numbers, or text."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from cvtasks.formats.reading import is_number

Seen = Sequence[Counter[str]]
"""For each column, how many of its cells are of each kind (`cell_kind`)."""

FEW = 0.1
"""The share of a table's lines that may be faults."""

_KINDS = {"true": "yes", "false": "no", "": "blank"}
_VALUES = {1.0: "yes", 0.0: "no", -1.0: "minus"}
_NUMBERS = ("yes", "no", "minus", "share", "whole", "broken")
_OTHERS = ("whole", "broken", "text")
_WHOLE = 1e9  # numbers of classes are smaller
_COMMA = re.compile(r"([+-]?\d*),(\d+)")
_PRINTED = re.compile(r"-?(?:\d+\.0*|\d(?:\.\d*)?e[+-]\d{2,3})", re.ASCII)
"""A whole number as NumPy and pandas print one that they hold as a float."""


def cell_kind(cell: str, sign: str = ",") -> str:
    """What a cell may be: "yes" and "no" for 1 and 0 however they are written, "minus" for -1,
    "blank", "share" for a number between 0 and 1, "whole" and "broken" for others, or "text".

    Args:
        sign: the one between columns; where it is a semicolon, a comma may be the decimal sign.

    >>> [cell_kind(cell) for cell in ("1.00", "False", "-1", " ", "0.9", "2.0", "1.5", "cat")]
    ['yes', 'no', 'minus', 'blank', 'share', 'whole', 'broken', 'text']
    >>> [cell_kind(cell, ";") for cell in ("1,0", "0,0", "0,25")]
    ['yes', 'no', 'share']
    """
    word = cell.strip().casefold()
    value = number_in(word, sign)
    if kind := _KINDS.get(word) or _VALUES.get(value):
        return kind
    if not math.isfinite(value):
        return "text"
    return "share" if 0 < value < 1 else "whole" if value.is_integer() else "broken"


def number_in(cell: str, sign: str = ",") -> float:
    """The number that a cell holds, nan for none; `sign` is as for `cell_kind`."""
    word = _COMMA.sub(r"\1.\2", cell, count=1) if sign == ";" else cell
    return float(word) if is_number(word) else math.nan


def plain_label(label: str) -> str:
    """A label that is a whole number in the manner of NumPy and pandas as digits alone, any other
    as it is.

    >>> [plain_label(label) for label in ("1.0", "2.", "3.000000e+00", "0.5", "cat", "007")]
    ['1', '2', '3', '0.5', 'cat', '007']
    >>> [plain_label(label) for label in ("1_0", "2E1", "+3")]
    ['1_0', '2E1', '+3']
    """
    value = float(label) if _PRINTED.fullmatch(label) else math.nan
    return str(int(value)) if value.is_integer() and abs(value) < _WHOLE else label


def has_fraction(label: str) -> bool:
    """Whether a label is a number with a fraction."""
    return cell_kind(label) in ("share", "broken")


def is_class(kinds: Counter[str]) -> bool:
    """Whether cells are yes or no, but for a few; of numbers between them there may be more."""
    count = kinds.total()
    told = kinds["yes"] + kinds["no"] + kinds["minus"]
    others = sum(kinds[kind] for kind in _OTHERS)
    return told > 0 and others <= max(1, FEW * count) and kinds["share"] <= 0.5 * count


def yes_or_no(kinds: Counter[str]) -> bool:
    """Whether cells say yes or no alone, but for a few numbers between them."""
    told = {kind for kind, count in kinds.items() if count} - {"blank"}
    if kinds["share"] <= FEW * kinds.total():
        told -= {"share"}
    return told in ({"yes"}, {"no"}, {"yes", "no"}, {"minus"}, {"yes", "minus"})


def is_soft(kinds: Counter[str]) -> bool:
    """Whether most cells are numbers between 0 and 1."""
    return kinds["share"] > 0.5 * kinds.total()


def is_numeric(kinds: Counter[str]) -> bool:
    """Whether cells are numbers; some may be missing."""
    numbers = sum(kinds[kind] for kind in _NUMBERS)
    return numbers > 0 and numbers + kinds["blank"] == kinds.total()


def has_fractions(kinds: Counter[str]) -> bool:
    """Whether a cell is a number with a fraction."""
    return bool(kinds["share"] or kinds["broken"])


def is_no_label(kinds: Counter[str]) -> bool:
    """Whether a column is a class of its own, or holds values that were measured."""
    return yes_or_no(kinds) or (is_numeric(kinds) and has_fractions(kinds))
