"""Many images at the pace of a device: the answers are those of one image after the other."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from cvtasks.data.opening import open_sources
from cvtasks.engines.keras_engine import KerasEngine, load_network
from cvtasks.engines.on_device import on_device
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import Arrays, mapped
from cvtasks.heads.base import Head
from cvtasks.heads.dense import Dense
from cvtasks.heads.unet import UNet
from cvtasks.heads.yolox import Yolox
from cvtasks.networks.settled import open_pixels
from cvtasks.recipe.recipe import read_recipe
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.segment import Segment
from cvtasks.training.looks import Looks, judge_of
from cvtasks.zoo import RECIPE, WEIGHTS

CLASSES = tuple("abcdefghijk")
SIDE, BOXES = 64, 128  # of the network inputs of a map, and of boxes
WIDENED = UNet.widened
SIZES = ((64, 64), (150, 97), (40, 64), (30, 21))  # of images, (height, width)


def maps(rng: np.random.Generator, coarse: int, sharp: float) -> np.ndarray:
    """(SIDE, SIDE, classes) float32 scores that add up to 1, of regions of so many cells."""
    logits = rng.normal(0, sharp, (coarse, coarse, len(CLASSES))).astype(np.float32)
    planes = [cv2.resize(logits[..., index], (SIDE, SIDE)) for index in range(len(CLASSES))]
    powers = np.exp(np.stack(planes, axis=-1))
    return powers / powers.sum(axis=-1, keepdims=True)


def cells(rng: np.random.Generator, sharp: float, head: Head) -> Arrays:
    """An output with boxes and scores, of which few are high where `sharp` is."""
    shapes = head.outputs((BOXES, BOXES), CLASSES)

    def made(shape: tuple[int, ...]) -> np.ndarray:
        scores = rng.random((shape[0], shape[1] - 4)) ** sharp
        return np.hstack([rng.uniform(0.5, 4, (shape[0], 4)), scores]).astype(np.float32)

    return mapped(made, shapes)


def back_and_forth(head: Head, outputs: list[Arrays]) -> tuple[list[Arrays], np.ndarray]:
    """Outputs through `narrowed` and `widened`, and whether each had all of it."""
    joined = mapped(lambda *each: np.stack(each), *outputs)
    narrowed = on_device(head.narrowed)
    parts, whole = narrowed.fetch(narrowed(joined))
    shapes = mapped(lambda array: array.shape, outputs[0])
    own = [{name: part[i] for name, part in parts.items()} for i in range(len(outputs))]
    return [head.widened(one, shapes) for one in own], whole


def test_a_map_that_is_fetched_in_part_is_resized_to_the_same_classes() -> None:
    head, rng = UNet(Segment()), np.random.default_rng(0)
    smooth = [maps(rng, coarse, 4.0) for coarse in (2, 2, 2)]
    outputs = [*smooth, np.roll(smooth[0], 1, axis=2), maps(rng, 64, 1.0)]
    widened, whole = back_and_forth(head, outputs)
    assert whole.tolist() == [True] * 4 + [False], "noise is fetched whole"
    pairs = zip(widened[:4], outputs[:4], strict=True)
    share = np.mean([(array == output).all(axis=-1).mean() for array, output in pairs])
    assert share <= 1 / 8, "a small part of the pixels comes with its scores"
    for size in SIZES:
        letterbox = Letterbox(size, (SIDE, SIDE))
        for output, other in zip(outputs[:4], widened[:4], strict=True):
            expected = head.decode(output, letterbox, CLASSES)
            assert len(expected.present()) > 1
            np.testing.assert_array_equal(head.decode(other, letterbox, CLASSES).ids, expected.ids)


def test_a_pixel_is_open_where_a_third_class_wins_between_two() -> None:
    """Between two pixels of one class each a third may have the highest mean."""
    scores = np.zeros((1, 4, 6, 3), np.float32)
    scores[0, :, :3] = 0.55, 0.0, 0.45
    scores[0, :, 3:] = 0.0, 0.55, 0.45
    ids, unsettled = map(keras.ops.convert_to_numpy, open_pixels(scores))
    assert ids[0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert unsettled[0, 2].tolist() == [False, False, True, True, False, False]
    tie = np.full((1, 2, 2, 2), 0.5, np.float32)
    assert keras.ops.convert_to_numpy(open_pixels(tie)[1]).all(), "who wins a tie is rounding"


@pytest.mark.parametrize("kind", [Dense, Yolox])
def test_boxes_that_are_fetched_in_part_are_the_same(kind: type) -> None:
    head, rng = kind(Detect()), np.random.default_rng(0)
    outputs = [cells(rng, sharp, head) for sharp in (40.0, 8.0)]
    most = [int((head.of_cells(one)[:, 4:] >= head.min_score).sum()) for one in outputs]
    assert most[0] < head.candidates < most[1]
    outputs += [mapped(partial(np.full_like, fill_value=level), outputs[0]) for level in (0.5, 0)]
    widened, whole = back_and_forth(head, outputs)
    assert whole.tolist() == [True, True, False, True], "which of equal ones count is the decoder's"
    for number in np.flatnonzero(whole):
        for size, threshold in product(SIZES, (0.0, 0.3)):
            letterbox = Letterbox(size, (BOXES, BOXES))
            found, expected = (
                head.decode(one[number], letterbox, CLASSES, threshold)
                for one in (widened, outputs)
            )
            assert len(expected) > 2 or number == 3
            for name in ("xyxy", "labels", "scores"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


class OneByOne:
    """An engine without a pace of its own, which has one image under way."""

    name, precision = "keras", "f32"

    def __init__(self, engine: KerasEngine) -> None:
        self._engine = engine

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        for image in images:
            yield from self._engine.stream([image])


@pytest.mark.parametrize("in_part", [False, True])
def test_a_model_is_measured_as_image_by_image(trained: Path, monkeypatch, in_part: bool) -> None:
    """Answers and numbers, bit by bit; also where only what is decoded is fetched, as of a GPU."""
    monkeypatch.setattr("cvtasks.engines.keras_engine.has_gpu", lambda: in_part)
    recipe = read_recipe(trained / RECIPE)
    source = open_sources(recipe).validate
    network = load_network(trained / WEIGHTS, recipe)
    engine = KerasEngine(network, recipe.head, "f32", batch=5)
    asked = []
    monkeypatch.setattr(UNet, "widened", lambda *given: asked.append(0) or WIDENED(*given))
    assert len(source) % 5, "the last batch is filled up"
    seen, results = [], []
    for one in (OneByOne(KerasEngine(network, recipe.head, "f32")), engine):
        answers = {}

        def keep(name, image, truth, answer, answers=answers) -> None:
            answers[name] = answer.ids

        metric = evaluate(one, recipe.head, recipe.letterbox, source, keep)
        seen.append(answers)
        results.append((metric.result(), metric.per_class()))
    assert list(seen[0]) == list(seen[1]) == [source.name(i) for i in range(len(source))]
    for name, ids in seen[0].items():
        np.testing.assert_array_equal(seen[1][name], ids)
    assert results[0] == results[1]
    look = Looks(judge_of(network, recipe), recipe, source, source, 8).look()
    assert look.scores == results[0][0] == look.train_scores
    assert bool(asked) == in_part


def test_an_image_that_cannot_be_read_ends_it(trained: Path) -> None:
    recipe = read_recipe(trained / RECIPE)
    engine = KerasEngine(load_network(trained / WEIGHTS, recipe), recipe.head, "f32", batch=2)

    def images() -> Iterator[np.ndarray]:
        for _ in range(5):
            yield np.zeros((64, 64, 3), np.uint8)
        raise OSError("gone")

    outputs = engine.at_pace(100, alone=True).stream(images())
    assert next(iter(outputs)).shape == (64, 64, 3)
    with pytest.raises(OSError, match="gone"):
        list(outputs)
