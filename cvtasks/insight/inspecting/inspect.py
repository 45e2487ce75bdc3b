"""A network layer by layer: what each computes, what it costs,
and what its units see of the image.
"""

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from cvtasks.errors import ModelError, UsageError, did_you_mean
from cvtasks.insight.graph import Call, Graph, walk
from cvtasks.insight.inspecting.arithmetic import Sides, Windows
from cvtasks.insight.inspecting.formulas import crossed
from cvtasks.insight.inspecting.layer_rules import Step, kind_of, rule_of, unknown
from cvtasks.insight.inspecting.receptive_field import Field, joined

IMAGE = "the image"
"""What a row without a layer before it takes."""
_WINDOWED = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"}
_POOLS = {"MaxPooling2D", "AveragePooling2D"}
_GLOBAL = {"GlobalAveragePooling2D", "GlobalMaxPooling2D"}
_ENDS = ("flatten", "global mean", "global max", "dense", "Mean", "Max", "Sum")


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


@dataclass(frozen=True, eq=False)
class Row:
    """One call of a layer.

    Attributes:
        name: the layer's, behind those of the networks that hold it; a layer's second call ends in
            " (2)".
        kind: what it does, in a word.
        inputs: names of the rows that it takes.
        before: shapes of what goes in, without the batch; `shape`: of what comes out.
        windows: of rows and columns, where it slides one.
        costs: for one image.
        given: what the units see that it takes; `field`: what its own see.
        number: of its output in the graph.
        inner: it is a call within a layer of one's own.
        notes: what is special, or not known.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    before: tuple[Sides, ...]
    shape: Sides
    windows: Windows | None
    costs: Costs
    given: Field
    field: Field
    number: int
    inner: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """All rows of a network, in an order in which they can be computed.

    Attributes:
        name: the network's.
        size: (height, width, channels) of the image.
    """

    name: str
    size: tuple[int, int, int]
    rows: tuple[Row, ...]
    graph: Graph

    def row(self, name: str) -> Row:
        """The row of that name; the last part is enough where only one row has it.

        Raises:
            UsageError: no row has it, or several.
        """
        short = {row: row.name.rpartition("/")[2] for row in self.rows}
        found = [row for row in self.rows if row.name == name]
        found = found or [row for row in self.rows if short[row] == name]
        if len(found) == 1:
            return found[0]
        if found:
            why = f"one layer; {name!r} is {', '.join(row.name for row in found)}. Give the path."
        else:
            known = list(short.values())
            hint = did_you_mean(name, known)
            if len(hint) >= 200:
                hint = f"It has {len(known)} layers, from {known[0]} to {known[-1]}."
            why = f"a layer of {self.name}; it has no {name!r}. {hint}"
        raise UsageError(f"`layer` must name {why}", ways={"layer": ""})

    def total(self, what: str) -> int:
        """The sum of one of the costs over all rows."""
        return sum(getattr(row.costs, what) for row in self.rows)

    def last_map(self) -> Row:
        """The last row whose units still have a place of their own.

        Raises:
            UsageError: there is none.
        """
        for row in reversed(self.rows):
            if row.field.local is not None and len(row.shape) == 3 and not row.inner:
                return row
        raise UsageError(
            f"{self.name} has no layer whose units have places. Name one.", ways={"layer": ""}
        )


def inspect_network(network: keras.Model, name: str = "") -> Inspection:
    """Walk through a network once, computing nothing with it.

    Args:
        network: functional or sequential, of images (batch, height, width, channels) of a known
            size.
        name: what to call it; its own name by default.

    Raises:
        UsageError: the network has no graph. ModelError: its size is not known.
    """
    graph = walk(network, lambda call: rule_of(call) is None)
    shapes = [tuple(tensor.shape) for tensor in network.inputs]
    if any(len(shape) != 4 or None in shape[1:] for shape in shapes):
        raise ModelError(
            f"a network must take images of a known size, (height, width, channels); got {shapes}. "
            "Give a size."
        )
    fields = dict.fromkeys(graph.inputs, Field())
    makers: dict[int, tuple[str, ...]] = dict.fromkeys(graph.inputs, (IMAGE,))
    seen: set[int] = set()
    times: Counter[str] = Counter()
    unsaid: list[str] = []  # what the next row must say
    rows = []
    for call in graph.calls:
        given = [fields[number] for number in call.inputs]
        step = rule_of(call) or (unknown(call) if call.result < 0 else None)
        field = fields[call.result] if step is None else Field(None)
        if step is not None and given:
            field = step.field(given)
        fields.update(dict.fromkeys(call.outputs, field))
        inputs = tuple(dict.fromkeys(name for number in call.inputs for name in makers[number]))
        cost = costs(call, step, seen)
        if step is not None and not step.known:
            unsaid.append(
                f"{type(call.operation).__name__} is not known here: it may see the whole image"
            )
        if _shown(call, step, inputs, cost):
            times[call.name] += 1
            own = call.name if times[call.name] == 1 else f"{call.name} ({times[call.name]})"
            said, unsaid = ([], unsaid) if call.inner else (unsaid, [])
            rows.append(_row(call, step, own, inputs, (given, field), cost, said))
            inputs = (own,)
        makers.update(dict.fromkeys(call.outputs, inputs))
    height, width, channels = tuple(network.inputs[0].shape)[1:]
    return Inspection(name or network.name, (height, width, channels), tuple(rows), graph)


def _shown(call: Call, step: Step | None, inputs: tuple[str, ...], cost: Costs) -> bool:
    """Whether a call has a row: every layer has, a mere operation if it joins paths or moves
    places.
    """
    if call.inner:
        return bool(cost.parameters or cost.multiply_adds)
    moves = step is not None and (step.windows is not None or not step.known)
    return hasattr(call.operation, "count_params") or len(inputs) > 1 or moves


def _row(
    call: Call,
    step: Step | None,
    name: str,
    inputs: tuple[str, ...],
    fields: tuple[list[Field], Field],
    cost: Costs,
    said: list[str],
) -> Row:
    (given, field), kind = fields, kind_of(call.operation)
    lost = field.local is None and not field.unaligned and any(one.local for one in given)
    met = not field.aligned and all(one.aligned for one in given)
    whose = "of different strides meet" if field.unaligned else "meet whose centres differ"
    notes = {
        "its parameters are counted where it is called first": cost.shared,
        "its multiply-adds are not known": not cost.counted,
        "places are put into another order here: what a unit sees is not followed, at most it is "
        "the whole image": lost and step is not None and kind not in _ENDS,
        f"unaligned from here on: paths {whose}": met,
    }
    return Row(
        name=name,
        kind=kind,
        inputs=inputs,
        before=tuple(shape[1:] for shape in call.shapes),
        shape=call.shape[1:],
        windows=None if step is None else step.windows,
        costs=cost,
        given=joined(given),
        field=field,
        number=call.outputs[0],
        inner=call.inner,
        notes=(*said, *(note for note, holds in notes.items() if holds)),
    )


def window_text(row: Row) -> tuple[str, str, str]:
    """Kernel, stride and padding of a row, each in a few characters; empty where it has none."""
    if row.windows is None:
        return "", "", ""
    rows, columns = row.windows
    padding = crossed(
        f"{one.before}" if one.before == one.after else f"{one.before}/{one.after}"
        for one in row.windows
    )
    still = rows.kernel == columns.kernel == rows.stride == columns.stride == 1
    if still and row.kind in ("pad", "crop", "slice"):
        return "", "1", padding
    return f"{rows.kernel}×{columns.kernel}", crossed((rows.stride, columns.stride)), padding


def field_text(row: Row) -> tuple[str, str, str]:
    """Receptive field, its stride and its offset, each in a few characters."""
    local = row.field.local
    if local is None:
        return ("unaligned" if row.field.unaligned else "image"), "", ""
    size, stride, offset = (
        crossed(sides).replace("-", "−")
        for sides in (
            [axis.size for axis in local],
            [axis.stride for axis in local],
            [-axis.padding for axis in local],
        )
    )
    return (f"{size}+" if row.field.whole else size), stride, offset


# === costs ===


def costs(call: Call, step: Step | None, seen: set[int]) -> Costs:
    """The costs of a call.

    Args:
        step: what it does to places; None for a layer whose own calls stand before it.
        seen: ids of the variables that were counted before; those of this call are added.
    """
    variables = list(getattr(call.operation, "weights", []))
    fresh = [variable for variable in variables if id(variable) not in seen]
    seen.update(map(id, fresh))
    numbers: Counter[str] = Counter()
    for variable in fresh:
        numbers[_kind(variable)] += prod(variable.shape)
    used, dtype = _used(call, step), call.node.output_tensors[0].dtype
    bits = "8" if dtype == "bool" else "".join(filter(str.isdigit, dtype)) or "32"
    multiply_adds, connections = used or (0, 0)
    return Costs(
        **numbers,
        connections=connections,
        multiply_adds=multiply_adds,
        memory=prod(call.shape[1:]) * (int(bits) // 8),
        shared=bool(variables) and not fresh,
        counted=used is not None,
    )


def _kind(variable: Any) -> str:
    if variable.name.startswith("moving_") or variable.path.startswith("moving_"):
        return "statistics"
    return "biases" if variable.name in ("bias", "beta") else "weights"


def _used(call: Call, step: Step | None) -> tuple[int, int] | None:
    """Multiply-adds and connections; None where no rule knows them."""
    names = {kind.__name__ for kind in type(call.operation).__mro__}
    given, made = call.shapes[0] if call.shapes else (), call.shape
    if step is not None and step.windows is not None and names & (_WINDOWED | _POOLS):
        pairs = zip(step.windows, given[1:3], made[1:3], strict=True)
        taps = prod(window.taps(size, output) for window, size, output in pairs)
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
        depthwise, last = layer.depthwise_kernel.shape, after * prod(layer.pointwise_kernel.shape)
        return after * prod(depthwise) + last, taps * prod(depthwise[2:]) + last
    kernel = layer.kernel.shape  # a transposed one is laid at the places of what goes in
    places = before if "Conv2DTranspose" in names else after
    return places * prod(kernel), taps * prod(kernel[2:])
