"""How training varies a sample. Albumentations does the work; what is drawn depends on (seed, epoch, index) alone."""

import os
import threading
from dataclasses import replace

import cv2
import numpy as np

from cvtasks.answers import VOID, Mask, Sample
from cvtasks.letterbox import GREY
from cvtasks.recipe import Data


class Augment:
    """Sample of any size → sample of (crop, crop).

    The picture is scaled so that its longest side is `size` times a factor from `data.scale`, turned, cut at random
    (padded where it is smaller: grey, void), mirrored and recoloured as the recipe says.
    """

    def __init__(self, data: Data, size: int, seed: int) -> None:
        self._data, self._size, self._seed = data, size, seed
        self._own = threading.local()  # a Compose carries its random state, so every thread has its own

    def __call__(self, sample: Sample, epoch: int, index: int) -> Sample:
        """Vary the sample `index` of the epoch."""
        if not hasattr(self._own, "transform"):
            self._own.transform = self._build()
        transform = self._own.transform
        transform.set_random_seed(int(np.random.SeedSequence([self._seed, epoch, index]).generate_state(1)[0]))
        result = transform(image=sample.image, mask=sample.truth.ids)
        return replace(sample, image=result["image"], truth=Mask(result["mask"], sample.truth.classes))

    def _build(self):
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
        import albumentations as A  # noqa: N812  (its documentation's own name)

        data, crop = self._data, self._data.crop or self._size
        low, high = (max(1, round(self._size * factor)) for factor in data.scale)
        steps = [
            A.LongestMaxSize(
                list(range(low, high + 1)),
                interpolation=cv2.INTER_LINEAR,
                mask_interpolation=cv2.INTER_NEAREST_EXACT,
                area_for_downscale="image",
            )
        ]
        if data.rotate:
            steps.append(
                A.Rotate((-data.rotate, data.rotate), border_mode=cv2.BORDER_CONSTANT, fill=GREY, fill_mask=VOID, p=0.5)
            )
        steps += [
            A.PadIfNeeded(crop, crop, border_mode=cv2.BORDER_CONSTANT, fill=GREY, fill_mask=VOID, position="random"),
            A.RandomCrop(crop, crop),
            A.HorizontalFlip(p=data.flip),
        ]
        if data.colour:
            c = data.colour
            steps.append(A.ColorJitter((1 - c, 1 + c), (1 - c, 1 + c), (1 - c, 1 + c), (-c / 4, c / 4), p=0.8))
        return A.Compose(steps)
