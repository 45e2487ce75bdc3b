"""KITTI's labels of objects, a text an image."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.shapes import Collection, ShapesSource, classes_in
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.places import Paired, files_of, paired, pairs, without_image
from cvtasks.data.source import Source, check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.kitti import is_kitti, parse_kitti
from cvtasks.formats.reading import UNLABELLED, read_text
from cvtasks.formats.shapes import ImageShapes

_ENDINGS = (".txt",)


def collect_kitti(root: Path, split: str, complain: Complain = strictly) -> Collection:
    """The images of a split, with what KITTI's files hold of them: `image_2/` and `label_2/`, or
    `images/` and `labels/`, with a folder for each split or none.

    An image without a file has no objects. The classes are those of a `classes.txt` at the root,
    one a line, or all types but `DontCare`, sorted. A `DontCare` is a crowd of every class: a
    region where nothing is to be found, nor counted against whoever finds it.

    Raises:
        DataError: there is no such split, or no image.
    """
    splits = _splits(root)
    split = check_split(split, splits, root)
    images: list[Path] = []
    entries: list[ImageShapes] = []
    for image, file in pairs(splits[split], complain):
        if image is None:
            if file and is_kitti(next(iter(first_lines(file, 1)), "")):
                complain(without_image(file))
            continue
        images.append(image)
        entries.append(
            replace(_read(file), image=image.name)
            if file
            else ImageShapes(image.name, str(image), remarks=(UNLABELLED,))
        )
    every = (entry for one in splits.values() for entry in _entries(one))
    classes, taken_for = classes_in(root, (), every)
    found = Collection(root, split, images, entries, classes, taken_for)
    return found.kept(f'"{split}" of {str(root)!r}' if split else repr(str(root)), complain)


def _splits(root: Path) -> dict[str, Paired]:
    """The splits; KITTI's own `training` is all there is, as its `testing` has no labels."""
    splits = paired(root, _ENDINGS)
    return {"": splits["training"]} if list(splits) == ["training"] else splits


def _entries(found: Paired) -> Iterator[ImageShapes]:
    """What the files of a split hold; those that cannot be read are faults where they are read."""
    for file in (one for files in found.annotations.values() for one in files):
        try:
            yield _read(file)
        except DataError:
            continue


def _read(path: Path) -> ImageShapes:
    status = path.stat()
    return _parsed(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1 << 16)
def _parsed(path: str, changed: int, size: int) -> ImageShapes:
    """What one file holds; `changed` and `size` tell it from what it was before."""
    return parse_kitti(read_text(Path(path)), path)


def _is_at(root: Path) -> bool:
    if not root.is_dir():
        return False
    files = files_of(root, _ENDINGS)
    firsts = (lines[0] for lines in (first_lines(file, 1) for file in files) if lines)
    return is_kitti(next(firsts, ""))


def _opens(root: Path, split: str, complain: Complain) -> Source:
    return ShapesSource(collect_kitti(root, split, complain), complain)


KITTI = Format(
    "KITTI",
    "image_2/ and label_2/, perhaps in training/, or images/ and labels/ with KITTI's lines",
    Boxes,
    is_at=_is_at,
    splits_at=lambda root: tuple(_splits(root)),
    opens=_opens,
)
