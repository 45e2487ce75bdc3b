"""SimOTA against a slow one that is written from the paper, cell by cell, and the loss of YOLOX."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.heads.assignment import cells
from cvtasks.networks.simota import assigned, yolox_loss

SIZE, STRIDES, CLASSES = (96, 128), (8, 16, 32), 3


def places(size: tuple[int, int] = SIZE, strides: tuple[int, ...] = STRIDES) -> np.ndarray:
    """(cells, 4), all of them learned from."""
    centres, sides = cells(size, strides)
    return np.concatenate([centres, sides, np.ones_like(sides)], axis=1)


def truths(rng: np.random.Generator, count: int, room: int) -> np.ndarray:
    """(room, 5), `count` of them objects, some small, some nearly everywhere."""
    found = np.full((room, 5), -1, np.float32)
    for row in found[:count]:
        side = rng.uniform(3, 80, 2) * (1 if rng.random() < 0.7 else 0.2)
        middle = rng.uniform((0, 0), SIZE[::-1])
        row[:2] = np.maximum(middle - side / 2, 0)
        row[2:4] = np.minimum(middle + side / 2, SIZE[::-1])
        row[4] = rng.integers(CLASSES)
    return found


def predicted(
    rng: np.random.Generator, its: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances, objectness and classes of a network that has learned something: many a cell that
    lies in an object sees about its box.
    """
    number = len(where)
    distances = np.exp(rng.normal(0.3, 0.7, (number, 4)))
    objectness, classes = rng.normal(-2, 2, number), rng.normal(-1, 2, (number, CLASSES))
    for x0, y0, x1, y1, label in its[its[:, 4] >= 0]:
        x, y, stride = where[:, :3].T
        sees = (x > x0) & (x < x1) & (y > y0) & (y < y1) & (rng.random(number) < 0.7)
        exact = np.stack([x - x0, y - y0, x1 - x, y1 - y], axis=1) / stride[:, None]
        distances[sees] = (exact * np.exp(rng.normal(0, 0.15, exact.shape)))[sees]
        classes[sees, int(label)] += 3
    return tuple(array.astype(np.float32) for array in (distances, objectness, classes))  # type: ignore[return-value]


