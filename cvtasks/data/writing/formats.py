"""How answers are written in each format: files by their names, as they come."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import cast

from cvtasks.answers import VOID, Boxes, Labels, Mask
from cvtasks.data.writing.files import (
    check_yaml,
    settle_classes,
    settle_yaml,
    write_new,
)
from cvtasks.data.writing.writer import (
    Classes,
    Files,
    How,
    Labelled,
    Layout,
    Loss,
    Write,
    Writer,
    each,
    ending,
    nothing,
    whole,
)
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
from cvtasks.formats.yolo import SPLITS, yolo_text
from cvtasks.media.images import mask_png
from cvtasks.text import cell, dumps, one_line


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


def _listed(images: Iterable[Labelled], how: How) -> Iterator[tuple[str, Labels]]:
    """Each image by the way to it from the folder of the lists."""
    before = f"{how.split}/" if how.split else ""
    return ((f"{before}{one.name}", cast(Labels, one.answer)) for one in images)


def _label_studio(kind: str, text: Callable[[Iterator[Labelled], How], str]) -> Write:
    def write(images: Iterator[Labelled], how: How) -> Files:
        yield _TASKS, text(images, how)
        if how.split:
            return
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
        f"{one_line(name)}\t{one_line(labels.names[0])}\n"
        for name, labels in _listed(images, how)
        if labels.names
    )


def _way(name: str, how: How) -> str:
    """The way from an image's annotation to the image: the folders of both are laid out alike."""
    deep = len(PurePosixPath(name).parts) - 1
    if how.images:
        return f"{'../' * deep}{how.images}{name}"
    return PurePosixPath(name).name


def _yolo(images: Iterator[Labelled], how: How) -> Files:
    for one in images:
        name = ending(".txt")(one.name)
        boxes = cast(Boxes, one.answer)
        yield f"labels/{how.split or 'train'}/{name}", yolo_text(boxes, scores=how.scores)


def _masks(images: Iterator[Labelled], how: How) -> Files:
    name = ending(".png") if how.split else _MASK
    for one in images:
        yield name(one.name), mask_png(cast(Mask, one.answer).ids, voc_palette())


