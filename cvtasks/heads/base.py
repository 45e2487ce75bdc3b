"""What a head is: how an answer is learned. The contract between the numpy side (encode, decode)
and the Keras side (build, activate, loss).

The law of the house: `decode(encode(truth))` says what truth says, and the task's metric calls it
perfect. A target and the network's activated output live in the same space: each is one array, or a
dict of arrays by name. A target has every name of the output, in its shape; further names are for
the loss alone, and `decode` does not see them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from cvtasks.answers import Answer
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox, Size
from cvtasks.heads.arrays import Arrays, Shapes
from cvtasks.heads.score import Pick, Score, Seen
from cvtasks.heads.views import TiledViews, Views
from cvtasks.schema import EMPTY, NOT_IN_TABLE
from cvtasks.tasks.base import Classes, Task
from cvtasks.text import counted, some

A = TypeVar("A", bound=Answer)
_NAMED = 12  # classes in an error


class Top(Protocol):
    """The classifier that a backbone's paper gives it."""

    def __call__(self, classes: int, dropout: float, auxiliary: bool) -> list[Any]:
        """Logits (batch, classes) float32; with `auxiliary` also those of the paper's further
        classifiers, for training.

        Raises:
            ModelError: the backbone has no such classifier, or none for images of no fixed size.
        """


def check_class_weights(weights: Sequence[float], classes: Classes) -> None:
    """Raise ModelError where there are some, and not one for each class."""
    if weights and len(weights) != len(classes):
        raise ModelError(
            "`head.class_weights` must be empty or hold one number for each of the "
            f"{counted(len(classes), 'class')} {some(classes, _NAMED)}; got {len(weights)}. Give "
            "as many, in this order, or none."
        )


