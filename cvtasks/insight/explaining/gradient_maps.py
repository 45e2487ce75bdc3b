"""Explanations from the gradient of a score with respect to the image's pixels: (H, W, 3) on the
canvas, per unit of 0 to 255.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from cvtasks.insight.explaining.explainer import Explainer, batches
from cvtasks.insight.explaining.targets import Pick
from cvtasks.insight.gradients import value_and_gradient
from cvtasks.insight.relu_rules import Rule

_TOGETHER = 8  # canvases in one backward pass: it keeps every layer's answer to each


@dataclass(frozen=True, eq=False)
class Integrated:
    """Integrated gradients.

    Attributes:
        values: (H, W, 3) float32: what each number of the canvas adds to the score.
        total: their sum.
        difference: the score of the canvas less that of the baseline, which the sum equals but for
            the steps' error.
    """

    values: np.ndarray
    total: float
    difference: float

    @property
    def error(self) -> float:
        """|total − difference| as a share of |difference|; 0 where both are 0, infinity where only
        the difference is.
        """
        gap = abs(self.total - self.difference)
        return gap / abs(self.difference) if self.difference else float("inf") if gap else 0.0


def pixel_gradient(
    explainer: Explainer, canvas: np.ndarray, pick: Pick, rule: Rule = "gradient"
) -> np.ndarray:
    """The gradient of the score (Simonyan et al., "Deep Inside Convolutional Networks", 2014,
    section 3), or what a rule makes of it.

    "guided" is guided backpropagation (Springenberg et al., "Striving for Simplicity", 2015,
    section 3.4), "deconvnet" the deconvnet (Zeiler and Fergus, "Visualizing and Understanding
    Convolutional Networks", 2014, section 2.1), from the score down.

    Args:
        canvas: (H, W, 3), 0 to 255.
        rule: see `cvtasks.insight.relu_rules`.

    Returns:
        (H, W, 3) float32.

    Raises:
        UsageError: the rule is about ReLUs, and the network has none.
    """
    network = explainer.network if rule == "gradient" else explainer.rectified(rule)
    return value_and_gradient(lambda x: pick(network(x, training=False)), canvas[None])[1][0]


def strongest(gradient: np.ndarray) -> np.ndarray:
    """(H, W, 3) → (H, W): the largest absolute value of the three colours (Simonyan et al. 2014,
    section 3.1).
    """
    return np.abs(gradient).max(axis=2)


def integrated_gradients(
    explainer: Explainer,
    canvas: np.ndarray,
    pick: Pick,
    baseline: np.ndarray | None = None,
    steps: int = 64,
) -> Integrated:
    """Integrated gradients: (canvas − baseline) times the mean gradient on the straight way between
    them.

    Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, equations 1 and 3;
    proposition 1 is the completeness that `Integrated` reports. The integral is the mean over the
    middles of `steps` equal parts.

    Args:
        canvas: (H, W, 3), 0 to 255.
        baseline: of the same shape; by default a canvas on which nothing is, so that the
            letterbox's border adds nothing.
        steps: gradients that are averaged.
    """
    start = (
        np.full_like(canvas, explainer.blank) if baseline is None else baseline.astype(np.float32)
    )
    shares = (np.arange(steps) + 0.5) / steps
    mean = _mean_gradient(
        explainer,
        (start + share * (canvas - start) for share in shares.astype(np.float32)),
        pick,
        steps,
    )
    values = (canvas - start) * mean
    score, low = explainer.many(pick, [canvas, start]).astype(np.float64)
    return Integrated(values, float(values.sum(dtype=np.float64)), float(score - low))


def smooth_gradient(
    explainer: Explainer,
    canvas: np.ndarray,
    pick: Pick,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
) -> np.ndarray:
    """SmoothGrad: the mean gradient of copies with noise, (H, W, 3) float32.

    Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, section 3, which recommends
    a noise of 10 to 20 %.

    Args:
        canvas: (H, W, 3), 0 to 255.
        noise: standard deviation of the normal noise, as a share of the canvas' range.
    """
    rng = np.random.default_rng(seed)
    spread = noise * float(np.ptp(canvas))
    copies = (
        canvas + rng.normal(0, spread, canvas.shape).astype(np.float32) for _ in range(samples)
    )
    return _mean_gradient(explainer, copies, pick, samples)


def _mean_gradient(
    explainer: Explainer, canvases: Iterator[np.ndarray], pick: Pick, count: int
) -> np.ndarray:
    def score(x: Any) -> Any:
        return pick(explainer.network(x, training=False))

    total = np.zeros((*explainer.canvas, 3), np.float64)
    for batch, real in batches(canvases, min(_TOGETHER, count)):
        total += value_and_gradient(score, batch)[1][:real].sum(axis=0, dtype=np.float64)
    return (total / count).astype(np.float32)


def map_and_gradient(
    explainer: Explainer, canvas: np.ndarray, pick: Pick, layer: str
) -> tuple[np.ndarray, np.ndarray]:
    """A layer's map (h, w, channels) and the gradient of the score with respect to it, the same
    shape; float32.

    Nothing before the layer is differentiated.
    """
    head, rest = explainer.cut(layer)
    image = keras.ops.convert_to_tensor(canvas[None])
    values = np.asarray(keras.ops.convert_to_numpy(head(image, training=False)), np.float32)
    gradient = value_and_gradient(lambda x: pick(rest([image, x], training=False)), values)[1]
    return values[0], gradient[0]
