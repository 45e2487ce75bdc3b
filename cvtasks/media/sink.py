"""Where answers go: drawings, files of the task, records. The same for every task; no file that exists is touched."""

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from cvtasks.answers import Answer
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.files import cannot_write, written_whole
from cvtasks.media.pictures import write_picture
from cvtasks.tasks import Task

RECORDS = ("json", "csv")


class Sink:
    """Writes answers into a folder.

    Args:
        folder: made when the first file is written.
        kinds: what to write, of "picture", "json" (`records.jsonl`), "csv" (`records.csv`) and the task's own `files`.

    Raises:
        UsageError: an unknown kind.
    """

    def __init__(self, folder: Path, task: Task, kinds: tuple[str, ...]) -> None:
        known = ("picture", *task.files, *RECORDS)
        for kind in kinds:
            if kind not in known:
                raise UsageError(
                    f"{task.name} can save {', '.join(known)}; got {kind!r}. {did_you_mean(kind, known)} "
                    "Separate several by commas."
                )
        self._folder, self._task, self._kinds = folder, task, kinds
        self._taken: dict[str, int] = {}  # every stem given so far, folded → the last number tried for it
        self._open: dict[str, TextIO] = {}
        self._records_stem: Path | None = None
        self._finish = ExitStack()
        self._records: list[Path] = []

    def stem(self, name: str) -> Path:
        """A path in the folder, without an ending, whose files do not exist yet and that is given once only.

        Upper and lower case are not told apart, as on some file systems. Not to be called by two threads at a time.
        """
        stem = name
        while stem.casefold() in self._taken or any(self._exists(stem)):
            number = self._taken.get(name.casefold(), 1) + 1
            self._taken[name.casefold()] = number
            stem = f"{name}-{number}"
        self._taken.setdefault(stem.casefold(), 1)
        return self._folder / stem

    def write(self, stem: Path, image: np.ndarray, answer: Answer) -> list[Path]:
        """Write picture and files of one answer; returns them. Threads may call it at the same time."""
        written = []
        for kind in self._kinds:
            if kind == "picture":
                path = stem.with_name(f"{stem.name}.jpg")
                write_picture(path, self._task.draw(image, answer))
                written.append(path)
            elif kind not in RECORDS:
                written.append(self._task.write(kind, stem, answer))
        return written

    def record(self, record: dict[str, Any], answer: Answer) -> None:
        """Add to the files of records, which appear under their names when the sink is closed."""
        if "json" in self._kinds:
            self._file("records.jsonl").write(json.dumps(record) + "\n")
        if "csv" in self._kinds:
            new = "records.csv" not in self._open
            rows = [{"source": record["source"], **row} for row in self._task.rows(answer)]
            if rows:
                table = csv.DictWriter(self._file("records.csv"), list(rows[0]), lineterminator="\n")
                if new:
                    table.writeheader()
                table.writerows(rows)

    def close(self) -> list[Path]:
        """Finish the files of records, also after an error or an interruption; returns them."""
        try:
            for file in self._open.values():
                file.close()
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        self._open.clear()
        self._finish.close()
        return self._records

    def _file(self, name: str) -> TextIO:
        if name not in self._open:
            self._records_stem = self._records_stem or self.stem("records")
            path = self._records_stem.with_suffix(Path(name).suffix)
            part = self._finish.enter_context(written_whole(path))
            self._open[name] = part.open("w", encoding="utf-8", newline="")
            self._records.append(path)
        return self._open[name]

    def _exists(self, stem: str) -> list[bool]:
        endings = [".jpg", ".jsonl", ".csv", *(f"-{kind}.png" for kind in self._task.files)]
        return [(self._folder / f"{stem}{ending}").exists() for ending in endings]
