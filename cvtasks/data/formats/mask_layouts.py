"""Where images and their masks lie: in folders side by side, with splits above or below, or all in
one folder.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cvtasks.data.formats.listing import IMAGES, seen
from cvtasks.data.formats.mask_names import MaskPairs, matched, together, united
from cvtasks.data.formats.places import is_split, undivided_below

_OF_IMAGES = (
    *("images", "image", "imgs", "img", "leftimg8bit", "photos", "originals", "original"),
    *("img_dir", "image_dir", "inputs", "input"),
)
_OF_MASKS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "ann", "anns", "annots"),
    *("gt", "gtfine", "ground_truth", "groundtruth", "ground truth", "ground-truth"),
    *("ground_truths", "groundtruths", "segmentation", "segmentations", "seg"),
    *("labels_png", "masks_machine", "targets", "target", "ann_dir", "mask_dir", "label_dir"),
)
_BESIDE = re.compile(
    r"[_-]?(annot|annotations?|labels?|masks?|gt|seg|segmentations?)", re.IGNORECASE
)  # what the folder of masks has behind the name of that of images: train, trainannot
_IMAGE_BESIDE = re.compile(r"(.+?)[_-](images?|imgs?)", re.IGNORECASE)
_IMAGE_BEFORE = re.compile(r"(images?|imgs?)[_-](.+)", re.IGNORECASE)
ALIKE = ("train", "training"), ("val", "valid", "validation"), ("test", "testing")
"""Names of one split."""
_OTHERS = re.compile(r"_(color|instanceIds|instanceTrainIds)$")  # of Cityscapes, beside the ids


@dataclass(frozen=True)
class Place:
    """Where the images and the masks of a split lie, which may be one folder.

    Attributes:
        deep: in folders below too, such as those of cities.
        unread: folders of images beside these that are not read.
        rivals: folders beside that of masks in which others may lie.
        lists: split → its list of images, where such lists alone tell splits. rest: the split of
            the images in no list; none where they are not read.
        parts: where it lies in several folders, each of these.
        said: what was settled, in sentences.
    """

    images: Path
    masks: Path
    deep: bool = False
    unread: tuple[Path, ...] = ()
    rivals: tuple[Path, ...] = ()
    lists: Mapping[str, Path] = field(default_factory=dict)
    rest: str = ""
    parts: tuple["Place", ...] = ()
    said: tuple[str, ...] = ()

    def image_files(self) -> list[Path]:
        """The files of images, sorted, whether they have a mask or not."""
        if self.parts:
            return [file for part in self.parts for file in part.image_files()]
        files = _files(self.images, self.deep)
        return files if self.images != self.masks else together(files).images

    def mask_files(self) -> list[Path]:
        """The files of masks, sorted; of Cityscapes' those of training ids, else of ids."""
        if self.parts:
            return [file for part in self.parts for file in part.mask_files()]
        files = _files(self.masks, self.deep)
        if self.images == self.masks:
            return [mask for mask in together(files).masks if mask]
        files = [file for file in files if not _OTHERS.search(file.stem)]
        for sign in ("_labelTrainIds", "_labelIds"):
            chosen = [file for file in files if file.stem.endswith(sign)]
            if chosen:
                return chosen
        return files

    def missing(self, image: Path) -> Path:
        """Where the mask of an image that has none might lie."""
        for part in self.parts:
            if image.is_relative_to(part.images):
                return part.missing(image)
        sign = "_mask" if self.images == self.masks else ""
        return self.masks / f"{image.stem}{sign}.png"

    @property
    def notes(self) -> tuple[str, ...]:
        """How many images lie beside what is read, and what was settled, in sentences."""
        around = (self.images, *self.images.parents)
        counts = {folder: len(_files(folder, folder not in around)) for folder in self.unread}
        unread = (
            f"images in {str(folder)!r} were not read, as no masks lie beside them in the same "
            f"way: {count}"
            for folder, count in counts.items()
            if count
        )
        return (*unread, *self.said)


def joined(places: Mapping[str, Place]) -> Place:
    """All of these in one place."""
    parts = tuple(places.values())
    if len(parts) == 1:
        return parts[0]
    images, masks = (
        Path(os.path.commonpath([getattr(part, role) for part in parts]))
        for role in ("images", "masks")
    )
    unread = dict.fromkeys(folder for part in parts for folder in part.unread)
    return Place(images, masks, True, tuple(unread), parts=parts)


