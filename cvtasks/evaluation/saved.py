"""Saved predictions, and which of them belongs to which image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import cast

import numpy as np

from cvtasks.answers import Answer, Boxes
from cvtasks.errors import DataError
from cvtasks.media.file_types import SUFFIXES, UNREAD
from cvtasks.text import agreeing


@dataclass(frozen=True)
class Entry:
    """What a file says about one image: `source` is what it calls the image, `place` where it says
    so.
    """

    source: str
    place: str
    answer: Answer


@dataclass(eq=False)
class Saved:
    """The predictions of a file or a folder, handed out once each.

    Attributes:
        path: where they were.
        format: the name of what was recognised there.
        remarks: what reading took for granted or passed over, to be said aloud.
        entries: key → what was said about images of this key; of a path that is its last part
            without the ending of an image.
        key: name of a sample → its key.
        complete: whether an image without an entry is an error; else nothing was found in it.
    """

    path: Path
    format: str
    remarks: tuple[str, ...]
    entries: dict[str, list[Entry]]
    key: Callable[[str], str]
    complete: bool

    def pop(self, name: str, truth: Answer) -> Entry:
        """Take the entry of the sample of that name and `truth` out; where there is none, one
        without any boxes.

        Raises:
            DataError: there must be one and is none, there are several, or another sample took it.
        """
        key, bare = self.key(name), self.key(without_ending(name))
        entries = self.entries.get(key, [])
        alike = [*entries, *(self.entries.get(bare, []) if bare != key else [])]
        parts = tuple(part for part in PurePath(name).parts if part != "..")
        if len(parts) > 1 or (not entries and alike):
            # images of one name lie in several folders, or have several endings
            mine = [entry for entry in alike if _is_called(entry.source, parts)]
        elif key in self.entries and not entries:
            raise DataError(
                f"predictions in {str(self.path)!r} for {key!r} fit several images; {name!r} is "
                "the second."
            )
        else:
            mine = entries
        if len(mine) > 1:
            raise DataError(
                f"every image must have one record; {name!r} comes again in {mine[1].place}. "
                "Remove one of them."
            )
        if mine:
            for one in {key, bare} & self.entries.keys():
                left = [entry for entry in self.entries[one] if entry is not mine[0]]
                self.entries[one] = left
        elif self.complete:
            raise DataError(
                f"every image must have a record, if an empty one; {name!r} has none in "
                f"{str(self.path)!r}."
            )
        # Only files of boxes may lack an image: where it shows nothing.
        return (
            mine[0]
            if mine
            else Entry(
                name,
                f"{name!r} in {str(self.path)!r}",
                cast(Boxes, truth).take(np.zeros(0, np.int64)),
            )
        )

    def check_empty(self) -> None:
        """Raise DataError if an entry belongs to no sample where that is a mistake: it is of
        another split or data set.
        """
        left = [entry for entries in self.entries.values() for entry in entries]
        if left and not self.complete:
            more = len(left) - 1
            others = f", as {agreeing(more, 'does', 'do')} {more} more" if more else ""
            raise DataError(
                f"every prediction must be of an image of the data; {left[0].source!r} "
                f"({left[0].place}) is of none, or fits "
                f"several{others}. Name the split that was predicted."
            )


def plain(name: str) -> str:
    """The last part of a sample's name, which may be a path.

    >>> plain("cat/im_1.rf.abc"), plain("a.b")
    ('im_1.rf.abc', 'a.b')
    """
    return name.rpartition("/")[2]


def without_ending(name: str) -> str:
    """A name or a path without the ending of an image, where it has one.

    >>> without_ending("cat/a.JPG"), without_ending("cat/im_1.rf.abc")
    ('cat/a', 'cat/im_1.rf.abc')
    """
    ending = PurePath(name).suffix
    return name.removesuffix(ending) if ending.casefold() in (*SUFFIXES, *UNREAD) else name


def key_of_path(source: str) -> str:
    """The key of an image that is called by a path: its last part, without its ending."""
    return without_ending(PurePath(source).name)


def _is_called(source: str, parts: tuple[str, ...]) -> bool:
    """Whether what a file calls an image ends in these parts of a sample's name, as it stands or
    without its ending.
    """
    return any(
        PurePath(one).parts[-len(parts) :] == parts for one in (source, without_ending(source))
    )


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file; raises DataError where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise DataError(
            f"predictions must be text in UTF-8; {str(path)!r} is not: its byte {error.start + 1} "
            f"is {error.object[error.start]:#04x}. Save it in UTF-8."
        ) from error
    except OSError as error:
        raise DataError(
            f"predictions must be a file that can be read; {str(path)!r} is not: {error.strerror}. "
            "Check its name and its permissions."
        ) from error
