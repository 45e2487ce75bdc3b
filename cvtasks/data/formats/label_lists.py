"""Lists of images, each with its label: `train.txt` with `cats/1.jpg 0`, one a line."""

import re
from dataclasses import dataclass
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import FileLabels, distinct
from cvtasks.data.formats.bases.names import LISTS_OF_NAMES, numbered_classes
from cvtasks.data.formats.listing import NamedFiles, files_in
from cvtasks.data.source import check_split, no_image, present
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.media.file_types import SUFFIXES
from cvtasks.text import encodable

_MOST = 500 * MEGABYTE
_LINE = re.compile(
    rf"(?P<image>.*?(?:{'|'.join(map(re.escape, SUFFIXES))}))\"?"
    r"(?:\s*[,;\t]\s*|\s+)(?P<label>\S.*)",
    re.IGNORECASE,
)
_LOOKED_AT = 5  # lines by which a list is told from other texts


@dataclass(frozen=True)
class _Line:
    number: int
    image: str
    label: str


class ListedLabels(FileLabels):
    """The images of `<split>.txt`, in its order, each with one label, behind a space, a tab or a
    comma.

    Images are named from the folder of the lists and lie below it. A label is a class's name, or
    its number, counted from 0, where a `classes.txt` (or names.txt, labels.txt) names them, one a
    line; numbers without such a file are the names themselves. The classes are those of the file,
    or else all labels of all lists, numbers by their size, names sorted.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        lists = _lists(root)
        self.split = split = check_split(split, lists, root)
        lines = {name: _lines(path) for name, path in lists.items()}
        labels = {line.label for found in lines.values() for line in found}
        self.classes, places, self.taken_for = numbered_classes(root, labels)
        named = NamedFiles(root, root, [line.image for found in lines.values() for line in found])
        images: list[Path] = []
        shown: list[tuple[int, ...]] = []
        path = lists[split]
        for line in lines[split]:
            file = named.find(line.image)
            if file is None:
                text = (
                    f"an image must be named by its path below the list's folder; line "
                    f"{line.number} of {str(path)!r} has {line.image[:300]!r}, and not just one "
                    "file there ends like it. Move the image there, or correct the path."
                )
                complain(DataError(text, "image missing"))
            elif line.label not in places:
                text = (
                    f"every label must be a class or the number of one, 0 to "
                    f'{len(self.classes) - 1}; "{line.label[:80]}", line {line.number} of '
                    f"{str(path)!r}, is none. {did_you_mean(line.label, self.classes)}"
                )
                complain(DataError(text, "class unknown"))
            else:
                images.append(file)
                shown.append((places[line.label],))
        self.notes = named.notes
        kept = present(f"{str(path)!r}", {"image": images}, complain)
        self.files, self.shown = [images[index] for index in kept], [shown[index] for index in kept]
        self.names = distinct(self.files, root)


def _lists(root: Path) -> dict[str, Path]:
    """Split → its list: the texts whose first lines are images with labels."""
    return {
        path.stem: path
        for path in files_in(root, ".txt")
        if path.name not in LISTS_OF_NAMES and path.is_file() and _is_list(path)
    }


def _is_list(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = [line.strip() for line in file.readlines(1000 * _LOOKED_AT)]
    except OSError:  # told by whoever opens it
        return False
    some = [line for line in head if line][:_LOOKED_AT]
    matches = [line for line in some if _LINE.fullmatch(line)]
    return 2 * len(matches) > len(some)  # a wrong line is told by whoever reads it


def _lines(path: Path) -> list[_Line]:
    """The lines of a list.

    Raises:
        DataError: it cannot be read, or a line is none of an image with a label.
    """
    found = []
    for number, text in enumerate(read_text(path, _MOST).splitlines(), start=1):
        if not text.strip():
            continue
        match = _LINE.fullmatch(text.strip())
        if match is None:
            raise DataError(
                "a line of a list must be an image and its label, such as `cats/1.jpg cat`; line "
                f"{number} of {str(path)!r} is {text[:120]!r}. Correct it."
            )
        label = match["label"].strip().strip('"')
        found.append(_Line(number, match["image"].strip().strip('"'), encodable(label)))
    if not found:
        raise no_image(repr(str(path)))
    return found


LABEL_LISTS = Format(
    "lists of labels",
    "train.txt, val.txt … with `path label`, one a line, and classes.txt where labels are numbers",
    Labels,
    is_at=lambda root: root.is_dir() and bool(_lists(root)),
    splits_at=lambda root: tuple(_lists(root)),
    opens=ListedLabels,
)
