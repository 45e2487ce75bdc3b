"""Figures about results: curves and tables of colours, as pictures (h, w, 3) uint8 RGB."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvtasks.metrics.average_precision import ClassCurve, area_ap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMED = 24  # curves that a legend can name and an eye can tell apart


def precision_recall_curves(curves: Mapping[str, ClassCurve]) -> np.ndarray:
    """Class → curve, drawn as it is; the legend has the area below it after VOC's smoothing, the best class first."""
    scored = {name: area_ap(curve.precision, curve.recall) for name, curve in curves.items()}
    figure, axes = _square(
        "recall at IoU 0.5", "precision at IoU 0.5", f"mean VOC2012 area AP@0.5: {_mean(scored.values()):.3f}"
    )
    for name in sorted(scored, key=lambda name: -scored[name]):
        recall, precision = curves[name].recall, curves[name].precision
        first = precision[:1] if len(precision) else [0.0]
        label, style = f"{name} {scored[name]:.3f}", _style(len(scored), axes)
        axes.plot(np.concatenate([[0.0], recall]), np.concatenate([first, precision]), label=label, **style)
    return _finish(figure, axes, len(scored))


def f1_curves(curves: Mapping[str, np.ndarray], thresholds: np.ndarray, best: float) -> np.ndarray:
    """Class → (t,) F1 at each of `thresholds` (t,); the mean in black, with a line at the `best` threshold."""
    mean = np.mean(list(curves.values()), axis=0) if curves else np.zeros(len(thresholds))
    peak = float(np.interp(best, thresholds, mean))
    figure, axes = _square("least score of what is shown", "F1 at IoU 0.5", f"best mean F1 {peak:.3f} at {best:.2f}")
    for name in sorted(curves, key=lambda name: -curves[name].max()):
        style = _style(len(curves), axes)
        axes.plot(thresholds, curves[name], label=f"{name} {curves[name].max():.3f}", **style)
    axes.plot(thresholds, mean, color="black", linewidth=2.5, label=f"mean {mean.max():.3f}")
    axes.axvline(best, color="black", linewidth=1, linestyle=":")
    return _finish(figure, axes, len(curves) + 1)


def matrix(counts: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str) -> np.ndarray:
    """(r, c) counts of truth by prediction; coloured, and up to 30 rows also written, as shares of the row."""
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    figure, axes = _figure(3.2 + 0.5 * len(columns), 2.2 + 0.42 * len(rows))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), [f"{name} ({n})" for name, n in zip(rows, total[:, 0], strict=True)])
    axes.set(xlabel="prediction", ylabel="truth", title=f"{title}; shares of each row")
    if len(rows) <= 30:
        for row, column in zip(*np.nonzero(counts), strict=True):
            share = shares[row, column]
            ink = "white" if share > 0.55 else "black"
            text = f"{share:.2f}".removeprefix("0") if share >= 0.005 else "·"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    return _pixels(figure)


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    return figure, figure.subplots()


def _square(x: str, y: str, title: str) -> "tuple[Figure, Axes]":
    """A figure whose axes go from 0 to 1."""
    figure, axes = _figure(8, 5)
    axes.set(xlabel=x, ylabel=y, title=title, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    return figure, axes


def _style(count: int, axes: "Axes") -> dict:
    """How the next of `count` curves is drawn: ten colours solid, then dashed, then dotted; grey where they are too many."""
    if count > _NAMED:
        return {"color": "grey", "linewidth": 0.7, "alpha": 0.5}
    drawn = len(axes.lines)
    return {"color": f"C{drawn % 10}", "linestyle": ("-", "--", ":")[drawn // 10], "linewidth": 1.4}


def _finish(figure: "Figure", axes: "Axes", count: int) -> np.ndarray:
    if 0 < count <= _NAMED + 1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False)
    return _pixels(figure)


def _pixels(figure: "Figure") -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _mean(numbers: object) -> float:
    known = list(numbers)
    return float(np.mean(known)) if known else float("nan")
