"""Walking through a network: every call of a layer in an order in which it could be computed,
without computing anything.

Networks within networks are walked into. A layer of one's own is walked into too, as far as its
`call` can be traced with tensors that have only a shape.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cvtasks.errors import ModelError
from cvtasks.insight.inspecting.layer_rules import Shape, Step, step, unknown

if TYPE_CHECKING:
    import keras

# What a layer of somebody else may raise where it wants numbers and gets shapes; its row then says
# that it is not known.
_UNTRACEABLE = (
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or an operation.

    Attributes:
        name: the layer's, behind those of the networks that hold it, and a slash each.
        operation: what is called.
        node: Keras' record of the call.
        inputs, outputs: numbers of the tensors; a number is made once.
        tensors: Keras' own tensors that go in, in the order of `inputs`.
        shapes: of the inputs; `shape`: of the first output.
        step: what it does to places; None for a layer whose own calls follow before it.
        inner: it is a call within a layer of one's own, which is computed as a whole.
    """

    name: str
    operation: Any
    node: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[Any, ...]
    shapes: tuple[Shape, ...]
    shape: Shape
    bytes: int
    step: Step | None
    layer: bool = True  # a layer, not a mere operation
    inner: bool = False
    result: int = -1  # of a traced layer: the tensor within it that becomes its first output


