"""The methods: class activation maps, gradients with respect to pixels, and occlusion.

A class activation map weighs the units of one layer by what the target's score owes them. These
functions are NumPy alone: A is the layer's map (h, w, channels), g the gradient of the score with
respect to it. They return (h, w) float32, at least 0: what speaks against the target is cut off, as
in the papers. The other methods take a network input (H, W, 3), 0 to 255, and return a map of it,
per unit of that range.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.score import Pick
from cvtasks.insight.explaining.explainer import Explainer, batches
from cvtasks.insight.gradients import Rule, value_and_gradient

_TOGETHER = 8  # inputs in one backward pass: it keeps every layer's answer to each
_PARTS = 6  # of the image's shorter side; a square covers one


# === class activation maps ===


def grad_cam(values: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Grad-CAM: ReLU(Σ_k mean(g_k) · A_k).

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", 2017, equations 1 and 2.
    """
    return _positive(values @ gradient.mean(axis=(0, 1)))


def grad_cam_plus_plus(values: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Grad-CAM++: places are weighed too, so that every one of several objects counts.

    Chattopadhay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks",
    2018, equations 5 and 19, with the exponential of the score as the class score. Its value is a
    factor of the whole map and is left out.
    """
    square, cube = gradient**2, gradient**3
    below = 2 * square + values.sum(axis=(0, 1)) * cube
    alpha = np.divide(square, below, out=np.zeros_like(square), where=below != 0)
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=(0, 1))
    return _positive(values @ weights)


def layer_cam(values: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """LayerCAM: ReLU(Σ_k ReLU(g_k) · A_k), each place with its own gradient; also right for early
    layers.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", 2021,
    equations 6 and 7.
    """
    return _positive((np.maximum(gradient, 0) * values).sum(axis=2))


def eigen_cam(values: np.ndarray, gradient: np.ndarray | None = None) -> np.ndarray:
    """EigenCAM: the layer's answer along its first principal direction; it knows of no target and
    needs no gradient.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", 2020,
    equations 3 and 4. The direction's sign, which is free, is that of most of the answer.
    """
    flat = values.reshape(-1, values.shape[2])
    found = flat @ np.linalg.svd(flat, full_matrices=False)[2][0]
    return _positive((found if found.sum() >= 0 else -found).reshape(values.shape[:2]))


def _positive(found: np.ndarray) -> np.ndarray:
    return np.maximum(found, 0).astype(np.float32)


CAMS = {
    "grad-cam": grad_cam,
    "grad-cam++": grad_cam_plus_plus,
    "layercam": layer_cam,
    "eigencam": eigen_cam,
}


# === gradients of pixels ===


@dataclass(frozen=True, eq=False)
class Integrated:
    """Integrated gradients.

    Attributes:
        values: (H, W, 3) float32: what each number of the network input adds to the score.
        total: their sum.
        difference: the score of the network input less that of the baseline, which the sum
            equals but for the steps' error.
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
    explainer: Explainer, given: np.ndarray, pick: Pick, rule: Rule = "gradient"
) -> np.ndarray:
    """The gradient of the score (Simonyan et al., "Deep Inside Convolutional Networks", 2014,
    section 3), or what a rule makes of it.

    "guided" is guided backpropagation (Springenberg et al., "Striving for Simplicity", 2015,
    section 3.4), "deconvnet" the deconvnet (Zeiler and Fergus, "Visualizing and Understanding
    Convolutional Networks", 2014, section 2.1), from the score down.

    Args:
        given: (H, W, 3), 0 to 255.
        rule: see `cvtasks.insight.gradients`.

    Returns:
        (H, W, 3) float32.

    Raises:
        UsageError: the rule is about ReLUs, and the network has none.
    """
    network = explainer.network if rule == "gradient" else explainer.rectified(rule)
    return value_and_gradient(lambda x: pick(network(x, training=False)), given[None])[1][0]


def strongest(gradient: np.ndarray) -> np.ndarray:
    """(H, W, 3) → (H, W): the largest absolute value of the three colours (Simonyan et al. 2014,
    section 3.1).
    """
    return np.abs(gradient).max(axis=2)


