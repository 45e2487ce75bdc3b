"""The same annotated images laid out in every format of boxes, as its tool writes them."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cvtasks.answers import Boxes
from cvtasks.formats.box_tables import tensorflow_csv
from cvtasks.formats.coco import coco_document
from cvtasks.formats.createml import createml_json
from cvtasks.formats.cvat import cvat_xml
from cvtasks.formats.label_studio import label_studio_json
from cvtasks.formats.labelme import labelme_json
from cvtasks.formats.via import via_json
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import yolo_text, yolo_yaml

CLASSES = ("cat", "traffic light", "zürich cow")
"""One with a space, one with a letter of two bytes; in the order that readers without a list give
them.
"""


def _boxes(size: tuple[int, int], *rows: tuple[int, float, float, float, float]) -> Boxes:
    return Boxes.of([row[1:] for row in rows], [row[0] for row in rows], CLASSES, size)


IMAGES: dict[str, Boxes] = {
    "a.png": _boxes((48, 64), (0, 3, 4, 20, 30), (1, 10.5, 2.25, 40, 31.5)),
    "b c.png": _boxes((60, 40), (2, 0, 0, 40, 60)),  # all of the image, its edges too
    "d.e.png": _boxes((50, 50), (0, 49, 49, 50, 50), (0, 1, 1, 9, 9), (2, 20, 20, 30, 41)),
    "empty.png": _boxes((32, 32)),
    "ü.png": _boxes((33, 77), (1, 70, 5, 77, 33)),
}
"""File name → its objects: at the border, of one pixel, none at all."""

Images = Mapping[str, Boxes]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pictures(folder: Path, images: Images) -> None:
    """Images of noise, each of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, boxes) in enumerate(images.items()):
        pixels = np.random.default_rng(number).integers(0, 255, (*boxes.size, 3), np.uint8)
        (folder / name).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def lay_voc(root: Path, images: Images) -> None:
    pictures(root / "JPEGImages", images)
    for name, boxes in images.items():
        write(root / "Annotations" / f"{Path(name).stem}.xml", voc_xml(boxes, name))


def lay_voc_xml(root: Path, images: Images) -> None:
    """labelImg: a file beside each image, but none for what shows nothing."""
    pictures(root, images)
    for name, boxes in images.items():
        if len(boxes):
            write(root / f"{Path(name).stem}.xml", voc_xml(boxes, name))


def lay_coco(root: Path, images: Images) -> None:
    pictures(root / "images", images)
    document = coco_document(images.items(), CLASSES)
    write(root / "annotations" / "instances_default.json", json.dumps(document))


def _labels(folder: Path, images: Images) -> None:
    for name, boxes in images.items():
        write(folder / f"{Path(name).stem}.txt", yolo_text(boxes))


def lay_yolo(root: Path, images: Images) -> None:
    pictures(root / "images" / "train", images)
    _labels(root / "labels" / "train", images)
    write(root / "data.yaml", yolo_yaml(CLASSES, ("train",)))


def lay_darknet(root: Path, images: Images) -> None:
    """CVAT's YOLO 1.1: its paths begin with a folder that is not there."""
    pictures(root / "obj_train_data", images)
    _labels(root / "obj_train_data", images)
    write(root / "obj.names", "".join(f"{name}\n" for name in CLASSES))
    write(
        root / "obj.data",
        f"classes = {len(CLASSES)}\ntrain = data/train.txt\nnames = data/obj.names\n"
        "backup = backup/\n",
    )
    write(root / "train.txt", "".join(f"data/obj_train_data/{name}\n" for name in images))


def lay_yolo_folders(root: Path, images: Images) -> None:
    """Label Studio's YOLO."""
    pictures(root / "images", images)
    _labels(root / "labels", images)
    write(root / "classes.txt", "".join(f"{name}\n" for name in CLASSES))
    write(root / "notes.json", json.dumps({"categories": [{"id": 0, "name": "cat"}]}))


def lay_cvat(root: Path, images: Images) -> None:
    pictures(root / "images", images)
    write(root / "annotations.xml", cvat_xml(images.items(), CLASSES))


def lay_labelme(root: Path, images: Images) -> None:
    pictures(root, images)
    for name, boxes in images.items():
        if len(boxes):
            write(root / f"{Path(name).stem}.json", labelme_json(boxes, name))


def lay_label_studio(root: Path, images: Images) -> None:
    pictures(root / "images", images)
    write(
        root / "project-1.json",
        label_studio_json(
            ((f"0123abcd-{name}", boxes) for name, boxes in images.items()),
            prefix="/data/upload/1/",
        ),
    )


def lay_supervisely(root: Path, images: Images) -> None:
    """Whole numbers are pixels, the last of which belong to the object."""
    pictures(root / "ds0" / "img", images)
    entries = [{"title": name, "shape": "rectangle", "color": "#FF0000"} for name in CLASSES]
    write(root / "meta.json", json.dumps({"classes": entries, "tags": []}))
    for name, boxes in images.items():
        objects = []
        for one in boxes:
            left, top, right, bottom = one.xyxy
            corners = [[left, top], [right, bottom]]
            if all(edge == int(edge) for edge in one.xyxy):
                corners = [[int(left), int(top)], [int(right) - 1, int(bottom) - 1]]
            objects.append(
                {
                    "classTitle": one.name,
                    "geometryType": "rectangle",
                    "tags": [],
                    "points": {"exterior": corners, "interior": []},
                }
            )
        height, width = boxes.size
        document = {"description": "", "tags": [], "size": {"height": height, "width": width}}
        write(root / "ds0" / "ann" / f"{name}.json", json.dumps({**document, "objects": objects}))


