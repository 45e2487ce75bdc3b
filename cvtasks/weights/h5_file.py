"""HDF5 files of weights, as Keras 2 and Keras 3 write them.

HDF5 follows links to other files, loads filters as shared libraries, and inflates a piece of data
to whatever size its bytes say. So a walk of our own looks at every object first, and a dataset is
read when all of its pieces have been looked at.
"""

import math
import mmap
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.text import agreeing
from cvtasks.weights.stored import NAME_LIMIT, Stored, damaged
from cvtasks.weights.zip_file import DEFLATE_LIMIT

OBJECT_LIMIT = 8_000
"""Groups and datasets in an HDF5 file; ResNet-152 has about three thousand. HDF5 takes half a
millisecond for each.
"""

DEPTH_LIMIT = 32
"""Groups within groups; a Keras 3 network within a network within a network needs ten."""

_HEAP = b"GCOL\1\0\0\0"  # how a global heap begins
_SHUFFLE, _GZIP, _FLETCHER = 2, 1, 3
FILTERS = {_SHUFFLE: "shuffle", _GZIP: "gzip", _FLETCHER: "fletcher32"}
"""The filters that are read, by their numbers and in the order in which they must stand: none can
inflate twice.
"""


@contextmanager
def h5_tensors(path: Path, shown: Path | None = None) -> Iterator[dict[str, Stored]]:
    """Give the datasets of a Keras 2 or Keras 3 weights file, found by a walk that follows hard
    links alone.

    Args:
        path: the HDF5 file.
        shown: the file to name in errors, where `path` is a part of it.

    Raises:
        ModelError: the file is damaged, leads elsewhere, or declares what its bytes do not hold.
    """
    import h5py

    shown = shown or path
    _check_heaps(path, shown)
    try:
        file = h5py.File(path, "r")
    except Exception as error:  # HDF5 raises nearly every kind on foreign bytes
        raise damaged(shown, f"it must be an HDF5 file; {error}") from error
    with file:
        try:
            found = [(_name(dataset), dataset) for dataset in _datasets(file, shown)]
        except ModelError:
            raise
        except Exception as error:
            raise damaged(shown, f"it must be a readable HDF5 file; {error}") from error
        twins = Counter(name for name, _ in found)
        yield {
            # Two layers of one name, in different inner models, cannot be told apart: each keeps
            # its whole path.
            name if twins[name] == 1 else dataset.name: Stored(
                dataset.shape, dataset.dtype, partial(_read, dataset)
            )
            for name, dataset in found
        }


def layer_order(path: Path, tensors: Mapping[str, Stored]) -> list[str]:
    """Names of the tensors of a Keras 2 file in the order of its layers, which it lists.

    Args:
        tensors: of the file, as `h5_tensors` gives them.

    Raises:
        ModelError: it lists none, or what it lists is not there.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            listed = [
                file[layer][name]
                for layer in file.attrs["layer_names"]
                for name in file[layer].attrs["weight_names"]
            ]
            # Two layers of one name go by their whole paths, see `h5_tensors`.
            order = [name if (name := _name(one)) in tensors else one.name for one in listed]
        if absent := [name for name in order if name not in tensors]:
            raise ValueError(f"{absent[0][:NAME_LIMIT]!r} is not there")
    except (KeyError, TypeError, OSError, ValueError) as error:
        raise damaged(path, f"it must list its layers as Keras 2 did; {error}") from error
    return order


def _check_heaps(path: Path, shown: Path) -> None:
    """Refuse a heap of variable-length texts whose objects do not lie one behind the other: HDF5
    would go round in it for ever.

    Source: HDF5 File Format Specification 3.0, section III.E, "Disk Format: Level 1E - Global
    Heap".
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_HEAP)
        while start >= 0:
            size = int.from_bytes(content[start + 8 : start + 16], "little")
            at, end = start + 16, start + size
            while at + 16 <= end <= len(content):
                number, length = (
                    int.from_bytes(content[at + low : at + high], "little")
                    for low, high in ((0, 2), (8, 16))
                )
                step = (
                    length if number == 0 else 16 + length + -length % 8
                )  # number 0: what is free, with its own header
                if step < 16 or at + step > end:
                    raise damaged(
                        shown,
                        f"its heaps must hold their objects; the one at byte {start} has one of "
                        f"{length} bytes",
                    )
                at += step
            if end > len(content):
                raise damaged(
                    shown,
                    f"its heaps must lie within it; the one at byte {start} ends at byte {end}",
                )
            start = content.find(_HEAP, start + 1)


def _datasets(file: Any, path: Path) -> Iterator[Any]:
    """Yield every dataset but the optimizer's; refuse links, outside storage and sizes that bytes
    do not back.
    """
    import h5py

    waiting, seen = [file], 0
    while waiting:
        group = waiting.pop()
        for key in group:
            where = f"{group.name.rstrip('/')}/{key}"
            seen += 1
            if seen > OBJECT_LIMIT or where.count("/") > DEPTH_LIMIT or len(where) > NAME_LIMIT:
                rule = (
                    f"it must have at most {OBJECT_LIMIT} groups and datasets, {DEPTH_LIMIT} deep"
                )
                raise damaged(
                    path,
                    f"{rule}, with paths of {NAME_LIMIT} characters; there is more at "
                    f"{where[:100]}",
                )
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise damaged(
                    path, f"it must not have links, to other places or files; {where} is one"
                )
            try:
                item = group[key]
                if isinstance(item, h5py.Group):
                    if where not in ("/optimizer", "/optimizer_weights"):
                        waiting.append(item)
                    continue
                _check(item, where, path)
            except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
                raise damaged(path, f"{where} must be an array of numbers; {error}") from error
            yield item


