"""What every explanation starts from: a network that ends in logits, and an image as the network
sees it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cvtasks.answers import Answer
from cvtasks.engines.predict import least_score
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.heads.arrays import Arrays, mapped
from cvtasks.heads.base import Head
from cvtasks.heads.pooled import Pooled
from cvtasks.insight.gradients import Rule, rectify, without_end
from cvtasks.insight.graph import Unfolded
from cvtasks.insight.open import open_network
from cvtasks.insight.units.map_geometry import Axes, axes_of, input_size, on_input
from cvtasks.networks.build import backbone_of
from cvtasks.networks.network import Network
from cvtasks.tasks.classify import Classify

BATCH = 16
"""Images that go through the network at a time, where there are many."""


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, and what the network says to it.

    Attributes:
        image: (h, w, 3) uint8 RGB, as the task prepares it; maps are in its pixels.
        letterbox: its place on the network input.
        input: (H, W, 3) float32, 0 to 255: what the network sees.
        logits: of the network, without a batch axis, float32.
        output: the logits, activated.
        answer: in pixels of the image.
    """

    image: np.ndarray
    letterbox: Letterbox
    input: np.ndarray
    logits: Arrays
    output: Arrays
    answer: Answer


class Explainer:
    """A network that is asked for reasons. What has to be built for that is built once and kept.

    Args:
        network: with one input (batch, H, W, 3), 0 to 255, of a fixed size; a softmax or sigmoid at
            its end is taken off.
        task: what the logits mean.
        classes: their names.
        name: what it is called.
        placement: where an image lies on its input.

    Attributes:
        network: network inputs (batch, H, W, 3) → logits.
        blank: grey level, 0 to 255, that stands for "nothing is there".
        cut: a layer → the network before and behind it, see `Unfolded.cut`.
        axes: a layer → where the places of its map lie on the network input.
        rectified: a rule → the network with that backward pass through its ReLUs, see
            `cvtasks.insight.gradients`.

    Raises:
        UsageError: the network is no graph of layers, or its input has no fixed size.
    """

    def __init__(
        self,
        network: keras.Model,
        head: Head,
        classes: tuple[str, ...],
        name: str = "",
        placement: Placement = "centre",
    ) -> None:
        self.head, self.classes, self.name = head, classes, name or network.name
        self.unfolded: Unfolded = without_end(network)[0]
        self.task, self.blank, self.network = head.task, head.task.blank, self.unfolded.network
        self.size = input_size(network)
        self._original, self._placement = network, placement
        self.cut = cache(self.unfolded.cut)
        self.axes: Callable[[str], Axes] = cache(lambda layer: axes_of(self.cut(layer)[0]))
        self.rectified: Callable[[Rule], keras.Model] = cache(
            lambda rule: rectify(self.network, rule).network
        )

    @classmethod
    def of(
        cls, model: "str | Path | keras.Model | Explainer", classes: tuple[str, ...] = ()
    ) -> "Explainer":
        """The explainer of a model of the zoo, of a model folder, or of a classifier in Keras.

        Args:
            classes: the names of a Keras classifier's outputs; "0", "1", … by default.

        Raises:
            ModelError: no such model. UsageError: a Keras model that is no classifier (batch,
                classes).
        """
        if isinstance(model, Explainer):
            return model
        if isinstance(model, keras.Model):
            return cls._of_classifier(model, classes)
        opened = open_network(str(model))
        if opened.recipe is None:
            raise ModelError(
                f"what explains itself is a model of the zoo or a folder; {opened.name} is a "
                "backbone, which knows no classes."
            )
        recipe = opened.recipe
        return cls(opened.network, recipe.head, recipe.classes, opened.name, recipe.placement)

    @classmethod
    def _of_classifier(cls, network: keras.Model, classes: tuple[str, ...]) -> "Explainer":
        shape = getattr(network, "output_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise UsageError(
                "a Keras model without a recipe must be a classifier, whose output is (batch, "
                f"classes); got {shape}. "
                "For other tasks give Explainer(network, head, classes)."
            )
        names = tuple(classes) or tuple(map(str, range(shape[1])))
        if len(names) != shape[1]:
            raise UsageError(
                f"`classes` must name the {shape[1]} outputs of the network; got {len(names)}."
            )
        many = without_end(network)[1] == "sigmoid"
        return cls(network, Pooled(Classify(labels="many" if many else "one")), names)

    @cached_property
    def backbone_layers(self) -> tuple[str, ...]:
        """The layers whose outputs are the backbone's maps, finest first; none where the network
        is not a recipe's: what is nested in it may be anything.
        """
        if not isinstance(self._original, Network):
            return ()
        backbone = backbone_of(self._original)
        made_by = {id(layer.output): layer.name for layer in reversed(backbone.layers)}
        names = (made_by.get(id(output), "") for output in backbone.outputs)
        return tuple(name for name in names if name in self.unfolded.outputs)

    def look(self, image: np.ndarray, threshold: float | None = None) -> Scene:
        """Fit an image (h, w, 3) uint8 RGB to the network input and run the network once.

        Args:
            threshold: the least score, 0 to 1, of what the answer holds; None for the task's own.

        Raises:
            UsageError: no such image, or the threshold is no number from 0 to 1.
        """
        least = least_score(self.task.threshold if threshold is None else threshold)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise UsageError(
                f"an image array must be (h, w, 3) uint8 RGB; got {image.shape} {image.dtype}."
            )
        prepared = self.task.prepare(image)
        letterbox, given = on_input(self.network, prepared, placement=self._placement)
        given = given.astype(np.float32)
        logits = self.network(keras.ops.convert_to_tensor(given[None]), training=False)
        output = mapped(lambda array: _numpy(array)[0], self.head.activate(logits))
        answer = self.head.decode(output, letterbox, self.classes, least)
        raw = mapped(lambda array: _numpy(array)[0], logits)
        return Scene(prepared, letterbox, given, raw, output, answer)

    def check_layer(self, layer: str) -> None:
        """Raise UsageError unless there is such a layer and it has a map of more than one place."""
        shape, maps = self.unfolded.at(layer).shape, self.unfolded.spatial(2)
        if layer not in maps:
            raise UsageError(
                "a class activation map needs a layer with a map (height, width, channels) of "
                f'several places; "{layer}" gives {tuple(shape[1:])}. Choose a layer before it, '
                f"such as {', '.join(maps[-5:])}."
            )

    def last_map(self, stride: int = 0) -> str:
        """The layer whose map is explained unless another is asked for.

        It is the backbone's coarsest map, or the one of that stride; in a network without a
        backbone the last layer that has several places.

        Raises:
            UsageError: no layer has.
        """
        sides = {
            name: self.size[0] / self.unfolded.outputs[name].shape[1]
            for name in self.backbone_layers
        }
        maps = self.unfolded.spatial(2)
        known = [name for name in maps if name in sides] or maps[-1:]
        if not known:
            raise UsageError(
                f"no layer of {self.name} has a map of several places. Choose a method that needs "
                "none."
            )
        if not stride or known[-1] not in sides:
            return known[-1]
        return min(known, key=lambda name: abs(sides[name] - stride))

    def many(self, function: Callable[[Any], Any], inputs: Iterable[np.ndarray]) -> np.ndarray:
        """Run `function`, of logits, over any number of inputs (H, W, 3), some at a time → its
        values, float32, (n, ...).
        """
        run = partial(self.network, training=False)
        values = [
            _numpy(function(run(keras.ops.convert_to_tensor(batch))))[:count]
            for batch, count in batches(inputs)
        ]
        return np.concatenate(values)


def batches(arrays: Iterable[np.ndarray], size: int = BATCH) -> Iterator[tuple[np.ndarray, int]]:
    """Arrays of one shape → (batch, how many of it count): all batches have `size`, so that one
    shape is compiled.
    """
    waiting = iter(arrays)
    while some := list(islice(waiting, size)):
        yield np.stack(some + some[-1:] * (size - len(some))).astype(np.float32), len(some)


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float32)
