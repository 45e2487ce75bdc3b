"""Files as labelling tools write them, by hand: shapes of every kind, and what is refused."""

import base64
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Instances, Labels
from cvtasks.data import open_source, splits_of
from cvtasks.errors import DataError
from cvtasks.formats.brush import brushed
from cvtasks.formats.createml import parse_createml
from cvtasks.formats.cvat import parse_cvat
from cvtasks.formats.kitti import parse_kitti
from cvtasks.formats.label_studio import SEVERAL, parse_label_studio
from cvtasks.formats.labelme import parse_labelme
from cvtasks.formats.shapes import ImageShapes, corners_of
from cvtasks.formats.supervisely import VALUED, parse_supervisely
from cvtasks.formats.via import parse_via
from cvtasks.geometry.rle import decode_rle
from tests.data.formats.layouts import IMAGES, pictures, write


def edges(image: ImageShapes) -> list[list[float]]:
    return [[round(edge, 3) for edge in shape.edges] for shape in image.shapes]


# === CVAT ===

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels>
  <label><name>car</name><color>#fff</color><attributes/></label>
  <label><name>road</name></label>
</labels></task></meta>
<image id="0" name="a.png" subset="Train" width="64" height="48">
  <box label="car" source="manual" occluded="0" xtl="1.5" ytl="2" xbr="9" ybr="8" z_order="0">
    <attribute name="parked">true</attribute></box>
  <box label="car" xtl="10" ytl="20" xbr="30" ybr="24" rotation="90.0"/>
  <polygon label="road" points="1,1;5,1;5,9" z_order="0"/>
  <ellipse label="car" cx="20" cy="20" rx="8" ry="4" rotation="90"/>
  <mask label="road" rle="1, 2, 1, 2" left="3" top="4" width="3" height="2" z_order="0"/>
  <polyline label="road" points="1,1;5,5"/>
  <tag label="sunny"/>
