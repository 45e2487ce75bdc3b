"""A network as one list of calls, through all networks within it; and the same network built again
as one graph, in which every layer's map can be had.

Nothing is computed to walk through a network, and weights are shared with it, never copied.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import keras

from cvtasks.errors import UsageError, did_you_mean

Shape = tuple[int, ...]
"""A tensor's, with the batch; a side that is open, as the batch mostly is, stands as 1."""
Hook = Callable[..., Any]
"""`hook(layer, *args, **kwargs)` → what stands for the layer's output."""

# What a layer of somebody else may raise where it wants numbers and gets shapes: it is then not
# walked into.
_UNTRACEABLE = (
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
    UsageError,
)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or an operation.

    Attributes:
        name: the layer's, behind those of the networks that hold it, and a slash each.
        node: Keras' record of the call.
        inputs, outputs: numbers of the tensors; a number is made once.
        inner: it is a call within a layer of one's own, which is computed as a whole.
        result: of a layer whose own calls stand before it: the tensor within it that becomes its
            first output; else -1.
    """

    name: str
    node: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    inner: bool = False
    result: int = -1

    @property
    def operation(self) -> Any:
        """What is called: a layer, or a mere operation."""
        return self.node.operation

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of what goes in."""
        return tuple(map(_shape, self.node.input_tensors))

    @property
    def shape(self) -> Shape:
        """Of the first output."""
        return _shape(self.node.output_tensors[0])