def lay_via(root: Path, images: Images) -> None:
    pictures(root, images)
    sized = ((name, (root / name).stat().st_size, boxes) for name, boxes in images.items())
    write(root / "via_project.json", via_json(sized, CLASSES))


def lay_createml(root: Path, images: Images) -> None:
    pictures(root, images)
    write(root / "_annotations.createml.json", createml_json(images.items()))


def lay_fiftyone(root: Path, images: Images) -> None:
    """An image is named by its stem, as FiftyOne's `ignore_exts` has it."""
    pictures(root / "data", images)
    labels = {}
    for name, boxes in images.items():
        height, width = boxes.size
        labels[Path(name).stem] = [
            {
                "label": label,
                "bounding_box": [
                    left / width,
                    top / height,
                    (right - left) / width,
                    (bottom - top) / height,
                ],
                "attributes": {"area": 1.0, "iscrowd": 0},
            }
            for label, (left, top, right, bottom) in zip(
                boxes.labels.tolist(), boxes.xyxy.tolist(), strict=True
            )
        ]
    write(root / "labels.json", json.dumps({"classes": CLASSES, "labels": labels}))


def lay_imagefolder(root: Path, images: Images) -> None:
    pictures(root, images)
    lines = []
    for name, boxes in images.items():
        sides = [
            [left, top, right - left, bottom - top]
            for left, top, right, bottom in boxes.xyxy.tolist()
        ]
        objects = {"bbox": sides, "categories": list(boxes.names)}
        lines.append(json.dumps({"file_name": name, "objects": objects}))
    write(root / "metadata.jsonl", "\n".join(lines))


def lay_tensorflow(root: Path, images: Images) -> None:
    """A table that does not name what shows nothing."""
    pictures(root, images)
    shown = ((name, boxes) for name, boxes in images.items() if len(boxes))
    write(root / "_annotations.csv", tensorflow_csv(shown))


def _table(path: Path, rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def lay_open_images(root: Path, images: Images) -> None:
    pictures(root / "images", images)
    codes = [f"/m/0{number}" for number in range(len(CLASSES))]
    _table(root / "class-descriptions-boxable.csv", [*map(list, zip(codes, CLASSES, strict=True))])
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf"
    rows: list[list[object]] = [[*header.split(",")]]
    for name, boxes in images.items():
        height, width = boxes.size
        for one, label in zip(boxes, boxes.labels.tolist(), strict=True):
            left, top, right, bottom = one.xyxy
            sides = [left / width, right / width, top / height, bottom / height]
            rows.append([Path(name).stem, "xclick", codes[label], 1, *sides, 0, 0])
    _table(root / "annotations-bbox.csv", rows)


def lay_retinanet(root: Path, images: Images) -> None:
    pictures(root / "pictures", images)
    rows: list[list[object]] = []
    for name, boxes in images.items():
        rows += [[f"pictures/{name}", *one.xyxy, one.name] for one in boxes]
        rows += [] if len(boxes) else [[f"pictures/{name}", *[""] * 5]]
    _table(root / "annotations.csv", rows)


def lay_kitti(root: Path, images: Images) -> None:
    pictures(root / "training" / "image_2", images)
    for name, boxes in images.items():
        lines = (
            f"{one.name} 0.00 0 -1.57 {' '.join(map(str, one.xyxy))} 1 1 1 0 0 9 0\n"
            for one in boxes
        )
        write(root / "training" / "label_2" / f"{Path(name).stem}.txt", "".join(lines))


@dataclass(frozen=True)
class Laid:
    """How a format is laid out, and which of its files are annotations, as a pattern."""

    lay: Callable[[Path, Images], None]
    files: str


LAYOUTS: dict[str, Laid] = {
    "voc-detection": Laid(lay_voc, "Annotations/*.xml"),
    "voc-xml": Laid(lay_voc_xml, "*.xml"),
    "coco": Laid(lay_coco, "annotations/*.json"),
    "yolo": Laid(lay_yolo, "**/*.txt"),
    "darknet": Laid(lay_darknet, "**/*.[tdn]*[tas]"),
    "yolo-folders": Laid(lay_yolo_folders, "**/*.txt"),
    "cvat": Laid(lay_cvat, "*.xml"),
    "labelme": Laid(lay_labelme, "*.json"),
    "label-studio": Laid(lay_label_studio, "*.json"),
    "supervisely": Laid(lay_supervisely, "ds0/ann/*.json"),
    "via": Laid(lay_via, "*.json"),
    "createml": Laid(lay_createml, "*.json"),
    "fiftyone": Laid(lay_fiftyone, "*.json"),
    "imagefolder": Laid(lay_imagefolder, "*.jsonl"),
    "tensorflow-csv": Laid(lay_tensorflow, "*.csv"),
    "open-images": Laid(lay_open_images, "*.csv"),
    "retinanet-csv": Laid(lay_retinanet, "*.csv"),
    "kitti": Laid(lay_kitti, "training/label_2/*.txt"),
}
"""Row of `FORMATS` → its layout."""
