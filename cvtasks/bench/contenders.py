"""What a model can be run by on this machine: its engines in each precision, and exported files."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cvtasks.engines.base import Engine
from cvtasks.engines.table import AUTO, ENGINES, Setup, check_choice
from cvtasks.errors import InputError, UsageError
from cvtasks.export import EXPORTS
from cvtasks.recipe.recipe import Recipe
from cvtasks.zoo import WEIGHTS

CHECK = "check.json"
"""Lies in the folder of an export and says what it is."""

_MOST = 10 << 20  # bytes of that file


@dataclass(frozen=True)
class Contender:
    """One way to run a model.

    Attributes:
        runs: a row of `ENGINES`, or of `EXPORTS` where `path` names an exported file.
        precision: what it computes in, or what the file holds.
        device: "cpu", "gpu" or "auto".
        path: of an exported file; empty for an engine.
    """

    runs: str
    precision: str
    device: str = AUTO
    path: str = ""

    @property
    def label(self) -> str:
        """What tables call it."""
        what = f"{self.runs} file" if self.path else self.runs
        return f"{what} {self.precision}{' gpu' if self.device == 'gpu' else ''}"

    def open(self, weights: Path, recipe: Recipe, many: bool = False, batch: int = 0) -> Engine:
        """Open it; raises as `EngineRow.open` and `ExportRow.open` do."""
        if self.path:
            return EXPORTS[self.runs].open(Path(self.path), recipe)
        setup = Setup(self.precision, self.device, many, batch)
        return ENGINES[self.runs].open(weights, recipe, setup)

    def to_dict(self) -> dict[str, Any]:
        """Its fields, for another process."""
        return asdict(self)


def contenders(
    device: str = AUTO, engines: Sequence[str] = (), int8: bool = False
) -> tuple[list[Contender], dict[str, str]]:
    """The engines of this machine in each precision, and what is left out: label → why.

    Args:
        device: where they are to run.
        engines: rows of `ENGINES`; all by default.
        int8: whether the model has a graph in int8.

    Raises:
        UsageError: there is no such engine.
    """
    for name in engines:
        check_choice("engine", name, sorted(ENGINES))
    found: list[Contender] = []
    left_out: dict[str, str] = {}
    for name, row in ENGINES.items():
        if engines and name not in engines:
            continue
        if device not in (AUTO, *row.devices):
            left_out[name] = f"it does not run on the {device}"
        elif not row.available():
            left_out[name] = f"{', '.join(row.packages)} is not installed"
        elif not row.suits(device):
            left_out[name] = f"it has no {device}"
        else:
            for precision in row.precisions:
                if precision == "int8" and not int8:
                    continue
                one = Contender(name, precision, device)
                if precision == "bf16" and not _computes_in_bf16(name, device):
                    left_out[one.label] = "this machine does not compute in it"
                else:
                    found.append(one)
    return found, left_out


def _computes_in_bf16(name: str, device: str) -> bool:
    """Whether a device computes in bfloat16 by itself; of the CPU OpenVINO knows it."""
    if device == "gpu":
        return True
    row = ENGINES["openvino" if ENGINES[name].on_keras else name]
    asked = getattr(import_module(row.module), "has_bf16", None) if row.available() else None
    return bool(asked and asked())


def exported(folders: Iterable[str | Path]) -> Iterator[tuple[str, Contender]]:
    """(name of a model, its exported file) of folders that `cvtasks export` wrote.

    Raises:
        InputError: a folder is none of these.
        UsageError: what runs the file is not installed.
    """
    for folder in map(Path, folders):
        wrong = InputError(
            f"an exported file lies in a folder that `cvtasks export` wrote, with {CHECK} beside "
            f"it; {str(folder)!r} is none. Export the model by `cvtasks export`."
        )
        try:
            with (folder / CHECK).open("rb") as file:
                said = json.loads(file.read(_MOST))
            model, name, precision = (str(said[key]) for key in ("model", "format", "precision"))
            row = EXPORTS[name]
            path = next(one for one in sorted(folder.iterdir()) if _is_it(one, row.suffix))
        except (OSError, ValueError, TypeError, KeyError, StopIteration, RecursionError) as error:
            raise wrong from error
        if missing := row.missing():
            raise UsageError(
                f"to run {name}, {', '.join(missing)} must be installed; it is not. Install it."
            )
        yield model, Contender(name, precision, "cpu", str(path.absolute()))


def _is_it(path: Path, suffix: str) -> bool:
    """Whether a path in the folder of an export is the model."""
    return path.is_file() and path.suffix == suffix if suffix else path.is_dir()


def weights_of(folder: Path) -> Path:
    """The file of weights in a model's folder."""
    return folder / WEIGHTS
