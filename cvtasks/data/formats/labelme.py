"""LabelMe JSON, a file an image."""

import os
from collections.abc import Iterator
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import class_names
from cvtasks.data.formats.bases.image_files import all_parsed, parsed
from cvtasks.data.formats.bases.shapes import Collection, ShapesSource, classes_in
from cvtasks.data.formats.kinds import LABELME, json_kind
from cvtasks.data.formats.places import Paired, files_of, paired, pairs
from cvtasks.data.source import Source, check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.labelme import parse_labelme
from cvtasks.formats.reading import MEGABYTE, UNLABELLED, read_annotation
from cvtasks.formats.shapes import ImageShapes
from cvtasks.media.safe_paths import no_name

_ENDINGS = (".json",)
_MOST = 128 * MEGABYTE  # a file may hold its image too
_NO_CLASS = ("__ignore__", "_background_")  # LabelMe's, first in its lists of classes


def collect_labelme(root: Path, split: str, complain: Complain = strictly) -> Collection:
    """The images of a split, with what LabelMe's files hold of them.

    JSON and image lie beside each other, or in folders of their own (`images/`, `annotations/`),
    with a folder for each split on either level or none. An image belongs to the JSON of its own
    name; a JSON without one, to the image that it names. An image without a JSON has no objects.
    The classes are those of a `classes.txt` or a `labels.txt` at the root, one a line, or all
    labels, sorted.

    Raises:
        DataError: there is no such split, or no image.
    """
    splits = paired(root, _ENDINGS)
    split = check_split(split, splits, root)
    images: list[Path] = []
    entries: list[ImageShapes] = []
    for image, entry in _pairs(splits[split], root, complain):
        images.append(image)
        entries.append(entry)
    listed = root / "labels.txt"
    names = class_names(listed) if listed.is_file() else ()
    every = all_parsed(splits.values(), _parse)
    classes, taken_for = classes_in(root, (name for name in names if name not in _NO_CLASS), every)
    found = Collection(root, split, images, entries, classes, taken_for)
    return found.kept(f'"{split}" of {str(root)!r}' if split else repr(str(root)), complain)


def _pairs(found: Paired, root: Path, complain: Complain) -> Iterator[tuple[Path, ImageShapes]]:
    """Each image and what its file holds."""
    taken: set[Path] = set()
    alone: list[Path] = []
    for image, file in pairs(found, complain):
        if file is None:
            alone += [image] if image else []
        elif image or json_kind(file) == LABELME:
            try:
                entry = parsed(file, _parse)
            except DataError as error:
                complain(error)
                continue
            image = image or _named(file, entry.image, root)
            taken.add(image)
            yield image, entry
    for image in alone:
        if image not in taken:
            yield image, ImageShapes(image.name, str(image), remarks=(UNLABELLED,))


def _named(file: Path, name: str, root: Path) -> Path:
    """The image that a file names from its own folder, if that lies below the root; else the one of
    that bare name beside it, whether it is there or not.
    """
    name = name.replace("\\", "/")
    path = Path(os.path.normpath(file.parent / name))
    if not no_name(name) and path.is_relative_to(root) and path.is_file():
        return path
    bare = Path(name).name
    return file.parent / (bare if bare and not no_name(bare) else file.with_suffix(".jpg").name)


def _parse(path: str) -> ImageShapes:
    return parse_labelme(read_annotation(Path(path), _MOST), path)


def _is_at(root: Path) -> bool:
    return root.is_dir() and any(json_kind(file) == LABELME for file in files_of(root, _ENDINGS))


def _opens(root: Path, split: str, complain: Complain) -> Source:
    return ShapesSource(collect_labelme(root, split, complain), complain)


LABELME_JSON = Format(
    "LabelMe JSON",
    "images and a JSON for each, beside them or in folders of their own, perhaps in <split>/",
    Boxes,
    is_at=_is_at,
    splits_at=lambda root: tuple(paired(root, _ENDINGS)),
    opens=_opens,
)
