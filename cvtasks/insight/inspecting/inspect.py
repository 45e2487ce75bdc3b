"""A network layer by layer: what each computes, what it costs,
and what its units see of the image.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvtasks.errors import ModelError, UsageError, did_you_mean
from cvtasks.insight.graph import Call, Graph, walk
from cvtasks.insight.inspecting.arithmetic import Window
from cvtasks.insight.inspecting.costs import Costs, costs
from cvtasks.insight.inspecting.layer_rules import (
    Sides,
    Step,
    kind_of,
    padding_text,
    pair_text,
    rule_of,
    unknown,
)
from cvtasks.insight.inspecting.receptive_field import Field, joined

if TYPE_CHECKING:
    import keras

IMAGE = "the image"
"""What a row without a layer before it takes."""
_ENDS = ("flatten", "global mean", "global max", "dense", "Mean", "Max", "Sum")


@dataclass(frozen=True)
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
    windows: tuple[Window, Window] | None
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
        exact = [row for row in self.rows if row.name == name]
        found = exact or [row for row in self.rows if row.name.rpartition("/")[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"`layer` must name one layer; {name!r} is {', '.join(row.name for row in found)}. "
                "Give the path.",
                ways={"layer": ""},
            )
        known = [row.name.rpartition("/")[2] for row in self.rows]
        hint = did_you_mean(name, known)
        hint = (
            hint
            if len(hint) < 200
            else f"It has {len(known)} layers, from {known[0]} to {known[-1]}."
        )
        raise UsageError(
            f"`layer` must name a layer of {self.name}; it has no {name!r}. {hint}",
            ways={"layer": ""},
        )

    def total(self, what: str) -> int:
        """The sum of one of the costs over all rows."""
        return sum(getattr(row.costs, what) for row in self.rows)

    def last_map(self) -> Row:
        """The last row whose units still have a place of their own.

        Raises:
            UsageError: there is none.
        """
        found = [
            row
            for row in self.rows
            if row.field.local is not None and len(row.shape) == 3 and not row.inner
        ]
        if not found:
            raise UsageError(
                f"{self.name} has no layer whose units have places. Name one.", ways={"layer": ""}
            )
        return found[-1]


def inspect_network(network: "keras.Model", name: str = "") -> Inspection:
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
    times: dict[str, int] = {}
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
        if not _shown(call, step, inputs, cost):
            makers.update(dict.fromkeys(call.outputs, inputs))
            continue
        times[call.name] = times.get(call.name, 0) + 1
        own = call.name if times[call.name] == 1 else f"{call.name} ({times[call.name]})"
        makers.update(dict.fromkeys(call.outputs, (own,)))
        said = unsaid if not call.inner else []
        rows.append(_row(call, step, own, inputs, (given, field), cost, said))
        unsaid = unsaid if call.inner else []
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
    notes, (given, field) = list(said), fields
    if cost.shared:
        notes.append("its parameters are counted where it is called first")
    if not cost.counted:
        notes.append("its multiply-adds are not known")
    followed = field.local is not None or field.unaligned
    if (
        not followed
        and step is not None
        and step.kind not in _ENDS
        and any(one.local for one in given)
    ):
        notes.append(
            "places are put into another order here: what a unit sees is not followed, at most it "
            "is the whole image"
        )
    if not field.aligned and all(one.aligned for one in given):
        why = (
            "paths of different strides meet"
            if field.unaligned
            else "paths meet whose centres differ"
        )
        notes.append(f"unaligned from here on: {why}")
    return Row(
        name=name,
        kind=kind_of(call.operation),
        inputs=inputs,
        before=tuple(shape[1:] for shape in call.shapes),
        shape=call.shape[1:],
        windows=None if step is None else step.windows,
        costs=cost,
        given=joined(given),
        field=field,
        number=call.outputs[0],
        inner=call.inner,
        notes=tuple(notes),
    )


def window_text(row: Row) -> tuple[str, str, str]:
    """Kernel, stride and padding of a row, each in a few characters; empty where it has none."""
    if row.windows is None:
        return "", "", ""
    rows, columns = row.windows
    if rows.kernel == columns.kernel == rows.stride == columns.stride == 1 and row.kind in (
        "pad",
        "crop",
        "slice",
    ):
        return "", "1", padding_text(row.windows)
    kernel = (
        pair_text(rows.kernel, columns.kernel)
        if rows.kernel != columns.kernel
        else f"{rows.kernel}×{rows.kernel}"
    )
    return kernel, pair_text(rows.stride, columns.stride), padding_text(row.windows)


def field_text(row: Row) -> tuple[str, str, str]:
    """Receptive field, its stride and its offset, each in a few characters."""
    local = row.field.local
    if local is None:
        return ("unaligned" if row.field.unaligned else "image"), "", ""
    size, stride, offset = (
        one if one == two else f"{one}×{two}"
        for one, two in (
            tuple(f"{axis.size}" for axis in local),
            tuple(f"{axis.stride}" for axis in local),
            tuple(f"{-axis.padding}".replace("-", "−") for axis in local),
        )
    )
    return (f"{size}+" if row.field.whole else size), stride, offset
