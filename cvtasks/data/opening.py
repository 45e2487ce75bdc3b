"""The data of a recipe: which splits are trained and validated on, opened, checked, and with
nothing in both.
"""

import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.download.catalogue import resolve
from cvtasks.data.held_out import ASIDE, NAMES, SHARE, set_aside, set_aside_before
from cvtasks.data.rare import NAMED, times_of, too_rare
from cvtasks.data.source import VALIDATION, Source, check_split, split_among, split_parts
from cvtasks.data.splits import ALL_FAULTS, Opened, Splits, left_out, splits_for
from cvtasks.data.tiled import cut, whole
from cvtasks.data.together import kept_together
from cvtasks.data.views import Subset, View, fitted
from cvtasks.errors import DataError
from cvtasks.formats.reading import readable
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import agreeing, counted, some

Say = Callable[[str], None]

_MANY = 5000  # images; to look at more takes a while
_LONELY = "annotation without image"


@dataclass(frozen=True)
class Sources:
    """The two splits of a recipe's data set, with the recipe's classes."""

    train: Source
    validate: Source


def settled(
    recipe: Recipe, splits: Splits, say: Say = lambda text: None, asked: Collection[str] = ()
) -> Recipe:
    """The recipe with its splits called as the data call them, or with a share to be set aside
    where there is none to validate on.

    To train on is "train", else "trainval", the one split whose name begins with "train", or all
    there is; to validate on is the split of the same year or kind called "val", "valid",
    "validation" or "dev", unless it is a part of "trainval".

    Args:
        splits: of the recipe's data set.
        say: hears what was concluded.
        asked: "data.train", "data.validate", where that split and no other was asked for.

    Raises:
        DataError: there is no such data set, or no such split where one was asked for; or one split
            is to do both.
    """
    data, asked_validate = recipe.data, "data.validate" in asked
    names = splits.names
    train = _to_train(data.train, names, "data.train" in asked)
    if train != data.train:
        say(
            f'data: no split "{data.train}", so "{train}" is trained on'
            if train
            else f"data: {data.path} has no splits"
        )
    if train == "train" and "data.train" not in asked and split_among(train, names) is None:
        deeper = ""
        if recipe.task.answer is Labels:
            deeper = (
                " Or, where these are no splits and the folders in them are the classes, set "
                '`data.classes_from = "parent"`.'
            )
        raise DataError(
            'a split to train on must be named where none is called "train" or "trainval"; '
            f"{data.path!r} has {', '.join(names)}. Name one of them in `data.train`.{deeper}",
            "split unknown",
        )
    if data.held_out and data.validate and asked_validate:
        raise DataError(
            "a model is validated on a split or on images that are set aside; got `data.validate "
            f"= {data.validate!r}` and "
            f"`data.held_out = {data.held_out:g}`. Set one of them, `data.held_out` to 0 or "
            "`data.validate` to nothing."
        )
    validate, share = (
        ("", data.held_out)
        if data.held_out
        else _validation(recipe, train, splits, say, asked_validate)
    )
    return replace(recipe, data=replace(data, train=train, validate=validate, held_out=share))


def _validation(
    recipe: Recipe, train: str, splits: Splits, say: Say, asked: bool
) -> tuple[str, float]:
    """The split to validate on, as the data call it, or "" and the share to be set aside.

    Raises:
        DataError: there is no such split where it was asked for, or it is trained on.
    """
    data = recipe.data
    validate, usual = _to_validate(data.validate, train, splits.names), data.validate in VALIDATION
    inside = (
        usual
        and validate is not None
        and "trainval" in train
        and bool(_shared(splits.opened(train).source, splits.opened(validate).source))
    )
    if usual and not asked and (validate is None or inside):
        why = (
            f'"{validate}" is a part of "{train}"'
            if inside
            else f"there is none called {' or '.join(VALIDATION)}"
        )
        say(
            f"data: no split to validate on: {why}; some of the images to train on are set aside "
            "for it"
        )
        return "", SHARE
    if inside or (data.validate if validate is None else validate) == train:
        what = (
            f"{validate!r} is a part of {train!r}"
            if inside
            else f"{title(data.path, train)!r} is named for both"
        )
        raise DataError(
            f"a model cannot be validated on the images that it is trained on; {what}. Name "
            "another split in `data.validate`, or "
            f"set `data.held_out = {SHARE}` to set some of its images aside."
        )
    if validate is None and "+" not in data.validate:
        check_split(data.validate, splits.names, Path(data.path))
    return data.validate if validate is None else validate, 0.0


