"""Learning from another model's answers: what the targets become, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from cvtasks.answers import VOID
from cvtasks.data.loading.batches import Batch
from cvtasks.data.opening import open_sources
from cvtasks.engines.keras_engine import KerasEngine, load_network
from cvtasks.errors import ModelError
from cvtasks.heads.unet import UNet
from cvtasks.networks.losses import segmentation_loss
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.tasks.segment import Segment
from cvtasks.training.loop import train
from cvtasks.training.plan import planned
from cvtasks.training.teacher import Teacher
from cvtasks.zoo import RECIPE, WEIGHTS
from tests.training.test_steps import FETCHES


def pupil(trained: Path, **how: object) -> Recipe:
    """A recipe as that of the trained segmenter, which teaches."""
    recipe = read_recipe(trained / RECIPE)
    its = {"teacher": str(trained), "precision": "f32", "batch": 4, "epochs": 1, **how}
    return replace(recipe, files={}, train=replace(recipe.train, **its))


def some(recipe: Recipe, count: int, side: int, seed: int = 0) -> Batch:
    """A batch of noise, with some void in its targets."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, side, side, 3), np.uint8)
    ids = rng.integers(0, len(recipe.classes) + 1, (count, side, side))
    targets = (ids[..., None] == np.arange(len(recipe.classes))).astype(np.uint8)
    return Batch(images, targets, ("",) * count)


def taught(teacher: Teacher, batch: Batch) -> np.ndarray:
    """What a step learns from."""
    return ops.convert_to_numpy(
        teacher.taught(*map(ops.convert_to_tensor, (batch.images, batch.targets)))
    )


def test_the_truth_and_the_mean_answer_are_mixed_and_void_stays_void() -> None:
    targets = np.array([[[[1, 0], [0, 0], [0, 1]]]], np.uint8)
    outputs = np.array([[[[0.8, 0.2], [0.5, 0.5], [0.4, 0.6]]]], np.float32)
    mirrored = np.array([[[[0.2, 0.8], [0.5, 0.5], [0.6, 0.4]]]], np.float32)
    found = UNet(Segment()).taught(targets, outputs, mirrored, 0.25)
    # the pixel at the left: 3/4 of (1, 0), and 1/4 of the mean of (0.8, 0.2) and, mirrored,
    # (0.6, 0.4)
    expected = [[[[0.75 + 0.25 * 0.7, 0.25 * 0.3], [0, 0], [0.25 * 0.3, 0.75 + 0.25 * 0.7]]]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_teacher_answers_about_image_and_mirror_image(trained: Path) -> None:
    recipe = pupil(trained, teacher_share=1.0)
    batch = some(recipe, 4, 64)
    engine = KerasEngine(load_network(trained / WEIGHTS, recipe), recipe.head, "f32")
    expected = [
        (one + other[:, ::-1]) / 2
        for one, other in zip(
            engine.stream(batch.images), engine.stream(batch.images[:, :, ::-1]), strict=True
        )
    ]
    seen = batch.targets.any(-1, keepdims=True)
    found = taught(Teacher(recipe, 64), batch)
    np.testing.assert_allclose(found, np.stack(expected) * seen, atol=1e-5)
    np.testing.assert_array_equal(found, taught(Teacher(recipe, 64), batch))
    ids = np.where(seen[..., 0], batch.targets.argmax(-1), VOID).astype(np.uint8)
    np.testing.assert_array_equal(found, taught(Teacher(recipe, 64), replace(batch, targets=ids)))
    np.testing.assert_array_equal(
        taught(Teacher(pupil(trained, teacher_share=0.0), None), batch), batch.targets
    )
    assert taught(Teacher(recipe, None), some(recipe, 2, 96)).shape[1:3] == (96, 96)


def test_the_least_loss_is_the_teachers_answer() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 1, (3, 5, 5, 4)).astype("float32")
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)

    def loss(given: np.ndarray) -> np.ndarray:
        return ops.convert_to_numpy(segmentation_loss(shares, given, dice=0, class_weights=()))

    np.testing.assert_allclose(
        loss(logits), -(shares * np.log(shares)).sum(-1).mean((1, 2)), rtol=1e-5
    )
    for strength in (0.1, 1):
        assert (loss(logits + rng.normal(0, strength, logits.shape)) > loss(logits)).all()


def test_dice_counts_the_classes_that_are_half_of_a_target_somewhere() -> None:
    """What a teacher gives of every class everywhere makes none of them present."""
    hard = np.eye(3, dtype=np.uint8)[np.array([[[0, 0], [0, 1]]])]
    soft = (0.9 * hard + 0.1 / 3).astype("float32")
    logits = np.log(soft)
    dice = [float(segmentation_loss(soft, logits, dice=d, class_weights=())[0]) for d in (0.0, 1.0)]
    true, both = soft.sum((1, 2))[0], (soft * soft).sum((1, 2))[0]
    assert dice[1] - dice[0] == pytest.approx(np.mean(1 - both / true, where=[1, 1, 0]), rel=1e-5)


def test_a_run_learns_from_its_teacher(trained: Path, tmp_path: Path) -> None:
    losses = []
    for share in (0.0, 1.0):
        recipe = pupil(trained, teacher_share=share, weights="none", weights_sha256="")
        sources, folder = open_sources(recipe), tmp_path / str(share)
        folder.mkdir()
        losses.append(train(recipe, sources.train, sources.validate, folder).history[-1].loss)
    assert losses[0] != losses[1]


def test_a_teacher_of_other_classes_or_for_another_task_is_refused(trained: Path) -> None:
    wishes = [("data.path", str(trained)), ("train.teacher", str(trained))]
    with pytest.raises(ModelError, match=r"teaches segmentation.*for detect"):
        planned("detect", [*wishes, ("train.weights", "none"), ("backbone", "tiny")])
    recipe = pupil(trained)
    with pytest.raises(ModelError, match=r"must answer as the recipe does, classes \['background'"):
        Teacher(replace(recipe, classes=(*recipe.classes[:-1], "other")), 64)
    with pytest.raises(ModelError, match="neither"):
        Teacher(pupil(trained, teacher=str(trained / "nothing")), 64)


def test_nothing_of_a_teachers_answers_is_fetched(
    trained: Path, tmp_path: Path, run_python
) -> None:
    pupil(trained, batch=2, ema=0.0).save(tmp_path / "recipe.toml")
    (tmp_path / "run").mkdir()
    done = run_python(
        "-c",
        FETCHES,
        tmp_path / "recipe.toml",
        tmp_path / "run",
        env={"KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr + done.stdout
