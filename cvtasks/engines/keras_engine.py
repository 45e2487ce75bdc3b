"""Run a network by Keras, on whatever back end and device it has."""

import os
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from itertools import islice
from pathlib import Path

import keras
import numpy as np

from cvtasks.engines.at_pace import AtPace, Begin, plain
from cvtasks.engines.base import Engine
from cvtasks.engines.on_device import OnDevice, on_device
from cvtasks.engines.table import AUTO, Setup
from cvtasks.errors import UsageError
from cvtasks.heads.arrays import Arrays, mapped
from cvtasks.heads.base import Head
from cvtasks.networks.build import activated, build_network
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe
from cvtasks.weights.transfer import load_weights

_MOST = 32  # images a step of a finished model: the machine may be smaller than the one it is from


class KerasEngine:
    """The live network; weights that change are seen at once.

    Args:
        batch: images a step; the last step of a stream is filled up, so that one shape is compiled.
        many: images a step `at_pace`; `batch` by default.
    """

    name = "keras"

    def __init__(
        self, network: keras.Model, head: Head, precision: str, batch: int = 1, many: int = 0
    ) -> None:
        check_process()
        self.precision = precision
        self._network, self._head = activated(network, head), head
        self._batch, self._many = batch, many or batch

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """Network inputs (H, W, 3) uint8 RGB → activated outputs, float32 (whole numbers int32), in
        the same order.

        Raises:
            UsageError: this is a forked child of the process that the network was built in.
        """
        images = iter(images)
        while chunk := list(islice(images, self._batch)):
            check_process()
            filled = np.stack(chunk + chunk[-1:] * (self._batch - len(chunk)))
            outputs = mapped(plain, self._network.predict_on_batch(filled))
            for index in range(len(chunk)):
                yield mapped(lambda array, index=index: array[index], outputs)

    def at_pace(self, images: int, alone: bool) -> Engine:
        """See `Paced`."""
        check_process()
        return self._paced(lambda batch, number: self._run(batch), self._run, images, alone)

    def _paced(self, begin: Begin, device: OnDevice, images: int, alone: bool) -> AtPace:
        batch = min(self._many, max(images, 1))
        narrow = self._narrow if alone else None
        return AtPace(self.precision, begin, device, batch, self._head, narrow)

    @cached_property
    def _narrow(self) -> OnDevice | None:
        """What finds what is decoded; None where an output is at hand as it is."""
        head = self._head
        return on_device(head.narrowed) if head.narrows and has_gpu() else None

    @cached_property
    def _run(self) -> OnDevice:
        network = self._network
        return on_device(lambda images: network(images, training=False), network.variables)


def check_process() -> None:
    """Raise UsageError in a forked child of a process that has run Keras: neither TensorFlow nor
    JAX can go on there.

    Their threads stay with the parent, and the child would wait for them for ever.
    """
    if _first_process() != os.getpid():
        raise UsageError(
            f"Keras on {keras.config.backend()} cannot run in a forked child of a process that has "
            "run it. Start the process by "
            'multiprocessing.get_context("spawn"), or load models in the children alone.'
        )


@cache
def _first_process() -> int:
    """The process that asked first, in itself and in its forked children."""
    return os.getpid()


def has_gpu() -> bool:
    """Whether the back end sees a GPU. JAX would raise an error where it is asked for one by name
    and has none.
    """
    return any(
        device.startswith(("gpu", "cuda", "rocm")) for device in keras.distribution.list_devices()
    )


def check_device(device: str) -> None:
    """Raise UsageError if a GPU was asked for and Keras' back end sees none."""
    if device == "gpu" and not has_gpu():
        raise UsageError(
            "the device gpu needs a GPU that Keras' back end sees; it sees none. Choose cpu."
        )


def load_network(weights: Path, recipe: Recipe, precision: str = "f32") -> Network:
    """The Keras network of a recipe with the weights of a file."""
    check_process()
    network = build_network(recipe, recipe.input_size, precision)
    load_weights(network, weights)
    return network


def open_engine(weights: Path, recipe: Recipe, setup: Setup) -> KerasEngine:
    """Build the network and load its weights.

    Raises:
        ModelError: the weights do not fit the recipe.
        UsageError: a GPU was asked for and there is none, or this is a forked child.
    """
    check_process()
    check_device(setup.device)
    precision = "f32" if setup.precision == AUTO else setup.precision
    batch = setup.batch or (8 if setup.many else 1)
    many = 0 if setup.batch else min(recipe.train.batch, _MOST)
    network = load_network(weights, recipe, precision)
    return KerasEngine(network, recipe.head, precision, batch, many)


def facts() -> dict[str, str]:
    """Keras' back end."""
    return {"keras": keras.config.backend()}
