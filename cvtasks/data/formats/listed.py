"""The samples that lines of a list mean, and what is wrong with lists."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Self

from cvtasks.data.formats.places import is_split
from cvtasks.data.source import Source
from cvtasks.errors import Complain, DataError
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.tables import IMAGE_COLUMNS, OF_LABELS
from cvtasks.media.safe_paths import ByLastParts, last_in_common
from cvtasks.text import agreeing, one_line

_WHOLE = "trainval"  # in the name of a list that holds others by custom
_BESIDE_IMAGES = {*OF_LABELS, "mask", "masks", "mask_path", "annotation", "segmentation"}

Called = tuple[int, str]
"""The index of a sample, and a name that it has."""


def lines_of(path: Path) -> list[str]:
    """The lines of a list that are not blank, as they stand."""
    text = read_text(path, 1000 * MEGABYTE)
    return [line for line in (line.rstrip("\r") for line in text.split("\n")) if line.strip()]


def is_heading(line: str) -> bool:
    """Whether a line says what the lines below it hold, as the first of a table does.

    >>> is_heading("image,mask"), is_heading("filename"), is_heading("image 1.jpg")
    (True, True, False)
    """
    first, *others = re.split(r"[\s,;]+", line.strip().casefold().replace('"', "")) or [""]
    return first in IMAGE_COLUMNS and all(word in _BESIDE_IMAGES for word in others)


class Names:
    """Samples by their names, as a line can hold them; also by the names of their files, with or
    without folders before them, where these are one image's alone.

    Of several images the one is meant that lies in the folders which a line names. A line with a
    folder of the data means no image of another one.
    """

    def __init__(self, names: Sequence[str], files: Sequence[Path]) -> None:
        self.first = names[0] if names else ""
        self._paths = files
        self._names = {one_line(name): index for index, name in enumerate(names)}
        for name, path in zip(names, files, strict=False):
            if PurePosixPath(name).name == path.stem:
                own = self._names[one_line(name)]
                self._names.setdefault(one_line(f"{name}{path.suffix}"), own)
        self._folders = {one_line(path.parent.name) for path in files}
        self._found: dict[str, int | None] = {}

    @cached_property
    def _files(self) -> ByLastParts[Called]:
        """The samples by their files' names, with and without endings."""
        return self._by_names(lambda path: {one_line(path.name), one_line(path.stem)})

    def _by_names(self, names_of: Callable[[Path], Iterable[str]]) -> ByLastParts[Called]:
        """The samples by names that files give them, and the folders before these."""
        paths = enumerate(self._paths)
        called = [(index, name) for index, path in paths for name in names_of(path)]
        return ByLastParts(called, lambda one: (*self._folders_of(one[0]), one[1]))

    @classmethod
    def of(cls, source: Source) -> Self:
        """Those of a source."""
        return cls([source.name(index) for index in range(len(source))], source.files)

    def find(self, line: str) -> int | None:
        """The index of the sample that a line names."""
        if line not in self._found:
            self._found[line] = self._of_line(line)
        return self._found[line]

    def _of_line(self, line: str) -> int | None:
        name = line.strip()
        for one in (line, name):
            if one in self._names:
                return self._names[one]
        parts = PurePosixPath(name.replace("\\", "/")).parts or ("",)
        if not self._files.nearest(parts[-1:])[1]:
            return self._names.get(parts[-1])
        return self.nearest(parts, self._files)

    def means_several(self, line: str) -> bool:
        """Whether images are called as a line says, and it does not tell which of them it means."""
        last = PurePosixPath(line.strip().replace("\\", "/")).name
        return self.find(line) is None and self._files.nearest([last])[1] > 0

    def nearest(self, parts: Sequence[str], samples: ByLastParts[Called]) -> int | None:
        """The one of samples that has the name which a line ends in and lies in the folders which
        it names, by their last parts; None where several may, or the line names another folder of
        the data.
        """
        best, common = samples.nearest(parts)
        if not common or len(best) != 1:
            return None
        folders, (index, _) = parts[:-1], best[0]
        theirs = self._folders_of(index)
        shared = last_in_common(folders, theirs)
        return None if self._elsewhere(folders, theirs, shared) else index

    def _folders_of(self, index: int) -> list[str]:
        return [one_line(part) for part in self._paths[index].parts[:-1]]

    def _elsewhere(self, folders: Sequence[str], theirs: Sequence[str], shared: int) -> bool:
        """Whether the first folder that a path does not share with an image's is another one of the
        data, or of another split.
        """
        if shared >= min(len(folders), len(theirs)):
            return False
        own, other = folders[-1 - shared], theirs[-1 - shared]
        return (shared == 0 and own in self._folders) or (is_split(own) and is_split(other))


