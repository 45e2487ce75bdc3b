"""A run before it begins: its recipe, made of what is wished for and of the data, and the data,
opened and checked once.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvtasks.data import Source
from cvtasks.data.opening import Sources, open_sources, settled, splits_for
from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.files.writing import cannot_write, check_folder, name_held, numbered
from cvtasks.recipe.recipe import Override, Recipe, key_of, parse_recipe, read_recipe
from cvtasks.recipe.translation import FORMAT, new_name
from cvtasks.tasks import TASKS
from cvtasks.training.layout import BEST, CARD, CHECKPOINT, CHECKPOINTS
from cvtasks.zoo import RECIPE

Say = Callable[[str], None]

_FINE_TUNED = 0.2  # share of the learning rate that a backbone with weights begins with


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is settled before a run begins.

    Attributes:
        recipe: every value of it, its splits called as the data call them.
        sources: the recipe's data.
        resumes: whether a run that was begun before goes on.
    """

    recipe: Recipe
    sources: Sources
    resumes: bool = False

    def with_batch(self, batch: int) -> "Plan":
        """The same with so many images a step."""
        return replace(
            self, recipe=replace(self.recipe, train=replace(self.recipe.train, batch=batch))
        )


def planned(
    what: str | Path | Recipe, wishes: Iterable[Override] = (), say: Say = lambda text: None
) -> Plan:
    """Plan a run.

    Args:
        what: the name of a task, whose recipe begins with what is usual for it and with the classes
            of the data; or a recipe, or the path of its file (`….toml`).
        wishes: values of the recipe that are changed: (key, value), or text `key=value`.
        say: hears what was concluded, recognised and left out.

    Raises:
        ModelError: no such task or recipe, or a value that none can have.
        DataError: there are no such data, or they cannot be trained on; see
            `cvtasks.data.opening.open_sources`.
    """
    wishes = list(wishes)
    of_a_task = isinstance(what, str) and not what.endswith(".toml")
    task = what if of_a_task and isinstance(what, str) else ""
    asked = {new_name(key_of(wish), task) for wish in wishes}
    recipe = _recipe_of(what, wishes, asked)
    if not recipe.data.path:
        raise DataError(
            "training needs data. Give the folder of a data set, or the name of one that "
            "`cvtasks data get` fetches (`data.path` of the recipe).",
            ways={"data": ""},
        )
    splits = splits_for(recipe)
    recipe = settled(recipe, splits, say, asked)
    if of_a_task:
        recipe = _fitted(recipe, splits.opened(recipe.data.train).usable, asked)
    return Plan(recipe, open_sources(recipe, say, splits=splits))


def resumed(folder: Path, data: str = "", say: Say = lambda text: None) -> Plan:
    """Plan to go on with the run in a folder.

    Args:
        data: where its data are now; where they were, by default.

    Raises:
        UsageError: the run is finished.
        ModelError: it is none, or what it has learned is gone.
        DataError: the data cannot be opened, or lack images that were set aside.
    """
    recipe = read_recipe(folder / RECIPE)
    if (folder / CARD).exists():
        raise UsageError(
            f"{str(folder)!r} holds a finished model; there is nothing to resume. Train into "
            "another folder."
        )
    _check_checkpoints(folder / CHECKPOINTS, say)
    if data:
        recipe = replace(recipe, data=replace(recipe.data, path=data))
    return Plan(recipe, open_sources(recipe, say, folder), resumes=True)


@contextmanager
def unused_folder(recipe: Recipe) -> Iterator[Path]:
    """`runs/TASK-BACKBONE`, with a number where that exists; no other run takes it as long as the
    context lasts.

    Raises:
        OutputError: `runs` cannot be written.
    """
    base = Path("runs") / f"{recipe.task.name}-{recipe.backbone}"
    check_folder(base.parent)
    with ExitStack() as held:
        for name in numbered(base.name):
            folder = base.with_name(name)
            if os.path.lexists(folder):
                continue
            try:
                held.enter_context(name_held(folder.parent, name))
                break
            except FileExistsError:  # another run that begins just now
                continue
            except OSError as error:
                raise cannot_write(folder, error) from error
        yield folder


def _recipe_of(what: str | Path | Recipe, wishes: list[Override], asked: set[str]) -> Recipe:
    """The recipe with the wishes, as yet with splits and classes that need not be the data's."""
    if isinstance(what, Recipe):
        recipe = parse_recipe(tomllib.loads(what.to_toml()), wishes)
    elif isinstance(what, Path) or what.endswith(".toml"):
        recipe = read_recipe(what, wishes)
    else:
        recipe = parse_recipe(_usual(what, asked), wishes)
    return replace(recipe, files={})  # a run has none before its end


def _usual(task: str, asked: set[str]) -> dict[str, Any]:
    """What a recipe for a task begins with, before its data are known."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "task": {"name": task},
        "backbone": "mobilenet",
        "size": 320,
        "classes": ["background", "object"],
    }
    if task in TASKS:
        start = TASKS[task].task
        document["size"] = start.start_size
        document |= {table: dict(values) for table, values in start.start.items()}
    if "train.weights" in asked:
        # what was learned before is not to be lost in the first steps
        document["train"] = document.get("train", {}) | {"backbone_rate": _FINE_TUNED}
    return document


def _fitted(recipe: Recipe, train: Source, asked: set[str]) -> Recipe:
    """The recipe with the classes of the data, and what suits their truths, but for what was asked
    for.
    """
    classes = recipe.classes if "classes" in asked else train.classes
    truths = (train.truth(index).with_classes(classes) for index in range(len(train)))
    suited = {
        key: value
        for key, value in recipe.task.suited(truths).items()
        if f"task.{key}" not in asked
    }
    return recipe.with_task(replace(recipe.task, **suited), classes)


def _check_checkpoints(folder: Path, say: Say) -> None:
    """Raise ModelError if what a run has learned is gone; says so where nothing was saved yet."""
    if not folder.is_dir() or ((folder / BEST).exists() and not (folder / CHECKPOINT).exists()):
        missing = CHECKPOINT if folder.is_dir() else CHECKPOINTS
        raise ModelError(
            f"a run goes on from {CHECKPOINTS}/{CHECKPOINT}; {str(folder.parent)!r} has no "
            f"{missing}. Bring it back, or start another run."
        )
    if not (folder / CHECKPOINT).exists():
        say("the run had saved no checkpoint yet and begins anew")
