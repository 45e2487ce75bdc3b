"""How well objects are followed through videos: CLEAR MOT, identity and HOTA, by the
package `trackeval`, which carries on the code of those who published HOTA.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cvtasks.errors import UsageError
from cvtasks.geometry.boxes import iou

_RATES = {
    "HOTA": "HOTA",
    "DetA": "DetA",
    "AssA": "AssA",
    "MOTA": "MOTA",
    "IDF1": "IDF1",
    "IDP": "identity precision",
    "IDR": "identity recall",
    "CLR_Pr": "precision",
    "CLR_Re": "recall",
}
_COUNTS = {
    "IDSW": "switches",
    "CLR_FP": "false positives",
    "CLR_FN": "misses",
    "MT": "mostly tracked",
    "ML": "mostly lost",
}
"""Names of the package → ours: numbers from 0 to 1 (MOTA also below 0), and counts."""


class Followed(Protocol):
    """The boxes of a video, as `cvtasks.formats.mot.Tracks` has them."""

    @property
    def frames(self) -> np.ndarray:
        """(n,) int64."""

    @property
    def numbers(self) -> np.ndarray:
        """(n,) int64: which object it is."""

    @property
    def xyxy(self) -> np.ndarray:
        """(n, 4) edges."""


@dataclass(frozen=True)
class TrackScores:
    """What is measured of several videos.

    Attributes:
        all: name of a number → it, over all videos together.
        each: name of the video → the same.
    """

    all: dict[str, float]
    each: dict[str, dict[str, float]]


def track_scores(pairs: Mapping[str, tuple[Followed, Followed]]) -> TrackScores:
    """Scores of videos, of each (what was found, the truth).

    A box is right where its IoU with the truth is 0.5 or more; HOTA is the mean over 0.05 to 0.95.

    Source: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance" (2008);
    Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking"
    (2016); Luiten et al., "HOTA" (2021).

    Raises:
        UsageError: the package is not there.
    """
    metrics = _metrics()
    measured: dict[str, list[dict[str, Any]]] = {
        name: [metric.eval_sequence(_sequence(*pair)) for metric in metrics]
        for name, pair in pairs.items()
    }
    together = [
        metric.combine_sequences({name: each[i] for name, each in measured.items()})
        for i, metric in enumerate(metrics)
    ]
    return TrackScores(_named(together), {name: _named(each) for name, each in measured.items()})


def _metrics() -> list[Any]:
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise UsageError(
            "tracks are scored by the package trackeval; it is not installed. Install it: "
            'pip install "cvtasks[tracks]"'
        ) from error
    quiet = {"PRINT_CONFIG": False}
    return [HOTA(), CLEAR(quiet), Identity(quiet)]


def _named(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    found = {name: value for result in results for name, value in result.items()}
    rates = {ours: float(np.mean(found[theirs])) for theirs, ours in _RATES.items()}
    return rates | {ours: int(found[theirs]) for theirs, ours in _COUNTS.items()}


def _sequence(found: Followed, truth: Followed) -> dict[str, Any]:
    """A video as the package wants it: frames, and objects numbered from 0."""
    frames = np.union1d(truth.frames, found.frames)
    truths, founds = _by_frame(truth, frames), _by_frame(found, frames)
    return {
        "num_timesteps": len(frames),
        "num_gt_dets": len(truth.frames),
        "num_tracker_dets": len(found.frames),
        "num_gt_ids": len(np.unique(truth.numbers)),
        "num_tracker_ids": len(np.unique(found.numbers)),
        "gt_ids": [numbers for numbers, _ in truths],
        "tracker_ids": [numbers for numbers, _ in founds],
        "similarity_scores": [iou(a, b) for (_, a), (_, b) in zip(truths, founds, strict=True)],
    }


def _by_frame(tracks: Followed, frames: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(numbers, boxes) of each frame."""
    numbers = np.unique(tracks.numbers, return_inverse=True)[1].reshape(-1)
    order = np.argsort(tracks.frames, kind="stable")
    cuts = np.searchsorted(tracks.frames[order], frames[1:])
    return [(numbers[of], tracks.xyxy[of]) for of in np.split(order, cuts)]
