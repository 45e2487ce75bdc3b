"""Feature maps: what the units of a layer answer to an image, place by place, in pixels of that
image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import keras
import numpy as np

from cvtasks.drawing.sheets import Scale, Tile, blue_red, enlarged_to, heat, sheet
from cvtasks.errors import UsageError
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.insight.graph import unfold
from cvtasks.insight.units.map_geometry import (
    Axes,
    Prepare,
    axes_of,
    check_finite,
    check_has_places,
    check_units,
    input_size,
    on_input,
    places_inside,
    unit_name,
)
from cvtasks.text import counted

_SIDE = 168  # of a tile, in pixels


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What a layer answers to one image.

    Attributes:
        layer: its name.
        values: (h, w, units) float32.
        letterbox: where the image lies on the network input.
        axes: which pixels of the network input the units of each row and of each column see.
    """

    layer: str
    values: np.ndarray
    letterbox: Letterbox
    axes: Axes

    def on_image(self, unit: int) -> np.ndarray:
        """The unit's map in pixels of the image, (h, w) float32: each pixel has the answer of the
        place next to it.

        A place lies where the middle of its receptive field is. What answers beyond the image, on
        the border that fills the network input, is cut away.
        """
        nearest = [
            np.searchsorted((one.middles[1:] + one.middles[:-1]) / 2, np.arange(side) + 0.5)
            for one, side in zip(self.axes, self.letterbox.input_size, strict=True)
        ]
        cut = self.letterbox.crop(self.values[..., unit][np.ix_(*nearest)]).astype(np.float32)
        return cv2.resize(cut, self.letterbox.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)

    @cached_property
    def inside(self) -> np.ndarray:
        """(h, w) bool: the places whose middle lies in the image; all, if none does."""
        return places_inside(self.axes, self.letterbox)

    @cached_property
    def means(self) -> np.ndarray:
        """(units,) float32: the mean answer of each over the places in the image."""
        return self.values[self.inside].mean(axis=0)

    @cached_property
    def peaks(self) -> np.ndarray:
        """(units,) float32: the largest answer of each in the image."""
        return self.values[self.inside].max(axis=0)

    def strongest(self, most: int) -> list[int]:
        """The units with the largest answers in the image, the largest first; of equal ones that of
        the larger mean.

        Equal ones are usual where a ReLU is cut at 6.
        """
        return np.lexsort((-self.means, -self.peaks))[:most].tolist()


def feature_maps(
    network: keras.Model,
    image: np.ndarray,
    layers: Sequence[str],
    prepare: Prepare | None = None,
    placement: Placement = "centre",
) -> list[FeatureMaps]:
    """What the layers answer to an image, in one pass.

    Args:
        image: (h, w, 3) uint8 RGB of any size; it is fitted to the network input as everywhere.
        layers: names, also of layers within networks of the network.
        prepare: the task's own preparation; the image's pixels are those of what it returns.
        placement: where the image lies on the network input.

    Raises:
        UsageError: there is no such layer, or its output has no places: a dense layer, a mean over
            all places.
        ModelError: what it answers is no finite number.
    """
    unfolded = unfold(network)
    for layer in layers:
        check_has_places(unfolded.at(layer).shape, layer, unfolded.spatial())
    letterbox, given = on_input(network, image, prepare, placement)
    tapped = unfolded.tap(layers)  # the network's own output is last
    answers = tapped(given[None].astype(np.float32), training=False)[:-1]
    found = []
    for layer, answer in zip(layers, answers, strict=True):
        values = np.asarray(keras.ops.convert_to_numpy(answer), np.float32)[0]
        check_finite(values, layer)
        found.append(FeatureMaps(layer, values, letterbox, axes_of(unfolded.until(layer))))
    return found


def feature_sheet(
    maps: FeatureMaps,
    image: np.ndarray,
    units: Sequence[int] = (),
    most: int = 15,
    title: str = "",
    names: Sequence[str] = (),
) -> np.ndarray:
    """(h, w, 3) uint8 RGB: the image and the maps of some units, with their numbers and their
    largest answers.

    Args:
        image: the image that was looked at, as it was prepared.
        units: which; by default the `most` strongest ones, the strongest first.
        names: what every unit of the layer stands for, where that is known.

    Raises:
        UsageError: there is no such unit.
    """
    check_units(units, maps.values.shape[2], maps.layer)
    chosen = list(units) or maps.strongest(most)
    signed = bool((maps.values[maps.inside] < 0).any())
    tiles = [Tile(enlarged_to(image, _SIDE), "the image")]
    for unit in chosen:
        drawn = (blue_red if signed else heat)(maps.on_image(unit))
        said = f"{unit_name(unit, names)}\nmax {maps.peaks[unit]:.3g}"
        tiles.append(Tile(enlarged_to(drawn, _SIDE), said))
    height, width, count = maps.values.shape
    order = "" if units else ", those with the largest answers, the largest first"
    legend = [
        f"{height} × {width} places × {counted(count, 'unit')}; "
        f"{counted(len(chosen), 'unit')}{order}",
        "each map has its own scale, from 0 to its largest "
        + ("absolute answer" if signed else "answer"),
        "max: the unit's largest answer in the image",
    ]
    return sheet(
        tiles,
        title or f"feature maps of {maps.layer}",
        legend,
        Scale("blue_red") if signed else Scale("heat", ("0", "max")),
        columns=min(8, max(4, len(tiles))),
    )


def last_of_each_size(network: keras.Model) -> list[str]:
    """The last layer at each size of map on the way down to the smallest, without the image's own
    channels.

    Raises:
        UsageError: no layer has places.
    """
    unfolded = unfold(network)
    last: dict[int, str] = {}
    smallest = max(input_size(network)) ** 2 + 1
    for layer in unfolded.spatial():
        _, height, width, units = unfolded.outputs[layer].shape
        if units > 4 and height * width <= smallest:
            smallest = height * width
            last[smallest] = layer
    if not last:
        raise UsageError(
            f"a feature map has height, width and units; no layer of {network.name!r} gives one."
        )
    return list(last.values())
