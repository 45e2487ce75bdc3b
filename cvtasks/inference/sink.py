"""Where answers go: drawings, files of the task, records. The same for every task; no file that
exists is touched.
"""

import csv
import io
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import RLock
from typing import Any, cast

import numpy as np

from cvtasks.answers import Answer, Boxes
from cvtasks.errors import OutputError, UsageError, did_you_mean
from cvtasks.files.lines import Lines
from cvtasks.files.parts import remove_part
from cvtasks.files.writing import (
    as_meant,
    cannot_write,
    check_folder,
    hold,
    made_beside,
    numbered,
    publish,
    write_bytes,
    write_text,
)
from cvtasks.formats.instance_files import see_through_png
from cvtasks.formats.mot import mot_text
from cvtasks.inference.found import Found
from cvtasks.inference.large import to_draw
from cvtasks.media.images import JPEG_SIDE, write_image
from cvtasks.media.names import safe_stem
from cvtasks.tasks.base import Task
from cvtasks.tasks.boxes_task import TRACK_COLUMNS
from cvtasks.text import cell, dumps, listed

RECORDS = ("json", "csv")
_COCO, _CROPS, _MOT = "coco", "crops", "mot"
_ENDINGS = (
    ".jpg",
    ".png",
    ".mp4",
    ".jsonl",
    ".json",
    ".csv",
    ".xml",
    ".txt",
    ".geojson",
    "-mask.png",
    "-masks.png",
)  # of whatever a sink or a task writes
_PLACE = ("source", "frame", "time_s")  # the first columns of the CSV file


