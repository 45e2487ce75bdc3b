"""A source as a recipe sees it: its classes, the truths its task is about, images as the network is
to see them.
"""

from abc import update_abstractmethods
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from cvtasks.answers import Answer, Sample
from cvtasks.data.nothing_scored import shown_words
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError, DataError, did_you_mean
from cvtasks.media.images import image_size
from cvtasks.recipe.recipe import Recipe
from cvtasks.tasks.base import Task
from cvtasks.text import counted


def fitted(source: Source, recipe: Recipe, *, lacking: bool = False, called: str = "") -> Source:
    """The source with the recipe's classes and nothing but images that its task can use.

    Args:
        lacking: the source need not have all classes of the recipe.
        called: what an error calls images that nothing is learned from.

    Raises:
        DataError: a class of the recipe is none of the source, or no image can be used.
    """
    remapped = Remapped(source, recipe.classes, recipe.data.unlisted, lacking=lacking)
    return Selected(remapped, recipe.task, called) if recipe.task.selection else remapped


def without_faults(source: Source, faults: list[CVTasksError]) -> Source:
    """Look at every truth and every header; append what is wrong to `faults`, and return what can
    be used.

    Objects are left out by the source itself where it was opened with a complaint that returns.

    Raises:
        DataError: nothing can be used.
    """
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(source.faults, range(len(source))))
    kept = [index for index, errors in enumerate(found) if not errors or _readable(source, index)]
    told = {
        str(fault): fault for fault in [*faults, *(fault for errors in found for fault in errors)]
    }
    faults[:] = (
        told.values()
    )  # once each: the source has complained again where it was asked for what is left of a truth
    if not kept:
        raise DataError(f"none of {len(source)} samples can be used. The first fault: {faults[0]}")
    return Subset(source, kept) if len(kept) < len(source) else source


def _readable(source: Source, index: int) -> bool:
    try:
        source.truth(index)
        if source.files:
            image_size(source.files[index])
    except CVTasksError:
        return False
    return True


def _led_on(name: str) -> Any:
    """An attribute or a method of a view that is its source's; a sample's index is the one there.

    An attribute that a view sets on itself comes first.
    """
    member = getattr(Source, name, None)
    if not callable(member):
        return _Attribute(name)
    if next(iter(list(signature(member).parameters)[1:]), "") != "index":
        return lambda view, *given: getattr(view.source, name)(*given)
    return lambda view, index, *given: getattr(view.source, name)(view.kept[index], *given)


class _Attribute:
    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, view: "View", owner: type) -> Any:
        return getattr(view.source, self._name)


V = TypeVar("V")


def leading_on(view: type[V]) -> type[V]:
    """Class decorator: what a class does not define of `Source`'s public names is `_led_on`."""
    for name in {*vars(Source), *Source.__annotations__}:
        if not name.startswith("_") and name not in vars(view):
            setattr(view, name, _led_on(name))
    return update_abstractmethods(view)


@leading_on
class View(Source):
    """A source seen otherwise: some of its samples, other classes, other truths.

    What a view does not say itself is its source's, whatever `Source` comes to have. Subclasses
    say what becomes of an image and of a truth.

    Args:
        kept: the samples that are seen, by their indices in `source`; all, unless given.
    """

    def __init__(self, source: Source, kept: Sequence[int] | None = None) -> None:
        self.source = source
        self.kept = range(len(source)) if kept is None else kept
        self.files, self.truth_files = (
            files if kept is None or not files else [files[index] for index in kept]
            for files in (source.files, source.truth_files)
        )

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample = self.source[self.kept[index]]
        return replace(
            sample, image=self._image_of(sample.image), truth=self._truth_of(sample.truth)
        )

    def truth(self, index: int) -> Answer:
        """The truth of one sample, as it is seen."""
        return self._truth_of(self.source.truth(self.kept[index]))

    def problems(self) -> Iterator[str]:
        """As the source's, of the samples that are seen."""
        return Source.problems(self)

    def _image_of(self, image: np.ndarray) -> np.ndarray:
        """What becomes of an image (h, w, 3) uint8."""
        return image

    def _truth_of(self, truth: Answer) -> Answer:
        """What becomes of a truth."""
        return truth


class Subset(View):
    """Some samples of a source, by their indices there."""


class Selected(View):
    """Those samples of a source that a task can use, with what of their truths it is about."""

    def __init__(self, source: "Remapped", task: Task, called: str = "") -> None:
        super().__init__(
            source,
            [index for index in range(len(source)) if task.select(source.truth(index)) is not None],
        )
        self._task = task
        if not self.kept and called:
            raise DataError(
                f"{task.name} is about {task.selection.split(';')[0]}; of "
                f"{counted(len(source), 'image')} of {called!r} none is one: "
                f"{shown_words(source, source.source)}. Name data that have some."
            )
        if not self.kept:
            raise DataError(
                f"{task.name} learns from {task.selection}; none of the {len(source)} images is "
                "one. Check the recipe's `classes`."
            )

    def remarks(self) -> list[str]:
        """The source's, and how many images are left out."""
        left = len(self.source) - len(self.kept)
        note = [
            f"{left} of {len(self.source)} images left out: {self._task.name} is about "
            f"{self._task.selection}"
        ]
        return [*self.source.remarks(), *(note if left else [])]

    def _image_of(self, image: np.ndarray) -> np.ndarray:
        return self._task.prepare(image)

    def _truth_of(self, truth: Answer) -> Answer:
        selected = self._task.select(truth)
        if selected is None:
            raise TypeError("a truth that was selected must be so again.")
        return selected


class Remapped(View):
    """A source whose classes become `classes`; the classes of the data that are not among them
    become `unlisted`.

    Args:
        lacking: some of `classes` may be none of the source, which then shows nothing of them.

    Raises:
        DataError: a name of `classes` is not a class of the source; with `lacking`, none is, the
            background aside.
    """

    def __init__(
        self, source: Source, classes: tuple[str, ...], unlisted: str, *, lacking: bool = False
    ) -> None:
        super().__init__(source)
        things = classes[source.kind.ground(classes) :]
        for name in () if lacking and set(things) & set(source.classes) else classes:
            if name not in source.classes:
                raise DataError(
                    f"every class of the recipe must be one of the data ({source.format}); "
                    f'"{name}" is not. '
                    f"{did_you_mean(name, source.classes)} Where the data's classes are others "
                    "by now, begin a new run on them with this one's weights (`train.weights`)."
                )
        self.classes, self._unlisted = classes, unlisted

    def _truth_of(self, truth: Answer) -> Answer:
        return truth.with_classes(self.classes, self._unlisted)


class Renamed(View):
    """A source whose classes are called otherwise (`Answer.renamed`)."""

    def __init__(self, source: Source, names: Mapping[str, str]) -> None:
        super().__init__(source)
        self.classes = tuple(dict.fromkeys(names.get(name, name) for name in source.classes))
        self._names = names

    def _truth_of(self, truth: Answer) -> Answer:
        return truth.renamed(self._names)
