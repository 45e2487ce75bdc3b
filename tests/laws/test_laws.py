"""The laws of the house, for every task of the table and, where a network takes part, every family
of backbones.
"""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import VOID, Answer, Boxes, Instances, Labels, Mask
from cvtasks.data.loading.warp import Warp
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.geometry.tiles import Tiles
from cvtasks.heads import HEADS, head_type
from cvtasks.heads.arrays import Arrays, joined, mapped, only
from cvtasks.heads.base import Head
from cvtasks.heads.views import View
from cvtasks.networks.backbones import BACKBONES
from cvtasks.networks.build import activated, backbone_of, build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.schema import keys_of
from cvtasks.tasks import TASKS
from cvtasks.tasks.base import Task
from cvtasks.weights.transfer import load_weights, save_weights

SIZE = 64
# one of each, and the tasks that look at it: the old ones, too slow for all of them, take turns
FAMILIES = {
    "tiny": tuple(TASKS),
    **dict.fromkeys(("resnet18", "mobilenet-025"), ("detect", "localize")),
    **dict.fromkeys(("lenet5", "alexnet-small"), ("classify", "localize")),
    **dict.fromkeys(("vgg11-bn-025", "resnet50-v2", "inception-small-050"), ("segment",)),
    **dict.fromkeys(("nin-050", "resnet20", "resnet18-v2"), ("classify",)),
    **dict.fromkeys(("vgg11", "googlenet"), ("detect",)),
}
EACH_FAMILY = [(task, backbone) for backbone, its in FAMILIES.items() for task in its]


@dataclass(frozen=True)
class Case:
    """What the laws need to know of a task.

    Its recipe's own table, truths with the images they belong to, and logits whose activation is a
    given target, up to exp(-certainty); a certainty far below zero gives extreme and wrong ones.
    """

    document: dict
    truths: list
    images: list
    logits: Callable[[Arrays, float], Arrays]
    steps: int = 100  # that overfitting takes


