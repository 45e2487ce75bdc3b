"""Recipe: everything that makes a model, in one TOML file. Unknown key = error with the nearest
known name.
"""

import dataclasses
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cvtasks.errors import CVTasksWarning, ModelError, did_you_mean
from cvtasks.files.writing import write_text
from cvtasks.geometry.letterbox import Letterbox, Placement, Size
from cvtasks.heads import HEADS, head_type
from cvtasks.heads.base import Head
from cvtasks.networks.backbones import BACKBONES
from cvtasks.recipe.data_table import Data
from cvtasks.recipe.overrides import Override, head_of, kinds_of, overridden
from cvtasks.recipe.train_table import Train
from cvtasks.recipe.translation import (
    FORMAT,
    check_format,
    current,
    renamed_keys,
    task_of,
)
from cvtasks.recipe.words import OTHER_WORDS, OWN_KEYS
from cvtasks.schema import (
    check_bounds,
    check_document,
    check_keys,
    defaults_of,
    keys_of,
    read_table,
    read_value,
    table_of,
)
from cvtasks.tasks import TASKS
from cvtasks.tasks.base import Task
from cvtasks.text import composed, is_encodable

Norm = Literal["", "none", "batch", "layer", "instance", "group"]


@dataclass(frozen=True)
class Recipe:
    """What a model is and how it was, or will be, made.

    Attributes:
        head: how it is learned, with its own table, and within it the task.
        backbone: a name of `BACKBONES`.
        size: side of the network's square input in pixels, a multiple of the backbone's coarsest
            stride.
        classes: names; their order is the order of the ids.
        norm: normalisation of the backbone: "" for its own, or "none", "batch", "layer",
            "instance", "group" where it can be chosen (`cvtasks.networks.backbones.norms`).
        placement: where an image lies on the network input that it does not fill: in the "centre",
            or in the "corner" at the top left; wherever the model is used. In training it lies
            anywhere.
        data, train: the tables of these names.
        files: name → SHA-256 of the files that lie beside the recipe in a model folder.
    """

    head: Head
    backbone: str
    size: int
    classes: tuple[str, ...]
    norm: Norm = ""
    placement: Placement = "centre"
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_backbone()
        self._check_words()
        for name in ("data", "train", "task", "head"):
            check_bounds(getattr(self, name), name)
        strides = BACKBONES[self.backbone].strides
        self.data.check(self.task)
        self.train.check(strides)
        if self.train.teacher and not self.head.teachable:
            raise ModelError(
                f"`train.teacher` teaches segmentation, whose answers can be averaged; got "
                f'"{self.train.teacher}" for {self.task.name}. Leave it out.'
            )
        self.task.check(self.classes)
        self.head.check(self.classes, strides)

    def _check_backbone(self) -> None:
        """Raise ModelError where the backbone is not known, or size, head or norm do not fit."""
        if self.backbone not in BACKBONES:
            raise ModelError(
                f'unknown backbone "{self.backbone}". {did_you_mean(self.backbone, BACKBONES)}'
            )
        network = BACKBONES[self.backbone]
        network.check_side(self.backbone, self.size, "size")
        if self.data.crop:
            network.check_side(self.backbone, self.data.crop, "data.crop")
        for side in self.data.multi_scale:
            network.check_side(self.backbone, side, "data.multi_scale")
        fitting = [name for name, row in BACKBONES.items() if row.aligned and row.features]
        if self.head.on_features and not network.features:
            raise ModelError(
                f"{self.task.name} needs a backbone whose maps are learned features; "
                f"{self.backbone} is fully connected, and has no map but the image: it classifies, "
                f'with `head.name = "own"`. Set that, or choose one of {", ".join(fitting)}.'
            )
        if self.head.aligned and not network.aligned:
            raise ModelError(
                f"{self.task.name} needs a backbone whose maps lie on the image's grid; "
                f"{self.backbone} does not pad its convolutions, so its maps are smaller. Choose "
                f"one of {', '.join(fitting)}."
            )
        if self.norm and not network.norms:
            fitting = [name for name, row in BACKBONES.items() if row.norms]
            raise ModelError(
                f"`norm` can be chosen for {', '.join(fitting)}; {self.backbone} has its own. "
                f'Leave it out or choose `norm = ""`; got {self.norm!r}.'
            )

    def _check_words(self) -> None:
        """Raise ModelError where a class, a path or a split's name cannot be."""
        if len(set(self.classes)) != len(self.classes) or not all(self.classes):
            raise ModelError(
                f"`classes` must be different names, none empty; got {list(self.classes)}."
            )
        data = self.data
        for text in (data.path, data.train, data.validate, self.train.weights, *self.classes):
            if not is_encodable(text):
                raise ModelError(
                    f"a recipe is text in UTF-8, also its paths; got {text!r}. Rename the folder "
                    "or the file."
                )

    @property
    def task(self) -> Task:
        """What is answered."""
        return self.head.task

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return self.size, self.size

    def letterbox(self, size: Size) -> Letterbox:
        """Where an image of (height, width) lies on the network input."""
        return Letterbox(size, self.input_size, self.placement)

    def with_task(self, task: Task, classes: tuple[str, ...] = ()) -> "Recipe":
        """The same for another task, and for other classes where some are given."""
        head = dataclasses.replace(self.head, task=task)
        return dataclasses.replace(self, head=head, classes=classes or self.classes)

    def to_toml(self) -> str:
        """The resolved recipe, every value spelt out."""
        import tomli_w

        document: dict[str, Any] = {
            "format": FORMAT,
            "backbone": self.backbone,
            "size": self.size,
            "classes": list(self.classes),
            "norm": self.norm,
            "placement": self.placement,
            "task": {"name": self.task.name, **table_of(self.task)},
            "head": {"name": self.head.name, **table_of(self.head)},
            "data": table_of(self.data),
            "train": table_of(self.train),
        }
        if self.files:
            document["files"] = dict(self.files)
        return tomli_w.dumps(document)

    def save(self, path: str | Path) -> None:
        """Write the resolved recipe, whole or not at all."""
        write_text(path, self.to_toml())


