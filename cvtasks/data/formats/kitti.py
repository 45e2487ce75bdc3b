"""KITTI's labels of objects, a text an image."""

from dataclasses import replace
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.image_files import all_parsed, parsed
from cvtasks.data.formats.bases.shapes import Collection, ShapesSource, classes_in
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.places import Paired, files_of, paired, pairs, without_image
from cvtasks.data.source import Source, check_split
from cvtasks.errors import Complain, strictly
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
            replace(parsed(file, _parse), image=image.name)
            if file
            else ImageShapes(image.name, str(image), remarks=(UNLABELLED,))
        )
    every = all_parsed(splits.values(), _parse)
    classes, taken_for = classes_in(root, (), every)
    found = Collection(root, split, images, entries, classes, taken_for)
    return found.kept(f'"{split}" of {str(root)!r}' if split else repr(str(root)), complain)


def _splits(root: Path) -> dict[str, Paired]:
    """The splits; KITTI's own `training` is all there is, as its `testing` has no labels."""
    splits = paired(root, _ENDINGS)
    return {"": splits["training"]} if list(splits) == ["training"] else splits


def _parse(path: str) -> ImageShapes:
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
