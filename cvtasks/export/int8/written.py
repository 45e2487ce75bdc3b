"""A model written in int8: the float file, the images that ranges are measured on, and the scores
of both.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cvtasks.data import Source, split_of
from cvtasks.data.opening import title
from cvtasks.data.views import Subset
from cvtasks.engines.base import Engine
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.evaluation.of_model import EvaluationData, evaluation_data
from cvtasks.export import F32, ExportRow
from cvtasks.export.base import Given
from cvtasks.export.calibration import COUNT, Calibration, drawn_to_calibrate, known_by
from cvtasks.export.int8.make import MOST_LOSS, TOOLS, Measure, make_int8
from cvtasks.export.int8.report import Report, Scores
from cvtasks.text import counted

MEASURED = 500
"""Images that scores are measured on unless another number is asked for."""


@dataclass(frozen=True)
class Int8:
    """How int8 is asked for.

    Attributes:
        data: DATA or DATA:SPLIT; what the model was trained and validated on by default.
        images: that ranges are measured on.
        measured: images that scores are measured on, at most; 0 for all.
        most_loss: points of the task's first metric that may be lost.
        seed: of what is drawn.
    """

    data: str = ""
    images: int = COUNT
    measured: int = MEASURED
    most_loss: float = MOST_LOSS
    seed: int = 0


def write_int8(
    row: ExportRow,
    format: str,
    given: Given,
    place: Path,
    asked: Int8,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Path, Report]:
    """Write a model in int8 into the folder `place`; what it loses is in the report.

    Args:
        row, format: of a format that has a tool for it (`cvtasks.export.int8.make.TOOLS`).

    Raises:
        UsageError: the tool is not installed, or what is asked for is none.
        DataError: the data cannot be used.
        ModelError: it loses more than is asked for, or too little of it is in int8.
    """
    TOOLS[format].load()
    recipe, folder = given.recipe, given.folder
    calibration = drawn_to_calibrate(recipe, folder, asked.data, asked.images, asked.seed, say)
    found = evaluation_data(recipe, folder, asked.data, say=say)
    measure = _measure(found, calibration, asked)
    with tempfile.TemporaryDirectory() as temporary:
        floats = row.write(replace(given, precision=F32), Path(temporary))
        return make_int8(
            format,
            floats,
            place,
            lambda path: row.open(path, recipe),
            calibration,
            measure,
            asked.most_loss,
            say,
        )


def _measure(found: EvaluationData, calibration: Calibration, asked: Int8) -> Measure:
    """Scores on the images to measure on, without those that ranges were measured on."""
    source, recipe = found.source, found.recipe
    each = known_by(source, found.split)
    left = [index for index, one in enumerate(each) if one not in calibration.known]
    apart = f", without the {len(source) - len(left)} that ranges were measured on"
    if not left:
        left, apart = list(range(len(source))), ", on which ranges were measured too"
    elif len(left) == len(source):
        apart = ""
    if asked.measured and len(left) > asked.measured:
        order = np.random.default_rng([asked.seed, len(left)]).permutation(len(left))
        left = sorted(left[place] for place in order[: asked.measured].tolist())
    part: Source = Subset(source, left)

    def score(engine: Engine) -> Scores:
        head, fit = recipe.head, recipe.letterbox
        return Scores.of(evaluate(engine, head, fit, part, only=found.only))

    where = title(split_of(found.path)[0], found.split)
    return Measure(score, f"{counted(len(part), 'image')} of the {len(source)} of {where}{apart}")