class Sink:
    """Writer of answers into a folder.

    Args:
        folder: made when the first file is written.
        kinds: what to write, of "image", "json" (`records.jsonl`), "csv" (`records.csv`), the
            task's own `files` and `files_on_request`, and for boxes "coco": one `coco.json` for all
            images (`cvtasks.formats.coco`). With "yolo" or "yolo-seg", `classes.txt` says what the
            numbers mean. "crops" are the cut-outs of the objects, numbered as in the record, and
            "mot" a text file for each video whose objects are tracked (`cvtasks.formats.mot`).
        tracked: objects of videos have tracks, which stand in the CSV file too.

    Raises:
        UsageError: an unknown kind.
    """

    def __init__(
        self, folder: Path, task: Task, kinds: tuple[str, ...], *, tracked: bool = False
    ) -> None:
        known = (
            "image",
            *task.files,
            *task.files_on_request,
            *([_COCO, _MOT] if issubclass(task.answer, Boxes) else []),
            *RECORDS,
        )
        for kind in kinds:
            if kind not in known:
                raise UsageError(
                    f"{task.name} can save {', '.join(known)}; got {kind!r}. "
                    f"{did_you_mean(kind, known)} "
                    "Separate several by commas."
                )
        if kinds:
            check_folder(folder)
        self._folder, self._task, self._kinds = folder, task, kinds
        self._columns = (*task.columns, *(TRACK_COLUMNS if tracked else ()))
        self._lock = RLock()
        self._there: set[str] | None = None  # what the folder held at the beginning, folded
        self._taken: dict[
            str, int
        ] = {}  # every stem given so far, folded → the last number tried for it
        self._asked: dict[str, str] = {}  # the same → the name that it was given for
        self._held: list[Path] = []
        self._hidden: Path | None = None
        self._leaving = ExitStack()
        self._open: dict[str, Lines] = {}  # ending of the file of records → the file
        self._tracks: dict[str, Lines] = {}  # name of a video → its file of tracks
        self._records_stem: Path | None = None
        self._found = Found()  # for COCO
        self._classes: tuple[str, ...] = ()

    def stem(self, name: str, *, held: bool = False) -> Path:
        """A path in the folder, without an ending, whose files do not exist yet and that is given
        once only.

        Upper and lower case are not told apart, as on some file systems. Threads may call it at the
        same time.

        Args:
            held: other runs leave it alone until the sink is closed, for what takes long or has
                several parts of its name.

        Raises:
            OutputError: it is to be held, and the folder cannot be written.
        """
        with self._lock:
            last = self._taken.get(name.casefold(), 0)
            for number, stem in enumerate(numbered(name, last + 1), last + 1):
                self._taken[name.casefold()] = number
                if (
                    (number == 1 or stem.casefold() not in self._taken)
                    and not self._exists(stem)
                    and (not held or self._hold(stem))
                ):
                    break
            self._taken.setdefault(stem.casefold(), 1)
            self._asked[stem.casefold()] = name
            return self._folder / stem

    def write(
        self, stem: Path, image: np.ndarray, answer: Answer, source: str = "", *, drawn: bool = True
    ) -> list[Path]:
        """Write image and files of one answer; returns them. Threads may call it at the same time.

        They get their names together. Where one of these is taken by now, all are written under the
        next stem that is free.

        Args:
            source: what the record calls the image; the stem's name as an image where it has none.
            drawn: False leaves out the kind "image", for frames that are drawn into a video.

        Raises:
            OutputError: a file cannot be written.
        """
        try:
            while True:
                made = self._make(stem.name, image, answer, source, drawn)
                if not self._exists(stem.name) or not made:
                    with suppress(FileExistsError):
                        publish({part: self._folder / part.name for part in made})
                        return [self._folder / part.name for part in made]
                for part in made:
                    part.unlink()
                stem = self._next(stem)
        except OutputError as error:
            raise as_meant(stem, error) from error
        except OSError as error:
            raise cannot_write(stem, error) from error

    def record(self, record: dict[str, Any], answer: Answer, video: str = "") -> None:
        """Add to the files of records, which appear under their names when the sink is closed. For
        any thread.

        Args:
            video: its name, of a frame, where several may be called alike.

        Raises:
            OutputError: it cannot be written; the records before it stay.
        """
        with self._lock:
            if "json" in self._kinds:
                self._append(".jsonl", dumps(record) + "\n")
            if "csv" in self._kinds:
                place = {name: record.get(name, "") for name in _PLACE}
                text = io.StringIO()
                names = (*_PLACE, *self._columns)
                table = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
                if ".csv" not in self._open:
                    table.writeheader()
                table.writerows(
                    {name: cell(value) for name, value in (place | row).items()}
                    for row in self._task.rows(answer)
                )
                self._append(".csv", text.getvalue())
            self._classes = answer.classes
            if _COCO in self._kinds:
                self._found.add(record, cast("Boxes", answer), video)

    def note(self, record: dict[str, Any]) -> None:
        """Add a record that is about no image to the JSON lines. For any thread.

        Raises:
            OutputError: it cannot be written; the records before it stay.
        """
        with self._lock:
            if "json" in self._kinds:
                self._append(".jsonl", dumps(record) + "\n")

    def add_tracks(self, name: str, boxes: Boxes, frame: int) -> None:
        """Add the tracks of a video's frame, counted from 0, to its file, which appears when the
        sink is closed. For any thread.

        Args:
            name: of the video.

        Raises:
            OutputError: it cannot be written; the frames before it stay.
        """
        if _MOT not in self._kinds:
            return
        with self._lock:
            try:
                if name not in self._tracks:
                    part = self._place() / f"{len(self._tracks)}-{_MOT}.txt"
                    self._tracks[name] = Lines(part)
                self._tracks[name].add(mot_text(boxes, frame))
            except OSError as error:
                raise cannot_write(self._folder / f"{name}-{_MOT}.txt", error) from error

    def close(self) -> list[Path]:
        """Finish the files that are one for all images, also after an error or an interruption;
        returns them.

        Raises:
            OutputError: one cannot be written; those before it are.
        """
        with self._lock:
            try:
                return [
                    *self._publish_records(),
                    *self._publish_tracks(),
                    *self._publish_coco(),
                    *self._publish_classes(),
                ]
            except OutputError as error:
                raise as_meant(self._folder, error) from error
            except OSError as error:
                raise cannot_write(self._folder, error) from error
            finally:
                for file in (*self._open.values(), *self._tracks.values()):
                    file.close()
                self._found, self._classes, self._open, self._hidden = Found(), (), {}, None
                self._tracks = {}
                self._leaving.close()
                while self._held:
                    remove_part(self._held.pop())

    def _make(
        self, name: str, image: np.ndarray, answer: Answer, source: str, drawn: bool
    ) -> list[Path]:
        """Make the files of an answer in the hidden folder, under the names that they
        are to get.
        """
        made = []
        for kind in self._kinds:
            if kind == "image" and drawn:
                drawing = self._task.draw(*to_draw(image, answer))
                made.append(self._place() / f"{name}{_ending(drawing)}")
                write_image(made[-1], drawing)
            elif kind == _CROPS:
                made += self._cut_out(name, image, cast("Boxes", self._task.annotation(answer)))
            elif kind not in ("image", *RECORDS, _COCO, _MOT):
                made.append(
                    self._task.write(kind, self._place() / name, answer, source or f"{name}.jpg")
                )
        return made

    def _cut_out(self, name: str, image: np.ndarray, boxes: Boxes) -> list[Path]:
        """Make an image of each object that has a pixel: its box, or a PNG of its mask."""
        made = []
        for number, (called, part) in enumerate(
            zip(boxes.names, boxes.cut_outs(image), strict=True), start=1
        ):
            stem = self._place() / f"{name}-{number:02d}-{safe_stem(called)}"
            if not part.size:
                continue
            if part.shape[2] == 4:
                made.append(Path(f"{stem}.png"))
                write_bytes(made[-1], see_through_png(part))
            else:
                made.append(Path(f"{stem}{_ending(part)}"))
                write_image(made[-1], part)
        return made

    def _place(self) -> Path:
        """The hidden folder."""
        with self._lock:
            if self._hidden is None:
                self._hidden = self._leaving.enter_context(made_beside(self._folder))
            return self._hidden

    def _append(self, ending: str, text: str) -> None:
        """Add whole lines to a file of records."""
        if self._records_stem is None:
            self._records_stem = self.stem("records")
        try:
            if ending not in self._open:
                self._open[ending] = Lines(self._place() / f"records{ending}")
            self._open[ending].add(text)
        except OSError as error:
            raise cannot_write(self._records_stem.with_suffix(ending), error) from error

    def _publish_records(self) -> list[Path]:
        made = {ending: file.finish() for ending, file in self._open.items()}
        stem, self._records_stem = self._records_stem, None
        return self._publish(stem, made) if stem else []

    def _publish_tracks(self) -> list[Path]:
        paths = []
        for name, file in self._tracks.items():
            paths += self._publish(self.stem(f"{name}-{_MOT}"), {".txt": file.finish()})
        return paths

    def _publish_coco(self) -> list[Path]:
        if not self._found:
            return []
        document = self._found.document(self._classes)
        return self._publish_text("coco", ".json", dumps(document) + "\n")

    def _publish_classes(self) -> list[Path]:
        if not self._classes or {"yolo", "yolo-seg"}.isdisjoint(self._kinds):
            return []
        return self._publish_text(
            "classes", ".txt", "".join(f"{listed(name)}\n" for name in self._classes)
        )

    def _publish_text(self, name: str, ending: str, text: str) -> list[Path]:
        part = self._place() / f"all{ending}"
        write_text(part, text)
        return self._publish(self.stem(name), {ending: part})

    def _publish(self, stem: Path, made: dict[str, Path]) -> list[Path]:
        """Name files by ending, under the stem or the next one that is free."""
        while True:
            paths = [stem.with_name(f"{stem.name}{ending}") for ending in made]
            if not self._exists(stem.name):
                with suppress(FileExistsError):
                    publish(dict(zip(made.values(), paths, strict=True)))
                    return paths
            stem = self._next(stem)

    def _next(self, stem: Path) -> Path:
        """Another stem in place of one under which something has appeared."""
        return self.stem(self._asked.get(stem.name.casefold(), stem.name))

    def _exists(self, stem: str) -> bool:
        if self._there is None:
            try:
                self._there = {name.casefold() for name in os.listdir(self._folder)}  # noqa: PTH208 - names are all that counts
            except OSError:  # it is yet to be made; if it cannot be, whoever writes says so
                self._there = set()
        names = [f"{stem}{ending}" for ending in _ENDINGS]
        return any(name.casefold() in self._there for name in names) or any(
            os.path.lexists(self._folder / name) for name in names
        )

    def _hold(self, stem: str) -> bool:
        try:
            claim = hold(self._folder, stem)
        except FileExistsError:
            check_folder(self._folder)
            return False
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        if claim:
            self._held.append(claim)
        return True


def _ending(image: np.ndarray) -> str:
    """What an image is written as: a JPEG, or a PNG where it is too long for one."""
    return ".jpg" if max(image.shape[:2]) <= JPEG_SIDE else ".png"
