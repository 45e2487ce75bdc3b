"""Tap a network: what its inner layers give, and what the rest of it makes of a map.

Every network here is a graph of layers (functional or sequential); networks within it, such as the
backbone of a recipe's network, are unfolded first, so that all layers lie in one graph. Weights are
shared with the network, never copied.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from cvtasks.errors import UsageError, did_you_mean

Call = Callable[..., Any]
"""`call(layer, *args, **kwargs)` → what stands for the layer's output."""


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

    def spatial(self) -> list[str]:
        """The places whose output is (batch, height, width, channels),
        in the order of computation.
        """
        return [place for place, output in self.outputs.items() if len(output.shape) == 4]


def unfold(network: keras.Model, call: Call | None = None) -> Unfolded:
    """Put all layers of a network, and of the networks within it, into one graph over the same
    weights.

    Args:
        network: a functional or sequential model with one input and one output.
        call: calls each layer in place of the layer itself; for backward passes with rules of their
            own.

    Raises:
        UsageError: the network is no graph of layers, has several inputs or outputs, or networks in
            it with layers of one name.
    """
    flat = _functional(network)
    try:
        while any(isinstance(layer, keras.Model) for layer in flat.layers):
            flat = keras.models.clone_model(flat, clone_function=_itself, call_function=_inside)
    except ValueError as error:  # Keras takes no two layers of one name into one graph
        raise UsageError(
            f"the networks within {network.name!r} cannot be put into one graph: "
            f"{str(error).strip()} Give their layers names of "
            "their own."
        ) from error
    found = _calls(flat, call, frozenset())
    again = frozenset(
        name for name, count in Counter(name for name, _ in found.calls).items() if count > 1
    )
    if again:
        found = _calls(flat, call, again)
    outputs: dict[str, Any] = {}
    for name, output in found.calls:
        own = (
            sorted((out for other, out in found.calls if other == name), key=_places, reverse=True)
            if name in again
            else []
        )
        place = f"{name}:{next(i for i, out in enumerate(own) if out is output)}" if own else name
        outputs[place] = output
    return Unfolded(found.network, outputs)


def tap(network: keras.Model, names: Sequence[str]) -> keras.Model:
    """A network of the same weights whose outputs are those layers' outputs, then the network's own
    output; always a list.

    Args:
        names: of layers, also of networks within the network; "head:1" is the second time that a
            layer is called.

    Raises:
        UsageError: no such layer, or a network that is no graph of layers.
    """
    unfolded = unfold(network)
    return keras.Model(unfolded.network.input, [*map(unfolded.at, names), unfolded.network.output])


def cut(network: keras.Model, name: str) -> tuple[keras.Model, keras.Model]:
    """Cut a network behind a layer.

    Returns:
        `head`, image (batch, H, W, 3) → the layer's map, and `rest`, [image, map] → the network's
        output. The image counts where paths lead past the layer, as the skips of a U-Net do.

    Raises:
        UsageError: no such layer, or one that the output does not depend on.
    """
    return cut_at(unfold(network), name)


def cut_at(unfolded: Unfolded, name: str) -> tuple[keras.Model, keras.Model]:
    """`cut` of a network that is unfolded already."""
    image, output, at = unfolded.network.input, unfolded.network.output, unfolded.at(name)
    return keras.Model(image, at), keras.Model([image, at], output)


@dataclass(frozen=True, eq=False)
class _Found:
    network: keras.Model
    calls: list[tuple[str, Any]]  # name of the layer, its output


def _calls(flat: keras.Model, call: Call | None, again: frozenset[str]) -> _Found:
    """Rebuild a graph and note the layers' outputs; those that are called `again` get an operation
    of their own behind each call, since Keras cuts a graph at operations, not at calls.
    """
    found: list[tuple[str, Any]] = []
    taken = {layer.name for layer in flat.layers}

    def noted(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = (call or _called)(layer, *args, **kwargs)
        if isinstance(output, keras.KerasTensor):
            if layer.name in again:
                name = f"{layer.name}_call_{len(found)}"
                while name in taken:  # a network that was unfolded before
                    name += "_"
                output = keras.layers.Identity(name=name, dtype=output.dtype)(output)
            found.append((layer.name, output))
        return output

    return _Found(
        keras.models.clone_model(flat, clone_function=_itself, call_function=noted), found
    )


def _places(output: Any) -> int:
    """How many numbers an image's output has, where its size is known."""
    return math.prod(side or 1 for side in output.shape[1:])


def _functional(network: keras.Model) -> keras.Model:
    inputs, outputs = getattr(network, "inputs", None), getattr(network, "outputs", None)
    if not inputs or not outputs:
        raise UsageError(
            f"a network that is to be looked into must be a graph of layers; {network.name!r} is a "
            f"{type(network).__name__} "
            "without one. Give a functional model, or a sequential one that has its Input."
        )
    if len(inputs) != 1 or len(outputs) != 1:
        raise UsageError(
            "a network that is to be looked into must have one input and one output; "
            f"{network.name!r} has {len(inputs)} and "
            f"{len(outputs)}. Choose one: keras.Model(network.input, network.outputs[0])."
        )
    return keras.Model(inputs[0], outputs[0], name=network.name)


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    return layer(*args, **kwargs)


def _inside(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a network's layers rather than the network, so that they become part of the graph around
    it.
    """
    return layer.call(*args, **kwargs) if isinstance(layer, keras.Model) else layer(*args, **kwargs)


def _itself(layer: Any) -> Any:
    return layer
