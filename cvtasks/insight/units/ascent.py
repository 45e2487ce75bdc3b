"""Gradient ascent: images that give a score as high as it gets.

Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013, section 2, with an L2
penalty on the image. Without more, what comes out are fine grains; so, as Yosinski et al.,
"Understanding Neural Networks Through Deep Visualization", 2015, section 3, the image is pulled
towards grey in each step (L2 decay) and blurred every few steps; and it is shifted by a few pixels
at random before each step and back after it (jitter; Mordvintsev et al., "Inceptionism", 2015). The
gradient is divided by its root mean square, so that the steps are of one size for every network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import keras
import numpy as np

from cvtasks.errors import UsageError
from cvtasks.insight.gradients import value_and_gradient
from cvtasks.insight.units.map_geometry import check_finite

Score = Callable[[Any], Any]
"""Images (n, H, W, 3) float32 0–255, a tensor → (n,) scores, one for each."""
_MIDDLE = 127.5  # of the range of a pixel
_NOISE = 8.0  # standard deviation, in grey levels, of what the ascent starts from
_LEAST_BLUR = 0.1  # pixels; less changes nothing


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
        for name, least in (
            ("steps", 1),
            ("rate", 0),
            ("decay", 0),
            ("blur", 0),
            ("blur_every", 1),
            ("jitter", 0),
            ("seed", 0),
        ):
            if not getattr(self, name) >= least:
                raise UsageError(f"`{name}` must be at least {least}; got {getattr(self, name)}.")


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
    noise = (
        rng.standard_normal((1, *size, 3)).astype(np.float32).repeat(count, axis=0)
    )  # the same for all
    _, first = value_and_gradient(score, noise * _NOISE + _MIDDLE)
    colours = not _colourless(first)
    x, loud, most = (
        _grey(noise, colours) * _NOISE,
        np.full(count, _NOISE),
        round(how.jitter * (seen or min(size))),
    )
    before, sigma = _scores(score, x), how.blur * (seen or min(size))
    for step in range(how.steps):
        rough = step < 0.9 * how.steps
        shift = tuple(rng.integers(-most, most + 1, 2)) if rough else (0, 0)
        values, gradient = value_and_gradient(
            lambda x: score(x + _MIDDLE), np.roll(x, shift, axis=(1, 2))
        )
        check_finite(gradient, "the score")
        gradient = _grey(np.roll(gradient, (-shift[0], -shift[1]), axis=(1, 2)), colours)
        size_of = np.sqrt((gradient.astype(np.float64) ** 2).mean(axis=(1, 2, 3)))
        silent = (size_of == 0) & (values.reshape(count) <= 0)
        loud = np.where(silent, np.minimum(loud * 1.5, _MIDDLE), loud)
        fresh = _grey(rng.standard_normal(x.shape), colours) * loud[:, None, None, None]
        left = 1 - 0.9 * step / max(how.steps - 1, 1)
        x = x + gradient * (how.rate * left / np.maximum(size_of, 1e-30))[
            :, None, None, None
        ].astype(np.float32)
        x = x * (1 - how.decay)
        if sigma > _LEAST_BLUR and (step + 1) % how.blur_every == 0 and rough:
            x = np.stack(
                [
                    cv2.GaussianBlur(one, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
                    for one in x
                ]
            )
        x = np.clip(np.where(silent[:, None, None, None], fresh, x), -_MIDDLE, _MIDDLE).astype(
            np.float32
        )
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


def _grey(x: np.ndarray, colours: bool) -> np.ndarray:
    """(n, h, w, 3), as it is or with the mean of its channels in each."""
    return (
        x.astype(np.float32)
        if colours
        else x.mean(axis=3, keepdims=True).repeat(3, axis=3).astype(np.float32)
    )


def _scores(score: Score, x: np.ndarray) -> np.ndarray:
    """(n,) float32 for images (n, H, W, 3) around 0."""
    values = score(keras.ops.convert_to_tensor(x + _MIDDLE))
    return np.asarray(keras.ops.convert_to_numpy(values), np.float32).reshape(len(x))