def _discs(size: tuple[int, int], seed: int, share: float = 5) -> tuple[np.ndarray, Mask]:
    """An image with a square and a disc (radius: the image's side by `share`), some void between
    them, and its mask.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    ids, image = np.zeros(size, np.uint8), rng.integers(0, 60, (*size, 3)).astype(np.uint8)
    radius = int(min(size) / share)
    for kind, colour in ((1, (230, 60, 60)), (2, (60, 60, 230))):
        y, x = (int(rng.integers(radius, side - radius)) for side in size)
        near = (
            np.maximum(abs(rows - y), abs(columns - x))
            if kind == 1
            else np.hypot(rows - y, columns - x)
        )
        ids[near <= radius + 1] = VOID
        ids[near <= radius] = kind
        image[near <= radius] = colour
    return image, Mask(ids, ("background", "square", "disc"))


def _boxes(size: tuple[int, int], seed: int) -> tuple[np.ndarray, Boxes]:
    """Such an image with boxes around the two, on every map, and a difficult one (nothing is seen
    there); the last is empty.
    """
    image, mask = _discs(size, seed, (5, 2.1, 3)[seed % 3])
    found, labels = [], []
    for kind in (1, 2):
        rows, columns = np.nonzero(mask.ids == kind)
        if len(rows) > 20:
            found.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
            labels.append(kind - 1)
    difficult = [False] * len(found) + [True]
    truth = Boxes.of(
        [*found, (0, 0, 7, 9)], [*labels, 0], ("square", "disc"), size, difficult=difficult
    )
    if seed == 7:
        return image // 8, truth.take(np.zeros(len(truth), bool))
    return image, truth


def _one(size: tuple[int, int], seed: int) -> tuple[np.ndarray, Boxes]:
    """An image with a square or a disc, in turns, and the box around it."""
    image, mask = _discs(size, seed)
    rows, columns = np.nonzero(mask.ids == 1 + seed % 2)
    image[mask.ids == 2 - seed % 2] = 30
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return image, Boxes.of([box], [seed % 2], ("square", "disc"), size)


def _instances(size: tuple[int, int], seed: int) -> tuple[np.ndarray, Instances]:
    """Such an image with the masks of the two, those that others cover left out, and a difficult
    one; the last is empty.
    """
    image, mask = _discs(size, seed, (5, 3, 4)[seed % 3])
    masks = [mask.ids == kind for kind in (1, 2)]
    labels = [number for number, one in enumerate(masks) if one.sum() > 20]
    masks = [masks[number] for number in labels] + [np.zeros(size, bool)]
    masks[-1][:9, :7] = True
    difficult = [False] * len(labels) + [True]
    truth = Instances.of(masks, [*labels, 0], ("square", "disc"), size, difficult=difficult)
    if seed == 7:
        return image // 8, truth.take(np.zeros(len(truth), bool))
    return image, truth


def _box_logits(target: np.ndarray, certainty: float) -> np.ndarray:
    distances, scores = target[..., :4], target[..., 4:]
    sides = distances[..., :2] + distances[..., 2:]
    centre = (distances[..., 2:] - distances[..., :2]) / 2
    size = np.log(np.where(sides > 0, sides, 2.0) / 2.0)  # the case's scale
    box = np.concatenate([centre, size], axis=-1)
    return np.concatenate(
        [box if certainty > 0 else (box + 1) * certainty, (2 * scores - 1) * certainty], -1
    ).astype("float32")


def _yolox_logits(target: dict[str, np.ndarray], certainty: float) -> np.ndarray:
    objects = target["objects"]
    plain = _box_logits(objects, certainty)
    plain[..., :2] += 0.5  # from the cell's corner
    empty = (objects[..., :4] == 0).all(axis=-1, keepdims=True)
    # a target's distances of 0: another cell that saw an object's box would be taken for it
    plain[..., 2:4] += np.where(empty & (certainty > 0), -10.0, np.log(2.0))
    # twice: of hundreds of cells each adds its own exp(-certainty) to a plain cross-entropy
    there = 2 * (2 * (objects[..., 4:] > 0).any(axis=-1, keepdims=True) - 1) * certainty
    return np.concatenate([plain[..., :4], there, 2 * plain[..., 4:]], -1).astype("float32")


def _two_stage_logits(target: dict[str, np.ndarray], certainty: float) -> dict[str, np.ndarray]:
    """Proposals are where the boxes are, and are left there."""
    edges, scores = target["rois"][..., :4], target["rois"][..., 4:]
    offsets = np.zeros_like(edges) if certainty > 0 else (edges + 1) * certainty
    return {
        "cells": _box_logits(target["cells"], certainty),
        "proposals": edges,
        "rois": np.concatenate([offsets, (2 * scores - 1) * certainty], -1).astype("float32"),
    }


def _instance_logits(target: dict[str, np.ndarray], certainty: float) -> dict[str, np.ndarray]:
    """Where the case is perfect, prototypes and the numbers of cells are the target's."""
    maps, cells = target["prototypes"].astype("float32"), target["cells"]
    k = maps.shape[-1]
    if certainty < 0:
        maps = maps * certainty
    boxes = _box_logits(cells[..., :-k], certainty)
    return {"logits": np.concatenate([boxes, cells[..., -k:]], -1), "prototypes": maps}


def _location_logits(target: np.ndarray, certainty: float) -> np.ndarray:
    box, scores = target[..., :4], (2 * target[..., 4:] - 1) * certainty
    return np.concatenate([box if certainty > 0 else (box + 1) * certainty, scores], -1).astype(
        "float32"
    )


