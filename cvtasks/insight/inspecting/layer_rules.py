"""What each kind of Keras layer or operation does to places: the windows it slides, and what its
units see.

Rules are found by the name of the class or of one it is made from, so that a
subclass keeps its parent's rule. Maps are (batch, height, width, channels).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any, TypeVar

import keras

from cvtasks.insight.graph import Call, Shape
from cvtasks.insight.inspecting.arithmetic import Window, Windows, output_size, padded, transposed
from cvtasks.insight.inspecting.receptive_field import Axis, Field, joined

Value = TypeVar("Value")


@dataclass(frozen=True)
class Step:
    """What a call of a layer does.

    Attributes:
        field: the fields of what goes in → the field of what comes out.
        windows: of rows and columns, where the layer slides one; an even padding or a crop is a
            window of 1×1 with padding.
        known: False where there is no rule for the layer, and what is said about it is only an
            upper bound.
    """

    field: Callable[[Sequence[Field]], Field]
    windows: Windows | None = None
    known: bool = True


Rule = Callable[[Any, Sequence[Shape], Shape, Any], Step | None]
"""Layer or operation, shapes of what goes in, shape of what comes out, key of an indexing → what it
does; None where that is not known.
"""


def rule_of(call: Call) -> Step | None:
    """What a call does, by the rule for its operation; None where there is none."""
    arguments = call.node.arguments
    key = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs.get("key")
    rule = _named(_RULES, call.operation)
    return None if rule is None else rule(call.operation, call.shapes, call.shape, key)


def kind_of(operation: Any) -> str:
    """A short name for people: that of the class, or of the first one it is made from
    that has one.
    """
    return _named(_SHORT, operation) or type(operation).__name__


def _named(rows: Mapping[str, Value], operation: Any) -> Value | None:
    """The row of the operation's class, or of the first one it is made from that has one."""
    return next((rows[k.__name__] for k in type(operation).__mro__ if k.__name__ in rows), None)


def unknown(call: Call) -> Step:
    """What holds for any layer: its units see no more than the whole image."""
    places = (_same_places(shape, call.shape) for shape in call.shapes)
    return Step(_mix if any(places) else _pool, known=False)


def _same_places(one: Shape, other: Shape) -> bool:
    """Whether both are maps of one height and width."""
    return len(one) == len(other) == 4 and one[1:3] == other[1:3]


def _pool(fields: Sequence[Field]) -> Field:
    return joined(fields).pooled()


def _mix(fields: Sequence[Field]) -> Field:
    return joined(fields).mixed()


