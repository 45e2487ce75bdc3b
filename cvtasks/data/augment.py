"""How training varies a sample. What is drawn depends on (seed, epoch, index) alone."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cvtasks.answers import VOID, Labels, Mask, Sample
from cvtasks.data.mixtures import blended, cutmix
from cvtasks.data.mosaic import mixup, mosaic
from cvtasks.data.warp import draw_warp
from cvtasks.letterbox import GREY
from cvtasks.recipe import Data

_SHRINK = 0.7
"""Pictures of a mosaic are that much smaller than alone, so that their objects are not cut off by its windows."""


class Augment:
    """Samples of any size → samples of (crop, crop); may be called by several threads at a time.

    The picture is scaled so that its longest side is `size` times a factor from `data.scale`, turned, cut at random
    (padded where it is smaller: grey, void), mirrored and recoloured as the recipe says. With boxes, some are mosaics of
    four or mixtures of two mosaics; with labels, some are mixtures of two pictures. Albumentations does what it does well: masks,
    and colours.

    Args:
        data: the recipe's table; `size`: its size; `seed`: of everything that is drawn.
        epochs: how many there will be: `data.close_mosaic` counts from their end.
    """

    def __init__(self, data: Data, size: int, seed: int, epochs: int) -> None:
        self._data, self._size, self._seed = data, size, seed
        self._open = epochs - data.close_mosaic  # from this epoch on there are no mosaics
        self._own = threading.local()  # a Compose carries its random state, so every thread has its own

    def __call__(self, source: Sequence[Sample], epoch: int, index: int, crop: int = 0) -> Sample:
        """Vary the sample `index` of the source, by itself or with others of it.

        `crop` is the side of the result in pixels, 0 for the recipe's. All that is seen grows with it.
        """
        usual = self._data.crop or self._size
        crop = crop or usual
        size = round(self._size * crop / usual)
        sample = source[index]
        if isinstance(sample.truth, Mask):
            transform = self._seeded(("mask", crop), lambda: self._cut(crop, size) + self._colour(), epoch, index)
            result = transform(image=sample.image, mask=sample.truth.ids)
            return replace(sample, image=result["image"], truth=Mask(result["mask"], sample.truth.classes))
        vary = self._labelled if isinstance(sample.truth, Labels) else self._boxed
        varied = vary(source, sample, epoch, index, crop, size)
        if not self._data.colour:
            return varied
        return replace(varied, image=self._seeded(("colour",), self._colour, epoch, index)(image=varied.image)["image"])

    def _labelled(self, source: Sequence[Sample], sample: Sample, epoch: int, index: int, crop: int, size: int) -> Sample:
        data, rng = self._data, np.random.default_rng([self._seed, epoch, index])

        def fit(sample: Sample) -> Sample:
            warp = draw_warp(rng, data, size, sample.image.shape[:2], (crop, crop))
            return replace(sample, image=warp.image(sample.image))

        varied = fit(sample)
        for probability, mix in ((data.mixup, blended), (data.cutmix, cutmix)):
            if probability and epoch < self._open and rng.random() < probability:
                return mix(rng, varied, fit(source[int(rng.integers(len(source)))]))
        return varied

    def _boxed(self, source: Sequence[Sample], sample: Sample, epoch: int, index: int, crop: int, size: int) -> Sample:
        data, rng = self._data, np.random.default_rng([self._seed, epoch, index])

        def fit(sample: Sample, window: tuple[int, int], side: int = round(_SHRINK * size)) -> Sample:
            warp = draw_warp(rng, data, side, sample.truth.size, window)
            return replace(sample, image=warp.image(sample.image), truth=warp.boxes(sample.truth, data.visible))

        def joined(first: Sample) -> Sample:
            others = [source[int(other)] for other in rng.integers(len(source), size=3)]
            return mosaic(rng, [first, *others], crop, fit)

        if epoch >= self._open or rng.random() >= data.mosaic:
            return fit(sample, (crop, crop), size)
        whole = joined(sample)
        if rng.random() < data.mixup:
            whole = mixup(rng, whole, joined(source[int(rng.integers(len(source)))]))
        return whole

    def _seeded(self, key: tuple, steps: Callable[[], list], epoch: int, index: int) -> Any:
        """This thread's Compose of the steps, made once for each key, seeded for the sample."""
        made = self._own.__dict__.setdefault("made", {})
        if key not in made:
            os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
            import albumentations as A  # noqa: N812  (its documentation's own name)

            made[key] = A.Compose(steps())
        made[key].set_random_seed(int(np.random.SeedSequence([self._seed, epoch, index]).generate_state(1)[0]))
        return made[key]

    def _cut(self, crop: int, size: int) -> list:
        import albumentations as A  # noqa: N812

        data = self._data
        low, high = (max(1, round(size * factor)) for factor in data.scale)
        steps = [
            A.LongestMaxSize(
                list(range(low, high + 1)),
                interpolation=cv2.INTER_LINEAR,
                mask_interpolation=cv2.INTER_NEAREST_EXACT,
                area_for_downscale="image",
            )
        ]
        border = {"border_mode": cv2.BORDER_CONSTANT, "fill": GREY, "fill_mask": VOID}
        if data.rotate:
            steps.append(A.Rotate((-data.rotate, data.rotate), p=0.5, **border))
        if data.shear:
            steps.append(A.Affine(shear=(-data.shear, data.shear), p=0.5, **border))
        steps += [
            A.PadIfNeeded(crop, crop, position="random", **border),
            A.RandomCrop(crop, crop),
            A.HorizontalFlip(p=data.flip),
        ]
        return steps

    def _colour(self) -> list:
        import albumentations as A  # noqa: N812

        c = self._data.colour
        if not c:
            return []
        return [A.ColorJitter((1 - c, 1 + c), (1 - c, 1 + c), (1 - c, 1 + c), (-c / 4, c / 4), p=0.8)]