@cache
def case(task: str) -> Case:
    """The case of a task; a new task adds its own here."""
    drawn = [_discs((SIZE, SIZE), seed) for seed in range(8)]
    boxed = [_boxes((SIZE, SIZE), seed) for seed in range(8)]
    cases = {
        "classify": Case(
            {"classes": ["square", "disc"], "classify": {"dropout": 0.0}},
            [Labels.of([seed % 2], ("square", "disc")) for seed in range(8)],
            [_one((SIZE, SIZE), seed)[0] for seed in range(8)],
            lambda target, certainty: (2 * target.astype("float32") - 1) * certainty,
        ),
        "detect": Case(
            {"classes": ["square", "disc"], "detect": {"width": 16, "scale": 2.0}},
            [truth for _, truth in boxed],
            [image for image, _ in boxed],
            _box_logits,
            steps=250,
        ),
        "instances": Case(
            {
                "classes": ["square", "disc"],
                "instances": {"width": 16, "depth": 1, "scale": 2.0, "mask_stride": 2},
            },
            [_instances((SIZE, SIZE), seed)[1] for seed in range(8)],
            [_instances((SIZE, SIZE), seed)[0] for seed in range(8)],
            _instance_logits,
            steps=250,
        ),
        "localize": Case(
            {"classes": ["square", "disc"], "localize": {"width": 32, "dropout": 0.0}},
            [_one((SIZE, SIZE), seed)[1] for seed in range(8)],
            [_one((SIZE, SIZE), seed)[0] for seed in range(8)],
            _location_logits,
            steps=250,
        ),
        "segment": Case(
            {
                "classes": ["background", "square", "disc"],
                "segment": {"channels": [32, 16, 16, 16]},
            },
            [truth for _, truth in drawn],
            [image for image, _ in drawn],
            lambda target, certainty: target.astype("float32") * certainty,
        ),
    }
    if task not in cases:
        pytest.fail(f"{task} has no case; add the task's case to `case`")
    return cases[task]


EACH_HEAD = [(task, head) for task, heads in HEADS.items() for head in heads]
NOT_AT_ONCE = {("detect", "yolox")}
"""Heads whose loss chooses the cells that learn a class: in one step not those of every map.
That all of their parameters learn in the end is a test of each head's own.
"""
FURTHER_HEADS = [(task, head) for task, head in EACH_HEAD if head != next(iter(HEADS[task]))]
BACKBONE_OF = {"own": "lenet5"}
"""Head → a small backbone that it stands on, where that is not "tiny"."""


LOGITS_OF = {"yolox": _yolox_logits, "two-stage": _two_stage_logits}
"""Head → its logits for a target, where they are not those of the task's case."""


def with_head(task: str, head: str) -> Recipe:
    """A small recipe of a task with one of its heads."""
    document = tomllib.loads(recipe(task, BACKBONE_OF.get(head, "tiny")).to_toml())
    own = keys_of(head_type(task, head))
    document["head"] = {key: value for key, value in document["head"].items() if key in own}
    return parse_recipe({**document, "head": {**document["head"], "name": head}})


def recipe(task: str, backbone: str = "tiny", size: int = SIZE) -> Recipe:
    """A small recipe of a task, with as many levels as the backbone has."""
    strides, document = BACKBONES[backbone].strides, {**case(task).document}
    if task in ("detect", "instances"):
        document[task] = {**document[task], "strides": list(strides[-3:])}
    if task == "instances":
        document[task]["mask_stride"] = min(2, strides[-3:][0])
    if task == "segment":
        document["segment"] = {"channels": document["segment"]["channels"][: len(strides) - 1]}
    if not BACKBONES[backbone].features:
        document["classify"] = {**document["classify"], "top": "own"}
    return parse_recipe({"task": task, "backbone": backbone, "size": size, **document})


def one_for_each_backbone() -> list[tuple[str, str]]:
    """Every backbone with one of the tasks that it has the maps for, in turns: all pairs would take
    too long.
    """
    pairs = []
    for number, (backbone, row) in enumerate(BACKBONES.items()):
        fitting = [name for name in TASKS if row.aligned or not head_type(name).aligned]
        if not row.features:  # all that it has is its own classifier
            fitting = ["classify"]
        pairs.append((fitting[number % len(fitting)], backbone))
    return pairs


def targets(head: Head, truths: list) -> Arrays:
    """The truths encoded as one batch; every image fills the network input."""
    whole = Letterbox((SIZE, SIZE), (SIZE, SIZE))
    return joined(np.stack, [head.encode(truth, whole) for truth in truths])


def _each(arrays: Arrays) -> list:
    """Those of all names, or the one there is."""
    return list(arrays.values()) if isinstance(arrays, dict) else [arrays]


def _float32(array: np.ndarray) -> np.ndarray:
    return array.astype("float32")


