"""Whether a model has seen images before: it was trained on them, or its best epoch was chosen on
their data set.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data import Source
from cvtasks.data.checking.statistics import fingerprint
from cvtasks.data.held_out import NAMES, split_by_names
from cvtasks.data.opening import same_place, title
from cvtasks.data.run_facts import noted_fingerprints
from cvtasks.data.source import split_among, split_parts
from cvtasks.data.tiled import cut
from cvtasks.data.views import Subset
from cvtasks.errors import CVTasksError
from cvtasks.recipe.recipe import Recipe
from cvtasks.zoo import in_zoo

_VOC_NAME = re.compile(r"20(0[7-9]|1[0-2])_\d{6}")  # of VOC2012's images; VOC2007's are numbers


@dataclass(frozen=True)
class Seen:
    """What is known of a model and images.

    Attributes:
        made_with: they are of the data set that the model was made with, in whatever split.
        learned: on how many of them it was trained; None where they are of that data set, and
            nothing tells how many.
    """

    made_with: bool
    learned: int | None


def seen(recipe: Recipe, folder: Path | None, path: str, split: str, source: Source) -> Seen:
    """What a model has seen of images, as far as its recipe and its run's notes tell.

    Data are the same where they lie at the same place, have a fingerprint that the model's run
    noted, cut into its tiles and without the images that it set aside, or, for a model of the zoo,
    the name of the data set that it was made with, or its images' names.

    Args:
        recipe, folder: the model's.
        path, split: where the images are, and the split that they are of.
        source: the images, with the model's classes.
    """
    theirs = recipe.data
    if same_place(theirs.path, path):
        return Seen(True, _learned(recipe, folder, split, source))
    noted = _noted(recipe, folder, source)
    if noted is not None:
        return noted
    if folder is not None and in_zoo(folder):
        made_of, asked = _names(theirs.path, theirs.train), _names(path, split)
        if asked and asked <= made_of:
            return Seen(True, _learned(recipe, folder, split, source, path))
        if made_of & (asked | _of_images(source)):
            return Seen(True, None)
    return Seen(False, 0)


def seen_words(model: str, found: Seen, recipe: Recipe, images: int) -> str:
    """What a model has seen of so many images, as the beginning of a sentence; empty where none."""
    if found.learned is None:
        made = title(recipe.data.path, recipe.data.train)
        return (
            f"{model!r} was made with this data set ({made}), and perhaps trained on some of these "
            f"{images} images"
        )
    return (
        f"{model!r} was trained on {found.learned} of these {images} images"
        if found.learned
        else ""
    )


def _noted(recipe: Recipe, folder: Path | None, source: Source) -> Seen | None:
    """What a model has seen of images by the fingerprints that its run noted; None where they have
    none of these.
    """
    prints = noted_fingerprints(folder)
    if folder is None or not prints:
        return None

    def of(kept: Sequence[int]) -> str:
        try:
            part = cut(Subset(source, kept), recipe.data)
        except CVTasksError:  # a size that cannot be read: told by whoever reads the image
            return ""
        return fingerprint(part)

    own = of(range(len(source)))
    if own in (prints.get("train"), prints.get("validate")):
        return Seen(True, len(source) if own == prints.get("train") else 0)
    names = folder / NAMES
    if not recipe.data.held_out or not names.is_file():
        return None
    rest, aside, _ = split_by_names(source, names)
    if not rest or not aside:
        return None
    if of(rest) == prints.get("train"):
        return Seen(True, len(rest))
    return Seen(True, None) if of(aside) == prints.get("validate") else None


def _learned(
    recipe: Recipe, folder: Path | None, split: str, source: Source, path: str = ""
) -> int | None:
    """On how many images of a split of its own data a model was trained, as `Seen` has it.

    Args:
        path: by which the data are called; the recipe's where it is empty.
    """
    data = recipe.data
    trained, asked = _parts(data.path, data.train), _parts(path or data.path, split)
    if not all(_inside(part, trained) for part in asked):
        perhaps = not data.train or split in ("", "all")
        some = any(_inside(part, trained) or _near(part, trained) for part in asked)
        return None if perhaps or some else 0
    if not data.held_out:
        return len(source)
    names = folder / NAMES if folder else None
    return len(split_by_names(source, names)[0]) if names and names.is_file() else 0


def _parts(path: str, split: str) -> list[str]:
    """The parts of a split, with the year of the challenge where the path names it.

    >>> _parts("VOCdevkit/VOC2012", "val"), _parts("VOCdevkit", "2007+2012-trainval")
    (['2012-val'], ['2007-trainval', '2012-trainval'])
    """
    parts = split_parts(split)
    year = re.fullmatch(r"voc(\d{4})", Path(path).name.casefold())
    if year is None or split in ("", "all"):
        return parts
    return [part if re.match(r"\d{4}-", part) else f"{year[1]}-{part}" for part in parts]


def _inside(split: str, trained: list[str]) -> bool:
    """Whether a split is one of those, or a part of one.

    >>> _inside("2007-val", ["2007-trainval"]), _inside("valid", ["val"]), _inside("val", ["train"])
    (True, True, False)
    """
    parts = [one.replace("trainval", part) for one in trained for part in ("train", "val")]
    return split_among(split, [*dict.fromkeys([*trained, *parts])]) is not None


def _near(split: str, trained: list[str]) -> bool:
    """Whether a split may share images with those: it is another to train on, of the same year."""
    year, _, name = split.rpartition("-")
    same = any(one.rpartition("-")[0] == year for one in trained)
    return same and name.casefold().startswith("train")


def _names(path: str, split: str) -> set[str]:
    """What a data set is called, in small letters: the last part of its path; of Pascal VOC the
    challenges, each for itself.

    >>> sorted(_names("data/VOCdevkit", "2007+2012-trainval")), _names("VOCdevkit/VOC2012", "train")
    (['voc2007', 'voc2012'], {'voc2012'})
    """
    last = Path(path).name.casefold()
    if last == "vocdevkit" or re.fullmatch(r"voc\d{4}(\+\d{4})+", last):
        return {f"voc{year}" for year in re.findall(r"\d{4}", last + split)}
    return {last} if last else set()


def _of_images(source: Source) -> set[str]:
    """The data set that most images of a source are named for, wherever they lie."""
    voc = sum(bool(_VOC_NAME.fullmatch(Path(source.name(i)).stem)) for i in range(len(source)))
    return {"voc2012"} if 2 * voc > len(source) else set()
