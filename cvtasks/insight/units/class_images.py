"""Class images: the image that a network thinks most like a class, or that makes a unit answer
most, by gradient ascent.

Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013, section 2, ascend the
score of a class before the softmax, so that a class is not made likely by making the others
unlikely. `cvtasks.insight.units.ascent` says how.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from cvtasks.drawing.sheets import Tile, enlarged_to, sheet
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.heads.base import Head
from cvtasks.insight.graph import unfold
from cvtasks.insight.units.ascent import Ascended, Ascent, Score, ascend
from cvtasks.insight.units.map_geometry import axes_of, check_units, input_size

OnStep = Callable[[int, int], None]
"""Is told how many steps of how many are done."""

_AT_ONCE = 8  # images that ascend together
_SIDE = 224  # of a tile of the sheet, in pixels
_WITHIN = 0.995  # share of an image's values that its raised contrast holds


def class_images(
    network: keras.Model,
    head: Head,
    classes: Sequence[str],
    names: Sequence[str],
    how: Ascent | None = None,
    on_step: OnStep = lambda done, total: None,
) -> Ascended:
    """An image for each of the named classes, with a high `Head.class_score`, of the size of the
    network input.

    Args:
        network: a recipe's network, with logits as its output; `head` and `classes` are the
            recipe's.
        names: of the classes.

    Raises:
        UsageError: the network does not know a class.
    """
    size = input_size(network)
    scores = [head.class_score(_index(classes, name), size) for name in names]
    return _in_parts(lambda x: network(x, training=False), scores, size, how or Ascent(), on_step)


def unit_images(
    network: keras.Model,
    layer: str,
    units: Sequence[int],
    how: Ascent | None = None,
    on_step: OnStep = lambda done, total: None,
) -> Ascended:
    """An image for each unit of a layer: that makes the unit in the middle of its map answer most.

    Of a layer with places only what the unit in the middle sees comes back (its receptive field,
    cut at the network input).

    Raises:
        UsageError: there is no such layer or unit.
    """
    part = unfold(network).until(layer)
    shape = part.output_shape[1:]
    check_units(units, shape[-1], layer)
    middle = tuple(side // 2 for side in shape[:-1])
    scores, size = [_at((*middle, unit)) for unit in units], input_size(network)
    seen = [slice(0, side) for side in size]
    if len(shape) == 3:
        spans = [
            axis.spans[place].astype(int).tolist()
            for axis, place in zip(axes_of(part), middle, strict=True)
        ]
        seen = [
            slice(max(first, 0), min(behind, side))
            for (first, behind), side in zip(spans, size, strict=True)
        ]
    side = min(one.stop - one.start for one in seen)
    made = _in_parts(
        lambda x: part(x, training=False), scores, size, how or Ascent(), on_step, side
    )
    return Ascended(made.images[:, seen[0], seen[1]], made.before, made.after)


def ascended_sheet(made: Ascended, names: Sequence[str], how: Ascent, title: str) -> np.ndarray:
    """(h, w, 3) uint8 RGB: the images with their names and scores, and how they were made."""
    tiles = [
        Tile(enlarged_to(_raised(image), _SIDE), f"{name}\nscore {before:.3g} → {after:.3g}")
        for name, image, before, after in zip(
            names, made.images, made.before, made.after, strict=True
        )
    ]
    legend = [
        "gradient ascent of the score, before any softmax or sigmoid (Simonyan et al. 2013); "
        f"{how.steps} steps from noise, "
        f"seed {how.seed}",
        f"L2 decay of {how.decay:.1%} a step and blur by {how.blur:.1%} of a side every "
        f"{how.blur_every} steps (Yosinski et al. "
        f"2015), jitter of up to {how.jitter:.0%}",
        f"contrast is raised for the eye until {1 - _WITHIN:.1%} of the values are cut; scores: of "
        "the noise → of the image",
    ]
    return sheet(tiles, title, legend, columns=5)


def _raised(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 → the same, its differences from grey enlarged by one factor."""
    away = image.astype(np.float32) - 127.5
    return np.clip(
        np.round(127.5 + away * 127.5 / max(float(np.quantile(np.abs(away), _WITHIN)), 1.0)), 0, 255
    ).astype(np.uint8)


def _index(classes: Sequence[str], name: str) -> int:
    if name not in classes:
        raise UsageError(
            f'the model does not know the class "{name}". {did_you_mean(name, classes)}'
        )
    return tuple(classes).index(name)


def _at(place: tuple[int, ...]) -> Callable[[Any], Any]:
    return lambda answers: answers[(slice(None), *place)]


def _in_parts(
    run: Score,
    scores: Sequence[Callable[[Any], Any]],
    size: tuple[int, int],
    how: Ascent,
    on_step: OnStep,
    seen: int = 0,
) -> Ascended:
    """Ascend a few at a time: image i by the score i of what the network makes of it."""
    parts: list[Ascended] = []
    total = how.steps * -(-len(scores) // _AT_ONCE)
    for first in range(0, len(scores), _AT_ONCE):
        before = len(parts) * how.steps
        own = scores[first : first + _AT_ONCE]

        def score(x: Any, own: Sequence[Callable[[Any], Any]] = own) -> Any:
            outputs = run(x)
            return keras.ops.stack([one(outputs[i : i + 1])[0] for i, one in enumerate(own)])

        def done(step: int, before: int = before) -> None:
            on_step(before + step, total)

        parts.append(ascend(score, len(own), size, how, done, seen))
    if not parts:
        raise UsageError("there must be at least one class or unit to make an image for; got none.")
    return Ascended(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("images", "before", "after")
        )
    )
