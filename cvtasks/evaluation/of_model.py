"""A model measured on a data set: which of the data's images and classes count, and what is said of
them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtasks.answers.synonyms import called_otherwise, in_words
from cvtasks.data import Hints, Source
from cvtasks.data.nothing_scored import nothing_scored
from cvtasks.data.opening import title
from cvtasks.data.shared_classes import NONE, Shared, differences, read_map, shared
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.data.views import Renamed, Subset, fitted
from cvtasks.engines.base import Engine
from cvtasks.engines.looks import FLIP, augment_of
from cvtasks.errors import UsageError
from cvtasks.evaluation.evaluate import evaluate as measure
from cvtasks.evaluation.evaluate import report
from cvtasks.evaluation.seen import Seen, seen
from cvtasks.geometry.tiles import Tiles, tiles_of
from cvtasks.metrics.base import Metric
from cvtasks.model import Model, load
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """Data as a model is measured on them.

    Attributes:
        recipe: the model's, with its classes called as the data call them.
        opened: the split as the data have it.
        source: the images that count, with the model's classes.
        path, split: where they are.
        classes: which the model and the data share, and which not.
        renamed: the data's class → the model's, where somebody said so.
        otherwise: the model's class → the data's, where both are names of one thing.
        nothing: that no image shows anything that is scored; empty where one does.
    """

    recipe: Recipe
    opened: Source
    source: Source
    path: str
    split: str
    classes: Shared
    renamed: Mapping[str, str]
    otherwise: Mapping[str, str] = field(default_factory=dict)
    nothing: str = ""

    @property
    def scored_as(self) -> dict[str, str]:
        """Names that the data or the model have for a class → the one that it is scored under."""
        return {**self.renamed, **self.otherwise}

    def seen_by(self, recipe: Recipe, folder: Path) -> Seen:
        """What a model has seen of the images (`cvtasks.evaluation.seen.seen`)."""
        first = self.recipe.data
        aside = first.held_out > 0 and self.split == first.validated_on
        split = first.train if aside else self.split  # that those which were set aside are of
        return seen(recipe, folder, self.path, split, self.source)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known of the images beside the scores."""
        return *([self.nothing] if self.nothing else []), *self.source.remarks()

    @property
    def only(self) -> tuple[str, ...] | None:
        """The classes of which predictions count; None for all."""
        # where each image has its one answer, leaving classes out would change it
        return (
            self.classes.classes if self.classes.model and not self.recipe.task.selection else None
        )

    def result(self, model: str, engine: Engine | None, metric: Metric) -> dict[str, Any]:
        """The one object that says what was measured; see `cvtasks.evaluation.evaluate.report`."""
        result = report(model, self.path, self.split, len(self.source), engine, metric)
        result["classes"] = {
            name: row for name, row in result["classes"].items() if name in self.classes.classes
        }
        if self.classes.model or self.classes.data:
            result["not_scored"] = {
                "model": list(self.classes.model),
                "data": list(self.classes.data),
            }
        if self.renamed:
            result["map"] = dict(self.renamed)
        if self.otherwise:
            result["synonyms"] = {theirs: ours for ours, theirs in self.otherwise.items()}
        return result


