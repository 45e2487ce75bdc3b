"""Weights: what is saved comes back, what is damaged is refused by name,
what is published arrives.
"""

import hashlib
import io
import json
import os
import re
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from cvtasks.errors import CVTasksError, CVTasksWarning, ModelError
from cvtasks.files.writing import name_held
from cvtasks.networks.backbones import BACKBONES, build_backbone
from cvtasks.weights import imagenet, safetensors_file
from cvtasks.weights.imagenet import load_file, load_imagenet
from cvtasks.weights.safetensors_file import (
    DTYPES,
    read_metadata,
    read_safetensors,
    write_safetensors,
)
from cvtasks.weights.transfer import Transfer, load_weights, save_weights, transfer

keras_on_jax = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3.15 writes and reads its own files on JAX in a way that NumPy 2 warns of."""

DATA = os.environ.get("CVTASKS_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="CVTASKS_DATA names no folder of weights")


class Steps(keras.layers.Layer):
    """A layer that holds an integer, as no float format may."""

    def build(self, shape):
        self.steps = self.add_weight(
            name="steps", shape=(), dtype="int32", trainable=False, initializer="ones"
        )

    def call(self, x):
        return x


def network(classes: int = 3) -> keras.Model:
    """A network with a trunk, an integer, a random seed (of the dropout) and a head; every weight
    is random.
    """
    trunk = build_backbone("tiny", (32, 32))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(trunk.outputs[-1])
    x = keras.layers.Dropout(0.5, name="drop")(Steps(name="counter")(x))
    model = keras.Model(trunk.input, keras.layers.Dense(classes, name="head")(x), name="small")
    shake(model)
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network for what must not change it."""
    return network()


def shake(model: keras.Model) -> None:
    """Give every weight another value, positive where it must be."""
    rng = np.random.default_rng(len(model.weights))
    for variable in model.weights:
        array = keras.ops.convert_to_numpy(variable.value)
        variable.assign((array + rng.random(array.shape) * 3).astype(variable.dtype))


def values(model: keras.Model) -> dict[str, np.ndarray]:
    """All weights by path."""
    return {variable.path: keras.ops.convert_to_numpy(variable.value) for variable in model.weights}


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    """Whether two sets of weights are equal in every bit."""
    return left.keys() == right.keys() and all(
        left[k].tobytes() == right[k].tobytes() for k in left
    )


def refused(action, model: keras.Model, *fragments: str) -> None:
    """Check that `action()` is a ModelError which has the fragments, and that it left the network
    as it was.
    """
    before = values(model)
    with pytest.raises(ModelError) as error:
        action()
    for fragment in fragments:
        assert fragment in str(error.value)
    assert same(values(model), before)


# === save and load ===


def test_saved_weights_come_back_exactly(tmp_path):
    first, second = network(), network()
    keras.utils.set_random_seed(1)
    for variable in second.weights:
        variable.assign(np.zeros(tuple(variable.shape), variable.dtype))
    save_weights(first, tmp_path / "a.safetensors", metadata={"b": "é", "a": "1"})
    load_weights(second, tmp_path / "a.safetensors")
    assert same(values(first), values(second))
    assert read_metadata(tmp_path / "a.safetensors") == {"b": "é", "a": "1"}


def test_a_file_has_the_weights_and_no_seeds(tmp_path):
    model = network()
    save_weights(model, tmp_path / "a.safetensors")
    assert any("seed" in variable.path for variable in model.variables)
    assert not any("seed" in name for name in read_safetensors(tmp_path / "a.safetensors"))


def test_equal_weights_give_equal_bytes(tmp_path):
    model, metadata = network(), {str(number): "x" for number in range(20)}
    save_weights(model, tmp_path / "a.safetensors", metadata=metadata)
    save_weights(model, tmp_path / "b.safetensors", metadata=metadata)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_safetensors_package_reads_what_is_written_and_the_other_way_round(tmp_path):
    model, path = network(), tmp_path / "a.safetensors"
    save_weights(model, path, metadata={"a": "1"})
    assert same(safetensors.numpy.load_file(path), values(model))
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {"cvtasks": '{"a":"1"}'}
    other = network()
    shake(other)
    safetensors.numpy.save_file(values(other), path)
    load_weights(model, path)
    assert same(values(model), values(other))
    assert read_metadata(path) == {}


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 3), "float32"), np.array(2.5, "float16"), np.array([True]), np.arange(6)[::2]],
)
def test_every_kind_of_array_is_written(array, tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"a": array})
    for received in (safetensors.numpy.load_file(tmp_path / "a.safetensors")["a"],
                     read_safetensors(tmp_path / "a.safetensors")["a"].read()):  # fmt: skip
        assert received.dtype == array.dtype
        np.testing.assert_array_equal(received, array)


