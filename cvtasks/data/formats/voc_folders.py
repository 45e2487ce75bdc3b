"""Pascal VOC's XML without the folders of its devkit: as labelImg and others leave it."""

from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Doubt, Format
from cvtasks.data.formats.bases import distinct
from cvtasks.data.formats.kinds import xml_kind
from cvtasks.data.formats.listing import images_in
from cvtasks.data.formats.places import Paired, files_of, paired, pairs, unread, without_image
from cvtasks.data.formats.voc_files import VOCFiles
from cvtasks.data.formats.voc_names import broken_among, classes_of, names_in, unknown
from cvtasks.data.source import check_split, present, split_among
from cvtasks.errors import Complain, strictly

_ENDINGS = (".xml",)


class VOCFolders(VOCFiles):
    """Images and XML files beside each other, or in folders of their own (`images/`,
    `annotations/`), with a folder for each split on either level or none; or in folders of any
    name, below one with a `classes.txt`.

    An image belongs to the XML file of its own name; one without has no objects. The classes are
    concluded as for the devkit (`cvtasks.data.formats.voc_names.classes_of`), from the XML files of
    the split "train" where there is one, else from all.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        splits = paired(root, _ENDINGS, _has_image)
        self.split = split = check_split(split, splits, root)
        images: list[Path] = []
        annotations: list[Path | None] = []
        for image, file in pairs(splits[split], complain):
            if image is None:
                complain(without_image(file))
            else:
                images.append(image)
                annotations.append(file)
        what = f'"{split}" of {str(root)!r}' if split else repr(str(root))
        kept = present(what, {"image": images}, complain)
        self.images = [images[index] for index in kept]
        self._annotations = [annotations[index] for index in kept]
        beside = {image.stem for image in self.images} | {image.name for image in self.images}
        self._beside = [beside] * len(self.images)
        self.names = distinct(self.images, root)
        train = split_among("train", splits)
        learned = [splits[train]] if train else list(splits.values())
        files = [file for one in learned for file in _files(one)]
        self.classes, self.taken_for = classes_of(
            {root}, names_in(files), "the XML files", own=False, broken=broken_among(files)
        )
        self.notes = (*self.notes, *unread(root, _ENDINGS, _is_voc, _has_image))
        for error in unknown(names_in(filter(None, self._annotations)), self.classes):
            complain(error)


def _files(found: Paired) -> list[Path]:
    return [file for files in found.annotations.values() for file in files]


def _is_voc(file: Path) -> bool:
    return xml_kind(file) == "annotation"


def _is_at(root: Path) -> bool:
    if not root.is_dir() or (root / "JPEGImages").is_dir():
        return False
    return any(map(_is_voc, files_of(root, _ENDINGS, _has_image)))


def _has_image(file: Path) -> bool:
    """Whether a file is Pascal VOC's, and an image of its name lies beside it."""
    stems = {image.stem for image in images_in(file.parent)}
    return file.stem in stems and _is_voc(file)


def _doubt(root: Path) -> Doubt:
    """More of it where files lie in folders of any name alone, which may be classes."""
    near = any(map(_is_voc, files_of(root, _ENDINGS)))
    return Doubt.NONE if near else Doubt.OTHERS_TELL_MORE


VOC_FOLDERS = Format(
    "Pascal VOC XML",
    "images and an XML for each, beside them or in folders of their own, perhaps in <split>/",
    Boxes,
    is_at=_is_at,
    doubt=_doubt,
    splits_at=lambda root: tuple(paired(root, _ENDINGS, _has_image)),
    opens=VOCFolders,
)
