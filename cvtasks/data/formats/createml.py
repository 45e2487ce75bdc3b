"""Create ML's JSON."""

from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format
from cvtasks.data.formats.kinds import CREATEML as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.formats.createml import parse_createml


def _is_createml(path: Path) -> bool:
    return json_kind(path) == KIND


CREATEML_TOOL = Tool((".json",), _is_createml, parse_createml)

CREATEML = tool_format(
    CREATEML_TOOL,
    "Create ML JSON",
    "one JSON beside the images, perhaps in each <split>/",
    "Create ML JSON",
)
