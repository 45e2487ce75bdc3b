"""PyTorch's files from before 1.6, made here by the layout that PyTorch documents, without
PyTorch.
"""

import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from cvtasks.errors import ModelError
from cvtasks.weights import torch_pickle
from cvtasks.weights.open import opened

KINDS = {"f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage", "u1": "ByteStorage"}


class Named:
    """A class or a function of PyTorch that a pickle names and that is not there."""

    def __init__(self, name: str) -> None:
        self.name = name


class Call:
    """A call that a pickle is to ask for."""

    def __init__(self, function: str, *arguments: object) -> None:
        self.function, self.arguments = function, arguments


class Kept:
    """A storage that lies beside the pickle."""

    def __init__(self, about: tuple) -> None:
        self.about = about


class Pickler(pickle._Pickler):
    """Python's own pickler, written in Python, with a place for what cannot be imported."""

    def persistent_id(self, thing: object) -> object:
        return thing.about if isinstance(thing, Kept) else None

    def save(self, thing: object, save_persistent_id: bool = True) -> None:
        if isinstance(thing, Named):
            module, _, name = thing.name.rpartition(".")
            self.write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
        elif isinstance(thing, Call):
            self.save(Named(thing.function))
            self.save(thing.arguments)
            self.write(b"R")
        else:
            super().save(thing, save_persistent_id)


def pickled(thing: object) -> bytes:
    out = io.BytesIO()
    Pickler(out, protocol=2).dump(thing)
    return out.getvalue()


def tensor(key: str, array: np.ndarray, old: bool = False, **other: object) -> Call:
    """What a state dictionary has of a contiguous tensor."""
    strides = tuple(step // array.itemsize for step in array.strides)
    kind = KINDS[array.dtype.str[1:]]
    about = ("storage", Named(f"torch.{kind}"), key, "cpu", other.get("length", array.size))
    storage = Kept((*about, other["view"]) if "view" in other else (*about, None))
    if old:
        return Call("torch._utils._rebuild_tensor", storage, 0, array.shape, strides)
    hooks = Call("collections.OrderedDict")
    return Call("torch._utils._rebuild_tensor_v2", storage, 0, array.shape, strides, False, hooks)


def storage_bytes(array: np.ndarray, count: int | None = None) -> bytes:
    return struct.pack("<q", array.size if count is None else count) + array.tobytes()


def legacy(said: object, keys: object, storages: bytes, **other: object) -> bytes:
    """The bytes of a file: five pickles and the storages."""
    sizes = {"short": 2, "int": 4, "long": 4}
    machine = {
        "protocol_version": 1001,
        "little_endian": other.get("little", True),
        "type_sizes": sizes,
    }
    parts = [0x1950A86A20F9469CFC6C, other.get("layout", 1001), machine, said, keys]
    return b"".join(map(pickled, parts)) + storages


ARRAYS = {
    "conv.weight": np.arange(2 * 3 * 3 * 3, dtype="<f4").reshape(2, 3, 3, 3),
    "bn.weight": np.arange(2, dtype="<f4"),
    "bn.running_mean": np.arange(2, 4).astype("<f4"),
    "bn.num_batches_tracked": np.array(7, dtype="<i8"),
    "fc.weight": np.arange(6).astype("<f2").reshape(3, 2),
}
KEYS = [str(94000 + place) for place in range(len(ARRAYS))]


def state(old: bool = False) -> bytes:
    """A file with `ARRAYS`, its storages in another order than its tensors."""
    said = {
        name: tensor(key, array, old)
        for key, (name, array) in zip(KEYS, ARRAYS.items(), strict=True)
    }
    data = dict(zip(KEYS, ARRAYS.values(), strict=True))
    order = sorted(KEYS, reverse=True)
    return legacy(said, order, b"".join(storage_bytes(data[key]) for key in order))


def read(path: Path) -> dict[str, np.ndarray]:
    with opened(path) as tensors:
        return {name: stored.read() for name, stored in tensors.items()}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("old", [False, True], ids=["since 0.4", "before"])
def test_a_state_dictionary_is_read_in_our_terms(old: bool, tmp_path: Path) -> None:
    got = read(written(tmp_path / "a.pth", state(old)))
    expected = {
        "conv/kernel": ARRAYS["conv.weight"].transpose(2, 3, 1, 0),
        "bn/gamma": ARRAYS["bn.weight"],
        "bn/moving_mean": ARRAYS["bn.running_mean"],
        "fc/kernel": ARRAYS["fc.weight"].T,
    }
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)


