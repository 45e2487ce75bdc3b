"""What formats cannot say, where several of them cannot."""

from cvtasks.answers import VOID
from cvtasks.data.writing.writer import Loss


def left_out(tool: str) -> Loss:
    """That a format knows objects alone that are to be found."""
    return Loss(
        f"{tool} knows neither difficult objects nor crowds, these were left out",
        lambda truth: int((~truth.counted).sum()),
    )


def beside(tool: str) -> Loss:
    """That a tool holds outlines that people can correct."""
    return Loss(f"{tool} holds outlines, whose edges may lie a pixel beside; objects", len)


def no_void(tool: str) -> Loss:
    """That a tool has no area of no class."""
    return Loss(
        f"{tool} draws no void, which became background; masks with it",
        lambda truth: int((truth.ids == VOID).any()),
    )
