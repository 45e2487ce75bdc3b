"""Splits that a folder of lists makes of a data set: `train.txt`, `val.txt`, `test.txt`, the name
of a sample a line.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data.formats.listed import Names, SplitLists, lines_of
from cvtasks.data.formats.listing import RECORD, files_in
from cvtasks.data.hints import NONE, Hints
from cvtasks.data.source import Source, check_split, split_parts
from cvtasks.data.views import Subset
from cvtasks.errors import Complain, DataError, ModelError
from cvtasks.formats.encodings import hear_again, hearing, said_of
from cvtasks.formats.reading import MEGABYTE, read_annotation
from cvtasks.text import dumps

_ORDER = ("train", "val", "test")


@dataclass(frozen=True)
class Record:
    """Where lists come from: the path or name of the data set, which split of it was dealt out, the
    format if one was named, what else was said about the data, and the folder of the lists one of
    which was dealt out, where it was not the split itself.
    """

    data: str
    split: str
    format: str = ""
    hints: Hints = NONE
    within: str = ""

    def text(self, **more: object) -> str:
        """The record's file, with what else is to be remembered."""
        own = {"data": self.data, "split": self.split, "format": self.format}
        hints = {"hints": self.hints.table()} if self.hints.given else {}
        within = {"within": self.within} if self.within else {}
        return dumps({**own, **hints, **within, **more}, indent=1) + "\n"


@dataclass(frozen=True)
class Lists:
    """A folder of lists, read: split → the lines of its list, in the order of train, val, test; and
    what reading them settled.
    """

    folder: Path
    lines: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()


class Listed(Subset):
    """The samples of a source that a list names."""

    def __init__(
        self, source: Source, kept: Sequence[int], split: str, notes: Sequence[str] = ()
    ) -> None:
        super().__init__(source, kept)
        self.split = split
        self.notes = (*source.notes, *notes)

    def remarks(self) -> list[str]:
        """The source's, and what is to be said of the lists."""
        return [*self.notes, *self.source.remarks()[len(self.source.notes) :]]


Opens = Callable[[str, Complain], Source]
"""(split, complain) → the source of a split of the data that are listed."""


def read_lists(folder: Path) -> Lists:
    """Read the lists in a folder.

    Raises:
        DataError: there are none, or one cannot be read.
    """
    files = {path.stem: path for path in files_in(folder, ".txt")} if folder.is_dir() else {}
    if not files:
        below = [path.name for path in sorted(folder.glob("fold*"))] if folder.is_dir() else []
        way = f"Name one fold, such as {str(folder / below[0])!r}" if below else "Put them there"
        raise DataError(
            "lists of a split are files such as train.txt and val.txt in one folder; "
            f"{str(folder)!r} has none. {way}."
        )
    ordered = sorted(files, key=lambda name: (_ORDER.index(name) if name in _ORDER else 9, name))
    with hearing() as heard:
        lines = {name: lines_of(files[name]) for name in ordered}
    hear_again(heard)  # an error about names says it too
    return Lists(folder, lines, said_of(heard))


def open_listed(
    lists: Lists, split: str, complain: Complain, opens: Opens, splits: Sequence[str]
) -> Listed:
    """The samples that the list of a split names.

    Args:
        complain: about lines that name nothing of the data, and images that are named again or in
            two lists; if it returns, the lines are passed over, and images stay in both lists.
        opens, splits: of the data.

    Raises:
        DataError: there is no such list, or it names nothing of the data.
    """
    name = check_split(split, lists.lines, lists.folder)
    files = {one: lists.folder / f"{one}.txt" for one in lists.lines}
    source = opens(_base(lists, name, opens, splits), complain)
    names = Names.of(source)
    kept = SplitLists(files, lists.lines).named(name, names, complain)
    return Listed(source, kept, name, [*lists.notes, *_in_none(lists, names, source)])


def _in_none(lists: Lists, names: Names, source: Source) -> Iterator[str]:
    """A note on images that came after the data were dealt out: those in no list; none where there
    are none, or lists may leave out what they like: those without a record, and those of a list.
    """
    if not _has_record(lists.folder) or record_of(lists.folder).within:
        return
    listed = {names.find(line) for lines in lists.lines.values() for line in lines}
    rest = [index for index in range(len(source)) if index not in listed]
    if not rest:
        return
    first = ", ".join(source.name(index) for index in rest[:3])
    yield (
        f"images of the data that are in no list, and not used: {len(rest)} ({first}"
        f"{' …' if len(rest) > 3 else ''}); add them to one, such as train.txt"
    )


def located(
    path: str, lists: str, format: str, hints: Hints | None = None
) -> tuple[str, str, str, Hints]:
    """The data set, the lists, the format and the hints that are meant by a path, which may be that
    of lists with their record.

    Raises:
        DataError: the record cannot be read.
    """
    hints = hints or NONE
    if lists or not path or not _has_record(Path(path)):
        return path, lists, format, hints
    record = record_of(Path(path))
    return record.data, path, format or record.format, hints.beside(record.hints)


def record_of(folder: Path) -> Record:
    """The record beside lists.

    Raises:
        DataError: it cannot be read, or does not say where the data are.
    """
    path = folder / RECORD
    try:
        document = json.loads(read_annotation(path, 100 * MEGABYTE))
        texts = [document[key] for key in ("data", "split", "format")]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("each is a text")
        data, split, format = texts
        hints, within = Hints.read(document.get("hints", {})), document.get("within", "")
        record = Record(data, split, format, hints, str(within))
    except (ValueError, KeyError, TypeError, ModelError) as error:
        raise DataError(
            f"a record of lists is JSON with `data`, `split` and `format`; {str(path)!r} is none. "
            "Split the data again."
        ) from error
    return record


def _has_record(folder: Path) -> bool:
    try:
        return (folder / RECORD).is_file()
    except (OSError, ValueError):  # no file can have this name
        return False


def _base(lists: Lists, name: str, opens: Opens, splits: Sequence[str]) -> str:
    """The split of the data that a list chooses from: what was dealt out, or the only one, or the
    one that has most of the names, joined with those that have the rest where the format joins
    splits, as the years of a devkit.
    """
    said = record_of(lists.folder).split if _has_record(lists.folder) else ""
    if len(splits) == 1 or said in splits:
        return said if said in splits else splits[0]
    if said and all(part in splits for part in split_parts(said)):
        return said
    sought, found = set(lists.lines[name]), dict[str, set[str]]()
    for split in splits:
        names = Names.of(opens(split, lambda error: None))
        found[split] = {line for line in sought if names.find(line) is not None}
    parts: list[str] = []
    while found:
        best = max(found, key=lambda split: len(found[split] & sought))
        if parts and not found[best] & sought:
            break
        parts.append(best)
        sought -= found.pop(best)
    whole = "+".join(parts)
    try:
        opens(whole, lambda error: None)
    except DataError:  # the format joins no splits
        return parts[0]
    return whole
