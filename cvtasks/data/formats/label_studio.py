"""Label Studio's JSON export."""

from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format
from cvtasks.data.formats.kinds import LABEL_STUDIO as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.formats.label_studio import names_of_image, parse_label_studio


def _is_label_studio(path: Path) -> bool:
    return json_kind(path) == KIND


LABEL_STUDIO_TOOL = Tool((".json",), _is_label_studio, parse_label_studio, aliases=names_of_image)

LABEL_STUDIO = tool_format(
    LABEL_STUDIO_TOOL,
    "Label Studio JSON",
    "the JSON of an export, and the images beside it or in images/",
    "Label Studio JSON",
)
