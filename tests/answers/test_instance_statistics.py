"""What is told of masks as truths: how large they are, and what is odd about them."""

import numpy as np
import pytest

from cvtasks.answers import Instances

CLASSES = ("cat", "dog")
SIZE = (40, 60)


def rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    plane = np.zeros(SIZE, bool)
    plane[top:bottom, left:right] = True
    return plane


def odd(masks: list, **more: object) -> dict[str, int]:
    truth = Instances.of(masks, [0] * len(masks), CLASSES, SIZE, **more)
    return {one.rule: one.count for one in truth.oddities()}


def test_nothing_is_odd_about_nothing_and_about_objects_that_touch() -> None:
    assert odd([]) == {}
    assert odd([rectangle(0, 0, 9, 9), rectangle(5, 0, 15, 9)]) == {}


@pytest.mark.parametrize(
    ("masks", "more", "rules"),
    [
        ([rectangle(3, 3, 4, 4)], {}, {"one pixel": 1, "one-pixel mask": 1}),
        ([rectangle(3, 3, 3, 3)], {"xyxy": [[2, 2, 9, 9]]}, {"mask empty": 1}),
        ([rectangle(3, 3, 9, 9)], {"xyxy": [[3, 3, 7, 9]]}, {"mask outside its box": 1}),
        ([rectangle(3, 3, 9, 9)], {"xyxy": [[2.5, 3, 8.5, 9]]}, {}),
        ([rectangle(0, 0, 20, 10), rectangle(0, 0, 19, 10)], {}, {"masks alike": 1}),
        ([rectangle(0, 0, 20, 10), rectangle(0, 0, 15, 10)], {}, {}),
        (
            [rectangle(0, 0, 20, 10), rectangle(0, 0, 19, 10)],
            {"crowd": [1, 0]},
            {"crowd": 1},
        ),
    ],
)
def test_odd_masks(masks: list, more: dict, rules: dict[str, int]) -> None:
    assert odd(masks, **more) == rules


def test_two_objects_may_have_one_box() -> None:
    down, across = np.mgrid[:20, :20]
    upper, lower = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    upper[:20, :20], lower[:20, :20] = across >= down, across <= down
    assert odd([upper, lower]) == {}


def test_areas_by_class() -> None:
    round_one = np.zeros(SIZE, bool)
    round_one[0:10, 0:10] = rectangle(0, 0, 10, 5)[:10, :10] | rectangle(0, 5, 5, 10)[:10, :10]
    truths = [
        Instances.of([rectangle(0, 0, 10, 10), round_one], [0, 0], CLASSES, SIZE),
        Instances.of([rectangle(0, 0, 20, 10)], [0], CLASSES, SIZE),
    ]
    cat, dog = Instances.statistics(iter(truths), CLASSES)
    assert (cat["objects"], cat["images"], cat["area"], cat["filled"]) == (3, 2, 100, 1.0)
    assert (cat["small"], cat["large"]) == tuple(
        np.percentile(np.sqrt([75, 100, 200]), [10, 90]).round(1)
    )
    assert (dog["objects"], dog["area"], dog["filled"]) == (0, None, None)
    assert list(cat) == list(dog)
    assert Instances.statistics([], CLASSES)[0]["area"] is None
