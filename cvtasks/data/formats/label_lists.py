"""Lists of images, each with its label: `train.txt` with `cats/1.jpg 0`, one a line."""

from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.label_lines import Line, Lines, LinesOfLabels, parted, with_labels
from cvtasks.data.formats.bases.names import LINE, is_label_list, names_beside, numbered_classes
from cvtasks.data.formats.bases.table_cells import MOST
from cvtasks.data.formats.listing import files_in
from cvtasks.data.source import check_split, no_image
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.reading import read_text


class ListedLabels(LinesOfLabels):
    """The images of `<split>.txt`, in its order, each with its label, behind a space, a tab or a
    comma; several have `|` between them, or what `labels_in` knows.

    Images are named from the folder of the lists and lie below it. A label is a class's name, or
    its number, counted from 0, where a `classes.txt` (or names.txt, labels.txt) names them, one a
    line; numbers without such a file are the names themselves. The classes are those of the file,
    or else all labels of all lists, numbers by their size, names sorted.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        lists = [_lines(path, name) for name, path in _lists(root).items()]
        self.split = split = check_split(split, parted(lists).lines, root)
        lists, every = with_labels(lists, names_beside(root))
        self.classes, places, self.taken_for = numbered_classes(root, every)
        self.take(parted(lists), split, places.get, self._unknown, complain)

    def _unknown(self, label: str, line: Line, path: Path) -> str:
        return (
            "every label must be a class or the number of one, 0 to "
            f'{len(self.classes) - 1}; "{label[:80]}", line {line.number} of {str(path)!r}, is '
            f"none. {did_you_mean(label, self.classes)}"
        )


def _lists(root: Path) -> dict[str, Path]:
    """Split → its list: the texts whose first lines are images with labels."""
    return {
        path.stem: path for path in files_in(root, ".txt") if path.is_file() and is_label_list(path)
    }


def _lines(path: Path, split: str) -> Lines:
    """The lines of a list, each with all that stands behind the image as a label.

    Raises:
        DataError: it cannot be read, or a line is none of an image with a label.
    """
    found = []
    for number, text in enumerate(read_text(path, MOST).splitlines(), start=1):
        if not text.strip():
            continue
        match = LINE.fullmatch(text.strip())
        if match is None:
            raise DataError(
                "a line of a list must be an image and its label, such as `cats/1.jpg cat`; line "
                f"{number} of {str(path)!r} is {text[:120]!r}. Correct it."
            )
        label = match["label"].strip().strip('"')
        image = text[: len(text) - len(text.lstrip())] + match["image"].rstrip().strip('"')
        found.append(Line(number, image, (label,)))
    if not found:
        raise no_image(repr(str(path)))
    return Lines(path, split, found)


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(parted([_lines(path, name) for name, path in _lists(root).items()]).lines)


LABEL_LISTS = Format(
    "lists of labels",
    "train.txt, val.txt … with `path label`, one a line, and classes.txt where labels are numbers",
    Labels,
    is_at=lambda root: root.is_dir() and bool(_lists(root)),
    splits_at=_splits,
    opens=ListedLabels,
)
