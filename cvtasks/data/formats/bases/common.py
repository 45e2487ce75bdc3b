"""What sources on the disk have in common, whatever their truths."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.reading import read_text
from cvtasks.text import encodable


def counted_remarks(source: Source) -> list[str]:
    """The notes of a source, and what `remarks_of` says of its samples, each with a count."""
    counts: Counter[str] = Counter()
    for index in range(len(source)):
        with suppress(CVTasksError):  # a fault, and no remark
            counts.update(source.remarks_of(index))
    return [*source.notes, *(f"{remark}: {count}" for remark, count in counts.items())]


def class_names(path: Path) -> tuple[str, ...]:
    """The lines of a `classes.txt`, without empty ones.

    Raises:
        DataError: it cannot be read, names nothing, or a class twice.
    """
    names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"{str(path)!r} must name one class a line, each once; got "
            f"{', '.join(names) or 'none'}."
        )
    return names


def distinct(paths: list[Path], root: Path) -> list[str]:
    """A name for each image that no other has: its stem where these differ, else its path from
    `root`, without its ending if that will do. What of it is no UTF-8 is escaped
    (`cvtasks.text.encodable`).
    """
    for names in (
        [path.stem for path in paths],
        [path.relative_to(root).with_suffix("").as_posix() for path in paths],
    ):
        if len(set(names)) == len(names):
            return list(map(encodable, names))
    return [encodable(path.relative_to(root).as_posix()) for path in paths]
