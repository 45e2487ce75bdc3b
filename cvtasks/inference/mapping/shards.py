"""Shards: the records of one piece in a file, and its errors in another."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from cvtasks.answers import Answer
from cvtasks.errors import OutputError, UsageError, did_you_mean
from cvtasks.files.lines import Lines
from cvtasks.files.writing import as_meant, cannot_write, publish
from cvtasks.inference.mapping.parquet import Parquet, check_parquet
from cvtasks.text import dumps


class Shard(Protocol):
    """A file that takes records."""

    def add(self, record: dict[str, Any]) -> None:
        """Add one."""

    def finish(self) -> Path:
        """Bring it to the disk and close it; returns where it is."""

    def close(self) -> None:
        """Close it, whatever is in it."""


class JsonLines:
    """A record a line."""

    def __init__(self, path: Path, kind: type[Answer] = Answer) -> None:
        self._lines = Lines(path)

    def add(self, record: dict[str, Any]) -> None:
        """Add one; OSError where the disk is full."""
        self._lines.add(dumps(record) + "\n")

    def finish(self) -> Path:
        """Bring it to the disk and close it; returns where it is."""
        return self._lines.finish()

    def close(self) -> None:
        """Close it, whatever is in it."""
        self._lines.close()


SHARDS: dict[str, Callable[[Path, type[Answer]], Shard]] = {
    "jsonl": JsonLines,
    "parquet": Parquet,
}
"""Ending of a shard → what writes it."""


def shard_path(folder: Path, number: int, form: str) -> Path:
    """The file of a piece's records; it is there once the piece is done."""
    return folder / f"part-{number:05d}.{form}"


def errors_path(folder: Path, number: int) -> Path:
    """The file of a piece's inputs that could not be read; there are pieces without."""
    return folder / f"errors-{number:05d}.jsonl"


class ShardPair:
    """The two files of a piece, made in a hidden folder.

    Args:
        hidden: where they are made. folder: where they are to be.
        number: of the piece. form: a row of `SHARDS`. kind: of the answers.

    Attributes:
        done: records so far. failed: errors so far.
    """

    def __init__(
        self, hidden: Path, folder: Path, number: int, form: str, kind: type[Answer]
    ) -> None:
        self._folder, self._number, self._form = folder, number, form
        self.done = self.failed = 0
        self._hidden = hidden
        try:
            self._records = SHARDS[form](hidden / shard_path(folder, number, form).name, kind)
        except OSError as error:
            raise self._meant(error) from error
        self._errors: JsonLines | None = None

    def add(self, record: dict[str, Any]) -> None:
        """Add a record; OutputError where that cannot be done."""
        try:
            self._records.add(record)
        except OSError as error:
            raise self._meant(error) from error
        self.done += 1

    def note(self, fault: dict[str, Any]) -> None:
        """Add an error; OutputError where that cannot be done."""
        try:
            if self._errors is None:
                self._errors = JsonLines(self._hidden / errors_path(self._folder, 0).name)
            self._errors.add(fault)
        except OSError as error:
            raise self._meant(error) from error
        self.failed += 1

    def publish(self) -> bool:
        """Give the files their names; False where another has done the piece meanwhile.

        The errors come first, so that a piece that is done has all of them; those of a run that was
        killed in between are replaced.

        Raises:
            OutputError: they cannot be written.
        """
        part = shard_path(self._folder, self._number, self._form)
        errors = errors_path(self._folder, self._number)
        try:
            made = self._records.finish()
            faults = self._errors.finish() if self._errors else None
            if part.exists():
                return False
            if faults:
                faults.replace(errors)
            else:
                errors.unlink(missing_ok=True)
            with suppress(FileExistsError):
                publish({made: part})
                return True
            return False
        except OutputError as error:
            raise as_meant(part, error) from error
        except OSError as error:
            raise self._meant(error) from error

    def close(self) -> None:
        """Close the files, whatever is in them."""
        self._records.close()
        if self._errors:
            self._errors.close()

    def _meant(self, error: OSError) -> OutputError:
        return cannot_write(shard_path(self._folder, self._number, self._form), error)


def check_form(form: str) -> None:
    """Raise UsageError unless shards can be written so."""
    if form not in SHARDS:
        raise UsageError(
            f"shards are written as {', '.join(SHARDS)}; got {form!r}. {did_you_mean(form, SHARDS)}"
        )
    if form == "parquet":
        check_parquet()


def failures(folder: Path, form: str) -> int:
    """How many inputs could not be read by the finished pieces of a folder."""
    paths = (errors_path(folder, number) for number in finished(folder, form))
    ids = set[str]()  # a video of several pieces may be listed by more than one
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                ids.update(json.loads(line)["id"] for line in file)
    return len(ids)


def remove(folder: Path, number: int, form: str) -> None:
    """Remove the files of a piece that is to be done again.

    Raises:
        OutputError: that cannot be done.
    """
    part = shard_path(folder, number, form)
    try:
        part.unlink(missing_ok=True)  # first: without it the piece is not done
        errors_path(folder, number).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(part, error) from error


def finished(folder: Path, form: str) -> Iterator[int]:
    """The numbers of the pieces that are done."""
    for path in folder.glob(f"part-*.{form}"):
        number = path.stem.removeprefix("part-")
        if number.isdecimal():
            yield int(number)
