"""Answers shown: one thing after the other, as words and numbers, drawn, saved, in a notebook."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.drawing.annotate import draw_boxes, draw_labels, draw_mask
from cvtasks.drawing.colours import palette_of
from cvtasks.errors import UsageError
from cvtasks.media.images import read_image, read_mask

CLASSES = ("background", "cat", "<dog>")
BOXES = Boxes.of(
    [[1, 2, 10, 12.5], [3, 4, 30, 20], [0, 0, 5, 5]],
    [1, 2, 1],
    CLASSES,
    (20, 30),
    scores=[0.75, 0.1, 1],
    difficult=[False, False, True],
)
LABELS = Labels(np.array([0, 0.25, 0.5], np.float32), np.zeros(3, bool), CLASSES)
MASK = Mask(np.repeat(np.array([0, 1, 2, 255], np.uint8), 150).reshape(20, 30), CLASSES)
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
ALL = pytest.mark.parametrize("answer", [BOXES, LABELS, MASK])
EMPTY = (
    Boxes.of([], [], CLASSES, (20, 30)),
    Labels.of([], CLASSES),
    Mask(np.full((20, 30), 255, np.uint8), CLASSES),
)


def test_things_come_one_after_the_other() -> None:
    assert [(one.name, one.score, one.xyxy) for one in BOXES][:2] == [
        ("cat", 0.75, (1, 2, 10, 12.5)),
        ("<dog>", 0.1, (3, 4, 30, 20)),
    ], "scores in the shortest decimals"
    assert list(LABELS) == [("<dog>", 0.5), ("cat", 0.25)]
    assert [(one.name, one.share) for one in MASK] == [(name, 0.25) for name in CLASSES]
    for number, one in enumerate(MASK):
        np.testing.assert_array_equal(one.pixels, MASK.ids == number)
    assert [list(one) for one in EMPTY] == [[], [], []]


def test_what_a_dictionary_says() -> None:
    assert BOXES.to_dict() == {
        "boxes": [
            {"name": "cat", "score": 0.75, "xyxy": [1, 2, 10, 12.5]},
            {"name": "<dog>", "score": 0.1, "xyxy": [3, 4, 30, 20]},
        ]
    }
    assert LABELS.to_dict()["labels"][0] == {"name": "<dog>", "score": 0.5}
    said = MASK.to_dict()["mask"]
    assert (said["size"], said["rle"].keys()) == ([20, 30], {"cat", "<dog>"})


def test_an_answer_is_drawn_on_its_image(tmp_path: Path) -> None:
    before = IMAGE.copy()
    np.testing.assert_array_equal(BOXES.draw(IMAGE), draw_boxes(IMAGE, BOXES))
    np.testing.assert_array_equal(LABELS.draw(IMAGE), draw_labels(IMAGE, LABELS))
    np.testing.assert_array_equal(MASK.draw(IMAGE), draw_mask(IMAGE, MASK))
    np.testing.assert_array_equal(IMAGE, before)
    cv2.imwrite(str(tmp_path / "image.png"), IMAGE[..., ::-1])
    np.testing.assert_array_equal(BOXES.draw(tmp_path / "image.png"), BOXES.draw(IMAGE))
    for answer in (BOXES, MASK):
        with pytest.raises(UsageError, match=r"\(20, 30\); got one of \(30, 20\)"):
            answer.draw(np.zeros((30, 20, 3), np.uint8))


@pytest.mark.parametrize("answer", [BOXES, LABELS, MASK, *EMPTY])
def test_without_an_image_it_is_drawn_on_black(answer) -> None:
    drawn = answer.draw()
    assert drawn.shape[:2] == ((240, 320) if isinstance(answer, Labels) else (20, 30))


@ALL
def test_an_answer_is_saved_and_replaces_nothing(answer, tmp_path: Path) -> None:
    first, second = (answer.save(tmp_path / "new" / "found.json") for _ in range(2))
    assert [first.name, second.name] == ["found.json", "found-2.json"]
    assert json.loads(first.read_text()) == json.loads(second.read_text()) == answer.to_dict()
    drawn = answer.save(str(tmp_path / "found.PNG"), IMAGE)
    assert drawn.name == "found.PNG"
    np.testing.assert_array_equal(read_image(drawn), answer.draw(IMAGE))
    for name in ("found.txt", "found"):
        with pytest.raises(UsageError, match="Change its ending"):
            answer.save(tmp_path / name, IMAGE)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "found.PNG"}


def test_a_mask_alone_is_saved_with_its_ids(tmp_path: Path) -> None:
    path = MASK.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(path), MASK.ids)


def test_notebooks_show_tables_and_images() -> None:
    assert "<td>cat</td><td>0.750</td><td>1.0</td>" in BOXES._repr_html_()
    assert "&lt;dog&gt;" in LABELS._repr_html_() and "<dog>" not in LABELS._repr_html_()
    large = Mask(MASK.ids.repeat(20, axis=0).repeat(20, axis=1), CLASSES)  # beside its legend
    shown = cv2.imdecode(np.frombuffer(large._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(shown[250, -1, ::-1], palette_of(CLASSES)[2])
    for answer in EMPTY[:2]:
        assert answer._repr_html_().count("<tr>") == 1
