"""What is to be explained: a class, a box or a region, as a number that the network's
logits hold.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from keras import ops

from cvtasks.answers import Boxes, Mask
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.explaining.explainer import Explainer, Scene
from cvtasks.networks.pooled_head import main_logits
from cvtasks.tasks import Task
from cvtasks.tasks.assignment import cells
from cvtasks.tasks.detect import Detect

Pick = Callable[[Any], Any]
"""Logits, or activated outputs, (batch, ...) → one number an image, (batch,)."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is explained.

    Attributes:
        name: "cat", "dog box 2", "person region 1".
        pick: where it stands in logits and outputs. The score is what it picks of the logits:
            Grad-CAM's papers take the number before the softmax, so that a class is not explained
            by the absence of others.
        score: of this image, a logit; for a region the mean over its pixels.
        probability: the same of the activated output, 0 to 1.
        box: (4,) left, top, right, bottom in pixels of the image, where it has one.
        region: (h, w) bool, the pixels of the image, where it has some.
        stride: of the map on which a detector found it; 0 for none.
    """

    name: str
    pick: Pick
    score: float = 0.0
    probability: float = 0.0
    box: np.ndarray | None = None
    region: np.ndarray | None = None
    stride: int = 0


def find_target(explainer: Explainer, scene: Scene, wish: str = "") -> Target:
    """What the user wants explained.

    Args:
        wish: a class; "box:0", the first box of the answer of a detector or localizer, "box:1" …;
            "region:0", the largest connected region of a segmentation, "region:1" …; "" for the
            best class or box, or the class with most pixels.

    Raises:
        UsageError: the model has no such class, the answer has no such box or region, or none at
            all.
    """
    kind, number = _parsed(wish, explainer.classes)
    found = _FINDERS[explainer.task.name](explainer, scene, kind, number)
    logits, output = (_one(found.pick, array) for array in (scene.logits, scene.output))
    return replace(found, score=logits, probability=output)


def probability(task: Task, target: Target) -> Pick:
    """Logits → the target's probability, (batch,)."""
    return lambda logits: target.pick(task.activate(logits))


def _one(pick: Pick, array: np.ndarray) -> float:
    return float(ops.convert_to_numpy(pick(ops.convert_to_tensor(array[None])))[0])


def _parsed(wish: str, classes: tuple[str, ...]) -> tuple[str, int]:
    """A wish → its class, "box", "region" or "", and the number of the class, the box or the
    region.
    """
    if not wish:
        return "", 0
    if wish in classes:
        return "class", classes.index(wish)
    numbered = re.fullmatch(r"(box|region):(\d{1,6})", wish)
    if numbered:
        return numbered[1], int(numbered[2])
    raise UsageError(
        f'a target is a class of the model, box:N or region:N; got "{wish}". '
        f"{did_you_mean(wish, classes)}"
    )


def _none_such(kind: str, fits: str) -> UsageError:
    return UsageError(f'"{kind}:N" is not what this model answers with. Give a class{fits}.')


def _of_classification(explainer: Explainer, scene: Scene, kind: str, number: int) -> Target:
    if kind in ("box", "region"):
        raise _none_such(kind, "")
    index = number if kind else int(scene.output.argmax())
    return Target(explainer.classes[index], lambda logits: main_logits(logits)[:, index])


def _of_localization(explainer: Explainer, scene: Scene, kind: str, number: int) -> Target:
    if kind == "region":
        raise _none_such(kind, " or box:0")
    if kind == "box" and number:
        raise UsageError(f"a localizer answers with one box, box:0; got box:{number}.")
    index = number if kind == "class" else int(scene.output[4:].argmax())
    guesses = explainer.task.decode(
        scene.output, scene.letterbox, explainer.classes, 0.0
    )  # the box is there for any class
    return Target(
        explainer.classes[index], lambda logits: logits[:, 4 + index], box=guesses.xyxy[0]
    )


