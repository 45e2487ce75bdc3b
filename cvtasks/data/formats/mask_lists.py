"""Lists that are the splits of images and masks: `train.txt`, `val.txt` … at the root, or in
`ImageSets/` as Pascal VOC has them, or in `splits/`; a line is the name of an image, perhaps with
its mask's (`cvtasks.data.formats.mask_lines`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from cvtasks.data.formats.listed import SplitLists, lines_of
from cvtasks.data.formats.listing import files_in
from cvtasks.data.formats.mask_layouts import ALIKE, Place, joined, paired
from cvtasks.data.formats.mask_lines import ABSENT, Lines
from cvtasks.data.formats.mask_names import MaskPairs
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import check_split, splits_among
from cvtasks.errors import Complain, DataError
from cvtasks.text import counted, some

_FOLDERS = ("", "ImageSets", "ImageSets/Segmentation", "ImageSets/Main", "splits")
_TRAIN = "train"


def with_lists(places: Mapping[str, Place], root: Path) -> dict[str, Place]:
    """Split → where it lies. Where no folder tells splits, and lists do, these are the splits; what
    no list names is to train on where none of them says what is.

    Raises:
        DataError: two lists are of one split.
    """
    every = {folder: _lists_in(root / folder) for folder in _FOLDERS}
    found = {folder: lists for folder, lists in every.items() if lists}
    if not found or not places:
        return dict(places)
    if any(map(is_split, places)):
        return _saying(places, "folders tell the splits; lists were not read", found.values(), root)
    whole = joined(places)
    known = Lines(paired(whole), root)
    folder, lists = next(iter(found.items()))
    if all(known.find(line) is None for path in lists.values() for line in lines_of(path)):
        said = "no line of them names just one image, so they were not taken for lists of splits"
        return _saying(places, said, [lists], root)
    others = [other for name, other in found.items() if name != folder]
    if others:
        said = f"the lists in {folder or 'the folder itself'!r} were read, and these not"
        whole = _saying({"": whole}, said, others, root)[""]
    _refuse_twins(lists)
    listed = {name: replace(whole, lists=lists) for name in lists}
    if not any(name.casefold().startswith(_TRAIN) for name in lists):
        named = {known.find(line) for path in lists.values() for line in lines_of(path)}
        if left := len(known.images) - len(named - {None}):
            images = counted(left, "image")
            said = f"no list says what to train on, so it is what no list names: {images}"
            listed = {name: replace(place, rest=_TRAIN) for name, place in listed.items()}
            train = replace(whole, lists=lists, rest=_TRAIN, said=(*whole.said, said))
            listed = {_TRAIN: train, **listed}
    return listed


def _lists_in(folder: Path) -> dict[str, Path]:
    """Split → its list in a folder."""
    files = (one for one in files_in(folder, ".txt") if one.is_file())
    return {one.stem: one for one in files if is_split(one.stem)}


def _saying(
    places: Mapping[str, Place], text: str, lists: Iterable[Mapping[str, Path]], root: Path
) -> dict[str, Place]:
    """The places, with a sentence about lists."""
    files = [path.relative_to(root).as_posix() for own in lists for path in own.values()]
    said = f"{text}: {some(files, 5)}"
    return {name: replace(place, said=(*place.said, said)) for name, place in places.items()}


def _refuse_twins(lists: Mapping[str, Path]) -> None:
    """Raise DataError where two lists are called like one split."""
    known: dict[str, Path] = {}
    for name, path in lists.items():
        key = name.casefold()
        key = next((names[0] for names in ALIKE if key in names), key)
        if key in known:
            raise DataError(
                f"a split needs one list; {known[key].name!r} and {path.name!r} in "
                f"{str(path.parent)!r} are both of {key!r}. Join them, or rename one.",
                "lists of one split",
            )
        known[key] = path


def split_at(places: Mapping[str, Place], split: str, root: Path) -> tuple[str, Place]:
    """The split that is meant, and its place; of several lists, joined by "+", that of all.

    Raises:
        DataError: there is no such split.
    """
    joint = splits_among(split, places) if "+" in split else None
    if joint is not None and all(place.lists for place in places.values()):
        return joint, max(
            (places[name] for name in joint.split("+")), key=lambda one: len(one.said)
        )
    name = check_split(split, places, root)
    return name, places[name]


def listed_in(
    found: MaskPairs, place: Place, split: str, root: Path, complain: Complain
) -> tuple[MaskPairs, tuple[str, ...]]:
    """The images of a split and their masks, and what is to be said of lists.

    Args:
        found: all that lie there. root: paths in lines begin there.
        complain: about lines that name nothing of the data, another mask than their image's, and
            images that are named again or in two lists.

    Raises:
        DataError: a list names nothing of the data.
    """
    if not place.lists:
        return found, ()
    known = Lines(found, root)
    lines = {name: lines_of(path) for name, path in place.lists.items()}
    lists = SplitLists(place.lists, lines)
    parts = [part for part in split.split("+") if part in lists.files]
    for error in filter(None, (known.other_masks(place.lists[part]) for part in parts)):
        complain(error)
    images = known.images
    kept = {images[at] for name in parts for at in lists.named(name, known, complain)}
    every = {known.find(line) for own in lines.values() for line in own}
    left = [image for index, image in enumerate(images) if index not in every]
    if place.rest:
        kept, left = {*kept, *(left if place.rest in split.split("+") else ())}, []
    absent = sum(known.absent(place.lists[part]) for part in parts)
    lonely = found.lonely
    notes = (
        *known.notes([*chain.from_iterable(lines[part] for part in parts)]),
        *([f"{ABSENT}: {absent}"] if absent else []),
        *([f"images in no list, and so not read: {_counted(left)}"] if left else []),
        *([f"masks without an image, passed over: {_counted(lonely)}"] if lonely else []),
    )
    own = [image for image in found.images if image in kept]
    return (
        MaskPairs(
            own,
            [known.masks.get(image) for image in own],
            several=[one for one in found.several if one[0] in kept],
            shared=[one for one in found.shared if kept & {*one[1]}],
            beside=found.beside,
        ),
        notes,
    )


def _counted(files: list[Path]) -> str:
    return f"{len(files)}, such as {some([file.name for file in files], 3)}"
