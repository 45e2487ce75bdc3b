"""KITTI's labels of objects, one text an image (Geiger et al., "Are we ready for Autonomous
Driving?", 2012; the devkit's readme): type, truncated, occluded, alpha, left, top, right, bottom,
and seven numbers in space that play no part here.

Corners are pixels counted from 0, edges as here: the devkit measures a box as right − left.
"""

from cvtasks.formats.reading import is_number
from cvtasks.formats.shapes import Gathered, ImageShapes, Shape, misdrawn, number
from cvtasks.text import class_name

_NO_MATTER = "DontCare"
_FIELDS = (15, 16)  # a score may stand at the end


def parse_kitti(text: str, name: str) -> ImageShapes:
    """Read the text of one image. A `DontCare` is a region where no class counts."""
    found = Gathered()
    for index, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        place = f"line {index} of {name!r}"
        fields = line.split()
        # a name of several words, as it should not be
        label, numbers = " ".join(fields[:-14]), fields[-14:]
        if len(fields) == _FIELDS[1] and is_number(fields[1]):
            label, numbers = fields[0], fields[1:15]
        try:
            if len(fields) < _FIELDS[0]:
                raise ValueError(f"it has {len(fields)} entries, not {_FIELDS[0]}")
            left, top, right, bottom = (number(side, "a corner") for side in numbers[3:7])
        except ValueError as error:
            found.faults.append(misdrawn(place, error))
            continue
        ignored = label.casefold() == _NO_MATTER.casefold()
        found.shapes.append(
            Shape(
                "" if ignored else class_name(label),
                f"{place} ({label[:80]})",
                (left, top, right, bottom),
                crowd=ignored,
                everywhere=ignored,
            )
        )
    return found.of("", name)


def is_kitti(line: str) -> bool:
    """Whether a line is one of KITTI's: a word, and fourteen numbers or fifteen behind it."""
    fields = line.split()
    return (
        len(fields) >= _FIELDS[0] and not is_number(fields[0]) and all(map(is_number, fields[-14:]))
    )
