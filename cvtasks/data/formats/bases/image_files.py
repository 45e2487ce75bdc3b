"""Tools that keep a file for each image: LabelMe, KITTI, Supervisely."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.shapes import Collection, Settle, ShapesSource, classes_in
from cvtasks.data.formats.places import Paired
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.data.source import Source, check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.shapes import ImageShapes

S = TypeVar("S")
"""Where the files of a split are."""


class ImageFiles(ABC, Generic[S]):
    """How the files of such a tool are read. An image without a file has no objects."""

    @abstractmethod
    def splits(self, root: Path) -> Mapping[str, S]:
        """Split → where its files are; one of an empty name where there are no splits."""

    @abstractmethod
    def files(self, found: S) -> Iterable[Path]:
        """The files of a split."""

    @abstractmethod
    def parse(self, path: str) -> ImageShapes:
        """What a file holds. Raises DataError."""

    @abstractmethod
    def pairs(self, found: S, complain: Complain) -> Iterator[tuple[Path, ImageShapes]]:
        """Each image of a split, and what its file holds."""

    def listed(self, root: Path, complain: Complain) -> Iterable[str]:
        """The classes that the tool lists in a file of their own."""
        return ()

    def notes(self, images: Sequence[Path], root: Path) -> tuple[str, ...]:
        """What is to be said of where the images lie."""
        return ()

    def tagged(self, root: Path) -> bool:
        """Whether an image has a tag."""
        return any(entry.tags for entry in self._every(self.splits(root)))

    def collect(
        self,
        root: Path,
        split: str,
        complain: Complain = strictly,
        settle: Settle = classes_in,
    ) -> Collection:
        """The images of a split, with what the tool holds of them.

        The classes are those of `classes.txt` at the root, one a line, or those that the tool
        lists, or all that objects have, sorted.

        Args:
            settle: finds the classes.

        Raises:
            DataError: there is no such split, or no image.
        """
        splits = self.splits(root)
        split = check_split(split, splits, root)
        images: list[Path] = []
        entries: list[ImageShapes] = []
        for image, entry in self.pairs(splits[split], complain):
            images.append(image)
            entries.append(entry)
        known = settle(root, self.listed(root, complain), self._every(splits))
        notes = self.notes(images, root)
        found = Collection(root, split, images, entries, known.classes, known.taken_for, notes)
        what = f'"{split}" of {str(root)!r}' if split else repr(str(root))
        return found.named(known.meant).kept(what, complain)

    def parsed(self, file: Path) -> ImageShapes:
        """What a file holds; read once while it does not change. Raises DataError."""
        return _parsed(file, self.parse)

    def _every(self, splits: Mapping[str, S]) -> Iterator[ImageShapes]:
        """What all files hold; those that cannot be read are faults where they are read."""
        for found in splits.values():
            for file in self.files(found):
                try:
                    yield self.parsed(file)
                except DataError:
                    continue


@kept_while_unchanged(1 << 16)
def _parsed(path: Path, parse: Callable[[str], ImageShapes]) -> ImageShapes:
    return parse(str(path))


def files_in_pairs(found: Paired) -> Iterator[Path]:
    """The annotations of a split whose images and files have the same names."""
    return (one for files in found.annotations.values() for one in files)


def image_files_format(
    tool: ImageFiles, name: str, layout: str, is_at: Callable[[Path], bool]
) -> Format:
    """The format of a tool's files, for detection."""

    def opens(root: Path, split: str, complain: Complain) -> Source:
        return ShapesSource(tool.collect(root, split, complain), complain)

    return Format(
        name,
        layout,
        Boxes,
        is_at=is_at,
        splits_at=lambda root: tuple(tool.splits(root)),
        opens=opens,
    )
