"""What a task is: the contract between the numpy side (encode, decode, metric, draw) and the Keras
side (head, loss).

The law of the house: `decode(encode(truth)) == truth`, and the task's metric calls it perfect. A
target and the network's activated output live in the same space and have the same shape.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from cvtasks.answers import A, Answer
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import GREY, Letterbox
from cvtasks.tasks.score import Pick, Score, Seen

Classes = tuple[str, ...]

Counted = TypeVar("Counted", bound=Answer, contravariant=True)
"""What a metric counts: who counts any answer counts boxes too."""

LITTLE = 0.05
"""Score, from 0 to 1, above guessing that a network must reach to have learned more than next to
nothing.
"""


class Top(Protocol):
    """The classifier that a backbone's paper gives it."""

    def __call__(self, classes: int, dropout: float, auxiliary: bool) -> list[Any]:
        """Logits (batch, classes) float32; with `auxiliary` also those of the paper's further
        classifiers, for training.

        Raises:
            ModelError: the backbone has no such classifier, or none for images of no fixed size.
        """


class Metric(Protocol[Counted]):
    """Sums over a data set. Knows nothing of networks."""

    def add(self, truth: Counted, prediction: Counted) -> None:
        """Count one image."""

    def result(self) -> dict[str, float]:
        """Name of the standard → number from 0 to 1; the headline first. NaN where nothing was
        there to measure.
        """

    def per_class(self) -> dict[str, dict[str, float]]:
        """Name of the class → the same for it alone."""


