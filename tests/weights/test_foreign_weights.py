"""Model files of others: their weights arrive, and nothing else of them does anything."""

import io
import itertools
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy

from cvtasks.errors import ModelError
from cvtasks.networks.backbones import build_backbone
from cvtasks.weights import h5_file, torch_file, torch_pickle, zip_file, zipped_weights
from cvtasks.weights.open import opened
from cvtasks.weights.torch_pickle import Table, read_pickle
from cvtasks.weights.transfer import transfer

FILES = Path(__file__).parents[1] / "files"

keras_on_jax = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3.15 writes and reads its own files on JAX in a way that NumPy 2 warns of."""


def values(model: keras.Model) -> dict[str, np.ndarray]:
    """All weights by path."""
    return {variable.path: keras.ops.convert_to_numpy(variable.value) for variable in model.weights}


def shaken(model: keras.Model, seed: int = 0) -> keras.Model:
    """The model, every weight another value."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, tuple(variable.shape)).astype(variable.dtype))
    return model


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    """Whether two sets of tensors are equal in every bit."""
    return left.keys() == right.keys() and all(
        left[k].tobytes() == right[k].tobytes() for k in left
    )


def read_all(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a file; ModelError for what cannot be read, as `transfer` has it."""
    with opened(path) as tensors:
        read = {}
        for name, stored in tensors.items():
            try:
                read[name] = stored.read()
            except Exception as error:
                raise ModelError(f"{name} must be readable; {error}") from error
            assert (read[name].shape, read[name].dtype) == (stored.shape, stored.dtype)
        return read


def refused(path: Path, *fragments: str) -> None:
    """Check that a file is a ModelError that names it, or a tensor of it, and has the fragments."""
    with pytest.raises(ModelError) as error:
        read_all(path)
    for fragment in fragments:
        assert fragment in str(error.value)


def rezipped(source: Path, target: Path, change, compression: int = zipfile.ZIP_STORED) -> Path:
    """A copy of a zip in which `change({name: content})` has changed the members."""
    with zipfile.ZipFile(source) as archive:
        members = change({name: archive.read(name) for name in archive.namelist()})
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


# === PyTorch ===


def counted(shape: tuple[int, ...], start: int) -> np.ndarray:
    """start, start + 1, …; the numbers that PyTorch wrote into the files."""
    return np.arange(start, start + int(np.prod(shape)), dtype="float32").reshape(shape)


STATE = {
    "conv1/kernel": counted((4, 3, 3, 3), 0).transpose(2, 3, 1, 0),
    "conv1/bias": counted((4,), 10),
    "bn/gamma": counted((4,), 20),
    "bn/beta": counted((4,), 30),
    "bn/moving_mean": counted((4,), 40),
    "bn/moving_variance": counted((4,), 50),
    "dw/kernel": counted((4, 1, 3, 3), 70).transpose(2, 3, 0, 1),
    "head/kernel": counted((2, 4), 80).T,
    "head/bias": counted((2,), 90),
}
GENUINE = {
    "state.pt": STATE,
    "old.pt": {"/a": counted((2,), 0)},
    "bfloat16.pt": {name: array for name, array in STATE.items() if name.startswith("conv1/")},
    "checkpoint.pth": {
        "lists/0": counted((2,), 0),
        **{
            f"state_dict/module/{name}": array
            for name, array in STATE.items()
            if name.startswith("bn/")
        },
    },
    "views.pt": {
        "/turned": counted((2, 3), 0).T,
        "/part": counted((2, 5), 6),
        "/last": counted((1, 3, 3, 4), 0).transpose(0, 3, 1, 2),
        "/half": np.arange(3, dtype="float16"),
        "/long": np.array(7),
        "/flag": np.array([True, False]),
        "/none": np.zeros((0, 3), "float32"),
        "/parameter": counted((2,), 0),
    },
}


@pytest.mark.parametrize("name", GENUINE)
def test_what_torch_saved_is_read(name):
    read = read_all(FILES / name)
    assert read.keys() == GENUINE[name].keys()
    for key, expected in GENUINE[name].items():
        assert read[key].dtype == expected.dtype
        np.testing.assert_array_equal(read[key], expected)


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("script.pt", ["TorchScript"]),
        ("whole.pt", ["'__main__.Net'", "not looked up or run"]),
        ("sparse.pt", ["_rebuild_sparse_tensor"]),
        ("quantised.pt", ["_rebuild_qtensor"]),
        ("complex.pt", ["ComplexFloatStorage"]),
        ("float8.pt", ["_rebuild_tensor_v3"]),
        ("expanded.pt", ["a must be dense", "contiguous()"]),
        ("tensor.pt", ["dictionary of tensors"]),
    ],
)
def test_what_torch_saved_and_is_no_dictionary_of_plain_tensors_is_refused(name, fragments):
    refused(
        FILES / name,
        str(FILES / name),
        "torch.save(model.state_dict(), path)",
        "safetensors",
        *fragments,
    )


def text(content: str) -> bytes:
    """The instruction that says a text."""
    return b"X" + struct.pack("<I", len(content.encode())) + content.encode()


def number(content: int) -> bytes:
    """The instruction that says an integer of 64 bits."""
    return b"\x8a\x08" + struct.pack("<q", content)


def called(name: str, *arguments: bytes) -> bytes:
    """The instructions that call a function of this name."""
    return b"c" + name.replace(" ", "\n").encode() + b"\n(" + b"".join(arguments) + b"tR"


def numbers(items) -> bytes:
    """The instructions that say a tuple of integers."""
    return b"(" + b"".join(map(number, items)) + b"t"


def said(key, kind, length, shape, strides, offset=0, more=b"") -> bytes:
    """The instructions with which PyTorch says a tensor."""
    storage = (
        b"("
        + text("storage")
        + f"ctorch\n{kind}\n".encode()
        + text(key)
        + text("cpu")
        + number(length)
        + b"tQ"
    )
    rest = [numbers(shape), numbers(strides), b"\x89", called("collections OrderedDict"), more]
    return called("torch._utils _rebuild_tensor_v2", storage, number(offset), *rest)


def table(items: dict[str, bytes]) -> bytes:
    """The instructions that say a dictionary."""
    return b"}(" + b"".join(text(name) + item for name, item in items.items()) + b"u"


def write_torch(path: Path, pickled: bytes, data: dict[str, bytes], **members: bytes) -> Path:
    """A file as `torch.save` lays it out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + pickled + b".")
        for name, content in {
            **{f"data/{key}": content for key, content in data.items()},
            **members,
        }.items():
            archive.writestr(f"archive/{name}", content)
    return path


