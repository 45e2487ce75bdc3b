"""A format that answers are written in: how annotations become texts, and where files lie."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from cvtasks.answers import Answer, Boxes

Classes = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Labelled:
    """An image and what is said of it.

    Attributes:
        name: its path below the folder of the images, with `/`.
        path: of its file.
    """

    name: str
    path: Path
    answer: Answer


@dataclass(frozen=True)
class How:
    """How answers are written.

    Attributes:
        classes: all of them.
        scores: whether scores are written, so that these are predictions and no annotations.
        several: whether an image may show several classes.
        prefix: what stands before an image's name in Label Studio.
        images: the way from the folder of annotations to that of the images, with `/` at its end;
            empty where they are the same.
        split: of a data set; empty where images are labelled where they are.
    """

    classes: Classes
    scores: bool = False
    several: bool = False
    prefix: str = ""
    images: str = ""
    split: str = ""


Files = Iterator[tuple[str, str | bytes]]
Write = Callable[[Iterator[Labelled], How], Files]
"""(images in their order, how) → (name of a file below the folder of annotations, content)."""


@dataclass(frozen=True)
class Loss:
    """What a format cannot say of answers of a kind.

    Attributes:
        said: what becomes of it, in words.
        count: answer → how many things it is.
    """

    said: str
    count: Callable[[Any], int]


Settle = Callable[[Path, Classes, str, Sequence[str]], None]
"""(folder, classes, split, names of the images) → nothing; see `Writer`."""


def nothing(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    """Settles nothing: no file is shared by the splits, or lists them."""


@dataclass(frozen=True)
class Layout:
    """Where the files of a data set lie, whose images are written with its annotations.

    Attributes:
        files: split → the folder of its annotations, below that of the data set.
        images: split → the folder of its images.
        claims: split → what must not be there yet.
        splits: the only names that splits can have; empty if any will do.
        in_lines: whether names of classes stand in lines, which hold no control characters.
    """

    files: Callable[[str], str]
    images: Callable[[str], str]
    claims: Callable[[str], str]
    splits: tuple[str, ...] = ()
    in_lines: bool = True


@dataclass(frozen=True)
class Writer:
    """A format that answers are written in; a row of `cvtasks.data.writing.table.WRITERS`.

    Attributes:
        writes: type of answer → how it is written.
        hint: what to do with the files of images that stay where they are, in a sentence.
        scored: what is said of scores where they are written; empty for nothing.
        begins: settles what all splits share, or refuses the new one, before anything is written.
        ends: writes what makes the files a split, when all others are there.
        single: the one file that holds all annotations of images that stay where they are; empty
            where each image has its own.
        of_image: the name of such an image → that of the file with its annotation.
        copied: whether such images are copied, as the format wants them in a folder of its own.
        layout: of a data set with splits.
        losses: type of answer → what the format cannot say of it.
        others: type of answer → the writer that has this one's name for such answers, where files
            lie otherwise.
    """

    writes: Mapping[type[Answer], Write]
    hint: str
    begins: Settle
    layout: Layout
    ends: Settle = nothing
    single: str = ""
    of_image: Callable[[str], str] = field(default=lambda name: name)
    copied: bool = False
    scored: str = ""
    losses: Mapping[type[Answer], Sequence[Loss]] = field(default_factory=dict)
    others: Mapping[type[Answer], "Writer"] = field(default_factory=dict)

    def of(self, kind: type[Answer]) -> "Writer | None":
        """What writes answers of just this kind under its name; None if nothing does."""
        found = self.others.get(kind, self)
        return found if kind in found.writes else None


def ending(end: str) -> Callable[[str], str]:
    """The name of an image → the same with another ending."""
    return lambda name: str(PurePosixPath(name).with_suffix("")) + end


def each(of_image: Callable[[str], str], content: Callable[[Labelled, How], str | bytes]) -> Write:
    """The writer of a format with a file for each image."""

    def write(images: Iterator[Labelled], how: How) -> Files:
        for one in images:
            yield of_image(one.name), content(one, how)

    return write


def whole(
    name: str | Callable[[str], str], text: Callable[[Iterator[Labelled], How], str]
) -> Write:
    """The writer of a format with one file for all images.

    Args:
        name: of the file, or split → its name.
    """

    def write(images: Iterator[Labelled], how: How) -> Files:
        yield name if isinstance(name, str) else name(how.split), text(images, how)

    return write


def boxes_in(images: Iterable[Labelled]) -> Iterator[tuple[str, Boxes]]:
    """Name and boxes of each image."""
    return ((one.name, cast(Boxes, one.answer)) for one in images)
