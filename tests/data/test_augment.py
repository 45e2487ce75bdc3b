"""Augmentation of boxes: what the boxes say is what the pixels show."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from cvtasks.answers import VOID, Answer, Boxes, Labels, Mask, Sample
from cvtasks.answers.boxes import SMALLEST, THINNEST
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.mixing import mixup
from cvtasks.data.loading.warp import Warp, draw_warp
from cvtasks.errors import ModelError
from cvtasks.geometry.boxes import areas, clip
from cvtasks.geometry.letterbox import GREY, Letterbox
from cvtasks.recipe.recipe import Data, parse_recipe

CLASSES = tuple(f"object {i}" for i in range(12))
COLOURS = [
    (r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255) if (r, g, b) != (0, 0, 0)
]  # one a class; paper is black
SIDE = 96


def painted(
    size: tuple[int, int],
    xyxy: Sequence[Sequence[int]],
    first: int = 0,
    name: str = "x",
    round_: bool = False,
) -> Sample:
    """Black paper with a rectangle (or ellipse) for each box, each in the colour of its class."""
    image = np.zeros((*size, 3), np.uint8)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    for i, (left, top, right, bottom) in enumerate(xyxy):
        inside = (left < x) & (x < right) & (top < y) & (y < bottom)
        if round_:
            inside = ((2 * x - left - right) / (right - left)) ** 2 + (
                (2 * y - top - bottom) / (bottom - top)
            ) ** 2 < 1
        image[inside] = COLOURS[first + i]
    return Sample(image, Boxes.of(xyxy, first + np.arange(len(xyxy)), CLASSES, size), name)


def seen(image: np.ndarray, label: int) -> np.ndarray | None:
    """The extent of the pixels in a class's colour, as a box; None where there are none."""
    near = (np.abs(image.astype(int) - COLOURS[label]) < 128).all(axis=2)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) if rows.size else None


def compare(sample: Sample, labels: range, within: float = 1.0) -> int:
    """Every box is where its colour is, and every colour has its box; returns how many objects
    there are.
    """
    for label, box, counted in zip(
        sample.truth.labels, sample.truth.xyxy, sample.truth.counted, strict=True
    ):
        extent = seen(sample.image, label)
        if extent is None:  # half a pixel's width of a remnant
            assert not counted
            assert (box[2:] - box[:2]).min() < 1
            continue
        np.testing.assert_allclose(extent, box, atol=within)
    for label in set(labels) - set(
        sample.truth.labels.tolist()
    ):  # a remnant that went leaves next to nothing
        extent = seen(sample.image, label)
        assert extent is None or areas(extent[None])[0] <= 2 * SMALLEST + 4
    return int(sample.truth.counted.sum())


SCENES = [
    painted((60, 90), [(5, 10, 30, 40), (40, 5, 80, 30), (50, 35, 85, 55)], name="a"),
    painted((130, 70), [(0, 0, 25, 40), (30, 60, 70, 130)], first=3, name="b"),
    painted((96, 96), [(20, 30, 70, 90)], first=5, name="c"),
    painted((40, 200), [(120, 5, 190, 35)], first=6, name="d"),
]
PLAIN = Data(colour=0.0, flip=0.0, scale=(1.0, 1.0))
HOW = {
    "cut": replace(PLAIN, scale=(2.0, 2.0)),
    "flip": replace(PLAIN, flip=1.0),
    "larger": replace(PLAIN, scale=(1.0, 1.7)),
    "plain": PLAIN,
    "smaller": replace(PLAIN, scale=(0.4, 1.0), flip=0.5),
}


@pytest.mark.parametrize("data", HOW.values(), ids=HOW)
def test_boxes_stay_with_their_pixels(data: Data) -> None:
    augment, found = Augment(data, SIDE, 0, 1), 0
    for epoch in range(-15, 0):
        for index in range(len(SCENES)):
            sample = augment(SCENES, abs(epoch), index)
            assert sample.image.shape == (SIDE, SIDE, 3)
            assert sample.truth.size == (SIDE, SIDE)
            first = int(SCENES[index].truth.labels[0])
            found += compare(sample, range(first, first + len(SCENES[index].truth)))
    assert found > 60


class Quarters(Sequence):
    """Each colour in one image alone; whatever a mosaic asks for, it gets the four in turn."""

    def __init__(self, scenes: Sequence[Sample]) -> None:
        self.asked = 0
        self.scenes = scenes

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> Sample:
        self.asked += 1
        return self.scenes[(self.asked - 1) % len(self.scenes)]


