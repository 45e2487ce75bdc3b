"""The formulas of a layer with its numbers put in, line by line, as one would write them down for
an exercise.
"""

from collections.abc import Iterable, Sequence
from math import prod

from cvtasks.insight.inspecting.arithmetic import Sides, Window, Windows, output_size
from cvtasks.insight.inspecting.receptive_field import Axis, Field
from cvtasks.text import counted

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


def crossed(sides: Iterable[object]) -> str:
    """What holds for height and width, once, or as height×width where they differ."""
    height, width = map(str, sides)
    return height if height == width else f"{height}×{width}"


def size_lines(windows: Windows, before: Sides, after: Sides) -> list[str]:
    """How the size of the output comes about, for height and width, or for both at once where they
    are equal.
    """
    height, width = map(_size, windows, before[:2], after[:2])
    if height == width:
        return [f"output size: {height}"]
    return [f"output height: {height}", f"output width: {width}"]


def _size(window: Window, size: int, made: int) -> str:
    reach, line = f"{window.reach}", ""
    if window.dilation != 1:
        reach = f"({window.dilation}·({window.kernel} − 1) + 1)"
    padding, even = window.before + window.after, window.before == window.after
    exact = window.exact(size)
    if window.transposed:
        formula, cut = ("K − 2P", f"2·{window.before}") if even else ("K − P", f"{padding}")
        line = f"(W − 1)·S + {formula} = ({size} − 1)·{window.stride} + {reach} − {cut} = {made}"
    else:
        formula = "2P" if even else "P₁ + P₂"
        zeros = f"2·{window.before}" if even else f"{window.before} + {window.after}"
        line = f"(W − K + {formula})/S + 1 = ({size} − {reach} + {zeros})/{window.stride} + 1"
        line = f"{line} = {shown(float(exact))}"
    for signs, sign in (("− 2·-", "+ 2·"), ("− -", "+ "), ("+ 2·-", "− 2·"), ("+ -", "− ")):
        line = line.replace(signs, sign)
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
    lost = multiply_adds - connections
    note = f", as {shown(lost)} of the multiply-adds fall outside the map" if lost > 0 else ""
    return [f"connections: {shown(connections)}{note}"] if connections else []


def dense_comparison(before: Sides, after: Sides, weights: int, multiply_adds: int) -> list[str]:
    """What a dense layer between the same two volumes would cost."""
    dense = prod(before) * prod(after)
    return [
        f"a dense layer instead: {times(*before)} inputs · {times(*after)} outputs = "
        f"{shown(dense)} weights and multiply-adds, "
        f"{_ratio(dense, weights)} times the weights and {_ratio(dense, multiply_adds)} times "
        "the multiply-adds"
    ]


def _ratio(one: int, other: int) -> str:
    """How many times as much, by digits that say something: none behind the point from ten on.

    >>> _ratio(1, 9), _ratio(1, 900), _ratio(6, 6), _ratio(16, 9), _ratio(69, 2)
    ('0.11', '0.0011', '1', '1.8', '34')
    """
    ratio = one / max(other, 1)
    return shown(round(ratio)) if ratio >= 10 else f"{ratio:.2g}"


def field_lines(windows: Windows, given: Field, field: Field) -> list[str]:
    """How the receptive field grows: R = R₀ + (K − 1)·S₀, its stride S = S₀·s, its padding P = P₀ +
    p·S₀.
    """
    if given.local is None or field.local is None:
        return ["receptive field: the whole image"]
    height, width = map(_grown, windows, given.local, field.local)
    sides = {"": height} if height == width else {", height": height, ", width": width}
    return [f"receptive field{side}: {line}" for side, lines in sides.items() for line in lines]


def _grown(window: Window, old: Axis, new: Axis) -> list[str]:
    if window.transposed or len(old.spans) > 1 or len(new.spans) > 1:
        return [
            f"at most {counted(new.size, 'pixel')}, a step of {new.stride} from one unit to the "
            f"next, from pixel {shown(-new.padding)} on"
        ]
    step = shown(float(old.stride))
    reach = window.reach - 1
    return [
        f"R = R₀ + (K − 1)·S₀ = {old.size} + {reach}·{step} = {new.size}",
        f"stride S = S₀·s = {step}·{window.stride} = {shown(float(new.stride))}",
        f"padding P = P₀ + p·S₀ = {old.padding} + {window.before}·{step} = {new.padding}: unit 0 "
        f"begins at pixel {shown(-new.padding)}",
    ]
