"""How truth and prediction disagree, as a number from 0 to 1 for each image.

Sources: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels"
(2021), for labels; Settles, "Active Learning Literature Survey" (2009), for entropy.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

import numpy as np

from cvtasks.answers import VOID, A, Answer, Boxes, Instances, Labels, Mask
from cvtasks.errors import UsageError
from cvtasks.geometry.boxes import areas
from cvtasks.metrics.instances import mask_overlaps
from cvtasks.metrics.matching import Overlaps, box_overlaps

CONFIDENT = 0.8
"""Score of a pixel's class from which on it speaks against a truth."""
LEAST = 0.05
"""Score of a box that is looked at."""
LARGE = 32.0**2
"""Square pixels; smaller objects are missed too often for that to tell anything."""

_SURE = 0.5  # score of a box that says that an object is there
_FOUND, _NEAR, _TOUCHED = 0.5, 0.3, 0.1  # IoU of a box on an object, of one that may mean it, …


NOTHING, AGREED = "nothing found", "nothing against the truth"
"""What stands in place of a reason where an image gives none: without a truth, and with one."""


@dataclass(frozen=True, eq=False)
class Suspect:
    """Why an image is worth a look, or that nothing says so.

    Attributes:
        image: its index.
        reason: in a few words, the same for all of a kind.
        score: 0 to 1; comparable within one review. Of 0, it gives no reason.
        detail: what exactly.
    """

    image: int
    reason: str
    score: float
    detail: str


@dataclass(frozen=True, eq=False)
class Said(Generic[A]):
    """What a model says of an image: everything, and what it is sure of."""

    all: A
    sure: A


class Reviewer(ABC, Generic[A]):
    """Collects truths and predictions, and tells the suspects when it has seen them all."""

    @abstractmethod
    def add(self, image: int, truth: A | None, said: Said[A]) -> None:
        """Take an image; without a truth what counts is how unsure the model is."""

    @abstractmethod
    def suspects(self) -> Iterator[Suspect]:
        """One for each image that gives reason to."""


def reviewer_of(kind: type[Answer], exclusive: bool) -> Reviewer:
    """The reviewer of a kind of answers; `exclusive` as of `Task`.

    Raises:
        UsageError: answers of this kind have none.
    """
    if issubclass(kind, Labels):
        return LabelReviewer(exclusive)
    if issubclass(kind, Instances):
        return BoxReviewer(mask_overlaps, "mask fits badly")
    if issubclass(kind, Boxes):
        return BoxReviewer()
    if issubclass(kind, Mask):
        return MaskReviewer()
    raise UsageError(
        "annotations are reviewed that are labels, boxes or masks; these are "
        f"{kind.__name__}. `cvtasks evaluate` with a folder for its output shows the worst images."
    )


