"""The networks of ImageNet's years: the errors that their papers published, beside what they cost
by our own count.

Errors are those of one network, not of an ensemble, on the 50,000 validation images of ILSVRC 2012,
as the named table of the paper has them. How many crops of an image were averaged differs from
paper to paper and is said, as ten of them are worth one to two points: compare networks of one
paper first.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import pi
from typing import Any

import numpy as np

from cvtasks.drawing.plots import pixels_of


@dataclass(frozen=True)
class Published:
    """What a paper says of a network.

    Attributes:
        title: what the paper calls it.
        year: of the paper's first version.
        top1, top5: errors in percent; None where the paper has none.
        how: crops or scale that were evaluated.
        source: paper and table.
    """

    title: str
    year: int
    top1: float | None
    top5: float | None
    how: str
    source: str


_VGG = "Simonyan and Zisserman 2014, table 3"
_RESNET = "He et al. 2015, table 3"
_DENSE = "Huang et al. 2016, table 3"
_SCALE, _ONE, _TEN = "one scale, 256 px", "1 crop", "10 crops"

PUBLISHED: dict[str, Published] = {
    "alexnet": Published(
        "AlexNet", 2012, 40.7, 18.2, _TEN, "Krizhevsky et al. 2012, table 2, one network"
    ),
    "vgg11": Published("VGG-11 (A)", 2014, 29.6, 10.4, _SCALE, _VGG),
    "vgg13": Published("VGG-13 (B)", 2014, 28.7, 9.9, _SCALE, _VGG),
    "vgg16": Published("VGG-16 (D)", 2014, 27.0, 8.8, _SCALE, _VGG),
    "vgg19": Published("VGG-19 (E)", 2014, 27.3, 9.0, _SCALE, _VGG),
    "googlenet": Published(
        "GoogLeNet", 2014, None, 10.07, _ONE, "Szegedy et al. 2014, table 3, one network"
    ),
    "inception-v3": Published(
        "Inception v3", 2015, 21.2, 5.6, _ONE, "Szegedy et al. 2015, table 3, with BN-auxiliary"
    ),
    "resnet18": Published("ResNet-18", 2015, 27.88, None, _TEN, "He et al. 2015, table 2"),
    "resnet34": Published("ResNet-34 (B)", 2015, 24.52, 7.46, _TEN, _RESNET),
    "resnet50": Published("ResNet-50", 2015, 22.85, 6.71, _TEN, _RESNET),
    "resnet101": Published("ResNet-101", 2015, 21.75, 6.05, _TEN, _RESNET),
    "resnet152": Published("ResNet-152", 2015, 21.43, 5.71, _TEN, _RESNET),
    "xception": Published("Xception", 2016, 21.0, 5.5, _ONE, "Chollet 2016, table 1"),
    "densenet121": Published("DenseNet-121", 2016, 25.02, 7.71, _ONE, _DENSE),
    "densenet169": Published("DenseNet-169", 2016, 23.80, 6.85, _ONE, _DENSE),
    "densenet201": Published("DenseNet-201", 2016, 22.58, 6.34, _ONE, _DENSE),
    "mobilenet": Published("MobileNet", 2017, 29.4, None, _ONE, "Howard et al. 2017, table 8"),
    "mobilenet-v2": Published(
        "MobileNetV2", 2018, 28.0, None, _ONE, "Sandler et al. 2018, table 4"
    ),
}
"""Name of a backbone → what its paper says."""


@dataclass(frozen=True)
class Costed:
    """A network of the table, with what it costs.

    Attributes:
        name: of the backbone.
        parameters, multiply_adds: with the classifier of a thousand classes.
        side: of the image in pixels: the paper's.
    """

    name: str
    parameters: int
    multiply_adds: int
    side: int

    @property
    def paper(self) -> Published:
        """What the paper says of it."""
        return PUBLISHED[self.name]


def costed(
    names: Sequence[str] = tuple(PUBLISHED), progress: Callable[[str], object] = lambda name: None
) -> list[Costed]:
    """What networks cost at their papers' sizes, counted in their graphs; no weights are made.

    Args:
        progress: is told which network is next.
    """
    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.open import default_size, open_network

    found = []
    for name in names:
        progress(name)
        inspection = inspect_network(open_network(name, values="none", top=True).network, name)
        costs = inspection.total("parameters"), inspection.total("multiply_adds")
        found.append(Costed(name, *costs, default_size(name)[0]))
    return found


def records(rows: Sequence[Costed]) -> list[dict[str, Any]]:
    """The rows as plain values, for JSON and CSV."""
    costs = ("parameters", "multiply_adds")
    return [
        {"network": row.name, "size": row.side}
        | {cost: getattr(row, cost) for cost in costs}
        | asdict(row.paper)
        for row in rows
    ]


def csv_of(rows: Sequence[Costed]) -> list[str]:
    """The rows as lines of CSV; what a paper does not have is empty."""
    text, found = io.StringIO(), records(rows)
    writer = csv.DictWriter(text, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().splitlines()


def lines_of(rows: Sequence[Costed]) -> list[str]:
    """A table for the terminal, in the order of the years."""
    head = ("network", "year", "image", "parameters", "multiply-adds", "top-1", "top-5", "of")
    cells: list[tuple[str, ...]] = [head]
    for row in sorted(rows, key=lambda row: row.paper.year):
        errors = (f"{e:.1f} %" if e is not None else "–" for e in (row.paper.top1, row.paper.top5))
        counts = f"{row.parameters / 1e6:.1f} M", f"{row.multiply_adds / 1e9:.2f} G"
        year, side = f"{row.paper.year}", f"{row.side}"
        cells.append((row.paper.title, year, side, *counts, *errors, row.paper.how))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            f"{text:<{wide}}" if place in (0, 7) else f"{text:>{wide}}"
            for place, (text, wide) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def plot(rows: Sequence[Costed]) -> np.ndarray:
    """Top-1 accuracy against multiply-adds, discs as large as the parameters; (h, w, 3) uint8
    RGB.

    As in Canziani et al. 2016, "An Analysis of Deep Neural Network Models for Practical
    Applications", figure 2; a network without a published top-1 error has no disc.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), layout="constrained", dpi=100)
    axes = figure.subplots()
    shown = [row for row in rows if row.paper.top1 is not None]
    years = sorted({row.paper.year for row in shown})
    for year in years:
        its = [row for row in shown if row.paper.year == year]
        axes.scatter(
            [row.multiply_adds / 1e9 for row in its],
            [100 - (row.paper.top1 or 0) for row in its],
            s=[row.parameters / 1e6 * _DISC for row in its],
            alpha=0.55,
            edgecolors="black",
            color=f"C{years.index(year)}",
            label=f"{year}",
        )
    for row in shown:
        across, up = _BESIDE.get(row.name, (0, 1))
        away = 5 + (row.parameters / 1e6 * _DISC / pi) ** 0.5  # the disc's radius in points
        axes.annotate(
            row.paper.title,
            (row.multiply_adds / 1e9, 100 - (row.paper.top1 or 0)),
            xytext=(across * away, up * away),
            textcoords="offset points",
            ha=("center", "left", "right")[across],
            va=("center", "bottom", "top")[up],
            fontsize=15,
        )
    axes.set_xscale("log")
    ticks = (0.2, 0.5, 1, 2, 5, 10, 20, 40)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(0.2, 40)
    axes.set_title("ImageNet: published accuracy against work", fontsize=20)
    axes.set_xlabel("multiply-adds an image, 10⁹ (counted)", fontsize=17)
    axes.set_ylabel("top-1 accuracy in %, validation (papers)", fontsize=17)
    axes.tick_params(labelsize=15)
    axes.grid(alpha=0.3)
    legend = axes.legend(
        fontsize=15, title="year; disc: parameters", title_fontsize=14, loc="lower right"
    )
    for handle in legend.legend_handles:
        handle.set_sizes([120])  # type: ignore[union-attr]
    axes.margins(y=0.12)
    return pixels_of(figure)


_DISC = 16  # square points of a disc, a million parameters
_BESIDE = {
    **dict.fromkeys(("densenet121", "densenet169", "resnet50"), (-1, 0)),
    **dict.fromkeys(("resnet34", "resnet152", "vgg19"), (1, 0)),
    **dict.fromkeys(("vgg11", "vgg13"), (0, -1)),
    "densenet201": (-1, 1),
    "resnet101": (1, -1),
    "xception": (1, 1),
}
"""Whose title does not stand above its disc, as neighbours would cover it: (right, up)."""
