"""Pascal VOC's folders and lists: which image, annotation or mask a line means."""

import re
from collections.abc import Container
from functools import cached_property
from pathlib import Path

from cvtasks.data.formats.listing import files_in, images_in, seen
from cvtasks.errors import Complain, CVTasksError, DataError
from cvtasks.formats.reading import read_annotation, read_text
from cvtasks.formats.voc import voc_filename
from cvtasks.media.safe_paths import no_name

_FLAGGED = re.compile(
    r"(.*\S)\s+[-+]?[01]"
)  # a line of a class's list: 1 shows it, -1 does not, 0 is difficult


class Stored:
    """The images of a year, and its annotations, by their stems; looked for when they are asked
    for.

    Args:
        folder: of the images; JPEGImages by default.
    """

    def __init__(self, year: Path, folder: Path | None = None) -> None:
        self.year, self.folder = year, folder or year / "JPEGImages"

    @cached_property
    def images(self) -> dict[str, list[Path]]:
        """Stem → the images that have it."""
        found: dict[str, list[Path]] = {}
        for file in images_in(self.folder) if self.folder.is_dir() else ():
            found.setdefault(file.stem, []).append(file)
        return found

    @cached_property
    def names(self) -> set[str]:
        """The names of the images, with their endings."""
        return {file.name for files in self.images.values() for file in files}

    @cached_property
    def annotations(self) -> dict[str, Path]:
        """Stem → XML file."""
        return by_stem(self.year / "Annotations", ".xml")

    def annotation(self, name: str) -> Path:
        """The XML file of what a list names, whether it is there or not."""
        stem = self.stem(name)
        return self.annotations.get(stem, self.year / "Annotations" / f"{stem}.xml")

    def __contains__(self, name: object) -> bool:
        """Whether there is an image of that name, with or without its ending."""
        return name in self.images or name in self.names

    def stem(self, name: str) -> str:
        """The stem of what a list names, which may have an ending."""
        return Path(name).stem if name not in self.images and name in self.names else name

    def image(self, name: str, annotation: Path | None, complain: Complain) -> Path | None:
        """The image that a list names; where several have its stem, the one that the annotation
        names.

        Args:
            complain: about a name that several images have. If it returns, so does this: None.
        """
        if name not in self.images:
            return self.folder / (name if name in self.names else f"{name}.jpg")
        files = self.images[name]
        if len(files) == 1:
            return files[0]
        named = _named(annotation)
        own = [file for file in files if file.name == named]
        if own:
            return own[0]
        complain(
            DataError(
                "every name must be that of one image; "
                f"{' and '.join(repr(file.name) for file in files)} of {str(self.folder)!r} "
                f"share {name!r}. Remove one, or write the one that is meant into the list, with "
                "its ending.",
                "images share a name",
            )
        )
        return None


def names_of(path: Path, known: Container[str]) -> list[str]:
    """The names in a list. A line is a name, spaces and all, or, in a class's list, a name and -1,
    0 or 1.

    Args:
        known: the names there are. A line that is one of them is that one.

    Raises:
        DataError: a line is no bare name, or may be either.
    """
    lines = [line for line in re.split(r"\r\n|\n|\r", read_text(path)) if line.strip()]
    flagged = [_FLAGGED.fullmatch(line.strip()) for line in lines]
    wholes = [next((text for text in (line, line.strip()) if text in known), "") for line in lines]
    firsts = [found[1] if found else "" for found in flagged]
    of_class = all(flagged) and not all(wholes)  # where all lines are names as they stand, they are
    names = []
    for line, whole, first in zip(lines, wholes, firsts, strict=True):
        if of_class and whole and first in known:
            raise DataError(
                f"a line must be the name of an image, or its name and -1, 0 or 1; {line!r} of "
                f"{str(path)!r} may be either, as "
                f"there are images {whole!r} and {first!r}. Rename one.",
                "name unclear",
            )
        names.append(whole or (first if of_class else line.strip()))
    outside = [
        name for name in names if Path(name).name != name or name == ".." or no_name(f"{name}.jpeg")
    ]
    if outside:
        raise DataError(
            f"a line of {str(path)!r} must be the bare name of an image; got {outside[0][:300]!r}. "
            "Write it without folders."
        )
    return names


def image_folders(root: Path) -> list[Path]:
    """The folders that may be meant by JPEGImages: itself, or those which hold images of the names
    of masks, the one of the data set among them.
    """
    usual = root / "JPEGImages"
    if usual.is_dir() or not root.is_dir():
        return [usual] if usual.is_dir() else []
    of_masks = (root / "SegmentationClass", root / "SegmentationClassAug")
    masks = {stem for folder in of_masks for stem in by_stem(folder, ".png")}
    if not masks:
        return []
    folders = [root, *(one for one in sorted(root.iterdir()) if one.is_dir() and _is_other(one))]
    return [one for one in folders if any(image.stem in masks for image in images_in(one))]


def _is_other(folder: Path) -> bool:
    """Whether a folder is none that Pascal VOC, or LabelMe's script for it, has beside images."""
    return seen(folder) and not folder.name.startswith("Segmentation")


def by_stem(folder: Path, ending: str) -> dict[str, Path]:
    """Stem → file of those in a folder that have an ending, however it is spelt."""
    return {file.stem: file for file in files_in(folder, ending)}


def _named(annotation: Path | None) -> str:
    """The name of its image that an annotation gives; empty where it cannot be read, which is told
    when its turn comes.
    """
    try:
        return voc_filename(read_annotation(annotation), "") if annotation else ""
    except CVTasksError:
        return ""
