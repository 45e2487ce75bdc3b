"""Sources of images with masks."""

from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from cvtasks.answers import Mask, Sample
from cvtasks.data.formats.bases.codes import Coding
from cvtasks.data.formats.bases.mask_files import (
    OBJECT,
    TURNED_MASK,
    VOID,
    black_and_white,
    habit_of,
    is_stored,
    void_beside_ids,
)
from cvtasks.data.source import Source, counted_remarks, present
from cvtasks.errors import Complain, DataError
from cvtasks.media.images import image_size, image_turn, read_image, read_mask, upright
from cvtasks.text import encodable


class MaskSource(Source):
    """A source of (image file, mask file) pairs. Subclasses set `classes`, and then `pairs` by
    `_list`; `names` where the stems of images do not tell them apart.
    """

    kind = Mask
    pairs: list[tuple[Path, Path]]
    names: list[str]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample[Mask]:
        image, _ = self.pairs[index]
        return Sample(read_image(image), self.truth(index), self.name(index))

    def name(self, index: int) -> str:
        """The stem of the image's file, or its path where images of several folders share one."""
        return self.names[index] if self.names else encodable(self.pairs[index][0].stem)

    def truth(self, index: int) -> Mask:
        """The mask of one sample; its image is not decoded."""
        image, path = self.pairs[index]
        if index not in self._seen:
            self._seen[index] = image_turn(image)
        size, turn = self._seen[index]
        ids = self._ids(path)
        if is_stored(ids.shape, size, turn, str(path), lambda: self._habit):
            ids = upright(ids, turn)
        if ids.shape != size:
            raise DataError(
                f"a mask must have its image's size (height, width) {size}; {str(path)!r} has "
                f"{ids.shape}. "
                "Resize it with nearest-neighbour interpolation.",
                "mask size",
            )
        try:
            return Mask(ids, self.classes)
        except ValueError as error:
            raise DataError(
                f"{str(path)!r}: {error} Add the class to the list or correct the mask.", "mask ids"
            ) from error

    def _ids(self, path: Path) -> np.ndarray:
        """(h, w) uint8: the ids of a mask's pixels, as it is stored."""
        if self._coding is not None:
            return self._coding.ids(path)
        ids = read_mask(path)
        white = len(self.classes) == 2 and bool((ids == VOID).any())
        if self._white_is_object:
            ids = np.where(ids == VOID, np.uint8(1), ids)
        elif white and not (ids == 1).any() and not self._void_beside_ids:
            raise DataError(
                f"it must be clear what 255 is; {str(path)!r} holds it without 1, and other masks "
                "hold 1 without it. Write 1 for the "
                "second class in all masks; void may be 255.",
                "binary masks",
            )
        return ids

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """Whether its mask was turned."""
        image, mask = self.pairs[index]
        size, turn = self._seen.get(index) or image_turn(image)
        return (
            (TURNED_MASK,)
            if turn != 1 and is_stored(image_size(mask), size, turn, str(mask), lambda: self._habit)
            else ()
        )

    def remarks(self) -> list[str]:
        """What 255 means where that had to be settled, and how many masks were turned."""
        return counted_remarks(self)

    @cached_property
    def _habit(self) -> str:
        return habit_of(self.pairs)

    @cached_property
    def _void_beside_ids(self) -> bool:
        return void_beside_ids(chain(self.truth_files, self._others))

    def _list(
        self,
        what: str,
        pairs: list[tuple[Path, Path]],
        complain: Complain,
        others: Iterable[Path] = (),
        coding: Coding | None = None,
    ) -> None:
        """Keep the pairs of which both files are there, and settle what 255 means.

        Args:
            others: masks of other splits, looked at where those of this one hold 0 and 255 alone.
            coding: which ids masks mean by what they hold, where that is something else.
        """
        self._seen: dict[
            int, tuple[tuple[int, int], int]
        ] = {}  # size and turn of the images, once they were read
        self._white_is_object, self._others = False, list(others)
        self._coding, self.taken_for = coding, coding.said if coding else ""
        self.notes = (*self.notes, *(coding.note if coding else ()))
        kept = present(
            what,
            {"image": [image for image, _ in pairs], "mask": [mask for _, mask in pairs]},
            complain,
        )
        self.pairs = [pairs[index] for index in kept]
        self.files, self.truth_files = (
            [image for image, _ in self.pairs],
            [mask for _, mask in self.pairs],
        )
        self.names = []
        own = set(self.truth_files)
        if coding is not None:
            return
        if not black_and_white(
            chain(self.truth_files, (path for path in self._others if path not in own))
        ):
            return
        if len(self.classes) == 2:
            self._white_is_object, self.notes = True, (*self.notes, OBJECT)
        else:
            text = (
                f"a mask must hold the ids of its classes; those of {what} hold 0 and 255 alone, "
                "and 255 means void. Which of the "
                f"{len(self.classes)} classes is it? Write its id for 255, or name just the two "
                "that there are."
            )
            complain(DataError(text, "binary masks"))
