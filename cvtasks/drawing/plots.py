"""Figures about results: curves and tables of colours, as images (h, w, 3) uint8 RGB."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cvtasks.text import counted, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMED = 24  # curves that a legend can name and an eye can tell apart
_LETTERS = 32  # of a name in a figure
_ROWS = 100  # classes that have a row or a column with its name
_ACROSS, _DOWN = 24.0, 20.0  # inches: of a matrix, at most


class Curve(Protocol):
    """What has precision and recall."""

    @property
    def precision(self) -> np.ndarray:
        """(n,) 0 to 1."""

    @property
    def recall(self) -> np.ndarray:
        """(n,) 0 to 1, never falling."""


def precision_recall_curves(
    curves: Mapping[str, Curve],
    scored: Mapping[str, float],
    metric: str = "mean VOC2012 area AP@0.5",
    at: str = " at IoU 0.5",
) -> np.ndarray:
    """Class → curve, drawn as it is; the legend has its score, the best class first.

    Args:
        scored: class → its score, 0 to 1, such as the area below the curve.
        metric: what their mean is called.
        at: what makes a prediction right, for the axes.
    """
    figure, axes = _square(
        f"recall{at}", f"precision{at}", f"{metric}: {_mean(scored.values()):.3f}"
    )
    for name in sorted(scored, key=lambda name: -scored[name]):
        recall, precision = curves[name].recall, curves[name].precision
        first = precision[:1] if len(precision) else [0.0]
        label, style = f"{written(name)} {scored[name]:.3f}", _style(len(scored), axes)
        axes.plot(
            np.concatenate([[0.0], recall]),
            np.concatenate([first, precision]),
            label=label,
            **style,
        )
    return _finish(figure, axes, len(scored))


def f1_curves(
    curves: Mapping[str, np.ndarray], thresholds: np.ndarray, best: float, at: str = " at IoU 0.5"
) -> np.ndarray:
    """Class → (t,) F1 at each of `thresholds` (t,); the mean in black, with a line at the `best`
    threshold that may be chosen.
    """
    mean = np.mean(list(curves.values()), axis=0) if curves else np.zeros(len(thresholds))
    peak = float(np.interp(best, thresholds, mean))
    word = "best mean F1" if np.isclose(peak, mean.max()) else "mean F1"
    figure, axes = _square(
        "least score of what is shown", f"F1{at}", f"{word} {peak:.3f} at {best:.2f}"
    )
    for name in sorted(curves, key=lambda name: -curves[name].max()):
        style = _style(len(curves), axes)
        axes.plot(
            thresholds, curves[name], label=f"{written(name)} {curves[name].max():.3f}", **style
        )
    axes.plot(thresholds, mean, color="black", linewidth=2.5, label=f"mean {mean.max():.3f}")
    axes.axvline(best, color="black", linewidth=1, linestyle=":")
    return _finish(figure, axes, len(curves) + 1)


def share_curves(
    x: np.ndarray, curves: Mapping[str, Sequence[float]], across: str, up: str, mark: float
) -> np.ndarray:
    """Name → (n,) 0 to 1 at each of `x` (n,) 0 to 1; with a line at `mark`, and the numbers there
    in the legend.

    Args:
        across, up: names of the axes.
    """
    figure, axes = _square(across, up, f"{up} by {across}")
    for name, values in curves.items():
        axes.plot(
            x,
            values,
            label=f"{written(name)}: {np.interp(mark, x, values):.3f} at {mark:g}",
            **_style(len(curves), axes),
        )
    axes.axvline(mark, color="black", linewidth=1, linestyle=":")
    return _finish(figure, axes, len(curves))


def history_curves(
    epochs: Sequence[float],
    losses: Mapping[str, Sequence[float]],
    scores: Mapping[str, Sequence[float]],
) -> np.ndarray:
    """Loss and score by epoch, beside each other: name → (n,) numbers, NaN where an epoch has
    none. Needs one of the two.
    """
    from matplotlib.figure import Figure

    sides = [(curves, up) for curves, up in ((losses, "loss"), (scores, "score")) if curves]
    figure = Figure(figsize=(9, 3.8), layout="constrained", dpi=110)
    for axes, (curves, up) in zip(
        figure.subplots(1, len(sides), squeeze=False)[0], sides, strict=True
    ):
        for name, values in curves.items():
            known = ~np.isnan(values)
            style = _style(len(curves), axes)
            x, y = np.asarray(epochs)[known], np.asarray(values)[known]
            axes.plot(x, y, label=written(name), marker=".", **style)
        axes.set(xlabel="epoch", ylabel=up)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(0, 1 if up == "score" else None)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)
    return pixels_of(figure)


def function_curves(
    x: np.ndarray, functions: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Title → a function and its derivative, each (n,) at `x` (n,), drawn in letters for a
    projector: one small plot each, all of the same axes, the derivative dashed.
    """
    from matplotlib.figure import Figure

    across = min(len(functions), 4)
    down = -(-len(functions) // across)
    figure = Figure(figsize=(4.2 * across, 3.7 * down + 0.5), layout="constrained", dpi=100)
    places = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (title, (values, slopes)) in zip(places, functions.items(), strict=False):
        axes.axhline(0, color="0.6", linewidth=1)
        axes.axvline(0, color="0.6", linewidth=1)
        axes.plot(x, values, linewidth=3, label="f(z)")
        axes.plot(x, slopes, linewidth=2.5, linestyle="--", label="its derivative")
        axes.set_title(title, fontsize=15)
        axes.set_ylim(-1.4, 2.6)
        axes.tick_params(labelsize=13)
        axes.grid(alpha=0.3)
    for axes in places[len(functions) :]:
        axes.set_axis_off()
    figure.legend(
        *places[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        fontsize=15,
        frameon=False,
    )
    return pixels_of(figure)


def rate_curve(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    marks: Mapping[str, float | None],
) -> np.ndarray:
    """Loss by learning rate, as it was and smoothed, each (n,); with a line at every rate that is
    marked by a name. Losses far above the first one lie outside.
    """
    figure, axes = _figure(7, 4)
    axes.plot(rates, losses, color="0.7", linewidth=1, label="loss")
    axes.plot(rates, smoothed, color="C0", label="smoothed")
    for (name, rate), style in zip(marks.items(), ("-", ":", "--", "-."), strict=False):
        if rate:
            axes.axvline(rate, color="C1", linestyle=style, label=f"{name} {rate:.2g}")
    if len(smoothed):
        first, low = float(smoothed[0]), float(smoothed.min())
        room = max(first - low, 0.1 * abs(first), 1e-6)
        axes.set_ylim(low - 0.3 * room, first + room)
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    return pixels_of(figure)


def class_bars(rows: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """Class → name → number from 0 to 1, drawn as bars, the class with the lowest first number on
    top; NaN has none.

    Of more than a hundred classes it shows those with the lowest.
    """
    order = sorted(
        rows, key=lambda name: np.nan_to_num(next(iter(rows[name].values())), nan=np.inf)
    )
    shown = order[:_ROWS]
    keys = list(rows[shown[0]]) if shown else []
    figure, axes = _figure(7, 1.5 + 0.24 * max(len(shown), 4))
    height = 0.8 / max(len(keys), 1)
    for i, key in enumerate(keys):
        values = np.array([rows[name][key] for name in shown])
        known = [value for value in (row[key] for row in rows.values()) if not np.isnan(value)]
        axes.barh(
            np.arange(len(shown)) + i * height,
            np.nan_to_num(values),
            height,
            label=f"{written(key)}, mean {_mean(known):.3f}",
            hatch=("", "///", "...", "xxx")[i % 4],
            edgecolor="white",
            linewidth=0,
        )
    axes.set_yticks(np.arange(len(shown)) + 0.4 - height / 2, list(map(written, shown)))
    axes.set(
        xlim=(0, 1),
        ylim=(len(shown), -0.5),
        title="" if shown == order else f"the worst {_ROWS} of {len(order)} classes",
    )
    axes.grid(axis="x", alpha=0.3)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    return pixels_of(figure)


def count_bars(counts: Mapping[str, int], what: str, total: int) -> np.ndarray:
    """Class → how many, drawn as bars, the most frequent on top. Of more than a hundred classes it
    shows these and the rarest.

    Args:
        what: is counted, such as "images".
        total: of these; less than the counts' sum where one image shows several classes.
    """
    order = sorted(counts, key=lambda name: -counts[name])
    shown = order if len(order) <= _ROWS else [*order[: _ROWS // 2], *order[-_ROWS // 2 :]]
    figure, axes = _figure(7, 1.5 + 0.24 * max(len(shown), 4))
    bars = axes.barh(np.arange(len(shown)), [counts[name] for name in shown])
    axes.bar_label(bars, padding=3, fontsize=8)
    axes.set_yticks(np.arange(len(shown)), list(map(written, shown)))
    axes.set(
        ylim=(len(shown), -1),
        xlabel=what,
        title=f"{total:,} {what}, {counted(len(counts), 'class')}",
    )
    axes.margins(x=0.1)
    return pixels_of(figure)


def histogram(values: np.ndarray, across: str, up: str) -> np.ndarray:
    """(n,) numbers from 0 to 1 in twenty steps."""
    figure, axes = _figure(7, 4)
    axes.hist(values, bins=20, range=(0, 1))
    axes.set(xlabel=across, ylabel=up, xlim=(0, 1), title=f"{len(values):,} {up}")
    axes.grid(axis="y", alpha=0.3)
    return pixels_of(figure)


def matrix(
    counts: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str
) -> np.ndarray:
    """(r, c) counts of truth by prediction; coloured, and up to 30 rows also written, as shares of
    the row.

    More than a hundred classes have their indices at the sides in place of their names.
    """
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    width, height = 3.2 + min(0.5 * len(columns), _ACROSS), 2.2 + min(0.42 * len(rows), _DOWN)
    figure, axes = _figure(
        max(width, 5.2), max(height, 4.2)
    )  # long names need room too where there are few
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if max(len(rows), len(columns)) <= _ROWS + 1:
        axes.set_xticks(
            range(len(columns)),
            list(map(written, columns)),
            rotation=45,
            ha="right",
            rotation_mode="anchor",
        )
        axes.set_yticks(
            range(len(rows)),
            [f"{written(name)} ({n})" for name, n in zip(rows, total[:, 0], strict=True)],
        )
    axes.set(xlabel="prediction", ylabel="truth")
    figure.suptitle(f"{title}; shares of each row")  # of all the width: the axes may be narrow
    if len(rows) <= 30:
        for row, column in zip(*np.nonzero(counts), strict=True):
            share = shares[row, column]
            ink = "white" if share > 0.55 else "black"
            text = f"{share:.2f}".removeprefix("0") if share >= 0.005 else "·"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    return pixels_of(figure)


def written(name: str, most: int = _LETTERS) -> str:
    """A name as matplotlib writes it in its own font: no formula between dollars, no label that is
    hidden, and what the font lacks escaped. A long one is cut: it would leave no room for what is
    drawn.

    Args:
        most: letters of it.

    >>> written("a$b$"), written("\\x1b"), written("猫")
    ('a\\\\$b\\\\$', '\\\\x1b', '\\\\u732b')
    """
    shown = legible(name)
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    shown = shown.replace("$", r"\$")
    return (
        f" {shown}" if shown.startswith("_") else shown
    )  # a label that begins so is left out of the legend


def legible(text: str) -> str:
    """A line of text with escapes for what matplotlib's font lacks."""
    known = _letters()
    return "".join(
        c if ord(c) in known else c.encode("unicode_escape").decode() for c in visible(text)
    )


@cache
def _letters() -> frozenset[int]:
    """Code points that matplotlib's font has."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


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
    """How the next of `count` curves is drawn: in ten colours and four kinds of line, so that
    neighbours differ in both; grey where they are too many.
    """
    if count > _NAMED:
        return {"color": "grey", "linewidth": 0.7, "alpha": 0.5}
    drawn = len(axes.lines)
    line = ("-", "--", "-.", ":")[(drawn + drawn // 10) % 4]
    return {"color": f"C{drawn % 10}", "linestyle": line, "linewidth": 1.4}


def _finish(figure: "Figure", axes: "Axes", count: int) -> np.ndarray:
    if 0 < count <= _NAMED + 1:
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False
        )
    return pixels_of(figure)


def pixels_of(figure: "Figure") -> np.ndarray:
    """A figure as (h, w, 3) uint8 RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    agg = FigureCanvasAgg(figure)
    agg.draw()
    return np.asarray(agg.buffer_rgba())[..., :3].copy()


def _mean(numbers: Iterable[float]) -> float:
    known = list(numbers)
    return float(np.mean(known)) if known else float("nan")
