"""The data that a model is measured on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cvtasks.data import split_of, splits_of
from cvtasks.data.checking.statistics import fingerprint, glance
from cvtasks.data.held_out import NAMES, split_by_names
from cvtasks.data.hints import NONE, Hints
from cvtasks.data.opening import Say, open_sources, same_place, title
from cvtasks.data.run_facts import ASIDE, FACTS, noted_fingerprints
from cvtasks.data.source import VALIDATION, Source, split_among, splits_among
from cvtasks.data.splits import open_usable
from cvtasks.data.tiled import cut
from cvtasks.data.views import Subset, fitted
from cvtasks.errors import CVTasksError, DataError
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import agreeing, counted


@dataclass(frozen=True)
class ToEvaluate:
    """Data to measure a model on: as they are, which of their samples (None for all), where they
    are, and which split that is.
    """

    source: Source
    kept: Sequence[int] | None
    path: str
    split: str


def open_to_evaluate(
    recipe: Recipe,
    folder: Path,
    data: str,
    say: Say = lambda text: None,
    *,
    format: str = "",
    lists: str = "",
    hints: Hints | None = None,
    run: Recipe | None = None,
) -> ToEvaluate:
    """Open DATA[:SPLIT], or what the model in `folder` was validated on.

    Lists (`data.lists`) say which images a split has; those of the recipe do where its own data are
    meant and no others are given.

    Without a split these are the images that its run set aside, where it did and the data are the
    run's own, at their place or moved; else the recipe's split to validate on, or another of its
    names; else the only split there is.

    Args:
        format: of the data; empty for the recipe's where they are its own, else for the one that is
            recognised.
        hints: what is said about the data; what it leaves open is as the recipe has it. What of the
            recipe's own data was left out as faulty is left out here too.
        run: the recipe of the model in `folder`, where `recipe` has other classes.

    Raises:
        DataError: there is no such data set or split, or the recipe's own data have some of the
            images that were set aside, but not all.
    """
    path, split = split_of(data or recipe.data.path)
    kind = recipe.task.answer
    own = path == recipe.data.path or same_place(path, recipe.data.path)
    format = format or (recipe.data.format if own else "")
    lists = lists or (recipe.data.lists if own else "")
    told = Hints.of(recipe.data)
    hints = (hints or NONE).beside(told if own else replace(told, faulty=""))
    opened = partial(open_usable, path, kind=kind, say=say, format=format, lists=lists, hints=hints)
    if split:
        source = opened(split)
        return ToEvaluate(source, None, path, source.split)
    splits = splits_of(path, kind, format=format, lists=lists, hints=hints)
    train = splits_among(recipe.data.train, splits)
    if recipe.data.held_out and train is not None:
        source = opened(train)
        kept = (_held_out_of if own else _moved)(source, run or recipe, folder, path, say)
        if kept is not None:
            return ToEvaluate(source, kept, path, recipe.data.validated_on)
    wanted = next(
        (
            name
            for name in (recipe.data.validate, *VALIDATION)
            if name and split_among(name, splits) is not None
        ),
        "",
    )
    source = opened(wanted or (recipe.data.validate if len(splits) > 1 else ""))
    return ToEvaluate(source, None, path, source.split)


def _held_out_of(
    source: Source, recipe: Recipe, folder: Path, path: str, say: Say
) -> list[int] | None:
    """Indices of the images of its own data that the model's run set aside; None where the data
    have none of them.

    Raises:
        DataError: some are there, some are not.
    """
    names = folder / NAMES
    if names.is_file():
        _, kept, gone = split_by_names(source, names)
        if kept and gone:
            raise DataError(
                f"{str(names)!r} names the images that the model was validated on; {gone} of "
                f"{gone + len(kept)} {agreeing(gone)} not in "
                f"{title(path, source.split)!r}. Name the split to measure on: DATA:SPLIT, or "
                "DATA:all where there are no splits."
            )
        noted = noted_fingerprints(folder)
        if kept and "validate" in noted and not _are_these(Subset(source, kept), recipe, noted):
            say(
                f"data: {NAMES} names {counted(len(kept), 'image')} of {path!r}, but there images "
                "or truths are not as the run saw them: the score is of other data than the run's "
                "own"
            )
        return kept or None
    say(
        f"data: no {NAMES} beside the recipe; the images set aside are drawn again by the recipe's "
        "seed"
    )
    aside = open_sources(recipe).validate
    held = {aside.name(index) for index in range(len(aside))}
    return [index for index in range(len(source)) if source.name(index) in held]


def _moved(source: Source, recipe: Recipe, folder: Path, path: str, say: Say) -> list[int] | None:
    """Indices of the images that the model's run set aside, where data at another place than the
    recipe's have these very images; None where they have not. Images may have the same names and be
    others: the run's fingerprint tells. Of a model without one, as those that are shipped, data of
    the same name that have all of the images' names are taken for its own.
    """
    names = folder / NAMES
    if not names.is_file():
        return None
    _, kept, gone = split_by_names(source, names)
    if not kept:
        return None
    noted = noted_fingerprints(folder)
    if "validate" in noted:
        own, by = _are_these(Subset(source, kept), recipe, noted), "their fingerprint"
        why = "they are others by the run's fingerprint"
    else:
        called, made = (Path(one).name.casefold() for one in (path, recipe.data.path))
        own, by = called == made and not gone, "the names of all"
        why = f"no {FACTS} tells whether they are the same"
    if own:
        say(
            f"data: {path!r} has the very images that the model's run set aside to validate, by "
            f"{by}; these {len(kept)} of {len(source)} count. All of them: "
            f"{title(path, source.split or 'all')}"
        )
        return kept
    say(
        f"data: {path!r} is taken for other data than the run's, and {NAMES} leaves none of it "
        f"out: it names {len(kept)} of {counted(len(source), 'image')}, but {why}. If they are the "
        "run's, moved, name their place in the recipe's `data.path`"
    )
    return None


def _are_these(source: Source, run: Recipe, noted: Mapping[str, str]) -> bool:
    """Whether images are those that a run set aside, by what it has noted of them."""
    try:
        seen = fingerprint(cut(fitted(source, run), run.data))
        return seen == noted.get("validate") and noted.get(ASIDE) in (None, glance(source))
    except CVTasksError:  # it could not have used them
        return False
