"""The fully connected network: its parameters, what it can and cannot do, and what the order of the
pixels is to it.
"""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from cvtasks.answers import Labels
from cvtasks.data import open_source
from cvtasks.errors import ModelError
from cvtasks.networks.backbones import build_backbone, build_top
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = ("classic_networks", "shuffled_pixels")


def recipe(side: int = 28, count: int = 10, **classify: object) -> Recipe:
    """Of a fully connected classifier."""
    names = [f"class {number}" for number in range(count)]
    table = {"top": "own", "dropout": 0.0, **classify}
    return parse_recipe(
        {"task": "classify", "backbone": "mlp", "size": side, "classes": names, "classify": table}
    )


def refused(task: str, **table: object) -> str:
    """What the recipe says."""
    classes = ["background", "disc"]
    with pytest.raises(ModelError) as error:
        parse_recipe({"task": task, "backbone": "mlp", "size": 28, "classes": classes, task: table})
    return str(error.value)


def test_it_has_the_parameters_of_the_paper() -> None:
    its = recipe()
    network = build_network(its, its.input_size)
    layers = [(784, 300), (300, 100), (100, 10)]  # LeCun et al., section III-C: 28×28-300-100-10
    assert network.count_params() == sum((given + 1) * units for given, units in layers) == 266_610
    assert [tuple(v.shape) for v in network.weights if v.path.endswith("/kernel")] == layers


def test_parameters_grow_with_the_image() -> None:
    small, large = (build_network(recipe(side), (side, side)).count_params() for side in (28, 56))
    assert large - small == 3 * 28 * 28 * 300


def test_it_sees_what_lenet_sees() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 3)).astype("float32")
    lenet, mlp = (build_backbone(name, (28, 28)) for name in ("lenet5", "mlp"))
    bordered, seen = (
        keras.Model(lenet.input, lenet.get_layer("c1").input)(image),
        keras.Model(mlp.input, mlp.output)(image),
    )
    np.testing.assert_array_equal(seen, bordered[:, 2:-2, 2:-2])


def test_every_parameter_moves() -> None:
    its = recipe(8, 3, dropout=0.1)
    network = build_network(its, its.input_size)
    before = [v.numpy() for v in network.trainable_variables]
    network.compile(keras.optimizers.SGD(0.1), loss=its.head.loss)
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype("float32")
    network.train_on_batch(images, np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 1]])
    assert len(before) == 6
    assert not any(
        np.array_equal(old, new.numpy())
        for old, new in zip(before, network.trainable_variables, strict=True)
    )


def test_it_learns_noise_by_heart() -> None:
    keras.utils.set_random_seed(1)
    its = recipe(8, 4)
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.Adam(3e-3), loss=its.head.loss)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype("float32")
    labels = np.arange(16) % 4
    for _ in range(60):
        network.train_on_batch(images, np.eye(4, dtype="float32")[labels])
    np.testing.assert_array_equal(np.argmax(network(images), axis=1), labels)


def test_the_order_of_the_pixels_means_nothing_to_it() -> None:
    """With the rows of its first kernel in the same order, it says the same of shuffled images."""
    its = recipe(8, 4)
    one, other = build_network(its, its.input_size), build_network(its, its.input_size)
    order = np.random.default_rng(1).permutation(64)
    values = one.get_weights()
    other.set_weights([values[0][order], *values[1:]])
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype("float32")
    shuffled = images.reshape(5, 64, 3)[:, order].reshape(images.shape)
    np.testing.assert_allclose(other(shuffled), one(images), atol=1e-5)
    assert np.abs(np.asarray(one(shuffled)) - np.asarray(one(images))).max() > 1e-2


# === what it cannot do ===


@pytest.mark.parametrize("task", ["detect", "localize", "segment", "classify"])
def test_a_head_that_needs_features_is_refused(task: str) -> None:
    sentence = refused(task)
    assert sentence.startswith(
        f"{task} needs a backbone whose maps are learned features; mlp is fully connected"
    )
    assert '`head.name = "own"`' in sentence
    named = sentence.partition("choose one of ")[2].rstrip(".").split(", ")
    assert "tiny" in named
    assert "mlp" not in named


def test_what_it_has_not_is_refused() -> None:
    assert "mlp has no auxiliary classifiers" in _sentence(
        lambda: build_network(recipe(auxiliary=0.3), (28, 28))
    )
    assert "`norm` cannot be chosen for mlp" in _sentence(
        lambda: build_backbone("mlp", (28, 28), "batch")
    )
    rule = "`size` must be at least 1 for mlp and at most 4096; got 0. Try 1."
    assert rule in _sentence(lambda: build_backbone("mlp", (28, 0)))
    backbone = build_backbone("mlp", (None, None))
    assert "fixed size" in _sentence(lambda: build_top("mlp", backbone.outputs, 3, 0.0, False))


def _sentence(call) -> str:
    with pytest.raises(ModelError) as error:
        call()
    return str(error.value)


