"""The safetensors format: arrays by name, with a header that says everything about them.

A file is 8 bytes of length, a JSON header `{name: {dtype, shape, data_offsets}}`, and the data
without gaps, all little-endian (https://huggingface.co/docs/safetensors). The package of that name
writes and reads; what a header may ask for is checked here first, so that it is no bomb and an
error can name the tensor. Strings beside the tensors lie under one key, as JSON: the package orders
several by chance, and the same weights would have another SHA-256 after every save.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, TensorSpec, safe_open, serialize

from cvtasks.errors import ModelError
from cvtasks.files.writing import write_bytes
from cvtasks.weights.stored import NAME_LIMIT, Stored, damaged

HEADER_LIMIT = 4 << 20
"""Bytes of a header that are still read; ResNet-152 needs 0.1 million, a checkpoint of it 0.5 and
some hundred an epoch.
"""

TENSOR_LIMIT = 20_000
"""Tensors of a file; a checkpoint of ResNet-152 has about three thousand."""

_MOST_AXES = 32
# Lists, objects and commas: a tensor has ten; metadata, which hold JSON themselves, have the rest.
_MOST_PARTS = 15 * TENSOR_LIMIT
_OURS = "cvtasks"
"""The key of the header's metadata that holds all of ours."""

DTYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def write_safetensors(
    path: str | Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write `arrays` by name, whole or not at all; equal arrays and metadata give equal bytes.

    The content is made in memory first.

    Raises:
        ModelError: there are more names, or more metadata, than are read again, or numbers of a
            kind that is not (`DTYPES`).
        CVTasksError: the disk is full or the folder cannot be written.
    """
    excess, known = _excess_of_names(arrays), {np.dtype(code) for code in DTYPES.values()}
    for name, array in arrays.items():
        if array.dtype.newbyteorder("<") not in known:
            excess = f"{name} must be one of {', '.join(DTYPES)}; it is {array.dtype}"
    content = b""
    if not excess:
        said = {_OURS: json.dumps(dict(metadata), separators=(",", ":"))} if metadata else None
        content = _serialized(arrays, said)
        excess = _excess(content[8 : 8 + int.from_bytes(content[:8], "little")])
    if excess:
        raise ModelError(
            f"{str(path)!r} cannot be written: {excess}. Save it in parts, or with shorter names "
            "and metadata."
        )
    write_bytes(path, content)


def read_safetensors(path: str | Path) -> dict[str, Stored]:
    """The tensors of a file, of which only the header has been read and checked against the
    file's size; the file stays open until the last of them is forgotten.

    Raises:
        ModelError: the file is cut short, not of this format, or contradicts itself; names the
            tensor.
    """
    path = Path(path)
    header, start, size = _header(path)
    declared = {
        name: _declared(path, name, entry, start, size)
        for name, entry in header.items()
        if name != "__metadata__"
    }
    try:
        file = safe_open(path, framework="np", backend="pread")
    except (SafetensorError, OSError) as error:
        rule = "its tensors must fill it, each beginning where the one before it ends"
        raise damaged(path, f"{rule}; {error}") from error
    return {
        name: Stored(shape, dtype, partial(_read, path, file, name, shape, dtype))
        for name, (dtype, shape) in declared.items()
    }


def read_metadata(path: str | Path) -> dict[str, str]:
    """The strings that were saved beside the tensors; empty if there are none.

    Raises:
        ModelError: the file has no readable header.
    """
    path = Path(path)
    metadata = _header(path)[0].get("__metadata__", {})
    if isinstance(metadata, dict) and metadata.keys() == {_OURS}:
        try:
            metadata = json.loads(metadata[_OURS])
        except (TypeError, ValueError, RecursionError) as error:
            raise damaged(path, f"its metadata must be JSON; {error}") from error
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise damaged(path, "its metadata must be strings by name")
    return metadata


def _header(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header's entries, the byte at which the data begin, and the size of the file."""
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
    """Why a header is too large to be parsed, "" if it is not: as JSON in memory it can take
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


def _excess_of_names(names: Iterable[str]) -> str:
    """What the names of tensors have too much of, "" if nothing."""
    lengths = [len(name) for name in names if name != "__metadata__"]
    if len(lengths) > TENSOR_LIMIT:
        return (
            f"its header must be a JSON object of at most {TENSOR_LIMIT} tensors; it has "
            f"{len(lengths)}"
        )
    longest = max(lengths, default=0)
    if longest > NAME_LIMIT:
        return f"names in it must have at most {NAME_LIMIT} characters; one has {longest}"
    return ""


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The JSON object of these pairs; ValueError if a name comes twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{name[:NAME_LIMIT]!r} comes twice")
    return table


def _declared(
    path: Path, name: str, entry: Any, start: int, size: int
) -> tuple[np.dtype, tuple[int, ...]]:
    """Dtype and shape of one entry of a header, whose bytes must lie within the file: the
    data begin at byte `start` of `size`.
    """
    try:
        code, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        sound = (
            isinstance(code, str)
            and all(type(n) is int and 0 <= n < 2**63 for n in (*shape, begin, end))
            and begin <= end
            and len(shape) <= _MOST_AXES
            and math.prod(filter(None, shape)) < 2**59  # more is no shape to numpy
        )
    except (TypeError, KeyError, ValueError):
        sound = False
    if not sound:
        raise damaged(
            path, f"{name} must have a dtype, a shape and two offsets; got {str(entry)[:100]}"
        )
    if code not in DTYPES:
        rule = f"the dtype of {name} in {path.name!r} must be one of {', '.join(DTYPES)}"
        raise ModelError(f"{rule}; got {code[:20]}. Save it as F32.")
    dtype = np.dtype(DTYPES[code])
    if start + end > size:
        rule = f"{name} must end within the file"
        raise damaged(path, f"{rule}; it ends at byte {start + end} of {size}")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise damaged(path, f"{name} must have the bytes of {dtype} {shape}; it has {end - begin}")
    return dtype, shape


def _serialized(arrays: Mapping[str, np.ndarray], metadata: dict[str, str] | None) -> bytes:
    """The file's content; the package is given addresses of memory, not arrays."""
    flat = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    specs = {
        name: TensorSpec(
            dtype=array.dtype.name,
            shape=list(array.shape),
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for name, array in flat.items()
    }
    return serialize(specs, metadata=metadata)


def _read(path: Path, file: Any, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A tensor of the open file, which must still be as declared."""
    try:
        array = file.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        rule = "it must be a file that can be read and does not change"
        raise damaged(path, f"{rule}; {error}") from error
    if array.shape != shape or array.dtype != dtype:
        raise damaged(path, f"it must be a file that does not change; {name} did")
    return array