def logits_of(task: str, head: str, target: Arrays, certainty: float) -> Arrays:
    """Logits of a head whose activation is the target, as of `Case.logits`."""
    return LOGITS_OF.get(head, case(task).logits)(target, certainty)


def same(task: Task, one: Answer, other: Answer) -> bool:
    """Whether two answers say the same; where an answer is a set, in whatever order, and masks up
    to the resolution that they were learned in.
    """
    if isinstance(one, Instances) and isinstance(other, Instances):
        return one.take(one.counted).agrees(other.take(other.counted))
    records = [task.record(answer) for answer in (one, other)]
    ordered = [
        {k: sorted(v, key=json.dumps) if isinstance(v, list) else v for k, v in record.items()}
        for record in records
    ]
    return ordered[0] == ordered[1]


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_task_has_a_case_and_its_table(task: str) -> None:
    assert TASKS[task].task.name == task
    assert HEADS.keys() == TASKS.keys()
    assert {name: head_type(task, name).name for name in HEADS[task]} == {n: n for n in HEADS[task]}
    assert case(task).truths


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
def test_every_head_says_what_its_output_means(task: str, head: str) -> None:
    meaning = head_type(task, head).meaning
    assert meaning.endswith(".") and len(meaning) > 40


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
@pytest.mark.parametrize(
    ("input_size", "placement"),
    [((64, 64), "centre"), ((128, 128), "centre"), ((96, 160), "centre"), ((96, 160), "corner")],
)
def test_decode_of_encode_is_the_truth_and_the_metric_calls_it_perfect(
    task: str, head: str, input_size: tuple[int, int], placement: Placement
) -> None:
    its = with_head(task, head)
    assert its.head.name == head
    metric = its.task.metric(its.classes)
    for truth, image in zip(case(task).truths, case(task).images, strict=True):
        box = Letterbox(image.shape[:2], input_size, placement)
        target = only(its.head.encode(truth, box), its.head.outputs(input_size, its.classes))
        again = its.head.decode(mapped(_float32, target), box, its.classes)
        metric.add(truth, again)
        assert (
            its.task.record(its.task.from_record(its.task.record(truth), its.classes)).keys()
            == its.task.record(truth).keys()
        )
        if input_size == image.shape[:2]:
            assert same(its.task, again, truth)
    assert {number for number in metric.result().values() if not np.isnan(number)} == {1.0}


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
@pytest.mark.parametrize(("input_size", "placement"), [((64, 64), "centre"), ((96, 160), "corner")])
def test_the_targets_of_an_image_and_its_mirror_image_say_what_the_truth_says(
    task: str, head: str, input_size: tuple[int, int], placement: Placement
) -> None:
    its = with_head(task, head)
    metric = its.task.metric(its.classes)
    for truth, image in zip(case(task).truths, case(task).images, strict=True):
        box = Letterbox(image.shape[:2], input_size, placement)
        shapes = its.head.outputs(input_size, its.classes)
        both = [
            mapped(_float32, only(its.head.encode(one, box), shapes))
            for one in (truth, truth.mirrored())
        ]
        again = its.head.decode_views(
            [View(both[0], box), View(both[1], box, mirrored=True)], its.classes
        )
        metric.add(truth, again)
        assert same(its.task, truth.mirrored().mirrored(), truth)
    assert {number for number in metric.result().values() if not np.isnan(number)} == {1.0}


@pytest.mark.parametrize(
    ("task", "head"), [pair for pair in EACH_HEAD if TASKS[pair[0]].task.tiled]
)
def test_the_targets_of_an_images_tiles_say_what_the_truth_says(task: str, head: str) -> None:
    its = with_head(task, head)
    metric = its.task.metric(its.classes)
    tiles = Tiles((40, 40), 0.4)
    shapes = its.head.outputs((SIZE, SIZE), its.classes)
    for truth, image in zip(case(task).truths, case(task).images, strict=True):
        size = image.shape[:2]
        parts = []
        for tile in tiles.of(size, (SIZE, SIZE)):
            window, place = (tile.height, tile.width), (-tile.left, -tile.top)
            seen = truth.warp(Warp(size, size, False, np.eye(2), place, window), 0.0)
            box = Letterbox(window, (SIZE, SIZE))
            parts.append(
                (tile, [View(mapped(_float32, only(its.head.encode(seen, box), shapes)), box)])
            )
        assert len(parts) > 1
        metric.add(truth, its.head.decode_tiles(parts, size, its.classes))
    assert next(iter(metric.result().values())) > 0.97


