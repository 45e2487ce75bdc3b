"""Hugging Face's folders of images with a `metadata.jsonl`."""

import json
from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format
from cvtasks.data.formats.kinds import first_lines
from cvtasks.formats.imagefolder import FILE, LABELS, NAME, OBJECTS, parse_imagefolder


def _is_metadata(path: Path) -> bool:
    """Whether it has objects or labels: there are others with words about the images alone."""
    return path.name == NAME and any(map(_tells, first_lines(path)))


def _tells(line: str) -> bool:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and FILE in entry and not {OBJECTS, *LABELS}.isdisjoint(entry)


IMAGEFOLDER_TOOL = Tool((".jsonl",), _is_metadata, parse_imagefolder)

IMAGEFOLDER = tool_format(
    IMAGEFOLDER_TOOL,
    "Hugging Face imagefolder",
    "metadata.jsonl beside the images, perhaps in each <split>/",
    "Hugging Face JSONL",
)
