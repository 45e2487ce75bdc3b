"""Files of weights, as dictionaries of tensors that are described at once and read one by one.

Three formats: `.safetensors` (ours), `.npz` and `.h5` (of others). A file is distrusted: everything it declares is checked
before a tensor is read, no pickle is opened, no link is followed. This module knows nothing of networks and does not
import Keras.
"""

import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.networks.safetensors_file import Stored, damaged, read_safetensors

OBJECT_LIMIT = 20_000
"""Groups and datasets in an HDF5 file; ResNet-152 has about three thousand."""

DEPTH_LIMIT = 32
"""Groups within groups; a Keras 3 network within a network within a network needs ten."""

DEFLATE_LIMIT = 1100
"""Bytes that one compressed byte can stand for; deflate reaches 1032."""


@contextmanager
def opened(path: str | Path) -> Iterator[dict[str, Stored]]:
    """Open a file of weights by its ending and give its tensors by name.

    Names are `layer/variable`, as the file has them. A Keras 3 `.weights.h5` numbers the variables of a layer:
    `layer/0`, `layer/1`, in the order of `layer.weights`.

    Raises:
        ModelError: no such file, unknown ending, or the file is damaged or declares what it must not.
    """
    path = Path(path)
    readers = {".safetensors": _safetensors, ".npz": _npz, ".h5": _h5, ".hdf5": _h5}
    if not path.is_file():
        raise ModelError(f"A file of weights must exist; there is none at {str(path)!r}. Check the path.")
    if path.suffix not in readers:
        raise ModelError(f"A file of weights must end in {', '.join(readers)}; got {path.name!r}. Convert it to one.")
    with readers[path.suffix](path) as tensors:
        yield tensors


@contextmanager
def _safetensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the tensors of a safetensors file."""
    yield read_safetensors(path)


@contextmanager
def _npz(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the arrays of a numpy archive; pickled ones are refused, sizes are checked by their headers."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise damaged(path, f"it must be a numpy archive; {error}") from error
    with archive:
        tensors: dict[str, Stored] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in tensors:
                raise damaged(path, f"{name} must be there once; it is there twice")
            try:
                shape, dtype, begin = _npy_header(archive, member)
            except Exception as error:  # numpy's and zipfile's parsers raise nearly every kind on foreign bytes
                raise damaged(path, f"{name} must be a numpy array; {error}") from error
            if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != member.file_size - begin:
                received = f"{dtype} {shape} in {member.file_size - begin} bytes"
                raise damaged(path, f"{name} must hold numbers, as many as it declares; got {received}")
            tensors[name] = Stored(shape, dtype, partial(_read_npy, archive, member))
        yield tensors


def _npy_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype, int]:
    """Return shape, dtype and the byte at which the data begin."""
    with archive.open(member) as file:
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"version {version} of the format is not known")
        shape, _, dtype = readers[version](file)
        return shape, dtype, file.tell()


def _read_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Return one array of the archive."""
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _h5(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the datasets of a Keras 2 or Keras 3 weights file, found by a walk that follows hard links alone."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise damaged(path, f"it must be an HDF5 file; {error}") from error
    with file:
        try:
            found = [(_h5_name(dataset), dataset) for dataset in _datasets(file, path)]
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise damaged(path, f"it must be a readable HDF5 file; {error}") from error
        twins = Counter(name for name, _ in found)
        yield {
            # Two layers of one name, in different inner models, cannot be told apart: each keeps its whole path.
            name if twins[name] == 1 else dataset.name: Stored(dataset.shape, dataset.dtype, partial(_read_h5, dataset))
            for name, dataset in found
        }


def _read_h5(dataset: Any) -> np.ndarray:
    """Return a whole dataset."""
    return np.asarray(dataset[()])


def _datasets(file: Any, path: Path) -> Iterator[Any]:
    """Yield every dataset but the optimizer's; refuse links, outside storage and sizes that bytes do not back."""
    import h5py

    waiting, seen = [file], 0
    while waiting:
        group = waiting.pop()
        for key in group:
            where = f"{group.name.rstrip('/')}/{key}"
            seen += 1
            if seen > OBJECT_LIMIT or where.count("/") > DEPTH_LIMIT:
                rule = f"it must have at most {OBJECT_LIMIT} groups and datasets, {DEPTH_LIMIT} deep"
                raise damaged(path, f"{rule}; there is more at {where[:100]}")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise damaged(path, f"it must not have links, to other places or files; {where} is one")
            item = group[key]
            if isinstance(item, h5py.Group):
                if where not in ("/optimizer", "/optimizer_weights"):
                    waiting.append(item)
                continue
            if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "biuf":
                raise damaged(path, f"it must hold arrays of numbers; {where} is something else")
            if item.external or item.is_virtual:
                raise damaged(path, f"its data must lie in itself; those of {where} lie elsewhere")
            declared, backed = math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size()
            if declared > DEFLATE_LIMIT * backed:
                raise damaged(path, f"{where} must have the bytes it declares, {declared}; the file has {backed} for it")
            chunk = math.prod(item.chunks or (0,)) * item.dtype.itemsize
            if chunk > max(1 << 20, declared):
                raise damaged(path, f"{where} must not be stored in pieces larger than itself; a piece has {chunk} bytes")
            yield item


def _h5_name(dataset: Any) -> str:
    """Return `layer/variable` for a dataset of any of Keras' layouts.

    Keras 3: `layers/conv2d_1/vars/0`, where the group `vars` has the layer's true name as an attribute. Keras 2:
    `conv1/conv1/kernel:0`. The VGG files of keras.applications are older: `block1_conv1/block1_conv1_W_1:0`.
    """
    *groups, variable = dataset.name.strip("/").split("/")
    layer = groups[-1] if groups else ""
    if layer == "vars" and variable.isdigit():
        attributes = dataset.parent.attrs
        layer = groups[-2] if len(groups) > 1 else ""
        if "name" in attributes and attributes.get_id("name").dtype.itemsize < 1000:  # no large array to be read
            layer = attributes["name"]
        return f"{layer}/{variable}"
    variable = variable.removesuffix(":0")
    old = re.fullmatch(re.escape(layer) + r"_(W|b)(_\d+)?", variable)
    if old:
        variable = "kernel" if old[1] == "W" else "bias"
    return f"{layer}/{variable}"
