"""Convolutions one after the other, each with its own kernel and filters: bottlenecks and factors
of a large kernel, counted.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand import formulas
from cvtasks.insight.by_hand.formulas import Solution

Kernel = tuple[int, int]


def chain(
    kernels: Sequence[Kernel],
    filters: Sequence[int] = (),
    channels: int = 0,
    places: tuple[int, int] | None = None,
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
    if filters and len(filters) != len(kernels):
        raise UsageError(
            f"--filters must have a number for each kernel; got {len(filters)} for {len(kernels)} "
            "kernels. "
            f"Try --filters {','.join([str(filters[0])] * len(kernels))}."
        )
    if filters and not channels:
        raise UsageError(
            "where filters are given, the input's channels must be too; got --filters "
            f"{formulas.listed(filters)} alone. Try --channels "
            f"{filters[-1]}, or --input 14x14x{filters[-1]}."
        )
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
    squared = ["", ""]
    if widths[0] == widths[-1]:
        squared = [f" = {formulas.shown(number / channels**2)}·C²" for number in (total, single)]
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
