"""KITTI's labels of objects, a text an image."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cvtasks.data.formats.bases.image_files import (
    ImageFiles,
    files_in_pairs,
    image_files_format,
)
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.places import Paired, files_of, paired, pairs, unread, without_image
from cvtasks.errors import Complain
from cvtasks.formats.kitti import is_kitti, parse_kitti
from cvtasks.formats.reading import UNLABELLED, read_text
from cvtasks.formats.shapes import ImageShapes

_ENDINGS = (".txt",)


class _Kitti(ImageFiles[Paired]):
    """How KITTI's files are read: `image_2/` and `label_2/`, or `images/` and `labels/`, with a
    folder for each split or none.

    The types of objects are the classes, all but `DontCare`: that is a crowd of every class, a
    region where nothing is to be found, nor counted against whoever finds it.
    """

    def splits(self, root: Path) -> dict[str, Paired]:
        """The splits; KITTI's own `training` is all there is, as its `testing` has no labels."""
        splits = paired(root, _ENDINGS)
        return {"": splits["training"]} if list(splits) == ["training"] else splits

    def files(self, found: Paired) -> Iterator[Path]:
        """The files of a split."""
        return files_in_pairs(found)

    def parse(self, path: str) -> ImageShapes:
        """What a file holds."""
        return parse_kitti(read_text(Path(path)), path)

    def notes(self, images: Sequence[Path], root: Path) -> tuple[str, ...]:
        """Labels that no split has."""
        return unread(root, _ENDINGS, _is_kitti)

    def pairs(self, found: Paired, complain: Complain) -> Iterator[tuple[Path, ImageShapes]]:
        """Each image and what its file holds."""
        for image, file in pairs(found, complain):
            if image is None:
                if file and _is_kitti(file):
                    complain(without_image(file))
            elif file is None:
                yield image, ImageShapes(image.name, str(image), remarks=(UNLABELLED,))
            else:
                yield image, replace(self.parsed(file), image=image.name)


def _is_kitti(file: Path) -> bool:
    return is_kitti(next(iter(first_lines(file, 1)), ""))


def _is_at(root: Path) -> bool:
    if not root.is_dir():
        return False
    files = files_of(root, _ENDINGS)
    firsts = (lines[0] for lines in (first_lines(file, 1) for file in files) if lines)
    return is_kitti(next(firsts, ""))


KITTI = image_files_format(
    _Kitti(),
    "KITTI",
    "image_2/ and label_2/, perhaps in training/, or images/ and labels/ with KITTI's lines",
    _is_at,
)
