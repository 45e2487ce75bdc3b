"""Laws over random inputs: boxes and masks stay with their pixels, what is written comes back,
order plays no part.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from cvtasks.answers import VOID, Boxes, Mask, Sample
from cvtasks.answers.boxes import SMALLEST
from cvtasks.data import open_source
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.warp import Warp, draw_warp
from cvtasks.data.writing.convert import convert, writers_of
from cvtasks.formats.coco import coco_boxes, coco_document, parse_coco
from cvtasks.formats.voc import parse_voc, voc_xml
from cvtasks.formats.yolo import parse_yolo, yolo_text
from cvtasks.geometry.boxes import areas
from cvtasks.geometry.letterbox import GREY, Letterbox
from cvtasks.geometry.rle import decode_rle, encode_rle
from cvtasks.heads import head_type
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.recipe.recipe import Data, Recipe, Train, parse_recipe, read_recipe
from cvtasks.tasks import TASKS
from cvtasks.weights.safetensors_file import (
    DTYPES,
    read_metadata,
    read_safetensors,
    write_safetensors,
)

CLASSES = ("cat", "dog", "zebra crossing")
WHOLE = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)


def bounded(examples: int):
    """The profile of this module, with so many examples."""
    return settings(WHOLE, max_examples=examples)


# === what is drawn ===

sides = st.integers(8, 90)
sizes = st.tuples(sides, sides)


@st.composite
def some_boxes(
    draw: st.DrawFn, size: tuple[int, int] | None = None, most: int = 6, whole: bool = False
) -> Boxes:
    """Boxes in an image of `size` (any by default), fractional edges unless `whole`, some
    difficult, some crowds.
    """
    height, width = size or draw(sizes)
    rows = draw(st.lists(st.tuples(*(st.integers(0, 999) for _ in range(4))), max_size=most))
    step = 1.0 if whole else 1 / 64
    edges = []
    for a, b, c, d in rows:
        left, top = (
            int(a * (width - 1) / 1000 / step) * step,
            int(b * (height - 1) / 1000 / step) * step,
        )
        edges.append(
            (
                left,
                top,
                left + max(1.0, int(c * (width - left) / 1000)),
                top + max(1.0, int(d * (height - top) / 1000)),
            )
        )
    n = len(edges)
    labels = draw(st.lists(st.integers(0, len(CLASSES) - 1), min_size=n, max_size=n))
    kinds = draw(st.lists(st.sampled_from(("", "", "difficult", "crowd")), min_size=n, max_size=n))
    flags = {name: [kind == name for kind in kinds] for name in ("difficult", "crowd")}
    return Boxes.of(np.array(edges).reshape(-1, 4), labels, CLASSES, (height, width), **flags)


def each_once(boxes: Boxes) -> Boxes:
    """Without objects that have the class and the box of an earlier one, which every reader takes
    for the same.
    """
    seen: dict[tuple, int] = {}
    for index, (label, box) in enumerate(
        zip(boxes.labels.tolist(), boxes.xyxy.tolist(), strict=True)
    ):
        seen.setdefault((label, *box), index)
    return boxes.take(np.array(list(seen.values()), int))


def frozen(boxes: Boxes) -> Boxes:
    """The same with arrays that cannot be written to: whoever changes its input is found out."""
    for name in ("xyxy", "labels", "scores", "difficult", "crowd", "areas"):
        getattr(boxes, name).flags.writeable = False
    return boxes


def same(a: Boxes, b: Boxes, within: float = 0.01) -> None:
    assert (a.names, a.size, a.classes) == (b.names, b.size, b.classes)
    np.testing.assert_allclose(a.xyxy, b.xyxy, rtol=0, atol=within)


# === augmentation ===

SIDE = 64
colours = st.sampled_from(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)]
)
factors = st.floats(0.3, 2.0)


@st.composite
def recipes_of_data(draw: st.DrawFn, turned: bool, joined: bool) -> Data:
    """Any way of varying the place of an image."""
    low, high = sorted((draw(factors), draw(factors)))
    small = st.floats(0, 15) if turned else st.just(0.0)
    odds = st.sampled_from((0.0, 0.5, 1.0))
    return Data(
        colour=0.0,
        scale=(low, high),
        flip=draw(odds),
        rotate=draw(small),
        shear=draw(small),
        crop=draw(st.sampled_from((0, 32, 96))),
        mosaic=draw(odds) if joined else 0.0,
        border=draw(st.sampled_from(("grey", "edge"))) if not joined else "grey",
        min_visibility=draw(st.floats(0, 1)),
    )


def painted(
    size: tuple[int, int],
    box: Sequence[int],
    colour: tuple[int, int, int],
    label: int,
    round_: bool = False,
) -> Sample:
    """Black paper with one rectangle, or the ellipse that fits it."""
    image = np.zeros((*size, 3), np.uint8)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    left, top, right, bottom = box
    inside = (left < x) & (x < right) & (top < y) & (y < bottom)
    if round_:
        inside = ((2 * x - left - right) / (right - left)) ** 2 + (
            (2 * y - top - bottom) / (bottom - top)
        ) ** 2 < 1
    image[inside] = colour
    image.flags.writeable = False
    return Sample(image, frozen(Boxes.of([box], [label], CLASSES, size)), f"{label}")


def extent(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray | None:
    """The box around the pixels of that colour; None where there are none."""
    near = (np.abs(image.astype(int) - colour) < 128).all(axis=2)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) if rows.size else None


@st.composite
def scenes(draw: st.DrawFn, round_: bool = False) -> list[Sample]:
    """One to three images of one object each, of different colours."""
    found = []
    for label, colour in enumerate(draw(st.lists(colours, min_size=1, max_size=3, unique=True))):
        height, width = draw(st.tuples(st.integers(24, 90), st.integers(24, 90)))
        left, top = draw(st.integers(0, width - 12)), draw(st.integers(0, height - 12))
        right, bottom = draw(st.integers(left + 10, width)), draw(st.integers(top + 10, height))
        found.append(
            (painted((height, width), (left, top, right, bottom), colour, label, round_), colour)
        )
    return found


@bounded(120)
@given(scenes(), recipes_of_data(turned=False, joined=False), st.integers(0, 2**20))
def test_a_box_stays_with_its_pixels(images: list, data: Data, seed: int) -> None:
    augment = Augment(data, SIDE, seed, 1)
    for index, (_, colour) in enumerate(images):
        sample = augment([image for image, _ in images], 0, index)
        crop = data.crop or SIDE
        assert (sample.image.shape, sample.truth.size) == ((crop, crop, 3), (crop, crop))
        seen = extent(sample.image, colour)
        if len(sample.truth):
            box = sample.truth.xyxy[0]
            if seen is None:
                assert (box[2:] - box[:2]).min() < 1
            elif data.border == "grey":
                np.testing.assert_allclose(seen, box, atol=1.0)
            else:  # a repeated edge continues the object beyond the image
                assert (seen[:2] <= box[:2] + 1).all()
                assert (seen[2:] >= box[2:] - 1).all()
        elif data.border == "grey":
            assert seen is None or areas(seen[None])[0] <= 2 * SMALLEST + 4


@bounded(60)
@given(scenes(), recipes_of_data(turned=False, joined=True), st.integers(0, 2**20))
def test_boxes_of_a_mosaic_cover_their_colour_and_nothing_else(
    images: list, data: Data, seed: int
) -> None:
    sample = Augment(replace(data, mosaic=1.0), SIDE, seed, 1)([image for image, _ in images], 0, 0)
    for label, (_, colour) in enumerate(images):
        covered = np.zeros(sample.image.shape[:2], bool)
        for left, top, right, bottom in sample.truth.xyxy[sample.truth.labels == label]:
            covered[
                max(0, int(top) - 1) : int(np.ceil(bottom)) + 1,
                max(0, int(left) - 1) : int(np.ceil(right)) + 1,
            ] = True
            inside = sample.image[
                int(np.ceil(top)) + 1 : int(bottom) - 1, int(np.ceil(left)) + 1 : int(right) - 1
            ]
            assert (np.abs(inside.astype(int) - colour) < 128).all()
        near = (np.abs(sample.image.astype(int) - colour) < 128).all(axis=2)
        assert (near & ~covered).sum() <= 4 * (
            2 * SMALLEST + 4
        )  # a speck of each of the four parts


@bounded(60)
@given(scenes(round_=True), recipes_of_data(turned=True, joined=False), st.integers(0, 2**20))
def test_a_turned_box_fits_its_round_object(images: list, data: Data, seed: int) -> None:
    data = replace(data, border="grey")
    image, colour = images[0]
    sample = Augment(data, SIDE, seed, 1)([image], 0, 0)
    seen, crop = extent(sample.image, colour), data.crop or SIDE
    if len(sample.truth) and (sample.truth.xyxy > 1).all() and (sample.truth.xyxy < crop - 1).all():
        box = sample.truth.xyxy[0]  # uncut: what is cut of an ellipse may end before its box does
        assert seen is not None
        assert np.abs(seen - box).max() <= 2.0


@bounded(60)
@given(st.integers(0, 2**20), recipes_of_data(turned=True, joined=False), sizes)
def test_a_mixture_of_mosaics_has_the_objects_of_both(
    seed: int, data: Data, size: tuple[int, int]
) -> None:
    sample = painted(size, (0, 0, size[1], size[0]), (255, 0, 0), 0)
    single, mixed = (
        Augment(replace(data, mosaic=1.0, mixup=mixup), SIDE, seed, 1)([sample], 0, 0)
        for mixup in (0.0, 1.0)
    )
    assert len(mixed.truth) >= len(single.truth)
    np.testing.assert_array_equal(mixed.truth.xyxy[: len(single.truth)], single.truth.xyxy)


@bounded(60)
@given(st.integers(0, 2**20), recipes_of_data(turned=True, joined=False), sizes)
def test_a_point_goes_where_the_matrix_says(seed: int, data: Data, size: tuple[int, int]) -> None:
    warp = draw_warp(np.random.default_rng(seed), data, SIDE, size, (SIDE, SIDE))
    box = np.array([[size[1] / 4, size[0] / 4, size[1] / 2, size[0] / 2]])
    moved = Boxes.of(box, [0], CLASSES, size).warp(warp, 0.0)
    assume(len(moved) and (moved.xyxy > 0).all() and (moved.xyxy < SIDE).all())  # uncut
    centre = warp.matrix @ [*(box[0, :2] + box[0, 2:]) / 2, 1]
    np.testing.assert_allclose((moved.xyxy[0, :2] + moved.xyxy[0, 2:]) / 2, centre, atol=1e-3)
    np.testing.assert_allclose(
        moved.areas, areas(box) * abs(np.linalg.det(warp.matrix[:, :2])), rtol=1e-3
    )


@bounded(40)
@given(
    st.integers(0, 2**20), recipes_of_data(turned=True, joined=False), sizes, st.integers(1, 254)
)
def test_a_mask_stays_with_its_pixels(
    seed: int, data: Data, size: tuple[int, int], shade: int
) -> None:
    """No id is invented, and the border between two fields is the same in the image and in the
    mask.
    """
    ids = np.zeros(size, np.uint8)
    ids[size[0] // 4 : size[0] * 3 // 4, size[1] // 4 : size[1] * 3 // 4] = 1
    image = np.where(ids[..., None] == 1, np.uint8(255), np.uint8(0)) * np.ones(3, np.uint8)
    sample = Augment(replace(data, border="grey"), SIDE, seed, 1)(
        [Sample(image, Mask(ids, CLASSES), "m")], 0, 0
    )
    crop = data.crop or SIDE
    assert (sample.image.shape, sample.truth.size) == ((crop, crop, 3), (crop, crop))
    assert set(np.unique(sample.truth.ids).tolist()) <= {0, 1, VOID}
    grey = (np.abs(sample.image.astype(int) - GREY) <= 1).all(axis=2)
    seen = sample.truth.ids != VOID
    white = sample.image[..., 0] > 127
    ring = 4 * (
        crop + crop
    )  # pixels along the borders of the two fields, where both are interpolated
    assert (white ^ (sample.truth.ids == 1))[seen].sum() <= ring
    assert (grey ^ ~seen).sum() <= ring


# === formats ===


def doors(boxes: Boxes) -> dict[str, Boxes]:
    """The boxes after each format has written and read them."""
    content = parse_coco(
        json.dumps(coco_document([("a.png", boxes)], boxes.classes)).encode(), "a.json"
    )
    return {
        "voc": parse_voc(voc_xml(boxes, "a.png").encode(), boxes.classes, boxes.size, "a.xml")[0],
        "coco": coco_boxes(content.images[0], tuple(content.categories), boxes.size, "a.json")[0],
        "yolo": parse_yolo(yolo_text(boxes), boxes.classes, boxes.size, "a.txt")[0],
    }


@bounded(150)
@given(some_boxes(size=None))
def test_what_a_format_writes_it_reads(boxes: Boxes) -> None:
    boxes = each_once(boxes)
    found = doors(frozen(boxes))
    same(found["voc"], boxes)
    same(found["coco"], boxes)
    same(found["yolo"], boxes.take(boxes.counted))
    np.testing.assert_array_equal(found["voc"].difficult, ~boxes.counted)
    np.testing.assert_array_equal(found["coco"].difficult, boxes.difficult)
    np.testing.assert_array_equal(found["coco"].crowd, boxes.crowd)
    np.testing.assert_allclose(found["coco"].areas, boxes.areas, rtol=1e-6)


@bounded(60)
@given(some_boxes(size=None), st.permutations(("voc", "coco", "yolo")))
def test_any_chain_of_formats_ends_where_it_began(boxes: Boxes, chain: list[str]) -> None:
    boxes = each_once(boxes.take(boxes.counted))
    found = boxes
    for door in (*chain, *chain):
        found = doors(found)[door]
    same(found, boxes)


@bounded(8)
@given(
    st.lists(some_boxes(size=(24, 32)), min_size=1, max_size=3),
    st.permutations(tuple(writers_of(Boxes))),
)
def test_data_sets_become_each_other(
    tmp_path_factory: pytest.TempPathFactory, truths: list[Boxes], chain: list[str]
) -> None:
    root = tmp_path_factory.mktemp("sets")
    truths = [each_once(truth.take(truth.counted)) for truth in truths]
    (root / "start" / "images").mkdir(parents=True)
    names = [f"p{number}" for number in range(len(truths))]
    for name in names:
        Image.new("RGB", (32, 24)).save(root / "start" / "images" / f"{name}.png")
    document = coco_document(zip([f"{name}.png" for name in names], truths, strict=True), CLASSES)
    path = root / "start" / "train.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    source, before = open_source(str(path), "", Boxes), path.read_bytes()
    for number, to in enumerate(chain):
        folder = root / f"{number}"
        assert not any("left out" in said for said in convert(source, to, folder, "train"))
        source = open_source(str(folder), "train", Boxes)
        assert source.classes == CLASSES
        found = dict(
            zip(source.names, (source.truth(index) for index in range(len(source))), strict=True)
        )
        assert sorted(found) == names
        for name, truth in zip(names, truths, strict=True):
            same(found[name], truth)
    assert path.read_bytes() == before


# === there and back ===


@bounded(150)
@given(
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    st.tuples(st.integers(1, 640), st.integers(1, 640)),
    st.data(),
)
def test_a_letterbox_there_and_back(
    size: tuple[int, int], input_size: tuple[int, int], data: st.DataObject
) -> None:
    box, (height, width) = Letterbox(size, input_size), size
    points = data.draw(st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=5))
    xyxy = np.array(points, np.float32).reshape(-1, 4) * np.array(
        [width, height, width, height], np.float32
    )
    there = box.boxes_to_input(xyxy)
    top, left, tall, wide = box.window
    assert 0 <= top <= top + tall <= input_size[0]
    assert 0 <= left <= left + wide <= input_size[1]
    assert (there >= np.array([left, top] * 2) - 1e-2).all()
    assert (there <= np.array([left + wide, top + tall] * 2) + 1e-2).all()
    np.testing.assert_allclose(
        box.boxes_to_image(there),
        xyxy,
        rtol=0,
        atol=0.01 * max(1.0, *np.divide(size, (tall, wide))),
    )


@bounded(40)
@given(sizes, st.integers(0, 2**20))
def test_a_letterbox_of_ids_invents_none(size: tuple[int, int], seed: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 5, size).astype(np.uint8)
    placed = Letterbox(size, (64, 64)).ids_to_input(ids, VOID)
    assert set(np.unique(placed).tolist()) <= {*np.unique(ids).tolist(), VOID}
    assert Letterbox(size, (64, 64)).crop(placed).shape == Letterbox(size, (64, 64)).window[2:]


@bounded(200)
@given(st.tuples(st.integers(0, 40), st.integers(0, 40)), st.floats(0, 1), st.integers(0, 2**20))
def test_run_lengths_there_and_back(shape: tuple[int, int], share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    np.testing.assert_array_equal(decode_rle(encode_rle(mask)), mask)


@bounded(40)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.floats(0, 1), st.integers(0, 2**20))
def test_run_lengths_are_pycocotools(shape: tuple[int, int], share: float, seed: int) -> None:
    from pycocotools import mask as coco

    mask = np.random.default_rng(seed).random(shape) < share
    assert (
        encode_rle(mask)["counts"]
        == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    )


@bounded(150)
@given(
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.text("0123456789:;<=>?@ABCPQRSTUVWXYZ`abcklmno", max_size=12),
)
def test_runs_that_do_not_fill_a_mask_are_refused(shape: tuple[int, int], counts: str) -> None:
    try:
        mask = decode_rle({"size": list(shape), "counts": counts})
    except ValueError:
        return
    assert (mask.shape, mask.dtype) == (shape, np.bool_)


arrays = st.tuples(
    st.sampled_from(sorted(DTYPES)), st.lists(st.integers(0, 4), max_size=4), st.integers(0, 2**20)
)
names = st.text(st.characters(codec="utf-8"), max_size=12).filter(
    lambda name: name != "__metadata__"
)


@bounded(80)
@given(
    st.dictionaries(names, arrays, max_size=5),
    st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(max_size=9), max_size=2),
)
def test_safetensors_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, described: dict, metadata: dict
) -> None:
    metadata = {key: value.encode("utf-8", "replace").decode() for key, value in metadata.items()}
    made = {}
    for name, (code, shape, seed) in described.items():
        raw = np.random.default_rng(seed).integers(0, 2 if code == "BOOL" else 120, shape)
        made[name] = np.asarray(raw).astype(DTYPES[code])
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    write_safetensors(path, made, metadata)
    found = read_safetensors(path)
    assert found.keys() == made.keys()
    for name, array in made.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(found[name].read(), array)
    assert read_metadata(path) == metadata
    first = path.read_bytes()
    write_safetensors(path, made, metadata)
    assert path.read_bytes() == first


# === recipes ===


@st.composite
def some_recipes(draw: st.DrawFn) -> Recipe:
    """A recipe of any task with any numbers within their bounds."""
    task = draw(st.sampled_from(sorted(TASKS)))
    number = st.floats(0, 1, allow_subnormal=False)
    low, high = sorted((draw(st.floats(0.1, 10)), draw(st.floats(0.1, 10))))
    text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=9)
    data = Data(
        path=draw(text),
        train=draw(text),
        scale=(low, high),
        flip=draw(number),
        colour=draw(number),
        min_visibility=draw(number),
    )
    train = Train(
        epochs=draw(st.integers(1, 100_000)),
        learning_rate=draw(st.floats(1e-12, 100)),
        weight_decay=draw(st.floats(0, 10)),
        schedule=draw(st.sampled_from(("cosine", "poly", "step", "constant"))),
        freeze=tuple(
            draw(
                st.lists(
                    st.tuples(st.integers(0, 99), st.sampled_from((0, 2, 4, 8, 16, 32))), max_size=3
                )
            )
        ),
        seed=draw(st.integers(0, 2**31 - 1)),
        ema=draw(st.floats(0, 0.99999)),
    )
    classes = tuple(draw(st.lists(text.filter(bool), min_size=2, max_size=5, unique=True)))
    size = 32 * draw(st.integers(1, 40))
    return Recipe(
        head_type(task)(TASKS[task].task()),
        "tiny",
        size,
        classes,
        data=data,
        train=train,
        files=draw(st.dictionaries(text, text, max_size=2)),
    )


@bounded(80)
@given(some_recipes())
def test_a_recipe_reads_as_itself(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    assert parse_recipe(tomllib.loads(recipe.to_toml())) == recipe
    path: Path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    recipe.save(path)
    assert read_recipe(path) == recipe


# === what order and choice must not change ===


@st.composite
def scored_images(draw: st.DrawFn) -> list[tuple[Boxes, Boxes]]:
    """Truths and predictions near them, no two scores equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    truths = draw(st.lists(some_boxes(size=(60, 80), most=4, whole=True), min_size=1, max_size=5))
    scores = iter(rng.permutation(np.arange(1, 400)) / 400)
    pairs = []
    for truth in truths:
        again = rng.integers(0, len(truth), 2 * len(truth)) if len(truth) else np.zeros(0, np.int64)
        near = truth.xyxy[again] + rng.integers(-2, 3, (len(again), 4))
        far = rng.integers((0, 0, 40, 30), (30, 20, 80, 60), (2, 4))
        found = np.concatenate(
            [np.concatenate([near[:, :2], np.maximum(near[:, 2:], near[:, :2])], axis=1), far]
        )
        labels = [*truth.labels[again], *rng.integers(0, 3, 2)]
        pairs.append(
            (
                truth,
                Boxes.of(found, labels, CLASSES, truth.size, scores=[next(scores) for _ in labels]),
            )
        )
    return pairs


