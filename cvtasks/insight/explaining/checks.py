"""Checks that a map is about the network and the image at all.

Adebayo et al., "Sanity Checks for Saliency Maps", 2018, section 3: a map that stays as it is when
the weights are replaced by random ones says nothing about what was learned. Deletion and insertion:
does the score fall as the pixels that are said to matter go, and rise as they come?
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2
import keras
import numpy as np

from cvtasks.insight.explaining.explainer import Explainer, Scene
from cvtasks.insight.explaining.explanation import Explanation, Target, explain_scene

_ALIKE = 0.5  # rank correlation from which on two maps are called alike
_ATTEMPTS = 4  # other random weights, where a ReLU cuts off all of a map
# parts of the longer side that one standard deviation of the blurred start takes
_BLUR = 20


@dataclass(frozen=True)
class Sanity:
    """What came of the checks.

    Attributes:
        correlation: Spearman's rank correlation, −1 to 1, of the map with that of the network with
            shuffled weights; 0 where one of them is flat, the latter for several shuffles.
        contrast: standard deviation of the map of an image of one colour, over that of the image's
            own map; 0 is flat, infinity where only the latter is.
    """

    correlation: float
    contrast: float

    @property
    def depends_on_weights(self) -> bool:
        """Whether the two maps are not alike."""
        return abs(self.correlation) < _ALIKE


def sanity(explainer: Explainer, scene: Scene, found: Explanation, seed: int = 0) -> Sanity:
    """Make the same map with random weights, and of an image of one colour.

    Padding shows in the latter: a network that pads sees the borders of its maps, so a map is
    exactly flat only for networks that do not pad, and for `integrated` and `occlusion`, which
    compare with a blank image.
    """
    inside = scene.letterbox.crop
    correlation = 0.0
    for attempt in range(seed, seed + _ATTEMPTS):
        with shuffled_weights(explainer.network, attempt):
            other = explain_scene(explainer, scene, found.target, found.method, found.layer)
        if np.ptp(inside(other.on_input)):
            correlation = rank_correlation(inside(found.on_input), inside(other.on_input))
            break
    one_colour = replace(scene, input=np.full_like(scene.input, explainer.blank))
    flat = explain_scene(explainer, one_colour, found.target, found.method, found.layer)
    own, blank = float(inside(found.on_input).std()), float(inside(flat.on_input).std())
    return Sanity(correlation, blank / own if own else float("inf") if blank else 0.0)


@contextmanager
def shuffled_weights(network: keras.Model, seed: int = 0) -> Iterator[None]:
    """While the context lasts, the numbers of every array of weights stand at random places within
    it.

    So each layer keeps the distribution of its weights, and what it has learned is gone; the
    statistics of normalisation stay. The weights come back afterwards, also after an error.
    """
    rng = np.random.default_rng(seed)
    weights = [weight for weight in network.weights if not weight.name.startswith("moving_")]
    kept = [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]
    try:
        for weight, values in zip(weights, kept, strict=True):
            weight.assign(rng.permutation(values.reshape(-1)).reshape(values.shape))
        yield
    finally:
        for weight, values in zip(weights, kept, strict=True):
            weight.assign(values)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, −1 to 1, of two arrays of one shape; equal values share a rank, and of a flat
    array it is 0.
    """
    first, second = _ranks(one), _ranks(other)
    spread = first.std() * second.std()
    return (
        float(((first - first.mean()) * (second - second.mean())).mean() / spread)
        if spread
        else 0.0
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) float64: the mean rank of each value among all."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return ((last - counts + last - 1) / 2)[place.reshape(-1)]


# === deletion and insertion ===


@dataclass(frozen=True, eq=False)
class Curves:
    """The target's probability as pixels go and come, the most important first.

    Attributes:
        shares: (n,) share of the image's pixels that have been changed, from 0 to 1.
        deletion: (n,) probability with that share taken away; a good map lets it fall early.
        insertion: (n,) probability with that share put in; a good map lets it rise early.
    """

    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_auc(self) -> float:
        """Area below the deletion curve, 0 to 1; small is good."""
        return float(np.trapezoid(self.deletion, self.shares))

    @property
    def insertion_auc(self) -> float:
        """Area below the insertion curve, 0 to 1; large is good."""
        return float(np.trapezoid(self.insertion, self.shares))


def curves(
    explainer: Explainer, scene: Scene, target: Target, on_input: np.ndarray, steps: int = 20
) -> Curves:
    """Delete and insert the image's pixels in the order of a map.

    Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    2018, section 4.2 and algorithm 1 of its appendix: what is deleted becomes blank, and insertion
    starts from the blurred image.

    Args:
        on_input: (H, W) the map; pixels of one value come row by row.
        steps: equal shares of the image that are changed one after the other.
    """
    top, left, height, width = scene.letterbox.window
    inside = np.zeros(on_input.shape, bool)
    inside[top : top + height, left : left + width] = True
    places = np.flatnonzero(inside)
    order = places[np.argsort(-on_input.reshape(-1)[places], kind="stable")]
    ends = np.round(np.linspace(0, len(order), steps + 1)).astype(int)
    blank = np.full_like(scene.input, explainer.blank)
    blurred = np.where(
        inside[..., None],
        cv2.GaussianBlur(scene.input, (0, 0), max(scene.input.shape) / _BLUR),
        scene.input,
    )

    def mixed(ground: np.ndarray, figure: np.ndarray) -> Iterator[np.ndarray]:
        for end in ends:
            step = ground.reshape(-1, 3).copy()
            step[order[:end]] = figure.reshape(-1, 3)[order[:end]]
            yield step.reshape(ground.shape)

    deletion, insertion = (
        explainer.many(lambda logits: target.pick(explainer.head.activate(logits)), mixed(*pair))
        for pair in ((scene.input, blank), (blurred, scene.input))
    )
    return Curves(ends / len(order), deletion, insertion)
