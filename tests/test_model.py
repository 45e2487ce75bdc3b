"""Model folders: what is refused, and that nothing in them is believed or executed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.errors import ModelError, UsageError
from cvtasks.files.writing import sha256
from cvtasks.recipe.recipe import read_recipe
from cvtasks.weights.safetensors_file import read_safetensors, write_safetensors

WEIGHTS = "weights.safetensors"


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, to be damaged."""
    shutil.copytree(
        trained, tmp_path / "model", ignore=shutil.ignore_patterns("checkpoints", "samples")
    )
    return tmp_path / "model"


def listed_again(folder: Path) -> None:
    """Write the SHA-256 of the files as they are now into the recipe, as a forger would."""
    recipe = folder / "recipe.toml"
    for name, old in read_recipe(recipe).files.items():
        recipe.write_text(recipe.read_text().replace(old, sha256(folder / name)))


def weights(folder: Path) -> dict[str, np.ndarray]:
    return {name: stored.read() for name, stored in read_safetensors(folder / WEIGHTS).items()}


@pytest.mark.parametrize("name", [WEIGHTS, "graph.xml", "graph.safetensors"])
@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_a_missing_file_is_named(folder: Path, name: str, engine: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"lists '{name}', which is missing"):
        cvtasks.load(folder, engine=engine)


@pytest.mark.parametrize("options", [{}, {"many": True}, {"engine": "keras"}, {"precision": "f32"}])
@pytest.mark.parametrize("name", [WEIGHTS, "graph.xml", "graph.safetensors"])
def test_a_flipped_bit_is_found_by_whatever_opens_the_model(
    folder: Path, name: str, options: dict
) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}.*SHA-256"):
        cvtasks.load(folder, **options)


def test_keras_in_a_forked_child_is_refused_in_words(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There TensorFlow and JAX would wait for ever; a child is one whose number is not that of who
    ran Keras first.
    """
    image = np.zeros((9, 9, 3), np.uint8)
    model = cvtasks.load(trained, engine="keras")
    model.predict(image)
    with monkeypatch.context() as child:
        child.setattr("os.getpid", lambda: -1)
        for call in (lambda: model.predict(image), lambda: cvtasks.load(trained, engine="keras")):
            with pytest.raises(UsageError, match=r'forked child.*"spawn"'):
                call()
    model.predict(image)


def _truncated(folder: Path) -> str:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    return WEIGHTS


def _missing(folder: Path) -> str:
    arrays = weights(folder)
    name = next(iter(arrays))
    write_safetensors(folder / WEIGHTS, {k: v for k, v in arrays.items() if k != name})
    return name


def _extra(folder: Path) -> str:
    write_safetensors(folder / WEIGHTS, {**weights(folder), "spy/kernel": np.zeros(3, "float32")})
    return "spy/kernel"


def _shape(folder: Path) -> str:
    arrays = weights(folder)
    name = next(iter(arrays))
    write_safetensors(folder / WEIGHTS, {**arrays, name: arrays[name][..., :-1]})
    return name


def _nan(folder: Path) -> str:
    arrays = weights(folder)
    name = next(iter(arrays))
    arrays[name].flat[0] = np.nan
    write_safetensors(folder / WEIGHTS, arrays)
    return name


def _oversized(folder: Path) -> str:
    """A header of a few bytes that promises 4 TB."""
    header = {"huge/kernel": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text)
    return "huge/kernel"


def _garbage(folder: Path) -> str:
    (folder / WEIGHTS).write_bytes(np.random.default_rng(0).bytes(5000))
    return WEIGHTS


@pytest.mark.parametrize(
    "damage", [_truncated, _missing, _extra, _shape, _nan, _oversized, _garbage]
)
def test_weights_that_do_not_fit_are_refused_by_name(
    folder: Path, damage: Callable[[Path], str]
) -> None:
    named = damage(folder)
    listed_again(folder)
    with pytest.raises(ModelError) as refused:
        cvtasks.load(folder, engine="keras")
    assert named in str(refused.value)


def test_a_graph_that_is_none_or_anothers_is_refused(folder: Path) -> None:
    (folder / "graph.xml").write_text("<net/>")
    listed_again(folder)
    with pytest.raises(ModelError, match=r"graph\.xml.* cannot be read"):
        cvtasks.load(folder)


def test_a_graph_of_another_recipe_is_refused(folder: Path) -> None:
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("size = 64", "size = 96"))
    with pytest.raises(
        ModelError,
        match=r"must map \[1, 96, 96, 3\] to \[1, 96, 96, 3\]; .* has \[\[1, 64, 64, 3\]",
    ):
        cvtasks.load(folder)


def test_a_file_of_the_list_cannot_lie_elsewhere(folder: Path) -> None:
    (folder.parent / "outside").write_bytes(b"x")
    recipe = folder / "recipe.toml"
    recipe.write_text(
        recipe.read_text() + f'"../outside" = "{sha256(folder.parent / "outside")}"\n'
    )
    with pytest.raises(ModelError, match=r"\.\./outside"):
        cvtasks.load(folder)


def test_a_recipe_without_weights_says_how_to_get_them(folder: Path) -> None:
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().split("[files]")[0])
    with pytest.raises(ModelError, match=r"recipe without weights. Train it: `cvtasks train"):
        cvtasks.load(folder)


def test_without_a_graph_one_is_made_once_and_kept(
    folder: Path, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    expected = cvtasks.load(folder, precision="f32").predict(image)
    recipe = folder / "recipe.toml"
    for name in ("graph.xml", "graph.safetensors"):
        (folder / name).unlink()
        lines = [
            line for line in recipe.read_text().splitlines() if not line.startswith(f'"{name}"')
        ]
        recipe.write_text("\n".join(lines) + "\n")
    made = cvtasks.load(folder, precision="f32").predict(image)
    assert (made.ids == expected.ids).mean() > 0.999
    (kept,) = (tmp_path / "cache" / "graphs").iterdir()
    before = (kept / "graph.xml").stat().st_mtime_ns
    cvtasks.load(folder, precision="f32")
    assert (kept / "graph.xml").stat().st_mtime_ns == before


def test_half_precision_loses_almost_nothing(trained: Path, folder: Path, shapes: Path) -> None:
    arrays = {name: array.astype("float16") for name, array in weights(folder).items()}
    write_safetensors(folder / WEIGHTS, arrays)
    listed_again(folder)
    full, half = (cvtasks.load(place, engine="keras") for place in (trained, folder))
    for path in sorted((shapes / "images" / "val").iterdir()):
        assert (full.predict(path).ids == half.predict(path).ids).mean() > 0.99


SIGNALLED = """
import os, signal, sys, threading
import numpy as np
import cvtasks

models = [cvtasks.load(sys.argv[1], precision="f32")]
models[0].predict(np.zeros((9, 9, 3), np.uint8))
thread = threading.Thread(target=models.clear)  # the last one goes in another thread
thread.start()
thread.join()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_signal_after_models_are_gone_is_handled(run_python, trained: Path) -> None:
    done = run_python("-X", "faulthandler", "-c", SIGNALLED, trained)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
