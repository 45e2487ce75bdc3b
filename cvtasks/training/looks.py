"""Looks at how far a run is: scores and losses of the validation split, and of a fixed sample of
the training images, by the weights that are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import keras
import numpy as np

from cvtasks.answers import Answer, Sample
from cvtasks.data import Source
from cvtasks.data.views import Subset, View
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.heads.arrays import Arrays, joined
from cvtasks.heads.base import Head
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe

_BATCH = 8
_FEWEST = 16  # images that are watched however short an epoch is: it takes no time then

OnImage = Callable[[str, np.ndarray, Answer, Answer], None]


@dataclass(frozen=True)
class Look:
    """What was seen: see `cvtasks.training.progress.Epoch`; nothing, where it was not time to."""

    scores: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    train_scores: dict[str, float] = field(default_factory=dict)


@final
class Looks:
    """Looks at the network that is measured.

    Args:
        network: it; weights that change are seen at once.
        images: that an epoch trains on.
    """

    def __init__(
        self, network: Network, recipe: Recipe, train: Source, validation: Source, images: int
    ) -> None:
        self._recipe, self._validation = recipe, validation
        self._watched = watched(recipe, train, len(validation), images)
        self._judge = _Judge(
            network, recipe.head, recipe.train.precision, batch=min(_BATCH, len(validation))
        )

    @property
    def images(self) -> int:
        """How many each look has to measure."""
        return len(self._validation) + (len(self._watched) if self._watched else 0)

    def look(self, on_image: OnImage = lambda name, image, truth, prediction: None) -> Look:
        """Measure both; see `cvtasks.evaluation.evaluate.evaluate` for `on_image`.

        Raises:
            NotFinite: the network's output is no answer.
        """
        scores, loss = self.measure(self._validation, on_image)
        if not self._watched:
            return Look(scores, {"validation": loss})
        train_scores, train_loss = self.measure(self._watched, on_image)
        return Look(scores, {"validation": loss, "training": train_loss}, train_scores)

    def measure(
        self, source: Source, on_image: OnImage = lambda name, image, truth, prediction: None
    ) -> tuple[dict[str, float], float]:
        """Scores and mean loss of a source's images."""
        head, fit = self._recipe.head, self._recipe.letterbox

        def encode(sample: Sample[Any]) -> Arrays:
            return head.encode(sample.truth, fit(sample.image.shape[:2]))

        encoded = _Encoded(source, encode)
        losses = self._judge.begin(encoded.targets)
        metric = evaluate(self._judge, head, fit, encoded, on_image)
        return metric.result(), float(np.mean(losses))


def watched(recipe: Recipe, train: Source, most: int, images: int) -> Source | None:
    """The sample of the training split that is watched; None where the recipe asks for none.

    Drawn by the seed and in the order of the split; at most `most` images, and a quarter of the
    `images` that an epoch trains on, so that to look takes a small part of the time.
    """
    number = min(recipe.train.watch_train, most, len(train), max(images // 4, _FEWEST))
    if not number:
        return None
    drawn = np.random.default_rng([recipe.train.seed, len(train)]).permutation(len(train))
    return Subset(train, sorted(drawn[:number].tolist()))


class _Encoded(View):
    """A source whose samples leave their targets behind: index → target."""

    def __init__(self, source: Source, encode: Callable[[Sample[Any]], Arrays]) -> None:
        super().__init__(source)
        self._encode, self.targets = encode, dict[int, Arrays]()

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample = super().__getitem__(index)
        self.targets[index] = self._encode(sample)
        return sample


@final
class _Judge(KerasEngine):
    """The live network, which also tells the loss of each image, in one pass."""

    def __init__(self, network: Network, head: Head, precision: str, batch: int) -> None:
        super().__init__(network, head, precision, batch)
        both = keras.Model(network.input, [self._network.output, network.output])
        self._judged = _Judged(both, head.loss)
        self._targets: dict[int, Arrays] = {}
        self._losses: list[float] = []

    def begin(self, targets: dict[int, Arrays]) -> list[float]:
        """Begin with other images, whose targets lie in `targets` once they are streamed; returns
        the list that comes to hold their losses.
        """
        self._targets, self._losses = targets, []
        return self._losses

    def _run(self, images: np.ndarray, number: int) -> Arrays:
        first = len(self._losses)
        targets = [self._targets.pop(first + place) for place in range(number)]
        targets += targets[-1:] * (len(images) - number)
        said = self._judged.predict_on_batch(
            {"images": images, "targets": joined(np.stack, targets)}
        )
        self._losses += np.asarray(said["losses"])[:number].tolist()
        return said["outputs"]


@final
class _Judged(keras.Model):
    """{"images", "targets"} → {"outputs", "losses"}.

    Args:
        both: images → [activated outputs, logits].
    """

    def __init__(self, both: keras.Model, loss: Callable[[Any, Any], Any]) -> None:
        super().__init__(name="judged")
        self._both, self._loss = both, loss

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """One pass; nothing is trained in it."""
        outputs, logits = self._both(inputs["images"], training=False)
        return {"outputs": outputs, "losses": self._loss(inputs["targets"], logits)}
