"""The table of exports: the formats that a model is written in for other programs. A row loads its
module when a model is exported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from cvtasks.export.base import Given, Opened
    from cvtasks.recipe.recipe import Recipe

F32, F16, INT8 = "f32", "f16", "int8"

INPUT, OUTPUT = "image", "output"
"""What the input of an exported network is called; and its output, where the head has one alone
and so no name for it.
"""


@dataclass(frozen=True)
class ExportRow:
    """One row of the table of exports.

    Attributes:
        module: its `write(given, place)` writes the file, or the folder, and returns its path; its
            `open_exported(path, recipe)` gives the `Opened` that runs it by its own runtime.
        suffix: of the file; empty where it is a folder.
        runtime: what runs it, by its name.
        packages: what it needs to be installed, by the names that Python has for them.
        precisions: what it can hold; `F32` first.
        one_by_one: whether it takes one image at a time alone.
        extra: the extra of cvtasks that installs the packages; empty where cvtasks itself does.
    """

    module: str
    suffix: str
    runtime: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...] = (F32,)
    one_by_one: bool = False
    extra: str = ""

    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed; imports none of them."""
        return tuple(name for name in self.packages if find_spec(name) is None)

    def write(self, given: "Given", place: Path) -> Path:
        """Write the model into the folder `place`; returns the file, or the folder, that it is."""
        written: Path = import_module(self.module).write(given, place)
        return written

    def open(self, path: Path, recipe: "Recipe") -> "Opened":
        """Open what `write` wrote by the format's own runtime.

        Raises:
            ModelError: it is damaged, or does not fit the recipe.
        """
        engine: Opened = import_module(self.module).open_exported(path, recipe)
        return engine


EXPORTS: dict[str, ExportRow] = {
    "onnx": ExportRow(
        "cvtasks.export.onnx_file",
        ".onnx",
        "onnxruntime",
        packages=("onnx", "onnxruntime", "tf2onnx", "tensorflow"),
        precisions=(F32, F16, INT8),
        extra="onnx",
    ),
    "openvino": ExportRow(
        "cvtasks.export.openvino_file",
        ".xml",
        "openvino",
        packages=("openvino", "tensorflow"),
        precisions=(F32, F16, INT8),
    ),
    "litert": ExportRow(
        "cvtasks.export.litert",
        ".tflite",
        "LiteRT",
        packages=("ai_edge_litert", "tensorflow"),
        precisions=(F32, F16, INT8),
        one_by_one=True,
        extra="litert",
    ),
    "saved-model": ExportRow(
        "cvtasks.export.saved_model", "", "tensorflow", packages=("tensorflow",)
    ),
    "keras": ExportRow("cvtasks.export.keras_file", ".keras", "keras", packages=("tensorflow",)),
}
"""Name → format."""


def export_row(name: str, precision: str = F32) -> ExportRow:
    """The row of a format that can hold a precision.

    Raises:
        UsageError: there is no such format, it does not hold the precision, or what it needs is
            not installed.
    """
    if name not in EXPORTS:
        raise UsageError(
            f"a model is exported as one of {', '.join(EXPORTS)}; got {name!r}. "
            f"{did_you_mean(name, EXPORTS)}"
        )
    row = EXPORTS[name]
    if precision not in row.precisions:
        able = [other for other, one in EXPORTS.items() if precision in one.precisions]
        others = f" In {precision}: {', '.join(able)}." if able else ""
        raise UsageError(
            f"{name} is written in {' or '.join(row.precisions)}; got {precision!r}. Choose one of "
            f"these.{others}"
        )
    if missing := row.missing():
        source = f"cvtasks[{row.extra}]" if row.extra else " ".join(missing)
        raise UsageError(
            f"to export {name}, {', '.join(missing)} must be installed; it is not. Install it: pip "
            f'install "{source}"'
        )
    return row


Facts = Mapping[str, str]
"""What an exported file says of itself: name → text."""
