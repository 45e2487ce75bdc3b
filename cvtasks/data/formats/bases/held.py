"""What masks hold, all of them together: values, colours, and what palettes show."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cvtasks.errors import CVTasksError, DataError
from cvtasks.media.file_types import kind_of
from cvtasks.media.mask_values import Stored, packed, read_values
from cvtasks.media.safe_paths import read_head
from cvtasks.recipe.data_table import VOID
from cvtasks.text import counted

_OF_ALL = ("mask smeared", "mask pages")  # rules of errors that all masks of a data set may have
_SAME = 12  # levels by which the upper one of masks in JPEG may differ


@dataclass(frozen=True, eq=False)
class Found:
    """What masks hold, all of them together.

    Attributes:
        values: of masks of numbers, indices of palettes among them. colours: of the others,
            `packed`.
        shown: indices of masks that have a palette, each with the colour, `packed`, that it shows.
        bare: values of masks without a palette, or that lacks one of them.
        beside: whether a mask holds 255 and an id that is neither 0 nor 255.
        level: beside black, that of masks in JPEG; 0 where there are none.
    """

    values: frozenset[int]
    colours: frozenset[int]
    shown: frozenset[tuple[int, int]]
    bare: frozenset[int]
    beside: bool
    level: int = 0

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
        DataError: of those that are read none is stored without loss, or as one image; or those in
            JPEG hold more levels than black and another one.
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
    levels: dict[Path, int] = {}
    with ThreadPoolExecutor(2) as pool:
        paths = [path for path, *_ in stamps]
        for path, one in zip(paths, pool.map(_held, paths), strict=True):
            if isinstance(one, DataError):
                smeared = smeared or one
            elif isinstance(one, int):
                levels[path] = one
            elif one is not None and one.coloured:
                colours |= one.held
            elif one is not None:
                values |= one.held
                shown |= one.shown or set()
                bare |= one.held if one.shown is None else set()
                beside |= VOID in one.held and bool(one.held - {0, VOID})
    if smeared is not None and smeared.rule in _OF_ALL and not values and not colours:
        raise smeared
    level = _one_level(levels, alone=not values and not colours)
    values |= {0, level} if level else set()
    bare |= {0, level} if level else set()
    return Found(
        frozenset(values),
        frozenset(colours),
        frozenset(shown),
        frozenset(bare),
        bool(beside),
        level,
    )


def _one_level(levels: Mapping[Path, int], *, alone: bool) -> int:
    """The level of all masks in JPEG, of which each has one or none; 0 where there are none.

    Args:
        alone: whether there are no other masks.

    Raises:
        DataError: they differ by more than compression explains; or none has any.
    """
    lit = {path: level for path, level in levels.items() if level}
    if not lit:
        if levels and alone:
            raise DataError(
                "masks in JPEG, whose compression changes values, must hold black and one other "
                f"level; the {counted(len(levels), 'file')}, such as {str(next(iter(levels)))!r}, "
                "are all but black: numbers of classes cannot be told. Save the masks as PNG, from "
                "the program in which they were drawn.",
                "mask smeared",
            )
        return 0
    level = int(np.median(list(lit.values())))
    for path, own in lit.items():
        if abs(own - level) > _SAME:
            raise DataError(
                "masks in JPEG, whose compression changes values, must hold black and one other "
                f"level, the same in all; it is {own} in {str(path)!r}, and {level} in others. "
                "Save the masks as PNG, from the program in which they were drawn.",
                "mask smeared",
            )
    return level


def level_of(masks: Iterable[Path]) -> int:
    """The level beside black of masks in JPEG; 0 where there are none. Errors as `found_in`'s."""
    masks = list(masks)
    return found_in(masks).level if any(map(_is_jpeg, masks)) else 0


def _is_jpeg(path: Path) -> bool:
    try:
        return kind_of(read_head(path, 12)) == "JPEG"
    except (OSError, ValueError):  # a fault, which is told when its turn comes
        return False


def read_as(path: Path, level: int) -> Stored:
    """What a mask holds; of one in JPEG black and the `level` of all, where there are such.

    Raises:
        InputError, DataError: as `read_values`; or a JPEG holds another level.
    """
    stored = read_values(path, rounding=bool(level))
    own = int(stored.values.max(initial=0)) if stored.rounded else 0
    if own and abs(own - level) > _SAME:
        raise DataError(
            f"the masks in JPEG hold 0 and {level}; {str(path)!r} holds {own}. Save the masks as "
            "PNG, from the program in which they were drawn.",
            "mask smeared",
        )
    return Stored(np.where(stored.values, np.uint8(level), np.uint8(0))) if own else stored


@dataclass(frozen=True)
class _Held:
    held: set[int]
    coloured: bool
    shown: set[tuple[int, int]] | None


def _held(path: Path) -> _Held | int | DataError | None:
    """What one mask holds, of one in JPEG its level beside black; None where it cannot be read,
    which is told when its turn comes.
    """
    try:
        stored = read_values(path, rounding=True)
    except DataError as error:
        return error
    except CVTasksError:
        return None
    if stored.rounded:
        return int(stored.values.max(initial=0))
    held = stored.found()
    return _Held(set(held.tolist()), stored.coloured, _shown(stored, held))


def _shown(stored: Stored, held: np.ndarray) -> set[tuple[int, int]] | None:
    """Indices and the colours that a palette gives them; None without one, or where it lacks
    some.
    """
    if stored.palette is None or held.max(initial=0) >= len(stored.palette):
        return None
    return set(zip(held.tolist(), packed(stored.palette[held]).tolist(), strict=True))
