"""The engine of ONNX Runtime: its answers, its devices, and graphs that are traps."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.engines.table import AUTO, ENGINES, chosen_engine, ready_engine
from cvtasks.errors import CVTasksWarning, ModelError, UsageError
from cvtasks.files.writing import sha256
from cvtasks.zoo import zoo_folder

onnx = pytest.importorskip("onnx", reason='pip install "cvtasks[onnx]"')
if not ENGINES["onnxruntime"].available():
    pytest.skip('pip install "cvtasks[onnx]"', allow_module_level=True)

from cvtasks.engines import onnxruntime_engine  # noqa: E402
from cvtasks.engines.onnx_runtime import onnx_runtime  # noqa: E402
from cvtasks.engines.onnxruntime_engine import ONNX_GRAPH, OnnxRuntimeEngine  # noqa: E402

rt = onnx_runtime()

SOURCE = zoo_folder() / "classify-lenet-mnist"
DIGITS = list(np.random.default_rng(0).integers(0, 256, (7, 28, 28, 3), dtype=np.uint8))
H, W = SIZE = (4, 6)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of caches with the graph of the zoo's smallest model, made as it is for a user."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVTASKS_CACHE", str(folder))
        cvtasks.load(SOURCE, engine="onnxruntime")
    return folder


@pytest.fixture
def lenet(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., cvtasks.Model]:
    monkeypatch.setenv("CVTASKS_CACHE", str(cache))
    return lambda **options: cvtasks.load(SOURCE, engine="onnxruntime", **options)


# === the same answers ===


@pytest.mark.parametrize(
    "options", [{}, {"many": True}, {"batch": 3}, {"many": True, "batch": 2}], ids=str
)
def test_its_answers_are_those_of_the_compiled_graph(options, lenet) -> None:
    expected = list(cvtasks.load(SOURCE, engine="openvino", precision="f32").engine.stream(DIGITS))
    engine = lenet(**options).engine
    for number in (7, 1, 0):
        found = list(engine.stream(iter(DIGITS[:number])))
        assert len(found) == number
        for ours, theirs in zip(found, expected, strict=False):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (engine.name, engine.precision, engine.runs_on) == ("onnxruntime", "f32", "CPU")


def test_several_threads_may_ask_one_engine_and_a_stream_may_be_left_early(lenet) -> None:
    from concurrent.futures import ThreadPoolExecutor

    engine = lenet(many=True).engine
    expected = np.stack(list(engine.stream(DIGITS)))
    begun = engine.stream(iter(DIGITS * 9))
    next(begun)
    begun.close()
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: np.stack(list(engine.stream(DIGITS))), range(6)))
    assert all((one == expected).all() for one in found)


def test_a_failing_source_fails_as_it_is(lenet) -> None:
    def images():
        yield DIGITS[0]
        raise ZeroDivisionError

    for many in (False, True):
        with pytest.raises(ZeroDivisionError):
            list(lenet(many=many).engine.stream(images()))


HEADS = {
    "instances": {"task": "instances", "size": 64, "classes": ["a", "b"]},
    "localize": {"task": "localize", "size": 32, "classes": ["a", "b"]},
}


@pytest.mark.parametrize("name", HEADS)
def test_a_graph_answers_as_its_network_does(name, tmp_path: Path) -> None:
    import keras

    if keras.config.backend() != "tensorflow":
        pytest.skip("graphs are made by Keras on TensorFlow")
    from cvtasks.engines.keras_engine import KerasEngine
    from cvtasks.engines.onnx_export import onnx_graph
    from cvtasks.networks.build import activated, build_network
    from cvtasks.recipe.recipe import parse_recipe

    recipe = parse_recipe(HEADS[name] | {"backbone": "tiny"})
    keras.utils.set_random_seed(0)
    network = build_network(recipe, recipe.input_size)
    graph = tmp_path / ONNX_GRAPH
    onnx.save(onnx_graph(activated(network, recipe.head)), graph)
    outputs = recipe.head.outputs(recipe.input_size, recipe.classes)
    engine = OnnxRuntimeEngine(graph, recipe.input_size, outputs, many=True)
    shape = (3, *recipe.input_size, 3)
    images = list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    keras_engine = KerasEngine(network, recipe.head, "f32")
    for ours, theirs in zip(engine.stream(images), keras_engine.stream(images), strict=True):
        by_name = theirs if isinstance(theirs, dict) else {"": theirs}
        for key, array in by_name.items():
            found = ours[key] if isinstance(theirs, dict) else ours
            assert found.dtype == array.dtype
            np.testing.assert_allclose(found, array, atol=1e-4, rtol=1e-4)


# === where the graph comes from ===

WITHOUT_KERAS = """
import importlib.abc, sys
class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "tensorflow", "tf2onnx", "onnx", "openvino"):
            raise ModuleNotFoundError(f"no {name} here", name=name)
