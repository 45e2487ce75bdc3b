"""Models side by side: measured on the same images, with paired intervals of how they differ."""

import statistics
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvtasks.data.hints import Hints
from cvtasks.data.opening import title
from cvtasks.engines.table import AUTO
from cvtasks.errors import ModelError, UsageError
from cvtasks.evaluation.evaluate import evaluate as measure
from cvtasks.evaluation.model_facts import ModelFacts, model_facts
from cvtasks.evaluation.of_model import EvaluationData, Say, evaluation_data
from cvtasks.evaluation.seen import seen_words
from cvtasks.metrics.base import ByImage
from cvtasks.metrics.bootstrap import Difference, differences
from cvtasks.model import Model, load
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, model_folder, with_weights

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TIMED = 12  # images that a model is timed on
_WARM = 2  # runs before that
_NOT_COMPARED = ("files",)  # tables of a recipe that follow from the training


@dataclass(frozen=True, eq=False)
class Compared:
    """One model of a comparison.

    Attributes:
        model: as it was named; `result` what was measured, as `evaluate` gives it.
        differences: name of a number → how much more of it this model has than the first; empty for
            the first.
        facts: its size and its training.
        milliseconds: of one image from pixels to answer, the median of a few.
    """

    model: str
    recipe: Recipe
    result: Mapping[str, Any]
    differences: Mapping[str, Difference]
    facts: ModelFacts
    milliseconds: float


def compare(
    models: Sequence[str | Path],
    data: str = "",
    say: Say = lambda text: None,
    on_image: Callable[[str, int, int], None] = lambda model, done, images: None,
    *,
    renamed: Iterable[str] = (),
    format: str = "",
    lists: str = "",
    hints: Hints | None = None,
    engine: str = AUTO,
    precision: str = AUTO,
    device: str = AUTO,
) -> list[Compared]:
    """Measure models on the same images.

    Args:
        models: two or more names of the zoo or folders; the others are compared with the first.
        data: DATA or DATA:SPLIT; what the first was validated on by default.
        say: hears what was recognised and left out.
        on_image: hears after each image: the model, images done, images in all.
        renamed: `DATA'S=MODEL'S`, for classes that the models call otherwise than the data.
        format: of the data, where it may be one of several. lists: a folder of lists that are the
            data's splits. hints: what else is said about them. All are as the first model's recipe
            has them by default.
        engine, precision, device: as `cvtasks.load` has them.

    Raises:
        UsageError: there are fewer than two models, or too many.
        ModelError: there is no such model, or they answer different questions.
        DataError: there are no such data, or some of their images are not for all of the models.
    """
    if not 2 <= len(models) <= len(LETTERS):
        raise UsageError(
            f"a comparison is of two to {len(LETTERS)} models; got {len(models)}. Name the others."
        )
    folders = [model_folder(model) for model in models]
    recipes = [read_recipe(folder / RECIPE) for folder in folders]
    _check_same(models, recipes)
    # the truth as the first one's recipe opens it, so that all are asked the same
    first = recipes[0]
    read_as: dict[str, Any] = {"format": format, "lists": lists, "hints": hints, "run": first}
    pairs = list(renamed)
    found = []
    for number, recipe in enumerate(recipes):
        of_its_own = replace(recipe, data=first.data)
        heard: Say = say if not number else (lambda text: None)
        found.append(evaluation_data(of_its_own, folders[0], data, pairs, heard, **read_as))
    _check_classes(models, found)
    _check_images(models, found)
    for model, folder, recipe, asked in zip(models, folders, recipes, found, strict=True):
        known = asked.seen_by(recipe, folder)
        if seen := seen_words(str(model), known, recipe, len(asked.source)):
            say(
                f"{seen}: a score on what it has learned flatters. Compare on images that none has "
                "seen."
            )
    names = [str(model) for model in models]
    metrics: list[ByImage | None] = []
    compared: list[Compared] = []
    how: dict[str, Any] = {"engine": engine, "precision": precision, "device": device}
    for name, folder, recipe, asked in zip(names, folders, recipes, found, strict=True):
        loaded = load(folder, many=True, **how)
        metric = measure(
            loaded.engine,
            recipe.head,
            recipe.letterbox,
            asked.source,
            _counting(name, len(asked.source), on_image),
            asked.only,
            loaded.augment,
        )
        metrics.append(metric.by_image())
        result = asked.result(name, loaded.engine, metric)
        against = metrics[0], metrics[-1]
        paired = (
            differences(against[0], against[1]) if compared and against[0] and against[1] else {}
        )
        facts = model_facts(with_weights(folder))
        compared.append(Compared(name, recipe, result, paired, facts, 0.0))
    times = _times(folders, found[0], how)
    return [replace(one, milliseconds=ms) for one, ms in zip(compared, times, strict=True)]


