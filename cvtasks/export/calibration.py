"""Images of a model's training data that ranges are measured on, drawn by a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from cvtasks.data import Source, open_source, split_of, splits_of
from cvtasks.data.held_out import NAMES, split_by_names
from cvtasks.data.hints import Hints
from cvtasks.data.opening import title
from cvtasks.data.source import splits_among
from cvtasks.data.views import Subset, fitted
from cvtasks.errors import DataError, UsageError
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted

COUNT = 200
"""Images that are drawn unless another number is asked for."""

_LEAST, _MOST = 8, 5000
_TRAINING = ("train", "trainval")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Images that a network's ranges are measured on before it is written in whole numbers.

    Attributes:
        images: network inputs, (H, W, 3) uint8 RGB; can be read several times.
        drawn: how they were drawn, in a sentence.
        names: of the images, in their order.
        known: by what they are known from images of other splits, as `known_by` has it.
    """

    images: Sequence[np.ndarray]
    drawn: str
    names: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()


def known_by(source: Source, split: str) -> list[str]:
    """What tells each image of a split from those of others, which may have the same name: its
    file, or where it has none split and name.
    """
    if source.files:
        return [str(file.resolve()) for file in source.files]
    return [f"{split}: {source.name(index)}" for index in range(len(source))]


class NetworkInputs(Sequence[np.ndarray]):
    """Samples as a network sees them, (H, W, 3) uint8 RGB; each is read when it is asked for."""

    def __init__(self, source: Source, recipe: Recipe) -> None:
        self._source, self._recipe = source, recipe

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            return NetworkInputs(Subset(self._source, list(chosen)), self._recipe)
        if not 0 <= index < len(self):
            raise IndexError(index)
        image = self._source[index].image
        return self._recipe.letterbox(image.shape[:2]).to_input(image)


def drawn_to_calibrate(
    recipe: Recipe,
    folder: Path,
    data: str = "",
    count: int = COUNT,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Calibration:
    """Draw images of the training split of DATA, or of the recipe's own data; those that the
    model's run set aside to validate are left out.

    Args:
        folder: the model's.
        data: DATA or DATA:SPLIT; the split is one to measure on, and is drawn from only where DATA
            have none to train on.
        count: of images; all there are where they are fewer.

    Raises:
        UsageError: the number is none that suits, or no data are named.
        DataError: there are no such data.
    """
    if not _LEAST <= count <= _MOST:
        raise UsageError(
            f"ranges are measured on {_LEAST} to {_MOST} images; got {count}. 128 to 300 do."
        )
    path, asked = split_of(data or recipe.data.path)
    if not path:
        raise UsageError(
            "int8 needs images of the training data to measure ranges on; the recipe names none. "
            "Name them.",
            ways={"data": ""},
        )
    split, source = _training_split(recipe, path, asked)
    names = folder / NAMES
    kept = split_by_names(source, names)[0] if names.is_file() else range(len(source))
    part = Subset(source, list(kept)) if kept else source
    fit = fitted(part, recipe, lacking=True, called=title(path, split))
    order = np.random.default_rng([seed, len(fit)]).permutation(len(fit))[:count]
    chosen = Subset(fit, sorted(order.tolist()))
    drawn = (
        f"{counted(len(chosen), 'image')} of the {len(fit)} of {title(path, split)}, drawn by the "
        f"seed {seed}"
    )
    say(f"int8: ranges are measured on {drawn}")
    called = tuple(chosen.name(index) for index in range(len(chosen)))
    known = frozenset(known_by(chosen, split))
    return Calibration(NetworkInputs(chosen, recipe), drawn, called, known)


def _training_split(recipe: Recipe, path: str, asked: str) -> tuple[str, Source]:
    """The split that a model of this recipe is trained on in these data, and its name."""
    own = path == recipe.data.path
    format, lists = (recipe.data.format, recipe.data.lists) if own else ("", "")
    kind, hints = recipe.task.answer, Hints.of(recipe.data)
    splits = splits_of(path, kind, format=format, lists=lists, hints=hints)
    opened = partial(open_source, path, kind=kind, format=format, lists=lists, hints=hints)
    wanted = next(
        (
            name
            for name in (recipe.data.train, *_TRAINING)
            if splits_among(name, splits) is not None
        ),
        None,
    )
    if wanted is None and not asked and len(splits) > 1:
        raise DataError(
            f"ranges are measured on images to train on; {path!r} has no split for it, but "
            f"{', '.join(splits)}. Name one of them: DATA:SPLIT.",
            ways={"data": ""},
        )
    name = asked or splits[0] if wanted is None else wanted
    return name, opened(name)
