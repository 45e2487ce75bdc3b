"""The zoo: names → model folders, of the models that are shipped and of those that were fetched. A
bare name is looked up here, a path is a path; there is no third rule.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cvtasks.errors import CVTasksError, ModelError, UsageError, did_you_mean, nearest
from cvtasks.files.cache_folder import cache_folder
from cvtasks.files.writing import made_beside, sha256, write_text
from cvtasks.tasks import TASKS
from cvtasks.text import some
from cvtasks.weights.published import PUBLISHED

RECIPE, WEIGHTS = "recipe.toml", "weights.safetensors"

PACKAGED = {"classify-efficientnet-lite0-imagenet": "efficientnet-lite0"}
"""Shipped recipe → the backbone whose package brings the weights of the whole network."""

REPLACED = {
    "classify-mobilenet-voc": "classify-efficientnet-lite0-voc",
    "detect-mobilenet-voc": "detect-yolox-nano-voc",
    "segment-mobilenet-voc": "segment-efficientnet-lite0-voc",
}
"""Name of a model that was shipped once → the one that took its place."""


def zoo_folder() -> Path:
    """The folder of the shipped models: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def fetched_folder() -> Path:
    """The folder of the models that `cvtasks models get` fetched: `CVTASKS_MODELS`, or `models` in
    the folder of caches; it need not exist.

    Raises:
        UsageError: the user has no home folder, so that there is none.
    """
    own = os.environ.get("CVTASKS_MODELS")
    return Path(own) if own else cache_folder() / "models"


def was_fetched(folder: Path) -> bool:
    """Whether this is the place of a published model, where `cvtasks models get` puts it."""
    with suppress(UsageError):
        return folder.name in PUBLISHED and (
            folder.absolute().parent == fetched_folder().absolute()
        )
    return False


def shipped() -> list[str]:
    """Names of all shipped models and recipes."""
    return _names_in(zoo_folder())


def fetched() -> list[str]:
    """Names of the models that were fetched."""
    with suppress(UsageError):
        return [name for name in _names_in(fetched_folder()) if name not in shipped()]
    return []


def names() -> list[str]:
    """Names of all models and recipes that are there: shipped or fetched."""
    return sorted([*shipped(), *fetched()])


def in_zoo(folder: Path) -> bool:
    """Whether this is the folder of a model of the zoo, shipped or fetched."""
    there = folder.absolute().parent
    return there == zoo_folder().absolute() or (
        folder.name in fetched() and there == fetched_folder().absolute()
    )


