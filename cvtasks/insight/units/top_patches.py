"""The images of a data set that excite a unit most, and in each the patch it looks at, with its
projection back to pixels.

The figure of Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014,
figure 2: for a unit, the images in which its largest answer is largest; from each the part that the
place of that answer sees; and beside it what of the part made the unit answer, which is the signal
led back to the pixels through transposed filters, rectified on its way (section 2.1).
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast, get_args

import keras
import numpy as np

from cvtasks.drawing.sheets import Scale, Tile, enlarged_to, grid, sheet, signed_grey
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.insight.gradients import Rule, rectify, relu_limit, value_and_gradient
from cvtasks.insight.graph import unfold, walk
from cvtasks.insight.units.map_geometry import (
    Axes,
    Prepare,
    axes_of,
    check_finite,
    check_units,
    on_input,
    places_inside,
)

_BATCH = 8  # images that the network sees at a time
_ACROSS = 3  # patches in a row of a unit's tile
_SIDE = 88  # of a patch, in pixels
_WITHIN = 0.995  # share of a projection's values that its scale holds


@dataclass(frozen=True, eq=False)
class Excited:
    """The largest answer of a unit in one image.

    Attributes:
        name: of the image.
        value: the answer.
        place: (row, column) of the map where it is; of a layer without rows and columns whatever
            tells its answers apart, () if there is one.
        region: (top, left, bottom, right) of what that place sees on the network input, cut at the
            image's edges; the whole image of a layer without places.
        input: (H, W, 3) uint8, what the network saw.
        letterbox: where the image lies on it.
    """

    name: str
    value: float
    place: tuple[int, ...]
    region: tuple[int, int, int, int]
    input: np.ndarray
    letterbox: Letterbox

    @property
    def patch(self) -> np.ndarray:
        """The region, (h, w, 3) uint8, at the resolution that the network saw."""
        top, left, bottom, right = self.region
        return self.input[top:bottom, left:right]

    @property
    def box(self) -> tuple[float, ...]:
        """Left, top, right and bottom edge of the region in pixels of the image."""
        top, left, bottom, right = self.region
        edges = self.letterbox.boxes_to_image(np.array([[left, top, right, bottom]]))[0]
        return tuple(round(float(edge), 1) for edge in edges)


def most_exciting(
    network: keras.Model,
    layer: str,
    units: Sequence[int],
    images: Iterable[tuple[str, np.ndarray]],
    top: int = 9,
    prepare: Prepare | None = None,
    on_batch: Callable[[int], None] = lambda done: None,
    placement: Placement = "centre",
) -> dict[int, list[Excited]]:
    """Walk over images once and keep, for each unit, those in which its largest answer is largest.

    No more is held at a time than a few images and, of each unit, `top` inputs. An image counts
    once for a unit. Places whose middle lies on the border around the image do not count.

    Args:
        layer: any layer, also one without places.
        images: name and image (h, w, 3) uint8 RGB of each.
        top: how many images to keep for each unit.
        on_batch: is told how many images are done.

    Returns:
        unit → its images, the most exciting first, of equal ones the first that came; empty where
        there were no images.

    Raises:
        UsageError: there is no such layer or unit. ModelError: an answer is no finite number.
    """
    part = unfold(network).until(layer)
    check_units(units, part.output_shape[-1], layer)
    axes = axes_of(part) if len(part.output_shape) == 4 else None
    best: dict[int, list[tuple[float, int, Excited]]] = {unit: [] for unit in units}
    waiting, done = iter(images), 0
    while chunk := list(islice(waiting, _BATCH)):
        seen = [on_input(network, image, prepare, placement) for _, image in chunk]
        batch = np.stack(
            [given for _, given in seen] + [seen[-1][1]] * (_BATCH - len(chunk))
        )  # one shape is compiled
        answers = np.asarray(part.predict_on_batch(batch.astype(np.float32)), np.float32)[
            : len(chunk)
        ]
        check_finite(answers, layer)
        for (name, _), (letterbox, given), answer in zip(chunk, seen, answers, strict=True):
            for unit, found in best.items():
                place, value = _largest(answer[..., unit], axes, letterbox)
                entry = (
                    value,
                    -done,
                    Excited(name, value, place, _region(place, axes, letterbox), given, letterbox),
                )
                if len(found) < top:
                    heapq.heappush(found, entry)
                elif entry[:2] > found[0][:2]:
                    heapq.heapreplace(found, entry)
            done += 1
        on_batch(done)
    return {
        unit: [one for _, _, one in sorted(found, key=lambda e: e[:2], reverse=True)]
        for unit, found in best.items()
    }


def projections(
    network: keras.Model,
    layer: str,
    unit: int,
    excited: Sequence[Excited],
    rule: Rule = "deconvnet",
) -> list[np.ndarray]:
    """The unit's answer in each image led back to pixels: of its place alone, (H, W, 3) float32 on
    the network input.

    Args:
        rule: how ReLUs treat the signal, see `rectify`.

    Raises:
        UsageError: the network has no ReLU, for which a rule other than "gradient" could be.
    """
    if not excited:
        return []
    part = rectify(network, rule).until(layer)
    found: list[np.ndarray] = []
    for first in range(0, len(excited), _BATCH):
        several = excited[first : first + _BATCH]
        chosen = np.zeros((len(several), *part.output_shape[1:]), np.float32)
        for number, one in enumerate(several):
            chosen[(number, *one.place, unit)] = 1

        def answers(x: Any, chosen: np.ndarray = chosen) -> Any:
            return keras.ops.sum(part(x, training=False) * chosen)

        _, gradient = value_and_gradient(
            answers, np.stack([one.input for one in several]).astype(np.float32)
        )
        found.extend(gradient)
    return found


def rule_for(network: keras.Model, wanted: str = "") -> Rule:
    """How ReLUs are to treat a projection: as it is wanted, or by default what shows most in the
    network.

    A deconvnet where the network has max pooling; guided backpropagation where it has none, as a
    deconvnet finds its way by the places of the maxima (Springenberg, Dosovitskiy, Brox,
    Riedmiller, "Striving for Simplicity", 2015); the gradient where there is no ReLU.

    Raises:
        UsageError: a rule for ReLUs is wanted, and the network has none.
    """
    rules = get_args(Rule)
    if wanted and wanted not in rules:
        raise UsageError(
            f"a projection is one of {', '.join(rules)}; got {wanted!r}. "
            f"{did_you_mean(wanted, rules)}"
        )
    layers = [call.operation for call in walk(network).calls]
    rectifies = any(relu_limit(layer) is not False for layer in layers)
    pools = any(isinstance(layer, keras.layers.MaxPooling2D) for layer in layers)
    if not rectifies and wanted not in ("", "gradient"):
        raise UsageError(
            f"{wanted} is a rule for ReLUs; {network.name!r} has none. Choose gradient."
        )
    if not rectifies:
        return "gradient"
    return cast(Rule, wanted or ("deconvnet" if pools else "guided"))


def exciting_sheet(
    found: Mapping[int, Sequence[Excited]],
    projected: Mapping[int, Sequence[np.ndarray]],
    walked: str,
    rule: Rule = "deconvnet",
    title: str = "what excites the units",
) -> np.ndarray:
    """(h, w, 3) uint8 RGB: for each unit its patches, the most exciting first, and beside them
    their projections.

    Args:
        found, projected: unit → what `most_exciting` and `projections` gave; at least one unit with
            one image.
        walked: what was walked over, for the legend.
    """
    tiles = []
    for unit, excited in found.items():
        patches = [enlarged_to(one.patch, _SIDE) for one in excited]
        back = [
            enlarged_to(
                _shown(gradient[one.region[0] : one.region[2], one.region[1] : one.region[3]]),
                _SIDE,
            )
            for one, gradient in zip(excited, projected[unit], strict=True)
        ]
        across = min(_ACROSS, len(patches))
        numbers = f"{excited[0].value:.3g}" + (
            f" to {excited[-1].value:.3g}" if len(excited) > 1 else ""
        )
        tiles.append(
            Tile(
                grid([grid(patches, across), grid(back, across)], 2, gap=12),
                f"unit {unit}\nanswers {numbers}",
            )
        )
    how = {
        "deconvnet": "projected by a deconvnet (Zeiler and Fergus 2014)",
        "guided": "projected by guided backpropagation (Springenberg et al. 2015)",
        "gradient": "the gradient of the answer",
    }[rule]
    legend = [
        f"left: what the unit saw where it answered most, the most exciting image first; {walked}",
        f"right: {how}; each has its own scale, which holds {_WITHIN:.1%} of it; zero is mid-grey",
    ]
    return sheet(tiles, title, legend, Scale("signed_grey"), columns=2, gap=40)


def _largest(
    answer: np.ndarray, axes: Axes | None, letterbox: Letterbox
) -> tuple[tuple[int, ...], float]:
    """Where in a map (h, w) the largest answer within the image is, and the answer; also of a layer
    without places.
    """
    inside = answer if axes is None else np.where(places_inside(axes, letterbox), answer, -np.inf)
    place = tuple(int(index) for index in np.unravel_index(int(inside.argmax()), inside.shape))
    return place, float(answer[place])


def _region(
    place: tuple[int, ...], axes: Axes | None, letterbox: Letterbox
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of what a place sees, cut at the image's edges;
    at least a pixel.
    """
    top, left, height, width = letterbox.window
    if axes is None:
        return top, left, top + height, left + width
    edges = []
    for unit, axis, start, length in zip(place, axes, (top, left), (height, width), strict=True):
        first, behind = axis.spans[unit].astype(int).tolist()
        low = min(max(first, start), start + length - 1)
        edges.append((low, max(min(behind, start + length), low + 1)))
    (low_row, high_row), (low_column, high_column) = edges
    return low_row, low_column, high_row, high_column


def _shown(gradient: np.ndarray) -> np.ndarray:
    """(h, w, 3) → uint8: zero is mid-grey; the few largest values do not make all others pale."""
    return signed_grey(gradient, float(np.quantile(np.abs(gradient), _WITHIN)))
