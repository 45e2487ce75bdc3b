"""FiftyOne's own exports of boxes and of labels."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format, with_endings
from cvtasks.data.formats.kinds import FIFTYONE as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.labels_from_boxes import as_labels
from cvtasks.errors import DataError
from cvtasks.formats.fiftyone import parse_fiftyone


def _is_fiftyone(path: Path) -> bool:
    return json_kind(path) == KIND


FIFTYONE_TOOL = Tool((".json",), _is_fiftyone, parse_fiftyone, aliases=with_endings)


def _has_boxes(root: Path) -> bool:
    """Whether such a file lies there, and none whose labels are of whole images."""
    if FIFTYONE_TOOL.files(root):
        with suppress(DataError):  # a fault, which is told when it is opened
            return not FIFTYONE_TOOL.tagged(root)
        return True
    return False


_EITHER = tool_format(
    FIFTYONE_TOOL,
    "FiftyOne JSON",
    "labels.json with `classes` and `labels`, and images in data/, perhaps in each <split>/",
    "FiftyOne JSON",
)
FIFTYONE = replace(_EITHER, is_at=_has_boxes)
FIFTYONE_LABELS = as_labels(_EITHER, "FiftyOne JSON as labels", FIFTYONE_TOOL)
