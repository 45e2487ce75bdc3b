"""Answers and truths made up at random, of every kind that a metric counts. For tests only."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cvtasks.answers import VOID, Boxes, Instances, Labels, Mask
from cvtasks.metrics.base import Metric
from cvtasks.metrics.classification import AccuracyMetric
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.metrics.instances import InstancesMetric
from cvtasks.metrics.localization import LocationMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.metrics.segmentation import MaskMetric

CLASSES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")
SIZE = (100, 120)
Pairs = list[tuple]


def some_boxes(random: np.random.Generator, count: int) -> np.ndarray:
    corner = random.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + random.uniform(15, 40, (count, 2))], axis=1)


def a_detection(random: np.random.Generator) -> tuple[Boxes, Boxes]:
    """Objects, some difficult, some crowds, and predictions near them and anywhere."""
    count = int(random.integers(0, 5))
    xyxy, labels = some_boxes(random, count), random.integers(0, 3, count)
    truth = Boxes.of(xyxy, labels, CLASSES, SIZE)
    kind = random.integers(0, 10, count)
    truth = replace(truth, difficult=kind == 0, crowd=kind == 1)
    near = np.repeat(np.arange(count), random.integers(0, 4, count))
    moved = xyxy[near] + random.normal(0, 2.5, (len(near), 4))
    other = some_boxes(random, int(random.integers(0, 4)))
    found = np.concatenate([moved, other]).reshape(-1, 4)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    said = np.concatenate([labels[near], random.integers(0, 3, len(other))]).astype(int)
    scores = random.uniform(0.01, 1, len(found))
    return truth, Boxes.of(found, said, CLASSES, SIZE, scores=scores)


def some_instances(random: np.random.Generator) -> tuple[Instances, Instances]:
    """The objects of `a_detection` as ellipses, some of the predictions without a pixel."""
    truth, found = a_detection(random)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5

    def masked(boxes: Boxes) -> Instances:
        planes = []
        for left, top, right, bottom in boxes.xyxy.tolist():
            x, y = (left + right) / 2, (top + bottom) / 2
            away = ((columns - x) / (x - left)) ** 2 + ((rows - y) / (y - top)) ** 2
            planes.append(away <= 1)
        return Instances.of(
            planes,
            boxes.labels,
            CLASSES,
            SIZE,
            scores=boxes.scores,
            difficult=boxes.difficult,
            crowd=boxes.crowd,
        )

    return masked(truth), masked(found)


def a_place(random: np.random.Generator) -> tuple[Boxes, Boxes]:
    label = int(random.integers(0, 4))
    xyxy = some_boxes(random, 1)
    truth = Boxes.of(xyxy, [label], CLASSES, SIZE)
    count = int(random.integers(0, 7))
    found = np.repeat(xyxy, count, axis=0) + random.normal(0, 3, (count, 4))
    said = np.where(random.random(count) < 0.6, label, random.integers(0, 4, count))
    scores = random.random(count)
    return truth, Boxes.of(found, said, CLASSES, SIZE, scores=scores)


def one_label(random: np.random.Generator) -> tuple[Labels, Labels]:
    scores = random.integers(0, 5, len(CLASSES)).astype(np.float32) / 10  # with ties
    return Labels.of([int(random.integers(0, 4))], CLASSES), replace(
        Labels.of([], CLASSES), scores=scores
    )


def some_labels(random: np.random.Generator) -> tuple[Labels, Labels]:
    shown = np.flatnonzero(random.random(len(CLASSES)) < 0.3)
    truth = replace(Labels.of(shown.tolist(), CLASSES), difficult=random.random(len(CLASSES)) < 0.1)
    scores = random.integers(0, 6, len(CLASSES)).astype(np.float32) / 10
    return truth, replace(Labels.of([], CLASSES), scores=scores)


def a_mask(random: np.random.Generator) -> tuple[Mask, Mask]:
    ids = np.repeat(random.integers(0, 5, (6, 1)), 8, axis=1).astype(np.uint8)
    ids[0, : random.integers(0, 8)] = VOID
    found = np.where(random.random(ids.shape) < 0.3, random.integers(0, 6, ids.shape), ids)
    return Mask(ids, CLASSES), Mask(found.astype(np.uint8), CLASSES)


KINDS: dict[str, tuple[Callable[..., Metric], Callable[[np.random.Generator], tuple]]] = {
    "boxes": (BoxesMetric, a_detection),
    "instances": (InstancesMetric, some_instances),
    "places": (LocationMetric, a_place),
    "one label": (AccuracyMetric, one_label),
    "labels": (MultiLabelMetric, some_labels),
    "masks": (MaskMetric, a_mask),
}


def some(kind: str, images: int, seed: int = 0) -> tuple[Metric, Pairs]:
    """A metric that has counted so many images, and these."""
    random = np.random.default_rng(seed)
    pairs = [KINDS[kind][1](random) for _ in range(images)]
    return counted(kind, pairs), pairs


def counted(kind: str, pairs: Pairs) -> Metric:
    metric = KINDS[kind][0](CLASSES)
    for pair in pairs:
        metric.add(*pair)
    return metric