def open_sources(
    recipe: Recipe,
    say: Say = lambda text: None,
    folder: Path | None = None,
    splits: Splits | None = None,
) -> Sources:
    """Open and check both splits of a settled recipe; says what was recognised, and what is left
    out.

    Args:
        folder: of a run that was begun before; the images that it set aside are set aside again.
        splits: of the recipe's data set, where some of them were opened before.

    Raises:
        DataError: there are faults, and the recipe does not say to drop what has them; nothing to
            learn from is left; or an image is in both splits.
    """
    data, splits = recipe.data, splits or splits_for(recipe)
    opened = splits.opened(data.train)
    learned = _checked(recipe, opened, data.train, say)
    others = [name for name in opened.source.classes if name not in recipe.classes]
    if others:
        answer = recipe.task.answer
        one, several = ("becomes", "become") if answer.keeps_others else ("plays", "play")
        fate = answer.fate(recipe.classes, data.unlisted) if answer.keeps_others else "no part"
        say(
            f"data: {counted(len(others), 'class')} that the recipe does not name "
            f"{agreeing(len(others), one, several)} {fate}"
        )
    validate = (
        None
        if data.held_out
        else _checked(recipe, splits.opened(data.validate), data.validate, say, lacking=True)
    )
    with readable(data.path):
        apart = _apart(recipe, learned, validate, say) if validate else None
        sources = apart or _divided(recipe, learned, say, folder)
    train = sources.train
    if all(train.truth(index).empty for index in range(len(train))):
        raise DataError(
            "training needs at least one image that shows one of the classes "
            f"{some(_things(recipe), NAMED)}; {counted(len(train), 'image')} "
            f"of {data.train or data.path!r} {agreeing(len(train), 'shows', 'show')} none. "
            f"{_why_nothing(opened.source)}"
        )
    for line in too_rare(times_of(train), len(train)):
        say(line)
    _check_judges(recipe, sources.validate, say)
    return Sources(cut(train, data, say), cut(sources.validate, data, say))


def undivided_split(sources: Sources) -> Source:
    """All images of a split of which some are set aside."""
    source = whole(sources.train)
    if not isinstance(source, View):
        raise TypeError("images that are set aside leave a view of all.")
    return source.source


def _things(recipe: Recipe) -> tuple[str, ...]:
    """The recipe's classes but for background."""
    return recipe.classes[recipe.task.answer.ground(recipe.classes) :]


def _check_judges(recipe: Recipe, validate: Source, say: Say) -> None:
    """Raise DataError if there is no image to validate on; say so if none tells a good epoch from a
    bad one.
    """
    which = repr(recipe.data.validate) if recipe.data.validate else "what is set aside"
    if not len(validate):
        raise DataError(
            f"a run needs images to validate on; {which} has none that {recipe.task.name} can use. "
            "Name another split in "
            "`data.validate`, or check the recipe's `classes`."
        )
    if all(validate.truth(index).empty for index in range(len(validate))):
        say(
            f"data: no image of {which} shows one of the classes {', '.join(_things(recipe))}: "
            "no score can tell a good epoch from a bad one, and the last epoch's weights are kept"
        )


def _why_nothing(source: Source) -> str:
    """What to do where no truth shows anything: labels may be those of other images."""
    lonely = [error for error in source.orphans() if error.rule == _LONELY]
    if lonely:
        count = sum(error.count for error in lonely)
        return (
            f"Labels must belong to images: {count} {agreeing(count, 'has', 'have')} no image of "
            f"{agreeing(count, 'its', 'their')} name. Give both the same names."
        )
    return "Check the recipe's `classes` and the data."


def title(path: str, split: str) -> str:
    """What a split is called: DATA:SPLIT, or DATA where it has no name."""
    return f"{path}:{split}" if split else path


def same_place(one: str, other: str) -> bool:
    """Whether two data sets lie at one place; False where one has none."""
    if not one or not other:
        return False
    try:
        return os.path.realpath(resolve(one)) == os.path.realpath(resolve(other))
    except DataError:  # one of them was not fetched
        return one == other


def _checked(recipe: Recipe, split: Opened, name: str, say: Say, lacking: bool = False) -> Source:
    """A split as the recipe sees it, without what has faults, if the recipe says so; `lacking`:
    classes of the recipe may be missing.
    """
    opened, source, faults = split.source, split.usable, split.faults
    if faults and recipe.data.faulty == "refuse":
        raise DataError(
            f"{counted(len(faults), 'fault')} in {name or recipe.data.path!r}, the first: "
            f"{faults[0]} {ALL_FAULTS}",
            ways={"set": "data.faulty=drop"},
        )
    say(
        f"data: {opened.format}, {title(recipe.data.path, opened.split)}, "
        f"{counted(len(source), 'image')}, {counted(len(opened.classes), 'class')}"
    )
    if opened.taken_for and not lacking:
        say(f"data: {opened.taken_for}")
    lonely = [error for error in opened.orphans() if error.rule == _LONELY]
    if lonely:
        count = sum(error.count for error in lonely)
        say(f"data: labels without an image: {count}. The first: {lonely[0]}")
    if faults:
        say(f"data: {left_out(split)}")
    if lacking:
        missing = [name for name in recipe.classes if name not in source.classes]
        if missing:
            say(
                "data: the split to validate on does not know these classes, and cannot measure "
                f"them: {', '.join(missing)}"
            )
    chosen = fitted(source, recipe, lacking=lacking)
    for remark in chosen.remarks():
        say(f"data: {remark}")
    return chosen


