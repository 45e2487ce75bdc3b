"""The zoo: every model in it loads, works offline, and scores what its card says; README and
benchmarks say the same.
"""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import cvtasks
from cvtasks import zoo
from cvtasks.cli import main
from cvtasks.data import open_source
from cvtasks.data.download.catalogue import KNOWN
from cvtasks.data.views import fitted
from cvtasks.engines.openvino_engine import has_bf16
from cvtasks.errors import ModelError
from cvtasks.evaluation.evaluate import evaluate, with_interval
from cvtasks.recipe.recipe import read_recipe
from cvtasks.tasks import TASKS
from cvtasks.zoo import RECIPE, WEIGHTS, default_model, model_folder, zoo_folder

SIX = ("person", "cat", "cow", "dog", "horse", "sheep")
"""The classes in which the images of VOC that the models learned from are complete."""
TRAINED = [name for name in zoo.names() if (zoo_folder() / name / WEIGHTS).is_file()]
MEASURED = [name for name in zoo.names() if (zoo_folder() / name / "metrics.json").is_file()]
DETECTING = [name for name in TRAINED if name.startswith("detect-")]
SEGMENTING = [name for name in TRAINED if name.startswith("segment-")]
LEAST = {
    "instances-cspdarknet-nano-nuclei": {"COCO segm AP50": 0.7, "VOC AP^r@0.5": 0.76},
    "classify-efficientnet-lite0-voc": {"VOC2012 multi-label mAP": 0.77},
    "classify-lenet-mnist": {"top-1 accuracy": 0.992},
    "detect-yolox-nano-voc": {"VOC2012 area AP@0.5": 0.68, "COCO AP": 0.45},
    "segment-efficientnet-lite0-voc": {"VOC mean IoU": 0.74},
    "localize-mobilenet-voc": {
        "top-1 localization accuracy": 0.60,
        "mean IoU where the class is right": 0.65,
    },
}
"""What a shipped model must reach on its validation images."""
ROOT = Path(__file__).parent.parent
PLACES = {"VOCdevkit/VOC2012": "voc2012/VOCdevkit/VOC2012", "mnist": "mnist", "nuclei": "nuclei"}
"""Where the real data lie that recipes name."""


def measured(name: str) -> dict[str, Any]:
    """What a model's `metrics.json` holds."""
    return json.loads((zoo_folder() / name / "metrics.json").read_text())


def test_a_model_that_is_shipped_no_longer_names_its_successor(cli) -> None:
    for old, new in zoo.REPLACED.items():
        assert old not in zoo.shipped() and new in TRAINED
        assert default_model(old.partition("-")[0]) == new
        said = f"It is shipped no longer; {new} took its place"
        with pytest.raises(cvtasks.CVTasksError, match=f"{old}.*{said}"):
            cvtasks.load(old)
        for command in (
            [old.partition("-")[0], "photo.jpg", "--model", old],
            ["evaluate", old, "--data", "x"],
            ["inspect", old],
            ["train", old, "--data", "x"],
            ["train", "detect", "--data", ".", "--weights", old],
        ):
            code, _, err = cli(*command)
            assert (code, said in err) == (4, True), err


def test_a_network_that_is_no_model_is_told_apart() -> None:
    with pytest.raises(ModelError, match="network without weights: `cvtasks inspect lenet5` shows"):
        cvtasks.load("lenet5")


def test_every_default_has_weights() -> None:
    named = [task for task, row in TASKS.items() if row.model]
    assert {default_model(task) for task in named} <= set(TRAINED)
    with pytest.raises(cvtasks.CVTasksError, match="no trained model for juggle"):
        default_model("juggle")


@pytest.mark.parametrize("name", zoo.names())
def test_a_name_is_a_folder_and_says_its_task(name: str) -> None:
    assert model_folder(name) == zoo_folder() / name
    recipe = read_recipe(zoo_folder() / name / RECIPE)
    assert name.startswith(f"{recipe.task.name}-")


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_model_is_small_and_whole(name: str) -> None:
    recipe = read_recipe(zoo_folder() / name / RECIPE)
    assert {WEIGHTS, "graph.xml", "graph.safetensors"} == set(recipe.files)
    assert sum((zoo_folder() / name / file).stat().st_size for file in recipe.files) <= 16e6
    assert not Path(recipe.data.path).is_absolute()


@pytest.mark.parametrize("name", SEGMENTING)
def test_the_cat_is_a_cat(name: str) -> None:
    """On the photograph of the README: 451×300 pixels, most of them cat."""
    skimage = pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
    mask = cvtasks.load(name).predict(photo)
    assert mask.size == (300, 451)
    shares = mask.shares()
    assert shares.get("cat", 0) > 0.4
    assert max(shares, key=shares.get) == "cat"


