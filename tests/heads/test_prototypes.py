"""The head of prototypes: masks on its grid, over both kinds of cells, from truth to weights."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import Boxes, Instances
from cvtasks.engines.keras_engine import KerasEngine, load_network
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError, UsageError
from cvtasks.files.writing import sha256
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.rle import rle_iou
from cvtasks.heads.arrays import joined, mapped, only
from cvtasks.heads.cell_masks import LEAST, UNIT, apart, enlarged, paint
from cvtasks.heads.dense import Dense
from cvtasks.heads.prototypes import Prototypes
from cvtasks.heads.yolox import Yolox
from cvtasks.networks.build import build_network
from cvtasks.networks.prototypes import mask_loss, spread
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.instances import SegmentInstances
from cvtasks.training.learner import Learner
from cvtasks.weights.transfer import save_weights
from cvtasks.zoo import WEIGHTS

SIDE, CLASSES = 64, ("square", "disc")
SIZE = (SIDE, SIDE)


def recipe(cells: str, **head: object) -> Recipe:
    """A small one of these cells."""
    own = {"width": 16, "depth": 1, "scale": 2.0, "max_truths": 8, "mask_stride": 2}
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "instances"},
            "head": {"name": "prototypes", "cells": cells, **own, **head},
            "backbone": "tiny",
            "size": SIDE,
            "classes": list(CLASSES),
            "data": {"workers": 0},
            "train": {"batch": 4, "precision": "f32"},
        }
    )


def drawn(count: int = 4) -> list[tuple[np.ndarray, Instances]]:
    """Images with a square and a disc over its corner, the last with one for the coarsest map."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        image = rng.integers(0, 60, (*SIZE, 3)).astype(np.uint8)
        square = np.maximum(abs(rows - 20), abs(columns - 18 - 2 * seed)) <= 11
        disc = np.hypot(rows - 44, columns - 40) <= 10 + seed
        if seed == 3:
            square, disc = np.zeros_like(disc), np.hypot(rows - 32, columns - 32) <= 30
        square &= ~disc
        image[square], image[disc] = (230, 60, 60), (60, 60, 230)
        shown = [number for number, mask in enumerate((square, disc)) if mask.any()]
        masks = [(square, disc)[number] for number in shown]
        found.append((image, Instances.of(masks, shown, CLASSES, SIZE)))
    return found


def encoded(its: Recipe, count: int = 4) -> dict[str, np.ndarray]:
    """Their targets as one batch."""
    whole = Letterbox(SIZE, SIZE)
    return joined(np.stack, [its.head.encode(truth, whole) for _, truth in drawn(count)])


