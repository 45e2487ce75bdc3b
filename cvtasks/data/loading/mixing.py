"""Samples made of several: mosaics, and mixtures of two, whose truth is mixed as the pixels are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cvtasks.answers import Answer, Boxes, Labels, Sample

# both parameters of the Beta distribution of shares: mostly one image with a trace of the other
_BLEND = 0.2
_WINDOW = 1.0  # the same for the window's area: any is as likely


def blended(
    rng: np.random.Generator, first: Sample[Labels], second: Sample[Labels]
) -> Sample[Labels]:
    """The weighted mean of two images of one size and of their labels.

    Source: Zhang et al., "mixup" (2018), equation 1, with their alpha of 0.2 for ImageNet.
    """
    share = float(rng.beta(_BLEND, _BLEND))
    return _sample(
        cv2.addWeighted(first.image, share, second.image, 1 - share, 0), share, first, second
    )


def cutmix(
    rng: np.random.Generator, first: Sample[Labels], second: Sample[Labels]
) -> Sample[Labels]:
    """The first image with a window that shows the same place of the second; labels by the share of
    the pixels.

    Source: Yun et al., "CutMix" (2019), section 3.1.
    """
    height, width = first.image.shape[:2]
    side = np.sqrt(1 - rng.beta(_WINDOW, _WINDOW))
    y, x = rng.integers(height), rng.integers(width)
    tall, wide = round(height * side / 2), round(width * side / 2)
    rows, columns = slice(max(y - tall, 0), y + tall), slice(max(x - wide, 0), x + wide)
    image = first.image.copy()
    image[rows, columns] = second.image[rows, columns]
    return _sample(image, 1 - image[rows, columns].size / image.size, first, second)


def _sample(
    image: np.ndarray, share: float, first: Sample[Labels], second: Sample[Labels]
) -> Sample[Labels]:
    """One sample of two, `share` of it from the first."""
    truth = first.truth.mixed(second.truth, share)
    return replace(first, image=image, truth=truth, name=f"{first.name} + {second.name}")


_EDGE = (
    0.2  # share of the side that the centre stays away from the border (darknet's `mosaic_bound`)
)
# both parameters of the Beta distribution of a mixture's shares: nearly always 0.25 to 0.75
_EVEN = 8.0


def mosaic(
    rng: np.random.Generator,
    samples: Sequence[Sample[Boxes]],
    crop: int,
    fit: Callable[[Sample[Boxes], tuple[int, int]], Sample[Boxes]],
) -> Sample[Boxes]:
    """Four samples around a random centre → one of (crop, crop).

    `fit` cuts or pads a sample to a window (height, width); as each has its own, nothing overlaps.
    Source: Bochkovskiy et al., "YOLOv4" (2020), section 3.4, as darknet does it.
    """
    edge = max(1, round(_EDGE * crop))
    x, y = (int(at) for at in rng.integers(edge, crop - edge + 1, 2))
    corners = ((0, 0), (x, 0), (0, y), (x, y))
    windows = ((y, x), (y, crop - x), (crop - y, x), (crop - y, crop - x))
    fitted = [fit(sample, window) for sample, window in zip(samples, windows, strict=True)]
    image = np.empty((crop, crop, 3), np.uint8)
    for (left, top), (height, width), part in zip(corners, windows, fitted, strict=True):
        image[top : top + height, left : left + width] = part.image
    whole, *others = (part.truth for part in fitted)
    return Sample(image, whole.joined(others, corners, (crop, crop)), _names(fitted))


def mixup(rng: np.random.Generator, first: Sample[Boxes], second: Sample[Boxes]) -> Sample[Boxes]:
    """The weighted mean of two images of one size, with the objects of both.

    Source: Zhang et al., "mixup" (2018); for detection Zhang et al., "Bag of Freebies for Training
    Object Detection Neural Networks" (2019), section 3.1: the shares lie around one half, and every
    object counts as a whole one.
    """
    share = float(rng.beta(_EVEN, _EVEN))
    image = cv2.addWeighted(first.image, share, second.image, 1 - share, 0)
    truth = first.truth.joined([second.truth], ((0, 0), (0, 0)), first.truth.size)
    return Sample(image, truth, _names([first, second]))


def pasted(
    rng: np.random.Generator, first: Sample[Answer], second: Sample[Answer], visible: float
) -> Sample[Answer]:
    """The first image with objects of the second, of the same size, pasted at the places that they
    have there; itself where there is none to paste.

    Source: Ghiasi et al., "Simple Copy-Paste" (2021), section 3; for boxes, whose outlines are not
    known, the whole box is pasted with a soft edge, as in Dwibedi et al., "Cut, Paste and Learn"
    (2017), section 5.2.

    Args:
        visible: the share of an object that must show for it to be learned, 0 to 1.
    """
    truth, place = first.truth.pasted(second.truth, rng, visible)
    if not place.any():
        return first
    alpha = cv2.GaussianBlur(place.astype(np.float32), (0, 0), _SOFT)[..., None]
    image = first.image + alpha * (second.image.astype(np.float32) - first.image)
    image = np.clip(image.round(), 0, 255).astype(np.uint8)
    return Sample(image, truth, _names([first, second]))


_SOFT = 1.0  # pixels, the deviation of the blur of an edge


def _names(samples: Sequence[Sample[Any]]) -> str:
    return " + ".join(sample.name for sample in samples)
