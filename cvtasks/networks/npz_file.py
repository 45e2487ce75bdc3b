"""Numpy archives: a zip of arrays, each with a header that says everything about it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from cvtasks.networks.safetensors_file import Stored, damaged
from cvtasks.networks.zip_file import Member, opened_zip

_HEADER_LIMIT = 1000  # characters of an array's header; numpy writes 118


@contextmanager
def npz_tensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the arrays of a numpy archive; pickled ones are refused, sizes are checked by their headers.

    Raises:
        ModelError: the file is damaged, or holds something else than arrays of numbers.
    """
    with opened_zip(path) as members:
        tensors: dict[str, Stored] = {}
        for key, member in members.items():
            name = key.removesuffix(".npy")
            if name in tensors:
                raise damaged(path, f"{name} must be there once; it is there twice")
            try:
                shape, dtype, begin = _header(member)
            except Exception as error:  # numpy's and zipfile's parsers raise nearly every kind on foreign bytes
                raise damaged(path, f"{name} must be a numpy array; {error}") from error
            if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != member.size - begin:
                received = f"{str(dtype)[:100]} {shape} in {member.size - begin} bytes"
                raise damaged(path, f"{name} must hold numbers, as many as it declares; got {received}")
            tensors[name] = Stored(shape, dtype, partial(_read, member))
        yield tensors


def _header(member: Member) -> tuple[tuple[int, ...], np.dtype, int]:
    """Return shape, dtype and the byte at which the data begin."""
    with member.open() as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):  # later ones are for tables; their headers may be as long as 4 GiB, and numpy reads them whole
            raise ValueError(f"its version must be 1.0; got {version[0]}.{version[1]}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER_LIMIT)
        if min(shape, default=0) < 0:
            raise ValueError(f"its shape must not be negative; got {shape}")
        return shape, dtype, file.tell()


def _read(member: Member) -> np.ndarray:
    """Return one array of the archive."""
    with member.open() as file:
        return np.lib.format.read_array(file, allow_pickle=False)