sys.meta_path.insert(0, Nothing())
import numpy as np
import cvtasks
model = cvtasks.load(sys.argv[1], engine="onnxruntime")
digit = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
print(model.predict(digit).names[0], model.engine.name)
"""


def test_a_graph_that_is_there_runs_without_keras_tensorflow_and_openvino(
    cache: Path, run_python, lenet
) -> None:
    done = run_python("-c", WITHOUT_KERAS, SOURCE, env={"CVTASKS_CACHE": str(cache)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [lenet().predict(DIGITS[0]).names[0], "onnxruntime"]
    assert not done.stderr


def graph_in_folder(cache: Path, folder: Path, content: bytes | None = None) -> Path:
    """A copy of the model whose recipe lists a graph: that of the cache, or other content."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("graph.*"))
    (made,) = cache.glob(f"graphs/*/{ONNX_GRAPH}")
    (folder / ONNX_GRAPH).write_bytes(made.read_bytes() if content is None else content)
    recipe = folder / "recipe.toml"
    lines = [line for line in recipe.read_text().splitlines() if not line.startswith('"graph.')]
    lines.append(f'"{ONNX_GRAPH}" = "{sha256(folder / ONNX_GRAPH)}"')
    recipe.write_text("\n".join(lines) + "\n")
    return folder


def test_a_folder_may_hold_a_graph_of_its_own(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenet
) -> None:
    folder = graph_in_folder(cache, tmp_path / "mod\udce8le")
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "none"))
    model = cvtasks.load(folder, engine="onnxruntime")
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("CVTASKS_CACHE", str(cache))
    assert (model.predict(DIGITS[0]).scores == lenet().predict(DIGITS[0]).scores).all()
    assert ready_engine(model.recipe.files) == "onnxruntime"


def test_without_what_makes_a_graph_it_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    monkeypatch.setattr("cvtasks.engines.onnxruntime_models._MAKERS", ("no_such_package",))
    with pytest.raises(UsageError, match=r'no_such_package.*pip install "cvtasks\[onnx\]"'):
        cvtasks.load(SOURCE, engine="onnxruntime")


def test_a_kept_graph_that_is_of_no_use_is_made_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made,) = cache.glob(f"graphs/*/{ONNX_GRAPH}")
    contents = [b"of another version", made.read_bytes()]

    def export(_: Path, __: object, place: Path) -> None:
        (place / ONNX_GRAPH).write_bytes(contents.pop(0))

    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    monkeypatch.setattr("cvtasks.engines.onnxruntime_models._export", export)
    with pytest.warns(CVTasksWarning, match="cannot be used"):
        model = cvtasks.load(SOURCE, engine="onnxruntime")
    assert model.predict(DIGITS[0]).names
    assert not contents


def test_weights_of_another_network_are_refused_by_what_makes_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    failed = subprocess.CompletedProcess([], 1, "", "Traceback …\nModelError: layers missing.\n")
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ModelError, match=r"could not be made .*layers missing\. Use the keras"):
        cvtasks.load(SOURCE, engine="onnxruntime")
    assert not list(tmp_path.glob("graphs/*"))


# === devices and precision ===


