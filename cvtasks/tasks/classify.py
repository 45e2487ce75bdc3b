"""Classification: which class an image shows, or which of several."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from cvtasks.answers import Labels
from cvtasks.drawing.annotate import draw_labels
from cvtasks.errors import ModelError, did_you_mean
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.metrics.classification import AccuracyMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.tasks.base import LITTLE, Classes, Metric, Task, Top, any_above, shortest
from cvtasks.tasks.handwriting import centred
from cvtasks.tasks.score import Pick, Score, Seen, no_such_kind

IGNORED = -1.0
"""Stands in a target where a class neither helps nor hurts."""

_BOUNDS: dict[str, tuple[float, float]] = {
    "threshold": (0, 1),
    "dropout": (0, 0.95),
    "peak": (0, 10),
    "smoothing": (0, 0.9),
    "auxiliary": (0, 10),
}


@dataclass(frozen=True)
class Classify(Task[Labels]):
    """The recipe's table `[classify]`.

    A target is (classes,): the share of each class in the truth, one for what is shown. Where an
    image may show several, `IGNORED` stands for a class whose objects are all difficult.

    Attributes:
        threshold: the least score, 0 to 1, of a class that is shown to a user who asks for no
            other; with many labels, training ends by putting the one here that has the best F1 on
            the validation split.
        labels: "one" class an image, by a softmax, or "many", by a sigmoid each. With one, images
            that show none or several of the recipe's classes are left out.
        top: what stands on the feature maps: "pooled", the mean over the places of a class map, or
            the backbone's "own" classifier, as its paper has it.
        peak: weight of the class map's largest value beside its mean, where many things are in an
            image; pooled only.
        dropout: share of the features that training hides from the last layer, or from each dense
            layer of its own.
        smoothing: share of the truth that is spread over all classes.
        auxiliary: weight of the loss of each auxiliary classifier of the backbone; 0 for none.
            GoogLeNet's has 0.3.
        picture: "whole", or "ink": one dark drawing on light paper or light on dark, prepared as
            MNIST's digits were (`cvtasks.tasks.handwriting`).
    """

    name: ClassVar[str] = "classify"
    answer: ClassVar[type[Labels]] = Labels
    columns: ClassVar[tuple[str, ...]] = ("class", "score")
    aligned: ClassVar[bool] = False

    start_size: ClassVar[int] = 224
    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.7, 1.3), "colour": 0.3},
        "train": {"ema": 0.998, "weight_decay": 0.02},
    }

    threshold: float = 0.01
    labels: Literal["one", "many"] = "one"
    top: Literal["pooled", "own"] = "pooled"
    peak: float = 0.0
    dropout: float = 0.2
    smoothing: float = 0.0
    auxiliary: float = 0.0
    picture: Literal["whole", "ink"] = "whole"

    @classmethod
    def suited(cls, truths: Iterable[Labels]) -> dict[str, Any]:
        """Many labels, if an image shows none of the classes, or several."""
        one = all(len(truth.shown) == 1 for truth in truths)
        return {} if one else {"labels": "many"}

    @property
    def on_features(self) -> bool:
        """Whether the head is the pooled one."""
        return self.top == "pooled"

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the classes or the fields do not fit each other."""
        least = 1 if self.labels == "many" else 2
        if len(classes) < least:
            raise ModelError(
                f"classification with {self.labels} needs at least {least} classes; got "
                f"{list(classes)}. Add images of another class"
                + (
                    ', or set `classify.labels = "many"`: is the one there or not?'
                    if classes
                    else "."
                )
            )
        self.check_bounds(_BOUNDS)
        for field, value, needed, other in (
            ("peak", self.peak, "top", "pooled"),
            ("auxiliary", self.auxiliary, "top", "own"),
            ("picture", self.picture != "whole", "labels", "one"),
        ):
            if value and getattr(self, needed) != other:
                raise ModelError(
                    f'`classify.{field}` is for `classify.{needed} = "{other}"`; got '
                    f'"{getattr(self, needed)}". Change one of them.'
                )

    @property
    def selection(self) -> str:
        """Images of exactly one class, where one is to be learned."""
        return "images that show exactly one of the classes" if self.labels == "one" else ""

    def select(self, truth: Labels) -> Labels | None:
        """The truth, or None where one class is to be learned and it has none or several."""
        return truth if self.labels == "many" or len(truth.shown) == 1 else None

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """The image, or the drawing on it as MNIST's digits are: light on dark,
        centred in 28×28.
        """
        return image if self.picture == "whole" else centred(image)

    def output_shape(self, canvas: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(classes,)."""
        return (len(classes),)

    def encode(self, truth: Labels, letterbox: Letterbox) -> np.ndarray:
        """Labels → (classes,) float32."""
        return (
            np.where(truth.difficult, np.float32(IGNORED), truth.scores)
            if self.labels == "many"
            else truth.scores.copy()
        )

    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Labels:
        """(classes,) → Labels without scores below `threshold`."""
        scores = np.clip(output, 0, 1).astype(np.float32)
        scores[scores < threshold] = 0
        return Labels(scores, output < 0, classes)

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

    def draw(self, image: np.ndarray, answer: Labels) -> np.ndarray:
        """The image with a panel of the best classes; small images are enlarged so that it can be
        read.
        """
        return draw_labels(image, answer)

    def keep(self, answer: Labels, names: Sequence[str]) -> Labels:
        """The answer without scores of other classes."""
        kept = np.array([name in names for name in answer.classes], bool)
        return Labels(
            np.where(kept, answer.scores, np.float32(0)), answer.difficult, answer.classes
        )

    def record(self, answer: Labels) -> dict[str, Any]:
        """`labels`: a list of `name` and `score`, the best first."""
        scores = shortest(answer.scores[answer.shown])
        return {
            "labels": [
                {"name": name, "score": score}
                for name, score in zip(answer.names, scores, strict=True)
            ]
        }

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
        return [
            {"class": label["name"], "score": label["score"]}
            for label in self.record(answer)["labels"]
        ]

    def write(self, kind: str, stem: Path, answer: Labels, source: str) -> Path:
        """Never: classification has no files of its own."""
        raise ValueError(f"classification writes no files of its own; got {kind!r}.")

    def summary(self, answer: Labels) -> str:
        """The five best classes with their scores in percent."""
        best = [f"{answer.classes[index]} {answer.scores[index]:.0%}" for index in answer.shown[:5]]
        return ", ".join(best) or "no class is sure enough"

    def head(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, classes), or (batch, classifiers, classes) with auxiliary ones;
        float32.
        """
        if self.top == "own":
            logits = top(len(classes), self.dropout, self.auxiliary > 0)
            if len(logits) == 1:
                return logits[0]
            from keras import ops

            return ops.stack(logits, axis=1)
        from cvtasks.networks.pooled_head import pooled

        return pooled(maps[max(maps)], classes=len(classes), dropout=self.dropout, peak=self.peak)

    def activate(self, logits: Any) -> Any:
        """Softmax, or sigmoid, of the main classifier's logits."""
        from keras import ops

        from cvtasks.networks.pooled_head import main_logits

        return (
            ops.softmax(main_logits(logits), axis=-1)
            if self.labels == "one"
            else ops.sigmoid(main_logits(logits))
        )

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropy; see `cvtasks.networks.pooled_head`."""
        from cvtasks.networks.pooled_head import classification_loss

        many = self.labels == "many"
        return classification_loss(
            target, logits, many=many, smoothing=self.smoothing, auxiliary=self.auxiliary
        )

    @property
    def blank(self) -> float:
        """Black where drawings are light on black, else the letterbox's grey."""
        return 0.0 if self.picture == "ink" else super().blank

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The class's logit, of the main classifier."""
        from cvtasks.networks.pooled_head import main_logits

        return lambda logits: main_logits(logits)[:, index]

    def score(self, kind: str, number: int, seen: Seen) -> Score:
        """A class, or the best one."""
        if kind in ("box", "region"):
            raise no_such_kind(kind, "")
        index = number if kind else int(seen.output.argmax())
        return Score(seen.answer.classes[index], self.class_score(index, seen.letterbox.canvas))
