"""Whose file it is, by how it begins: of JSON, XML and tables that lie in a folder."""

import re
from pathlib import Path

from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.formats.encodings import begun_text
from cvtasks.formats.xml_reading import text_of_xml
from cvtasks.media.safe_paths import read_head

_HEAD = 64_000  # bytes
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(:?)|([\[\]{}])')

COCO, CREATEML, LABELME, LABEL_STUDIO, VIA = "COCO", "CreateML", "LabelMe", "Label Studio", "VIA"
SUPERVISELY, FIFTYONE = "Supervisely", "FiftyOne"
_COCO = {"info", "licenses", "images", "annotations", "categories"}
_DATUMARO = {"items", "dm_format_version"}  # beside `info` and `categories`


def json_kind(path: Path) -> str:
    """The tool that wrote a JSON, of those above; empty for any other."""
    head = begun_text(_head(path))
    keys = _keys(head) if head.lstrip("\ufeff \t\r\n")[:1] in ("[", "{") else {}
    top, below = keys.get(1, set()), keys.get(2, set())
    if head.lstrip("\ufeff \t\r\n").startswith("["):
        if below & {"imagefilename"} or ("image" in below and "coordinates" in keys.get(4, set())):
            return CREATEML
        if below & {"annotations", "annotation"} and "image" in below and "id" not in below:
            return CREATEML
        if below & {"data", "annotations", "completions"} and below & {"id", "data"}:
            return LABEL_STUDIO
        return LABEL_STUDIO if below & {"annotator", "annotation_id", "lead_time"} else ""
    if "shapes" in top or ("imagePath" in top and top & {"version", "flags", "imageData"}):
        return LABELME
    if "objects" in top and (top & {"size"} or "classTitle" in keys.get(3, set())):
        return SUPERVISELY
    if any(key.startswith("_via_") for key in top) or {"filename", "regions"} <= below:
        return VIA
    if top == {"classes", "labels"} and below:
        return FIFTYONE
    return COCO if _is_coco(top, len(_head(path)) < _HEAD) else ""


def _is_coco(top: set[str], whole: bool) -> bool:
    """Whether an object with these keys is COCO's; `whole`: these are all."""
    if top & _DATUMARO:
        return False
    return "images" in top and len(top & _COCO) > 1 if whole else bool(top & _COCO)


def xml_kind(path: Path) -> str:
    """The name of an XML's first element; empty where it is none."""
    text = text_of_xml(_head(path))
    text = re.sub(r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>]*>", "", text, flags=re.DOTALL)
    found = re.search(r"<(?:[\w.-]+:)?([\w.-]+)[\s/>]", text)
    return found[1] if found else ""


def first_lines(path: Path, count: int = 20) -> list[str]:
    """The first lines of a text that are not empty."""
    return [line for line in begun_text(_head(path)).splitlines() if line.strip()][:count]


def _head(path: Path) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        return _begun(path)
    except (OSError, ValueError):
        return b""


@kept_while_unchanged(1 << 10)
def _begun(path: Path) -> bytes:
    return read_head(path, _HEAD)


def _keys(head: str) -> dict[int, set[str]]:
    """Depth → the keys of objects there, in what may be cut short. The outermost has depth 1."""
    found: dict[int, set[str]] = {}
    depth = 0
    for match in _KEY.finditer(head):
        text, colon, bracket = match.groups()
        if bracket:
            depth += 1 if bracket in "[{" else -1
        elif colon:
            found.setdefault(depth, set()).add(text)
    return found
