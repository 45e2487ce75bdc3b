"""Legends beside masks: which file it is, and what masks mean by it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cvtasks.data.formats.bases.codes import Coding
from cvtasks.data.formats.bases.coding import (
    coding_of_ids,
    coding_of_legend,
    coding_of_names,
    coding_of_values,
    concluded,
    packed_colour,
)
from cvtasks.data.formats.bases.held import found_in, level_of, palettes_differ
from cvtasks.data.formats.bases.names import LISTS_OF_NAMES, class_names
from cvtasks.data.formats.listing import IMAGES
from cvtasks.data.formats.places import is_split
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.legend import Entry, cityscapes, parse_legend
from cvtasks.formats.reading import read_text, read_utf8
from cvtasks.media.images import read_mask
from cvtasks.recipe.data_table import VOID, Value

NAMES = "classes.txt"
_STEMS = (
    *("classes", "_classes", "class_dict", "class_names", "label_colors", "label_colours"),
    *("labelmap", "label_map", "colormap", "color_map", "colors", "legend", "palette", "codes"),
    *("obj_class_to_machine_color", "meta"),
)
_ENDINGS = (".csv", ".txt", ".json")
_FEW = 5  # masks that are looked at to see whether they are plain ids


def legend_at(root: Path) -> tuple[Path, list[Entry]] | None:
    """The legend at `root` or, as Roboflow writes it, in a folder of a split; but not its
    `classes.txt`.
    """
    splits = (child for child in sorted(root.iterdir()) if is_split(child.name) and child.is_dir())
    for folder in (root, *splits):
        files = {file.name.casefold(): file for file in folder.iterdir()}
        for stem in _STEMS:
            for ending in _ENDINGS:
                file = files.get(f"{stem}{ending}")
                if file is not None and file.name != NAMES and file.is_file():
                    read = read_utf8 if ending == ".json" else read_text
                    return file, parse_legend(read(file), repr(str(file)))
    return None


def names_at(root: Path) -> tuple[tuple[str, ...], str]:
    """The names of classes that a `classes.txt` at the root, another legend of names alone, or a
    `labels.txt` gives, and what the last two are, in a sentence; empty where there is none.
    LabelMe's `__ignore__` is no class.
    """
    if (root / NAMES).is_file():
        return class_names(root / NAMES), ""
    legend = legend_at(root) or next(
        (
            (path, [Entry(name) for name in class_names(path)])
            for path in (root / name for name in LISTS_OF_NAMES)
            if path.is_file() and not _lists_images(path)
        ),
        None,
    )
    if not legend or any(entry.value is not None or entry.colour for entry in legend[1]):
        return (), ""
    names = tuple(entry.name for entry in legend[1] if entry.name != "__ignore__")
    return names, f"the classes of masks are those of {legend[0].name!r}" if names else ""


def _lists_images(path: Path) -> bool:
    """Whether a text names images, such as those of a split with their labels."""
    words = read_text(path).split()
    return any(Path(word).suffix.lower() in IMAGES for word in words)


def classes_and_coding(
    root: Path, masks: Sequence[Path], values: Mapping[str, Value], void: Value = VOID
) -> tuple[tuple[str, ...], Coding | None]:
    """The classes of masks, and how they are told; None where masks hold their ids.

    What a recipe says counts before a legend, and that before `classes.txt`; where there is
    nothing, it is concluded from all masks.

    Args:
        masks: of all splits. values, void: of the recipe.

    Raises:
        DataError: it cannot be told, or a legend cannot be read.
    """
    coding = _with_void(_coding(root, masks, values, void), masks, void)
    return (class_names(root / NAMES), None) if coding is None else (coding.classes, coding)


def coding_beside_names(
    root: Path,
    names: Sequence[str],
    masks: Sequence[Path],
    values: Mapping[str, Value],
    void: Value = VOID,
) -> Coding | None:
    """How masks are told whose classes are known; None where they hold their ids, as neither a
    recipe nor a legend of values or colours says otherwise. Arguments as `classes_and_coding`'s.
    """
    if values:
        return _with_void(coding_of_values(values, void), masks, void)
    legend = legend_at(root)
    if legend and any(entry.value is not None or entry.colour for entry in legend[1]):
        found = coding_of_legend(legend[1], masks, void, repr(legend[0].name))
        return _with_void(found, masks, void)
    return None if void == VOID else _with_void(coding_of_names(names, masks, void), masks, void)


def _with_void(coding: Coding | None, masks: Sequence[Path], void: Value) -> Coding | None:
    """The coding, with the level of masks in JPEG, which says so where a value that is said to be
    void is in no mask.
    """
    if coding is None:
        return None
    if level := level_of(masks):
        coding = coding.of_jpeg(level)
    if void == VOID:
        return coding
    found = found_in(masks)
    if void in found.values or packed_colour(void) in found.colours | found.palette:
        return coding
    absent = f"no mask holds {void}, which `data.void` names"
    return replace(coding, said=f"{coding.said}; {absent}" if coding.said else absent)


def _coding(
    root: Path, masks: Sequence[Path], values: Mapping[str, Value], void: Value
) -> Coding | None:
    if values:
        return coding_of_values(values, void)
    names = class_names(root / NAMES) if (root / NAMES).is_file() else ()
    legend = None if names and _plain(masks) else legend_at(root)
    if legend and any(entry.value is not None or entry.colour for entry in legend[1]):
        return coding_of_legend(legend[1], masks, void, repr(legend[0].name))
    if legend:
        names = names or tuple(one.name for one in legend[1] if one.name != "__ignore__")
    cities, rest = cityscapes(masks[0].stem) if masks else ([], range(0))
    if cities and not names:
        return coding_of_ids(cities, rest, "masks are named like Cityscapes', and have its classes")
    if not names:
        return concluded(masks, void)
    listed = (root / NAMES).is_file() and void == VOID
    if listed and _plain(masks) and not palettes_differ(masks):
        return None
    return coding_of_names(names, masks, void)


def _plain(masks: Sequence[Path]) -> bool:
    """Whether one of the first masks can be read as ids, or none at all."""
    plain = []
    for path in masks[:_FEW]:
        try:
            read_mask(path)
            plain.append(True)
        except DataError:
            plain.append(False)
        except CVTasksError:  # a fault, which is told when its turn comes
            continue
    return any(plain) or not plain
