"""What a run keeps in its folder: lock, log and history."""

import csv
import io
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvtasks.errors import UsageError
from cvtasks.files import cannot_write, write_text
from cvtasks.training import Epoch, Progress, Report

CHECKPOINTS, LOG = "checkpoints", "log.jsonl"


class Lock:
    """One run a folder: the kernel lets go of the lock when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CHECKPOINTS / "lock"

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UsageError(f"another run works in {str(self._path.parent.parent)!r}. Wait for it or stop it.") from error

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Log:
    """Appends events to `log.jsonl`, and hands them on."""

    def __init__(self, path: Path, report: Report) -> None:
        self._path, self._report = path, report

    def note(self, event: str, **facts: Any) -> None:
        """Append one line: the time, the event, the facts."""
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **facts})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def report(self) -> Report:
        """A report that appends what it is told, and tells the one it wraps."""

        def on_message(text: str) -> None:
            self.note("message", text=text)
            self._report.on_message(text)

        def on_epoch(row: Epoch, best: bool) -> None:
            facts = {"loss": row.loss, "learning_rate": row.learning_rate, "seconds": round(row.seconds, 1), **row.scores}
            self.note("epoch", epoch=row.epoch + 1, best=best, **facts)
            self._report.on_epoch(row, best)

        return replace(self._report, on_message=on_message, on_epoch=on_epoch)


def write_history(folder: Path, progress: Progress) -> None:
    """Write `history.csv`: one row an epoch."""
    names = list(dict.fromkeys(name for row in progress.history for name in row.scores))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["epoch", "loss", "learning_rate", "seconds", *names])
    for row in progress.history:
        numbers = [f"{row.scores[name]:.6f}" if name in row.scores else "" for name in names]
        rows.writerow([row.epoch + 1, f"{row.loss:.6f}", f"{row.learning_rate:.3e}", f"{row.seconds:.1f}", *numbers])
    write_text(folder / "history.csv", text.getvalue())
