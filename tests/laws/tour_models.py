"""Wrong weights, recipes, model folders and checkpoints, and some that only look wrong."""

import io
import json
import math
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.model import load
from cvtasks.recipe.recipe import read_recipe
from cvtasks.weights.safetensors_file import write_safetensors
from cvtasks.weights.transfer import load_weights, save_weights, transfer
from tests.laws.tour import Case, Make, file

SHAPES = {"head/kernel": (4, 3), "head/bias": (3,)}
Arrays = dict[str, np.ndarray]


@cache
def network() -> Any:
    """A network of one layer, `head`."""
    import keras

    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(inputs), name="small")


def arrays(**changes: Any) -> Arrays:
    """Weights of `network`, changed: `kernel` and `bias` are replaced or, where None, left out;
    other names are added.
    """
    full = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    full |= {f"head/{name}": value for name, value in changes.items()}
    return {name: np.asarray(value) for name, value in full.items() if value is not None}


def took(path: Path) -> str:
    """What `load_weights` or `transfer` made of the network;
    it must be untouched where they raise.
    """
    for variable in network().weights:
        variable.assign(np.full(tuple(variable.shape), 0.5, "float32"))
    try:
        report = (
            load_weights(network(), path)
            if path.suffix == ".safetensors"
            else transfer(network(), path)
        )
    except Exception:
        if any((np.asarray(variable.value) != 0.5).any() for variable in network().weights):
            raise RuntimeError(
                "the network was changed, and an error raised all the same"
            ) from None
        raise
    return (
        f"{report or ''} "
        f"{[float(np.asarray(variable.value).mean()) for variable in network().weights]}"
    )


def good(
    content: Callable[[], bytes],
    name: str = "w.safetensors",
    says: str = "[1.0, 1.0]",
    read: Callable = took,
) -> Case:
    return Case(file(content, read, name), "", says)


def bad(
    content: bytes | Callable[[], bytes],
    says: str,
    name: str = "w.safetensors",
    read: Callable = took,
) -> Case:
    return Case(file(content, read, name), "ModelError", says)


# === safetensors ===