def _check(item: Any, where: str, path: Path) -> None:
    """Raise ModelError unless `item` is a dataset of numbers that lie in the file."""
    import h5py

    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "biuf":
        raise damaged(path, f"it must hold arrays of numbers; {where} is something else")
    if item.external or item.is_virtual:
        raise damaged(path, f"its data must lie in itself; those of {where} lie elsewhere")
    filters = _filters(item)
    if filters != [code for code in FILTERS if code in filters]:
        known = ", ".join(FILTERS.values())
        found = ", ".join(FILTERS.get(code, f"filter {code}") for code in filters)
        rule = f"{where} must be filtered by {known} alone, each once and in this order"
        raise damaged(path, f"{rule}; it has {found}")
    declared, backed = math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size()
    if declared > (DEFLATE_LIMIT if _GZIP in filters else 1) * backed:
        raise damaged(
            path,
            f"{where} must have the bytes it declares, {declared}; the file has {backed} for it",
        )
    chunk = math.prod(item.chunks or (0,)) * item.dtype.itemsize
    if chunk > max(1 << 20, declared):
        raise damaged(
            path,
            f"{where} must not be stored in pieces larger than itself; a piece has {chunk} bytes",
        )


def _filters(dataset: Any) -> list[int]:
    """The numbers of the filters that a dataset's pieces went through, first to last."""
    settings = dataset.id.get_create_plist()
    return [settings.get_filter(place)[0] for place in range(settings.get_nfilters())]


def _read(dataset: Any) -> np.ndarray:
    """A whole dataset; ValueError if its pieces are not what they must be."""
    if dataset.chunks:
        _check_chunks(dataset)
    return np.asarray(dataset[()])


def _check_chunks(dataset: Any) -> None:
    """Raise ValueError if a piece is absent, which HDF5 would fill, or inflates to another size,
    for which it has no limit.
    """
    filters = _filters(dataset)
    found: list[Any] = []
    dataset.id.chunk_iter(found.append)
    whole = math.prod(dataset.chunks) * dataset.dtype.itemsize
    needed = math.prod(
        -(-length // piece) for length, piece in zip(dataset.shape, dataset.chunks, strict=True)
    )
    if len(found) != needed:
        raise ValueError(
            f"it must be stored in {needed} pieces; {len(found)} {agreeing(len(found))} there"
        )
    for info in found:
        if info.size > whole + whole // 1000 + 1000:  # what cannot be compressed grows by less
            raise ValueError(f"a piece of {whole} bytes must not be compressed to {info.size}")
        mask, content = dataset.id.read_direct_chunk(info.chunk_offset)
        applied = [
            code for place, code in enumerate(filters) if not mask >> place & 1
        ]  # what does not shrink is stored plain
        size = len(content) - 4 * (_FLETCHER in applied)
        if _GZIP in applied:
            size = _inflated(content, whole)
        if size != whole:
            raise ValueError(
                f"a piece must have {whole} bytes; it has {'more' if size > whole else size}"
            )


def _inflated(content: bytes, most: int) -> int:
    """The length of what was compressed, at most one byte more than `most`."""
    try:
        return len(zlib.decompressobj().decompress(content, most + 1))
    except zlib.error as error:
        raise ValueError(f"a piece must be compressed by deflate; {error}") from error


def _name(dataset: Any) -> str:
    """`layer/variable` for a dataset of any of Keras' layouts.

    Keras 3: `layers/conv2d_1/vars/0`, where the group `vars` has the layer's true name as an
    attribute. Keras 2: `conv1/conv1/kernel:0`. The VGG files of keras.applications are older:
    `block1_conv1/block1_conv1_W_1:0`.
    """
    *groups, variable = dataset.name.strip("/").split("/")
    layer = groups[-1] if groups else ""
    if layer == "vars" and variable.isdigit():
        return f"{_true_name(dataset.parent) or (groups[-2] if len(groups) > 1 else '')}/{variable}"
    variable = variable.removesuffix(":0")
    old = re.fullmatch(re.escape(layer) + r"_(W|b)(_\d+)?", variable)
    if old:
        variable = "kernel" if old[1] == "W" else "bias"
    return f"{layer}/{variable}"


def _true_name(group: Any) -> str:
    """The attribute `name` of a group, "" if it has none or it is no short text."""
    if "name" not in group.attrs:
        return ""
    about = group.attrs.get_id("name")
    if about.shape != () or about.dtype.itemsize >= NAME_LIMIT:  # an array is not to be read
        return ""
    name = group.attrs["name"]
    return name if isinstance(name, str) and len(name) < NAME_LIMIT else ""
