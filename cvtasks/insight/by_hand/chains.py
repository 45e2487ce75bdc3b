"""Several convolutions one after the other: exercises of a lecture, answered with their work."""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.exercises import Pair, Solution
from cvtasks.insight.inspecting import formulas
from cvtasks.insight.inspecting.arithmetic import output_size, padded, stacked_field
from cvtasks.text import counted

if TYPE_CHECKING:
    import numpy as np

POOL = 0
"""In the place of a number of filters: a pooling, which has none."""


def _field_drawn(*numbers: int) -> "np.ndarray":
    from cvtasks.insight.by_hand.size_sheets import field_sheet

    return field_sheet(*numbers)


def stack(
    layers: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    channels: int = 0,
    places: Pair | None = None,
    padding: str | int = "",
) -> Solution:
    """What several equal convolutions one after the other see and cost, against one that sees as
    much; each has as many filters as channels.

    Args:
        kernel: its side; `channels` is 0 where they are not known, and the answer is in C².
        places: height and width of the input, for the sizes of the maps, and for multiply-adds of
            maps that keep it.
        padding: "valid", "same" or so many zeros at both ends; empty for none, and the maps that
            "same" makes are told beside, to which multiply-adds belong.

    >>> print(*stack(3, 3).lines, sep="\\n")
    receptive field: 1 + L·(K − 1) = 1 + 3·(3 − 1) = 7
    weights: 3 layers of 3×3, L·K·K·C² = 27·C²; one of 7×7: 49·C²
    multiply-adds: 27·H·W·C² against 49·H·W·C²
    """
    reach = stacked_field(layers, kernel, stride, dilation)
    draw = partial(_field_drawn, layers, kernel, stride, dilation)
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
        lines = [f"receptive field: 1 + Σ D·(K − 1)·Sⁿ = 1 + {steps} = {reach}"]
        lines += _maps(layers, kernel, stride, dilation, places, padding)
        return Solution(tuple(lines), values, draw)
    many, one = layers * kernel**2, reach**2
    values |= {"weights_in_channels_squared": many, "one_layer_in_channels_squared": one}
    lines = [
        f"receptive field: 1 + L·(K − 1) = 1 + {layers}·({kernel} − 1) = {reach}",
        f"weights: {layers} layers of {kernel}×{kernel}, L·K·K·C² = {many}·C²; one of "
        f"{reach}×{reach}: {one}·C²",
    ]
    keeping = padding in ("", "same") or (padding != "valid" and 2 * int(padding) == kernel - 1)
    if keeping:
        lines.append(f"multiply-adds: {many}·H·W·C² against {one}·H·W·C²")
    for start, area, what in (
        (f"with C = {channels}", channels**2, "weights"),
        (
            f"at {formulas.times_sign(places or ())}",
            prod(places or ()) * channels**2,
            "multiply-adds",
        ),
    ):
        if channels and (what == "weights" or (places and keeping)):
            counts = [formulas.shown(number * area) for number in (many, one)]
            lines.append(f"{start}: {counts[0]} {what} against {counts[1]}")
    lines += _maps(layers, kernel, stride, dilation, places, padding)
    return Solution(tuple(lines), values, draw)


def _maps(
    layers: int,
    kernel: int,
    stride: int,
    dilation: int,
    places: Pair | None,
    padding: str | int,
) -> list[str]:
    """The sizes of the maps behind each of several equal convolutions, in sentences; none without
    the size of an input.
    """
    found: list[str] = []
    if places is None:
        return found
    words = {"valid": "without padding", "same": 'with "same" padding'}
    for zeros in ("valid", "same") if padding == "" else (padding,):
        sizes, ends = [places], ""
        for _ in range(layers):
            windows = [padded(side, kernel, stride, zeros, dilation) for side in sizes[-1]]
            rows, columns = map(output_size, sizes[-1], windows)
            if not (rows and columns):
                ends = f" → nothing: {kernel} does not fit into {formulas.times_sign(sizes[-1])}"
                break
            sizes.append((rows, columns))
        way = (
            words[zeros] if isinstance(zeros, str) else f"with {counted(zeros, 'zero')} at each end"
        )
        found.append(f"maps {way}: {' → '.join(map(formulas.times_sign, sizes))}{ends}")
    return found


