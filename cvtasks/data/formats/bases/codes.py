"""Which id each value or colour of masks stands for, and the ids of a mask's pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cvtasks.data.formats.bases.held import meant_level, read_as
from cvtasks.errors import DataError
from cvtasks.media.mask_values import packed
from cvtasks.recipe.data_table import VOID

GROUND, OBJECT = "background", "object"
"""The classes of masks that tell objects from the rest and nothing more."""

_UNKNOWN = 256


@dataclass(frozen=True, eq=False)
class Coding:
    """Which id each value or colour stands for.

    Attributes:
        classes: the names of the ids.
        values: value → id, 255 for void. colours: `packed` colour → id.
        by_palette: whether an indexed mask means the colours of its palette, not its indices.
        said: what was concluded, to be told; empty where all of it was said.
        level: beside black, that of masks in JPEG; 0 where there are none. meant: the value that
            this level stands for.
    """

    classes: tuple[str, ...]
    values: Mapping[int, int]
    colours: Mapping[int, int]
    by_palette: bool = False
    said: str = ""
    level: int = 0
    meant: int = 0

    def of_jpeg(self, level: int) -> "Coding":
        """The same, of masks in JPEG with this level beside black: it stands for the value of a
        class that is near it, if that is one alone.

        Raises:
            DataError: it is void, so that nothing would be left to learn.
        """
        named = [value for value, number in self.values.items() if number != VOID]
        meant = meant_level(level, named)
        if self.values.get(meant) == VOID:
            things = [name for name in self.classes if name != GROUND]
            names = self.classes if len(self.classes) > 1 else [GROUND, *things, OBJECT]
            raise DataError(
                "a class must be what masks in JPEG hold beside black; these hold 0 and "
                f"{meant}, and {meant} is void, as no class has it ({', '.join(self.classes)}). "
                "Say which class it is by `data.values`, such as "
                f"`data.values={{{names[0]} = 0, {names[1]} = {meant}}}`; or save the masks "
                "as PNG if they held numbers of classes.",
                "binary masks",
            )
        return replace(self, level=level, meant=meant)

    @property
    def note(self) -> tuple[str, ...]:
        """That masks in JPEG were rounded, in a sentence; none where there are none."""
        if not self.level:
            return ()
        return (
            f"masks are JPEG files: values were rounded to 0 and {self.meant}; borders may be off "
            "by a pixel or so",
        )

    def ids(self, path: Path) -> np.ndarray:
        """(h, w) uint8: the ids of a mask's pixels.

        Raises:
            InputError, DataError: as `read_values`; or a value is no class's.
        """
        stored = read_as(path, self.level, self.meant)
        if stored.coloured:
            ids = _looked_up(packed(stored.values), self.colours)
        elif self.by_palette and stored.palette is not None:
            indices = np.unique(stored.values)
            known = indices[indices < len(stored.palette)]
            meant = packed(stored.palette[known]).tolist()
            coded = {
                int(index): self.colours[colour]
                for index, colour in zip(known, meant, strict=True)
                if colour in self.colours
            }
            ids = _looked_up(stored.values, coded)
        else:
            ids = _looked_up(stored.values, self.values)
        strange = ids == _UNKNOWN
        if strange.any():
            raw = stored.values[strange][0].tolist()
            if self.by_palette and stored.palette is not None and raw < len(stored.palette):
                raw = stored.palette[raw].tolist()
            raise DataError(
                f"every value of a mask must be a class's or void; {str(path)!r} holds "
                f"{raw if isinstance(raw, int) else tuple(raw)} in {int(strange.sum())} pixels. "
                "Say what it is by `data.values` or `data.void`, or in the legend beside the data; "
                "or correct the mask.",
                "mask values",
            )
        return ids.astype(np.uint8)


def _looked_up(values: np.ndarray, table: Mapping[int, int]) -> np.ndarray:
    """(h, w) of ids, 256 for what is not in the table."""
    if values.dtype == np.uint8 or values.dtype == np.uint16:
        lookup = np.full(65536, _UNKNOWN, np.uint16)
        lookup[list(table.keys())] = list(table.values())
        return lookup[values]
    if not table:
        return np.full(values.shape, _UNKNOWN, np.uint16)
    keys = np.array(sorted(table), np.uint32)
    ids = np.array([table[key] for key in keys.tolist()], np.uint16)
    place = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    return np.where(keys[place] == values, ids[place], np.uint16(_UNKNOWN))
