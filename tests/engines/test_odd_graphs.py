"""Graphs and headers that fit the recipe's sums and are traps all the same: refused in words,
quickly and in little memory.
"""

import io
import json
import re
import shutil
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.errors import ModelError
from cvtasks.files.writing import sha256
from cvtasks.recipe.recipe import read_recipe
from cvtasks.weights import safetensors_file
from cvtasks.weights.open import opened
from cvtasks.weights.safetensors_file import read_metadata, read_safetensors, write_safetensors
from cvtasks.zoo import zoo_folder

SOURCE = zoo_folder() / "classify-lenet-mnist"
GRAPH, CONSTANTS = "graph.xml", "graph.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SOURCE, tmp_path / "model")
    return tmp_path / "model"


def listed_again(folder: Path) -> None:
    """Write the sums of the files as they are now into the recipe, as a forger would."""
    recipe = folder / "recipe.toml"
    for name, old in read_recipe(recipe).files.items():
        recipe.write_text(recipe.read_text().replace(old, sha256(folder / name)))


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def forge(folder: Path) -> None:
        before = (folder / GRAPH).read_text()
        (folder / GRAPH).write_text(change(before))
        assert (folder / GRAPH).read_text() != before

    return forge


def facts(**changes: Callable[[list], list] | str) -> Callable[[Path], None]:
    """Other metadata of the constants: a text, or what a function makes of the list of tensors
    shared with the weights.
    """

    def forge(folder: Path) -> None:
        said = read_metadata(folder / CONSTANTS)
        arrays = {
            name: stored.read() for name, stored in read_safetensors(folder / CONSTANTS).items()
        }
        for key, change in changes.items():
            said[key] = (
                change
                if isinstance(change, str)
                else json.dumps(change(json.loads(said["shared"])))
            )
        write_safetensors(folder / CONSTANTS, arrays, said)

    return forge


def first(changes: dict[int, object]) -> Callable[[list], list]:
    return lambda shared: [
        [changes.get(place, value) for place, value in enumerate(shared[0])],
        *shared[1:],
    ]


LAYER = (
    '<layer id="{}" name="{}" type="Const" version="opset1"><data element_type="f32" shape="" '
    'offset="0" size="4"/></layer>'
)

