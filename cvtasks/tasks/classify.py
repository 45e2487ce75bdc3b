"""Classification: which class an image shows, or which of several."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from cvtasks.answers import Labels
from cvtasks.errors import DataError, ModelError, did_you_mean
from cvtasks.metrics.base import Metric
from cvtasks.metrics.classification import AccuracyMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.schema import Range
from cvtasks.tasks.base import LITTLE, MORE, Classes, Task, any_above, hardly_better
from cvtasks.tasks.handwriting import centred
from cvtasks.text import counted, some

_UNEVEN = 1.5  # times as many images of the commonest class as of each, were they even
_NAMED = 12  # classes that a line names at most


@dataclass(frozen=True)
class Classify(Task[Labels]):
    """The class that an image shows, or those of several.

    Attributes:
        threshold: the least score, 0 to 1, of a class that is shown to a user who asks for no
            other; with many labels, training ends by putting the one here that has the best F1 on
            the validation split.
        labels: "one" class an image, by a softmax, or "many", by a sigmoid each. With one, images
            that show none or several of the recipe's classes are left out.
        preparation: "none", or "handwriting": one dark drawing on light paper or light on dark,
            prepared as MNIST's digits were (`cvtasks.tasks.handwriting`).
    """

    name: ClassVar[str] = "classify"
    answer: ClassVar[type[Labels]] = Labels
    columns: ClassVar[tuple[str, ...]] = ("class", "score")
    start_size: ClassVar[int] = 224
    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.7, 1.3), "colour": 0.3},
        "train": {"ema": 0.998, "weight_decay": 0.02},
    }

    reasons: ClassVar[Mapping[str, Mapping[Any, str]]] = {
        "labels": {
            "one": "each image to train on shows exactly one of the classes",
            "many": "images to train on show none of the classes, or several",
        }
    }

    threshold: Annotated[float, Range(0, 1)] = 0.01
    labels: Literal["one", "many"] = "one"
    preparation: Literal["none", "handwriting"] = "none"

    @classmethod
    def suited(cls, truths: Iterable[Labels]) -> dict[str, Any]:
        """One label, if each image shows one of the classes; many, if one shows none or several."""
        one = all(len(truth.shown) == 1 for truth in truths)
        return {"labels": "one" if one else "many"}

    def check(self, classes: Classes) -> None:
        """Raise ModelError where the classes or the fields do not fit each other."""
        least = 1 if self.labels == "many" else 2
        if len(classes) < least:
            alone = (
                ', or set `task.labels = "many"`, which learns whether the one is there, and needs '
                "images without it too"
            )
            raise ModelError(
                f'classification with `task.labels = "{self.labels}"` needs at least '
                f"{counted(least, 'class')}; got {list(classes)}. Add images of another class"
                f"{alone if classes else ''}."
            )
        if self.preparation != "none" and self.labels != "one":
            raise ModelError(
                '`task.preparation` is for `task.labels = "one"`; got '
                f'"{self.labels}". Change one of them.'
            )

    @property
    def selection(self) -> str:
        """Images of exactly one class, where one is to be learned."""
        return "images that show exactly one of the classes" if self.labels == "one" else ""

    def select(self, truth: Labels) -> Labels | None:
        """The truth, or None where one class is to be learned and it has none or several."""
        return truth if self.labels == "many" or len(truth.shown) == 1 else None

    @property
    def exclusive(self) -> bool:
        """Whether one class is learned of each image."""
        return self.labels == "one"

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """The image, or the drawing on it as MNIST's digits are: light on dark,
        centred in 28×28.
        """
        return image if self.preparation == "none" else centred(image)

    def metric(self, classes: Classes) -> Metric[Labels]:
        """Top-1 and top-5 accuracy, or VOC's mean average precision."""
        return AccuracyMetric(classes) if self.labels == "one" else MultiLabelMetric(classes)

    def tuned(self, metric: Metric[Labels]) -> "Classify":
        """With the threshold at which mean F1 is best, where there are many labels and something
        was learned.
        """
        if not isinstance(metric, MultiLabelMetric) or not self.learned(metric):
            return self
        threshold, f1 = metric.best_threshold()
        return self if np.isnan(f1) else replace(self, threshold=threshold)

    def learned(self, metric: Metric[Labels]) -> bool:
        """Whether the classes' mean accuracy is above that of a constant answer, or a class ranks
        better than chance.
        """
        if isinstance(metric, MultiLabelMetric):
            return any_above(metric.gains(), LITTLE)
        rows = metric.per_class().values()
        recalls = [row["accuracy"] for row in rows if not np.isnan(row["accuracy"])]
        return not recalls or float(np.mean(recalls)) >= (
            1 / len(recalls) + LITTLE if len(recalls) > 1 else LITTLE
        )

    def little(self, metric: Metric[Labels]) -> str:
        """The score beside that of the commonest class for every image, or of ranks by chance."""
        if isinstance(metric, MultiLabelMetric):
            return _little_ranked(metric)
        if not isinstance(metric, AccuracyMetric):
            return super().little(metric)
        images = metric.confusion.sum(axis=1)
        share, known = images.max() / images.sum(), np.count_nonzero(images)
        said = hardly_better(metric, f'"{metric.classes[images.argmax()]}" for every image', share)
        mean = metric.result()["mean class accuracy"]
        uneven = (
            'Add images of the rare classes, or set `train.class_weights = "balanced"`. '
            if share > _UNEVEN / known
            else ""
        )
        return f"{said}; mean class accuracy is {mean:.4f}. {uneven}{MORE}"

    def contrast(self, truths: Iterable[Labels]) -> str:
        """That every image shows a class, where it is to be learned whether one does.

        Raises:
            DataError: every image shows each of the classes that there are.
        """
        shown = [] if self.exclusive else [set(truth.names) for truth in truths]
        always = set.intersection(*shown) if shown else set()
        if not always:
            return ""
        names = some(sorted(always), _NAMED)
        if always == set.union(*shown):
            raise DataError(
                "whether an image shows a class is learned from images with it and without it; "
                f"of {counted(len(shown), 'image')} to train on each shows {names}. Add images "
                "without; in a folder of their own they are another class, for "
                '`task.labels = "one"`.'
            )
        return (
            f"every image to train on shows {names}, so what an image without looks like is not "
            "learned"
        )

    def keep(self, answer: Labels, names: Sequence[str]) -> Labels:
        """The answer without scores of other classes."""
        kept = np.array([name in names for name in answer.classes], bool)
        return Labels(
            np.where(kept, answer.scores, np.float32(0)), answer.difficult, answer.classes
        )

    def annotation(self, answer: Labels) -> Labels:
        """The best class, where an image has one."""
        if not self.exclusive:
            return answer
        best = np.arange(len(answer.classes)) == answer.scores.argmax()
        return replace(answer, scores=np.where(best, answer.scores, np.float32(0)))

    def from_record(self, record: Mapping[str, Any], classes: Classes) -> Labels:
        """Labels of a record; what it does not name has a score of 0."""
        scores = np.zeros(len(classes), np.float32)
        for label in record["labels"]:
            if label["name"] not in classes:
                raise ValueError(
                    f'every label must be a class of the model; "{label["name"]}" is none. '
                    f"{did_you_mean(label['name'], classes)}"
                )
            scores[classes.index(label["name"])] = label["score"]
        return Labels(scores, np.zeros(len(classes), bool), classes)

    def rows(self, answer: Labels) -> list[dict[str, Any]]:
        """One row for each class with a score: `class`, `score`."""
        return [{"class": label.name, "score": label.score} for label in answer]

    def write(self, kind: str, stem: Path, answer: Labels, source: str) -> Path:
        """Never: classification has no files of its own."""
        raise ValueError(f"classification writes no files of its own; got {kind!r}.")

    def summary(self, answer: Labels) -> str:
        """The five best classes with their scores in percent."""
        best = [f"{answer.classes[index]} {answer.scores[index]:.0%}" for index in answer.shown[:5]]
        return ", ".join(best) or "no class is sure enough"

    @property
    def blank(self) -> float:
        """Black where drawings are light on black, else the letterbox's grey."""
        return 0.0 if self.preparation == "handwriting" else super().blank


def _little_ranked(metric: MultiLabelMetric) -> str:
    """What is said where many labels were ranked no better than by chance."""
    shares = [one.objects / int(one.ranked[-1]) for one in metric.curves().values() if one.objects]
    said = hardly_better(metric, "one score for all images", float(np.mean(shares)))
    if min(shares) == 1:
        return f"{said}: every image to validate on shows every class. Add images without to them."
    return f"{said}. {MORE}"
