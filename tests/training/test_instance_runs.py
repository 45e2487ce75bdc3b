"""Instance masks from the data to the model: trained, stopped, exported, run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cvtasks
from cvtasks.answers import Instances
from cvtasks.geometry.rle import rle_iou
from cvtasks.media.images import read_image
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.plan import planned
from cvtasks.training.progress import Report
from cvtasks.training.run import run
from tests.training.stopped import check_same_bits

SIDE = 64


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with two discs of two colours each as COCO's JSON with run lengths."""
    root = tmp_path_factory.mktemp("discs")
    for split, count in (("train", 12), ("val", 4)):
        (root / split).mkdir()
        images, annotations = [], []
        for number in range(count):
            rng = np.random.default_rng([number, count])
            rows, columns = np.mgrid[:SIDE, :SIDE]
            image = rng.integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
            name = f"{split}-{number:02}.png"
            for label, x in ((0, 17), (1, 46)):
                y, radius = rng.integers(16, 48), rng.integers(8, 14)
                mask = np.hypot(rows - y, columns - x) <= radius
                image[mask] = (230, 60, 60) if label else (60, 60, 230)
                one = Instances.of([mask], [0], ("disc",), mask.shape)
                left, top, right, bottom = one.xyxy[0].tolist()
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number + 1,
                        "category_id": label + 1,
                        "bbox": [left, top, right - left, bottom - top],
                        "area": float(one.areas[0]),
                        "iscrowd": 0,
                        "segmentation": one.to_dict()["boxes"][0]["mask"],
                    }
                )
            Image.fromarray(image).save(root / split / name)
            images.append({"id": number + 1, "file_name": name, "width": SIDE, "height": SIDE})
        categories = [{"id": 1, "name": "blue"}, {"id": 2, "name": "red"}]
        document = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(document))
    return root


def small(data: Path, cells: str, table: dict | None = None, **train_options: object) -> Recipe:
    """A recipe of a few seconds."""
    own = {"width": 16, "depth": 1, "scale": 2.5, "max_truths": 16, "mask_width": 16}
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "instances"},
            "head": {"name": "prototypes", "cells": cells, "prototypes": 8, **own},
            "backbone": "tiny",
            "size": SIDE,
            "classes": ["blue", "red"],
            "data": {"path": str(data), "colour": 0.0, "workers": 0, **(table or {})},
            "train": {"batch": 4, "learning_rate": 0.01, "precision": "f32", **train_options},
        }
    )


@pytest.mark.parametrize("cells", ["dense", "yolox"])
def test_a_stopped_run_goes_on_to_the_same_bits(discs: Path, tmp_path: Path, cells: str) -> None:
    table = {"mosaic": 0.7, "copy_paste": 0.5, "close_mosaic": 1, "multi_scale": [64, 96]}
    recipe = small(discs, cells, {**table, "rotate": 90.0}, epochs=2, validate_every=2, ema=0.9)
    check_same_bits(recipe, tmp_path)


def test_what_is_trained_is_answered_by_every_engine(discs: Path, tmp_path: Path) -> None:
    recipe = small(discs, "dense", {"mosaic": 0.0}, epochs=40, validate_every=40)
    recipe = replace(recipe, train=replace(recipe.train, weights="none"))
    finished = run(planned(recipe), tmp_path / "model", "cvtasks train instances", Report())
    assert finished["metrics"]["COCO segm AP50"] > 0.5
    by_graph = cvtasks.load(tmp_path / "model", engine="openvino", precision="f32")
    by_keras = cvtasks.load(tmp_path / "model", engine="keras", precision="f32")
    for path in sorted((discs / "val").iterdir()):
        image = read_image(path)
        one, other = (model.predict(image, threshold=0.2) for model in (by_graph, by_keras))
        assert len(one) == len(other) > 0
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-3)
        overlap = rle_iou(one.masks.tolist(), other.masks.tolist(), one.size)
        assert overlap.max(axis=1).min() > 0.97
