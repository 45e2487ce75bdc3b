"""What is said at the end of a run."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.errors import DataError, ModelError
from cvtasks.recipe.overrides import Override
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.segment import Segment
from cvtasks.training.plan import planned
from cvtasks.training.progress import Epoch, Progress
from cvtasks.training.run import as_saved

_LOOKS = (
    Epoch(0, 1.0, 0.1, 1.0, {"mAP": 0.81234}),
    Epoch(1, 0.9, 0.1, 1.0, {"mAP": 0.8}),
)


def _seen() -> Progress:
    progress = Progress()
    for row in _LOOKS:
        progress = progress.after(row, True)[0]
    return progress


def _saved(score: float | None) -> dict:
    return {"engine": "openvino", "precision": "bf16", "metrics": {"mAP": score, "top-1": 0.1}}


def test_a_score_that_is_another_once_saved_is_explained() -> None:
    said = as_saved(_saved(0.8101), _seen(), "f32")
    assert said == (
        "what was saved, by openvino in bf16, has mAP 0.8101; the look at epoch 1, whose weights "
        "these are, had 0.8123 by Keras in f32"
    )


def test_nothing_is_said_of_the_same_score_or_of_none() -> None:
    assert as_saved(_saved(0.81231), _seen(), "f32") == ""
    assert as_saved(_saved(None), _seen(), "f32") == ""
    assert as_saved(_saved(0.5), Progress(), "f32") == ""


# === where next to nothing was learned ===

AB = ("a", "b")


def test_a_score_of_the_commonest_class_is_said_to_be_a_guess() -> None:
    metric = Classify().metric(AB)
    for truth, answer in [(0, 0)] * 9 + [(0, 1), (1, 0)]:
        metric.add(Labels.of([truth], AB), Labels.of([answer], AB))
    assert not Classify().learned(metric)
    said = Classify().little(metric)
    assert said.startswith(
        'it is hardly better than a guess: top-1 accuracy 0.8182, where "a" for every image has '
        "0.9091; mean class accuracy is 0.4500. Add images of the rare classes, or set "
        '`train.class_weights = "balanced"`. Train longer'
    )


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (2, "mAP 1.0000, where one score for all images has 1.0000: every image to validate on"),
        (1, r"mAP 0.5000, where one score for all images has 0.5000. Train longer"),
    ],
)
def test_a_ranking_by_chance_is_said_to_be_a_guess(shown: int, said: str) -> None:
    task = Classify(labels="many")
    metric = task.metric(("a",))
    for number in range(2):
        metric.add(Labels.of([0] * (number < shown), ("a",)), Labels.of([0], ("a",)))
    assert not task.learned(metric)
    assert said in task.little(metric)


def test_background_everywhere_is_said_to_be_a_guess() -> None:
    classes = ("background", "disc")
    metric, ids = Segment().metric(classes), np.zeros((4, 5), np.uint8)
    ids[0, :2] = 1
    metric.add(Mask(ids, classes), Mask(np.zeros_like(ids), classes))
    assert not Segment().learned(metric)
    assert 'IoU 0.4500, where "background" everywhere has 0.4500. Train' in Segment().little(metric)


def test_where_a_guess_has_nothing_the_score_alone_is_said() -> None:
    metric = Detect().metric(AB)
    metric.add(Boxes.of([[0, 0, 8, 8]], [0], AB, (9, 9)), Boxes.of([], [], AB, (9, 9)))
    assert not Detect().learned(metric)
    assert re.match(
        r"it has learned next to nothing: VOC2012 \S+ AP@0.5 0\.0000\. Train",
        Detect().little(metric),
    )


# === images of one class ===


def test_images_of_one_class_alone_are_refused_whatever_is_asked_of_them(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.effect_noise((40, 40), 50 + number).save(tmp_path / "a" / f"{number}.png")
    wishes: list[Override] = [("data.path", str(tmp_path)), ("backbone", "tiny")]
    with pytest.raises(ModelError, match=r"at least 2 classes.* and needs images without it too"):
        planned("classify", wishes)
    with pytest.raises(DataError, match=r"of 4 images to train on each shows a\. Add images with"):
        planned("classify", [*wishes, ("task.labels", "many")])
