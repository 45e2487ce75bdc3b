"""What other programs write: boxes on other pixels, turned, doubled, in other words; and masks. The
right value, or a refusal.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Mask
from cvtasks.data import open_source
from cvtasks.data.checking.check import check
from cvtasks.data.checking.statistics import statistics
from cvtasks.data.formats.bases.mask_files import OBJECT, TURNED_MASK
from cvtasks.errors import DataError
from cvtasks.formats.coco import coco_boxes, parse_coco
from cvtasks.formats.drawn import turned
from cvtasks.formats.reading import (
    FRACTIONS,
    OUTLINES,
    RESIZED,
    ROTATED,
    TURNED,
    TWICE,
    UPRIGHT,
    ZERO_BASED,
)
from cvtasks.formats.voc import parse_voc
from cvtasks.geometry.rle import encode_rle, rle_box
from cvtasks.media.images import read_image

CLASSES = ("cat", "dog")
SIZE = (100, 200)  # (height, width) as stored
BOX = (10, 20, 40, 60)  # of red pixels, as stored


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def photo(path: Path, turn: int = 1, size: tuple[int, int] = SIZE) -> None:
    """A black image with red pixels in `BOX`, as stored, and an EXIF orientation."""
    pixels = np.zeros((*size, 3), np.uint8)
    left, top, right, bottom = BOX
    pixels[top:bottom, left:right] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x112] = turn
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95, exif=exif)


def red(image: np.ndarray) -> list[int]:
    """The box around the red pixels of an image."""
    rows, columns = np.nonzero(image[..., 0] > 150)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


# === images that EXIF turns ===


def as_coco(
    root: Path, files: dict[str, tuple[tuple[int, int] | None, tuple[int, ...] | None]]
) -> None:
    """File name → (declared (height, width), box), as a data set."""
    images, annotations = [], []
    for number, (name, (size, box)) in enumerate(files.items(), start=1):
        sides = {"height": size[0], "width": size[1]} if size else {}
        images.append({"id": number, "file_name": name, **sides})
        if box:
            left, top, right, bottom = box
            entry = {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [left, top, right - left, bottom - top],
            }
            annotations.append(entry)
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}],
    }
    write(root / "train.json", json.dumps(document))


def as_voc(
    root: Path, files: dict[str, tuple[tuple[int, int] | None, tuple[int, ...] | None]]
) -> None:
    for name, (size, box) in files.items():
        said = f"<size><width>{size[1]}</width><height>{size[0]}</height></size>" if size else ""
        corners = zip(
            ("xmin", "ymin", "xmax", "ymax"),
            (box[0] + 1, box[1] + 1, *box[2:]) if box else (),
            strict=False,
        )
        inside = "".join(f"<{tag}>{side}</{tag}>" for tag, side in corners)
        thing = f"<object><name>cat</name><bndbox>{inside}</bndbox></object>" if box else ""
        write(
            root / "Annotations" / f"{Path(name).stem}.xml",
            f"<annotation>{said}{thing}</annotation>",
        )
    write(root / "ImageSets/Main/train.txt", "".join(f"{Path(name).stem}\n" for name in files))
    write(root / "classes.txt", "cat\n")


LAY: dict[str, tuple[Callable, str]] = {"coco": (as_coco, "images"), "voc": (as_voc, "JPEGImages")}


@pytest.mark.parametrize("layout", LAY)
@pytest.mark.parametrize("turn", range(1, 9))
def test_boxes_on_stored_pixels_are_turned_with_their_image(
    layout: str, turn: int, tmp_path: Path
) -> None:
    """Oracle: where the red pixels are in the image as it is read."""
    lay, folder = LAY[layout]
    photo(tmp_path / folder / "a.jpg", turn)
    lay(tmp_path, {"a.jpg": (SIZE, BOX)})
    source = open_source(str(tmp_path), "train", Boxes)
    if turn in (2, 3, 4):  # the size is the same before and after
        with pytest.raises(
            DataError,
            match=r"must be clear on which pixels boxes were drawn.*Save the image upright",
        ):
            source.truth(0)
        assert [fault.rule for fault in source.faults(0)] == ["EXIF turn unclear"]
        return
    assert source[0].truth.xyxy.tolist() == [red(source[0].image)]
    assert source.remarks_of(0) == ((TURNED,) if turn != 1 else ())


@pytest.mark.parametrize("layout", LAY)
@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("stored", [True, False])
def test_other_images_tell_how_a_program_shows_turned_ones(
    layout: str, turn: int, stored: bool, tmp_path: Path
) -> None:
    """b.jpg of orientation 6 declares one of its two sizes; so do, in silence, images that are
    upside down or say no size.
    """
    lay, folder = LAY[layout]
    photo(tmp_path / folder / "a.jpg", turn)
    photo(tmp_path / folder / "b.jpg", 6)
    up = {name: red(read_image(tmp_path / folder / f"{name}.jpg")) for name in "ab"}
    size = SIZE if stored else SIZE[::-1]
    lay(
        tmp_path,
        {
            f"{name}.jpg": (
                None if name == "a" else size,
                BOX if stored else tuple(map(int, up[name])),
            )
            for name in "ab"
        },
    )
    source = open_source(str(tmp_path), "train", Boxes)
    assert [source.truth(index).xyxy.tolist() for index in (0, 1)] == [[up["a"]], [up["b"]]]
    assert source.remarks() == ([f"{TURNED}: 2"] if stored else [])


@pytest.mark.parametrize("layout", LAY)
def test_what_tells_nothing_is_refused_and_nothing_is_nothing(layout: str, tmp_path: Path) -> None:
    lay, folder = LAY[layout]
    for name, size in (("square", (64, 64)), ("unsaid", SIZE), ("empty", SIZE)):
        photo(tmp_path / folder / f"{name}.jpg", 6, size)
    lay(
        tmp_path,
        {"square.jpg": ((64, 64), BOX), "unsaid.jpg": (None, BOX), "empty.jpg": (None, None)},
    )
    source = open_source(str(tmp_path), "train", Boxes)
    assert [[fault.rule for fault in source.faults(index)] for index in range(3)] == [
        ["EXIF turn unclear"]
    ] * 2 + [[]]


def test_programs_that_disagree_tell_nothing(tmp_path: Path) -> None:
    for name, turn in (("a", 3), ("b", 6), ("c", 6)):
        photo(tmp_path / "images" / f"{name}.jpg", turn)
    as_coco(
        tmp_path,
        {"a.jpg": (SIZE, BOX), "b.jpg": (SIZE, BOX), "c.jpg": (SIZE[::-1], (40, 10, 80, 40))},
    )
    source = open_source(str(tmp_path), "train", Boxes)
    assert [[fault.rule for fault in source.faults(index)] for index in range(3)] == [
        ["EXIF turn unclear"],
        [],
        [],
    ]


def test_a_turned_image_that_was_also_reduced(tmp_path: Path) -> None:
    """Drawn on 400 x 200 stored pixels: halved, then turned."""
    photo(tmp_path / "images/a.jpg", 8)
    as_coco(tmp_path, {"a.jpg": ((200, 400), (20, 40, 80, 120))})
    source = open_source(str(tmp_path), "train", Boxes)
    assert source.truth(0).xyxy.tolist() == [red(source[0].image)]
    assert source.remarks_of(0) == (RESIZED, TURNED)


def test_turning_is_what_the_loader_does(tmp_path: Path) -> None:
    for turn in range(1, 9):
        photo(tmp_path / f"{turn}.jpg", turn)
        assert turned(np.array([BOX], float), SIZE, turn).tolist() == [
            red(read_image(tmp_path / f"{turn}.jpg"))
        ]


def test_shares_of_a_turned_image_are_of_the_upright_one_and_that_is_a_warning(
    tmp_path: Path,
) -> None:
    """Label files of YOLO declare no size; programs of today and YOLO's own loader show the image
    upright.
    """
    photo(tmp_path / "images/train/a.jpg", 6)
    write(tmp_path / "labels/train/a.txt", "0 0.6 0.125 0.4 0.15\n")  # of 100 x 200: 40, 10, 80, 40
    write(tmp_path / "data.yaml", "train: images/train\nnames: [cat]\n")
    source = open_source(str(tmp_path), "train", Boxes)
    assert (source.truth(0).xyxy.tolist(), source.remarks()) == (
        [red(source[0].image)],
        [f"{UPRIGHT}: 1"],
    )
    assert ("warning", "EXIF turn") in {
        (one.level, one.rule) for one in check(str(tmp_path), "train", Boxes).findings
    }


# === masks ===


def as_masks(
    root: Path,
    masks: dict[str, np.ndarray],
    classes: str = "background\nobject\n",
    split: str = "train",
) -> None:
    for name, ids in masks.items():
        if not (root / "images" / split / f"{name}.jpg").is_file():
            photo(root / "images" / split / f"{name}.jpg", 1, ids.shape)
        (root / "masks" / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids.astype(np.uint8)).save(root / "masks" / split / f"{name}.png")
    write(root / "classes.txt", classes)


def ids_of(*values: int) -> np.ndarray:
    """A mask with a row of each value below rows of 0."""
    ids = np.zeros((64, 48), np.uint8)
    for row, value in enumerate(values, start=40):
        ids[row] = value
    return ids


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("told", [True, False])
def test_masks_of_stored_pixels_are_turned_with_their_image(
    turn: int, told: bool, tmp_path: Path
) -> None:
    """`told`: b.jpg beside it, of orientation 6, shows that masks are of stored pixels."""
    ids = np.zeros(SIZE, np.uint8)
    ids[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1
    for name, its in (("a", turn), *([("b", 6)] if told else [])):
        photo(tmp_path / "images/train" / f"{name}.jpg", its)
        as_masks(tmp_path, {name: ids})
    source = open_source(str(tmp_path), "train", Mask)
    if turn in (2, 3, 4) and not told:
        with pytest.raises(DataError, match="must be clear on which pixels a mask was drawn"):
            source.truth(0)
        return
    np.testing.assert_array_equal(source[0].truth.ids == 1, source[0].image[..., 0] > 150)
    assert source.remarks() == (
        [f"{TURNED_MASK}: {int(told) + int(turn != 1)}"] if told or turn != 1 else []
    )


def test_a_mask_of_the_upright_image_stays(tmp_path: Path) -> None:
    photo(tmp_path / "images/train/a.jpg", 6)
    ids = (read_image(tmp_path / "images/train/a.jpg")[..., 0] > 150).astype(np.uint8)
    as_masks(tmp_path, {"a": ids})
    source = open_source(str(tmp_path), "train", Mask)
    np.testing.assert_array_equal(source.truth(0).ids, ids)
    assert source.remarks() == []


@pytest.mark.parametrize(
    ("train", "val", "object_is"),
    [
        ([(255,), ()], [(255,)], 255),  # black and white: the object
        ([(255,), (255, 1)], [(1,)], 1),  # an id beside it: void
        ([(255,)], [(1, 255)], 1),  # the other split tells
        ([(255, 1)], [()], 1),
        ([(1,)], [()], 1),
    ],
)
def test_255_is_void_unless_no_mask_has_another_id(
    train: list, val: list, object_is: int, tmp_path: Path
) -> None:
    for split, masks in (("train", train), ("val", val)):
        as_masks(
            tmp_path,
            {str(index): ids_of(*values) for index, values in enumerate(masks)},
            split=split,
        )
    source = open_source(str(tmp_path), "train", Mask)
    for index, values in enumerate(train):
        ids = ids_of(*values)
        expected = np.where(ids == 255, 1, ids) if object_is == 255 else ids
        np.testing.assert_array_equal(source.truth(index).ids, expected)
    assert source.remarks() == ([OBJECT] if object_is == 255 else [])


@pytest.mark.parametrize(
    ("train", "val"), [([(255,), (1,)], [(1,)]), ([(255,)], [(1,)]), ([(1,), (255,)], [(255,), ()])]
)
def test_255_beside_masks_of_0_and_1_may_be_two_things(
    train: list, val: list, tmp_path: Path
) -> None:
    """Some masks of an object and others, of 0 and 255, of void alone? Rather of two programs."""
    for split, masks in (("train", train), ("val", val)):
        as_masks(
            tmp_path,
            {str(index): ids_of(*values) for index, values in enumerate(masks)},
            split=split,
        )
    source = open_source(str(tmp_path), "train", Mask)
    found = [[fault.rule for fault in source.faults(index)] for index in range(len(train))]
    assert found == [["binary masks"] if 255 in values else [] for values in train]
    assert "Write 1 for the second class" in str(
        source.faults([255 in values for values in train].index(True))[0]
    )


def test_black_and_white_masks_are_counted_checked_and_scored_as_objects(tmp_path: Path) -> None:
    from cvtasks.tasks import TASKS

    as_masks(tmp_path, {"a": ids_of(255), "b": ids_of()})
    source = open_source(str(tmp_path), "train", Mask)
    assert [row["images"] for row in statistics(source)] == [2, 1]
    findings = check(str(tmp_path), "train", Mask).findings
    assert [one.reason for one in findings if one.rule == "settled for the whole split"] == [OBJECT]
    assert not [one for one in findings if one.rule == "binary mask"]
    metric = TASKS["segment"].task().metric(source.classes)
    for index in range(len(source)):
        metric.add(source.truth(index), source.truth(index))
    assert metric.result()["VOC mean IoU"] == 1


@pytest.mark.parametrize("classes", ["background\n", "background\ncat\ndog\n"])
def test_black_and_white_masks_of_other_than_two_classes_are_one_error(
    classes: str, tmp_path: Path
) -> None:
    as_masks(tmp_path, {"a": ids_of(255), "b": ids_of(255)}, classes)
    with pytest.raises(
        DataError, match=r"hold 0 and 255 alone.*Write its id for 255, or name just the two"
    ):
        open_source(str(tmp_path), "train", Mask)
    errors = [one for one in check(str(tmp_path), "train", Mask).findings if one.level == "error"]
    assert [one.rule for one in errors] == ["binary masks"]


def test_a_void_mask_of_the_devkit_among_others_stays_void(tmp_path: Path) -> None:
    for name, values in (("a", (255,)), ("b", (15,))):
        photo(tmp_path / f"JPEGImages/{name}.png", 1, (64, 48))
        (tmp_path / "SegmentationClass").mkdir(exist_ok=True)
        Image.fromarray(ids_of(*values)).save(tmp_path / f"SegmentationClass/{name}.PNG")
    write(tmp_path / "ImageSets/Segmentation/train.txt", "a\n")
    source = open_source(str(tmp_path), "train", Mask)
    np.testing.assert_array_equal(source.truth(0).ids, ids_of(255))


# === rotated boxes ===


def voc(*objects: str, more: str = "") -> bytes:
    items = "".join(f"<object><name>cat</name>{one}</object>" for one in objects)
    return f"<annotation>{more}{items}</annotation>".encode()


def corners(*sides: object) -> str:
    return (
        "<bndbox>"
        + "".join(
            f"<{t}>{s}</{t}>" for t, s in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True)
        )
        + "</bndbox>"
    )


def attribute(value: object, name: str = "rotation") -> str:
    return (
        f"<attributes><attribute><name>{name}</name><value>{value}</value></attribute></attributes>"
    )


def read_voc(content: bytes, size: tuple[int, int] = SIZE) -> tuple[Boxes, tuple[str, ...]]:
    return parse_voc(content, CLASSES, size, "a.xml")


def coco(
    *annotations: dict, size: tuple[object, object] = SIZE, categories: list | None = None
) -> bytes:
    image = {"id": 1, "file_name": "a.png", "height": size[0], "width": size[1]}
    entries = [
        {"id": n, "image_id": 1, "category_id": 1, **one}
        for n, one in enumerate(annotations, start=1)
    ]
    named = categories or [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return json.dumps({"images": [image], "annotations": entries, "categories": named}).encode()


def read_coco(*annotations: dict, **options: object) -> tuple[Boxes, tuple[str, ...]]:
    file = parse_coco(coco(*annotations, **options), "a.json")
    return coco_boxes(file.images[0], tuple(file.categories), SIZE, "a.json")


DIAMOND = 10 * 2**0.5  # half the diagonal of a square of 20


@pytest.mark.parametrize(
    ("box", "degrees", "expected"),
    [
        ([50, 20, 110, 40], 90, [70, 0, 90, 60]),
        ([50, 20, 110, 40], "270.0", [70, 0, 90, 60]),
        ([50, 20, 110, 40], 180, [50, 20, 110, 40]),
        ([50, 20, 110, 40], 0, [50, 20, 110, 40]),
        ([50, 20, 110, 40], "", [50, 20, 110, 40]),
        ([50, 30, 70, 50], 45, [60 - DIAMOND, 40 - DIAMOND, 60 + DIAMOND, 40 + DIAMOND]),
        ([50, 30, 70, 50], -45.0, [60 - DIAMOND, 40 - DIAMOND, 60 + DIAMOND, 40 + DIAMOND]),
        ([0, 5, 60, 25], 90, [20, 0, 40, 45]),  # 20 x 60 around (30, 15): cut at the image's edge
    ],
)
def test_a_rotated_box_is_read_as_the_upright_one_around_it(
    box: list[int], degrees: object, expected: list[float]
) -> None:
    left, top, right, bottom = box
    attributes = {"occluded": False, "rotation": degrees}
    said = (ROTATED,) if degrees not in (0, "") else ()
    found = [
        read_coco({"bbox": [left, top, right - left, bottom - top], "attributes": attributes}),
        read_voc(voc(corners(left + 1, top + 1, right, bottom) + attribute(degrees))),
    ]
    for boxes, remarks in found:
        np.testing.assert_allclose(boxes.xyxy, [expected], atol=1e-4)
        assert remarks == said


def test_a_rotated_box_of_rolabelimg_has_a_centre_sides_and_radians() -> None:
    inside = (
        "<robndbox><cx>60</cx><cy>40</cy><w>20</w><h>20</h><angle>0.7853981634</angle></robndbox>"
    )
    boxes, remarks = read_voc(voc(inside))
    np.testing.assert_allclose(
        boxes.xyxy, [[60 - DIAMOND, 40 - DIAMOND, 60 + DIAMOND, 40 + DIAMOND]], atol=1e-4
    )
    assert remarks == (ROTATED,)


def test_fractions_of_a_rotated_file_count_as_those_of_others() -> None:
    """Whole corners and an angle make no fraction; CVAT's own fractions are edges from 0: 50 to
    60.5, centre 55.25, 30.25.
    """
    boxes, remarks = read_voc(voc(corners(51, 21, 110, 40) + attribute(30), corners(1, 1, 9, 9)))
    assert (boxes.xyxy[1].tolist(), remarks) == ([0, 0, 9, 9], (ROTATED,))
    boxes, remarks = read_voc(voc(corners(50, 30, 60.5, 30.5) + attribute(90), corners(1, 1, 9, 9)))
    assert (boxes.xyxy.tolist(), remarks) == (
        [[55, 25, 55.5, 35.5], [1, 1, 9, 9]],
        (FRACTIONS, ROTATED),
    )


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (
            lambda: read_voc(voc(corners(1, 1, 9, 9) + "<angle>30</angle>")),
            "has an <angle> of 30, of which nobody knows",
        ),
        (
            lambda: read_voc(voc(corners(1, 1, 9, 9).replace("</b", "<angle>0.5</angle></b"))),
            "has an <angle> of 0.5",
        ),
        (
            lambda: read_voc(voc(corners(1, 1, 9, 9) + attribute("steep"))),
            "<rotation> must be a finite number",
        ),
        (lambda: read_voc(voc(corners(9, 1, 1, 9) + attribute(90))), "left of its right one"),
        (lambda: read_voc(voc("<robndbox><cx>6</cx></robndbox>")), "<cy> must be a finite number"),
        (
            lambda: read_coco({"bbox": [1, 1, 9, 9], "rotation": 30}),
            "`rotation` is 30, of which nobody knows",
        ),
        (lambda: read_coco({"bbox": [1, 1, 9, 9], "angle": 0.5}), "`angle` is 0.5"),
        (
            lambda: read_coco({"bbox": [1, 1, 9, 9], "attributes": {"rotation": "steep"}}),
            "could not convert|finite number",
        ),
        (
            lambda: read_coco({"bbox": [1, 1, 9, 9], "attributes": {"rotation": [90]}}),
            "finite number",
        ),
        (lambda: read_coco({"bbox": [50, 50, 20, 20, 0.5]}), "must be four numbers"),
        (
            lambda: read_coco({"bbox": [300, 50, 60, 20], "attributes": {"rotation": 90}}),
            "must lie in its image",
        ),
    ],
)
def test_a_rotation_that_cannot_be_known_is_refused(read: Callable, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read()


def test_no_rotation_is_none() -> None:
    assert (
        read_voc(voc(corners(1, 1, 9, 9) + "<angle>0</angle>" + attribute("left", "pose")))[1] == ()
    )
    assert (
        read_coco(
            {"bbox": [1, 1, 9, 9], "angle": 0, "rotation": None, "attributes": {"rotation": None}}
        )[1]
        == ()
    )
    assert read_coco({"bbox": [1, 1, 9, 9], "attributes": ["rotation"]})[1] == ()


# === corners with fractions ===

DEVKIT = (
    "<source><database>The VOC2012 Database</database><annotation>PASCAL "
    "VOC2012</annotation></source>"
)
UNKNOWN = "<source><database>Unknown</database><annotation>Unknown</annotation></source>"


@pytest.mark.parametrize(
    ("more", "sides", "expected", "remarks"),
    [
        ("", [(10.5, 20.5, 40.5, 60.5)], [[10.5, 20.5, 40.5, 60.5]], (FRACTIONS,)),
        (UNKNOWN, [(10.5, 20.5, 40.5, 60.5)], [[10.5, 20.5, 40.5, 60.5]], (FRACTIONS,)),
        ("", [("11.0", "21.0", "40.0", "60.0")], [[10, 20, 40, 60]], ()),  # whole, however written
        ("", [(11, 21, 40, 60)], [[10, 20, 40, 60]], ()),
        (
            "",
            [(10, 20, 40, 60), (1, 2, 3.25, 4)],
            [[10, 20, 40, 60], [1, 2, 3.25, 4]],
            (FRACTIONS,),
        ),  # all of the file
        ("", [(0.0, 0, 199.5, 100)], [[0, 0, 199.5, 100]], (FRACTIONS,)),  # 0 is an edge there
        ("", [(0, 0, 199, 99)], [[0, 0, 199, 99]], (ZERO_BASED,)),
        (DEVKIT, [(45.5, 20.5, 60.25, 40)], [[44.5, 19.5, 60.25, 40]], ()),
        (
            "<source><annotation>cvtasks</annotation></source>",
            [(11.5, 21, 40.5, 60)],
            [[10.5, 20, 40.5, 60]],
            (),
        ),
    ],
)
def test_fractions_are_edges_from_0_but_in_the_devkit(
    more: str, sides: list, expected: list, remarks: tuple
) -> None:
    boxes, said = read_voc(voc(*(corners(*one) for one in sides), more=more))
    assert (
        boxes.xyxy.tolist(),
        tuple(remark for remark in said if remark in (FRACTIONS, ZERO_BASED)),
    ) == (expected, remarks)


# === the same object again ===


@pytest.mark.parametrize(
    ("beside", "side", "left"),
    [("10.5", "11.00", 11), ("10.5", "11", 10), ("10.0", "11.00", 10), ("10.500", "11.0", 11)],
)
def test_whole_corners_with_a_point_are_counted_as_those_of_the_files_beside(
    beside: str, side: str, left: int, tmp_path: Path
) -> None:
    for name, first in (("a", side), ("b", beside)):
        photo(tmp_path / f"JPEGImages/{name}.png", 1, (64, 48))
        write(
            tmp_path / f"Annotations/{name}.xml",
            voc(corners(first, first, *(["40.00"] if "." in first else [40]) * 2)).decode(),
        )
    write(tmp_path / "classes.txt", "cat")
    assert open_source(str(tmp_path), "", Boxes).truth(0).xyxy.tolist() == [[left, left, 40, 40]]


def test_an_object_that_is_there_again_counts_once() -> None:
    twice = [
        {"bbox": [1, 2, 9, 18]},
        {"bbox": [1, 2, 9, 18]},
        {"bbox": [1, 2, 9, 18], "category_id": 2},
        {"bbox": [1, 2, 9, 19]},
    ]
    boxes, remarks = read_coco(*twice)
    assert (boxes.names, boxes.xyxy[:, 3].tolist(), remarks) == (
        ("cat", "dog", "cat"),
        [20, 20, 21],
        (TWICE,),
    )
    boxes, remarks = read_voc(voc(*[corners(2, 3, 10, 20)] * 3, corners(2, 3, 10, 21)))
    assert (len(boxes), remarks) == (2, (TWICE, TWICE))


def test_of_doubles_the_one_that_counts_stays() -> None:
    hard = "<difficult>1</difficult>"
    boxes, _ = read_voc(voc(corners(1, 1, 9, 9) + hard, corners(1, 1, 9, 9)))
    assert boxes.difficult.tolist() == [False]
    boxes, _ = read_coco(
        {"bbox": [1, 1, 9, 9], "iscrowd": 1, "area": 5}, {"bbox": [1, 1, 9, 9], "area": 7}
    )
    assert (boxes.crowd.tolist(), boxes.areas.tolist()) == ([False], [7])


# === COCO's other words ===


@pytest.mark.parametrize(
    ("categories", "classes", "remarks"),
    [
        ([{"id": 1, "name": "1"}, {"id": 2, "name": "01"}], ("1", "01"), 0),
        ([{"id": 1, "name": 1.5}, {"id": 2, "name": 7}], ("1.5", "7"), 0),
        (
            [
                {"id": 0, "name": "pets", "supercategory": "none"},
                {"id": 1, "name": "cat", "supercategory": "pets"},
            ],
            ("cat",),
            1,
        ),
        (
            [
                {"id": 0, "name": "cat", "supercategory": "none"},
                {"id": 1, "name": "cat", "supercategory": "cat"},
            ],
            ("cat",),
            1,
        ),
        (
            [
                {"id": 1, "name": "cat", "supercategory": "none"},
                {"id": 2, "name": "dog", "supercategory": "none"},
            ],
            ("cat", "dog"),
            0,
        ),
        ([{"id": 1, "name": "person", "supercategory": "person"}], ("person",), 0),
        (
            [{"id": 0, "name": "_background_", "supercategory": None}, {"id": 1, "name": "cat"}],
            ("cat",),
            1,
        ),  # LabelMe's
        ([{"id": 1, "name": "none", "supercategory": "none"}], ("none",), 0),
        (
            [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 2, "name": "animal"}],
            ("cat", "animal"),
            0,
        ),
    ],
)
def test_classes_are_the_categories_but_for_the_root(
    categories: list, classes: tuple, remarks: int
) -> None:
    file = parse_coco(coco(categories=categories), "a.json")
    assert (tuple(file.categories), len(file.remarks)) == (classes, remarks)


def test_a_root_that_objects_have_is_a_class() -> None:
    root = [
        {"id": 1, "name": "pets", "supercategory": "none"},
        {"id": 2, "name": "cat", "supercategory": "pets"},
    ]
    for number in (1, "1", 1.0):
        assert tuple(
            parse_coco(
                coco({"bbox": [1, 1, 2, 2], "category_id": number}, categories=root), "a"
            ).categories
        ) == (
            "pets",
            "cat",
        )


@pytest.mark.parametrize("name", ["", None, True, [], {}])
def test_a_category_without_a_name_is_refused(name: object) -> None:
    with pytest.raises(DataError, match="a category's name must be text"):
        parse_coco(coco(categories=[{"id": 1, "name": name}]), "a.json")


SQUARE = [10, 20, 40, 20, 40, 60, 10, 60]
SHOWN = np.zeros(SIZE, bool)
SHOWN[20:60, 10:40] = True
RUNS = np.diff(
    np.flatnonzero(np.diff(SHOWN.ravel(order="F").astype(int), prepend=-1, append=-1))
).tolist()


@pytest.mark.parametrize(
    "outline",
    [
        [SQUARE],
        SQUARE,
        [list(map(str, SQUARE))],
        [[10, 20, 20, 20, 20, 30], [30, 50, 40, 60, 30, 60]],  # two parts of one object
        encode_rle(SHOWN),
        {"size": list(SIZE), "counts": RUNS},
    ],
)
@pytest.mark.parametrize("box", [{}, {"bbox": None}, {"bbox": []}, {"bbox": [0, 0, 0, 0]}])
def test_without_a_box_it_is_the_one_around_the_outline(outline: object, box: dict) -> None:
    boxes, remarks = read_coco({"segmentation": outline, "area": 77, **box})
    assert (boxes.xyxy.tolist(), boxes.areas.tolist(), remarks) == (
        [[10, 20, 40, 60]],
        [77],
        (OUTLINES,),
    )


@pytest.mark.parametrize(
    "outline",
    [
        [],
        [[]],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [["a"] * 6],
        {},
        {"size": [1, 1], "counts": "?"},
        "x",
        7,
    ],
)
def test_an_outline_of_nothing_is_refused(outline: object) -> None:
    with pytest.raises(DataError, match="a bbox must be four numbers"):
        read_coco({"segmentation": outline})


def test_the_box_of_runs_is_that_of_their_mask() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        mask = rng.random((rng.integers(1, 9), rng.integers(1, 9))) < 0.2
        rows, columns = np.nonzero(mask)
        expected = (
            (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            if len(rows)
            else (0, 0, 0, 0)
        )
        assert rle_box(encode_rle(mask)) == expected
