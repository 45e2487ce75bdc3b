"""What a task is: what is answered about an image, and how that is selected, measured, drawn and
written. How it is learned is the head's (`cvtasks.heads.base`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic

import numpy as np

from cvtasks.answers import A, Answer
from cvtasks.geometry.letterbox import GREY
from cvtasks.metrics.base import Metric
from cvtasks.schema import Range

Classes = tuple[str, ...]

LITTLE = 0.05
"""Score, from 0 to 1, above guessing that a network must reach to have learned more than next to
nothing.
"""


MORE = (
    "Train longer (`train.epochs`), begin with weights (`train.weights`), or look at the data with "
    "`cvtasks data show`."
)
"""What helps where next to nothing was learned."""


@dataclass(frozen=True)
class Task(ABC, Generic[A]):
    """A frozen dataclass whose fields are exactly the keys of the recipe's table `[task]` beside
    its `name`. `classes` is always the recipe's list.

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
    """Side of the network input that a new recipe begins with."""

    mosaics: ClassVar[bool] = False
    """Whether it can learn from several images joined to one."""

    void: ClassVar[bool] = False
    """Whether its truth can say that there is nothing around an image."""

    tiled: ClassVar[bool] = False
    """Whether an image can be answered tile by tile: the answer says where each thing is."""

    reasons: ClassVar[Mapping[str, Mapping[Any, str]]] = {}
    """Key of its table → value → why `suited` chooses that, to be said where it was another."""

    threshold: Annotated[float, Range(0, 1)] = 0.0

    @abstractmethod
    def check(self, classes: Classes) -> None:
        """Raise ModelError where the classes or the fields do not fit each other. The bounds of
        single numbers stand at the fields, and are checked before.
        """

    @classmethod
    def suited(cls, truths: Iterable[A]) -> dict[str, Any]:
        """Values of the task's own table that a new recipe for data with such truths begins with,
        and a model that is fine-tuned on them.
        """
        return {}

    def select(self, truth: A) -> A | None:
        """What of a source's truth this task is about; None where it can make nothing of such an
        image and leaves it out.
        """
        return truth

    @property
    def selection(self) -> str:
        """The images that `select` keeps, in words; empty where it keeps all, as they are."""
        return ""

    @property
    def exclusive(self) -> bool:
        """Whether exactly one class is right for an image or place, so that scores share 1."""
        return False

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """An image (h, w, 3) uint8 RGB as the network is to see it before it is fitted to the
        network input; itself where nothing is to be done. Done once: to the samples of a source
        that is fitted to a recipe, and to each image that a model is asked about.

        The answer is in pixels of the image as it was.
        """
        return image

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

    def little(self, metric: Metric[A]) -> str:
        """What is said where next to nothing was learned: the first score, beside that of a guess
        where a guess has one, and what helps.
        """
        name, score = next(iter(metric.result().items()))
        return f"it has learned next to nothing: {name} {score:.4f}. {MORE}"

    def contrast(self, truths: Iterable[A]) -> str:
        """What is said of truths to train on in which something is always the same that is to be
        learned; empty by default.

        Raises:
            DataError: nothing in them differs, so that nothing can be learned.
        """
        return ""

    def draw(self, image: np.ndarray, answer: A) -> np.ndarray:
        """A new (h, w, 3) uint8 RGB image with what the task shows of the answer drawn on
        it; see `Answer.draw`.
        """
        return answer.draw(image)

    @abstractmethod
    def keep(self, answer: A, names: Sequence[str]) -> A:
        """The answer with nothing but these classes in it."""

    def scored(self, answer: A, names: Sequence[str]) -> A:
        """The answer as it counts where these classes alone are scored: what `keep` leaves, by
        default.
        """
        return self.keep(answer, names)

    def annotation(self, answer: A) -> A:
        """What of a prediction would stand in a truth, with its scores: itself by default."""
        return answer

    def record(self, answer: A) -> dict[str, Any]:
        """The answer's part of a JSON record."""
        return answer.to_dict()

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

    @property
    def blank(self) -> float:
        """Grey level, 0 to 255, that stands for "nothing is there"."""
        return float(GREY)


def hardly_better(metric: Metric[Any], guess: str, guessed: float) -> str:
    """That the first score of a metric is about the one that a guess has."""
    name, score = next(iter(metric.result().items()))
    return f"it is hardly better than a guess: {name} {score:.4f}, where {guess} has {guessed:.4f}"


def any_above(scores: Iterable[float], least: float) -> bool:
    """Whether one of the scores is at least so high, or none is a number."""
    known = [score for score in scores if not math.isnan(score)]
    return not known or max(known) >= least
