"""The sizes of the parts into which data are dealt out, and the classes that each of them shows."""

import time
from collections import Counter

import numpy as np
import pytest

from cvtasks.data.held_out import _by_class
from cvtasks.data.part_sizes import Parts

Units = list[Counter[int]]


def drawn(seed: int, count: int, classes: int, most: int = 5) -> Units:
    """Images of 1 to `most` classes, of which some are frequent and many rare."""
    rng, chances = np.random.default_rng(seed), 1 / np.arange(1, classes + 1)
    chances /= chances.sum()
    return [
        Counter(set(rng.choice(classes, rng.integers(1, most + 1), p=chances).tolist()))
        for _ in range(count)
    ]


def settled(
    units: Units, shares: list[float], sizes: list[int] | None = None, folds: bool = False
) -> list[int]:
    """Of each unit its part, first dealt out by class."""
    whole, place = [1 - sum(shares), *shares], _by_class(units, shares)
    learned = range(len(whole)) if folds else (0,)
    parts = Parts(units, sizes or [1] * len(units), whole, place, learned)
    parts.settle()
    return parts.place


def showing(units: Units, place: list[int], label: int) -> list[int]:
    """The parts of the units that show a class."""
    return [part for unit, part in zip(units, place, strict=True) if label in unit]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count, classes", [(24, 16), (60, 8), (212, 80), (300, 3)])
def test_parts_have_the_sizes_that_were_asked_for(seed: int, count: int, classes: int) -> None:
    units = drawn(seed, count, classes)
    place = settled(units, [0.1, 0.2])
    sizes = np.bincount(place, minlength=3)
    assert np.abs(sizes - np.array([0.7, 0.1, 0.2]) * count).max() < 1
    for label in set().union(*units):
        assert 0 in showing(units, place, label), "to be learned"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_are_of_one_size_and_leave_every_class_to_learn(seed: int, folds: int) -> None:
    units = drawn(seed, 50, 20)
    place = settled(units, [1 / folds] * (folds - 1), folds=True)
    sizes = np.bincount(place, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for label in set().union(*units):
        among = showing(units, place, label)
        assert len(set(among)) > 1 or len(among) == 1


def test_what_is_moved_leaves_frequent_classes_shared_out_evenly() -> None:
    units = drawn(0, 400, 60)
    place = settled(units, [0.25])
    assert Counter(place) == {0: 300, 1: 100}
    for label in range(8):
        among = showing(units, place, label)
        assert abs(among.count(1) - len(among) / 4) <= 4


def test_sizes_that_are_nearly_as_asked_stay_as_they_were_dealt() -> None:
    units = drawn(1, 3000, 20)
    place = _by_class(units, [0.2])
    assert place.count(1) != 600
    assert settled(units, [0.2]) == place


def test_a_class_of_one_image_is_trained_on_though_it_was_set_aside() -> None:
    units = [*([Counter([0])] * 8), Counter([0, 1]), Counter([0])]
    parts = Parts(units, [1] * 10, [0.8, 0.2], [0] * 8 + [1] * 2)
    parts.settle()
    assert parts.place[8] == 0
    assert Counter(parts.place) == {0: 8, 1: 2}
    folds = Parts(units * 2, [1] * 20, [0.5, 0.5], ([0] * 8 + [1] * 2) * 2, (0, 1))
    folds.settle()
    assert Counter(folds.place) == {0: 10, 1: 10}
    assert {folds.place[8], folds.place[18]} == {0, 1}, "learned whichever is left out"


@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_whole_and_parts_are_within_one_of_their_sizes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, 60).tolist()
    units = [
        Counter({label: min(size, 2) for label in unit})
        for unit, size in zip(drawn(seed, 60, 12), sizes, strict=True)
    ]
    place = settled(units, [0.1, 0.2], sizes)
    found = np.bincount(place, sizes, 3)
    assert np.abs(found - np.array([0.7, 0.1, 0.2]) * sum(sizes)).max() <= max(sizes)


def test_no_part_is_emptied() -> None:
    units = [Counter([0, 1]), Counter([0]), Counter([1])]
    assert set(settled(units, [0.01])) == {0, 1}
    assert sorted(settled(units, [0.3, 0.3])) == [0, 1, 2]


@pytest.mark.parametrize("classes", [1, 80])
def test_many_images_are_moved_in_little_time(classes: int) -> None:
    """Each of 2,500 moves among 10,000 images by itself would take a minute."""
    units = drawn(0, 10_000, classes)
    start = time.perf_counter()
    parts = Parts(units, [1] * 10_000, [0.75, 0.25], [1] * 5000 + [0] * 5000)
    parts.settle()
    assert Counter(parts.place) == {0: 7500, 1: 2500}
    assert time.perf_counter() - start < 20
