"""What a shell completes: models, backbones, tasks, heads, keys, methods, formats, classes.

Each function gets the word as far as it is typed, and gives all that begins so. None may load Keras
or OpenCV: somebody waits behind every key.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from cvtasks.errors import CVTasksError
from cvtasks.tasks import TASKS


def any_of(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """The completion of a word that is one of some names."""

    def completed(incomplete: str) -> list[str]:
        return _begun(incomplete, names())

    return completed


def models(incomplete: str) -> list[str]:
    """The zoo's models, and the folders below `runs` that hold one."""
    return _begun(incomplete, _models())


def starts(incomplete: str) -> list[str]:
    """What a training begins with."""
    return _begun(incomplete, ["imagenet", "none", *_models()])


def trained(incomplete: str) -> list[str]:
    """What is trained: a task, a model, or a recipe."""
    recipes = (str(path) for path in Path().glob("*.toml"))
    return _begun(incomplete, [*TASKS, *_models(), *recipes])


def explained(incomplete: str) -> list[str]:
    """What `cvtasks recipe` looks up: tasks, tables and keys."""
    from_tables = _reference()
    tables = dict.fromkeys(key.partition(".")[0] for key in from_tables if "." in key)
    return _begun(incomplete, [*TASKS, *tables, *from_tables])


def settings(incomplete: str) -> list[str]:
    """`KEY=`, and behind it the values of a key that has only some."""
    key, equals, _ = incomplete.partition("=")
    if key == "data.format" and equals:
        return [f"{key}={name}" for name in formats(incomplete.partition("=")[2])]
    known = _reference()
    if equals:
        return _begun(incomplete, [f"{key}={value}" for value in known.get(key, ())])
    return _begun(incomplete, [f"{one}=" for one in known])


def backbones(incomplete: str) -> list[str]:
    """Names of backbones."""
    from cvtasks.networks.backbones import BACKBONES

    return _begun(incomplete, BACKBONES)


def methods(incomplete: str) -> list[str]:
    """Methods of explanation; the last of several, behind commas."""
    from cvtasks.insight.explaining import METHODS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _begun(last, ["all", *METHODS])]


def classes(context: typer.Context, incomplete: str) -> list[str]:
    """Classes of the model that the line names, else of the task's own; the last of several, behind
    commas.
    """
    import tomllib

    from cvtasks.zoo import RECIPE, default_model, model_folder

    before, comma, last = incomplete.rpartition(",")
    named = context.params.get("model")
    if "model" in (one.name for one in context.command.params if one.param_type_name == "argument"):
        named = context.args[0] if context.args else ""  # it is left, as the line is not finished
    try:
        folder = model_folder(named or default_model(context.info_name or ""))
        known = tomllib.loads((folder / RECIPE).read_text(encoding="utf-8-sig")).get("classes", ())
        left = [str(name) for name in known if name not in before.split(",")]
    except (CVTasksError, OSError, ValueError, TypeError):  # there is none, or it is damaged
        return []
    return [f"{before}{comma}{name}" for name in _begun(last, left)]


def formats(incomplete: str) -> list[str]:
    """Formats of data sets."""
    _leave_out_opencv()
    from cvtasks.data.formats import FORMATS

    return _begun(incomplete, FORMATS)


def _models() -> list[str]:
    from cvtasks.zoo import RECIPE, names

    runs = sorted(str(path.parent) for path in Path("runs").glob(f"*/{RECIPE}"))
    return [*names(), *runs]


def _reference() -> dict[str, tuple[str, ...]]:
    """Key → all the values that it can have in some recipe; none where there are others."""
    _leave_out_opencv()
    from cvtasks.recipe.reference import reference

    found: dict[str, tuple[str, ...]] = {}
    for one in reference():
        found[one.key] = tuple(dict.fromkeys((*found.get(one.key, ()), *one.field.choices)))
    return found


def _begun(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _leave_out_opencv() -> None:
    """Put something empty in OpenCV's place, unless that is loaded: tables are asked for names
    here, and nobody looks at an image before the process ends with the answer.
    """
    sys.modules.setdefault("cv2", _Empty("cv2"))


class _Empty(ModuleType):
    """A module of which every name is itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self
