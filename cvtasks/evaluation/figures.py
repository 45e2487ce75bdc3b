"""Figures of a result: curves, tables and the worst errors, from what a metric has counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import cast

import cv2
import numpy as np

from cvtasks.answers import Instances
from cvtasks.drawing.error_tiles import (
    PREDICTED,
    TRUTH,
    captioned,
    contact_sheet,
    error_tile,
    side_by_side,
)
from cvtasks.drawing.instances import outlined
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
from cvtasks.metrics.instances import InstancesMetric
from cvtasks.metrics.localization import LocationMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.metrics.segmentation import MaskMetric

_BOXES = 16  # errors of a sort in the gallery, where they are boxes
_IMAGES = 12  # and where they are whole images
_MASKS = 8  # and where each is shown three times
_SUREST, _LOST = "The surest false positives", "Classes that were missed, the least sure first"
_OF_A_CLASS = ("top-1 localization accuracy", "top-1 accuracy")  # that are drawn

ImageOf = Callable[[int], tuple[str, np.ndarray]]
"""Name and image (h, w, 3) uint8 RGB of the nth image that a metric was given, from 0."""

Figures = Iterator[tuple[str, np.ndarray]]
"""Names of files, some in a folder, and the images (h, w, 3) uint8 RGB to be written there."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images with errors of one sort.

    Attributes:
        name: of the file that shows them all, without its ending.
        title: what they are.
        tiles: the images (h, w, 3) uint8 RGB, all of one size, each with what it shows in words.
        colours: whether boxes are drawn in them, in the two colours that are explained.
        single: whether each has a file of its own too.
    """

    name: str
    title: str
    tiles: Sequence[tuple[np.ndarray, str]]
    colours: bool = False
    single: bool = False


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a metric has counted, drawn: name of a file → plot (h, w, 3) uint8 RGB, and errors."""

    plots: Mapping[str, np.ndarray]
    galleries: Sequence[Gallery] = ()

    def files(self) -> Figures:
        """All of it as files."""
        yield from self.plots.items()
        for gallery in self.galleries:
            images = [image for image, _ in gallery.tiles]
            if gallery.single:
                for number, image in enumerate(images, start=1):
                    yield f"errors/{gallery.name}-{number:02d}.jpg", image
            if images:
                yield f"{gallery.name}.jpg", contact_sheet(images, gallery.colours)


def figures(metric: Metric, image_of: ImageOf) -> Figures:
    """Draw what a metric has counted, as files."""
    return drawn(metric, image_of).files()


@singledispatch
def drawn(metric: Metric, image_of: ImageOf) -> Drawn:
    """Draw what a metric has counted; reads no more images than it shows.

    A metric that has no figures of its own below is drawn as the bars of its classes.
    """
    return Drawn({"classes.png": class_bars(metric.per_class())})


@drawn.register
def _(metric: AccuracyMetric, image_of: ImageOf) -> Drawn:
    plots = {
        "confusion.png": matrix(metric.confusion, metric.classes, metric.classes, "images"),
        "classes.png": class_bars(metric.per_class()),
    }
    tiles = []
    for error in metric.wrong(_IMAGES):
        name, image = image_of(error.image)
        said, shown = metric.classes[error.label], metric.classes[error.truth[0]]
        first = f"{said} {error.score:.2f}: it is {shown}"
        second = f"{error.truth_score:.2f} for the truth - {name}"
        tiles.append((captioned(image, first, second), f"{first}; {second}"))
    return Drawn(plots, [Gallery("worst", "The surest wrong answers", tiles)])


@drawn.register
def _(metric: MultiLabelMetric, image_of: ImageOf) -> Drawn:
    curves = {name: curve for name, curve in metric.curves().items() if curve.objects}
    threshold, _ = metric.best_threshold()
    areas = {name: area_ap(curve.precision, curve.recall) for name, curve in curves.items()}
    f1 = {name: curve.f1(THRESHOLDS) for name, curve in curves.items()}
    plots = {
        "pr-curves.png": precision_recall_curves(curves, areas, "VOC2012 multi-label mAP", ""),
        "f1-curve.png": f1_curves(f1, THRESHOLDS, threshold, ""),
        "classes.png": class_bars(metric.per_class()),
    }
    wrong = _label_tiles(metric.false_positives(threshold, _IMAGES), metric.classes, image_of)
    lost = _label_tiles(metric.missed(threshold, _IMAGES), metric.classes, image_of)
    return Drawn(
        plots, [Gallery("false-positives", _SUREST, wrong), Gallery("missed", _LOST, lost)]
    )


@drawn.register
def _(metric: BoxesMetric, image_of: ImageOf) -> Drawn:
    def tile(error: BoxError, threshold: float) -> tuple[np.ndarray, str]:
        truth, prediction = metric.pair(error.image)
        shown = prediction.xyxy[prediction.scores >= threshold]
        return _box_tile(error, metric.classes, truth.xyxy, shown, image_of)

    return _of_objects(metric, "mean VOC2012 area AP@0.5", " at IoU 0.5", tile)