def chain(
    kernels: Sequence[Pair],
    filters: Sequence[int] = (),
    channels: int = 0,
    places: Pair | None = None,
) -> Solution:
    """What a chain of convolutions costs and sees, against one convolution that sees as much
    between the same two maps.

    A 1×1 "bottleneck", a 3×3 and a 1×1 that restores the channels; or 1×N and N×1 in the place of
    N×N. Stride 1, and maps that keep their size; biases are not counted.

    Args:
        kernels: (height, width) of each.
        filters: of each; by default as many as there are channels.
        channels: C of the input; 0 where it is not known, and the answer is in C².
        places: height and width of the map, for multiply-adds.

    Raises:
        UsageError: filters do not belong to the kernels, or channels are missing.

    >>> print(*chain([(1, 3), (3, 1)]).lines, sep="\\n")
    receptive field: 1 + Σ (K − 1) = 1 + 0 + 2 by 1 + 2 + 0 = 3×3
    weights: 1·3·C² + 3·1·C² = 6·C²; one of 3×3: 9·C²
    """
    _check_filters(kernels, filters, channels)
    reach = tuple(1 + sum(kernel[axis] - 1 for kernel in kernels) for axis in (0, 1))
    grown = [f"1 + {' + '.join(str(kernel[axis] - 1) for kernel in kernels)}" for axis in (0, 1)]
    sums = grown[0] if grown[0] == grown[1] else " by ".join(grown)
    lines = [f"receptive field: 1 + Σ (K − 1) = {sums} = {formulas.times_sign(reach)}"]
    values: dict[str, Any] = {
        "kind": "conv",
        "kernels": [list(kernel) for kernel in kernels],
        "receptive_field": list(reach),
    }
    if not filters:
        many, one = sum(map(prod, kernels)), prod(reach)
        terms = " + ".join(f"{formulas.times(*kernel)}·C²" for kernel in kernels)
        lines.append(f"weights: {terms} = {many}·C²; one of {formulas.times_sign(reach)}: {one}·C²")
        values |= {"weights_in_channels_squared": many, "one_layer_in_channels_squared": one}
    if not channels:
        return Solution(tuple(lines), values)
    widths = [channels, *(filters or [channels] * len(kernels))]
    weights = []
    for kernel, before, after in zip(kernels, widths, widths[1:], strict=False):
        weights.append(prod(kernel) * before * after)
        product = f"{formulas.times(*kernel, before, after)} = {formulas.shown(weights[-1])}"
        lines.append(
            f"{formulas.times_sign(kernel)}, {before} → {after} channels: {product} weights"
        )
    total, single = sum(weights), prod(reach) * widths[0] * widths[-1]
    squared = [
        f" = {formulas.shown(number / channels**2)}·C²" if widths[0] == widths[-1] else ""
        for number in (total, single)
    ]
    lines += [
        f"in all: {formulas.shown(total)} weights{squared[0]}",
        f"one of {formulas.times_sign(reach)}, {widths[0]} → {widths[-1]}: "
        f"{formulas.times(*reach, widths[0], widths[-1])} = "
        f"{formulas.shown(single)}{squared[1]}, {formulas.shown(round(single / total, 2))} times "
        "as many",
    ]
    values |= {
        "channels": widths,
        "weights": weights,
        "all_weights": total,
        "one_layer_weights": single,
    }
    if places:
        area = prod(places)
        lines.append(
            f"at {formulas.times_sign(places)}: {formulas.shown(area * total)} multiply-adds "
            f"against {formulas.shown(area * single)}"
        )
        values |= {"multiply_adds": area * total, "one_layer_multiply_adds": area * single}
    return Solution(tuple(lines), values)


