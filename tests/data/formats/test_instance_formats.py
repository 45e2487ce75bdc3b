"""Masks of objects: each layout is recognised and read, every format that writes them gives them
back, and what has none is refused with the way out.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Instances
from cvtasks.data import Source, open_source, splits_of
from cvtasks.data.writing.convert import convert, writers_of
from cvtasks.drawing.colours import voc_palette
from cvtasks.errors import DataError, UsageError
from cvtasks.formats.coco import coco_document
from cvtasks.formats.object_masks import APART, SAME, TINY
from cvtasks.geometry.rle import encode_rle, rle_iou

CLASSES = ("zebra", "cat")
SIZE = (48, 64)
WRITTEN = writers_of(Instances)
EXACT = ("coco", "coco-polygons", "voc", "yolo")  # pixel by pixel; outlines are a pixel beside


def plane(*rectangles: tuple[int, int, int, int]) -> np.ndarray:
    """What rectangles (left, top, right, bottom) cover, an even number of times not at all."""
    made = np.zeros(SIZE, bool)
    for left, top, right, bottom in rectangles:
        made[top:bottom, left:right] ^= True
    return made


def disc(x: int, y: int, radius: int) -> np.ndarray:
    down, across = np.mgrid[: SIZE[0], : SIZE[1]]
    return (across - x) ** 2 + (down - y) ** 2 < radius**2


RING = plane((2, 2, 20, 20), (6, 6, 12, 14))
TWO_PARTS = plane((24, 2, 34, 12), (26, 16, 36, 22))
TRUTHS = {
    "b": Instances.of([RING, TWO_PARTS, disc(45, 30, 12)], [1, 0, 1], CLASSES, SIZE),
    "a": Instances.of([], [], CLASSES, SIZE),
    "c": Instances.of([disc(20, 20, 9), plane((40, 5, 60, 40))], [1, 0], CLASSES, SIZE),
}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def image(root: Path, name: str, number: int = 0) -> None:
    save(root / f"{name}.png", np.full((*SIZE, 3), number, np.uint8))


def lay(root: Path, truths: dict[str, Instances], split: str = "train") -> Source:
    """A COCO data set."""
    for number, name in enumerate(truths):
        image(root / "images", name, number)
    document = coco_document([(f"{name}.png", truth) for name, truth in truths.items()], CLASSES)
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"{split}.json").write_text(json.dumps(document))
    return opened(root, split)


def opened(root: Path, split: str = "") -> Source:
    source = open_source(str(root), split, Instances)
    assert list(source.problems()) == []
    assert source.kind is Instances
    return source


def same(source: Source, truths: dict[str, Instances], least: float = 1.0) -> None:
    """The source holds these masks, each of its class, to an IoU."""
    assert {source.name(index) for index in range(len(source))} == set(truths)
    for index in range(len(source)):
        truth, wanted = source.truth(index), truths[source.name(index)]
        assert isinstance(truth, Instances)
        assert sorted(truth.names) == sorted(wanted.names)
        overlap = rle_iou(list(truth.masks), list(wanted.masks), wanted.size)
        assert (overlap.max(axis=1, initial=0) >= least).all()
        for row, name in zip(overlap, truth.names, strict=True):
            assert wanted.names[row.argmax()] == name


# === every format into every other ===


@pytest.mark.parametrize("there", WRITTEN)
@pytest.mark.parametrize("back", WRITTEN)
def test_every_format_becomes_every_other(tmp_path: Path, there: str, back: str) -> None:
    one_class = "masks" in (there, back)
    classes = ("cat",) if one_class else CLASSES
    truths = {
        name: truth.with_classes(classes) if one_class else truth for name, truth in TRUTHS.items()
    }
    first = lay(tmp_path / "first", TRUTHS)
    if one_class:
        from cvtasks.data.views import Remapped

        first = Remapped(first, classes, "background")
    said = convert(first, there, tmp_path / "second", "val")
    said += convert(opened(tmp_path / "second", "val"), back, tmp_path / "third", "test")
    third = opened(tmp_path / "third", "test")
    least = 1.0 if {there, back} <= {*EXACT, "masks"} else 0.85
    same(third, truths, least)
    assert third.classes == classes
    assert all("may lie a pixel beside" in one for one in said)
    assert bool(said) == (least < 1)


def test_what_a_format_cannot_say_is_said(tmp_path: Path) -> None:
    marked = Instances.of(
        [RING, disc(45, 30, 12), disc(40, 30, 12)],
        [0, 0, 0],
        CLASSES,
        SIZE,
        difficult=[1, 0, 0],
        crowd=[0, 0, 1],
    )
    first = lay(tmp_path / "first", {"a": marked})
    left_out = "knows neither difficult objects nor crowds, these were left out: 2"
    said = {to: convert(first, to, tmp_path / to, "train") for to in WRITTEN if to != "masks"}
    assert said["coco"] == said["coco-polygons"] == []
    assert said["voc"] == [
        "Pascal VOC's masks give each pixel to one object; objects of which others lie above a "
        "part: 1",
        "Pascal VOC knows no crowds, these became difficult: 1",
    ]
    assert said["yolo"] == [f"YOLO {left_out}"]
    assert f"CVAT {left_out}" in said["cvat"]
    read = {to: opened(tmp_path / to, "train").truth(0) for to in said}
    assert (
        read["coco"].crowd.tolist() == read["coco-polygons"].crowd.tolist() == [False, False, True]
    )
    assert read["coco"].difficult.tolist() == [True, False, False]
    assert read["voc"].difficult.tolist() == [True, False, True]
    assert sorted(read["labelme"].difficult.tolist()) == [False, True, True]
    assert len(read["yolo"]) == len(read["cvat"]) == 1
    with pytest.raises(DataError, match="number the objects of one class; these data have zebra"):
        convert(first, "masks", tmp_path / "masks", "train")
    with pytest.raises(UsageError, match="'createml' cannot hold it"):
        convert(first, "createml", tmp_path / "createml", "train")


# === COCO ===


def test_polygons_run_lengths_and_crowds_of_coco(tmp_path: Path) -> None:
    image(tmp_path / "images", "a")
    polygon = [4, 4, 20, 4, 20, 14, 4, 14]
    runs = encode_rle(RING)
    lengths = {"size": [2, 2], "counts": [0, 4]}
    annotations = [
        {"id": 1, "category_id": 7, "bbox": [0, 0, 1, 1], "segmentation": [polygon], "area": 99},
        {"id": 2, "category_id": 3, "segmentation": runs, "iscrowd": 1},
        {"id": 3, "category_id": 3, "segmentation": [[30, 4, 40, 4, 40, 9], [50, 4, 60, 4, 55, 9]]},
        {"id": 4, "category_id": 3, "segmentation": [[30.1, 30.1, 30.2, 30.1, 30.2, 30.2]]},
        {"id": 5, "category_id": 3, "segmentation": runs, "iscrowd": 0},
    ]
    document = {
        "images": [{"id": 9, "file_name": "a.png", "height": 48, "width": 64}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "zebra"}],
        "annotations": [{"image_id": 9, **one} for one in annotations],
    }
    (tmp_path / "train.json").write_text(json.dumps(document))
    source = opened(tmp_path, "train")
    truth = source.truth(0)
    assert truth.names == ("cat", "zebra", "zebra")
    assert truth.xyxy[0].tolist() == [4, 4, 20, 14]  # of the mask, whatever the bbox says
    assert truth.areas[0] == 99
    assert (truth.plane(1) == RING).all()
    assert truth.crowd.tolist() == [False, False, False]  # of equal ones the one that counts
    assert np.ptp(truth.plane(2).any(axis=0).nonzero()[0]) > 20
    assert sorted(remark.split(":")[0] for remark in source.remarks()) == [APART, SAME, TINY]
    document["annotations"] += [
        {"image_id": 9, "id": 6, "category_id": 3, "bbox": [1, 1, 5, 5]},
        {"image_id": 9, "id": 7, "category_id": 3, "segmentation": [[1, 1, 9, 9]]},
        {"image_id": 9, "id": 8, "category_id": 3, "segmentation": lengths},
    ]
    (tmp_path / "train.json").write_text(json.dumps(document))
    faults = open_source(str(tmp_path), "train", Instances).faults(0)
    rules = [fault.rule for fault in faults]
    assert sorted(rules) == ["outline", "outline missing", "outline outside"]


def test_boxes_alone_teach_no_masks(tmp_path: Path) -> None:
    boxes = Boxes.of([[1, 2, 20, 30]], [0], CLASSES, SIZE)
    image(tmp_path / "coco" / "images", "a")
    (tmp_path / "coco" / "train.json").write_text(
        json.dumps(coco_document([("a.png", boxes)], CLASSES))
    )
    first = open_source(str(tmp_path / "coco"), "train", Boxes)
    for to in ("yolo", "labelme", "cvat", "label-studio"):
        convert(first, to, tmp_path / to, "train")
    for name in ("coco", "yolo", "labelme", "cvat", "label-studio"):
        with pytest.raises(DataError, match=r"have boxes alone\. Train a detector on them"):
            open_source(str(tmp_path / name), "train", Instances)
    convert(first, "voc", tmp_path / "voc", "train")
    with pytest.raises(DataError, match="It holds Pascal VOC detection, which are for detect"):
        open_source(str(tmp_path / "voc"), "train", Instances)


def test_coco_s_own_instances_are_read(cvtasks_data: Path) -> None:
    counts = {"coco_mini": (421, 3821, 40), "nuclei": (664, 28986, 0)}
    for name, wanted in counts.items():
        root = str(cvtasks_data / name)
        truths = [
            source.truth(index)
            for split in splits_of(root, Instances)
            for source in [open_source(root, split, Instances)]
            for index in range(len(source))
        ]
        crowds = sum(int(truth.crowd.sum()) for truth in truths)
        assert (len(truths), sum(map(len, truths)), crowds) == wanted


# === Pascal VOC ===


def voc(root: Path, *, xml: bool = True, indexed: bool = True) -> None:
    """Two objects with void edges; the second is difficult by its XML, and a third has no mask."""
    numbers, classes = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    for number, label, (x, y, radius) in ((1, 8, (15, 20, 12)), (4, 12, (45, 20, 12))):
        numbers[disc(x, y, radius)] = classes[disc(x, y, radius)] = 255
        numbers[disc(x, y, radius - 2)], classes[disc(x, y, radius - 2)] = number, label
    for folder, ids in (("SegmentationObject", numbers), ("SegmentationClass", classes)):
        (root / folder).mkdir(parents=True)
        if indexed:
            shown = Image.fromarray(ids, "P")
            shown.putpalette(voc_palette().tobytes())
            shown.save(root / folder / "a.png")
        else:
            save(root / folder / "a.png", voc_palette()[ids])
    image(root / "JPEGImages", "a")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    objects = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{left}</xmin>"
        f"<ymin>9</ymin><xmax>{left + 23}</xmax><ymax>32</ymax></bndbox></object>"
        for name, difficult, left in (("cat", 0, 4), ("dog", 1, 34), ("dog", 0, 1))
    )
    if xml:
        (root / "Annotations").mkdir()
        (root / "Annotations" / "a.xml").write_text(f"<annotation>{objects}</annotation>")


def test_pascal_voc_numbers_its_objects(tmp_path: Path) -> None:
    voc(tmp_path)
    source = opened(tmp_path, "train")
    truth = source.truth(0)
    assert source.classes[0] == "aeroplane"
    assert truth.names == ("cat", "dog")
    assert (truth.plane(0) == disc(15, 20, 10)).all()
    assert truth.difficult.tolist() == [False, True]
    assert "objects of the XML have no mask of their own, and were passed over: 1" in (
        source.remarks()
    )


def test_pascal_voc_without_xml_and_in_colours(tmp_path: Path) -> None:
    voc(tmp_path / "plain", xml=False)
    assert opened(tmp_path / "plain", "train").truth(0).difficult.tolist() == [False, False]
    voc(tmp_path / "cvat", xml=False, indexed=False)
    legend = "\n".join(
        f"{name}:{r},{g},{b}::"
        for name, r, g, b in (
            ("background", 0, 0, 0),
            ("cat", 64, 0, 0),
            ("dog", 64, 0, 128),
            ("void", 224, 224, 192),
        )
    )
    (tmp_path / "cvat" / "labelmap.txt").write_text(f"# label:color_rgb:parts:actions\n{legend}\n")
    source = opened(tmp_path / "cvat", "train")
    assert sorted(source.truth(0).names) == ["cat", "dog"]
    assert (source.truth(0).areas == disc(15, 20, 10).sum()).all()


def test_an_object_without_a_class_is_a_fault(tmp_path: Path) -> None:
    voc(tmp_path, xml=False)
    save(tmp_path / "SegmentationClass" / "a.png", np.zeros(SIZE, np.uint8))
    faults = open_source(str(tmp_path), "train", Instances).faults(0)
    assert [fault.rule for fault in faults] == ["class unknown"] * 2


# === YOLO ===


def yolo(root: Path, *texts: str, yaml: str = "") -> Callable[[], Source]:
    for number, text in enumerate(texts):
        image(root / "images" / "train", str(number), number)
        label = root / "labels" / "train" / f"{number}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(text)
    (root / "data.yaml").write_text(f"train: images/train\nnames: [cat, dog]\n{yaml}")
    return lambda: open_source(str(root), "train", Instances)


def test_outlines_of_yolo(tmp_path: Path) -> None:
    square = "0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5\n"
    source = yolo(tmp_path, f"{square}1 0.1 0.1 0.6 0.1 0.1 0.6\n", "")()
    truth = source.truth(0)
    assert truth.names == ("cat", "dog")
    assert (truth.plane(0) == plane((16, 12, 32, 24))).all()
    assert len(source.truth(1)) == 0
    mixed = yolo(tmp_path / "mixed", f"{square}0 0.5 0.5 0.1 0.1\n")()
    assert [fault.rule for fault in mixed.faults(0)] == ["outline missing"]
    with pytest.raises(DataError, match="have boxes alone"):
        yolo(tmp_path / "pose", square, yaml="kpt_shape: [2, 2]\n")()


SQUARE = "0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5"
TRIANGLE = "1 0.1 0.1 0.6 0.1 0.1 0.6"
BODY = "0 0.5 0.5 0.3 0.4 0.45 0.4 2 0.55 0.4 1 0.5 0.6 2"  # 13 numbers: three points with marks


@pytest.mark.parametrize("kind", [Instances, Boxes])
def test_outlines_with_a_score_behind_each_are_read(kind: type, tmp_path: Path) -> None:
    yolo(tmp_path, f"{SQUARE} 0.75\n{TRIANGLE} 0.5\n", "", f"{SQUARE} 1\n")
    source = open_source(str(tmp_path), "train", kind)
    assert list(source.problems()) == []
    assert source.truth(0).names == ("cat", "dog")
    assert source.truth(0).xyxy[0].tolist() == source.truth(2).xyxy[0].tolist() == [16, 12, 32, 24]
    assert "the last number behind an outline was taken for its score, and plays no part: 3" in (
        source.remarks()
    )


@pytest.mark.parametrize(
    ("texts", "yaml"),
    [
        ((f"{SQUARE} 0.75\n", f"{TRIANGLE}\n"), ""),  # a number may be lacking
        ((f"{SQUARE} 3\n", f"{SQUARE} 4\n"), ""),  # tracks
        (("0 0.5 0.5 0.3 0.4 0.45 0.4 0.5\n",), ""),  # a box and a key point, or a triangle
    ],
)
def test_an_odd_number_that_may_be_no_score_is_a_fault(
    texts: tuple[str, ...], yaml: str, tmp_path: Path
) -> None:
    source = yolo(tmp_path, *texts, yaml=yaml)()
    (fault,) = source.faults(0)
    assert fault.rule == "line" and "`cvtasks data prelabel --no-scores`" in str(fault)


def test_the_yaml_tells_outlines_with_a_score(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.3 0.4 0.45 0.4 0.5\n"
    assert len(yolo(tmp_path, text, yaml="task: segment\n")().truth(0)) == 1


def test_key_points_with_marks_are_no_outlines_with_a_score(tmp_path: Path) -> None:
    yolo(tmp_path, f"{BODY}\n")
    assert len(open_source(str(tmp_path), "train", Boxes).truth(0)) == 1
    with pytest.raises(DataError, match="must be clear what a long line is"):
        open_source(str(tmp_path), "train", Instances).truth(0)


def test_yolo_without_its_yaml(tmp_path: Path) -> None:
    yolo(tmp_path, "1 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5\n")
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert opened(tmp_path, "train").truth(0).names == ("dog",)


# === labelling tools ===


def test_groups_of_shapes_are_one_object(tmp_path: Path) -> None:
    def shape(label: str, left: int, group: int | None, kind: str = "polygon") -> dict:
        points = [[left, 5], [left + 8, 5], [left + 8, 15], [left, 15]]
        points = points if kind == "polygon" else points[::2]
        return {"label": label, "points": points, "group_id": group, "shape_type": kind}

    image(tmp_path, "a")
    shapes = [
        shape("cat", 2, 1),
        shape("cat", 12, 1),
        shape("dog", 22, 1),
        shape("cat", 32, None),
        shape("cat", 42, None, "rectangle"),
    ]
    document = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 48, "imageWidth": 64}
    (tmp_path / "a.json").write_text(json.dumps({"version": "5", **document}))
    source = opened(tmp_path)
    truth = source.truth(0)
    assert truth.names == ("cat", "dog", "cat", "cat")
    assert (truth.plane(0) == plane((2, 5, 10, 15), (12, 5, 20, 15))).all()
    assert "boxes without an outline were filled: 1" in source.remarks()


# === numbers ===


def test_label_maps_of_8_and_16_bits(tmp_path: Path) -> None:
    numbers = np.zeros(SIZE, np.uint16)
    numbers[disc(15, 15, 8)], numbers[disc(40, 20, 8)] = 1, 300
    image(tmp_path / "images", "a")
    image(tmp_path / "images", "b")
    save(tmp_path / "masks" / "a.png", numbers)
    save(tmp_path / "masks" / "b.png", (numbers > 0).astype(np.uint8))
    source = opened(tmp_path)
    assert source.format == "label maps"
    assert source.classes == ("object",)
    assert "classes.txt of one line" in source.taken_for
    assert [len(source.truth(index)) for index in (0, 1)] == [2, 1]
    assert (source.truth(0).plane(1) == disc(40, 20, 8)).all()
    (tmp_path / "classes.txt").write_text("background\nnucleus\n")
    assert opened(tmp_path).classes == ("nucleus",)
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    with pytest.raises(DataError, match=r"objects of one class.*names 2\. Masks whose values are"):
        open_source(str(tmp_path), "", Instances)


def test_masks_beside_their_images_and_masks_that_tell_no_objects_apart(tmp_path: Path) -> None:
    image(tmp_path / "cells", "a")
    save(tmp_path / "cells" / "a_masks.png", disc(15, 15, 8).astype(np.uint8) * 7)
    assert len(opened(tmp_path / "cells").truth(0)) == 1
    image(tmp_path / "white" / "images", "a")
    save(tmp_path / "white" / "masks" / "a.png", disc(15, 15, 8).astype(np.uint8) * 255)
    with pytest.raises(DataError, match=r"hold 0 and 255 alone\. Give each object a number"):
        open_source(str(tmp_path / "white"), "", Instances)


@pytest.mark.parametrize("folders", ["of each image", "of images"])
def test_a_mask_for_each_object(tmp_path: Path, folders: str) -> None:
    for number, name in enumerate(("a", "b")):
        own = tmp_path / "stage1_train" / name
        images, masks = (own / "images", own / "masks")
        if folders == "of images":
            images, masks = tmp_path / "images", tmp_path / "masks" / name
        image(images, name, number)
        for place, pixels in enumerate((disc(15, 15, 8), disc(40, 20, 8), disc(40, 20, 8))):
            save(masks / f"{place}.png", pixels.astype(np.uint8) * 255)
    source = opened(tmp_path)
    assert source.format == "a mask for each object"
    assert [source.name(index) for index in range(2)] == ["a", "b"]
    assert len(source.truth(1)) == 2
    assert (source.truth(0).plane(1) == disc(40, 20, 8)).all()
    assert source.split == ("stage1_train" if folders == "of each image" else "")
    assert any("same class and mask" in one for one in source.remarks())


def test_masks_of_classes_are_no_instances(tmp_path: Path, shapes: Path) -> None:
    with pytest.raises(DataError, match="names 2"):
        open_source(str(shapes), "train", Instances)


@pytest.mark.parametrize("drawn", ["upright", "stored"])
def test_masks_follow_the_turn_of_their_image(tmp_path: Path, drawn: str) -> None:
    """Of an image that its EXIF tag turns by 90 degrees, some draw the stored pixels."""
    upright = np.zeros((64, 48), bool)
    upright[5:20, 30:40] = True
    mask = upright if drawn == "upright" else np.rot90(upright)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.zeros((*SIZE, 3), np.uint8))
    document = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "height": mask.shape[0], "width": mask.shape[1]}
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": encode_rle(mask)}
        ],
    }
    for folder in ("coco", "maps"):
        (tmp_path / folder / "images").mkdir(parents=True)
        stored.save(tmp_path / folder / "images" / "a.jpg", exif=exif)
    (tmp_path / "coco" / "train.json").write_text(json.dumps(document))
    save(tmp_path / "maps" / "masks" / "a.png", mask.astype(np.uint8))
    for folder, split in (("coco", "train"), ("maps", "")):
        source = opened(tmp_path / folder, split)
        assert source.truth(0).size == (64, 48)
        assert (source.truth(0).plane(0) == upright).all()
        assert any("EXIF tag turns" in one for one in source.remarks()) == (drawn == "stored")


def test_outlines_grow_with_their_image(tmp_path: Path) -> None:
    image(tmp_path / "images", "a")
    half = {"id": 1, "file_name": "a.png", "height": 24, "width": 32}
    square = {"segmentation": [[2, 2, 12, 2, 12, 8, 2, 8]], "area": 60, "bbox": [2, 2, 10, 6]}
    document = {
        "images": [half],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **square}],
    }
    (tmp_path / "train.json").write_text(json.dumps(document))
    source = opened(tmp_path, "train")
    assert (source.truth(0).plane(0) == plane((4, 4, 24, 16))).all()
    assert source.truth(0).areas.tolist() == [240]
    assert "outlines were scaled to the image: 1" in source.remarks()[0]