def _divided(recipe: Recipe, source: Source, say: Say, folder: Path | None) -> Sources:
    """The training split without the images that are set aside, and those."""
    data, names, bound = recipe.data, folder / NAMES if folder else None, ""
    if names and names.is_file():
        kept, aside = set_aside_before(source, names, title(data.path, data.train))
    else:
        if len(source) > _MANY:
            say(f"data: looking for near-copies among {counted(len(source), 'image')}")
        together = kept_together(source, data.held_out)
        kept, aside = set_aside(source, data.held_out, recipe.train.seed, together)
        bound = f"; {together.said}" if together.said else ""
    sources = Sources(Subset(source, kept), Subset(source, aside))
    say(
        f"data: {len(aside)} of the {len(source)} images of {title(data.path, data.train)!r} "
        f"{agreeing(len(aside))} {ASIDE}, {len(kept)} {agreeing(len(kept))} trained on; "
        f"drawn by the seed {recipe.train.seed} and by class{bound}"
    )
    return sources


def _apart(recipe: Recipe, train: Source, validate: Source, say: Say) -> Sources:
    """Both splits, if they share no image, or without what they share where the recipe says to drop
    what cannot be used.

    Raises:
        DataError: they share images.
    """
    shared = _shared(train, validate)
    if not shared:
        return Sources(train, validate)
    names = ", ".join(repr(train.name(index)) for index in shared[:3]) + (
        " …" if len(shared) > 3 else ""
    )
    words = (
        f"{len(shared)} of the {len(train)} images of {recipe.data.train or recipe.data.path!r} "
        f"{agreeing(len(shared))} also among the {len(validate)} of "
        f"{recipe.data.validate!r}: {names}"
    )
    rest = sorted(set(range(len(train))) - set(shared))
    if recipe.data.faulty == "refuse" or not rest:
        raise DataError(
            f"a model cannot be validated on the images that it is trained on; {words}. Take them "
            "off one of the splits, set "
            f"`data.held_out = {SHARE}` to validate on images set aside from {recipe.data.train!r}"
            + (', or `data.faulty = "drop"` to train without them.' if rest else ".")
        )
    say(f"data: not trained on, as it is validated on: {words}")
    return Sources(Subset(train, rest), validate)


def _shared(train: Source, validate: Source) -> list[int]:
    """Which samples of `train` are in `validate`: the same file, under whatever path, or a copy of
    the same name.
    """
    if not train.files or not validate.files:
        return []
    theirs: set[tuple[int, int]] = set()
    copies: dict[tuple[str, int], list[Path]] = {}
    for path in validate.files:
        status = path.stat()
        theirs.add((status.st_dev, status.st_ino))
        copies.setdefault((path.name, status.st_size), []).append(path)
    shared = []
    for index, path in enumerate(train.files):
        status = path.stat()
        alike = copies.get((path.name, status.st_size), ())
        same_file = (status.st_dev, status.st_ino) in theirs
        if same_file or (alike and any(path.read_bytes() == other.read_bytes() for other in alike)):
            shared.append(index)
    return shared


def _to_train(wanted: str, splits: tuple[str, ...], asked: bool) -> str:
    """The split to train on, as the data call it; `wanted` itself where nothing is found, for
    whoever opens it to complain.
    """
    found = split_among(wanted, splits)
    if found is not None or wanted != "train" or asked:
        return wanted if found is None else found
    if len(splits) == 1 and splits[0].casefold() not in (*VALIDATION, "test"):
        return splits[0]
    begun = [
        name
        for name in splits
        if name.casefold().startswith("train") and not name.casefold().startswith("trainval")
    ]
    return split_among("trainval", splits) or (begun[0] if len(begun) == 1 else wanted)


def _to_validate(wanted: str, train: str, splits: tuple[str, ...]) -> str | None:
    """The split to validate on, as the data call it, or None: the one of that name; for "val" and
    its other names also the one of the training split's year and kind ("val2017" for "train2017").
    """
    if wanted not in VALIDATION:
        return split_among(wanted, splits)
    for name in dict.fromkeys((wanted, *VALIDATION)):
        sibling = (
            re.sub("train(?!.*train)", name, train)
            if "train" in train and "trainval" not in train
            else name
        )
        for one in (sibling, name):
            if one != train and all(part in splits for part in split_parts(one)):
                return one
    found = split_among(wanted, splits)
    return None if found == train else found
