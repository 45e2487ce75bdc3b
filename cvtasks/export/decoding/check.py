"""Whether a file that answers by itself says what the model's outputs are decoded to."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cvtasks.answers import Boxes, Instances, Mask
from cvtasks.engines.base import Engine
from cvtasks.export.base import Run
from cvtasks.export.differences import Bounds, Differences, differences_of
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.rle import part_rle
from cvtasks.recipe.recipe import Recipe

_HALF = 0.5  # of a mask's share: there the object begins


def compare_answers(
    run: Run,
    reference: Engine,
    recipe: Recipe,
    images: Iterable[np.ndarray],
    bounds: Bounds,
    threshold: float,
) -> Differences:
    """How far the answers of a file are from those decoded, on the network inputs of images.

    Args:
        run: the file: (1, H, W, 3) float32 → its outputs by name (`answer_graph`).
        reference: the model.
        images: (h, w, 3) uint8 RGB, prepared as the task wants them.
        threshold: that the file was made with.
    """
    head: Any = recipe.head
    if hasattr(head, "min_score"):  # at the threshold rounding decides as it does there
        head = replace(head, min_score=max(head.min_score, threshold))
    found = differences_of(recipe.task.answer)(head, bounds)
    inputs = [recipe.letterbox(image.shape[:2]).to_input(image) for image in images]
    letterbox = Letterbox(recipe.input_size, recipe.input_size)
    for image, output in zip(inputs, reference.stream(inputs), strict=True):
        ours = recipe.head.decode(output, letterbox, recipe.classes, threshold)
        theirs = run(np.ascontiguousarray(image[None], np.float32))
        found.add(ours, answer_of(theirs, recipe))
    return found


def answer_of(outputs: Mapping[str, Any], recipe: Recipe) -> Boxes | Instances | Mask:
    """Outputs of `answer_graph` → the answer about the network input."""
    given = {name: np.asarray(array) for name, array in outputs.items()}
    size, classes = recipe.input_size, recipe.classes
    if "ids" in given:
        return Mask(given["ids"][0], classes)
    boxes, labels, scores = given["boxes"], given["labels"], given["scores"]
    if "masks" not in given:
        return Boxes.of(boxes, labels, classes, size, scores=scores)
    masks, kept = [], []
    for number, (plane, box) in enumerate(zip(given["masks"], boxes, strict=True)):
        part, corner = _within(plane, box, size)
        if part.any():
            masks.append(part_rle(part, corner, size))
            kept.append(number)
    return Instances.of(masks, labels[kept], classes, size, xyxy=boxes[kept], scores=scores[kept])


def _within(
    plane: np.ndarray, box: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int]]:
    """How sure a mask is of each cell → (h, w) bool, its pixels in the box, and their left top
    corner (x, y).
    """
    shown = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) > _HALF
    first = np.ceil(box[:2] - 0.5).astype(int).clip(0, np.array(size[::-1]) - 1)
    last = np.ceil(box[2:] - 0.5).astype(int).clip(first + 1, size[::-1])
    (left, top), (right, bottom) = first.tolist(), last.tolist()
    return shown[top:bottom, left:right], (left, top)
