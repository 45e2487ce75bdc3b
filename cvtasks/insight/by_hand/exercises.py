"""One convolution, pooling or dense layer by itself: the exercises of a lecture, answered with
their work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from cvtasks.insight.inspecting import formulas
from cvtasks.insight.inspecting.arithmetic import (
    Window,
    Windows,
    output_size,
)
from cvtasks.insight.inspecting.receptive_field import Field
from cvtasks.text import counted

if TYPE_CHECKING:
    import numpy as np

Pair = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Solution:
    """A solution with its work: lines to read, and the same as plain values.

    Attributes:
        draw: makes a sheet of it, (h, w, 3) uint8 RGB; None where there is nothing to draw.
    """

    lines: tuple[str, ...]
    values: Mapping[str, Any]
    draw: "Callable[[], np.ndarray] | None" = None


def one_layer(
    kind: Literal["conv", "transposed", "pool"],
    shape: tuple[int, ...],
    windows: Windows,
    filters: int,
) -> Solution:
    """What one layer that slides a window makes of an input, and what it costs.

    Args:
        shape: (height, width, channels) of the input.
        windows: of rows and columns.
        filters: how many; of a pooling the input's channels.
    """
    sizes = list(zip(windows, shape[:2], strict=True))
    sides = [output_size(size, window) for window, size in sizes]
    fits = all(window.fits(size) for window, size in sizes)
    output, kernel = (*sides, filters), [window.kernel for window in windows]
    lines = formulas.size_lines(windows, shape, output)
    draw = None if kind == "transposed" else partial(_sizes_drawn, (shape[0], shape[1]), windows)
    values: dict[str, Any] = {
        "kind": kind,
        "input": list(shape),
        "kernel": kernel,
        "stride": [window.stride for window in windows],
        "padding": [[window.before, window.after] for window in windows],
        "dilation": [window.dilation for window in windows],
        "exact_size": [float(window.exact(size)) for window, size in sizes],
        "fits": fits,
        "output": list(output) if min(sides) else None,
    }
    if not fits:
        lines = [line.partition(", rounded")[0] for line in lines] + _misfit(shape, windows, sides)
        return Solution(tuple(lines), values, draw)
    units = counted(prod(output), "unit", ",")
    lines.append(f"output: {formulas.times_sign(output)}, {units}")
    taps = prod(map(Window.taps, windows, shape[:2], sides))
    if kind == "pool":
        values |= {"parameters": 0, "connections": taps * filters}
        lines += ["parameters: none", f"connections: {formulas.shown(taps * filters)}"]
    else:
        at = shape[:2] if kind == "transposed" else sides  # where the kernel is laid
        weights = prod(kernel) * shape[2] * filters
        used = prod(at) * weights
        values |= {
            "weights": weights,
            "biases": filters,
            "parameters": weights + filters,
            "multiply_adds": used,
            "connections": taps * shape[2] * filters,
            "dense_weights": prod(shape) * prod(output),
        }
        if kind == "conv":
            values["additions"] = used
        lines += formulas.convolution_lines(
            kernel, shape[2], filters, at, filters, kind == "transposed"
        )
        lines += formulas.connection_lines(values["connections"], used)
        lines += formulas.dense_comparison(shape, output, weights, used)
    field = Field().through(windows)
    values["receptive_field"] = [axis.size for axis in field.local or ()]
    return Solution((*lines, *formulas.field_lines(windows, Field(), field)), values, draw)


def _sizes_drawn(shape: Pair, windows: Windows) -> "np.ndarray":
    from cvtasks.insight.by_hand.size_sheets import size_sheet

    return size_sheet(shape, windows)


def _misfit(shape: tuple[int, ...], windows: Windows, sides: list[int]) -> list[str]:
    lines = ["does not fit: that is no whole number from 1 on"]
    if min(sides):
        lines.append(
            f"a library leaves the end of the input out and gives {formulas.times_sign(sides)}"
        )
    alike = (windows[0], shape[0]) == (windows[1], shape[1])
    for side, size, window in zip(
        ("side",) if alike else ("height", "width"), shape[:2], windows, strict=False
    ):
        if window.fits(size):
            continue
        whole = size - window.reach + window.before + window.after
        if whole < 0:
            lines.append(
                f"the {side} must be at least {size - whole}; or add {-whole} zeros of padding in "
                "all, or take a smaller kernel"
            )
        else:
            strides = [str(stride) for stride in range(1, whole + 1) if whole % stride == 0][:6]
            zeros = -whole % window.stride
            ends = f"{zeros // 2} at each end" if zeros % 2 == 0 else "not as many at both ends"
            lines.append(
                f"strides that fit the {side}: {', '.join(strides)}; or {counted(zeros, 'zero')} "
                f"of padding more in all, {ends}"
            )
    return lines


def dense(shape: tuple[int, ...], units: int) -> Solution:
    """What a dense layer costs that joins every number of an input with every unit."""
    inputs, weights = prod(shape), prod(shape) * units
    values = {
        "kind": "dense",
        "input": list(shape),
        "output": [units],
        "weights": weights,
        "biases": units,
        "parameters": weights + units,
        "connections": weights,
        "multiply_adds": weights,
    }
    lines = (
        f"inputs: {formulas.times(*shape)} = {formulas.shown(inputs)}",
        f"weights = connections = multiply-adds: inputs · units = {formulas.times(inputs, units)} "
        f"= {formulas.shown(weights)}",
        f"biases: {units:,}; parameters: {formulas.shown(weights + units)}",
        "receptive field: the whole input",
    )
    return Solution(lines, values)