def test_the_table_puts_it_behind_openvino_and_asks_it_for_its_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert chosen_engine(AUTO, "cpu") == "openvino"
    assert chosen_engine(AUTO, "gpu") == "keras"
    monkeypatch.setattr(rt, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert chosen_engine(AUTO, "gpu") == "onnxruntime"


def test_without_a_gpu_that_is_said(lenet) -> None:
    with pytest.raises(UsageError, match="by CUDA or DirectML or CoreML; it sees none"):
        lenet(device="gpu")
    with pytest.raises(UsageError, match=r"computes in f32; .*bf16\. Choose f32"):
        lenet(precision="bf16")


def test_a_gpu_that_cannot_be_used_is_never_passed_over_in_silence(
    lenet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ONNX Runtime for CUDA on a machine without its libraries."""
    opened = rt.InferenceSession
    asked = []

    def session(content, options, providers, settings, **how):
        asked.append((providers, settings))
        return opened(content, options, ["CPUExecutionProvider"], [{}], **how)

    monkeypatch.setattr(rt, "InferenceSession", session)
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(rt, "get_available_providers", lambda: names)
    with pytest.warns(CVTasksWarning, match=r"on the CPU: CUDA cannot be used") as said:
        assert lenet().predict(DIGITS[0]).names
    assert [one.filename for one in said] == [__file__]
    assert asked[0] == (names, [{"use_tf32": "0"}, {}])
    with pytest.raises(UsageError, match="CUDA cannot be used: its libraries"):
        lenet(device="gpu")
    with warnings.catch_warnings(action="error"):
        assert lenet(device="cpu").predict(DIGITS[0]).names


def test_a_gpu_whose_session_fails_gives_way_in_words(
    lenet, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = rt.InferenceSession

    def session(content, options, providers, settings, **how):
        if len(providers) > 1:
            raise RuntimeError("first line\nno memory on the device.")
        return opened(content, options, providers, settings, **how)

    monkeypatch.setattr(rt, "InferenceSession", session)
    monkeypatch.setattr(rt, "get_available_providers", lambda: ["DmlExecutionProvider"])
    with pytest.warns(CVTasksWarning, match="DirectML cannot be used: no memory on the device"):
        assert lenet().predict(DIGITS[0]).names


def test_info_and_completion_know_it(cli) -> None:
    from cvtasks.cli.completion import any_of

    assert ENGINES["onnxruntime"].facts() == {"onnxruntime": f"{rt.__version__} on CPU"}
    assert "onnxruntime" in any_of(lambda: (AUTO, *sorted(ENGINES)))("onn")


# === it reports to nobody ===

SEEN = """
import os, sys
import numpy as np
import cvtasks
threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
seen = []
def hook(event, arguments):
    if event == "import" and arguments[0] == "onnxruntime":
        seen.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.addaudithook(hook)
from cvtasks.engines.onnx_runtime import onnx_runtime
onnx_runtime()
assert seen and set(seen) == {"1"}, seen
if threads:
    assert len(os.listdir("/proc/self/task")) == threads, "a thread that reports"
"""


def test_it_is_imported_with_its_reports_switched_off(run_python) -> None:
    done = run_python("-c", SEEN)
    assert done.returncode == 0, done.stderr


# === graphs that are traps ===


def graph_of(*nodes, inputs=None, outputs=None, initializers=()) -> bytes:
    """A graph `image` → `output`, of shapes as they are declared."""
    make, real = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    inputs = inputs or [make("image", real, ["batch", H, W, 3])]
    outputs = outputs or [make("output", real, ["batch", 2])]
    graph = onnx.helper.make_graph(nodes, "trap", inputs, outputs, list(initializers))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    return model.SerializeToString()


def mean(output: str = "output", to: int = 2) -> list:
    """Nodes that make (batch, `to`) of the image."""
    node = onnx.helper.make_node
    axes = onnx.numpy_helper.from_array(np.array([1, 2]), "axes")
    ends = [onnx.numpy_helper.from_array(np.array([n]), f"n{n}") for n in (0, to, 1)]
    constants = [node("Constant", [], [one.name], value=one) for one in (axes, *ends)]
    return [
        *constants,
        node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        node("Slice", ["mean", "n0", f"n{to}", "n1"], [output]),
    ]


def opened(tmp_path: Path, content: bytes, outputs=(2,)) -> OnnxRuntimeEngine:
    (tmp_path / ONNX_GRAPH).write_bytes(content)
    return OnnxRuntimeEngine(tmp_path / ONNX_GRAPH, SIZE, outputs)


def port(name: str, *shape: int | str, kind: int = 1):
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def outside(location: str) -> bytes:
    """A graph whose constant lies in another file."""
    tensor = onnx.TensorProto(name="c", data_type=1, dims=[1, 2])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    add = onnx.helper.make_node("Add", ["raw", "c"], ["output"])
    return graph_of(*mean("raw"), add, initializers=[tensor])


IMAGE = ("image", "batch", H, W, 3)
TRAPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "cannot be read|must map"),
    "no graph": (lambda: bytes(range(256)) * 9, "cannot be read"),
    "half": (lambda: graph_of(*mean())[:-60], "cannot be read|must map"),
    "unknown operation": (
        lambda: graph_of(onnx.helper.make_node("Nonsense", ["image"], ["output"])),
        "cannot be read.*Nonsense",
    ),
    "foreign operation": (
        lambda: graph_of(onnx.helper.make_node("Run", ["image"], ["output"], domain="evil")),
        "cannot be read",
    ),
    "no edges": (
        lambda: graph_of(onnx.helper.make_node("Relu", ["nobody"], ["output"])),
        "cannot be read",
    ),
    "two inputs": (
        lambda: graph_of(*mean(), inputs=[port(*IMAGE), port("other", 1)]),
        r"must map batches of \[4, 6, 3\] to those of \[2\]",
    ),
    "another size": (
        lambda: graph_of(*mean(), inputs=[port("image", "batch", H, W + 1, 3)]),
        "must map batches",
    ),
    "text for images": (
        lambda: graph_of(
            onnx.helper.make_node("Identity", ["image"], ["output"]),
            inputs=[port(*IMAGE, kind=8)],
            outputs=[port("output", "batch", 2, kind=8)],
        ),
        "must map batches|cannot be read",
    ),
    "another output": (
        lambda: graph_of(*mean(to=1), outputs=[port("output", "batch", 1)]),
        "must map batches",
    ),
    "an output more": (
        lambda: graph_of(*mean(), outputs=[port("output", "batch", 2), port("mean", "batch", 3)]),
        "must map batches",
    ),
    "a batch of five": (
        lambda: graph_of(*mean(), inputs=[port("image", 5, H, W, 3)]),
        "must map batches",
    ),
    "outside": (lambda: outside("../secret"), "cannot be read"),
    "absolute": (lambda: outside("/etc/hostname"), "cannot be read"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_an_odd_graph_is_a_model_error(trap, tmp_path: Path, capfd) -> None:
    (tmp_path.parent / "secret").write_bytes(bytes(8))
    content, words = TRAPS[trap]
    with pytest.raises(ModelError, match=words) as refused:
        opened(tmp_path, content())
    assert str(refused.value).endswith("Copy or train the model again.")
    assert len(str(refused.value)) < 1000
    assert capfd.readouterr() == ("", ""), "the runtime's own log says nothing beside it"


def test_outputs_of_another_shape_fail_when_they_come(tmp_path: Path) -> None:
    """A graph whose output is as long as the brightest pixel says."""
    node = onnx.helper.make_node
    flat = onnx.numpy_helper.from_array(np.array([1]), "flat")
    content = graph_of(
        *mean("raw"),
        node("Constant", [], ["flat"], value=flat),
        node("ReduceMax", ["image"], ["most"]),
        node("Cast", ["most"], ["end"], to=onnx.TensorProto.INT64),
        node("Reshape", ["end", "flat"], ["ends"]),
        node("Slice", ["raw", "n0", "ends", "n1"], ["output"]),
        outputs=[port("output", "batch", "any")],
    )
    engine = opened(tmp_path, content)
    images = [np.full((H, W, 3), value, np.uint8) for value in (2, 1)]
    answers = engine.stream(images)
    assert next(answers).tolist() == [2, 2]
    with pytest.raises(ModelError, match=r"cannot be run: its outputs are of \[\(1, 1\)\]"):
        next(answers)


def test_graphs_of_one_image_and_of_bytes_are_run_too(tmp_path: Path) -> None:
    cast = onnx.helper.make_node("Cast", ["bytes"], ["image"], to=1)
    content = graph_of(
        cast,
        *mean(),
        inputs=[port("bytes", 1, H, W, 3, kind=onnx.TensorProto.UINT8)],
        outputs=[port("output", 1, 2)],
    )
    (tmp_path / ONNX_GRAPH).write_bytes(content)
    engine = OnnxRuntimeEngine(tmp_path / ONNX_GRAPH, SIZE, (2,), batch=4)
    images = [np.full((H, W, 3), value, np.uint8) for value in (3, 200, 255)]
    assert [one.tolist() for one in engine.stream(images)] == [[3, 3], [200, 200], [255, 255]]


def test_outputs_are_found_by_their_names(tmp_path: Path) -> None:
    node = onnx.helper.make_node
    content = graph_of(
        *mean("b"),
        node("Cast", ["b"], ["a"], to=onnx.TensorProto.INT64),
        outputs=[port("b", "batch", 2), port("a", "batch", 2, kind=onnx.TensorProto.INT64)],
    )
    image = np.full((H, W, 3), 7, np.uint8)
    (found,) = opened(tmp_path, content, {"a": (2,), "b": (2,)}).stream([image])
    assert {name: (array.dtype.name, array.tolist()) for name, array in found.items()} == {
        "a": ("int32", [7, 7]),
        "b": ("float32", [7, 7]),
    }
    with pytest.raises(ModelError, match="to those of a \\[2\\], c \\[2\\]; "):
        opened(tmp_path, content, {"a": (2,), "c": (2,)})


def test_a_graph_that_is_too_long_or_gone_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime_engine, "GRAPH_LIMIT", 100)
    with pytest.raises(ModelError, match="at most 100 bytes"):
        opened(tmp_path, graph_of(*mean()))
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxRuntimeEngine(tmp_path / "none.onnx", SIZE, (2,))
