"""What is to be explained: a class, a box or a region, as a number that the network's
logits hold.
"""

import re
from dataclasses import dataclass

import numpy as np
from keras import ops

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.heads.base import Head
from cvtasks.heads.score import Pick, Score
from cvtasks.insight.explaining.explainer import Explainer, Scene


@dataclass(frozen=True, eq=False)
class Target(Score):
    """What is explained: a score of the answer, and how high it is.

    Attributes:
        score: what `pick` takes of this image's logits; for a region the mean over its pixels.
            Grad-CAM's papers take the number before the softmax, so that a class is not explained
            by the absence of others.
        probability: the same of the activated output, 0 to 1.
    """

    score: float = 0.0
    probability: float = 0.0


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
    found = explainer.head.score(*_parsed(wish, explainer.classes), scene)
    score, likely = (_one(found.pick, array) for array in (scene.logits, scene.output))
    return Target(**vars(found), score=score, probability=likely)


def probability(head: Head, target: Target) -> Pick:
    """Logits → the target's probability, (batch,)."""
    return lambda logits: target.pick(head.activate(logits))


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
