"""PyTorch's files from before 1.6: pickles one behind the other, and the numbers behind them.

The pickles are a magic number, the version of the layout, the machine that wrote the file, the
object itself with a name for each storage, and the list of these names. Then come the storages in
the order of that list: how many numbers, in 8 bytes, and the numbers, all with the lowest byte
first (torch/serialization.py, `_legacy_save`; torch/csrc/serialization.cpp).
"""

import io
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from cvtasks.weights.torch_pickle import PICKLE_LIMIT, Table, read_pickles
from cvtasks.weights.torch_tensor import Storage, kind_of

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle: the number 0x1950a86a20f9469cfc6c."""

_LAYOUT = 1001
_COUNT = 8  # bytes


def read_legacy(path: Path, names: Collection[str]) -> tuple[Any, Callable[[Any], Storage]]:
    """What such a file says, and what finds a storage by what is said of it.

    Nothing is run, and no number of a tensor is read. The storages must fill the rest of the file
    to its last byte.

    Args:
        path: of a file that begins with `MAGIC`.
        names: of classes and functions that may be named; see `read_pickle`.

    Raises:
        ValueError: the file is damaged, or says too much or something else.
    """
    with path.open("rb") as file:
        head = io.BytesIO(file.read(PICKLE_LIMIT))
        head.seek(len(MAGIC))
        layout, machine = read_pickles(head, ()), read_pickles(head, ())
        little = type(machine) is Table and any(
            key == "little_endian" and value is True for key, value in machine.pairs
        )
        if layout != _LAYOUT or not little:
            raise ValueError(
                f"its layout must be {_LAYOUT}, of a machine that has the lowest byte first; it is "
                "another"
            )
        outside: list[Any] = []
        said, keys = read_pickles(head, names, outside), read_pickles(head, ())
        storages = _storages(file, head.tell(), keys, outside)
    return said, partial(_found, storages)


def _storages(file: IO[bytes], begin: int, keys: Any, outside: list[Any]) -> dict[str, Storage]:
    """The storages that lie from `begin` on, by their names."""
    kinds: dict[str, tuple[np.dtype, bool, int]] = {}
    for about in outside:
        dtype, brain, key, length = kind_of(about, "<")
        if kinds.setdefault(key, (dtype, brain, length)) != (dtype, brain, length):
            raise ValueError(f"storage {key[:20]!r} must be said to be one thing; it is said two")
    if type(keys) is not list or len(keys) != len(kinds) or {*map(str, keys)} != kinds.keys():
        raise ValueError(
            f"its list must name the {len(kinds)} storages of its tensors, each once; it does not"
        )
    found, size = {}, file.seek(0, io.SEEK_END)
    for key in map(str, keys):
        dtype, brain, length = kinds[key]
        file.seek(begin)
        count = int.from_bytes(file.read(_COUNT), "little")
        begin += _COUNT
        if count != length or begin + length * dtype.itemsize > size:
            raise ValueError(
                f"storage {key[:20]!r} must have {length} numbers; {count} are announced, in "
                f"{max(size - begin, 0)} bytes"
            )
        found[key] = Storage(None, begin, dtype, brain, length)
        begin += length * dtype.itemsize
    if begin != size:
        raise ValueError(f"it must end with its last storage; it has {size - begin} bytes more")
    return found


def _found(storages: dict[str, Storage], about: Any) -> Storage:
    """The storage of which this is said."""
    return storages[kind_of(about, "<")[2]]
