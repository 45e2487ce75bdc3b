"""Sources of images with boxes."""

from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cvtasks.answers import Boxes, Sample
from cvtasks.data.source import Source, counted_remarks
from cvtasks.errors import Complain, CVTasksError
from cvtasks.formats.drawn import Size, habits
from cvtasks.media.images import image_turn, read_image

Truth = tuple[Boxes, tuple[str, ...]]
"""The objects of an image, and a remark for each thing that was changed in reading them."""


@dataclass(frozen=True)
class Frame:
    """An image's (height, width) in pixels, upright, and the EXIF orientation, 1 to 8, that made it
    so.
    """

    size: tuple[int, int]
    turn: int


class BoxesSource(Source):
    """A source of images with boxes. Subclasses set `classes`, `images` and `names`, and read one
    truth at a time.

    A truth that was read is kept, a kilobyte or so each: it is asked for again in every epoch.
    """

    kind: type[Boxes] = Boxes
    images: list[Path]
    names: list[str]

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._known: dict[
            int, Truth
        ] = {}  # threads may read the same truth twice; both times it is the same

    @abstractmethod
    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        """Read the truth of one image; `complain` hears of objects that cannot be used."""

    def _declared(self, index: int) -> Size | None:
        """The size that the truth's file declares for its image, if it does."""
        return None

    def _habit(self) -> str:
        """Whether boxes are drawn on "upright" or "stored" pixels where EXIF tags turn images, by
        those that tell; or "".
        """
        return self._pixels

    @cached_property
    def _pixels(self) -> str:
        found: set[str] = set()
        for index, image in enumerate(self.images):
            with suppress(CVTasksError):  # a fault, which is told when its turn comes
                size, turn = image_turn(image)
                ways = habits(self._declared(index), size, turn) if turn >= 5 else []
                found.update(ways if len(ways) == 1 else [])
        return found.pop() if len(found) == 1 else ""

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample[Boxes]:
        return Sample(read_image(self.images[index]), self.truth(index), self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def truth(self, index: int) -> Boxes:
        """The objects of one sample; its image is not decoded."""
        return self._look(index)[0]

    @property
    def files(self) -> list[Path]:  # type: ignore[override]  # set by other sources; here it follows from `images`
        """The images."""
        return self.images

    def faults(self, index: int) -> list[CVTasksError]:
        """An error for each object that cannot be used, or one where the file, or its image's
        header, cannot be.
        """
        found: list[CVTasksError] = []
        try:
            truth = self._read(index, Frame(*image_turn(self.images[index])), found.append)
        except CVTasksError as error:
            found.append(error)
        else:
            self._known.update({} if found else {index: truth})
        return found

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading one truth changed or passed over."""
        return self._look(index)[1]

    def remarks(self) -> list[str]:
        """What reading changed or passed over in all truths, with counts; quick where they have
        been read before.
        """
        return counted_remarks(self)

    def _look(self, index: int) -> Truth:
        if index not in self._known:
            self._known[index] = self._read(
                index, Frame(*image_turn(self.images[index])), self._complain
            )
        return self._known[index]
