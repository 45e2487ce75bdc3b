"""From images to answers: letterbox, engine, decode; the same for every task,
engine and purpose.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from cvtasks.answers import Answer
from cvtasks.engines.base import Engine
from cvtasks.errors import NotFinite, UsageError
from cvtasks.geometry.letterbox import Letterbox, Size
from cvtasks.heads.arrays import Arrays
from cvtasks.heads.base import Head
from cvtasks.media.prefetch import shut

Tag = TypeVar("Tag")


def predict(
    engine: Engine,
    head: Head,
    classes: tuple[str, ...],
    fit: Callable[[Size], Letterbox],
    images: Iterable[tuple[Tag, np.ndarray]],
    threshold: float = 0.0,
    augment: bool = False,
) -> Iterator[tuple[Tag, np.ndarray, Answer]]:
    """(tag, image) pairs → (tag, image, answer), in the same order.

    Args:
        fit: (height, width) of an image → where it lies on the network input (`Recipe.letterbox`).
        images: (h, w, 3) uint8 RGB of any size, prepared as the task wants them, as those of a
            source that is fitted to a recipe are.
        threshold: the least score, 0 to 1, of what the answers hold.
        augment: merge the answers about an image and its mirror image (`Head.decode_mirrored`).

    Raises:
        UsageError: the threshold is no number from 0 to 1; at once, before an image is taken.
        NotFinite: the network's output is no answer.
    """
    return _predict(engine, head, classes, fit, images, least_score(threshold), augment)


def _predict(
    engine: Engine,
    head: Head,
    classes: tuple[str, ...],
    fit: Callable[[Size], Letterbox],
    images: Iterable[tuple[Tag, np.ndarray]],
    threshold: float,
    augment: bool,
) -> Iterator[tuple[Tag, np.ndarray, Answer]]:
    under_way: deque[tuple[Tag, np.ndarray, Letterbox]] = deque()

    def inputs() -> Iterator[np.ndarray]:
        for tag, image in images:
            letterbox = fit(image.shape[:2])
            under_way.append((tag, image, letterbox))
            yield letterbox.to_input(image)
            if augment:
                yield letterbox.to_input(np.ascontiguousarray(image[:, ::-1]))

    with shut(images), shut(engine.stream(inputs())) as outputs:
        found = iter(outputs)
        for output in found:
            mirrored = next(found) if augment else output
            tag, image, letterbox = under_way.popleft()
            if not all(
                _is_finite(array)
                for one in ([output, mirrored] if augment else [output])
                for array in _each(one)
            ):
                raise NotFinite(
                    "a network must answer with finite numbers; this one does not. Copy or train "
                    "the model again."
                )
            if augment:
                answer = head.decode_mirrored(output, mirrored, letterbox, classes, threshold)
            else:
                answer = head.decode(output, letterbox, classes, threshold)
            yield tag, image, answer


def _each(output: Arrays) -> Iterable[np.ndarray]:
    found: Iterable[np.ndarray] = output.values() if isinstance(output, Mapping) else (output,)
    return found


def _is_finite(array: np.ndarray) -> bool:
    """Whether an array holds numbers alone."""
    # Of a map every eighth row and column: a NaN reaches all around it, and to look at all takes as
    # long as to decode.
    return bool(np.isfinite(array[::8, ::8] if array.ndim == 3 else array).all())


def least_score(threshold: object) -> float:
    """A threshold as a float.

    Raises:
        UsageError: it is no number from 0 to 1.

    >>> least_score(np.float32(0.5)), least_score(1)
    (0.5, 1.0)
    """
    given: Any = threshold
    if isinstance(threshold, np.generic) or (
        isinstance(threshold, np.ndarray) and not threshold.ndim
    ):
        given = threshold.item()
    a_number = not isinstance(given, bool) and isinstance(given, Real)
    if a_number:
        if 0 <= given <= 1:
            return float(given)
        what = (
            "one far outside" if abs(given) > 1e9 else f"{given!r}"
        )  # Python does not print whole numbers of any length
        hint = f" {float(given):g} % is {float(given) / 100:g}." if 1 < given <= 100 else ""
    else:
        what, hint = f"{repr(threshold)[:60]}, a {type(threshold).__name__}", ""
    raise UsageError(
        f"a threshold is the least score of what is shown, a number from 0 to 1; got {what}.{hint} "
        "Correct it."
    )
