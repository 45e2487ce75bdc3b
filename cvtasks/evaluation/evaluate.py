"""Evaluation: a task's metric over a source, by any engine. Names no task."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data import Source
from cvtasks.data.loading.workers import prepared
from cvtasks.engines.base import Engine, Paced
from cvtasks.engines.predict import predict
from cvtasks.errors import DataError, UsageError
from cvtasks.evaluation.predictions import Saved
from cvtasks.files.parts import is_hidden
from cvtasks.files.writing import check_folder
from cvtasks.geometry.letterbox import Letterbox, Size
from cvtasks.geometry.tiles import Tiles
from cvtasks.heads.base import Head
from cvtasks.media.prefetch import in_thread, shut
from cvtasks.metrics.base import Metric
from cvtasks.metrics.bootstrap import intervals
from cvtasks.tasks.base import Task

_AHEAD = 8  # samples that are read, and answers that wait to be counted


def evaluate(
    engine: Engine,
    head: Head,
    fit: Callable[[Size], Letterbox],
    source: Source,
    on_image: Callable[
        [str, np.ndarray, Answer, Answer], None
    ] = lambda name, image, truth, prediction: None,
    only: Sequence[str] | None = None,
    augment: bool | str = False,
    tiles: Tiles | None = None,
    workers: int = 2,
) -> Metric:
    """Predict every image of the source and count it; truth and prediction at the image's own size.

    Images are read, put to the network and counted by threads of their own, so that none waits for
    the other.

    Args:
        workers: threads that read images, at least one; and as many that decode what an engine
            answers at its own pace.
        only: classes that are counted where predictions have others too; None for all.
        augment, tiles: as for `cvtasks.engines.predict.predict`.
        on_image: called with (name, image (h, w, 3), truth, prediction) after each.
    """

    def images() -> Iterator[tuple[tuple[str, Answer], np.ndarray]]:
        calls = ((source.called(i), partial(source.__getitem__, i)) for i in range(len(source)))
        with shut(prepared(calls, _AHEAD, max(workers, 1))) as samples:
            for sample in samples:
                yield (sample.name, sample.truth), sample.image

    task, metric = head.task, head.task.metric(source.classes)
    decoders = 0
    if isinstance(engine, Paced):
        engine = engine.at_pace(len(source), alone=not augment and tiles is None)
        decoders = workers
    answers = predict(
        engine,
        head,
        source.classes,
        fit,
        images(),
        augment=augment,
        tiles=tiles,
        decoders=decoders,
    )
    with shut(in_thread(answers, _AHEAD)) as found:
        for (name, truth), image, prediction in found:
            prediction = task.scored(prediction, only) if only else prediction
            metric.add(truth, prediction)
            on_image(name, image, truth, prediction)
    return metric


def score_saved(
    saved: Saved, task: Task, source: Source, only: Sequence[str] | None = None
) -> Metric:
    """Score saved predictions against every image of the source; `only` as for `evaluate`.

    Raises:
        DataError: an image has no record where it must have one, or more than one; a prediction
            does not fit its image, or is of none.
    """
    metric = task.metric(source.classes)
    for index in range(len(source)):
        sample = source[index]
        entry = saved.pop(sample.name, sample.truth)
        try:
            metric.add(sample.truth, task.scored(entry.answer, only) if only else entry.answer)
        except ValueError as error:
            raise DataError(
                f"{entry.place} does not fit the image {sample.name!r}: {error}"
            ) from error
    saved.check_empty()
    return metric


def report(
    model: str, data: str, split: str, images: int, engine: Engine | None, metric: Metric
) -> dict[str, Any]:
    """The one object that says what was measured on what, and by what (None: saved predictions).
    NaN becomes null.

    `intervals` has, for the numbers of `metrics` that have one, the 95 % interval of a bootstrap
    over the images (`cvtasks.metrics.bootstrap`).
    """

    def plain(numbers: dict[str, float]) -> dict[str, float | None]:
        return {
            name: None if math.isnan(number) else round(number, 6)
            for name, number in numbers.items()
        }

    return {
        "model": model,
        "data": data,
        "split": split,
        "images": images,
        "engine": engine.name if engine else None,
        "precision": engine.precision if engine else None,
        "metrics": plain(metric.result()),
        "intervals": {
            name: [round(low, 6), round(high, 6)]
            for name, (low, high) in intervals(metric.by_image()).items()
        },
        "classes": {name: plain(row) for name, row in metric.per_class().items()},
    }


def score_text(score: float | None, digits: int = 4) -> str:
    """A score as people read it; a dash where there was nothing to measure.

    >>> score_text(0.5), score_text(1, 3), score_text(float("nan")), score_text(None)
    ('0.5000', '1.000', '–', '–')
    """
    return "–" if score is None or math.isnan(score) else f"{score:.{digits}f}"


def with_interval(score: float | None, interval: Sequence[float] | None, digits: int = 4) -> str:
    """A score and its interval as people read them.

    >>> with_interval(0.612, (0.581, 0.64), 3), with_interval(0.5, None)
    ('0.612 [0.581, 0.640]', '0.5000')
    """
    text = score_text(score, digits)
    return (
        f"{text} [{', '.join(score_text(end, digits) for end in interval)}]" if interval else text
    )


def check_new(folder: Path) -> None:
    """Raise UsageError if there is anything in the folder, OutputError if nothing can be written
    there.
    """
    check_folder(folder)
    if folder.is_dir() and any(not is_hidden(entry.name) for entry in folder.iterdir()):
        raise UsageError(
            f"what is drawn needs a folder that is new or empty; {str(folder)!r} is neither. "
            "Choose another.",
            ways={"output": ""},
        )