def steps(shape) -> list[int]:
    """The strides of a contiguous tensor."""
    return [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]


def write_state(path: Path, tensors: dict[str, np.ndarray], big: bool = False) -> Path:
    """A state dictionary of float32 tensors under PyTorch's names, in PyTorch's layout."""
    items, data = {}, {}
    for place, (name, array) in enumerate(tensors.items()):
        items[name] = said(str(place), "FloatStorage", array.size, array.shape, steps(array.shape))
        data[str(place)] = array.astype(">f4" if big else "<f4").tobytes()
    return write_torch(path, table(items), data, **({"byteorder": b"big"} if big else {}))


def in_torch_terms(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a network as a PyTorch network whose layers have the same names would have
    them.
    """
    names = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    tensors = {}
    for layer in model.layers:
        for variable in layer.weights:
            array = keras.ops.convert_to_numpy(variable.value)
            if variable.name == "kernel":
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                array = array.transpose(
                    {2: (1, 0), 4: (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)}[array.ndim]
                )
            name = (
                "weight" if variable.name == "kernel" else names.get(variable.name, variable.name)
            )
            tensors[f"module.{layer.name}.{name}"] = array
    return tensors


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("name", ["tiny", "mobilenet-025"])
def test_a_state_dictionary_with_our_names_is_taken_over(name, big, tmp_path):
    first, second = (shaken(build_backbone(name, (32, 32)), seed) for seed in (1, 2))
    report = transfer(second, write_state(tmp_path / "a.pt", in_torch_terms(first), big))
    assert same(values(first), values(second))
    assert str(report) == f"{len(first.weights)} variables taken over."


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_a_state_dictionary_is_taken_over_from_files_of_other_kinds(ending, tmp_path):
    first, second = (shaken(build_backbone("tiny", (32, 32)), seed) for seed in (1, 2))
    arrays = {name: np.ascontiguousarray(one) for name, one in in_torch_terms(first).items()}
    arrays["module.conv1_bn.num_batches_tracked"] = np.array(7)
    path = write_arrays(tmp_path / f"a.{ending}", arrays)
    assert str(transfer(second, path)) == f"{len(first.weights)} variables taken over."
    assert same(values(first), values(second))
    arrays["module.conv1.kernel"] = arrays["module.conv1.weight"]
    with pytest.raises(ModelError, match="module/conv1/kernel must be there once"):
        transfer(second, write_arrays(path, arrays))


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A `.safetensors` or `.npz` of arrays."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        safetensors.numpy.save_file(arrays, path)
    return path


def test_values_of_a_convolution_land_where_torch_has_them(tmp_path):
    """torch.nn.Conv2d by its definition: out[o, y, x] = Σ weight[o, i, u, v] · in[i, y + u, x + v]
    + bias[o].
    """
    rng = np.random.default_rng(0)
    weight, bias, image = rng.random((4, 3, 2, 3)), rng.random(4), rng.random((3, 5, 6))
    layer = keras.layers.Conv2D(4, (2, 3), name="stem")
    model = keras.Sequential([keras.Input((5, 6, 3)), layer])
    transfer(model, write_state(tmp_path / "a.pt", {"stem.weight": weight, "stem.bias": bias}))
    expected = np.zeros((4, 4, 4))
    for o, y, x, i, u, v in itertools.product(
        range(4), range(4), range(4), range(3), range(2), range(3)
    ):
        expected[o, y, x] += weight[o, i, u, v] * image[i, y + u, x + v]
    expected += bias[:, None, None]
    received = keras.ops.convert_to_numpy(model(image.transpose(1, 2, 0)[None].astype("float32")))[
        0
    ]
    np.testing.assert_allclose(received.transpose(2, 0, 1), expected, rtol=1e-5)


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize(
    "between",
    [[], [partial(keras.layers.Dropout, 0.5), keras.layers.ReLU]],
    ids=["next", "behind dropout"],
)
def test_a_linear_layer_behind_a_flattened_map_reads_the_places_it_read_in_torch(
    between, ending, tmp_path
):
    """torch.flatten puts channels first: out[o] = Σ weight[o, (c · H + y) · W + x] · map[c, y,
    x].
    """
    rng = np.random.default_rng(0)
    image, weight, second = rng.random((3, 4, 5)), rng.random((6, 60)), rng.random((2, 6))
    inner = keras.Sequential(
        [
            keras.Input((4, 5, 3)),
            keras.layers.Flatten(),
            *(make() for make in between),
            keras.layers.Dense(6, name="a", use_bias=False),
        ]
    )
    outside = keras.Input((4, 5, 3))
    model = keras.Model(outside, keras.layers.Dense(2, name="b", use_bias=False)(inner(outside)))
    write = write_state if ending == "pt" else write_arrays
    transfer(model, write(tmp_path / f"a.{ending}", {"a.weight": weight, "b.weight": second}))
    received = keras.ops.convert_to_numpy(model(image.transpose(1, 2, 0)[None].astype("float32")))[
        0
    ]
    np.testing.assert_allclose(received, second @ (weight @ image.ravel()), rtol=1e-5)


def test_a_tensor_that_does_not_fit_is_named_in_our_words(tmp_path):
    model = build_backbone("tiny", (32, 32))
    tensors = in_torch_terms(model)
    tensors["module.conv1.weight"] = np.zeros((7, 3, 3, 3))
    report = transfer(model, write_state(tmp_path / "a.pt", tensors))
    assert report.mismatched == (("conv1/kernel", (3, 3, 3, 7), (3, 3, 3, 16)),)
    tensors["module.conv2.weight"] = np.full(tensors["module.conv2.weight"].shape, np.nan)
    before = values(model)
    with pytest.raises(ModelError, match="conv2/kernel has 2304 of 2304"):
        transfer(model, write_state(tmp_path / "a.pt", tensors))
    assert same(values(model), before)


def tensor(**changes) -> bytes:
    """A sound tensor of six numbers, but for the changes."""
    return said(
        **{
            "key": "0",
            "kind": "FloatStorage",
            "length": 6,
            "shape": (2, 3),
            "strides": (3, 1),
            **changes,
        }
    )


NO_TENSORS = {
    "beyond its storage": (tensor(offset=1), ["must lie in its storage of 6", "from 1 to 7"]),
    "far beyond": (tensor(offset=1 << 62), ["must lie in its storage"]),
    "before its storage": (tensor(offset=-1), ["plain tensor"]),
    "large": (tensor(shape=(1 << 40, 3)), ["must lie in its storage"]),
    "large by strides of 0": (tensor(shape=(1 << 40, 1 << 20), strides=(0, 0)), ["must be dense"]),
    "every second": (tensor(shape=(3,), strides=(2,)), ["must be dense", "(2,)", "contiguous()"]),
    "overlapping": (tensor(shape=(2, 2), strides=(1, 1)), ["must be dense"]),
    "backwards": (tensor(strides=(3, -1)), ["plain tensor"]),
    "of minus rows": (tensor(shape=(-2, -3)), ["plain tensor"]),
    "without strides": (tensor(strides=()), ["plain tensor"]),
    "of forty axes": (tensor(shape=(1,) * 40, strides=(1,) * 40), ["plain tensor"]),
    "of a longer storage": (tensor(length=7), ["storage of 7 numbers", "24 bytes"]),
    "of doubles": (tensor(kind="DoubleStorage"), ["storage of 6 numbers", "24 bytes"]),
    "without numbers": (tensor(key="9"), ["data/9", "not there"]),
    "with numbers elsewhere": (tensor(key="../../secret"), ["not there"]),
    "conjugated": (tensor(more=b"}" + text("conj") + b"\x88s"), ["conjugated"]),
    "a bare call": (called("torch._utils _rebuild_tensor_v2"), ["plain tensor"]),
    "a parameter of a parameter": (
        called((
            "torch._utils _rebuild_parameter"
        ), called("torch._utils _rebuild_parameter", tensor())), ["plain tensor"]
    ),
    "of no storage": (tensor().replace(b"storage", b"garbage", 1), ["must have a storage"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", NO_TENSORS)
def test_tensors_that_contradict_their_storage_are_refused_by_name(fault, tmp_path):
    item, fragments = NO_TENSORS[fault]
    path = write_torch(
        tmp_path / "a.pt", table({"good": tensor(), "bad.weight": item}), {"0": bytes(24)}
    )
    refused(path, str(path), "bad.weight", *fragments)


def test_the_sound_tensor_of_these_tests_is_sound(tmp_path):
    path = write_torch(
        tmp_path / "a.pt", table({"good": tensor(more=b"N")}), {"0": counted((6,), 0).tobytes()}
    )
    np.testing.assert_array_equal(read_all(path)["/good"], counted((2, 3), 0))
    assert read_all(write_torch(path, b"}", {})) == {}


@pytest.mark.parametrize("axes", [31, 32, 33])
def test_a_tensor_has_as_many_axes_as_numpy_once_held(axes, tmp_path):
    content = tensor(shape=(1,) * axes, strides=(1,) * axes, length=1)
    path = write_torch(tmp_path / "a.pt", table({"a": content}), {"0": counted((1,), 0).tobytes()})
    if axes <= 32:
        assert read_all(path)["/a"].shape == (1,) * axes
    else:
        refused(path, "plain tensor")


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (lambda m: {k: v for k, v in m.items() if "pkl" not in k}, ["one data.pkl", "holds 0"]),
        (lambda m: {**m, "b/data.pkl": b""}, ["one data.pkl", "holds 2"]),
        (lambda m: {**m, "state/byteorder": b"middle"}, ["little or big", "middle"]),
        (lambda m: {**m, "state/byteorder": b" " * 99}, ["must be small", "99"]),
        (lambda m: {**m, "state/data.pkl": b""}, ["pickle"]),
        (lambda m: {**m, "state/data.pkl": m["state/data.pkl"][:-1]}, ["STOP"]),
        (lambda m: {**m, "state/data.pkl": m["state/data.pkl"][:300]}, ["pickle"]),
        (lambda m: {**m, "state/data/0": m["state/data/0"][:-4]}, ["conv1.weight", "428 bytes"]),
        (lambda m: {**m, "state/code/a.py": b""}, ["TorchScript"]),
        (lambda m: {**m, "state/constants.pkl": b""}, ["TorchScript"]),
    ],
)
def test_members_that_are_wrong_are_refused(change, fragments, tmp_path):
    refused(rezipped(FILES / "state.pt", tmp_path / "a.pt", change), "a.pt", *fragments)


def test_compressed_numbers_are_refused(tmp_path):
    path = rezipped(FILES / "state.pt", tmp_path / "a.pt", lambda m: m, zipfile.ZIP_DEFLATED)
    refused(path, "conv1.weight", "not compressed")


def test_names_that_come_twice_are_refused(tmp_path):
    twice = b"}(" + (text("a") + tensor()) * 2 + b"u"
    refused(write_torch(tmp_path / "a.pt", twice, {"0": bytes(24)}), "a must be there once")
    both = table({"a.kernel": tensor(), "a.weight": tensor()})
    refused(
        write_torch(tmp_path / "a.pt", both, {"0": bytes(24)}),
        "a/kernel must be there once",
        "a.weight",
    )


class Trap:
    """What Python's own reader would call a function for."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, eval, exec, print, getattr, __import__, open])
def test_nothing_is_called(function, protocol, tmp_path, capfd):
    """The same bytes call when Python's own reader has them: that is tried with `print`."""
    trap = Trap(function, f"touch {tmp_path / 'touched'}")
    content = pickle.dumps({"a": trap}, protocol)
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", content)
    refused(tmp_path / "a.pt", "a.pt")
    assert not (tmp_path / "touched").exists()
    assert capfd.readouterr().out == ""
    if function is print:
        pickle.loads(content)
        assert "touched" in capfd.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        b"cantigravity\nfly\n.",
        text("antigravity") + text("fly") + b"\x93.",
        text("antigravity") + b"N\x93.",
        b"(iantigravity\nfly\n.",
        b"(cantigravity\nfly\no.",
        b"cantigravity\nfly\n)\x81.",
        b"\x82\x01.",  # the extension registry
        b"cantigravity\nfly\n}b.",
        called("collections OrderedDict") + b"}b" + text("antigravity") + b"P0\n.",
        b"ctorch._utils\n_rebuild_tensor_v2\n}b.",
        b"ctorch\nFloatStorage\n)R)R.",
        text("collections.OrderedDict") + b")R.",
        called("collections OrderedDict", b"](" + text("a") + b"K\x01ee") + b".",
        b"\x8b\x01\x00\x00\x00\x05.",  # an integer of up to 2 GiB
        b"L5L\n.",
    ],
)
def test_nothing_is_imported_or_made(content):
    with pytest.raises(ValueError, match=r"pickle|asks for"):
        read_pickle(
            b"\x80\x04" + content, {"torch._utils._rebuild_tensor_v2", "torch.FloatStorage"}
        )
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    (
        "content"
    ), [(
        b""
    ), (
        b"."
    ), (
        b"N"
    ), (
        b"t."
    ), b"0.", b"a.", b"s.", b"u.", b"h\x00.", b"R.", b"b.", b"K\x01a.", b"}K\x01s.", b"}(K\x01u.",
                (
                    b"\xff"
                ), (
                    b"X\xff\xff\xff\xffa"
                ), (
                    b"\x8d"
                ) + b"\xff" * 8, b"]K\x01K\x02u.", b"K\x01K\x01b.", b"\x85.", b"\x87.", b"Q."]
)  # fmt: skip
def test_damaged_pickles_are_refused(content):
    with pytest.raises(ValueError):
        read_pickle(content, ())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_read_as_python_reads_them(protocol):
    """Where nothing is called, our reader and Python's must agree."""
    shared = ["x", 2.5, -1, 1 << 40, None, True, ()]
    value = {
        "a": shared,
        "b": [shared, (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        7: {},
        "é" * 300: 70_000,
    }

    def plain(item):
        if type(item) is Table:
            return {plain(key): plain(inner) for key, inner in item.pairs}
        return type(item)(map(plain, item)) if type(item) in (list, tuple) else item

    assert plain(read_pickle(pickle.dumps(value, protocol), ())) == value


def many(count: int, inside: bytes) -> bytes:
    """A dictionary in a dictionary …, each of which holds the one within twice: 2^count ways lead
    to the innermost.
    """
    content = table({"a": inside})
    for level in range(count):
        got = b"h" + bytes([level])
        content = b"}(" + text("a") + content + b"q" + bytes([level]) + text("b") + got + b"u"
    return content


LONG = text("n" * 1_000_000)
BOMBS = {
    "ways": (many(30, tensor()), "values"),
    "circle": (b"}q\x00" + text("a") + b"h\x00s", "deep"),
    "circle of lists": (b"}" + text("a") + b"]q\x00h\x00as", "deep"),
    "long list, often": (
        b"}("
        + text("l")
        + b"]("
        + b"K\x01" * 200_000
        + b"eq\x00"
        + b"".join(text(str(n)) + b"h\x00" for n in range(5000))
        + b"u",
        "values",
    ),
    "long key": (b"}(" + LONG + tensor() + b"u", "1000 characters"),
    "long keys": (
        b"}" + text("t") + b"}(" + LONG + b"q\x00" + b"]" + b"h\x00]" * 100_000 + b"us",
        "1000 characters",
    ),
    "long names": (
        b"}(" + (text("n" * 900) + b"}(") * 30 + text("a") + tensor() + b"u" * 31,
        "names of 1000",
    ),
    "large key": (b"}(\x8a\xff" + b"\x01" * 255 + tensor() + b"u", "keys"),
    "key that is a list": (b"}(]" + tensor() + b"u", "keys"),
    "instructions": (b"}" * 460_000, "instructions"),
    "memory": (b"}r\xff\xff\xff\xff" + b"0", "POP"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_pickles_that_grow_are_refused(bomb, tmp_path, monkeypatch):
    monkeypatch.setattr(torch_pickle, "STEP_LIMIT", 450_000)
    content, fragment = BOMBS[bomb]
    refused(write_torch(tmp_path / "a.pt", content, {"0": bytes(24)}), fragment)


def test_no_change_of_a_pickle_raises_anything_else(tmp_path):
    """Bytes of the pickle are replaced, put in and left out, and the zip is sound: it is read, or a
    ModelError.
    """
    rng = np.random.default_rng(0)
    known = np.frombuffer(b"}](tRbuseqhQ.0NXcKJ\x85\x86\x87\x8a\x93\x00\xff", "u1")
    outcomes = set()
    for _ in range(300):

        def change(members):
            content = bytearray(members["state/data.pkl"])
            for place in rng.integers(len(content), size=rng.integers(1, 4)):
                width, new = rng.integers(2), rng.integers(2)
                content[place : place + width] = bytes(rng.choice(known, new))
            return {**members, "state/data.pkl": bytes(content)}

        try:
            outcomes.add(bool(read_all(rezipped(FILES / "state.pt", tmp_path / "a.pt", change))))
        except ModelError:
            outcomes.add("refused")
    assert {True, "refused"} <= outcomes


def test_a_large_pickle_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "PICKLE_LIMIT", 900)
    refused(FILES / "state.pt", "must be small", "959 of 900")
    monkeypatch.setattr(torch_pickle, "PICKLE_LIMIT", 3)
    with pytest.raises(ValueError, match="at most 3 bytes"):
        read_pickle(b"N..." * 10, ())


# === Keras ===


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A whole model as Keras saves it, with an optimizer that has state."""
    model = shaken(build_backbone("tiny", (32, 32)))
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path_factory.mktemp("keras") / "a.keras"
    model.save(path)
    return path


@keras_on_jax
def test_a_whole_model_of_keras_3_gives_its_weights_and_nothing_else(saved, tmp_path):
    first, second = (shaken(build_backbone("tiny", (32, 32)), seed) for seed in (0, 1))
    report = transfer(second, saved)
    assert same(values(first), values(second))
    assert str(report) == f"{len(first.weights)} variables taken over."
    program = {
        "config.json": b"\xff no JSON " * 99,
        "metadata.json": b"",
        "assets/x.py": b"raise SystemExit",
    }
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        third = shaken(build_backbone("tiny", (32, 32)), 2)
        transfer(
            third, rezipped(saved, tmp_path / "b.keras", lambda m: {**m, **program}, compression)
        )
        assert same(values(first), values(third))


def as_h5(make) -> bytes:
    """The bytes of an HDF5 file that `make(file)` fills."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        make(file)
    return content.getvalue()


WITHIN = {
    "nothing": (lambda m: {}, ["model.weights.h5", "nothing"]),
    "other": (
        lambda m: {"a/model.weights.h5": m["model.weights.h5"]},
        ["must hold 'model.weights.h5'", "a/model.weights.h5"],
    ),
    "no HDF5": (lambda m: {**m, "model.weights.h5": b"<html>"}, ["HDF5"]),
    "cut": (lambda m: {**m, "model.weights.h5": m["model.weights.h5"][:-9999]}, ["HDF5"]),
    "link": (
        lambda m: {
            "model.weights.h5": as_h5(
                lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/x"))
            )
        },
        ["links", "/x"],
    ),
    "bomb": (
        lambda m: {
            "model.weights.h5": as_h5(
                lambda f: f.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 10,))
            )
        },
        ["/x", "declares"],
    ),
}


@pytest.mark.parametrize("fault", WITHIN)
@keras_on_jax
def test_what_lies_in_a_keras_file_is_distrusted_too(fault, saved, tmp_path):
    change, fragments = WITHIN[fault]
    path = rezipped(saved, tmp_path / "b.keras", change)
    refused(path, str(path), *fragments)


@keras_on_jax
def test_weights_that_unpack_to_too_much_are_refused(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(zipped_weights, "UNPACKED_LIMIT", 1000)
    assert read_all(saved)  # what is not compressed is no larger than the file
    refused(
        rezipped(saved, tmp_path / "b.keras", lambda m: m, zipfile.ZIP_DEFLATED),
        "at most 1000 bytes",
    )


@keras_on_jax
def test_nothing_is_left_of_what_was_unpacked(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with opened(saved) as tensors:
        assert tensors
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    refused(saved, "temporary")


# === zips ===


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The bytes of a zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, inside in members:
            archive.writestr(name, inside)
    return content.getvalue()


def patched(content: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    """The bytes with others at `offset` behind the last `mark`."""
    at = content.rindex(mark) + offset
    return content[:at] + new + content[at + len(new) :]


def encrypted() -> bytes:
    content = zipped(("a.npy", b"x"))
    return patched(patched(content, b"PK\x01\x02", 8, b"\x01\x00"), b"PK\x03\x04", 6, b"\x01\x00")


def quoted() -> bytes:
    """Two members, the second of which lies within the first: its header is a part of the first
    one's content.
    """
    inner = zipped(("b.npy", b"x" * 50), compression=zipfile.ZIP_STORED)
    content = zipped(("a.npy", inner), ("b.npy", b"x" * 50), compression=zipfile.ZIP_STORED)
    return patched(content, b"PK\x01\x02", 42, struct.pack("<I", content.index(b"PK\x03\x04", 10)))


ZIPS = {
    "no zip": (b"PK\x03\x04 and nothing", ["zip archive"]),
    "encrypted": (encrypted(), ["encrypted", "a.npy"]),
    "another method": (
        zipped(("a.npy", b"x" * 99), compression=zipfile.ZIP_BZIP2),
        ["stored or deflated", "method 12"],
    ),
    "leads out": (zipped(("../a.npy", b"x")), ["'../a.npy'", "relative"]),
    "absolute": (zipped(("/a.npy", b"x")), ["'/a.npy'", "relative"]),
    "long name": (zipped(("a" * 300, b"x")), ["200 characters"]),
    "quoted": (quoted(), ["overlap", "b.npy"]),
    "declares": (
        patched(zipped(("a.npy", b"x")), b"PK\x01\x02", 24, struct.pack("<I", 1 << 31)),
        ["a.npy", str(1 << 31)],
    ),
    "stored, declares": (
        patched(
            zipped(("a.npy", b"x"), compression=zipfile.ZIP_STORED), b"PK\x01\x02", 24, b"\x02"
        ),
        ["a.npy", "declares 2"],
    ),
    "outside": (
        patched(zipped(("a.npy", b"x")), b"PK\x01\x02", 42, struct.pack("<I", 1 << 30)),
        ["a.npy", "header"],
    ),
    "into the directory": (
        patched(
            zipped(("a.npy", b"x"), compression=zipfile.ZIP_STORED), b"PK\x01\x02", 20, b"\x09"
        ),
        ["a.npy", "overlap"],
    ),
    "crowd": (zipped(*((str(n), b"") for n in range(31))), ["at most 30", "31"]),
    "crowded directory": (zipped(*((f"{n:0199}", b"") for n in range(29))), ["at most 5000 bytes"]),
}


@pytest.mark.parametrize("ending", [".npz", ".keras", ".pt"])
@pytest.mark.parametrize("fault", ZIPS)
def test_zips_that_are_traps_are_refused_whatever_their_ending(
    fault, ending, tmp_path, monkeypatch
):
    monkeypatch.setattr(zip_file, "MEMBER_LIMIT", 30)
    monkeypatch.setattr(zip_file, "DIRECTORY_LIMIT", 5000)
    content, fragments = ZIPS[fault]
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    refused(path, str(path), *fragments)


def test_a_zip_of_as_many_files_as_it_may_hold_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_file, "MEMBER_LIMIT", 3)
    np.savez(tmp_path / "a.npz", **{name: np.ones(2) for name in "abc"})
    with opened(tmp_path / "a.npz") as found:
        assert len(found) == 3
    np.savez(tmp_path / "a.npz", **{name: np.ones(2) for name in "abcd"})
    refused(tmp_path / "a.npz", "at most 3", "4")


@keras_on_jax
@pytest.mark.parametrize("ending", [".npz", ".keras", ".pt"])
def test_a_flipped_byte_is_seen_or_of_no_consequence(ending, saved, tmp_path):
    """Zips have checksums: whichever byte is another, the tensors are the same or the file is
    refused, for a sample of them.
    """
    source = {".npz": tmp_path / "s.npz", ".keras": saved, ".pt": FILES / "state.pt"}[ending]
    np.savez(tmp_path / "s.npz", **{"a/kernel": counted((5, 7), 0), "b/bias": counted((3,), 5)})
    content, sound = source.read_bytes(), read_all(source)
    path, seen = tmp_path / f"a{ending}", 0
    stride = 2003 if ending == ".keras" else 29
    for place in [
        *range(0, len(content) - 2000, stride),
        *range(max(0, len(content) - 2000), len(content), 31),
    ]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            read = read_all(path)
        except ModelError:
            seen += 1
            continue
        assert same(read, sound), place
    assert seen


# === npz ===


def test_a_header_of_gigabytes_is_not_read(tmp_path):
    """Version 2.0 of the format has 32 bits for the length of the header."""
    content = b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 27) + bytes(1 << 27)
    (tmp_path / "a.npz").write_bytes(zipped(("a.npy", content)))
    refused(tmp_path / "a.npz", "a must be a numpy array", "1.0")


def test_a_shape_of_minus_rows_is_refused(tmp_path):
    content = io.BytesIO()
    np.save(content, np.zeros((2, 3), "float32"))
    (tmp_path / "a.npz").write_bytes(
        zipped(("a.npy", content.getvalue().replace(b"(2, 3), }  ", b"(-2, -3), }")))
    )
    refused(tmp_path / "a.npz", "negative")


@pytest.mark.parametrize(
    ("array", "fits"),
    [(np.array(7, ">i8"), True), (np.array(1 << 40), False), (np.array(True), True)],
)
def test_integers_are_taken_over_within_their_range(array, fits, tmp_path):
    class Steps(keras.layers.Layer):
        """A layer that holds an integer."""

        def build(self, shape):
            self.steps = self.add_weight(
                name="steps", shape=(), dtype="int32", trainable=False, initializer="zeros"
            )

        def call(self, x):
            return x

    image = keras.Input((2,))
    model = keras.Model(image, Steps(name="counter")(image))
    np.savez(tmp_path / "a.npz", **{"counter/steps": array})
    if fits:
        transfer(model, tmp_path / "a.npz")
    else:
        with pytest.raises(
            ModelError, match="counter/steps must hold numbers in the range of int32"
        ):
            transfer(model, tmp_path / "a.npz")
    assert values(model)["counter/steps"] == (array if fits else 0)


# === HDF5 ===


def chunked(file, chunks=(256,), shape=(1024,), **options):
    """A dataset of pieces, whose values are set."""
    return file.create_dataset(
        "head/bias:0",
        data=np.random.default_rng(0).random(shape).astype("f4"),
        chunks=chunks,
        **options,
    )


def bare(file, filters, chunk=256, count=4):
    """A dataset with these filters, in this order; no piece is written."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((chunk,))
    for code in filters:
        settings.set_filter(
            code, h5py.h5z.FLAG_OPTIONAL, (6,) if code == 1 else (4,) if code == 2 else ()
        )
    space = h5py.h5s.create_simple((chunk * count,))
    group = file.create_group("head")
    return h5py.Dataset(h5py.h5d.create(group.id, b"bias:0", h5py.h5t.IEEE_F32LE, space, settings))


def pieces(file, contents, filters=(1,), mask=0):
    """A dataset whose pieces are these bytes."""
    dataset = bare(file, filters, count=len(contents))
    for place, content in enumerate(contents):
        if content is not None:
            dataset.id.write_direct_chunk((256 * place,), content, mask)


def late(file):
    for name in "abcd":
        file.create_dataset(f"{name}/kernel:0", (1 << 30,), "f4", chunks=(1 << 10,), fillvalue=1.0)


PIECE = zlib.compress(counted((256,), 0).tobytes())
H5 = {
    "fill value": (late, ["/kernel:0", "declares", "has 0"]),
    "late": (lambda f: f.create_dataset("head/bias:0", (3,), "f4"), ["head/bias:0", "has 0"]),
    "lzf": (partial(chunked, compression="lzf"), ["head/bias:0", "filter 32000", "gzip"]),
    "scaled": (partial(chunked, scaleoffset=3), ["head/bias:0", "filter 6"]),
    "gzip twice": (partial(bare, filters=(1, 1)), ["head/bias:0", "gzip, gzip", "each once"]),
    (
        "gzip first"
    ): (partial(bare, filters=(1, 2)), ["head/bias:0", "gzip, shuffle", "in this order"]),
    "unknown filter": (partial(bare, filters=(305,)), ["head/bias:0", "filter 305"]),
    (
        "inflates"
    ): (partial(pieces, contents=[zlib.compress(bytes(1 << 24))] * 4), [(
        "head/bias"
    ), "1024 bytes", "compressed to"]),
    (
        "inflates a little"
    ): (partial(pieces, contents=[PIECE, zlib.compress(bytes(200_000))] * 2), [(
        "head/bias"
    ), "has more"]),
    "inflates though not shuffled": (
        partial(pieces, contents=[zlib.compress(bytes(200_000))], filters=(2, 1), mask=1), [(
            "head/bias"
        ), "has more"]
    ),
    (
        "short piece"
    ): (partial(pieces, contents=[PIECE, zlib.compress(bytes(1000))]), ["head/bias", "has 1000"]),
    (
        "plain short piece"
    ): (partial(pieces, contents=[PIECE, bytes(1000)], mask=1), ["head/bias", "must have 1024"]),
    "cut piece": (partial(pieces, contents=[PIECE, PIECE[:-99]]), ["head/bias", "must have 1024"]),
    "garbage": (partial(pieces, contents=[PIECE, b"\xff" * 99]), ["head/bias", "deflate"]),
    "missing piece": (partial(pieces, contents=[PIECE, None, PIECE]), ["head/bias", "3 pieces; 2"]),
    (
        "table"
    ): (lambda f: f.create_dataset("a/b", data=np.zeros(2, "i4,f4")), ["/a/b", "something else"]),
    (
        "texts"
    ): (lambda f: f.create_dataset((
        "a/b"
    ), data=["x", "y"], dtype=h5py.string_dtype()), ["/a/b", "something else"]),
    (
        "ragged"
    ): (lambda f: f.create_dataset("a/b", (2,), h5py.vlen_dtype("f4")), ["/a/b", "something else"]),
    (
        "references"
    ): (lambda f: f.create_dataset((
        "a/b"
    ), data=np.array([f.ref], h5py.ref_dtype)), ["/a/b", "something else"]),
    (
        "complex"
    ): (lambda f: f.create_dataset("a/b", data=np.zeros(2, "c8")), ["/a/b", "something else"]),
    "times": (
        lambda f: h5py.h5d.create(f.id, (
            b"b"
        ), h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((2,))), ["/b", "array of numbers"]
    ),
    "long name": (lambda f: f.create_group("n" * 2000), ["1000 characters"]),
    "circle": (lambda f: f.create_group("a").create_group("b").__setitem__("c", f["a"]), ["deep"]),
    "ways": (lambda f: [f.create_group(f"{n}") for n in range(9)] and [
        f[str(n)].__setitem__(key, f[str(n + 1)]) for n in range(8) for key in "abcdef"], [(
            "500 groups"
        )]),
}  # fmt: skip


@pytest.mark.parametrize("trap", H5)
def test_h5_files_that_are_traps_are_refused(trap, tmp_path, monkeypatch):
    monkeypatch.setattr(h5_file, "OBJECT_LIMIT", 500)
    make, fragments = H5[trap]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    refused(tmp_path / "a.h5", *fragments)


@pytest.mark.parametrize(
    "options",
    [{}, {(
        "compression"
    ): "gzip"}, {"shuffle": True, "compression": "gzip", "fletcher32": True}, {"fletcher32": True},
     {(
         "shuffle"
     ): True}, {(
         "compression"
     ): "gzip", "chunks": (300,)}, {"compression": "gzip", "shape": (30, 30), "chunks": (7, 11)}],
)  # fmt: skip
def test_honest_pieces_are_read(options, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        expected = chunked(file, **options)[()]
    assert same(read_all(tmp_path / "a.h5"), {"head/bias": expected})


def test_a_piece_that_did_not_shrink_is_read_as_it_is(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        pieces(file, [counted((256,), 0).tobytes()], mask=1)
    assert same(read_all(tmp_path / "a.h5"), {"head/bias": counted((256,), 0)})


@pytest.mark.parametrize(
    "name", [np.zeros(100, "i4"), ["x"] * 1000, "n" * 5000, 7, np.bytes_(b"dense"), h5py.Empty("f")]
)
def test_only_a_short_text_is_the_name_of_a_layer(name, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("layers/dense_1/vars")
        group["0"] = np.zeros(1)
        group.attrs["name"] = name
    assert read_all(tmp_path / "a.h5").keys() == {"dense_1/0"}


# === bounded memory ===

READ = """
import json, resource, sys
from pathlib import Path
from cvtasks.errors import ModelError
from cvtasks.weights.open import opened
import h5py
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (200 << 20),) * 2)
said = {}
for path in map(Path, sys.argv[1:]):
    try:
        with opened(path) as tensors:
            for stored in tensors.values():
                try:
                    stored.read()
                except ValueError as error:
                    raise ModelError(str(error)) from error
        said[path.name] = "read"
    except ModelError as error:
        said[path.name] = "refused"
