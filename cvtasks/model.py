"""Model: a folder of recipe and weights, ready to predict."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from cvtasks.answers import Answer
from cvtasks.engines.base import Engine
from cvtasks.engines.looks import augment_of
from cvtasks.engines.predict import predict
from cvtasks.engines.table import (
    AUTO,
    ENGINES,
    Setup,
    check_precision,
    chosen_engine,
)
from cvtasks.errors import ModelError, UsageError
from cvtasks.files.writing import sha256
from cvtasks.geometry.tiles import Tiles, tiles_of
from cvtasks.media.images import MAX_PIXELS
from cvtasks.media.inputs import as_image, tagged
from cvtasks.media.prefetch import shut
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.tasks.base import Task
from cvtasks.zoo import RECIPE, WEIGHTS, in_zoo, model_folder, was_fetched, with_weights

if TYPE_CHECKING:
    from cvtasks.media.inputs import GivenImage


@dataclass(frozen=True)
class Origin:
    """Where a model was loaded from, and how: what another process needs to have the same one."""

    model: str | Path
    engine: str
    precision: str
    device: str
    many: bool
    batch: int
    augment: str
    recipe: Recipe


@dataclass(frozen=True)
class Unable:
    """An engine that cannot run in this process: whoever asks it is told why."""

    error: UsageError
    name: str = "none"
    precision: str = "f32"

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Raise UsageError."""
        raise self.error


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model. Make one with `load`.

    It can be pickled, by its folder and the options of `load`, and is loaded again where the pickle
    is read, so that it goes to processes that multiprocessing spawns. In a forked child of a
    process that has used it neither engine can go on, and both raise UsageError. A copy is the
    model itself.

    Attributes:
        name: the folder's name.
        recipe: how it was made; its `classes` name the ids of every prediction.
        engine: what runs the network.
        augment: the looks at an image whose answers become one, a row of
            `cvtasks.engines.looks.AUGMENTS`; empty for the image alone.
    """

    name: str
    recipe: Recipe
    engine: Engine
    augment: str = ""
    _origin: Origin | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path | None:
        """Where it was loaded from; None where it was made otherwise."""
        return model_folder(self._origin.model) if self._origin else None

    @overload
    def predict(
        self,
        image: "GivenImage",
        threshold: float | None = None,
        *,
        tiles: str | Tiles = "",
        most_pixels: int = MAX_PIXELS,
    ) -> Answer:
        """The answer about one image."""

    @overload
    def predict(
        self,
        image: "list[GivenImage] | tuple[GivenImage, ...]",
        threshold: float | None = None,
        *,
        tiles: str | Tiles = "",
        most_pixels: int = MAX_PIXELS,
    ) -> list[Answer]:
        """The answers about several, in their order."""

    def predict(
        self,
        image: Any,
        threshold: float | None = None,
        *,
        tiles: str | Tiles = "",
        most_pixels: int = MAX_PIXELS,
    ) -> Answer | list[Answer]:
        """Predict one image, or each of a list or tuple of them.

        | an image is | read as |
        |---|---|
        | `str`, `pathlib.Path` | a file: JPEG, PNG, WebP, BMP, TIFF, GIF; `~` is the home folder |
        | `str` `http://…`, `https://…`, `sample:NAME` | fetched; a photograph that scikit-image
        ships |
        | `bytes`, `bytearray`, `memoryview` | the content of such a file |
        | `PIL.Image.Image` | as its file: turned upright by its EXIF entry, transparent pixels over
        white |
        | array (h, w, 3) uint8 | RGB, 0 to 255; turn OpenCV's BGR by `image[..., ::-1]` |
        | array (h, w, 4) uint8 | RGBA, laid over white |
        | array (h, w) or (h, w, 1) uint8 | grey |

        Everything else, such as arrays of floats, tensors, and videos, raises UsageError and says
        how to turn it into one.

        Args:
            image: the image, or a list or tuple of such.
            threshold: the least score, 0 to 1, of what the answer holds; None for the recipe's own.
            tiles: large images piece by piece: "auto" for tiles of the network input's size, and
                the reduced whole beside them, where an image is more than twice as long; "HxW" or
                "HxW:overlap" for tiles of pixels (`cvtasks.geometry.tiles.Tiles`); the image as a
                whole by default. Each tile takes the network's time.
            most_pixels: larger image files are refused. With tiles, a TIFF or a BMP of more than
                the usual 50 million is read strip by strip.

        Returns:
            the answer in pixels of this image, upright: `Labels` for classification, `Boxes` for
                localization and detection, `Instances` for instance segmentation, a
            `Mask` for segmentation; a list of answers, in the same order, for a list.

        Raises:
            InputError: an image cannot be read.
            UsageError: it is none of these; the threshold is no number from 0 to 1; or this is a
                forked child, where no engine can go on.
            ModelError: the graph cannot be run.

        Warns:
            CVTasksWarning: part of a file was passed over, such as its further pages.
        """
        several = isinstance(image, list | tuple)
        images = image if several else [as_image(image, "", most_pixels, by_strips=bool(tiles))]
        answers = self.predict_many(
            [(None, one) for one in images], threshold, tiles=tiles, most_pixels=most_pixels
        )
        found = [answer for _, _, answer in answers]
        return found if several else found[0]

    def predict_many(
        self,
        images: Iterable[Any],
        threshold: float | None = None,
        *,
        tiles: str | Tiles = "",
        most_pixels: int = MAX_PIXELS,
    ) -> Iterator[tuple[Any, np.ndarray, Answer]]:
        """Predict many images, one after the other, with a few under way at a time; nothing is
        taken before it is needed.

        Args:
            images: images in a list, a generator, an array (n, h, w, 3), …; each as `predict` takes
                it, or a tuple (tag, image).
            threshold: the least score, 0 to 1, of what the answers hold; None for the recipe's own.
            tiles, most_pixels: as `predict` has them.

        Returns:
            an iterator over (tag, image (h, w, 3) uint8 RGB, answer), in the same order; one that
            is read strip by strip is `cvtasks.media.strips.Strips`, of which parts are arrays.
            Without a tag it is the image's number, from 0. For the names of files give
            `((path, path) for path in paths)`.

        Raises:
            UsageError: at once, where it is a single image, the threshold is no number from 0 to
                1, or there are no such tiles or none for the task.
            InputError, UsageError, ModelError: as `predict`, when it is an image's turn; the
                answers before it have been given.
        """
        task = self.recipe.task
        least = task.threshold if threshold is None else threshold
        answers = predict(
            self.engine,
            self.recipe.head,
            self.recipe.classes,
            self.recipe.letterbox,
            _prepared(task, tagged(images, most_pixels, by_strips=bool(tiles))),
            least,
            augment=self.augment,
            tiles=tiles_of(tiles),
        )
        return _with_images(answers)

    def __copy__(self) -> "Model":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Model":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._origin is None or self._origin.recipe is not self.recipe:
            raise UsageError(
                f"a model is pickled by the folder that it was loaded from; {self.name!r} was not, "
                "or is changed. Make it with load."
            )
        options = {one.name: getattr(self._origin, one.name) for one in fields(Origin)}
        del options["recipe"]  # its folder has it
        return _load_again, (options, self.recipe.files[WEIGHTS])


def _prepared(
    task: Task, images: Iterable[tuple[Any, np.ndarray]]
) -> Iterator[tuple[tuple[Any, np.ndarray], np.ndarray]]:
    """(tag, image) → ((tag, image), the image as the network is to see it)."""
    with shut(images):
        for tag, image in images:
            yield (tag, image), task.prepare(image)


def _with_images(
    answers: Iterable[tuple[tuple[Any, np.ndarray], np.ndarray, Answer]],
) -> Iterator[tuple[Any, np.ndarray, Answer]]:
    """The inverse of `_prepared`, once there are answers: (tag, image, answer)."""
    with shut(answers):
        for (tag, image), _, answer in answers:
            yield tag, image, answer


def _load_again(origin: dict[str, Any], weights: str) -> Model:
    """Load the model that was pickled, whose weights have this SHA-256; ModelError if another lies
    in its place.
    """
    try:
        model = load(**origin)
    # in a forked child; a pool's worker that cannot read its task would let the pool wait for ever
    except UsageError as error:
        folder = model_folder(origin["model"])
        model = Model(folder.name, read_recipe(folder / RECIPE), Unable(error))
    if model.recipe.files[WEIGHTS] != weights:
        raise ModelError(
            f"the model {str(origin['model'])!r} must be the one that was pickled; its weights are "
            "others. Pickle it again."
        )
    return model


def load(
    model: str | Path,
    *,
    engine: str = AUTO,
    precision: str = AUTO,
    device: str = AUTO,
    many: bool = False,
    batch: int = 0,
    augment: bool | str = False,
) -> Model:
    """Load a model by its name in the zoo or from a folder that training wrote. Nothing in the
    folder is executed.

    Args:
        model: a name, or a path; `~` is the home folder.
        engine: a row of `ENGINES`: "openvino" runs the compiled graph on the CPU without loading
            Keras; "onnxruntime" runs an ONNX graph, on a GPU too, without Keras either; "keras"
            runs any back end; "auto" is the first that runs on the device: openvino on a CPU, and
            on a GPU onnxruntime if it has one, else keras.
        precision: "f32" or "bf16"; "auto" is bf16 where the openvino engine runs on a CPU that
            computes in it, and f32 otherwise. `benchmarks/precision.py` measures what bf16 costs.
            Or "int8", of the openvino engine, where an export has put a graph for it into the
            model's folder.
        device: "auto" is the GPU if the engine has one, and the CPU otherwise.
        many: prepare for throughput rather than for one image soon.
        batch: images a step of the keras and onnxruntime engines; 0 for 1, or with `many` for 8, or
            where a graph runs on the CPU for one on each core. OpenVINO's graph takes one at a
            time, several of them side by side.
        augment: merge the answers of several looks at an image: True or "flip" for the image and
            its mirror image, twice the time, and a little better; "scales" for three sizes of it,
            three times the time; "flip,scales" for both, six times.

    Returns:
        the model, ready to `predict`.

    Raises:
        ModelError: no such model, or it is still being trained, or a file of it is missing, damaged
            or does not fit its recipe.
        UsageError: an argument is none of these, or the engine cannot run on the device.

    Warns:
        CVTasksWarning: the folder has no graph, and the one that is made of it cannot be kept, or
            the one kept was damaged.
    """
    looks = augment_of(augment)
    name = chosen_engine(engine, device)
    check_precision(precision, name)
    if not isinstance(batch, int) or batch < 0:
        raise UsageError(
            f"`batch` must be a whole number of images, or 0 for as many as suit; got {batch!r}. "
            "Leave it out."
        )
    folder = with_weights(model_folder(model))
    recipe = read_recipe(folder / RECIPE)
    check_files(folder, recipe)
    by_name = in_zoo(folder) and isinstance(model, str)
    place = folder.name if by_name else folder.absolute()
    origin = Origin(place, engine, precision, device, bool(many), batch, looks, recipe)
    runs = ENGINES[name].open(folder / WEIGHTS, recipe, Setup(precision, device, bool(many), batch))
    return Model(folder.name, recipe, runs, looks, origin)


def check_files(folder: Path, recipe: Recipe) -> None:
    """Raise ModelError unless each file that the recipe lists is there, byte for byte."""
    if WEIGHTS not in recipe.files:
        if (folder / "checkpoints").is_dir():
            raise ModelError(
                f"a model is what training leaves at its end; that in {str(folder)!r} has not "
                "ended. Wait for it, or resume it by "
                "`cvtasks train`."
            )
        raise ModelError(
            f"{folder.name} is a recipe without weights. Train it: `cvtasks train "
            f"{folder / RECIPE}`",
            ways={"data": ""},
        )
    again = "copy or train the model again"
    if was_fetched(folder):
        again = f"remove {str(folder)!r}, and fetch it: `cvtasks models get {folder.name}`"
    for name, expected in recipe.files.items():
        path = folder / name
        if Path(name).name != name or len(name) > 100 or not path.is_file():
            raise ModelError(
                f"the recipe of {folder.name} lists {name[:100]!r}, which is missing. "
                f"{again[0].upper()}{again[1:]}."
            )
        try:
            found = sha256(path)
        except OSError as error:
            raise ModelError(
                f"{str(path)!r} must be a file that can be read; it cannot: {error.strerror}. "
                "Check it."
            ) from error
        if found != expected:
            raise ModelError(
                f"{str(path)!r} is not the file its recipe lists: SHA-256 must be {expected}. It "
                f"is damaged or was exchanged; {again}."
            )
