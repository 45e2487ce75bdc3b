"""FiftyOne's own exports of boxes and of labels."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.manifests import Manifest
from cvtasks.data.formats.bases.shapes import TagLabels, classes_of_tags
from cvtasks.data.formats.bases.tool_files import Tool, tool_format, with_endings
from cvtasks.data.formats.kinds import FIFTYONE as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.labels_from_boxes import as_labels
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.data.source import Source
from cvtasks.errors import Complain, DataError
from cvtasks.formats.fiftyone import parse_fiftyone
from cvtasks.formats.reading import MEGABYTE, read_annotation
from cvtasks.text import some

_MOST = 500 * MEGABYTE
_MANIFESTS = ("data.json", "manifest.json")  # the usual name, and the one in FiftyOne's examples


@kept_while_unchanged(1 << 10)
def _has_tags(path: Path) -> bool:
    """Whether a file holds classes of whole images; one that cannot be read does not."""
    with suppress(DataError):  # told when it is opened
        return any(one.tags for one in parse_fiftyone(read_annotation(path, _MOST), "").images)
    return False


def _of_boxes(path: Path) -> bool:
    return json_kind(path) == KIND and not _has_tags(path)


def _of_labels(path: Path) -> bool:
    return json_kind(path) == KIND and _has_tags(path)


def _manifest(labels: Path) -> Manifest:
    """Where the images lie, as an export without them says beside the labels."""
    for path in (labels.with_name(name) for name in _MANIFESTS):
        if path.is_file() and (places := _places(path)):
            return Manifest(path, places)
    return Manifest()


@kept_while_unchanged(8)
def _places(path: Path) -> Mapping[str, str]:
    """The name of each image, and its path; nothing where a file is no such list."""
    with suppress(ValueError, RecursionError):
        document = json.loads(read_annotation(path, _MOST))
        if isinstance(document, dict) and all(isinstance(one, str) for one in document.values()):
            return document
    return {}


_TAGS = Tool(
    (".json",), _of_labels, parse_fiftyone, aliases=with_endings, manifest=_manifest, most=_MOST
)
FIFTYONE_TOOL = Tool(
    (".json",), _of_boxes, parse_fiftyone, aliases=with_endings, manifest=_manifest, most=_MOST
)


def _passed_over(source: Source, root: Path, tool: Tool, what: str) -> Source:
    """The source, which says what other files of FiftyOne's lie beside its own."""
    found = [path for files in tool.files(root).values() for path in files]
    if found:
        names = some([path.relative_to(root).as_posix() for path in found], 3)
        source.notes = (*source.notes, f"FiftyOne's files of {what} were not read: {names}")
    return source


_BOXES = tool_format(
    FIFTYONE_TOOL,
    "FiftyOne JSON",
    "labels.json with `classes` and `labels`, and images in data/ or where data.json says, perhaps "
    "in each <split>/",
    "FiftyOne JSON",
)
_BOXES_AS_LABELS = as_labels(_BOXES, "FiftyOne JSON as labels")


def _boxes(root: Path, split: str, complain: Complain) -> Source:
    return _passed_over(_BOXES.open(root, split, complain), root, _TAGS, "classes of whole images")


def _labels(root: Path, split: str, complain: Complain) -> Source:
    if not _TAGS.files(root):
        return _BOXES_AS_LABELS.open(root, split, complain)
    found = _TAGS.collect(root, split, complain, classes_of_tags)
    for fault in (fault for entry in found.entries for fault in entry.faults):
        complain(fault)
    source = TagLabels(found, complain)
    return _passed_over(source, root, FIFTYONE_TOOL, "boxes")


FIFTYONE = replace(_BOXES, opens=_boxes)
FIFTYONE_LABELS: Format = replace(
    _BOXES_AS_LABELS,
    kind=Labels,
    is_at=lambda root: bool(_TAGS.files(root)) or _BOXES.is_at(root),
    splits_at=lambda root: (_TAGS if _TAGS.files(root) else FIFTYONE_TOOL).splits(root),
    opens=_labels,
)
