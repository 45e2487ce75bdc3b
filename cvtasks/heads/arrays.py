"""Arrays by name: a target, logits or an output is one array, or a dict of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Arrays: TypeAlias = Any
"""An array, or a dict of name → array. A head says which (`Head.outputs`)."""

Shapes: TypeAlias = tuple[int, ...] | Mapping[str, tuple[int, ...]]
"""The shape of one image's array, or of each by its name."""


def mapped(function: Callable[..., Any], *arrays: Arrays) -> Arrays:
    """The function of the arrays, or of those of each name.

    >>> mapped(len, [1, 2]), mapped(len, {"a": [1], "b": []})
    (2, {'a': 1, 'b': 0})
    """
    first = arrays[0]
    if not isinstance(first, Mapping):
        return function(*arrays)
    return {name: function(*(one[name] for one in arrays)) for name in first}


def joined(join: Callable[[Sequence[Any]], Any], items: Sequence[Arrays]) -> Arrays:
    """The items joined, or those of each name; `join` takes a sequence of arrays.

    >>> joined(sum, [1, 2, 3]), joined(sum, [{"a": 1}, {"a": 2}])
    (6, {'a': 3})
    """
    if not isinstance(items[0], Mapping):
        return join(items)
    return {name: join([item[name] for item in items]) for name in items[0]}


def only(arrays: Arrays, shapes: Shapes) -> Arrays:
    """What `shapes` has of the arrays: of a target, the output's keys, without those for the loss
    alone.

    >>> only({"a": 1, "b": 2}, {"a": (3,)}), only(1, (3,))
    ({'a': 1}, 1)
    """
    return {name: arrays[name] for name in shapes} if isinstance(shapes, Mapping) else arrays
