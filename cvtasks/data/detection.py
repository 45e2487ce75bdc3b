"""What the sources of boxes have in common."""

from abc import abstractmethod
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cvtasks.answers import Boxes, Sample
from cvtasks.data.source import Source
from cvtasks.errors import Complain, CVTasksError, strictly
from cvtasks.formats.drawn import Size, habits
from cvtasks.media.pictures import picture_turn, read_picture
from cvtasks.text import encodable

Truth = tuple[Boxes, tuple[str, ...]]
"""The objects of a picture, and a remark for each thing that was changed in reading them."""


@dataclass(frozen=True)
class Frame:
    """An image's (height, width) in pixels, upright, and the EXIF orientation, 1 to 8, that made it so."""

    size: tuple[int, int]
    turn: int


class BoxesSource(Source):
    """A source of pictures with boxes. Subclasses set `classes`, `pictures` and `names`, and read one truth at a time.

    A truth that was read is kept, a kilobyte or so each: it is asked for again in every epoch.
    """

    kind = Boxes
    pictures: list[Path]
    names: list[str]

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        self._complain = complain
        self._known: dict[int, Truth] = {}  # threads may read the same truth twice; both times it is the same

    @abstractmethod
    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        """Read the truth of one picture; `complain` hears of objects that cannot be used."""

    def _declared(self, index: int) -> Size | None:
        """The size that the truth's file declares for its picture, if it does."""
        return None

    def _habit(self) -> str:
        """Whether boxes are drawn on "upright" or "stored" pixels where EXIF tags turn images, by those that tell; or ""."""
        return self._pixels

    @cached_property
    def _pixels(self) -> str:
        found: set[str] = set()
        for index, picture in enumerate(self.pictures):
            with suppress(CVTasksError):  # a fault, which is told when its turn comes
                size, turn = picture_turn(picture)
                ways = habits(self._declared(index), size, turn) if turn >= 5 else []
                found.update(ways if len(ways) == 1 else [])
        return found.pop() if len(found) == 1 else ""

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample[Boxes]:
        return Sample(read_picture(self.pictures[index]), self.truth(index), self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def truth(self, index: int) -> Boxes:
        """The objects of one sample; its picture is not decoded."""
        return self._look(index)[0]

    @property
    def files(self) -> list[Path]:  # type: ignore[override]  # set by other sources; here it follows from `pictures`
        """The pictures."""
        return self.pictures

    def faults(self, index: int) -> list[CVTasksError]:
        """An error for each object that cannot be used, or one where the file, or its picture's header, cannot be."""
        found: list[CVTasksError] = []
        try:
            truth = self._read(index, Frame(*picture_turn(self.pictures[index])), found.append)
        except CVTasksError as error:
            found.append(error)
        else:
            self._known.update({} if found else {index: truth})
        return found

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading one truth changed or passed over."""
        return self._look(index)[1]

    def remarks(self) -> list[str]:
        """What reading changed or passed over in all truths, with counts; quick where they have been read before."""
        counts: Counter[str] = Counter()
        for index in range(len(self)):
            with suppress(CVTasksError):  # a fault, and no remark
                counts.update(self.remarks_of(index))
        return [*self.notes, *(f"{remark}: {count}" for remark, count in counts.items())]

    def _look(self, index: int) -> Truth:
        if index not in self._known:
            self._known[index] = self._read(index, Frame(*picture_turn(self.pictures[index])), self._complain)
        return self._known[index]


def distinct(paths: list[Path], root: Path) -> list[str]:
    """A name for each picture that no other has: its stem where these differ, else its path from `root`, without its ending if
    that will do. What of it is no UTF-8 is escaped (`cvtasks.text.encodable`)."""
    for names in ([path.stem for path in paths], [path.relative_to(root).with_suffix("").as_posix() for path in paths]):
        if len(set(names)) == len(names):
            return list(map(encodable, names))
    return [encodable(path.relative_to(root).as_posix()) for path in paths]