def evaluation_data(
    recipe: Recipe,
    folder: Path,
    data: str = "",
    renamed: Iterable[str] = (),
    say: Say = lambda text: None,
    *,
    format: str = "",
    lists: str = "",
    hints: Hints | None = None,
    run: Recipe | None = None,
) -> EvaluationData:
    """Open DATA[:SPLIT] for a model, or what it was validated on.

    A class that data and model call by two names of one thing (`cvtasks.answers.synonyms`) is
    scored under the data's name.

    Args:
        lists: a folder of lists that are the data's splits; those of the recipe by default.
        folder: the model's.
        renamed: `DATA'S=MODEL'S`, for classes that are called differently.
        say: hears what was recognised, which classes are called otherwise, and which are not
            scored.
        format: of the data, where it may be one of several.
        hints: what else is said about the data; as the recipe has it by default.
        run: the recipe of the model in `folder`, where `recipe` has other classes.

    Raises:
        UsageError: no data are named, or a class of `renamed` is none.
        DataError: there are no such data, or they share no class with the model.
    """
    if not (data or recipe.data.path):
        raise UsageError(
            "a model is measured on data, and its recipe names none. Give DATA:SPLIT.",
            ways={"data": ""},
        )
    read_as: dict[str, Any] = {"format": format, "lists": lists, "hints": hints}
    found = open_to_evaluate(recipe, folder, data, say, run=run, **read_as)
    names = read_map(renamed, found.source, recipe.classes)
    whole = Renamed(found.source, names) if names else found.source
    otherwise = _otherwise(recipe, whole, names)
    recipe = recipe.with_task(
        recipe.task, tuple(otherwise.get(name, name) for name in recipe.classes)
    )
    both = shared(whole, recipe.classes, recipe.data.unlisted)
    part = whole if found.kept is None else Subset(whole, found.kept)
    called = title(found.path, found.split)
    source = fitted(part, recipe, lacking=True, called=called)
    say(f"data: {found.source.format}, {called}, {counted(len(source), 'image')}")
    two = in_words({theirs: ours for ours, theirs in otherwise.items()})
    same = f"names of one class in the data and in the model: {two}" if two else ""
    nothing = nothing_scored(source)
    for line in (found.source.taken_for, same, *differences(both, recipe), nothing):
        if line:
            say(f"data: {line}")
    place = found.path, found.split
    return EvaluationData(recipe, found.source, source, *place, both, names, otherwise, nothing)


def _otherwise(recipe: Recipe, source: Source, renamed: Mapping[str, str]) -> dict[str, str]:
    """The model's class → the data's, where they are names of one thing and nobody said what
    either is.
    """
    said = {*renamed.values(), recipe.data.unlisted}
    return called_otherwise(
        (name for name in recipe.classes if name not in said),
        [name for name in source.classes if name not in said],
    )


def evaluate(
    model: Model | str | Path,
    data: str | Path = "",
    *,
    renamed: Mapping[str, str] = NONE,
    augment: bool | str = False,
    tiles: str | Tiles = "",
) -> dict[str, Any]:
    """Measure a model on a data set, by the standard of its task.

    Args:
        model: a loaded model, a name of the zoo or a folder.
        data: DATA or DATA:SPLIT; what the model was validated on by default.
        renamed: a class of the data → the class of the model that it is.
        augment: merge the answers of several looks at an image, as a model does that was loaded
            so.
        tiles: answer large images piece by piece, as `Model.predict` does.

    Returns:
        `metrics`: the standard's name → its number, 0 to 1, the headline first; `classes`: the same
        for each class; `intervals`: name → [low, high], the 95 % interval of a bootstrap over the
        images; and `model`, `data`, `split`, `images`, `engine`, `precision`. A number is None
        where there was nothing to measure.

    Raises:
        ModelError: there is no such model.
        UsageError, DataError: as `evaluation_data`.
    """
    loaded = model if isinstance(model, Model) else load(model, many=True)
    found = evaluation_data(
        loaded.recipe,
        loaded.folder or Path(),
        str(data),
        [f"{theirs}={ours}" for theirs, ours in renamed.items()],
    )
    head, fit = loaded.recipe.head, loaded.recipe.letterbox
    looks = augment_of(augment) or loaded.augment
    cut = tiles_of(tiles)
    how: dict[str, Any] = {"only": found.only, "augment": looks, "tiles": cut}
    metric = measure(loaded.engine, head, fit, found.source, **how)
    return found.result(loaded.name, loaded.engine, metric) | how_measured(looks, cut)


def how_measured(augment: str, tiles: Tiles | None) -> dict[str, Any]:
    """What a result says of how images were looked at, where not once and as a whole."""
    looks = {"augment": True if augment == FLIP else augment} if augment else {}
    return looks | ({"tiles": str(tiles)} if tiles else {})
