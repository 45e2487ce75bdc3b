"""Annotation files: what is written comes back, what other programs write is understood, what is
wrong is named.
"""

import json
import os
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from cvtasks.answers import Boxes
from cvtasks.errors import DataError
from cvtasks.formats.coco import coco_boxes, coco_document, parse_coco
from cvtasks.formats.encodings import hearing
from cvtasks.formats.reading import (
    CUT,
    EMPTY,
    OUTLINES,
    RESIZED,
    fit,
    read_annotation,
    read_text,
    read_utf8,
)
from cvtasks.formats.voc import from_voc_corners, parse_voc, to_voc_corners, voc_xml
from cvtasks.formats.yolo import parse_yaml, parse_yolo, yolo_text, yolo_yaml

CLASSES = ("person", "cat", "traffic light")
SIZE = (48, 100)  # (height, width)


def by_voc(boxes: Boxes) -> Boxes:
    return parse_voc(voc_xml(boxes, "a.jpg").encode(), boxes.classes, boxes.size, "a.xml")[0]


def by_yolo(boxes: Boxes) -> Boxes:
    return parse_yolo(yolo_text(boxes), boxes.classes, boxes.size, "a.txt")[0]


def by_coco(boxes: Boxes) -> Boxes:
    content = parse_coco(
        json.dumps(coco_document([("a.jpg", boxes)], boxes.classes)).encode(), "a.json"
    )
    return coco_boxes(content.images[0], tuple(content.categories), boxes.size, "a.json")[0]


DOORS: dict[str, Callable[[Boxes], Boxes]] = {"voc": by_voc, "yolo": by_yolo, "coco": by_coco}


