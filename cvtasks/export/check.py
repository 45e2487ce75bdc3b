"""Whether an exported file gives the answers that the model gives: boxes, scores, masks and labels,
in pixels of the images.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from cvtasks.answers import Answer
from cvtasks.engines.base import Engine
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError
from cvtasks.export.base import Opened
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


_CANDIDATES = 1000  # objects of an image, before others cover them


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check has found.

    Attributes:
        bounds: that it must keep; None where it need keep none.
        found: how far the answers differ.
        spread: the largest difference of an output, as a share of what that output spans; None
            where the outputs cannot be compared.
        images: names of the images.
        drawn: where they come from, in words.
        faults: what is beyond the bounds, in words; none where all is well.
        together: how far its answers about two images at once differ; None where it takes one.
    """

    bounds: Bounds | None
    found: Differences
    spread: float | None
    images: tuple[str, ...]
    drawn: str
    faults: tuple[str, ...] = field(default=())
    together: Differences | None = None

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound, if it has one."""
        found = self.found.rows()
        if not self.found.compared and self.spread is not None:
            found.append(("outputs, as nothing is found", f"{self.spread:.2g}", "scores"))
        elif not self.found.compared:
            found.append(("nothing is found: not proved", "", ""))
        if self.together and self.bounds:
            same = not any(self.together.faults(self.bounds))
            found.append(("two images at once", "the same" if same else "others", "the same"))
        return found

    def to_dict(self) -> dict[str, Any]:
        """What `check.json` says of it."""
        return {
            "passed": not self.faults,
            "differences": self.found.to_dict(),
            "largest_difference_of_outputs": self.spread,
            "two_images_at_once": self.together.to_dict() if self.together else None,
            "bounds": asdict(self.bounds) if self.bounds else None,
            "faults": list(self.faults),
            "images_from": self.drawn,
            "images": list(self.images),
        }


def check(
    engine: Opened,
    reference: Engine,
    recipe: Recipe,
    images: Sequence[tuple[str, np.ndarray]],
    bounds: Bounds | None,
    drawn: str = "",
    together: bool = False,
) -> Checked:
    """Ask both about images one by one, and compare what they say.

    Every object counts that evaluation would count, also those of little score.

    Args:
        engine: the exported file.
        reference: the model.
        images: (name, (h, w, 3) uint8 RGB), prepared as the task wants them.
        bounds: None where the differences need only be told.
        together: whether the file is also asked about two images at once.

    Raises:
        ModelError: the file does not run, or answers with no numbers.
    """
    seen = [image for _, image in images]
    one, other = (_Heard(asked, recipe, seen) for asked in (reference, engine))
    found = _compared(one, other, recipe, bounds)
    pairs = zip(one.outputs, other.outputs, strict=True)
    spread = float(np.max([_spread(ours, theirs) for ours, theirs in pairs], initial=0.0))
    faults = list(found.faults(bounds)) if bounds else []
    if bounds and not found.compared and not spread <= bounds.scores:
        faults.append(
            f"outputs differ by {spread:.2g} of what they span, at most {bounds.scores:g} is "
            "allowed"
        )
    pair: Differences | None = None
    if together:
        pair = _of_two(engine, reference, recipe, seen, bounds)
        told = pair.faults(bounds) if bounds else ()
        faults += [f"two images at once: {fault}" for fault in told]
    names = tuple(name for name, _ in images)
    return Checked(bounds, found, spread, names, drawn, tuple(faults), pair)


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
        self._engine, self._recipe, self._images = engine, recipe, images
        pairs = ((None, image) for image in images)
        found = predict(self, recipe.head, recipe.classes, recipe.letterbox, pairs)
        self.answers = [answer for _, _, answer in found]

    def stream(self, images: Any) -> Any:
        """The engine's outputs, noted."""
        for output in self._engine.stream(images):
            self.outputs.append(output)
            yield output

    def candidates(self, number: int) -> Answer:
        """What the answer about an image was chosen from: objects that others cover, too."""
        head: Any = self._recipe.head
        if hasattr(head, "nms"):
            most = max(_CANDIDATES, head.max_detections)
            head = replace(head, nms=1.0, max_detections=most)
        letterbox = self._recipe.letterbox(self._images[number].shape[:2])
        found: Answer = head.decode(self.outputs[number], letterbox, self._recipe.classes)
        return found


class _AtOnce:
    """An exported file that is asked about all images in one batch."""

    def __init__(self, engine: Opened) -> None:
        self.name, self.precision = engine.name, engine.precision
        self._engine = engine

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """The outputs of network inputs (H, W, 3)."""
        yield from self._engine.batch(np.stack(list(images)))


def _compared(one: _Heard, other: _Heard, recipe: Recipe, bounds: Bounds | None) -> Differences:
    """How far answers differ."""
    found = differences_of(recipe.task.answer)(recipe.head, bounds or BOUNDS["f32"])
    for number, (ours, theirs) in enumerate(zip(one.answers, other.answers, strict=True)):
        found.add(ours, theirs, partial(_candidates, one, other, number))
    return found


def _candidates(one: _Heard, other: _Heard, number: int) -> tuple[Answer, Answer]:
    """What both answers about an image were chosen from."""
    return one.candidates(number), other.candidates(number)


def _of_two(
    engine: Opened,
    reference: Engine,
    recipe: Recipe,
    images: list[np.ndarray],
    bounds: Bounds | None,
) -> Differences:
    """How far answers about two images at once differ from the model's; about the one and its
    mirror image where there are no two.
    """
    two = images[:2] if len(images) > 1 else [images[0], np.ascontiguousarray(images[0][:, ::-1])]
    one, other = (_Heard(asked, recipe, two) for asked in (reference, _AtOnce(engine)))
    return _compared(one, other, recipe, bounds)


def _spread(ours: Arrays, theirs: Arrays) -> float:
    """The largest difference of two outputs, as a share of what ours spans."""
    if isinstance(ours, dict):
        return max(_spread(ours[name], theirs[name]) for name in ours)
    ours, theirs = np.asarray(ours, np.float32), np.asarray(theirs, np.float32)
    if not ours.size:
        return 0.0
    span = float(ours.max() - ours.min()) or 1.0
    return float(np.abs(ours - theirs).max()) / span
