"""Boxes of tiles put together, against a detector that finds in each tile what shows there."""

import numpy as np
import pytest

from cvtasks.geometry.boxes import clip, intersections, iou
from cvtasks.geometry.seams import joined
from cvtasks.geometry.tiles import Tiles

SIZE = (700, 900)


def scene(
    rng: np.random.Generator, sides: tuple[int, int], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) that do not touch, and their classes."""
    found: list[np.ndarray] = []
    for _ in range(count):
        wide, tall = rng.integers(*sides, size=2)
        x, y = rng.integers(0, SIZE[1] - wide), rng.integers(0, SIZE[0] - tall)
        box = np.array([x, y, x + wide, y + tall], np.float32)
        far = box + np.array([-4, -4, 4, 4], np.float32)
        if not found or not intersections(far[None], np.array(found)).any():
            found.append(box)
    return np.array(found), rng.integers(0, 2, len(found))


def seen(
    rng: np.random.Generator, truth: np.ndarray, labels: np.ndarray, spec: str, noise: float
) -> tuple[np.ndarray, ...]:
    """What a detector finds: in each tile the part of each object that shows, edges off by some
    pixels, but for slivers.
    """
    boxes, names, scores, tiles = [], [], [], []
    for tile in Tiles.read(spec).of(SIZE, (160, 160)):
        edges = np.array(tile.edges, np.float32)
        for box, label in zip(truth, labels, strict=True):
            part = np.concatenate([np.maximum(box[:2], edges[:2]), np.minimum(box[2:], edges[2:])])
            if (part[2:] - part[:2]).min() < 5 or (tile.least and max(box[2:] - box[:2]) < 32):
                continue
            part = clip(part[None] + rng.normal(0, noise, (1, 4)).astype(np.float32), SIZE)[0]
            part = np.concatenate(
                [np.maximum(part[:2], edges[:2]), np.minimum(part[2:], edges[2:])]
            )
            boxes.append(part)
            names.append(label)
            scores.append(rng.uniform(0.5, 1))
            tiles.append(edges)
    return np.array(boxes), np.array(names), np.array(scores, np.float32), np.array(tiles)


@pytest.mark.parametrize(
    ("sides", "spec"),
    [
        ((10, 30), "160x160"),
        ((10, 30), "auto"),
        ((30, 120), "160x160"),
        ((30, 120), "auto"),
        ((100, 400), "160x160"),
        ((100, 400), "auto"),
        ((40, 300), "160x200:0.4"),
    ],
)
def test_each_object_comes_once_however_tiles_cut_it(sides: tuple[int, int], spec: str) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        truth, labels = scene(rng, sides, 60)
        boxes, names, scores, tiles = seen(rng, truth, labels, spec, noise=0.7)
        found = joined(boxes, names, scores, tiles, SIZE, 0.55)
        overlap = iou(found.xyxy, truth)
        assert len(found.xyxy) == len(truth), (seed, len(found.xyxy), len(truth))
        assert (overlap.max(axis=0) > 0.6).all(), seed
        assert (np.diff(found.scores) <= 0).all()
        assert all(len({names[one] for one in group}) == 1 for group in found.members)


def test_small_objects_close_to_each_other_stay_apart_where_a_seam_passes() -> None:
    truth = np.array([[x, y, x + 14, y + 14] for x in range(100, 200, 16) for y in (90, 106, 122)])
    labels = np.zeros(len(truth), int)
    rng = np.random.default_rng(0)
    boxes, names, scores, tiles = seen(rng, truth.astype(np.float32), labels, "160x160", 0.3)
    assert len(joined(boxes, names, scores, tiles, SIZE, 0.55).xyxy) == len(truth)


def test_a_part_within_an_object_of_another_class_stays() -> None:
    tiles = np.array([[0, 0, 100, 100], [80, 0, 180, 100]], np.float32)
    boxes = np.array([[60, 20, 100, 60], [85, 10, 130, 70]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    found = joined(boxes, np.array([0, 1]), scores, tiles, (100, 180), 0.55)
    assert len(found.xyxy) == 2


def test_no_boxes_are_no_objects() -> None:
    nothing = np.zeros((0, 4), np.float32)
    found = joined(nothing, np.zeros(0, int), np.zeros(0, np.float32), nothing, SIZE, 0.5)
    assert found.members == ()
    assert found.xyxy.shape == (0, 4)
