"""YOLO's annotation files of outlines → `Instances`: a line is `class x1 y1 x2 y2 x3 y3 …`, the
corners of a polygon as shares of the image's width and height
(https://docs.ultralytics.com/datasets/segment). `cvtasks.formats.instance_files` writes them.
"""

from collections.abc import Callable

from cvtasks.answers import Instances
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.object_masks import instances_of
from cvtasks.formats.painting import Ink
from cvtasks.formats.yolo_lines import OUTLINE, kinds_of, numbers_of, unclear


def parse_yolo_outlines(
    text: str,
    classes: tuple[str, ...],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    lines: str = "",
    others: Callable[[], str] = str,
    scored: Callable[[], bool] = lambda: False,
) -> tuple[Instances, tuple[str, ...]]:
    """The text of one image → its objects, and remarks about what was changed in reading.

    A long line that may be an outline is one, unless the file or the split says otherwise.

    Args:
        size: (height, width) of the image, upright.
        name: what errors call the file.
        complain: about a line that is no outline, whose class does not exist, or that does not fit
            its image. If it returns, the line is left out.
        lines: what long lines are, if that is known.
        others: asked where these lines alone do not tell; what all lines of the split are, or "".
        scored: as of `numbers_of`.
    """
    said: list[str] = []
    read = list(numbers_of(text, classes, name, complain, lines, scored, said.append))
    long = [numbers for numbers, _, _ in read if len(numbers) > 5]
    kinds = {lines} if lines else kinds_of(long)
    told = others() if len(kinds) > 1 else ""
    outlined = OUTLINE in ({told} if told in kinds else kinds)
    inks: list[list[Ink]] = []
    height, width = size
    for numbers, label, place in read:
        if len(numbers) <= 5:
            complain(
                DataError(
                    f"every object must have an outline; {place} has a box alone. Draw it, or "
                    "remove the line.",
                    "outline missing",
                )
            )
        elif not outlined:
            complain(unclear(numbers, place))
        else:
            # a millionth of a pixel undoes the format's division
            ring = tuple(
                (round(x * width, 6), round(y * height, 6))
                for x, y in zip(numbers[::2], numbers[1::2], strict=True)
            )
            inks.append([Ink(label, place, (ring,))])
    instances, remarks = instances_of(inks, classes, size, name, complain)
    return instances, (*said, *remarks)
