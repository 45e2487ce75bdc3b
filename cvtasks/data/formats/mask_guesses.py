"""Folders of images and of masks that are called otherwise: two whose files pair up by their names,
of which one is called like masks or holds what only masks do; and what to say of other data.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from cvtasks.data.formats.listing import IMAGES, files_in, images_in, seen
from cvtasks.data.formats.mask_layouts import Place, below, folders_in, mask_places
from cvtasks.data.formats.mask_names import matched
from cvtasks.data.formats.places import is_split
from cvtasks.data.formats.voc_lists import image_folders
from cvtasks.errors import CVTasksError
from cvtasks.media.mask_values import read_values
from cvtasks.text import some

_CALLED = re.compile(
    r"mask|label|annot|segm|target|trimap|silhouette|ground[ _-]?truth|(?<![a-z])gts?(?![a-z])",
    re.IGNORECASE,
)
_WORDS = re.compile(r"train|val|test", re.IGNORECASE)
_MOST_FOLDERS = 12  # beside each other: more are classes, or patients
_TRIED, _MANY = 3, 64  # masks that are read, and the values that a mask has at most


def guessed_places(root: Path) -> dict[str, Place]:
    """Split → where it lies, as `mask_places` gives it, for folders of any name; empty where that
    finds some, or it is not clear which belong together.
    """
    if not root.is_dir() or mask_places(root):
        return {}
    folders = folders_in(root)
    splits = {name: _pairs_in(one) for name, one in folders.items() if is_split(name)}
    if any(splits.values()):
        lost = tuple(folders[name] for name, pairs in splits.items() if len(pairs) != 1)
        return {
            name: Place(*pairs[0], deep=True, unread=lost)
            for name, pairs in splits.items()
            if len(pairs) == 1
        }
    pairs = _pairs_in(root)
    used = {folder for pair in pairs for folder in pair}
    rest = tuple(one for one in folders.values() if one not in used) if pairs else ()
    if len(pairs) == 1:
        found = below(*pairs[0], ())
        return {name: replace(one, unread=(*one.unread, *rest)) for name, one in found.items()}
    named = [_split_of(images.name) for images, _ in pairs]
    names = named if len(set(named)) == len(named) else [images.name for images, _ in pairs]
    return {name: Place(*pair, True, rest) for name, pair in zip(names, pairs, strict=True)}


def _split_of(name: str) -> str:
    """The split that a folder's name speaks of, first of all; else the name."""
    word = _WORDS.search(name)
    return word.group().lower() if word else name


def _pairs_in(folder: Path) -> list[tuple[Path, Path]]:
    """The folders of images and of masks in a folder; nothing where one may go with several."""
    folders = folders_in(folder).values()
    if not 2 <= len(folders) <= _MOST_FOLDERS:
        return []
    known = {one: images_in(one, deep=True) for one in folders}
    files = {one: found for one, found in known.items() if found}
    called = {one for one in files if _CALLED.search(one.name)}
    masks = called or {one for one in files if _are_masks(files[one])}
    both = [(one, other) for one in sorted(files.keys() - masks) for other in sorted(masks)]
    found: list[tuple[Path, Path]] = []
    for ways in (0, 2, 3):
        found = found or [
            (one, other) for one, other in both if _pair_up(files[one], files[other], ways)
        ]
    same = [pair for pair in found if _split_of(pair[0].name) == _split_of(pair[1].name)]
    return next((pairs for pairs in (found, same) if _is_one_to_one(pairs)), [])


def _is_one_to_one(pairs: list[tuple[Path, Path]]) -> bool:
    return max(Counter(one for pair in pairs for one in pair).values(), default=0) == 1


def _pair_up(images: list[Path], masks: list[Path], ways: int) -> bool:
    """Whether at least half of the images and of the masks have the other."""
    count = sum(mask is not None for mask in matched(images, masks, ways).masks)
    return bool(count) and 2 * count >= max(len(images), len(masks))


def _are_masks(files: list[Path]) -> bool:
    """Whether the first files hold few values each, and so no photographs."""
    try:
        return all(len(read_values(path).found()) <= _MANY for path in files[:_TRIED])
    except CVTasksError:
        return False


def what_lies(root: Path) -> str:
    """What lies in a folder that may be masks, and what they need, in sentences; empty where
    nothing speaks for masks.
    """
    runs = next((file for file in files_in(root, ".csv") if _has_runs(file)), None)
    if runs:
        return (
            f"{runs.name!r} has masks as run lengths (EncodedPixels), which are not read: paint "
            "them into a mask for each image, or write COCO's JSON."
        )
    folders = folders_in(root)
    if "SegmentationClass" in folders and "JPEGImages" not in folders:
        return _without_images(root)
    homes = Counter(
        str(file.parent.relative_to(root)) for file in root.rglob("*") if _is_image(file, root)
    )
    homes.pop(".", None)
    if len(homes) < 2 or not any(_CALLED.search(name) for name in homes):
        return ""
    names = some([f"{name!r} ({count})" for name, count in sorted(homes.items())], 6)
    return (
        f"It holds images in {names}, and it is not clear which belong together. Lay images into a "
        "folder 'images' and masks, with the names of their images, into one called 'masks'."
    )


def _without_images(root: Path) -> str:
    """What SegmentationClass lacks where there is no JPEGImages, in sentences."""
    found = [str(folder.relative_to(root)) for folder in image_folders(root)]
    if len(found) > 1:
        names = some([repr(name) for name in found], 5)
        return (
            f"It holds SegmentationClass without JPEGImages, and {names} each hold images of the "
            "names of its masks: call the folder of those that are meant JPEGImages."
        )
    others = [repr(name) for name in folders_in(root) if not name.startswith("Segmentation")]
    where = f" or in {some(others, 5)}" if others else ""
    return (
        "It holds SegmentationClass without JPEGImages, and no images of the names of its masks "
        f"beside it{where}, so that its images are missing: export them too, or link their folder, "
        "`ln -s PHOTOS JPEGImages`."
    )


def _is_image(file: Path, root: Path) -> bool:
    return file.suffix.lower() in IMAGES and seen(file, root)


def _has_runs(file: Path) -> bool:
    """Whether a table has Kaggle's column of run lengths."""
    try:
        with file.open("rb") as opened:
            return b"encodedpixels" in opened.readline(4096).lower()
    except OSError:
        return False
