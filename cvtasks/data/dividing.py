"""A split of a data set, dealt out into parts or folds, and written as lists: nothing is moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtasks.data.held_out import dealt, write_names
from cvtasks.data.lists import RECORD, Record
from cvtasks.data.source import Source
from cvtasks.data.together import Together, kept_together
from cvtasks.data.views import Subset
from cvtasks.errors import UsageError
from cvtasks.files.writing import made_beside, publish, write_text

_MOST_FOLDS = 100


@dataclass(frozen=True)
class Shares:
    """How a split is dealt out.

    Attributes:
        val, test: their shares of all images, 0 for none; the rest is trained on.
        folds: in so many parts of one size, each of which is `val` once; then `val` plays no part.
        seed: what is drawn depends on it.

    Raises:
        UsageError: a share is not one, or nothing would be left.
    """

    val: float = 0.2
    test: float = 0.1
    folds: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds and not 2 <= self.folds <= _MOST_FOLDS:
            raise UsageError(f"there may be 2 to {_MOST_FOLDS} folds; got {self.folds}.")
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
    """

    source: Source
    parts: Mapping[str, Sequence[int]]
    together: Together

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
    test = (shares.test,) if shares.test else ()
    if not shares.folds:
        asked = {"test": shares.test, "val": shares.val}
        names = [name for name, share in asked.items() if share]
        rest, *others = dealt(source, [asked[name] for name in names], shares.seed, together)
        found = {"train": rest, **dict(zip(names, others, strict=True))}
        return Divided(
            source,
            {name: found[name] for name in ("train", "val", "test") if name in found},
            together,
        )
    each = (1 - shares.test) / shares.folds
    count = len(test) + shares.folds
    learned = set(range(count)) - set(range(1, 1 + len(test)))
    rest, *others = dealt(
        source, (*test, *[each] * (shares.folds - 1)), shares.seed, together, learned
    )
    tested = others[: len(test)]
    folds = [*others[len(test) :], rest]
    parts: dict[str, Sequence[int]] = {}
    for number, fold in enumerate(folds):
        learned = sorted(index for other in folds if other is not fold for index in other)
        parts |= {f"fold{number}/train": learned, f"fold{number}/val": fold}
        parts |= {f"fold{number}/test": part for part in tested}
    return Divided(source, parts, together)


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
        folds=shares.folds,
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
