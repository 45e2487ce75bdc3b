"""Mixtures of two pictures with labels: the truth is mixed as the pixels are."""

from dataclasses import replace

import cv2
import numpy as np

from cvtasks.answers import Labels, Sample

_BLEND = 0.2  # both parameters of the Beta distribution of shares: mostly one picture with a trace of the other
_WINDOW = 1.0  # the same for the window's area: any is as likely


def blended(rng: np.random.Generator, first: Sample[Labels], second: Sample[Labels]) -> Sample[Labels]:
    """The weighted mean of two pictures of one size and of their labels.

    Source: Zhang et al., "mixup" (2018), equation 1, with their alpha of 0.2 for ImageNet.
    """
    share = float(rng.beta(_BLEND, _BLEND))
    return _sample(cv2.addWeighted(first.image, share, second.image, 1 - share, 0), share, first, second)


def cutmix(rng: np.random.Generator, first: Sample[Labels], second: Sample[Labels]) -> Sample[Labels]:
    """The first picture with a window that shows the same place of the second; labels by the share of the pixels.

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


def _sample(image: np.ndarray, share: float, first: Sample[Labels], second: Sample[Labels]) -> Sample[Labels]:
    """One sample of two, `share` of it from the first; what is difficult in one of them is so in both."""
    one, other = first.truth, second.truth
    scores = np.clip(share * one.scores + (1 - share) * other.scores, 0, 1).astype(np.float32)
    truth = Labels(scores, one.difficult | other.difficult, one.classes)
    return replace(first, image=image, truth=truth, name=f"{first.name} + {second.name}")