</image>
<image id="1" name="empty.png" subset="Validation" width="32" height="32"/>
</annotations>"""


def test_cvat() -> None:
    found = parse_cvat(CVAT.encode(), "annotations.xml")
    first, second = found.images
    assert found.classes == ("car", "road")
    assert (first.split, first.size, first.tags) == ("Train", (48, 64), ("sunny",))
    assert edges(first) == [
        [1.5, 2, 9, 8],
        [10, 20, 30, 24],  # before its turn
        [1, 1, 5, 9],
        [16, 12, 24, 28],
        [3, 4, 6, 6],
    ]
    corners = np.array(corners_of(first.shapes[1]))
    assert corners.min(axis=0).round(6).tolist() == [18, 12]
    painted = first.shapes[4].painted
    assert painted is not None
    assert decode_rle(painted.rle).astype(int).tolist() == [[0, 1, 1], [0, 1, 1]]
    assert [fault.rule for fault in first.faults] == ["shape unknown"]
    assert (second.split, second.shapes) == ("Validation", ())


def test_subsets_of_cvat_are_splits(tmp_path: Path) -> None:
    pictures(tmp_path / "images", IMAGES)
    write(tmp_path / "annotations.xml", CVAT)
    assert splits_of(str(tmp_path), Boxes) == ("Train", "Validation")
    faults: list[Exception] = []
    train = open_source(str(tmp_path), "train", Boxes, faults.append)
    assert train.truth(0).xyxy.tolist()[1] == [18, 12, 22, 32]  # the upright box around it
    val = open_source(str(tmp_path), "val", Boxes)
    assert (val.name(0), len(val.truth(0))) == ("empty", 0)


def test_tracks_of_a_video_are_refused() -> None:
    with pytest.raises(DataError, match="tracks of a video"):
        parse_cvat(b'<annotations><track id="0" label="car"/></annotations>', "a.xml")


# === LabelMe ===


def test_labelme() -> None:
    mask = cv2.imencode(".png", np.array([[0, 255], [255, 255]], np.uint8))[1].tobytes()
    shape = {"group_id": None, "flags": {}}
    kinds = [
        ("rectangle", [[9, 8], [1.5, 2]], {}),  # drawn from the right bottom
        ("polygon", [[1, 1], [5, 1], [5, 9]], {}),
        ("circle", [[20, 20], [23, 24]], {"difficult": True}),
        ("mask", [[3, 4], [4, 5]], {"mask": base64.b64encode(mask).decode()}),
        ("line", [[1, 1], [5, 5]], {}),
        ("rectangle", [[1, 1]], {}),
    ]
    document = {
        "version": "5.5.0",
        "flags": {"sunny": True, "rain": False},
        "shapes": [
            {"label": "car", "points": points, "shape_type": kind, **shape, **more}
            for kind, points, more in kinds
        ],
        "imagePath": "..\\images\\a.png",
        "imageData": base64.b64encode(b"not looked at").decode(),
        "imageHeight": 48,
        "imageWidth": 64,
    }
    found = parse_labelme(json.dumps(document).encode(), "a.json")
    assert edges(found) == [[1.5, 2, 9, 8], [1, 1, 5, 9], [15, 15, 25, 25], [3, 4, 5, 6]]
    assert [shape.difficult for shape in found.shapes] == [False, False, True, False]
    assert (found.size, found.tags) == ((48, 64), ("sunny",))
    assert [fault.rule for fault in found.faults] == ["shape unknown", "shape"]


# === Supervisely ===


def bitmap(pixels: list[list[int]], alpha: bool = False) -> dict[str, object]:
    """As the program packs it: a PNG of 0 and 1, or one whose alpha alone tells."""
    shown = np.array(pixels, np.uint8) * 255
    stored = np.dstack([np.full_like(shown, 7)] * 3 + [shown]) if alpha else shown
    content = zlib.compress(cv2.imencode(".png", stored)[1].tobytes())
    return {"data": base64.b64encode(content).decode(), "origin": [3, 4]}


def supervisely(*objects: dict[str, object], tags: list[dict] | None = None) -> dict:
    shown = [{"classTitle": "car", "tags": [], **one} for one in objects]
    return {
        "description": "",
        "tags": tags or [],
        "size": {"height": 48, "width": 64},
        "objects": shown,
    }


def points(*exterior: list[float], holes: tuple = ()) -> dict[str, object]:
    return {"exterior": exterior, "interior": [*holes]}


def test_supervisely() -> None:
    ring = [[10, 10], [19, 10], [19, 19], [10, 19]]
    hole = [[13, 13], [16, 13], [16, 16], [13, 16]]
    document = supervisely(
        {"geometryType": "rectangle", "points": points([9, 8], [1, 2]), "instance": "i7"},
        {"geometryType": "rectangle", "points": points([1.5, 2], [9, 8])},
        {"geometryType": "polygon", "points": points(*ring)},
        {"geometryType": "polygon", "points": points(*ring, holes=(hole,))},
        {"geometryType": "bitmap", "bitmap": bitmap([[0, 1], [1, 1]])},
        {"geometryType": "alpha_mask", "alpha_mask": bitmap([[0, 1], [1, 1]], alpha=True)},
        {"geometryType": "polyline", "points": points([1, 1], [5, 5])},
        {"geometryType": "rectangle", "points": points([1, 1])},
        {"geometryType": "bitmap", "bitmap": {"data": "eJw=", "origin": [0, 0]}},
        tags=[{"name": "sunny", "value": None}, {"name": "time", "value": "noon"}],
    )
    found = parse_supervisely(json.dumps(document).encode(), "a.png.json", "a.png")
    assert edges(found) == [
        [1, 2, 10, 9],
        [1.5, 2, 9, 8],
        [10, 10, 20, 20],
        [10, 10, 20, 20],
        [3, 4, 5, 6],
        [3, 4, 5, 6],
    ]
    assert [shape.group for shape in found.shapes][:2] == ["i7", ""]
    for shape in found.shapes[4:]:
        assert shape.painted and decode_rle(shape.painted.rle).tolist() == [[0, 1], [1, 1]]
    holed = found.shapes[3].painted
    assert holed is not None
    assert decode_rle(holed.rle).sum() == 10 * 10 - 4 * 4  # both outlines belong to their inside
    assert (found.image, found.size, found.tags) == ("a.png", (48, 64), ("sunny",))
    assert found.remarks == (VALUED,)
    assert [fault.rule for fault in found.faults] == ["shape unknown", "shape", "shape"]


def test_parts_of_one_instance_of_supervisely_are_one_object(tmp_path: Path) -> None:
    pictures(tmp_path / "img", {"a.png": IMAGES["a.png"]})
    part = {"geometryType": "bitmap", "instance": "i7"}
    places = [{**bitmap([[0, 1], [1, 1]]), "origin": [x, 4]} for x in (3, 30)]
    document = supervisely(*({**part, "bitmap": place} for place in places))
    write(tmp_path / "ann" / "a.png.json", json.dumps(document))
    truth = open_source(str(tmp_path), "", Instances).truth(0)
    assert len(truth) == 1 and truth.xyxy.tolist() == [[3, 4, 32, 6]]
    assert truth.plane(0).sum() == 6


@pytest.mark.parametrize("names", [("train", "val"), ("monday", "tuesday")])
def test_datasets_of_supervisely_are_splits_where_they_are_called_so(
    names: tuple[str, str], tmp_path: Path
) -> None:
    whole = {"geometryType": "rectangle", "points": points([0, 0], [63, 47])}
    for name in names:
        pictures(tmp_path / name / "img", {"a.png": IMAGES["a.png"], "b.png": IMAGES["a.png"]})
        write(tmp_path / name / "ann" / "a.png.json", json.dumps(supervisely(whole)))
    splits = splits_of(str(tmp_path), Boxes)
    assert splits == (names if names[0] == "train" else ("",))
    source = open_source(str(tmp_path), splits[0], Boxes)
    assert source.classes == ("car",) and len(source) == (2 if len(splits) > 1 else 4)
    assert source.truth(0).xyxy.tolist() == [[0, 0, 64, 48]] and not len(source.truth(1))


# === Label Studio ===


def result(kind: str, value: dict, **more: object) -> dict:
    sides = {"original_width": 200, "original_height": 100, "image_rotation": 0}
    return (
        {"id": "x1", "type": kind, "from_name": "l", "to_name": "i", "value": value} | sides | more
    )


def packed(opacity: np.ndarray) -> list[int]:
    """The stream of one run a pixel: its bits by the description in `cvtasks.formats.brush`."""
    values = np.zeros((*opacity.shape, 4), np.uint8)
    values[..., 3] = opacity * 255
    bits = f"{values.size:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    for value in values.ravel().tolist():
        bits += f"1{0:02b}{0:03b}{value:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def test_label_studio() -> None:
    box = {"x": 10, "y": 20, "width": 5, "height": 30, "rotation": 90}
    polygon, ellipse = [[1, 1], [5, 1], [5, 9]], {"x": 50, "y": 50, "radiusX": 4, "radiusY": 4}
    task = {
        "id": 7,
        "annotations": [
            {"id": 1, "was_cancelled": True, "result": []},
            {
                "id": 2,
                "updated_at": "2026-01-02",
                "result": [
                    result("rectanglelabels", {**box, "rectanglelabels": ["car"]}),
                    result("polygonlabels", {"points": polygon, "polygonlabels": ["road"]}),
                    result("ellipselabels", {**ellipse, "ellipselabels": ["car"]}),
                    result("choices", {"choices": ["sunny"]}),
                    result("keypointlabels", {"x": 1, "y": 1, "keypointlabels": ["car"]}),
                ],
            },
            {"id": 3, "updated_at": "2026-01-01", "result": []},
        ],
        "data": {"image": "/data/upload/1/0123abcd-a.png"},
    }
    (found,) = parse_label_studio(json.dumps([task]).encode(), "p.json").images
    # turned by 90 degrees clockwise about (20, 20), 10 wide and 30 high: it lies to the left
    corners = np.array(corners_of(found.shapes[0])).round(4)
    assert [*corners.min(axis=0), *corners.max(axis=0)] == [-10, 20, 20, 30]
    assert edges(found)[1:] == [[2, 1, 10, 9], [92, 46, 108, 54]]
    assert found.tags == ("sunny",) and found.remarks == (SEVERAL,)
    assert [fault.rule for fault in found.faults] == ["shape unknown"]


def test_a_brush_of_label_studio_is_unpacked() -> None:
    mask = np.random.default_rng(0).random((7, 11)) > 0.5
    np.testing.assert_array_equal(brushed(packed(mask), mask.shape), mask)
    with pytest.raises(ValueError, match="early"):
        brushed(packed(mask)[:-4], mask.shape)
    with pytest.raises(ValueError, match="values"):
        brushed(packed(mask), (7, 12))


# === VIA ===


def via(*attributes: dict) -> bytes:
    rect = {"name": "rect", "x": 1, "y": 2, "width": 8, "height": 6}
    regions = [{"shape_attributes": rect, "region_attributes": one} for one in attributes]
    entry = {"filename": "a.png", "size": 1, "regions": regions, "file_attributes": {}}
    return json.dumps({"a.png1": entry}).encode()


def test_via_asks_which_attribute_is_the_class() -> None:
    content = via({"species": "cat", "age": "old"}, {"species": "dog", "age": "young"})
    with pytest.raises(DataError, match=r"species \(2\), age \(2\).*via:species"):
        parse_via(content, "v.json")
    (found,) = parse_via(content, "v.json", "age").images
    assert [shape.name for shape in found.shapes] == ["old", "young"]
    (found,) = parse_via(via({"kind": {"cat": True, "dog": False}}, {"kind": ""}), "v").images
    assert [shape.name for shape in found.shapes] == ["cat"]
    assert edges(found) == [[1, 2, 9, 8]] and len(found.faults) == 1


def test_the_attribute_is_named_behind_the_format(tmp_path: Path) -> None:
    pictures(tmp_path, {"a.png": IMAGES["a.png"]})
    write(tmp_path / "via.json", via({"species": "cat", "age": "old"}).decode())
    source = open_source(str(tmp_path), "", Boxes, format="via:species")
    assert source.truth(0).names == ("cat",)


# === others ===


def test_createml_of_either_spelling() -> None:
    box = {"label": "cat", "coordinates": {"x": 5, "y": 6, "width": 8, "height": 4}}
    for image, objects in (("image", "annotations"), ("imagefilename", "annotation")):
        (found,) = parse_createml(
            json.dumps([{image: "a.png", objects: [box]}]).encode(), "c"
        ).images
        assert (found.image, edges(found)) == ("a.png", [[1, 4, 9, 8]])


@pytest.mark.parametrize(
    ("file", "text", "classes"),
    [
        ("classes.txt", "cat\ndog\n", ("cat", "dog")),
        ("names.txt", "cat\ndog\nhorse\n", ("cat", "dog", "horse")),
        ("titles.json", json.dumps({"0": "cat", "1": "dog"}), ("cat", "dog")),
        ("notes.txt", "none\n", ("0", "1")),
    ],
)
def test_numbers_of_objects_are_named_by_a_file(
    file: str, text: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    pictures(tmp_path, {"a.png": IMAGES["a.png"], "ü.png": IMAGES["ü.png"]})
    write(tmp_path / file, text)
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    write(tmp_path / "boxes.csv", f"{header}\na.png,64,48,1,1,2,9,8\nü.png,77,33,0,1,2,9,8\n")
    source = open_source(str(tmp_path), "", Boxes)
    assert source.classes == classes
    assert [source.truth(index).names for index in range(2)] == [(classes[1],), (classes[0],)]
    if classes == ("0", "1"):
        assert "the numbers are the names" in source.taken_for
    shown = open_source(str(tmp_path), "", Labels)
    assert [shown.truth(index).names for index in range(2)] == [(classes[1],), (classes[0],)]


def test_metadata_of_imagefolder_in_either_shape(tmp_path: Path) -> None:
    """Lists side by side, an entry an object, numbers, and what is none; split folders too."""
    whole = {name: IMAGES[name] for name in ("a.png", "ü.png", "empty.png")}
    pictures(tmp_path / "train", whole)
    lines = [
        {"file_name": "a.png", "objects": {"bbox": [[1, 2, 8, 6], [0, 0, 4]], "category": [1, 0]}},
        {"file_name": "ü.png", "objects": [{"bbox": [3, 2, 6, 6], "label": 0, "id": 7}]},
        {"file_name": "empty.png", "objects": {"bbox": [], "category": []}},
    ]
    write(tmp_path / "train" / "metadata.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n")
    write(tmp_path / "classes.txt", "cat\ndog\n")
    source = open_source(str(tmp_path), "train", Boxes, lambda fault: None)
    assert source.classes == ("cat", "dog")
    found = {source.name(index): source.truth(index) for index in range(len(source))}
    assert {name: (one.names, one.xyxy.tolist()) for name, one in found.items()} == {
        "a": (("dog",), [[1, 2, 9, 8]]),
        "ü": (("cat",), [[3, 2, 9, 8]]),
        "empty": ((), []),
    }
    with pytest.raises(DataError, match=r"object 2 of 'a.png', line 1 of .*metadata.jsonl"):
        open_source(str(tmp_path), "train", Boxes).truth(0)


def test_labels_of_metadata_jsonl_are_those_of_images(tmp_path: Path) -> None:
    pictures(tmp_path, {name: IMAGES[name] for name in ("a.png", "ü.png")})
    lines = [{"file_name": "a.png", "label": "dog"}, {"file_name": "ü.png", "label": "cat"}]
    write(tmp_path / "metadata.jsonl", "\n".join(map(json.dumps, lines)))
    source = open_source(str(tmp_path), "", Labels)
    assert [source.truth(index).names for index in range(2)] == [("dog",), ("cat",)]
    write(tmp_path / "metadata.jsonl", json.dumps({"file_name": "a.png", "text": "a dog"}))
    with pytest.raises(DataError):
        open_source(str(tmp_path), "", Labels)


def test_dont_care_of_kitti_is_a_crowd_of_every_class(tmp_path: Path) -> None:
    pictures(tmp_path / "image_2", {"a.png": IMAGES["a.png"]})
    lines = [
        "Car 0.00 0 -1.57 1.00 2.00 9.00 8.00 1 1 1 0 0 9 0",
        "Van 0.00 0 -1.57 3.00 2.00 9.00 8.00 1 1 1 0 0 9 0 0.9",
        "DontCare -1 -1 -10 10.00 20.00 30.00 40.00 -1 -1 -1 -1000 -1000 -1000 -10",
    ]
    write(tmp_path / "label_2" / "a.txt", "\n".join(lines))
    truth = open_source(str(tmp_path), "", Boxes).truth(0)
    assert truth.names == ("Car", "Van", "Car", "Van")
    assert truth.crowd.tolist() == [False, False, True, True]
    assert len(parse_kitti("Car 0 0 0 1 2 3", "a").faults) == 1


def test_a_group_of_open_images_is_a_crowd(tmp_path: Path) -> None:
    pictures(tmp_path / "train", {"a.png": IMAGES["a.png"]})
    write(
        tmp_path / "train-annotations-bbox.csv",
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\n"
        "a,x,/m/01,1,0.25,0.5,0.0,1.0,1\na,x,/m/02,1,0,0.5,0,0.5,-1\n",
    )
    write(tmp_path / "class-descriptions.csv", "/m/01,Cat\n")
    truth = open_source(str(tmp_path), "train", Boxes).truth(0)
    assert truth.classes == ("/m/02", "Cat") and truth.crowd.tolist() == [True, False]
    assert truth.xyxy.tolist() == [[16, 0, 32, 48], [0, 0, 32, 24]]


def test_coco_in_the_folder_of_each_split(tmp_path: Path) -> None:
    """Roboflow's: its category 0 names the project."""
    for split in ("train", "valid"):
        pictures(tmp_path / split, {"a.png": IMAGES["a.png"]})
        document = {
            "info": {},
            "categories": [
                {"id": 0, "name": "beasts", "supercategory": "none"},
                {"id": 1, "name": "cat", "supercategory": "beasts"},
            ],
            "images": [{"id": 0, "file_name": "a.png", "height": 48, "width": 64}],
            "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 2, 8, 6]}],
        }
        write(tmp_path / split / "_annotations.coco.json", json.dumps(document))
    assert splits_of(str(tmp_path), Boxes) == ("train", "valid")
    source = open_source(str(tmp_path), "val", Boxes)
    assert (source.classes, source.truth(0).xyxy.tolist()) == (("cat",), [[1, 2, 9, 8]])