def random_boxes(seed: int, n: int, size: tuple[int, int] = SIZE) -> Boxes:
    """Boxes with fractional edges; every third one with whole edges, the first over the whole
    image.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    corners = rng.random((n, 2, 2)) * [width - 2, height - 2]
    xyxy = np.concatenate([corners.min(axis=1), corners.max(axis=1) + 1], axis=1).astype(np.float32)
    xyxy[::3] = np.round(xyxy[::3])
    xyxy[:1] = [0, 0, width, height]
    return Boxes.of(xyxy, rng.integers(len(CLASSES), size=n), CLASSES, size)


def same(a: Boxes, b: Boxes) -> None:
    assert a.names == b.names
    assert a.size == b.size
    assert a.classes == b.classes
    np.testing.assert_allclose(a.xyxy, b.xyxy, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(a.difficult, b.difficult)
    np.testing.assert_array_equal(a.crowd, b.crowd)
    np.testing.assert_allclose(a.areas, b.areas, rtol=1e-6)
    np.testing.assert_array_equal(b.scores, 1)


# === there and back ===


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("n", [0, 1, 40])
def test_what_is_written_comes_back(door: str, n: int) -> None:
    boxes = random_boxes(n, n)
    same(boxes, DOORS[door](boxes))


@pytest.mark.parametrize("door", ["voc", "coco"])
def test_edges_come_back_to_the_last_bit(door: str) -> None:
    boxes = random_boxes(7, 300, (3000, 4001))
    np.testing.assert_array_equal(DOORS[door](boxes).xyxy, boxes.xyxy)


@pytest.mark.parametrize("door", DOORS)
def test_one_pixel_in_the_corner_comes_back(door: str) -> None:
    boxes = Boxes.of([[99, 47, 100, 48], [0, 0, 1, 1]], [0, 2], CLASSES, SIZE)
    np.testing.assert_array_equal(DOORS[door](boxes).xyxy, boxes.xyxy)


def test_what_is_not_to_be_found_comes_back_where_the_format_can_say_it() -> None:
    plain = random_boxes(1, 4)
    boxes = Boxes.of(
        plain.xyxy,
        plain.labels,
        CLASSES,
        SIZE,
        difficult=[0, 1, 0, 1],
        crowd=[0, 0, 1, 1],
        areas=[5.5, 6, 7, 8],
    )  # fmt: skip
    same(by_coco(boxes), boxes)
    assert by_voc(boxes).difficult.tolist() == [False, True, True, True]  # it has no crowds
    assert not by_voc(boxes).crowd.any()
    assert by_yolo(boxes).names == boxes.names[:1]  # it has neither


def test_writing_leaves_the_boxes_as_they_were() -> None:
    boxes = random_boxes(1, 4)
    before = boxes.xyxy.copy()
    for door in DOORS.values():
        door(boxes)
    np.testing.assert_array_equal(boxes.xyxy, before)


def test_scores_are_written_where_asked_for_and_readers_of_truths_pass_over_them() -> None:
    boxes = Boxes.of([[1, 2, 3, 4], [5, 6, 7, 8]], [0, 1], CLASSES, SIZE, scores=[0.25, 1.0])
    xml, text = voc_xml(boxes, "a.jpg", scores=True), yolo_text(boxes, scores=True)
    document = coco_document([("a.jpg", boxes)], CLASSES, scores=True)
    assert [item.text for item in ElementTree.fromstring(xml).iter("score")] == ["0.25", "1"]
    assert [line.split()[5:] for line in text.splitlines()] == [["0.25"], ["1"]]
    assert [entry["score"] for entry in document["annotations"]] == [0.25, 1.0]
    assert "score" not in voc_xml(boxes, "a.jpg")
    assert {len(line.split()) for line in yolo_text(boxes).splitlines()} == {5}
    for read in (
        parse_voc(xml.encode(), CLASSES, SIZE, "a")[0],
        parse_yolo(text, CLASSES, SIZE, "a")[0],
    ):
        np.testing.assert_array_equal(read.xyxy, boxes.xyxy)
        assert read.scores.tolist() == [1, 1]


# === Pascal VOC ===


def voc(*objects: str, more: str = "", namespace: str = "") -> bytes:
    listed = "".join(f"<object>{one}</object>" for one in objects)
    return f"<annotation{namespace}>{more}{listed}</annotation>".encode()


def bndbox(xmin: object, ymin: object, xmax: object, ymax: object) -> str:
    sides = {"ymax": ymax, "xmin": xmin, "ymin": ymin, "xmax": xmax}
    inside = "".join(f"<{side}>{value}</{side}>" for side, value in sides.items())
    return f"<bndbox>{inside}</bndbox>"


CAT = "<name>cat</name>" + bndbox(2, 3, 10, 20)


def test_the_devkit_counts_pixels_from_one_and_includes_the_last() -> None:
    """Oracle: the pixels that the devkit's numbers mean, drawn one by one."""
    drawn = np.zeros(SIZE, bool)
    drawn[5 - 1 : 9, 3 - 1 : 7] = True  # ymin 5, ymax 9, xmin 3, xmax 7, counted from 1
    ((left, top, right, bottom),) = from_voc_corners(np.array([[3.0, 5, 7, 9]])).astype(int)
    mine = np.zeros(SIZE, bool)
    mine[top:bottom, left:right] = True
    np.testing.assert_array_equal(mine, drawn)
    corners = np.array([[3.0, 5, 7, 9], [1, 1, 100, 48], [2.5, 1, 2.75, 7]])
    np.testing.assert_array_equal(to_voc_corners(from_voc_corners(corners)), corners)


def test_whole_numbers_are_written_as_such() -> None:
    xml = voc_xml(Boxes.of([[2, 4, 7, 9.5]], [0], CLASSES, SIZE), "a & b.jpg")
    root = ElementTree.fromstring(xml)
    assert [item.text for item in root.find("object/bndbox")] == ["3", "5", "7", "9.5"]
    assert root.findtext("filename") == "a & b.jpg"
    assert [item.text for item in root.find("size")] == ["100", "48", "3"]


def test_an_annotation_without_objects_is_an_answer() -> None:
    boxes, remarks = parse_voc(voc(), CLASSES, SIZE, "a.xml")
    assert (len(boxes), boxes.xyxy.shape, boxes.size, remarks) == (0, (0, 4), SIZE, ())


