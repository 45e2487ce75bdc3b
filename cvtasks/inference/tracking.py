"""Tracking: the boxes of one frame after another get numbers, the same for an object that stays.

Source: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box" (2022).
"""

from dataclasses import replace

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.boxes import iou
from cvtasks.inference.motion import Motion

LOW = 0.1
"""Score from which on a box can be that of an object which is followed already."""

_SURE_IOU, _UNSURE_IOU = 0.2, 0.5  # of a box and where its object is expected, at least


class Tracker:
    """The objects of one video. Call it with each frame's boxes, in order.

    Boxes go to the objects that are followed by their overlap with where these are expected, those
    of a class alone, so that the sum of all is greatest: first the boxes above the threshold, then,
    for objects that were there in the frame before, those below, which the threshold alone would
    lose in a shadow or behind something. A box above the threshold that is nobody's begins a track.

    Time counts, not frames: rates may vary, and frames be missing.

    Args:
        threshold: the least score of a box that begins a track, 0 to 1.
        low: the least score of one that goes on with it.
        patience_s: seconds for which an object may be out of sight; or for the time of a frame.
    """

    def __init__(self, threshold: float, low: float = LOW, patience_s: float = 1.0) -> None:
        self._threshold, self._low, self._patience_s = threshold, min(low, threshold), patience_s
        self._motion = Motion.begun(np.zeros((0, 4)))
        self._numbers = self._labels = np.zeros(0, np.int64)
        self._seen_s = np.zeros(0)
        self._begun, self._now_s = 0, 0.0

    def __call__(self, found: Boxes, time_s: float) -> Boxes:
        """The boxes that are followed, in their order, with their tracks.

        Args:
            found: the boxes of a frame, also those below the threshold.
            time_s: when it was taken, in seconds; it rises.
        """
        lost = self._seen_s < self._now_s
        kept = ~lost | (time_s - self._seen_s <= self._patience_s)
        self._keep(kept)
        lost = lost[kept]
        self._motion = self._motion.after(max(0.0, time_s - self._now_s), lost)
        self._now_s = time_s
        sure = found.scores >= self._threshold
        unsure = ~sure & (found.scores >= self._low)
        tracks = np.full(len(found), -1, np.int64)  # of each box, its place in what is followed
        self._match(found, tracks, np.flatnonzero(sure), np.arange(len(lost)), _SURE_IOU)
        left = np.setdiff1d(np.flatnonzero(~lost), tracks)
        self._match(found, tracks, np.flatnonzero(unsure), left, _UNSURE_IOU)
        self._look(found, tracks)
        numbers = np.where(tracks >= 0, self._numbers_of(tracks), -1)
        fresh = np.flatnonzero(sure & (tracks < 0))
        numbers[fresh] = self._begin(found.take(fresh))
        there = numbers >= 0
        return replace(found.take(there), tracks=numbers[there])

    def _match(
        self, found: Boxes, tracks: np.ndarray, boxes: np.ndarray, free: np.ndarray, least: float
    ) -> None:
        """Note in `tracks` which of the `free` tracks some of the boxes are of."""
        if not len(boxes) or not len(free):
            return
        from scipy.optimize import linear_sum_assignment

        overlap = iou(self._motion.xyxy[free], found.xyxy[boxes])
        same = self._labels[free][:, None] == found.labels[boxes][None]
        overlap = np.where(same & (overlap >= least), overlap, 0)
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        good = overlap[rows, columns] > 0
        tracks[boxes[columns[good]]] = free[rows[good]]

    def _look(self, found: Boxes, tracks: np.ndarray) -> None:
        """Put right where the objects are that were found."""
        boxes = np.flatnonzero(tracks >= 0)
        places = tracks[boxes]
        seen = self._motion.take(places).seen(found.xyxy[boxes])
        others = np.setdiff1d(np.arange(len(self._numbers)), places)
        order = np.argsort(np.concatenate([places, others]), kind="stable")
        self._motion = seen.joined(self._motion.take(others)).take(order)
        self._seen_s[places] = self._now_s

    def _numbers_of(self, tracks: np.ndarray) -> np.ndarray:
        """(n,) int64: the numbers of tracks; any where there is none."""
        return self._numbers[tracks] if len(self._numbers) else tracks

    def _begin(self, found: Boxes) -> np.ndarray:
        """Follow further objects; returns their numbers."""
        numbers = self._begun + 1 + np.arange(len(found))
        self._begun += len(found)
        self._motion = self._motion.joined(Motion.begun(found.xyxy))
        self._numbers = np.concatenate([self._numbers, numbers])
        self._labels = np.concatenate([self._labels, found.labels])
        self._seen_s = np.concatenate([self._seen_s, np.full(len(found), self._now_s)])
        return numbers

    def _keep(self, kept: np.ndarray) -> None:
        """Follow no other objects than these, (n,) bool."""
        self._motion = self._motion.take(kept)
        self._numbers, self._labels = self._numbers[kept], self._labels[kept]
        self._seen_s = self._seen_s[kept]
