"""Where images and their masks lie: in folders side by side, with splits above or below, or all in
one folder.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data.formats.listing import IMAGES, seen
from cvtasks.data.formats.places import is_split

_OF_IMAGES = ("images", "image", "imgs", "img", "leftimg8bit", "photos", "originals", "original")
_OF_MASKS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "ann", "anns", "annots"),
    *("gt", "gtfine", "ground_truth", "groundtruth", "segmentation", "segmentations", "seg"),
    *("labels_png", "masks_machine", "targets", "target"),
)
_BESIDE = re.compile(
    r"[_-]?(annot|annotations?|labels?|masks?|gt|seg|segmentations?)", re.IGNORECASE
)  # what the folder of masks has behind the name of that of images: train, trainannot
_IMAGE_BESIDE = re.compile(r"(.+?)[_-](images?|imgs?)", re.IGNORECASE)
_IMAGE_BEFORE = re.compile(r"(images?|imgs?)[_-](.+)", re.IGNORECASE)
_MASK_SIGNS = (
    *("_gtFine_labelTrainIds", "_gtFine_labelIds", "_labelTrainIds", "_labelIds"),
    *("_masks", "_mask", "-mask", ".mask", "_gt", "_labels", "_label", "_lbl", "_segmentation"),
    *("_seg", "_annotation", "_annot", "_target", "_L", "_P"),
)
_IMAGE_SIGNS = ("_leftImg8bit", "_image", "_img", "_sat", "_rgb")
_FRONTS = ("mask_", "label_", "gt_", "seg_"), ("image_", "img_")
_LOOKED_AT, _TRIED = 20, 5  # masks, and what is around the stems in them, the most frequent first
_OTHERS = re.compile(r"_(color|instanceIds|instanceTrainIds)$")  # of Cityscapes, beside the ids


@dataclass(frozen=True)
class Place:
    """Where the images and the masks of a split lie, which may be one folder; `deep`: in folders
    below, such as those of cities.
    """

    images: Path
    masks: Path
    deep: bool = False

    def image_files(self) -> list[Path]:
        """The files of images, sorted."""
        files = _files(self.images, self.deep)
        return files if self.images != self.masks else [one for one, _ in _together(files)]

    def mask_files(self) -> list[Path]:
        """The files of masks, sorted; of Cityscapes' those of training ids, else of ids."""
        files = _files(self.masks, self.deep)
        if self.images == self.masks:
            return [mask for _, mask in _together(files)]
        files = [file for file in files if not _OTHERS.search(file.stem)]
        for sign in ("_labelTrainIds", "_labelIds"):
            chosen = [file for file in files if file.stem.endswith(sign)]
            if chosen:
                return chosen
        return files


def mask_places(root: Path) -> dict[str, Place]:
    """Split → where it lies; empty where there is no such layout. One empty name stands for all
    where there are no splits.
    """
    if not root.is_dir():
        return {}
    folders = _folders(root)
    pair = _pair(folders)
    if pair:
        images, masks = pair
        below = _folders(images)
        if _files(images) or not below:
            return {"": Place(images, _only_below(masks))}
        return {name: Place(images / name, masks / name, deep=True) for name in below}
    splits = {name: one for name, one in folders.items() if is_split(name)}
    inside = {name: _pair(_folders(folder)) for name, folder in splits.items()}
    found = {name: Place(*pair, deep=True) for name, pair in inside.items() if pair}
    found = found or dict(_side_by_side(folders))
    if found:
        return found
    for name, folder in {"": root, **splits}.items():
        if _mostly_together(_files(folder)):
            found[name] = Place(folder, folder)
            if not name:
                break
    return found


def pairs(place: Place) -> tuple[list[Path], list[Path | None], list[Path]]:
    """The images of a split, the mask of each or None, and the masks without an image."""
    images, masks = place.image_files(), place.mask_files()
    exact = {mask.stem: mask for mask in masks}
    whole = {mask.stem: mask for mask in masks if Path(mask.stem).suffix.lower() in IMAGES}
    bare: dict[str, Path] = {}
    for mask in masks:
        bare.setdefault(_bare(mask.stem, _MASK_SIGNS, _FRONTS[0]), mask)
    found: list[Path | None] = []
    for image in images:
        plain = _bare(image.stem, _IMAGE_SIGNS, _FRONTS[1])
        found.append(
            exact.get(image.stem)
            or whole.get(image.name)
            or bare.get(image.stem)
            or bare.get(image.name)
            or bare.get(plain)
        )
    if not any(found) and (around := _around(images, masks)):
        front, back = around
        found = [exact.get(f"{front}{image.stem}{back}") for image in images]
    taken = set(found)
    return images, found, [mask for mask in masks if mask not in taken]