@dataclass(frozen=True)
class Head(ABC, Generic[A]):
    """A frozen dataclass whose fields, but `task`, are exactly the keys of the recipe's table
    `[head]` beside its `name`.

    `classes` is always the recipe's list. Arrays have no batch axis on the numpy side and one on
    the Keras side.

    Attributes:
        task: what is answered.
    """

    name: ClassVar[str]

    aligned: ClassVar[bool] = True
    """Whether it needs feature maps that lie on the image's grid: of exactly its size divided by
    their stride.
    """

    on_features: ClassVar[bool] = True
    """Whether it stands on the backbone's feature maps; if not, it is the classifier of the
    backbone's paper.
    """

    has_neck: ClassVar[bool] = True
    """Whether it learns something beside what belongs to single classes; if not, a model of other
    classes has nothing to give it but its backbone.
    """

    teachable: ClassVar[bool] = False
    """Whether it can learn from what another model answers: it has `taught`."""

    narrows: ClassVar[bool] = False
    """Whether `decode` looks at a small part of an output only, which `narrowed` finds."""

    reasons: ClassVar[Mapping[str, str]] = EMPTY
    """Key of its table → why `suited` chooses what it chooses for it, to be said where it does."""

    meaning: ClassVar[str] = ""
    """What the numbers of an output are, in sentences, for who decodes an exported file."""

    task: Task[A] = field(metadata=NOT_IN_TABLE)

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """What its fields are in a new recipe on a backbone, where that is not their default."""
        return {}

    @classmethod
    def suited(cls, truths: Iterable[A]) -> dict[str, Any]:
        """Values of the head's own table that a new recipe for data with such truths begins
        with.
        """
        return {}

    @classmethod
    def grown_from(cls, other: "Head[Any]") -> Mapping[str, Any] | None:
        """What its table is in a new recipe that begins with a model of the other head, so that it
        shares layers with it; None where it takes nothing but the backbone.
        """
        return None

    def shares_layers(self, other: "Head[Any]") -> bool:
        """Whether layers on the backbone that have the same name here and in a network of the other
        head are for the same.
        """
        return (self.task.name, self.name) == (other.task.name, other.name)

    def beyond(self, truths: Iterable[A]) -> str:
        """What of such truths training leaves out, as the head is set, in a line; empty where that
        is nothing.
        """
        return ""

    def closing(self) -> "Head[A]":
        """The head as it learns in the last epochs, those of `data.close_mosaic`, whose images are
        as users' are: itself by default. Only its loss may differ.
        """
        return self

    @abstractmethod
    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the classes, the backbone's strides or the fields do not fit each
        other. The bounds of single numbers stand at the fields, and are checked before.
        """

    @abstractmethod
    def outputs(self, size: tuple[int, int], classes: Classes) -> Shapes:
        """Shapes of the activated output for a network input of (height, width)."""

    @abstractmethod
    def encode(self, truth: A, letterbox: Letterbox) -> Arrays:
        """Truth in pixels of the image → target on the letterbox's network input."""

    def compact(self, truth: A, letterbox: Letterbox) -> Arrays:
        """What training hands to the device of a truth: `encode`'s target, or less, of which `loss`
        makes the same there.
        """
        return self.encode(truth, letterbox)

    @abstractmethod
    def decode(
        self, output: Arrays, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> A:
        """Activated output of the network (or a target) → prediction in pixels of the image,
        without scores below `threshold`.
        """

    def decode_views(self, views: Views, classes: Classes, threshold: float = 0.0) -> A:
        """Activated outputs for views of one image → one prediction about it: each is decoded, and
        they are merged as their type is. A head whose outputs can be averaged may do that instead.
        """
        if len(views) == 1:
            return self.decode(views[0].output, views[0].letterbox, classes, threshold)
        merged, *others = (
            answer.mirrored() if view.mirrored else answer
            for view in views
            for answer in (self.decode(view.output, view.letterbox, classes),)
        )
        for number, other in enumerate(others, 2):
            least = threshold if number == len(views) else 0.0
            merged = merged.merged(other, least, share=1 / number)
        return merged

    def decode_tiles(
        self, tiles: TiledViews, size: Size, classes: Classes, threshold: float = 0.0
    ) -> A:
        """Activated outputs for the tiles of an image of (height, width), row by row → one
        prediction about it: each is decoded, and they are put together as their type is. A head
        whose outputs can be blended may do that instead.
        """
        parts = [(tile, self.decode_views(views, classes, threshold)) for tile, views in tiles]
        return parts[0][1].of_tiles(parts, size)

    @abstractmethod
    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """The network's input and its feature maps by stride (KerasTensors) → logits (KerasTensors,
        float32).

        `top` builds what the backbone's paper puts on these maps to classify.
        """

    @abstractmethod
    def activate(self, logits: Any) -> Any:
        """Logits → the target's space. Part of every exported graph."""

    @abstractmethod
    def loss(self, target: Any, logits: Any) -> Any:
        """(batch, *target), (batch, *logits) → (batch,) float32, near zero for a perfect output.

        The target is `encode`'s or `compact`'s, with the same loss to the last bit.
        """

    # === what need not be fetched from a device ===

    def narrowed(self, outputs: Any) -> tuple[dict[str, Any], Any]:
        """What `decode` looks at of activated outputs, (batch, …) by name and not computed anew,
        and (batch,) bool: whether that is all of it; the others' outputs are to be fetched as they
        are. By `keras.ops`.
        """
        raise UsageError(f"all of the output of {self.name} is decoded.")

    def widened(self, parts: Mapping[str, np.ndarray], shapes: Shapes) -> Arrays:
        """An output of such shapes of which `decode` makes what it makes of the one that `parts`
        are of, without a batch axis.
        """
        raise UsageError(f"all of the output of {self.name} is decoded.")

    def taught(self, targets: Arrays, outputs: Arrays, mirrored: Arrays, share: float) -> Arrays:
        """Targets of which `share` is what a teacher answers; all with a batch axis, on the Keras
        side.

        Args:
            targets: `encode`'s or `compact`'s.
            outputs: activated, for the images; `mirrored`: for their mirror images.
        """
        raise UsageError(f"{self.name} learns from the truth alone.")

    # === what the logits say ===

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """How much an image as a whole is of a class: before any softmax or sigmoid, whatever the
        network has answered.

        Args:
            size: (height, width) of the network input.

        Raises:
            UsageError: the logits hold no such number.
        """
        raise UsageError(f"what the logits of {self.name} say of a class is not known.")

    def score(self, kind: str, number: int, seen: Seen[A]) -> Score:
        """The number of the logits that stands for something in an answer.

        Args:
            kind: "class", "box" or "region"; "" for what the answer is surest of.
            number: of the class, the box or the region.
            seen: the image's output and answer.

        Raises:
            UsageError: the answer has no such thing, or none at all.
        """
        raise UsageError(f"what the logits of {self.name} say of an answer is not known.")
