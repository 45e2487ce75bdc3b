"""Images answered tile by tile and at several looks, by an engine that sees what is painted."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Mask
from cvtasks.engines.looks import AUGMENTS
from cvtasks.engines.predict import predict
from cvtasks.errors import UsageError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.tiles import Tiles
from cvtasks.heads.base import Head
from cvtasks.heads.dense import Dense
from cvtasks.heads.pooled import Pooled
from cvtasks.heads.unet import UNet
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.segment import Segment

NETWORK = (96, 96)
THINGS = ("thing",)
DENSE: Head = Dense(Detect(), scale=2.0)
UNET: Head = UNet(Segment())


class Painted:
    """Answers with the target of what is white on the network input."""

    name, precision = "painted", "f32"

    def __init__(self, head: Head) -> None:
        self._head, self.asked = head, 0

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        whole = Letterbox(NETWORK, NETWORK)
        for image in images:
            self.asked += 1
            assert image.shape == (*NETWORK, 3)
            white = (image[..., 0] > 180).astype(np.uint8)
            if self._head is UNET:
                yield UNET.encode(Mask(white, ("background", "thing")), whole).astype(np.float32)
                continue
            _, _, stats, _ = cv2.connectedComponentsWithStats(white)
            boxes = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:] if area > 3]
            yield DENSE.encode(Boxes.of(boxes, [0] * len(boxes), THINGS, NETWORK), whole)


def scene(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A dark image with white rectangles, some across seams, one large; and their boxes."""
    image = np.full((*size, 3), 20, np.uint8)
    boxes = [
        (20, 30, 40, 44),
        (88, 70, 106, 90),
        (170, 84, 190, 104),
        (10, 130, 150, 190),
        (250, 20, 272, 40),
    ]
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    return image, np.array(boxes, np.float32)


def answers(head: Head, image: np.ndarray, tiles: str, augment: str = "") -> tuple[object, int]:
    engine = Painted(head)
    classes = ("background", "thing") if head is UNET else THINGS
    ((_, _, answer),) = predict(
        engine,
        head,
        classes,
        lambda size: Letterbox(size, NETWORK),
        [(None, image)],
        augment=augment,
        tiles=Tiles.read(tiles) if tiles else None,
    )
    return answer, engine.asked


@pytest.mark.parametrize("tiles", ["auto", "96x96", "96x96:0.4", "120x100"])
@pytest.mark.parametrize("augment", ["", "flip"])
def test_each_thing_is_found_once_where_it_is(tiles: str, augment: str) -> None:
    image, boxes = scene((200, 300))
    found, asked = answers(DENSE, image, tiles, augment)
    assert isinstance(found, Boxes)
    assert len(found) == len(boxes)
    near = np.abs(found.xyxy[:, None] - boxes[None]).max(axis=2)
    assert (near.min(axis=0) < 4).all()
    cut = len(Tiles.read(tiles).of((200, 300), NETWORK))
    assert asked == cut * len(AUGMENTS[augment])


@pytest.mark.parametrize("tiles", ["96x96", "96x96:0.4", "120x100"])
@pytest.mark.parametrize("augment", ["", "flip", "scales", "flip,scales"])
def test_each_pixel_is_what_its_tiles_say(tiles: str, augment: str) -> None:
    image, _ = scene((200, 300))
    found, _ = answers(UNET, image, tiles, augment)
    assert isinstance(found, Mask)
    exact = augment in ("", "flip") and tiles != "120x100"
    assert (found.ids == (image[..., 0] > 180)).mean() >= (1.0 if exact else 0.985)


def test_auto_leaves_an_image_alone_that_is_not_much_larger() -> None:
    image, _ = scene((192, 192))
    for head in (DENSE, UNET):
        plain, asked = answers(head, image, "")
        tiled, again = answers(head, image, "auto")
        assert asked == again == 1
        assert plain.content() == tiled.content()  # type: ignore[attr-defined]


@pytest.mark.parametrize("augment", ["flip", "scales", "flip,scales"])
def test_things_seen_at_several_looks_are_still_one_each_in_their_place(augment: str) -> None:
    image, boxes = scene((200, 300))
    (few,), asked = [np.array([(10, 130, 150, 190)], np.float32)], len(AUGMENTS[augment])
    found, looks = answers(DENSE, image, "", augment)
    assert isinstance(found, Boxes)
    assert looks == asked
    sure = found.take(found.scores > 0.6)
    assert np.abs(sure.xyxy[:, None] - few[None]).max(axis=2).min() < 3
    assert len(sure) <= len(boxes)


def test_a_task_that_answers_about_the_whole_has_no_tiles_and_says_so_at_once() -> None:
    head = Pooled(Classify())
    with pytest.raises(UsageError, match="classify answers about the image as a whole"):
        predict(Painted(head), head, THINGS, Letterbox, [], tiles=Tiles())  # type: ignore[arg-type]


def test_averages_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError, match='Did you mean "scales"'):
        answers(DENSE, scene((200, 300))[0], "", "scale")