@pytest.mark.parametrize("scale", [(0.5, 0.9), (1.0, 2.0)], ids=["small", "large"])
def test_boxes_stay_with_their_pixels_in_a_mosaic(scale: tuple[float, float]) -> None:
    augment, source, found = (
        Augment(Data(colour=0.0, scale=scale, mosaic=1.0), SIDE, 0, 100),
        Quarters(SCENES),
        0,
    )
    for epoch in range(40):
        found += compare(sample := augment(source, epoch, 0), range(7))
        assert sample.name == "a + b + c + d"
        assert sample.truth.size == (SIDE, SIDE)
    assert found > 80


def test_a_turned_box_fits_round_objects() -> None:
    data = Data(colour=0.0, scale=(1.0, 1.3), rotate=40.0, shear=15.0)
    scenes = [painted((80, 100), [(15, 10, 65, 35), (30, 40, 90, 70)], round_=True)]
    augment, off = Augment(data, SIDE, 0, 1), []
    for epoch in range(60):
        sample = augment(scenes, epoch, 0)
        for label, box in zip(sample.truth.labels, sample.truth.xyxy, strict=True):
            if (box > 1).all() and (
                box < SIDE - 1
            ).all():  # uncut: a cut ellipse may end before its box does
                off.append(np.abs(seen(sample.image, label) - box).max())
    assert len(off) > 50
    assert max(off) <= 1.5


def test_a_turned_image_loses_no_corner_that_has_room() -> None:
    sample = painted((20, 20), [(0, 0, 20, 20)])
    angle = np.pi / 4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    image = Warp((20, 20), (40, 40), False, turn, (12, 12), (64, 64)).image(sample.image)
    np.testing.assert_allclose(
        seen(image, 0), [32 - 800**0.5, 32 - 800**0.5, 32 + 800**0.5, 32 + 800**0.5], atol=1.5
    )


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_moves_every_pixel_exactly(quarters: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
    turn = np.linalg.matrix_power(
        np.array([[0.0, -1.0], [1.0, 0.0]]), quarters
    )  # clockwise, as y points down
    turned = Warp((12, 12), (12, 12), False, turn, (3, 5), (20, 20)).image(image)
    np.testing.assert_array_equal(turned[5:17, 3:15], np.rot90(image, -quarters))


def test_the_matrix_is_what_is_done_to_the_pixels() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        warp = draw_warp(rng, Data(rotate=30.0, shear=10.0), SIDE, (70, 90), (SIDE, SIDE))
        image = np.zeros((70, 90, 3), np.uint8)
        x, y = rng.integers(10, 60, 2)
        image[y - 3 : y + 3, x - 3 : x + 3] = 255
        weights = (warp.image(image)[..., 0] > GREY) * 1.0
        if not weights.any():
            continue
        rows, columns = np.nonzero(weights)
        at = warp.matrix @ [x, y, 1]
        if (at > 12).all() and (at < SIDE - 12).all():
            np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], at, atol=0.5)


def shifted(
    truth: Boxes, x: int, y: int, visible: float = 0.25, window: tuple[int, int] = (100, 100)
) -> Boxes:
    """The boxes after the image was moved by (x, y) and nothing else."""
    return truth.warp(Warp(truth.size, truth.size, False, np.eye(2), (x, y), window), visible)


@pytest.mark.parametrize(
    ("cut", "kept", "difficult"),
    [
        (0, 1, False),
        (20, 1, False),
        (29, 1, False),
        (31, 1, True),
        (39, 1, True),
        (40, 0, None),
        (90, 0, None),
    ],
)
def test_a_remnant_is_ignored_and_nothing_is_dropped(
    cut: int, kept: int, difficult: bool | None
) -> None:
    truth = Boxes.of([[0, 10, 40, 50]], [0], CLASSES, (100, 100))
    moved = shifted(truth, -cut, 0)
    assert len(moved) == kept
    assert moved.difficult.tolist() == [difficult] * kept
    assert moved.areas.tolist() == pytest.approx([(40 - cut) * 40] * kept)
    assert moved.xyxy.tolist() == [[0, 10, 40 - cut, 50]] * kept


def test_what_is_too_thin_is_ignored_and_a_speck_goes() -> None:
    edges = [
        [0, 0, THINNEST - 0.5, 50],
        [10, 10, 10 + THINNEST, 50],
        [30, 30, 31, 31],
        [40, 40, 40, 60],
        [50, 50, 52, 52],
    ]
    moved = shifted(Boxes.of(edges, [0, 1, 2, 3, 4], CLASSES, (100, 100)), 0, 0)
    assert moved.labels.tolist() == [0, 1, 4]
    assert moved.difficult.tolist() == [True, False, False]


