"""Objects of one image in another, crops of any aspect, and policies of changes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels, Mask, Sample
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.mixing import pasted
from cvtasks.data.loading.warp import draw_warp
from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Data, parse_recipe

CLASSES = ("red", "green")
SIZE = (64, 64)


def boxed(boxes: list, label: int, grey: int) -> Sample[Boxes]:
    image = np.full((*SIZE, 3), grey, np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = (0, 0, 0)
        image[top:bottom, left:right, label] = 255
    return Sample(image, Boxes.of(boxes, [label] * len(boxes), CLASSES, SIZE), f"{label}")


def test_pasted_boxes_show_what_they_say() -> None:
    first = boxed([(2, 2, 20, 20)], 0, 100)
    second = boxed([(30, 30, 50, 60), (40, 4, 60, 20)], 1, 200)
    seen = 0
    for seed in range(20):
        made = pasted(np.random.default_rng(seed), first, second, 0.25)
        assert made.truth.counted.all()
        for box, label in zip(made.truth.xyxy.astype(int), made.truth.labels, strict=True):
            left, top, right, bottom = box + np.array([4, 4, -4, -4])
            assert (made.image[top:bottom, left:right, label] > 240).all()
        greens = int((made.truth.labels == 1).sum())
        shown = (made.image[..., 1] > 240) & (made.image[..., 0] < 16)
        assert bool(greens) == bool(shown.any())
        seen += greens
    assert 10 <= seen <= 30  # half of 40


def test_no_object_is_pasted_over_another() -> None:
    first = boxed([(10, 10, 40, 40)], 0, 100)
    second = boxed([(5, 5, 45, 45)], 1, 200)
    for seed in range(5):
        assert pasted(np.random.default_rng(seed), first, second, 0.25) is first


def test_what_else_is_within_a_pasted_box_is_pasted_with_it() -> None:
    """A small object within a large one comes along; of another only a part does."""
    second = boxed([(10, 10, 40, 40), (15, 15, 20, 20), (36, 10, 56, 40)], 1, 200)
    none = boxed([], 0, 100)
    for seed in range(30):
        made = pasted(np.random.default_rng(seed), none, second, 0.5)
        by_box = {
            tuple(box): bool(difficult)
            for box, difficult in zip(
                made.truth.xyxy.astype(int).tolist(), made.truth.difficult, strict=True
            )
        }
        if (10, 10, 40, 40) in by_box and not by_box[10, 10, 40, 40]:
            assert by_box[15, 15, 20, 20] is False
            assert (36, 10, 56, 40) in by_box


def test_pasted_masks_show_what_they_say() -> None:
    def drawn(cells: list, label: int, grey: int) -> Sample[Mask]:
        image, ids = np.full((*SIZE, 3), grey, np.uint8), np.zeros(SIZE, np.uint8)
        for left, top, right, bottom in cells:
            ids[top:bottom, left:right] = label
            image[top:bottom, left:right] = 255
        ids[-2:] = 255
        return Sample(image, Mask(ids, ("background", *CLASSES)), "x")

    first, second = drawn([(0, 0, 30, 30)], 1, 0), drawn([(20, 20, 40, 40), (50, 5, 60, 15)], 2, 90)
    counts = set()
    for seed in range(20):
        made = pasted(np.random.default_rng(seed), first, second, 0.25)
        new = made.truth.ids == 2
        counts.add(int(new.sum()))
        assert (made.truth.ids[~new] == first.truth.ids[~new]).all()
        middle = new.copy()
        middle[1:-1, 1:-1] &= new[:-2, 1:-1] & new[2:, 1:-1] & new[1:-1, :-2] & new[1:-1, 2:]
        assert (made.image[middle] > 150).all()
        assert (
            made.image[(made.truth.ids == 0) & (np.mgrid[:64, :64].sum(axis=0) > 110)] == 0
        ).all()
    assert counts == {0, 100, 400, 500}


def test_pasting_depends_on_seed_epoch_and_index_alone_and_ends_with_the_mosaics() -> None:
    source = [boxed([(8, 8, 24, 24)], 0, 100), boxed([(30, 30, 50, 50)], 1, 200)] * 4
    data = Data(copy_paste=1.0, close_mosaic=1, colour=0.0, scale=(1, 1), flip=0.0)
    augment = Augment(data, 64, 0, 3)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda index: augment(source, 0, index), range(8)))
    again = [Augment(data, 64, 0, 3)(source, 0, index) for index in range(8)]
    for one, other in zip(made, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.truth.content() == other.truth.content()
    assert any(len(one.truth) > 1 for one in made)
    assert all(len(augment(source, 2, index).truth) == 1 for index in range(8))
    np.testing.assert_array_equal(augment(source, 2, 8).truth.labels, source[0].truth.labels)


def test_a_resized_crop_fills_the_window_and_keeps_boxes_on_their_objects() -> None:
    sample = boxed([(20, 12, 44, 40)], 0, 100)
    shares = []
    for seed in range(60):
        warp = draw_warp(
            np.random.default_rng(seed), Data(resized_crop=0.3, flip=0.5), 48, SIZE, (48, 48)
        )
        image = warp.image(sample.image)
        assert image.shape == (48, 48, 3)
        assert ((image != 114).any(axis=2)).all()  # nothing around it
        low, high = warp.matrix[0, 0], warp.matrix[1, 1]
        shares.append((48 / abs(low)) * (48 / high) / 64**2)
        assert 0.7 < abs(low) / high < 1.43
        for left, top, right, bottom in sample.truth.warp(warp, 0.25).xyxy.round().astype(int):
            inside = image[top + 2 : bottom - 2, left + 2 : right - 2]
            assert not inside.size or (inside[..., 0] > 200).mean() > 0.95
    assert min(shares) > 0.28
    assert min(shares) < 0.4
    assert max(shares) > 0.85


def test_a_policy_changes_images_with_labels_and_is_the_same_for_any_thread() -> None:
    rng = np.random.default_rng(0)
    source = [
        Sample(rng.integers(0, 256, (40, 40, 3), np.uint8), Labels.of([0], CLASSES), f"{i}")
        for i in range(12)
    ]
    data = Data(policy="randaugment", scale=(1, 1), flip=0.0)
    augment = Augment(data, 40, 0, 2)
    with ThreadPoolExecutor(2) as pool:
        made = [one.image for one in pool.map(lambda index: augment(source, 0, index), range(12))]
    for index, image in enumerate(made):
        again = Augment(data, 40, 0, 2)(source, 0, index).image
        np.testing.assert_array_equal(image, again)
        assert image.shape == (40, 40, 3)
    changed = [not np.array_equal(made[i], source[i].image) for i in range(12)]
    assert sum(changed) >= 9


@pytest.mark.parametrize(
    ("task", "change", "said"),
    [
        ("classify", "data.copy_paste=0.5", "detection or segmentation"),
        ("localize", "data.copy_paste=0.5", "detection or segmentation"),
        ("detect", 'data.policy="randaugment"', "images with labels"),
    ],
)
def test_what_a_task_cannot_use_is_refused(task: str, change: str, said: str) -> None:
    document = {"format": 1, "task": {"name": task}, "backbone": "tiny", "size": 64}
    with pytest.raises(ModelError, match=said):
        parse_recipe(document | {"classes": ["a", "b"]}, [change])