class LabelReviewer(Reviewer[Labels]):
    """Labels that the model's probabilities speak against.

    Where an image has one class, an image given as i is counted as j if j is the likeliest of the
    classes whose probability is at least the mean that images given as j have (confident learning);
    where j is not i, it is likely mislabelled, the more so the larger the margin. Others come after
    these, by the probability of what was given. Where it has several, each class is judged by its
    own probability.
    """

    def __init__(self, exclusive: bool) -> None:
        self._exclusive = exclusive
        self._seen: list[tuple[int, Labels | None, np.ndarray]] = []

    def add(self, image: int, truth: Labels | None, said: Said[Labels]) -> None:
        """Take an image."""
        self._seen.append((image, truth, said.all.scores.astype(np.float64)))
        self._classes = said.all.classes

    def suspects(self) -> Iterator[Suspect]:
        """One for each image."""
        given = [(image, truth, p) for image, truth, p in self._seen if truth is not None]
        yield from (_unsure(image, p, self._exclusive) for image, t, p in self._seen if t is None)
        if not self._exclusive:
            yield from (self._several(image, truth, p) for image, truth, p in given)
            return
        if not given:
            return
        labels = np.array([truth.scores.argmax() for _, truth, _ in given], int)
        shares = np.array([p for *_, p in given]).reshape(len(given), -1)
        usual = np.array(
            [
                shares[labels == label, label].mean() if (labels == label).any() else np.inf
                for label in range(shares.shape[1])
            ]
        )
        for (image, _, p), label in zip(given, labels.tolist(), strict=True):
            likely = np.where(p >= usual, p, -1)
            best = int(likely.argmax())
            own, detail = float(p[label]), ""
            if likely[best] >= 0 and best != label:
                score = 0.5 + 0.5 * float(np.clip(p[best] - own, 0, 1))
                detail = f"given {self._classes[label]} {own:.2f}, "
                detail += f"likely {self._classes[best]} {p[best]:.2f}"
                yield Suspect(image, "another class", score, detail)
            else:
                detail = f"given {self._classes[label]} {own:.2f}"
                yield Suspect(image, "unsure of the class", 0.5 * (1 - own), detail)

    def _several(self, image: int, truth: Labels, p: np.ndarray) -> Suspect:
        against = np.where(truth.scores > 0, 1 - p, p)
        against[truth.difficult] = 0
        worst = int(against.argmax())
        shown = truth.scores[worst] > 0
        reason = "class given, not seen" if shown else "class seen, not given"
        detail = f"{self._classes[worst]} {p[worst]:.2f}"
        return Suspect(image, reason, float(against[worst]), detail)


class BoxReviewer(Reviewer[Boxes]):
    """Objects and confident boxes that do not belong together.

    A missed object counts by the share of its class that the model does find: where it misses many,
    another one tells little.

    Args:
        overlaps: what of an object is compared, its box or its mask.
        badly: the reason where too little of both is the same.
    """

    def __init__(self, overlaps: Overlaps = box_overlaps, badly: str = "box fits badly") -> None:
        self._overlaps, self._badly = overlaps, badly
        self._found: dict[int, list[tuple[str, float, str, int]]] = {}
        self._objects: dict[int, list[bool]] = {}  # class → whether each large object was found

    def add(self, image: int, truth: Boxes | None, said: Said[Boxes]) -> None:
        """Take an image."""
        boxes = said.all
        if truth is None:
            half = 1 - abs(2 * boxes.scores.astype(np.float64) - 1)
            if len(half):
                worst = int(half.argmax())
                detail = f"{boxes.names[worst]} {boxes.scores[worst]:.2f}"
                self._found[image] = [("unsure of an object", float(half[worst]), detail, -1)]
            return
        overlap, inside = self._overlaps(boxes, truth)
        same = boxes.labels[:, None] == truth.labels[None]
        found = self._found.setdefault(image, [])
        on = np.asarray(np.where(truth.crowd, inside, overlap >= _FOUND).any(axis=1))
        found += self._of_boxes(boxes, overlap, same, on)
        found += self._of_objects(truth, boxes, overlap, same)

    def suspects(self) -> Iterator[Suspect]:
        """One for each image with a disagreement: the strongest."""
        shares = {label: float(np.mean(seen)) for label, seen in self._objects.items()}
        for image, found in self._found.items():
            if found:
                weighed = [
                    (score * shares.get(label, 1.0), reason, detail)
                    for reason, score, detail, label in found
                ]
                score, reason, detail = max(weighed)
                more = f" and {len(found) - 1} more" if len(found) > 1 else ""
                yield Suspect(image, reason, score, detail + more)

    def _of_boxes(
        self, boxes: Boxes, overlap: np.ndarray, same: np.ndarray, excused: np.ndarray
    ) -> Iterator[tuple[str, float, str, int]]:
        """Sure boxes without an object; those `excused` lie on one."""
        for index in np.flatnonzero(boxes.scores >= _SURE).tolist():
            if excused[index]:  # on an object; of which class is asked there
                continue
            score, name = float(boxes.scores[index]), boxes.names[index]
            near = float((overlap[index] * same[index]).max(initial=0))
            if near >= _TOUCHED:
                yield (
                    self._badly,
                    score * (1 - near**2),
                    f"{name} {score:.2f}, IoU {near:.2f}",
                    -1,
                )
            else:
                yield "object without a label", score, f"{name} {score:.2f}", -1

    def _of_objects(
        self, truth: Boxes, boxes: Boxes, overlap: np.ndarray, same: np.ndarray
    ) -> Iterator[tuple[str, float, str, int]]:
        """Objects of another class than the box on them, and large ones without a box."""
        scores = boxes.scores.astype(np.float64)
        sizes = areas(truth.xyxy)
        for index in np.flatnonzero(truth.counted).tolist():
            name = truth.names[index]
            on = overlap[:, index] >= _FOUND
            own = scores[on & same[:, index]].max(initial=0)
            other = np.where(on & ~same[:, index], scores, 0)
            best = int(other.argmax()) if len(other) else -1
            swapped = best >= 0 and other[best] >= _SURE and other[best] > own
            if swapped:
                detail = f"given {name}, likely {boxes.names[best]} {other[best]:.2f}"
                yield "another class", float(other[best] - own), detail, -1
            if sizes[index] < LARGE:
                continue
            meant = np.where(same[:, index], _TOUCHED, _NEAR)
            near = scores[overlap[:, index] >= meant].max(initial=0)
            label = int(truth.labels[index])
            self._objects.setdefault(label, []).append(bool(near >= _SURE))
            if not swapped and near < _SURE:
                yield "label without an object", float(1 - near), f"{name}: {near:.2f}", label


