"""Model: a folder of recipe and weights, ready to predict."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cvtasks.answers import Answer
from cvtasks.cache import cached_graph
from cvtasks.errors import ModelError, UsageError
from cvtasks.files import sha256
from cvtasks.inference import Engine, Tag, predict
from cvtasks.media.pictures import read_picture
from cvtasks.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder

EngineName = Literal["auto", "keras", "openvino"]
Precision = Literal["auto", "f32", "bf16"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model. Make one with `load`.

    Attributes:
        name: the folder's name.
        recipe: how it was made; its `classes` name the ids of every prediction.
        engine: what runs the network.
    """

    name: str
    recipe: Recipe
    engine: Engine

    def predict(self, picture: str | Path | bytes | np.ndarray, threshold: float | None = None) -> Answer:
        """Predict one picture.

        Args:
            picture: a file, encoded bytes, or (h, w, 3) uint8 RGB.
            threshold: the least score, 0 to 1, of what the answer holds; None for the recipe's own.

        Returns:
            the answer in pixels of this picture: `Labels` for classification, `Boxes` for localization and detection, a `Mask`
            for segmentation.

        Raises:
            InputError: the picture cannot be read.
        """
        image = picture if isinstance(picture, np.ndarray) else read_picture(picture)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise UsageError(f"a picture array must be (h, w, 3) uint8 RGB; got {image.shape} {image.dtype}.")
        return next(self.predict_many([(None, image)], threshold))[2]

    def predict_many(
        self, pictures: Iterable[tuple[Tag, np.ndarray]], threshold: float | None = None
    ) -> Iterator[tuple[Tag, np.ndarray, Answer]]:
        """(tag, picture) pairs → (tag, picture, answer), in the same order, with a few under way at a time."""
        task = self.recipe.task
        least = task.threshold if threshold is None else threshold
        return predict(self.engine, task, self.recipe.classes, self.recipe.canvas, pictures, least)


def load(
    model: str | Path,
    *,
    engine: EngineName = "auto",
    precision: Precision = "auto",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    many: bool = False,
    batch: int = 0,
) -> Model:
    """Load a model by its name in the zoo or from a folder that training wrote. Nothing in the folder is executed.

    Args:
        engine: "openvino" runs the compiled graph on the CPU without loading Keras; "keras" runs any back end;
            "auto" is openvino on a CPU and keras on a GPU.
        precision: "f32" or "bf16"; "auto" is bf16 where the openvino engine runs on a CPU that computes in it, and f32
            otherwise. `benchmarks/precision.py` measures what bf16 costs.
        device: "auto" is the GPU if Keras is asked for and has one, and the CPU otherwise.
        many: prepare for throughput rather than for one picture soon.
        batch: pictures a step of the keras engine; 0 for 1, or 8 with `many`. The graph takes one at a time, several
            of them side by side.

    Raises:
        ModelError: no such model, or a file of it is missing, damaged or does not fit its recipe.
        UsageError: the engine cannot run on the device.
    """
    folder = model_folder(model)
    recipe = read_recipe(folder / RECIPE)
    check_files(folder, recipe)
    if engine == "openvino" and device == "gpu":
        raise UsageError("the openvino engine runs on the CPU; got --device gpu. Choose --engine keras.")
    if engine == "keras" or device == "gpu":
        return Model(folder.name, recipe, _keras_engine(folder, recipe, precision, device, batch or (8 if many else 1)))
    from cvtasks.engines.with_openvino import GRAPH, OpenVINOEngine, has_bf16

    graph = folder / GRAPH
    if GRAPH not in recipe.files or not graph.is_file():
        key = hashlib.sha256(recipe.to_toml().encode()).hexdigest()  # it lists the weights' own
        graph = cached_graph(key, lambda place: _export(folder, recipe, place))
    chosen = ("bf16" if has_bf16() else "f32") if precision == "auto" else precision
    if chosen == "bf16" and not has_bf16():
        raise UsageError("--precision bf16 needs a CPU that computes in it; this one does not. Choose f32.")
    output = recipe.task.output_shape(recipe.canvas, recipe.classes)
    return Model(folder.name, recipe, OpenVINOEngine(graph, folder / WEIGHTS, recipe.canvas, output, chosen, many))


def load_network(folder: Path, recipe: Recipe, precision: str = "f32"):
    """The Keras network of a model folder with its weights."""
    from cvtasks.networks.build import build_network
    from cvtasks.networks.weights import load_weights

    network = build_network(recipe, recipe.canvas, precision)
    load_weights(network, folder / WEIGHTS)
    return network


def _keras_engine(folder: Path, recipe: Recipe, precision: str, device: str, batch: int) -> Engine:
    from cvtasks.engines.with_keras import KerasEngine, has_gpu

    if device == "gpu" and not has_gpu():
        raise UsageError("--device gpu needs a GPU that Keras' back end sees; it sees none. Choose --device cpu.")
    chosen = "f32" if precision == "auto" else precision
    return KerasEngine(load_network(folder, recipe, chosen), recipe.task, chosen, batch)


def _export(folder: Path, recipe: Recipe, place: Path) -> None:
    from cvtasks.engines.export import export_graph

    export_graph(load_network(folder, recipe), recipe.task, folder / WEIGHTS, place)


def check_files(folder: Path, recipe: Recipe) -> None:
    """Raise ModelError unless each file that the recipe lists is there, byte for byte."""
    if WEIGHTS not in recipe.files:
        raise ModelError(f"{folder.name} is a recipe without weights. Train it: cvtasks train {folder / RECIPE} --data DATA")
    for name, expected in recipe.files.items():
        path = folder / name
        if Path(name).name != name or len(name) > 100 or not path.is_file():
            raise ModelError(
                f"the recipe of {folder.name} lists {name[:100]!r}, which is missing. Copy or train the model again."
            )
        try:
            found = sha256(path)
        except OSError as error:
            raise ModelError(
                f"{str(path)!r} must be a file that can be read; it cannot: {error.strerror}. Check it."
            ) from error
        if found != expected:
            raise ModelError(
                f"{str(path)!r} is not the file its recipe lists: SHA-256 must be {expected}. It is damaged or was exchanged; "
                "copy or train the model again."
            )
