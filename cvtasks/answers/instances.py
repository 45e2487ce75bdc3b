"""Objects with a box and a mask each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from cvtasks.answers.answer import Oddity, Window
from cvtasks.answers.boxes import SMALLEST, THINNEST, Boxes
from cvtasks.answers.instance_statistics import odd_masks, with_areas
from cvtasks.geometry.boxes import iou, paired
from cvtasks.geometry.rle import (
    checked_runs,
    encode_rle,
    part_rle,
    rle_extents,
    rle_iou,
    rle_part,
    rle_union,
)
from cvtasks.geometry.seams import Whole

_PASTED = 0.5  # share of the objects that are pasted into another image
_KEPT = 0.5  # IoU of the boxes of one object in two frames
_ALIKE = 0.8  # IoU of two masks that are one but for the rounding of their files

Runs: TypeAlias = bytes | str | Mapping[str, Any]
"""Run lengths of a mask: COCO's compressed `counts`, or `size` and `counts`, these compressed
or not.
"""


class Instance(NamedTuple):
    """One object: its class, its score from 0 to 1, left, top, right, bottom in pixels, and its
    mask as COCO has it, `{"size": [height, width], "counts": str}`.
    """

    name: str
    score: float
    xyxy: tuple[float, float, float, float]
    mask: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Instances(Boxes):
    """Objects in an image, each with a box and a mask. Make them with `Instances.of`.

    Attributes:
        masks: (n,) object: of each object the mask of the whole image as COCO's compressed run
            lengths, ASCII `bytes`; of `size`. One that shows nothing occurs in predictions alone.
        areas: as of `Boxes`; the masks' pixels unless the data say otherwise.

    Raises:
        ValueError: as `Boxes`, or there is not one `bytes` for each box.

    >>> plane = np.zeros((4, 6), bool)
    >>> plane[1:3, 2:5] = True
    >>> found = Instances.of([plane], [0], ("cat",), (4, 6), scores=[0.9])
    >>> found.xyxy.tolist(), found.areas.tolist(), bool((found.plane(0) == plane).all())
    ([[2.0, 1.0, 5.0, 3.0]], [6.0], True)
    """

    masks: np.ndarray

    steadied = True

    @classmethod
    def of(  # type: ignore[override]  # masks come first: boxes follow from them
        cls,
        masks: np.ndarray | Sequence[np.ndarray | Runs],
        labels: np.ndarray | Sequence[int],
        classes: tuple[str, ...],
        size: tuple[int, int],
        *,
        xyxy: np.ndarray | Sequence[Sequence[float]] | None = None,
        scores: np.ndarray | Sequence[float] | None = None,
        difficult: np.ndarray | Sequence[bool] | None = None,
        crowd: np.ndarray | Sequence[bool] | None = None,
        areas: np.ndarray | Sequence[float] | None = None,
        **further: np.ndarray,
    ) -> Self:
        """Instances of masks: (n, h, w) bool, or for each object (h, w) bool or run lengths.

        Boxes are the masks' extents, and areas their pixels, unless given; all else is as of
        `Boxes.of`.

        Raises:
            ValueError: a mask is not of `size`, or run lengths do not fill it.
        """
        runs = np.empty(len(masks), object)
        runs[:] = [_runs(mask, size) for mask in masks]
        extents, pixels = rle_extents(runs.tolist(), size)
        further |= {"masks": runs}
        return super().of(
            extents if xyxy is None else xyxy,
            labels,
            classes,
            size,
            scores=scores,
            difficult=difficult,
            crowd=crowd,
            areas=pixels if areas is None else areas,
            **further,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.masks.shape != (len(self),) or self.masks.dtype != object:
            raise ValueError(
                f"`masks` must be ({len(self)},) object, one a box; got {self.masks.shape} "
                f"{self.masks.dtype}."
            )
        for mask in self.masks:
            if type(mask) is not bytes:
                raise ValueError(
                    "a mask must be COCO's compressed run lengths as bytes; got "
                    f"{type(mask).__name__}. `Instances.of` makes them of planes."
                )

    def plane(self, index: int) -> np.ndarray:
        """(h, w) bool: the mask of an object, of the whole image."""
        part, (left, top) = self.crop(index)
        plane = np.zeros(self.size, bool)
        plane[top : top + part.shape[0], left : left + part.shape[1]] = part
        return plane

    def crop(self, index: int) -> tuple[np.ndarray, tuple[int, int]]:
        """The part of an object's mask that shows it, (h, w) bool, and its left top corner (x, y);
        (0, 0) bool where it shows nothing.
        """
        return rle_part(self.masks[index], self.size)

    def ids(self) -> np.ndarray:
        """(h, w) int32: number of the object that each pixel shows, from 1, and 0 where there is
        none; of several the surest, of those the smallest.
        """
        plane = np.zeros(self.size, np.int32)
        for index in np.lexsort((-self.areas, self.scores)).tolist():
            part, (left, top) = self.crop(index)
            plane[top : top + part.shape[0], left : left + part.shape[1]][part] = index + 1
        return plane

    def placed(self, xyxy: np.ndarray) -> Self:
        """As of `Boxes`; each mask is moved and stretched as its box is."""
        from cvtasks.geometry.masks import warped

        parts = []
        for index, (old, new) in enumerate(zip(self.xyxy, xyxy, strict=True)):
            scale = (new[2:] - new[:2]) / np.maximum(old[2:] - old[:2], 1e-6)
            matrix = np.column_stack([np.diag(scale), new[:2] - scale * old[:2]])
            parts.append(warped(*self.crop(index), matrix.astype(np.float64), self.size)[:2])
        return replace(super().placed(xyxy), masks=_packed(parts, self.size))

    def joined(
        self, others: Sequence[Self], corners: Sequence[tuple[int, int]], size: tuple[int, int]
    ) -> Self:
        """As of `Boxes`; what of a mask lies outside of `size` is cut off."""
        masks = [
            part._on(corner, size) for part, corner in zip([self, *others], corners, strict=True)
        ]
        return replace(super().joined(others, corners, size), masks=np.concatenate(masks))

    def warp(self, window: Window, min_visibility: float) -> Self:
        """The objects that show in a window, with the masks of what shows of them and boxes around
        these: exact, however the window is turned.

        A remnant becomes difficult or goes as of `Boxes`, by the pixels of its mask.
        """
        from cvtasks.geometry.masks import warped

        shown = [
            warped(*self.crop(index), window.matrix, window.window) for index in range(len(self))
        ]
        masks = _packed([(part, corner) for part, corner, _ in shown], window.window)
        shares = np.array([share for *_, share in shown])
        return replace(self, size=window.window)._left(masks, shares, min_visibility)

    def _left(self, masks: np.ndarray, shares: np.ndarray, visible: float) -> Self:
        """The same with what is left of each mask, `shares` of them; a remnant of less than the
        share `visible` is difficult.
        """
        xyxy, pixels = rle_extents(masks.tolist(), self.size)
        thin = (xyxy[:, 2:] - xyxy[:, :2]).min(axis=1, initial=np.inf) < THINNEST
        left = replace(
            self,
            xyxy=xyxy,
            difficult=self.difficult | (shares < visible) | thin,
            areas=pixels.astype(np.float32),
            masks=masks,
        )
        return left.take(pixels >= SMALLEST)

    def mirrored(self) -> Self:
        """Left edges become right ones, and masks are mirrored."""
        parts = []
        for index in range(len(self)):
            part, (x, y) = self.crop(index)
            parts.append((part[:, ::-1], (self.size[1] - x - part.shape[1], y)))
        return replace(super().mirrored(), masks=_packed(parts, self.size))

    def _fused(self, other: Self, share: float) -> Self:
        """As of `Boxes`, with the mask of the surer one: two votes have no majority."""
        surer = np.where(self.scores >= other.scores, self.masks, other.masks)
        return replace(super()._fused(other, share), masks=surer)

    def _united(self, found: Whole) -> Self:
        """As of `Boxes`; a mask shows what any of its parts does."""
        masks = np.empty(len(found.members), object)
        masks[:] = [rle_union(self.masks[one].tolist(), self.size) for one in found.members]
        pixels = rle_extents(masks.tolist(), self.size)[1].astype(np.float32)
        return replace(super()._united(found), masks=masks, areas=pixels)

    def steady(self, before: Sequence[Self]) -> Self:
        """The same with masks that half of the frames have, or more, in which the object was: of
        its class and where its box was, by an IoU of half. Masks move with their boxes' middles;
        boxes and scores stay.
        """
        votes = [1] * len(self)
        planes = [self._sums(index) for index in range(len(self))]
        for frame in before:
            if frame.size != self.size or not len(frame):
                continue
            same = self.labels[:, None] == frame.labels[None]
            overlap = np.where(same, iou(self.xyxy, frame.xyxy), 0)
            for index, other in zip(*(at.tolist() for at in paired(overlap, _KEPT)), strict=True):
                part, (x, y) = frame.crop(other)
                away = (self.xyxy[index] - frame.xyxy[other]).reshape(2, 2).mean(axis=0).round()
                sums, (left, top) = planes[index]
                corner = x + int(away[0]) - left, y + int(away[1]) - top
                _add(sums, part, corner)
                votes[index] += 1
        parts = [
            (2 * sums >= count, corner) for (sums, corner), count in zip(planes, votes, strict=True)
        ]
        return replace(self, masks=_packed(parts, self.size))

    def _sums(self, index: int) -> tuple[np.ndarray, tuple[int, int]]:
        """A mask as numbers, (h, w) uint8, in a place with room around it, and its left top."""
        part, (x, y) = self.crop(index)
        room = max(part.shape, default=0) // 4 + 1
        return np.pad(part.astype(np.uint8), room), (x - room, y - room)

    def pasted(
        self, other: Self, rng: np.random.Generator, visible: float
    ) -> tuple[Self, np.ndarray]:
        """These objects and some of another truth laid over the image by their masks, and the
        pixels of these.

        What lies below loses these pixels, and its box shrinks to what is left: a remnant becomes
        difficult or goes as in `warp`.

        Source: Ghiasi et al., "Simple Copy-Paste" (2021), section 3.
        """
        place = np.zeros(self.size, bool)
        chosen = other.take(other.counted & (rng.random(len(other)) < _PASTED))
        for index in range(len(chosen)):
            part, (x, y) = chosen.crop(index)
            place[y : y + part.shape[0], x : x + part.shape[1]] |= part
        parts, shares = [], np.ones(len(self))
        for index in range(len(self)):
            part, (x, y) = self.crop(index)
            left = part & ~place[y : y + part.shape[0], x : x + part.shape[1]]
            shares[index] = left.sum() / max(part.sum(), 1)
            parts.append((left, (x, y)))
        covered = shares < 1
        below = self.take(covered)._left(
            _packed([part for part, of in zip(parts, covered, strict=True) if of], self.size),
            shares[covered],
            visible,
        )
        whole = self.take(~covered)
        return whole.joined([below, chosen], ((0, 0),) * 3, self.size), place

    def content(self) -> bytes:
        """Edges and labels, what is difficult and what a crowd, and masks."""
        return super().content() + b" ".join(self.masks)

    def agrees(self, other: Self) -> bool:
        """Whether the boxes of the other are these to a pixel, in any order, and so are masks but
        for the rounding of outlines.
        """
        if not super().agrees(other):
            return False
        alike = rle_iou(self.masks.tolist(), other.masks.tolist(), self.size) >= _ALIKE
        return bool(alike.any(axis=0).all() and alike.any(axis=1).all())

    def oddities(self) -> Iterator[Oddity]:
        """As of `Boxes`, but that boxes may be alike; and what is odd about masks."""
        odd = (one for one in super().oddities() if one.rule != "boxes alike")
        return chain(odd, odd_masks(self))

    @classmethod
    def statistics(cls, truths: Iterable[Self], classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """As of `Boxes`, and `area`, the median of the masks' pixels, and `filled`, the median
        share of its box that a mask fills; `small` and `large` are roots of masks' areas.
        """
        every = list(truths)
        return with_areas(super().statistics(every, classes), every)

    def __iter__(self) -> Iterator[Instance]:  # type: ignore[override]  # with its mask
        for one, counts in zip(super().__iter__(), self.masks, strict=True):
            yield Instance(*one, self._rle(counts))

    def to_dict(self) -> dict[str, Any]:
        """As of `Boxes`, with the `mask` of each as COCO has it: `size` and compressed `counts`."""
        record = super().to_dict()
        for entry, counts in zip(record["boxes"], self.masks[self.counted], strict=True):
            entry["mask"] = self._rle(counts)
        return record

    def segmentations(self) -> list[dict[str, Any]]:
        """The mask of each as COCO has it, `size` and compressed `counts`."""
        return [self._rle(counts) for counts in self.masks]

    def cut_outs(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Of each object what its mask shows of the image, (h, w, 4): its pixels opaque, all others
        see-through; without pixels where the mask shows none.
        """
        for index in range(len(self)):
            part, (x, y) = self.crop(index)
            pixels = image[y : y + part.shape[0], x : x + part.shape[1]]
            yield np.dstack([pixels, part.astype(np.uint8) * 255])

    def _drawn(self, image: np.ndarray) -> np.ndarray:
        from cvtasks.drawing.instances import draw_instances

        return draw_instances(image, self)

    def _rle(self, counts: bytes) -> dict[str, Any]:
        return {"size": list(self.size), "counts": counts.decode("ascii")}

    def _on(self, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """(n,) object: the masks of an image of `size` in which this one lies at a corner."""
        if corner == (0, 0) and size == self.size:
            return self.masks
        parts = []
        for index in range(len(self)):
            part, (x, y) = self.crop(index)
            parts.append((part, (x + corner[0], y + corner[1])))
        return _packed(parts, size)


def _runs(mask: np.ndarray | Runs, size: tuple[int, int]) -> bytes:
    """The compressed runs of a plane or of run lengths; ValueError unless they are of `size`."""
    if isinstance(mask, np.ndarray):
        if mask.shape != tuple(size):
            raise ValueError(
                f"a mask must be of the image's height and width {size}; got {mask.shape}."
            )
        return encode_rle(mask)["counts"].encode("ascii")
    if isinstance(mask, bytes | str):
        mask = {"size": list(size), "counts": mask}
    if tuple(mask["size"]) != tuple(size):
        raise ValueError(
            f"a mask must be of the image's height and width {size}; got {mask['size']}."
        )
    return checked_runs(dict(mask))


def _add(sums: np.ndarray, part: np.ndarray, corner: tuple[int, int]) -> None:
    """Add a part (h, w) bool to numbers at a corner (x, y), as far as it lies within them."""
    (x, y), (height, width) = corner, sums.shape
    inside = part[max(-y, 0) : max(height - y, 0), max(-x, 0) : max(width - x, 0)]
    x, y = max(x, 0), max(y, 0)
    sums[y : y + inside.shape[0], x : x + inside.shape[1]] += inside


def _packed(
    parts: Sequence[tuple[np.ndarray, tuple[int, int]]], size: tuple[int, int]
) -> np.ndarray:
    """(n,) object: the runs of masks of `size` that show these parts at their corners."""
    packed = np.empty(len(parts), object)
    packed[:] = [part_rle(part, corner, size) for part, corner in parts]
    return packed