def integrated_gradients(
    explainer: Explainer,
    given: np.ndarray,
    pick: Pick,
    baseline: np.ndarray | None = None,
    steps: int = 64,
) -> Integrated:
    """Integrated gradients: (input − baseline) times the mean gradient on the straight way between
    them.

    Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017, equations 1 and 3;
    proposition 1 is the completeness that `Integrated` reports. The integral is the mean over the
    middles of `steps` equal parts.

    Args:
        given: (H, W, 3), 0 to 255.
        baseline: of the same shape; by default a network input on which nothing is, so that the
            letterbox's border adds nothing.
        steps: gradients that are averaged.
    """
    start = (
        np.full_like(given, explainer.blank) if baseline is None else baseline.astype(np.float32)
    )
    shares = (np.arange(steps) + 0.5) / steps
    mean = _mean_gradient(
        explainer,
        (start + share * (given - start) for share in shares.astype(np.float32)),
        pick,
        steps,
    )
    values = (given - start) * mean
    score, low = explainer.many(pick, [given, start]).astype(np.float64)
    return Integrated(values, float(values.sum(dtype=np.float64)), float(score - low))


def smooth_gradient(
    explainer: Explainer,
    given: np.ndarray,
    pick: Pick,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
) -> np.ndarray:
    """SmoothGrad: the mean gradient of copies with noise, (H, W, 3) float32.

    Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, section 3, which recommends
    a noise of 10 to 20 %.

    Args:
        given: (H, W, 3), 0 to 255.
        noise: standard deviation of the normal noise, as a share of the input's range.
    """
    rng = np.random.default_rng(seed)
    spread = noise * float(np.ptp(given))
    copies = (given + rng.normal(0, spread, given.shape).astype(np.float32) for _ in range(samples))
    return _mean_gradient(explainer, copies, pick, samples)


def _mean_gradient(
    explainer: Explainer, inputs: Iterator[np.ndarray], pick: Pick, count: int
) -> np.ndarray:
    def score(x: Any) -> Any:
        return pick(explainer.network(x, training=False))

    total = np.zeros((*explainer.size, 3), np.float64)
    for batch, real in batches(inputs, min(_TOGETHER, count)):
        total += value_and_gradient(score, batch)[1][:real].sum(axis=0, dtype=np.float64)
    return (total / count).astype(np.float32)


def class_activation_map(
    explainer: Explainer, given: np.ndarray, pick: Pick, layer: str, method: str
) -> np.ndarray:
    """A class activation map of `CAMS` of a layer's map, (h, w) float32.

    Nothing before the layer is differentiated, and nothing at all for `eigencam`.
    """
    head, rest = explainer.cut(layer)
    image = keras.ops.convert_to_tensor(given[None])
    values = np.asarray(keras.ops.convert_to_numpy(head(image, training=False)), np.float32)
    if method == "eigencam":
        return eigen_cam(values[0])
    gradient = value_and_gradient(lambda x: pick(rest([image, x], training=False)), values)[1]
    return CAMS[method](values[0], gradient[0])


# === occlusion ===


def occlusion(
    explainer: Explainer,
    given: np.ndarray,
    letterbox: Letterbox,
    pick: Pick,
    side: int = 0,
    stride: int = 0,
) -> np.ndarray:
    """How much of the score is lost where the image is covered, (H, W) float32.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section 4.2: a
    grey square moves over the image. A pixel has the mean loss over the squares that cover it;
    below 0, the score rises without it. Outside the image it is 0.

    Args:
        given: (H, W, 3), 0 to 255; `letterbox` says where the image lies on it.
        side: of the square in pixels of the input; a sixth of the image's shorter side by default.
        stride: from one square to the next; half a side by default.
    """
    top, left, height, width = letterbox.window
    side = side or max(1, min(height, width) // _PARTS)
    stride = stride or -(-side // 2)
    squares = [
        (slice(y, min(y + side, top + height)), slice(x, min(x + side, left + width)))
        for y in _starts(top, height, side, stride)
        for x in _starts(left, width, side, stride)
    ]

    def inputs() -> Iterator[np.ndarray]:
        yield given
        for square in squares:
            covered = given.copy()
            covered[square] = explainer.blank
            yield covered

    scores = explainer.many(pick, inputs())
    lost, times = np.zeros((2, *given.shape[:2]), np.float64)
    for square, score in zip(squares, scores[1:], strict=True):
        lost[square] += scores[0] - score
        times[square] += 1
    return np.divide(lost, times, out=lost, where=times > 0).astype(np.float32)


def _starts(first: int, length: int, side: int, stride: int) -> list[int]:
    """Where squares begin so that every pixel of first … first + length − 1 is covered."""
    last = max(length - side, 0)
    return [first + min(start, last) for start in range(0, last + stride, stride)]
