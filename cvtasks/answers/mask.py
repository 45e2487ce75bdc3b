"""One class id for every pixel."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from cvtasks.answers.answer import Answer, Oddity, Window
from cvtasks.geometry.rle import encode_rle
from cvtasks.geometry.tiles import Tile

if TYPE_CHECKING:
    from cvtasks.media.inputs import GivenImage

VOID = 255
"""The id of pixels that count for nothing."""

_PASTED = 0.5  # share of the regions that are pasted into another image
GROUNDS = frozenset(
    (
        *("background", "_background_", "__background__", "bg", "ground", "none", "nothing"),
        *("other", "others", "rest", "unlabelled", "unlabeled", "hintergrund", "fond", "fondo"),
        *("sfondo", "achtergrond", "arrière-plan", "bakgrund", "tło", "фон", "背景"),
    )
)
"""What a first class is called that is background; any other first class is one like the rest."""

_MUCH_VOID = 0.02  # of the pixels: an outline of void between objects has less


class Region(NamedTuple):
    """One class that is present, its share of the image's pixels from 0 to 1, and these pixels:
    (h, w) bool.
    """

    name: str
    share: float
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Mask(Answer):
    """One class id for every pixel of an image.

    Attributes:
        ids: (h, w) uint8; an index into `classes`, or 255 (`VOID`) for pixels that count for
            nothing.
        classes: the names of the ids, background first if there is one (`GROUNDS`).

    Raises:
        ValueError: `ids` is not (h, w) uint8, or holds an id that is neither in `classes` nor void.

    >>> Mask(np.array([[0, 1], [1, 255]], "uint8"), ("background", "cat")).shares()
    {'background': 0.25, 'cat': 0.5}
    """

    ids: np.ndarray
    classes: tuple[str, ...]

    scored = "anything but background and void"
    steadied = True

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.uint8:
            raise ValueError(f"`ids` must be (h, w) uint8; got {self.ids.shape} {self.ids.dtype}.")
        if self.ids.max(initial=0) < len(
            self.classes
        ):  # most masks: a maximum takes a hundredth of a histogram's time
            return
        odd = np.flatnonzero(np.bincount(self.ids.ravel(), minlength=256)[len(self.classes) : VOID])
        if odd.size:
            raise ValueError(
                f"every id must be below {len(self.classes)}, the number of classes, or {VOID} "
                "(void); "
                f"got {[int(i) + len(self.classes) for i in odd[:5]]}."
            )

    @classmethod
    def nothing(cls, size: tuple[int, int], classes: tuple[str, ...]) -> Self:
        """Background alone."""
        return cls(np.zeros(size, np.uint8), classes)

    @classmethod
    def ground(cls, classes: Sequence[str]) -> int:
        """1 where the first class is called like a background."""
        return int(bool(classes) and classes[0].casefold() in GROUNDS)

    @classmethod
    def fate(cls, classes: Sequence[str], unlisted: str) -> str:
        """As asked for, or void where no class is background."""
        return unlisted if cls.ground(classes) else "void"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.ids.shape

    def counts(self) -> np.ndarray:
        """(classes,) int64: pixels of each class; void is counted nowhere."""
        return np.bincount(self.ids.ravel(), minlength=256)[: len(self.classes)]

    def present(self) -> np.ndarray:
        """(k,) int64, rising: the classes that a pixel shows, without background and void."""
        ground = self.ground(self.classes)
        return np.flatnonzero(self.counts()[ground:]) + ground

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that a pixel shows, once each, background among them."""
        return tuple(self.shares())

    def shares(self) -> dict[str, float]:
        """Name of each class that is present → its share of all pixels, 0 to 1."""
        return {
            name: int(n) / max(self.ids.size, 1)
            for name, n in zip(self.classes, self.counts(), strict=True)
            if n
        }

    def with_classes(self, classes: tuple[str, ...], unlisted: str = "background") -> Self:
        """The same with ids of the list `classes`; a class that is not on it becomes `unlisted`:
        "background" or "void", which it always becomes where the list has no background.
        """
        lookup = np.full(256, VOID if self.fate(classes, unlisted) == "void" else 0, np.uint8)
        for index, name in enumerate(self.classes):
            if name in classes:
                lookup[index] = classes.index(name)
        lookup[VOID] = VOID
        return replace(self, ids=lookup[self.ids], classes=classes)

    def _moved(self, place: np.ndarray, classes: tuple[str, ...]) -> Self:
        lookup = np.arange(256, dtype=np.uint8)
        lookup[: len(place)] = place
        return replace(self, ids=lookup[self.ids], classes=classes)

    def warp(self, window: Window, min_visibility: float) -> Self:
        """The ids that show in a window, void around them."""
        return replace(self, ids=window.ids(self.ids))

    def mirrored(self) -> Self:
        """The ids from right to left."""
        return replace(self, ids=np.ascontiguousarray(self.ids[:, ::-1]))

    @classmethod
    def of_tiles(cls, parts: Sequence[tuple[Tile, Self]], size: tuple[int, int]) -> Self:
        """The ids of each pixel from the tile whose middle is nearest: ids have no scores. Whoever
        has scores blends these.
        """
        ids: np.ndarray = np.full(size, VOID, np.uint8)
        cut = [(tile, part) for tile, part in parts if not tile.whole] or parts
        for tile, part in cut:
            top, left, bottom, right = tile.core
            ids[top:bottom, left:right] = part.ids[
                top - tile.top : bottom - tile.top, left - tile.left : right - tile.left
            ]
        return cls(ids, parts[0][1].classes)

    def merged(self, other: Self, threshold: float, share: float = 0.5) -> Self:
        """What both say, and background where they differ, or void where no class is background:
        ids have no scores. Whoever has scores merges these.
        """
        unclear = 0 if self.ground(self.classes) else VOID
        ids = np.where(self.ids == other.ids, self.ids, unclear).astype(np.uint8)
        return replace(self, ids=ids)

    def steady(self, before: Sequence[Self]) -> Self:
        """The id of each pixel that most of the frames have; its own where several have as many.
        Frames of another size are passed over.
        """
        others = [one.ids for one in before if one.size == self.size]
        doubtful = np.zeros(self.size, bool)
        for other in others:
            doubtful |= other != self.ids
        own = self.ids[doubtful]
        frames = np.stack([own, *(other[doubtful] for other in others)])
        chosen, most = own.copy(), np.zeros(len(own), np.int64)
        for index in np.unique(frames):
            votes = (frames == index).sum(axis=0)
            better = (votes > most) | ((votes == most) & (own == index))
            chosen[better], most = index, np.maximum(votes, most)
        ids = self.ids.copy()
        ids[doubtful] = chosen
        return replace(self, ids=ids)

    def pasted(
        self, other: Self, rng: np.random.Generator, visible: float
    ) -> tuple[Self, np.ndarray]:
        """This mask with some of the connected regions of another one laid over it, and their
        pixels.
        """
        import cv2

        place = np.zeros(self.size, bool)
        for index in other.present().tolist():
            count, parts = cv2.connectedComponents((other.ids == index).astype(np.uint8))
            chosen = np.flatnonzero(rng.random(count - 1) < _PASTED) + 1
            place |= np.isin(parts, chosen)
        return replace(self, ids=np.where(place, other.ids, self.ids)), place

    def __iter__(self) -> Iterator[Region]:
        for name, share in self.shares().items():
            yield Region(name, share, self.ids == self.classes.index(name))

    def to_dict(self) -> dict[str, Any]:
        """`mask`: `size`, `shares` (class → share of the pixels) and `rle` (class → COCO compressed
        run lengths, but for the background).
        """
        shares = self.shares()
        return {
            "mask": {
                "size": list(self.size),
                "shares": {name: round(share, 6) for name, share in shares.items()},
                "rle": {
                    name: encode_rle(self.ids == number)
                    for number, name in enumerate(self.classes)
                    if number >= self.ground(self.classes) and name in shares
                },
            }
        }

    def _image_size(self) -> tuple[int, int]:
        return self.size

    def _alone(self) -> np.ndarray:
        from cvtasks.drawing.annotate import draw_mask

        return draw_mask(np.zeros((*self.size, 3), np.uint8), self, opacity=1.0)

    def _drawn(self, image: np.ndarray) -> np.ndarray:
        from cvtasks.drawing.annotate import draw_mask

        return draw_mask(image, self)

    def _write_image(self, path: Path, image: "GivenImage | None") -> None:
        if image is not None or path.suffix != ".png":
            super()._write_image(path, image)
            return
        from cvtasks.drawing.colours import voc_palette
        from cvtasks.media.images import write_mask

        write_mask(path, self.ids, voc_palette())

    def _repr_png_(self) -> bytes:
        import cv2

        return bytes(cv2.imencode(".png", cv2.cvtColor(self.draw(), cv2.COLOR_RGB2BGR))[1])

    def content(self) -> bytes:
        """The ids, row by row."""
        return self.ids.tobytes()

    def oddities(self) -> Iterator[Oddity]:
        """Whether void seems to be the object of a mask of two classes."""
        if self.empty and (self.ids == VOID).mean() > _MUCH_VOID:
            yield Oddity(
                "binary mask",
                "255 means void; this mask holds 0 and 255 alone. Write 1 for the object if it is "
                "a mask of two classes.",
                1,
                mistake=True,
            )

    @classmethod
    def statistics(cls, truths: Iterable[Self], classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """One row a class: `class`, `images` that show it, and `share` of all pixels that are not
        void, 0 to 1.
        """
        counts = np.array([truth.counts() for truth in truths]).reshape(-1, len(classes))
        total = max(int(counts.sum()), 1)
        return [
            {
                "class": name,
                "images": int((column > 0).sum()),
                "share": round(int(column.sum()) / total, 6),
            }
            for name, column in zip(classes, counts.T, strict=True)
        ]
