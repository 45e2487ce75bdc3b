"""How answers are written for labelling tools, and as their exports are."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import cast

from cvtasks.answers import Boxes, Instances, Labels, Mask
from cvtasks.data.writing.files import (
    settle_classes,
)
from cvtasks.data.writing.instances import object_rings
from cvtasks.data.writing.losses import beside, left_out, no_void
from cvtasks.data.writing.writer import (
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
    whole,
)
from cvtasks.formats.box_tables import tensorflow_csv
from cvtasks.formats.createml import createml_json
from cvtasks.formats.cvat import cvat_outlines, cvat_xml
from cvtasks.formats.label_studio import (
    label_studio_choices,
    label_studio_json,
    label_studio_outlines,
    label_studio_setup,
)
from cvtasks.formats.labelme import labelme_json, labelme_outlines
from cvtasks.formats.outlines import Outline, object_outlines, outlines
from cvtasks.formats.via import via_json
from cvtasks.formats.yolo import SPLITS


def _rings(
    images: Iterable[Labelled],
) -> Iterator[tuple[str, tuple[int, int], list[Outline]]]:
    for one in images:
        mask = cast(Mask, one.answer)
        yield one.name, mask.size, outlines(mask)


def _things(how: How) -> tuple[str, ...]:
    """The classes of a mask that are no background."""
    return how.classes[Mask.ground(how.classes) :]


def _label_studio(
    kind: str,
    text: Callable[[Iterator[Labelled], How], str],
    things: Callable[[How], tuple[str, ...]] | None = None,
) -> Write:
    def write(images: Iterator[Labelled], how: How) -> Files:
        yield _TASKS, text(images, how)
        if how.split:
            return
        classes = how.classes if things is None else things(how)
        yield _SETUP, label_studio_setup(kind, classes, several=how.several)

    return write


def _way(name: str, how: How) -> str:
    """The way from an image's annotation to the image: the folders of both are laid out alike."""
    deep = len(PurePosixPath(name).parts) - 1
    if how.images:
        return f"{'../' * deep}{how.images}{name}"
    return PurePosixPath(name).name


def _of_a_tool(split_file: str) -> Layout:
    """The layout of a tool's files: each split in a folder of its own, beside its images.

    Args:
        split_file: what must not be there yet in that folder; empty for the folder itself.
    """
    own = str  # the folder of a split has its name
    return Layout(own, own, lambda split: f"{split}/{split_file}".rstrip("/"), SPLITS)


_TASKS, _SETUP = "label-studio.json", "label-studio-setup.xml"
_CVAT, _VIA, _CREATEML = "annotations.xml", "via_project.json", "_annotations.createml.json"
_TABLE, _JSON = "_annotations.csv", ending(".json")
_MARKED = Loss(
    'LabelMe shows neither difficult objects nor crowds, these were marked "difficult"',
    lambda truth: int((~truth.counted).sum()),
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
        Instances: each(
            _JSON,
            lambda one, how: labelme_outlines(
                object_outlines(cast(Instances, one.answer), counted=False),
                cast(Instances, one.answer).size,
                _way(one.name, how),
            ),
        ),
    },
    "open the folder in LabelMe",
    settle_classes,
    of_image=_JSON,
    layout=_of_a_tool(""),
    losses={
        Boxes: [_MARKED],
        Mask: [no_void("LabelMe")],
        Instances: [_MARKED, beside("LabelMe")],
    },
)

CVAT = Writer(
    {
        Boxes: whole(
            _CVAT, lambda images, how: cvat_xml(boxes_in(images), how.classes, scores=how.scores)
        ),
        Mask: whole(
            _CVAT,
            lambda images, how: cvat_outlines(_rings(images), _things(how), guessed=how.scores),
        ),
        Instances: whole(
            _CVAT,
            lambda images, how: cvat_outlines(
                object_rings(images), how.classes, guessed=how.scores
            ),
        ),
    },
    "make a task of the images in CVAT, and upload the XML as CVAT 1.1",
    settle_classes,
    single=_CVAT,
    layout=_of_a_tool(_CVAT),
    losses={
        Boxes: [left_out("CVAT")],
        Mask: [no_void("CVAT")],
        Instances: [left_out("CVAT"), beside("CVAT")],
    },
)

LABEL_STUDIO = Writer(
    {
        Boxes: _label_studio(
            "RectangleLabels",
            lambda images, how: label_studio_json(
                boxes_in(images), scores=how.scores, prefix=how.prefix
            ),
        ),
        Mask: _label_studio(
            "PolygonLabels",
            lambda images, how: label_studio_outlines(
                _rings(images), guessed=how.scores, prefix=how.prefix
            ),
            _things,
        ),
        Instances: _label_studio(
            "PolygonLabels",
            lambda images, how: label_studio_outlines(
                object_rings(images, whole=True), guessed=how.scores, prefix=how.prefix
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
    losses={
        Boxes: [left_out("Label Studio")],
        Mask: [no_void("Label Studio")],
        Instances: [left_out("Label Studio"), beside("Label Studio")],
    },
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
    losses={Boxes: [left_out("VIA")]},
)

CREATEML = Writer(
    {
        Boxes: whole(
            _CREATEML, lambda images, how: createml_json(boxes_in(images), scores=how.scores)
        )
    },
    "lay the JSON beside the images",
    settle_classes,
    single=_CREATEML,
    layout=_of_a_tool(_CREATEML),
    losses={Boxes: [left_out("Create ML")]},
)

TENSORFLOW = Writer(
    {Boxes: whole(_TABLE, lambda images, how: tensorflow_csv(boxes_in(images), scores=how.scores))},
    "lay the table beside the images",
    settle_classes,
    single=_TABLE,
    layout=_of_a_tool(_TABLE),
    losses={Boxes: [left_out("TensorFlow's table")]},
)