def _around(images: list[Path], masks: list[Path]) -> tuple[str, str] | None:
    """What all masks have before and behind the stem of an image, where that is the same for all:
    `tier_` and nothing, of `tier_1.png` for `1.jpg`.
    """
    stems = {image.stem for image in images}
    seen = Counter(
        tuple(mask.stem.split(stem, 1))
        for mask in masks[:_LOOKED_AT]
        for stem in stems
        if stem in mask.stem
    )
    for (front, back), _ in seen.most_common(_TRIED):
        within = re.compile(f"{re.escape(front)}(.+){re.escape(back)}")
        inner = [match[1] if (match := within.fullmatch(mask.stem)) else "" for mask in masks]
        if stems.issuperset(inner):
            return front, back
    return None


def _pair(folders: dict[str, Path]) -> tuple[Path, Path] | None:
    """The folder of images and that of masks among these, if masks are images too."""
    known = {name.casefold(): folder for name, folder in folders.items()}
    for images in (known[name] for name in _OF_IMAGES if name in known):
        for name in _OF_MASKS:
            if name in known and (_first(known[name]) or name in ("masks", "mask")):
                return images, known[name]
    return None


def _only_below(masks: Path) -> Path:
    """The only folder of masks below one that holds none, `annotations/trimaps`; else that one."""
    below = [folder for folder in _folders(masks).values() if _files(folder)]
    return below[0] if len(below) == 1 and not _files(masks) else masks


def _side_by_side(folders: dict[str, Path]) -> Iterator[tuple[str, Place]]:
    """`train` and `trainannot`, `val_images` and `val_masks`, `images_val` and `masks_val`."""
    for name, folder in folders.items():
        for other, masks in folders.items():
            if other.casefold() == name.casefold() or not _first(folder) or not _first(masks):
                continue
            behind, before = _IMAGE_BESIDE.fullmatch(name), _IMAGE_BEFORE.fullmatch(name)
            base = behind[1] if behind else name
            if other.startswith(base) and _BESIDE.fullmatch(other[len(base) :]):
                yield base, Place(folder, masks)
            elif before and other.endswith(before[2]):
                front = other.removesuffix(before[2]).rstrip("_-")
                if front.casefold() in _OF_MASKS:
                    yield before[2], Place(folder, masks)


def _together(files: list[Path]) -> list[tuple[Path, Path]]:
    """The images and masks of one folder: `a.jpg` with `a_mask.png`, or with `a.png`."""
    by_bare: dict[str, Path] = {}
    for file in files:
        bare = _bare(file.stem, _MASK_SIGNS[4:], _FRONTS[0])
        if bare != file.stem:
            by_bare.setdefault(bare, file)
    signed = set(by_bare.values())
    found = []
    for file in files:
        if file in signed:
            continue
        plain = _bare(file.stem, _IMAGE_SIGNS, _FRONTS[1])
        mask = by_bare.get(file.stem) or by_bare.get(file.name) or by_bare.get(plain)
        if mask:
            found.append((file, mask))
    if found:
        return found
    lossless = {file.stem: file for file in files if file.suffix.lower() in (".png", ".bmp")}
    photos = [file for file in files if file.suffix.lower() in (".jpg", ".jpeg")]
    if len(photos) == len(lossless) and all(file.stem in lossless for file in photos):
        return [(file, lossless[file.stem]) for file in photos]
    return []


def _mostly_together(files: list[Path]) -> bool:
    """Whether most of the files of a folder are an image or its mask; a few may lack the other."""
    return 4 * len(_together(files)) > len(files)


def _bare(stem: str, signs: tuple[str, ...], fronts: tuple[str, ...]) -> str:
    """A stem without what says that it is a mask, or an image."""
    for sign in signs:
        if len(stem) > len(sign) and stem.casefold().endswith(sign.casefold()):
            return stem[: -len(sign)]
    for front in fronts:
        if len(stem) > len(front) and stem.casefold().startswith(front):
            return stem[len(front) :]
    return stem


def _folders(folder: Path) -> dict[str, Path]:
    return {
        child.name: child for child in sorted(folder.iterdir()) if child.is_dir() and seen(child)
    }


def _files(folder: Path, deep: bool = False) -> list[Path]:
    """The files of images or masks in a folder, sorted; those of its folders too if `deep`."""
    if not folder.is_dir():
        return []
    entries = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in entries if file.suffix.lower() in IMAGES and seen(file, folder))


def _first(folder: Path) -> Path | None:
    """A file of an image or a mask in a folder or below it, if there is one."""
    return next(
        (
            file
            for file in folder.rglob("*")
            if file.suffix.lower() in IMAGES and seen(file, folder)
        ),
        None,
    )