@dataclass
class Graph:
    """A network as a list of calls.

    Attributes:
        calls: in an order in which they can be computed.
        inputs, outputs: numbers of the network's own tensors.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    calls: list[Call] = field(default_factory=list)
    _count: int = 0
    _kept: list[Any] = field(
        default_factory=list
    )  # tensors made for tracing, whose ids must stay theirs

    def new(self, count: int) -> tuple[int, ...]:
        """So many numbers for new tensors."""
        self._count += count
        return tuple(range(self._count - count, self._count))


def walk(network: "keras.Model") -> Graph:
    """Find all calls of a functional or sequential network of images.

    Raises:
        ModelError: the network has no graph, or its input is not (batch, height, width, channels)
            of a known size.
    """
    network = getattr(network, "_functional", None) or network
    shapes = [tuple(x.shape) for x in getattr(network, "inputs", None) or []]
    if not shapes:
        raise ModelError(
            f"only a functional or sequential network has a graph to walk; {network.name} has none."
        )
    if any(len(shape) != 4 or None in shape[1:] for shape in shapes):
        raise ModelError(
            f"a network must take images of a known size, (height, width, channels); got {shapes}. "
            "Give a size."
        )
    graph = Graph()
    graph.inputs = graph.new(len(shapes))
    known = {
        id(tensor): number for tensor, number in zip(network.inputs, graph.inputs, strict=True)
    }
    graph.outputs = tuple(_follow(graph, network.outputs, known, "", False))
    return graph


def _follow(
    graph: Graph, outputs: Sequence[Any], known: dict[int, int], prefix: str, inner: bool
) -> list[int]:
    """Add all calls that lead from the tensors `known` (id → number) to `outputs`; returns the
    outputs' numbers.
    """
    for node in _ordered(outputs, known):
        inputs = tuple(known[id(tensor)] for tensor in node.input_tensors)
        numbers = _call(graph, node, inputs, prefix, inner)
        known.update(zip(map(id, node.output_tensors), numbers, strict=True))
    return [known[id(tensor)] for tensor in outputs]


def _ordered(outputs: Sequence[Any], known: dict[int, int]) -> Iterator[Any]:
    """The nodes that the outputs need, each after those it needs, one branch after the other."""
    done: set[int] = set()
    waiting = [(tensor, False) for tensor in reversed(outputs)]
    while waiting:
        tensor, ready = waiting.pop()
        if id(tensor) in known:
            continue
        history = getattr(tensor, "_keras_history", None)
        if history is None or history.operation is None:
            raise ModelError("a tensor of the network comes from none of its inputs.")
        node = history.operation._inbound_nodes[history.node_index]
        if id(node) in done:
            continue
        if ready or not node.input_tensors:
            done.add(id(node))
            yield node
            continue
        waiting.append((tensor, True))
        waiting.extend((needed, False) for needed in reversed(node.input_tensors))


def _call(
    graph: Graph, node: Any, inputs: tuple[int, ...], prefix: str, inner: bool
) -> tuple[int, ...]:
    """Add the call of a node, or the calls within it; returns the numbers of its outputs."""
    operation = node.operation
    name = f"{prefix}{operation.name}"
    inside = getattr(operation, "_functional", None) or operation
    if hasattr(inside, "_nodes_by_depth") and len(inside.inputs) == len(inputs):
        known = {id(tensor): number for tensor, number in zip(inside.inputs, inputs, strict=True)}
        return tuple(_follow(graph, inside.outputs, known, f"{name}/", inner))
    tensors, made = tuple(node.input_tensors), node.output_tensors
    shapes, shape = tuple(map(_shape, tensors)), _shape(made[0])
    key = (
        node.arguments.args[1] if len(node.arguments.args) > 1 else node.arguments.kwargs.get("key")
    )
    rule, result = step(operation, shapes, shape, key), -1
    if rule is None:
        result = _trace(graph, node, inputs, f"{name}/")
        rule = unknown(operation, shapes, shape) if result < 0 else None
    outputs = graph.new(len(made))
    size = _item_bytes(str(made[0].dtype))
    layer = hasattr(operation, "count_params")
    graph.calls.append(
        Call(
            name,
            operation,
            node,
            inputs,
            outputs,
            tensors,
            shapes,
            shape,
            size,
            rule,
            layer,
            inner,
            result,
        )
    )
    return outputs


def _trace(graph: Graph, node: Any, inputs: tuple[int, ...], prefix: str) -> int:
    """Add the calls within a layer of one's own; returns the number of its first output within, -1
    where it cannot be done.
    """
    import keras

    layer, made = node.operation, {}
    if not isinstance(layer, keras.Layer):
        return -1
    for tensor in node.input_tensors:
        made[id(tensor)] = keras.KerasTensor(tensor.shape, tensor.dtype)
    before = len(graph.calls)
    try:
        arguments, options = node.arguments.fill_in(made)
        outputs = keras.tree.flatten(layer.call(*arguments, **options))
        graph._kept.extend([*made.values(), *outputs])
        known = {
            id(made[id(tensor)]): number
            for tensor, number in zip(node.input_tensors, inputs, strict=True)
        }
        return _follow(graph, outputs, known, prefix, True)[0]
    except (*_UNTRACEABLE, ModelError):
        del graph.calls[before:]
        return -1


def _shape(tensor: Any) -> Shape:
    return tuple(1 if side is None else int(side) for side in tensor.shape)


def _item_bytes(kind: str) -> int:
    if kind == "bool":
        return 1
    digits = "".join(letter for letter in kind if letter.isdigit())
    return int(digits) // 8 if digits else 4


def evaluate(graph: Graph, image: Any, wanted: int) -> Any:
    """Compute one tensor of the graph from the images (batch, height, width, channels), by the
    layers themselves.

    Args:
        wanted: its number; not one within a layer of one's own.
    """
    needed, calls = {wanted}, []
    for call in reversed(graph.calls):
        if not call.inner and needed.intersection(call.outputs):
            needed.update(call.inputs)
            calls.append(call)
    values = dict.fromkeys(graph.inputs, image)
    for call in reversed(calls):
        given = {
            id(tensor): values[number]
            for tensor, number in zip(call.tensors, call.inputs, strict=True)
        }
        arguments, options = call.node.arguments.fill_in(given)
        made = call.operation(*arguments, **options)
        values.update(
            zip(call.outputs, made if isinstance(made, list | tuple) else [made], strict=True)
        )
    return values[wanted]
