"""One sample, looked at: its image, its truth, and what is odd about either."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data.alike import Look, look_at
from cvtasks.data.checking.finding import Finding
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError
from cvtasks.formats.object_masks import APART, SAME
from cvtasks.formats.reading import MISNAMED, RESIZED, TWICE, UPRIGHT, ZERO_BASED
from cvtasks.media.images import MAX_PIXELS, read_image
from cvtasks.media.safe_paths import read_regular_file

_TINY, _LONG = 8, 20  # pixels of the shorter side; times that the longer one is longer
_SURE = {  # remarks that are likely mistakes
    APART: "mask outside its box",
    MISNAMED: "names another image",
    RESIZED: "size differs",
    SAME: "mask twice",
    TWICE: "box twice",
    UPRIGHT: "EXIF turn",
    ZERO_BASED: "counted from 0",
}


@dataclass(frozen=True)
class Seen:
    """What is kept of a sample.

    Attributes:
        name: its own.
        look: of its image, if that can be read.
        truth: if it can be read, and is no image.
        objects, tiny: how many it has, and how many of them are tiny to the network.
        empty: whether its truth, which can be read, shows nothing; None where it cannot.
        findings: what was found.
    """

    name: str
    look: Look | None
    truth: Answer | None
    objects: int
    tiny: int
    empty: bool | None
    findings: tuple[Finding, ...]


def see(source: Source, index: int, size: int) -> Seen:
    """Look at one sample.

    Args:
        size: side of the network's input in pixels, by which objects are tiny.
    """
    name, file = source.name(index), file_of(source, index)
    findings = []
    for error in source.faults(index):
        unread = "image cannot be read" if error.exit_code == 3 else "truth cannot be read"
        findings.append(Finding("error", error.rule or unread, file, str(error)))
    look = None
    remarks: list[str] = []
    try:
        if not any(finding.rule == "image cannot be read" for finding in findings):
            look = look_at(*_image(source, index, remarks.append), file)
        findings += [
            Finding("note", "changed in reading an image", file, remark) for remark in remarks
        ]
    except CVTasksError as error:
        findings.append(Finding("error", "image cannot be read", file, str(error)))
    try:
        truth = source.truth(index)
    except CVTasksError:  # a fault, which has been told
        return Seen(name, look, None, 0, 0, None, tuple(findings))
    for remark, count in Counter(source.remarks_of(index)).items():
        findings.append(
            Finding(
                *("warning", _SURE[remark]) if remark in _SURE else ("note", remark),
                file,
                remark,
                count,
            )
        )
    if look is not None:
        findings += _suspicions(look)
    findings += _odd(truth, file)
    sides = truth.sides()
    objects, tiny = 0, 0
    if sides is not None and look is not None:
        pixels = sides * np.sqrt(np.prod(look.size)) * size / max(look.size)
        objects, tiny = len(sides), int((pixels < _TINY).sum())
    kept = None if source.truth_files else truth  # thousands of masks would not fit into memory
    return Seen(name, look, kept, objects, tiny, truth.empty, tuple(findings))


def look_alone(source: Source, index: int) -> Look | None:
    """The look of an image, if it can be read."""
    try:
        return look_at(*_image(source, index), file_of(source, index))
    except CVTasksError:
        return None


def file_of(source: Source, index: int) -> str:
    """What findings call a sample."""
    return str(source.files[index]) if source.files else f"sample {index}"


def _image(
    source: Source, index: int, remark: Callable[[str], None] = lambda text: None
) -> tuple[bytes, np.ndarray]:
    """The bytes of an image as it is stored, and its pixels."""
    if not source.files:
        image = source[index].image
        return image.tobytes(), image
    name = repr(str(source.files[index]))
    content = read_regular_file(source.files[index], name, most=8 * MAX_PIXELS)
    return content, read_image(content, name=str(source.files[index]), remark=remark)


def _suspicions(look: Look) -> Iterator[Finding]:
    """What is odd about an image that can be read."""
    height, width = look.size
    if min(height, width) < _TINY or max(height, width) > _LONG * min(height, width):
        yield Finding(
            "warning",
            "odd size",
            look.name,
            f"images have sides of usual lengths; this one is {width} x {height}.",
        )
    if look.plain:
        yield Finding(
            "warning",
            "one colour",
            look.name,
            "an image shows something; all pixels of this one are the same.",
        )


def _odd(truth: Answer, name: str) -> Iterator[Finding]:
    """What is odd about a truth that can be used."""
    for odd in truth.oddities():
        yield Finding("warning" if odd.mistake else "note", odd.rule, name, odd.reason, odd.count)
    if truth.empty:
        yield Finding(
            "note", "empty", name, "nothing is to be found in it; it teaches what is background."
        )
