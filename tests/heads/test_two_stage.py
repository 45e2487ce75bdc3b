"""Faster R-CNN as it is learned: targets, what suits the data, what it says, and that every engine
says the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import Boxes
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import Arrays, joined
from cvtasks.heads.base import Head
from cvtasks.heads.two_stage import TwoStage
from cvtasks.networks.build import build_network
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.tasks.detect import Detect
from cvtasks.weights.transfer import save_weights
from tests.laws.test_laws import case

CLASSES, SIZE = ("cat", "dog", "cow"), (128, 160)
HEAD = TwoStage(Detect(), scale=3.0, proposals=8)


def boxes(xyxy: object, labels: object = None, **marks: object) -> Boxes:
    """A truth of an image of `SIZE`."""
    labels = [0] * len(xyxy) if labels is None else labels  # type: ignore[arg-type]
    return Boxes.of(xyxy, labels, CLASSES, SIZE, **marks)


def encoded(truth: Boxes, head: TwoStage = HEAD) -> dict[str, np.ndarray]:
    return head.encode(truth, Letterbox(SIZE, SIZE))


# === targets ===


def test_objects_come_largest_first_then_what_is_ignored_then_background() -> None:
    truth = boxes(
        [[0, 0, 20, 20], [40, 40, 120, 120], [100, 8, 150, 40], [60, 60, 90, 90], [9, 9, 9, 60]],
        [0, 1, 2, 1, 0],
        difficult=[False, False, False, True, False],
        crowd=[False, False, True, False, False],
    )
    rows = encoded(truth)["rois"].tolist()
    assert rows[:4] == [
        [40, 40, 120, 120, 0, 0, 1, 0],
        [0, 0, 20, 20, 0, 1, 0, 0],
        [100, 8, 150, 40, 0, 0, 0, 0],
        [60, 60, 90, 90, 0, 0, 0, 0],
    ]
    assert rows[4:] == [[0, 0, 0, 0, 1, 0, 0, 0]] * 4


def test_the_first_stage_learns_objects_of_any_class_and_not_what_is_ignored() -> None:
    truth = boxes([[0, 0, 40, 40], [80, 80, 150, 120]], [1, 2], difficult=[False, True])
    target = encoded(truth)["cells"]
    assert target.shape[1] == 5
    assert set(target[:, 4].tolist()) == {0.0, 1.0, -1.0}
    assert (target[target[:, 4] == 1, :4] > 0).all()
    alike = replace(truth, labels=np.zeros(2, np.int64))
    np.testing.assert_array_equal(target, encoded(alike)["cells"])


@pytest.mark.parametrize("count", [0, 1, 5, 60])
def test_every_truth_comes_back_whatever_its_size(count: int) -> None:
    """Each in a class of its own, so that none suppresses another."""
    rng = np.random.default_rng(count)
    low = rng.integers(0, (159, 127), (count, 2))
    high = np.minimum(low + rng.integers(1, 90, (count, 2)), SIZE[::-1])
    classes = tuple(f"class {i}" for i in range(count)) or CLASSES
    truth = Boxes.of(np.concatenate([low, high], axis=1), range(count), classes, SIZE)
    head, box = replace(HEAD, proposals=max(count, 1)), Letterbox(SIZE, (96, 160))
    again = head.decode({"rois": head.encode(truth, box)["rois"]}, box, classes)
    order = np.argsort(again.labels)
    assert again.labels[order].tolist() == list(range(count))
    np.testing.assert_allclose(again.xyxy[order], truth.xyxy, atol=1e-4)


def test_strides_must_be_the_backbones_last_ones() -> None:
    HEAD.check(CLASSES, (4, 8, 16, 32))
    with pytest.raises(ModelError, match=r"`head.strides` must be the backbone's last ones"):
        HEAD.check(CLASSES, (2, 4, 8, 16))


# === what suits the data ===


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([1, 2], {}),
        ([], {}),
        ([30], {"proposals": 256}),  # four such images make a mosaic of 120
        ([3, 70], {"proposals": 320}),
        ([900], {"proposals": 500}),
    ],
)
def test_a_new_recipe_has_twice_the_proposals_of_the_fullest_image(
    counts: list[int], expected: dict[str, int]
) -> None:
    truths = (boxes([[0, 0, 9, 9]] * count) for count in counts)
    assert TwoStage.suited(truths) == expected


def test_what_is_too_many_is_said() -> None:
    truths = [boxes([[0, 0, 9, 9]] * count) for count in (3, 9, 12)]
    said = HEAD.beyond(iter(truths))
    assert said.startswith("2 of 3 images hold more objects than `head.proposals` = 8, up to 12:")
    assert replace(HEAD, proposals=12).beyond(iter(truths)) == ""


# === learning ===


def recipe(**head: object) -> Recipe:
    """A small one of the laws' classes."""
    small = {"width": 16, "scale": 2.0, "units": 64, "proposals": 16, "pool": 5}
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "detect"},
            "head": {"name": "two-stage", **small, **head},
            "backbone": "tiny",
            "size": 64,
            "classes": ["square", "disc"],
        }
    )


