"""The parts of Faster R-CNN against loops that say the same, and that it stands on any backbone."""

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.geometry.boxes import areas, iou
from cvtasks.heads.assignment import cells
from cvtasks.networks.build import activated, build_network, class_axes, set_weights, weights_of
from cvtasks.networks.two_stage import (
    Proposals,
    RoIAlign,
    logit_of_box,
    pairwise_iou,
    refined,
    second_loss,
)
from cvtasks.recipe.recipe import Recipe, parse_recipe

CLASSES, STRIDES = ("cat", "dog", "cow"), (8, 16, 32)


def recipe(backbone: str, size: int = 64, **head: object) -> Recipe:
    small = {"width": 8, "units": 12, "proposals": 6, "pool": 3}
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "detect"},
            "head": {"name": "two-stage", **small, **head},
            "backbone": backbone,
            "size": size,
            "classes": list(CLASSES),
        }
    )


def random_boxes(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """(count, 4) float32, within an image and of at least a pixel."""
    rng = np.random.default_rng(seed)
    low = rng.random((count, 2)) * (width - 1, height - 1)
    high = low + 1 + rng.random((count, 2)) * ((width, height) - low - 1)
    return np.concatenate([low, high], axis=1).astype(np.float32)


def sampled(map_: np.ndarray, x: float, y: float) -> np.ndarray:
    """The map between the middles of its four nearest cells; x and y in cells."""
    height, width = map_.shape[:2]
    x, y = min(max(x - 0.5, 0), width - 1), min(max(y - 0.5, 0), height - 1)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    across = [
        map_[row, left] * (left + 1 - x) + map_[row, right] * (x - left) for row in (top, bottom)
    ]
    return across[0] * (top + 1 - y) + across[1] * (y - top)


@pytest.mark.parametrize("bins", [1, 2, 7])
def test_roi_align_is_the_mean_of_four_bilinear_samples_a_bin(bins: int) -> None:
    height, width, stride = 10, 14, 8
    map_ = np.random.default_rng(1).normal(size=(height, width, 3)).astype(np.float32)
    boxes = random_boxes(5, height * stride, width * stride)
    boxes[0] = (0, 0, width * stride, height * stride)
    boxes[1] = (0, 0, 1, 1)  # half a cell from the edge on, there is nothing to sample between
    found = ops.convert_to_numpy(RoIAlign(stride, bins)([map_[None], boxes[None]]))
    assert found.shape == (1, 5, bins, bins, 3)
    for box, its in zip(boxes / stride, found[0], strict=True):
        sides = (box[2:] - box[:2]) / bins
        for row in range(bins):
            for column in range(bins):
                samples = [
                    sampled(map_, *(box[:2] + sides * (column + a, row + b)))
                    for a in (0.25, 0.75)
                    for b in (0.25, 0.75)
                ]
                np.testing.assert_allclose(its[row, column], np.mean(samples, axis=0), atol=1e-5)


def logits_of(
    boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int], scale: float
) -> np.ndarray:
    """Logits (cells, 5) of the first stage that have these boxes."""
    centre, stride = cells(size, STRIDES)
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2 - centre) / stride
    sides = np.log((boxes[:, 2:] - boxes[:, :2]) / stride / scale)
    return np.concatenate([middle, sides, np.log(scores / (1 - scores))[:, None]], axis=1)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_proposals_are_the_surest_boxes_that_no_surer_one_covers(count: int) -> None:
    size, scale = (64, 96), 3.0
    number = len(cells(size, STRIDES)[0])
    boxes = random_boxes(number, *size, seed=count)
    boxes[1::2] = np.clip(boxes[::2] + 0.25, 0, (96, 64, 96, 64))  # half of them twice
    scores = np.random.default_rng(count).permutation(np.linspace(0.05, 0.95, number))
    logits = logits_of(boxes, scores, size, scale).astype(np.float32)
    map_ = np.zeros((1, 8, 12, 1), np.float32)
    layer = Proposals(STRIDES, scale, count)
    found = ops.convert_to_numpy(layer([logits[None], map_]))[0]
    order = np.argsort(-scores)[: 4 * count]
    overlap = np.triu(iou(boxes[order], boxes[order]), 1)
    alone = order[(overlap <= 0.7).all(axis=0)]
    covered = order[~(overlap <= 0.7).all(axis=0)]
    expected = np.concatenate([alone, covered])[:count]
    np.testing.assert_allclose(found, boxes[expected], atol=2e-3)


def test_fewer_cells_than_proposals_are_filled_up_with_the_pixel_in_the_corner() -> None:
    logits = np.zeros((1, 21, 5), np.float32)  # of 32 × 32 pixels
    found = ops.convert_to_numpy(
        Proposals(STRIDES, 2.0, 30)([logits, np.zeros((1, 4, 4, 1), np.float32)])
    )[0]
    assert found.shape == (30, 4)
    assert (areas(found[:21]) > 1).all()
    assert found[21:].tolist() == [[0, 0, 1, 1]] * 9


def test_overlaps_are_those_of_numpy() -> None:
    one, other = random_boxes(7, 50, 60, 1), random_boxes(9, 50, 60, 2)
    other[3] = (5, 5, 5, 9)
    found = ops.convert_to_numpy(pairwise_iou(one[None], other[None]))[0]
    np.testing.assert_allclose(found, iou(one, other), atol=1e-6)


def test_offsets_move_the_middle_by_tenths_of_the_sides_and_scale_them_by_fifths() -> None:
    box = np.array([[10, 20, 30, 60]], np.float32)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(refined(box, np.zeros((1, 4), np.float32))), box
    )
    moved = np.array([[1, -2, 5 * np.log(2), 0]], np.float32)
    found = ops.convert_to_numpy(refined(box, moved))
    np.testing.assert_allclose(found, [[2, 12, 42, 52]], rtol=1e-5)


