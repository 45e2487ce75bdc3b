"""Data sets of boxes as labelling tools have them: each split in a folder of its own, with its
images and what the tool knows of them.
"""

from collections.abc import Callable
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.checking.convert import Writer, copy_images, new_path, settle_classes, write_new
from cvtasks.data.source import Source
from cvtasks.formats.box_tables import tensorflow_csv
from cvtasks.formats.createml import createml_json
from cvtasks.formats.cvat import cvat_xml
from cvtasks.formats.label_studio import label_studio_json
from cvtasks.formats.labelme import labelme_json
from cvtasks.formats.via import via_json
from cvtasks.formats.yolo import SPLITS

Classes = tuple[str, ...]
Text = Callable[[list[Path], list[Boxes], Classes], str]
"""(images, their truths, classes) → the text of a tool's file."""


def _named(images: list[Path], truths: list[Boxes]) -> list[tuple[str, Boxes]]:
    return [(image.name, truth) for image, truth in zip(images, truths, strict=True)]


def _one_file(name: str, text: Text, tool: str) -> Writer:
    """The writer of a tool that keeps the annotations of all images in the file of that name."""

    def write(
        source: Source, classes: Classes, truths: list[Boxes], folder: Path, split: str
    ) -> None:
        path = new_path(folder / split / name)
        settle_classes(folder / "classes.txt", classes)
        images = copy_images(source, folder / split)
        write_new(path, text(images, truths, classes))

    return Writer(
        write,
        splits=SPLITS,
        in_lines=True,
        lost=lambda truth: ~truth.counted,
        loss=f"{tool} knows neither difficult objects nor crowds, these were left out",
    )


def _write_labelme(
    source: Source, classes: Classes, truths: list[Boxes], folder: Path, split: str
) -> None:
    new_path(folder / split)
    settle_classes(folder / "classes.txt", classes)
    for image, truth in zip(copy_images(source, folder / split), truths, strict=True):
        write_new(image.with_suffix(".json"), labelme_json(truth, image.name))


LABELME = Writer(
    _write_labelme,
    splits=SPLITS,
    in_lines=True,
    lost=lambda truth: ~truth.counted,
    loss='LabelMe shows neither difficult objects nor crowds, these were marked "difficult"',
)
CVAT = _one_file(
    "annotations.xml",
    lambda images, truths, classes: cvat_xml(_named(images, truths), classes),
    "CVAT",
)
LABEL_STUDIO = _one_file(
    "label-studio.json",
    lambda images, truths, classes: label_studio_json(_named(images, truths)),
    "Label Studio",
)
VIA = _one_file(
    "via_project.json",
    lambda images, truths, classes: via_json(
        [
            (image.name, image.stat().st_size, truth)
            for image, truth in zip(images, truths, strict=True)
        ],
        classes,
    ),
    "VIA",
)
CREATEML = _one_file(
    "_annotations.createml.json",
    lambda images, truths, classes: createml_json(_named(images, truths)),
    "Create ML",
)
TENSORFLOW = _one_file(
    "_annotations.csv",
    lambda images, truths, classes: tensorflow_csv(_named(images, truths)),
    "TensorFlow's table",
)
