"""Answers about an image and its mirror image, merged, whatever the engine."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.answers import Mask
from cvtasks.engines.predict import predict
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.pooled import Pooled
from cvtasks.media.images import read_image
from cvtasks.tasks.classify import Classify

CLASSES = ("left", "right")


class Looking:
    """Says how bright the left and the right half are, as scores."""

    name, precision = "looking", "f32"

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            halves = np.array([image[:, :8].mean(), image[:, 8:].mean()], np.float32)
            yield halves / halves.sum()


def scores(images: list[np.ndarray], augment: bool) -> list[list[float]]:
    answers = predict(
        Looking(),
        Pooled(Classify()),
        CLASSES,
        lambda size: Letterbox(size, (16, 16)),
        [(None, image) for image in images],
        augment=augment,
    )
    return [[round(float(score), 4) for score in answer.scores] for _, _, answer in answers]


def test_each_answer_is_that_of_its_image_and_the_mirror_image() -> None:
    images = [np.full((16, 16, 3), 50, np.uint8) for _ in range(3)]
    images[0][:, :8] = 150
    images[2][:, 8:] = 100
    assert scores(images, augment=False) == [[0.75, 0.25], [0.5, 0.5], [0.3333, 0.6667]]
    assert scores(images, augment=True) == [[0.5, 0.5]] * 3


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_a_model_that_merges_answers_a_mirror_image_by_the_mirrored_answer(
    trained: Path, shapes: Path, engine: str
) -> None:
    plain = cvtasks.load(trained, engine=engine)
    model = cvtasks.load(trained, engine=engine, augment=True)
    for path in sorted((shapes / "images" / "val").iterdir())[:3]:
        image = read_image(path)
        one, turned = model.predict(image), model.predict(np.ascontiguousarray(image[:, ::-1]))
        assert isinstance(one, Mask)
        assert isinstance(turned, Mask)
        assert (one.ids == turned.mirrored().ids).mean() > 0.999
        assert (one.ids == plain.predict(image).ids).mean() > 0.9


def test_augment_is_an_option_of_evaluate_and_of_the_tasks(
    cli: Callable[..., tuple[int, str, str]], trained: Path, shapes: Path, tmp_path: Path
) -> None:
    code, out, err = cli("evaluate", trained, "--augment", "--json")
    assert code == 0, err
    assert '"VOC mean IoU"' in out
    assert '"augment": true' in out
    photo = shapes / "images" / "val" / "000.png"
    options = ("--model", trained, "--augment", "--json", "--save", "none", "-o", tmp_path / "o")
    code, out, err = cli("segment", photo, *options)
    assert code == 0, err
    assert '"mask"' in out
