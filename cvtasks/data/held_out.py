"""Images of the training split that are set aside to validate,
where the data have no split for it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data.part_sizes import Parts
from cvtasks.data.source import Source
from cvtasks.data.together import Together, kept_together
from cvtasks.errors import DataError
from cvtasks.files.writing import write_text
from cvtasks.formats.reading import MEGABYTE, read_utf8
from cvtasks.text import agreeing, counted, one_line

NAMES = "validation.txt"
"""The file in a run's folder that names the images set aside, one sample a line."""

SHARE = 0.2
"""The share that is set aside unless another is asked for."""

ASIDE = "set aside to validate"
"""In what is said of images that were."""

_NOTHING = -1  # stands for a class in images that show none


def set_aside(
    source: Source, share: float, seed: int, together: Together | None = None
) -> tuple[list[int], list[int]]:
    """Indices of the samples to train on and of those to validate on, each in its order; neither is
    empty.

    It is `share` of all, within what stays together, and about `share` of each class. Every class
    is learned, as far as there are images: one that a single image shows is trained on, and one
    that two or more show is on both sides where the size and the classes of images with several
    allow it. Images without an object or class are dealt with as one class more. Which ones it is
    depends on the seed and on names, truths and bytes, not on the order of the samples. What must
    stay together stays on one side.

    Args:
        source: with the classes that are learned; every truth can be read.
        share: above 0 and below 1.
        together: what stays together; found by default.

    Raises:
        DataError: there are no two different images.

    Source: the order, rarest class first, is that of Sechidis, Tsoumakas and Vlahavas, "On the
    Stratification of Multi-Label Data" (2011), figure 1. What it makes too large or too small is
    brought to its size by `cvtasks.data.part_sizes`.
    """
    kept, aside = dealt(source, (share,), seed, together or kept_together(source, share))
    return kept, aside


def dealt(
    source: Source,
    shares: Sequence[float],
    seed: int,
    together: Together,
    learned: Collection[int] = (0,),
) -> list[list[int]]:
    """Indices of the samples in parts, none of them empty: what is left, and a part for each share,
    dealt out as `set_aside` says.

    Args:
        shares: of all samples, for each part after the first; above 0, and below 1 together.
        learned: numbers of the parts that something is learned from: 0, what is left, or those of
            folds, which are made of one size.

    Raises:
        DataError: there are fewer groups of what stays together than parts.
    """
    shown = [_shown(source.truth(index)) for index in range(len(source))]
    if len(together.groups) <= len(shares):
        raise DataError(_too_few(source, together, len(shares) + 1))
    order = np.random.default_rng([seed, len(together.groups)]).permutation(len(together.groups))
    groups = [together.groups[place] for place in order.tolist()]
    units = [Counter(label for index in group for label in shown[index]) for group in groups]
    parts = Parts(
        units,
        [len(group) for group in groups],
        [1 - sum(shares), *shares],
        _by_class(units, shares),
        learned,
    )
    parts.settle()
    found: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for group, part in zip(groups, parts.place, strict=True):
        found[part] += group
    return [sorted(indices) for indices in found]


def _by_class(units: Sequence[Mapping[int, int]], shares: Sequence[float]) -> list[int]:
    """Deal units out by class, one part after the other; for each unit the number of its part."""
    place, left, rest = [0] * len(units), list(range(len(units))), 1.0
    for number, share in enumerate(shares):
        weights = [units[unit] for unit in left]
        chosen = _chosen([frozenset(unit) for unit in weights], share / rest, weights)
        least = len(shares) - number  # so many units must be left for the parts to come
        for one in sorted(chosen)[: len(left) - least]:
            place[left[one]] = number + 1
        left = [unit for unit in left if not place[unit]]
        rest -= share
    return place


def _too_few(source: Source, together: Together, parts: int) -> str:
    """Why so many parts cannot be made."""
    groups = len(together.groups)
    if parts == 2:
        what = "one image" if len(source) == 1 else f"{len(source)} copies of one image"
        return (
            "to validate, some images of the training split are set aside, which needs two "
            f"different ones; it has {what}. Add "
            "images, or name a split to validate on in `data.validate`."
        )
    return (
        f"{parts} parts need as many groups of images that stay together; "
        f"{counted(len(source), 'image')} {agreeing(len(source))} in {groups}. Make fewer parts, "
        "or smaller groups."
    )


def write_names(path: Path, source: Source) -> None:
    """Write the names of all samples of a source, one a line."""
    write_text(path, "".join(f"{one_line(source.name(index))}\n" for index in range(len(source))))


def split_by_names(source: Source, path: Path) -> tuple[list[int], list[int], int]:
    """Indices of the samples that the file of names does not name, of those that it names, and how
    many names are of none.
    """
    named = {line for line in read_utf8(path, 1000 * MEGABYTE).split("\n") if line}
    lines = [one_line(source.name(index)) for index in range(len(source))]
    rest = [index for index, line in enumerate(lines) if line not in named]
    return (
        rest,
        [index for index, line in enumerate(lines) if line in named],
        len(named - set(lines)),
    )