@dataclass(frozen=True)
class SplitLists:
    """The lists of splits: split → its file, and its lines."""

    files: Mapping[str, Path]
    lines: Mapping[str, Sequence[str]]

    def named(self, name: str, names: Names, complain: Complain) -> list[int]:
        """The samples that the list of a split names, rising.

        Args:
            complain: about lines that name nothing of the data, and images that are named again or
                in two lists; if it returns, the lines are passed over, and images stay in both.

        Raises:
            DataError: it names nothing of the data.
        """
        path, lines = str(self.files[name]), self.lines[name]
        if not lines:
            raise DataError(
                f"a list must name at least one image; {path!r} names none. Write names into it, "
                "or remove it.",
                "list empty",
            )
        kept = sorted({index for line in lines if (index := names.find(line)) is not None})
        if not kept:
            raise DataError(
                f"a list must name images of the data, such as {names.first!r}; {path!r} names "
                f"{_some(lines)}, and none of {len(lines)} is there. Give the lists of these "
                "data, or rename the file if it is no list.",
                "list names no image",
            )
        for error in self._complaints(name, names):
            complain(error)
        return kept

    def _complaints(self, name: str, names: Names) -> Iterator[DataError]:
        """What is wrong with a list: lines that name no sample, samples that it names again or that
        another one names too.
        """
        path = str(self.files[name])
        seen, strange, again = set[int](), list[str](), list[str]()
        for place, line in enumerate(self.lines[name]):
            index = names.find(line)
            if index is None:
                strange += [] if place == 0 and is_heading(line) else [line]
            elif index in seen:
                again.append(line)
            else:
                seen.add(index)
        if strange:
            them = agreeing(len(strange), "it", "them")
            text = (
                f"every line of a list must name an image of the data, such as {names.first!r}; "
                f"{len(strange)} of {path!r} {agreeing(len(strange), 'names', 'name')} none: "
                f"{_some(strange)}. Correct {them}, or take {them} off."
            )
            yield DataError(text, "list names no image", len(strange))
        if again:
            text = (
                f"a list must name every image once; {path!r} names {_some(again)} again. Take it "
                "off."
            )
            yield DataError(text, "image twice", len(again))
        for other, lines in self.lines.items():
            if other == name or _WHOLE in other or _WHOLE in name or _apart(name, other):
                continue
            both = [line for line in lines if names.find(line) in seen]
            if both:
                text = (
                    f"an image must be in one list; {len(both)} of {path!r} {agreeing(len(both))} "
                    f"in {self.files[other].name!r} too: {_some(both)}. Take "
                    f"{agreeing(len(both), 'it', 'them')} off one."
                )
                yield DataError(text, "image in two lists", len(both))


def _apart(one: str, other: str) -> bool:
    """Whether two lists are of different folds, in which an image may have different roles.

    >>> _apart("train1", "val2"), _apart("train1", "val1"), _apart("train", "val1")
    (True, False, False)
    """
    numbers = [re.findall(r"\d+", name) for name in (one, other)]
    return all(numbers) and numbers[0] != numbers[1]


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (" …" if len(names) > 3 else "")
