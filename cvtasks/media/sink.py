"""Where answers go: drawings, files of the task, records. The same for every task; no file that exists is touched."""

import csv
from contextlib import ExitStack
from pathlib import Path, PurePath
from threading import Lock
from typing import Any, TextIO

import numpy as np

from cvtasks.answers import Answer, Boxes
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.files import cannot_write, write_text, written_whole
from cvtasks.formats.coco import coco_document
from cvtasks.media.pictures import write_picture
from cvtasks.tasks import Task
from cvtasks.text import cell, dumps, listed

RECORDS = ("json", "csv")
_COCO = "coco"
_ENDINGS = (".jpg", ".mp4", ".jsonl", ".json", ".csv", ".xml", ".txt", "-mask.png")  # of whatever a sink or a task writes


class Sink:
    """Writes answers into a folder.

    Args:
        folder: made when the first file is written.
        kinds: what to write, of "picture", "json" (`records.jsonl`), "csv" (`records.csv`), the task's own `files` and
            `files_on_request`, and for boxes "coco": one `coco.json` for all pictures (`cvtasks.formats.coco`). With "yolo",
            `classes.txt` says what the numbers mean.

    Raises:
        UsageError: an unknown kind.
    """

    def __init__(self, folder: Path, task: Task, kinds: tuple[str, ...]) -> None:
        known = ("picture", *task.files, *task.files_on_request, *([_COCO] if task.answer is Boxes else []), *RECORDS)
        for kind in kinds:
            if kind not in known:
                raise UsageError(
                    f"{task.name} can save {', '.join(known)}; got {kind!r}. {did_you_mean(kind, known)} "
                    "Separate several by commas."
                )
        self._folder, self._task, self._kinds = folder, task, kinds
        self._naming = Lock()
        self._taken: dict[str, int] = {}  # every stem given so far, folded → the last number tried for it
        self._open: dict[str, TextIO] = {}
        self._records_stem: Path | None = None
        self._finish = ExitStack()
        self._records: list[Path] = []
        self._boxes: dict[PurePath, Boxes] = {}  # picture → what was found, for COCO
        self._classes: tuple[str, ...] = ()

    def stem(self, name: str) -> Path:
        """A path in the folder, without an ending, whose files do not exist yet and that is given once only.

        Upper and lower case are not told apart, as on some file systems. Threads may call it at the same time.
        """
        with self._naming:
            stem = name
            while stem.casefold() in self._taken or any(self._exists(stem)):
                number = self._taken.get(name.casefold(), 1) + 1
                self._taken[name.casefold()] = number
                stem = f"{name}-{number}"
            self._taken.setdefault(stem.casefold(), 1)
            return self._folder / stem

    def write(self, stem: Path, image: np.ndarray, answer: Answer, source: str = "", *, drawn: bool = True) -> list[Path]:
        """Write picture and files of one answer; returns them. Threads may call it at the same time.

        Args:
            source: what the record calls the picture; the stem's name where it has none.
            drawn: False leaves out the kind "picture", for frames that are drawn into a video.
        """
        written = []
        for kind in self._kinds:
            if kind == "picture" and not drawn:
                continue
            if kind == "picture":
                path = stem.with_name(f"{stem.name}.jpg")
                write_picture(path, self._task.draw(image, answer))
                written.append(path)
            elif kind not in (*RECORDS, _COCO):
                written.append(self._task.write(kind, stem, answer, source or stem.name))
        return written

    def record(self, record: dict[str, Any], answer: Answer) -> None:
        """Add to the files of records, which appear under their names when the sink is closed."""
        if "json" in self._kinds:
            self._file("records.jsonl").write(dumps(record) + "\n")
        if "csv" in self._kinds:
            new = "records.csv" not in self._open
            place = {name: record.get(name, "") for name in ("source", "frame", "time_s")}
            rows = [place | row for row in self._task.rows(answer)]
            if rows:
                table = csv.DictWriter(self._file("records.csv"), list(rows[0]), lineterminator="\n")
                if new:
                    table.writeheader()
                table.writerows({name: cell(value) for name, value in row.items()} for row in rows)
        if isinstance(answer, Boxes):
            self._classes = answer.classes
            if _COCO in self._kinds:
                self._boxes[_picture(record)] = answer

    def close(self) -> list[Path]:
        """Finish the files that are one for all pictures, also after an error or an interruption; returns them."""
        try:
            for file in self._open.values():
                file.close()
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        self._open.clear()
        self._finish.close()
        if self._boxes:
            names = [path.name for path in self._boxes]
            if len(set(names)) < len(names):
                names = [path.as_posix() for path in self._boxes]
            document = coco_document(zip(names, self._boxes.values(), strict=True), self._classes, scores=True)
            self._add(self.stem("coco").with_suffix(".json"), dumps(document) + "\n")
        if self._classes and "yolo" in self._kinds:
            self._add(self.stem("classes").with_suffix(".txt"), "".join(f"{listed(name)}\n" for name in self._classes))
        self._boxes, self._classes = {}, ()
        return self._records

    def _add(self, path: Path, text: str) -> None:
        write_text(path, text)
        self._records.append(path)

    def _file(self, name: str) -> TextIO:
        if name not in self._open:
            self._records_stem = self._records_stem or self.stem("records")
            path = self._records_stem.with_suffix(Path(name).suffix)
            part = self._finish.enter_context(written_whole(path))
            self._open[name] = part.open("w", encoding="utf-8", newline="")
            self._records.append(path)
        return self._open[name]

    def _exists(self, stem: str) -> list[bool]:
        return [(self._folder / f"{stem}{ending}").exists() for ending in _ENDINGS]


def _picture(record: dict[str, Any]) -> PurePath:
    """The file that a record is about; a frame of a video is called as if it had been saved beside it."""
    path = PurePath(record["source"])
    return path.with_name(f"{path.stem}-{record['frame']:06d}.jpg") if "frame" in record else path