@pytest.mark.parametrize(
    "content",
    [
        voc(CAT),
        voc(
            CAT,
            more="<folder>x</folder><filename>../../etc/passwd</filename>"
            "<object_count>3</object_count><!-- a cat -->",
        ),
        voc(CAT, namespace=' xmlns="http://example.org/voc"'),
        voc(CAT, namespace=(
            ' xmlns:v="http://example.org/voc"'
        )).replace(b"<object>", b"<v:object>").replace(b"/object>", b"/v:object>"),
        voc(CAT + "<difficult> 0 </difficult><truncated>1</truncated><pose>Left</pose>"),
        voc((
            f"<part><name>head</name>{bndbox(50, 20, 60, 30)}</part>"
        ) + CAT + f"<part><name>foot</name>{bndbox(1, 1, 2, 2)}</part>"),
        (
            b'<?xml version="1.0" encoding="UTF-16"?>'
        ).decode().encode("utf-16") + voc(CAT).decode().encode("utf-16")[2:],
        voc("<name> cat </name>" + bndbox(" 2.0", "3\n", "1e1", 20)),
    ],
)  # fmt: skip
def test_the_object_is_found_whatever_stands_around_it(content: bytes) -> None:
    boxes, remarks = parse_voc(content, CLASSES, SIZE, "a.xml")
    assert (boxes.names, boxes.xyxy.tolist(), boxes.difficult.tolist(), remarks) == (
        ("cat",),
        [[1, 2, 10, 20]],
        [False],
        (),
    )


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "must not declare a document type or entities; 'a.xml' does"),
        ((
            b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>'
        ), "must not declare a document type"),
        (b"", "must be whole, correct XML; 'a.xml' is not"),
        (voc(CAT)[:-5], "must be whole, correct XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><annotation/>', "must be whole, correct XML"),
        (b"\xff\xd8\xff\xe0 an image", "must be whole, correct XML"),
        (b"<html><body/></html>", "holds an <annotation>; 'a.xml' holds a <html>"),
        (voc(CAT.replace((
            "cat"
        ), "catt")), '"catt", object 1 of \'a.xml\', is not. Did you mean "cat"?'),
        (voc(CAT, CAT.replace("cat", "Person")), '"Person", object 2 of .* Did you mean "person"?'),
        (voc(bndbox(1, 1, 2, 2)), '"", object 1 of .*Known: cat, person, traffic light'),
        (voc("<name>cat</name>"), r"needs a <bndbox>; object 1 \(cat\) of 'a.xml' has none"),
        (voc((
            "<name>cat</name>"
        ) + bndbox(1, (
            ""
        ), 2, 2)), r"<ymin> must be a finite number; object 1 \(cat\) of 'a.xml' has ''"),
        (voc("<name>cat</name>" + bndbox(1, "nan", 2, 2)), "<ymin> must be a finite number"),
        (voc("<name>cat</name>" + bndbox(1, 1, "1e999", 2)), "<xmax> must be a finite number"),
        (voc((
            "<difficult>maybe</difficult>"
        ) + CAT), "<difficult> must be 0 or 1, yes or no; object 1 .*'maybe'"),
        (voc((
            "<name>cat</name>"
        ) + bndbox(10, 3, 2, 20)), r"object 1 \(cat\) of 'a.xml' has 9, 2, 2, 20"),
        # inclusive: no pixel at all
        (voc("<name>cat</name>" + bndbox(3, 3, 2, 20)), "left of its right one"),
        (voc((
            "<name>cat</name>"
        ) + bndbox(2, 3, 200, 20)), (
            "must lie in its image, 100 x 48 .width x height. pixels; .* 200, 20"
        )),
        # near, but wholly outside
        (voc("<name>cat</name>" + bndbox(102, 3, 102, 20)), "must lie in its image"),
    ],
)  # fmt: skip
def test_a_wrong_annotation_is_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_voc(content, CLASSES, SIZE, "a.xml")


WORDS = {
    **dict.fromkeys(
        ("", "0", "0.0", " 0", "no", "False", "none", "null", "off", "Unspecified"), False
    ),
    **dict.fromkeys(("1", " 1", "1.0", "2", "yes", "True", "on"), True),
}


@pytest.mark.parametrize(("word", "flag"), WORDS.items())
def test_a_flag_is_read_as_programs_write_it(word: str, flag: bool) -> None:
    boxes, _ = parse_voc(voc(f"<difficult>{word}</difficult>{CAT}"), CLASSES, SIZE, "a")
    assert (boxes.difficult.tolist(), boxes.counted.tolist()) == ([flag], [not flag])
    found, _ = read_coco(coco(annotations=[annotation(iscrowd=word, ignore=word)]))
    assert (found.crowd.tolist(), found.difficult.tolist()) == ([flag], [flag])


