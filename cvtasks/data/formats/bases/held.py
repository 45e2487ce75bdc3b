"""What masks hold, all of them together: values, colours, and what palettes show."""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
_BRIGHT = 230  # and those from here on are one: thin lines lose most
_HEAD = 4096  # bytes at the beginning of a file: a palette takes 768 of them
_FEW = 3  # masks in JPEG that fit, at least, for each that does not and so is a fault by itself


@dataclass(frozen=True, eq=False)
class Found:
    """What masks hold, all of them together.

    Attributes:
        values: of masks of numbers, indices of palettes among them. colours: of the others,
            `packed`.
        shown: indices of masks that have a palette, each with the colour, `packed`, that it shows.
        bare: values of masks without a palette, or that lacks one of them.
        beside: whether most masks that hold 255 also hold an id that is neither 0 nor 255, as
            where void is what lies around objects.
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

    def meaning(self, named: Iterable[int]) -> "Found":
        """The same, where the level of masks in JPEG is the one of the `named` values that it is
        near, if that is one alone.
        """
        meant = meant_level(self.level, named)
        if meant == self.level:
            return self

        def put(held: frozenset[int]) -> frozenset[int]:
            return frozenset(meant if value == self.level else value for value in held)

        return replace(self, values=put(self.values), bare=put(self.bare), level=meant)

    @property
    def differ(self) -> bool:
        """Whether palettes show one index in two colours, so that indices are no classes."""
        return len(self.shown) > len({index for index, _ in self.shown})


def found_in(masks: Iterable[Path]) -> Found:
    """What all these masks hold; those that cannot be read play no part.

    Raises:
        DataError: of those that are read none is stored without loss, or as one image; or of those
            in JPEG more than a few hold other levels than black and the same one.
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
    beside, smeared = list[bool](), list[DataError]()
    levels: dict[Path, int] = {}
    with ThreadPoolExecutor(2) as pool:
        paths = [path for path, *_ in stamps]
        for path, one in zip(paths, pool.map(_held, paths), strict=True):
            if isinstance(one, DataError):
                smeared += [one] if one.rule in _OF_ALL else []
            elif isinstance(one, int):
                levels[path] = one
            elif one is not None and one.coloured:
                colours |= one.held
            elif one is not None:
                values |= one.held
                shown |= one.shown or set()
                bare |= one.held if one.shown is None else set()
                beside += [bool(one.held - {0, VOID})] if VOID in one.held else []
    fitting = sum(map(bool, levels.values()))
    if not values and not colours and len(smeared) * _FEW > fitting:
        raise smeared[0]
    level = _one_level(levels, alone=not values and not colours)
    values |= {0, level} if level else set()
    bare |= {0, level} if level else set()
    return Found(
        frozenset(values),
        frozenset(colours),
        frozenset(shown),
        frozenset(bare),
        sum(beside) > len(beside) / 2,
        level,
    )


def _one_level(levels: Mapping[Path, int], *, alone: bool) -> int:
    """The level of all masks in JPEG, of which each has one or none; 0 where there are none.

    Args:
        alone: whether there are no other masks.

    Raises:
        DataError: more than a few differ by more than compression explains; or none has any.
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
    counts = Counter(lit.values())
    level = max(counts, key=lambda one: (counts[one], one))
    odd = [path for path, own in lit.items() if not _alike(own, level)]
    if len(odd) * _FEW > len(lit) - len(odd):
        raise DataError(
            "masks in JPEG, whose compression changes values, must hold black and one other level, "
            f"the same in all; it is {lit[odd[0]]} in {str(odd[0])!r}, and {level} in "
            f"{str(next(path for path, own in lit.items() if own == level))!r}. Save the masks as "
            "PNG, from the program in which they were drawn.",
            "mask smeared",
        )
    return level


def meant_level(level: int, named: Iterable[int]) -> int:
    """The one of `named` values beside 0 that a level measured in JPEG is near; the level itself
    where none is, or several are.
    """
    near = {value for value in named if value and _alike(value, level)}
    return near.pop() if level and level not in near and len(near) == 1 else level


def _alike(one: int, other: int) -> bool:
    """Whether two levels may be the same but for compression."""
    return abs(one - other) <= _SAME or _BRIGHT <= min(one, other) <= max(one, other) <= VOID


def level_of(masks: Iterable[Path]) -> int:
    """The level beside black of masks in JPEG; 0 where there are none. Errors as `found_in`'s."""
    masks = list(masks)
    return found_in(masks).level if any(map(_is_jpeg, masks)) else 0


def palettes_differ(masks: Iterable[Path]) -> bool:
    """Whether palettes show an index that masks hold in two colours. Only where palettes are not
    all the same are more than the beginnings of files read.
    """
    masks = list(masks)
    return len(set(map(_palette, masks)) - {b""}) > 1 and found_in(masks).differ


def _palette(path: Path) -> bytes:
    """The palette of a PNG; empty where there is none, or no file that can be read. One that stands
    behind more than usual is told from all others.
    """
    try:
        head = read_head(path, _HEAD)
    except (OSError, ValueError):  # a fault, which is told when its turn comes
        return b""
    at = 8 if kind_of(head) == "PNG" else len(head)
    while at + 8 <= len(head):
        length, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind in (b"PLTE", b"IDAT"):
            return head[at + 8 : at + 8 + length] if kind == b"PLTE" else b""
        at += length + 12
    return str(path).encode(errors="surrogateescape") if len(head) == _HEAD else b""


def _is_jpeg(path: Path) -> bool:
    try:
        return kind_of(read_head(path, 12)) == "JPEG"
    except (OSError, ValueError):  # a fault, which is told when its turn comes
        return False


def read_as(path: Path, level: int, meant: int) -> Stored:
    """What a mask holds; of one in JPEG black and what the `level` of all is `meant` to be, where
    there are such.

    Raises:
        InputError, DataError: as `read_values`; or a JPEG holds another level.
    """
    stored = read_values(path, rounding=bool(level))
    own = int(stored.values.max(initial=0)) if stored.rounded else 0
    if own and not _alike(own, level):
        raise DataError(
            f"the masks in JPEG hold 0 and {level}; {str(path)!r} holds {own}. Save the masks as "
            "PNG, from the program in which they were drawn.",
            "mask smeared",
        )
    return Stored(np.where(stored.values, np.uint8(meant), np.uint8(0))) if own else stored


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
