"""Sources whose labels are lines of tables or lists: which split a line belongs to, and which image
it names.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cvtasks.data.formats.bases.labels import FileLabels
from cvtasks.data.formats.bases.names import distinct, is_class_number
from cvtasks.data.formats.listing import is_seen
from cvtasks.data.formats.named_files import NamedFiles, apart
from cvtasks.data.formats.places import in_no_split, is_split, split_called
from cvtasks.data.source import VALIDATION, present
from cvtasks.errors import Complain, DataError
from cvtasks.formats.cell_kinds import has_fraction, plain_label
from cvtasks.formats.label_cells import labels_in
from cvtasks.media.file_types import SUFFIXES
from cvtasks.media.safe_paths import parts_of
from cvtasks.text import agreeing, class_name, composed, some

_MEASURED = 20  # labels that differ
_TRAIN, _TEST = ("train", "training"), ("test", "testing")


class Line(NamedTuple):
    """A line of a table or list.

    Attributes:
        number: counted from 1. image: as it is named. labels: those that it shows. part: the split
            that it names; empty for none. fault: what is wrong with its labels, in a sentence.
    """

    number: int
    image: str
    labels: tuple[str, ...]
    part: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Lines:
    """The lines of a file, of the split that its name tells, and what reading them settled."""

    path: Path
    split: str
    lines: Sequence[Line]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """Split → its lines, each with its file; what was settled; the splits that files' names alone
    tell.
    """

    lines: Mapping[str, Sequence[tuple[Lines, Line]]]
    notes: tuple[str, ...]
    by_files: frozenset[str]


def with_labels(
    files: Sequence[Lines], known: Collection[str] = (), signs: str = ""
) -> tuple[list[Lines], tuple[str, ...]]:
    """Files whose lines have the text of their labels as the only one, with the labels that it
    means; and all of these.

    Args:
        known, signs: as for `labels_in`.

    Where all labels are whole numbers, `1.0` is 1.

    Raises:
        DataError: it is not known what labels mean, one is empty or comes twice, or they are masks
            or values that were measured.
    """
    texts = [composed(line.labels[0]) for file in files for line in file.lines]
    _check_that_classes(texts, known, files[0].path)
    try:
        found = labels_in(texts, known, signs)
    except ValueError as error:
        raise DataError(
            "a label is one class of an image, or several with | between them; in "
            f"{str(files[0].path)!r} all are {error}, and which of them are labels is not known. "
            "Leave the label alone there, or write | between several."
        ) from error
    labels = {text: tuple(map(class_name, names)) for text, names in found.labels.items()}
    numbers = {name: plain_label(name) for names in labels.values() for name in names}
    if all(map(is_class_number, numbers.values())) and numbers.keys().isdisjoint(known):
        labels = {text: tuple(numbers[name] for name in names) for text, names in labels.items()}
    wrong = {text for text, own in labels.items() if "" in own or len(set(own)) < len(own)}
    read = []
    for file in files:
        for line in file.lines if wrong else ():
            if composed(line.labels[0]) in wrong:
                raise DataError(
                    f"labels must be names, each once; line {line.number} of {str(file.path)!r} "
                    f"has {line.labels[0]!r}."
                )
        lines = [line._replace(labels=labels[composed(line.labels[0])]) for line in file.lines]
        read.append(replace(file, lines=lines, notes=(*file.notes, *found.notes)))
    return read, tuple({*found.classes}.union(*labels.values()))


def _check_that_classes(texts: Sequence[str], known: Collection[str], path: Path) -> None:
    """Raise DataError where most texts are names of images, or numbers with fractions of which most
    are other ones.

    Args:
        texts: those of the labels. known: names of classes. path: of a file that holds them.
    """
    told = [text for text in texts if text and text not in known]
    images = [text for text in told if text.lower().endswith(SUFFIXES)]
    if 2 * len(images) > len(texts):
        raise DataError(
            f"a label is a class of an image; in {str(path)!r} {len(images)} of {len(texts)} "
            f"{agreeing(len(images), 'is an image', 'are images')}, such as {images[0][:80]!r}. "
            "Where these are masks, take the task `segment`, which learns from them; else write "
            "the class of each image."
        )
    measured = {text for text in told if has_fraction(text)}
    if len(measured) > _MEASURED and 2 * len(measured) > len(texts):
        raise DataError(
            f"a label is a class of an image; in {str(path)!r} {len(measured)} of {len(texts)} are "
            f"numbers with fractions of their own, such as {min(measured)[:80]!r}, as values that "
            "were measured are. Write the class of each image, such as a range of them; where each "
            "is one, list them in classes.txt."
        )


def parted(files: Sequence[Lines]) -> Parts:
    """The splits that lines name, or else their files; or where all lines of a single file have a
    path by a folder that is called like a split, these. Names that mean one split are one.
    """
    found = [(file, line, line.part or file.split) for file in files for line in file.lines]
    told = {line.part for _, line, _ in found} != {""}
    notes: list[str] = []
    if not told and len(files) == 1 and not is_split(files[0].split):
        folders = [_folder_of(line.image) for _, line, _ in found]
        if len({*folders} - {""}) > 1:
            if all(folders):
                found = [(*pair[:2], name) for pair, name in zip(found, folders, strict=True)]
                told = True
            else:
                names, without = some(sorted({*folders} - {""}), 5), folders.count("")
                notes.append(
                    f"the folders {names} were not taken for splits, as {without} "
                    f"of {len(found)} images {agreeing(without, 'lies', 'lie')} in none that is "
                    "called so"
                )
    if any(name for *_, name in found):
        notes += in_no_split([line.image for _, line, name in found if not name])
        found = [pair for pair in found if pair[2]]
    own = Counter(name for *_, name in found)
    meant = {name: _meant(name, own) for name in own}
    for name in dict.fromkeys(meant.values()):
        if several := [f"'{one}'" for one in sorted(own) if meant[one] == name and one != name]:
            notes.append(f"the split '{name}' is also called {some(several, 5)}, and is one")
    lines: dict[str, list[tuple[Lines, Line]]] = {}
    for name in sorted({*meant.values()}):
        lines[name] = []
    for file, line, name in found:
        lines[meant[name]].append((file, line))
    by_files = frozenset(lines) if not told else frozenset[str]()
    return Parts(lines, tuple(notes), by_files)


def _folder_of(image: str) -> str:
    """The first folder of a path that is called like a split; empty for none."""
    folder = re.split(r"[\\/](?=[^\\/]*$)", image.strip())
    return _split_among(folder[0]) if len(folder) > 1 else ""


@lru_cache(maxsize=1 << 12)
def _split_among(folder: str) -> str:
    return next((part for part in parts_of(folder) if is_split(part)), "")


def _meant(name: str, names: Counter[str]) -> str:
    """The split that a name stands for: of names that differ in case alone, or mean the same to
    everybody, the usual one if there are several.
    """
    word = name.casefold()
    alike = next((group for group in (_TRAIN, VALIDATION, _TEST) if word in group), (word,))
    same = sorted(one for one in names if one.casefold() in alike)
    return same[0] if len(same) == 1 else alike[0]


class LinesOfLabels(FileLabels):
    """A source of the lines of a split."""

    def take(
        self,
        parts: Parts,
        split: str,
        place_of: Callable[[str], int | None],
        unknown: Callable[[str, Line, Path], str],
        complain: Complain,
    ) -> None:
        """Set `files`, `shown` and `names`, and add to `notes`.

        Args:
            place_of: label → the index of its class, or None where it is none's.
            unknown: the sentence about such a label.

        Raises:
            DataError: there is no image.
        """
        rows = parts.lines[split]
        files = list({id(file): file for file, _ in rows}.values())
        named = {
            id(file): _Images(file.path.parent, split, _beside(file.path, parts)) for file in files
        }
        for file, line in chain.from_iterable(parts.lines.values()):
            strange = [label for label in line.labels if place_of(label) is None]
            if strange and id(file) in named:
                complain(DataError(unknown(strange[0], line, file.path), "class unknown"))
        images: list[Path] = []
        shown: list[tuple[int, ...]] = []
        for file, line in rows:
            found = named[id(file)].find(line.image)
            if found is None:
                text = (
                    "an image must be named by its path below the table's folder; line "
                    f"{line.number} of {str(file.path)!r} has {line.image[:300]!r}, and not just "
                    "one file there ends like it; folders of other splits do not count. Move the "
                    "image there, or correct the path."
                )
                complain(DataError(text, "image missing"))
                continue
            if line.fault:
                complain(DataError(line.fault, "label unclear"))
                continue
            places = {place for label in line.labels if (place := place_of(label)) is not None}
            if len(places) == len(line.labels):  # what others hold was told
                images.append(found)
                shown.append(tuple(sorted(places)))
        told = (note for images_ in named.values() for note in images_.notes)
        settled = (note for file in files for note in file.notes)
        self.notes += (*told, *parts.notes, *dict.fromkeys(settled))
        what = " and ".join(repr(str(file.path)) for file in files)
        kept = present(what, {"image": images}, complain)
        self.files, self.shown = [images[index] for index in kept], [shown[index] for index in kept]
        self.names = distinct(self.files, files[0].path.parent)


def _beside(path: Path, parts: Parts) -> dict[str, list[str]]:
    """Split → the images that lines of it name in files beside one."""
    return {
        name: [line.image for file, line in rows if file.path.parent == path.parent]
        for name, rows in parts.lines.items()
    }


class _Images:
    """The images that lines name. Where folders at `home` are called like the split, an image is
    looked for in these first; those of other splits are none of it.

    Args:
        lines: split → what its lines name.
    """

    def __init__(self, home: Path, split: str, lines: Mapping[str, Sequence[str]]) -> None:
        self._split = split
        self._own = [folder for folder in _folders(home) if self._is_own(folder)] if split else []
        names = [*chain.from_iterable(lines.values())]
        others = chain.from_iterable(own for name, own in lines.items() if name != split)
        self._named = NamedFiles(
            home,
            home,
            dict.fromkeys(chain(names, map(str.strip, names))),
            split=split,
            apart=lambda: apart(lines[split], others),
        )

    def find(self, name: str) -> Path | None:
        """The image, or where it would lie; None where its path leads out. Blanks around a name
        are its own where a file has them.
        """
        bare = name.strip()
        names = dict.fromkeys((name, bare)) if bare else ()
        below = [f"{folder}/{one}" for one in names for folder in self._own]
        return self._named.find(name if bare else "", [bare, *below])

    def _is_own(self, folder: str) -> bool:
        return any(_same_split(part, self._split) for part in folder.split("/"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was followed, as `NamedFiles` says it."""
        return self._named.notes


def _folders(home: Path) -> Iterator[str]:
    """The folders at a place that are called after splits, and those in its other folders."""
    for child in _below(home):
        if split_called(child.name):
            yield child.name
        else:
            inner = (one for one in _below(child) if is_split(one.name))
            yield from (f"{child.name}/{one.name}" for one in inner)


def _below(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; none where it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(Path(one.path) for one in found if one.is_dir() and is_seen(one.name))
    except OSError:
        return []


def _same_split(folder: str, split: str) -> bool:
    """Whether a folder's name speaks of a split."""
    called = split_called(folder)
    names = {called: 1, split: 1}
    return bool(called) and _meant(called, Counter(names)) == _meant(split, Counter(names))
