"""What of a network is computed in int8: its layers of weights, counted in multiply-adds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST_SHARE = 0.8
"""Of the multiply-adds, that a file must compute in int8 to be called so."""

ROUNDING = 1e-9
"""By which a share, or points, may miss a bound."""


@dataclass(frozen=True)
class Layer:
    """A convolution or a matrix product with weights.

    Attributes:
        name: as the format's file has it.
        multiply_adds: for one image.
        last: whether no other such layer computes with its output: it is one of a head's outputs.
        in_int8: whether it computes in int8.
    """

    name: str
    multiply_adds: int
    last: bool = False
    in_int8: bool = False


def share_in_int8(layers: Iterable[Layer]) -> float:
    """Share of the multiply-adds that are in int8, 0 to 1.

    >>> share_in_int8([Layer("a", 3, in_int8=True), Layer("b", 1)])
    0.75
    """
    every = [*layers]
    total = sum(one.multiply_adds for one in every)
    return sum(one.multiply_adds for one in every if one.in_int8) / total if total else 0.0


def kept_in_float(
    layers: Sequence[Layer], errors: Mapping[str, float], share: float
) -> tuple[str, ...]:
    """Names of the layers to be kept in float: a head's outputs first, then those with the largest
    error, as long as all together have at most `share` of the multiply-adds.

    Args:
        errors: name of a layer → what computing it in int8 adds to the relative error of its
            output.

    >>> layers = [Layer("a", 60), Layer("b", 20), Layer("c", 10), Layer("out", 10, last=True)]
    >>> kept_in_float(layers, {"a": 0.9, "b": 0.1, "c": 0.3}, 0.2)
    ('out', 'c')
    """
    room = (share + ROUNDING) * sum(one.multiply_adds for one in layers)
    chosen = []
    for one in sorted(layers, key=lambda one: (not one.last, -errors.get(one.name, 0.0))):
        if one.multiply_adds <= room:
            room -= one.multiply_adds
            chosen.append(one.name)
    return tuple(chosen)


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root of the mean squared difference, in shares of the root of the mean square.

    >>> relative_error(np.array([1.0, 1.0]), np.array([1.0, 0.0]))
    1.0
    """
    size = float(np.sqrt(np.mean(np.square(wanted, dtype=np.float64))))
    difference = float(np.sqrt(np.mean(np.square(found - wanted, dtype=np.float64))))
    return difference / size if size else 0.0


def behind_the_last(
    order: Sequence[str], readers: Mapping[str, Collection[str]], weighted: Collection[str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """What computes behind the last layers of weights, and those layers.

    Args:
        order: names of all operations, each behind what it reads.
        readers: name → the names of those that read its output.
        weighted: those with weights.

    Returns:
        the operations, in their order, whose output reaches no layer of weights; and the layers
        whose output reaches no other.

    >>> readers = {"a": ["b"], "b": ["c"], "c": []}
    >>> behind_the_last(["a", "b", "c"], readers, {"a"})
    (('b', 'c'), frozenset({'a'}))
    """
    reaches: dict[str, bool] = {}
    for name in reversed(order):
        reaches[name] = any(
            other in weighted or reaches.get(other, False) for other in readers.get(name, ())
        )
    tail = tuple(name for name in order if not reaches[name] and name not in weighted)
    return tail, frozenset(name for name in weighted if not reaches[name])
