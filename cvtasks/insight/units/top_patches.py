"""The images of a data set that excite a unit most, and in each the patch it looks at, with its
projection back to pixels.

The figure of Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014,
figure 2: for a unit, the images in which its largest answer is largest; from each the part that the
place of that answer sees; and beside it what of the part made the unit answer, which is the signal
led back to the pixels through transposed filters, rectified on its way (section 2.1).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal

import keras
import numpy as np

from cvtasks.answers import Labels
from cvtasks.data import Hints, Source, open_source, split_of, splits_of
from cvtasks.data.opening import title
from cvtasks.data.views import Subset
from cvtasks.drawing.sheets import Scale, Tile, enlarged_to, grid, sheet, signed_grey
from cvtasks.errors import CVTasksError, UsageError
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.insight.gradients import (
    Rule,
    has_switches,
    rectify,
    relu_limit,
    value_and_gradient,
)
from cvtasks.insight.graph import unfold, walk
from cvtasks.insight.units.map_geometry import (
    Axes,
    Prepare,
    axes_of,
    check_finite,
    check_units,
    on_input,
    places_inside,
    unit_name,
)
from cvtasks.media.images import read_image
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted

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
    def within(self) -> tuple[slice, slice]:
        """The region as rows and columns of the network input."""
        top, left, bottom, right = self.region
        return slice(top, bottom), slice(left, right)

    @property
    def patch(self) -> np.ndarray:
        """The region, (h, w, 3) uint8, at the resolution that the network saw."""
        return self.input[self.within]

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
    best: dict[int, list[Excited]] = {unit: [] for unit in units}
    waiting, done = iter(images), 0
    while chunk := list(islice(waiting, _BATCH)):
        seen = [on_input(network, image, prepare, placement) for _, image in chunk]
        filled = [given for _, given in seen] + [seen[-1][1]] * (_BATCH - len(chunk))
        batch = np.stack(filled).astype(np.float32)  # one shape is compiled
        answers = np.asarray(part.predict_on_batch(batch), np.float32)[: len(chunk)]
        check_finite(answers, layer)
        for (name, _), (letterbox, given), answer in zip(chunk, seen, answers, strict=True):
            for unit, found in best.items():
                place, value = _largest(answer[..., unit], axes, letterbox)
                region = _region(place, axes, letterbox)
                found.append(Excited(name, value, place, region, given, letterbox))
                found.sort(key=lambda one: -one.value)
                del found[top:]
        done += len(chunk)
        on_batch(done)
    return best


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
        inputs = np.stack([one.input for one in several]).astype(np.float32)
        found.extend(value_and_gradient(partial(_answers, part, chosen), inputs)[1])
    return found


def _answers(part: keras.Model, chosen: np.ndarray, x: Any) -> Any:
    return keras.ops.sum(part(x, training=False) * chosen)


def rule_for(network: keras.Model, wanted: Rule | Literal[""] = "") -> Rule:
    """How ReLUs are to treat a projection: as it is wanted, or by default what shows most in the
    network.

    A deconvnet where the network has max pooling; guided backpropagation where it has none, as a
    deconvnet finds its way by the places of the maxima (Springenberg, Dosovitskiy, Brox,
    Riedmiller, "Striving for Simplicity", 2015); the gradient where there is no ReLU.

    Raises:
        UsageError: a rule for ReLUs is wanted, and the network has none.
    """
    layers = [call.operation for call in walk(network).calls]
    rectifies = any(relu_limit(layer) is not False for layer in layers)
    if not rectifies and wanted not in ("", "gradient"):
        raise UsageError(
            f"{wanted} is a rule for ReLUs; {network.name!r} has none. Choose gradient."
        )
    if wanted or not rectifies:
        return wanted or "gradient"
    return "deconvnet" if has_switches(network) else "guided"


def exciting_sheet(
    found: Mapping[int, Sequence[Excited]],
    projected: Mapping[int, Sequence[np.ndarray]],
    walked: str,
    rule: Rule = "deconvnet",
    title: str = "what excites the units",
    names: Sequence[str] = (),
) -> np.ndarray:
    """(h, w, 3) uint8 RGB: for each unit its patches, the most exciting first, and beside them
    their projections.

    Args:
        found, projected: unit → what `most_exciting` and `projections` gave; at least one unit with
            one image.
        walked: what was walked over, for the legend.
        names: what every unit of the layer stands for, where that is known.
    """
    tiles = []
    for unit, excited in found.items():
        patches = [enlarged_to(one.patch, _SIDE) for one in excited]
        back = [
            enlarged_to(_shown(gradient[one.within]), _SIDE)
            for one, gradient in zip(excited, projected[unit], strict=True)
        ]
        across, numbers = min(_ACROSS, len(patches)), f"{excited[0].value:.3g}"
        if len(excited) > 1:
            numbers += f" to {excited[-1].value:.3g}"
        both = grid([grid(patches, across), grid(back, across)], 2, gap=12)
        tiles.append(Tile(both, f"{unit_name(unit, names)}\nanswers {numbers}"))
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
    rows, columns = axes[0].seen(place[0], top, height), axes[1].seen(place[1], left, width)
    return rows.start, columns.start, rows.stop, columns.stop


def _shown(gradient: np.ndarray) -> np.ndarray:
    """(h, w, 3) → uint8: zero is mid-grey; the few largest values do not make all others pale."""
    return signed_grey(gradient, float(np.quantile(np.abs(gradient), _WITHIN)))


# === a data set ===


@dataclass
class Walk:
    """A walk over the images of a source, or some of them, one at a time; what cannot be read is
    named and passed over.

    Attributes:
        source: of those that are looked at.
        title: the data set, as the user named it.
        said: what is walked over, in a sentence.
        done: how many have been given so far; `failed`: the names of those that could not be read.
    """

    source: Source
    title: str
    said: str
    done: int = 0
    failed: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def over(cls, data: str, recipe: Recipe | None, limit: int = 0) -> "Walk":
        """Open DATA[:SPLIT].

        Args:
            recipe: of the model that is looked into: its kind of data, and its training split where
                none is named. Without one the data are those of classification.
            limit: so many images, evenly spread; 0 for all.

        Raises:
            DataError: there is no such data set, or it has no image.
        """
        path, split = split_of(data)
        kind = recipe.task.answer if recipe else Labels
        hints = Hints.of(recipe.data) if recipe else None
        if recipe and not split and len(splits_of(path, kind, hints=hints)) > 1:
            split = recipe.data.train
        source = open_source(path, split, kind, hints=hints)
        name, total, count = title(path, source.split), len(source), counted(len(source), "image")
        if 0 < limit < total:
            source = Subset(source, [number * total // limit for number in range(limit)])
            count = f"{limit} of {total} images, evenly spread"
        return cls(source, name.rpartition("/")[2], f"{source.format}, {name}, {count}")

    def images(self, complain: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
        """Name and image (h, w, 3) uint8 RGB of each, in the order of the data set; `complain` is
        told why one is left out.
        """
        files = self.source.files
        for index in range(len(self)):
            name = files[index].name if files else self.source.name(index)
            try:  # the image alone, where it is a file: its truth does not matter here
                image = read_image(files[index]) if files else self.source[index].image
            except CVTasksError as error:
                self.failed.append(name)
                complain(str(error))
            else:
                self.done += 1
                yield name, image
