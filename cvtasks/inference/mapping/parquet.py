"""Shards as Parquet: the same columns in every shard of a task, whatever its records hold."""

import os
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask
from cvtasks.errors import UsageError
from cvtasks.text import encodable

_ROWS = 1000  # of a group; they wait in memory


class Parquet:
    """Records as rows of a Parquet file. What JSON has by name, shares and run lengths of classes,
    is a map.

    Args:
        kind: of the answers.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path, kind: type[Answer]) -> None:
        self._arrow, writer = import_module("pyarrow"), import_module("pyarrow.parquet")
        self._path, self._rows = path, list[dict[str, Any]]()
        self._schema = _schema(self._arrow, kind)
        self._writer = writer.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, record: dict[str, Any]) -> None:
        """Add one; OSError where the disk is full."""
        self._rows.append(_plain(record))
        if len(self._rows) == _ROWS:
            self._send()

    def finish(self) -> Path:
        """Bring it to the disk and close it; returns where it is."""
        self._send()
        self._writer.close()
        with self._path.open("rb+") as file:
            os.fsync(file.fileno())
        return self._path

    def close(self) -> None:
        """Close it, whatever is in it."""
        self._rows = []
        with suppress(OSError):  # whatever went wrong before is what is told
            self._writer.close()

    def _send(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._writer.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))


def check_parquet() -> None:
    """Raise UsageError unless Parquet can be written here."""
    if not find_spec("pyarrow"):
        raise UsageError(
            'a Parquet file needs pyarrow, which is not installed. Install it: pip install "cvtasks'
            '[parquet]"'
        )


def _schema(arrow: Any, kind: type[Answer]) -> Any:
    text, number = arrow.string(), arrow.float64()
    run_lengths = arrow.struct([("size", arrow.list_(arrow.int32())), ("counts", text)])
    named = [("name", text), ("score", number)]
    boxed = [*named, ("xyxy", arrow.list_(number))]
    answers: Mapping[type[Answer], tuple[str, Any]] = {
        Labels: ("labels", arrow.list_(arrow.struct(named))),
        Boxes: ("boxes", arrow.list_(arrow.struct(boxed))),
        Instances: ("boxes", arrow.list_(arrow.struct([*boxed, ("mask", run_lengths)]))),
        Mask: (
            "mask",
            arrow.struct(
                [
                    ("size", arrow.list_(arrow.int32())),
                    ("shares", arrow.map_(text, number)),
                    ("rle", arrow.map_(text, run_lengths)),
                ]
            ),
        ),
    }
    return arrow.schema(
        [
            ("id", text),
            ("source", text),
            ("frame", arrow.int64()),
            ("time_s", number),
            ("width", arrow.int32()),
            ("height", arrow.int32()),
            ("task", text),
            ("model", text),
            ("engine", text),
            answers[kind],
        ]
    )


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record as Arrow takes it: text that UTF-8 has, and maps as pairs."""
    row: dict[str, Any] = {
        name: encodable(value) if isinstance(value, str) else value
        for name, value in record.items()
    }
    if "mask" in row:
        mask = dict(row["mask"])
        row["mask"] = mask | {name: [*mask[name].items()] for name in ("shares", "rle")}
    return row