@dataclass
class Graph:
    """A network as a list of calls.

    Attributes:
        calls: in an order in which they can be computed, one branch after the other.
        inputs, outputs: numbers of the network's own tensors.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    calls: list[Call] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _kept: list[Any] = field(default_factory=list)  # made for tracing: their ids must stay theirs

    def new(self, several: int) -> tuple[int, ...]:
        """So many numbers for new tensors."""
        return tuple(islice(self._numbers, several))

    def needed(self, wanted: Sequence[int]) -> list[Call]:
        """The calls that the tensors of these numbers are computed by, as a whole each."""
        numbers, calls = set(wanted), []
        for call in reversed(self.calls):
            if not call.inner and numbers.intersection(call.outputs):
                numbers.update(call.inputs)
                calls.append(call)
        return calls[::-1]

    def run(self, inputs: Sequence[Any], wanted: int) -> Any:
        """Compute one tensor; all else is as of `run_all`."""
        return self.run_all(inputs, [wanted])[0]

    def run_all(
        self, inputs: Sequence[Any], wanted: Sequence[int], hook: Hook | None = None
    ) -> list[Any]:
        """Compute some tensors by the layers themselves.

        Args:
            inputs: of the network: numbers, or Keras' symbols, of which a new graph is made.
            wanted: their numbers; none within a layer of one's own.
            hook: calls each layer in its place.
        """
        values = dict(zip(self.inputs, inputs, strict=True))
        for call in self.needed(wanted):
            pairs = zip(call.node.input_tensors, call.inputs, strict=True)
            arguments, options = call.node.arguments.fill_in(
                {id(tensor): values[number] for tensor, number in pairs}
            )
            made = (hook or _called)(call.operation, *arguments, **options)
            made = made if isinstance(made, list | tuple) else [made]
            values.update(zip(call.outputs, made, strict=True))
        return [values[number] for number in wanted]


def walk(network: keras.Model, into: Callable[[Call], bool] = lambda call: False) -> Graph:
    """Find all calls of a functional or sequential network.

    Args:
        into: whether the calls within a layer of one's own are to be found too; that is done as far
            as its `call` can be traced with tensors that have only a shape.

    Raises:
        UsageError: the network is no graph of layers.
    """
    source: Any = getattr(network, "_functional", None) or network
    if not getattr(source, "inputs", None) or not getattr(source, "outputs", None):
        raise UsageError(
            f"a network that is to be looked into must be a graph of layers; {network.name!r} is a "
            f"{type(network).__name__} without one. Give a functional model, or a sequential one "
            "that has its Input."
        )
    graph = Graph()
    graph.inputs = graph.new(len(source.inputs))
    known = dict(zip(map(id, source.inputs), graph.inputs, strict=True))
    graph.outputs = tuple(_follow(graph, source.outputs, known, "", into, False))
    return graph


def _follow(
    graph: Graph,
    outputs: Sequence[Any],
    known: dict[int, int],
    prefix: str,
    into: Callable[[Call], bool],
    inner: bool,
) -> list[int]:
    """Add all calls that lead from the tensors `known` (id → number) to `outputs`; returns the
    outputs' numbers.
    """
    for node in _ordered(outputs, known):
        name = f"{prefix}{node.operation.name}"
        inputs = tuple(known[id(tensor)] for tensor in node.input_tensors)
        inside = getattr(node.operation, "_functional", None) or node.operation
        if hasattr(inside, "_nodes_by_depth") and len(inside.inputs) == len(inputs):
            given = dict(zip(map(id, inside.inputs), inputs, strict=True))
            numbers = tuple(_follow(graph, inside.outputs, given, f"{name}/", into, inner))
        else:
            result = -1
            if into(Call(name, node, inputs, ())):
                result = _trace(graph, node, inputs, f"{name}/", into)
            numbers = graph.new(len(node.output_tensors))
            graph.calls.append(Call(name, node, inputs, numbers, inner, result))
        known.update(zip(map(id, node.output_tensors), numbers, strict=True))
    return [known[id(tensor)] for tensor in outputs]


def _ordered(outputs: Sequence[Any], known: dict[int, int]) -> Iterator[Any]:
    """The nodes that the outputs need, each after those it needs, one branch after the other."""
    waiting = list(reversed(outputs))
    while waiting:
        history = getattr(waiting[-1], "_keras_history", None)
        if id(waiting[-1]) in known:
            waiting.pop()
            continue
        if history is None or history.operation is None:
            raise UsageError("a tensor of the network comes from none of its inputs.")
        node = history.operation._inbound_nodes[history.node_index]
        missing = [needed for needed in node.input_tensors if id(needed) not in known]
        if missing:
            waiting.extend(reversed(missing))
        else:
            yield node


def _trace(
    graph: Graph, node: Any, inputs: tuple[int, ...], prefix: str, into: Callable[[Call], bool]
) -> int:
    """Add the calls within a layer of one's own; returns the number of its first output within, -1
    where it cannot be done.
    """
    layer, before = node.operation, len(graph.calls)
    if not isinstance(layer, keras.Layer):
        return -1
    made = {id(x): keras.KerasTensor(x.shape, x.dtype) for x in node.input_tensors}
    try:
        arguments, options = node.arguments.fill_in(made)
        outputs = keras.tree.flatten(layer.call(*arguments, **options))
        graph._kept.extend([*made.values(), *outputs])
        known = {
            id(made[id(tensor)]): number
            for tensor, number in zip(node.input_tensors, inputs, strict=True)
        }
        return _follow(graph, outputs, known, prefix, into, True)[0]
    except _UNTRACEABLE:
        del graph.calls[before:]
        return -1


def _shape(tensor: Any) -> Shape:
    return tuple(1 if side is None else int(side) for side in tensor.shape)


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    return layer(*args, **kwargs)


# === one graph, built again ===


@dataclass(frozen=True, eq=False)
class Unfolded:
    """A network without networks in it.

    Attributes:
        network: the same weights and outputs, in one graph.
        outputs: place → KerasTensor, in the order of computation. A place is the layer's name; that
            of a layer which is called several times has a number behind it, the largest map's
            first: "head:0", "head:1".
    """

    network: keras.Model
    outputs: dict[str, Any]

    def at(self, place: str) -> Any:
        """The KerasTensor of a place.

        Raises:
            UsageError: there is no such layer, or the name stands for several places.
        """
        if place in self.outputs:
            return self.outputs[place]
        several = sorted(name for name in self.outputs if name.startswith(f"{place}:"))
        if several:
            raise UsageError(
                f'"{place}" gives several maps, one each time it is called. Choose one of '
                f"{', '.join(several)}."
            )
        raise UsageError(f'the network has no layer "{place}". {did_you_mean(place, self.outputs)}')

    def spatial(self, least: int = 0) -> list[str]:
        """The places whose output is (batch, height, width, channels), of at least so many heights
        times widths, in the order of computation.
        """
        shapes = {place: tuple(output.shape) for place, output in self.outputs.items()}
        maps = [place for place, shape in shapes.items() if len(shape) == 4]
        return [place for place in maps if math.prod(n or 0 for n in shapes[place][1:3]) >= least]

    def until(self, place: str) -> keras.Model:
        """The part of the network that ends in a place; raises as `at` does."""
        return keras.Model(self.network.input, self.at(place))

    def tap(self, places: Sequence[str]) -> keras.Model:
        """The outputs of these places, then the network's own output, always a list; raises as `at`
        does.
        """
        return keras.Model(self.network.input, [*map(self.at, places), self.network.output])

    def cut(self, place: str) -> tuple[keras.Model, keras.Model]:
        """Cut the network behind a place.

        Returns:
            `head`, image (batch, H, W, 3) → the place's map, and `rest`, [image, map] → the
            network's output. The image counts where paths lead past the place, as the skips of a
            U-Net do.

        Raises:
            UsageError: no such place, or one that the output does not depend on.
        """
        image, at = self.network.input, self.at(place)
        return keras.Model(image, at), keras.Model([image, at], self.network.output)


def unfold(network: keras.Model, hook: Hook | None = None) -> Unfolded:
    """Put all layers of a network, and of the networks within it, into one graph over the same
    weights.

    Args:
        network: a functional or sequential model with one input and one output, or outputs by name.
        hook: calls each layer in place of the layer itself; for backward passes with rules of their
            own.

    Raises:
        UsageError: the network is no graph of layers, has several inputs or outputs, or networks in
            it with layers of one name.
    """
    graph = walk(network)
    by_name = len(graph.outputs) > 1 and isinstance(network.output, Mapping)
    if len(graph.inputs) != 1 or (len(graph.outputs) != 1 and not by_name):
        raise UsageError(
            "a network that is to be looked into must have one input and one output; "
            f"{network.name!r} has {len(graph.inputs)} and {len(graph.outputs)}. Choose one: "
            "keras.Model(network.input, network.outputs[0])."
        )
    called = Counter(call.operation.name for call in graph.needed(graph.outputs))
    found: list[tuple[str, Any]] = []

    def noted(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = (hook or _called)(layer, *args, **kwargs)
        if isinstance(output, keras.KerasTensor):
            if called[layer.name] > 1:  # Keras cuts a graph at operations, not at calls
                name = f"{layer.name}_call_{len(found)}"
                while name in called:  # a network that was unfolded before
                    name += "_"
                output = keras.layers.Identity(name=name, dtype=output.dtype)(output)
            found.append((layer.name, output))
        return output

    image = network.inputs[0]
    try:
        made = graph.run_all([image], graph.outputs, noted)
        output = keras.tree.pack_sequence_as(network.output, made) if by_name else made[0]
        flat = keras.Model(image, output, name=network.name)
    except ValueError as error:  # Keras takes no two layers of one name into one graph
        raise UsageError(
            f"the networks within {network.name!r} cannot be put into one graph: "
            f"{str(error).strip()} Give their layers names of their own."
        ) from error
    return Unfolded(flat, _placed(flat, found, called))


def _placed(flat: keras.Model, found: list[tuple[str, Any]], called: Counter) -> dict[str, Any]:
    """Place → output, in the order of Keras: all that is as far from the output at once."""
    nodes = [flat._nodes_by_depth[depth] for depth in sorted(flat._nodes_by_depth, reverse=True)]
    order = [id(tensor) for same in nodes for node in same for tensor in node.output_tensors]
    found.sort(key=lambda one: order.index(id(one[1])))
    outputs, by_size = {}, sorted(found, key=_places, reverse=True)
    for name, output in found:
        own = [id(x) for other, x in by_size if other == name]
        outputs[f"{name}:{own.index(id(output))}" if called[name] > 1 else name] = output
    return outputs


def _places(found: tuple[str, Any]) -> int:
    """How many numbers an image's output has, where its size is known."""
    return math.prod(side or 1 for side in found[1].shape[1:])