def test_difficult_and_crowd_stay_so_and_never_become_objects() -> None:
    truth = Boxes.of(
        [[0, 0, 40, 40]] * 3, [0, 1, 2], CLASSES, (50, 50), difficult=[1, 0, 0], crowd=[0, 1, 0]
    )
    moved = shifted(truth, -5, -5)
    assert moved.difficult.tolist() == [True, False, False]
    assert moved.crowd.tolist() == [False, True, False]
    assert moved.counted.tolist() == [False, False, True]


def test_the_area_of_an_outline_grows_as_its_box_does() -> None:
    truth = Boxes.of([[10, 10, 30, 50]], [0], CLASSES, (60, 60), areas=[123.0])
    moved = truth.warp(Warp((60, 60), (120, 180), True, np.eye(2), (0, 0), (120, 180)), 0.25)
    assert moved.areas.tolist() == pytest.approx([123.0 * 6])
    assert moved.xyxy.tolist() == [[90, 20, 150, 100]]


def test_a_box_that_leaves_its_image_ends_at_the_image() -> None:
    moved = shifted(Boxes.of([[-30, -5, 20, 45]], [0], CLASSES, (40, 40)), 30, 30)
    assert moved.xyxy.tolist() == [[30, 30, 50, 70]]


# === which images ===


def test_mixtures_keep_the_objects_of_both() -> None:
    ones = [painted((90, 90), [(5, 5, 85, 85)], first=i, name=str(i)) for i in range(4)]
    data = Data(colour=0.0, scale=(0.3, 0.3), mosaic=1.0, mixup=1.0)
    sample = Augment(data, SIDE, 0, 10)(Quarters(ones), 0, 0)
    assert sorted(sample.truth.labels.tolist()) == sorted([*range(4)] * 2)
    assert sample.name.count("+") == 7
    single = Augment(replace(data, mixup=0.0), SIDE, 0, 10)(Quarters(ones), 0, 0)
    np.testing.assert_array_equal(sample.truth.xyxy[:4], single.truth.xyxy)
    assert (sample.image != single.image).any()


def test_a_mixture_is_a_mean_of_both_images() -> None:
    truth = Boxes.of([], [], CLASSES, (8, 8))
    dark, light = (Sample(np.full((8, 8, 3), value, np.uint8), truth, "x") for value in (50, 250))
    values = [
        np.unique(mixup(np.random.default_rng(seed), dark, light).image) for seed in range(200)
    ]
    assert all(len(value) == 1 for value in values)
    assert 60 < np.min(values) < 100 < np.mean(values) < 200 < np.max(values) < 240


def test_the_last_epochs_have_no_mosaics() -> None:
    data = Data(mosaic=1.0, mixup=0.5, close_mosaic=3, colour=0.0)
    augment = Augment(data, SIDE, 0, epochs=10)
    plain = Augment(replace(data, mosaic=0.0, mixup=0.0), SIDE, 0, epochs=10)
    made = ["+" in augment(SCENES, epoch, 1).name for epoch in range(10)]
    assert made == [True] * 7 + [False] * 3
    for epoch in (7, 8, 9):
        np.testing.assert_array_equal(
            augment(SCENES, epoch, 1).image, plain(SCENES, epoch, 1).image
        )


def test_mosaics_are_as_frequent_as_asked() -> None:
    augment = Augment(Data(mosaic=0.3, colour=0.0), 32, 0, epochs=1000)
    assert 0.2 < np.mean(["+" in augment(SCENES, epoch, 0).name for epoch in range(200)]) < 0.4


def same(a: Sample, b: Sample) -> bool:
    """Whether images and boxes are equal to the bit."""
    arrays = ("xyxy", "labels", "difficult", "areas")
    return np.array_equal(a.image, b.image) and all(
        np.array_equal(getattr(a.truth, name), getattr(b.truth, name)) for name in arrays
    )


def test_threads_and_order_change_nothing() -> None:
    data = Data(mosaic=0.6, mixup=0.3, rotate=5.0, colour=0.5)
    jobs = [(epoch, index) for epoch in range(6) for index in range(len(SCENES))]
    alone = Augment(data, SIDE, 4, 6)
    expected = {job: alone(SCENES, *job) for job in jobs}
    shared = Augment(data, SIDE, 4, 6)
    with ThreadPoolExecutor(4) as pool:
        backwards = dict(
            zip(jobs[::-1], pool.map(lambda job: shared(SCENES, *job), jobs[::-1]), strict=True)
        )
    assert all(same(expected[job], backwards[job]) for job in jobs)
    assert not same(expected[0, 0], expected[1, 0])
    assert not same(expected[0, 0], Augment(data, SIDE, 5, 6)(SCENES, 0, 0))


