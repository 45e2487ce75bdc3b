"""Figures of a result: curves, tables and the worst errors, from what a metric has counted."""

from collections.abc import Callable, Iterator, Sequence
from functools import singledispatch

import numpy as np

from cvtasks.drawing.error_tiles import captioned, contact_sheet, error_tile
from cvtasks.drawing.plots import (
    class_bars,
    f1_curves,
    matrix,
    precision_recall_curves,
    share_curves,
)
from cvtasks.metrics.average_precision import THRESHOLDS, area_ap
from cvtasks.metrics.base import Metric
from cvtasks.metrics.classification import AccuracyMetric, LabelError
from cvtasks.metrics.detection import IOU, BoxesMetric
from cvtasks.metrics.detection_errors import BoxError
from cvtasks.metrics.localization import LocationMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.metrics.segmentation import MaskMetric

_BOXES = 16  # errors of a sort in the gallery, where they are boxes
_IMAGES = 12  # and where they are whole images
_OF_A_CLASS = ("top-1 localization accuracy", "top-1 accuracy")  # that are drawn

ImageOf = Callable[[int], tuple[str, np.ndarray]]
"""Name and image (h, w, 3) uint8 RGB of the nth image that a metric was given, from 0."""

Figures = Iterator[tuple[str, np.ndarray]]
"""Names of files, some in a folder, and the images (h, w, 3) uint8 RGB to be written there."""


@singledispatch
def figures(metric: Metric, image_of: ImageOf) -> Figures:
    """Draw what a metric has counted; reads no more images than it shows.

    A metric that has no figures of its own below is drawn as the bars of its classes.
    """
    yield "classes.png", class_bars(metric.per_class())


@figures.register
def _(metric: AccuracyMetric, image_of: ImageOf) -> Figures:
    yield "confusion.png", matrix(metric.confusion, metric.classes, metric.classes, "images")
    yield "classes.png", class_bars(metric.per_class())
    errors = metric.wrong(_IMAGES)
    tiles = []
    for error in errors:
        name, image = image_of(error.image)
        said, shown = metric.classes[error.label], metric.classes[error.truth[0]]
        caption = f"{said} {error.score:.2f}: it is {shown}"
        tiles.append(captioned(image, caption, f"{error.truth_score:.2f} for the truth - {name}"))
    if tiles:
        yield "worst.jpg", contact_sheet(tiles)


@figures.register
def _(metric: MultiLabelMetric, image_of: ImageOf) -> Figures:
    curves = {name: curve for name, curve in metric.curves().items() if curve.objects}
    threshold, _ = metric.best_threshold()
    areas = {name: area_ap(curve.precision, curve.recall) for name, curve in curves.items()}
    yield "pr-curves.png", precision_recall_curves(curves, areas, "VOC2012 multi-label mAP", "")
    f1 = {name: curve.f1(THRESHOLDS) for name, curve in curves.items()}
    yield "f1-curve.png", f1_curves(f1, THRESHOLDS, threshold, "")
    yield "classes.png", class_bars(metric.per_class())
    for title, errors in (
        ("false-positives", metric.false_positives(threshold, _IMAGES)),
        ("missed", metric.missed(threshold, _IMAGES)),
    ):
        if errors:
            yield f"{title}.jpg", contact_sheet(_label_tiles(errors, metric.classes, image_of))


@figures.register
def _(metric: BoxesMetric, image_of: ImageOf) -> Figures:
    curves = {name: curve for name, curve in metric.curves().items() if curve.objects}
    threshold, _ = metric.best_threshold()
    areas = {name: area_ap(curve.precision, curve.recall) for name, curve in curves.items()}
    yield "pr-curves.png", precision_recall_curves(curves, areas)
    f1 = {name: curve.f1(THRESHOLDS) for name, curve in curves.items()}
    yield "f1-curve.png", f1_curves(f1, THRESHOLDS, threshold)
    names = (*metric.classes, "background")
    title = f"objects at scores from {threshold:.2f}"
    yield "confusion.png", matrix(metric.confusion(threshold), names, names, title)
    for title, errors in (
        ("false-positives", metric.false_positives(_BOXES)),
        ("missed", metric.missed(threshold, _BOXES)),
    ):
        tiles = []
        for number, error in enumerate(errors, start=1):
            truth, prediction = metric.pair(error.image)
            shown = prediction.xyxy[prediction.scores >= threshold]
            tiles.append(_box_tile(error, metric.classes, truth.xyxy, shown, image_of))
            yield f"errors/{title}-{number:02d}.jpg", tiles[-1]
        if tiles:
            yield f"{title}.jpg", contact_sheet(tiles, colours=True)


@figures.register
def _(metric: LocationMetric, image_of: ImageOf) -> Figures:
    names = (*metric.classes, "nothing")
    yield "confusion.png", matrix(metric.confusion, metric.classes, names, "best guesses")
    rows = metric.per_class()
    bars = {name: {key: row[key] for key in _OF_A_CLASS} for name, row in rows.items()}
    yield "classes.png", class_bars(bars)
    box, both = metric.accuracy_by_iou(THRESHOLDS)
    shares = {"the best guess's box": box, "its box and its class": both}
    across, up = "least IoU with an object", "share of the images"
    yield "iou-curve.png", share_curves(THRESHOLDS, shares, across, up, IOU)
    tiles = []
    for error in metric.wrong(_BOXES):
        truth, guesses = metric.pair(error.image)
        tiles.append(_box_tile(error, metric.classes, truth.xyxy, guesses.xyxy[:1], image_of))
    if tiles:
        yield "worst.jpg", contact_sheet(tiles, colours=True)


@figures.register
def _(metric: MaskMetric, image_of: ImageOf) -> Figures:
    columns = (*metric.classes, "void")
    yield "confusion.png", matrix(metric.confusion, metric.classes, columns, "pixels")


def _label_tiles(
    errors: Sequence[LabelError], classes: tuple[str, ...], image_of: ImageOf
) -> list[np.ndarray]:
    tiles = []
    for error in errors:
        name, image = image_of(error.image)
        truth = ", ".join(classes[label] for label in error.truth) or "none of the classes"
        caption = f"{classes[error.label]} {error.score:.2f}: it shows {truth}"
        tiles.append(captioned(image, caption, name))
    return tiles


def _box_tile(
    error: BoxError,
    classes: tuple[str, ...],
    truth: np.ndarray,
    prediction: np.ndarray,
    image_of: ImageOf,
) -> np.ndarray:
    """The tile of an error; `truth` and `prediction` (n, 4) are all boxes of its image."""
    name, image = image_of(error.image)
    first, second = _box_caption(error, classes)
    caption = (first, f"{second}{name}")
    missed = error.kind == "missed"
    return error_tile(image, caption, error.xyxy, error.other_xyxy, truth, prediction, missed)


def _box_caption(error: BoxError, classes: tuple[str, ...]) -> tuple[str, str]:
    """What is wrong, and how far the nearest thing is."""
    name = classes[error.label]
    other = classes[error.other_label] if error.other_xyxy is not None else ""
    if error.kind == "missed":
        if not other:
            return f"missed {name}", "nothing found there - "
        near = f"nearest: {other} {error.other_score:.2f}, IoU {error.iou:.2f} - "
        return f"missed {name}", near
    near = f"IoU {error.iou:.2f} with {other} - " if other else ""
    words = {"confused": f"it is a {other}", "background": "nothing such is there"}
    return f"{name} {error.score:.2f}: {words.get(error.kind, error.kind)}", near
