"""Where the places of a feature map lie on an image, and what of the image each of them sees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.insight.inspecting.inspect import inspect_network

Prepare = Callable[[np.ndarray], np.ndarray]
"""How a task changes an image before it is fitted to the network input (`Task.prepare`)."""


@dataclass(frozen=True, eq=False)
class Along:
    """What the places of a map along one axis see.

    Attributes:
        spans: (places, 2) first pixel of the network input that each sees, and the one behind the
            last; may lie beyond it.
        middles: (places,) where each lies on the network input: in the middle of that.
    """

    spans: np.ndarray
    middles: np.ndarray

    def seen(self, place: int, start: int, length: int) -> slice:
        """What a place sees, cut to `length` pixels from `start` on; at least one of them."""
        first, behind = self.spans[place].astype(int).tolist()
        low = min(max(first, start), start + length - 1)
        return slice(low, max(min(behind, start + length), low + 1))


Axes = tuple[Along, Along]
"""Of the rows and of the columns of a map."""


# === what an image is to a network ===


def input_size(network: keras.Model) -> tuple[int, int]:
    """(height, width) of a network's input.

    Raises:
        UsageError: the network is open about it.
    """
    height, width = network.input_shape[1:3]
    if not height or not width:
        raise UsageError(
            "a network must have a fixed size of input for this; this one is open. Build it with a "
            "size."
        )
    return height, width


def on_input(
    network: keras.Model,
    image: np.ndarray,
    prepare: Prepare | None = None,
    placement: Placement = "centre",
) -> tuple[Letterbox, np.ndarray]:
    """An image (h, w, 3) uint8 RGB → its letterbox and the network input (H, W, 3)
    uint8.
    """
    prepared = image if prepare is None else prepare(image)
    letterbox = Letterbox(prepared.shape[:2], input_size(network), placement)
    return letterbox, letterbox.to_input(prepared)


def check_has_places(shape: Sequence[int | None], layer: str, spatial: Sequence[str]) -> None:
    """Raise UsageError unless a layer's output has height, width and units."""
    if len(shape) == 4:
        return
    numbers = " × ".join(str(side) for side in shape[1:])
    near = ", ".join(spatial[-3:])
    raise UsageError(
        f'a feature map has height, width and units; "{layer}" gives {numbers} numbers without '
        f"places. Choose a layer before it, such as {near}; what is found in a data set or by "
        "ascent may be of any layer.",
        ways={"layer": spatial[-1] if spatial else "", "data": "", "maximise": ""},
    )


def unit_name(unit: int, names: Sequence[str] = ()) -> str:
    """What a unit is called: by its number, and by what it stands for where that is known.

    >>> unit_name(3), unit_name(1, ["cat", "dog"])
    ('unit 3', 'unit 1, dog')
    """
    return f"unit {unit}, {names[unit]}" if names else f"unit {unit}"


def check_units(units: Sequence[int], count: int, layer: str) -> None:
    """Raise UsageError if a number is none of the layer's `count` units."""
    for unit in units:
        if not 0 <= unit < count:
            raise UsageError(f'units of "{layer}" have the numbers 0 to {count - 1}; got {unit}.')


def check_finite(values: np.ndarray, layer: str) -> None:
    """Raise ModelError if what a layer answers is not finite."""
    if not np.isfinite(values).all():
        raise ModelError(
            f'a layer must answer with finite numbers; "{layer}" does not. Its weights are '
            "damaged: train it again."
        )


# === where places lie ===


def axes_of(part: keras.Model) -> Axes:
    """What the places of a network's output map see, by the arithmetic of receptive fields.

    Where paths of different strides have met, each place may see the whole network input, over
    which they are spread evenly.

    Args:
        part: a network of fixed input size whose output is (batch, h, w, units).
    """
    inspection = inspect_network(part)
    ends = [row for row in inspection.rows if row.number == inspection.graph.outputs[0]]
    local, along = ends[0].field.local if ends else None, []
    for index, side in enumerate(input_size(part)):
        places = np.arange(part.output_shape[1 + index])
        spans = np.tile(np.array([0, side], np.float64), (len(places), 1))
        middles = (places + 0.5) * side / len(places)
        if local is not None:
            spans = np.add([local[index].span(place) for place in places], (0, 1), dtype=np.float64)
            middles = spans.mean(axis=1)
        along.append(Along(spans, middles))
    return along[0], along[1]


def places_inside(axes: Axes, letterbox: Letterbox) -> np.ndarray:
    """(h, w) bool: the places whose middle lies in the image; all of them if none does."""
    window = letterbox.window
    rows, columns = (
        (one.middles >= start) & (one.middles <= start + length)
        for one, start, length in zip(axes, window[:2], window[2:], strict=True)
    )
    inside = np.logical_and.outer(rows, columns)
    return inside if inside.any() else np.ones(inside.shape, bool)