def read_document(path: str | Path) -> dict[str, Any]:
    """What is in a recipe file, as TOML has it.

    Raises:
        ModelError: no such file, or no TOML.
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
        text = path.read_text(encoding="utf-8-sig")
        if any(
            line.count(".") > 1000 for line in text.splitlines()
        ):  # the parser's time grows with their square
            raise ValueError("a line has more than 1000 dots")
        return tomllib.loads(text)
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


def read_recipe(path: str | Path, overrides: Iterable[Override] = ()) -> Recipe:
    """Read a recipe file, and change it by the `overrides`.

    Raises:
        ModelError: no such file, no TOML, an unknown key, a value of the wrong type or out of
            bounds.
    """
    path, document = Path(path), read_document(path)
    try:
        recipe = parse_recipe(document, overrides)
    except ModelError as error:
        raise ModelError(f"{str(path)!r}: {error}") from error
    if "format" not in document:
        warnings.warn(
            f"{str(path)!r} has no `format`: names of before format {FORMAT} were read by those of "
            "now. Saved anew, it has these.",
            CVTasksWarning,
            stacklevel=2,
        )
    return recipe


def parse_recipe(document: Mapping[str, Any], overrides: Iterable[Override] = ()) -> Recipe:
    """Check a parsed TOML document and make a recipe of it.

    A document without `format` may have the names of before format 1.

    >>> parse_recipe({"task": "segment", "backbone": "tiny", "sise": 64})
    Traceback (most recent call last):
    cvtasks.errors.ModelError: unknown key `sise`. Did you mean "size"?
    """
    check_document(document)
    written = current(document)
    document = overridden(written, overrides, Recipe)
    check_document(document)
    check_format(document)
    name = task_of(document)
    if name not in TASKS:
        received = document.get("task", "")
        if isinstance(received, Mapping):
            received = received.get("name", "")
        raise ModelError(
            f"`task.name` must be one of {', '.join(TASKS)}; got {name or received!r}. "
            f"{did_you_mean(name, TASKS)}"
        )
    kinds = kinds_of(document)
    if "format" not in written or head_of(written) != head_of(document):
        document = _of_its_head(document, kinds["head"])
    tables = {table: [f"{table}.{key}" for key in keys_of(kind)] for table, kind in kinds.items()}
    dotted = [key for keys in tables.values() for key in keys]
    elsewhere = {word: key for word, key in OTHER_WORDS.items() if key in (*dotted, *OWN_KEYS)}
    elsewhere |= {key.rpartition(".")[2]: key for key in dotted}
    renamed = renamed_keys(name)
    check_keys("", document, [*OWN_KEYS, *kinds, "files"], elsewhere, renamed)
    missing = [key for key in ("backbone", "size", "classes") if key not in document]
    if missing:
        raise ModelError(
            f"a recipe needs `{'`, `'.join(missing)}`; it has only {sorted(document)}."
        )

    def read(table: str, **also: Any) -> Any:
        given = document.get(table, {})
        if isinstance(given, Mapping) and table in ("task", "head"):
            given = {key: value for key, value in given.items() if key != "name"}
            if table == "head":
                usual = head_type(name, head_of(document)).usual(str(document["backbone"]))
                given = {**usual, **given}
        return read_table(kinds[table], given, table, elsewhere, renamed, **also)

    return Recipe(
        head=read("head", task=read("task")),
        backbone=read_value(str, document["backbone"], "backbone"),
        size=read_value(int, document["size"], "size"),
        classes=_distinct(read_value(tuple[str, ...], document["classes"], "classes")),
        norm=read_value(Norm, document.get("norm", ""), "norm"),
        placement=read_value(Placement, document.get("placement", "centre"), "placement"),
        data=read("data"),
        train=read("train"),
        files=read_value(dict[str, str], document.get("files", {}), "files"),
    )


def _of_its_head(document: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The document without what only another head of its task has, where that one's default is
    given: that says nothing of this head.
    """
    task, head = task_of(document), document.get("head", {})
    if not isinstance(head, Mapping):
        return dict(document)
    others = [defaults_of(head_type(task, name)) for name in HEADS[task]]
    usual = {key: value for defaults in others for key, value in defaults.items()}
    own = {"name", *keys_of(kind)}
    kept = {
        key: value
        for key, value in head.items()
        if key in own
        or key not in usual
        or usual[key] != (tuple(value) if isinstance(value, list) else value)
    }
    return {**document, "head": kept}


def _distinct(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Names of classes with composed letters, as data have them; as they are where that would make
    two of them one.
    """
    found = tuple(map(composed, classes))
    return found if len(set(found)) == len(set(classes)) else classes