def drawn(head: Head) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Eight images and their targets."""
    its, box = case("detect"), Letterbox((64, 64), (64, 64))
    targets = [head.encode(truth, box) for truth in its.truths]
    return np.stack(its.images), joined(np.stack, targets)


def score(its: Recipe, engine: object) -> float:
    """AP@0.5 of what an engine answers on the eight images."""
    metric = its.task.metric(its.classes)
    pairs = list(zip(case("detect").truths, case("detect").images, strict=True))
    for truth, _, answer in predict(engine, its.head, its.classes, its.letterbox, pairs):
        metric.add(truth, answer)
    return metric.result()["VOC2012 area AP@0.5"]


def test_eight_samples_are_overfitted_and_every_engine_and_file_says_the_same(
    tmp_path: Path,
) -> None:
    keras.utils.set_random_seed(3)
    its = recipe()
    images, target = drawn(its.head)
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.Adam(5e-3), loss=its.head.loss)
    before = {v.path: v.numpy() for v in network.trainable_variables}
    network.train_on_batch(images, target)
    # Adam moves what has a gradient, however small, and nothing else
    still = [
        v.path for v in network.trainable_variables if np.array_equal(before[v.path], v.numpy())
    ]
    assert not [path for path in still if before[path].any()]
    for _ in range(150):
        network.train_on_batch(images, target)
    weights = tmp_path / "weights.safetensors"
    save_weights(network, weights)
    from cvtasks.engines.keras_engine import load_network

    live = KerasEngine(load_network(weights, its), its.head, "f32", batch=8)
    assert score(its, live) > 0.95
    if keras.config.backend() != "tensorflow":
        return
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.openvino_engine import OpenVINOEngine

    graph, _ = export_graph(load_network(weights, its), its.head, weights, tmp_path)
    shapes = its.head.outputs(its.input_size, its.classes)
    compiled = OpenVINOEngine(graph, weights, its.input_size, shapes, "f32", False)
    assert score(its, compiled) == pytest.approx(score(its, live), abs=1e-3)
    for one, other in zip(live.stream(list(images)), compiled.stream(list(images)), strict=True):
        found = [np.sort(rois["rois"][:, 5:].ravel()) for rois in (one, other)]
        np.testing.assert_allclose(*found, atol=5e-3)


def _awkward() -> Iterator[Boxes]:
    rng = np.random.default_rng(4)
    low = rng.integers(0, (150, 120), (40, 2))
    many = np.concatenate([low, low + rng.integers(1, 8, (40, 2))], axis=1)
    yield boxes([])
    yield boxes(many, np.arange(40) % 3)
    yield boxes(many[:5], difficult=[True] * 5)
    yield boxes([[0, 0, 160, 128]], crowd=[True])
    yield boxes([[10, 10, 60, 60]] * 3, [0, 1, 2])
    yield boxes([[10, 10, 10, 40], [5, 5, 5, 5]])


@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_awkward_truths_have_finite_losses_and_gradients(spread: float) -> None:
    box = Letterbox(SIZE, (64, 64))
    target = joined(np.stack, [HEAD.encode(truth, box) for truth in _awkward()])
    rng, (count, cells) = np.random.default_rng(2), target["cells"].shape[:2]
    given = rng.normal(0, spread, (count, cells, 5)).astype("float32")
    proposals = keras.Input((HEAD.proposals, 4))
    first, second = keras.Input((cells, 5)), keras.Input((HEAD.proposals, 8))
    learned = [keras.layers.EinsumDense("bnc,cd->bnd", (None, n)) for n in (5, 8)]
    logits = {"cells": learned[0](first), "proposals": proposals, "rois": learned[1](second)}
    network = Network([first, proposals, second], logits)
    network.compile(keras.optimizers.SGD(1e-3), loss=HEAD.loss)
    edges = np.sort(rng.random((count, HEAD.proposals, 2, 2)) * 64, axis=2)
    edges = edges.reshape(count, -1, 4).astype("float32")
    numbers = rng.normal(0, spread, (count, HEAD.proposals, 8)).astype("float32")
    losses = ops.convert_to_numpy(
        HEAD.loss(target, {"cells": given, "proposals": edges, "rois": numbers})
    )
    assert losses.shape == (count,)
    assert np.isfinite(losses).all()
    network.train_on_batch([given, edges, numbers], target)
    for layer in learned:
        assert np.isfinite(ops.convert_to_numpy(layer.kernel)).all()


# === what the logits say ===


@dataclass
class Seen:
    """What a network would have made of an image."""

    output: Arrays
    answer: Boxes
    letterbox: Letterbox


def seen() -> tuple[Seen, dict[str, np.ndarray]]:
    """Two boxes of an image, found by the third and the first proposal; and the logits."""
    box = Letterbox(SIZE, (96, 160))
    proposals = np.array([[10, 10, 60, 60], [80, 20, 90, 30], [70, 5, 159, 80]], np.float32)
    rois = np.full((3, 8), -5, np.float32)
    rois[:, :4], rois[:, 4] = 0, 5
    rois[0, 6], rois[2, 5] = 7, 9
    logits = {"proposals": proposals[None], "rois": rois[None]}
    head = replace(HEAD, proposals=3)
    output = {"rois": ops.convert_to_numpy(head.activate(logits)["rois"])[0]}
    return Seen(output, head.decode(output, box, CLASSES, 0.5), box), logits


def test_a_box_of_an_answer_has_the_logit_that_it_came_from() -> None:
    its, logits = seen()
    assert its.answer.names == ("cat", "dog")
    for kind, number, name, logit in (
        ("", 0, "cat box 0", 9),
        ("box", 1, "dog box 1", 7),
        ("class", 1, "dog box 1", 7),
    ):
        found = HEAD.score(kind, number, its)
        assert found.name == name
        assert found.stride == 32
        assert ops.convert_to_numpy(found.pick(logits)).tolist() == [logit]
        other = {key: array[:, ::-1] for key, array in logits.items()}
        assert ops.convert_to_numpy(found.pick(other)).tolist() == [logit]
        likely = float(ops.convert_to_numpy(found.pick({"rois": its.output["rois"][None]}))[0])
        assert likely == its.answer.scores[int(name[-1])]
    whole = HEAD.class_score(0, (96, 160))
    assert ops.convert_to_numpy(whole(logits)).tolist() == pytest.approx([(9 - 5 - 5) / 3])


def test_what_is_not_in_an_answer_has_no_logit() -> None:
    its, _ = seen()
    with pytest.raises(UsageError, match='no "cow" was found, only cat, dog'):
        HEAD.score("class", 2, its)
    with pytest.raises(UsageError, match="box:0 to box:1; got box:2"):
        HEAD.score("box", 2, its)
    with pytest.raises(UsageError, match="is not what this model answers with"):
        HEAD.score("region", 0, its)
    moved = replace(its.answer, xyxy=its.answer.xyxy + np.float32(1))
    with pytest.raises(UsageError, match="no proposal gives the box"):
        HEAD.score("", 0, replace(its, answer=moved))
