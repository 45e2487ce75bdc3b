"""The way from a float file to one in int8 that loses little: quantise, measure, and keep layers in
float where that costs most, as far as the multiply-adds allow it.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cvtasks.engines.base import Engine
from cvtasks.errors import ModelError, UsageError
from cvtasks.export.calibration import Calibration
from cvtasks.export.int8.layers import (
    LEAST_SHARE,
    ROUNDING,
    Layer,
    kept_in_float,
    share_in_int8,
)
from cvtasks.export.int8.report import Report, Round, Scores, points_lost
from cvtasks.text import counted

MOST_LOSS = 1.0
"""Points of the task's first metric that an int8 file may lose; a point is a hundredth of a number
from 0 to 1.
"""

_SHARES = (0.0, 0.05, 0.1, 1 - LEAST_SHARE)
"""Of the multiply-adds, that each attempt keeps in float."""

_LOOKED_AT = 8
"""Images that the error of each layer is measured on."""


@dataclass(frozen=True)
class Tool:
    """What makes an int8 file of a float one.

    Attributes:
        module: has `quantise`, `layers_of` and `errors_of`.
        name: what it is called.
        package: that it needs, and `extra`: which extra of cvtasks installs it; empty where the
            format's own does.
    """

    module: str
    name: str
    package: str
    extra: str

    def load(self) -> "Quantiser":
        """Its module.

        Raises:
            UsageError: it is not installed.
        """
        if find_spec(self.package) is None:
            raise UsageError(
                f"int8 is made by {self.name}, which is not installed. Install it: pip install "
                f'"cvtasks[{self.extra}]"'
            )
        found: Any = import_module(self.module)
        return found


TOOLS = {
    "onnx": Tool("cvtasks.export.int8.with_onnxruntime", "ONNX Runtime", "onnxruntime", "onnx"),
    "openvino": Tool("cvtasks.export.int8.with_nncf", "NNCF", "nncf", "int8"),
    "litert": Tool(
        "cvtasks.export.int8.with_ai_edge", "AI Edge Quantizer", "ai_edge_quantizer", "int8"
    ),
}
"""Name of a format → what makes int8 of it."""


class Quantiser(Protocol):
    """What a tool's module has."""

    def quantising(
        self, floats: Path, images: Sequence[np.ndarray], place: Path
    ) -> Callable[[Collection[str]], Path]:
        """A function that writes the int8 file into `place`, with the layers of these names in
        float.
        """

    def layers_of(self, path: Path) -> list[Layer]:
        """The layers of weights of a file."""

    def errors_of(self, floats: Path, made: Path, images: Sequence[np.ndarray]) -> dict[str, float]:
        """Name of a layer → what int8 adds to the relative error of its output."""


@dataclass(frozen=True, eq=False)
class Measure:
    """How files are scored.

    Attributes:
        score: what a task's metric says of an engine.
        said: on what, in words.
    """

    score: Callable[[Engine], Scores]
    said: str


def make_int8(
    format: str,
    floats: Path,
    place: Path,
    opened: Callable[[Path], Engine],
    calibration: Calibration,
    measure: Measure,
    most_loss: float = MOST_LOSS,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Path, Report]:
    """Write the int8 file of a float one into the folder `place`, and tell what it loses.

    Args:
        format: a name of `TOOLS`.
        floats: the float file.
        opened: an engine that runs a file of this format.
        most_loss: points of the first metric that it may lose.
        say: hears of each attempt.

    Raises:
        ModelError: whatever is kept in float, it loses more; or too little of it is in int8.
        UsageError: the tool is not installed, or the loss is no number of points.
    """
    if not (math.isfinite(most_loss) and 0 <= most_loss <= 100):
        raise UsageError(
            f"the most that int8 may lose is a number of points, 0 to 100; got {most_loss}. 1 is "
            "usual."
        )
    tool = TOOLS[format]
    quantiser = tool.load()
    before = measure.score(opened(floats))
    layers = quantiser.layers_of(floats)
    quantise = quantiser.quantising(floats, calibration.images, place)
    errors: dict[str, float] = {}
    rounds: list[Round] = []
    for share in _SHARES:
        kept = kept_in_float(layers, errors, share) if rounds else ()
        if rounds and kept == rounds[-1].kept:
            continue
        path = quantise(kept)
        after = measure.score(opened(path))
        rounds.append(
            Round(kept, share_in_int8(quantiser.layers_of(path)), points_lost(before, after))
        )
        say(_said(rounds[-1], before, after))
        if rounds[-1].lost <= most_loss + ROUNDING:
            break
        if not errors:
            few = [*islice(calibration.images, _LOOKED_AT)]
            errors = quantiser.errors_of(floats, path, few)
    _check(rounds, before, most_loss, tool)
    report = Report(
        tool.name,
        calibration.drawn,
        calibration.names,
        measure.said,
        before,
        after,
        tuple(rounds),
        most_loss,
    )
    return path, report


def _said(attempt: Round, before: Scores, after: Scores) -> str:
    """An attempt in a line."""
    name = before.headline
    kept = f", {counted(len(attempt.kept), 'layer')} in float" if attempt.kept else ""
    return (
        f"int8: {name} {before.metrics[name]:.4f} → {after.metrics[name]:.4f}, "
        f"{attempt.lost:+.2f} points lost; {attempt.share:.0%} of the multiply-adds in int8{kept}"
    )


def _check(rounds: Sequence[Round], before: Scores, most_loss: float, tool: Tool) -> None:
    """Raise ModelError where the last attempt is not good enough."""
    last = rounds[-1]
    if last.share < LEAST_SHARE - ROUNDING and last.lost <= most_loss + ROUNDING:
        raise ModelError(
            f"a file is called int8 where {LEAST_SHARE:.0%} of its multiply-adds are; {tool.name} "
            f"makes {last.share:.0%} of this model's. Export it in f16 or f32."
        )
    if not last.lost <= most_loss + ROUNDING:  # also where it is no number
        least = min(rounds, key=lambda one: one.lost)
        raise ModelError(
            f"int8 may lose {most_loss:g} points of {before.headline}; this model loses "
            f"{least.lost:.2f} at least, with {least.share:.0%} of its multiply-adds in int8 and "
            f"{counted(len(least.kept), 'layer')} in float. Allow more, or export it in f16 "
            "or f32.",
            ways={"most_loss": ""},
        )
