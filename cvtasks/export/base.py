"""What a format is given to write, and what an exported file is once it is opened."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.export import OUTPUT
from cvtasks.heads.arrays import Arrays, Shapes
from cvtasks.recipe.recipe import Recipe
from cvtasks.schema import EMPTY
from cvtasks.zoo import WEIGHTS

if TYPE_CHECKING:
    import keras

    from cvtasks.engines.base import Engine
    from cvtasks.networks.network import Network


@dataclass(frozen=True, eq=False)
class Given:
    """What a format is given to write.

    Attributes:
        folder: the model's; its files are those that the recipe lists.
        recipe: the model's.
        precision: what the file is to hold: "f32", "f16" or "int8".
        facts: what the file is to say of itself (`cvtasks.export.facts`).
    """

    folder: Path
    recipe: Recipe
    precision: str = "f32"
    facts: Mapping[str, str] = field(default_factory=lambda: EMPTY)

    @cached_property
    def live(self) -> "Network":
        """The network with its weights in float32, on whatever back end Keras has: its outputs are
        logits.
        """
        from cvtasks.engines.keras_engine import load_network

        return load_network(self.folder / WEIGHTS, self.recipe)

    def reference(self) -> "Engine":
        """The model as Keras runs it in float32: what an exported file is compared with."""
        from cvtasks.engines.keras_engine import KerasEngine

        return KerasEngine(self.live, self.recipe.head, "f32")

    @cached_property
    def network(self) -> "keras.Model":
        """(batch, H, W, 3) float32, 0 to 255 RGB → a dict of the activated outputs by name, also
        where there is but one (`OUTPUT`).

        Raises:
            ModelError: Keras runs on another back end than TensorFlow; `saved_model` can be had
                there.
        """
        from cvtasks.export.network import on_tensorflow, with_names

        if not on_tensorflow():
            raise ModelError(
                "a network is exported by Keras on TensorFlow; it runs on another back end. Set "
                "KERAS_BACKEND=tensorflow."
            )
        return with_names(self.live, self.recipe.head)

    def saved_model(self, place: Path) -> Path:
        """Write a SavedModel into the new folder `place`, and return that: any number of images a
        batch, the input named `INPUT`, the outputs as `network` has them.

        Where Keras runs on another back end, the network is built on TensorFlow by a process of
        its own.
        """
        from cvtasks.export.network import on_tensorflow, write_saved_model

        if on_tensorflow():
            write_saved_model(self.network, place)
        else:
            from cvtasks.export.apart import on_tensorflow_apart

            on_tensorflow_apart("saved-model", self.folder, place)
        return place

    def with_saved_model(self, use: Callable[[Path], Any]) -> Any:
        """What `use` makes of a SavedModel in a temporary folder."""
        with tempfile.TemporaryDirectory() as temporary:
            return use(self.saved_model(Path(temporary) / "saved_model"))


Run = Callable[[np.ndarray], Mapping[str, Any]]
"""(batch, H, W, 3) float32, 0 to 255 RGB → the outputs by name, each with a batch axis."""


class Opened:
    """An exported file as an engine.

    Args:
        name: of its runtime.
        precision: what it computes in.
        run: runs it on a batch.
        outputs: shapes of one image's outputs that it must have, as `Head.outputs` gives them.
        path: of the file, for errors.
    """

    def __init__(self, name: str, precision: str, run: Run, outputs: Shapes, path: Path) -> None:
        self.name, self.precision = name, precision
        self._run, self._outputs, self._path = run, outputs, path

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """Network inputs (H, W, 3) uint8 RGB → activated outputs, float32 (whole numbers int32), in
        the same order, one at a time.

        Raises:
            ModelError: it does not answer as the recipe's network does.
        """
        for image in images:
            yield self.batch(image[None])[0]

    def batch(self, images: np.ndarray) -> list[Arrays]:
        """As `stream`, of (batch, H, W, 3) uint8 RGB at once."""
        try:
            found = self._run(np.ascontiguousarray(images, np.float32))
        except Exception as error:  # each runtime has kinds of its own
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(
                f"an exported file must run; {self._path.name!r} does not: {lines[-1][:300]}. "
                "Export the model again."
            ) from error
        wanted = self._outputs if isinstance(self._outputs, Mapping) else {OUTPUT: self._outputs}
        arrays = {name: _plain(found[name]) for name in wanted if name in found}
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != {name: (len(images), *shape) for name, shape in wanted.items()}:
            got = {name: np.asarray(array).shape for name, array in found.items()}
            raise ModelError(
                f"an exported file must answer with {dict(wanted)}; {self._path.name!r} does with "
                f"{got}. Export the model again."
            )
        if not isinstance(self._outputs, Mapping):
            return list(arrays[OUTPUT])
        return [
            {name: array[index] for name, array in arrays.items()} for index in range(len(images))
        ]


def _plain(array: Any) -> np.ndarray:
    """An array of any library as NumPy's, float32 or int32."""
    found = np.asarray(array)
    return found.astype(np.int32 if found.dtype.kind in "iu" else np.float32, copy=False)