@pytest.mark.parametrize(
    "data", [Data(colour=0.0), replace(PLAIN, colour=0.8)], ids=["place", "colour"]
)
def test_one_image_is_varied_differently_at_each_index(data: Data) -> None:
    source = SCENES[2:3] * 3  # of the crop's own size: PLAIN leaves its place alone
    samples = [Augment(data, SIDE, 0, 1)(source, 0, index) for index in range(3)]
    assert len({sample.image.tobytes() for sample in samples}) == 3


def test_colours_leave_the_boxes_alone() -> None:
    data = Data(mosaic=0.5, colour=0.8)
    changed = []
    for epoch in range(4):
        samples = [
            (Augment(d, SIDE, 0, 9)(SCENES, epoch, 2)) for d in (data, replace(data, colour=0.0))
        ]
        np.testing.assert_array_equal(samples[0].truth.xyxy, samples[1].truth.xyxy)
        changed.append((samples[0].image != samples[1].image).any())
    assert any(changed)


PAPER = np.broadcast_to(np.uint8([200, 120, 30]), (60, 90, 3))  # one colour, and not writable
TRUTHS = {
    "boxes": Boxes.of([[5, 5, 60, 50]], [0], CLASSES, (60, 90)),
    "labels": Labels.of([0], CLASSES),
    "mask": Mask(np.ones((60, 90), np.uint8), CLASSES),
}


def colours(image: np.ndarray) -> dict[tuple[int, ...], int]:
    """Colour → how many pixels have it."""
    found, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    return dict(zip(map(tuple, found.tolist()), counts.tolist(), strict=True))


@pytest.mark.parametrize(
    "turned", [{}, {"rotate": 30.0, "shear": 10.0}], ids=["straight", "turned"]
)
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_around_an_image_there_is_the_letterboxes_grey_whatever_its_colours(
    truth: Answer, turned: dict
) -> None:
    """At prediction the grey has one colour; an image of one colour keeps one (but for rounding);
    all else must be that grey.
    """
    data, papers = Data(colour=1.0, scale=(0.7, 0.7), **turned), set()
    for epoch in range(8):
        image = Augment(data, SIDE, 0, 9)([Sample(PAPER, truth, "paper")], epoch, 0).image
        found = colours(image)
        assert found.pop((GREY, GREY, GREY)) > 0.3 * SIDE * SIDE
        papers.add(paper := max(found, key=found.get))
        assert (
            turned or np.abs(np.array(list(found)) - paper).max() <= 4
        )  # turned, its edges are mixed with the grey
    assert len(papers) > 3
    assert (PAPER == [200, 120, 30]).all()


@pytest.mark.parametrize("mixed", [0.0, 1.0], ids=["mosaic", "two mosaics"])
def test_each_image_of_a_mosaic_has_its_own_colours_and_grey_has_none(mixed: float) -> None:
    data = Data(colour=1.0, scale=(0.4, 0.4), mosaic=1.0, mixup=mixed)
    source, most = [Sample(PAPER, TRUTHS["boxes"], "paper")] * 4, 0
    for epoch in range(8):
        found = colours(Augment(data, SIDE, 0, 9)(source, epoch, 0).image)
        assert (GREY, GREY, GREY) in found
        most = max(most, len(found))
        assert mixed or len(found) <= 10  # two an image, as colours are rounded
    assert most > 3


# === one rule for the scale ===


@pytest.mark.parametrize("side", [24, 47, 48, 60, 96, 200])
@pytest.mark.parametrize("kind", TRUTHS)
def test_training_scales_an_image_as_prediction_does(kind: str, side: int) -> None:
    """Cut out of a 96×96 image as a whole, larger and smaller: the same bytes as on the letterbox's
    network input.
    """
    rng = np.random.default_rng(side)
    image, ids = rng.integers(0, 256, (96, 96, 3), np.uint8), rng.integers(0, 3, (96, 96), np.uint8)
    truths = {
        "boxes": Boxes.of([], [], CLASSES, (96, 96)),
        "labels": Labels.of([], CLASSES),
        "mask": Mask(ids, CLASSES),
    }
    sample = Augment(PLAIN, side, 0, 1)([Sample(image, truths[kind], "noise")], 0, 0)
    letterbox = Letterbox((96, 96), (side, side))
    np.testing.assert_array_equal(sample.image, letterbox.to_input(image))
    if kind == "mask":
        np.testing.assert_array_equal(sample.truth.ids, letterbox.ids_to_input(ids, VOID))


