"""Kernels by name, and small matrices as people type them."""

import re
from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np

from cvtasks.errors import UsageError, did_you_mean

LONGEST = 99
"""Rows and columns of a matrix that is typed, or of a kernel that is made, at most."""

_FIXED = {  # name → its cells and what it does; every kernel is meant for cross-correlation
    "identity": ("0 0 0; 0 1 0; 0 0 0", "leaves the image as it is"),
    "sharpen": ("0 -1 0; -1 5 -1; 0 -1 0", "the image minus its edges' second derivative"),
    "edges": ("0 1 0; 1 -4 1; 0 1 0", "Laplace: second derivative, the same in all directions"),
    "sobel-x": (
        "-1 0 1; -2 0 2; -1 0 1",
        "from left to right: dark to light is positive; shows vertical edges",
    ),
    "sobel-y": (
        "-1 -2 -1; 0 0 0; 1 2 1",
        "from top to bottom: dark to light is positive; shows horizontal edges",
    ),
    "prewitt-x": ("-1 0 1; -1 0 1; -1 0 1", "as sobel-x, all rows alike"),
    "prewitt-y": ("-1 -1 -1; 0 0 0; 1 1 1", "as sobel-y, all columns alike"),
    "emboss": ("-2 -1 0; -1 1 1; 0 1 2", "a slope from the upper left, added to the image"),
}
_MADE = {  # name → what it does; of any odd or even side
    "blur": "mean of the neighbourhood",
    "gaussian": "mean weighted by the binomial coefficients, which near a Gaussian",
}
KERNELS = (*_MADE, *_FIXED)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel as it is written down.

    Attributes:
        name: what it is called, or "" if it was typed.
        cells: (k, l) float64.
        divisor: what the sum is divided by in the end.
    """

    name: str
    cells: np.ndarray
    divisor: int = 1

    @property
    def weights(self) -> np.ndarray:
        """(k, l) float64: the cells over the divisor."""
        return self.cells / self.divisor


def kernel(text: str, size: int = 0) -> Kernel:
    """A kernel by its name, or from its numbers.

    Args:
        text: a name of `KERNELS`, or rows separated by semicolons: "0 1 0; 1 -4 1; 0 1 0".
        size: side of `blur` and `gaussian`; 0 is 3. Every other kernel has its own.

    Raises:
        UsageError: neither a name nor a matrix, or a size that the kernel cannot have.

    >>> kernel("gaussian").cells.tolist(), kernel("gaussian").divisor
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 16)
    """
    text = unbracketed(text)
    name = text.strip().lower()
    if name in _MADE:
        side = size or 3
        if not 1 <= side <= LONGEST:
            raise UsageError(f"the side of {name} must lie in 1..{LONGEST}; got {side}.")
        row = [comb(side - 1, i) if name == "gaussian" else 1 for i in range(side)]
        return Kernel(name, np.outer(row, row).astype(np.float64), sum(row) ** 2)
    if name not in _FIXED and re.match(r"[a-z]", name):
        raise UsageError(
            f'a kernel must be {", ".join(KERNELS)}, or numbers as in "0 1 0; 1 -4 1; 0 1 0"; got '
            f"{text!r}. "
            f"{did_you_mean(name, KERNELS)}"
        )
    made = (
        Kernel(name, matrix(_FIXED[name][0], "A kernel"))
        if name in _FIXED
        else Kernel("", matrix(text, "A kernel"))
    )
    if size:
        raise UsageError(
            f"only {' and '.join(_MADE)} can be had in another size; {text!r} is "
            f"{' × '.join(map(str, made.cells.shape))}. "
            "Leave the size out."
        )
    return made


def matrix(text: str, what: str) -> np.ndarray:
    """Rows separated by semicolons, cells by spaces or commas, → (r, c) float64; a cell may be a
    fraction like 1/9. Rows in brackets, as NumPy and Python write them, are read too.

    Args:
        what: what errors call it.

    Raises:
        UsageError: no numbers, rows of different lengths, or too many.

    >>> matrix("1 2; -3 1/4", "A kernel").tolist()
    [[1.0, 2.0], [-3.0, 0.25]]
    """
    plain = unbracketed(text).strip().rstrip(";")
    rows = [row.replace(",", " ").split() for row in re.split(r";\s*|\n\s*", plain)]
    lengths = [len(row) for row in rows]
    if min(lengths) < 1 or len(set(lengths)) > 1:
        raise UsageError(
            f"{what} must have rows of one length, separated by semicolons; got rows of "
            f"{', '.join(map(str, lengths))} numbers in "
            f"{_short(text)}."
        )
    if max(len(rows), lengths[0]) > LONGEST:
        raise UsageError(
            f"{what} that is typed may have at most {LONGEST} rows and columns; got {len(rows)} × "
            f"{lengths[0]}."
        )
    return np.array([[_cell(cell, what) for cell in row] for row in rows])


def unbracketed(text: str) -> str:
    """NumPy's and Python's spelling of rows with semicolons; any other text as it is.

    >>> unbracketed("[[1, 2], [3, 4]]"), unbracketed("array([[1. 2.]\\n [3. 4.]])")
    ('1, 2; 3, 4', '1. 2.; 3. 4.')
    >>> unbracketed("[5, 6]"), unbracketed("[0-9].png")
    ('5, 6', '[0-9].png')
    """
    row = r"\[[^][]*\]"
    several = rf"\[\s*{row}(?:\s*,?\s*{row})*\s*,?\s*\]"
    form = rf"\s*(?:np\.)?(?:array\()?\s*({several}|{row})\s*\)?\s*"
    if not (found := re.fullmatch(form, text)):
        return text
    rows = re.findall(r"[^][]*[^][,\s][^][]*", found[1])
    return "; ".join(" ".join(one.strip(", \n").split()) for one in rows)


def _cell(text: str, what: str) -> float:
    if (
        re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2}|/\d+)?", text, re.IGNORECASE)
        and len(text) <= 24
    ):
        try:
            return float(Fraction(text))
        except (ValueError, ZeroDivisionError):  # 1.5/2 and 1/0
            pass
    raise UsageError(
        f'{what} must hold numbers like 2, -0.5 or 1/9; got {_short(text)}. Write "0 1 0; 1 -4 1; '
        '0 1 0".'
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