def test_a_wrong_answer_is_not_perfect(task: str) -> None:
    its, truths = recipe(task), case(task).truths
    metric = its.task.metric(its.classes)
    for truth, other in zip(truths, truths[1:] + truths[:1], strict=True):
        metric.add(truth, other)
    assert next(iter(metric.result().values())) < 0.9


@pytest.mark.parametrize(("task", "backbone"), one_for_each_backbone())
def test_output_has_the_shape_of_a_target(task: str, backbone: str) -> None:
    of_a_target(task, recipe(task, backbone, max(SIZE, BACKBONES[backbone].least)))


@pytest.mark.parametrize(("task", "head"), FURTHER_HEADS)
def test_output_of_a_further_head_has_the_shape_of_its_target(task: str, head: str) -> None:
    of_a_target(task, with_head(task, head))


def of_a_target(task: str, its: Recipe) -> None:
    """A network's output has the shapes of a target."""
    network = activated(build_network(its, its.input_size), its.head)
    expected = its.head.outputs(its.input_size, its.classes)
    assert mapped(lambda output: output.shape[1:], network.output) == expected
    target = only(targets(its.head, case(task).truths[:1]), expected)
    assert mapped(lambda array: array.shape[1:], target) == expected
    assert set(_each(mapped(lambda output: output.dtype, network.output))) == {"float32"}


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if not row.aligned])
def test_a_task_that_needs_aligned_maps_names_the_backbones_that_have_them(
    task: str, name: str
) -> None:
    if not head_type(task).aligned:
        assert recipe(task, name, 96).backbone == name
        return
    with pytest.raises(
        ModelError, match=rf"{task} needs a backbone .*; {name} does not pad .* Choose one of tiny"
    ):
        recipe(task, name, 96)


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
def test_the_loss_of_a_perfect_output_is_near_zero_and_the_least(task: str, head: str) -> None:
    its = with_head(task, head)
    target = targets(its.head, case(task).truths)
    perfect = logits_of(task, head, target, 10.0)
    least = ops.convert_to_numpy(its.head.loss(target, perfect))
    assert least.shape == (len(case(task).truths),)
    assert least.dtype == np.float32
    assert (abs(least) < 1e-3).all()
    rng = np.random.default_rng(0)
    for strength in (1, 10, 30, 100):
        perturbed = mapped(
            lambda array, strength=strength: (
                array + rng.normal(0, strength, array.shape).astype("float32")
            ),
            perfect,
        )
        worse = ops.convert_to_numpy(its.head.loss(target, perturbed))
        if isinstance(perfect, dict) or perfect[0].size > 100:
            assert (worse > least).all()
        # of a few numbers, chance may make some more certain of what is right; never better than by
        # what is lacking
        else:
            assert (worse >= least - 1e-6).all()
            assert strength < 10 or worse.mean() > least.mean()


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
def test_a_compact_target_has_the_same_loss_and_is_no_larger(task: str, head: str) -> None:
    its, truths = with_head(task, head), case(task).truths
    whole = targets(its.head, truths)
    box = Letterbox((SIZE, SIZE), (SIZE, SIZE))
    compact = joined(np.stack, [its.head.compact(truth, box) for truth in truths])
    rng = np.random.default_rng(0)
    logits = mapped(
        lambda array: array + rng.normal(0, 2, array.shape).astype("float32"),
        logits_of(task, head, whole, 3.0),
    )
    losses = [ops.convert_to_numpy(its.head.loss(one, logits)) for one in (whole, compact)]
    np.testing.assert_array_equal(*losses)
    sizes = [sum(array.nbytes for array in _each(one)) for one in (whole, compact)]
    assert sizes[1] <= sizes[0]


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
def test_the_loss_is_finite_for_extreme_logits_in_bfloat16(task: str, head: str) -> None:
    its = with_head(task, head)
    target = targets(its.head, case(task).truths)
    logits = mapped(lambda array: ops.cast(array, "bfloat16"), logits_of(task, head, target, -3e4))
    assert np.isfinite(ops.convert_to_numpy(its.head.loss(target, logits))).all()


