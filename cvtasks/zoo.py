"""The zoo: names → model folders. A bare name is looked up here, a path is a path; there is no
third rule.
"""

import os
from contextlib import suppress
from pathlib import Path

from cvtasks.errors import ModelError, did_you_mean
from cvtasks.tasks import TASKS

RECIPE, WEIGHTS = "recipe.toml", "weights.safetensors"


def zoo_folder() -> Path:
    """The folder of the shipped models: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def names() -> list[str]:
    """Names of all shipped models and recipes."""
    if not zoo_folder().is_dir():
        return []
    return sorted(folder.name for folder in zoo_folder().iterdir() if (folder / RECIPE).is_file())


def is_shipped(folder: Path) -> bool:
    """Whether this is the folder of a model of the zoo."""
    return folder.absolute().parent == zoo_folder().absolute()


def default_model(task: str) -> str:
    """Name of the model that a task uses unless told otherwise.

    Raises:
        ModelError: the zoo has none for this task.
    """
    name = TASKS[task].model if task in TASKS else ""
    if name and (zoo_folder() / name / WEIGHTS).is_file():
        return name
    raise ModelError(
        f"the zoo has no trained model for {task}. Give the folder of one, or train one: cvtasks "
        f"train {task}"
    )


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
        return zoo_folder() / text
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
        f"{did_you_mean(text, names())}"
    )