def raw(distances: np.ndarray, objectness: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The network's logits for them."""
    before, behind = distances[..., :2], distances[..., 2:]
    box = [(behind - before) / 2 + 0.5, np.log(before + behind)]
    return np.concatenate([*box, objectness[..., None], classes], axis=-1).astype(np.float32)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """IoU of two boxes."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    area = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other))
    return shared / (area - shared)


def by_hand(
    its: np.ndarray,
    where: np.ndarray,
    distances: np.ndarray,
    objectness: np.ndarray,
    classes: np.ndarray,
) -> list[int]:
    """The object of each cell of one image, or −1, as the paper has it, one after the other; one
    that has lost all its cells gets the next of its ten.
    """
    real = [(number, row) for number, row in enumerate(its.tolist()) if row[4] >= 0]
    in_box, in_centre = {}, {}
    for number, (x0, y0, x1, y1, _) in real:
        for cell, (x, y, stride, _) in enumerate(where.tolist()):
            in_box[number, cell] = x0 < x < x1 and y0 < y < y1
            reach = 2.5 * stride
            in_centre[number, cell] = (
                abs(x - (x0 + x1) / 2) < reach and abs(y - (y0 + y1) / 2) < reach
            )
    candidates = [
        cell
        for cell in range(len(where))
        if any(in_box[number, cell] or in_centre[number, cell] for number, _ in real)
    ]
    claims: dict[int, list[tuple[float, int]]] = {}
    cheapest: dict[int, list[tuple[float, int]]] = {}
    for number, row in real:
        costs, overlaps = [], []
        for cell in candidates:
            x, y, stride, _ = where[cell].tolist()
            reached = np.array([-1, -1, 1, 1]) * distances[cell] * stride
            iou = overlap(np.array([x, y, x, y]) + reached, np.array(row[:4]))
            cost = 3 * -math.log(iou + 1e-8)
            for kind in range(CLASSES):
                score = math.sqrt(sigmoid(classes[cell, kind]) * sigmoid(objectness[cell]))
                cost -= math.log(score if kind == int(row[4]) else 1 - score)
            if not (in_box[number, cell] and in_centre[number, cell]):
                cost += 100_000
            costs.append((cost, cell))
            overlaps.append(iou)
        k = max(int(sum(sorted(overlaps, reverse=True)[:10])), 1)
        cheapest[number] = sorted(costs)[:10]
        for cost, cell in cheapest[number][:k]:
            claims.setdefault(cell, []).append((cost, number))
    owners = {cell: min(its)[1] for cell, its in claims.items()}
    claims = {}
    for number in cheapest.keys() - set(owners.values()):
        free = [(cost, cell) for cost, cell in cheapest[number] if cell not in owners]
        if free:
            claims.setdefault(free[0][1], []).append((free[0][0], number))
    owners |= {cell: min(its)[1] for cell, its in claims.items()}
    return [owners.get(cell, -1) for cell in range(len(where))]


def test_simota_is_that_of_the_paper() -> None:
    rng, where = np.random.default_rng(0), places()
    counts = (1, 0, 4, 12, 30, 2, 7, 15)
    its = np.stack([truths(rng, count, 32) for count in counts])
    output = [predicted(rng, one, where) for one in its]
    expected = [by_hand(one, where, *own) for one, own in zip(its, output, strict=True)]
    arrays = [np.stack(one) for one in zip(*output, strict=True)]
    got = ops.convert_to_numpy(assigned(its, np.stack([where] * len(its)), *arrays))
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, expected)
    held = [np.bincount(row[row >= 0]).max(initial=0) for row in got]
    assert max(held) > 2, "some objects have several cells"


def test_no_object_takes_more_cells_than_there_are() -> None:
    rng, where = np.random.default_rng(1), places((64, 64), (32,))
    its = np.array([[[0, 0, 64, 64, 1], [-1] * 5]], np.float32)
    distances = np.stack([where[:, 0], where[:, 1], 64 - where[:, 0], 64 - where[:, 1]], axis=1)
    scores = rng.normal(size=(1, 4)), rng.normal(size=(1, 4, CLASSES))
    got = assigned(its, where[None], distances[None] / 32, *(a.astype("float32") for a in scores))
    assert ops.convert_to_numpy(got).tolist() == [[0, 0, 0, 0]]  # four of IoU 1


def test_of_two_boxes_nearly_the_same_both_are_learned() -> None:
    rng, where = np.random.default_rng(4), places()
    one = np.array([[8, 8, 60, 60, 1], [8, 8, 61, 60, 2], [-1] * 5], np.float32)
    output = predicted(rng, one[:1], where)
    got = ops.convert_to_numpy(assigned(one[None], where[None], *(a[None] for a in output)))
    assert set(got.ravel().tolist()) == {-1, 0, 1}


def test_of_equal_claims_the_first_object_has_the_cell() -> None:
    where = places()
    its = np.array([[[8, 8, 40, 40, 1], [8, 8, 40, 40, 1], [8, 8, 40, 40, 1]]], np.float32)
    number = len(where)
    output = np.full((1, number, 4), 0.1, "float32"), np.zeros((1, number), "float32")
    got = assigned(its, where[None], *output, np.zeros((1, number, CLASSES), "float32"))
    # the second is first among those that have lost theirs
    assert sorted(set(ops.convert_to_numpy(got).ravel().tolist())) == [-1, 0, 1]


@pytest.fixture
def batch() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Targets and activated logits of three images; the second is empty."""
    rng, where = np.random.default_rng(3), places()
    its = np.stack([truths(rng, count, 10) for count in (3, 0, 6)])
    distances, objectness, classes = (
        np.stack(one) for one in zip(*(predicted(rng, one, where) for one in its), strict=True)
    )
    target = {"truths": its, "places": np.stack([where] * 3)}
    return target, {"distances": distances, "objectness": objectness, "classes": classes}


def loss_by_hand(
    target: dict[str, np.ndarray], logits: dict[str, np.ndarray], l1: bool
) -> np.ndarray:
    """(batch,) as the paper has it, one cell after the other."""

    def entropy(logit: float, wanted: float) -> float:
        score = sigmoid(float(logit))
        return -wanted * math.log(score) - (1 - wanted) * math.log(1 - score)

    sums, positives = [], 0
    for its, where, *own in zip(*target.values(), *logits.values(), strict=True):
        total = 0.0
        for cell, owner in enumerate(by_hand(its, where, *own)):
            distances, objectness, classes = (array[cell] for array in own)
            if owner >= 0 or where[cell, 3]:
                total += entropy(objectness, float(owner >= 0))
            if owner < 0:
                continue
            positives += 1
            x, y, stride, _ = where[cell].tolist()
            box, truth = np.array([x, y, x, y]) + [-1, -1, 1, 1] * distances * stride, its[owner]
            iou = overlap(box, truth[:4])
            total += 5 * (1 - iou**2)
            for kind, logit in enumerate(classes):
                total += entropy(logit, iou if kind == truth[4] else 0.0)
            if l1:
                middles = [(b[:2] + b[2:4]) / 2 / stride for b in (box, truth)]
                sizes = [np.log((b[2:4] - b[:2]) / stride) for b in (box, truth)]
                total += np.abs(middles[0] - middles[1]).sum() + np.abs(sizes[0] - sizes[1]).sum()
        sums.append(total)
    return np.array(sums) * len(sums) / positives


@pytest.mark.parametrize("l1", [False, True])
def test_the_loss_is_that_of_the_paper(batch, l1: bool) -> None:
    target, logits = batch
    rng = np.random.default_rng(5)
    target["places"][..., 3] = rng.random(target["places"].shape[:2]) < 0.8
    got = ops.convert_to_numpy(yolox_loss(target, raw(**logits), l1=l1))
    assert got.shape == (3,)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, loss_by_hand(target, logits, l1), rtol=1e-4)