EACH_NETWORK = [
    *(pytest.param(recipe, pair, id="-".join(pair)) for pair in EACH_FAMILY),
    *(pytest.param(with_head, pair, id="-".join(pair)) for pair in FURTHER_HEADS),
]
"""What makes a recipe, and of what."""


@pytest.mark.parametrize(("made", "names"), EACH_NETWORK)
def test_saved_weights_give_the_same_predictions(
    made: Callable[..., Recipe], names: tuple[str, str], tmp_path: Path
) -> None:
    task, its = names[0], made(*names)
    network, again = build_network(its, its.input_size), build_network(its, its.input_size)
    save_weights(network, tmp_path / "weights.safetensors")
    load_weights(again, tmp_path / "weights.safetensors")
    images = np.stack(case(task).images).astype("float32")
    outputs = [_each(one(images, training=False)) for one in (network, again)]
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))


@pytest.mark.parametrize(
    ("made", "names"), [each for each in EACH_NETWORK if each.values[1] not in NOT_AT_ONCE]
)
def test_every_parameter_receives_a_gradient(
    made: Callable[..., Recipe], names: tuple[str, str]
) -> None:
    task, its = names[0], made(*names)
    network = build_network(its, its.input_size)
    target = targets(its.head, case(task).truths[:4])
    images = np.stack(case(task).images[:4]).astype("float32")
    before = {v.path: v.numpy() for v in network.trainable_variables}
    network.compile(keras.optimizers.SGD(1.0), loss=its.head.loss)
    network.train_on_batch(images, target)
    still = [
        v.path for v in network.trainable_variables if np.array_equal(before[v.path], v.numpy())
    ]
    dead = [
        path for path in still if np.any(before[path])
    ]  # a zero bias before a batch norm may stay zero
    assert not dead
    assert len(before) > len(backbone_of(network).trainable_variables)


@pytest.mark.parametrize(("task", "head"), EACH_HEAD)
def test_eight_samples_are_overfitted(task: str, head: str) -> None:
    keras.utils.set_random_seed(3)
    its = with_head(task, head)
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.Adam(5e-3), loss=its.head.loss)
    images, target = np.stack(case(task).images), targets(its.head, case(task).truths)
    for _ in range(case(task).steps):
        network.train_on_batch(images, target)
    metric = its.task.metric(its.classes)
    engine = KerasEngine(network, its.head, "f32", batch=8)
    pairs = list(zip(case(task).truths, case(task).images, strict=True))
    for truth, _, answer in predict(engine, its.head, its.classes, its.letterbox, pairs):
        metric.add(truth, answer)
    assert next(iter(metric.result().values())) > 0.95


def test_draw_gives_a_new_image_and_leaves_the_old_one(task: str) -> None:
    its = recipe(task)
    image, truth = case(task).images[0], case(task).truths[0]
    before = image.copy()
    drawn = its.task.draw(image, truth)
    assert drawn.shape[2] == 3
    assert drawn.shape[0] * image.shape[1] == drawn.shape[1] * image.shape[0]
    assert (
        drawn.shape[0] % image.shape[0] == 0
    )  # a small image may be enlarged, so that words can be read
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, image)
    np.testing.assert_array_equal(image, before)


def test_the_resolved_recipe_reads_as_itself(task: str, tmp_path) -> None:
    from cvtasks.recipe.recipe import read_recipe

    its = recipe(task)
    its.save(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == its


def test_tuning_gives_the_same_task_with_a_valid_recipe(task: str) -> None:
    its = recipe(task)
    metric = its.task.metric(its.classes)
    assert its.task.tuned(metric) == its.task
    for truth in case(task).truths:
        metric.add(truth, truth)
    its.with_task(its.task.tuned(metric))
