"""Label Studio's JSON export."""

import re
from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format
from cvtasks.data.formats.kinds import LABEL_STUDIO as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.listing import bare
from cvtasks.formats.label_studio import UPLOADED, names_of_image, parse_label_studio


def _is_label_studio(path: Path) -> bool:
    return json_kind(path) == KIND


def _plain(name: str) -> str:
    """What Label Studio leaves of a file's name when it is uploaded, as `bare` writes it: letters,
    digits, `_`, `-` and points, with `_` for spaces, behind eight digits of its own.

    >>> _plain("0123abcd-my_photo_1.JPG") == _plain("My photo (1).jpg")
    True
    """
    own = UPLOADED.fullmatch(name.strip())
    words = (own[1] if own else name.strip()).replace(" ", "_")
    return bare(re.sub(r"[^-\w.]", "", words))


LABEL_STUDIO_TOOL = Tool(
    (".json",), _is_label_studio, parse_label_studio, aliases=names_of_image, plain=_plain
)

LABEL_STUDIO = tool_format(
    LABEL_STUDIO_TOOL,
    "Label Studio JSON",
    "the JSON of an export, and the images beside it or in images/",
    "Label Studio JSON",
)