def unknown(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is none of what is known and no model that is there:
    how a published model of this name is fetched, what took the place of one that was shipped once,
    what can be done with a network that is no model, or the nearest name.
    """
    if name in PUBLISHED:
        return (
            f"It is published, and not on this machine yet. Fetch it: `cvtasks models get {name}`"
        )
    if name in REPLACED:
        return (
            f"It is shipped no longer; {REPLACED[name]} took its place: give that name, or the "
            "folder of a copy that you have."
        )
    from cvtasks.networks.backbones import BACKBONES

    if name in BACKBONES:
        return (
            f"It is a network without weights: `cvtasks inspect {name}` shows it, `cvtasks inspect "
            f'networks` compares the classic ones, `backbone = "{name}"` trains it.'
        )
    return did_you_mean(name, {*known, *PUBLISHED})


def _names_in(folder: Path) -> list[str]:
    """Names of the folders in a folder that have a recipe."""
    with suppress(OSError):  # there is none, or it is not to be read
        return sorted(one.name for one in folder.iterdir() if _has_recipe(one))
    return []


def _has_recipe(folder: Path) -> bool:
    with suppress(OSError):  # it is not to be read
        return (folder / RECIPE).is_file()
    return False


def default_model(task: str) -> str:
    """Name of the model that a task uses unless told otherwise.

    Raises:
        ModelError: the zoo has none for this task.
    """
    name = TASKS[task].model if task in TASKS else ""
    if name and _is_trained(name):
        return name
    special = [one for one in shipped() if one.startswith(f"{task}-") and _is_trained(one)]
    if special:
        raise ModelError(
            f"the zoo has no trained model for {task} of everyday images, but {some(special, 3)}. "
            f"Name it, or train one: cvtasks train {task}"
        )
    raise ModelError(
        f"the zoo has no trained model for {task}. Give the folder of one, or train one: cvtasks "
        f"train {task}"
    )


def _is_trained(name: str) -> bool:
    return (zoo_folder() / name / WEIGHTS).is_file()


def has_weights(folder: Path) -> bool:
    """Whether a model's weights are there, or can be taken from an installed package."""
    backbone = _packaged(folder)
    if not backbone:
        return (folder / WEIGHTS).is_file()
    from cvtasks.weights.imagenet import cached_imagenet

    return cached_imagenet(backbone) is not None


def with_weights(folder: Path) -> Path:
    """The folder of a model: the given one; or, of a shipped recipe whose weights a package
    brings, the one that is made of both in the cache folder, once; anew where a file of it is gone
    or damaged.

    Raises:
        ModelError: the package is not installed, or its file is damaged.
        OutputError: the cache folder cannot be written.
    """
    backbone = _packaged(folder)
    if not backbone:
        return folder
    # Few models are made so, and names are asked for often.
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.weights.imagenet import fetch_imagenet, packaged_arrays
    from cvtasks.weights.safetensors_file import write_safetensors

    folder = folder.resolve()
    sums = sha256(folder / RECIPE) + sha256(fetch_imagenet(backbone))
    key = hashlib.sha256(sums.encode()).hexdigest()
    made = cache_folder() / "made" / key[:16] / folder.name
    if _is_whole(made):
        return made
    with made_beside(made.parent) as part:
        (part / folder.name).mkdir()
        weights = part / folder.name / WEIGHTS
        write_safetensors(weights, packaged_arrays(backbone))
        recipe = replace(read_recipe(folder / RECIPE), files={WEIGHTS: sha256(weights)})
        write_text(weights.with_name(RECIPE), recipe.to_toml())
        with suppress(OSError):  # another process has made the same, or a part of it is left
            weights.parent.rename(made)
        if not _is_whole(made):
            for name in (WEIGHTS, RECIPE):
                weights.with_name(name).replace(made / name)
    return made


def _is_whole(made: Path) -> bool:
    """Whether a model that was made of a package is there, byte for byte."""
    from cvtasks.recipe.recipe import read_recipe

    try:
        files = read_recipe(made / RECIPE).files
        return WEIGHTS in files and all(
            sha256(made / name) == digest for name, digest in files.items()
        )
    except (CVTasksError, OSError):
        return False


def _packaged(folder: Path) -> str:
    """The backbone whose package brings the weights of a shipped recipe; empty for any other."""
    if folder.resolve().parent != zoo_folder().resolve():
        return ""
    return PACKAGED.get(folder.resolve().name, "")


def model_folder(model: str | Path) -> Path:
    """A name of the zoo or a path, where `~` is the user's home, → the folder.

    Raises:
        ModelError: no such name or folder, or a folder without a recipe.
    """
    if not isinstance(model, str | os.PathLike) or not str(model):
        received = "an empty name" if isinstance(model, str) else f"a {type(model).__name__}"
        raise ModelError(
            f"a model is a name of the zoo or a folder; got {received}. {did_you_mean('', names())}"
        )
    text = str(model)
    bare = (
        isinstance(model, str)
        and not any(mark in text for mark in "/\\")
        and text not in (".", "..")
    )
    if bare and text in names():
        return (zoo_folder() if text in shipped() else fetched_folder()) / text
    try:
        folder = Path(model)
        if text.startswith("~") and not folder.exists():
            with suppress(RuntimeError):  # no such user
                folder = folder.expanduser()
        if (folder / RECIPE).is_file():
            return (
                folder if folder.name not in ("", "..") else folder.resolve()
            )  # a model is called by its folder's name
        known, file = folder.is_dir(), folder.is_file()
    except (OSError, ValueError, TypeError) as error:  # a name that no folder can have
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"a model is a name of the zoo or a folder; {text[:100]!r} is neither: {reason}."
        ) from error
    if known:
        raise ModelError(
            f"a model is a folder with a {RECIPE}; {text!r} has none. Give a folder that `cvtasks "
            "train` wrote."
        )
    if file:
        raise ModelError(
            f"a model is a folder with a {RECIPE}; {text!r} is a file. Give the folder that it "
            "lies in."
        )
    raise ModelError(
        f"a model is a name of the zoo or a folder; {text!r} is neither. "
        f"{_meant(folder) or unknown(text, names())}"
    )


def _meant(folder: Path) -> str:
    """The model beside a folder that is not there whose name is most alike, in a sentence; empty
    where there is none.
    """
    try:
        beside = {one.name: one for one in folder.parent.iterdir() if _has_recipe(one)}
    except (OSError, ValueError):  # no such folder, or a name that none can have
        return ""
    found = nearest(folder.name, beside)
    return f"Did you mean {str(beside[found])!r}?" if found else ""