@pytest.mark.parametrize("name", SEGMENTING)
def test_the_graph_is_the_network(name: str) -> None:
    skimage = pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
    graph, network = (
        cvtasks.load(name, engine=engine, precision="f32").predict(photo)
        for engine in ("openvino", "keras")
    )
    assert (graph.ids == network.ids).mean() > 0.999


@pytest.mark.parametrize("name", DETECTING)
def test_the_graph_of_a_detector_is_the_network(name: str) -> None:
    skimage = pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    photo = Path(skimage.__file__).parent / "data" / "chelsea.png"
    graph, network = (
        cvtasks.load(name, engine=engine, precision="f32").predict(photo, 0.2)
        for engine in ("openvino", "keras")
    )
    assert graph.names == network.names == ("cat",)
    np.testing.assert_allclose(graph.scores, network.scores, atol=5e-3)
    np.testing.assert_allclose(graph.xyxy, network.xyxy, atol=1)


@pytest.mark.parametrize("name", TRAINED)
def test_the_score_is_that_of_its_metrics(name: str, cvtasks_data: Path) -> None:
    """In the precision that was measured; where the CPU has no bfloat16, in float32, half a point
    away at most.
    """
    said = measured(name)
    same = said["precision"] == "f32" or has_bf16()
    model = cvtasks.load(
        name, engine=said["engine"], precision=said["precision"] if same else "f32", many=True
    )
    recipe = model.recipe
    source = open_source(
        str(cvtasks_data / PLACES[said["data"]]), said["split"], recipe.task.answer
    )
    source = fitted(source, recipe)
    scores = evaluate(model.engine, recipe.head, recipe.letterbox, source).result()
    assert len(source) == said["images"]
    known = {name: np.nan if number is None else number for name, number in said["metrics"].items()}
    assert scores == pytest.approx(known, abs=0.003 if same else 0.006, nan_ok=True)
    for standard, least in LEAST[name].items():
        assert scores[standard] >= least