@drawn.register
def _(metric: InstancesMetric, image_of: ImageOf) -> Drawn:
    def tile(error: BoxError, threshold: float) -> tuple[np.ndarray, str]:
        truth, prediction = (cast(Instances, one) for one in metric.pair(error.image))
        shown = prediction.take(prediction.scores >= threshold)

        def outlined_image(number: int) -> tuple[str, np.ndarray]:
            name, image = image_of(number)
            return name, outlined(outlined(image, truth, TRUTH), shown, PREDICTED, dashed=True)

        none = np.zeros((0, 4), np.float32)
        return _box_tile(error, metric.classes, none, none, outlined_image)

    return _of_objects(metric, "mean VOC AP^r@0.5", " at IoU 0.5 of masks", tile)


def _of_objects(
    metric: BoxesMetric,
    scored: str,
    at: str,
    tile: Callable[[BoxError, float], tuple[np.ndarray, str]],
) -> Drawn:
    """What is drawn of objects, whatever makes them right.

    Args:
        scored: what the mean of the areas below the curves is called.
        at: what makes a prediction right, for the axes.
        tile: an error and the threshold of what is shown → its tile, and what that shows.
    """
    curves = {name: curve for name, curve in metric.curves().items() if curve.objects}
    threshold, _ = metric.best_threshold()
    areas = {name: area_ap(curve.precision, curve.recall) for name, curve in curves.items()}
    f1 = {name: curve.f1(THRESHOLDS) for name, curve in curves.items()}
    names = (*metric.classes, "background")
    title = f"objects at scores from {threshold:.2f}"
    plots = {
        "pr-curves.png": precision_recall_curves(curves, areas, scored, at),
        "f1-curve.png": f1_curves(f1, THRESHOLDS, threshold, at),
        "confusion.png": matrix(metric.confusion(threshold), names, names, title),
    }
    galleries = [
        Gallery(file, title, [tile(one, threshold) for one in errors], colours=True, single=True)
        for file, title, errors in (
            ("false-positives", _SUREST, metric.false_positives(_BOXES)),
            ("missed", "The largest objects that were missed", metric.missed(threshold, _BOXES)),
        )
    ]
    return Drawn(plots, galleries)


@drawn.register
def _(metric: LocationMetric, image_of: ImageOf) -> Drawn:
    names = (*metric.classes, "nothing")
    rows = metric.per_class()
    bars = {name: {key: row[key] for key in _OF_A_CLASS} for name, row in rows.items()}
    box, both = metric.accuracy_by_iou(THRESHOLDS)
    shares = {"the best guess's box": box, "its box and its class": both}
    across, up = "least IoU with an object", "share of the images"
    plots = {
        "confusion.png": matrix(metric.confusion, metric.classes, names, "best guesses"),
        "classes.png": class_bars(bars),
        "iou-curve.png": share_curves(THRESHOLDS, shares, across, up, IOU),
    }
    tiles = []
    for error in metric.wrong(_BOXES):
        truth, guesses = metric.pair(error.image)
        tiles.append(_box_tile(error, metric.classes, truth.xyxy, guesses.xyxy[:1], image_of))
    return Drawn(plots, [Gallery("worst", "The surest wrong answers", tiles, colours=True)])


@drawn.register
def _(metric: MaskMetric, image_of: ImageOf) -> Drawn:
    columns = (*metric.classes, "void")
    plots = {
        "confusion.png": matrix(metric.confusion, metric.classes, columns, "pixels"),
        "classes.png": class_bars(metric.per_class()),
    }
    tiles = []
    for error in metric.worst(_MASKS):
        name, image = image_of(error.image)
        size = error.truth.size[::-1]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        panels = {
            "image": small,
            "truth": error.truth.draw(small),
            "prediction": error.prediction.draw(small),
        }
        caption = f"mean IoU {error.iou:.2f} - {name}"
        tiles.append((side_by_side(panels, caption), caption))
    return Drawn(plots, [Gallery("worst", "The images with the lowest mean IoU", tiles)])


def _label_tiles(
    errors: Sequence[LabelError], classes: tuple[str, ...], image_of: ImageOf
) -> list[tuple[np.ndarray, str]]:
    tiles = []
    for error in errors:
        name, image = image_of(error.image)
        truth = ", ".join(classes[label] for label in error.truth) or "none of the classes"
        caption = f"{classes[error.label]} {error.score:.2f}: it shows {truth}"
        tiles.append((captioned(image, caption, name), f"{caption}; {name}"))
    return tiles


def _box_tile(
    error: BoxError,
    classes: tuple[str, ...],
    truth: np.ndarray,
    prediction: np.ndarray,
    image_of: ImageOf,
) -> tuple[np.ndarray, str]:
    """The tile of an error, and what it shows; `truth` and `prediction` (n, 4) are all boxes of its
    image.
    """
    name, image = image_of(error.image)
    first, second = _box_caption(error, classes)
    caption = (first, f"{second}{name}")
    missed = error.kind == "missed"
    tile = error_tile(image, caption, error.xyxy, error.other_xyxy, truth, prediction, missed)
    return tile, "; ".join(caption)


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
