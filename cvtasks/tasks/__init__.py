"""The table of tasks. A row is all that the rest of the program knows of a task by name; the task
itself is loaded when it is asked for, so that the names cost nothing.
"""

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtasks.tasks.base import Task


@dataclass(frozen=True)
class TaskRow:
    """One row of the table of tasks.

    Attributes:
        home: where its class lies, as "module:class".
        model: the model of the zoo that it uses unless told otherwise; empty where there is none.
        help: what it answers, in a line, and examples of its command below it.
        usual: whether data are looked at for it unless another is asked for.
    """

    home: str
    model: str
    help: str
    usual: bool = False

    @property
    def task(self) -> "type[Task]":
        """The task's class."""
        found: type[Task] = resolve_name(self.home)
        return found


TASKS: dict[str, TaskRow] = {
    "classify": TaskRow(
        "cvtasks.tasks.classify:Classify",
        "classify-efficientnet-lite0-voc",
        """Say which class an image shows, or which of several, with scores.

        \b
        cvtasks classify photo.jpg
        cvtasks classify holidays/ --save csv
        cvtasks classify digit.jpg --model classify-lenet-mnist
        cvtasks classify --json sample:chelsea | jq .labels
        """,
    ),
    "detect": TaskRow(
        "cvtasks.tasks.detect:Detect",
        "detect-yolox-nano-voc",
        """Find objects: a labelled box and a score for each.

        \b
        cvtasks detect photo.jpg
        cvtasks detect 0
        cvtasks detect clip.mp4 --show --save image,json
        cvtasks detect street.mp4 --track --count "door=line 0,0.5 1,0.5"
        cvtasks detect aerial.tif --tiles auto --most-pixels 200000000
        cvtasks detect holidays/ --classes dog,cat --threshold 0.5 --save coco
        """,
        usual=True,
    ),
    "instances": TaskRow(
        "cvtasks.tasks.instances:SegmentInstances",
        "",
        """Find objects and their outlines: a class, a box, a mask and a score for each.

        \b
        cvtasks instances photo.jpg --model runs/mine
        cvtasks instances holidays/ --model runs/mine --save image,json
        cvtasks instances cells/ --model runs/mine --save masks,yolo-seg,geojson
        cvtasks instances clip.mp4 --model runs/mine --show --track --smooth 5
        """,
    ),
    "localize": TaskRow(
        "cvtasks.tasks.localize:Localize",
        "localize-mobilenet-voc",
        """Find the one object that an image is about: its class and a box around it.

        \b
        cvtasks localize photo.jpg
        cvtasks localize 0
        cvtasks localize holidays/ --save image,json
        """,
    ),
    "segment": TaskRow(
        "cvtasks.tasks.segment:Segment",
        "segment-efficientnet-lite0-voc",
        """Say for every pixel what it shows: an overlay with a legend, an indexed mask, a record.

        \b
        cvtasks segment photo.jpg
        cvtasks segment holidays/ --save mask,json -o masks
        cvtasks segment clip.mp4 --show --smooth 5
        cvtasks segment slide.tif --tiles 640x640
        cvtasks segment --json sample:chelsea | jq .mask.shares
        """,
    ),
}

USUAL = next(name for name, row in TASKS.items() if row.usual)
"""The task that data are looked at for unless another is asked for."""
