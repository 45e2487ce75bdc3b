"""What int8 loses: the metrics of the float file and of the int8 file beside each other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvtasks.metrics.base import Metric
from cvtasks.text import counted, markdown, table

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Scores:
    """What a metric says.

    Attributes:
        metrics: the standard's name → number, 0 to 1, the headline first.
        classes: name of a class → the same.
    """

    metrics: Numbers
    classes: Mapping[str, Numbers]

    @classmethod
    def of(cls, metric: Metric) -> "Scores":
        """What a metric says of all that it has counted."""
        return cls(metric.result(), metric.per_class())

    @property
    def headline(self) -> str:
        """The name of the first number."""
        return next(iter(self.metrics))


def points_lost(floats: Scores, made: Scores) -> float:
    """How much of the headline is lost, in points: hundredths of a number from 0 to 1."""
    name = floats.headline
    return 100 * (floats.metrics[name] - made.metrics[name])


@dataclass(frozen=True)
class Round:
    """One attempt: layers kept in float, and what came of it.

    Attributes:
        kept: names of layers that were kept in float.
        share: of the multiply-adds that are in int8, 0 to 1.
        lost: points of the headline.
    """

    kept: tuple[str, ...]
    share: float
    lost: float


@dataclass(frozen=True)
class Report:
    """What was made, of what, and what it loses.

    Attributes:
        tool: that made it.
        calibrated, images: how the images that ranges were measured on were drawn, and their names.
        measured: what the scores were measured on.
        rounds: the attempts; the last one is the file.
        most_loss: points that it may lose.
    """

    tool: str
    calibrated: str
    images: tuple[str, ...]
    measured: str
    floats: Scores
    made: Scores
    rounds: tuple[Round, ...]
    most_loss: float
    further: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file; a number that is none becomes null."""
        last = self.rounds[-1]
        return {
            "tool": self.tool,
            "calibrated": self.calibrated,
            "calibration_images": list(self.images),
            "measured": self.measured,
            "points_lost": round(last.lost, 4),
            "most_loss": self.most_loss,
            "multiply_adds_in_int8": round(last.share, 4),
            "kept_in_float": list(last.kept),
            "metrics": _side_by_side(self.floats.metrics, self.made.metrics),
            "classes": {
                name: _side_by_side(row, self.made.classes.get(name, {}))
                for name, row in self.floats.classes.items()
            },
            "rounds": [
                {
                    "kept_in_float": len(one.kept),
                    "multiply_adds_in_int8": round(one.share, 4),
                    "points_lost": round(one.lost, 4),
                }
                for one in self.rounds
            ],
            **self.further,
        }

    def lines(self) -> list[str]:
        """A table of the metrics and of each class's first number, in float and in int8."""
        return table(self._rows(), least=8)

    def _rows(self) -> list[list[str]]:
        rows = [["", "float", "int8", "points lost"]]
        rows += [
            _row(name, number, self.made.metrics[name])
            for name, number in self.floats.metrics.items()
        ]
        for name, row in self.floats.classes.items():
            column = next(iter(row), "")
            if column:
                rows.append(_row(name, row[column], self.made.classes[name][column]))
        return rows

    def page(self) -> str:
        """The same in Markdown, with what was done."""
        last = self.rounds[-1]
        head, *rows = [[markdown(cell) for cell in row] for row in self._rows()]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        kept = f"{counted(len(last.kept), 'layer')} in float" if last.kept else "no layer in float"
        return f"""## What int8 costs

Made by {self.tool}; ranges were measured on {markdown(self.calibrated)}. {last.share:.0%} of the \
multiply-adds are in int8, {kept} beside what is behind the last layers. Measured on \
{markdown(self.measured)}:

| {" | ".join(head)} |
|---|---:|---:|---:|
{lines}
"""


def _row(name: str, before: float, after: float) -> list[str]:
    if math.isnan(before) or math.isnan(after):
        return [name, "–", "–", "–"]
    return [name, f"{before:.4f}", f"{after:.4f}", f"{100 * (before - after):+.2f}"]


def _side_by_side(before: Numbers, after: Numbers) -> dict[str, dict[str, float | None]]:
    return {
        name: {"float": _plain(number), "int8": _plain(after.get(name, math.nan))}
        for name, number in before.items()
    }


def _plain(number: float) -> float | None:
    return None if math.isnan(number) else round(number, 6)