def mask_places(root: Path, named: str = "") -> dict[str, Place]:
    """Split → where it lies; empty where there is no such layout. One empty name stands for all
    where there are no splits.

    Args:
        named: the folder of masks, where it is said which it is.
    """
    if not root.is_dir():
        return {}
    folders = folders_in(root)
    pair = _pair(folders, named)
    if pair:
        return below(*pair, _beside(folders, *pair) if not named else ())
    splits = {name: one for name, one in folders.items() if is_split(name)}
    inside = {name: _pair(folders_in(folder), named) for name, folder in splits.items()}
    lost = tuple(folder for name, folder in splits.items() if not inside[name] and _first(folder))
    found = {
        name: Place(
            *pair, True, lost, _beside(folders_in(splits[name]), *pair) if not named else ()
        )
        for name, pair in inside.items()
        if pair
    }
    if found or named:
        return found
    found = dict(_side_by_side(folders))
    if found:
        return found
    for name, folder in {"": root, **splits}.items():
        if _mostly_together(_files(folder)):
            found[name] = Place(folder, folder)
            if not name:
                break
    deep = () if found and "" not in found else _deep(root)
    parts = {str(folder): Place(folder, folder) for folder in deep} | found
    return {"": joined(parts)} if deep else found


def _deep(root: Path) -> tuple[Path, ...]:
    """The folders of any name below a root in which images and their masks lie together, the
    deepest first, so that the first around a file is its own.
    """
    every = sorted((folder for folder, _ in undivided_below(root)), reverse=True)
    return tuple(folder for folder in every if _mostly_together(_files(folder)))


def below(images: Path, masks: Path, rivals: tuple[Path, ...]) -> dict[str, Place]:
    """The splits of a folder of images and one of masks: their folders, or all."""
    below = folders_in(images)
    twins = {name: twin for name in below if (twin := _twin(masks, name))}
    if not _files(images) or any(is_split(name) for name in twins):
        stray = (images,) if _files(images) else ()
        splits = {
            name: Place(
                one,
                twins.get(name, masks / name),
                deep=True,
                unread=stray,
                rivals=tuple(twin for other in rivals if (twin := _twin(other, name))),
            )
            for name, one in below.items()
            if not stray or name in twins
        }
        return splits or {"": Place(images, _only_below(masks), rivals=rivals)}
    full = {name: folder for name, folder in below.items() if _first(folder)}
    if full and full.keys() <= twins.keys():
        return {"": Place(images, masks, deep=True, rivals=rivals)}
    return {"": Place(images, _only_below(masks), unread=tuple(full.values()), rivals=rivals)}


def _twin(folder: Path, name: str) -> Path | None:
    """The folder below one that is called so, or like the same split: `train` for `Training`."""
    known = folders_in(folder)
    alike = next((names for names in ALIKE if name.casefold() in names), (name.casefold(),))
    fitting = [one for key, one in known.items() if key.casefold() in alike]
    return known.get(name) or (fitting[0] if len(fitting) == 1 else None)


def paired(place: Place) -> MaskPairs:
    """The images of a split and their masks."""
    if place.parts:
        return united([paired(part) for part in place.parts])
    if place.images == place.masks:
        return together(_files(place.images, place.deep))
    return matched(place.image_files(), place.mask_files())


def _beside(folders: dict[str, Path], *own: Path) -> tuple[Path, ...]:
    """The other folders of images that are called like no split."""
    rest = (folder for name, folder in folders.items() if folder not in own and not is_split(name))
    return tuple(folder for folder in rest if _first(folder))


def _pair(folders: dict[str, Path], named: str = "") -> tuple[Path, Path] | None:
    """The folder of images and that of masks among these, if masks are images too; where masks are
    `named`, images may lie in the only other one.
    """
    known = {name.casefold(): folder for name, folder in folders.items()}
    if named:
        masks = known.pop(named.casefold(), None)
        own = [known[name] for name in _OF_IMAGES if name in known]
        others = [folder for folder in known.values() if _first(folder)]
        images = own[0] if own else others[0] if len(others) == 1 else None
        return (images, masks) if images and masks else None
    for images in (known[name] for name in _OF_IMAGES if name in known):
        for name in _OF_MASKS:
            if name in known and (_first(known[name]) or name in ("masks", "mask")):
                return images, known[name]
    return None


def _only_below(masks: Path) -> Path:
    """The only folder of masks below one that holds none, `annotations/trimaps`; else that one."""
    below = [folder for folder in folders_in(masks).values() if _files(folder)]
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


def _mostly_together(files: list[Path]) -> bool:
    """Whether most of the files of a folder are an image or its mask; a few may lack the other."""
    found = together(files)
    masks = sum(mask is not None for mask in found.masks) + sum(
        len(one) for _, one in found.several
    )
    return 4 * masks > len(files)


def folders_in(folder: Path) -> dict[str, Path]:
    """The folders in a folder by their names, sorted, without hidden ones."""
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