@dataclass(frozen=True)
class Task(ABC, Generic[A]):
    """A frozen dataclass whose fields are exactly the recipe's table of the task's name.

    `classes` is always the recipe's list. Arrays have no batch axis on the numpy side and one on
    the Keras side.

    Attributes:
        threshold: the least score, 0 to 1, of what is shown to a user who asks for no other;
            evaluation takes everything.
    """

    name: ClassVar[str]
    answer: ClassVar[type[Answer]]
    files: ClassVar[tuple[str, ...]] = ()
    """Kinds of files that `write` knows, beside those that every task has; they are saved unless
    asked otherwise.
    """
    files_on_request: ClassVar[tuple[str, ...]] = ()
    """Further kinds that `write` knows; they are saved where they are asked for."""

    columns: ClassVar[tuple[str, ...]] = ()
    """What `rows` calls the columns of a CSV file, in their order; they stand there too where no
    row does.
    """

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Table → key → value that a new recipe for this task begins with, where the recipe's own
    defaults are not the best.
    """

    start_size: ClassVar[int] = 320
    """Side of the canvas that a new recipe begins with."""

    aligned: ClassVar[bool] = True
    """Whether the head needs feature maps that lie on the image's grid: of exactly its size divided
    by their stride.
    """

    mosaics: ClassVar[bool] = False
    """Whether it can learn from several images joined to one."""

    threshold: float = 0.0

    @property
    def on_features(self) -> bool:
        """Whether the head stands on the backbone's maps of features; if not, it is the classifier
        of the backbone's paper.
        """
        return True

    @abstractmethod
    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the classes, the backbone's strides or the task's own fields do
        not fit each other.
        """

    def check_bounds(self, bounds: Mapping[str, tuple[float, float]]) -> None:
        """Raise ModelError where a field's number is outside its (least, most)."""
        for field, (least, most) in bounds.items():
            value = getattr(self, field)
            if not least <= value <= most:
                raise ModelError(
                    f"`{self.name}.{field}` must be {least:g} to {most:g}; got {value:g}."
                )

    @classmethod
    def suited(cls, truths: Iterable[A]) -> dict[str, Any]:
        """Values of the task's own table that a new recipe for data with such truths
        begins with.
        """
        return {}

    # === numpy side ===

    def select(self, truth: A) -> A | None:
        """What of a source's truth this task is about; None where it can make nothing of such an
        image and leaves it out.
        """
        return truth

    @property
    def selection(self) -> str:
        """The images that `select` keeps, in words; empty where it keeps all, as they are."""
        return ""

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image (h, w, 3) uint8 RGB as the network is to see it before it is fitted to the
        canvas; itself where nothing is to be done. Done once: to the samples of a source that is
        fitted to a recipe, and to each image that a model is asked about.

        The answer is in pixels of the image as it was.
        """
        return image

    @abstractmethod
    def output_shape(self, canvas: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """Shape of a target, and of the activated output, on a canvas of (height, width)."""

    @abstractmethod
    def encode(self, truth: A, letterbox: Letterbox) -> np.ndarray:
        """Truth in pixels of the image → target on the letterbox's canvas."""

    @abstractmethod
    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> A:
        """Activated output of the network (or a target) → prediction in pixels of the image,
        without scores below `threshold`.
        """

    @abstractmethod
    def metric(self, classes: Classes) -> Metric[A]:
        """A fresh metric; the first number of its result chooses the best checkpoint."""

    @abstractmethod
    def tuned(self, metric: Metric[A]) -> "Task[A]":
        """The task with what is better known after `metric` has seen the validation split; itself
        where that is nothing.
        """

    def learned(self, metric: Metric[A]) -> bool:
        """Whether what `metric` has counted is better than what needs no learning, for one class at
        least.

        True where nothing was there to measure. Measured by the first number of a class, of which
        guessing has next to nothing.
        """
        return any_above([next(iter(row.values())) for row in metric.per_class().values()], LITTLE)

    @abstractmethod
    def draw(self, image: np.ndarray, answer: A) -> np.ndarray:
        """Return a new (h, w, 3) uint8 RGB image with the answer drawn on it; `image` is left as it
        was.

        Small images may be enlarged by a whole factor, the same for all of one size, so that words
        can be read.
        """

    @abstractmethod
    def keep(self, answer: A, names: Sequence[str]) -> A:
        """The answer with nothing but these classes in it."""

    @abstractmethod
    def record(self, answer: A) -> dict[str, Any]:
        """The answer's part of a JSON record."""

    @abstractmethod
    def from_record(self, record: Mapping[str, Any], classes: Classes) -> A:
        """The inverse of `record`; raises KeyError, TypeError or ValueError where the record is not
        one of this task.
        """

    @abstractmethod
    def rows(self, answer: A) -> list[dict[str, Any]]:
        """The answer's rows of a CSV file, each with the task's `columns`."""

    @abstractmethod
    def write(self, kind: str, stem: Path, answer: A, source: str) -> Path:
        """Write the answer as a `kind` of file beside `stem`, whole or not at all; returns the
        file.

        `source` is what the record calls the image; some formats name it.
        """

    @abstractmethod
    def summary(self, answer: A) -> str:
        """The answer in a few words, for the terminal."""

    # === Keras side ===

    @abstractmethod
    def head(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """The network's input and its feature maps by stride (KerasTensors) → logits (KerasTensor,
        float32).

        `top` builds what the backbone's paper puts on these maps to classify.
        """

    @abstractmethod
    def activate(self, logits: Any) -> Any:
        """Logits → the target's space. Part of every exported graph."""

    @abstractmethod
    def loss(self, target: Any, logits: Any) -> Any:
        """(batch, *target), (batch, *logits) → (batch,) float32, near zero for a perfect output."""

    # === what the logits say ===

    @property
    def blank(self) -> float:
        """Grey level, 0 to 255, that stands for "nothing is there"."""
        return float(GREY)

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """How much an image as a whole is of a class: before any softmax or sigmoid, whatever the
        network has answered.

        Args:
            size: (height, width) of the network input.

        Raises:
            UsageError: the logits hold no such number.
        """
        raise UsageError(f"what the logits of {self.name} say of a class is not known.")

    def score(self, kind: str, number: int, seen: Seen) -> Score:
        """The number of the logits that stands for something in an answer.

        Args:
            kind: "class", "box" or "region"; "" for what the answer is surest of.
            number: of the class, the box or the region.
            seen: the image's output and answer.

        Raises:
            UsageError: the answer has no such thing, or none at all.
        """
        raise UsageError(f"what the logits of {self.name} say of an answer is not known.")


def shortest(numbers: np.ndarray) -> list[float]:
    """The shortest decimals that are these float32 numbers again."""
    return [float(str(number)) for number in numbers]


def any_above(scores: Iterable[float], least: float) -> bool:
    """Whether one of the scores is at least so high, or none is a number."""
    known = [score for score in scores if not math.isnan(score)]
    return not known or max(known) >= least