def strided_chain(
    kernels: Sequence[Pair],
    strides: Sequence[Pair],
    paddings: Sequence[str | int],
    places: Pair | None = None,
    filters: Sequence[int] = (),
    channels: int = 0,
) -> Solution:
    """What convolutions and poolings with strides see, one after the other, layer by layer, and how
    many parameters they have.

    A pooling sees what a convolution of its kernel and stride does.

    Args:
        kernels, strides: (height, width) of each layer.
        paddings: of each: "valid", "same" or so many zeros at both ends.
        places: height and width of the input, for the sizes of the maps.
        filters: of each convolution, and `POOL` of a pooling; empty where parameters are not asked
            for.
        channels: C of the input, where they are.

    Raises:
        UsageError: a kernel is larger than its map; filters do not belong to the kernels, or
            channels are missing.

    >>> windows = [(5, 5), (2, 2)], [(1, 1), (2, 2)], ["valid", "valid"]
    >>> print(*strided_chain(*windows, places=(32, 32)).lines, sep="\\n")
    receptive field R = R₀ + (K − 1)·S₀, stride S = S₀·s; of the input both are 1
    1. kernel 5, stride 1: R = 1 + 4·1 = 5, S = 1·1 = 1; 32×32 → 28×28
    2. kernel 2, stride 2: R = 5 + 1·1 = 6, S = 1·2 = 2; 28×28 → 14×14
    """
    _check_filters(kernels, filters, channels)
    field, step, sizes, deep, total = (1, 1), (1, 1), places, channels, 0
    lines = ["receptive field R = R₀ + (K − 1)·S₀, stride S = S₀·s; of the input both are 1"]
    layers: list[dict[str, Any]] = []
    for number, (kernel, stride, padding) in enumerate(
        zip(kernels, strides, paddings, strict=True)
    ):
        seen, moved = (
            (field[0] + (kernel[0] - 1) * step[0], field[1] + (kernel[1] - 1) * step[1]),
            (step[0] * stride[0], step[1] * stride[1]),
        )
        grown, steps = (
            " by ".join(dict.fromkeys(sums))
            for sums in (
                [f"{field[i]} + {kernel[i] - 1}·{step[i]} = {seen[i]}" for i in (0, 1)],
                [f"{step[i]}·{stride[i]} = {moved[i]}" for i in (0, 1)],
            )
        )
        line = (
            f"{number + 1}. kernel {formulas.crossed(kernel)}, stride "
            f"{formulas.crossed(stride)}: R = {grown}, S = {steps}"
        )
        layer: dict[str, Any] = {"kernel": [*kernel], "stride": [*stride]}
        layer |= {"receptive_field": [*seen], "total_stride": [*moved]}
        if sizes:
            made, rounded = _behind(sizes, kernel, stride, padding)
            line += f"; {formulas.times_sign(sizes)} → {formulas.times_sign(made)}{rounded}"
            layer["output"], sizes = [*made], made
        if filters:
            own, said = _parameters(kernel, deep, filters[number])
            layer["parameters"], total, deep = own, total + own, filters[number] or deep
            line += f"; {said}"
        lines.append(line)
        layers.append(layer)
        field, step = seen, moved
    values: dict[str, Any] = {"kind": "conv", "layers": layers, "receptive_field": [*field]}
    if filters:
        lines.append(f"in all: {formulas.shown(total)} parameters")
        values["parameters"] = total
    return Solution(tuple(lines), values)


def _parameters(kernel: Pair, channels: int, filters: int) -> tuple[int, str]:
    """How many parameters a layer has, and that in words."""
    if filters == POOL:
        return 0, "a pooling has no parameters"
    count = prod(kernel) * channels * filters + filters
    product = formulas.times(*kernel, channels, filters)
    return count, f"{product} + {filters} = {formulas.shown(count)} parameters"


def _check_filters(kernels: Sequence[Pair], filters: Sequence[int], channels: int) -> None:
    """Raise UsageError where filters do not belong to the kernels, or channels are missing."""
    if filters and len(filters) != len(kernels):
        raise UsageError(
            f"there must be a number of filters for each kernel; got {len(filters)} for "
            f"{len(kernels)} kernels. Try "
            f"{','.join([str(filters[0] or filters[-1])] * len(kernels))}."
        )
    if filters and not channels:
        given = ",".join(str(one) if one else "pool" for one in filters)
        raise UsageError(
            "where filters are given, the input's channels must be too; got filters "
            f"{given} alone. Try {filters[-1] or 3} channels."
        )


def _behind(
    sizes: Pair, kernel: Pair, stride: Pair, padding: str | int
) -> tuple[Pair, Literal["", ", rounded down"]]:
    """Height and width of the map behind a layer, and whether an end of the one before is left."""
    windows = [padded(sizes[axis], kernel[axis], stride[axis], padding) for axis in (0, 1)]
    rows, columns = map(output_size, sizes, windows)
    if not (rows and columns):
        raise UsageError(
            f"a kernel must fit into its map; got {formulas.crossed(kernel)} on "
            f"{formulas.times_sign(sizes)}. Take a larger input, fewer layers, or pad it."
        )
    fits = all(window.fits(size) for window, size in zip(windows, sizes, strict=True))
    return (rows, columns), "" if fits else ", rounded down"
