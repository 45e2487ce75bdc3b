"""YOLOX as it is learned: targets, the loss of the last epochs, and what suits the data."""

from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import Boxes
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.engines.predict import predict
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import joined
from cvtasks.heads.assignment import cells, one_cell_each
from cvtasks.heads.base import Head
from cvtasks.heads.yolox import Yolox
from cvtasks.networks.build import build_network
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.tasks.detect import Detect
from cvtasks.training.learner import Learner
from cvtasks.training.progress import Progress
from tests.laws.test_laws import case

CLASSES, STRIDES, SIZE = ("cat", "dog", "cow"), (8, 16, 32), (128, 160)
HEAD = Yolox(Detect())


def boxes(xyxy: object, labels: object = None, **marks: object) -> Boxes:
    """A truth of an image of `SIZE`."""
    labels = [0] * len(xyxy) if labels is None else labels  # type: ignore[arg-type]
    return Boxes.of(xyxy, labels, CLASSES, SIZE, **marks)


def random_boxes(count: int, seed: int) -> np.ndarray:
    """Whole pixels, some tiny, some nearly the whole image."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, (SIZE[1] - 1, SIZE[0] - 1), (count, 2))
    sides = np.maximum(rng.integers(1, (SIZE[1], SIZE[0]), (count, 2)) * rng.random((count, 1)), 1)
    return np.concatenate([low, np.minimum(low + sides.round(), SIZE[::-1])], 1).astype(np.float32)


def encoded(truth: Boxes, head: Yolox = HEAD) -> dict[str, np.ndarray]:
    return head.encode(truth, Letterbox(SIZE, SIZE))


# === targets ===


@pytest.mark.parametrize("count", [0, 1, 5, 60, 300])
def test_every_truth_comes_back_whatever_its_size(count: int) -> None:
    """Each in a class of its own, so that none suppresses another."""
    classes = tuple(f"class {i}" for i in range(count)) or CLASSES
    truth = Boxes.of(random_boxes(count, 10 + count), range(count), classes, SIZE)
    box = Letterbox(SIZE, SIZE)
    head = replace(HEAD, max_detections=count or 1)
    target = head.encode(truth, box)
    again = head.decode({"objects": target["objects"]}, box, classes)
    order = np.argsort(again.labels)
    assert again.labels[order].tolist() == list(range(count))
    np.testing.assert_allclose(again.xyxy[order], truth.xyxy, atol=1e-4)


def test_each_object_has_one_cell_of_its_own_within_it_where_it_can() -> None:
    centres, sizes = cells((320, 320), STRIDES)
    for side, stride in ((30, 8), (70, 16), (220, 32)):
        box = np.array([[50, 40, 50 + side, 40 + side]] * 3, np.float32)
        chosen = one_cell_each(box, (320, 320), STRIDES)
        assert len(set(chosen.tolist())) == 3
        assert sizes[chosen[0], 0] == stride
        assert ((centres[chosen] > box[0, :2]) & (centres[chosen] < box[0, 2:])).all()


def test_more_objects_than_cells_leave_no_cell_empty() -> None:
    chosen = one_cell_each(random_boxes(50, 0), (32, 32), STRIDES)
    assert sorted(chosen.tolist()) == [-1] * 29 + list(range(21))


def test_the_loss_is_given_the_largest_objects_and_where_the_others_are() -> None:
    truth = boxes([[0, 0, 20, 20], [40, 40, 120, 120], [100, 8, 150, 40]], [0, 1, 2])
    target = encoded(truth, replace(HEAD, max_truths=2))
    np.testing.assert_array_equal(target["truths"], [[40, 40, 120, 120, 1], [100, 8, 150, 40, 2]])
    x, y = target["places"][target["places"][:, 3] == 0, :2].T
    assert len(x) > 0
    assert (x < 20).all()
    assert (y < 20).all()
    more = encoded(truth, replace(HEAD, max_truths=5))
    assert more["truths"][3:].tolist() == [[-1] * 5] * 2
    assert more["places"][:, 3].all()


def test_difficult_objects_crowds_and_empty_boxes_are_not_learned() -> None:
    truth = boxes(
        [[0, 0, 40, 40], [80, 80, 160, 128], [50, 50, 70, 70], [9, 9, 9, 60]],
        difficult=[True, False, False, False],
        crowd=[False, True, False, False],
    )
    target = encoded(truth)
    assert target["truths"][:, 4].tolist().count(0) == 1
    x, y = target["places"][:, :2].T
    inside = ((x < 40) & (y < 40)) | ((x > 80) & (y > 80))
    np.testing.assert_array_equal(target["places"][:, 3] == 0, inside)


# === what suits the data ===


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([1, 2], 16), ([0], 16), ([3, 70], 160), ([10] * 9 + [75], 80), ([5000], 1000)],
)
def test_a_new_recipe_has_room_for_the_fullest_image_and_for_mosaics(
    counts: list[int], expected: int
) -> None:
    truths = (boxes(random_boxes(count, count)) for count in counts)
    assert HEAD.suited(truths) == {"max_truths": expected}


def test_what_is_too_many_is_said() -> None:
    truths = [boxes(random_boxes(count, count)) for count in (3, 9, 12)]
    assert HEAD.beyond(iter(truths)) == ""
    said = replace(HEAD, max_truths=8).beyond(iter(truths))
    assert said.startswith("2 of 3 images hold more objects than `head.max_truths` = 8, up to 12:")


# === learning ===


def recipe(strides: tuple[int, ...] = STRIDES, **changes: object) -> Recipe:
    """A small one of the laws' classes."""
    table = {"strides": list(strides), "width": 16, "depthwise": False, "max_truths": 16}
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "detect"},
            "head": {"name": "yolox", **table},
            "backbone": "tiny",
            "size": 64,
            "classes": ["square", "disc"],
            **changes,
        }
    )


