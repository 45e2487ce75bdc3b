"""A detector from the data to the command line: trained, stopped, exported, run, measured."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import cvtasks
from cvtasks.answers import Boxes, Sample
from cvtasks.data import open_source
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.formats.voc import voc_xml
from cvtasks.heads.two_stage import TwoStage
from cvtasks.heads.yolox import Yolox
from cvtasks.media.images import read_image, read_mask
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.layout import BEST
from cvtasks.training.loop import train
from cvtasks.training.plan import planned
from cvtasks.training.progress import Report
from cvtasks.training.run import run
from tests.training.stopped import check_same_bits

CLASSES = ("square", "disc")


@pytest.fixture(scope="module")
def devkit(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn shapes as a data set in VOC's layout: a box for every piece of mask."""
    root = tmp_path_factory.mktemp("devkit") / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    for split in ("train", "val"):
        names = []
        for path in sorted((shapes / "masks" / split).iterdir()):
            ids, found, labels = read_mask(path), [], []
            for label in (1, 2):
                _, _, pieces, _ = cv2.connectedComponentsWithStats((ids == label).astype(np.uint8))
                found += [(x, y, x + w, y + h) for x, y, w, h, _ in pieces[1:]]
                labels += [label - 1] * (len(pieces) - 1)
            name = f"{split}-{path.stem}"
            truth = Boxes.of(np.array(found), labels, CLASSES, ids.shape)
            (root / "Annotations" / f"{name}.xml").write_text(
                voc_xml(truth, f"{name}.png"), encoding="utf-8"
            )
            Image.fromarray(read_image(shapes / "images" / split / path.name)).save(
                root / "JPEGImages" / f"{name}.png"
            )
            names.append(name)
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(
            "\n".join(names), encoding="utf-8"
        )
    return root


def small(devkit: Path, data: dict | None = None, **train_options: object) -> Recipe:
    """A recipe of a few seconds."""
    return parse_recipe(
        {
            "task": "detect",
            "backbone": "tiny",
            "size": 64,
            "classes": list(CLASSES),
            "detect": {"width": 24, "scale": 2.5},
            "data": {
                "path": str(devkit),
                "scale": [0.9, 1.1],
                "colour": 0.0,
                "workers": 0,
                **(data or {}),
            },
            "train": {
                "epochs": 40,
                "batch": 8,
                "learning_rate": 0.01,
                "precision": "f32",
                "validate_every": 20,
                **train_options,
            },
        }
    )


