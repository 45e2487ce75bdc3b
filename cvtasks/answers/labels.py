"""Classes that an image shows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from cvtasks.answers.answer import Answer, Window, html_table, shortest


class Label(NamedTuple):
    """One class that is shown, and its score from 0 to 1."""

    name: str
    score: float


@dataclass(frozen=True, eq=False)
class Labels(Answer):
    """Which classes an image shows. Make a truth with `Labels.of`.

    Attributes:
        scores: (c,) float32, 0 to 1, one for each of `classes`; in a truth 1 where the image shows
            it, 0 where not, or the shares of a mixture of images.
        difficult: (c,) bool: neither to be found nor counted against whoever finds it.
        classes: the names.

    Raises:
        ValueError: shapes or types differ from these, or a score is not a number from 0 to 1.

    >>> Labels.of([2], ("cat", "cow", "dog")).scores.tolist()
    [0.0, 0.0, 1.0]
    """

    scores: np.ndarray
    difficult: np.ndarray
    classes: tuple[str, ...]

    keeps_others = False
    mixing = "shares"
    scored = "a class that is scored"

    @classmethod
    def nothing(cls, size: tuple[int, int], classes: tuple[str, ...]) -> Self:
        """No class."""
        return cls.of([], classes)

    @classmethod
    def of(
        cls, shown: Iterable[int], classes: tuple[str, ...], difficult: Iterable[int] = ()
    ) -> Self:
        """The truth about an image that shows these classes, given by their indices, and
        `difficult` ones besides.
        """
        scores, ignored = np.zeros(len(classes), np.float32), np.zeros(len(classes), bool)
        shown, difficult = list(shown), list(difficult)
        if min([*shown, *difficult], default=0) < 0:
            raise ValueError(
                f"a class is given by its index, 0 to {len(classes) - 1}; got "
                f"{min([*shown, *difficult])}."
            )
        scores[shown] = 1
        ignored[difficult] = True
        return cls(scores, ignored, classes)

    def __post_init__(self) -> None:
        for name, kind in (("scores", np.float32), ("difficult", np.bool_)):
            array = getattr(self, name)
            if array.shape != (len(self.classes),) or array.dtype != kind:
                raise ValueError(
                    f"`{name}` must be ({len(self.classes)},) {kind.__name__}, one a class; got "
                    f"{array.shape} {array.dtype}."
                )
        if not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise ValueError(
                f"every score must be a number from 0 to 1; got {self.scores[:5].tolist()}."
            )

    @property
    def shown(self) -> np.ndarray:
        """(n,) int64: indices of the classes with a score above 0 that are not difficult, the best
        first.
        """
        order = np.argsort(-self.scores, kind="stable")
        return order[(self.scores[order] > 0) & ~self.difficult[order]]

    @property
    def names(self) -> tuple[str, ...]:
        """(n) names of the classes that are shown, the best first."""
        return tuple(self.classes[index] for index in self.shown)

    def counts(self) -> np.ndarray:
        """(classes,) int64: 1 for each class that is shown."""
        return ((self.scores > 0) & ~self.difficult).astype(np.int64)

    def present(self) -> np.ndarray:
        """(k,) int64, rising: the classes that are shown."""
        return np.sort(self.shown)

    def with_classes(self, classes: tuple[str, ...], unlisted: str = "background") -> Self:
        """The same for the list `classes`; what is not on it goes, whatever `unlisted` says:
        nothing is to be said of it.
        """
        if classes == self.classes:
            return self
        place = {name: index for index, name in enumerate(self.classes)}
        known = [(new, place[name]) for new, name in enumerate(classes) if name in place]
        scores, difficult = np.zeros(len(classes), np.float32), np.zeros(len(classes), bool)
        for new, old in known:
            scores[new], difficult[new] = self.scores[old], self.difficult[old]
        return replace(self, scores=scores, difficult=difficult, classes=classes)

    def _moved(self, place: np.ndarray, classes: tuple[str, ...]) -> Self:
        scores, difficult = np.zeros(len(classes), np.float32), np.zeros(len(classes), bool)
        np.maximum.at(scores, place, np.where(self.difficult, 0, self.scores).astype(np.float32))
        difficult[place[self.difficult]] = True
        return replace(self, scores=scores, difficult=difficult & (scores == 0), classes=classes)

    def warp(self, window: Window, min_visibility: float) -> Self:
        """The same: a part of an image is taken to show what all of it shows."""
        return self

    def mixed(self, other: Self, share: float) -> Self:
        """The labels of two mixed images, `share` of which is this one's, 0 to 1; what is difficult
        in one of them is so in both.
        """
        scores = np.clip(share * self.scores + (1 - share) * other.scores, 0, 1)
        return replace(
            self,
            scores=scores.astype(np.float32),
            difficult=self.difficult | other.difficult,
        )

    def mirrored(self) -> Self:
        """The same."""
        return self

    def merged(self, other: Self, threshold: float, share: float = 0.5) -> Self:
        """The mean of the scores."""
        mine, theirs = np.float32(1 - share), np.float32(share)
        scores = mine * self.scores + theirs * other.scores
        scores[scores < threshold] = 0
        return replace(self, scores=scores, difficult=self.difficult & other.difficult)

    def __iter__(self) -> Iterator[Label]:
        for name, score in zip(self.names, shortest(self.scores[self.shown]), strict=True):
            yield Label(name, score)

    def to_dict(self) -> dict[str, Any]:
        """`labels`: a list of `name` and `score`, the best first."""
        return {"labels": [one._asdict() for one in self]}

    def _drawn(self, image: np.ndarray) -> np.ndarray:
        from cvtasks.drawing.annotate import draw_labels

        return draw_labels(image, self)

    def _repr_html_(self) -> str:
        return html_table([("class", "score"), *((name, f"{score:.3f}") for name, score in self)])

    def content(self) -> bytes:
        """Scores, and what is difficult."""
        return self.scores.tobytes() + self.difficult.tobytes()

    @classmethod
    def statistics(cls, truths: Iterable[Self], classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """One row a class: `class`, `images` that show it, and `difficult`: images in which it is
        neither to be found nor counted against whoever finds it.
        """
        shown, difficult = np.zeros(len(classes), np.int64), np.zeros(len(classes), np.int64)
        for truth in truths:
            shown += truth.counts()
            difficult += truth.difficult
        return [
            {"class": name, "images": int(images), "difficult": int(hard)}
            for name, images, hard in zip(classes, shown, difficult, strict=True)
        ]
