"""What each kind of Keras layer or operation does to places: the windows it slides, and what its
units see.

Rules are found by the name of the class or of one it is made from, so that a
subclass keeps its parent's rule. Maps are (batch, height, width, channels).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

from cvtasks.insight.graph import Call, Shape
from cvtasks.insight.inspecting.arithmetic import Window, same
from cvtasks.insight.inspecting.receptive_field import Axis, Field, joined

Sides = tuple[int, ...]
"""The shape of a map without the batch."""
Windows = tuple[Window, Window]
POINT: Windows = (Window(), Window())


@dataclass(frozen=True)
class Step:
    """What a call of a layer does.

    Attributes:
        kind: a short name for people.
        windows: of rows and columns, where the layer slides one; an even padding or a crop is a
            window of 1×1 with padding.
        field: the fields of what goes in → the field of what comes out.
        known: False where there is no rule for the layer, and what is said about it is only an
            upper bound.
    """

    kind: str
    field: Callable[[Sequence[Field]], Field]
    windows: Windows | None = None
    known: bool = True


def rule_of(call: Call) -> Step | None:
    """What a call does, by the rule for its operation; None where there is none."""
    arguments = call.node.arguments
    key = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs.get("key")
    for kind in type(call.operation).__mro__:
        rule = _RULES.get(kind.__name__)
        if rule is not None:
            found = rule(call.operation, call.shapes, call.shape, key)
            return None if found is None else replace(found, kind=kind_of(call.operation))
    return None


def kind_of(operation: Any) -> str:
    """A short name for people: that of the class, or of the first one it is made from
    that has one.
    """
    known = [kind.__name__ for kind in type(operation).__mro__ if kind.__name__ in _SHORT]
    return _SHORT[known[0]] if known else type(operation).__name__


def unknown(call: Call) -> Step:
    """What holds for any layer: its units see no more than the whole image."""
    places = call.shape[1:3]
    keeps = len(call.shape) == 4 and any(
        len(shape) == 4 and shape[1:3] == places for shape in call.shapes
    )
    return Step(kind_of(call.operation), _mix if keeps else _pool, None, False)


def _pool(fields: Sequence[Field]) -> Field:
    return joined(fields).pooled()


def _mix(fields: Sequence[Field]) -> Field:
    return joined(fields).mixed()


def _slide(windows: Windows) -> Step:
    return Step("", lambda fields: joined(fields).through(windows), windows)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _windowed(kernel: Any, strides: Any, dilation: Any, padding: str, shape: Shape) -> Step | None:
    if len(shape) != 4:
        return None
    numbers = zip(shape[1:3], _pair(kernel), _pair(strides), _pair(dilation), strict=True)
    make = same if padding == "same" else lambda _, k, s, d: Window(k, s, dilation=d)
    rows, columns = (make(*each) for each in numbers)
    return _slide((rows, columns))


def _convolution(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    return _windowed(
        layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding, inputs[0]
    )


def _pooling(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    return _windowed(layer.pool_size, layer.strides, 1, layer.padding, inputs[0])


def _transposed(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    if len(output) != 4:
        return None
    windows = []
    for axis in (0, 1):
        kernel, stride, dilation = (
            _pair(v)[axis] for v in (layer.kernel_size, layer.strides, layer.dilation_rate)
        )
        window = Window(kernel, stride, dilation=dilation, transposed=True)
        before = max(window.reach - stride, 0) // 2 if layer.padding == "same" else 0
        after = (inputs[0][axis + 1] - 1) * stride + window.reach - output[axis + 1] - before
        windows.append(replace(window, before=before, after=after))
    return _slide((windows[0], windows[1]))


def _padding(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    rows, columns = (Window(1, 1, before, after) for before, after in layer.padding)
    return _slide((rows, columns))


def _cropping(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    rows, columns = (Window(1, 1, -before, -after) for before, after in layer.cropping)
    return _slide((rows, columns))


def _pad(operation: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    widths = (
        operation.pad_width if len(operation.pad_width) > 1 else operation.pad_width * len(output)
    )
    if len(output) != 4:
        return None
    if operation.mode != "constant" and any(map(any, widths[1:3])):
        return Step("", _mix)  # what is repeated at the edges comes from other places
    rows, columns = (Window(1, 1, before, after) for before, after in widths[1:3])
    return _slide((rows, columns)) if any(map(any, widths[1:3])) else Step("", joined)


def _item(operation: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    parts = list(key) if isinstance(key, tuple | list) else [key]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(inputs[0]) - len(parts) + 1)
    parts += [slice(None)] * (len(inputs[0]) - len(parts))
    if (
        len(inputs[0]) != 4
        or len(output) != 4
        or not all(isinstance(part, slice) for part in parts)
    ):
        return Step("", _pool)
    windows = []
    for part, size in zip(parts[1:3], inputs[0][1:3], strict=True):
        start, stop, by = part.indices(size)
        if by < 1:
            return Step("", _pool)
        windows.append(Window(1, by, -start, stop - size))
    pair = (windows[0], windows[1])
    return Step("", joined) if pair == POINT else _slide(pair)


def _enlarging(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    reach = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}.get(
        layer.interpolation
    )
    factors = [(large, small) for large, small in zip(output[1:3], inputs[0][1:3], strict=True)]
    cut = getattr(layer, "crop_to_aspect_ratio", False) or getattr(
        layer, "pad_to_aspect_ratio", False
    )
    if reach is None or cut or any(large % small for large, small in factors):
        return Step("", _pool)
    rows, columns = (large // small for large, small in factors)

    def read(axis: Axis, factor: int) -> Axis:
        if factor == 1:
            return axis

        def sources(unit: int) -> list[int]:
            place = (unit + 0.5) / factor - 0.5
            return (
                [unit // factor]
                if reach == 0
                else [floor(place) - reach + 1, ceil(place) + reach - 1]
            )

        return axis.read(factor, sources)

    def field(fields: Sequence[Field]) -> Field:
        one = joined(fields)
        return (
            one
            if one.local is None
            else replace(one, local=(read(one.local[0], rows), read(one.local[1], columns)))
        )

    return Step("", field)


def _merging(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    """Place by place; one place that is spread over a map has lost its own."""
    if (
        getattr(layer, "axis", -1) not in (-1, len(output) - 1)
        and type(layer).__name__ == "Concatenate"
    ):
        return Step("", _pool)
    spread = [len(shape) != len(output) or shape[1:3] != output[1:3] for shape in inputs]
    spread = [wide and len(output) == 4 for wide in spread]
    return Step(
        "",
        lambda fields: joined(
            [f.pooled() if s else f for f, s in zip(fields, spread, strict=True)]
        ),
    )


def _by_axis(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    """What works along axes: the channels alone keep places as they are."""
    rank, axes = len(inputs[0]), layer.axis
    named = range(rank) if axes is None else [axes] if isinstance(axes, int) else list(axes)
    if {axis % rank for axis in named} <= {rank - 1}:
        return Step("", joined)
    return Step("", _mix if len(output) == 4 and output[1:3] == inputs[0][1:3] else _pool)


def _reshaping(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    keeps = len(output) == len(inputs[0]) == 4 and output[1:3] == inputs[0][1:3]
    return Step("", joined if keeps else _pool)


def _always(field: Callable[[Sequence[Field]], Field]) -> Callable[..., Step]:
    return lambda layer, inputs, output, key: Step("", field)


def _words(text: str) -> list[str]:
    return text.split()


_PLACE_BY_PLACE = _words(
    "Dense BatchNormalization Activation ReLU LeakyReLU PReLU ELU Dropout SpatialDropout2D "
    "GaussianNoise GaussianDropout "
    "Rescaling Normalization Identity UnitNormalization Cast Sqrt Rsqrt Square Exp Log Log1p Abs "
    "Absolute Negative Clip Relu "
    "Relu6 Sigmoid Silu Tanh Gelu Softplus Softsign Elu Selu HardSigmoid HardSilu HardTanh "
    "LeakyRelu LogSigmoid StopGradient"
)
_MERGING = _words(
    "Add Subtract Multiply Average Maximum Minimum Concatenate TrueDivide Divide Power"
)
_RULES: dict[str, Callable[..., Step | None]] = {
    **dict.fromkeys(_words("Conv2D DepthwiseConv2D SeparableConv2D"), _convolution),
    **dict.fromkeys(_words("MaxPooling2D AveragePooling2D"), _pooling),
    **dict.fromkeys(_words("UpSampling2D Resizing Resize"), _enlarging),
    **dict.fromkeys(_PLACE_BY_PLACE, _always(joined)),
    **dict.fromkeys(_MERGING, _merging),
    **dict.fromkeys(
        _words("Softmax LogSoftmax LayerNormalization Flip Mean Sum Max Min"), _by_axis
    ),
    **dict.fromkeys(_words("Reshape Flatten Permute Transpose ExpandDims Squeeze"), _reshaping),
    **dict.fromkeys(_words("GlobalAveragePooling2D GlobalMaxPooling2D"), _always(_pool)),
    "GroupNormalization": _always(_mix),
    "Conv2DTranspose": _transposed,
    "ZeroPadding2D": _padding,
    "Cropping2D": _cropping,
    "Pad": _pad,
    "GetItem": _item,
}
_SHORT = {
    name: short
    for short, names in {
        "conv": "Conv2D",
        "depthwise": "DepthwiseConv2D",
        "separable": "SeparableConv2D",
        "transposed": "Conv2DTranspose",
        "max pool": "MaxPooling2D",
        "mean pool": "AveragePooling2D",
        "global mean": "GlobalAveragePooling2D",
        "global max": "GlobalMaxPooling2D",
        "dense": "Dense",
        "flatten": "Flatten",
        "batch norm": "BatchNormalization",
        "group norm": "GroupNormalization",
        "layer norm": "LayerNormalization",
        "local norm": "LocalResponse",
        "relu": "ReLU",
        "activation": "Activation",
        "softmax": "Softmax",
        "dropout": "Dropout SpatialDropout2D",
        "pad": "ZeroPadding2D Pad",
        "crop": "Cropping2D",
        "slice": "GetItem",
        "rescale": "Rescaling",
        "flip": "Flip",
        "add": "Add",
        "multiply": "Multiply",
        "concat": "Concatenate",
        "reshape": "Reshape",
        "enlarge": "UpSampling2D Enlarge",
        "resize": "Resize Resizing",
    }.items()
    for name in _words(names)
}


def padding_text(windows: Windows) -> str:
    """The padding in a few characters: 1 on all sides, 0/1 before and after, 0×3 above and below by
    left and right.
    """
    sides = [f"{w.before}" if w.before == w.after else f"{w.before}/{w.after}" for w in windows]
    return sides[0] if sides[0] == sides[1] else "×".join(sides)


def pair_text(height: int, width: int) -> str:
    """A number, or height × width where they differ."""
    return f"{height}" if height == width else f"{height}×{width}"