def set_aside_before(source: Source, path: Path, called: str) -> tuple[list[int], list[int]]:
    """Indices of the samples to train on and of those to validate on, by the file of names that was
    written when these were set aside.

    Args:
        called: what the data are called in an error.

    Raises:
        DataError: some of them are gone, or nothing is left on one side.
    """
    kept, aside, gone = split_by_names(source, path)
    if gone or not kept or not aside:
        raise DataError(
            f"{str(path)!r} names the images that are set aside to validate; {gone} of them "
            f"{agreeing(gone)} not in {called!r}, which has {len(source)}. Bring the data back, or "
            "start another run."
        )
    return kept, aside


def _shown(truth: Answer) -> frozenset[int]:
    """The classes that a truth counts as present."""
    return frozenset(truth.present().tolist()) or frozenset({_NOTHING})


def _chosen(
    units: Sequence[frozenset[int]],
    share: float,
    weights: Sequence[Mapping[int, int]] | None = None,
) -> set[int]:
    """Which units, given by their classes, are set aside; a unit's weights say how many images of
    it show each of them, one unless given.
    """
    counts = Counter(label for classes in units for label in classes)
    free = [
        place for place, classes in enumerate(units) if min(counts[label] for label in classes) > 1
    ]
    heavy = weights or [dict.fromkeys(unit, 1) for unit in units]
    aside = _dealt(heavy, free or list(range(len(units))), counts, share)
    _mend(units, aside, counts, set(free))
    if not aside:  # every image is the only one of a class: the one that loses least
        aside = {
            max(
                range(len(units)),
                key=lambda place: (sum(counts[label] for label in units[place]), -place),
            )
        }
    return aside


def _dealt(
    units: Sequence[Mapping[int, int]], free: list[int], counts: Counter[int], share: float
) -> set[int]:
    """Deal the `free` units out, the rarest class first and of it the largest, each to the side
    that lacks more of it; return those set aside.

    Args:
        units: class → how many images of the unit show it.
        counts: class → how many units show it.
    """
    images = Counter[int]()
    for unit in units:
        images.update(unit)
    lacking_aside = {
        c: min(max(share * images[c], 1.0), images[c] - 1.0) if n > 1 else 0.0
        for c, n in counts.items()
    }
    lacking = {label: images[label] - lacking_aside[label] for label in counts}
    for place in set(range(len(units))) - set(free):
        for label, number in units[place].items():
            lacking[label] -= number
    of: dict[int, list[int]] = {}
    for place in free:
        for label in units[place]:
            of.setdefault(label, []).append(place)
    waiting = Counter({label: len(places) for label, places in of.items()})
    left, aside = set(free), set()
    while left:
        rarest = min(
            (label for label in of if waiting[label]), key=lambda label: (waiting[label], label)
        )
        for place in sorted(of.pop(rarest), key=lambda one: -units[one][rarest]):
            if place not in left:
                continue
            left.remove(place)
            goes = lacking_aside[rarest] > lacking[rarest]
            side = lacking_aside if goes else lacking
            for label, number in units[place].items():
                side[label] -= number
                waiting[label] -= 1
            if goes:
                aside.add(place)
    return aside


def _mend(
    units: Sequence[frozenset[int]], aside: set[int], counts: Counter[int], free: set[int]
) -> None:
    """Move units so that each class that two or more show is on both sides, where no other class
    loses its only one by it.
    """
    here, there = Counter[int](), Counter[int]()
    for place, classes in enumerate(units):
        (there if place in aside else here).update(classes)

    def move(label: int, back: bool) -> None:
        giving, taking = (there, here) if back else (here, there)
        able = aside if back else free - aside
        fitting = [
            p
            for p in able
            if label in units[p] and all(giving[c] > 1 or counts[c] == 1 for c in units[p])
        ]
        if back and not fitting and len(aside) > 1:  # to be learned counts more than to be measured
            fitting = [place for place in aside if label in units[place]]
        if not fitting:
            return
        place = min(fitting, key=lambda one: (len(units[one]), one))
        giving.subtract(units[place])
        taking.update(units[place])
        (aside.remove if back else aside.add)(place)

    for label in sorted(counts, key=lambda one: (counts[one], one)):
        if not here[label]:
            move(label, back=True)
    for label in sorted(counts, key=lambda one: (counts[one], one)):
        if counts[label] > 1 and not there[label]:
            move(label, back=False)


def undivided(say: Callable[[str], None]) -> Callable[[str], None]:
    """What hears of data as a whole: up to where it is told that some images are set aside."""
    divided = False

    def hear(text: str) -> None:
        nonlocal divided
        divided = divided or ASIDE in text
        if not divided:
            say(text)

    return hear
