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
from cvtasks.engines.base import Engine
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.engines.on_device import on_device
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.heads.arrays import Arrays, joined
from cvtasks.heads.base import Head
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.devices import ONE, Devices

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
        judge: of it.
        images: that an epoch trains on.
        devices: that the network is on.
    """

    def __init__(
        self,
        judge: "Judge",
        recipe: Recipe,
        train: Source,
        validation: Source,
        images: int,
        devices: Devices = ONE,
    ) -> None:
        self._recipe, self._validation, self._devices = recipe, validation, devices
        self._watched = watched(recipe, train, len(validation), images)
        self._judge = judge

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
            return head.compact(sample.truth, fit(sample.image.shape[:2]))

        encoded = _Encoded(source, encode)
        self._judge.begin(encoded.targets)
        threads = self._recipe.data.workers
        with self._devices.scope():
            metric = evaluate(self._judge, head, fit, encoded, on_image, workers=threads)
        return metric.result(), float(np.mean(self._judge.losses()))


def judge_of(network: Network, recipe: Recipe, devices: Devices = ONE) -> "Judge":
    """What looks at a recipe's network.

    Args:
        network: weights of it that change are seen at once.
        devices: that it is on.
    """
    with devices.scope():
        return Judge(network, recipe.head, recipe.train.precision, devices.whole(_batch(recipe)))


def _batch(recipe: Recipe) -> int:
    """Images a step: no more pixels than a step of the training has."""
    learned = max(recipe.data.multi_scale or (recipe.data.crop or recipe.size,))
    seen = recipe.input_size[0] * recipe.input_size[1]
    return max(1, min(recipe.train.batch, recipe.train.batch * learned**2 // seen))


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
class Judge(KerasEngine):
    """The live network, which also tells the loss of each image, in one pass."""

    def __init__(self, network: Network, head: Head, precision: str, batch: int) -> None:
        super().__init__(network, head, precision, batch)
        both = keras.Model(network.input, [self._network.output, network.output])

        def judged(given: tuple[Any, Any]) -> tuple[Any, Any]:
            images, targets = given
            outputs, logits = both(images, training=False)
            return outputs, head.loss(targets, logits)

        self._judged = on_device(judged, both.variables)
        self._targets: dict[int, Arrays] = {}
        self._seen: list[tuple[Any, int]] = []  # losses of each step, and how many of them count

    def begin(self, targets: dict[int, Arrays]) -> None:
        """Begin with other images, whose targets lie in `targets` once they are streamed."""
        self._targets, self._seen = targets, []

    def losses(self) -> list[float]:
        """Of the images since then. Waits for the device."""
        each = self._judged.fetch([losses for losses, _ in self._seen])
        return [
            float(loss)
            for losses, (_, number) in zip(each, self._seen, strict=True)
            for loss in losses[:number]
        ]

    def at_pace(self, images: int, alone: bool) -> Engine:
        """See `Paced`."""
        return self._paced(self._judge, self._judged, images, alone)

    def _judge(self, images: np.ndarray, number: int) -> Any:
        first = sum(known for _, known in self._seen)
        targets = [self._targets.pop(first + place) for place in range(number)]
        targets += targets[-1:] * (len(images) - number)
        outputs, losses = self._judged((images, joined(np.stack, targets)))
        self._seen.append((losses, number))
        return outputs