@pytest.mark.parametrize("name", MEASURED)
def test_a_card_has_the_numbers_of_its_metrics(name: str) -> None:
    said, card = measured(name), (zoo_folder() / name / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^- \*\*(.+): (.+)\*\*$", card, re.MULTILINE))
    spans = said.get("intervals", {})
    assert listed == {
        standard: with_interval(number, spans.get(standard), 3)
        for standard, number in said["metrics"].items()
    }
    for standard, (low, high) in spans.items():
        assert low <= said["metrics"][standard] <= high
    assert (name in TRAINED) == bool(spans), "a model that is shipped has intervals"
    columns = re.search(r"^\| class \| (.+) \|$", card, re.MULTILINE)[1].split(" | ")
    for kind, row in said["classes"].items():
        assert columns == list(row)
        assert f"| {kind} | {' | '.join(f'{number:.3f}' for number in row.values())} |" in card
    assert f"On {said['images']} images of `{said['data']}:{said['split']}`" in card
    assert re.search(rf"by the {said['engine']} engine in\s{said['precision']}\b", card)


def test_readme_and_results_have_the_numbers_of_the_cards() -> None:
    """Each number of three decimals that the page of results has in a sentence about the zoo is one
    of a card, or the mean of the rows of six classes; so is each bold one of the README's table.
    """
    section = (
        (ROOT / "docs" / "results.md")
        .read_text(encoding="utf-8")
        .split("\n## The models of the zoo\n")[1]
        .split("\n## ")[0]
    )
    paragraphs = [part for part in section.strip().split("\n\n") if not part.startswith("|")]
    means = {
        task: f"{np.mean([measured(default_model(task))['classes'][kind][of] for kind in SIX]):.3f}"
        for task, of in {"classify": "VOC2012 AP", "detect": "VOC2012 area AP@0.5"}.items()
    }
    known = {*means.values()} | {
        f"{number:.3f}"
        for name in MEASURED
        for number in measured(name)["metrics"].values()
        if number is not None
    }
    quoted = {
        number for part in paragraphs for number in re.findall(r"(?<![\d.,])0\.\d{3}(?!\d)", part)
    }
    assert {*means.values()} <= quoted
    assert quoted <= known
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    best = re.findall(r"^\|.*\*\*(0\.\d{3})\*\*", readme, re.MULTILINE)
    assert best == [
        means["detect"],
        f"{measured(default_model('segment'))['metrics']['VOC mean IoU']:.3f}",
        means["classify"],
    ]
    assert (
        f"animals the mean of VOC2012 AP is {means['classify']}."
        in (zoo_folder() / default_model("classify") / "README.md").read_text()
    )
    for name in TRAINED:
        headline = next(iter(measured(name)["metrics"].values()))
        assert any(
            part.startswith(f"`{name}`") and f"{headline:.3f}" in part for part in paragraphs
        )


def test_the_benchmarks_have_the_numbers_of_the_cards() -> None:
    """What `precision.py` printed of a standard that one model alone is measured by, in the card's
    precision; of each model whose card is of bf16.
    """
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \| (0\.\d{4}) \| (0\.\d{4}) \| \S+ \|$", text, re.MULTILINE)
    voc = [measured(name) for name in TRAINED if name.endswith("-voc")]
    said = {
        standard: (one["precision"], number)
        for one in voc
        for standard, number in one["metrics"].items()
    }
    in_bf16 = [one for one in voc if one["precision"] == "bf16"]
    assert {standard for one in in_bf16 for standard in list(one["metrics"])[:1]} <= {
        row[0] for row in rows
    }
    for standard, f32, bf16 in rows:
        precision, number = said[standard]
        assert {"f32": f32, "bf16": bf16}[precision] == f"{number:.4f}"


@pytest.mark.parametrize(
    ("task", "files"),
    [
        ("classify", {"chelsea.jpg"}),
        ("detect", {"chelsea.jpg"}),
        ("localize", {"chelsea.jpg"}),
        ("segment", {"chelsea.jpg", "chelsea-mask.png"}),
    ],
)
def test_the_first_command_of_the_readme(
    run_cli, tmp_path: Path, task: str, files: set[str]
) -> None:
    pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    done = run_cli(task, "sample:chelsea", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stderr
    assert {file.name for file in (tmp_path / "outputs" / task).iterdir()} == files


@pytest.mark.parametrize(
    "name", [name for name in zoo.names() if name not in (*TRAINED, *zoo.PACKAGED)]
)
def test_a_recipe_without_weights_is_rehearsed(
    name: str, cvtasks_data: Path, monkeypatch, capsys, tmp_path: Path
) -> None:
    """One real step of the real recipe, from random weights:
    ImageNet's would have to be fetched.
    """
    monkeypatch.chdir(tmp_path)
    data = cvtasks_data / "voc2012" / "VOCdevkit"
    quick = [
        "--set",
        "train.batch=2",
        "--set",
        "train.precision=f32",
        "--set",
        "data.crop=64",
        "--set",
        "data.multi_scale=[]",
        "--set",
        "data.workers=0",
    ]
    if name.endswith("-voc0712"):  # a devkit of several years; here it has one
        quick += ["--set", "data.train=2012-train", "--set", "data.validate=2012-val"]
    elif name.endswith("-imagenette"):  # as `data get` leaves it, with names for the folders
        data = tmp_path / "imagenette"
        data.mkdir()
        for split in ("train", "val"):
            (data / split).symlink_to(cvtasks_data / "imagenette" / split)
        for file, text in KNOWN["imagenette"].extra.items():
            (data / file).write_text(text)
    else:
        data /= "VOC2012"
    arguments = [
        "cvtasks",
        "train",
        str(zoo_folder() / name / RECIPE),
        "--data",
        str(data),
        "--set",
        'train.weights=""',
    ]
    monkeypatch.setattr("sys.argv", [*arguments, *quick, "--dry-run"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert "one training step are fine" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} <= {"imagenette"}


@pytest.mark.skipif(
    "classify-lenet-mnist" not in TRAINED, reason="the digits' model is not trained"
)
def test_digits_on_paper_are_read(cvtasks_data: Path) -> None:
    """Test digits, written large and dark on paper that is lit from one side, anywhere on the
    sheet, with noise.
    """
    source = open_source(str(cvtasks_data / "mnist"), "test", cvtasks.Labels)
    model, rng, right = cvtasks.load("classify-lenet-mnist", many=True), np.random.default_rng(0), 0
    for index in range(0, 10_000, 100):
        digit = cv2.resize(source[index].image[..., 0], (160, 160), interpolation=cv2.INTER_CUBIC)
        sheet = np.zeros((480, 640))
        y, x = rng.integers(320), rng.integers(480)
        sheet[y : y + 160, x : x + 160] = digit / 255
        paper = 230 - 90 * np.linspace(0, 1, 640)
        photo = paper * (1 - 0.8 * sheet) + rng.normal(0, 5, sheet.shape)
        answer = model.predict(np.clip(photo, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2))
        right += answer.names[0] == source.truth(index).names[0]
    assert right >= 95


def test_a_folder_that_is_not_there_is_answered_with_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / RECIPE).write_text("format = 1")
    (tmp_path / "frost").mkdir()
    with pytest.raises(ModelError, match=r"Did you mean '.*first'\?"):
        model_folder(tmp_path / "frist")
    with pytest.raises(ModelError, match="is neither"):
        model_folder(tmp_path / "else" / "frist")
