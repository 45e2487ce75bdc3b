"""VGG Image Annotator 2."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from cvtasks.data.format import Format
from cvtasks.data.formats.bases.tool_files import Tool, tool_format
from cvtasks.data.formats.kinds import VIA as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.formats.via import parse_via


def _is_via(path: Path) -> bool:
    return json_kind(path) == KIND


VIA_TOOL = Tool((".json",), _is_via, parse_via)


def via_with(attribute: str) -> Format:
    """VIA's format, with the attribute of a region that is its class."""
    return _format(replace(VIA_TOOL, parse=partial(parse_via, attribute=attribute)))


def _format(tool: Tool) -> Format:
    return tool_format(
        tool,
        "VIA JSON",
        "a project of VIA 2 or its export of annotations, and the images beside it",
        "VIA JSON",
    )


VIA = replace(_format(VIA_TOOL), chosen=via_with)