@pytest.mark.parametrize(
    ("value", "flag"),
    [(None, False), (0, False), (0.0, False), (False, False), (1, True), (True, True)],
)
def test_a_flag_of_json_needs_no_quotes(value: object, flag: bool) -> None:
    assert read_coco(coco(annotations=[annotation(iscrowd=value)]))[0].crowd.tolist() == [flag]


@pytest.mark.parametrize("value", ["maybe", "nan", [], {}, [0], float("nan")])
def test_a_flag_that_is_none_is_named(value: object) -> None:
    with pytest.raises(DataError, match="a flag must be a yes or a no"):
        read_coco(coco(annotations=[annotation(iscrowd=value)]))


@pytest.mark.parametrize(
    ("declared", "remarks"),
    [
        ("", ()),
        ("<width>100</width><height>48</height>", ()),
        ("<width>0</width><height>0</height>", ()),
        ("<depth>3</depth>", ()),
        ("<width>100.0</width><height> 48 </height>", ()),
        ("<width>many</width><height>48</height>", ()),
        ("<width>-1</width><height>nan</height>", ()),
        (
            "<width>200</width><height>96</height>",
            (RESIZED,),
        ),  # twice as large: boxes are halved, though they fit
        ("<width>50</width><height>24</height>", (RESIZED,)),
    ],
)
def test_boxes_are_scaled_from_the_declared_size(declared: str, remarks: tuple[str, ...]) -> None:
    boxes, said = parse_voc(voc(CAT, more=f"<size>{declared}</size>"), CLASSES, SIZE, "a.xml")
    factor = {"2": 0.5, "5": 2}[declared[7]] if remarks else 1
    assert (boxes.size, said) == (SIZE, remarks)
    assert boxes.xyxy.tolist() == [[side * factor for side in (1, 2, 10, 20)]]


def test_a_rounded_size_has_the_same_shape() -> None:
    """1000 x 667 reduced to 100 x 67: 667 / 10 was rounded."""
    content = coco(images=[{"id": 7, "file_name": "a.jpg", "width": "1000", "height": 667}])
    file = parse_coco(content, "a.json")
    boxes, remarks = coco_boxes(file.images[0], tuple(file.categories), (67, 100), "a.json")
    assert remarks == (RESIZED,)
    np.testing.assert_allclose(boxes.xyxy, [[0.1, 2 * 67 / 667, 1, 20 * 67 / 667]], rtol=1e-6)


@pytest.mark.parametrize(
    ("large", "small", "same"),
    [
        ((667, 1000), (67, 100), True),
        ((667, 1000), (66, 100), True),  # cut off instead of rounded
        ((500, 333), (250, 166), True),
        ((1000, 667), (100, 70), False),
        ((32, 30), (30, 30), False),
        ((375, 500), (374, 500), True),
        ((375, 500), (300, 500), False),
        ((64, 64), (32, 32), True),
    ],
)
def test_a_shape_is_the_same_up_to_rounding(
    large: tuple[int, int], small: tuple[int, int], same: bool
) -> None:
    for declared, size in ((large, small), (small, large)):
        box, image = (
            annotation(bbox=[0, 0, declared[1], declared[0]], area=50.0),
            {"id": 7, "file_name": "a.jpg"},
        )
        file = parse_coco(
            coco(images=[image | {"height": declared[0], "width": declared[1]}], annotations=[box]),
            "a.json",
        )
        if same:
            boxes, _ = coco_boxes(file.images[0], tuple(file.categories), size, "a.json")
            np.testing.assert_allclose(boxes.xyxy, [[0, 0, size[1], size[0]]], rtol=1e-6)
            np.testing.assert_allclose(
                boxes.areas, [50 * size[0] * size[1] / (declared[0] * declared[1])], rtol=1e-6
            )
        else:
            with pytest.raises(DataError, match="of its shape"):
                coco_boxes(file.images[0], tuple(file.categories), size, "a.json")


