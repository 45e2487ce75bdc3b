"""What all kinds of answers have in common, and that a further kind needs no change elsewhere."""

from dataclasses import dataclass

import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data.loading.warp import Warp

CLASSES = ("background", "cat", "dog")


@dataclass(frozen=True, eq=False)
class Turned(Boxes):
    """Boxes with an angle each."""

    angles: np.ndarray


def turned(n: int = 3) -> Turned:
    boxes = [[10 * i, 0, 10 * i + 8, 8] for i in range(n)]
    return Turned.of(
        boxes, np.arange(n) % 3, CLASSES, (40, 40), angles=np.arange(n, dtype=np.float32)
    )


def test_a_subclass_of_boxes_survives_what_boxes_do() -> None:
    some = turned()
    assert some.take(slice(1, None)).angles.tolist() == [1, 2]
    assert some.with_classes(("cat", "dog")).angles.tolist() == [1, 2]
    assert some.renamed({"cat": "lynx"}).angles.tolist() == [0, 1, 2]
    window = Warp((40, 40), (40, 40), False, np.eye(2), (-12, 0), (40, 40))
    assert some.warp(window, 0.0).angles.tolist() == [1, 2]
    both = some.joined([turned(2)], [(0, 0), (40, 0)], (40, 80))
    assert both.angles.tolist() == [0, 1, 2, 0, 1] and both.xyxy[3].tolist() == [40, 0, 48, 8]
    assert {type(one) for one in (both, some.take([0]), some.warp(window, 0.0))} == {Turned}


@pytest.mark.parametrize(
    ("answer", "present", "counts", "names"),
    [
        (
            Mask(np.array([[0, 2, 2, 255]], np.uint8), CLASSES),
            [2],
            [1, 0, 2],
            ("background", "dog"),
        ),
        (Mask(np.full((2, 2), 255, np.uint8), CLASSES), [], [0, 0, 0], ()),
        (
            Boxes.of([[0, 0, 5, 5]] * 3, [2, 1, 2], CLASSES, (9, 9), difficult=[0, 1, 0]),
            [2],
            [0, 1, 2],
            ("dog", "cat", "dog"),
        ),
        (Boxes.of([], [], CLASSES, (9, 9)), [], [0, 0, 0], ()),
        (Labels.of([2, 0], CLASSES, difficult=[1]), [0, 2], [1, 0, 1], ("background", "dog")),
        (Labels.of([], CLASSES), [], [0, 0, 0], ()),
    ],
)
def test_what_is_there(answer, present, counts, names) -> None:
    assert answer.present().tolist() == present and answer.empty == (not present)
    assert answer.counts().tolist() == counts and answer.names == names
    rows = type(answer).statistics([answer], CLASSES)
    assert [row["class"] for row in rows] == list(CLASSES)
    assert [row["images"] for row in rows] == [int(count > 0) for count in counts]


@pytest.mark.parametrize("kind", [Mask, Boxes, Labels])
def test_statistics_of_nothing(kind) -> None:
    assert [row["images"] for row in kind.statistics([], CLASSES)] == [0, 0, 0]


def test_content_tells_truths_apart() -> None:
    one = Boxes.of([[0, 0, 5, 5]], [1], CLASSES, (9, 9))
    others = [
        one.take([]),
        Boxes.of([[0, 0, 5, 6]], [1], CLASSES, (9, 9)),
        Boxes.of([[0, 0, 5, 5]], [2], CLASSES, (9, 9)),
        Boxes.of([[0, 0, 5, 5]], [1], CLASSES, (9, 9), difficult=[True]),
        Boxes.of([[0, 0, 5, 5]], [1], CLASSES, (9, 9), crowd=[True]),
    ]
    assert len({answer.content() for answer in (one, *others)}) == 6
    assert Labels.of([1], CLASSES).content() != Labels.of([], CLASSES, difficult=[1]).content()
    assert Mask(np.zeros((1, 2), np.uint8), CLASSES).content() == b"\0\0"
