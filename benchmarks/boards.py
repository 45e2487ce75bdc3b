"""What `against_peers.py` scores on: a data set and the classes that count there."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contestants import Contestant

from cvtasks.answers.synonyms import called_otherwise
from cvtasks.data import Source
from cvtasks.data.views import Subset
from cvtasks.drawing.colours import VOC_NAMES
from cvtasks.evaluation.evaluate import report, score_saved
from cvtasks.evaluation.of_model import EvaluationData, evaluation_data
from cvtasks.evaluation.predictions import read_predictions
from cvtasks.files.writing import write_text
from cvtasks.formats.coco_names import COCO_NAMES
from cvtasks.metrics.base import ByImage
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.text import dumps
from cvtasks.zoo import RECIPE, default_model, model_folder

SIX = ("person", "cat", "cow", "dog", "horse", "sheep")
"""The classes of VOC in which the data are complete, and that COCO has too."""

_VOC, _COCO = "voc2012/VOCdevkit/VOC2012:val", "coco_mini:val"


@dataclass(frozen=True, eq=False)
class Scored:
    """What a contestant has reached.

    Attributes:
        standard: the headline's name.
        numbers: "metrics", "intervals" and "images", as `cvtasks evaluate --json` has them.
        by_image: the numbers over any resample of the images.
    """

    standard: str
    numbers: dict[str, Any]
    by_image: ByImage

    @property
    def headline(self) -> str:
        """The headline with its interval."""
        low, high = self.numbers["intervals"][self.standard]
        number = self.numbers["metrics"][self.standard]
        return f"{self.standard} {number:.4f} [{low:.4f}, {high:.4f}]"


@dataclass(frozen=True)
class Board:
    """A data set, and the classes of it that count.

    Attributes:
        name: what it is called in files and tables.
        task: what is answered.
        data: DATA:SPLIT, below `$CVTASKS_DATA` or anywhere.
        classes: those that count, as the data call them.
    """

    name: str
    task: str
    data: str
    classes: tuple[str, ...]

    @classmethod
    def twenty(cls, data: str) -> "Board":
        """VOC's 20 classes on data that hold enough of them."""
        return cls("detect-20", "detect", data, VOC_NAMES[1:])

    def opened(self, given: Path, images: int = 0) -> EvaluationData:
        """The data, with the classes that count; so many images, evenly spread, or all."""
        folder = model_folder(default_model(self.task))
        recipe = read_recipe(folder / RECIPE)
        data = str(given / self.data)  # an absolute path stays what it is
        recipe = replace(recipe, classes=self.classes, files={})
        found = evaluation_data(recipe, folder, data)
        count = min(images or len(found.source), len(found.source))
        kept = [number * len(found.source) // count for number in range(count)]
        return replace(found, source=Subset(found.source, kept))

    def knows(self, one: Contestant) -> bool:
        """Whether a contestant answers the question, and knows the classes that count."""
        known = {*one.classes, *called_otherwise(one.classes, self.classes).values()}
        return one.task == self.task and set(self.classes) <= known

    def scored(self, one: Contestant, data: EvaluationData, file: Path) -> Scored:
        """Predict every image, write the predictions, and score what was written."""
        source, task = data.source, data.recipe.task
        write_text(file, "".join(f"{line}\n" for line in self._records(one, source, data.recipe)))
        classes = source.classes
        saved = read_predictions(file, task, data.opened, classes, data.scored_as)
        metric = score_saved(saved, task, source, data.only)
        result = report(one.key, data.path, data.split, len(source), None, metric)
        numbers = {key: result[key] for key in ("metrics", "intervals", "images")}
        by_image = metric.by_image()
        if by_image is None:
            raise TypeError(f"{self.task} is scored by a metric that has numbers by image.")
        return Scored(next(iter(numbers["metrics"])), numbers, by_image)

    def _records(self, one: Contestant, source: Source, recipe: Recipe) -> list[str]:
        lines, names = [], called_otherwise(one.classes, source.classes)
        for index in range(len(source)):
            sample = source[index]
            answer = one.answer(sample.image).renamed(names)
            answer = answer.with_classes(source.classes, recipe.data.unlisted)
            height, width = sample.image.shape[:2]
            record = {"source": f"{Path(sample.name).name}.jpg", "width": width, "height": height}
            lines.append(dumps(record | recipe.task.record(answer)))
        return lines


BOARDS = (
    Board("detect-voc", "detect", _VOC, SIX),
    Board("detect-coco", "detect", _COCO, SIX),
    Board("detect-coco-80", "detect", _COCO, COCO_NAMES),
    Board("segment-voc", "segment", _VOC, (VOC_NAMES[0], *SIX)),
    Board("segment-voc-21", "segment", _VOC, VOC_NAMES),
    Board("classify-voc", "classify", _VOC, SIX),
    Board("localize-voc", "localize", _VOC, SIX),
)
"""In the order of the tables."""
