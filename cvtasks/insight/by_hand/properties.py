"""What the convolution of mathematics can be relied on for, shown with numbers: it is commutative,
associative and linear; the cross-correlation of networks is not commutative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cvtasks.drawing.sheets import PLAIN, RESULT, WINDOW
from cvtasks.insight.by_hand.convolution import convolve
from cvtasks.insight.by_hand.layout import EDGE, captioned, headed, new_page
from cvtasks.insight.by_hand.steps import number

PropertyName = Literal["commutative", "associative", "linear", "cross-correlation"]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of an equation.

    Attributes:
        text: how it is written.
        parts: what it is made of: name → (r, c) numbers.
        result: (r, c).
    """

    text: str
    parts: dict[str, np.ndarray]
    result: np.ndarray


@dataclass(frozen=True, eq=False)
class Property:
    """An equation about convolution, with both sides computed.

    Attributes:
        title: what it says.
        holds: whether the numbers of both sides are the same.
    """

    title: str
    left: Side
    right: Side

    @property
    def holds(self) -> bool:
        """Whether both sides are equal, up to what a float rounds."""
        one, other = self.left.result, self.right.result
        return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-9))


def full(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a ∗ b with zeros around, wherever the flipped b still touches a: (r + k − 1, c + l − 1).

    >>> full(np.array([[1, 2]]), np.array([[1, -1]])).tolist()
    [[1.0, 1.0, -2.0]]
    """
    return convolve(a, b, mode="convolution", padding="full")


def properties(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, factors: tuple[float, float] = (2.0, 3.0)
) -> dict[PropertyName, Property]:
    """Equations about the convolution of an image a with kernels b and c, all (r, c).

    Args:
        factors: α and β of linearity; where b and c differ in size, zeros follow the smaller one.
    """
    (alpha, beta), both = factors, _sum(b, c, factors)
    one, two = number(alpha), number(beta)
    cross: Callable[..., np.ndarray] = convolve
    return {
        "commutative": Property(
            "convolution is commutative: image and kernel may change places",
            Side("a ∗ b", {"a": a, "b": b}, full(a, b)),
            Side("b ∗ a", {"b": b, "a": a}, full(b, a)),
        ),
        "associative": Property(
            "convolution is associative: two kernels one after the other are one kernel",
            Side("(a ∗ b) ∗ c", {"a ∗ b": full(a, b), "c": c}, full(full(a, b), c)),
            Side("a ∗ (b ∗ c)", {"a": a, "b ∗ c": full(b, c)}, full(a, full(b, c))),
        ),
        "linear": Property(
            "convolution is linear: a sum of kernels gives the sum of the results",
            Side(f"a ∗ ({one}b + {two}c)", {"a": a, f"{one}b + {two}c": both}, full(a, both)),
            Side(
                f"{one}(a ∗ b) + {two}(a ∗ c)",
                {"a ∗ b": full(a, b), "a ∗ c": full(a, c)},
                _sum(full(a, b), full(a, c), factors),
            ),
        ),
        "cross-correlation": Property(
            "cross-correlation is not commutative: it is turned by half a circle",
            Side("a ⊗ b", {"a": a, "b": b}, cross(a, b, padding="full")),
            Side("b ⊗ a", {"b": b, "a": a}, cross(b, a, padding="full")),
        ),
    }


def _sum(a: np.ndarray, b: np.ndarray, factors: tuple[float, float]) -> np.ndarray:
    """α a + β b, zeros following the smaller one."""
    result = np.zeros(np.maximum(a.shape, b.shape))
    for each, share in zip((a, b), factors, strict=True):
        result[: each.shape[0], : each.shape[1]] += share * each
    return result


def property_sheet(one: Property) -> np.ndarray:
    """Both sides of an equation below each other: what they are made of, and what comes out.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    page = new_page()
    sign = "=" if one.holds else "≠"
    y = headed(
        page,
        one.title,
        f"{one.left.text} {sign} {one.right.text};  zeros around, as far as the kernel touches",
    )
    longest = max(
        sum(max(part.shape[1], 3) + 1.2 for part in side.parts.values())
        for side in (one.left, one.right)
    )
    for side in (one.left, one.right):
        x = EDGE
        for count, (name, part) in enumerate(side.parts.items()):
            x = captioned(page, x, y + 0.3, name, part, WINDOW if count else PLAIN)
        captioned(page, EDGE + longest + 0.6, y + 0.3, side.text, side.result, RESULT)
        parts = [part.shape[0] for part in side.parts.values()]
        y += max(*parts, side.result.shape[0]) + 1.3
    return page.pixels()