class MaskReviewer(Reviewer[Mask]):
    """Regions where confident pixels are of another class than given.

    For each class: the share of wrong pixels of which the model is sure, of all that are given as
    it or taken for it. Without a truth: the share of unsure pixels of all that are no background.
    """

    def __init__(self) -> None:
        self._found: list[Suspect] = []

    def add(self, image: int, truth: Mask | None, said: Said[Mask]) -> None:
        """Take an image."""
        ids, sure = said.all.ids, said.sure.ids
        ground = 0 if Mask.ground(said.all.classes) else VOID
        certain = (ids == sure) & (ids != VOID)  # background that is any class's second is certain
        if truth is None:
            things = ids != ground
            if not things.any():
                return
            share = float((things & ~certain).sum() / max(int(things.sum()), LARGE))
            self._found.append(
                Suspect(image, "unsure pixels", share, f"{share:.0%} of what is found")
            )
            return
        counted = truth.ids != VOID
        found = []
        for label in np.union1d(truth.present(), said.all.present()).tolist():
            given, taken = (truth.ids == label) & counted, (ids == label) & counted
            union = int((given | taken).sum())
            if union >= LARGE:
                wrong = int(((given != taken) & certain).sum()) / union
                own = int((given & taken).sum()) / union
                name = truth.classes[label]
                found.append((wrong, f"{name}: IoU {own:.2f}, {wrong:.0%} surely otherwise"))
        if found:
            score, detail = max(found)
            self._found.append(Suspect(image, "region of another class", score, detail))

    def suspects(self) -> Iterator[Suspect]:
        """One for each image with something of some size."""
        yield from self._found


def _unsure(image: int, p: np.ndarray, exclusive: bool) -> Suspect:
    """How unsure a model is of the classes of an image: the entropy of its probabilities, as a
    share of the most that it can be; of several classes that of the least sure one.
    """
    if not exclusive:
        half = 1 - abs(2 * p - 1)
        return Suspect(image, "unsure of the class", float(half.max()), f"{p[half.argmax()]:.2f}")
    known = p[p > 0] / p.sum() if p.sum() else np.ones(1)
    entropy = float(-(known * np.log(known)).sum() / np.log(max(len(p), 2)))
    first, second = np.sort(p)[::-1][:2] if len(p) > 1 else (1.0, 0.0)
    return Suspect(image, "unsure of the class", entropy, f"margin {first - second:.2f}")