def _list_images(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    """Write the list of a split of Pascal VOC."""
    if split:
        lines = "".join(f"{PurePosixPath(name).stem}\n" for name in names)
        write_new(folder / "ImageSets" / "Main" / f"{split}.txt", lines)


def _of_a_tool(split_file: str) -> Layout:
    """The layout of a tool's files: each split in a folder of its own, beside its images.

    Args:
        split_file: what must not be there yet in that folder; empty for the folder itself.
    """
    own = str  # the folder of a split has its name
    return Layout(own, own, lambda split: f"{split}/{split_file}".rstrip("/"), SPLITS)


def _left_out(tool: str) -> Loss:
    return Loss(
        f"{tool} knows neither difficult objects nor crowds, these were left out",
        lambda truth: int((~truth.counted).sum()),
    )


def _no_void(tool: str) -> Loss:
    return Loss(
        f"{tool} draws no void, which became background; masks with it",
        lambda truth: int((truth.ids == VOID).any()),
    )


_TASKS, _SETUP = "label-studio.json", "label-studio-setup.xml"
_XML, _JSON, _MASK = ending(".xml"), ending(".json"), ending("_mask.png")
_CVAT, _VIA, _CREATEML = "annotations.xml", "via_project.json", "_annotations.createml.json"
_TABLE, _CSV = "_annotations.csv", "labels.csv"
_OUTLINES = "{} holds outlines: edges may lie a pixel beside, holes are filled"


def _instances(split: str) -> str:
    return f"annotations/instances_{split or 'default'}.json"


def _train(split: str) -> str:
    return f"{split or 'train'}.txt"


COCO = Writer(
    {
        Boxes: whole(
            _instances,
            lambda images, how: (
                dumps(coco_document(_boxes(images), how.classes, scores=how.scores)) + "\n"
            ),
        ),
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
    losses={Mask: _no_void("COCO")},
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
    _list_images,
    of_image=_XML,
    layout=Layout(
        lambda split: "Annotations",
        lambda split: "JPEGImages",
        lambda split: f"ImageSets/Main/{split}.txt",
    ),
    losses={
        Boxes: Loss(
            "Pascal VOC knows no crowds, these became difficult",
            lambda truth: int(truth.crowd.sum()),
        )
    },
)
YOLO = Writer(
    {Boxes: _yolo},
    "the format wants images/ beside labels/, so the images were copied; the last number of a "
    "line is its score",
    check_yaml,
    settle_yaml,
    of_image=lambda name: f"labels/train/{ending('.txt')(name)}",
    copied=True,
    layout=Layout(
        lambda split: "",
        lambda split: f"images/{split}",
        lambda split: f"images/{split}",
        SPLITS,
        in_lines=False,
    ),
    losses={Boxes: _left_out("YOLO")},
)
LABELME = Writer(
    {
        Boxes: each(
            _JSON,
            lambda one, how: labelme_json(
                cast(Boxes, one.answer),
                one.name,
                _way(one.name, how),
                scores=how.scores,
            ),
        ),
        Mask: each(
            _JSON,
            lambda one, how: labelme_outlines(
                outlines(cast(Mask, one.answer)), cast(Mask, one.answer).size, _way(one.name, how)
            ),
        ),
    },
    "open the folder in LabelMe",
    settle_classes,
    of_image=_JSON,
    layout=_of_a_tool(""),
    losses={
        Boxes: Loss(
            'LabelMe shows neither difficult objects nor crowds, these were marked "difficult"',
            lambda truth: int((~truth.counted).sum()),
        ),
        Mask: _no_void("LabelMe"),
    },
)
CVAT = Writer(
    {
        Boxes: whole(
            _CVAT, lambda images, how: cvat_xml(_boxes(images), how.classes, scores=how.scores)
        ),
        Mask: whole(
            _CVAT,
            lambda images, how: cvat_outlines(_rings(images), _things(how), guessed=how.scores),
        ),
    },
    "make a task of the images in CVAT, and upload the XML as CVAT 1.1",
    settle_classes,
    single=_CVAT,
    layout=_of_a_tool(_CVAT),
    losses={Boxes: _left_out("CVAT"), Mask: _no_void("CVAT")},
)
LABEL_STUDIO = Writer(
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
    settle_classes,
    single=_TASKS,
    layout=_of_a_tool(_TASKS),
    losses={Boxes: _left_out("Label Studio"), Mask: _no_void("Label Studio")},
)
VIA = Writer(
    {
        Boxes: whole(
            _VIA,
            lambda images, how: via_json(
                ((one.name, one.path.stat().st_size, cast(Boxes, one.answer)) for one in images),
                how.classes,
                scores=how.scores,
            ),
        )
    },
    "load the project in VIA 2, and name the folder of the images in its settings",
    settle_classes,
    single=_VIA,
    layout=_of_a_tool(_VIA),
    losses={Boxes: _left_out("VIA")},
)
CREATEML = Writer(
    {Boxes: whole(_CREATEML, lambda images, how: createml_json(_boxes(images), scores=how.scores))},
    "lay the JSON beside the images",
    settle_classes,
    single=_CREATEML,
    layout=_of_a_tool(_CREATEML),
    losses={Boxes: _left_out("Create ML")},
)
TENSORFLOW = Writer(
    {Boxes: whole(_TABLE, lambda images, how: tensorflow_csv(_boxes(images), scores=how.scores))},
    "lay the table beside the images",
    settle_classes,
    single=_TABLE,
    layout=_of_a_tool(_TABLE),
    losses={Boxes: _left_out("TensorFlow's table")},
)
MASKS = Writer(
    {Mask: _masks},
    "masks hold the numbers of classes.txt, from 0; lay them beside their images",
    settle_classes,
    of_image=_MASK,
    layout=Layout(
        lambda split: f"masks/{split}",
        lambda split: f"images/{split}",
        lambda split: f"masks/{split}",
    ),
)
CSV = Writer(
    {Labels: whole(_CSV, _csv)},
    "correct the column `label` in the table",
    settle_classes,
    single=_CSV,
)
LIST = Writer(
    {Labels: whole(_train, _list)},
    "correct the word behind each image",
    settle_classes,
    single=_train(""),
    layout=Layout(lambda split: "", str, _train),
    losses={
        Labels: Loss(
            "a list has one label an image: of several it has the first, and without one an image "
            "is left out; such images",
            lambda truth: int(len(truth.names) != 1),
        )
    },
)
