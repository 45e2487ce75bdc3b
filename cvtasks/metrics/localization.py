"""How good the localization of one object an image is: ILSVRC's, which asks for the right class and
a box that fits.
"""

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.boxes import iou
from cvtasks.metrics.base import ByImage, Metric, check_alike, ratio
from cvtasks.metrics.detection import IOU
from cvtasks.metrics.detection_errors import BoxError, Kind

_GUESSES = 5


class LocationMetric(Metric[Boxes]):
    """Collects (truth, prediction) pairs, one class an image; everything is computed when it is
    asked for.

    A guess is right if it has the class of the image's objects and a box whose IoU with one of
    them, whichever it overlaps most, is at least 0.5. Top-1 accuracy asks whether the best guess is
    right, top-5 accuracy whether one of the five best is: one minus ILSVRC's error. Guesses of
    equal score are taken in the order in which they came. What is difficult or a crowd counts
    nowhere.

    Source: Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", 2015, section
    4.2: the error is the least over all instances of the class.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._images: list[
            tuple[Boxes, Boxes]
        ] = []  # objects of one class, and at most five guesses, the best first

    def add(self, truth: Boxes, prediction: Boxes) -> None:
        """Count one image; a prediction may have any number of boxes.

        Raises:
            ValueError: the truth has no object that counts, or some of several classes; the two
                have other classes than this metric, or images of different sizes; the size (0, 0),
                of who does not know, fits any.
        """
        check_alike(truth, prediction, self.classes)
        objects = truth.take(truth.counted)
        if len(set(objects.names)) != 1:
            named = f"of {', '.join(sorted(set(objects.names)))}" if len(objects) else "none"
            raise ValueError(
                "an image must have one object to be found, or several of one class; the truth "
                f"has {named}. Leave it out."
            )
        self._images.append(
            (objects, prediction.take(np.argsort(-prediction.scores, kind="stable")[:_GUESSES]))
        )

    def result(self) -> dict[str, float]:
        """Name → number from 0 to 1, the headline first; NaN where nothing was there to measure.

        "top-1 localization accuracy" and "top-5 localization accuracy"; "mean IoU where the class
        is right", that of the best guesses of the right class; "mean IoU", that of all best guesses
        whatever their class, 0 where there is none; "top-1 accuracy", that of the class alone.
        """
        return _numbers(*self._overlaps())

    def per_class(self) -> dict[str, dict[str, float]]:
        """Class → the same over the images whose objects are of it."""
        truth, (overlap, same) = self._labels()[0], self._overlaps()
        return {
            name: _numbers(overlap[truth == i], same[truth == i])
            for i, name in enumerate(self.classes)
        }

    def by_image(self) -> ByImage:
        """All numbers of `result` over any resample."""
        overlap, same = self._overlaps()
        right = same & (overlap >= IOU)
        best, alike = overlap[:, 0], same[:, 0]

        def numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
            total = counts.sum(axis=1)
            return {
                "top-1 localization accuracy": ratio(counts @ right[:, 0], total),
                "top-5 localization accuracy": ratio(counts @ right.any(axis=1), total),
                "mean IoU where the class is right": ratio(counts @ (best * alike), counts @ alike),
                "mean IoU": ratio(counts @ best, total),
                "top-1 accuracy": ratio(counts @ alike, total),
            }

        return ByImage(len(self._images), numbers, 6 * len(self._images))

    def coverage(self, thresholds: np.ndarray) -> tuple[list[int], list[float]]:
        """(t,) scores → how many images have a best guess of at least each (t,), and in how many of
        these it is right (t,).
        """
        overlap, same = self._overlaps()
        right = same[:, 0] & (overlap[:, 0] >= IOU)
        scores = np.array([guesses.scores.max(initial=-1) for _, guesses in self._images])
        shown = [scores >= least for least in thresholds.astype(np.float32)]
        return [int(row.sum()) for row in shown], [float(right[row].sum()) for row in shown]

    @property
    def confusion(self) -> np.ndarray:
        """(classes, classes + 1) int64 images; row = truth, column = class of the best guess, last
        = there is no guess.
        """
        matrix = np.zeros((len(self.classes), len(self.classes) + 1), np.int64)
        np.add.at(matrix, self._labels(), 1)
        return matrix

    def accuracy_by_iou(self, least: np.ndarray) -> tuple[list[float], list[float]]:
        """(t,) overlaps → share of the images (t,) whose best guess has at least each, and share
        (t,) where its class is right too; NaN where nothing was counted.
        """
        overlap, same = (rows[:, 0] for rows in self._overlaps())
        return (
            [_mean(overlap >= iou) for iou in least],
            [_mean(same & (overlap >= iou)) for iou in least],
        )

    def pair(self, image: int) -> tuple[Boxes, Boxes]:
        """The objects of the image that was added as the nth, from 0, and its guesses, the best
        first.
        """
        return self._images[image]

    def wrong(self, most: int) -> list[BoxError]:
        """The best guesses that are wrong, those with the highest scores, at most `most`; then
        images without any guess.

        What is of another class is "confused" with the object, what is of its own "poorly
        localized", however far off.
        """
        overlap, same = (rows[:, 0] for rows in self._overlaps())
        scores = np.array(
            [guesses.scores.max(initial=-1) for _, guesses in self._images], np.float32
        )
        wrong = np.flatnonzero(~(same & (overlap >= IOU)))
        found = []
        for i in wrong[np.argsort(-scores[wrong], kind="stable")][:most].tolist():
            truth, guesses = self._images[i]
            label = int(truth.labels[0])
            if not len(guesses):
                found.append(BoxError("missed", i, label, truth.xyxy[0], 1.0))
                continue
            kind: Kind = "poorly localized" if same[i] else "confused"
            guess = int(guesses.labels[0]), guesses.xyxy[0], float(guesses.scores[0])
            nearest = truth.xyxy[_iou(guesses, truth)[0].argmax()]
            found.append(BoxError(kind, i, *guess, label, nearest, 1.0, float(overlap[i])))
        return found

    def _labels(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) the class of each image's objects, and (n,) of its best guess, the number of classes
        where there is none.
        """
        rows = [
            (truth.labels[0], *guesses.labels[:1], len(self.classes))[:2]
            for truth, guesses in self._images
        ]
        truth, called = np.array(rows, np.int64).reshape(-1, 2).T
        return truth, called

    def _overlaps(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, 5) float64 largest IoU of each guess with an object, 0 without a guess; (n, 5) bool,
        whether its class is right.
        """
        overlap = np.zeros((len(self._images), _GUESSES))
        same = np.zeros(overlap.shape, bool)
        for i, (truth, guesses) in enumerate(self._images):
            overlap[i, : len(guesses)] = _iou(guesses, truth).max(axis=1)
            same[i, : len(guesses)] = guesses.labels == truth.labels[0]
        return overlap, same


def _iou(guesses: Boxes, truth: Boxes) -> np.ndarray:
    """(guesses, objects) float64."""
    return iou(guesses.xyxy.astype(np.float64), truth.xyxy.astype(np.float64))


def _numbers(overlap: np.ndarray, same: np.ndarray) -> dict[str, float]:
    """(n, 5) IoU of the guesses with the nearest object, (n, 5) bool whether their class is right →
    `LocationMetric.result`.
    """
    right = same & (overlap >= IOU)
    return {
        "top-1 localization accuracy": _mean(right[:, 0]),
        "top-5 localization accuracy": _mean(np.asarray(right.any(axis=1))),
        "mean IoU where the class is right": _mean(overlap[same[:, 0], 0]),
        "mean IoU": _mean(overlap[:, 0]),
        "top-1 accuracy": _mean(same[:, 0]),
    }


def _mean(numbers: np.ndarray) -> float:
    return float(np.mean(numbers)) if numbers.size else float("nan")
