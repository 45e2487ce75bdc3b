"""How masks of objects are written where an image holds them: Pascal VOC's two masks and XML, and
images of numbers; and as the outlines that labelling tools draw.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np

from cvtasks.answers import Boxes, Instances
from cvtasks.data.writing.files import settle_classes, write_new
from cvtasks.data.writing.writer import (
    Classes,
    Files,
    How,
    Labelled,
    Layout,
    Loss,
    Writer,
    ending,
)
from cvtasks.drawing.colours import voc_palette
from cvtasks.errors import DataError
from cvtasks.formats.instance_files import numbers_png
from cvtasks.formats.outlines import Outline, object_outlines
from cvtasks.formats.voc import voc_xml
from cvtasks.geometry.rle import rle_extents
from cvtasks.media.images import mask_png

_MOST = 254  # numbers that Pascal VOC's masks hold beside background and void
_NUMBERS = ending("_masks.png")


def _covered(format: str) -> Loss:
    """That a pixel has one number."""
    return Loss(
        f"{format} give each pixel to one object; objects of which others lie above a part", _below
    )


def _below(truth: Instances) -> int:
    """How many objects lose pixels where each pixel is given to one."""
    _, pixels = rle_extents(truth.masks.tolist(), truth.size)
    left = np.bincount(truth.ids().ravel(), minlength=len(truth) + 1)[1:]
    return int((left < pixels).sum())


def object_rings(
    images: Iterable[Labelled], *, whole: bool = False, counted: bool = True
) -> Iterator[tuple[str, tuple[int, int], list[Outline]]]:
    """Name, size and outlines of each image's objects; `whole` and `counted` as of
    `object_outlines`.
    """
    for one in images:
        found = cast(Instances, one.answer)
        yield one.name, found.size, object_outlines(found, whole=whole, counted=counted)


def _voc(images: Iterator[Labelled], how: How) -> Files:
    palette = voc_palette()
    for one in images:
        found = cast(Instances, one.answer)
        if len(found) > _MOST or len(how.classes) > _MOST:
            raise DataError(
                f"Pascal VOC's masks number {_MOST} objects of as many classes at most; "
                f"{one.name!r} has {len(found)}, of {len(how.classes)}. Write another format, such "
                "as coco.",
                "too many objects",
            )
        numbers = found.ids()
        of_class = np.concatenate([[0], found.labels + 1])[numbers]
        stem = ending("")(one.name)
        yield f"SegmentationObject/{stem}.png", mask_png(numbers.astype(np.uint8), palette)
        yield f"SegmentationClass/{stem}.png", mask_png(of_class.astype(np.uint8), palette)
        boxes = voc_xml(found, PurePosixPath(one.name).name, scores=how.scores)
        yield f"Annotations/{stem}.xml", boxes


def _list_masks(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    """Write the list of a split of Pascal VOC."""
    if split:
        lines = "".join(f"{PurePosixPath(name).stem}\n" for name in names)
        write_new(folder / "ImageSets" / "Segmentation" / f"{split}.txt", lines)


def _maps(images: Iterator[Labelled], how: How) -> Files:
    name = ending(".png") if how.split else _NUMBERS
    for one in images:
        yield name(one.name), numbers_png(cast(Instances, one.answer).ids())


def _one_class(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    if len(classes) != 1:
        raise DataError(
            "label maps number the objects of one class; these data have "
            f"{', '.join(classes[:5])}{' …' * (len(classes) > 5)}. Write another format, such as "
            "coco or voc.",
            "classes of a label map",
        )
    settle_classes(folder, classes)


_UNMARKED = Loss(
    "label maps know neither difficult objects nor crowds, these became objects",
    lambda truth: int((~truth.counted).sum()),
)
VOC_OBJECTS = Writer(
    {Instances: _voc},
    "masks hold the numbers of objects, and of classes.txt, from 1; to train on them, call the "
    "folder of the images JPEGImages and lay the folders of the masks beside it",
    settle_classes,
    ends=_list_masks,
    of_image=lambda name: f"SegmentationObject/{ending('.png')(name)}",
    layout=Layout(
        lambda split: "",
        lambda split: "JPEGImages",
        lambda split: f"ImageSets/Segmentation/{split}.txt",
    ),
    losses={
        Instances: [
            _covered("Pascal VOC's masks"),
            Loss(
                "Pascal VOC knows no crowds, these became difficult",
                lambda truth: int(cast(Boxes, truth).crowd.sum()),
            ),
        ]
    },
)
MASK_FOLDERS = Layout(
    lambda split: f"masks/{split}",
    lambda split: f"images/{split}",
    lambda split: f"masks/{split}",
)
LABEL_MAPS = Writer(
    {Instances: _maps},
    "masks hold the numbers of objects, from 1; lay them beside their images",
    _one_class,
    of_image=_NUMBERS,
    layout=MASK_FOLDERS,
    losses={Instances: [_covered("label maps"), _UNMARKED]},
)