def test_tensors_that_share_a_storage_are_read_each(tmp_path: Path) -> None:
    array = np.arange(4, dtype="<f4")
    said = {"tied": [tensor("1", array), tensor("1", array)], "epoch": 3}
    got = read(written(tmp_path / "a.pt", legacy(said, ["1"], storage_bytes(array))))
    assert [got[name].tolist() for name in ("tied/0", "tied/1")] == [[0, 1, 2, 3]] * 2


ONE = np.arange(4, dtype="<f4")
HUGE = 1 << 40
FAULTS = {
    "cut short": (state()[:-3], "must have"),
    "bytes behind it": (state() + b"\0", "1 bytes more"),
    "no storages": (legacy({"a": tensor("1", ONE)}, ["1"], b""), "must have 4 numbers"),
    "announces others": (
        legacy({"a": tensor("1", ONE)}, ["1"], storage_bytes(ONE, 5)),
        "5 are announced",
    ),
    "announces a terabyte": (
        legacy({"a": tensor("1", ONE, length=HUGE)}, ["1"], storage_bytes(ONE, HUGE)),
        f"must have {HUGE} numbers",
    ),
    "a negative number": (
        legacy({"a": tensor("1", ONE, length=-4)}, ["1"], storage_bytes(ONE, -4)),
        "numbers",
    ),
    "a list of others": (legacy({"a": tensor("1", ONE)}, ["2"], storage_bytes(ONE)), "must name"),
    "a storage twice": (
        legacy({"a": tensor("1", ONE)}, ["1", "1"], storage_bytes(ONE) * 2),
        "must name",
    ),
    "one storage of two kinds": (
        legacy(
            {"a": tensor("1", ONE), "b": tensor("1", ONE.astype("<i8"))},
            ["1"],
            storage_bytes(ONE),
        ),
        "said to be one thing",
    ),
    "a view of a storage": (
        legacy({"a": tensor("1", ONE, view=("9", 0, 4))}, ["1"], storage_bytes(ONE)),
        "must have a storage of one of",
    ),
    "the highest byte first": (legacy({}, [], b"", little=False), "lowest byte first"),
    "another layout": (legacy({}, [], b"", layout=1002), "layout must be 1001"),
    "no dictionary": (legacy([], [], b""), "dictionary of tensors"),
    "a program": (legacy({"a": Call("os.system", "true")}, [], b""), "not looked up or run"),
    "a program in its list": (legacy({}, Call("os.system", "true"), b""), "not looked up or run"),
    "nothing behind the number": (state()[:15], "before seeing STOP"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_as_it_should_be_is_refused(fault: str, tmp_path: Path) -> None:
    content, fragment = FAULTS[fault]
    with pytest.raises(ModelError, match="cannot be used as a file of weights") as refused:
        read(written(tmp_path / "a.pth", content))
    assert fragment in str(refused.value)


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    content = legacy({"a": tensor("1", ONE, length=3)}, ["1"], storage_bytes(ONE[:3]))
    with pytest.raises(ModelError, match="a must lie in its storage of 3 numbers"):
        read(written(tmp_path / "a.pth", content))


def test_pickles_that_are_too_large_are_not_read(tmp_path: Path, monkeypatch) -> None:
    from cvtasks.weights import torch_legacy

    monkeypatch.setattr(torch_legacy, "PICKLE_LIMIT", 200)
    monkeypatch.setattr(torch_pickle, "PICKLE_LIMIT", 200)
    with pytest.raises(ModelError, match="cannot be used"):
        read(written(tmp_path / "a.pth", state()))


def test_no_change_of_a_byte_raises_anything_else(tmp_path: Path) -> None:
    content, rng = state(), np.random.default_rng(0)
    for _ in range(400):
        changed = bytearray(content)
        for place in rng.integers(0, len(changed), 2):
            changed[place] = rng.integers(256)
        try:
            read(written(tmp_path / "a.pth", bytes(changed)))
        except ModelError as error:
            assert "a.pth" in str(error)
