"""Evaluation: a task's metric over a source, by any engine. Names no task."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data import Source
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
        for sample in prefetched((lambda i=i: source[i] for i in range(len(source))), threads=1, ahead=8):
            yield (sample.name, sample.truth), sample.image

    metric = task.metric(source.classes)
    for (name, truth), image, prediction in predict(engine, task, source.classes, canvas, pictures()):
        metric.add(truth, prediction)
        on_picture(name, image, truth, prediction)
    return metric


def report(model: str, data: str, split: str, images: int, engine: Engine, metric: Metric) -> dict[str, Any]:
    """The one object that says what was measured on what, and by what, as JSON takes it: NaN becomes null."""

    def plain(numbers: dict[str, float]) -> dict[str, float | None]:
        return {name: None if math.isnan(number) else round(number, 6) for name, number in numbers.items()}

    return {
        "model": model,
        "data": data,
        "split": split,
        "images": images,
        "engine": engine.name,
        "precision": engine.precision,
        "metrics": plain(metric.result()),
        "classes": {name: plain(row) for name, row in metric.per_class().items()},
    }
