"""Decoded images in memory that all workers share, threads and processes: what was decoded once is
not decoded again.

The memory has no name, as that of `cvtasks.data.loading.room`: nothing of it is left once a run has
ended, however it did. It is filled until it is full, and nothing is thrown out for something else:
an epoch asks for every image once, and what is used least recently is what comes next.
"""

import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from cvtasks.answers import Answer, Sample
from cvtasks.data.loading.room import new_room
from cvtasks.data.source import Source
from cvtasks.data.views import View
from cvtasks.errors import ModelError
from cvtasks.text import counted

Stamp = tuple[int, int]
"""Size and time of a file."""

_ROW = np.dtype([("stamp", "<i8", 2), ("start", "<i8"), ("shape", "<i8", 3)])
_HEAD = 64  # bytes: at their beginning, where the next image goes
_ALIGNED = 64


@final
class Cached(View):
    """A source whose images are kept once they are decoded, as far as there is room.

    An image is decoded again when its file has another size or time by then. Images that are no
    files of their own are not kept.

    Args:
        limit: bytes of memory at most, the list of what is kept included.
    """

    def __init__(self, source: Source, limit: int) -> None:
        super().__init__(source)
        self._kept = _Kept(len(source), limit)

    @property
    def descriptors(self) -> tuple[int, ...]:  # type: ignore[override]
        """What another process must inherit."""
        return (*self.source.descriptors, self._kept.descriptor)

    def __getitem__(self, index: int) -> Sample[Answer]:
        stamp = self._stamp(index)
        if stamp is None:
            return self.source[index]
        image = self._kept.get(index, stamp)
        if image is not None:
            return Sample(image, self.source.truth(index), self.source.name(index))
        sample = self.source[index]
        self._kept.put(index, stamp, sample.image)
        return sample

    def _stamp(self, index: int) -> Stamp | None:
        """Size and time of an image's file; None where it has none, or none that can be read."""
        if not self.files:
            return None
        try:
            facts = os.stat(self.files[index])  # noqa: PTH116 - in the path of every sample
        except (OSError, ValueError):
            return None  # reading it says what is wrong
        return facts.st_size, facts.st_mtime_ns


def cache_words(source: Source, limit: int) -> str:
    """What is kept of a source, in words; its first image stands for all."""
    if not source.files:
        return "data.cache: nothing is kept, as the images are no files of their own"
    size, count = source[0].image.nbytes, len(source)
    fit = limit // (size + _ROW.itemsize)
    much = "all of" if fit >= count else f"about {fit:,} of"
    return f"data.cache: {limit / 1e9:g} GB hold {much} {counted(count, 'decoded image', ',')}"


class _Kept:
    """Arrays (h, w, 3) uint8 by index, in memory behind a descriptor: first where the next one
    goes, then a row for each index, then the arrays.

    What is there is read and written by the system's calls and not mapped: where there is no room
    after all, they say so, and one that has read a row finds what was written before it.
    """

    def __init__(self, number: int, limit: int, descriptor: int | None = None) -> None:
        self._number, self._limit = number, limit
        first = _HEAD + -(-number * _ROW.itemsize // _ALIGNED) * _ALIGNED
        if first >= limit:
            raise ModelError(
                f"`data.cache` must be larger than the list of its {counted(number, 'image')}, "
                f"{first:,} bytes; got {limit:,}. Give it room for images, or leave it out."
            )
        self.descriptor = new_room() if descriptor is None else descriptor
        weakref.finalize(self, os.close, self.descriptor)
        self._lock = threading.RLock()
        if descriptor is None:
            self._write(0, first.to_bytes(8, "little"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Kept, (self._number, self._limit, self.descriptor)

    def get(self, index: int, stamp: Stamp) -> np.ndarray | None:
        """A copy of what was put there with this stamp; None where nothing was."""
        row = self._row(index)
        if row is None or tuple(row["stamp"]) != stamp:
            return None
        image = np.empty(row["shape"], np.uint8)
        return image if self._read(int(row["start"]), image) else None

    def put(self, index: int, stamp: Stamp, image: np.ndarray) -> None:
        """Keep an image, if there is room and none was kept for the index."""
        if image.dtype != np.uint8 or image.ndim != 3 or self._row(index) is not None:
            return
        try:
            start = self._reserved(image.nbytes)
            if start:
                self._write(start, np.ascontiguousarray(image).data)
                row = np.array((stamp, start, image.shape), _ROW)
                self._write(_HEAD + index * _ROW.itemsize, row.tobytes())
        except OSError:  # no room after all: what is not kept is decoded
            return

    def _row(self, index: int) -> np.ndarray | None:
        row = np.zeros((), _ROW)
        there = self._read(_HEAD + index * _ROW.itemsize, row)
        return row if there and row["start"] else None

    def _reserved(self, size: int) -> int:
        """Where so many bytes are for whoever asked; 0 where they are not to be had."""
        size = -(-size // _ALIGNED) * _ALIGNED
        with self._lock, _alone(self.descriptor):
            head = np.zeros((), "<i8")
            start = int(head) if self._read(0, head) else 0
            if not start or start + size > self._limit:
                return 0
            self._write(0, (start + size).to_bytes(8, "little"))
            return start

    def _read(self, start: int, array: np.ndarray) -> bool:
        """Fill an array with what begins there; False where it ends before."""
        view = array.reshape(-1).view(np.uint8).data
        while view:
            count = self._part(start, view)
            if not count:
                return False
            start, view = start + count, view[count:]
        return True

    def _part(self, start: int, view: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self.descriptor, [view], start)
        with self._lock:
            os.lseek(self.descriptor, start, os.SEEK_SET)
            content = os.read(self.descriptor, len(view))
        view[: len(content)] = content
        return len(content)

    def _write(self, start: int, content: "bytes | memoryview") -> None:
        view = memoryview(content).cast("B")
        while view:
            count = self._put(start, view)
            start, view = start + count, view[count:]

    def _put(self, start: int, view: memoryview) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self.descriptor, view, start)
        with self._lock:
            os.lseek(self.descriptor, start, os.SEEK_SET)
            return os.write(self.descriptor, view)


@contextmanager
def _alone(descriptor: int) -> Iterator[None]:
    """Keep other processes from it; one that is killed meanwhile keeps nobody."""
    if sys.platform == "win32":  # where no process but this one fills it
        yield
        return
    import fcntl

    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
