"""PyTorch's files of tensors, read without PyTorch and without running what they hold.

Since PyTorch 1.6 `torch.save` writes a zip: `NAME/data.pkl`, a pickle that says which tensors there
are, and the numbers of each in `NAME/data/0`, `NAME/data/1`, …, not compressed, in the order of
bytes that `NAME/byteorder` says. Before, it wrote pickles one behind the other, and the numbers
behind them. PyTorch itself reads both by running the pickles, and a pickle can run anything;
`torch_pickle` runs none of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.weights.stored import NAME_LIMIT, Stored, damaged
from cvtasks.weights.torch_legacy import MAGIC, read_legacy
from cvtasks.weights.torch_pickle import PICKLE_LIMIT, Call, Table, read_pickle
from cvtasks.weights.torch_tensor import (
    OLD_TENSOR,
    PARAMETER,
    STORAGES,
    TENSOR,
    Order,
    Storage,
    Tensor,
    find_tensor,
    read,
    zipped_storage,
)
from cvtasks.weights.zip_file import Member, opened_zip

VALUE_LIMIT = 200_000
"""Values in the tables and lists of a file, tensors among them; ResNet-152 has about a thousand."""

DEPTH_LIMIT = 32
"""Tables within tables."""

_NAMES = frozenset({*STORAGES, TENSOR, OLD_TENSOR, PARAMETER})

_WAY_OUT = (
    "Save it with `torch.save(model.state_dict(), path)` and PyTorch 1.6 or later, or as "
    "safetensors"
)


@contextmanager
def torch_tensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the tensors of a state dictionary under the names and in the layouts of Keras.

    Taken are the tensors in dictionaries and lists, also of ones within (`{"state_dict": {…}}`,
    `{"model": {…}}`); other values are passed over. A name is the keys, joined, with `/` for every
    dot: `module.conv1.weight` is in the layer `module/conv1`. Its last part becomes

    - `weight`: `kernel` with two axes or more, `gamma` with one;
    - `bias`: `beta` where the layer's weight has one axis or it keeps running statistics, otherwise
      `bias`;
    - `running_mean`, `running_var`: `moving_mean`, `moving_variance`; `num_batches_tracked` is left
      out.

    Kernels are turned from PyTorch's (out, in, height, width) to (height, width, in, out), and from
    (out, in) to (in, out). One of shape (channels, 1, height, width) is taken for a depthwise
    convolution's and becomes (height, width, channels, 1). bfloat16 is read as float32.

    Names decide: a tensor finds its place where the PyTorch network's layers are called as ours
    are. A file cannot say how a network pads and which epsilon its normalisation has. The rows of a
    linear layer behind a flattened map are in PyTorch's order, channels first; who knows the
    network turns them (`channels_first`).

    Raises:
        ModelError: the file is damaged; or of the format before PyTorch 0.1.10, TorchScript or a
            whole pickled network; or a tensor is sparse, quantised, not dense (expanded, or every
            second number) or does not lie in its storage.
    """
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
    if begin == MAGIC:
        try:
            tensors = _tensors(*read_legacy(path, _NAMES))
        except Exception as error:  # pickletools raises nearly every kind on such bytes
            raise _refused(path, str(error)) from error
        yield _in_keras_terms(path, tensors)
        return
    if begin[:4] != b"PK\x03\x04":
        raise _refused(
            path,
            "it must be a zip archive, as PyTorch writes since 1.6, or pickles one behind the "
            "other, as it did before; it is older or something else",
        )
    with opened_zip(path) as members:
        try:
            root = _root(members)
            order = _order(members, root)
            content = _content(members[f"{root}data.pkl"], PICKLE_LIMIT)
            said = read_pickle(content, _NAMES)
            tensors = _tensors(said, partial(zipped_storage, members, root, order))
        except Exception as error:  # zipfile and pickletools raise nearly every kind on such bytes
            raise _refused(path, str(error)) from error
        yield _in_keras_terms(path, tensors)


def _tensors(said: Any, storage_of: Callable[[Any], Storage]) -> dict[str, Tensor]:
    """The tensors that a pickle says, by name."""
    if type(said) is not Table:
        raise ValueError(
            f"it must hold a dictionary of tensors; it holds a {type(said).__name__.lower()}"
        )
    tensors = {}
    for name, call in list(_calls(said)):
        try:
            tensors[name] = find_tensor(call, storage_of)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    return tensors


def _refused(path: Path, what: str) -> ModelError:
    """The error for a file that is not a state dictionary; `what` gives the rule and what
    was found.
    """
    return ModelError(f"{str(path)!r} cannot be used as a file of weights: {what}. {_WAY_OUT}.")


def _root(members: Mapping[str, Member]) -> str:
    """The folder within the zip that holds the pickle, with its slash."""
    found = [
        name.removesuffix("data.pkl")
        for name in members
        if name.endswith("/data.pkl") and name.count("/") == 1
    ]
    if len(found) != 1:
        raise ValueError(
            f"it must hold one data.pkl, as torch.save writes it; it holds {len(found)}"
        )
    (root,) = found
    if any(name == f"{root}constants.pkl" or name.startswith(f"{root}code/") for name in members):
        raise ValueError("it must hold tensors alone; it is TorchScript, a program")
    return root


