"""What the sources of boxes have in common."""

from abc import abstractmethod
from collections import Counter
from contextlib import suppress
from pathlib import Path

from cvtasks.answers import Boxes, Sample
from cvtasks.data.source import Source
from cvtasks.errors import Complain, CVTasksError, strictly
from cvtasks.media.pictures import picture_size, read_picture
from cvtasks.text import encodable

Truth = tuple[Boxes, tuple[str, ...]]
"""The objects of a picture, and a remark for each thing that was changed in reading them."""


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
    def _read(self, index: int, size: tuple[int, int], complain: Complain) -> Truth:
        """Read the truth of one picture, whose real size is (height, width); `complain` hears of objects that cannot be used."""

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample:
        image = read_picture(self.pictures[index])
        return Sample(image, self._truth(index, image.shape[:2])[0], self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def truth(self, index: int) -> Boxes:
        """The objects of one sample; its picture is not decoded."""
        return self._look(index)[0]

    @property
    def files(self) -> list[Path]:
        """The pictures."""
        return self.pictures

    def faults(self, index: int) -> list[CVTasksError]:
        """An error for each object that cannot be used, or one where the file, or its picture's header, cannot be."""
        found: list[CVTasksError] = []
        try:
            truth = self._read(index, picture_size(self.pictures[index]), found.append)
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
        return [f"{remark}: {count}" for remark, count in counts.items()]

    def _look(self, index: int) -> Truth:
        return self._known.get(index) or self._truth(index, picture_size(self.pictures[index]))

    def _truth(self, index: int, size: tuple[int, int]) -> Truth:
        if index not in self._known:
            self._known[index] = self._read(index, size, self._complain)
        return self._known[index]


def distinct(paths: list[Path], root: Path) -> list[str]:
    """A name for each picture that no other has: its stem where these differ, else its path from `root`, without its ending if
    that will do. What of it is no UTF-8 is escaped (`cvtasks.text.encodable`)."""
    for names in ([path.stem for path in paths], [path.relative_to(root).with_suffix("").as_posix() for path in paths]):
        if len(set(names)) == len(names):
            return list(map(encodable, names))
    return [encodable(path.relative_to(root).as_posix()) for path in paths]
