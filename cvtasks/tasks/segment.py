"""Semantic segmentation: one class for every pixel, by a U-Net."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from cvtasks.answers import VOID, Mask
from cvtasks.drawing.annotate import draw_mask, voc_palette
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.rle import decode_rle, encode_rle
from cvtasks.media.images import write_mask
from cvtasks.metrics.segmentation import MaskMetric
from cvtasks.tasks.base import LITTLE, Classes, Metric, Task, Top, any_above
from cvtasks.tasks.score import Pick, Score, Seen, no_such_kind

_BOUNDS: dict[str, tuple[float, float]] = {
    "threshold": (0, 1),
    "convolutions": (1, 4),
    "dropout": (0, 0.95),
    "dice": (0, 100),
    "input_skip": (0, 512),
}


MOST_CHANNELS = 4096
"""Width of a level of the decoder; no network that is known has as many."""


@dataclass(frozen=True)
class Segment(Task[Mask]):
    """The recipe's table `[segment]`.

    Attributes:
        threshold: share of its pixel's score, 0 to 1, below which the best class becomes
            background; 0 for never.
        channels: width of the decoder at strides 16, 8, 4, 2, as many as the decoder has levels;
            after the last the logits are enlarged to the input's resolution.
        convolutions: 3×3 convolutions at each level of the decoder.
        upsampling: "bilinear", or "transposed" (a learned 2×2 transposed convolution, the lectures'
            deconvolution).
        input_skip: width of one more level at the input's own resolution, fed with the image; 0 for
            none.
        dropout: share of the coarsest map's channels that is dropped in training, 0 to below 1.
        dice: weight of the Dice loss beside the cross-entropy, at least 0.
        class_weights: one factor a class for the cross-entropy; empty for equal weights.
    """

    name: ClassVar[str] = "segment"
    answer: ClassVar[type[Mask]] = Mask
    files: ClassVar[tuple[str, ...]] = ("mask",)
    columns: ClassVar[tuple[str, ...]] = ("class", "pixels", "share")

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.6, 1.4), "colour": 0.3},
        "train": {"ema": 0.996, "clip": 5.0, "weight_decay": 0.02},
    }

    channels: tuple[int, ...] = (256, 128, 64, 32)
    convolutions: int = 1
    upsampling: Literal["bilinear", "transposed"] = "bilinear"
    input_skip: int = 0
    dropout: float = 0.0
    dice: float = 0.5
    class_weights: tuple[float, ...] = ()

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the classes, the backbone's strides or the fields do not fit each
        other.
        """
        if not 2 <= len(classes) <= VOID:
            raise ModelError(
                f"segmentation needs 2 to {VOID} classes, background first; got {len(classes)}. "
                "Name them in the recipe's `classes`."
            )
        levels = len(strides) - 1
        if not 1 <= len(self.channels) <= levels:
            raise ModelError(
                f"`segment.channels` must hold 1 to {levels} widths, one a stride from "
                f"{strides[-2]} down; "
                f"got {len(self.channels)}."
            )
        if self.input_skip and len(self.channels) != levels:
            raise ModelError(
                f"`segment.input_skip` continues a decoder that reaches stride {strides[0]}, with "
                f"{levels} widths in "
                f"`segment.channels`; got {len(self.channels)}. Add the missing ones or set "
                "`segment.input_skip = 0`."
            )
        for field, values in (("channels", self.channels), ("class_weights", self.class_weights)):
            if any(value <= 0 for value in values):
                raise ModelError(
                    f"`segment.{field}` must hold numbers above 0; got {list(values)}."
                )
        if max(*self.channels, self.input_skip) > MOST_CHANNELS:
            raise ModelError(
                f"`segment.channels` and `segment.input_skip` must be at most {MOST_CHANNELS}; got "
                f"{[*self.channels, self.input_skip]}."
            )
        if self.class_weights and len(self.class_weights) != len(classes):
            raise ModelError(
                "`segment.class_weights` must be empty or hold one number for each of the "
                f"{len(classes)} classes; "
                f"got {len(self.class_weights)}."
            )
        self.check_bounds(_BOUNDS)

    def output_shape(self, canvas: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(H, W, classes)."""
        return *canvas, len(classes)

    def encode(self, truth: Mask, letterbox: Letterbox) -> np.ndarray:
        """Mask → (H, W, classes) uint8, one-hot; all zero where the truth is void or the canvas is
        empty.
        """
        rows = np.zeros((256, len(truth.classes)), np.uint8)
        np.fill_diagonal(rows, 1)
        return rows[letterbox.ids(truth.ids, fill=VOID)]

    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Mask:
        """(H, W, classes) → Mask of the image's own size: the scores are resized (bilinear), then
        the best one wins.

        Where no class has any score, as in a target's void, the answer is void; where the best one
        has less than `threshold`, background.
        """
        height, width = letterbox.size
        best: np.ndarray = np.zeros((height, width), np.float32)
        ids: np.ndarray = np.zeros((height, width), np.uint8)
        inside = letterbox.cut(output)
        for index in range(
            len(classes)
        ):  # OpenCV, one plane at a time: much quicker than an argmax over the last axis
            plane: np.ndarray = np.ascontiguousarray(inside[..., index], np.float32)
            if cv2.minMaxLoc(plane)[1] < 0.999 / len(classes):
                # the scores of a pixel add up to 1, so a class that stays below its share wins
                # nowhere
                continue
            if plane.shape != (height, width):
                plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
            ids = cv2.copyTo(np.full_like(ids, index), cv2.compare(plane, best, cv2.CMP_GT), ids)
            best = cv2.max(best, plane)
        if threshold:
            ids[best < threshold] = 0
        if cv2.minMaxLoc(best)[0] <= 0:
            ids[best <= 0] = VOID
        return Mask(ids, classes)

    def metric(self, classes: Classes) -> MaskMetric:
        """VOC mean IoU and pixel accuracy."""
        return MaskMetric(classes)

    def tuned(self, metric: Metric[Mask]) -> "Segment":
        """Itself."""
        return self

    def learned(self, metric: Metric[Mask]) -> bool:
        """Whether a class that is no background has an IoU that is worth a word."""
        return any_above([row["IoU"] for row in list(metric.per_class().values())[1:]], LITTLE)

    def draw(self, image: np.ndarray, answer: Mask) -> np.ndarray:
        """The image under a translucent mask in the VOC colours, with a legend of the classes
        found.
        """
        return draw_mask(image, answer)

    def keep(self, answer: Mask, names: Sequence[str]) -> Mask:
        """The mask with every other class turned into background."""
        kept = [i for i, name in enumerate(answer.classes) if name in names]
        return Mask(
            np.where(np.isin(answer.ids, [*kept, VOID]), answer.ids, 0).astype(np.uint8),
            answer.classes,
        )

    def rows(self, answer: Mask) -> list[dict[str, Any]]:
        """One row for each class that is present: `class`, `pixels`, `share`."""
        counts = zip(answer.classes, answer.counts().tolist(), strict=True)
        return [
            {"class": name, "pixels": n, "share": round(n / answer.ids.size, 6)}
            for name, n in counts
            if n
        ]

    def write(self, kind: str, stem: Path, answer: Mask, source: str) -> Path:
        """`mask`: an indexed PNG of the ids with the VOC palette."""
        path = stem.with_name(f"{stem.name}-{kind}.png")
        write_mask(path, answer.ids, voc_palette())
        return path

    def record(self, answer: Mask) -> dict[str, Any]:
        """`mask`: `size`, `shares` (class → share of the pixels) and `rle` (class → COCO compressed
        run lengths).
        """
        present = answer.shares()
        rle = {
            name: encode_rle(answer.ids == i)
            for i, name in enumerate(answer.classes)
            if i and name in present
        }
        return {
            "mask": {
                "size": list(answer.size),
                "shares": {k: round(v, 6) for k, v in present.items()},
                "rle": rle,
            }
        }

    def from_record(self, record: Mapping[str, Any], classes: Classes) -> Mask:
        """Mask of a record; pixels that no run covers are background."""
        height, width = record["mask"]["size"]
        if not (
            type(height) is int
            and type(width) is int
            and height > 0
            and width > 0
            and height * width <= 50_000_000
        ):
            raise ValueError(
                f"`size` must be the height and width of an image in pixels; got {height!r}, "
                f"{width!r}."
            )
        ids = np.zeros((height, width), np.uint8)
        for name, rle in record["mask"]["rle"].items():
            ids[decode_rle(rle)] = classes.index(name)
        return Mask(ids, classes)

    def summary(self, answer: Mask) -> str:
        """Foreground classes and their shares, the largest first."""
        background = answer.classes[0]
        found = sorted(
            ((s, n) for n, s in answer.shares().items() if n != background), reverse=True
        )
        return ", ".join(f"{name} {share:.1%}" for share, name in found) or f"only {background}"

    def head(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, H, W, classes) float32 of a U-Net decoder."""
        from cvtasks.networks.unet import unet

        return unet(
            image,
            maps,
            classes=len(classes),
            channels=self.channels,
            convolutions=self.convolutions,
            upsampling=self.upsampling,
            input_skip=self.input_skip,
            dropout=self.dropout,
        )

    def activate(self, logits: Any) -> Any:
        """Softmax over the classes."""
        from keras import ops

        return ops.softmax(logits, axis=-1)

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropy of the pixels that are not void, plus `dice` times one minus the mean soft
        Dice.
        """
        from cvtasks.networks.losses import segmentation_loss

        return segmentation_loss(target, logits, dice=self.dice, class_weights=self.class_weights)

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The mean of the class's logit over all pixels: of an image that is all of this class."""
        from keras import ops

        return lambda logits: ops.mean(logits[..., index], axis=(1, 2))

    def score(self, kind: str, number: int, seen: Seen) -> Score:
        """The mean of a class's logit over the pixels that the answer gives it, or over a region of
        it; the class with most pixels by default.
        """
        mask = seen.answer
        if kind == "box" or not isinstance(mask, Mask):
            raise no_such_kind(kind, " or region:N")
        if kind == "region":
            index, region = nth_region(mask, number)
            name = f"{mask.classes[index]} region {number}"
        else:
            counts = mask.counts()
            index = number if kind else 1 + int(counts[1:].argmax())
            region, name = mask.ids == index, mask.classes[index]
            if not counts[index]:
                what = f'"{name}" has none' if kind else f"only {mask.classes[0]} was found"
                raise UsageError(
                    f"a target must have pixels in the answer; {what}. Found: "
                    f"{', '.join(mask.shares())}. Choose one of these."
                )
        weight = seen.letterbox.ids(region.astype(np.uint8), fill=0).astype(np.float32)
        if not weight.any():
            raise UsageError(
                f"a region must have pixels on the network input of {seen.letterbox.canvas}; that "
                f'of "{name}" is too small.'
            )
        weight /= weight.sum()
        from keras import ops

        return Score(
            name, lambda logits: ops.sum(logits[..., index] * weight, axis=(1, 2)), region=region
        )


def nth_region(mask: Mask, number: int) -> tuple[int, np.ndarray]:
    """The `number`-th largest connected region of any class but the first, from 0: its class, and
    (h, w) bool.

    Raises:
        UsageError: there are fewer.
    """
    regions = []
    for index in np.flatnonzero(mask.counts()[1:]) + 1:
        count, parts = cv2.connectedComponents((mask.ids == index).astype(np.uint8), connectivity=8)
        sizes = np.bincount(parts.ravel(), minlength=count)
        regions += [(-int(sizes[part]), int(index), parts == part) for part in range(1, count)]
    regions.sort(key=lambda region: region[:2])
    if number >= len(regions):
        there = (
            f"region:0 to region:{len(regions) - 1}" if regions else f"none, only {mask.classes[0]}"
        )
        raise UsageError(
            f"a target must be in the answer, whose regions are {there}; got region:{number}."
        )
    return regions[number][1], regions[number][2]
