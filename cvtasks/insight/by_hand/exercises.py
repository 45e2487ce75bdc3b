"""One convolution, pooling or dense layer by itself: the exercises of a lecture, answered with
their work.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand import formulas
from cvtasks.insight.by_hand.arithmetic import (
    Window,
    output_size,
    padded,
    stacked_field,
    transposed,
)
from cvtasks.insight.by_hand.chains import chain
from cvtasks.insight.by_hand.formulas import Solution
from cvtasks.insight.inspecting.receptive_field import Field

Kind = Literal["conv", "transposed", "pool", "dense"]
KINDS: tuple[Kind, ...] = ("conv", "transposed", "pool", "dense")


def numbers(text: str, name: str, least: int, most: int) -> tuple[int, ...]:
    """Read "7", "7x5", "32×32×3" as numbers.

    Raises:
        UsageError: not numbers from 1 on (0 for padding), or too many of them.
    """
    parts = text.lower().replace("×", "x").split("x")
    if not least <= len(parts) <= most or not all(
        part.strip().isdecimal() and len(part) < 7 for part in parts
    ):
        example = {
            "input": "32, 280x320 or 32x32x3",
            "size": "224 or 240x320",
            "filters": "10 or 64,64,256",
        }.get(name, "3 or 1x2")
        order = "" if name == "filters" else ", height before width"
        raise UsageError(f"--{name} must be like {example}: whole numbers{order}; got {text!r}.")
    return tuple(int(part) for part in parts)


def pair(text: str, name: str) -> tuple[int, int]:
    """Read a number, or height × width."""
    read = numbers(text, name, 1, 2)
    return (read[0], read[-1])


def several(text: str, name: str) -> tuple[int, ...]:
    """Read "10" or "64,64,256"."""
    return tuple(numbers(part, name, 1, 1)[0] for part in text.split(","))


def answer(
    kind: Kind,
    *,
    size: str = "",
    kernel: str = "",
    stride: str = "",
    padding: str = "valid",
    dilation: str = "1",
    filters: int | Sequence[int] = (),
    channels: int = 0,
    layers: int = 1,
) -> Solution:
    """Answer an exercise.

    Args:
        size: of the input: "7", "280x320" (height before width), "32x32x3".
        kernel, stride, dilation: "3" or "1x2"; padding also "same" or "valid", of a transposed
            convolution what is cut off on each side. A pooling moves by its kernel by default.
            Several kernels, "1,3,1", are a `chain`.
        filters: of a convolution, 1 by default; of each one of a chain; units of a dense layer.
        channels: of the input, where `size` does not say it.
        layers: so many convolutions one after the other, each with as many filters as channels.

    Raises:
        UsageError: a number is missing, or none that a layer can have.
    """
    filters = (filters,) if isinstance(filters, int) else tuple(filters)
    if min((*filters, layers)) < 1 or channels < 0:
        raise UsageError(
            f"--filters and --layers must be at least 1; got {formulas.listed(filters)} and "
            f"{layers}."
        )
    read = numbers(size, "input", 1, 3) if size else ()
    if len(read) == 3 and channels and channels != read[2]:
        raise UsageError(
            f"--input {size} has {read[2]} channels; --channels says {channels}. Leave one of them "
            "out."
        )
    known = channels or (read[2] if len(read) == 3 else 0)
    shape = (read[0], read[min(1, len(read) - 1)], known or 1) if read else ()
    if kind == "dense" and (
        kernel or stride or padding != "valid" or dilation != "1" or layers > 1
    ):
        raise UsageError(
            "dense joins every input with every output; it takes --input and --filters alone. "
            "Leave the others out."
        )
    if kind == "pool" and (filters not in ((), (1,)) or layers > 1):
        raise UsageError(
            "pool has as many outputs as the input has channels; leave --filters and --layers out."
        )
    if kind == "transposed" and layers > 1:
        raise UsageError("--layers is for conv; leave it out.")
    if kind != "dense" and not kernel:
        raise UsageError(f"{kind} needs --kernel, like --kernel 3.")
    if "," in kernel:
        if (
            kind != "conv"
            or layers > 1
            or (stride or "1") != "1"
            or dilation != "1"
            or padding not in ("valid", "same")
        ):
            raise UsageError(
                "several kernels are a chain of conv whose maps keep their size; it takes "
                "--filters, --channels and --input. "
                "Leave the others out."
            )
        return chain(
            [pair(part, "kernel") for part in kernel.split(",")], filters, known, shape[:2] or None
        )
    if len(filters) > 1:
        raise UsageError(
            "several --filters go with several kernels, like --kernel 1,3,1; got "
            f"{formulas.listed(filters)}."
        )
    count = filters[0] if filters else 1
    if kind == "dense":
        return _dense(shape, count)
    pairs = [
        pair(kernel, "kernel"),
        pair(stride or (kernel if kind == "pool" else "1"), "stride"),
        pair(dilation, "dilation"),
    ]
    if layers > 1:
        return _stack(layers, pairs, known, shape)
    if not shape:
        raise UsageError(f"{kind} needs --input, like --input 32x32x3; only --layers does without.")
    zeros = (padding, padding) if padding in ("same", "valid") else pair(padding, "padding")
    make = transposed if kind == "transposed" else padded
    rows, columns = (
        make(shape[i], pairs[0][i], pairs[1][i], zeros[i], pairs[2][i]) for i in (0, 1)
    )
    return _window(kind, shape, (rows, columns), shape[2] if kind == "pool" else count)


def _window(
    kind: Kind, shape: tuple[int, ...], windows: tuple[Window, Window], filters: int
) -> Solution:
    sides = [output_size(size, window) for size, window in zip(shape[:2], windows, strict=True)]
    fits = all(window.fits(size) for size, window in zip(shape[:2], windows, strict=True))
    output = (*sides, filters)
    lines = formulas.size_lines(windows, shape, output)
    values: dict[str, Any] = {
        "kind": kind,
        "input": list(shape),
        "kernel": [window.kernel for window in windows],
        "stride": [window.stride for window in windows],
        "padding": [[window.before, window.after] for window in windows],
        "dilation": [window.dilation for window in windows],
        "exact_size": [
            float(window.exact(size)) for size, window in zip(shape[:2], windows, strict=True)
        ],
        "fits": fits,
        "output": list(output) if min(sides) else None,
    }
    if not fits:
        lines = [line.partition(", rounded")[0] for line in lines] + _misfit(shape, windows, sides)
        return Solution(tuple(lines), values)
    lines.append(f"output: {formulas.volume(output)}")
    taps = prod(
        window.taps(size, made) for size, made, window in zip(shape, sides, windows, strict=False)
    )
    if kind == "pool":
        values |= {"parameters": 0, "connections": taps * filters}
        lines += ["parameters: none", f"connections: {formulas.shown(taps * filters)}"]
    else:
        at = shape[:2] if kind == "transposed" else sides  # where the kernel is laid
        kernel, places = [window.kernel for window in windows], prod(at)
        weights = prod(kernel) * shape[2] * filters
        values |= {
            "weights": weights,
            "biases": filters,
            "parameters": weights + filters,
            "multiply_adds": places * weights,
        }
        values |= {
            "connections": taps * shape[2] * filters,
            "dense_weights": prod(shape) * prod(output),
        }
        if kind == "conv":
            values["additions"] = places * filters * prod(kernel) * shape[2]
        lines += formulas.convolution_lines(
            kernel, shape[2], filters, at, filters, kind == "transposed"
        )
        lines += formulas.connection_lines(values["connections"], values["multiply_adds"])
        lines += formulas.dense_comparison(shape, output, weights, places * weights)
    field = Field().through(windows)
    values["receptive_field"] = [axis.size for axis in field.local or ()]
    return Solution((*lines, *formulas.field_lines(windows, Field(), field)), values)


def _misfit(shape: tuple[int, ...], windows: tuple[Window, Window], sides: list[int]) -> list[str]:
    lines = ["does not fit: that is no whole number from 1 on"]
    if min(sides):
        lines.append(
            f"a library leaves the end of the input out and gives {formulas.times_sign(sides)}"
        )
    alike = windows[0] == windows[1] and shape[0] == shape[1]
    names = ("side",) if alike else formulas.SIDES
    for side, size, window in zip(names, shape[:2], windows, strict=False):
        whole = size - window.reach + window.before + window.after
        if window.fits(size):
            continue
        if whole < 0:
            lines.append(
                f"the {side} must be at least {size - whole}; or add {-whole} zeros of padding in "
                "all, or take a smaller kernel"
            )
        else:
            strides = [str(stride) for stride in range(1, whole + 1) if whole % stride == 0][:6]
            lines.append(
                f"strides that fit the {side}: {', '.join(strides)}; or a padding of "
                f"{-whole % window.stride} more zeros"
            )
    return lines


def _dense(shape: tuple[int, ...], units: int) -> Solution:
    if not shape:
        raise UsageError("dense needs --input, like --input 200x200, and --filters for its units.")
    inputs = prod(shape)
    weights = inputs * units
    values = {
        "kind": "dense",
        "input": list(shape),
        "output": [units],
        "weights": weights,
        "biases": units,
    }
    values |= {"parameters": weights + units, "connections": weights, "multiply_adds": weights}
    lines = (
        f"inputs: {formulas.times(*shape)} = {formulas.shown(inputs)}",
        f"weights = connections = multiply-adds: inputs · units = {formulas.times(inputs, units)} "
        f"= {formulas.shown(weights)}",
        f"biases: {units:,}; parameters: {formulas.shown(weights + units)}",
        "receptive field: the whole input",
    )
    return Solution(lines, values)


def _stack(
    layers: int, pairs: list[tuple[int, int]], channels: int, shape: tuple[int, ...]
) -> Solution:
    (kernel, other), (stride, across), (dilation, wide) = pairs
    if kernel != other or stride != across or dilation != wide:
        raise UsageError(
            "--layers needs a square kernel and one stride, like --kernel 3; kernels that differ "
            "are written one after the other, "
            f"like --kernel {kernel}x{other},{other}x{kernel}."
        )
    reach = stacked_field(layers, kernel, stride, dilation)
    values = {
        "kind": "conv",
        "layers": layers,
        "kernel": [kernel] * 2,
        "stride": [stride] * 2,
        "receptive_field": [reach] * 2,
    }
    if (stride, dilation) != (1, 1):
        steps = " + ".join(
            f"{dilation * (kernel - 1)}·{stride**number}" for number in range(layers)
        )
        return Solution((f"receptive field: 1 + Σ D·(K − 1)·Sⁿ = 1 + {steps} = {reach}",), values)
    values |= {
        "weights_in_channels_squared": layers * kernel**2,
        "one_layer_in_channels_squared": reach**2,
    }
    places = (shape[0], shape[1]) if shape else None
    return Solution(tuple(formulas.stack_lines(layers, kernel, channels or None, places)), values)
