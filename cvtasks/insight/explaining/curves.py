"""Deletion and insertion: does the score fall as the pixels that are said to matter go, and rise as
they come?
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from cvtasks.drawing.plots import written
from cvtasks.insight.explaining.explainer import Explainer, Scene
from cvtasks.insight.explaining.targets import Target, probability

_BLUR = (
    20  # parts of the canvas' longer side that one standard deviation of the blurred start takes
)


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
        return _area(self.shares, self.deletion)

    @property
    def insertion_auc(self) -> float:
        """Area below the insertion curve, 0 to 1; large is good."""
        return _area(self.shares, self.insertion)


def curves(
    explainer: Explainer, scene: Scene, target: Target, on_canvas: np.ndarray, steps: int = 20
) -> Curves:
    """Delete and insert the image's pixels in the order of a map.

    Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    2018, section 4.2 and algorithm 1 of its appendix: what is deleted becomes blank, and insertion
    starts from the blurred image.

    Args:
        on_canvas: (H, W) the map; pixels of one value come row by row.
        steps: equal shares of the image that are changed one after the other.
    """
    top, left, height, width = scene.letterbox.window
    inside = np.zeros(on_canvas.shape, bool)
    inside[top : top + height, left : left + width] = True
    places = np.flatnonzero(inside)
    order = places[np.argsort(-on_canvas.reshape(-1)[places], kind="stable")]
    ends = np.round(np.linspace(0, len(order), steps + 1)).astype(int)
    blank = np.full_like(scene.canvas, explainer.blank)
    blurred = np.where(
        inside[..., None],
        cv2.GaussianBlur(scene.canvas, (0, 0), max(scene.canvas.shape) / _BLUR),
        scene.canvas,
    )

    def mixed(ground: np.ndarray, figure: np.ndarray) -> Iterator[np.ndarray]:
        for end in ends:
            step = ground.reshape(-1, 3).copy()
            step[order[:end]] = figure.reshape(-1, 3)[order[:end]]
            yield step.reshape(ground.shape)

    pick = probability(explainer.task, target)
    deletion, insertion = (
        explainer.many(pick, mixed(*pair))
        for pair in ((scene.canvas, blank), (blurred, scene.canvas))
    )
    return Curves(ends / len(order), deletion, insertion)


def curves_figure(found: Mapping[str, Curves], title: str) -> np.ndarray:
    """Method → curves, drawn side by side with their areas, (h, w, 3) uint8 RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained", dpi=110)
    drawings = (
        ("deletion", "share of the pixels taken away", "less is better"),
        ("insertion", "share put in", "more is better"),
    )
    for axes, (kind, across, good) in zip(figure.subplots(1, 2), drawings, strict=True):
        for method, own in found.items():
            area = getattr(own, f"{kind}_auc")
            axes.plot(
                own.shares, getattr(own, kind), label=f"{method}: area {area:.3f}", linewidth=1.8
            )
        axes.set(
            xlabel=across,
            ylabel="probability of the target",
            title=f"{kind} ({good})",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    figure.suptitle(written(title))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _area(shares: np.ndarray, values: np.ndarray) -> float:
    """By trapezoids."""
    return float(((values[1:] + values[:-1]) / 2 * np.diff(shares)).sum())
