"""For commands about one image, or typed numbers in its place: read it, and write what is drawn of
it under new names.
"""

import os
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtasks.cli.output import say, wrapped
from cvtasks.errors import InputError

if TYPE_CHECKING:
    import numpy as np

ImageArgument = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE",
        help='An image, sample:NAME, - (stdin), or numbers: "3 1 0; 0 2 1; 1 0 4".',
    ),
]
GreyOption = Annotated[
    bool,
    typer.Option("--grey", help="Make a colour image grey first; else each channel by itself."),
]


def one_image(source: str, command: str) -> "tuple[str, np.ndarray]":
    """Name and pixels (h, w, 3) uint8 RGB of the one image that the source is.

    Raises:
        InputError: it is several, a video or a camera, or cannot be read.
    """
    from cvtasks.media.addresses import shown
    from cvtasks.media.sources import Item, expand

    first = list(islice(expand([source]), 2))
    if len(first) != 1 or not isinstance(first[0], Item):
        received = "several" if len(first) > 1 else "a video or a camera"
        raise InputError(
            f"`{command}` takes one image at a time; {shown(source)!r} is {received}. Name one."
        )
    return first[0].name, first[0].read(lambda remark: say(f"{first[0].source}: {remark}"))


def typed_numbers(text: str) -> "np.ndarray | None":
    """(r, c) float64, where numbers were typed; None where it is a source.

    Raises:
        UsageError: it looks like numbers and is no matrix.
    """
    from cvtasks.insight.by_hand.kernels import matrix, unbracketed

    plain = unbracketed(text)
    cells = plain.replace(",", " ").replace(";", " ").split()
    numbers = len(cells) > 1 and all(re.fullmatch(r"[-+.\d/eE]+", cell) for cell in cells)
    looks_typed = numbers or (";" in plain and re.match(r"\s*[-+.\d]", plain))
    return matrix(text, "An input") if looks_typed and not os.path.lexists(text) else None


def grey_or_colour(source: str, command: str, grey: bool = False) -> "tuple[str, np.ndarray]":
    """Name and pixels of one image, (h, w) uint8 if it is grey or is made so, else (h, w, 3).

    Raises:
        InputError: as of `one_image`.
    """
    import cv2

    name, pixels = one_image(source, command)
    if (pixels == pixels[..., :1]).all():
        return name, pixels[..., 0]
    return name, cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if grey else pixels


def fitted(lines: Iterable[str]) -> list[str]:
    """The lines as the terminal holds them: sentences and sums are broken between words, rows of
    numbers stay as they are.

    >>> fitted(["1  2  3", "a sentence"])
    ['1  2  3', 'a sentence']
    """
    return [
        part
        for line in lines
        for part in ([line] if re.fullmatch(r"[-+.\deE\s]*", line) else wrapped(line))
    ]


def write_new(
    folder: Path,
    stem: str,
    files: "Mapping[str, np.ndarray | str | bytes]",
    also: Iterable[str] = (),
) -> list[Path]:
    """Write files of one stem under names that nothing in the folder has: `stem`, or `stem-2` … for
    all of them.

    Args:
        files: ending, such as "-maps.npz" → an image (h, w, 3) uint8 RGB, a text or bytes.
        also: endings of what another call may have written under the stem: then it is not used.

    Returns:
        the files.

    Raises:
        OutputError: they cannot be written.
    """
    from cvtasks.files.writing import made_beside, publish_new, write_bytes, write_text
    from cvtasks.media.images import write_image

    with made_beside(folder) as place:
        made = {ending: place / f"{stem}{ending}" for ending in files}
        for ending, content in files.items():
            if isinstance(content, str):
                write_text(made[ending], content)
            elif isinstance(content, bytes):
                write_bytes(made[ending], content)
            else:
                write_image(made[ending], content)
        return publish_new(folder, stem, made, also)