# === odd truths and sizes ===

ODD = {
    "nothing": np.zeros((0, 4)),
    "one pixel": np.array([[50, 50, 51, 51.0]]),
    "three hundred": np.random.default_rng(0).uniform([0, 0, 50, 50], [50, 50, 100, 100], (300, 4)),
    "the whole image": np.array([[0, 0, 100, 120.0]]),
}


@pytest.mark.parametrize("crop", [32, 160])
@pytest.mark.parametrize("difficult", [False, True], ids=["counted", "difficult"])
@pytest.mark.parametrize("edges", ODD.values(), ids=ODD)
def test_odd_truths_stay_valid(edges: np.ndarray, difficult: bool, crop: int) -> None:
    n = len(edges)
    truth = Boxes.of(edges, np.arange(n) % 12, CLASSES, (120, 100), difficult=[difficult] * n)
    image = np.random.default_rng(0).integers(0, 255, (120, 100, 3), np.uint8)
    source = [
        Sample(image, truth, "odd"),
        Sample(image[:1, :1], Boxes.of([], [], CLASSES, (1, 1)), "speck"),
    ]
    augment = Augment(Data(mosaic=0.5, mixup=0.5, rotate=10.0, crop=crop), 96, 0, 100)
    for epoch in range(8):
        sample = augment(source, epoch, epoch % 2)
        assert sample.image.shape == (crop, crop, 3)
        assert sample.truth.size == (crop, crop)
        np.testing.assert_array_equal(sample.truth.xyxy, clip(sample.truth.xyxy, (crop, crop)))
        assert not (difficult and sample.truth.counted.any())
        assert (areas(sample.truth.xyxy) >= SMALLEST * 0.999).all()


def test_everything_grows_with_a_crop_that_is_asked_for() -> None:
    small, large = (
        Augment(replace(PLAIN, crop=48), 48, 0, 1)(SCENES, 0, 2, crop) for crop in (None, 96)
    )
    assert (small.image.shape, large.image.shape) == ((48, 48, 3), (96, 96, 3))
    np.testing.assert_allclose(large.truth.xyxy, small.truth.xyxy * 2)


@pytest.mark.parametrize("side", [160, 40], ids=["cut", "padded"])
def test_cuts_and_margins_fall_everywhere_alike(side: int) -> None:
    rng = np.random.default_rng(0)
    shifts = np.array(
        [draw_warp(rng, PLAIN, side, (side, side), (100, 100)).shift for _ in range(3000)]
    )
    for way in shifts.T:
        places, counts = np.unique(way, return_counts=True)
        assert places.tolist() == list(range(min(0, 100 - side), max(0, 100 - side) + 1))
        assert counts.min() > 0.3 * counts.mean()


# === masks, and what a recipe may ask for ===


@pytest.mark.parametrize(
    "how", [{}, {"rotate": 20.0}, {"shear": 20.0}], ids=["plain", "rotate", "shear"]
)
def test_masks_stay_with_their_pixels(how: dict[str, float]) -> None:
    ids = np.zeros((80, 120), np.uint8)
    ids[20:60, 30:90] = 1
    image = np.where(ids[..., None] == 1, np.array([255, 0, 0]), np.array([0, 0, 255])).astype(
        np.uint8
    )
    source = [Sample(image, Mask(ids, ("background", "square")), "m")]
    augment = Augment(Data(colour=0.0, **how), SIDE, 0, 1)
    for epoch in range(10):
        sample = augment(source, epoch, 0)
        red = np.abs(sample.image.astype(int) - [255, 0, 0]).sum(axis=2) < 120
        assert (red ^ (sample.truth.ids == 1)).mean() < 0.03
        assert (sample.truth.ids == 1).any()


def test_a_recipe_may_not_ask_for_what_would_not_be_done() -> None:
    document = {
        "task": "segment",
        "backbone": "tiny",
        "size": 64,
        "classes": ["background", "disc"],
    }
    with pytest.raises(
        ModelError,
        match=(
            r"`data\.mosaic` joins images with boxes, which segment does not learn from; got 0\.5"
        ),
    ):
        parse_recipe({**document, "data": {"mosaic": 0.5}})
    with pytest.raises(ModelError, match=r"`data\.mixup` mixes mosaics"):
        parse_recipe({**document, "data": {"mixup": 0.5}})
    with pytest.raises(ModelError, match=r"`data\.min_visibility` must be 0 to 1; got 2"):
        parse_recipe({**document, "data": {"visible": 2.0}})
