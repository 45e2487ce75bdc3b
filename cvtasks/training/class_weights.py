"""The weights of classes in a head's loss, one for each by its place: those of a recipe are for the
classes, and where they were computed for the data, that it had.
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvtasks.data import Source
from cvtasks.data.loading.imbalance import balanced_weights
from cvtasks.data.rare import NAMED
from cvtasks.errors import ModelError
from cvtasks.recipe.overrides import Override, key_of
from cvtasks.recipe.recipe import Recipe, parse_recipe, read_document, read_recipe
from cvtasks.schema import keys_of, table_of
from cvtasks.text import some

NAME = "class_weights"
"""The key of `[head]`; that of `[train]`, by which they are computed, has the same."""
KEY = f"head.{NAME}"
_KEYS = ("classes", "train.seed", "train.class_weights")  # and all of [data]: what they are for


def with_balanced_weights(recipe: Recipe, train: Source) -> Recipe:
    """The recipe with weights of the classes in its head, where it asks for them and has none.

    Raises:
        ModelError: the head's loss knows no classes' weights.
    """
    known = table_of(recipe.head)
    if recipe.train.class_weights == "none" or known.get(NAME):
        return recipe
    if NAME not in known:
        raise ModelError(
            "`train.class_weights` is for classification and segmentation; got "
            f'"{recipe.train.class_weights}" for {recipe.task.name}. Set `data.repeat`, by which '
            "images with rare classes are seen more often."
        )
    return _with_weights(recipe, balanced_weights(train, recipe.data.repeat))


def _with_weights(recipe: Recipe, found: Iterable[float]) -> Recipe:
    weights: dict[str, Any] = {NAME: tuple(found)}
    return replace(recipe, head=replace(recipe.head, **weights))


def of_the_data(
    document: Mapping[str, Any], wishes: list[Override]
) -> tuple[Recipe, list[Override]]:
    """The recipe of a document whose classes are to be taken from the data, and those of the wishes
    that are to be heeded once they are: weights of classes.

    Raises:
        ModelError: the recipe cannot be, or its head knows no classes' weights.
    """
    keys = [key_of(wish) for wish in wishes]
    if "classes" in keys or KEY not in keys:
        return parse_recipe(document, wishes), []
    named = zip(keys, wishes, strict=True)
    recipe = parse_recipe(document, [wish for key, wish in named if key != KEY])
    if NAME not in keys_of(type(recipe.head)):
        parse_recipe(document, wishes)  # which says so
    return recipe, [wish for key, wish in zip(keys, wishes, strict=True) if key == KEY]


def with_weights_by_hand(
    recipe: Recipe, model: Recipe, asked: Collection[str], say: Callable[[str], None]
) -> Recipe:
    """The recipe with the weights of classes that its start's recipe was given by hand, where the
    classes are the same. Such as were computed are for the start's data alone.

    Args:
        model: the start, whose head the recipe has but for these weights.
        asked: keys of the recipe that the user asks for.
        say: hears where weights are left out, as the classes are others.
    """
    given = table_of(model.head).get(NAME)
    computed = model.train.class_weights != "none"
    anew = KEY in asked or recipe.train.class_weights != "none"
    if not given or computed or anew or NAME not in keys_of(type(recipe.head)):
        return recipe
    if recipe.classes != model.classes:
        say(_left_out(recipe.train.weights, model.classes))
        return recipe
    return _with_weights(recipe, given)


def _left_out(whose: str, classes: Iterable[str]) -> str:
    """What is said where weights by hand are left out, as they are for other classes."""
    return f"{KEY} = []: those of {whose} are for its own classes, {some(tuple(classes), NAMED)}"


def changed_recipe(
    what: str | Path | Recipe, wishes: list[Override], say: Callable[[str], None]
) -> Recipe:
    """A recipe, or that in a file, with the wishes, and without weights of classes that are for
    others. Such as were computed are for its own data, and are to be computed anew for others; such
    as were given by hand are for its own classes.

    Args:
        say: hears where weights by hand are left out.
    """
    if isinstance(what, Recipe):
        document = tomllib.loads(what.to_toml())
        return parse_recipe(document, [*wishes, *_outdated(document, wishes, "the recipe", say)])
    document, more = read_document(what), list[Override]()
    with suppress(ModelError):  # which is raised where it is read, with its path
        more = _outdated(document, wishes, str(what), say)
    return read_recipe(what, [*wishes, *more])


def _outdated(
    document: Mapping[str, Any], wishes: list[Override], whose: str, say: Callable[[str], None]
) -> list[Override]:
    """What is to be wished for beside the `wishes`: nothing, or that there be no weights."""
    head = document.get("head")
    if not isinstance(head, Mapping) or not head.get(NAME) or KEY in map(key_of, wishes):
        return []
    bare = {**document, "head": {key: value for key, value in head.items() if key != NAME}}
    others = [wish for wish in wishes if not _decides(key_of(wish))]
    own, new = parse_recipe(bare, others), parse_recipe(bare, wishes)
    if NAME not in keys_of(type(new.head)) or _decisive(own) == _decisive(new):
        return []
    if own.train.class_weights == new.train.class_weights == "none":
        if own.classes == new.classes:
            return []
        say(_left_out(whose, own.classes))
    return [(KEY, [])]


def _decides(key: str) -> bool:
    """Whether the weights of classes that are computed depend on a key of the recipe."""
    return key in _KEYS or key.startswith("data.")


def _decisive(recipe: Recipe) -> tuple[Any, ...]:
    """The values of these keys."""
    return recipe.classes, recipe.data, recipe.train.seed, recipe.train.class_weights
