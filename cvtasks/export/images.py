"""The images that an exported file is checked on."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from cvtasks.data import Source, open_source, split_of, splits_of
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.data.views import Subset, fitted
from cvtasks.errors import CVTasksError, DataError, InputError
from cvtasks.media.sources import expand
from cvtasks.media.streams import Stream
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted

MOST = 16
"""Images of a check."""

Say = Callable[[str], None]
Named = list[tuple[str, np.ndarray]]

_PHOTOGRAPHS = ("astronaut", "cat", "coffee", "rocket", "chelsea", "motorcycle_left")


def images_to_check(
    recipe: Recipe, folder: Path, given: str = "", say: Say = lambda text: None
) -> tuple[Named, str]:
    """At most `MOST` images, prepared as the task wants them, and where they come from, in words.

    Args:
        folder: the model's.
        given: DATA or DATA:SPLIT, or images: a file, a folder, a glob; by default what the model
            was validated on, else photographs and drawn images, which is said.

    Raises:
        DataError, InputError: what was given cannot be used.
    """
    if given:
        return _given(recipe, folder, given)
    if recipe.data.path:
        try:
            found = open_to_evaluate(recipe, folder, "")
            part = found.source if found.kept is None else Subset(found.source, found.kept)
            where = f"{found.path}:{found.split}" if found.split else found.path
            source = fitted(part, recipe, lacking=True, called=where)
            return _of_source(source), f"the images of {where}, of which it was validated"
        except (CVTasksError, OSError) as error:
            say(f"check: the data of the recipe cannot be used ({_first(str(error))})")
    photographs = _photographs(recipe)
    drawn = _drawn(range(4 if photographs else MOST // 2))
    images = photographs + [(name, recipe.task.prepare(image)) for name, image in drawn]
    what = (
        "photographs that scikit-image ships, and drawn images" if photographs else "drawn images"
    )
    say(
        f"check: on {what}, which the model was not trained for; name better ones where answers "
        "about yours matter"
    )
    return images, what


def _given(recipe: Recipe, folder: Path, given: str) -> tuple[Named, str]:
    """Images of a data set, or else those that the name stands for."""
    path, split = split_of(given)
    if os.path.isdir(path) or split:  # noqa: PTH112 - what no path can be is none
        try:
            kind = recipe.task.answer
            splits = (split,) if split else splits_of(path, kind)
            source = open_source(path, splits[0] if len(splits) == 1 else "", kind)
            fit = fitted(source, recipe, lacking=True, called=given)
            return _of_source(fit), f"the images of {given}"
        except DataError:
            if split:
                raise
    images: Named = []
    items = (item for item in expand([given]) if not isinstance(item, Stream))
    for item in islice(items, MOST):
        images.append((item.name, recipe.task.prepare(item.read())))
    if not images:
        raise InputError(
            f"a check needs images; {given!r} has none. Name images, a folder of some, or "
            "DATA:SPLIT."
        )
    return images, f"{counted(len(images), 'image')} of {given}"


def _of_source(source: Source) -> Named:
    """Images of a source, evenly spread over it."""
    places = np.unique(np.linspace(0, len(source) - 1, min(MOST, len(source))).round().astype(int))
    return [(sample.name, sample.image) for sample in (source[int(place)] for place in places)]


def _photographs(recipe: Recipe) -> Named:
    """Those that scikit-image ships; none where it is not installed."""
    found: Named = []
    for item in expand([f"sample:{name}" for name in _PHOTOGRAPHS]):
        with suppress(InputError):
            if not isinstance(item, Stream):
                found.append((item.source, recipe.task.prepare(item.read())))
    return found


def _drawn(seeds: Iterable[int]) -> Named:
    """Images of some shapes over a soft background, of several sizes."""
    found: Named = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        size = ((240, 320), (320, 240), (300, 300), (200, 400))[seed % 4]
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        image: np.ndarray = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        for _ in range(6):
            colour = rng.integers(0, 256, 3).tolist()
            x, y = (int(rng.integers(0, side)) for side in size[::-1])
            radius = int(rng.integers(15, 60))
            if rng.random() < 0.5:
                cv2.circle(image, (x, y), radius, colour, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), colour, -1)
        found.append((f"drawn {seed}", image))
    return found


def _first(text: str) -> str:
    """The first sentence, without its full stop."""
    return text.split(". ")[0].rstrip(".")