def _of_detection(explainer: Explainer, scene: Scene, kind: str, number: int) -> Target:
    boxes, task = scene.answer, explainer.task
    if kind == "region" or not isinstance(boxes, Boxes) or not isinstance(task, Detect):
        raise _none_such(kind, " or box:N")
    if not len(boxes):
        raise UsageError(
            f"a target must be in the answer; this one is empty: no object of {explainer.name} is "
            "sure enough. Lower the "
            "threshold, or take another image."
        )
    if kind == "class":
        own = np.flatnonzero(boxes.labels == number)
        if not len(own):
            there = ", ".join(dict.fromkeys(boxes.names))
            raise UsageError(
                f'a target must be in the answer; no "{explainer.classes[number]}" was found, only '
                f"{there}. Lower the threshold, or "
                "choose one of these."
            )
        chosen = int(own[boxes.scores[own].argmax()])
    else:
        chosen = number if kind else int(boxes.scores.argmax())
        if chosen >= len(boxes):
            raise UsageError(
                f"a target must be in the answer, whose boxes are box:0 to box:{len(boxes) - 1}; "
                f"got box:{chosen}. Lower the "
                "threshold to have more."
            )
    label = int(boxes.labels[chosen])
    cell = _cell(explainer, scene, boxes, chosen)
    stride = int(cells(explainer.canvas, task.strides)[1][cell, 0])
    name = boxes.names[chosen] if len(boxes) == 1 else f"{boxes.names[chosen]} box {chosen}"
    return Target(
        name, lambda logits: logits[:, cell, 4 + label], box=boxes.xyxy[chosen], stride=stride
    )


def _cell(explainer: Explainer, scene: Scene, boxes: Boxes, chosen: int) -> int:
    """The cell that a box of the answer comes from: the one that gives it alone."""
    column = 4 + int(boxes.labels[chosen])
    for cell in np.flatnonzero(scene.output[:, column] == boxes.scores[chosen]):
        alone = scene.output.copy()
        alone[:, 4:] = 0
        alone[cell, column] = scene.output[cell, column]
        found = explainer.task.decode(alone, scene.letterbox, explainer.classes, 0.0)
        if len(found) and np.array_equal(found.xyxy[0], boxes.xyxy[chosen]):
            return int(cell)
    raise UsageError(f"no cell of {explainer.name} gives the box {boxes.xyxy[chosen].tolist()}.")


def _of_segmentation(explainer: Explainer, scene: Scene, kind: str, number: int) -> Target:
    mask = scene.answer
    if kind == "box" or not isinstance(mask, Mask):
        raise _none_such(kind, " or region:N")
    if kind == "region":
        index, region = _region(mask, number)
        name = f"{mask.classes[index]} region {number}"
    else:
        counts = mask.counts()
        index = number if kind else 1 + int(counts[1:].argmax())
        there = ", ".join(mask.shares())
        if not counts[index]:
            what = (
                f'"{mask.classes[index]}" has none' if kind else f"only {mask.classes[0]} was found"
            )
            raise UsageError(
                f"a target must have pixels in the answer; {what}. Found: {there}. Choose one of "
                "these."
            )
        region, name = mask.ids == index, mask.classes[index]
    weight = scene.letterbox.ids(region.astype(np.uint8), fill=0).astype(np.float32)
    if not weight.any():
        raise UsageError(
            f'a region must have pixels on the canvas of {explainer.canvas}; that of "{name}" is '
            "too small."
        )
    weight /= weight.sum()
    return Target(
        name, lambda logits: ops.sum(logits[..., index] * weight, axis=(1, 2)), region=region
    )


def _region(mask: Mask, number: int) -> tuple[int, np.ndarray]:
    """The `number`-th largest connected region of any class but the first: its class, and (h, w)
    bool.
    """
    regions = []
    for index in np.flatnonzero(mask.counts()[1:]) + 1:
        count, parts = cv2.connectedComponents((mask.ids == index).astype(np.uint8), connectivity=8)
        sizes = np.bincount(parts.ravel(), minlength=count)
        regions += [(-int(sizes[part]), int(index), parts == part) for part in range(1, count)]
    regions.sort(key=lambda region: region[:2])
    if number >= len(regions):
        there = (
            f"region:0 to region:{len(regions) - 1}" if regions else f"none, only {mask.classes[0]}"
        )
        raise UsageError(
            f"a target must be in the answer, whose regions are {there}; got region:{number}."
        )
    return regions[number][1], regions[number][2]


_FINDERS: dict[str, Callable[[Explainer, Scene, str, int], Target]] = {
    "classify": _of_classification,
    "detect": _of_detection,
    "localize": _of_localization,
    "segment": _of_segmentation,
}
