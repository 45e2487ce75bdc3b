"""`cvtasks explain`: its record, its files, what it says about wrong use, and whether a cat's map
lies on the cat.
"""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cvtasks.insight.explaining.explainer import Explainer
from cvtasks.insight.explaining.explanation import (
    METHODS,
    Explanation,
    explain,
    explain_scene,
    find_target,
)
from cvtasks.media.images import read_image
from cvtasks.zoo import WEIGHTS, model_folder


@pytest.fixture(scope="module")
def photo(shapes: Path) -> Path:
    """A drawn image of 48 × 80 pixels that the tiny trained model is good at."""
    return shapes / "images" / "val" / "001.png"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with nothing on it."""
    path = tmp_path_factory.mktemp("empty") / "empty.png"
    Image.fromarray(np.full((64, 64, 3), 30, np.uint8)).save(path)
    return path


# === the command ===


def test_every_method_is_recorded_and_drawn(
    cli, trained: Path, photo: Path, tmp_path: Path
) -> None:
    wanted = ("--method", "all", "--check", "--curves", "--maps", "npz", "--json", "-o", tmp_path)
    code, out, err = cli("explain", photo, "--model", trained, *wanted)
    assert code == 0, err
    record = json.loads(out)
    assert (record["task"], record["model"]) == ("segment", trained.name)
    assert record["target"] in ("square", "disc")
    assert record["pixels"] > 0
    assert [one["method"] for one in record["methods"]] == list(METHODS)
    assert [bool(one["layer"]) for one in record["methods"]] == [True] * 4 + [False] * 5
    for one in record["methods"]:
        assert -1 <= one["check"]["random_weights"]["rank_correlation"] <= 1
        assert 0 <= one["curves"]["deletion_auc"] <= 1
        assert len(one["curves"]["insertion"]) == len(one["curves"]["shares"])
        assert ("completeness" in one) == (one["method"] == "integrated")
        if one["method"] in ("integrated", "occlusion"):
            assert one["check"]["one_colour"]["contrast"] == 0
    integrated = next(one for one in record["methods"] if one["method"] == "integrated")
    assert integrated["completeness"]["error"] < 0.05
    assert sorted(Path(file).name for file in record["files"]) == sorted(
        file.name for file in tmp_path.iterdir()
    )
    sheet, figure, archive = map(Path, record["files"])
    assert read_image(sheet).shape[0] > 300
    assert read_image(figure).shape[1] > 600
    with np.load(archive) as maps:
        assert set(maps) == set(METHODS)
        assert {values.shape for values in maps.values()} == {(48, 80)}


def test_files_that_exist_are_left_alone(cli, trained: Path, photo: Path, tmp_path: Path) -> None:
    for _ in range(2):
        code, out, err = cli(
            "explain",
            photo,
            "--model",
            trained,
            "--method",
            "layercam,eigencam",
            "--maps",
            "png",
            "-o",
            tmp_path,
        )
        assert code == 0, err
    assert "layercam of conv5_relu: most at x" in out
    stems = ["", "-eigencam", "-layercam"]
    name = next(file.stem for file in tmp_path.iterdir() if file.stem.endswith("-layercam")).split(
        "-"
    )[1]
    expected = {f"001-{name}{number}{stem}.png" for number in ("", "-2") for stem in stems}
    assert {file.name for file in tmp_path.iterdir()} == expected
    deep = cv2.imread(str(tmp_path / f"001-{name}-layercam.png"), cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16
    assert (deep.min(), deep.max()) == (0, 65535)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--method", "gradcam"], 2, 'Did you mean "grad-cam"?'),
        (["--layer", "conv5_rel"], 2, 'no layer "conv5_rel". Did you mean "conv5_relu"?'),
        (
            ["--layer", "conv5_relu", "--method", "guided"],
            2,
            "--layer is for class activation maps",
        ),
        (["--target", "sqare"], 2, 'Did you mean "square"?'),
        (["--target", "box:0"], 2, '"box:N" is not what this model answers with'),
        (["--target", "region:99"], 2, "got region:99"),
        (["--threshold", "2"], 2, "a number from 0 to 1"),
        (
            ["--model", "segment-efficientnet-lite0-vok"],
            4,
            'Did you mean "segment-efficientnet-lite0-voc"?',
        ),
    ],
)
def test_wrong_wishes_are_named(
    cli, trained: Path, photo: Path, tmp_path: Path, arguments: list, code: int, sentence: str
) -> None:
    model = [] if "--model" in arguments else ["--model", trained]
    found, out, err = cli("explain", photo, *model, *arguments, "-o", tmp_path / "out")
    assert (found, out) == (code, "")
    assert sentence in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_images_that_cannot_be_explained_are_named(
    cli, trained: Path, empty: Path, shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    for source, arguments, code, sentence in (
        (tmp_path / "text.jpg", [], 3, "text.jpg"),
        (tmp_path / "nowhere.png", [], 3, "nowhere.png"),
        (shapes / "images" / "val", [], 3, "several"),
        (empty, ["--target", "disc"], 2, '"disc" has none. Found: background'),
        (empty, [], 2, "only background was found"),
    ):
        found, _, err = cli(
            "explain", source, "--model", trained, *arguments, "-o", tmp_path / "out"
        )
        assert found == code, err
        assert sentence in err
        assert "Traceback" not in err


def test_a_model_whose_weights_are_not_its_recipes_is_refused(
    cli, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lenet"
    shutil.copytree(model_folder("classify-lenet-mnist"), folder)
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    for command in (
        ("explain", photo, "--model", folder),
        ("filters", folder),
        ("inspect", folder, "--effective"),
    ):
        code, out, err = cli(
            *command, *(() if command[0] == "inspect" else ("-o", tmp_path / "out"))
        )
        assert (code, out) == (4, ""), err
        assert "is not the file its recipe lists" in err


def test_a_network_without_relus_leaves_their_methods_out_and_says_so(
    cli, empty: Path, tmp_path: Path
) -> None:
    common = ("explain", empty, "--model", "classify-lenet-mnist", "-o", tmp_path)
    code, out, err = cli(*common, "--method", "all", "--json")
    assert code == 0, err
    record = json.loads(out)
    assert [one["method"] for one in record["methods"]] == [
        name for name in METHODS if name not in ("guided", "deconvnet")
    ]
    assert "guided is left out" in err
    assert "deconvnet is left out" in err
    for arguments, sentence in (
        (["--method", "guided"], "has none"),
        (
            ["--layer", "f6"],
            'a layer with a map (height, width, channels) of several places; "f6" gives (84,)',
        ),
    ):
        code, _, err = cli(*common, *arguments)
        assert code == 2
        assert sentence in err


def test_a_detector_says_what_it_found_instead(
    cli, empty: Path, cvtasks_data: Path, tmp_path: Path
) -> None:
    photo = cvtasks_data / "photos" / "dog.jpg"
    for source, target, sentence in (
        (empty, "", "this one is empty"),
        (photo, "sheep", 'no "sheep" was found, only'),
        (photo, "box:77", "got box:77"),
    ):
        code, _, err = cli(
            "explain",
            source,
            "--model",
            "detect-yolox-nano-voc",
            "--target",
            target,
            "-o",
            tmp_path,
        )
        assert code == 2
        assert sentence in err


# === what the maps show ===


def test_a_map_of_a_drawn_shape_lies_on_the_shape(trained: Path, photo: Path) -> None:
    explainer, image = Explainer.of(trained), read_image(photo)
    scene = explainer.look(image)
    target = find_target(explainer, scene)
    share = target.region.mean()
    for method, layer in (
        ("layercam", "conv3_relu"),
        ("integrated", ""),
        ("smoothgrad", ""),
        ("occlusion", ""),
    ):
        assert explain_scene(explainer, scene, target, method, layer).inside > 1.5 * share, method


def _share_within(found: Explanation, box: np.ndarray) -> tuple[float, float]:
    """Shares of the map and of the image that lie in a box."""
    left, top, right, bottom = np.round(box).astype(int)
    inside = np.zeros(found.map.shape, bool)
    inside[top:bottom, left:right] = True
    weight = np.maximum(found.map, 0)
    return float(weight[inside].sum() / weight.sum()), float(inside.mean())


@pytest.mark.parametrize(("file", "name"), [("dog.jpg", "dog"), ("horses.jpg", "horse")])
def test_what_a_classifier_says_is_explained_by_where_a_detector_finds_it(
    cvtasks_data: Path, file: str, name: str
) -> None:
    image = read_image(cvtasks_data / "photos" / file)
    box = explain("detect-yolox-nano-voc", image, name).target.box
    held, share = _share_within(explain("classify-efficientnet-lite0-voc", image, name), box)
    assert held > min(1.3 * share, 0.9)