def packed(
    given: Arrays | None = None,
    header: Callable[[dict], object] = lambda header: header,
    rest: bytes = b"",
) -> bytes:
    """A safetensors file, its header changed on the way: a new one, or its text."""
    given = arrays() if given is None else given
    codes = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64"}
    table, data = {}, b""
    for name, array in given.items():
        span = [len(data), len(data) + array.nbytes]
        table[name] = {
            "dtype": codes[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": span,
        }
        data += array.tobytes()
    changed = header(table)
    text = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    return struct.pack("<Q", len(text)) + text + data + rest


def entry(**changes: object) -> Callable[[dict], dict]:
    return lambda table: {**table, "head/bias": {**table["head/bias"], **changes}}


def nan(number: float = math.nan) -> np.ndarray:
    return np.array([1, number, 1], np.float32)


SAFETENSORS = {
    "weights": good(packed),
    "half precision": good(
        lambda: packed({name: array.astype(np.float16) for name, array in arrays().items()})
    ),
    "metadata": good(lambda: packed(header=lambda table: {"__metadata__": {"a": "b"}, **table})),
    "nothing": bad(b"", "header must fit"),
    "its length alone": bad(struct.pack("<Q", 100), "header must fit"),
    "a header of 16 exabytes": bad(b"\xff" * 200, "header must fit"),
    "a header of 15 MB": bad(
        lambda: packed(header=lambda table: b"[" + b"0," * 7_500_000 + b"0]"), "safetensors"
    ),
    "a header of 100,000 levels": bad(
        lambda: packed(header=lambda table: b"[" * 100_000), "JSON object"
    ),
    "a header that is a list": bad(lambda: packed(header=lambda table: []), "JSON object"),
    "a header that is not UTF-8": bad(
        lambda: packed(header=lambda table: b'{"\xff": 1}'), "JSON object"
    ),
    "a flipped byte in its header": bad(
        lambda: packed().replace(b'"F32"', b'"F32\x00', 1), "JSON object"
    ),
    "a name twice": bad(
        lambda: packed(header=lambda table: json.dumps(table)[:-1].encode() + b', "head/bias": 1}'),
        "comes twice",
    ),
    "cut": bad(lambda: packed()[:-5], "must end within the file"),
    "bytes behind it": bad(lambda: packed(rest=b"more"), "must fill it"),
    "a missing tensor": bad(lambda: packed(arrays(bias=None)), "lacks head/bias"),
    "one tensor more": bad(
        lambda: packed(arrays(more=np.ones(2, np.float32))), "has besides head/more"
    ),
    "another shape": bad(lambda: packed(arrays(bias=np.ones(4, np.float32))), "(4,)"),
    "doubles": bad(lambda: packed(arrays(bias=np.ones(3))), "float64"),
    "whole numbers": bad(lambda: packed(arrays(bias=np.ones(3, np.int64))), "int64"),
    "NaN": bad(lambda: packed(arrays(bias=nan())), "1 of 3"),
    "infinite": bad(lambda: packed(arrays(bias=nan(math.inf))), "1 of 3"),
    "tensors that overlap": bad(
        lambda: packed(header=entry(data_offsets=[0, 12])), "each beginning where"
    ),
    "a gap": bad(
        lambda: packed(header=entry(data_offsets=[52, 64]), rest=bytes(4)), "each beginning where"
    ),
    "offsets exchanged": bad(lambda: packed(header=entry(data_offsets=[60, 48])), "two offsets"),
    "offsets below nothing": bad(
        lambda: packed(header=entry(data_offsets=[-12, 0])), "two offsets"
    ),
    "offsets in words": bad(lambda: packed(header=entry(data_offsets=["48", "60"])), "two offsets"),
    "a shape of an exabyte": bad(lambda: packed(header=entry(shape=[1 << 60])), "head/bias"),
    "a shape of a million axes": bad(
        lambda: packed(header=entry(shape=[1] * 1_000_000)), "lists, objects and commas"
    ),
    "a shape that is true": bad(lambda: packed(header=entry(shape=[True, 3])), "two offsets"),
    "a kind that does not exist": bad(lambda: packed(header=entry(dtype="F7")), "F7"),
    "an entry that is a number": bad(
        lambda: packed(header=lambda table: {**table, "head/bias": 7}), "two offsets"
    ),
    "a pickle in its clothes": bad(lambda: pickle.dumps(arrays()), "header must fit"),
    "a folder": Case(
        lambda folder: (
            (folder / "w.safetensors").mkdir() or partial(took, folder / "w.safetensors")
        ),
        "ModelError",
        "must exist",
    ),
    "a named pipe": Case(
        lambda folder: (
            os.mkfifo(folder / "w.safetensors") or partial(took, folder / "w.safetensors")
        ),
        "ModelError",
        "must exist",
    ),
    "no file": Case(
        lambda folder: partial(took, folder / "w.safetensors"), "ModelError", "must exist"
    ),
}

# === npz and HDF5 ===


def npz(compress: bool = False, **more: Any) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(stream, **{**arrays(), **more})
    return stream.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(shape: tuple[int, ...], data: bytes, kind: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue() + data


class Runs:
    """A pickle of it leaves a file behind when it is opened."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/tour-was-here",)


def hdf5(build: Callable[[Any], object] = lambda file: None) -> Callable[[], bytes]:
    """A Keras 2 file of the network, to which `build(file)` adds or from which it takes."""

    def make() -> bytes:
        import h5py

        stream = io.BytesIO()
        with h5py.File(stream, "w") as h5:
            for name, array in arrays().items():
                h5[f"head/{name}:0"] = array
            build(h5)
        return stream.getvalue()

    return make


def put(h5: Any, value: object = None, **how: Any) -> None:
    """Replace the bias."""
    del h5["head/head/bias:0"]
    if how:
        h5.create_dataset("head/head/bias:0", dtype="f4", data=value, **how)
    else:
        h5["head/head/bias:0"] = value


def linked(h5: Any) -> None:
    import h5py

    put(h5, h5py.ExternalLink("/etc/passwd", "/bias"))


def soft(h5: Any) -> None:
    import h5py

    put(h5, h5py.SoftLink("/head/head/kernel:0"))


def virtual(h5: Any) -> None:
    import h5py

    del h5["head/head/bias:0"]
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (3,))
    h5.create_virtual_dataset("head/head/bias:0", layout)


def circle(h5: Any) -> None:
    h5["head/again"] = h5["/"]


def transfer_only(path: Path) -> str:
    return str(transfer(network(), path))


NPZ = {
    "npz": good(npz, "w.npz"),
    "npz, compressed": good(lambda: npz(compress=True), "w.npz"),
    "npz, one array more": good(lambda: npz(more=np.ones(2)), "w.npz", "1 unused: more"),
    "npz, another shape": good(
        lambda: npz(**{"head/bias": np.ones(4, np.float32)}), "w.npz", "of another shape"
    ),
    "npz, pickled": bad(
        lambda: npz(**{"head/bias": np.array([Runs()] * 3, object)}), "must hold numbers", "w.npz"
    ),
    "npz, nothing": bad(b"", "zip archive", "w.npz"),
    "npz, a safetensors file": bad(packed, "zip archive", "w.npz"),
    "npz, cut": bad(lambda: npz()[:-30], "zip archive", "w.npz"),
    "npz, a flipped byte": bad(
        lambda: npz().replace(
            np.ones(3, np.float32).tobytes(), np.full(3, 2, np.float32).tobytes()
        ),
        "head/",
        "w.npz",
    ),
    "npz, an array twice": bad(
        lambda: zipped({"head/bias": npy((3,), bytes(12)), "head/bias.npy": npy((3,), bytes(12))}),
        "twice",
        "w.npz",
    ),
    "npz, a shape of a terabyte": bad(
        lambda: zipped({"head/bias.npy": npy((1 << 38,), bytes(12))}),
        "as many as it declares",
        "w.npz",
    ),
    "npz, 64 MB of nothing": bad(
        lambda: zipped({"head/bias.npy": npy((1 << 24,), bytes(1 << 26))}),
        "must have a name and shape",
        "w.npz",
    ),
    "npz, NaN": bad(lambda: npz(**{"head/bias": nan()}), "1 of 3", "w.npz"),
    "npz, words": bad(
        lambda: npz(**{"head/bias": np.array(["a", "b", "c"])}), "must hold numbers", "w.npz"
    ),
    "npz, names of others": bad(
        lambda: zipped({"a/b.npy": npy((3,), bytes(12))}), "none has", "w.npz"
    ),
    "npz, names that climb": bad(
        lambda: zipped({"../head/bias.npy": npy((3,), bytes(12))}), "must be relative", "w.npz"
    ),
}
HDF5 = {
    "h5": good(hdf5(), "w.h5"),
    "h5, nothing": bad(b"", "HDF5", "w.h5"),
    "h5, its magic alone": bad(b"\x89HDF\r\n\x1a\n", "HDF5", "w.h5"),
    "h5, cut": bad(lambda: hdf5()()[:-700], "HDF5", "w.h5"),
    "h5, NaN": bad(hdf5(lambda h5: put(h5, nan())), "1 of 3", "w.h5"),
    "h5, an outside link": bad(hdf5(linked), "must not have links", "w.h5"),
    "h5, a soft link": bad(hdf5(soft), "must not have links", "w.h5"),
    "h5, outside storage": bad(
        hdf5(lambda h5: put(h5, shape=(3,), external=[("/etc/passwd", 0, 12)])),
        "must lie in itself",
        "w.h5",
    ),
    "h5, a virtual array": bad(hdf5(virtual), "must lie in itself", "w.h5"),
    "h5, a circle of groups": bad(hdf5(circle), "deep", "w.h5"),
    "h5, a terabyte of a fill value": bad(
        hdf5(lambda h5: put(h5, shape=(1 << 38,), chunks=(1 << 10,), fillvalue=1)),
        "must have the bytes",
        "w.h5",
    ),
    "h5, three numbers of a fill value": bad(
        hdf5(lambda h5: put(h5, shape=(3,), chunks=(1,), fillvalue=1)),
        "must have the bytes",
        "w.h5",
    ),
    "h5, words": bad(hdf5(lambda h5: put(h5, "words")), "array", "w.h5"),
    "h5, 20,001 groups": bad(
        hdf5(lambda h5: [h5.create_group(f"g{n}") for n in range(20_001)] and None),
        "at most",
        "w.h5",
    ),
    "an ending that is none": bad(packed, "must end in", "w.bin", transfer_only),
}

# === recipes ===

PLAIN = (
    'task = "segment"\nbackbone = "tiny"\nsize = 64\nclasses = ["background", '
    '"dog"]\n[segment]\nchannels = [8, 8]\n'
)


def recipe(path: Path) -> str:
    found = read_recipe(path)
    return f"{found.task.name} {found.backbone} {found.size}"


def read(text: str, says: str = "segment tiny 64") -> Case:
    return Case(file(text.encode(), recipe, "recipe.toml"), "", says)


def refused(text: str | bytes | Callable[[], bytes], says: str) -> Case:
    return Case(
        file(text.encode() if isinstance(text, str) else text, recipe, "recipe.toml"),
        "ModelError",
        says,
    )


def swapped(old: str, new: str) -> str:
    return PLAIN.replace(old, new)


RECIPES = {
    "recipe": read(PLAIN),
    "recipe, lines of Windows": read(PLAIN.replace("\n", "\r\n")),
    "recipe, nothing": refused("", "`task.name` must be one of"),
    "recipe, JSON": refused('{"task": "segment"}', "TOML"),
    "recipe, YAML": refused("task: segment", "TOML"),
    "recipe, bytes that are not UTF-8": refused(b"\xff\xfe", "UTF-8"),
    "recipe, zeros": refused(bytes(100), "TOML"),
    "recipe, 2 MB": refused(lambda: b"#" * 2_000_000, "at most 1 MB"),
    "recipe, an unknown key": refused(f"sise = 64\n{PLAIN}", 'Did you mean "size"'),
    "recipe, an unknown key of a table": refused(f"{PLAIN}chanels = 1", 'Did you mean "channels"'),
    "recipe, a key twice": refused(f"size = 32\n{PLAIN}", "TOML"),
    "recipe, a task that is a list": refused(
        swapped('"segment"', "[1]"), "`task.name` must be one of"
    ),
    "recipe, a task that is none": refused(swapped('"segment"', '"segmentt"'), "segment"),
    "recipe, a backbone that is none": refused(swapped("tiny", "../../tiny"), "unknown backbone"),
    "recipe, a size in words": refused(swapped("64", '"64"'), "must be a whole number"),
    "recipe, a size that is true": refused(swapped("64", "true"), "must be a whole number"),
    "recipe, a size of nothing": refused(swapped("64", "0"), "`size`"),
    "recipe, a size below nothing": refused(swapped("64", "-64"), "`size`"),
    "recipe, a size of 10^18": refused(swapped("64", "1000000000000000000"), "`size`"),
    "recipe, a size of 5000 digits": refused(swapped("64", "9" * 5000), "TOML"),
    "recipe, a size between two": refused(swapped("64", "65"), "`size`"),
    "recipe, channels of 10^9": refused(swapped("[8, 8]", "[1000000000, 8]"), "channels"),
    "recipe, no classes": refused(swapped('["background", "dog"]', "[]"), "class"),
    "recipe, a class twice": refused(swapped('"dog"', '"background"'), "different names"),
    "recipe, a class of nothing": refused(swapped('"dog"', '""'), "none empty"),
    "recipe, a class that is a number": refused(swapped('"dog"', "7"), "must be text"),
    "recipe, NaN": refused(f"{PLAIN}[train]\nlearning_rate = nan", "learning_rate"),
    "recipe, infinite": refused(f"{PLAIN}[train]\nlearning_rate = inf", "learning_rate"),
    "recipe, a table that is a number": refused(f"train = 7\n{PLAIN}", "must be a table"),
    "recipe, tables of tables": refused(f"{PLAIN}[[train]]\nepochs = 1", "must be a table"),
    "recipe, 10,000 levels": refused(f"x = {'[' * 10_000}", "TOML"),
    "recipe, 10,000 dots": refused(f"{'.'.join('a' * 10_000)} = 1", "TOML"),
    "recipe, a named pipe": Case(
        lambda folder: os.mkfifo(folder / "r") or partial(recipe, folder / "r"), "ModelError", "r"
    ),
    "recipe, a folder": Case(
        lambda folder: partial(recipe, folder), "ModelError", "cannot be read"
    ),
    "recipe, a link to itself": Case(
        lambda folder: (folder / "r").symlink_to("r") or partial(recipe, folder / "r"),
        "ModelError",
        "cannot be read",
    ),
    "recipe, a NUL within the name": Case(
        lambda folder: partial(recipe, folder / "a\0b"), "ModelError", "recipe"
    ),
}

# === model folders and checkpoints ===


@cache
def trained() -> dict[str, bytes]:
    """The files of a model folder that can be loaded, by name; the network in it has learned
    nothing.
    """
    import tempfile
    from dataclasses import replace

    from cvtasks.files.writing import sha256
    from cvtasks.networks.build import build_network

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "recipe.toml").write_text(PLAIN, encoding="utf-8")
        made = read_recipe(folder / "recipe.toml")
        save_weights(build_network(made, made.input_size, "f32"), folder / "weights.safetensors")
        replace(made, files={"weights.safetensors": sha256(folder / "weights.safetensors")}).save(
            folder / "recipe.toml"
        )
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def model(change: Callable[[Path], object]) -> Make:
    """A model folder, changed by `change(folder)`, to be loaded."""

    def make(folder: Path) -> Callable[[], object]:
        home = folder / "model"
        home.mkdir()
        for name, content in trained().items():
            (home / name).write_bytes(content)
        change(home)
        return lambda: load(home, engine="keras").name

    return make


def broken(change: Callable[[Path], object], says: str) -> Case:
    return Case(model(change), "ModelError", says)


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda home: (home / name).write_bytes(change((home / name).read_bytes()))


def listed(line: str) -> Callable[[Path], object]:
    return rewritten("recipe.toml", lambda text: text + f'\n{line} = "{"0" * 64}"\n'.encode())


def rehashed(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Other weights, and the recipe made to list them."""

    def apply(home: Path) -> None:
        from cvtasks.files.writing import sha256

        path = home / "weights.safetensors"
        before = sha256(path).encode()
        path.write_bytes(change(path.read_bytes()))
        rewritten("recipe.toml", lambda text: text.replace(before, sha256(path).encode()))(home)

    return apply


MODELS = {
    "folder": Case(model(lambda home: None), "", "model"),
    "folder with other files": Case(
        model(lambda home: (home / "model.py").write_text("raise SystemExit")), "", "model"
    ),
    "folder, nothing in it": broken(
        lambda home: [path.unlink() for path in home.iterdir()], "none"
    ),
    "folder that does not exist": broken(shutil.rmtree, "neither"),
    "folder without weights": broken(
        lambda home: (home / "weights.safetensors").unlink(), "which is missing"
    ),
    "folder, weights a folder": broken(
        lambda home: (
            (home / "weights.safetensors").unlink() or (home / "weights.safetensors").mkdir()
        ),
        "which is missing",
    ),
    "folder, weights not listed": broken(
        rewritten("recipe.toml", lambda text: text[: text.index(b"[files]")]),
        "recipe without weights",
    ),
    "folder, weights with a flipped byte": broken(
        rewritten("weights.safetensors", lambda c: c[:-1] + bytes([c[-1] ^ 1])), "SHA-256"
    ),
    "folder, weights cut": broken(rewritten("weights.safetensors", lambda c: c[:-100]), "SHA-256"),
    "folder, weights cut, and listed so": broken(
        rehashed(lambda c: c[:-100]), "must end within the file"
    ),
    "folder, weights of another network": broken(
        rehashed(lambda c: packed()), "must have exactly the variables"
    ),
    "folder, a listed path that leads out": broken(
        listed('"../../../etc/passwd"'), "which is missing"
    ),
    "folder, a listed path from the root": broken(listed('"/etc/passwd"'), "which is missing"),
    "folder, a listed name too long": broken(listed(f'"{"x" * 300}"'), "which is missing"),
    "folder, a listed name of nothing": broken(listed('""'), "which is missing"),
    "folder, a sum that is a number": broken(
        rewritten("recipe.toml", lambda text: text + b"\na = 7\n"), "files.a"
    ),
    "folder, a recipe of classes more": broken(
        rewritten("recipe.toml", lambda text: text.replace(b'"dog"', b'"dog", "cat"')), "network"
    ),
    "folder, a recipe that is a folder": broken(
        lambda home: (home / "recipe.toml").unlink() or (home / "recipe.toml").mkdir(),
        "a model is a folder",
    ),
    "folder, a name too long": Case(
        lambda folder: lambda: load(folder / ("x" * 300)), "ModelError", "neither"
    ),
    "folder, a name with a NUL": Case(
        lambda folder: lambda: load(f"{folder}/a\0b"), "ModelError", "neither"
    ),
}


def optimizer() -> Any:
    import keras

    made = keras.optimizers.SGD(0.1, momentum=0.9)
    made.build(network().trainable_variables)
    return made


def saved() -> bytes:
    import tempfile

    from cvtasks.training.checkpoint import save_checkpoint

    with tempfile.TemporaryDirectory() as place:
        save_checkpoint(Path(place, "c.safetensors"), network(), optimizer(), {"epoch": 3})
        return Path(place, "c.safetensors").read_bytes()


def resumed(path: Path) -> str:
    from cvtasks.training.checkpoint import load_checkpoint, read_progress

    progress = read_progress(path)
    load_checkpoint(path, network(), optimizer())
    return str(progress)


def remade(change: Callable[[Arrays, dict[str, str]], object]) -> Callable[[], bytes]:
    """A checkpoint whose arrays and metadata were changed."""

    def make() -> bytes:
        import tempfile

        from cvtasks.weights.safetensors_file import read_metadata, read_safetensors

        with tempfile.TemporaryDirectory() as place:
            path = Path(place, "c.safetensors")
            path.write_bytes(saved())
            given, metadata = (
                {name: stored.read() for name, stored in read_safetensors(path).items()},
                read_metadata(path),
            )
            change(given, metadata)
            write_safetensors(path, given, metadata)
            return path.read_bytes()

    return make


def cut_off(content: Callable[[], bytes] | bytes, says: str) -> Case:
    return bad(content, says, "last.safetensors", resumed)


CHECKPOINTS = {
    "checkpoint": good(lambda: saved(), "last.safetensors", "{'epoch': 3}", resumed),
    "checkpoint that is weights": cut_off(packed, "holds no progress"),
    "checkpoint of nothing": cut_off(b"", "header must fit"),
    "checkpoint, cut": cut_off(lambda: saved()[:-9], "must end within the file"),
    "checkpoint of another network": cut_off(
        remade(lambda given, metadata: given.popitem()), "network and optimizer of its recipe"
    ),
    "checkpoint, progress that is no JSON": cut_off(
        remade(lambda given, metadata: metadata.update(progress="{")), "progress"
    ),
    "checkpoint, progress that is a list": cut_off(
        remade(lambda given, metadata: metadata.update(progress="[]")), "progress"
    ),
    "checkpoint, progress of 100,000 levels": cut_off(
        remade(lambda given, metadata: metadata.update(progress="[" * 100_000)), "progress"
    ),
    "checkpoint of whole numbers": cut_off(
        remade(
            lambda given, metadata: given.update(
                {name: np.zeros(array.shape, np.int64) for name, array in given.items()}
            )
        ),
        "network",
    ),
    "checkpoint that does not exist": Case(
        lambda folder: partial(resumed, folder / "c.safetensors"), "ModelError", "c.safetensors"
    ),
    "checkpoint that is a named pipe": Case(
        lambda folder: (
            os.mkfifo(folder / "c.safetensors") or partial(resumed, folder / "c.safetensors")
        ),
        "ModelError",
        "c.safetensors",
    ),
}

CASES = {
    f"model: {name}": case
    for name, case in {**SAFETENSORS, **NPZ, **HDF5, **RECIPES, **MODELS, **CHECKPOINTS}.items()
}
