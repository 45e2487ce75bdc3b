"""Weights of a finished model as the start of another: whatever has its name and shape, and of what
has a row for each class the rows of the classes that both have.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtasks.answers.synonyms import called_otherwise
from cvtasks.errors import ModelError
from cvtasks.text import some
from cvtasks.weights.open import opened
from cvtasks.weights.stored import Stored
from cvtasks.weights.transfer import assign, by_layer, by_path, value_of

if TYPE_CHECKING:
    import keras

UNKNOWN = -1
"""Stands for the axis of the classes in a variable that depends on them, but has not one row for
each.
"""

_SHOWN = 12  # names of classes that are listed


@dataclass(frozen=True)
class TakenOver:
    """What `take_over` did.

    Attributes:
        backbone, head: tensors that were taken over whole, and how many there are. The head is all
            that stands on the backbone, its neck too; (0, 0) where it was to be left as it is.
        shared: classes whose rows were taken over.
        new: classes that begin as those of a new head do.
        otherwise: of the shared ones, those that the model calls otherwise, and how.
        given: paths of the variables all of whose numbers are the model's.
    """

    backbone: tuple[int, int]
    head: tuple[int, int]
    shared: tuple[str, ...]
    new: tuple[str, ...]
    otherwise: Mapping[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def __str__(self) -> str:
        parts = [f"backbone {_share(*self.backbone)}"]
        if not self.head[0] and not self.shared:
            return f"{parts[0]}, head new"
        parts.append(f"neck and head {_share(*self.head)}")
        if self.shared:
            parts.append(f"classes {some(self.shared, _SHOWN)}")
        parts += [f"{ours} takes the rows of {theirs}" for ours, theirs in self.otherwise.items()]
        return ", ".join(parts) + (f"; new: {some(self.new, _SHOWN)}" if self.new else "")


@dataclass(frozen=True)
class Rows:
    """Which rows of the classes go where.

    Attributes:
        axes: path of each variable that depends on the classes → the axis along which they lie,
            behind whatever else does, or `UNKNOWN`.
        theirs, ours: the classes of the model and of the network.
    """

    axes: Mapping[str, int]
    theirs: Sequence[str]
    ours: Sequence[str]

    @cached_property
    def otherwise(self) -> dict[str, str]:
        """Those of ours that the model calls otherwise → how (`cvtasks.answers.synonyms`)."""
        return called_otherwise(self.ours, self.theirs)

    @property
    def shared(self) -> tuple[str, ...]:
        """The classes that both have, in the order of ours, by our names."""
        return tuple(name for name in self.ours if name in self.theirs or name in self.otherwise)

    def fit(self, name: str, stored: Stored, variable: Any) -> bool:
        """Whether something of the tensor can be taken over to the variable `name`."""
        shape, axis = list(variable.shape), self.axes.get(name)
        if axis is None or list(self.theirs) == list(self.ours):
            return list(stored.shape) == shape
        if axis == UNKNOWN or not self.shared:
            return False
        shape[axis] += len(self.theirs) - len(self.ours)
        return list(stored.shape) == shape

    def joined(self, name: str, value: np.ndarray, variable: Any) -> np.ndarray:
        """The values of a tensor that fits, with the variable's own rows for the new classes."""
        axis = self.axes.get(name)
        if axis is None or list(self.theirs) == list(self.ours):
            return value
        from keras import ops

        own = np.array(ops.convert_to_numpy(variable.value), dtype=value.dtype)
        rows, given = np.moveaxis(own, axis, 0), np.moveaxis(value, axis, 0)
        before = len(rows) - len(self.ours)  # what lies there beside the classes
        rows[:before] = given[:before]
        for ours in self.shared:
            theirs = self.otherwise.get(ours, ours)
            rows[before + self.ours.index(ours)] = given[before + self.theirs.index(theirs)]
        return own


def take_over(
    network: "keras.Model", backbone: Collection[str], path: Path, head: Rows | None
) -> TakenOver:
    """Give a network the weights of a finished model, as far as names and shapes agree.

    A layer is taken over as a whole or not at all; of one that has a row for each class, the rows
    of the classes that both have.

    Args:
        network: changed in place, or not at all when an error is raised.
        backbone: paths of the variables of its backbone.
        path: the model's file of weights.
        head: where its classes lie; None to leave all but the backbone as it is.

    Raises:
        ModelError: nothing of the backbone fits; or the file is damaged or has NaN or infinite
            values.
    """
    variables, values = by_path(network), dict[str, np.ndarray]()
    rows = head or Rows({}, (), ())
    with opened(path) as stored:
        for layer in by_layer(variables).values():
            names = [name for name in layer.values() if head or name in backbone]
            if all(n in stored and rows.fit(n, stored[n], variables[n]) for n in names):
                for name in names:
                    value = value_of(path, name, stored[name])
                    values[name] = rows.joined(name, value, variables[name])
    if values.keys().isdisjoint(backbone):
        raise ModelError(
            f"a model that gives its weights must have the network's backbone; {str(path)!r} has "
            "nothing of it. Choose the backbone of that model, or another start."
        )
    assign(network, values)
    same = list(rows.theirs) == list(rows.ours)
    whole = {name for name in values if same or name not in rows.axes}
    others = variables.keys() - set(backbone)
    taken = rows.shared if values.keys() & rows.axes.keys() else ()
    return TakenOver(
        (len(whole & set(backbone)), len(backbone)),
        (len(whole & others), len(others)) if head else (0, 0),
        taken,
        tuple(name for name in rows.ours if name not in taken),
        rows.otherwise if taken else {},
        frozenset(values if len(taken) == len(rows.ours) else whole),
    )


def _share(taken: int, of: int) -> str:
    return "whole" if taken == of else f"{taken} of {of} tensors"
