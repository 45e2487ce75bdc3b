"""The table of engines: what can run a network. A row loads its engine when a model is opened with
it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from cvtasks.engines.base import Engine
    from cvtasks.recipe.recipe import Recipe

AUTO = "auto"
DEVICES = {"cpu": "the CPU", "gpu": "the GPU"}
"""Name of a device → how it is called in a sentence."""
FLOATS = ("f32", "bf16")
PRECISIONS = (*FLOATS, "int8")


@dataclass(frozen=True)
class Setup:
    """How an engine is to run.

    Attributes:
        precision: one of `PRECISIONS`, or "auto" for what suits it, which is never int8.
        device: "cpu", "gpu", or "auto".
        many: it is for throughput rather than for one image soon.
        batch: images a step; 0 for as many as suit it.
    """

    precision: str = AUTO
    device: str = AUTO
    many: bool = False
    batch: int = 0


@dataclass(frozen=True)
class EngineRow:
    """One row of the table of engines.

    Attributes:
        module: its `open_engine(weights, recipe, setup)` gives an `Engine`, its `facts()` says what
            it finds on this machine: name → text.
        devices: names of `DEVICES` that it runs on.
        packages: what it needs to be installed, by the names that Python and pip have for them.
        extra: the extra of cvtasks that installs them; empty where cvtasks itself does.
        files: what it reads from a model's folder beside the weights; it makes them where they are
            missing.
        on_keras: it loads Keras, which takes seconds.
        precisions: what it computes in, where the machine does; in int8, where the model has a
            graph for it.
        asked_for_gpu: its `has_gpu()` says whether it has a GPU here; without one it is not taken
            for a GPU unless it is named.
    """

    module: str
    devices: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str = ""
    files: tuple[str, ...] = ()
    on_keras: bool = False
    precisions: tuple[str, ...] = FLOATS
    asked_for_gpu: bool = False

    def available(self) -> bool:
        """Whether all its packages are installed; imports none of them."""
        return all(find_spec(package) for package in self.packages)

    def suits(self, device: str) -> bool:
        """Whether it is installed and, for a GPU, has one as far as it can say."""
        if not self.available():
            return False
        if device != "gpu" or not self.asked_for_gpu:
            return True
        found: bool = import_module(self.module).has_gpu()
        return found

    def open(self, weights: Path, recipe: "Recipe", setup: Setup) -> "Engine":
        """Open a model; its files must be those that the recipe lists.

        Args:
            weights: its file of weights; its other files lie beside it.

        Raises:
            ModelError: a file is damaged or does not fit the recipe.
            UsageError: it cannot run as it is asked to on this machine or in this process.
        """
        engine: Engine = import_module(self.module).open_engine(weights, recipe, setup)
        return engine

    def facts(self) -> dict[str, str]:
        """What it finds on this machine; empty where it is not installed."""
        found: dict[str, str] = import_module(self.module).facts() if self.available() else {}
        return found


ENGINES: dict[str, EngineRow] = {
    "openvino": EngineRow(
        "cvtasks.engines.openvino_models",
        devices=("cpu",),
        packages=("openvino",),
        files=("graph.xml", "graph.safetensors"),
        precisions=PRECISIONS,
    ),
    "onnxruntime": EngineRow(
        "cvtasks.engines.onnxruntime_models",
        devices=("cpu", "gpu"),
        packages=("onnxruntime",),
        extra="onnx",
        files=("graph.onnx",),
        precisions=("f32",),
        asked_for_gpu=True,
    ),
    "keras": EngineRow(
        "cvtasks.engines.keras_engine", devices=("cpu", "gpu"), packages=("keras",), on_keras=True
    ),
}
"""Name → engine; where none is named, the first that runs on the device is taken."""


def chosen_engine(engine: str, device: str) -> str:
    """Name of the engine that runs where `engine` and `device` were asked for; "auto" leaves it to
    the table.

    Raises:
        UsageError: there is no such engine or device, the engine does not run on the device, or is
            not installed.

    >>> chosen_engine("auto", "gpu")
    'keras'
    """
    check_choice("engine", engine, (AUTO, *sorted(ENGINES)))
    check_choice("device", device, (AUTO, *DEVICES))
    fitting = [name for name, row in ENGINES.items() if device in (AUTO, *row.devices)]
    if engine == AUTO:
        return next((name for name in fitting if ENGINES[name].suits(device)), fitting[-1])
    row = ENGINES[engine]
    if engine not in fitting:
        places = " and ".join(DEVICES[one] for one in row.devices)
        raise UsageError(
            f"the {engine} engine runs on {places}; the device asked for is {device}. Choose the "
            f"{' or the '.join(fitting)} engine."
        )
    if not row.available():
        source = f"cvtasks[{row.extra}]" if row.extra else " ".join(row.packages)
        raise UsageError(
            f"the {engine} engine needs {', '.join(row.packages)}, which is not installed. Install "
            f'it: pip install "{source}"'
        )
    return engine


def check_precision(precision: object, engine: str) -> None:
    """Raise UsageError for what is no precision, or none that the engine computes in."""
    check_choice("precision", precision, (AUTO, *PRECISIONS))
    own = ENGINES[engine].precisions
    if precision not in (AUTO, *own):
        able = [name for name, row in ENGINES.items() if precision in row.precisions]
        raise UsageError(
            f"the {engine} engine computes in {' and '.join(own)}; the precision asked for is "
            f"{precision}. Choose {' or '.join(own)}, or the {' or the '.join(able)} engine."
        )


def package_version(name: str) -> str:
    """The version of an installed package, by pip's name for it; otherwise "not installed"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def engine_packages() -> tuple[str, ...]:
    """The packages of all engines that are installed."""
    rows = [row for row in ENGINES.values() if row.available()]
    return tuple(dict.fromkeys(package for row in rows for package in row.packages))


def ready_engine(files: Iterable[str]) -> str:
    """Name of the first engine that finds all it reads among a model's files, by their names."""
    there = {*files}
    return next(name for name, row in ENGINES.items() if there.issuperset(row.files))


def check_choice(argument: str, value: object, known: Iterable[str]) -> None:
    """Raise UsageError for a value of an argument that is none of the known."""
    names = tuple(known)
    if value not in names:
        raise UsageError(
            f"`{argument}` must be one of {', '.join(names)}; got {value!r}. "
            f"{did_you_mean(str(value), names)}"
        )
