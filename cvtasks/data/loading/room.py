"""Memory that several processes see: what one of them puts there, another one takes.

It has no name. So nothing is left of it once all processes that know it have ended, however they
ended, and no mount of the system (`/dev/shm`, 64 MB in a container) bounds it on Linux.
"""

import mmap
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from cvtasks.data.loading.preparing import Item

_ALIGNED = 64  # bytes: an array begins where a line of a processor's cache does


@dataclass(frozen=True)
class Place:
    """Where an array lies.

    Attributes:
        name: of a target's array; "" where the target is one array, None of the image.
        start: in bytes.
    """

    name: str | None
    shape: tuple[int, ...]
    kind: str
    start: int


@dataclass(frozen=True)
class Laid:
    """An item that lies in a room: its arrays, its name, and the bytes that the room needs."""

    places: Sequence[Place]
    name: str
    size: int


def new_room() -> int:
    """A file descriptor of memory that can be mapped, inherited and made larger; empty."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("cvtasks")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@final
class Room:
    """Room for one item at a time, behind a file descriptor; larger as soon as an item needs it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None

    def lay(self, item: Item) -> Laid:
        """Put an item there."""
        image, target, name = item
        arrays: list[tuple[str | None, np.ndarray]] = [(None, np.asarray(image))]
        named = target.items() if isinstance(target, Mapping) else [("", target)]
        arrays += [(key, np.asarray(array)) for key, array in named]
        places, size = [], 0
        for key, array in arrays:
            places.append(Place(key, array.shape, array.dtype.str, size))
            size += -(-array.nbytes // _ALIGNED) * _ALIGNED
        if size > os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, size)
        for place, (_, array) in zip(places, arrays, strict=True):
            self._view(place, size)[...] = array
        return Laid(places, name, size)

    def take(self, laid: Laid) -> Item:
        """A copy of the item that was put there last."""
        image, *targets = (self._view(place, laid.size).copy() for place in laid.places)
        names = [place.name for place in laid.places[1:]]
        if names == [""]:
            return image, targets[0], laid.name
        return image, dict(zip(names, targets, strict=True)), laid.name

    def _view(self, place: Place, size: int) -> np.ndarray:
        if self._map is None or len(self._map) < size:
            self._map = mmap.mmap(self._descriptor, size)
        return np.ndarray(place.shape, np.dtype(place.kind), self._map, place.start)
