"""Masks whose first class is background, and masks without one."""

import numpy as np
import pytest

from cvtasks.answers import VOID, Boxes, Labels, Mask
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.unet import UNet
from cvtasks.tasks.segment import Segment

ROADS = ("sky", "road", "car")
IDS = np.array([[0, 1], [2, VOID]], np.uint8)


@pytest.mark.parametrize(
    ("classes", "ground"),
    [(("background", "cat"), 1), (("Background",), 1), (("sky", "road"), 0), ((), 0)],
)
def test_a_first_class_is_background_by_its_name(classes: tuple[str, ...], ground: int) -> None:
    assert Mask.ground(classes) == ground
    assert Boxes.ground(classes) == Labels.ground(classes) == 0


def test_without_a_background_every_class_is_present() -> None:
    mask = Mask(IDS, ROADS)
    assert mask.present().tolist() == [0, 1, 2]
    assert set(mask.to_dict()["mask"]["rle"]) == set(ROADS)
    assert Segment().from_record(mask.to_dict(), ROADS).ids.tolist() == IDS.tolist()
    assert not Mask(np.zeros((2, 2), np.uint8), ROADS).empty


def test_what_has_no_class_is_void_where_there_is_no_background() -> None:
    mask = Mask(IDS, ROADS)
    assert mask.with_classes(("road", "car")).ids.tolist() == [[VOID, 0], [1, VOID]]
    assert mask.with_classes(("background", "car")).ids.tolist() == [[0, 0], [1, VOID]]
    assert Segment().keep(mask, ["road"]).ids.tolist() == [[VOID, 1], [VOID, VOID]]


@pytest.mark.parametrize(("first", "unsure"), [("background", 0), ("sky", VOID)])
def test_an_unsure_pixel_is_background_or_void(first: str, unsure: int) -> None:
    output = np.full((1, 1, 2), 0.5, np.float32)
    output[..., 1] = 0.6
    letterbox = Letterbox((1, 1), (1, 1))
    found = UNet(Segment()).decode(output, letterbox, (first, "road"), threshold=0.7)
    assert found.ids.tolist() == [[unsure]]


def test_the_summary_names_every_class_but_a_background() -> None:
    assert Segment().summary(Mask(IDS, ROADS)) == "sky 25.0%, road 25.0%, car 25.0%"
    empty = Mask(np.zeros((2, 2), np.uint8), ("background", "cat"))
    assert Segment().summary(empty) == "only background"


@pytest.mark.parametrize(("first", "unclear"), [("background", 0), ("sky", VOID)])
def test_where_two_answers_differ_is_background_or_void(first: str, unclear: int) -> None:
    one, two = (Mask(np.array([row], np.uint8), (first, "road")) for row in ([1, 1], [1, 0]))
    assert one.merged(two, 0.0).ids.tolist() == [[1, unclear]]


@pytest.mark.parametrize(("first", "pasted"), [("background", False), ("sky", True)])
def test_regions_of_a_first_class_are_pasted_unless_it_is_background(
    first: str, pasted: bool
) -> None:
    below = Mask(np.ones((2, 2), np.uint8), (first, "road"))
    other = Mask(np.zeros((2, 2), np.uint8), below.classes)
    rng = np.random.default_rng(0)
    places = [below.pasted(other, rng, 0.5)[1].any() for _ in range(20)]
    assert any(places) is pasted
