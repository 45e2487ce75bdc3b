"""A split of a data set, dealt out into parts or folds, and written as lists: nothing is moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtasks.data.formats.listing import RECORD
from cvtasks.data.held_out import dealt, write_names
from cvtasks.data.lists import Record
from cvtasks.data.source import Source
from cvtasks.data.together import Together, kept_together
from cvtasks.data.views import Subset
from cvtasks.errors import UsageError
from cvtasks.files.writing import made_beside, publish, write_text

_MOST_FOLDS = 100
_MOST_SEED = 2**31 - 1
_FAR = 0.1  # of the share that was asked for; by more than this it was missed
_NAMED = 3  # parts in a line


@dataclass(frozen=True)
class Shares:
    """How a split is dealt out.

    Attributes:
        val, test: their shares of all images, 0 for none; the rest is trained on.
        folds: in so many parts of one size, each of which is `val` once; then `val` plays no part.
            None for one division.
        seed: what is drawn depends on it; 0 to 2³¹ − 1, as a recipe's.

    Raises:
        UsageError: a number is none that may be, or nothing would be left.
    """

    val: float = 0.2
    test: float = 0.1
    folds: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds is not None and not 2 <= self.folds <= _MOST_FOLDS:
            raise UsageError(
                f"there may be 2 to {_MOST_FOLDS} folds; got {self.folds}. Choose so many, "
                "or leave folds out."
            )
        if not 0 <= self.seed <= _MOST_SEED:
            raise UsageError(
                f"a seed is a whole number from 0 to {_MOST_SEED}; got {self.seed}. Choose another."
            )
        aside = self.test + (0 if self.folds else self.val)
        least = 0 if self.folds else 1e-9
        if not (0 <= self.val < 1 and 0 <= self.test < 1 and least <= aside < 1 - 1e-9):
            raise UsageError(
                "the shares of val and test must each be 0 or more, and above 0 and below 1 "
                f"together; got {self.val:g} and {self.test:g}. Leave something to train on."
            )

    @property
    def least(self) -> float:
        """The smallest share of a part."""
        rest = 1 - self.test
        own = (rest / self.folds,) if self.folds else (self.val, rest - self.val)
        return min(share for share in (self.test, *own) if share)


@dataclass(frozen=True, eq=False)
class Divided:
    """A split that was dealt out.

    Attributes:
        source: its samples.
        parts: "train", "val" and "test", as far as they are asked for, or "fold0/train" … → the
            indices of their samples.
        together: what stayed together.
        asked: "val" and "test", or "fold0/val" … and "fold0/test", which is that of each fold, as
            far as they are asked for → their shares of all images.
    """

    source: Source
    parts: Mapping[str, Sequence[int]]
    together: Together
    asked: Mapping[str, float]

    @property
    def missed(self) -> str:
        """Which shares are not nearly as asked, in words; empty where all are."""
        count, found = len(self.source), []
        for name, share in self.asked.items():
            size = len(self.parts[name])
            if abs(size - share * count) >= max(1, _FAR * share * count):
                found.append(f"{name} {share:.0%} and got {size / count:.0%}")
        more = " …" if len(found) > _NAMED else ""
        reason = "what stays together, and classes of one image, allow no nearer"
        return f"asked for {', '.join(found[:_NAMED])}{more}: {reason}" if found else ""

    def rows(self, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """What some of the parts hold, class by class: as `cvtasks.data.checking.statistics`."""
        kind, classes, found = self.source.kind, self.source.classes, {}
        for name in names:
            truths = (self.source.truth(index) for index in self.parts[name])
            found[name] = kind.statistics(truths, classes)
        return found


def divide(source: Source, shares: Shares, keys: Sequence[str | None] | None = None) -> Divided:
    """Deal the samples of a source out, by class, as `cvtasks.data.held_out.set_aside` does.

    Args:
        source: every truth can be read.
        keys: see `kept_together`.

    Raises:
        DataError: there are too few images, or groups of them.
    """
    together = kept_together(source, shares.least, keys)
    if shares.folds:
        return _in_folds(source, shares, shares.folds, together)
    shown = {"test": shares.test, "val": shares.val}
    asked: dict[str, float] = {name: share for name, share in shown.items() if share}
    rest, *others = dealt(source, list(asked.values()), shares.seed, together)
    found = {"train": rest, **dict(zip(asked, others, strict=True))}
    parts = {str(name): found[name] for name in ("train", "val", "test") if name in found}
    return Divided(source, parts, together, asked)


def _in_folds(source: Source, shares: Shares, folds: int, together: Together) -> Divided:
    """Deal the samples of a source out into so many folds."""
    test = [shares.test] if shares.test else []
    each = (1 - shares.test) / folds
    numbers = [0, *range(1 + len(test), folds + len(test))]
    rest, *others = dealt(source, [*test, *[each] * (folds - 1)], shares.seed, together, numbers)
    tested = others[: len(test)]
    parts: dict[str, Sequence[int]] = {}
    asked = {"fold0/test": shares.test} if test else {}
    every = [*others[len(test) :], rest]
    for number, fold in enumerate(every):
        learned = sorted(index for other in every if other is not fold for index in other)
        parts |= {f"fold{number}/train": learned, f"fold{number}/val": fold}
        parts |= {f"fold{number}/test": part for part in tested}
        asked[f"fold{number}/val"] = each
    return Divided(source, parts, together, asked)


def write_lists(
    folder: Path, divided: Divided, record: Record, shares: Shares, **more: Any
) -> None:
    """Write the names of each part into a folder, whole or not at all, and beside them what they
    are of; `more` is remembered with it.

    Raises:
        OutputError: the folder cannot be written. FileExistsError: something of these names is
            there.
    """
    text = record.text(
        **more,
        val=1 / shares.folds if shares.folds else shares.val,
        test=shares.test,
        folds=shares.folds or 0,
        seed=shares.seed,
        images={name: len(indices) for name, indices in divided.parts.items()},
        kept_together=divided.together.said,
    )
    with made_beside(folder) as place:
        made: dict[Path, Path] = {}
        for name, indices in divided.parts.items():
            part = place / f"{name}.txt"
            write_names(part, Subset(divided.source, indices))
            made[part] = folder / f"{name}.txt"
        for home in {path.parent for path in made}:
            write_text(home / RECORD, text)
        made |= {
            home / RECORD: folder / home.relative_to(place) / RECORD
            for home in {path.parent for path in made}
        }
        publish(made)
