"""The formulas of a layer with its numbers put in, line by line, as one would write them down for
an exercise.
"""

from collections.abc import Sequence
from math import prod

from cvtasks.insight.inspecting.arithmetic import Window, output_size
from cvtasks.insight.inspecting.inspect import Row, field_text
from cvtasks.insight.inspecting.layer_rules import Sides, Windows
from cvtasks.insight.inspecting.receptive_field import Axis, Field

SIDES = ("height", "width")
_NORM = "y = γ·x̂ + β, x̂ = (x − E[x]) / √(Var[x] + ε)"
FORMULAS = {
    ("batch norm"): (
        f"{_NORM}: of each channel, over all places of a batch while it learns, their running "
        "values after"
    ),
    "layer norm": f"{_NORM}: over the channels of one image, at each place",
    "group norm": f"{_NORM}: over all places and the channels of a group, of one image",
    "local norm": "yᵢ = xᵢ / (k + α·Σ xⱼ²)^β: over the channels j next to i, at each place",
    "relu": "y = max(0, x)",
    "softmax": "yᵢ = exp(xᵢ) / Σ exp(xⱼ)",
    "max pool": "y = max x over the window; the place of the maximum is where its gradient goes",
    "mean pool": "y = Σ x / n over the n units of the window",
    "global mean": "y = Σ x / (H·W) over all places",
    "dense": "y = b + Σ w·x over all inputs",
    "conv": "y = b + Σ w·x over the window and all channels",
    "depthwise": "y = b + Σ w·x over the window, of each channel by itself",
}
"""What a kind of layer computes, as the lectures write it."""


def shown(value: float) -> str:
    """A number with commas, with two digits behind the point where it is not whole.

    >>> shown(34848), shown(7 / 3)
    ('34,848', '2.33')
    """
    return (f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}").replace("-", "−")


def times(*factors: float) -> str:
    """Factors as a product: 3·11·11."""
    return "·".join(map(shown, factors))


def times_sign(sides: Sequence[int]) -> str:
    """Sides as one writes them: 3×3."""
    return "×".join(map(str, sides))


def volume(shape: Sequence[int]) -> str:
    """A map's shape, and how many units that is: 55×55×96, 290,400 units."""
    return f"{times_sign(shape)}, {shown(prod(shape))} units"


def listed(values: Sequence[int]) -> str:
    """Numbers as the command line takes them: 64,64,256."""
    return ",".join(map(str, values)) or "none"


def size_lines(windows: Windows, before: Sides, after: Sides) -> list[str]:
    """How the size of the output comes about, for height and width, or for both at once where they
    are equal.
    """
    lines = [
        _size(window, size, made)
        for window, size, made in zip(windows, before[:2], after[:2], strict=True)
    ]
    if lines[0] == lines[1]:
        return [f"output size: {lines[0]}"]
    return [f"output {side}: {line}" for side, line in zip(SIDES, lines, strict=True)]


def _size(window: Window, size: int, made: int) -> str:
    reach = (
        f"{window.reach}"
        if window.dilation == 1
        else f"({window.dilation}·({window.kernel} − 1) + 1)"
    )
    padding = window.before + window.after
    even = window.before == window.after
    if window.transposed:
        formula, cut = ("K − 2P", f"2·{window.before}") if even else ("K − P", f"{padding}")
        line = f"(W − 1)·S + {formula} = ({size} − 1)·{window.stride} + {reach} − {cut} = {made}"
        return line.replace("− 2·-", "+ 2·").replace("− -", "+ ")
    formula = "(W − K + 2P)/S + 1" if even else "(W − K + P₁ + P₂)/S + 1"
    zeros = f"2·{window.before}" if even else f"{window.before} + {window.after}"
    exact = window.exact(size)
    line = f"{formula} = ({size} − {reach} + {zeros})/{window.stride} + 1 = {shown(float(exact))}"
    line = line.replace("+ 2·-", "− 2·").replace("+ -", "− ")
    if exact.denominator == 1:
        return line
    return (
        f"{line}, rounded down to {output_size(size, window)}: the window does not fit exactly, so "
        "the end is left out"
    )