@pytest.fixture(scope="module")
def detector(devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small detector that has learned the shapes."""
    folder = tmp_path_factory.mktemp("models") / "detect-tiny-shapes"
    finished = run(planned(small(devkit)), folder, "cvtasks train detect", Report())
    score = finished["metrics"]["VOC2012 area AP@0.5"]
    if not score > 0.5:
        pytest.fail(
            "the detector that other tests use must have learned the drawn shapes, AP above 0.5; "
            f"it has {score}"
        )
    return folder


def same(one: Boxes, other: Boxes) -> None:
    """Fail unless the surer boxes agree, in whatever order equal scores put them."""
    one, other = (boxes.take(boxes.scores > 0.05) for boxes in (one, other))
    assert abs(len(one) - len(other)) <= 1
    count = min(len(one), len(other))
    np.testing.assert_allclose(one.scores[:count], other.scores[:count], atol=1e-3)
    np.testing.assert_allclose(
        np.sort(one.xyxy[:count], axis=0), np.sort(other.xyxy[:count], axis=0), atol=0.1
    )


def test_the_graph_and_keras_see_the_same(detector: Path, devkit: Path) -> None:
    by_graph = cvtasks.load(detector, engine="openvino", precision="f32")
    by_keras = cvtasks.load(detector, engine="keras")
    source, seen = open_source(str(devkit), "val", Boxes), 0
    for index in range(len(source)):
        image = source[index].image
        found = by_graph.predict(image, threshold=0.0)
        same(found, by_keras.predict(image, threshold=0.0))
        seen += int((found.scores > 0.05).sum())
    assert seen > len(source)


def test_the_threshold_is_the_recipes_unless_given(detector: Path, devkit: Path) -> None:
    model = cvtasks.load(detector, engine="openvino", precision="f32")
    image = open_source(str(devkit), "val", Boxes)[0].image
    usual = model.recipe.task.threshold
    assert (model.predict(image).scores >= usual).all()
    assert len(model.predict(image, threshold=0.0)) > len(model.predict(image)) > 0


def test_saved_records_score_as_the_model_does(
    detector: Path, devkit: Path, tmp_path: Path, run_cli: Callable
) -> None:
    common = ("--engine", "openvino", "--precision", "f32")
    images = sorted(map(str, (devkit / "JPEGImages").glob("val-*.png")))
    kinds = "image,json,csv,voc,yolo,coco"
    found = run_cli(
        "detect",
        *images,
        "--model",
        detector,
        "-o",
        tmp_path / "out",
        "--threshold",
        0,
        "--save",
        kinds,
        *common,
    )
    assert found.returncode == 0, found.stderr
    names = {path.name for path in (tmp_path / "out").rglob("*")}
    assert {
        "val-000.jpg",
        "records.jsonl",
        "records.csv",
        "val-000.xml",
        "val-000.txt",
        "coco.json",
    } <= names
    data = ("--data", f"{devkit}:val", "--json")
    direct = run_cli("evaluate", detector, *data, *common)
    assert direct.returncode == 0, direct.stderr
    expected = json.loads(direct.stdout)["metrics"]
    assert expected["VOC2012 area AP@0.5"] > 0.5
    for file in ("records.jsonl", "coco.json"):
        scored = run_cli("evaluate", detector, *data, "--predictions", tmp_path / "out" / file)
        assert scored.returncode == 0, scored.stderr
        for name, number in json.loads(scored.stdout)["metrics"].items():
            assert number == pytest.approx(expected[name], abs=1e-6), (file, name)


def test_json_says_what_was_found_and_nothing_else(
    detector: Path, devkit: Path, tmp_path: Path, run_cli: Callable
) -> None:
    image = devkit / "JPEGImages" / "val-000.png"
    found = run_cli(
        "detect",
        image,
        "--model",
        detector,
        "--json",
        "--save",
        "none",
        "--classes",
        "disc",
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stderr
    (record,) = [json.loads(line) for line in found.stdout.splitlines()]
    assert record["task"] == "detect"
    assert {box["name"] for box in record["boxes"]} <= {"disc"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("head", ["dense", "yolox", "two-stage"])  # yolox: another loss at the end
def test_a_stopped_run_goes_on_to_the_same_bits(devkit: Path, tmp_path: Path, head: str) -> None:
    recipe = small(
        devkit,
        {"mosaic": 0.7, "mixup": 0.5, "close_mosaic": 1, "multi_scale": [64, 96], "rotate": 5.0},
        epochs=2,
        validate_every=2,
        ema=0.9,
        backbone_rate=0.3,
        freeze=[[0, 2], [1, 0]] if head == "dense" else [],
    )
    if head == "yolox":
        recipe = replace(recipe, head=Yolox(recipe.task, width=8, max_truths=16))
    elif head == "two-stage":
        recipe = replace(recipe, head=TwoStage(recipe.task, width=8, units=16, proposals=16))
    check_same_bits(recipe, tmp_path)


def test_validation_images_without_objects_still_give_weights(devkit: Path, tmp_path: Path) -> None:
    """Their score is no number, so that no epoch is better than another."""
    recipe = small(devkit, epochs=2, validate_every=1, patience=1)
    sources = open_sources(recipe)

    class Empty(Source):
        classes = recipe.classes

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Sample:
            sample = sources.validate[index]
            return replace(sample, truth=sample.truth.take(np.zeros(len(sample.truth), bool)))

    train(recipe, sources.train, Empty(), tmp_path)
    assert (tmp_path / BEST).is_file()


def test_the_backbone_learns_at_its_own_pace(devkit: Path, tmp_path: Path) -> None:
    """Adam's first step is as long as the learning rate, whatever the gradient."""
    import keras

    from cvtasks.networks.build import backbone_of, build_network
    from cvtasks.recipe.recipe import Train
    from cvtasks.training.optimizer import make_optimizer

    keras.utils.set_random_seed(2)
    its = small(devkit)
    network = build_network(its, its.input_size)
    backbone = backbone_of(network)
    network.compile(
        make_optimizer(Train(backbone_rate=0.1, weight_decay=0.0), network, backbone),
        loss=its.head.loss,
    )
    slow = {variable.path for variable in backbone.trainable_variables}
    before = {variable.path: variable.numpy().copy() for variable in network.trainable_variables}
    box = Boxes.of([[4, 4, 40, 40], [30, 30, 63, 60]], [0, 1], CLASSES, its.input_size)
    from cvtasks.geometry.letterbox import Letterbox

    target = its.head.encode(box, Letterbox(its.input_size, its.input_size))[None]
    network.train_on_batch(
        np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype("float32"), target
    )
    moved = {
        v.path: float(np.abs(v.numpy() - before[v.path]).max()) for v in network.trainable_variables
    }
    assert max(moved[path] for path in slow) == pytest.approx(1e-4, rel=0.05)
    assert max(moved[path] for path in moved.keys() - slow) == pytest.approx(1e-3, rel=0.05)
