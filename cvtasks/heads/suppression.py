"""Boxes that a head has found, thinned out; and which of an answer's boxes somebody means."""

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import UsageError
from cvtasks.geometry.boxes import areas, clip, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.tasks.base import Classes


def thinned(
    placed: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    letterbox: Letterbox,
    classes: Classes,
    *,
    overlap: float,
    most: int,
) -> Boxes:
    """Boxes in pixels of the image, best score first: the parts that lie in it, without those that
    a better one of their class covers.

    Args:
        placed: (n, 4) left, top, right, bottom in pixels of the network input.
        labels, scores: (n,).
        overlap: IoU, 0 to 1, from which on a better box suppresses another.
        most: boxes that are kept, at most.
    """
    xyxy, kept = left(placed, labels, scores, letterbox, overlap=overlap, most=most)
    return Boxes.of(xyxy, labels[kept], classes, letterbox.size, scores=scores[kept])


def left(
    placed: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    letterbox: Letterbox,
    *,
    overlap: float,
    most: int,
) -> tuple[np.ndarray, np.ndarray]:
    """What `thinned` leaves: (k, 4) the boxes in pixels of the image, and (k,) which they are."""
    xyxy = clip(letterbox.boxes_to_image(placed), letterbox.size)
    real = np.flatnonzero(areas(xyxy) > 0)
    kept = real[nms(xyxy[real], scores[real], labels[real], overlap, most)]
    return xyxy[kept], kept


def meant(boxes: Boxes, kind: str, number: int) -> int:
    """The index of the box that is meant, by kind and number as of `Head.score`.

    Raises:
        UsageError: the answer has none such.
    """
    if not len(boxes):
        raise UsageError(
            "a target must be in the answer; this one is empty: no object is sure enough. Lower "
            "the threshold, or take another image."
        )
    if kind == "class":
        own = np.flatnonzero(boxes.labels == number)
        if not len(own):
            there = ", ".join(dict.fromkeys(boxes.names))
            raise UsageError(
                f'a target must be in the answer; no "{boxes.classes[number]}" was found, only '
                f"{there}. Lower the threshold, or choose one of these."
            )
        return int(own[boxes.scores[own].argmax()])
    chosen = number if kind else int(boxes.scores.argmax())
    if chosen >= len(boxes):
        raise UsageError(
            f"a target must be in the answer, whose boxes are box:0 to box:{len(boxes) - 1}; got "
            f"box:{chosen}. Lower the threshold to have more."
        )
    return chosen
