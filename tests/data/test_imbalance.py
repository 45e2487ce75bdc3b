"""Rare classes: how often their images are seen, and what they weigh."""

import math
from collections import Counter

import numpy as np
import pytest

from cvtasks.answers import Answer, Labels, Mask, Sample
from cvtasks.data.loading.batches import Batches
from cvtasks.data.loading.imbalance import (
    balanced_weights,
    repeat_factors,
    repeated,
    times_seen,
    times_shown,
)
from cvtasks.data.source import Source

CLASSES = ("frequent", "rare", "never")


class Drawn(Source):
    """Truths with an image that nobody looks at."""

    kind = Labels
    classes = CLASSES

    def __init__(self, truths: list[Answer]) -> None:
        self._truths = truths

    def __len__(self) -> int:
        return len(self._truths)

    def __getitem__(self, index: int) -> Sample:
        return Sample(np.zeros((2, 2, 3), np.uint8), self._truths[index], f"image {index}")


def uneven(images: int = 40, rare: int = 2) -> Drawn:
    return Drawn([Labels.of([1] if index < rare else [0], CLASSES) for index in range(images)])


def names(source: Source, epoch: int, batch: int = 4, first: int = 0, workers: int = 0) -> list:
    def prepare(source: Source, epoch: int, step: int, index: int) -> tuple:
        return np.zeros(1), np.zeros(1), f"{index}"

    batches = Batches(
        source,
        prepare,
        batch=batch,
        seed=3,
        workers=workers,
        factors=repeat_factors(source, 0.5),
    )
    found = [batch.names for batch in batches.epoch(epoch, first)]
    assert len(found) == len(batches) - first
    return found


def test_factors_are_those_of_the_paper() -> None:
    factors = repeat_factors(uneven(), 0.2)
    assert factors is not None
    assert factors[0] == pytest.approx(math.sqrt(0.2 / 0.05))
    assert (factors[2:] == 1).all()
    assert repeat_factors(uneven(), 0.0) is None
    assert repeat_factors(uneven(), 0.01) is None  # no class is that rare


def test_an_image_with_a_rare_class_counts_by_it_whatever_else_it_shows() -> None:
    source = Drawn([*(Labels.of([0], CLASSES) for _ in range(9)), Labels.of([0, 1], CLASSES)])
    factors = repeat_factors(source, 0.4)
    assert factors is not None
    assert factors.tolist() == pytest.approx([1.0] * 9 + [2.0])


def test_each_image_is_seen_as_often_as_its_factor_says() -> None:
    factors = np.random.default_rng(0).uniform(1, 4, 50)
    seen = Counter[int]()
    starts = np.linspace(0, 1, 400, endpoint=False)
    for start in starts:
        found = repeated(factors, float(start))
        assert len(set(found.tolist())) == len(found)
        assert len(found) in (math.floor(factors.sum()), math.ceil(factors.sum()))
        seen.update((found % 50).tolist())
    times = np.array([seen[index] for index in range(50)]) / len(starts)
    np.testing.assert_allclose(times, factors, atol=0.01)


def test_epochs_repeat_rare_images_and_depend_on_seed_and_epoch_alone() -> None:
    source = uneven()
    epoch = [int(name) for batch in names(source, 1) for name in batch]
    times = Counter(index % 40 for index in epoch)
    assert min(times[0], times[1]) >= 3  # √(0.5 / 0.05) is 3.2
    assert max(times.values()) <= 4
    assert len(set(epoch)) == len(epoch)  # each time has a number of its own, so is varied anew
    assert names(source, 1, workers=2) == names(source, 1)
    assert names(source, 1, first=3) == names(source, 1)[3:]
    assert names(source, 2) != names(source, 1)


def test_balanced_weights_are_inverse_to_what_there_is() -> None:
    weights = balanced_weights(uneven(40, 8))
    assert weights == (0.625, 2.5, 1.0)
    assert 32 * weights[0] + 8 * weights[1] == pytest.approx(40)
    assert balanced_weights(uneven(1000, 1))[1] == 10.0


def test_weights_are_of_what_is_seen_where_rare_images_are_repeated() -> None:
    seen = 32 + 8 * math.sqrt(0.8 / 0.2)
    expected = (seen / (2 * 32), seen / (2 * 16), 1.0)
    assert balanced_weights(uneven(40, 8), 0.8) == pytest.approx(expected, rel=1e-3)


def test_times_are_counted_as_batches_count_them() -> None:
    assert times_shown(uneven(40, 2)).tolist() == [38, 2, 0]
    assert times_seen(uneven(), 0.5) // 4 == math.floor((38 + 2 * math.sqrt(0.5 / 0.05)) / 4)
    assert times_seen(uneven(), 0.0) == 40


def test_of_masks_pixels_are_counted() -> None:
    ids = np.zeros((4, 4), np.uint8)
    ids[0] = 1
    ids[1] = 255
    assert balanced_weights(Drawn([Mask(ids, CLASSES)])) == (0.75, 1.5, 1.0)


def test_weighted_losses_are_what_is_written_down() -> None:
    from keras import ops

    from cvtasks.networks.pooled_head import classification_loss

    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 3)).astype("float32")
    target = np.eye(3, dtype="float32")[[0, 1, 2, 1, 0]]
    weights = (0.5, 4.0, 1.0)

    def loss(many: bool, weights: tuple[float, ...]) -> np.ndarray:
        found = classification_loss(
            target, logits, many=many, smoothing=0.1, auxiliary=0, class_weights=weights
        )
        return ops.convert_to_numpy(found)

    np.testing.assert_allclose(
        loss(False, weights), loss(False, ()) * np.array(weights)[[0, 1, 2, 1, 0]], rtol=1e-5
    )
    share = 1 / (1 + np.exp(-logits))
    wanted = target * 0.9 + 0.05
    entropy = -wanted * np.log(share) - (1 - wanted) * np.log(1 - share)
    expected = (entropy * np.where(target > 0, weights, 1)).sum(axis=1)
    np.testing.assert_allclose(loss(True, weights), expected, rtol=1e-4)
    np.testing.assert_allclose(loss(True, (1.0, 1.0, 1.0)), loss(True, ()), rtol=1e-6)