def test_kinds_of_numbers_that_are_not_read_are_not_written(tmp_path):
    with pytest.raises(ModelError, match=r"z must be one of BOOL.*complex64"):
        write_safetensors(tmp_path / "a.safetensors", {"z": np.zeros(2, "complex64")})
    assert not list(tmp_path.iterdir())


def test_a_file_that_changes_after_it_was_opened_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"a": np.zeros(1000, "float32")})
    stored = read_safetensors(path)["a"]
    os.truncate(path, 100)
    with pytest.raises(ModelError, match="does not change"):
        stored.read()


def test_half_precision_is_half_the_size_and_close(tmp_path):
    first, second = network(), network()
    shake(second)
    save_weights(first, tmp_path / "full.safetensors")
    save_weights(first, tmp_path / "half.safetensors", dtype="float16")
    load_weights(second, tmp_path / "half.safetensors")
    for path, value in values(second).items():
        np.testing.assert_allclose(value, values(first)[path], rtol=2**-11, atol=2**-25)
    assert values(second)["counter/steps"] == values(first)["counter/steps"]
    for path, stored in read_safetensors(tmp_path / "half.safetensors").items():
        expected = (
            "int32"
            if path == "counter/steps"
            else "float16"
            if len(stored.shape) > 1
            else "float32"
        )
        assert stored.dtype.name == expected, (
            "matrices are halved; variances may leave the range of float16"
        )
    full, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half"))
    assert half < 0.6 * full


@pytest.mark.parametrize(
    ("value", "dtype", "fragments"),
    [
        (np.nan, "float32", ["conv3/kernel", "finite", "1 of"]),
        (np.inf, "float16", ["conv3/kernel", "finite"]),
        (1e5, "float16", ["conv3/kernel", "65504", "100000", '"float32"']),
        (0, "bfloat16", ['"float32" or "float16"', "'bfloat16'"]),
    ],
)
def test_what_cannot_be_used_is_not_saved(value, dtype, fragments, tmp_path):
    model = network()
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"the last good one")
    array = values(model)["conv3/kernel"].copy()
    array[0, 0, 0, 0] = value
    model.get_layer("conv3").kernel.assign(array)
    refused(lambda: save_weights(model, path, dtype), model, *fragments)
    assert path.read_bytes() == b"the last good one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(CVTasksError, match=re.escape(str(tmp_path / "a.safetensors"))):
        save_weights(network(), tmp_path / "a.safetensors")


def without(arrays, name):
    return {key: value for key, value in arrays.items() if key != name}


def with_nan(array):
    return np.full_like(array, np.nan)