@pytest.mark.parametrize("sides", [(48, 100), (100, 60), (96, 96)])
def test_an_image_of_another_shape_is_refused(sides: tuple[int, int]) -> None:
    """An image 100 wide and 48 high: exchanged sides, one side cut, a square that it was squeezed
    into.
    """
    width, height = sides
    message = f"declares {width} x {height} .width x height. pixels, the image has 100 x 48"
    with pytest.raises(DataError, match=message):
        parse_voc(
            voc(CAT, more=f"<size><width>{width}</width><height>{height}</height></size>"),
            CLASSES,
            SIZE,
            "a.xml",
        )
    with pytest.raises(DataError, match=message):
        read_coco(coco(images=[{"id": 7, "file_name": "a.jpg", "width": width, "height": height}]))
    empty = voc(more=f"<size><width>{width}</width><height>{height}</height></size>")
    assert len(parse_voc(empty, CLASSES, SIZE, "a.xml")[0]) == 0  # no box, nothing wrong


# === boxes in their image ===


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([-1, -2, 50, 20], [0, 0, 50, 20]),
        ([90, 40, 102, 50], [90, 40, 100, 48]),
        ([0, 0, 100, 48], [0, 0, 100, 48]),
    ],
)
def test_a_box_may_reach_a_little_out_of_its_image(box: list[float], expected: list[float]) -> None:
    xyxy, remarks, _ = fit(np.array([box]), SIZE, ["x"])
    assert xyxy.tolist() == [expected]
    assert remarks == ((CUT,) if box != expected else ())


def test_rounding_of_a_format_is_no_remark() -> None:
    assert fit(np.array([[-1e-7, 0, 100.0004, 48]]), SIZE, ["x"])[1] == ()


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([-3, 0, 50, 20], "must lie in its image, 100 x 48 .* there has -3, 0, 50, 20"),
        ([100, 0, 101, 20], "must lie in its image"),
        ([np.nan, 0, 1, 1], "four finite numbers; there has"),
        ([0, 0, np.inf, 1], "four finite numbers"),
        ([5, 5, 5, 9], "left of its right one"),
        ([50, 5, 50.000001, 9], "left of its right one"),  # nothing is left of it in float32
    ],
)
def test_a_box_that_does_not_fit_is_named(box: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(np.array([[0, 0, 1, 1], box]), SIZE, ["here", "there"])


def test_large_images_allow_a_hundredth_of_their_side() -> None:
    assert fit(np.array([[-9.0, 0, 50, 20]]), (500, 1000), ["x"])[0].tolist() == [[0, 0, 50, 20]]
    with pytest.raises(DataError, match="must lie in its image"):
        fit(np.array([[0.0, -9, 50, 20]]), (500, 1000), ["x"])


# === COCO ===


def coco(**lists: object) -> bytes:
    """A file of one image, 100 x 48, with one cat; `lists` replaces what is said."""
    document = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 48}],
        "categories": [{"id": 18, "name": "cat"}, {"id": 3, "name": "person"}],
        "annotations": [annotation()],
    }
    return json.dumps({**document, **lists}).encode()


def annotation(**changes: object) -> dict[str, object]:
    return {
        "id": 1,
        "image_id": 7,
        "category_id": 18,
        "bbox": [1, 2, 9, 18],
        "area": 50.5,
        "iscrowd": 0,
        **changes,
    }


def read_coco(content: bytes) -> tuple[Boxes, tuple[str, ...]]:
    file = parse_coco(content, "a.json")
    return coco_boxes(file.images[0], tuple(file.categories), SIZE, "a.json")


@pytest.mark.parametrize("box", [[0.1, 0.2, 0.5, 0.25], [0, 0, 1, 0.5], [0.5, 0.5, 0.5004, 0.5]])
def test_boxes_in_shares_of_the_image_are_refused(box: list[float]) -> None:
    with pytest.raises(DataError, match=r"a box is in pixels; annotation 1 .*Multiply") as error:
        read_coco(coco(annotations=[annotation(bbox=box)]))
    assert error.value.rule == "box in shares"


def test_small_boxes_of_pixels_are_no_shares() -> None:
    """Whole numbers, those that reach beyond the first pixel, and what this package wrote."""
    for box in ([0, 0, 1, 1], [0.5, 0.5, 0.25, 2], [1, 1, 0.5, 0.5]):
        assert len(read_coco(coco(annotations=[annotation(bbox=box)]))[0]) == 1
    small = Boxes.of([[0.25, 0.25, 0.75, 0.5]], [1], CLASSES, SIZE)
    assert by_coco(small).xyxy.tolist() == small.xyxy.tolist()


