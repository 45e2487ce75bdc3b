"""The commands that look at data, of masks of objects, and predictions that are scored against
them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Instances
from cvtasks.data import open_source
from cvtasks.formats.coco import coco_document
from cvtasks.recipe.recipe import parse_recipe

CLASSES = ("cat", "dog")
SIZE = (60, 80)


def disc(x: int, y: int, radius: int) -> np.ndarray:
    down, across = np.mgrid[: SIZE[0], : SIZE[1]]
    return (across - x) ** 2 + (down - y) ** 2 < radius**2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO data of discs, two in each image, one of them a crowd; of every image of `val` the
    numbers are a thousand more.
    """
    folder = tmp_path_factory.mktemp("discs")
    for split, count, first in (("train", 5, 1), ("val", 3, 1001)):
        rng = np.random.default_rng(first)
        truths = []
        for number in range(count):
            x, y = rng.integers(15, 25, 2).tolist()
            truth = Instances.of(
                [disc(x, y, 12), disc(x + 35, y + 15, 9)],
                [number % 2, 1],
                CLASSES,
                SIZE,
                crowd=[0, number == 2],
            )
            image = np.kron(rng.integers(0, 256, (6, 8, 3), np.uint8), np.ones((10, 10, 1)))
            (folder / "images").mkdir(exist_ok=True)
            Image.fromarray(image.astype(np.uint8)).save(folder / "images" / f"{split}{number}.png")
            truths.append((f"{split}{number}.png", truth))
        document = coco_document(truths, CLASSES)
        for entry in document["images"]:
            entry["id"] += first
        for entry in document["annotations"]:
            entry["image_id"] += first
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(document))
    return folder


def test_check_counts_and_warns(root: Path, tmp_path: Path, cli) -> None:
    code, out, err = cli("data", "check", "--task", "instances", root)
    assert code == 0, err
    assert "COCO JSON as instances" in err
    assert "note: crowd (2)" in out
    document = json.loads((root / "annotations" / "train.json").read_text())
    first, second, *_ = document["annotations"]
    first["bbox"] = [60, 40, 10, 10]
    second["segmentation"] = first["segmentation"]
    del document["annotations"][2]["segmentation"]
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train.json").write_text(json.dumps(document))
    (tmp_path / "images").symlink_to(root / "images")
    code, out, _ = cli("data", "check", "--json", "--task", "instances", tmp_path)
    assert code == 5
    found = {one["rule"]: one["level"] for one in json.loads(out)["findings"]}
    assert found["outline missing"] == "error"
    assert found["mask outside its box"] == found["masks alike"] == "warning"


def test_stats_show_split_and_convert(root: Path, tmp_path: Path, cli) -> None:
    code, out, err = cli("data", "stats", "--task", "instances", f"{root}:train", "--json")
    assert code == 0, err
    cat, dog = json.loads(out)
    assert (cat["objects"], dog["objects"], dog["crowds"]) == (3, 7, 1)
    assert cat["area"] == int(disc(20, 20, 12).sum())
    assert cat["filled"] == pytest.approx(np.pi / 4, abs=0.05)
    code, out, err = cli("data", "stats", "--task", "instances", root)
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    look = tmp_path / "look"
    code, out, err = cli("data", "show", "--task", "instances", f"{root}:val", "-o", look)
    assert code == 0, err
    assert {path.name for path in look.iterdir()} == {"samples.png", "classes.png", "sizes.png"}
    lists = tmp_path / "lists"
    code, _, err = cli("data", "split", "--task", "instances", f"{root}:train", "-o", lists)
    assert code == 0, err
    assert len(open_source(str(lists), "train", Instances)) > 0
    code, _, err = cli(
        "data", "convert", "--task", "instances", f"{root}:val", tmp_path / "yolo", "--to", "yolo"
    )
    assert code == 0, err
    assert "crowds, these were left out: 1" in err
    assert len(open_source(str(tmp_path / "yolo"), "val", Instances).truth(0)) == 2


@pytest.mark.parametrize("kind", ["records", "results", "document"])
def test_predictions_are_scored_by_their_masks(root: Path, tmp_path: Path, cli, kind: str) -> None:
    table = {"task": "instances", "backbone": "tiny", "size": 64, "classes": list(CLASSES)}
    (tmp_path / "model").mkdir()
    parse_recipe({**table, "data": {"path": str(root)}}).save(tmp_path / "model" / "recipe.toml")
    source = open_source(str(root), "val", Instances)
    scored = []
    for index in range(len(source)):
        truth = source.truth(index)
        scores = np.linspace(0.9, 0.5, len(truth))
        masks = [disc(40, 50, 9), *truth.masks][-len(truth) :] if index else list(truth.masks)
        scored.append(
            (
                f"{source.name(index)}.png",
                Instances.of(masks, truth.labels, CLASSES, SIZE, scores=scores),
            )
        )
    path = tmp_path / "found.json"
    if kind == "records":
        height, width = SIZE
        lines = [
            json.dumps({"source": name, "height": height, "width": width, **found.to_dict()})
            for name, found in scored
        ]
        path.write_text("\n".join(lines))
    else:
        document = coco_document(scored, CLASSES, scores=True)
        for number, entry in enumerate(document["annotations"]):
            entry["image_id"] += 1001 * (kind == "results")
            if kind == "results":  # without a box the mask's extent is one
                del entry["bbox"]
            elif number == 0:
                entry["bbox"][2] *= 3
        path.write_text(json.dumps(document if kind == "document" else document["annotations"]))
    call = ("evaluate", tmp_path / "model", "--data", f"{root}:val", "--predictions", path)
    code, out, err = cli(*call, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert next(iter(result["metrics"])) == "COCO segm AP"
    assert result["metrics"]["COCO segm AP50"] == result["metrics"]["VOC AP^r@0.7"] == 1
    assert (result["metrics"]["COCO AP"] == 1) == (kind != "document")
    assert result["intervals"]["COCO segm AP"] == [1, 1]
    code, out, err = cli(*call)
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    if kind == "results":
        path.write_text(
            json.dumps([{"image_id": 1001, "category_id": 1, "score": 1, "bbox": [1] * 4}])
        )
        code, _, err = cli(*call)
        assert code == 5
        assert "every entry must have image_id, category_id, segmentation" in err