@pytest.mark.parametrize("backbone", ["tiny", "mobilenet-025", "cspdarknet-nano", "resnet18"])
def test_outputs_have_the_shapes_of_targets_on_any_backbone(backbone: str) -> None:
    its = recipe(backbone)
    network = activated(build_network(its, its.input_size), its.head)
    assert {name: one.shape for name, one in network.output.items()} == {
        name: (None, *shape) for name, shape in its.head.outputs((64, 64), CLASSES).items()
    }


def test_a_network_for_any_size_says_what_one_of_the_size_says() -> None:
    """Training with several sizes has one network for all of them; of the smallest there are fewer
    cells than suppression would look at.
    """
    keras.utils.set_random_seed(0)
    its = recipe("tiny", proposals=24)
    any_size = build_network(its, (None, None))
    for size in ((64, 64), (128, 96)):
        network = build_network(its, size)
        set_weights(network, weights_of(any_size))
        image = np.random.default_rng(3).integers(0, 256, (2, *size, 3)).astype(np.float32)
        one = any_size.predict_on_batch(image)  # as a graph, in which sides are not known
        other = network(image, training=False)
        assert one.keys() == other.keys() == {"cells", "proposals", "rois"}
        for name in one:
            assert one[name].shape == other[name].shape
            np.testing.assert_allclose(
                ops.convert_to_numpy(one[name]), ops.convert_to_numpy(other[name]), atol=1e-4
            )


def test_only_the_scores_have_a_row_for_each_class() -> None:
    its = recipe("tiny")
    network = build_network(its, its.input_size)
    axes = class_axes(its, network)
    assert {path.rsplit("/", 2)[-2] for path in axes} == {"scores"}
    assert set(axes.values()) == {0, 1}
    (kernel,) = (v for v in network.weights if v.path == next(p for p in axes if axes[p] == 1))
    assert kernel.shape[1] == 1 + len(CLASSES), "background comes before the classes"


# === the second stage's loss ===


def rois(rows: list[tuple[float, ...]]) -> np.ndarray:
    """(1, n, 8) float32 of four edges, or offsets, and four numbers."""
    return np.array([rows], np.float32)


ONE = (10, 10, 50, 50, 0, 1, 0, 0)  # a cat
IGNORED = (60, 10, 100, 50, 0, 0, 0, 0)
NONE = (0, 0, 0, 0, 1, 0, 0, 0)


def loss(
    proposals: list[tuple[float, ...]], scores: list[tuple[float, ...]], target: np.ndarray
) -> float:
    logits = {
        "proposals": np.array([proposals], np.float32),
        "rois": rois([(0, 0, 0, 0, *one) for one in scores]),
    }
    return float(ops.convert_to_numpy(second_loss(target, logits, box_weight=2.0))[0])


def test_a_proposal_is_the_objects_that_it_overlaps_by_half_and_else_background() -> None:
    target = rois([ONE, NONE])
    cat, nothing = (0.0, 20.0, 0.0, 0.0), (20.0, 0.0, 0.0, 0.0)
    half, less = (10, 10, 50, 31), (10, 10, 50, 29)  # of the 40 pixels' height
    assert loss([half], [cat], target) == pytest.approx(2 * (1 - 21 / 40), abs=1e-4)
    assert loss([less], [nothing], target) == pytest.approx(0, abs=1e-4)
    assert loss([half], [nothing], target) > 10
    assert loss([less], [cat], target) > 10


def test_what_lies_in_an_ignored_box_is_neither_an_object_nor_background() -> None:
    target, right = rois([ONE, IGNORED]), (0.0, 20.0, 0.0, 0.0)
    sure, unsure = (0.0, 0.0, 20.0, 0.0), (20.0, 0.0, 0.0, 0.0)
    boxes = [ONE[:4], (65, 15, 80, 40)]
    for scores in (sure, unsure):
        assert loss(boxes, [right, scores], target) == pytest.approx(0, abs=1e-4)
    outside = [ONE[:4], (90, 15, 120, 40)]  # a third of it is inside
    assert loss(outside, [right, unsure], target) == pytest.approx(0, abs=1e-4)
    assert loss(outside, [right, sure], target) > 1


def test_background_weighs_three_times_what_the_objects_do_at_most() -> None:
    """However many proposals find nothing."""
    target, wrong = rois([ONE]), (0.0, 0.0, 0.0, 0.0)
    empty = [(60 + i, 60, 90 + i, 90) for i in range(30)]
    boxes, scores = [ONE[:4], *empty], [(0.0, 30.0, 0.0, 0.0)] + [wrong] * 30
    weight = 3 * 2  # one object, and one more so that there is some where there is none
    assert loss(boxes, scores, target) == pytest.approx(weight * np.log(4) / (1 + weight), rel=1e-4)


def test_a_logit_is_found_by_its_box_whatever_the_order_of_the_proposals() -> None:
    boxes = random_boxes(6, 64, 64, 5)
    rng = np.random.default_rng(6)
    numbers = np.concatenate([np.zeros((6, 4)), rng.normal(size=(6, 4))], 1).astype(np.float32)
    for order in (np.arange(6), rng.permutation(6)):
        logits = {"proposals": boxes[order][None], "rois": numbers[order][None]}
        output = {"rois": np.concatenate([boxes, numbers[:, 4:]], axis=1)[order][None]}
        for arrays in (logits, output):
            found = ops.convert_to_numpy(logit_of_box(arrays, boxes[2], 6))
            assert found.tolist() == [numbers[2, 6]]
