"""What a pipeline does by itself: its answers are in files and records, whoever iterates; an image
is prepared once.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.data import open_source
from cvtasks.data.views import fitted
from cvtasks.errors import UsageError
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.inference.pipeline import Job, VideoRun
from cvtasks.inference.sink import Sink
from cvtasks.media.sources import expand
from cvtasks.model import Model
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.tasks.classify import Classify

CLASSES = ("0", "1")


class Zero:
    """An engine that answers with the first class."""

    name, precision = "zero", "f32"

    def stream(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for _ in images:
            yield np.array([0.75, 0.25], np.float32)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Class folders with two images each."""
    for number in range(4):
        path = tmp_path / "data" / "val" / CLASSES[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((30, 30 + number, 3), 255 - number, np.uint8))
    return tmp_path / "data"


def model(**options: object) -> Model:
    document = {"task": "classify", "backbone": "tiny", "size": 32, "classes": list(CLASSES)}
    return Model("zero", parse_recipe({**document, "classify": options}), Zero())


def test_records_are_written_whoever_iterates(folders: Path, tmp_path: Path) -> None:
    work = model()
    sink = Sink(tmp_path / "out", work.recipe.task, ("json", "csv"))
    items = expand([str(folders / "val" / name) for name in CLASSES])
    done = list(Job(work, sink, ("json", "csv")).images(items, lambda error: None))
    sink.close()
    lines = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [one.record for one in done]
    assert len(lines) == 4
    with (tmp_path / "out" / "records.csv").open() as file:
        assert [row["source"] for row in csv.DictReader(file)] == [
            one.record["source"] for one in done for _ in CLASSES
        ]


def test_an_image_is_prepared_once(folders: Path) -> None:
    calls: list[tuple[int, ...]] = []

    @dataclass(frozen=True)
    class Halved(Classify):
        """Every preparation halves the image."""

        def prepare(self, image: np.ndarray) -> np.ndarray:
            calls.append(image.shape)
            return image[::2, ::2]

    work = model()
    halved = replace(work, recipe=work.recipe.with_task(Halved()))
    image = np.zeros((20, 30, 3), np.uint8)
    ((_, shown, _),) = halved.predict_many([image])
    assert shown.shape == image.shape, "what comes back is the image that was given"
    assert calls == [image.shape]
    calls.clear()
    recipe = halved.recipe
    source = fitted(open_source(str(folders), "val", recipe.task.answer), recipe)
    seen: list[tuple[int, ...]] = []
    evaluate(
        halved.engine,
        recipe.head,
        recipe.letterbox,
        source,
        lambda name, image, *_: seen.append(image.shape),
    )
    assert len(calls) == 4
    assert sorted(seen) == sorted((15, (width + 1) // 2, 3) for _, width, _ in calls)


class Flickering:
    """An engine whose first class shows everywhere, but in every third frame."""

    name, precision = "flickering", "f32"

    def stream(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for number, _ in enumerate(images):
            scores = np.zeros((32, 32, 2), np.float32)
            scores[..., int(number % 3 < 2)] = 1
            yield scores


@pytest.mark.parametrize(("smooth", "seen"), [(0, [1, 1, 0, 1, 1, 0]), (3, [1] * 6)])
def test_masks_of_a_video_are_steadied_by_the_frames_before(
    tmp_path: Path, smooth: int, seen: list[int]
) -> None:
    document = {"task": "segment", "backbone": "tiny", "size": 32}
    recipe = parse_recipe({**document, "classes": ["background", "cat"]})
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
    for _ in seen:
        writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.release()
    sink = Sink(tmp_path / "out", recipe.task, ("json",))
    job = Job(Model("flickering", recipe, Flickering()), sink, ("json",), smooth=smooth)
    (stream,) = expand([str(clip)])
    done = [one.answer for one in VideoRun(job, stream, stream.open())]
    sink.close()
    assert [int(answer.ids.max()) for answer in done] == seen


def test_answers_without_masks_are_not_smoothed(tmp_path: Path) -> None:
    work = model()
    sink = Sink(tmp_path, work.recipe.task, ())
    with pytest.raises(UsageError, match="classify answers without"):
        Job(work, sink, (), smooth=3)
    recipe = parse_recipe(
        {"task": "segment", "backbone": "tiny", "size": 32, "classes": ["a", "b"]}
    )
    with pytest.raises(UsageError, match="at most 30 frames; got 31"):
        Job(Model("zero", recipe, Zero()), sink, (), smooth=31)
