"""CVAT for images 1.1."""

from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format
from cvtasks.data.formats.kinds import xml_kind
from cvtasks.formats.cvat import parse_cvat


def _is_cvat(path: Path) -> bool:
    return xml_kind(path) == "annotations"


CVAT_TOOL = Tool((".xml",), _is_cvat, parse_cvat, parts=True)

CVAT = tool_format(
    CVAT_TOOL,
    "CVAT for images",
    "annotations.xml and images/",
    "CVAT XML",
)
