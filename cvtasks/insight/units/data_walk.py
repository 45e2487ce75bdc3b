"""A walk over the images of a data set, one at a time; what cannot be read is named and passed
over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from cvtasks.answers import Labels
from cvtasks.data import Source, open_source, split_of, splits_of
from cvtasks.errors import CVTasksError
from cvtasks.media.images import read_image
from cvtasks.recipe.recipe import Recipe


@dataclass
class Walk:
    """The images of a source, or some of them.

    Attributes:
        source: where they are from.
        chosen: which, by their indices.
        title: the data set, as the user named it.
        said: what is walked over, in a sentence.
        done: how many have been given so far; `failed`: the names of those that could not be read.
    """

    source: Source
    chosen: range | list[int]
    title: str
    said: str
    done: int = 0
    failed: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.chosen)

    @classmethod
    def over(cls, data: str, recipe: Recipe | None, limit: int = 0) -> "Walk":
        """Open DATA[:SPLIT].

        Args:
            recipe: of the model that is looked into: its kind of data, and its training split where
                none is named. Without one the data are those of classification.
            limit: so many images, evenly spread; 0 for all.

        Raises:
            DataError: there is no such data set, or it has no image.
        """
        path, split = split_of(data)
        kind = recipe.task.answer if recipe else Labels
        if recipe and not split:
            splits = splits_of(path, kind)
            split = recipe.data.train if len(splits) > 1 else ""
        source = open_source(path, split, kind)
        split = source.split
        total = len(source)
        some = 0 < limit < total
        chosen = [number * total // limit for number in range(limit)] if some else range(total)
        title = f"{path}:{split}" if split else path
        count = f"{limit} of {total} images, evenly spread" if some else f"{total} images"
        return cls(source, chosen, title.rpartition("/")[2], f"{source.format}, {title}, {count}")

    def images(self, complain: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
        """Name and image (h, w, 3) uint8 RGB of each, in the order of the data set; `complain` is
        told why one is left out.
        """
        for index in self.chosen:
            name = self.source.files[index].name if self.source.files else str(index)
            try:
                if self.source.files:  # the image alone: its truth does not matter here
                    image = read_image(self.source.files[index])
                else:
                    sample = self.source[index]
                    name, image = sample.name, sample.image
            except CVTasksError as error:
                self.failed.append(name)
                complain(str(error))
                continue
            self.done += 1
            yield name, image