GRAPHS = {
    "unknown operation": (
        text(lambda s: s.replace('type="MatMul"', 'type="Nonsense"')),
        "cannot be read.*Nonsense",
    ),
    "unknown version": (
        text(lambda s: s.replace('version="opset1"', 'version="opset99"')),
        "cannot be read.*opset99",
    ),
    "outside": (text(lambda s: re.sub(r'offset="\d+"', 'offset="99999999"', s)), "cannot be read"),
    "huge": (text(lambda s: re.sub(r' size="\d+"', ' size="99999999999999"', s)), "cannot be read"),
    "huge shape": (
        text(lambda s: re.sub(r'shape="[\d, ]+"', 'shape="1,1000000,1000000"', s)),
        "cannot be read",
    ),
    "one bit": (
        text(lambda s: s.replace('element_type="f32"', 'element_type="u1"')),
        "cannot be compiled",
    ),
    "no edges": (text(lambda s: re.sub("<edge [^>]*/>", "", s)), "cannot be read"),
    "nothing": (text(lambda s: ""), "cannot be read"),
    "half": (text(lambda s: s[: len(s) // 2]), "cannot be read"),
    "entities": (
        text(lambda s: '<!DOCTYPE l [<!ENTITY a "b">]><net name="&a;" version="11"/>'),
        r"must map \[1, 28, 28, 3\]",
    ),
    "deep": (text(lambda s: "<a>" * 100_000), "cannot be read"),
    "no text": (
        lambda folder: (folder / GRAPH).write_bytes(bytes(range(256)) * 9),
        "cannot be read",
    ),
    "long": (text(lambda s: s + " " * (8 << 20)), "at most 8388608 bytes"),
    "repeated": (
        facts(shared=lambda shared: shared[:1] * 3000, size=str(10**12)),
        "must hold the constants",
    ),
    "no tensor": (facts(shared=first({1: "nobody/kernel"})), "must hold the constants"),
    "before the start": (facts(shared=first({0: -4})), "must hold the constants"),
    "beyond": (facts(shared=first({0: 10**30})), "must hold the constants"),
    "axes": (facts(shared=first({2: [0, 0]})), "must hold the constants"),
    "no list": (facts(shared="null"), "must hold the constants"),
    "nested": (facts(shared="[" * 50_000), "must hold the constants"),
    "size": (facts(size="9" * 10_000), "must hold the constants"),
}


@pytest.mark.parametrize("trap", GRAPHS)
def test_an_odd_graph_is_a_model_error_and_nothing_waits_for_it(trap, folder: Path):
    forge, words = GRAPHS[trap]
    forge(folder)
    listed_again(folder)
    begun = time.process_time()
    with pytest.raises(ModelError, match=words) as refused:
        cvtasks.load(folder)
    assert refused.value.exit_code == 4
    assert len(str(refused.value)) < 700
    assert time.process_time() - begun < 5


def test_the_same_folder_untouched_is_a_model(folder: Path):
    listed_again(folder)
    assert cvtasks.load(folder).predict(np.zeros((28, 28), np.uint8)).names


def test_a_graph_that_fails_when_it_runs_is_a_model_error(monkeypatch: pytest.MonkeyPatch):
    model = cvtasks.load("classify-lenet-mnist")

    class Failing:
        def create_infer_request(self) -> "Failing":
            return self

        def start_async(self, *_: object, **__: object) -> None: ...

        def wait(self) -> None:
            raise RuntimeError("Exception from src/plugin.cpp:1:\nout of luck")

    monkeypatch.setattr(model.engine, "_compiled", Failing())
    with pytest.raises(ModelError, match="cannot be run: out of luck"):
        model.predict(np.zeros((28, 28), np.uint8))


# === headers ===


def entries(count: int, name: str = "{}") -> bytes:
    one = '"%s":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    return ("{" + ",".join(one % name.format(number) for number in range(count)) + "}").encode()


LIMIT = safetensors_file.HEADER_LIMIT
HEADERS = {
    "objects": b'{"a":[' + b"{}," * (LIMIT // 3 - 10) + b"{}]}",
    "lists": b'{"a":[' + b"[]," * (LIMIT // 3 - 10) + b"[]]}",
    "numbers": b'{"a":[' + b"1," * (LIMIT // 2 - 10) + b"1]}",
    "deep": b"[" * 250_000,
    "tensors": entries(20_002),
    "many tensors": entries(60_000),
    "keys": b"{" + b",".join(b'"%x":1' % number for number in range(250_000)) + b"}",
    "one key": b"{" + b",".join([b'"a":1'] * 500_000) + b"}",
    "long name": entries(1, "n" * 1001),
    "very long name": entries(1, "n" * (LIMIT - 100)),
    "long dtype": b'{"a":{"dtype":"%s","shape":[0],"data_offsets":[0,0]}}' % (b"X" * 1_000_000),
    "larger": b" " * (LIMIT + 1),
    "as large as once allowed": entries(1) + b" " * (16 << 20),
}


@pytest.mark.parametrize("trap", HEADERS)
def test_a_header_bomb_takes_neither_time_nor_memory(trap, tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(len(HEADERS[trap]).to_bytes(8, "little") + HEADERS[trap])
    assert path.stat().st_size < 17 << 20
    begun = time.thread_time()
    with pytest.raises(ModelError, match=r"weights\.safetensors") as refused:
        read_safetensors(path)
    refusing = time.thread_time() - begun
    json.loads(HEADERS["objects"])  # what it takes to parse as many bytes, in this process
    assert refusing < 8 * (time.thread_time() - begun - refusing)
    assert len(str(refused.value)) < 1300
    tracemalloc.start()
    with pytest.raises(ModelError):
        read_metadata(path)
        read_safetensors(path)
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_as_many_tensors_and_as_long_names_as_are_allowed_are_read(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    arrays = {
        f"{number:05d}{'n' * (15 if number else 995)}": np.zeros(1, np.uint8)
        for number in range(20_000)
    }
    write_safetensors(
        path, arrays, {"progress": json.dumps([{"epoch": number} for number in range(3000)])}
    )
    assert len(read_safetensors(path)) == 20_000
    assert len(json.loads(read_metadata(path)["progress"])) == 3000


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [
        ({"a": 1}, {"b": "x" * LIMIT}),
        ({"a": 1}, {"b": "[" * 300_001}),
        ({f"{n}": 1 for n in range(20_002)}, {}),
        ({"n" * 1001: 1}, {}),
    ],
)
def test_what_could_not_be_read_again_is_not_written(arrays, metadata, tmp_path: Path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelError, match="cannot be written"):
        write_safetensors(
            path, {name: np.zeros(value, np.uint8) for name, value in arrays.items()}, metadata
        )
    assert not path.exists()


def test_files_that_cannot_be_read_are_named(tmp_path: Path):
    (tmp_path / "a.safetensors").mkdir()
    for name in ("a", "b"):
        with pytest.raises(ModelError, match=rf"{name}\.safetensors.*can be read"):
            read_safetensors(tmp_path / f"{name}.safetensors")


# === other formats, at their real limits ===


def array(header: str) -> bytes:
    """An .npy of no numbers with this header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


SMALL = array("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }\n")
LONG = array("{'descr': '<f4', 'fortran_order': False, 'shape': (0," + "1," * 4000 + "), }\n")


def zipped(count: int, name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(name.format(number), content)
    return file.getvalue()


def directory(size: int) -> bytes:
    """A zip with a list of nameless files of this many bytes."""
    entry = struct.pack("<4sBBBBHHHHLLLHHHHHLL", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 33, *[0] * 10)
    count = size // len(entry)
    start = b"PK\3\4" + bytes(26)
    end = struct.pack(
        "<4sHHHHLLH",
        b"PK\5\6",
        0,
        0,
        count % 65536,
        count % 65536,
        count * len(entry),
        len(start),
        0,
    )
    return start + entry * count + end


CROWDS = {
    "arrays": (".npz", lambda: zipped(5001, "{}.npy", SMALL), "at most 5000 files"),
    "long headers": (".npz", lambda: zipped(9, "{}.npy", LONG), "0 must be a numpy array"),
    "names": (".npz", lambda: directory(3 << 20), "at most 2097152 bytes"),
    "names, fewer": (".keras", lambda: directory(2 << 20), "at most 5000 files"),
    "instructions": (
        ".pt",
        lambda: zipped(1, "a/data.pkl", b"\x80\x02" + b"N" * 1_000_000 + b"."),
        "at most 300000 instructions",
    ),
    "bytes": (".pt", lambda: zipped(1, "a/data.pkl", bytes(5 << 20)), "small"),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_crowds_in_other_formats_are_refused_in_little_time(crowd, tmp_path: Path):
    ending, make, words = CROWDS[crowd]
    path = tmp_path / f"a{ending}"
    path.write_bytes(make())
    begun = time.process_time()
    with pytest.raises(ModelError, match=words) as refused, opened(path):
        pass
    assert time.process_time() - begun < 2
    assert len(str(refused.value)) < 700