def measured(pairs: list[tuple[Boxes, Boxes]]) -> dict[str, float]:
    metric = BoxesMetric(CLASSES)
    for pair in pairs:
        metric.add(*pair)
    return metric.result()


@bounded(25)
@given(scored_images(), st.randoms(use_true_random=False))
def test_the_order_of_images_and_of_detections_plays_no_part(
    pairs: list[tuple[Boxes, Boxes]], chance
) -> None:
    shuffled = [
        (truth, found.take(np.array(chance.sample(range(len(found)), len(found)), int)))
        for truth, found in pairs
    ]
    chance.shuffle(shuffled)
    one, other = measured(pairs), measured(shuffled)
    np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=0, atol=1e-12)


@bounded(100)
@given(some_boxes(size=None), st.data())
def test_taking_boxes_takes_all_that_is_known_of_them(boxes: Boxes, data: st.DataObject) -> None:
    n = len(frozen(boxes))
    order = np.array(data.draw(st.permutations(range(n))), np.int64)
    back = boxes.take(order).take(np.argsort(order))
    picked = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    for name in ("xyxy", "labels", "scores", "difficult", "crowd", "areas"):
        taken = [getattr(boxes, name)[index].tolist() for index in order]
        assert getattr(boxes.take(order), name).tolist() == taken
        np.testing.assert_array_equal(getattr(back, name), getattr(boxes, name))
        np.testing.assert_array_equal(
            getattr(boxes.take(picked), name), getattr(boxes.take(np.flatnonzero(picked)), name)
        )
    assert boxes.take(picked).names == tuple(
        name for name, one in zip(boxes.names, picked, strict=True) if one
    )
    assert (back.size, back.classes) == (boxes.size, boxes.classes)


@bounded(60)
@given(some_boxes(size=None))
def test_other_classes_and_back_are_the_same(boxes: Boxes) -> None:
    turned = CLASSES[::-1]
    same(boxes.with_classes(turned).with_classes(CLASSES), boxes, 0)
    assert boxes.with_classes(turned).names == boxes.names
    kept = boxes.with_classes(CLASSES[:1])
    assert kept.names == tuple(name for name in boxes.names if name == CLASSES[0])


@bounded(60)
@given(some_boxes(size=None), st.booleans())
def test_a_map_that_changes_nothing_changes_no_box(boxes: Boxes, mirrored: bool) -> None:
    warp = Warp(boxes.size, boxes.size, mirrored, np.eye(2), (0, 0), boxes.size)
    moved = frozen(boxes).warp(warp, 0.0)
    moved = moved.warp(warp, 0.0) if mirrored else moved
    large = areas(boxes.xyxy) >= SMALLEST + 1e-3
    kept = moved.take(areas(moved.xyxy) >= SMALLEST + 1e-3)
    same(kept, boxes.take(large))
