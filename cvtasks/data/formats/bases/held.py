"""What masks hold, all of them together: values, colours, and what palettes show."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cvtasks.errors import CVTasksError, DataError
from cvtasks.media.mask_values import Stored, packed, read_values
from cvtasks.recipe.data_table import VOID

_OF_ALL = ("mask smeared", "mask pages")  # rules of errors that all masks of a data set may have


@dataclass(frozen=True, eq=False)
class Found:
    """What masks hold, all of them together.

    Attributes:
        values: of masks of numbers, indices of palettes among them. colours: of the others,
            `packed`.
        shown: indices of masks that have a palette, each with the colour, `packed`, that it shows.
        bare: values of masks without a palette, or that lacks one of them.
        beside: whether a mask holds 255 and an id that is neither 0 nor 255.
    """

    values: frozenset[int]
    colours: frozenset[int]
    shown: frozenset[tuple[int, int]]
    bare: frozenset[int]
    beside: bool

    @property
    def palette(self) -> frozenset[int]:
        """The colours that palettes show, `packed`."""
        return frozenset(colour for _, colour in self.shown)

    @property
    def differ(self) -> bool:
        """Whether palettes show one index in two colours, so that indices are no classes."""
        return len(self.shown) > len({index for index, _ in self.shown})


def found_in(masks: Iterable[Path]) -> Found:
    """What all these masks hold; those that cannot be read play no part.

    Raises:
        DataError: of those that are read none is stored without loss, or as one image.
    """
    stamps = []
    for path in sorted(set(masks)):
        if path.is_file():
            status = path.stat()
            stamps.append((path, status.st_mtime_ns, status.st_size))
    return _found(tuple(stamps))


@lru_cache(maxsize=8)
def _found(stamps: tuple[tuple[Path, int, int], ...]) -> Found:
    values: set[int] = set()
    colours: set[int] = set()
    shown: set[tuple[int, int]] = set()
    bare: set[int] = set()
    beside, smeared = False, None
    with ThreadPoolExecutor(2) as pool:
        for one in pool.map(_held, (path for path, *_ in stamps)):
            if isinstance(one, DataError):
                smeared = smeared or one
            elif one is not None and one.coloured:
                colours |= one.held
            elif one is not None:
                values |= one.held
                shown |= one.shown or set()
                bare |= one.held if one.shown is None else set()
                beside |= VOID in one.held and bool(one.held - {0, VOID})
    if smeared is not None and smeared.rule in _OF_ALL and not values and not colours:
        raise smeared
    return Found(
        frozenset(values), frozenset(colours), frozenset(shown), frozenset(bare), bool(beside)
    )


@dataclass(frozen=True)
class _Held:
    held: set[int]
    coloured: bool
    shown: set[tuple[int, int]] | None


def _held(path: Path) -> _Held | DataError | None:
    """What one mask holds; None where it cannot be read, which is told when its turn comes."""
    try:
        stored = read_values(path)
    except DataError as error:
        return error
    except CVTasksError:
        return None
    held = stored.found()
    return _Held(set(held.tolist()), stored.coloured, _shown(stored, held))


def _shown(stored: Stored, held: np.ndarray) -> set[tuple[int, int]] | None:
    """Indices and the colours that a palette gives them; None without one, or where it lacks
    some.
    """
    if stored.palette is None or held.max(initial=0) >= len(stored.palette):
        return None
    return set(zip(held.tolist(), packed(stored.palette[held]).tolist(), strict=True))
