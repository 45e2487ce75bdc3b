"""How training varies a sample. What is drawn depends on (seed, epoch, index) alone."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from cvtasks.answers import Sample
from cvtasks.data.loading.mixing import blended, cutmix, mixup, mosaic, pasted
from cvtasks.data.loading.warp import Warp, draw_warp
from cvtasks.geometry.letterbox import GREY
from cvtasks.recipe.recipe import Data

_SHRINK = 0.7
"""Images of a mosaic are that much smaller than alone, so that their objects are not cut off by its
windows.
"""

_COLOURS = 1
"""Names the random numbers of colours beside those of places, so that one does not change with the
other.
"""

Seen = Callable[[Warp, np.ndarray], np.ndarray]
"""A warp and an image (h, w, 3) uint8 → the warp's window of it (H, W, 3) uint8."""


class Samples(Protocol):
    """What is varied: a source, or a list of samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


class Augment:
    """Samples of any size → samples of (crop, crop); may be called by several threads at a time.

    The image is scaled so that its longest side is `size` times a factor from `data.scale`,
    mirrored, turned, cut at random (padded where it is smaller: grey, void) and recoloured as the
    recipe says. With boxes, some are mosaics of four or mixtures of two mosaics; with labels, some
    are mixtures of two images; objects of another image may be pasted into one. Each image has its
    own colours; what is padded has none but the letterbox's grey. Albumentations does what it does
    well: colours, and the changes of a policy.

    With `data.colour_on = "device"` colours are left to the device.

    Args:
        data: the recipe's table; `size`: its size; `seed`: of everything that is drawn.
        epochs: how many there will be: `data.close_mosaic` counts from their end.
    """

    def __init__(self, data: Data, size: int, seed: int, epochs: int) -> None:
        self._data, self._size, self._seed = data, size, seed
        self._open = epochs - data.close_mosaic  # from this epoch on there are no mosaics
        self._epochs = epochs
        self._own = (
            threading.local()
        )  # a Compose carries its random state, so every thread has its own

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is sent to another process: what threads have of their own stays here."""
        return Augment, (self._data, self._size, self._seed, self._epochs)

    def __call__(self, source: Samples, epoch: int, index: int, crop: int = 0) -> Sample:
        """Vary the sample `index` of the source, by itself or with others of it. An index beyond
        the last counts from the first again, and is varied otherwise.

        `crop` is the side of the result in pixels, 0 for the recipe's. All that is seen grows with
        it.
        """
        usual = self._data.crop or self._size
        crop = crop or usual
        size = round(self._size * crop / usual)
        sample = source[index % len(source)]
        rng = np.random.default_rng([self._seed, epoch, index])
        seen = self._seen(np.random.default_rng([self._seed, epoch, index, _COLOURS]))

        def fit(sample: Sample, window: tuple[int, int] = (crop, crop), side: int = size) -> Sample:
            warp = draw_warp(rng, self._data, side, sample.image.shape[:2], window)
            truth = sample.truth.warp(warp, self._data.min_visibility)
            return replace(sample, image=seen(warp, sample.image), truth=truth)

        if epoch >= self._open:
            return fit(sample)
        if sample.truth.mixing == "shares":
            return self._shared(source, sample, rng, fit)
        mosaics = sample.truth.mixing == "objects"
        varied = self._joined(source, sample, rng, fit, crop, size) if mosaics else fit(sample)
        if self._data.copy_paste and rng.random() < self._data.copy_paste:
            other = fit(source[int(rng.integers(len(source)))])
            return pasted(rng, varied, other, self._data.min_visibility)
        return varied

    def _shared(
        self, source: Samples, sample: Sample, rng: np.random.Generator, fit: Callable[..., Sample]
    ) -> Sample:
        """A sample, or a mixture of two, by the shares of their pixels."""
        varied = fit(sample)
        for probability, mix in ((self._data.mixup, blended), (self._data.cutmix, cutmix)):
            if probability and rng.random() < probability:
                return mix(rng, varied, fit(source[int(rng.integers(len(source)))]))
        return varied

    def _joined(
        self,
        source: Samples,
        sample: Sample,
        rng: np.random.Generator,
        fit: Callable[..., Sample],
        crop: int,
        size: int,
    ) -> Sample:
        """A sample, or a mosaic of four, or a mixture of two mosaics, with the objects of all."""
        if rng.random() >= self._data.mosaic:
            return fit(sample)
        small = partial(fit, side=round(_SHRINK * size))

        def joined(first: Sample) -> Sample:
            others = [source[int(other)] for other in rng.integers(len(source), size=3)]
            return mosaic(rng, [first, *others], crop, small)

        whole = joined(sample)
        if rng.random() < self._data.mixup:
            whole = mixup(rng, whole, joined(source[int(rng.integers(len(source)))]))
        return whole

    def _seen(self, rng: np.random.Generator) -> Seen:
        """What a warp shows of an image, recoloured as `rng` says."""
        if not (self._data.colour_here or self._data.policy):
            return Warp.image

        def recolour(image: np.ndarray) -> np.ndarray:
            jitter = self._jitter()
            jitter.set_random_seed(int(rng.integers(2**32)))
            return jitter(image=np.ascontiguousarray(image))["image"]

        return lambda warp, image: warp.image(image, recolour)

    def _jitter(self) -> Any:
        """This thread's Compose of colours."""
        if not hasattr(self._own, "jitter"):
            os.environ.setdefault(
                "NO_ALBUMENTATIONS_UPDATE", "1"
            )  # it would ask the network for its newest version
            import albumentations as A  # noqa: N812  (its documentation's own name)

            if self._data.policy:
                steps = _randaugment(A)
            else:
                c = self._data.colour_here
                around = (1 - c, 1 + c)
                steps = [A.ColorJitter(around, around, around, (-c / 4, c / 4), p=0.8)]
            self._own.jitter = A.Compose(steps)
        return self._own.jitter


def _randaugment(library: Any) -> list[Any]:
    """Two of many changes of colour and place, by Albumentations.

    Source: Cubuk et al., "RandAugment" (2020), section 3, with its N of 2; the changes are those of
    its table 6, up to about a third of their largest strength, as its M of 9 for ImageNet is.
    """
    place = {"fill": GREY, "p": 1.0}
    moved = {"x": (-0.15, 0.15), "y": (-0.15, 0.15)}
    changes = [
        library.NoOp(p=1.0),
        library.AutoContrast(p=1.0),
        library.Equalize(p=1.0),
        library.Posterize((5, 7), p=1.0),
        library.Solarize((0.65, 1.0), p=1.0),
        library.Sharpen((0.1, 0.5), (1.0, 1.0), p=1.0),
        library.ColorJitter((0.6, 1.4), (1, 1), (1, 1), (0, 0), p=1.0),
        library.ColorJitter((1, 1), (0.6, 1.4), (1, 1), (0, 0), p=1.0),
        library.ColorJitter((1, 1), (1, 1), (0.4, 1.6), (-0.03, 0.03), p=1.0),
        library.Affine(rotate=(-15, 15), **place),
        library.Affine(shear={"x": (-12, 12), "y": (-12, 12)}, **place),
        library.Affine(translate_percent=moved, **place),
    ]
    return [library.SomeOf(changes, n=2, replace=False, p=1.0)]
