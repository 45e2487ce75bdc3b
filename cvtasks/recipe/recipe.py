"""Recipe: everything that makes a model, in one TOML file. Unknown key = error with the nearest
known name.
"""

import dataclasses
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cvtasks.answers import Labels, Mask
from cvtasks.errors import ModelError, did_you_mean
from cvtasks.files.writing import write_text
from cvtasks.networks.backbones import BACKBONES
from cvtasks.recipe.data_table import DATA_BOUNDS, Data
from cvtasks.recipe.schema import check_keys, read_table, read_value
from cvtasks.recipe.train_table import TRAIN_BOUNDS, Train
from cvtasks.tasks import TASKS
from cvtasks.tasks.base import Task
from cvtasks.text import is_encodable

Norm = Literal["", "none", "batch", "layer", "instance", "group"]


_BOUNDS: dict[str, tuple[float, float]] = {
    **{f"data.{name}": bounds for name, bounds in DATA_BOUNDS.items()},
    **{f"train.{name}": bounds for name, bounds in TRAIN_BOUNDS.items()},
}


@dataclass(frozen=True)
class Recipe:
    """What a model is and how it was, or will be, made.

    Attributes:
        task: the task with its own table.
        backbone: a name of `BACKBONES`.
        size: side of the network's square canvas in pixels, a multiple of the backbone's coarsest
            stride.
        classes: names; their order is the order of the ids.
        norm: normalisation of the backbone: "" for its own, or "none", "batch", "layer",
            "instance", "group" where it can be chosen (`cvtasks.networks.backbones.norms`).
        data, train: the tables of these names.
        files: name → SHA-256 of the files that lie beside the recipe in a model folder.
    """

    task: Task
    backbone: str
    size: int
    classes: tuple[str, ...]
    norm: Norm = ""
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ModelError(
                f'unknown backbone "{self.backbone}". {did_you_mean(self.backbone, BACKBONES)}'
            )
        network = BACKBONES[self.backbone]
        strides = network.strides
        for key, side in (
            ("size", self.size),
            ("data.crop", self.data.crop),
            *(("data.sides", s) for s in self.data.sides),
        ):
            if side or key != "data.crop":
                network.check_side(self.backbone, side, key)
        fitting = [name for name, row in BACKBONES.items() if row.aligned and row.strides[-1] == 32]
        if self.task.on_features and not network.features:
            raise ModelError(
                f"{self.task.name} needs a backbone whose maps are learned features; "
                f"{self.backbone} is fully connected, and has no "
                'map but the image: it classifies, with `classify.top = "own"`. Set that, or '
                f"choose one of {', '.join(fitting)}."
            )
        if self.task.aligned and not network.aligned:
            raise ModelError(
                f"{self.task.name} needs a backbone whose maps lie on the image's grid; "
                f"{self.backbone} does not pad its "
                f"convolutions, so its maps are smaller. Choose one of {', '.join(fitting)}."
            )
        if self.norm and not network.norms:
            fitting = [name for name, row in BACKBONES.items() if row.norms]
            raise ModelError(
                f"`norm` can be chosen for {', '.join(fitting)}; {self.backbone} has its own. "
                'Leave it out or choose `norm = ""`; '
                f"got {self.norm!r}."
            )
        if len(set(self.classes)) != len(self.classes) or not all(self.classes):
            raise ModelError(
                f"`classes` must be different names, none empty; got {list(self.classes)}."
            )
        for text in (
            self.data.path,
            self.data.train,
            self.data.validate,
            self.train.weights,
            *self.classes,
        ):
            if not is_encodable(text):
                raise ModelError(
                    f"a recipe is text in UTF-8, also its paths; got {text!r}. Rename the folder "
                    "or the file."
                )
        for key, (least, most) in _BOUNDS.items():
            table, name = key.split(".")
            value = getattr(getattr(self, table), name)
            for number in value if isinstance(value, tuple) else (value,):
                if not least <= number <= most:
                    raise ModelError(f"`{key}` must be {least:g} to {most:g}; got {number:g}.")
        if self.data.scale[0] > self.data.scale[1]:
            raise ModelError(f"`data.scale` must be (low, high); got {self.data.scale}.")
        if self.data.mosaic and not self.task.mosaics:
            raise ModelError(
                f"`data.mosaic` joins images with boxes, which {self.task.name} does not learn "
                f"from; got {self.data.mosaic:g}. "
                "Set it to 0."
            )
        if self.data.border != "grey" and self.task.answer is Mask:
            raise ModelError(
                f'`data.border` is "grey" for {self.task.name}: there is void around its images; '
                f'got "{self.data.border}". '
                "Leave it out."
            )
        if self.data.cutmix and self.task.answer is not Labels:
            raise ModelError(
                f"`data.cutmix` mixes images with labels, which {self.task.name} does not learn; "
                f"got {self.data.cutmix:g}. "
                "Set it to 0."
            )
        if self.data.mixup and not self.data.mosaic and self.task.answer is not Labels:
            raise ModelError(
                "`data.mixup` mixes mosaics, of which `data.mosaic = 0` makes none; got "
                f"{self.data.mixup:g}."
            )
        for epoch, stride in self.train.freeze:
            if epoch < 0 or stride not in (0, *strides):
                raise ModelError(
                    f"`train.freeze` holds [epoch, stride] pairs, stride one of {[0, *strides]}; "
                    f"got {[epoch, stride]}."
                )
        self.task.check(self.classes, strides)

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return self.size, self.size

    def __reduce__(self) -> tuple[Any, ...]:
        return parse_recipe, (
            tomllib.loads(self.to_toml()),
        )  # a view of a dictionary, as `files` is, cannot be pickled

    def to_toml(self) -> str:
        """Return the resolved recipe, every value spelt out."""
        import tomli_w

        document: dict[str, Any] = {
            "task": self.task.name,
            "backbone": self.backbone,
            "size": self.size,
            "classes": list(self.classes),
            "norm": self.norm,
            self.task.name: dataclasses.asdict(self.task),
            "data": dataclasses.asdict(self.data),
            "train": dataclasses.asdict(self.train),
        }
        if self.files:
            document["files"] = dict(self.files)
        return tomli_w.dumps(document)

    def save(self, path: str | Path) -> None:
        """Write the resolved recipe, whole or not at all."""
        write_text(path, self.to_toml())