loaded = sorted({"keras", "tensorflow", "jax", "torch"} & sys.modules.keys())
print(json.dumps({"said": said, "modules": loaded}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux'")
def test_bombs_do_not_fill_the_memory(tmp_path):
    with h5py.File(tmp_path / "fill.h5", "w") as file:
        late(file)
    with h5py.File(tmp_path / "inflate.h5", "w") as file:
        bomb = zlib.compressobj()
        content = b"".join(bomb.compress(bytes(1 << 24)) for _ in range(24)) + bomb.flush()
        assert len(content) < 1 << 20  # of a piece of 4 MiB that would inflate to 384 MiB
        dataset = bare(file, (1,), chunk=1 << 20, count=1)
        dataset.id.write_direct_chunk((0,), content)
    write_torch(tmp_path / "pickle.pt", BOMBS["long keys"][0], {"0": bytes(24)})
    (tmp_path / "npz.npz").write_bytes(ZIPS["declares"][0])
    files = sorted(map(str, tmp_path.iterdir()))
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, *files], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "said": dict.fromkeys((Path(file).name for file in files), "refused"),
        "modules": [],
    }


def test_the_files_of_torch_are_those_whose_making_is_told():
    """Nobody reads bytes: `torch_files.txt` tells how to make these again."""
    told = (FILES / "torch_files.txt").read_text(encoding="utf-8")
    files = [file.name for file in FILES.glob("*.pt*")]
    assert files
    assert [name for name in files if f'"{name}"' not in told] == []
    assert sum(file.stat().st_size for file in FILES.iterdir()) <= 40_000
