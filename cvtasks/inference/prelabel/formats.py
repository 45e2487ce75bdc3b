"""How answers are written in each format: files by their names below the folder, as they come."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import cast

from cvtasks.answers import Answer, Boxes, Labels, Mask
from cvtasks.drawing.colours import voc_palette
from cvtasks.formats.box_tables import tensorflow_csv
from cvtasks.formats.coco import coco_document
from cvtasks.formats.coco_areas import coco_areas
from cvtasks.formats.createml import createml_json
from cvtasks.formats.cvat import cvat_outlines, cvat_xml
from cvtasks.formats.label_studio import (
    label_studio_choices,
    label_studio_json,
    label_studio_outlines,
    label_studio_setup,
)
from cvtasks.formats.labelme import labelme_json, labelme_outlines
from cvtasks.formats.outlines import Outline, outlines
from cvtasks.formats.via import via_json
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import yolo_text, yolo_yaml
from cvtasks.media.images import mask_png
from cvtasks.text import cell, dumps, one_line


@dataclass(frozen=True, eq=False)
class Labelled:
    """An image and what a model says of it.

    Attributes:
        name: its path below the folder of the images, with `/`.
        path: of its file.
    """

    name: str
    path: Path
    answer: Answer


@dataclass(frozen=True)
class How:
    """How answers are written.

    Attributes:
        classes: the model's.
        scores: whether scores are written, so that these are predictions and no annotations.
        several: whether an image may show several classes.
        prefix: what stands before an image's name in Label Studio.
        images: the way from the folder of annotations to that of the images, with `/` at its end;
            empty where they are the same.
    """

    classes: tuple[str, ...]
    scores: bool = True
    several: bool = False
    prefix: str = ""
    images: str = ""


Content = str | bytes | Path
"""A text, bytes, or a file to be copied."""
Files = Iterator[tuple[str, Content]]
Write = Callable[[Iterator[Labelled], How], Files]
"""(images in their order, how) → (name of a file below the folder, content)."""


@dataclass(frozen=True)
class PrelabelFormat:
    """A format that answers are written in; a row of `PRELABELS`.

    Attributes:
        writes: type of answer → how it is written.
        single: the one file that holds all annotations; empty where each image has its own.
        of_image: the name of an image → that of the file with its annotation.
        listed: whether the classes stand in a `classes.txt`, which its reader goes by.
        hint: what to do with the files, in a sentence.
    """

    writes: Mapping[type[Answer], Write]
    hint: str
    single: str = ""
    of_image: Callable[[str], str] = field(default=lambda name: name)
    listed: bool = True


def _ending(ending: str) -> Callable[[str], str]:
    """The name of an image → the same with another ending."""
    return lambda name: str(PurePosixPath(name).with_suffix("")) + ending


def _each(of_image: Callable[[str], str], content: Callable[[Labelled, How], Content]) -> Write:
    """The writer of a format with a file for each image."""

    def write(images: Iterator[Labelled], how: How) -> Files:
        for one in images:
            yield of_image(one.name), content(one, how)

    return write


def _whole(name: str, text: Callable[[Iterator[Labelled], How], str]) -> Write:
    """The writer of a format with one file for all images."""

    def write(images: Iterator[Labelled], how: How) -> Files:
        yield name, text(images, how)

    return write


def _boxes(images: Iterable[Labelled]) -> Iterator[tuple[str, Boxes]]:
    return ((one.name, cast(Boxes, one.answer)) for one in images)


def _rings(
    images: Iterable[Labelled],
) -> Iterator[tuple[str, tuple[int, int], list[Outline]]]:
    for one in images:
        mask = cast(Mask, one.answer)
        yield one.name, mask.size, outlines(mask)


def _things(how: How) -> tuple[str, ...]:
    """The classes of a mask that are no background."""
    return how.classes[Mask.ground(how.classes) :]


def _yolo(images: Iterator[Labelled], how: How) -> Files:
    for one in images:
        yield f"images/train/{one.name}", one.path
        name = _ending(".txt")(one.name)
        yield f"labels/train/{name}", yolo_text(cast(Boxes, one.answer), scores=how.scores)
    yield "data.yaml", yolo_yaml(how.classes, ("train",))


def _label_studio(kind: str, text: Callable[[Iterator[Labelled], How], str]) -> Write:
    def write(images: Iterator[Labelled], how: How) -> Files:
        yield _TASKS, text(images, how)
        classes = _things(how) if kind == "PolygonLabels" else how.classes
        yield _SETUP, label_studio_setup(kind, classes, several=how.several)

    return write


def _csv(images: Iterator[Labelled], how: How) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "label", *(["score"] if how.scores else [])])
    for one in images:
        labels = cast(Labels, one.answer)
        scores = [f"{labels.scores[index]:.6g}" for index in labels.shown]
        more = ["|".join(scores)] if how.scores else []
        table.writerow([cell(one.name), cell("|".join(labels.names)), *more])
    return text.getvalue()


def _list(images: Iterator[Labelled], how: How) -> str:
    """Lines of an image and its label; images without one are left out."""
    return "".join(
        f"{one_line(one.name)}\t{one_line(one.answer.names[0])}\n"
        for one in images
        if one.answer.names
    )


_TASKS, _SETUP = "label-studio.json", "label-studio-setup.xml"
_XML, _JSON, _MASK = _ending(".xml"), _ending(".json"), _ending("_mask.png")
_INSTANCES, _CVAT, _VIA = (
    "annotations/instances_default.json",
    "annotations.xml",
    "via_project.json",
)
_CREATEML, _TABLE, _CSV, _LIST = (
    "_annotations.createml.json",
    "_annotations.csv",
    "labels.csv",
    "train.txt",
)

COCO = PrelabelFormat(
    {
        Boxes: _whole(
            _INSTANCES,
            lambda images, how: (
                dumps(coco_document(_boxes(images), how.classes, scores=how.scores)) + "\n"
            ),
        ),
        Mask: _whole(
            _INSTANCES,
            lambda images, how: (
                dumps(
                    coco_areas(((one.name, cast(Mask, one.answer)) for one in images), how.classes)
                )
                + "\n"
            ),
        ),
    },
    "import the JSON as COCO (CVAT: COCO 1.0)",
    single=_INSTANCES,
    listed=False,
)
VOC = PrelabelFormat(
    {
        Boxes: _each(
            _XML,
            lambda one, how: voc_xml(
                cast(Boxes, one.answer), PurePosixPath(one.name).name, scores=how.scores
            ),
        )
    },
    "open the images in labelImg, with this folder for its annotations",
    of_image=_XML,
)
YOLO = PrelabelFormat(
    {Boxes: _yolo},
    "the format wants images/ beside labels/, so the images were copied; the last number of a "
    "line is its score",
    of_image=lambda name: f"labels/train/{_ending('.txt')(name)}",
    listed=False,
)
LABELME = PrelabelFormat(
    {
        Boxes: _each(
            _JSON,
            lambda one, how: labelme_json(
                cast(Boxes, one.answer),
                one.name,
                _way(one.name, how),
                scores=how.scores,
            ),
        ),
        Mask: _each(
            _JSON,
            lambda one, how: labelme_outlines(
                outlines(cast(Mask, one.answer)), cast(Mask, one.answer).size, _way(one.name, how)
            ),
        ),
    },
    "open the folder in LabelMe",
    of_image=_JSON,
)
CVAT = PrelabelFormat(
    {
        Boxes: _whole(
            _CVAT, lambda images, how: cvat_xml(_boxes(images), how.classes, scores=how.scores)
        ),
        Mask: _whole(
            _CVAT,
            lambda images, how: cvat_outlines(_rings(images), _things(how), guessed=how.scores),
        ),
    },
    "make a task of the images in CVAT, and upload the XML as CVAT 1.1",
    single=_CVAT,
)
LABEL_STUDIO = PrelabelFormat(
    {
        Boxes: _label_studio(
            "RectangleLabels",
            lambda images, how: label_studio_json(
                _boxes(images), scores=how.scores, prefix=how.prefix
            ),
        ),
        Mask: _label_studio(
            "PolygonLabels",
            lambda images, how: label_studio_outlines(
                _rings(images), guessed=how.scores, prefix=how.prefix
            ),
        ),
        Labels: _label_studio(
            "Choices",
            lambda images, how: label_studio_choices(
                ((one.name, cast(Labels, one.answer)) for one in images),
                scores=how.scores,
                prefix=how.prefix,
            ),
        ),
    },
    f"make a project with the setup of {_SETUP}, and import {_TASKS}",
    single=_TASKS,
)
VIA = PrelabelFormat(
    {
        Boxes: _whole(
            _VIA,
            lambda images, how: via_json(
                ((one.name, one.path.stat().st_size, cast(Boxes, one.answer)) for one in images),
                how.classes,
                scores=how.scores,
            ),
        )
    },
    "load the project in VIA 2, and name the folder of the images in its settings",
    single=_VIA,
)
CREATEML = PrelabelFormat(
    {
        Boxes: _whole(
            _CREATEML, lambda images, how: createml_json(_boxes(images), scores=how.scores)
        )
    },
    "lay the JSON beside the images",
    single=_CREATEML,
)
TENSORFLOW = PrelabelFormat(
    {Boxes: _whole(_TABLE, lambda images, how: tensorflow_csv(_boxes(images), scores=how.scores))},
    "lay the table beside the images",
    single=_TABLE,
)
MASKS = PrelabelFormat(
    {Mask: _each(_MASK, lambda one, how: mask_png(cast(Mask, one.answer).ids, voc_palette()))},
    "masks hold the numbers of classes.txt, from 0; lay them beside their images",
    of_image=_MASK,
)
CSV = PrelabelFormat(
    {Labels: _whole(_CSV, _csv)}, "correct the column `label` in the table", single=_CSV
)
LIST = PrelabelFormat(
    {Labels: _whole(_LIST, _list)}, "correct the word behind each image", single=_LIST
)


def _way(name: str, how: How) -> str:
    """The way from an image's annotation to the image: the folders of both are laid out alike."""
    deep = len(PurePosixPath(name).parts) - 1
    if how.images:
        return f"{'../' * deep}{how.images}{name}"
    return PurePosixPath(name).name