def test_classes_are_the_categories_in_the_order_of_their_ids() -> None:
    assert parse_coco(coco(), "a.json").categories == {"person": 3, "cat": 18}
    boxes, remarks = read_coco(coco())
    assert (boxes.names, boxes.xyxy.tolist(), boxes.areas.tolist(), remarks) == (
        ("cat",),
        [[1, 2, 10, 20]],
        [50.5],
        (),
    )


def test_an_image_without_annotations_is_an_answer() -> None:
    boxes, remarks = read_coco(coco(annotations=[]))
    assert (len(boxes), boxes.classes, remarks) == (0, ("person", "cat"), ())


def test_crowds_and_ignored_objects_are_marked() -> None:
    marks = [{}, {"iscrowd": 1}, {"ignore": 1}]
    boxes, _ = read_coco(
        coco(
            annotations=[
                annotation(id=i, bbox=[i, 2, 9, 18], **mark) for i, mark in enumerate(marks)
            ]
        )
    )
    assert boxes.crowd.tolist() == [False, True, False]
    assert boxes.difficult.tolist() == [False, False, True]
    assert boxes.counted.tolist() == [True, False, False]


def test_ids_that_are_text_are_the_numbers_they_show() -> None:
    content = coco(
        images=[{"id": "7", "file_name": "a.jpg"}], annotations=[annotation(category_id=18.0)]
    )
    assert parse_coco(content, "a.json").images[0].id == 7
    assert read_coco(content)[0].names == ("cat",)


def test_boxes_without_a_side_are_passed_over_aloud() -> None:
    flat = [annotation(id=2, bbox=[5, 5, 0, 9]), annotation(id=3, bbox=[5, 5, 3, 0])]
    boxes, remarks = read_coco(coco(annotations=[annotation(), *flat]))
    assert (len(boxes), remarks) == (1, (EMPTY, EMPTY))


def test_where_no_area_is_given_it_is_the_box() -> None:
    entry = annotation()
    del entry["area"], entry["id"], entry["iscrowd"]
    assert read_coco(coco(annotations=[entry]))[0].areas.tolist() == [162]


IMAGE = {"id": 7, "file_name": "a.jpg"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be JSON; 'a.json' is not"),
        (b"\x80", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b"[]", "object of lists: images, annotations, categories; 'a.json' is a list. Write"),
        (b'[{"image_id": 1, "score": 1}]', "'a.json' is a list of results, which are scored"),
        (b'{"a": 1}', "has no list images and no list annotations .* at its top is 'a'. Write"),
        (b"3", "'a.json' is neither object nor list"),
        (coco(annotations=None), "object of lists"),
        (coco(categories=[]), "annotation 1 of 'a.json' has 18"),
        (coco(categories=[], annotations=[]), "needs at least one category"),
        (coco(images=[IMAGE, IMAGE]), "every image needs an id of its own; 'a.json' has 7 twice"),
        (coco(images=[IMAGE, {(
            "id"
        ): "7", "file_name": "b.jpg"}]), "every image needs an id of its own"),
        (coco(annotations=[annotation(), annotation()]), (
            "every annotation needs an id of its own; 'a.json' has 1 twice"
        )),
        (coco(categories=[{(
            "id"
        ): 18, "name": "a"}, {"id": 18, "name": "b"}]), "every category needs an id of its own"),
        (coco(categories=[{(
            "id"
        ): 18, "name": "a"}, {"id": 19, "name": "a"}]), "every category's name needs .*'a' twice"),
        (coco(annotations=[annotation(image_id=8)]), (
            "every image_id must be that of an entry; annotation 1 of 'a.json' has 8"
        )),
        (coco(annotations=[annotation(category_id=8)]), (
            "every category_id must be that of an entry; .* has 8"
        )),
        (coco(annotations=[annotation(category_id=None)]), (
            "an id must be a whole number or text; got None"
        )),
        (coco(annotations=[annotation(image_id=float(
            "inf"
        ))]), "an id must be a whole number or text; got inf"),
        (coco(annotations=[annotation(image_id=True)]), (
            "an id must be a whole number or text; got True"
        )),
        (coco(images=[{"id": 7}]), "KeyError: 'file_name'"),
        (coco(images=["a.jpg"]), "lacks or misstates what COCO asks for"),
        (coco(annotations=[annotation(bbox=None)]), (
            r"a bbox must be four numbers .* annotation 1 of 'a.json' has None"
        )),
        (coco(annotations=[annotation(bbox=[1, 2, 3])]), "a bbox must be four numbers"),
        (coco(annotations=[annotation(bbox=[1, 2, 3, 10**400])]), "a bbox must be four numbers"),
        (coco(annotations=[annotation(bbox=[1, 2, 3, float(
            "nan"
        )])]), "four finite numbers; annotation 1 of 'a.json'"),
        (coco(annotations=[annotation(area=float("nan"))]), "an area must be a finite number"),
        (coco(annotations=[annotation(area=(
            "big"
        ))]), "a bbox must be four numbers .* and an area one"),
        (coco(annotations=[annotation(bbox=[10, 2, -9, 18])]), (
            "left of its right one.*; annotation 1 of 'a.json' has 10, 2, 1, 20"
        )),
        (coco(annotations=[annotation(bbox=[10, 2, 200, 18])]), "must lie in its image"),
    ],
)  # fmt: skip
def test_a_wrong_coco_file_is_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_coco(content)