FAULTS = {
    "missing": (lambda a: without(a, "conv3/kernel"), ["conv3/kernel", "lacks"]),
    "unexpected": (lambda a: {**a, "conv9/kernel": np.zeros(1)}, ["conv9/kernel", "has besides"]),
    "empty": (lambda a: {}, ["conv1/kernel", "lacks", "more"]),
    "shape": (lambda a: {**a, "head/bias": np.zeros(4, "float32")}, ["head/bias", "(3,)", "(4,)"]),
    "integers": (
        lambda a: {**a, "head/bias": np.zeros(3, "int32")},
        ["head/bias", "float32 or float16", "int32"],
    ),
    "doubles": (
        lambda a: {**a, "head/bias": np.zeros(3)},
        ["head/bias", "float32 or float16", "float64"],
    ),
    "floats": (
        lambda a: {**a, "counter/steps": np.float32(1)},
        ["counter/steps", "int32", "float32"],
    ),
    "nan": (
        lambda a: {**a, "conv3_bn/gamma": with_nan(a["conv3_bn/gamma"])},
        ["conv3_bn/gamma", "24 of 24", "Choose an earlier one"],
    ),
    "infinite": (
        lambda a: {**a, "head/bias": np.full(3, -np.inf, "float16")},
        ["head/bias", "3 of 3"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_of_another_network_are_refused(model, fault, tmp_path):
    change, fragments = FAULTS[fault]
    arrays = {name: np.asarray(array) for name, array in change(values(model)).items()}
    safetensors.numpy.save_file(arrays, tmp_path / "a.safetensors")
    refused(
        lambda: load_weights(model, tmp_path / "a.safetensors"), model, "a.safetensors", *fragments
    )


def with_header(change):
    """A damage that rewrites the header: `change(header)` returns the new one, or its text."""

    def damage(content: bytes) -> bytes:
        length = int.from_bytes(content[:8], "little")
        header = change(json.loads(content[8 : 8 + length]))
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + length :]

    return damage


def with_entry(**changes):
    """A damage that changes the entry of head/bias, the last of the file."""
    return with_header(lambda header: {**header, "head/bias": {**header["head/bias"], **changes}})


def moved(header):
    begin, end = header["head/bias"]["data_offsets"]
    return {**header, "head/bias": {**header["head/bias"], "data_offsets": [begin - 4, end - 4]}}


DAMAGES = {
    "cut": (lambda c: c[:-5], ["head/bias", "must end within the file"]),
    "longer": (lambda c: c + b"rest", ["must fill it"]),
    "no bytes": (lambda c: b"", ["header must fit", "the file has 0"]),
    "few bytes": (lambda c: c[:5], ["header must fit"]),
    "header cut": (lambda c: c[:40], ["header must fit"]),
    "garbage": (lambda c: b"\x80\x02\x00\x00\x00\x00\x00\x00" + b"\xff" * 1000, ["JSON"]),
    "text": (lambda c: b"<!DOCTYPE html><html>404</html>", ["header must fit"]),
    "enormous header": (
        lambda c: (1 << 62).to_bytes(8, "little") + c[8:],
        ["header must fit", str(1 << 62)],
    ),
    "list": (with_header(lambda h: [1, 2]), ["must be a JSON object"]),
    "nested": (with_header(lambda h: b"[" * 100_000), ["JSON"]),
    "twice": (
        with_header(lambda h: json.dumps(h).encode()[:-1] + b', "head/bias": {}}'),
        ["head/bias", "twice"],
    ),
    "no dtype": (
        with_header(lambda h: {**h, "head/bias": {"shape": [3]}}),
        ["head/bias", "must have a dtype"],
    ),
    "text shape": (with_entry(shape="3"), ["head/bias", "a shape"]),
    "minus shape": (with_entry(shape=[-3]), ["head/bias", "a shape"]),
    "float shape": (with_entry(shape=[3.0]), ["head/bias", "a shape"]),
    "true shape": (with_entry(shape=[True]), ["head/bias", "a shape"]),
    "one offset": (with_entry(data_offsets=[0]), ["head/bias", "two offsets"]),
    "backwards": (with_entry(data_offsets=[12, 0]), ["head/bias", "two offsets"]),
    "null": (with_header(lambda h: {**h, "head/bias": None}), ["head/bias", "must have a dtype"]),
    "dtype": (with_entry(dtype="BF16"), ["head/bias", "BF16", "F32"]),
    "other size": (with_entry(shape=[1 << 40]), ["head/bias", "must have the bytes"]),
    "size bomb": (
        with_entry(shape=[1 << 40], data_offsets=[0, 1 << 42]),
        ["head/bias", "must end within"],
    ),
    "overlap": (with_header(moved), ["head/bias", "each beginning where"]),
}


def laid_out(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """A file with its tensors in this order, and several metadata: the package writes neither."""
    header: dict = {"__metadata__": metadata} if metadata else {}
    codes, end = {np.dtype(code): name for name, code in DTYPES.items()}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": codes[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header).encode()
    data = b"".join(array.tobytes() for array in arrays.values())
    return len(text).to_bytes(8, "little") + text + data


def test_files_of_another_order_and_with_more_metadata_are_read(model, tmp_path):
    path, metadata = tmp_path / "a.safetensors", {"progress": "{}", "crc32": "1"}
    path.write_bytes(laid_out(dict(reversed(values(model).items())), metadata))
    other = network()
    load_weights(other, path)
    assert same(values(other), values(model))
    assert read_metadata(path) == metadata


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_before_anything_is_read(model, damage, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    arrays = values(model)
    last = {**without(arrays, "head/bias"), "head/bias": arrays["head/bias"]}
    change, fragments = DAMAGES[damage]
    path.write_bytes(change(laid_out(last, {})))

    def read(*_):
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(safetensors_file, "_read", read)
    for load in (load_weights, transfer):
        refused(partial(load, model, path), model, "a.safetensors", *fragments)


def test_a_large_header_is_refused(model, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_weights(model, path)
    monkeypatch.setattr(safetensors_file, "HEADER_LIMIT", 100)
    refused(lambda: load_weights(model, path), model, "100 bytes")


@pytest.mark.parametrize(
    "metadata", ['{"a": 1}', '{"cvtasks": "[1]"}', '{"cvtasks": "{"}', '{"cvtasks": 1}', "[]"]
)
def test_metadata_must_be_strings(metadata, tmp_path):
    text = f'{{"__metadata__": {metadata}}}'.encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ModelError, match="metadata"):
        read_metadata(tmp_path / "a.safetensors")


def test_no_file_no_weights_and_two_of_one_name_are_refused(model, tmp_path):
    refused(lambda: load_weights(model, tmp_path / "none.safetensors"), model, "none.safetensors")
    refused(lambda: transfer(model, tmp_path), model, "Check the path")
    with pytest.raises(ModelError, match="has none"):
        save_weights(keras.Sequential(), tmp_path / "a.safetensors")
    image = keras.Input((2,))
    inner = [
        keras.Model(image, keras.layers.Dense(2, name="twin")(image), name=name) for name in "ab"
    ]
    with pytest.raises(ModelError, match="twin/kernel, twin/bias twice"):
        save_weights(keras.Model(image, inner[1](inner[0](image))), tmp_path / "a.safetensors")


# === transfer ===


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz with keys `layer/variable`."""
    np.savez(path, **arrays)


def write_keras_2(
    path: Path, model: keras.Model, name_of=lambda layer, variable: f"{layer}/{variable}:0"
) -> None:
    """The layout of Keras 2, which keras.applications' files have: a group for every layer, its
    variables below.
    """
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.6"
        for layer in model.layers:
            group = file.create_group(layer.name)
            weights = layer.trainable_weights + layer.non_trainable_weights
            if isinstance(layer, keras.Sequential):  # its layers come one after the other
                weights = layer.weights
            names = [f"{w.path}:0" if isinstance(layer, keras.Sequential) else name_of(layer.name, (
                "depthwise_kernel"
            ) if "Depth" in type(layer).__name__ and w.name == "kernel"
                             else w.name) for w in weights]  # fmt: skip
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, weights, strict=True):
                group[name] = keras.ops.convert_to_numpy(variable.value)


def keras_1_name(layer: str, variable: str) -> str:
    """How the VGG files of keras.applications name their variables."""
    return f"{layer}_{ {'kernel': 'W', 'bias': 'b'}[variable] }_1:0"


WRITERS = {
    "a.safetensors": lambda path, model: save_weights(model, path),
    "a.npz": lambda path, model: write_npz(path, values(model)),
    "a.weights.h5": lambda path, model: model.save_weights(path),
    "a.h5": write_keras_2,
}


@keras_on_jax
@pytest.mark.parametrize("name", WRITERS)
def test_everything_is_taken_over_from_every_format(name, tmp_path):
    first, second = network(), network()
    shake(first)
    WRITERS[name](tmp_path / name, first)
    report = transfer(second, tmp_path / name)
    assert same(values(first), values(second))
    assert set(report.matched) == values(first).keys()
    assert (report.missing, report.mismatched) == ((), ())
    assert all("seed" in name for name in report.unused)


def test_mobilenet_has_another_name_for_its_depthwise_kernels(tmp_path):
    first, second = (build_backbone("mobilenet-025", (32, 32)) for _ in range(2))
    shake(first)
    write_keras_2(tmp_path / "a.h5", first)
    with h5py.File(tmp_path / "a.h5") as file:
        assert "conv_dw_1/conv_dw_1/depthwise_kernel:0" in file
    report = transfer(second, tmp_path / "a.h5")
    assert same(values(first), values(second))
    assert str(report) == f"{len(first.weights)} variables taken over."


def test_a_whole_model_file_of_keras_2_is_read_without_its_optimizer(tmp_path):
    first, second = network(), network()
    shake(first)
    write_keras_2(tmp_path / "inner.h5", first)
    with h5py.File(tmp_path / "a.h5", "w") as file, h5py.File(tmp_path / "inner.h5") as inner:
        inner.copy(inner, file, name="model_weights")
        file.create_group("optimizer_weights")["conv1/kernel:0"] = np.zeros(1)
    assert transfer(second, tmp_path / "a.h5").unused == ()
    assert same(values(first), values(second))


@keras_on_jax
@pytest.mark.parametrize("name", WRITERS)
def test_what_does_not_fit_is_reported_and_left(name, tmp_path):
    small, large = network(classes=3), network(classes=5)
    shake(small)
    WRITERS[name](tmp_path / name, small)
    before = values(large)
    report = transfer(large, tmp_path / name)
    assert report.mismatched == (("head/kernel", (32, 3), (32, 5)), ("head/bias", (3,), (5,)))
    after = values(large)
    assert same(
        {k: after[k] for k in report.matched}, {k: values(small)[k] for k in report.matched}
    )
    assert same(
        {k: after[k] for k in ("head/kernel", "head/bias")},
        {k: before[k] for k in ("head/kernel", "head/bias")},
    )
    assert "head/kernel (file (32, 3), network (32, 5))" in str(report)


@keras_on_jax
@pytest.mark.parametrize("name", WRITERS)
def test_a_trunk_is_taken_over_from_a_whole_network(name, tmp_path):
    whole, trunk = network(), build_backbone("tiny", (32, 32))
    WRITERS[name](tmp_path / name, whole)
    report = transfer(trunk, tmp_path / name)
    assert (report.missing, report.mismatched) == ((), ())
    assert {key.split("/")[0] for key in report.unused} - {"seed_generator", "drop"} == {
        "head",
        "counter",
    }
    other = network()
    WRITERS[name](tmp_path / name, trunk)
    assert set(transfer(other, tmp_path / name).missing) == {
        "counter/steps",
        "head/kernel",
        "head/bias",
    }


def test_layers_of_one_name_match_by_their_whole_path_alone(tmp_path):
    class Pair(keras.layers.Layer):
        """A layer with a layer in it."""

        def build(self, shape):
            self.inner = keras.layers.Dense(2, name="inner")
            self.inner.build(shape)

        def call(self, x):
            return self.inner(x)

    image = keras.Input((2,))
    model = keras.Model(image, Pair(name="b")(Pair(name="a")(image)))
    assert [v.path for v in model.weights] == [
        "a/inner/kernel",
        "a/inner/bias",
        "b/inner/kernel",
        "b/inner/bias",
    ]
    write_npz(
        tmp_path / "a.npz",
        {"inner/kernel": np.eye(2, dtype="float32"), "b/inner/bias": np.ones(2, "float32")},
    )
    assert transfer(model, tmp_path / "a.npz") == Transfer(
        ("b/inner/bias",),
        ("a/inner/kernel", "a/inner/bias", "b/inner/kernel"),
        ("inner/kernel",),
        (),
    )


@keras_on_jax
def test_layers_with_another_number_of_variables_do_not_match_by_number(tmp_path):
    image = keras.Input((2,))
    first = keras.Model(
        image,
        keras.layers.BatchNormalization(scale=False, name="bn")(
            keras.layers.Dense(2, name="d")(image)
        ),
    )
    second = keras.Model(
        image, keras.layers.BatchNormalization(name="bn")(keras.layers.Dense(2, name="d")(image))
    )
    first.save_weights(tmp_path / "a.weights.h5")
    report = transfer(second, tmp_path / "a.weights.h5")
    assert report.matched == ("d/kernel", "d/bias")
    assert (len(report.missing), len(report.unused)) == (4, 3)


@pytest.mark.parametrize(
    ("arrays", "fragments"),
    [
        ({}, ["must hold tensors", "holds none. Choose"]),
        ({"other/kernel": np.zeros(1)}, ["none has", "other/kernel", "conv1/kernel"]),
        ({"head/bias": np.zeros(7)}, ["none has", "head/bias"]),
        (
            {"head/bias": np.full(3, np.nan)},
            ["head/bias", "3 of 3", "can begin with 'a.npz'. Choose another file of weights"],
        ),
        ({"head/bias": np.full(3, 1e300)}, ["head/bias", "3 of 3"]),
        ({"head/bias": np.zeros(3, "int64")}, ["head/bias", "float32", "int64"]),
        ({"counter/steps": np.float32(1)}, ["counter/steps", "int32", "float32"]),
    ],
)
def test_a_transfer_that_makes_no_sense_is_refused(model, arrays, fragments, tmp_path):
    write_npz(tmp_path / "a.npz", arrays)
    refused(lambda: transfer(model, tmp_path / "a.npz"), model, "a.npz", *fragments)


def test_an_unknown_ending_is_refused(model, tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")
    refused(
        lambda: transfer(model, tmp_path / "a.onnx"),
        model,
        ".safetensors, .npz, .h5, .hdf5, .keras, .pt, .pth",
        "a.onnx",
    )


def npy(array: np.ndarray) -> bytes:
    """The bytes of an .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


HONEST = npy(np.zeros(3, "float32"))
ARCHIVES = {
    "pickle": ([("head/bias.npy", npy(np.array([{}], object)))], ["head/bias"]),
    "text": ([("head/bias.npy", npy(np.array(["a"])))], ["head/bias", "numbers"]),
    "garbage": ([("head/bias.npy", b"\x00" * 50)], ["head/bias"]),
    "no bytes": ([("head/bias.npy", b"")], ["head/bias"]),
    "cut": ([("head/bias.npy", HONEST[:-4])], ["head/bias", "as many as it declares"]),
    "size bomb": (
        [("head/bias.npy", HONEST.replace(b"(3,), }      ", b"(9999999,), }"))],
        ["head/bias", "declares"],
    ),
    "lie": (
        [("head/bias.npy", HONEST.replace(b"(3,)", b"(9,)"))],
        ["head/bias", "as many as it declares"],
    ),
    "version": (
        [("head/bias.npy", HONEST[:6] + b"\x09\x00" + HONEST[8:])],
        ["head/bias", "version"],
    ),
    "twice": ([("head/bias.npy", HONEST), ("head/bias.npy", HONEST)], ["head/bias", "twice"]),
}


@pytest.mark.parametrize("damage", ARCHIVES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_dishonest_archives_are_refused(model, damage, tmp_path):
    members, fragments = ARCHIVES[damage]
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    refused(lambda: transfer(model, tmp_path / "a.npz"), model, "a.npz", *fragments)


@pytest.mark.parametrize("ending", [".npz", ".h5", ".safetensors"])
def test_files_that_are_something_else_are_refused(model, ending, tmp_path):
    path = tmp_path / f"a{ending}"
    for content in (b"", b"<html>404</html>" * 100):
        path.write_bytes(content)
        refused(lambda: transfer(model, path), model, path.name)


@keras_on_jax
@pytest.mark.parametrize("ending", ["a.npz", "a.h5", "a.weights.h5"])
def test_damaged_data_are_refused(model, ending, tmp_path):
    path = tmp_path / ending
    WRITERS[ending](path, model)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(lambda: transfer(model, path), model, ending)


def external_storage(file, folder):
    (folder / "secret").write_bytes(b"\0" * 12)
    file.create_dataset("head/bias:0", (3,), "float32", external=[(str(folder / "secret"), 0, 12)])


def virtual(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = np.zeros(3, "float32")
    layout = h5py.VirtualLayout((3,), "float32")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "x", (3,))
    file.create_virtual_dataset("head/bias:0", layout)


def links(link):
    def make(file, folder):
        file["head/bias:0"] = link

    return make


TRAPS = {
    "external link": (links(h5py.ExternalLink("other.h5", "/x")), ["links", "/head/bias:0"]),
    "soft link": (links(h5py.SoftLink("/x")), ["links", "/head/bias:0"]),
    "external storage": (external_storage, ["/head/bias:0", "lie elsewhere"]),
    "virtual": (virtual, ["/head/bias:0", "lie elsewhere"]),
    "size bomb": (
        lambda f, _: f.create_dataset("head/bias:0", (1 << 40,), "float32"),
        ["/head/bias:0", "declares"],
    ),
    "zeros bomb": (
        lambda f, _: f.create_dataset(
            "head/bias:0", (1 << 40,), "float32", chunks=(1 << 20,), compression="gzip"
        ),
        ["/head/bias:0", "declares"],
    ),
    "chunk bomb": (
        lambda f, _: f.create_dataset(
            "head/bias:0",
            data=np.zeros(3, "float32"),
            maxshape=(None,),
            chunks=(1 << 22,),
            compression="gzip",
        ),
        ["/head/bias:0", "pieces"],
    ),
    "text": (
        lambda f, _: f.create_dataset("head/bias:0", data="text"),
        ["/head/bias:0", "something else"],
    ),
    "nothing": (
        lambda f, _: f.create_dataset("head/bias:0", data=h5py.Empty("f")),
        ["/head/bias:0", "something else"],
    ),
    "type": (
        lambda f, _: f.__setitem__("head/bias:0", np.dtype("f4")),
        ["/head/bias:0", "something else"],
    ),
    "loop": (lambda f, _: f.create_group("a").__setitem__("a", f["a"]), ["deep"]),
    "crowd": (lambda f, _: [f.create_group(str(n)) for n in range(40)], ["at most 30"]),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_h5_files_that_lead_elsewhere_or_declare_too_much_are_refused(
    model, trap, tmp_path, monkeypatch
):
    monkeypatch.setattr("cvtasks.weights.h5_file.OBJECT_LIMIT", 30 if trap == "crowd" else 20_000)
    make, fragments = TRAPS[trap]
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["head/kernel:0"] = np.zeros((32, 3), "float32")
        make(file, tmp_path)
    refused(lambda: transfer(model, path), model, "a.h5", *fragments)


@needs_data
@pytest.mark.parametrize(
    ("name", "file", "left"),
    [
        ("mobilenet-12", "mobilenet_v1_100_224_trunk_conv1_to_conv_pw_12.npz", set()),
        (
            "mobilenet-025",
            "mobilenet_v1_025_224_imagenet1000.npz",
            {"conv_preds/kernel", "conv_preds/bias"},
        ),
        ("mobilenet-v2-035", "mobilenet_v2_035_224_trunk.npz", set()),
    ],
)
def test_published_trunks_are_taken_over_whole(name, file, left):
    model = build_backbone(name, (32, 32))
    report = transfer(model, Path(DATA) / "weights" / file)
    assert set(report.matched) == values(model).keys()
    assert (report.missing, report.mismatched, set(report.unused)) == ((), (), left)
    layer = "block_3_depthwise" if "v2" in name else "conv_dw_3"
    with np.load(Path(DATA) / "weights" / file) as arrays:
        np.testing.assert_array_equal(
            values(model)[f"{layer}/kernel"], arrays[f"{layer}/depthwise_kernel"]
        )


# === ImageNet ===


@pytest.fixture
def server(tmp_path, monkeypatch):
    """(folder, address) of a web server on this machine; Keras' cache is empty."""

    class Quiet(SimpleHTTPRequestHandler):
        """Without a line for every request."""

        def log_message(self, *_):
            pass

    folder = tmp_path / "published"
    folder.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def publish(folder: Path, name: str, model: keras.Model, monkeypatch, **options) -> Path:
    """Put a network's weights where keras.applications' file of that name is, and let its hash be
    the right one.
    """
    file, md5 = imagenet.FILES[name]
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    write_keras_2(path, model, **options)
    hasher = hashlib.sha256 if md5 and len(md5) == 64 else hashlib.md5
    right = hasher(path.read_bytes()).hexdigest() if md5 else None
    monkeypatch.setitem(imagenet.FILES, name, (file, right))
    return path


@keras_on_jax
@pytest.mark.filterwarnings("ignore:keras.applications publishes no hash")
@pytest.mark.parametrize(
    ("name", "module", "function", "options"),
    [
        ("vgg16", keras.applications.vgg16, "VGG16", {"name_of": keras_1_name}),
        ("resnet50", keras.applications.resnet, "ResNet50", {}),
        ("mobilenet-v2-035", keras.applications.mobilenet_v2, "MobileNetV2", {}),
        ("mobilenet-v3-small", keras.applications.mobilenet_v3, "MobileNetV3Small", {}),
        ("efficientnet-v2-b0", keras.applications.efficientnet_v2, "EfficientNetV2B0", {}),
        ("convnext-tiny", keras.applications.convnext, "ConvNeXtTiny", {}),
        ("densenet121", keras.applications.densenet, "DenseNet121", {}),
        ("xception", keras.applications.xception, "Xception", {}),
    ],
)
def test_fetched_weights_give_the_features_of_keras_applications(
    name, module, function, options, server, monkeypatch, capsys
):
    folder, url = server
    side = max(32, BACKBONES[name].least)
    build = partial(
        getattr(keras.applications, function), include_top=False, input_shape=(side, side, 3)
    )
    if name == "mobilenet-v2-035":
        build = partial(build, alpha=0.35)
    source = build(weights=None)
    path = publish(folder, name, source, monkeypatch, **options)
    theirs, ours = build(weights=str(path)), build_backbone(name, (side, side))
    report = load_imagenet(ours, name, base_url=url)
    assert (report.missing, report.unused, report.mismatched) == ((), (), ())
    assert load_file(ours, name, path) == report, "the same by its path"
    images = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(theirs(module.preprocess_input(images.copy())))
    received = keras.ops.convert_to_numpy(ours(images)[-1])
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert capsys.readouterr().out == ""


def test_what_is_in_the_cache_is_not_fetched_again(server, monkeypatch):
    folder, url = server
    publish(folder, "mobilenet-025", build_backbone("mobilenet-025", (32, 32)), monkeypatch).rename(
        folder / "moved"
    )
    model = build_backbone("mobilenet-025", (32, 32))
    refused(lambda: load_imagenet(model, "mobilenet-025", base_url=url), model, "404")
    cache = folder.parent / "keras" / "models"
    (folder / "moved").rename(cache / "mobilenet_2_5_224_tf_no_top.h5")
    assert load_imagenet(model, "mobilenet-025", base_url=url).missing == ()


def test_of_a_file_without_a_published_hash_its_own_is_said(server, monkeypatch):
    folder, url = server
    path = publish(folder, "mobilenet-025", build_backbone("mobilenet-025", (32, 32)), monkeypatch)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    said = rf"publishes no hash of {path.name}.* its SHA-256 is {digest}\.$"
    with pytest.warns(CVTasksWarning, match=said):
        imagenet.fetch_imagenet("mobilenet-025", url)
    imagenet.fetch_imagenet("mobilenet-025", url)  # there already: nothing is said again
    again = folder.parent / "keras" / "models" / path.name
    for md5, verdict in (
        (hashlib.md5(path.read_bytes()).hexdigest(), "is the one"),
        ("0" * 32, "is not the one"),
    ):
        again.unlink()
        monkeypatch.setitem(imagenet.SECOND_HAND, path.name, md5)
        with pytest.warns(CVTasksWarning, match=f"Its MD5 {verdict} that the project MIA has"):
            imagenet.fetch_imagenet("mobilenet-025", url)


def test_a_wrong_hash_is_refused(server, monkeypatch):
    folder, url = server
    file, md5 = imagenet.FILES["vgg16"]
    (folder / "vgg16").mkdir()
    (folder / file).write_bytes(b"something else")
    model = build_backbone("tiny", (32, 32))
    refused(
        lambda: load_imagenet(model, "vgg16", url),
        model,
        f"{url}/{file}",
        md5,
        'weights = "path/to/file"',
        "models",
    )


@pytest.mark.filterwarnings("ignore:keras.applications publishes no hash")
def test_what_is_no_file_of_weights_is_not_kept(server, monkeypatch):
    folder, url = server
    model = build_backbone("mobilenet-025", (32, 32))
    path = publish(folder, "mobilenet-025", model, monkeypatch)
    right = path.read_bytes()
    path.write_text("<html>Log in</html>")
    for _ in range(2):
        refused(
            lambda: load_imagenet(model, "mobilenet-025", url),
            model,
            "must be an HDF5 file of weights",
            "such as a page to log in",
        )
    cache = folder.parent / "keras" / "models"
    assert not list(cache.iterdir())
    path.write_bytes(right)
    (cache / path.name).write_text("<html>Log in</html>")  # as it was kept once
    assert load_imagenet(model, "mobilenet-025", url).missing == ()
    with h5py.File(cache / path.name, "r+") as file:
        for one in list(file):
            del file[one]
        file["other/kernel:0"] = np.zeros(1, "float32")
    said = f"Delete {str(cache / path.name)!r}, so that it is fetched again"
    refused(lambda: load_imagenet(model, "mobilenet-025", url), model, said)


def test_one_process_at_a_time_fetches_a_file(server, monkeypatch):
    folder, url = server
    model = build_backbone("mobilenet-025", (32, 32))
    path = publish(folder, "mobilenet-025", model, monkeypatch)
    cache = folder.parent / "keras" / "models"
    with name_held(cache, path.name):
        thread = threading.Thread(target=imagenet.fetch_imagenet, args=("mobilenet-025", url))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and not (cache / path.name).exists()
        shutil.copy(path, cache)  # by whoever was first
        path.unlink()
    thread.join(10)
    assert not thread.is_alive()
    (cache / path.name).unlink()
    monkeypatch.setattr(imagenet, "WAIT", 0)
    with name_held(cache, path.name):
        refused(
            lambda: imagenet.fetch_imagenet("mobilenet-025", url), model, "one process at a time"
        )


def test_a_server_that_is_down_is_named(server):
    model = build_backbone("mobilenet-025", (32, 32))
    refused(
        lambda: load_imagenet(model, "mobilenet-025", "http://127.0.0.1:9"),
        model,
        "127.0.0.1:9",
        "by hand",
        "keras",
    )


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    model = build_backbone("mobilenet-025", (32, 32))
    refused(
        lambda: load_imagenet(model, "mobilenet-025", "http://127.0.0.1:9"),
        model,
        str(tmp_path / "file"),
    )


def test_without_a_home_the_way_out_is_said(model, monkeypatch):
    def of_number(number: int) -> object:
        raise KeyError(number)

    for name in ("KERAS_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", of_number)
    refused(lambda: load_imagenet(model, "mobilenet-025"), model, "Set KERAS_HOME")


@pytest.mark.filterwarnings("ignore:keras.applications publishes no hash")
def test_a_file_that_lacks_a_variable_is_refused(server, monkeypatch):
    folder, url = server
    publish(folder, "mobilenet-025", build_backbone("mobilenet-025", (32, 32)), monkeypatch)
    with h5py.File(folder / imagenet.FILES["mobilenet-025"][0], "r+") as file:
        del file["conv_pw_13"]
    model = build_backbone("mobilenet-025", (32, 32))
    refused(
        lambda: load_imagenet(model, "mobilenet-025", url),
        model,
        "conv_pw_13/kernel",
        "Delete that file",
    )


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if not row.imagenet])
def test_backbones_without_imagenet_weights_name_those_that_have_them(name, model):
    refused(
        lambda: load_imagenet(model, name, "http://127.0.0.1:9"),
        model,
        repr(name),
        "vgg16, vgg19, resnet50",
    )
