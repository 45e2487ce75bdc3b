"""A source as a recipe sees it: its classes, the truths its task is about, pictures as the network is to see them."""

from collections.abc import Iterator
from dataclasses import replace

from cvtasks.answers import Answer, Sample
from cvtasks.data.source import Remapped, Source
from cvtasks.errors import DataError
from cvtasks.recipe import Recipe
from cvtasks.tasks import Task


def fitted(source: Source, recipe: Recipe) -> Source:
    """The source with the recipe's classes and nothing but pictures that its task can use.

    Raises:
        DataError: a class of the recipe is none of the source, or no picture can be used.
    """
    remapped = Remapped(source, recipe.classes, recipe.data.others)
    return Selected(remapped, recipe.task) if recipe.task.selection else remapped


class Selected(Source):
    """Those samples of a source that a task can use, with what of their truths it is about."""

    def __init__(self, source: Source, task: Task) -> None:
        self.format, self.layout, self.kind, self.classes = source.format, source.layout, source.kind, source.classes
        self._source, self._task = source, task
        self._kept = [index for index in range(len(source)) if task.select(source.truth(index)) is not None]
        if not self._kept:
            raise DataError(
                f"{task.name} learns from {task.selection}; none of the {len(source)} pictures is one. Check the recipe's `classes`."
            )

    @classmethod
    def is_at(cls, root: object) -> bool:
        """Never: it wraps another source."""
        return False

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Sample:
        sample = self._source[self._kept[index]]
        return replace(sample, image=self._task.prepare(sample.image), truth=self._selected(sample.truth))

    def truth(self, index: int) -> Answer:
        """What the task is about of one sample's truth."""
        return self._selected(self._source.truth(self._kept[index]))

    def problems(self) -> Iterator[str]:
        """The wrapped source's."""
        return self._source.problems()

    def remarks(self) -> list[str]:
        """The wrapped source's, and how many pictures are left out."""
        left = len(self._source) - len(self._kept)
        note = [f"{left} of {len(self._source)} pictures left out: {self._task.name} is about {self._task.selection}"]
        return [*self._source.remarks(), *(note if left else [])]

    def _selected(self, truth: Answer) -> Answer:
        selected = self._task.select(truth)
        if selected is None:
            raise TypeError("a truth that was selected must be so again.")
        return selected
