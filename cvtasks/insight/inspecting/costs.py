"""What a call of a layer costs: parameters, connections, multiply-adds and the memory of what comes
out.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from cvtasks.insight.graph import Call
from cvtasks.insight.inspecting.layer_rules import Step

_WINDOWED = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"}
_POOLS = {"MaxPooling2D", "AveragePooling2D"}
_GLOBAL = {"GlobalAveragePooling2D", "GlobalMaxPooling2D"}


@dataclass(frozen=True)
class Costs:
    """The costs of one call for one image.

    Attributes:
        weights: parameters that multiply: kernels, factors of a normalisation.
        biases: parameters that are added.
        statistics: parameters that are measured, not learned: means and variances of batch
            normalisation.
        connections: pairs of an input and an output that are joined, not counting biases and what
            meets padding.
        multiply_adds: multiplications with a weight, each with its addition; padding counts, as in
            all published numbers, and normalisation, activation and pooling do not.
        memory: bytes of what comes out.
        shared: the parameters belong to a layer that was called before, and were counted there.
        counted: False where the layer has weights and no rule says how often they are used.
    """

    weights: int = 0
    biases: int = 0
    statistics: int = 0
    connections: int = 0
    multiply_adds: int = 0
    memory: int = 0
    shared: bool = False
    counted: bool = True

    @property
    def parameters(self) -> int:
        """All parameters, as Keras' `count_params` counts them."""
        return self.weights + self.biases + self.statistics


def costs(call: Call, step: Step | None, seen: set[int]) -> Costs:
    """The costs of a call.

    Args:
        step: what it does to places; None for a layer whose own calls stand before it.
        seen: ids of the variables that were counted before; those of this call are added.
    """
    variables = list(getattr(call.operation, "weights", []))
    fresh = [variable for variable in variables if id(variable) not in seen]
    seen.update(map(id, fresh))
    kinds = [_kind(variable) for variable in fresh]
    weights, biases, statistics = (
        sum(prod(v.shape) for v, kind in zip(fresh, kinds, strict=True) if kind == wanted)
        for wanted in ("weights", "biases", "statistics")
    )
    used = _used(call, step)
    multiply_adds, connections = used or (0, 0)
    return Costs(
        weights=weights,
        biases=biases,
        statistics=statistics,
        connections=connections,
        multiply_adds=multiply_adds,
        memory=prod(call.shape[1:]) * _item_bytes(call.node.output_tensors[0].dtype),
        shared=bool(variables) and not fresh,
        counted=used is not None,
    )


def _item_bytes(kind: str) -> int:
    if kind == "bool":
        return 1
    digits = "".join(letter for letter in kind if letter.isdigit())
    return int(digits) // 8 if digits else 4


def _kind(variable: Any) -> str:
    if variable.name.startswith("moving_") or variable.path.startswith("moving_"):
        return "statistics"
    return "biases" if variable.name in ("bias", "beta") else "weights"


def _used(call: Call, step: Step | None) -> tuple[int, int] | None:
    """Multiply-adds and connections; None where no rule knows them."""
    names = {kind.__name__ for kind in type(call.operation).__mro__}
    given, made = call.shapes[0] if call.shapes else (), call.shape
    if step is not None and step.windows is not None and names & (_WINDOWED | _POOLS):
        rows, columns = step.windows
        taps = rows.taps(given[1], made[1]) * columns.taps(given[2], made[2])
        if names & _POOLS:
            return 0, taps * made[3]
        return _convolved(call.operation, names, taps, prod(given[1:3]), prod(made[1:3]))
    if names & _GLOBAL:
        return 0, prod(given[1:])
    if "Dense" in names:
        uses = prod(made[1:-1]) * prod(call.operation.kernel.shape)
        return uses, uses
    known = step is None or step.known
    return (0, 0) if known or not getattr(call.operation, "weights", []) else None


def _convolved(layer: Any, names: set[str], taps: int, before: int, after: int) -> tuple[int, int]:
    """Multiply-adds and connections of a convolution with `taps` pairs of places, of `before`
    places in and `after` out.
    """
    if "SeparableConv2D" in names:
        depthwise, pointwise = layer.depthwise_kernel.shape, layer.pointwise_kernel.shape
        last = after * prod(pointwise)
        return after * prod(depthwise) + last, taps * prod(depthwise[2:]) + last
    kernel = (
        layer.kernel.shape
    )  # (height, width, channels in / groups, filters), transposed: filters before channels in
    places = before if "Conv2DTranspose" in names else after
    return places * prod(kernel), taps * prod(kernel[2:])
