"""Images that a network thinks most like a class, or that make a unit answer most, by gradient
ascent.

Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013, section 2, ascend the
score of a class before the softmax, so that a class is not made likely by making the others
unlikely, with an L2 penalty on the image. Without more, what comes out are fine grains; so, as
Yosinski et al., "Understanding Neural Networks Through Deep Visualization", 2015, section 3, the
image is pulled towards grey in each step (L2 decay) and blurred every few steps; and it is shifted
by a few pixels at random before each step and back after it (jitter; Mordvintsev et al.,
"Inceptionism", 2015). The gradient is divided by its root mean square, so that the steps are of one
size for every network.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import cv2
import keras
import numpy as np

from cvtasks.drawing.sheets import Tile, enlarged_to, sheet
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.heads.arrays import mapped
from cvtasks.heads.base import Head
from cvtasks.insight.gradients import value_and_gradient
from cvtasks.insight.graph import unfold
from cvtasks.insight.units.map_geometry import axes_of, check_finite, check_units, input_size
from cvtasks.text import counted

OnStep = Callable[[int, int], None]
"""Is told how many steps of how many are done."""
Score = Callable[[Any], Any]
"""Images (n, H, W, 3) float32 0–255, a tensor → (n,) scores, one for each."""
_MIDDLE = 127.5  # of the range of a pixel
_NOISE = 8.0  # standard deviation, in grey levels, of what the ascent starts from
_MIRRORED = cv2.BORDER_REFLECT_101
_LEAST_BLUR = 0.1  # pixels; less changes nothing
_AT_ONCE = 8  # images that ascend together
_SIDE = 224  # of a tile of the sheet, in pixels
_WITHIN = 0.995  # share of an image's values that its raised contrast holds


@dataclass(frozen=True)
class Ascent:
    """How an image is made.

    Lengths are shares of the side of what the score sees: of the whole image for a class, of its
    receptive field for a unit.

    Attributes:
        steps: of gradient ascent.
        rate: root mean square of a step, in grey levels, at the start; it falls to a tenth,
            linearly.
        decay: share of its distance from grey that each pixel loses in a step.
        blur: standard deviation of the Gaussian that the image is blurred with, and `blur_every`:
            after how many steps.
        jitter: how far, at most, the image is shifted in each direction; what leaves it comes in on
            the other side. The last tenth of the steps is without blur and jitter.
        seed: of the noise and the shifts.
    """

    steps: int = 128
    rate: float = 10.0
    decay: float = 0.005
    blur: float = 0.005
    blur_every: int = 2
    jitter: float = 0.04
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 1 if name in ("steps", "blur_every") else 0
            if not value >= least:
                raise UsageError(f"`{name}` must be at least {least}; got {value}.")


@dataclass(frozen=True, eq=False)
class Ascended:
    """Images that were made.

    Attributes:
        images: (n, H, W, 3) uint8 RGB.
        before, after: (n,) float32: the score of the noise that each began as, and of the image.
    """

    images: np.ndarray
    before: np.ndarray
    after: np.ndarray


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
    size, known = input_size(network), list(classes)
    for name in names:
        if name not in known:
            raise UsageError(
                f'the model does not know the class "{name}". {did_you_mean(name, known)}'
            )
    scores = [head.class_score(known.index(name), size) for name in names]
    return _in_parts(partial(network, training=False), scores, size, how or Ascent(), on_step)


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
    scores, size = [itemgetter((slice(None), *middle, unit)) for unit in units], input_size(network)
    seen = [slice(0, side) for side in size]
    if len(shape) == 3:
        axes = zip(axes_of(part), middle, size, strict=True)
        seen = [axis.seen(place, 0, side) for axis, place, side in axes]
    side = min(one.stop - one.start for one in seen)
    made = _in_parts(partial(part, training=False), scores, size, how or Ascent(), on_step, side)
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
        f"{counted(how.steps, 'step')} from noise, seed {how.seed}",
        f"L2 decay of {how.decay:.1%} a step and blur by {how.blur:.1%} of a side every "
        f"{counted(how.blur_every, 'step')} (Yosinski et al. 2015), jitter of up to "
        f"{how.jitter:.0%}",
        f"contrast is raised for the eye until {1 - _WITHIN:.1%} of the values are cut; scores: of "
        "the noise → of the image",
    ]
    return sheet(tiles, title, legend, columns=5)


def _raised(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 → the same, its differences from grey enlarged by one factor."""
    away = image.astype(np.float32) - 127.5
    most = max(float(np.quantile(np.abs(away), _WITHIN)), 1.0)
    return np.clip(np.round(127.5 + away * 127.5 / most), 0, 255).astype(np.uint8)


