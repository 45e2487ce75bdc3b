"""Evaluation: a task's metric over a source, by any engine. Names no task."""

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data import Source
from cvtasks.errors import DataError
from cvtasks.inference import Engine, predict
from cvtasks.media.prefetch import prefetched
from cvtasks.tasks import Metric, Task


def evaluate(
    engine: Engine,
    task: Task,
    canvas: tuple[int, int],
    source: Source,
    on_picture: Callable[[str, np.ndarray, Answer, Answer], None] = lambda name, image, truth, prediction: None,
) -> Metric:
    """Predict every picture of the source and count it; truth and prediction at the picture's own size.

    Args:
        on_picture: called with (name, picture (h, w, 3), truth, prediction) after each.
    """

    def pictures() -> Iterator[tuple[tuple[str, Answer], np.ndarray]]:
        for sample in prefetched((partial(source.__getitem__, i) for i in range(len(source))), threads=1, ahead=8):
            yield (sample.name, sample.truth), sample.image

    metric = task.metric(source.classes)
    for (name, truth), image, prediction in predict(engine, task, source.classes, canvas, pictures()):
        metric.add(truth, prediction)
        on_picture(name, image, truth, prediction)
    return metric


def score_records(path: Path, task: Task, source: Source) -> Metric:
    """Score saved predictions: JSON lines as the task commands write them, matched to the pictures by file stem.

    Raises:
        DataError: a line is no record of this task, a stem comes twice, or a picture has no record.
    """
    found: dict[str, Answer] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                stem = Path(record["source"]).stem
                answer = task.from_record(record, source.classes)
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"every line must be a record of {task.name}, as `cvtasks {task.name} --json` prints it; line {number} of "
                    f"{str(path)!r} is not: {type(error).__name__}: {error}."
                ) from error
            if stem in found:
                raise DataError(f"every picture must have one record; {stem!r} comes again in line {number} of {str(path)!r}.")
            found[stem] = answer
    metric = task.metric(source.classes)
    for index in range(len(source)):
        sample = source[index]
        if sample.name not in found:
            raise DataError(f"every picture must have a record; {sample.name!r} has none in {str(path)!r}.")
        try:
            metric.add(sample.truth, found[sample.name])
        except ValueError as error:
            raise DataError(f"the record of {sample.name!r} in {str(path)!r} does not fit its picture: {error}") from error
    return metric


def report(model: str, data: str, split: str, images: int, engine: Engine | None, metric: Metric) -> dict[str, Any]:
    """The one object that says what was measured on what, and by what (None: saved predictions). NaN becomes null."""

    def plain(numbers: dict[str, float]) -> dict[str, float | None]:
        return {name: None if math.isnan(number) else round(number, 6) for name, number in numbers.items()}

    return {
        "model": model,
        "data": data,
        "split": split,
        "images": images,
        "engine": engine.name if engine else None,
        "precision": engine.precision if engine else None,
        "metrics": plain(metric.result()),
        "classes": {name: plain(row) for name, row in metric.per_class().items()},
    }
