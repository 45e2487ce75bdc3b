"""A cross-validation: one run for each fold of the training split, and what their scores say
together.
"""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvtasks.data import Source
from cvtasks.data.dividing import Shares, divide
from cvtasks.data.held_out import NAMES, set_aside_before, write_names
from cvtasks.data.opening import Sources, open_sources, title, undivided_split
from cvtasks.data.rare import NAMED, times_of
from cvtasks.data.tiled import cut
from cvtasks.data.views import Subset
from cvtasks.errors import CVTasksError, DataError, ModelError, UsageError
from cvtasks.evaluation.evaluate import score_text
from cvtasks.files.writing import write_text
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.text import agreeing, code, counted, dumps, markdown, one_line, some
from cvtasks.training.layout import CARD, FOLDS, LISTS
from cvtasks.training.new_folder import kept_if_learned, make_folder
from cvtasks.training.plan import Plan, Say, resumed
from cvtasks.training.progress import Report
from cvtasks.zoo import RECIPE

_METRICS = "metrics.json"
_MOST = 10_000_000  # bytes of a folds.json or metrics.json


def share_of(count: int) -> float:
    """The share of the images that each of so many folds sets aside.

    Raises:
        UsageError: there are too few or too many.
    """
    Shares(test=0.0, folds=count)
    return 1 / count


def folds_of(plan: Plan, count: int) -> list[list[int]]:
    """Indices of the samples that each of so many folds validates on, dealt out by class and by the
    recipe's seed (`cvtasks.data.dividing.divide`).

    Args:
        plan: with `data.held_out` as `share_of` says.

    Raises:
        UsageError: there are too few or too many folds.
        DataError: there are too few images, or groups of them.
    """
    share_of(count)
    return _dealt(undivided_split(plan.sources), count, plan.recipe.train.seed)


def steps_of_folds(plan: Plan, parts: Sequence[Sequence[int]]) -> list[int]:
    """Steps of an epoch of each of the folds that `folds_of` gives. Loads Keras."""
    from cvtasks.training.loop import batches_of

    every, data, found = undivided_split(plan.sources), plan.recipe.data, []
    for part in parts:
        aside = set(part)
        kept = [index for index in range(len(every)) if index not in aside]
        found.append(len(batches_of(plan.recipe, cut(Subset(every, kept), data))))
    return found


def begin_folds(
    plan: Plan,
    count: int,
    folder: Path,
    command: str,
    parts: Sequence[Sequence[int]] = (),
) -> None:
    """Make the folder of a cross-validation, with the list of each fold.

    Args:
        plan: with `data.held_out` as `share_of` says.
        folder: must not exist yet.
        parts: the folds, where they were dealt out before (`folds_of`).

    Raises:
        UsageError: it exists, or there are too few or too many folds.
        DataError: there are too few images, or groups of them.
    """
    parts = parts or folds_of(plan, count)
    make_folder(folder)
    with kept_if_learned(folder):
        plan.recipe.save(folder / RECIPE)
        _write_lists(folder, undivided_split(plan.sources), parts)
        said = {"folds": count, "command": command, "chosen": sorted(plan.chosen)}
        write_text(folder / FOLDS, dumps(said, indent=2) + "\n")


