"""What a format is: a layout on the disk, how it is recognised, and how it is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from cvtasks.answers import Answer
from cvtasks.data.hints import NONE, Hints
from cvtasks.data.source import Source
from cvtasks.errors import Complain, strictly
from cvtasks.formats.encodings import hearing, said_of
from cvtasks.text import some


def undivided(root: Path) -> tuple[str, ...]:
    """The splits of data that have none: one with an empty name."""
    return ("",)


def never(root: Path) -> bool:
    """False, whatever lies there."""
    return False


class Doubt(IntEnum):
    """How much speaks against a format where `is_at` finds it, beside others that lie there too.

    Those are meant that are least in doubt.
    """

    NONE = 0
    LITTLE_TELLS_IT = 1
    """Any folder of the kind would look so."""
    OTHERS_TELL_MORE = 2
    """What would be read as its labels need not be labels, and other files there are."""


def undoubted(root: Path) -> Doubt:
    """No doubt, whatever lies there."""
    return Doubt.NONE


def doubtful(root: Path) -> Doubt:
    """Little tells a format, whatever lies there."""
    return Doubt.LITTLE_TELLS_IT


@dataclass(frozen=True)
class Format:
    """A layout on the disk for one kind of truth; a row of `FORMATS`.

    Attributes:
        name: said aloud when it was recognised.
        layout: what must lie at its root, in a few words.
        kind: the type of its truths.
        is_at: root → whether this format lies there.
        perhaps_at: root → whether what lies there may be meant as this format, where none lies.
        opens: (root, split, complain) → the source of one split, as `open` says; what it heeds of
            the hints is added by name.
        splits_at: root → the names of its splits; one empty name where all of it is one split.
        file: what a file is called that may stand for its root; empty where only a folder may.
        chosen: what stands behind the format's name and a colon → the format that reads so; None
            where nothing may.
        doubt: root where it lies → how much speaks against its being meant.
        heeds: the hints that it heeds, by their names.
        needs: the hint without which it is not looked for; empty for none.
        also: the names of other formats that lie at the place which was recognised and say the
            same.
    """

    name: str
    layout: str
    kind: type[Answer]
    is_at: Callable[[Path], bool]
    opens: Callable[..., Source]
    splits_at: Callable[[Path], tuple[str, ...]] = undivided
    file: str = ""
    doubt: Callable[[Path], Doubt] = undoubted
    chosen: Callable[[str], "Format"] | None = None
    heeds: tuple[str, ...] = ()
    needs: str = ""
    also: tuple[str, ...] = ()
    perhaps_at: Callable[[Path], bool] = never

    def open(
        self, root: Path, split: str, complain: Complain = strictly, hints: Hints | None = None
    ) -> Source:
        """The source of one split of the data set at `root`.

        Args:
            complain: about a file that is missing, a sample that is listed twice, an object that
                cannot be used. If it returns, that is left out.
            hints: what is said beside the data; what plays no part is noted by the source.

        Raises:
            DataError: the split does not exist, or its list cannot be read.
        """
        from cvtasks.data.formats.listing import unread_beside  # its package has rows of this class

        hints = hints or NONE
        heeded = {name: getattr(hints, name) for name in self.heeds}
        with hearing() as heard:
            source = self.opens(root, split, complain, **heeded)
        source.format = self.name
        source.notes = (*source.notes, *said_of(heard))
        idle = [f"`data.{key}`" for key in hints.given if key not in self.heeds]
        if idle:
            source.notes = (*source.notes, f"{', '.join(idle)}: of no effect on {self.name}")
        if passed_over := unread_beside(source.files, root):
            source.notes = (*source.notes, passed_over)
        if self.also:
            said = f"read as {self.name}; {some(self.also, 3)} lies there too, and says the same"
            source.notes = (*source.notes, said)
        return source