def test_a_coco_file_numbers_from_one_unless_told() -> None:
    boxes = Boxes.of([[1, 2, 3, 4]], [2], CLASSES, SIZE)
    document = coco_document([("a.jpg", boxes), ("b.jpg", boxes)], CLASSES)
    assert [entry["id"] for entry in document["annotations"]] == [1, 2]
    assert [entry["id"] for entry in document["images"]] == [1, 2]
    assert {entry["category_id"] for entry in document["annotations"]} == {3}
    given = coco_document(
        [("a.jpg", boxes)], CLASSES, ids={"person": 1, "cat": 17, "traffic light": 10}
    )
    assert [entry["category_id"] for entry in given["annotations"]] == [10]


# === YOLO ===


def test_a_line_is_centre_and_sides_as_shares_of_the_image() -> None:
    boxes, remarks = parse_yolo("1 0.5 0.25 0.2 0.5\n\n2 0.5 0.5 1 1\n", CLASSES, SIZE, "a.txt")
    assert (boxes.names, remarks) == (("cat", "traffic light"), ())
    assert boxes.xyxy.tolist() == [[40, 0, 60, 24], [0, 0, 100, 48]]


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_text_without_lines_is_an_answer(text: str) -> None:
    boxes, remarks = parse_yolo(text, CLASSES, SIZE, "a.txt")
    assert (len(boxes), boxes.classes, remarks) == (0, CLASSES, ())


def test_an_outline_becomes_its_box_aloud() -> None:
    boxes, remarks = parse_yolo("0 0.1 0.5 0.3 0.25 0.2 0.75", CLASSES, SIZE, "a.txt")
    assert (boxes.xyxy.tolist(), remarks) == ([[10, 12, 30, 36]], (OUTLINES,))