def convolution_lines(
    kernel: Sequence[int],
    channels: int,
    filters: int,
    sides: Sequence[int],
    biases: int,
    transposed: bool = False,
) -> list[str]:
    """Weights, biases, multiplications and additions of a convolution.

    Args:
        channels: that one filter looks at.
        sides: height and width of the map at whose places it is used.
        transposed: it writes instead of looking; its additions are those of the connections that
            meet.
    """
    one, places = (*kernel, channels), prod(sides)
    weights = prod(one) * filters
    lines = [f"weights: K·K·C·F = {times(*one, filters)} = {shown(weights)}"]
    if biases:
        lines.append(
            f"biases: F = {shown(biases)}; parameters: {shown(weights)} + {biases:,} = "
            f"{shown(weights + biases)}"
        )
        lines.append(f"of one filter: {times(*one)} + 1 = {shown(prod(one) + 1)}")
    else:
        lines.append(f"biases: none; parameters: {shown(weights)}")
    lines.append(
        f"multiply-adds: places · weights = {times(*sides)} · {shown(weights)} = "
        f"{shown(places * weights)}"
    )
    if transposed:
        return lines
    sums = prod(one) - 1 + bool(biases)
    each = "K·K·C, one of them for the bias" if biases else "K·K·C − 1"
    lines.append(
        f"additions: places · F · sums = {times(*sides, filters, sums)} = "
        f"{shown(places * filters * sums)} (sums: {each})"
    )
    return lines


def connection_lines(connections: int, multiply_adds: int) -> list[str]:
    """How many connections there are, and why not as many as multiply-adds."""
    if not connections:
        return []
    lost = multiply_adds - connections
    note = f", as {shown(lost)} of the multiply-adds fall outside the map" if lost > 0 else ""
    return [f"connections: {shown(connections)}{note}"]


def dense_comparison(before: Sides, after: Sides, weights: int, multiply_adds: int) -> list[str]:
    """What a dense layer between the same two volumes would cost."""
    inputs, outputs = prod(before), prod(after)
    dense = inputs * outputs
    return [
        f"a dense layer instead: {times(*before)} inputs · {times(*after)} outputs = "
        f"{shown(dense)} weights and multiply-adds, "
        f"{shown(round(dense / max(weights, 1)))} times the weights and "
        f"{shown(round(dense / max(multiply_adds, 1)))} times "
        "the multiply-adds"
    ]


def field_lines(windows: Windows, given: Field, field: Field) -> list[str]:
    """How the receptive field grows: R = R₀ + (K − 1)·S₀, its stride S = S₀·s, its padding P = P₀ +
    p·S₀.
    """
    if given.local is None or field.local is None:
        return ["receptive field: the whole image"]
    lines = []
    for side, window, old, new in zip(SIDES, windows, given.local, field.local, strict=True):
        lines.append((side, _grown(window, old, new)))
    if lines[0][1] == lines[1][1]:
        return [f"receptive field: {line}" for line in lines[0][1]]
    return [f"receptive field, {side}: {line}" for side, grown in lines for line in grown]


def _grown(window: Window, old: Axis, new: Axis) -> list[str]:
    if window.transposed or len(old.spans) > 1 or len(new.spans) > 1:
        return [
            f"at most {new.size} pixels, a step of {new.stride} from one unit to the next, from "
            f"pixel {shown(-new.padding)} on"
        ]
    step = shown(float(old.stride))
    reach = window.reach - 1
    return [
        f"R = R₀ + (K − 1)·S₀ = {old.size} + {reach}·{step} = {new.size}",
        f"stride S = S₀·s = {step}·{window.stride} = {shown(float(new.stride))}",
        f"padding P = P₀ + p·S₀ = {old.padding} + {window.before}·{step} = {new.padding}: unit 0 "
        f"begins at pixel {shown(-new.padding)}",
    ]


