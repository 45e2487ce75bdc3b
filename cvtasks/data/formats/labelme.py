"""LabelMe JSON, a file an image."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cvtasks.data.format import Doubt
from cvtasks.data.formats.bases import class_names
from cvtasks.data.formats.bases.image_files import (
    ImageFiles,
    files_in_pairs,
    image_files_format,
)
from cvtasks.data.formats.kinds import LABELME, json_kind
from cvtasks.data.formats.listing import IMAGES
from cvtasks.data.formats.places import Paired, files_of, paired, pairs, unread
from cvtasks.errors import Complain, DataError
from cvtasks.files.cache_folder import cache_folder
from cvtasks.files.writing import write_bytes
from cvtasks.formats.labelme import embedded_image, parse_labelme
from cvtasks.formats.reading import MEGABYTE, MISLED, UNLABELLED, read_annotation
from cvtasks.formats.shapes import ImageShapes
from cvtasks.media.file_types import kind_of
from cvtasks.media.names import safe_stem
from cvtasks.media.safe_paths import no_name

_ENDINGS = (".json",)
_MOST = 128 * MEGABYTE  # a file may hold its image too
_UNPACKED = "labelme"  # the folder of images that were taken out of their files
_NO_CLASS = ("__ignore__", "_background_")  # LabelMe's, first in its lists of classes


class _LabelMe(ImageFiles[Paired]):
    """How LabelMe's files are read.

    JSON and image lie beside each other, or in folders of their own (`images/`, `annotations/`),
    with a folder for each split on either level or none; or in folders of any name, below one with
    a `classes.txt`. An image belongs to the JSON of its own
    name; a JSON without one, to the image that it names, wherever that lies, as LabelMe opens it;
    else to the image that it holds itself, which is unpacked into the folder of caches. Classes are
    listed in a `labels.txt` at the root, one a line.
    """

    def splits(self, root: Path) -> dict[str, Paired]:
        """Split → images and their files."""
        return paired(root, _ENDINGS, _has_image)

    def files(self, found: Paired) -> Iterator[Path]:
        """The files of a split."""
        return files_in_pairs(found)

    def parse(self, path: str) -> ImageShapes:
        """What a file holds."""
        return parse_labelme(read_annotation(Path(path), _MOST), path)

    def pairs(self, found: Paired, complain: Complain) -> Iterator[tuple[Path, ImageShapes]]:
        """Each image and what its file holds."""
        taken: set[Path] = set()
        alone: list[Path] = []
        for image, file in pairs(found, complain):
            if file is None:
                alone += [image] if image else []
            elif image or _is_labelme(file):
                try:
                    entry = self.parsed(file)
                    entry = _own(entry, image, file) if image else entry
                except DataError as error:
                    complain(error)
                    continue
                image = image or _named(file, entry.image)
                image = image if image.is_file() else _unpacked(file, image)
                taken.add(image)
                yield image, entry
        for image in alone:
            if image not in taken:
                yield image, ImageShapes(image.name, str(image), remarks=(UNLABELLED,))

    def listed(self, root: Path, complain: Complain) -> Iterator[str]:
        """The classes of `labels.txt`."""
        file = root / "labels.txt"
        names = class_names(file) if file.is_file() else ()
        return (name for name in names if name not in _NO_CLASS)

    def notes(self, images: Sequence[Path], root: Path) -> tuple[str, ...]:
        """How many images lie elsewhere, in sentences."""
        far = [path for path in images if not path.is_relative_to(root)]
        own = [path for path in far if path.parent.parent.name == _UNPACKED]
        named = len(far) - len(own)
        outside = f"images lie outside the data's folder, where their JSON names them: {named}"
        inside = (
            f"images were taken out of the JSON that holds them, as no file is there: {len(own)}"
        )
        said = (*([outside] if named else []), *([inside] if own else []))
        return (*said, *unread(root, _ENDINGS, _is_labelme, _has_image))


LABELME_TOOL = _LabelMe()


def _own(entry: ImageShapes, image: Path, file: Path) -> ImageShapes:
    """The entry, with a remark where it names an image that is neither its own nor there.

    Raises:
        DataError: the image that it names is there, beside its own.
    """
    named = _named(file, entry.image)
    if named.stem == image.stem:
        return entry
    for other in (named, image.parent / named.name):
        if other.is_file():
            raise DataError(
                f"an annotation must be that of the image of its name; {str(file)!r} names "
                f"{entry.image[:200]!r} as its `imagePath`, which is another image beside "
                f"{image.name!r}. Correct `imagePath`, or the file's name.",
                "another image's",
            )
    return replace(entry, remarks=(*entry.remarks, MISLED))


def _named(file: Path, name: str) -> Path:
    """The image that a file names from its own folder; else the one of that bare name beside it,
    whether it is there or not.
    """
    name = name.replace("\\", "/")
    path = Path(os.path.normpath(file.parent / name))
    if not no_name(name) and path.suffix.lower() in IMAGES and path.is_file():
        return path
    bare = Path(name).name
    return file.parent / (bare if bare and not no_name(bare) else file.with_suffix(".jpg").name)


def _unpacked(file: Path, image: Path) -> Path:
    """The image that a file holds itself, unpacked; `image` where it holds none."""
    content = embedded_image(read_annotation(file, _MOST))
    kind = kind_of(content)
    if kind is None:
        return image
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = cache_folder() / _UNPACKED / digest / f"{safe_stem(file.stem)}.{kind.lower()}"
    if not path.is_file() or path.stat().st_size != len(content):
        write_bytes(path, content)
    return path


def _is_labelme(file: Path) -> bool:
    return json_kind(file) == LABELME


def _has_image(file: Path) -> bool:
    """Whether a file is LabelMe's, and the image that it names is there."""
    try:
        return _is_labelme(file) and _named(file, LABELME_TOOL.parsed(file).image).is_file()
    except DataError:
        return False


def _is_at(root: Path) -> bool:
    return root.is_dir() and any(map(_is_labelme, files_of(root, _ENDINGS, _has_image)))


def _doubt(root: Path) -> Doubt:
    """More of it where files lie in folders of any name alone, which may be classes."""
    near = any(map(_is_labelme, files_of(root, _ENDINGS)))
    return Doubt.NONE if near else Doubt.OTHERS_TELL_MORE


LABELME_JSON = replace(
    image_files_format(
        LABELME_TOOL,
        "LabelMe JSON",
        "images and a JSON for each, beside them or in folders of their own, perhaps in <split>/",
        _is_at,
    ),
    doubt=_doubt,
)