def _content(member: Member, most: int) -> bytes:
    """A member of at most so many bytes."""
    if member.size > most:
        raise ValueError(
            f"its data.pkl and byteorder must be small; one declares {member.size} of {most} bytes"
        )
    with member.open() as file:
        return file.read()


def _order(members: Mapping[str, Member], root: str) -> Order:
    """Numpy's sign for the order of bytes; files from before PyTorch 2.1 do not say it."""
    order = (
        _content(members[f"{root}byteorder"], 16) if f"{root}byteorder" in members else b"little"
    )
    if order not in (b"little", b"big"):
        raise ValueError(f"its byteorder must be little or big; it is {order!r}")
    return "<" if order == b"little" else ">"


def _calls(said: Table) -> Iterator[tuple[str, Call]]:
    """Yield every call in tables and lists, with its keys joined by dots; each name once."""
    waiting: list[tuple[str, Any, int]] = [("", said, 0)]
    names, seen = set(), 0
    while waiting:
        name, value, depth = waiting.pop()
        if seen > VALUE_LIMIT or depth > DEPTH_LIMIT or len(name) > NAME_LIMIT:
            rule = (
                f"it must hold at most {VALUE_LIMIT} values, {DEPTH_LIMIT} deep, with names of "
                f"{NAME_LIMIT} characters"
            )
            raise ValueError(f"{rule}; there is more at {name[:100]!r}")
        if type(value) is Call:
            if name in names:
                raise ValueError(f"{name} must be there once; it is there twice")
            names.add(name)
            yield name, value
            continue
        pairs = value.pairs if type(value) is Table else list(enumerate(value))
        seen += 1 + len(pairs)  # counted however often the pickle shows one list
        for key, item in reversed(pairs):
            if type(item) in (Call, Table, list, tuple):
                waiting.append((f"{name}.{_key(key)}" if name else _key(key), item, depth + 1))


def _key(key: Any) -> str:
    """The key of a dictionary as a part of a name."""
    if type(key) is int and abs(key) < 1 << 63:
        return str(key)
    if type(key) is not str or not 0 < len(key) <= NAME_LIMIT:
        rule = (
            f"its dictionaries must have numbers or texts of 1 to {NAME_LIMIT} characters for keys"
        )
        raise ValueError(
            f"{rule}; one has "
            f"{f'{len(key)} characters' if type(key) is str else type(key).__name__.lower()}"
        )
    return key


def _in_keras_terms(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Stored]:
    """The tensors under Keras' names and in its layouts."""
    given: dict[str, Stored] = {}
    checked: set[int] = set()
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name, key, axes in _once(path, shapes):
        tensor = tensors[name]
        dtype = np.dtype("float32") if tensor.storage.brain else tensor.storage.dtype
        shape = tuple(tensor.shape[axis] for axis in axes)
        given[key] = Stored(shape, dtype, partial(read, tensor, path, axes, checked), True)
    return given


def are_torchs(names: Iterable[str]) -> bool:
    """Whether arrays in a file of another kind are under PyTorch's names, those of a state
    dictionary.
    """
    names = list(names)
    return not any("/" in name for name in names) and any(n.endswith(".weight") for n in names)


def turned(path: Path, tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """Arrays under PyTorch's names and in its layouts, of a file of another kind → those of Keras,
    as `torch_tensors` gives them.
    """
    found = {}
    for name, key, axes in _once(path, {name: one.shape for name, one in tensors.items()}):
        one = tensors[name]
        shape = tuple(one.shape[axis] for axis in axes)
        found[key] = Stored(shape, one.dtype, partial(_read_turned, one, axes), True)
    return found


def _read_turned(stored: Stored, axes: tuple[int, ...]) -> np.ndarray:
    return stored.read().transpose(axes)


def _once(
    path: Path, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """`in_keras_terms`; ModelError where two tensors are to have one name."""
    seen = set()
    for name, key, axes in in_keras_terms(shapes):
        if key in seen:
            raise damaged(path, f"{key} must be there once; {name} is a second one")
        seen.add(key)
        yield name, key, axes


def in_keras_terms(
    shapes: Mapping[str, tuple[int, ...]],
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Names and shapes of PyTorch's tensors → (name, Keras' name, Keras' order of the axes) of
    each, as `torch_tensors` describes them.
    """
    for name, shape in shapes.items():
        layer, dot, variable = name.rpartition(".")
        normalises = (
            f"{layer}{dot}running_mean" in shapes or len(shapes.get(f"{layer}{dot}weight", ())) == 1
        )
        axes = tuple(range(len(shape)))
        if variable == "num_batches_tracked":
            continue
        if variable == "weight" and len(axes) > 1:
            # (out, in, height, width) → (height, width, in, out); a depthwise kernel has its
            # channels where out is
            axes = (*axes[2:], 0, 1) if len(axes) == 4 and shape[1] == 1 else (*axes[2:], 1, 0)
        ours = {
            "weight": "kernel" if len(axes) > 1 else "gamma",
            "bias": "beta" if normalises else "bias",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        }.get(variable, variable)
        yield name, f"{layer.replace('.', '/')}/{ours}", axes
