"""Objects of one class, such as cells: an image of their numbers beside each image, or a mask for
each object.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cvtasks.answers import Instances
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth, class_names, distinct
from cvtasks.data.formats.bases.mask_files import black_and_white
from cvtasks.data.formats.bases.numbered import read_numbers
from cvtasks.data.formats.listing import IMAGES, seen
from cvtasks.data.formats.mask_layouts import Place, mask_places, paired
from cvtasks.data.formats.mask_lists import listed_in, split_at, with_lists
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import Size
from cvtasks.formats.object_masks import SAME, TINY
from cvtasks.formats.reading import UNLABELLED
from cvtasks.geometry.rle import encode_rle
from cvtasks.media.images import image_size

_NAMES, _CLASS, _GROUND = "classes.txt", "object", "background"
_UNNAMED = (
    f'nothing says what is numbered, so its one class is called "{_CLASS}"; a {_NAMES} of one line '
    "says it"
)


def one_class(root: Path) -> tuple[tuple[str, ...], str]:
    """The one class of a `classes.txt`, and what was concluded where there is none, in a sentence.

    Raises:
        DataError: it names several.
    """
    path = root / _NAMES
    if not path.is_file():
        return (_CLASS,), _UNNAMED
    names = tuple(name for name in class_names(path) if name.casefold() != _GROUND)
    if len(names) != 1:
        raise DataError(
            "numbers tell objects of one class apart; "
            f"{str(path)!r} names {len(names)}. Masks whose values are classes are for "
            "segmentation; objects of several classes are told by COCO's JSON or Pascal VOC's "
            "SegmentationObject.",
            "classes of a label map",
        )
    return names, ""


class LabelMaps(BoxesSource):
    """Images and, for each, one of its objects' numbers, of 8 or 16 bits, or of a colour each; 0,
    or black, is background. Where they lie is as for masks (`cvtasks.data.formats.mask_layouts`).

    Raises:
        DataError: masks hold 0 and 255 alone, so that nothing tells objects apart.
    """

    kind = Instances

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        self.split, place = split_at(_places(root), split, root)
        found, notes = listed_in(paired(place), place, self.split, root, complain)
        for error in found.complaints(place.masks):
            complain(error)
        self.notes = (*place.notes, *found.notes, *notes)
        images = found.images
        listed = [mask or place.missing(one) for one, mask in zip(images, found.masks, strict=True)]
        kept = present(f"{str(place.images)!r}", {"image": images, "mask": listed}, complain)
        self.images, self._masks = ([files[index] for index in kept] for files in (images, listed))
        self.names = distinct(self.images, root)
        self.classes, self.taken_for = one_class(root)
        if black_and_white(self._masks):
            raise DataError(
                "an image of numbers tells objects apart; those of "
                f"{str(place.masks)!r} hold 0 and 255 alone. Give each object a number of its own, "
                "or train segmentation.",
                "binary masks",
            )

    def _declared(self, index: int) -> Size | None:
        height, width = image_size(self._masks[index])
        return float(height), float(width)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        numbers, remarks = read_numbers(self._masks[index], frame, self._habit)
        planes = [numbers == number for number in np.unique(numbers[numbers > 0])]
        return Instances.of(planes, [0] * len(planes), self.classes, frame.size), remarks


def _places(root: Path) -> dict[str, Place]:
    """Split → where it lies."""
    return with_lists(mask_places(root), root)


LABEL_MAPS = Format(
    "label maps",
    "images/[SPLIT/] and masks/[SPLIT/] of numbers of objects, or SPLIT/images/ and SPLIT/masks/, "
    "or a.jpg and a_masks.png",
    Instances,
    is_at=lambda root: not _files(root) and any(p.mask_files() for p in mask_places(root).values()),
    splits_at=lambda root: tuple(_places(root)),
    opens=LabelMaps,
)


class ObjectMasks(BoxesSource):
    """Images with a mask for each object, whatever is not 0 there: in the folder of each image (the
    Data Science Bowl of 2018), `NAME/images/` holds it and `NAME/masks/` those of its objects; or
    `masks/NAME/` those of `images/NAME.png`. Folders above may be splits.

    Objects that no pixel shows are passed over, and of equal ones all but one, with a remark. Masks
    in JPEG are read where they hold black and one other level.
    """

    kind = Instances

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        splits = _files(root)
        self.split = split = check_split(split, splits, root)
        found = splits[split]
        images = [image for image, _ in found]
        kept = present(repr(str(root / split)), {"image": images}, complain)
        self.images = [images[index] for index in kept]
        self._masks = [found[index][1] for index in kept]
        self.names = distinct(self.images, root)
        self.classes, self.taken_for = one_class(root)

    def _declared(self, index: int) -> Size | None:
        if not self._masks[index]:
            return None
        height, width = image_size(self._masks[index][0])
        return float(height), float(width)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        masks: dict[bytes, None] = {}
        remarks: list[str] = [] if self._masks[index] else [UNLABELLED]
        for path in self._masks[index]:
            try:
                numbers, turned = read_numbers(path, frame, self._habit, rounding=True)
            except DataError as error:
                complain(error)
                continue
            plane = numbers > 0
            runs = str(encode_rle(plane)["counts"]).encode("ascii")
            remarks += turned
            if not plane.any() or runs in masks:
                remarks.append(SAME if runs in masks else TINY)
            else:
                masks[runs] = None
        found = Instances.of(list(masks), [0] * len(masks), self.classes, frame.size)
        return found, tuple(remarks)


def _files(root: Path) -> dict[str, list[tuple[Path, list[Path]]]]:
    """Split → its images with the masks of their objects; empty where nothing lies so."""
    if not root.is_dir():
        return {}
    found = _of_folder(root)
    if found:
        return {"": found}
    below = {folder.name: _of_folder(folder) for folder in _folders(root)}
    return {name: images for name, images in below.items() if images}


def _of_folder(folder: Path) -> list[tuple[Path, list[Path]]]:
    """The images of one split with their objects' masks."""
    images, masks = folder / "images", folder / "masks"
    if images.is_dir() and masks.is_dir():
        own = {one.name: one for one in _folders(masks) if not is_split(one.name)}
        files = _images(images)
        if own and any(file.stem in own for file in files):
            return [(file, _images(own[file.stem]) if file.stem in own else []) for file in files]
        return []
    found = []
    for child in _folders(folder):
        inside = _images(child / "images")
        if len(inside) == 1 and not is_split(child.name) and (child / "masks").is_dir():
            found.append((inside[0], _images(child / "masks")))
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and seen(child))


def _images(folder: Path) -> list[Path]:
    files: Iterable[Path] = folder.iterdir() if folder.is_dir() else ()
    return sorted(file for file in files if file.suffix.lower() in IMAGES and seen(file))


OBJECT_MASKS = Format(
    "a mask for each object",
    "NAME/images/NAME.png and NAME/masks/*.png, or images/NAME.png and masks/NAME/*.png",
    Instances,
    is_at=lambda root: bool(_files(root)),
    splits_at=lambda root: tuple(_files(root)),
    opens=ObjectMasks,
)