# === benchmarks/shuffled_pixels.py ===


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark as a module."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in SCRIPTS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return [importlib.import_module(name) for name in SCRIPTS][-1]


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A tiny idx data set; no two pixels of its first image are alike, so that their places can be
    followed.
    """
    folder = tmp_path / "digits"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for stem, count in (("train", 5), ("t10k", 3)):
        images = rng.integers(0, 256, (count, 6, 7), np.uint8)
        images[0] = rng.permutation(42).reshape(6, 7)
        for name, array in (
            ("images-idx3", images),
            ("labels-idx1", np.arange(count, dtype=np.uint8)),
        ):
            sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
            (folder / f"{stem}-{name}-ubyte").write_bytes(
                bytes([0, 0, 8, array.ndim]) + sides + array.tobytes()
            )
    return folder


def test_one_permutation_moves_the_pixels_of_all_images(
    script: ModuleType, digits: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "out" / "data"
    script.write_set(copy, script.shuffled(str(digits)))
    assert [path.name for path in copy.parent.iterdir()] == ["data"]
    orders = []
    for split in ("train", "test"):
        before, after = (open_source(str(path), split, Labels) for path in (digits, copy))
        assert after.classes == before.classes
        np.testing.assert_array_equal(after.labels, before.labels)
        old, new = (source.images.reshape(len(source), -1) for source in (before, after))
        order = np.argsort(old[0])[new[0]]  # the place that each pixel of the first image came from
        assert sorted(order) == list(range(42))
        assert sum(order == np.arange(42)) < 10
        np.testing.assert_array_equal(new, old[:, order])
        orders.append(order.tolist())
    assert orders[0] == orders[1]


def test_a_copy_is_written_once_and_nothing_is_written_over(
    script: ModuleType, digits: Path, tmp_path: Path
) -> None:
    files, copy = script.shuffled(str(digits)), tmp_path / "data"
    script.write_set(copy, files)
    script.write_set(copy, files)
    (copy / "classes.txt").write_text("mine\n")
    with pytest.raises(SystemExit, match="something other than this copy"):
        script.write_set(copy, files)
    assert (copy / "classes.txt").read_text() == "mine\n"
    with pytest.raises(TypeError):
        script.write_set(tmp_path / "broken", {"a": b"a", "b": None})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "digits"]


def test_the_recipes_differ_in_the_network_alone(script: ModuleType) -> None:
    recipes = sys.modules["classic_networks"].recipe
    mlp, lenet = (recipes(script.ROWS[key], "digits", ("0", "1"), 1) for key in ("mlp", "lenet5"))
    assert replace(lenet, backbone="mlp") == mlp
    assert (mlp.data.scale, mlp.data.flip, mlp.data.colour, mlp.data.rotate, mlp.data.shear) == (
        (1, 1),
        0,
        0,
        0,
        0,
    )


def test_the_table_is_made_of_what_is_measured_once(
    script: ModuleType,
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    seen = []

    def measure(row, data, folder, seed, command):
        seen.append((row.backbone, data, folder.name, seed))
        score = (0.5 if data == str(digits) else 0.25) + seed / 100
        return {
            script.METRIC: score,
            "minutes": 0.5,
            "epochs": row.epochs,
            "parameters": 1234,
            "machine": "a machine",
        }

    monkeypatch.setattr(script, "measure", measure)
    rows = {
        "mlp": replace(script.ROWS["mlp"], seeds=2),
        "lenet5": replace(script.ROWS["lenet5"], seeds=1),
    }
    monkeypatch.setattr(script, "ROWS", rows)
    results, out = tmp_path / "results.json", tmp_path / "out"
    given = ["shuffled_pixels.py", "--data", str(digits), "-o", str(out), "--results", str(results)]
    printed = []
    for more in (["--table"], ["--only", "mlp"], [], ["--table"]):
        monkeypatch.setattr(sys, "argv", [*given, *more])
        script.main()
        printed.append(capsys.readouterr().out)
        if more == ["--table"]:
            assert out.exists() == bool(seen), "a table alone writes nothing"
    assert seen == [
        ("mlp", str(digits), "mlp-as-they-are-1", 1),
        ("mlp", str(digits), "mlp-as-they-are-2", 2),
        ("mlp", str(out / "data"), "mlp-shuffled-1", 1),
        ("mlp", str(out / "data"), "mlp-shuffled-2", 2),
        ("lenet5", str(digits), "lenet5-as-they-are-1", 1),
        ("lenet5", str(out / "data"), "lenet5-shuffled-1", 1),
    ]
    assert sorted(json.loads(results.read_text())) == sorted(name for _, _, name, _ in seen)
    assert [len(text.splitlines()) for text in printed] == [4, 6, 7, 7]
    assert "| 1,234 | 6 | 0.5150 ± 0.0071 (2 seeds) | 0.2650 ± 0.0071 (2 seeds) |" in printed[1]
    assert (
        "| LeNet-5 | 1,234 | 6 | 0.5100 (one seed) | 0.2600 (one seed) |\n\na machine\n3 minutes"
        in printed[2]
    )
    assert printed[3] == printed[2]
    monkeypatch.setattr(sys, "argv", [*given, "--only", "lenet"])
    with pytest.raises(SystemExit, match="the networks are mlp, lenet5; got 'lenet'"):
        script.main()