def run_folds(
    folder: Path,
    report_of: Callable[[Recipe, Path], Report],
    data: str = "",
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Train what is not finished yet of a cross-validation, each fold in a folder of its own
    (`fold0` …); returns what `folds.json` then holds.

    Each validates on what its list names, which `begin_folds` wrote, and trains on the rest.

    Args:
        report_of: (recipe, folder) of a run → what hears of it.
        data: where the data are now; where they were, by default.

    Raises:
        ModelError: the folder holds no cross-validation.
        DataError: the data have lost images that its lists name, or have others. Whatever a run
            raises; those that are finished are not repeated when it is called again.
    """
    from cvtasks.training.run import run

    said, recipe = _read(folder / FOLDS), read_recipe(folder / RECIPE)
    if data:
        recipe = replace(recipe, data=replace(recipe.data, path=data))
    count, chosen = said["folds"], frozenset(said.get("chosen", ()))
    runs: list[dict[str, Any]] = []
    parts: Sequence[Sources] = ()
    for number in range(count):
        place = folder / f"fold{number}"
        if not (place / CARD).exists():
            say(f"fold {number + 1} of {count} → {place}")
            if (place / RECIPE).exists():
                plan = resumed(place, data, say)
                if plan.recipe.train.minutes:
                    plan = replace(plan, chosen=chosen)
            else:
                parts = parts or _listed(folder, recipe, count, say)
                plan = Plan(recipe, parts[number], chosen=chosen)
            with _naming_all(folder, count, len(runs)):
                run(plan, place, str(said["command"]), report_of(plan.recipe, place))
        runs.append({"folder": place.name, **_read(place / _METRICS)})
    result = {**said, "metrics": _summed(runs), "runs": runs}
    write_text(folder / FOLDS, dumps(result, indent=2) + "\n")
    _write_card(folder, recipe, result)
    return result


@contextmanager
def _naming_all(folder: Path, count: int, finished: int) -> Iterator[None]:
    """Have an error that ends a fold name the whole cross-validation, which goes on with that fold
    and then with the others; not where nothing is kept of it.
    """
    try:
        yield
    except CVTasksError as error:
        if finished or "resume" in error.ways:
            error.args = (
                f"{error} Resume the whole cross-validation in {str(folder)!r}: "
                f"{finished} of {counted(count, 'fold')} {agreeing(finished)} finished.",
            )
            error.ways = {**error.ways, "resume": str(folder)}
        raise


def spread_text(found: Mapping[str, Any], digits: int = 4) -> str:
    """A mean with the spread of the folds.

    >>> spread_text({"mean": 0.5, "spread": 0.0312}, 3), spread_text({"mean": None})
    ('0.500 ± 0.031', '–')
    """
    if found["mean"] is None:
        return score_text(None)
    return f"{found['mean']:.{digits}f} ± {found['spread']:.{digits}f}"


def _dealt(every: Source, count: int, seed: int) -> list[list[int]]:
    """Indices of the samples that each fold validates on."""
    parts = divide(every, Shares(test=0.0, folds=count, seed=seed)).parts
    return [list(parts[f"fold{number}/val"]) for number in range(count)]


def _list_of(folder: Path, number: int) -> Path:
    """The list of a fold; its folder holds it as that of a run does."""
    return folder / LISTS / f"fold{number}" / NAMES


def _write_lists(folder: Path, every: Source, parts: Sequence[Sequence[int]]) -> None:
    for number, part in enumerate(parts):
        write_names(_list_of(folder, number), Subset(every, part))


def _listed(folder: Path, recipe: Recipe, count: int, say: Say) -> list[Sources]:
    """The data of each fold, by the lists; says which of them lack a class to train on."""
    first = _list_of(folder, 0).parent
    every = undivided_split(open_sources(recipe, folder=first))  # what it says is of one fold alone
    called = title(recipe.data.path, recipe.data.train)
    if not all(_list_of(folder, number).is_file() for number in range(count)):
        _deal_again(folder, every, called, count, recipe.train.seed)
    found = [set_aside_before(every, _list_of(folder, number), called) for number in range(count)]
    _check_once(folder, every, called, [aside for _, aside in found])
    say(f"data: {counted(count, 'fold')} of {len(every)} images; each image is validated on once")
    dealt = [(Subset(every, kept), Subset(every, aside)) for kept, aside in found]
    for line in _lacking(every, [train for train, _ in dealt]):
        say(f"data: {line}")
    return [Sources(cut(train, recipe.data), cut(val, recipe.data)) for train, val in dealt]


def _deal_again(folder: Path, every: Source, called: str, count: int, seed: int) -> None:
    """Write the lists of a cross-validation that has none, as one of an older version.

    Raises:
        DataError: a fold that was begun validates on other images than it is dealt now.
    """
    parts = _dealt(every, count, seed)
    for number, part in enumerate(parts):
        begun = folder / f"fold{number}" / NAMES
        if begun.is_file() and set_aside_before(every, begun, called)[1] != sorted(part):
            raise DataError(
                f"a cross-validation goes on by its lists; {str(folder / LISTS)!r} lacks some, and "
                f"{str(begun)!r} names other images than this version deals out. Bring the lists "
                "back, or start another."
            )
    _write_lists(folder, every, parts)


def _check_once(folder: Path, every: Source, called: str, parts: Sequence[Sequence[int]]) -> None:
    """Raise DataError where an image is in no list, as one that came later, or in several."""
    times = Counter(index for part in parts for index in part)
    odd = [every.name(index) for index in range(len(every)) if times[index] != 1]
    if odd:
        raise DataError(
            "each image of the data is in the list of one fold; "
            f"{counted(len(odd), 'image')} of {called!r} {agreeing(len(odd))} in none of "
            f"{str(folder / LISTS)!r}, or in several: {some(odd, NAMED)}. Bring the data back as "
            "they were, or start another cross-validation."
        )


def _lacking(every: Source, trains: Sequence[Source]) -> list[str]:
    """A line for each fold that has no image to train on with a class which others show; none where
    truths are images, which would all have to be read again.
    """
    there, lines = times_of(every), []
    for number, train in enumerate(trains, 1):
        seen = times_of(train)
        if missing := [name for name, count in there.items() if count and not seen[name]]:
            lines.append(
                f"fold {number} of {len(trains)} trains on no image that shows "
                f"{some(missing, NAMED)}"
            )
    return lines


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file of a cross-validation says, or `images` and `metrics` of a run's."""
    try:
        if path.stat().st_size > _MOST:
            raise ValueError(f"it has more than {_MOST:,} bytes")
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict):
            raise TypeError("it is no object")
        if path.name == FOLDS:
            Shares(test=0.0, folds=int(said["folds"]))
            said["command"] = str(said["command"])
        else:
            said = {"images": int(said["images"]), "metrics": dict(said["metrics"])}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, UsageError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ModelError(
            f"a cross-validation goes on by {path.name}, which training wrote; {str(path)!r} "
            f"cannot be used: {reason}. Bring it back, or start another."
        ) from error
    return said


