"""Sources of masks that files hold as outlines or run lengths."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import numpy as np

from cvtasks.answers import Mask, Sample
from cvtasks.data.formats.bases.codes import GROUND
from cvtasks.data.source import Source, counted_remarks
from cvtasks.errors import Complain, CVTasksError
from cvtasks.formats.drawn import Size, habits
from cvtasks.formats.painting import Ink, painted_ids
from cvtasks.media.images import image_turn, read_image


class PaintedSource(Source):
    """A source of images whose masks are painted from areas, background where there are none.
    Subclasses set `files`, `names` and `classes`, and give the areas of one image.
    """

    kind = Mask
    names: Sequence[str]
    files: Sequence[Path]

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._seen: dict[int, tuple[tuple[int, int], int]] = {}

    @abstractmethod
    def _inks(self, index: int, complain: Complain) -> Sequence[Ink]:
        """The areas of one image, in their order; `complain` hears of those that are none."""

    def _declared(self, index: int) -> Size | None:
        """The size that the file declares for an image, if it does."""
        return None

    def _called(self, index: int) -> str:
        """What errors call the areas of one image."""
        return str(self.files[index])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample[Mask]:
        return Sample(read_image(self.files[index]), self.truth(index), self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def truth(self, index: int) -> Mask:
        """The mask of one sample; its image is not decoded."""
        return Mask(self._painted(index, self._complain)[0], self.classes)

    def faults(self, index: int) -> list[CVTasksError]:
        """An error for each area that cannot be used, or one where the file, or its image's header,
        cannot be.
        """
        found: list[CVTasksError] = []
        try:
            self._painted(index, found.append)
        except CVTasksError as error:
            found.append(error)
        return found

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading one truth changed."""
        return self._painted(index, lambda error: None)[1]

    def remarks(self) -> list[str]:
        """What reading changed in all truths, with counts."""
        return counted_remarks(self)

    def _painted(self, index: int, complain: Complain) -> tuple[np.ndarray, tuple[str, ...]]:
        if index not in self._seen:
            self._seen[index] = image_turn(self.files[index])
        size, turn = self._seen[index]
        return painted_ids(
            self._inks(index, complain),
            size,
            self._called(index),
            complain,
            declared=self._declared(index),
            turn=turn,
            habit=lambda: self._habit,
        )

    @cached_property
    def _habit(self) -> str:
        """On which pixels areas are drawn where EXIF tags turn images, by those that tell."""
        found: set[str] = set()
        for index, image in enumerate(self.files):
            with suppress(CVTasksError):  # a fault, which is told when its turn comes
                size, turn = image_turn(image)
                ways = habits(self._declared(index), size, turn) if turn >= 5 else []
                found.update(ways if len(ways) == 1 else [])
        return found.pop() if len(found) == 1 else ""


def with_ground(classes: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """The classes of masks, background first, and the id of each of the given ones.

    >>> with_ground(("cat", "dog")), with_ground(("cat", "background"))
    ((('background', 'cat', 'dog'), [1, 2]), (('background', 'cat'), [1, 0]))
    """
    things = [name for name in classes if name.casefold() != GROUND]
    named = (GROUND, *things)
    return named, [0 if name.casefold() == GROUND else named.index(name) for name in classes]
