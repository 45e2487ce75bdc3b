"""Semantic segmentation: one class for every pixel, by a U-Net."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cvtasks.answers import VOID, Mask
from cvtasks.drawing.colours import voc_palette
from cvtasks.errors import ModelError
from cvtasks.geometry.rle import decode_rle
from cvtasks.media.images import write_mask
from cvtasks.metrics.base import Metric
from cvtasks.metrics.segmentation import MaskMetric
from cvtasks.tasks.base import LITTLE, MORE, Classes, Task, any_above, hardly_better


@dataclass(frozen=True)
class Segment(Task[Mask]):
    """One class for every pixel.

    Attributes:
        threshold: share of its pixel's score, 0 to 1, below which the best class becomes
            background, or void where there is no such class; 0 for never.
    """

    name: ClassVar[str] = "segment"
    answer: ClassVar[type[Mask]] = Mask
    files: ClassVar[tuple[str, ...]] = ("mask",)
    void: ClassVar[bool] = True
    tiled: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("class", "pixels", "share")

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.6, 1.4), "colour": 0.3},
        "train": {"ema": 0.996, "clip": 5.0, "weight_decay": 0.02},
    }

    def check(self, classes: Classes) -> None:
        """Raise ModelError where there are too few classes, or more than a mask can name."""
        if not 2 <= len(classes) <= VOID:
            raise ModelError(
                f"segmentation needs 2 to {VOID} classes, background first; got {len(classes)}. "
                "Name them in the recipe's `classes`."
            )

    def metric(self, classes: Classes) -> MaskMetric:
        """VOC mean IoU and pixel accuracy."""
        return MaskMetric(classes)

    def tuned(self, metric: Metric[Mask]) -> "Segment":
        """Itself."""
        return self

    def learned(self, metric: Metric[Mask]) -> bool:
        """Whether a class that is no background has an IoU that is worth a word."""
        rows = metric.per_class()
        things = list(rows.values())[Mask.ground(tuple(rows)) :]
        return any_above([row["IoU"] for row in things], LITTLE)

    def little(self, metric: Metric[Mask]) -> str:
        """The score beside that of the commonest class everywhere."""
        if not isinstance(metric, MaskMetric):
            return super().little(metric)
        pixels = metric.confusion.sum(axis=1)
        guessed = pixels.max() / pixels.sum() / np.count_nonzero(pixels)
        guess = f'"{metric.classes[pixels.argmax()]}" everywhere'
        return f"{hardly_better(metric, guess, guessed)}. {MORE}"

    def keep(self, answer: Mask, names: Sequence[str]) -> Mask:
        """The mask with every other class turned into background, or void if there is none."""
        return _only(answer, names, 0 if answer.ground(answer.classes) else VOID)

    def scored(self, answer: Mask, names: Sequence[str]) -> Mask:
        """As `keep`, but what is turned into a background that is not scored becomes void: it is
        wrong where something else is, and no class has it as its own mistake.
        """
        ground = answer.classes[: answer.ground(answer.classes)]
        return _only(answer, names, 0 if ground and ground[0] in names else VOID)

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

    def from_record(self, record: Mapping[str, Any], classes: Classes) -> Mask:
        """Mask of a record; pixels that no run covers are background, or void if there is none."""
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
        ids = np.full((height, width), 0 if Mask.ground(classes) else VOID, np.uint8)
        for name, rle in record["mask"]["rle"].items():
            ids[decode_rle(rle)] = classes.index(name)
        return Mask(ids, classes)

    def summary(self, answer: Mask) -> str:
        """Foreground classes and their shares, the largest first."""
        ground = answer.classes[: answer.ground(answer.classes)]
        found = sorted(
            ((s, n) for n, s in answer.shares().items() if n not in ground), reverse=True
        )
        listed = ", ".join(f"{name} {share:.1%}" for share, name in found)
        return listed or f"only {''.join(ground) or 'void'}"


def _only(answer: Mask, names: Sequence[str], rest: int) -> Mask:
    """The mask with the id `rest` in place of every class but these."""
    kept = [i for i, name in enumerate(answer.classes) if name in names]
    ids = np.where(np.isin(answer.ids, [*kept, VOID]), answer.ids, rest)
    return Mask(ids.astype(np.uint8), answer.classes)
