"""Whether YOLO's labels lie in two places that do not say the same."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cvtasks.data.formats.yolo_names import is_label
from cvtasks.data.formats.yolo_places import LabelFiles
from cvtasks.errors import DataError
from cvtasks.formats.reading import read_text


def refuse_rivals(images: Iterable[Path], labels: LabelFiles) -> None:
    """Raise a DataError where an image has labels in another folder than the one that is read, and
    none in that, or not the same.
    """
    for image in images:
        for other in labels.others(image):
            theirs = _lines(other)
            if not theirs or not any(map(is_label, theirs)):
                continue  # a caption, or something else that is no label
            own = labels.found(image)
            if own is None or theirs != _lines(own):
                folder = labels.folder(image.parent)
                what = "none" if own is None else "another one"
                raise DataError(
                    "the labels of an image must lie in one place; of the images in "
                    f"{str(image.parent)!r}, both {str(folder)!r} and {str(other.parent)!r} hold "
                    f"some, and where the second has {other.name!r}, the first has {what}. Which "
                    "are meant? Move or delete the label files of the other folder.",
                    "labels in two folders",
                )


def _lines(path: Path) -> list[str]:
    """The lines of a text, without blanks that say nothing; none where it cannot be read."""
    with suppress(DataError):  # of the one that counts it is told when its turn comes
        return [" ".join(line.split()) for line in read_text(path).splitlines() if line.strip()]
    return []