def _in_parts(
    run: Score,
    scores: Sequence[Callable[[Any], Any]],
    size: tuple[int, int],
    how: Ascent,
    on_step: OnStep,
    seen: int = 0,
) -> Ascended:
    """Ascend a few at a time: image i by the score i of what the network makes of it."""
    if not scores:
        raise UsageError("there must be at least one class or unit to make an image for; got none.")
    parts: list[Ascended] = []
    for first in range(0, len(scores), _AT_ONCE):
        own, before = scores[first : first + _AT_ONCE], len(parts) * how.steps

        def score(x: Any, own: Sequence[Callable[[Any], Any]] = own) -> Any:
            outputs = run(x)
            each = [mapped(itemgetter(slice(i, i + 1)), outputs) for i in range(len(own))]
            return keras.ops.stack([one(its)[0] for one, its in zip(own, each, strict=True)])

        def done(step: int, before: int = before) -> None:
            on_step(before + step, how.steps * -(-len(scores) // _AT_ONCE))

        parts.append(ascend(score, len(own), size, how, done, seen))
    return Ascended(
        *map(np.concatenate, zip(*(vars(part).values() for part in parts), strict=True))
    )


def ascend(
    score: Score,
    count: int,
    size: tuple[int, int],
    how: Ascent,
    on_step: Callable[[int], None] = lambda step: None,
    seen: int = 0,
) -> Ascended:
    """Make `count` images of `size` (height, width), each with a high score; the same under the
    same seed.

    An image whose score has no gradient and is not above 0, as that of a unit behind a ReLU that is
    silent, begins again with more noise, until something answers. A score that brightness alone
    decides, as of a network for digits, gives grey images.

    Args:
        seen: side of what the score sees, in pixels, where that is not the whole image.
    """
    rng = np.random.default_rng(how.seed)
    noise = rng.standard_normal((1, *size, 3)).astype(np.float32)  # the same for all
    noise = noise.repeat(count, axis=0)
    _, first = value_and_gradient(score, noise * _NOISE + _MIDDLE)
    grey, side = _colourless(first), seen or min(size)
    x, loud, most = (
        _toned(noise, grey) * _NOISE,
        np.full((count, 1, 1, 1), _NOISE),
        how.jitter * side,
    )
    before, sigma = _scores(score, x), how.blur * side
    for step in range(how.steps):
        rough = step < 0.9 * how.steps
        shift = rng.integers(-round(most), round(most) + 1, 2) if rough else np.zeros(2, int)
        values, gradient = value_and_gradient(
            lambda x: score(x + _MIDDLE), np.roll(x, shift, axis=(1, 2))
        )
        check_finite(gradient, "the score")
        gradient = _toned(np.roll(gradient, -shift, axis=(1, 2)), grey)
        size_of = np.sqrt((gradient.astype(np.float64) ** 2).mean(axis=(1, 2, 3), keepdims=True))
        silent = (size_of == 0) & (values.reshape(count, 1, 1, 1) <= 0)
        loud = np.where(silent, np.minimum(loud * 1.5, _MIDDLE), loud)
        fresh = _toned(rng.standard_normal(x.shape), grey) * loud
        rate = how.rate * (1 - 0.9 * step / max(how.steps - 1, 1))
        x = x + gradient * (rate / np.maximum(size_of, 1e-30)).astype(np.float32)
        x = x * (1 - how.decay)
        if sigma > _LEAST_BLUR and (step + 1) % how.blur_every == 0 and rough:
            x = np.stack([cv2.GaussianBlur(one, (0, 0), sigma, borderType=_MIRRORED) for one in x])
        x = np.clip(np.where(silent, fresh, x), -_MIDDLE, _MIDDLE).astype(np.float32)
        on_step(step + 1)
    images = np.clip(np.round(x + _MIDDLE), 0, 255).astype(np.uint8)
    return Ascended(images, before, _scores(score, images.astype(np.float32) - _MIDDLE))


def _colourless(gradient: np.ndarray) -> bool:
    """Whether red, green and blue count in the same proportion everywhere; not where nothing
    counts.
    """
    size = np.sqrt((gradient.astype(np.float64) ** 2).mean(axis=(0, 1, 2)))
    if not size.all():
        return False
    own = gradient / size
    return bool(np.abs(own - own[..., :1]).max() < 1e-3 * np.abs(own).max())


def _toned(x: np.ndarray, grey: bool) -> np.ndarray:
    """(n, h, w, 3) float32, as it is or with the mean of its channels in each."""
    toned = x.mean(axis=3, keepdims=True).repeat(3, axis=3) if grey else x
    return toned.astype(np.float32)


def _scores(score: Score, x: np.ndarray) -> np.ndarray:
    """(n,) float32 for images (n, H, W, 3) around 0."""
    values = score(keras.ops.convert_to_tensor(x + _MIDDLE))
    return np.asarray(keras.ops.convert_to_numpy(values), np.float32).reshape(len(x))