# === the grid ===


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("placement", ["centre", "corner"])
@pytest.mark.parametrize("input_size", [(64, 64), (128, 96)])
def test_a_mask_comes_back_from_the_grid_up_to_its_resolution(
    stride: int, placement: str, input_size: tuple[int, int]
) -> None:
    rows, columns = np.mgrid[:50, :70]
    disc = np.hypot(rows - 26, columns - 40) <= 18
    truth = Instances.of([disc], [0], ("disc",), disc.shape)
    letterbox = Letterbox(disc.shape, input_size, placement)
    plane = np.full((input_size[0] // stride, input_size[1] // stride), LEAST, np.int8)
    paint(plane, *truth.crop(0), letterbox, stride)
    weights = np.array([1 / UNIT], np.float32)
    maps = plane[..., None].astype(np.float32)
    part, corner = enlarged(maps, weights, truth.xyxy[0].tolist(), letterbox, stride)
    assert corner == tuple(truth.xyxy[0, :2].astype(int))
    assert part.shape == truth.crop(0)[0].shape, "a crop is exact"
    both = (part & truth.crop(0)[0]).sum() / (part | truth.crop(0)[0]).sum()
    fine = letterbox.scale / stride  # cells a pixel
    assert both > (0.999 if fine >= 1 else 0.97 if fine >= 0.5 else 0.93)


def test_what_is_too_thin_for_the_grid_is_not_lost() -> None:
    plane = np.full((16, 16), LEAST, np.int8)
    paint(plane, np.ones((1, 20), bool), (8, 9), Letterbox(SIZE, SIZE), 4)
    assert (plane[2, 2:7] > 0).all()
    assert (plane > 0).sum() == 5
    paint(plane, np.zeros((0, 0), bool), (0, 0), Letterbox(SIZE, SIZE), 4)
    assert (plane > 0).sum() == 5


def test_objects_in_one_plane_lie_apart() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 50, (40, 2))
    edges = np.concatenate([corner, corner + rng.uniform(1, 9, (40, 2))], axis=1)
    planes = apart(edges, 32)
    for one in range(40):
        for other in range(one):
            if planes[one] == planes[other]:
                low = np.maximum(edges[one, :2], edges[other, :2])
                high = np.minimum(edges[one, 2:], edges[other, 2:])
                assert (high - low).min() < -1, "not even what is enlarged from is shared"
    same = np.array([[0, 0, 9, 9]] * 5, float)
    assert np.bincount(apart(same, 3)).tolist() == [2, 2, 1], "the fewest share one"
    assert len(apart(np.zeros((0, 4)), 3)) == 0


def test_hundreds_of_objects_share_a_few_prototypes() -> None:
    masks, plane = [], np.zeros((256, 256), bool)
    for y in range(4, 250, 13):
        for x in range(4, 250, 13):
            masks.append(plane.copy())
            masks[-1][y : y + 9, x : x + 9] = True
    truth = Instances.of(masks, [0] * len(masks), ("cell",), (256, 256))
    head = Prototypes(
        SegmentInstances(), prototypes=8, mask_stride=2, scale=2.0, max_detections=1000
    )
    whole = Letterbox((256, 256), (256, 256))
    target = only(head.encode(truth, whole), head.outputs((256, 256), ("cell",)))
    again = head.decode(mapped(lambda array: array.astype(np.float32), target), whole, ("cell",))
    assert len(again) == len(truth) == 361
    overlap = rle_iou(truth.masks.tolist(), again.masks.tolist(), (256, 256))
    assert overlap.max(axis=1).min() > 0.75


# === both kinds of cells ===


@pytest.mark.parametrize("cells", ["dense", "yolox"])
def test_a_target_says_the_truth_and_has_what_is_not_counted_for_nothing(cells: str) -> None:
    its = recipe(cells)
    (_, truth), whole = drawn(1)[0], Letterbox(SIZE, SIZE)
    marked = dataclasses.replace(truth, crowd=np.array([False, True]))
    target = its.head.encode(marked, whole)
    output = only(target, its.head.outputs(SIZE, CLASSES))
    assert mapped(np.shape, output) == its.head.outputs(SIZE, CLASSES)
    again = its.head.decode(mapped(lambda array: array.astype(np.float32), output), whole, CLASSES)
    assert again.names == ("square",)
    assert again.agrees(truth.take(np.array([0])))
    assert target["own"].max() == 0
    assert target["prototypes"][24:, 20:].max() == LEAST, "a crowd has no mask"


@pytest.mark.parametrize("cells", ["dense", "yolox"])
def test_a_compact_target_leaves_out_what_the_loss_does_without(cells: str) -> None:
    its = recipe(cells)
    whole, rng = encoded(its), np.random.default_rng(0)
    box = Letterbox(SIZE, SIZE)
    compact = joined(np.stack, [its.head.compact(truth, box) for _, truth in drawn()])
    assert "cells" not in compact
    shapes = mapped(
        lambda output: (len(drawn()), *output.shape[1:]), build_network(its, SIZE).output
    )
    logits = mapped(lambda shape: rng.normal(0, 1, shape).astype("float32"), shapes)
    losses = [ops.convert_to_numpy(its.head.loss(one, logits)) for one in (whole, compact)]
    np.testing.assert_array_equal(*losses)


@pytest.mark.parametrize("cells", ["dense", "yolox"])
def test_everything_learns_and_is_saved(cells: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    its = recipe(cells, mask_dice=0.5)
    network = build_network(its, SIZE)
    before = {v.path: v.numpy() for v in network.trainable_variables}
    network.compile(keras.optimizers.Adam(5e-3), loss=its.head.loss)
    images, target = np.stack([image for image, _ in drawn()]), encoded(its)
    for _ in range(120):
        network.train_on_batch(images, target)
    # Adam moves what has a gradient, however small, and nothing else
    still = [v.path for v in network.trainable_variables if np.array_equal(before[v.path], v)]
    assert not [path for path in still if before[path].any()]
    save_weights(network, tmp_path / "weights.safetensors")
    again = load_network(tmp_path / "weights.safetensors", its)
    metric, engine = its.task.metric(CLASSES), KerasEngine(again, its.head, "f32", batch=4)
    pairs = [(truth, image) for image, truth in drawn()]
    for truth, _, answer in predict(engine, its.head, CLASSES, its.letterbox, pairs):
        metric.add(truth, answer)
    assert metric.result()["COCO segm AP50"] == 1.0


def test_the_loss_of_masks_knows_its_objects_alone() -> None:
    rng = np.random.default_rng(0)
    wanted = np.full((1, 16, 16, 4), LEAST, np.int8)
    wanted[0, 4:9, 3:8, 2] = -LEAST
    wanted[0, 12:15, 12:15, 2] = -LEAST  # another object in the plane, out of the box
    edges = np.array([[[3, 4, 8, 9], [0, 0, 1, 1]]], np.float32)
    own, real = np.array([[2, 0]], np.int32), np.array([[1, 0]], np.float32)
    weights = np.zeros((1, 2, 4), np.float32)
    weights[0, 0, 2] = 1 / UNIT
    maps = wanted.astype(np.float32)

    def loss(maps: np.ndarray, dice: float = 0.0) -> float:
        found = mask_loss(wanted, maps, weights, own, edges, real, unit=UNIT, none=LEAST, dice=dice)
        return float(ops.convert_to_numpy(found)[0])

    assert abs(loss(maps)) < 1e-5
    assert abs(loss(maps, 1.0)) < 1e-5
    far = maps.copy()
    far[0, 12:15, 12:15] = 99.0
    assert loss(far) == loss(maps), "what lies far from the box costs nothing"
    for place in ((6, 5), (3, 5)):  # in the object; beside its box
        wrong = maps.copy()
        wrong[0, place[0], place[1], 2] *= -1
        assert loss(wrong) > 1e-3
    noise = maps + rng.normal(0, 30, maps.shape).astype(np.float32)
    assert loss(noise) > 1e-3
    assert loss(noise, 1.0) > loss(noise)


def test_so_many_of_the_cells_are_learned_from_all_over() -> None:
    chosen = np.zeros((2, 50), bool)
    chosen[0, ::2], chosen[1, [3, 40]] = True, True
    index, real = (ops.convert_to_numpy(one) for one in spread(chosen, 8))
    assert real.sum(axis=1).tolist() == [8, 2]
    assert chosen[0, index[0]].all()
    assert len(set(index[0].tolist())) == 8
    assert index[0].min() < 15
    assert index[0].max() > 35
    assert sorted(index[1, :2].tolist()) == [3, 40]
    assert ops.convert_to_numpy(spread(chosen[:, :3], 8)[0]).max() < 3, "fewer cells than that"


# === what a recipe begins with ===


def test_what_suits_the_data_is_chosen_and_has_a_reason() -> None:
    small = np.zeros((200, 200), bool)
    small[10:18, 10:18] = True
    many = Instances.of([small] * 120, [0] * 120, ("cell",), (200, 200))
    found = Prototypes.suited([many])
    assert found == {"max_truths": 480, "max_detections": 150, "mask_stride": 2}
    assert found.keys() == Prototypes.reasons.keys()
    large = Instances.of([np.ones((200, 200), bool)], [0], ("cell",), (200, 200))
    assert Prototypes.suited([large]) == {"max_truths": 16}
    assert Prototypes.suited([]) == {}


def test_cells_that_do_not_fit_are_named() -> None:
    with pytest.raises(ModelError, match=r"`head.mask_stride` must be a power of two .* got 3"):
        recipe("dense", mask_stride=3)
    with pytest.raises(ModelError, match=r"`head.mask_stride` .* 1, 2, 4, 8; got 16"):
        recipe("yolox", mask_stride=16)
    with pytest.raises(ModelError, match=r"`head.depth` must be 1 to 16; got 0"):
        recipe("yolox", depth=0)
    assert recipe("dense", depth=0).head.depth == 0


def test_backbones_of_yolox_have_its_cells() -> None:
    assert Prototypes.usual("cspdarknet-nano") == {
        "cells": "yolox",
        "width": 64,
        "depth": 1,
        "depthwise": True,
    }
    assert Prototypes.usual("mobilenet") == {}


@pytest.mark.parametrize("cells", ["dense", "yolox"])
def test_a_detector_of_these_cells_is_a_start_for_all_but_the_masks(
    cells: str, tmp_path: Path
) -> None:
    head = {"name": cells, "width": 16, "depth": 1} | ({"scale": 2.0} if cells == "dense" else {})
    theirs = parse_recipe(
        {
            "format": 1,
            "task": {"name": "detect"},
            "head": head,
            "backbone": "tiny",
            "size": SIDE,
            "classes": ["disc", "triangle"],
        }
    )
    place = tmp_path / "detector"
    place.mkdir()
    giving = build_network(theirs, SIZE)
    save_weights(giving, place / WEIGHTS)
    files = {WEIGHTS: sha256(place / WEIGHTS)}
    dataclasses.replace(theirs, files=files).save(place / "recipe.toml")
    ours = parse_recipe({**recipe_document(cells), "train": {"weights": str(place)}})
    learner = Learner(ours)
    said = learner.start()
    assert "backbone whole" in said
    assert "classes disc; new: square" in said
    given = {v.path: v.numpy() for v in giving.weights}
    new = [v.path for v in learner.network.weights if v.path not in given]
    assert new
    assert all(path.startswith(("masks", "prototypes", "further_logits")) for path in new)
    for variable in learner.network.weights:
        if variable.path in given and variable.shape == given[variable.path].shape:
            last = variable.path.startswith(("score_logits", "class_logits"))
            assert last or np.array_equal(variable, given[variable.path]), variable.path
    other = recipe("yolox" if cells == "dense" else "dense").head
    assert not other.shares_layers(theirs.head)
    grown = Prototypes.grown_from(theirs.head)
    assert grown["cells"] == cells
    assert grown["width"] == 16
    assert "l1" not in grown


def recipe_document(cells: str) -> dict:
    """`recipe` as a document."""
    import tomllib

    return tomllib.loads(recipe(cells).to_toml())


def test_heads_of_other_kinds_give_nothing() -> None:
    from cvtasks.heads.unet import UNet
    from cvtasks.tasks.segment import Segment

    assert Prototypes.grown_from(UNet(Segment())) is None
    assert Dense.grown_from(Yolox(Detect())) is None
    assert not Prototypes(SegmentInstances()).shares_layers(UNet(Segment()))


def test_a_closing_head_has_the_loss_of_boxes_that_its_cells_have() -> None:
    assert recipe("yolox").head.closing().l1
    its = recipe("dense").head
    assert its.closing() == its
    assert recipe("yolox").head.beyond([truth for _, truth in drawn()]) == ""


def test_answers_without_an_object_have_no_region_to_explain() -> None:
    its = recipe("dense")

    class Seen:
        output, letterbox = None, Letterbox(SIZE, SIZE)
        answer = Instances.nothing(SIZE, CLASSES)

    with pytest.raises(UsageError, match="this one is empty"):
        its.head.score("region", 0, Seen())
    assert isinstance(Seen.answer, Boxes)
