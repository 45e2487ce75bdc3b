"""Sources of what labelling tools hold: shapes of images."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cvtasks.data.formats.bases.boxes import BoxesSource, Frame, Truth
from cvtasks.data.formats.bases.labels import FileLabels
from cvtasks.data.formats.bases.names import (
    class_names,
    distinct,
    is_class_number,
    no_object,
    numbered_classes,
    spelt,
)
from cvtasks.data.source import present
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.drawn import Drawn, Size, boxes_of, in_pixels
from cvtasks.formats.reading import OUTLINES, UPRIGHT
from cvtasks.formats.shapes import ImageShapes, Shape
from cvtasks.schema import EMPTY


@dataclass(frozen=True)
class Settled:
    """The classes of a data set.

    Attributes:
        classes: their names. taken_for: what was concluded, in a sentence; empty where nothing was.
        meant: number in the files → the class that it means, where they have numbers for names.
    """

    classes: tuple[str, ...]
    taken_for: str = ""
    meant: Mapping[str, str] = field(default_factory=lambda: EMPTY)


Settle = Callable[[Path, Iterable[str], Iterable[ImageShapes]], Settled]
"""(root, classes that a tool's files list, what they hold) → the classes: `classes_in` or
`classes_of_tags`.
"""


@dataclass(frozen=True)
class Collection:
    """The images of a split, and what a tool holds of each.

    Attributes:
        root: the data set's. split: its own name, empty where it has none.
        images: one file for each of `entries`.
        classes: the names that objects may have. taken_for, notes: as of `Source`.
        orphans: files that belong to nothing.
    """

    root: Path
    split: str
    images: Sequence[Path]
    entries: Sequence[ImageShapes]
    classes: tuple[str, ...]
    taken_for: str = ""
    notes: tuple[str, ...] = ()
    orphans: tuple[DataError, ...] = ()

    def kept(self, what: str, complain: Complain = strictly) -> "Collection":
        """Those images that are there, once each; `what` is what errors call the list of them."""
        left = present(what, {"image": list(self.images)}, complain)
        return replace(
            self,
            images=[self.images[index] for index in left],
            entries=[self.entries[index] for index in left],
        )

    def named(self, meant: Mapping[str, str]) -> "Collection":
        """With the names that numbers mean, as `Settled` has them, of objects and tags."""
        if not meant:
            return self
        return replace(self, entries=[_named(entry, meant) for entry in self.entries])

    def names(self) -> list[str]:
        """A name for each image."""
        return distinct(list(self.images), self.root)


def _named(entry: ImageShapes, meant: Mapping[str, str]) -> ImageShapes:
    return replace(
        entry,
        shapes=tuple(replace(one, name=meant.get(one.name, one.name)) for one in entry.shapes),
        tags=tuple(meant.get(tag, tag) for tag in entry.tags),
    )


class TagLabels(FileLabels):
    """Images and the classes that they are tagged with, whatever is drawn in them.

    A tag that is no class is a fault.
    """

    def __init__(self, found: Collection, complain: Complain = strictly) -> None:
        super().__init__()
        self.files, self.names = list(found.images), found.names()
        self.split, self.classes, self.taken_for = found.split, found.classes, found.taken_for
        self._orphans = found.orphans
        drawn = sum(bool(entry.shapes) for entry in found.entries)
        said = f"labels are the tags of images; what is drawn plays no part, in images: {drawn}"
        self.notes = (*found.notes, said) if drawn else found.notes
        places = {name: label for label, name in enumerate(found.classes)}
        self.shown = []
        for entry in found.entries:
            for tag in entry.tags:
                if tag not in places:
                    complain(_unknown("tag", tag, entry.source, found.classes))
            self.shown.append(tuple(sorted({places[tag] for tag in entry.tags if tag in places})))

    def orphans(self) -> Iterator[DataError]:
        """Files of the data set that belong to nothing."""
        return iter(self._orphans)


class ShapesSource(BoxesSource):
    """Images and the boxes around their shapes.

    An outline or a painted mask is read as the box around it, with a remark, and a turned box
    likewise. A shape of a class that is none of the data's is a fault. Where a tool's file declares
    no size, its shapes count as drawn on the upright image.
    """

    def __init__(self, found: Collection, complain: Complain = strictly) -> None:
        super().__init__(complain)
        self.images, self._entries = list(found.images), found.entries
        self.names, self.split, self.classes = found.names(), found.split, found.classes
        self.taken_for, self.notes = found.taken_for, found.notes
        self._orphans = found.orphans
        self._places = {name: label for label, name in enumerate(found.classes)}

    def orphans(self) -> Iterator[DataError]:
        """Files of the data set that belong to nothing."""
        return iter(self._orphans)

    def _declared(self, index: int) -> Size | None:
        return self._entries[index].size

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        entry = self._entries[index]
        for fault in entry.faults:
            complain(fault)
        drawn: list[Drawn] = []
        remarks = list(entry.remarks)
        for shape in entry.shapes:
            known = self._labels(shape, complain)
            edges = _in_pixels(shape, entry, frame)
            drawn += [
                Drawn(edges, label, shape.place, shape.difficult, shape.crowd, shape.angle)
                for label in known
            ]
            remarks += [OUTLINES] if known and (shape.outline or shape.painted) else []
        turn = frame.turn
        if entry.size is None and turn != 1:
            turn, remarks = 1, [*remarks, *([UPRIGHT] if drawn else [])]
        boxes, changed = boxes_of(
            drawn if entry.in_shares else in_pixels(drawn, frame.size, complain),
            self.classes,
            frame.size,
            entry.source,
            complain,
            declared=entry.size,
            turn=turn,
            habit=self._habit,
        )
        return boxes, (*remarks, *changed)

    def _labels(self, shape: Shape, complain: Complain) -> Iterable[int]:
        """The classes that a shape stands for."""
        if shape.everywhere:
            return range(len(self.classes))
        if shape.name in self._places:
            return (self._places[shape.name],)
        complain(_unknown("object", shape.name, shape.place, self.classes))
        return ()


def boxes_alone(root: Path) -> DataError:
    """The error for annotations that hold no outline, where a task learns from them."""
    return DataError(
        "segmentation learns from outlines or masks; the annotations of "
        f"{str(root)!r} have boxes alone. Train a detector on them, or have their objects "
        "outlined.",
        "outline missing",
    )


def _unknown(what: str, name: str, place: str, classes: tuple[str, ...]) -> DataError:
    """The error for an object or a tag of a class that is none."""
    return DataError(
        f'every {what} must be of a class of the data set; "{name[:80]}" of {place} is none. '
        f"{did_you_mean(name, classes)} Correct the name, or list all classes in classes.txt at "
        "the data set's root, one a line.",
        "class unknown",
    )


def _in_pixels(shape: Shape, entry: ImageShapes, frame: Frame) -> tuple[float, ...]:
    """The edges of a shape in pixels; of shares, to a millionth, which undoes their division."""
    if not entry.in_shares:
        return shape.edges
    height, width = frame.size
    edges = np.array(shape.edges, np.float64) * [width, height, width, height]
    return tuple(edges.round(6).tolist())


def classes_in(root: Path, listed: Iterable[str], entries: Iterable[ImageShapes]) -> Settled:
    """The classes of a data set.

    They are the lines of a `classes.txt` at the root, or else what the tool's files list, or else
    the names of all objects, sorted; of names that differ in case, spaces, `-` and `_` alone, only
    the most frequent is a class. Where all objects have numbers for names, which the tool does not
    list, a file at the root says what these mean (`numbered_classes`).

    Args:
        listed: by the tool's files.

    Raises:
        DataError: there is none.
    """
    images = list(entries)
    return _settled(root, tuple(dict.fromkeys(listed)), _drawn(images), images)


def classes_of_tags(root: Path, listed: Iterable[str], entries: Iterable[ImageShapes]) -> Settled:
    """As `classes_in`, of the images' tags: what a tool's files list for its objects is none.

    Raises:
        DataError: there is none.
    """
    images = list(entries)
    tags, drawn = Counter(tag for image in images for tag in image.tags), _drawn(images)
    names = tuple(name for name in dict.fromkeys(listed) if name in tags or name not in drawn)
    return _settled(root, names if tags.keys() <= set(names) else (), tags, images)


def _drawn(entries: Iterable[ImageShapes]) -> Counter[str]:
    """Name → how many objects have it."""
    return Counter(
        shape.name for entry in entries for shape in entry.shapes if not shape.everywhere
    )


def _settled(
    root: Path, listed: tuple[str, ...], counts: Counter[str], entries: Iterable[ImageShapes]
) -> Settled:
    """The classes of `classes.txt`, or those that are listed, or those that are counted; where
    there is none, the first fault of the entries is the error.
    """
    home = root if root.is_dir() else root.parent
    if counts and not listed and all(map(is_class_number, counts)):
        classes, places, said = numbered_classes(home, counts)
        meant = {number: classes[place] for number, place in places.items()}
        return Settled(classes, said, {} if set(meant) == set(classes) else meant)
    if (home / "classes.txt").is_file():
        return Settled(class_names(home / "classes.txt"))
    if listed:
        return Settled(listed)
    if not counts:
        raise next((fault for entry in entries for fault in entry.faults), no_object(root))
    return Settled(*spelt(counts, "the annotations"))