def _summed(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Name of the number → its mean over the folds and its spread, the standard deviation of the
    sample; of the folds in which there was something to measure.
    """
    found: dict[str, dict[str, float | None]] = {}
    for name in runs[0]["metrics"]:
        known = [run["metrics"].get(name) for run in runs]
        numbers = [float(number) for number in known if number is not None]
        found[name] = {
            "mean": round(statistics.mean(numbers), 6) if numbers else None,
            "spread": round(statistics.stdev(numbers), 6) if len(numbers) > 1 else 0.0,
        }
    return found


def _write_card(folder: Path, recipe: Recipe, result: Mapping[str, Any]) -> None:
    """Write the folder's `README.md`."""
    names = list(result["metrics"])
    rows = [
        f"| {run['folder']} | {run['images']} | "
        + " | ".join(score_text(run["metrics"].get(name), 3) for name in names)
        + " |"
        for run in result["runs"]
    ]
    means = " | ".join(spread_text(result["metrics"][name], 3) for name in names)
    text = f"""# {markdown(one_line(folder.name))}

A cross-validation in {counted(result["folds"], "fold")} of \
{code(title(recipe.data.path, recipe.data.train))}:
each image is validated on once, by a model that has not seen it.

| run | images | {" | ".join(names)} |
|---|---|{"---|" * len(names)}
{chr(10).join(rows)}
| **mean ± spread** | | {means} |

The spread is the standard deviation of the folds' scores: what other images to train and to
validate on might have given. It is no error of the mean, as the folds share training images.

- command: {code(result["command"])}
- seed: {recipe.train.seed}

Each run is a model of its own; `{FOLDS}` holds these numbers. To use one model, train on all
images, or take the fold with the score nearest the mean.
"""
    write_text(folder / CARD, text)
