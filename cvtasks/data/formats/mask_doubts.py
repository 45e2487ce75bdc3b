"""What of folders of masks may be meant otherwise: another folder beside them, masks of one class
each.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvtasks.data.formats.mask_layouts import Place, folders_in, paired
from cvtasks.data.formats.mask_names import MaskPairs, matched
from cvtasks.data.formats.places import is_split
from cvtasks.errors import CVTasksError, DataError
from cvtasks.media.mask_values import packed, read_values
from cvtasks.text import some

_COMPARED = 5  # masks of a folder
_MANY = 64  # values: no mask of classes
_WORD = re.compile(r"[_. -]+([^_. -].*)")
_LABEL_STUDIO = re.compile(r"task-\d+-annotation-\d+-.*")


def refuse_rivals(place: Place) -> None:
    """Raise DataError where another folder has masks of the same images that part their pixels
    otherwise.
    """
    for part in place.parts:
        refuse_rivals(part)
    ours = _by_image(place) if place.rivals else {}
    for folder in place.rivals if ours else ():
        theirs = _by_image(Place(place.images, folder, place.deep))
        common = sorted(ours.keys() & theirs.keys())
        if 2 * len(common) < len(ours) or any("_gtFine_" in ours[one].stem for one in common):
            continue
        step = len(common) // _COMPARED + 1
        alike = [_parted_alike(ours[image], theirs[image]) for image in common[::step]]
        if None in alike or all(alike):
            continue
        raise DataError(
            "it must be clear which masks are meant; "
            f"{str(place.masks)!r} and {str(folder)!r} both have masks of the same images, and "
            "these differ. Name the folder, as the format, or move the other one away.",
            "masks unclear",
            ways={"format": f"mask-folders:{folder.name}"},
        )


def _by_image(place: Place) -> dict[Path, Path]:
    found = matched(place.image_files(), place.mask_files())
    return {image: mask for image, mask in zip(found.images, found.masks, strict=True) if mask}


def _parted_alike(one: Path, other: Path) -> bool | None:
    """Whether two masks part the pixels into the same regions, whatever their values but 0; None
    where one is no mask.
    """
    try:
        stored = read_values(one, rounding=True), read_values(other, rounding=True)
    except CVTasksError:  # no mask, or a fault which is told when its turn comes
        return None
    both = [packed(mask.values) if mask.coloured else mask.values for mask in stored]
    if both[0].shape != both[1].shape:
        return None
    counts = [len(mask.found()) for mask in stored]
    if max(counts) > _MANY:
        return None
    pairs = np.unique(both[0].astype(np.uint64) << np.uint64(32) | both[1].astype(np.uint64))
    swapped = all((mask == 0).any() for mask in both) and pairs[0] != 0
    return not swapped and len(pairs) == max(counts) == min(counts)


def refuse_parts(place: Place, found: MaskPairs) -> None:
    """Raise DataError where masks lie so that each is of one class of an image, or of a task of
    Label Studio.
    """
    for part in place.parts:
        refuse_parts(part, paired(part))
    if place.parts or place.images == place.masks:
        return
    images, masks = place.image_files(), place.mask_files()
    if masks and all(_LABEL_STUDIO.fullmatch(mask.stem) for mask in masks):
        raise DataError(
            "a mask must be called as its image; "
            f"{masks[0].name!r} has the number of a task in Label Studio. Export JSON there, and "
            "lay it beside the images: it tells which image is meant.",
            "masks by task",
        )
    classes, what = _class_folders(place.masks, images), "a folder"
    if not classes and not any(found.masks):
        classes, what = _class_words(images, masks), "a file"
    if classes:
        raise DataError(
            "a mask must hold all classes of its image; "
            f"{str(place.masks)!r} has {what} for each: {some(classes, 5)}. Join them into one "
            "mask for each image, which has at every pixel the number of its class.",
            "mask of one class",
        )


def _class_folders(masks: Path, images: Sequence[Path]) -> tuple[str, ...]:
    """The folders below one of masks, which holds none itself, in which the same images have a mask
    each.
    """
    stems = {image.stem for image in images}
    if not masks.is_dir() or any(mask.stem in stems for mask in masks.glob("*.*")):
        return ()
    found = {
        name: {path.stem for path in folder.iterdir()} & stems
        for name, folder in folders_in(masks).items()
        if not is_split(name)
    }
    counts = Counter(stem for own in found.values() for stem in own)
    return tuple(name for name, own in found.items() if any(counts[stem] > 1 for stem in own))


def _class_words(images: Sequence[Path], masks: Sequence[Path]) -> tuple[str, ...]:
    """What stands behind the names of images in those of all masks, where these are few words."""
    stems = sorted((image.stem for image in images), key=len, reverse=True)
    words = []
    for mask in masks:
        image = next((stem for stem in stems if mask.stem.startswith(stem)), "")
        match = _WORD.fullmatch(mask.stem[len(image) :]) if image else None
        if match is None:
            return ()
        words.append(match[1])
    kinds = sorted(set(words))
    return tuple(kinds) if 1 < len(kinds) < len(words) else ()