def drawn(head: Head) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Eight images and their targets."""
    its, box = case("detect"), Letterbox((64, 64), (64, 64))
    targets = [head.encode(truth, box) for truth in its.truths]
    return np.stack(its.images), joined(np.stack, targets)


def test_eight_samples_are_overfitted_and_every_parameter_learns() -> None:
    keras.utils.set_random_seed(3)
    its = recipe()
    images, target = drawn(its.head)
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.Adam(5e-3), loss=its.head.loss)
    before = {v.path: v.numpy() for v in network.trainable_variables}
    # each lies around the centre of one cell alone, of another map
    one_of_each = np.array([[2, 2, 7, 7], [38, 38, 42, 42], [14, 46, 18, 50]], np.float32)
    truth = Boxes.of(one_of_each, [0, 1, 0], its.classes, (64, 64))
    first = joined(np.stack, [its.head.encode(truth, Letterbox((64, 64), (64, 64)))] * 8)
    network.train_on_batch(images, first)
    # Adam moves what has a gradient, however small, and nothing else
    still = [
        v.path for v in network.trainable_variables if np.array_equal(before[v.path], v.numpy())
    ]
    assert not [path for path in still if before[path].any()]
    for _ in range(250):
        network.train_on_batch(images, target)
    metric = its.task.metric(its.classes)
    engine = KerasEngine(network, its.head, "f32", batch=8)
    pairs = list(zip(case("detect").truths, case("detect").images, strict=True))
    for truth, _, answer in predict(engine, its.head, its.classes, its.letterbox, pairs):
        metric.add(truth, answer)
    assert metric.result()["VOC2012 area AP@0.5"] > 0.95


def _awkward() -> Iterator[Boxes]:
    crowded = random_boxes(300, 9)
    pixels = crowded.copy()
    pixels[:, 2:] = pixels[:, :2] + 1
    yield boxes([])
    yield boxes(pixels[:20])
    yield boxes(crowded, np.arange(300) % 3)
    yield boxes(pixels, np.arange(300) % 3)
    yield boxes(crowded[:5], difficult=[True] * 5)
    yield boxes([[0, 0, 160, 128]], crowd=[True])
    yield boxes([[10, 10, 60, 60]] * 3, [0, 1, 2])
    yield boxes([[10, 10, 10, 40], [5, 5, 5, 5]])


@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_awkward_truths_have_finite_losses_and_gradients(spread: float) -> None:
    box, head = Letterbox(SIZE, (64, 64)), replace(HEAD, l1=True, max_truths=128)
    target = joined(np.stack, [head.encode(truth, box) for truth in _awkward()])
    shape = (*target["objects"].shape[:2], 5 + len(CLASSES))
    logits = np.random.default_rng(2).normal(0, spread, shape).astype("float32")
    image = keras.Input((None, shape[2]))
    network = Network(image, keras.layers.EinsumDense("bnc,cd->bnd", (None, shape[2]))(image))
    network.layers[-1].kernel.assign(np.eye(shape[2]))
    network.compile(keras.optimizers.SGD(1e-3), loss=head.loss)
    losses = ops.convert_to_numpy(head.loss(target, logits))
    assert losses.shape == (shape[0],)
    assert np.isfinite(losses).all()
    network.train_on_batch(logits, target)
    assert np.isfinite(ops.convert_to_numpy(network.layers[-1].kernel)).all()


# === the last epochs ===


def test_the_last_epochs_have_the_l1_loss_too() -> None:
    """The optimizer goes on; a run that begins among them has it at once."""
    its = recipe(
        (32,),
        data={"close_mosaic": 2},
        train={"epochs": 5, "precision": "f32", "batch": 8, "ema": 0.9},
    )
    images, target = drawn(its.head)
    keras.utils.set_random_seed(1)
    learner = Learner(its)
    batch = type("Batch", (), {"images": images, "targets": target})()
    learner.restore(None, Progress())
    losses = []
    for epoch in range(5):
        learner.enter(epoch)
        losses.append(learner.step(batch, 0.0))
    assert losses[0] == losses[1] == losses[2]
    assert losses[3] == losses[4] > losses[0] + 0.1
    assert int(learner.network.optimizer.iterations) == 5
    learner.restore(None, Progress(epoch=3, step=1))
    assert learner.step(batch, 0.0) == losses[3]
    learner.restore(None, Progress(epoch=3))
    assert learner.step(batch, 0.0) == losses[0]


def test_a_recipe_does_not_tell_which_epoch_it_is() -> None:
    its = recipe()
    assert its.head.closing() == replace(its.head, l1=True)
    assert "l1" not in its.to_toml()
