"""What a model's folder says of the model beside its recipe: its size, and the course of its
training.
"""

import csv
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MODEL = (".safetensors", ".xml", ".bin")
_MOST = 4_000_000  # bytes of a history that is read
_HISTORY = "history.csv"


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model.

    Attributes:
        bytes: of weights and graph.
        history: the rows of its `history.csv`, an epoch each: column → text; empty where there is
            none.
    """

    bytes: int
    history: tuple[dict[str, str], ...] = ()

    @property
    def seconds(self) -> float | None:
        """What its training took; None where that is not known."""
        known = [_number(row.get("seconds", "")) for row in self.history]
        return sum(known) if known and not any(map(math.isnan, known)) else None

    def columns(self) -> dict[str, list[float]]:
        """Column of the history → its numbers, NaN where an epoch has none."""
        names = list(self.history[0]) if self.history else []
        return {name: [_number(row.get(name, "")) for row in self.history] for name in names}


def model_bytes(folder: Path) -> int:
    """Bytes of the weights and the graph in a model's folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix in _MODEL)


def model_facts(folder: Path) -> ModelFacts:
    """Read what a model's folder says; what is missing or damaged there is left out."""
    return ModelFacts(model_bytes(folder), tuple(_history(folder / _HISTORY)))


def _history(path: Path) -> list[dict[str, str]]:
    with suppress(OSError, ValueError, csv.Error):
        if path.stat().st_size <= _MOST:
            rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
            return [
                {name: text or "" for name, text in row.items() if isinstance(name, str)}
                for row in rows
            ]
    return []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
