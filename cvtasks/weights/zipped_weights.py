"""Weights in zips: NumPy's archives, whose arrays say everything about themselves in a header, and
Keras 3's whole models.

The configuration in a Keras model names classes and may carry code of Python. It is never opened;
the weights are all that is read.
"""

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from cvtasks.weights.h5_file import h5_tensors
from cvtasks.weights.stored import Stored, damaged
from cvtasks.weights.zip_file import Member, opened_zip

_HEADER_LIMIT = 1000  # characters of an array's header; numpy writes 118


@contextmanager
def npz_tensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the arrays of a numpy archive; pickled ones are refused, sizes are checked by their
    headers.

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
            except Exception as error:  # numpy and zipfile raise nearly every kind on foreign bytes
                raise damaged(path, f"{name} must be a numpy array; {error}") from error
            if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != member.size - begin:
                received = f"{str(dtype)[:100]} {shape} in {member.size - begin} bytes"
                raise damaged(
                    path, f"{name} must hold numbers, as many as it declares; got {received}"
                )
            tensors[name] = Stored(shape, dtype, partial(_read, member))
        yield tensors


def _header(member: Member) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape, dtype and the byte at which the data begin."""
    with member.open() as file:
        version = np.lib.format.read_magic(file)
        # Later ones are for tables; their headers may be as long as 4 GiB, and numpy reads them
        # whole.
        if version != (1, 0):
            raise ValueError(f"its version must be 1.0; got {version[0]}.{version[1]}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER_LIMIT)
        if min(shape, default=0) < 0:
            raise ValueError(f"its shape must not be negative; got {shape}")
        return shape, dtype, file.tell()


def _read(member: Member) -> np.ndarray:
    """One array of the archive."""
    with member.open() as file:
        return np.lib.format.read_array(file, allow_pickle=False)


WEIGHTS = "model.weights.h5"

UNPACKED_LIMIT = 4 << 30
"""Bytes to which compressed weights may unpack; Keras itself does not compress them. VGG-16 has
half a GiB.
"""


@contextmanager
def keras_tensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the weights of a `.keras` file as `h5_tensors` does. They lie in a temporary file until
    the context is left.

    Raises:
        ModelError: the zip or the weights within are damaged or declare what they must not; or
            there is no room for them.
    """
    with opened_zip(path) as members:
        if WEIGHTS not in members:
            raise damaged(
                path,
                f"it must hold {WEIGHTS!r}, as Keras 3 saves it; it holds "
                f"{', '.join(members)[:200] or 'nothing'}",
            )
        member = members[WEIGHTS]
        if member.begin is None and member.size > UNPACKED_LIMIT:
            raise damaged(
                path,
                f"{WEIGHTS!r} must unpack to at most {UNPACKED_LIMIT} bytes; it declares "
                f"{member.size}",
            )
        with ExitStack() as stack:
            unpacked = _unpacked(path, member, stack)
            yield stack.enter_context(h5_tensors(unpacked, shown=path))


def _unpacked(path: Path, member: Member, stack: ExitStack) -> Path:
    """A temporary file with the member's content, written piece by piece; `stack` removes
    it.
    """
    try:
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cvtasks-"))) / WEIGHTS
        with member.open() as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)  # raises at its end if the checksum is wrong
    except Exception as error:  # zip, deflate and the disk each raise their own kinds
        raise damaged(
            path, f"{WEIGHTS!r} must be readable and fit on the disk of temporary files; {error}"
        ) from error
    return target
