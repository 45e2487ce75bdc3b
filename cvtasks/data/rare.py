"""Classes that too few images to train on show."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from cvtasks.data.loading.imbalance import times_shown
from cvtasks.data.source import Source
from cvtasks.text import some

NAMED = 12
"""Classes that a line names at most."""


def times_of(source: Source) -> dict[str, int]:
    """Class, but for background → how many truths show it; nothing where truths are images, which
    would all have to be read again.
    """
    return {} if source.truth_files else by_class(source, times_shown(source))


def by_class(source: Source, counts: np.ndarray) -> dict[str, int]:
    """Class, but for background → its count, of the counts of all classes."""
    ground = source.kind.ground(source.classes)
    return dict(zip(source.classes[ground:], counts.tolist()[ground:], strict=True))


def too_rare(shown: Mapping[str, int], images: int) -> Iterator[str]:
    """Which classes cannot be learned from so many images to train on, and what to do."""
    unseen = [name for name, count in shown.items() if not count]
    if unseen:
        yield (
            f"data: no image to train on shows {some(unseen, NAMED)}: a class that is never shown "
            f"cannot be learned, and scores 0 where it is measured. {_remedy(unseen, shown)}"
        )
    single = [name for name, count in shown.items() if count == 1]
    if single and images > 1:
        yield (
            f"data: one image to train on alone shows {some(single, NAMED)}: too few to learn "
            f"from. {_remedy(single, shown)}"
        )


def _remedy(rare: Sequence[str], classes: Collection[str]) -> str:
    it = "it" if len(rare) == 1 else "them"
    others = f", or leave {it} out: name the other classes alone (`classes`)"
    return f"Add images of {it}{others if len(rare) < len(classes) else ''}."
