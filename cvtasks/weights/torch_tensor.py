"""A tensor as PyTorch stores it: a view, by offset, shape and strides, of a run of numbers that
lies beside the pickle.

Only dense views are read, which show each number of a run once, their axes in any order (as
`channels_last` and transposed matrices have them): all others can be far larger than the file.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cvtasks.weights.torch_pickle import Call, Named, Outside, Table
from cvtasks.weights.zip_file import Member

BFLOAT16 = "torch.BFloat16Storage"

STORAGES = {
    (
        "torch.DoubleStorage"
    ): "f8", "torch.FloatStorage": "f4", "torch.HalfStorage": "f2", BFLOAT16: "u2",
    (
        "torch.LongStorage"
    ): "i8", "torch.IntStorage": "i4", "torch.ShortStorage": "i2", "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1", "torch.BoolStorage": "b1",
}  # fmt: skip

Order = Literal["<", ">"]
"""Of bytes, by numpy's signs."""

TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
OLD_TENSOR = "torch._utils._rebuild_tensor"
"""As PyTorch wrote it before 0.4: without the gradient and the hooks."""


@dataclass(frozen=True)
class Storage:
    """A run of numbers in a file.

    Attributes:
        member: of the zip, whose end says whether the bytes are right; None where they lie in the
            file itself.
        begin: the byte of the file at which it begins.
        dtype: of the numbers; `brain`: they are bfloat16.
        length: how many there are.
    """

    member: Member | None
    begin: int
    dtype: np.dtype
    brain: bool
    length: int


@dataclass(frozen=True)
class Tensor:
    """A dense tensor: numbers of a storage from `offset` on; `order` names the axes, slowest
    first.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    order: tuple[int, ...]


def find_tensor(call: Call, storage_of: Callable[[Any], Storage]) -> Tensor:
    """The tensor that a call would make.

    Args:
        call: as the pickle has it.
        storage_of: what the pickle says of a storage → the storage; raises ValueError where there
            is none such.

    Raises:
        ValueError: it is no dense tensor of real numbers that lies in its storage; the text follows
            the tensor's name.
    """
    if call.name == PARAMETER and call.arguments and type(call.arguments[0]) is Call:
        call = call.arguments[0]
    match call:
        case Call(
            name=name,
            arguments=(
                Outside(about=about),
                offset,
                tuple(shape),
                tuple(strides),
                bool(),
                Table(),
                *more,
            ),
        ):
            sound = name == TENSOR
        case Call(
            name=name, arguments=(Outside(about=about), offset, tuple(shape), tuple(strides))
        ):
            sound, more = name == OLD_TENSOR, []
        case _:
            raise ValueError(_NOT_PLAIN)
    sound = sound and all(type(n) is int and 0 <= n < 1 << 63 for n in (offset, *shape, *strides))
    if not sound or len(shape) != len(strides) or len(shape) > 32:
        raise ValueError(_NOT_PLAIN)
    if more and more != [None]:
        raise ValueError(
            "must have no more than its numbers; it is marked as conjugated, negated or of a class "
            "of its own"
        )
    storage = storage_of(about)
    count = math.prod(shape)
    axes = sorted(range(len(shape)), key=lambda axis: (-strides[axis], axis))
    step = 1
    for axis in reversed(axes):
        if count and shape[axis] > 1:
            if strides[axis] != step:
                rule = "must be dense, its axes in any order"
                raise ValueError(
                    f"{rule}; it has strides {strides} for shape {shape}. Use "
                    "`tensor.contiguous()` before"
                )
            step *= shape[axis]
    if offset + count > storage.length:
        raise ValueError(
            f"must lie in its storage of {storage.length} numbers; it needs those from {offset} to "
            f"{offset + count}"
        )
    return Tensor(storage, offset, shape, tuple(axes))


_NOT_PLAIN = "must be a plain tensor, with a storage, an offset, a shape and strides; it is not"


def kind_of(about: Any, order: Order) -> tuple[np.dtype, bool, str, int]:
    """The kind of a storage's numbers, whether they are bfloat16, the storage's key, and how
    many numbers it is said to have.

    Raises:
        ValueError: it is of another kind; the text follows the tensor's name.
    """
    match about:
        case ("storage", Named(name=kind), str(key), str(), int(length), *view) if (
            kind in STORAGES and view in ([], [None])
        ):
            return np.dtype(STORAGES[kind]).newbyteorder(order), kind == BFLOAT16, key, length
        case _:
            raise ValueError(f"must have a storage of one of {', '.join(STORAGES)}; it has another")


def zipped_storage(members: Mapping[str, Member], root: str, order: Order, about: Any) -> Storage:
    """A storage that is a file within a zip, in the folder `root` with its slash.

    Raises:
        ValueError: it is not there as it is said to be.
    """
    dtype, brain, key, length = kind_of(about, order)
    member = members.get(f"{root}data/{key}")
    if member is None or member.begin is None:
        raise ValueError(
            f"must have its numbers in data/{key[:20]}, not compressed; they are not there"
        )
    if length != member.size // dtype.itemsize:
        raise ValueError(
            f"must have a storage of {length} numbers; data/{key[:20]} has {member.size} bytes"
        )
    return Storage(member, member.begin, dtype, brain, length)


def read(tensor: Tensor, path: Path, axes: tuple[int, ...], checked: set[int]) -> np.ndarray:
    """The numbers of a tensor, with its axes in this order.

    Args:
        tensor: of this file.
        path: the file.
        axes: of the tensor as PyTorch has it.
        checked: where those storages begin whose checksums were compared; grows.

    Raises:
        Exception: the checksum is wrong, or the file is cut short; zipfile and numpy have kinds of
            their own.
    """
    storage = tensor.storage
    if storage.member and storage.begin not in checked:
        with storage.member.open() as file:
            while file.read(1 << 20):
                pass  # its end raises if the checksum is wrong
        checked.add(storage.begin)
    begin = storage.begin + tensor.offset * storage.dtype.itemsize
    flat = np.fromfile(path, storage.dtype, count=math.prod(tensor.shape), offset=begin)
    if storage.brain:  # the upper half of a float32
        flat = (flat.astype("u4") << 16).view("f4")
    slowest_first = flat.reshape([tensor.shape[axis] for axis in tensor.order])
    return slowest_first.transpose(np.argsort(tensor.order)).transpose(axes)
