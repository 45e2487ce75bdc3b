"""The safetensors format: arrays by name, with a header that says everything about them.

A file is 8 bytes of length, a JSON header `{name: {dtype, shape, data_offsets}}`, and the data
without gaps, all little-endian (https://huggingface.co/docs/safetensors). It is written here, and
not by the package of that name, because that orders metadata by chance: the same weights would have
another SHA-256 after every save. It is read here so that an error can name the tensor. Needs numpy
alone.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.files.writing import written_whole

HEADER_LIMIT = 4 << 20
"""Bytes of a header that are still read; ResNet-152 needs 0.1 million, a checkpoint of it 0.5 and
some hundred an epoch.
"""

TENSOR_LIMIT = 20_000
"""Tensors of a file; a checkpoint of ResNet-152 has about three thousand."""

NAME_LIMIT = 1000
"""Characters of a tensor's name."""

_MOST_AXES = 32
_MOST_PARTS = (
    15 * TENSOR_LIMIT
)  # lists, objects and commas; a tensor has ten, metadata, which hold JSON themselves, have the rest

DTYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """One tensor of a file: what it declares, and `read()`, which returns it as an array of that
    shape and dtype.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def write_safetensors(
    path: str | Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write `arrays` by name, whole or not at all; equal arrays and metadata give equal bytes.

    Raises:
        ModelError: there are more names, or more metadata, than are read again.
        CVTasksError: the disk is full or the folder cannot be written.
    """
    codes = {np.dtype(code): name for name, code in DTYPES.items()}
    little = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in little.items():
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": codes[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of eight bytes
    if excess := _excess(text) or _excess_of_names(header):
        raise ModelError(
            f"{str(path)!r} cannot be written: {excess}. Save it in parts, or with shorter names "
            "and metadata."
        )
    with written_whole(path) as part, part.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in little.values():
            file.write(array.data if array.size else b"")


def read_safetensors(path: str | Path) -> dict[str, Stored]:
    """Return the tensors of a file, of which only the header has been read and checked against the
    file's size.

    Raises:
        ModelError: the file is cut short, not of this format, or contradicts itself; names the
            tensor.
    """
    path = Path(path)
    header, start, size = _header(path)
    tensors, spans = {}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, shape, begin, end = _entry(path, name, entry)
        if start + end > size:
            raise damaged(
                path, f"{name} must end within the file; it ends at byte {start + end} of {size}"
            )
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise damaged(
                path, f"{name} must have the bytes of {dtype} {shape}; it has {end - begin}"
            )
        spans.append((begin, end, name))
        tensors[name] = Stored(shape, dtype, partial(_read, path, dtype, shape, start + begin))
    reached = 0
    for begin, end, name in sorted(spans):
        if begin != reached:
            raise damaged(
                path,
                f"{name} must begin where the tensor before it ends, at {reached}; it begins at "
                f"{begin}",
            )
        reached = end
    if start + reached != size:
        raise damaged(
            path, f"its tensors must fill it; they end at byte {start + reached} of {size}"
        )
    return tensors


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the strings that were saved beside the tensors; empty if there are none.

    Raises:
        ModelError: the file has no readable header.
    """
    path = Path(path)
    metadata = _header(path)[0].get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise damaged(path, "its metadata must be strings by name")
    return metadata


def damaged(path: Path, what: str) -> ModelError:
    """Return the error for a file that is not what its ending says; `what` gives the rule and what
    was found.
    """
    return ModelError(
        f"{str(path)!r} cannot be used as a file of weights: {what}. Fetch or save it again."
    )


def _header(path: Path) -> tuple[dict[str, Any], int, int]:
    """Return the header's entries, the byte at which the data begin, and the size of the file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            fits = size >= 8 and length <= min(HEADER_LIMIT, size - 8)
            text = file.read(length) if fits else b""
    except OSError as error:
        raise damaged(path, f"it must be a file that can be read; {error.strerror}") from error
    if not fits:
        rule = f"its header must fit into the file and into {HEADER_LIMIT} bytes"
        raise damaged(path, f"{rule}; it declares {length}, the file has {size}")
    if excess := _excess(text):
        raise damaged(path, excess)
    try:
        header = json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"its header must be a JSON object; {error}") from error
    if not isinstance(header, dict):
        raise damaged(path, f"its header must be a JSON object; it is a {type(header).__name__}")
    if excess := _excess_of_names(header):
        raise damaged(path, excess)
    return header, 8 + length, size


def _excess(text: bytes) -> str:
    """Return why a header is too large to be parsed, "" if it is not: as JSON in memory it can take
    thirty times its bytes.
    """
    if len(text) > HEADER_LIMIT:
        return f"its header must have at most {HEADER_LIMIT} bytes; it has {len(text)}"
    parts = sum(text.count(mark) for mark in (b"{", b"[", b","))
    if parts > _MOST_PARTS:
        return (
            f"its header must be a JSON object of at most {TENSOR_LIMIT} tensors; it has {parts} "
            "lists, objects and commas"
        )
    return ""


def _excess_of_names(header: Mapping[str, Any]) -> str:
    """Return what the names of a header have too much of, "" if nothing."""
    if len(header) > TENSOR_LIMIT + 1:  # one is the metadata's
        return (
            f"its header must be a JSON object of at most {TENSOR_LIMIT} tensors; it has "
            f"{len(header)}"
        )
    longest = max(map(len, header), default=0)
    return (
        f"names in it must have at most {NAME_LIMIT} characters; one has {longest}"
        if longest > NAME_LIMIT
        else ""
    )


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the JSON object of these pairs; ValueError if a name comes twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{name[:NAME_LIMIT]!r} comes twice")
    return table


def _entry(path: Path, name: str, entry: Any) -> tuple[np.dtype, tuple[int, ...], int, int]:
    """Return dtype, shape, first and last byte of one entry of a header."""
    try:
        code, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        sound = (
            isinstance(code, str)
            and all(type(n) is int and 0 <= n < 2**63 for n in (*shape, begin, end))
            and begin <= end
        )
        sound = (
            sound and len(shape) <= _MOST_AXES and math.prod(filter(None, shape)) < 2**59
        )  # more is no shape to numpy
    except (TypeError, KeyError, ValueError):
        sound = False
    if not sound:
        raise damaged(
            path, f"{name} must have a dtype, a shape and two offsets; got {str(entry)[:100]}"
        )
    if code not in DTYPES:
        rule = f"the dtype of {name} in {path.name!r} must be one of {', '.join(DTYPES)}"
        raise ModelError(f"{rule}; got {code[:20]}. Save it as F32.")
    return np.dtype(DTYPES[code]), shape, begin, end


def _read(path: Path, dtype: np.dtype, shape: tuple[int, ...], offset: int) -> np.ndarray:
    """Return the array that lies at that byte of the file."""
    try:
        return np.fromfile(path, dtype, count=math.prod(shape), offset=offset).reshape(shape)
    except (OSError, ValueError) as error:  # ValueError: it has become shorter
        raise damaged(
            path, f"it must be a file that can be read and does not change; {error}"
        ) from error