def test_what_is_not_to_be_learned_changes_nothing_but_where_it_has_an_object(batch) -> None:
    target, logits = batch
    before = ops.convert_to_numpy(yolox_loss(target, raw(**logits), l1=False))
    target["places"][1, 5, 3] = 0
    changed = {**logits, "objectness": logits["objectness"].copy()}
    changed["objectness"][1, 5] += 9  # a cell of the empty image
    after = ops.convert_to_numpy(yolox_loss(target, raw(**changed), l1=False))
    assert after[1] < before[1]
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


def test_a_batch_without_an_object_has_a_loss_of_its_objectness_alone() -> None:
    where, number = places(), len(places())
    target = {"truths": np.full((2, 4, 5), -1, np.float32), "places": np.stack([where] * 2)}
    logits = {
        "distances": np.ones((2, number, 4), "float32"),
        "objectness": np.zeros((2, number), "float32"),
        "classes": np.zeros((2, number, CLASSES), "float32"),
    }
    got = ops.convert_to_numpy(yolox_loss(target, raw(**logits), l1=True))
    np.testing.assert_allclose(got, number * math.log(2), rtol=1e-5)


def test_compiled_for_any_size_it_is_the_same(batch) -> None:
    """TensorFlow compiles a step for shapes that it does not know where they change."""
    if keras.config.backend() != "tensorflow":
        pytest.skip("of TensorFlow alone")
    import tensorflow as tf

    target, logits = batch[0], raw(**batch[1])
    signature = (
        {name: tf.TensorSpec([None, None, a.shape[2]], tf.float32) for name, a in target.items()},
        tf.TensorSpec([None, None, logits.shape[2]], tf.float32),
    )
    compiled = tf.function(lambda a, b: yolox_loss(a, b, l1=True), input_signature=signature)
    np.testing.assert_allclose(compiled(target, logits), yolox_loss(target, logits, l1=True), 1e-5)