def layer_lines(row: Row) -> list[str]:
    """All of that for a layer of a network.

    Returns:
        sentences and formulas, the layer's name first.
    """
    shape = times_sign(row.shape)
    lines = [f"{row.name}: {row.kind}, {', '.join(map(times_sign, row.before))} → {shape}"]
    cost = row.costs
    if row.kind in FORMULAS:
        lines.append(FORMULAS[row.kind])
    if row.windows is not None:
        lines += size_lines(row.windows, row.before[0], row.shape)
    if row.windows is not None and row.kind in ("conv", "depthwise", "transposed"):
        kernel = [window.kernel for window in row.windows]
        sides = row.before[0][:2] if row.kind == "transposed" else row.shape[:2]
        used = cost.multiply_adds // prod(sides)
        channels = 1 if row.kind == "depthwise" else used // (prod(kernel) * row.shape[2])
        if cost.shared:
            lines.append("its parameters are those of its first call")
        lines += convolution_lines(
            kernel, channels, row.shape[2], sides, cost.biases, row.kind == "transposed"
        )
        if row.kind == "conv":
            lines += dense_comparison(row.before[0], row.shape, used, cost.multiply_adds)
    elif row.kind == "dense":
        inputs, units = row.before[0][-1], row.shape[-1]
        lines += [f"weights: inputs · units = {times(inputs, units)} = {shown(inputs * units)}"]
        lines += [f"biases: units = {shown(cost.biases)}; parameters: {shown(cost.parameters)}"]
        lines += [f"multiply-adds: {shown(cost.multiply_adds)}"]
    elif cost.parameters:
        statistics = f", statistics {shown(cost.statistics)}" if cost.statistics else ""
        lines += [
            f"parameters: factors {shown(cost.weights)}, shifts {shown(cost.biases)}{statistics}"
        ]
    else:
        lines += ["parameters: none"]
    lines += connection_lines(cost.connections, cost.multiply_adds)
    lines += [
        f"units: {times(*row.shape)} = {shown(prod(row.shape))}; memory: {shown(cost.memory)} bytes"
    ]
    if row.windows is not None:
        return lines + field_lines(row.windows, row.given, row.field) + list(row.notes)
    seen, stride, offset = field_text(row)
    place = f", stride {stride}, offset {offset}" if stride else ""
    from_paths = ", the span of all paths that meet here" if len(row.before) > 1 else ""
    return [*lines, f"receptive field: {seen}{place}{from_paths}", *row.notes]


def stack_lines(
    layers: int, kernel: int, channels: int | None, places: tuple[int, int] | None
) -> list[str]:
    """L layers of K×K, stride 1, C channels in and out, against one layer that sees as much.

    >>> print(*stack_lines(3, 3, None, None), sep="\\n")
    receptive field: 1 + L·(K − 1) = 1 + 3·(3 − 1) = 7
    weights: 3 layers of 3×3, L·K·K·C² = 27·C²; one of 7×7: 49·C²
    multiply-adds: 27·H·W·C² against 49·H·W·C²
    """
    reach = 1 + layers * (kernel - 1)
    many, one = layers * kernel**2, reach**2
    lines = [
        f"receptive field: 1 + L·(K − 1) = 1 + {layers}·({kernel} − 1) = {reach}",
        f"weights: {layers} layers of {kernel}×{kernel}, L·K·K·C² = {many}·C²; one of "
        f"{reach}×{reach}: {one}·C²",
        f"multiply-adds: {many}·H·W·C² against {one}·H·W·C²",
    ]
    if channels:
        lines.append(
            f"with C = {channels}: {shown(many * channels**2)} weights against "
            f"{shown(one * channels**2)}"
        )
    if channels and places:
        area = prod(places) * channels**2
        lines.append(
            f"at {places[0]}×{places[1]}: {shown(many * area)} multiply-adds against "
            f"{shown(one * area)}"
        )
    return lines
