"""Objects with masks: whatever is done to an image is done to their masks, and their boxes are
these masks' extents.
"""

from dataclasses import replace

import numpy as np
import pytest

from cvtasks.answers import Boxes, Instances, Sample
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.mixing import pasted
from cvtasks.data.loading.warp import Warp
from cvtasks.geometry.rle import encode_rle
from cvtasks.recipe.recipe import Data
from cvtasks.tasks.instances import SegmentInstances

CLASSES, SIZE = ("cat", "dog"), (48, 64)


def disc(y: float, x: float, radius: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    return np.hypot(rows - y, columns - x) <= radius


def some() -> Instances:
    """Two discs, one of them over the other, and a bar at the left edge."""
    bar = np.zeros(SIZE, bool)
    bar[5:40, 0:4] = True
    return Instances.of([disc(20, 20, 9), disc(24, 28, 8), bar], [0, 1, 0], CLASSES, SIZE)


def planes(answer: Instances) -> np.ndarray:
    return np.array([answer.plane(i) for i in range(len(answer))]).reshape(-1, *answer.size)


def extents(plane: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(plane)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def check_boxes(answer: Instances) -> None:
    assert answer.xyxy.tolist() == [extents(plane) for plane in planes(answer)]
    assert answer.areas.tolist() == [plane.sum() for plane in planes(answer)]


def test_boxes_and_areas_are_the_masks() -> None:
    check_boxes(some())
    part, (x, y) = some().crop(0)
    np.testing.assert_array_equal(part, some().plane(0)[y:29, x:29])


def test_masks_are_planes_or_run_lengths() -> None:
    rle = encode_rle(some().plane(1))
    one = some().masks[1]
    for mask in (rle, rle["counts"], one, some().plane(1)):
        again = Instances.of([mask], [1], CLASSES, SIZE)
        assert again.masks[0] == one
    stack = Instances.of(planes(some()), [0, 1, 0], CLASSES, SIZE)
    assert stack.content() == some().content()
    assert len(Instances.nothing(SIZE, CLASSES)) == 0


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.ones((3, 3), bool), r"of the image's height and width \(48, 64\); got \(3, 3\)"),
        ({"size": [3, 3], "counts": "09"}, r"got \[3, 3\]"),
        (b"09", "add up to 48×64"),
        ("~", "whole runs in the characters"),
    ],
)
def test_masks_of_another_size_are_refused(mask, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Instances.of([mask], [0], CLASSES, SIZE)


def test_masks_are_one_a_box_and_bytes() -> None:
    with pytest.raises(ValueError, match=r"must be \(3,\) object"):
        replace(some(), masks=some().masks[:2])
    with pytest.raises(ValueError, match="as bytes; got ndarray"):
        replace(some(), masks=np.array([*planes(some())[:2], None], object))


def test_a_mask_of_a_prediction_may_show_nothing() -> None:
    found = Instances.of([np.zeros(SIZE, bool)], [0], CLASSES, SIZE, xyxy=[[1, 1, 5, 5]])
    assert found.plane(0).sum() == 0 and found.crop(0)[0].shape == (0, 0)
    assert found.mirrored().plane(0).sum() == 0


def test_what_is_taken_keeps_its_masks() -> None:
    assert some().take(np.array([2, 0])).masks.tolist() == some().masks[[2, 0]].tolist()
    assert some().with_classes(("dog",)).masks.tolist() == [some().masks[1]]
    assert some().renamed({"dog": "cat"}).masks.tolist() == some().masks.tolist()


def test_a_mirror_image_has_mirrored_masks() -> None:
    mirrored = some().mirrored()
    np.testing.assert_array_equal(planes(mirrored), planes(some())[:, :, ::-1])
    check_boxes(mirrored)
    assert mirrored.mirrored().content() == some().content()


def test_joined_masks_lie_at_their_corners() -> None:
    other = Instances.of([disc(10, 10, 6, (20, 24))], [1], CLASSES, (20, 24))
    both = some().joined([other], [(0, 0), (64, 30)], (60, 80))
    assert type(both) is Instances and both.size == (60, 80)
    whole = np.zeros((60, 90), bool)
    whole[30:50, 64:88] = other.plane(0)
    np.testing.assert_array_equal(both.plane(3), whole[:, :80])
    np.testing.assert_array_equal(both.plane(0)[:48, :64], some().plane(0))


def warp(turn: float = 0, scaled=SIZE, mirrored=False, shift=(0, 0), window=SIZE, shear=0.0):
    angle = np.radians(turn)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Warp(SIZE, scaled, mirrored, linear @ [[1, shear], [0, 1]], shift, window)


@pytest.mark.parametrize(
    "way",
    [
        warp(),
        warp(mirrored=True),
        warp(scaled=(96, 128), shift=(-30, -20), window=(80, 90)),
        warp(scaled=(24, 32), shift=(5, 9)),
        warp(scaled=(40, 70), shift=(-7, 3)),
        warp(turn=30),
        warp(turn=-75, scaled=(60, 80), window=(100, 100)),
        warp(turn=12, shear=0.3, mirrored=True, scaled=(70, 80), shift=(4, -9)),
    ],
)
def test_masks_go_where_pixels_go(way: Warp) -> None:
    """The image of a mask, warped as an image is, shows it where it is said to be."""
    for index, label in enumerate(some().labels):
        one = some().take(np.array([index]))
        image = np.repeat(one.plane(0)[..., None], 3, axis=2).astype(np.uint8) * 255
        moved = one.warp(way, 0.0)
        seen = replace(way, edge=False).image(255 - image)[..., 0]  # grey around it counts as none
        seen = (seen < 64).astype(bool) if seen.min() < 64 else np.zeros(way.window, bool)
        if not len(moved):
            assert seen.sum() < 4
            continue
        check_boxes(moved)
        mask = moved.plane(0)
        assert (seen & ~mask).sum() <= 0.02 * mask.sum()
        assert seen.sum() >= 0.6 * mask.sum()
        assert moved.labels.tolist() == [label]


def test_a_turned_box_is_exact() -> None:
    """Where the box of a turned box is a guess, that of a turned mask is not."""
    bar = np.zeros(SIZE, bool)
    bar[22:26, 10:54] = True
    moved = Instances.of([bar], [0], CLASSES, SIZE).warp(warp(turn=45), 0.0)
    length = (44 + 4) / np.sqrt(2)
    assert (moved.xyxy[0, 2:] - moved.xyxy[0, :2]).tolist() == pytest.approx([length] * 2, abs=2)


def test_what_shows_less_than_is_asked_for_is_difficult_and_traces_go() -> None:
    """By the mask's pixels, where its box would say otherwise."""
    corner = np.zeros(SIZE, bool)
    corner[0:40, 0:4] = corner[0:4, 0:40] = True  # an L: most of its box is empty
    truth = Instances.of([corner], [0], CLASSES, SIZE)
    right = truth.warp(warp(shift=(-4, 0)), 0.5)  # 144 of 304 pixels are left
    assert right.difficult.tolist() == [True] and right.areas.tolist() == [144]
    assert right.xyxy.tolist() == [[0, 0, 36, 4]]
    assert truth.warp(warp(shift=(-4, 0)), 0.4).difficult.tolist() == [False]
    assert truth.warp(warp(shift=(-39, 0)), 0.0).difficult.tolist() == [True]  # one pixel wide
    assert len(truth.warp(warp(shift=(-39, -1)), 0.0)) == 0  # three pixels
    assert len(truth.warp(warp(shift=(-41, 0)), 0.0)) == 0


def test_pasted_masks_lie_over_what_was_there() -> None:
    first = Instances.of([disc(20, 20, 9), disc(40, 50, 6)], [0, 0], CLASSES, SIZE)
    second = Instances.of([disc(20, 27, 8)], [1], CLASSES, SIZE)
    seen = set()
    for seed in range(8):
        found, place = first.pasted(second, np.random.default_rng(seed), 0.25)
        seen.add(len(found))
        check_boxes(found)
        if len(found) == 2:
            assert not place.any()
            continue
        np.testing.assert_array_equal(place, second.plane(0))
        at = {label: [] for label in (0, 1)}
        for index, label in enumerate(found.labels.tolist()):
            at[label].append(found.plane(index))
        np.testing.assert_array_equal(at[1][0], place)
        left = first.plane(0) & ~place
        assert any(np.array_equal(plane, left) for plane in at[0])
        assert found.counted.all()
    assert seen == {2, 3}


def test_what_is_pasted_over_becomes_difficult_or_goes() -> None:
    small = Instances.of([disc(20, 20, 5), disc(20, 30, 5)], [0, 0], CLASSES, SIZE)
    large = Instances.of([disc(20, 18, 10)], [1], CLASSES, SIZE)
    for seed in range(8):
        found, place = small.pasted(large, np.random.default_rng(seed), 0.9)
        if place.any():
            assert found.labels.tolist() == [0, 1]
            assert found.difficult.tolist() == [True, False]
            return
    pytest.fail("half of them are pasted")


def test_pixels_are_pasted_as_the_mask_is() -> None:
    images = [np.full((*SIZE, 3), grey, np.uint8) for grey in (10, 240)]
    truths = Instances.nothing(SIZE, CLASSES), Instances.of([disc(20, 27, 9)], [1], CLASSES, SIZE)
    samples = [Sample(i, t, str(n)) for n, (i, t) in enumerate(zip(images, truths, strict=True))]
    for seed in range(8):
        made = pasted(np.random.default_rng(seed), *samples, 0.25)
        if made is not samples[0]:
            np.testing.assert_array_equal(made.image[..., 0] > 125, made.truth.plane(0))
            return
    pytest.fail("half of them are pasted")


def test_merged_predictions_have_the_surer_mask() -> None:
    one = Instances.of([disc(20, 20, 9), disc(40, 50, 6)], [0, 1], CLASSES, SIZE, scores=[0.9, 0.4])
    other = Instances.of([disc(20, 21, 9)], [0], CLASSES, SIZE, scores=[0.5])
    both = one.merged(other, 0.0)
    np.testing.assert_array_equal(both.plane(0), one.plane(0))
    assert both.scores.tolist() == pytest.approx([0.7, 0.2])
    assert both.xyxy[0].tolist() == pytest.approx(
        ((0.9 * one.xyxy[0] + 0.5 * other.xyxy[0]) / 1.4).tolist()
    )
    np.testing.assert_array_equal(other.merged(one, 0.0).plane(0), one.plane(0))
    assert len(one.merged(other, 0.3)) == 1


def test_truths_agree_but_for_the_rounding_of_outlines() -> None:
    one = some()
    again = Instances.of(
        [disc(20.2, 20, 9.1), disc(24, 28, 8), one.masks[2]], [0, 1, 0], CLASSES, SIZE
    )
    assert one.agrees(again) and one.agrees(one.take(np.array([2, 0, 1])))
    framed = replace(one, masks=np.array([one.masks[1], *one.masks[1:]], object))
    assert not one.agrees(framed)
    assert one.content() != framed.content()


def test_records_and_back() -> None:
    task = SegmentInstances()
    found = replace(some(), scores=np.array([0.9, 0.5, 0.25], np.float32))
    record = {"width": 64, "height": 48} | task.record(found)
    assert record["boxes"][1]["mask"] == encode_rle(found.plane(1))
    again = task.from_record(record, CLASSES)
    assert again.content() == found.content() and again.scores.tolist() == found.scores.tolist()
    assert [one.mask for one in found] == [entry["mask"] for entry in record["boxes"]]
    with pytest.raises(ValueError, match="of the image's height and width"):
        task.from_record(record | {"width": 65}, CLASSES)
    with pytest.raises(KeyError):
        task.from_record({"boxes": Boxes.to_dict(found)["boxes"]}, CLASSES)


def test_numbers_of_the_objects_are_a_plane() -> None:
    found = replace(some(), scores=np.array([0.9, 0.5, 0.25], np.float32))
    ids = found.ids()
    both = found.plane(0) & found.plane(1)
    assert both.any() and (ids[both] == 1).all(), "the surer lies above"
    assert (ids[found.plane(1) & ~both] == 2).all()
    assert set(np.unique(ids)) == {0, 1, 2, 3}


def test_training_varies_masks_with_their_images() -> None:
    """Mosaics, turns and all: each object's colour shows where its mask is."""

    class Source:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Sample:
            masks = [disc(16 + 2 * index, 16, 9), disc(30, 44 - index, 11)]
            image = np.zeros((*SIZE, 3), np.uint8)
            for channel, mask in enumerate(masks):
                image[mask] = 0
                image[mask, channel] = 255
            return Sample(image, Instances.of(masks, [0, 1], CLASSES, SIZE), str(index))

    data = Data(rotate=25, shear=10, mosaic=0.5, copy_paste=0.5, colour=0.0, scale=(0.7, 1.6))
    augment = Augment(data, 64, 0, epochs=100)
    seen = 0
    for index in range(24):
        sample = augment(Source(), 0, index)
        truth = sample.truth
        assert isinstance(truth, Instances) and truth.size == sample.image.shape[:2]
        check_boxes(truth)
        for number, label in enumerate(truth.labels.tolist()):
            inside = sample.image[truth.plane(number)]
            assert (inside[:, label] > 100).mean() > 0.9
            seen += 1
    assert seen > 40
