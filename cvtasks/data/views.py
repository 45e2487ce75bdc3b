"""A source as a recipe sees it: its classes, the truths its task is about, images as the network is
to see them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from cvtasks.answers import Answer, Sample
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError, DataError, did_you_mean
from cvtasks.media.images import image_size
from cvtasks.recipe.recipe import Recipe
from cvtasks.tasks import Task


def fitted(source: Source, recipe: Recipe, *, lacking: bool = False) -> Source:
    """The source with the recipe's classes and nothing but images that its task can use.

    Args:
        lacking: the source need not have all classes of the recipe.

    Raises:
        DataError: a class of the recipe is none of the source, or no image can be used.
    """
    remapped = Remapped(source, recipe.classes, recipe.data.others, lacking=lacking)
    return Selected(remapped, recipe.task) if recipe.task.selection else remapped


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
    return Part(source, kept) if len(kept) < len(source) else source


def _readable(source: Source, index: int) -> bool:
    try:
        source.truth(index)
        if source.files:
            image_size(source.files[index])
    except CVTasksError:
        return False
    return True


class Part(Source):
    """Some samples of a source, by their indices there."""

    def __init__(self, source: Source, kept: Sequence[int]) -> None:
        self.format, self.layout, self.kind, self.classes = (
            source.format,
            source.layout,
            source.kind,
            source.classes,
        )
        self.files = [source.files[index] for index in kept] if source.files else ()
        self.truth_files = (
            [source.truth_files[index] for index in kept] if source.truth_files else ()
        )
        self._source, self._kept = source, kept

    @classmethod
    def is_at(cls, root: object) -> bool:
        """Never: it wraps another source."""
        return False

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Sample[Answer]:
        return self._source[self._kept[index]]

    def name(self, index: int) -> str:
        """The wrapped source's."""
        return self._source.name(self._kept[index])

    def truth(self, index: int) -> Answer:
        """The wrapped source's."""
        return self._source.truth(self._kept[index])

    def faults(self, index: int) -> list[CVTasksError]:
        """The wrapped source's."""
        return self._source.faults(self._kept[index])

    def remarks(self) -> list[str]:
        """The wrapped source's."""
        return self._source.remarks()


class Selected(Part):
    """Those samples of a source that a task can use, with what of their truths it is about."""

    def __init__(self, source: Source, task: Task) -> None:
        super().__init__(
            source,
            [index for index in range(len(source)) if task.select(source.truth(index)) is not None],
        )
        self._task = task
        if not self._kept:
            raise DataError(
                f"{task.name} learns from {task.selection}; none of the {len(source)} images is "
                "one. Check the recipe's `classes`."
            )

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample = self._source[self._kept[index]]
        return replace(
            sample, image=self._task.prepare(sample.image), truth=self._selected(sample.truth)
        )

    def truth(self, index: int) -> Answer:
        """What the task is about of one sample's truth."""
        return self._selected(self._source.truth(self._kept[index]))

    def remarks(self) -> list[str]:
        """The wrapped source's, and how many images are left out."""
        left = len(self._source) - len(self._kept)
        note = [
            f"{left} of {len(self._source)} images left out: {self._task.name} is about "
            f"{self._task.selection}"
        ]
        return [*self._source.remarks(), *(note if left else [])]

    def _selected(self, truth: Answer) -> Answer:
        selected = self._task.select(truth)
        if selected is None:
            raise TypeError("a truth that was selected must be so again.")
        return selected


class Remapped(Source):
    """A source whose classes become `classes`; the classes of the data that are not among them
    become `others`.

    Args:
        lacking: some of `classes` may be none of the source, which then shows nothing of them.

    Raises:
        DataError: a name of `classes` is not a class of the source; with `lacking`, none is, the
            background aside.
    """

    def __init__(
        self, source: Source, classes: tuple[str, ...], others: str, *, lacking: bool = False
    ) -> None:
        things = classes[1:] if source.kind.background else classes
        for name in () if lacking and set(things) & set(source.classes) else classes:
            if name not in source.classes:
                raise DataError(
                    f"every class of the recipe must be one of the data ({source.format}); "
                    f'"{name}" is not. '
                    f"{did_you_mean(name, source.classes)}"
                )
        self.format, self.layout, self.kind = source.format, source.layout, source.kind
        self.classes, self.files, self.truth_files = classes, source.files, source.truth_files
        self._source, self._others = source, others

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Never: it wraps another source."""
        return False

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample = self._source[index]
        return replace(sample, truth=sample.truth.with_classes(self.classes, self._others))

    def name(self, index: int) -> str:
        """The wrapped source's."""
        return self._source.name(index)

    def truth(self, index: int) -> Answer:
        """The truth of one sample, with these classes."""
        return self._source.truth(index).with_classes(self.classes, self._others)

    def faults(self, index: int) -> list[CVTasksError]:
        """The wrapped source's."""
        return self._source.faults(index)

    def remarks(self) -> list[str]:
        """The wrapped source's."""
        return self._source.remarks()
