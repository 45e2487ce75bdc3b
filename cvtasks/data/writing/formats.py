"""How answers are written in each format: files by their names, as they come."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import cast

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask
from cvtasks.data.writing.files import (
    check_yaml,
    settle_classes,
    settle_yaml,
    write_new,
)
from cvtasks.data.writing.instances import LABEL_MAPS, MASK_FOLDERS, VOC_OBJECTS
from cvtasks.data.writing.losses import left_out, no_void
from cvtasks.data.writing.writer import (
    Classes,
    Files,
    How,
    Labelled,
    Layout,
    Loss,
    Write,
    Writer,
    boxes_in,
    each,
    ending,
    nothing,
    whole,
)
from cvtasks.drawing.colours import voc_palette
from cvtasks.formats.coco import coco_document
from cvtasks.formats.coco_areas import coco_areas
from cvtasks.formats.instance_files import yolo_segments
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import SPLITS, yolo_text
from cvtasks.media.images import mask_png
from cvtasks.text import cell, dumps, one_line


def _listed(images: Iterable[Labelled], how: How) -> Iterator[tuple[str, Labels]]:
    """Each image by the way to it from the folder of the lists."""
    before = f"{how.split}/" if how.split else ""
    return ((f"{before}{one.name}", cast(Labels, one.answer)) for one in images)


def _csv(images: Iterator[Labelled], how: How) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "label", *(["score"] if how.scores else [])])
    for name, labels in _listed(images, how):
        scores = [f"{labels.scores[index]:.6g}" for index in labels.shown]
        more = ["|".join(scores)] if how.scores else []
        table.writerow([cell(name), cell("|".join(labels.names)), *more])
    return text.getvalue()


def _list(images: Iterator[Labelled], how: How) -> str:
    """Lines of an image and its label; images without one are left out."""
    return "".join(
        f"{one_line(name)}\t{one_line(labels.names[0])}\n"
        for name, labels in _listed(images, how)
        if labels.names
    )


def _yolo(text: Callable[[Answer, How], str]) -> Write:
    def write(images: Iterator[Labelled], how: How) -> Files:
        for one in images:
            name = ending(".txt")(one.name)
            yield f"labels/{how.split or 'train'}/{name}", text(one.answer, how)

    return write


def _masks(images: Iterator[Labelled], how: How) -> Files:
    name = ending(".png") if how.split else _MASK
    for one in images:
        yield name(one.name), mask_png(cast(Mask, one.answer).ids, voc_palette())


def _list_images(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    """Write the list of a split of Pascal VOC."""
    if split:
        lines = "".join(f"{PurePosixPath(name).stem}\n" for name in names)
        write_new(folder / "ImageSets" / "Main" / f"{split}.txt", lines)


_XML, _MASK, _CSV = ending(".xml"), ending("_mask.png"), "labels.csv"


def _instances(split: str) -> str:
    return f"annotations/instances_{split or 'default'}.json"


def _train(split: str) -> str:
    return f"{split or 'train'}.txt"


def _table(split: str) -> str:
    return f"{split}.csv" if split else _CSV


_COCO = whole(
    _instances,
    lambda images, how: (
        dumps(coco_document(boxes_in(images), how.classes, scores=how.scores)) + "\n"
    ),
)

COCO = Writer(
    {
        Boxes: _COCO,
        Instances: _COCO,
        Mask: whole(
            _instances,
            lambda images, how: (
                dumps(
                    coco_areas(((one.name, cast(Mask, one.answer)) for one in images), how.classes)
                )
                + "\n"
            ),
        ),
    },
    "import the JSON as COCO (CVAT: COCO 1.0)",
    nothing,
    single=_instances(""),
    layout=Layout(lambda split: "", lambda split: f"images/{split}", _instances, in_lines=False),
    losses={Mask: [no_void("COCO")]},
)

COCO_POLYGONS = replace(
    COCO,
    writes={
        Instances: whole(
            _instances,
            lambda images, how: (
                dumps(
                    coco_document(boxes_in(images), how.classes, scores=how.scores, polygons=True)
                )
                + "\n"
            ),
        )
    },
    losses={},
)

VOC = Writer(
    {
        Boxes: each(
            _XML,
            lambda one, how: voc_xml(
                cast(Boxes, one.answer), PurePosixPath(one.name).name, scores=how.scores
            ),
        )
    },
    "open the images in labelImg, with this folder for its annotations",
    settle_classes,
    ends=_list_images,
    of_image=_XML,
    layout=Layout(
        lambda split: "Annotations",
        lambda split: "JPEGImages",
        lambda split: f"ImageSets/Main/{split}.txt",
    ),
    losses={
        Boxes: [
            Loss(
                "Pascal VOC knows no crowds, these became difficult",
                lambda truth: int(truth.crowd.sum()),
            )
        ]
    },
    others={Instances: VOC_OBJECTS},
)

YOLO = Writer(
    {
        Boxes: _yolo(lambda answer, how: yolo_text(cast(Boxes, answer), scores=how.scores)),
        Instances: _yolo(
            lambda answer, how: yolo_segments(cast(Instances, answer), scores=how.scores)
        ),
    },
    "the format wants images/ beside labels/, so the images were copied",
    check_yaml,
    ends=settle_yaml,
    of_image=lambda name: f"labels/train/{ending('.txt')(name)}",
    copied=True,
    scored="the last number of a line is its score",
    layout=Layout(
        lambda split: "",
        lambda split: f"images/{split}",
        lambda split: f"images/{split}",
        SPLITS,
        in_lines=False,
    ),
    losses={Boxes: [left_out("YOLO")], Instances: [left_out("YOLO")]},
)

MASKS = Writer(
    {Mask: _masks},
    "masks hold the numbers of classes.txt, from 0; lay them beside their images",
    settle_classes,
    of_image=_MASK,
    layout=MASK_FOLDERS,
    others={Instances: LABEL_MAPS},
)

CSV = Writer(
    {Labels: whole(_table, _csv)},
    "correct the column `label` in the table",
    settle_classes,
    single=_CSV,
    layout=Layout(lambda split: "", str, _table),
)

LIST = Writer(
    {Labels: whole(_train, _list)},
    "correct the word behind each image",
    settle_classes,
    single=_train(""),
    layout=Layout(lambda split: "", str, _train),
    losses={
        Labels: [
            Loss(
                "a list has one label an image: of several it has the first, and without one an "
                "image is left out; such images",
                lambda truth: int(len(truth.names) != 1),
            )
        ]
    },
)
