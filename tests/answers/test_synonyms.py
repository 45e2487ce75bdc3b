"""Names of one class: what is the same is found, in both directions, and all else stays apart."""

import pytest

from cvtasks.answers.synonyms import called_otherwise, one_name
from cvtasks.drawing.colours import VOC_NAMES
from cvtasks.formats.coco_names import COCO_NAMES

VOC_AS_COCO = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def test_every_class_of_voc_is_one_of_coco() -> None:
    assert called_otherwise(VOC_NAMES, COCO_NAMES) == VOC_AS_COCO
    assert called_otherwise(COCO_NAMES, VOC_NAMES) == {b: a for a, b in VOC_AS_COCO.items()}


def test_the_classes_of_a_data_set_stay_apart() -> None:
    for names in (VOC_NAMES, COCO_NAMES):
        assert len({one_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dining table", "diningtable"),
        ("POTTED_PLANT", "houseplant"),
        ("Mobile phone", "cell-phone"),
        ("Television", "TVmonitor"),
        (" cat ", "Cat"),
        ("grün", "GRÜN"),
    ],
)
def test_one_thing(one: str, other: str) -> None:
    assert called_otherwise([one], [other]) == {one: other}
    assert called_otherwise([other], [one]) == {other: one}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cat", "cattle"),
        ("car", "cart"),
        ("bike", "bicycle"),
        ("plant", "potted plant"),
        ("a", "A"),
        ("1_1", "11"),
        ("-1", "1"),
        ("", " "),
        ("mouse", "computer mouse"),
    ],
)
def test_two_things(one: str, other: str) -> None:
    assert called_otherwise([one], [other]) == {}


def test_an_equal_name_wins_and_between_two_none_is_guessed() -> None:
    assert called_otherwise(["tv", "tvmonitor"], ["tv"]) == {}
    assert called_otherwise(["tv"], ["tv", "television"]) == {}
    assert called_otherwise(["tv"], ["tvmonitor", "television"]) == {}
    assert called_otherwise(["tvmonitor", "television"], ["tv"]) == {}
    assert called_otherwise([], ["tv"]) == called_otherwise(["tv"], []) == {}
