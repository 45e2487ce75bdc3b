"""The zoo: names → model folders. A bare name is looked up here, a path is a path; there is no third rule."""

from pathlib import Path

from cvtasks.errors import ModelError, did_you_mean

RECIPE, WEIGHTS = "recipe.toml", "weights.safetensors"

DEFAULTS = {
    "classify": "classify-mobilenet-voc",
    "detect": "detect-mobilenet-voc",
    "localize": "localize-mobilenet-voc",
    "segment": "segment-mobilenet-voc",
}
"""Task → the model it uses unless told otherwise."""


def zoo_folder() -> Path:
    """The folder of the shipped models: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def zoo_names() -> list[str]:
    """Names of all shipped models and recipes."""
    return sorted(folder.name for folder in zoo_folder().iterdir() if (folder / RECIPE).is_file())


def default_model(task: str) -> str:
    """Name of the model that a task uses unless told otherwise.

    Raises:
        ModelError: the zoo has none for this task.
    """
    name = DEFAULTS.get(task, "")
    if name and (zoo_folder() / name / WEIGHTS).is_file():
        return name
    raise ModelError(f"the zoo has no trained model for {task}. Give --model FOLDER, or train one: cvtasks train {task}")


def model_folder(model: str | Path) -> Path:
    """MODEL of the command line → its folder.

    Raises:
        ModelError: no such name or folder, or a folder without a recipe.
    """
    text = str(model)
    bare = isinstance(model, str) and not any(mark in text for mark in "/\\") and text not in (".", "..")
    if bare and text in zoo_names():
        return zoo_folder() / text
    folder = Path(model)
    try:
        if (folder / RECIPE).is_file():
            return folder if folder.name not in ("", "..") else folder.resolve()  # a model is called by its folder's name
        known = folder.is_dir()
    except (OSError, ValueError) as error:  # a name that no folder can have
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"a model is a name of the zoo or a folder; {text[:100]!r} is neither: {reason}.") from error
    if known:
        raise ModelError(f"a model is a folder with a {RECIPE}; {text!r} has none. Give a folder that `cvtasks train` wrote.")
    raise ModelError(f"a model is a name of the zoo or a folder; {text!r} is neither. {did_you_mean(text, zoo_names())}")