def test_a_score_at_the_end_plays_no_part() -> None:
    assert parse_yolo("1 .5 .5 .5 .5 0.3", CLASSES, SIZE, "a.txt")[0].scores.tolist() == [1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 .5 .5 .5", "a line must be numbers: .* line 2 of 'a.txt' is '1 .5 .5 .5'"),
        ("1", "a line must be numbers"),
        ("1 .5 .5 .5 .5 .5 .5 .5", "a line must be numbers"),
        ("cat .5 .5 .5 .5", "a line must be numbers"),
        ("1 .5 .5 .5 nan", "a line must be numbers"),
        ("1,.5,.5,.5,.5", "a line must be numbers"),
        ("3 .5 .5 .5 .5", "a class must be a whole number from 0 to 2, .* line 2 of 'a.txt' has 3"),
        ("-1 .5 .5 .5 .5", "has -1"),
        ("0.5 .5 .5 .5 .5", "has 0.5"),
        ("1 .5 .5 0 .5", "left of its right one.* line 2 of 'a.txt'"),
        ("1 .5 .5 -.1 .5", "left of its right one"),
        ("1 50 30 20 10", "must lie in its image"),  # pixels
    ],
)
def test_a_wrong_line_is_named(line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_yolo(f"1 .5 .5 .5 .5\n{line}\n", CLASSES, SIZE, "a.txt")


def test_the_yaml_says_places_and_names() -> None:
    text = (
        "path: ../set\ntrain: images/train\nval: [a.txt, b]\ntest:\nnc: 2\nnames: [person, cat]\n"
    )
    content = parse_yaml(text, "data.yaml")
    assert (content.path, content.classes) == ("../set", ("person", "cat"))
    assert content.splits == {"train": ("images/train",), "val": ("a.txt", "b")}


def test_names_may_be_numbered_in_any_order_and_be_of_any_kind() -> None:
    assert parse_yaml("names: {1: cat, 0: person}", "x").classes == ("person", "cat")
    assert parse_yaml("names: [7, yes please, ünï]", "x").classes == ("7", "yes please", "ünï")


@pytest.mark.parametrize("names", [CLASSES, ("no", "7", "a: b", "ünï", "~")])
def test_a_written_yaml_comes_back(names: tuple[str, ...]) -> None:
    content = parse_yaml(yolo_yaml(names, ("train", "val")), "data.yaml")
    assert (content.classes, list(content.splits)) == (names, ["train", "val"])
    assert yaml.safe_load(yolo_yaml(names, ("val",)))["val"] == "images/val"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists the classes as `names`; 'data.yaml' does not"),
        ("names:", "lists the classes as `names`"),
        ("names: cat", "lists the classes as `names`"),
        ("names: []", "at least one class"),
        ("names: [cat, cat]", "each once; 'data.yaml' has cat, cat"),
        ("names: {1: cat}", "numbers of `names` must be 0, 1, 2 …; 'data.yaml' has 1"),
        ("names: {a: cat}", "numbers of `names` must be 0, 1, 2"),
        ("names: [a]\nnc: 2", "`nc` must be the number of `names`, 1; 'data.yaml' has 2"),
        ("names: [a]\ntrain: {b: c}", "`train` must be a folder"),
        ("names: [a]\ntrain: [[b]]", "`train` must be a folder"),
        ("names: [a]\npath: [b]", "`path` must be a word"),
        ("names: [a]\nnc: nine", "`nc` must be the number of `names`, 1; 'data.yaml' has nine"),
        ("names: [a, [b]]", "a name must be a word"),
        ("names:\n- cat\n- \n", "that of class 1 is empty"),
        ("names: ['', cat]", "that of class 0 is empty"),
        ("names: {0: cat, 1:}", "that of class 1 is empty"),
        ("names: {0: cat, 0: dog}", "keys are words, each once; '0' is not"),
        ('names: {0: cat, "0": dog}', "keys are words, each once"),
        ("names: [a]\nnames: [b]", "keys are words, each once; 'names'"),
        ("names: {00: cat}", "numbers of `names` must be 0, 1, 2"),
        ("names: {0x0: cat}", "numbers of `names` must be 0, 1, 2"),
        ("names: [a", "must be YAML"),
        ("names: !!python/object/apply:os.system ['true']", "must be YAML"),
        ("- " * 5000, "must be YAML"),
        ("names: !!set {a, b}", "must be YAML"),
    ],
)
def test_a_wrong_yaml_is_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_yaml(text, "data.yaml")


# === files ===


def test_no_more_is_read_than_is_sensible(tmp_path) -> None:
    file = tmp_path / "a.xml"
    file.write_bytes(b"x" * 10)
    assert read_annotation(file, most=10) == b"x" * 10
    with pytest.raises(DataError, match=r"at most 9 bytes; .*a\.xml' has more"):
        read_annotation(file, most=9)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
def test_a_named_pipe_does_not_block(tmp_path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(DataError, match="must be a regular file"):
        read_annotation(tmp_path / "a.txt")


def test_a_missing_file_and_a_folder_are_named(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="an annotation must be"):
            read_annotation(path)


def test_text_is_utf8_with_or_without_its_mark(tmp_path) -> None:
    (tmp_path / "a").write_bytes("ünï".encode("utf-8-sig"))
    (tmp_path / "b").write_bytes("ünï".encode("latin-1"))
    assert read_text(tmp_path / "a") == read_utf8(tmp_path / "a") == "ünï"
    with pytest.raises(DataError, match="must be text in UTF-8"):
        read_utf8(tmp_path / "b")
    with hearing() as heard:
        assert read_text(tmp_path / "b") == "ünï"
    assert [*heard.items()] == [(str(tmp_path / "b"), "ünï")]