def _slide(windows: Iterable[Window]) -> Step:
    rows, columns = windows
    return Step(lambda fields: joined(fields).through((rows, columns)), (rows, columns))


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _sliding(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    """A convolution or a pooling, also a transposed one: its windows are always named."""
    if len(output) != 4:
        return None
    kernel = getattr(layer, "kernel_size", None) or layer.pool_size
    numbers = map(_pair, (kernel, layer.strides, getattr(layer, "dilation_rate", 1)))
    make = transposed if isinstance(layer, keras.layers.Conv2DTranspose) else padded

    def window(size: int, made: int, kernel: int, stride: int, dilation: int) -> Window:
        """What is cut off behind follows from what is made: a layer may have been told its size."""
        one = make(size, kernel, stride, layer.padding, dilation)
        more = output_size(size, one) - made if one.transposed else 0
        return replace(one, after=one.after + more)

    return _slide(map(window, inputs[0][1:3], output[1:3], *numbers))


def _bordering(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    """What is put around a map; what is cut off is less than nothing."""
    sign, sides = (1, layer.padding) if hasattr(layer, "padding") else (-1, layer.cropping)
    return _slide(Window(1, 1, sign * before, sign * after) for before, after in sides)


def _pad(operation: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step | None:
    widths = operation.pad_width * (len(output) if len(operation.pad_width) == 1 else 1)
    if len(output) != 4:
        return None
    if not any(map(any, widths[1:3])):
        return Step(joined)
    if operation.mode != "constant":
        return Step(_mix)  # what is repeated at the edges comes from other places
    return _slide(Window(1, 1, before, after) for before, after in widths[1:3])


def _item(operation: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    parts, rank = list(key) if isinstance(key, tuple | list) else [key], len(inputs[0])
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts[at : at + 1] = [slice(None)] * (rank - len(parts) + (at < len(parts)))
    cut = rank == len(output) == 4 and all(isinstance(part, slice) for part in parts)
    ranges = (
        [part.indices(size) for part, size in zip(parts, inputs[0], strict=True)] if cut else []
    )
    if not cut or min(by for _, _, by in ranges[1:3]) < 1:
        return Step(_pool)
    sizes = zip(ranges[1:3], inputs[0][1:3], strict=True)
    step = _slide(Window(1, by, -start, stop - size) for (start, stop, by), size in sizes)
    return Step(joined) if step.windows == (Window(), Window()) else step


def _enlarging(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    interpolations = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}
    reach = interpolations.get(layer.interpolation)
    sizes = list(zip(output[1:3], inputs[0][1:3], strict=True))
    cut = any(getattr(layer, f"{how}_to_aspect_ratio", False) for how in ("crop", "pad"))
    if reach is None or cut or any(large % small for large, small in sizes):
        return Step(_pool)

    def read(axis: Axis, factor: int) -> Axis:
        def sources(unit: int) -> list[int]:
            place = (unit + 0.5) / factor - 0.5
            near = [floor(place) - reach + 1, ceil(place) + reach - 1]
            return near if reach else [unit // factor]

        return axis if factor == 1 else axis.read(factor, sources)

    def field(fields: Sequence[Field]) -> Field:
        one = joined(fields)
        if one.local is None:
            return one
        rows, columns = map(read, one.local, (large // small for large, small in sizes))
        return replace(one, local=(rows, columns))

    return Step(field)


def _merging(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    """Place by place; one place that is spread over a map has lost its own."""
    along = layer.axis if type(layer).__name__ == "Concatenate" else -1
    if along not in (-1, len(output) - 1):
        return Step(_pool)
    spread = [len(output) == 4 and not _same_places(shape, output) for shape in inputs]
    return Step(
        lambda fields: joined(
            [f.pooled() if wide else f for f, wide in zip(fields, spread, strict=True)]
        )
    )


def _by_axis(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    """What works along axes: the channels alone keep places as they are."""
    rank, axes = len(inputs[0]), layer.axis
    named = range(rank) if axes is None else [axes] if isinstance(axes, int) else list(axes)
    if {axis % rank for axis in named} <= {rank - 1}:
        return Step(joined)
    return Step(_mix if _same_places(inputs[0], output) else _pool)


def _reshaping(layer: Any, inputs: Sequence[Shape], output: Shape, key: Any) -> Step:
    return Step(joined if _same_places(inputs[0], output) else _pool)


def _always(field: Callable[[Sequence[Field]], Field]) -> Rule:
    return lambda layer, inputs, output, key: Step(field)


_RULES: dict[str, Rule] = {
    name: rule
    for names, rule in (
        (
            "Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose MaxPooling2D AveragePooling2D",
            _sliding,
        ),
        ("UpSampling2D Resizing Resize", _enlarging),
        (  # place by place
            "Dense BatchNormalization Activation ReLU LeakyReLU PReLU ELU Dropout "
            "SpatialDropout2D GaussianNoise GaussianDropout Rescaling Normalization Identity "
            "UnitNormalization Cast Sqrt Rsqrt Square Exp Log Log1p Abs Absolute Negative Clip "
            "Relu Relu6 Sigmoid Silu Tanh Gelu Softplus Softsign Elu Selu HardSigmoid HardSilu "
            "HardTanh LeakyRelu LogSigmoid StopGradient",
            _always(joined),
        ),
        (
            "Add Subtract Multiply Average Maximum Minimum Concatenate TrueDivide Divide Power",
            _merging,
        ),
        ("Softmax LogSoftmax LayerNormalization Flip Mean Sum Max Min", _by_axis),
        ("Reshape Flatten Permute Transpose ExpandDims Squeeze", _reshaping),
        ("GlobalAveragePooling2D GlobalMaxPooling2D", _always(_pool)),
        ("GroupNormalization", _always(_mix)),
        ("ZeroPadding2D Cropping2D", _bordering),
        ("Pad", _pad),
        ("GetItem", _item),
    )
    for name in names.split()
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
    for name in names.split()
}
