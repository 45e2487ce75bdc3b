"""Whether an exported file gives the answers that the model gives: boxes, scores, masks and labels,
in pixels of the images.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cvtasks.engines.base import Engine
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError
from cvtasks.export.differences import Bounds, Differences, differences_of
from cvtasks.heads.arrays import Arrays
from cvtasks.recipe.recipe import Recipe

BOUNDS = {
    "f32": Bounds(pixels=0.01, scores=1e-4, mask_iou=0.999, equal_pixels=0.9995),
    "f16": Bounds(pixels=1.0, scores=0.01, mask_iou=0.98, equal_pixels=0.995),
}
"""Precision of a file → how far its answers may be from the model's. What a file in whole numbers
loses is measured by the metric of the task instead.
"""


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check has found.

    Attributes:
        bounds: that it must keep; None where it need keep none.
        found: how far the answers differ.
        spread: the largest difference of an output, as a share of what that output spans.
        images: names of the images.
        drawn: where they come from, in words.
        faults: what is beyond the bounds, in words; none where all is well.
    """

    bounds: Bounds | None
    found: Differences
    spread: float
    images: tuple[str, ...]
    drawn: str
    faults: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """What `check.json` says of it."""
        return {
            "passed": not self.faults,
            "differences": self.found.to_dict(),
            "largest_difference_of_outputs": self.spread,
            "bounds": asdict(self.bounds) if self.bounds else None,
            "faults": list(self.faults),
            "images_from": self.drawn,
            "images": list(self.images),
        }


def check(
    engine: Engine,
    reference: Engine,
    recipe: Recipe,
    images: Sequence[tuple[str, np.ndarray]],
    bounds: Bounds | None,
    drawn: str = "",
) -> Checked:
    """Ask both about images, and compare what they say.

    Every object counts that evaluation would count, also those of little score.

    Args:
        engine: the exported file.
        reference: the model.
        images: (name, (h, w, 3) uint8 RGB), prepared as the task wants them.
        bounds: None where the differences need only be told.

    Raises:
        ModelError: the file does not run, or answers with no numbers.
    """
    one, other = (
        _Heard(asked, recipe, [image for _, image in images]) for asked in (reference, engine)
    )
    found = differences_of(recipe.task.answer)(recipe.head, bounds or BOUNDS["f32"])
    for ours, theirs in zip(one.answers, other.answers, strict=True):
        found.add(ours, theirs)
    spread = max(
        (_spread(ours, theirs) for ours, theirs in zip(one.outputs, other.outputs, strict=True)),
        default=0.0,
    )
    faults = list(found.faults(bounds)) if bounds else []
    if bounds and not found.compared and spread > bounds.scores:
        faults.append(
            f"outputs differ by {spread:.2g} of what they span, at most {bounds.scores:g} is "
            "allowed"
        )
    names = tuple(name for name, _ in images)
    return Checked(bounds, found, spread, names, drawn, tuple(faults))


def check_passed(checked: Checked, what: str) -> None:
    """Raise ModelError if a check has found faults."""
    if checked.faults:
        raise ModelError(
            f"an exported file must give the model's answers; {what} does not: "
            f"{'; '.join(checked.faults)}. Nothing was kept. Export it in another format or "
            "precision, and report it."
        )


class _Heard:
    """An engine's answers about images, and the outputs that they were decoded from."""

    def __init__(self, engine: Engine, recipe: Recipe, images: list[np.ndarray]) -> None:
        self.name, self.precision = engine.name, engine.precision
        self.outputs: list[Arrays] = []
        self._engine = engine
        pairs = ((None, image) for image in images)
        found = predict(self, recipe.head, recipe.classes, recipe.letterbox, pairs)
        self.answers = [answer for _, _, answer in found]

    def stream(self, images: Any) -> Any:
        """The engine's outputs, noted."""
        for output in self._engine.stream(images):
            self.outputs.append(output)
            yield output


def _spread(ours: Arrays, theirs: Arrays) -> float:
    """The largest difference of two outputs, as a share of what ours spans."""
    if isinstance(ours, dict):
        return max(_spread(ours[name], theirs[name]) for name in ours)
    ours, theirs = np.asarray(ours, np.float32), np.asarray(theirs, np.float32)
    if not ours.size:
        return 0.0
    span = float(ours.max() - ours.min()) or 1.0
    return float(np.abs(ours - theirs).max()) / span