Override = str | tuple[str, Any]
"""A change to a recipe: "key=value" with a dotted key and a TOML value, or such a key and the value
itself.
"""


def read_recipe(path: str | Path, overrides: Iterable[Override] = ()) -> Recipe:
    """Read a recipe file, and change it by the `overrides`.

    Raises:
        ModelError: no such file, no TOML, an unknown key, a value of the wrong type or out of
            bounds.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # a named pipe would block for ever
            raise ModelError(
                f"the recipe {str(path)!r} cannot be read: it is no file. Check the path."
            )
        if path.stat().st_size > 1_000_000:
            raise ModelError(
                f"a recipe is a TOML file of at most 1 MB; {str(path)!r} has {path.stat().st_size} "
                "bytes."
            )
        text = path.read_text(encoding="utf-8")
        if any(
            line.count(".") > 1000 for line in text.splitlines()
        ):  # the parser's time grows with their square
            raise ValueError("a line has more than 1000 dots")
        document = tomllib.loads(text)
    except OSError as error:
        raise ModelError(
            f"the recipe {str(path)!r} cannot be read: {error.strerror}. Check the path."
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # ValueError: no UTF-8, no TOML, or a number of thousands of digits
        raise ModelError(
            f"a recipe is a TOML file in UTF-8; {str(path)!r} is not: {error}"
        ) from error
    try:
        return parse_recipe(document, overrides)
    except ModelError as error:
        raise ModelError(f"{str(path)!r}: {error}") from error


def parse_recipe(document: Mapping[str, Any], overrides: Iterable[Override] = ()) -> Recipe:
    """Check a parsed TOML document and make a recipe of it.

    >>> parse_recipe({"task": "segment", "backbone": "tiny", "sise": 64})
    Traceback (most recent call last):
    cvtasks.errors.ModelError: unknown key `sise`. Did you mean "size"?
    """
    document = _overridden(document, overrides)
    _check_values(document)
    name = document.get("task", "")
    if not isinstance(name, str) or name not in TASKS:
        raise ModelError(
            f"`task` must be one of {', '.join(TASKS)}; got {name!r}. "
            f"{did_you_mean(str(name), TASKS)}"
        )
    check_keys(
        "",
        document,
        {"task", "backbone", "size", "classes", "norm", "data", "train", "files", name},
    )
    missing = [key for key in ("backbone", "size", "classes") if key not in document]
    if missing:
        raise ModelError(
            f"a recipe needs `{'`, `'.join(missing)}`; it has only {sorted(document)}."
        )
    return Recipe(
        task=read_table(TASKS[name].task, document.get(name, {}), name),
        backbone=read_value(str, document["backbone"], "backbone"),
        size=read_value(int, document["size"], "size"),
        classes=read_value(tuple[str, ...], document["classes"], "classes"),
        norm=read_value(Norm, document.get("norm", ""), "norm"),
        data=read_table(Data, document.get("data", {}), "data"),
        train=read_table(Train, document.get("train", {}), "train"),
        files=read_value(dict[str, str], document.get("files", {}), "files"),
    )


def _check_values(document: Mapping[str, Any]) -> None:
    values: list[Any] = [document]
    for _ in range(8):
        if any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values):
            break
        groups = (value.values() if isinstance(value, Mapping) else value for value in values)
        values = [
            item
            for group in groups
            if isinstance(group, Iterable) and not isinstance(group, str)
            for item in group
        ]
    # larger numbers are none in TOML 1.0, and deeper tables none in a recipe: neither could be said
    # in an error
    if values:
        raise ModelError(
            "a recipe holds whole numbers of at most 64 bits, in at most eight tables and lists "
            "within each other; this has "
            "others. Correct it."
        )


def key_of(override: Override) -> str:
    """The dotted key that an override changes.

    >>> key_of("train.epochs = 40"), key_of(("data.path", "a=b"))
    ('train.epochs', 'data.path')
    """
    return (override if isinstance(override, tuple) else override.partition("="))[0].strip()


def _overridden(document: Mapping[str, Any], overrides: Iterable[Override]) -> dict[str, Any]:
    result = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in document.items()
    }
    for override in overrides:
        key = key_of(override)
        if not key or key.count(".") > 1 or (isinstance(override, str) and "=" not in override):
            raise ModelError(
                f"an override is `key=value` or `table.key=value`; got {override!r}. Example: "
                "train.epochs=40"
            )
        table, _, name = key.rpartition(".")
        value = (
            override[1]
            if isinstance(override, tuple)
            else _value(override.partition("=")[2], _is_word(table, name))
        )
        target = result.setdefault(table, {}) if table else result
        if not isinstance(target, dict):
            raise ModelError(f"`{table}` is no table of a recipe, so `{key}` cannot be set.")
        target[name] = value
    return result


def _value(text: str, word: bool) -> Any:
    """A TOML value, or the text as it stands where it is none: a bare word, a path. If a `word` is
    wanted, nothing but a TOML string is taken for a value, so that a folder may be called 2024."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    if len(document) > 1 or (word and not isinstance(document["value"], str)):
        return text
    return document["value"]


def _is_word(table: str, name: str) -> bool:
    """Whether a key's value is a string."""
    kind: type[Any] | None = {"": Recipe, "data": Data, "train": Train}.get(table)
    if table in TASKS:
        kind = TASKS[table].task
    hint = typing.get_type_hints(kind).get(name) if kind else None
    return hint is str or (
        typing.get_origin(hint) is Literal
        and all(isinstance(one, str) for one in typing.get_args(hint))
    )