def recipe_differences(recipes: Sequence[Recipe]) -> dict[str, list[Any]]:
    """Key → each recipe's value, for the keys in which they are not all the same; None where a
    recipe has no such key.
    """
    flat = [dict(_flat(tomllib.loads(recipe.to_toml()))) for recipe in recipes]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = {key: [one.get(key) for one in flat] for key in keys}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}


def _flat(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            if key not in _NOT_COMPARED:
                yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _check_same(models: Sequence[str | Path], recipes: Sequence[Recipe]) -> None:
    """Raise ModelError where the models do not answer the same question."""
    first = recipes[0]
    for model, recipe in zip(models[1:], recipes[1:], strict=True):
        pair = f"{str(models[0])!r} and {str(model)!r}"
        if recipe.task.name != first.task.name:
            raise ModelError(
                f"models are compared that answer the same task; {pair} answer {first.task.name} "
                f"and {recipe.task.name}. Compare models of one task."
            )
        standards = [next(iter(one.task.metric(one.classes).result())) for one in (first, recipe)]
        if standards[0] != standards[1] or recipe.task.selection != first.task.selection:
            raise ModelError(
                f"models are compared by one standard on the same images; {pair} are measured "
                f"differently: {_asked(first, standards[0])} and {_asked(recipe, standards[1])}. "
                "Compare models whose `[task]` asks the same."
            )


def _asked(recipe: Recipe, standard: str) -> str:
    return f"{standard}{' on ' if recipe.task.selection else ''}{recipe.task.selection}"


def _check_classes(models: Sequence[str | Path], found: Sequence[EvaluationData]) -> None:
    """Raise ModelError where the models do not share the same classes with the data."""
    first = set(found[0].classes.classes)
    for model, asked in zip(models[1:], found[1:], strict=True):
        alone = sorted(first ^ set(asked.classes.classes))
        if alone:
            raise ModelError(
                "models are compared that know the same of the data's classes; of "
                f"{str(models[0])!r} and {str(model)!r} only one knows "
                f"{', '.join(alone[:5])}{' …' if len(alone) > 5 else ''}. Measure each with "
                "`cvtasks evaluate` on the classes that it shares with the data."
            )


def _check_images(models: Sequence[str | Path], found: Sequence[EvaluationData]) -> None:
    """Raise ModelError where the sources have not the same images."""
    first = found[0].source
    names = [first.name(index) for index in range(len(first))]
    for model, asked in zip(models[1:], found[1:], strict=True):
        source = asked.source
        if [source.name(index) for index in range(len(source))] != names:
            raise ModelError(
                f"models are compared on the same images; of {title(asked.path, asked.split)} "
                f"{str(models[0])!r} can use {len(names)} and {str(model)!r} {len(source)}. "
                "Compare models whose recipes use the same."
            )


def _counting(
    model: str, images: int, on_image: Callable[[str, int, int], None]
) -> Callable[..., None]:
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        on_image(model, done, images)

    return count


def _times(folders: Sequence[Path], asked: EvaluationData, how: Mapping[str, Any]) -> list[float]:
    """Milliseconds of an image for each model, the runs interleaved: what slows the machine down
    for a while slows all of them.
    """
    models = [load(folder, **how) for folder in folders]
    count = min(_TIMED, len(asked.source))
    images = [asked.source[i * len(asked.source) // count].image for i in range(count)]
    taken: list[list[float]] = [[] for _ in models]
    for model in models:
        for image in images[:_WARM]:
            model.predict(image)
    for image in images:
        for times, model in zip(taken, models, strict=True):
            times.append(_timed(model, image))
    return [statistics.median(times) for times in taken]


def _timed(model: Model, image: Any) -> float:
    begun = time.perf_counter()
    model.predict(image)
    return 1000 * (time.perf_counter() - begun)
