"""Images of the training split that are set aside to validate,
where the data have no split for it.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data.source import Source
from cvtasks.errors import DataError
from cvtasks.files.writing import write_text
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.text import one_line

NAMES = "validation.txt"
"""The file in a run's folder that names the images set aside, one sample a line."""

SHARE = 0.2
"""The share that is set aside unless another is asked for."""

_NOTHING = -1  # stands for a class in images that show none
_MOST_COMPARED = 1000 * MEGABYTE  # bytes that are read to find copies

Unit = tuple[list[int], frozenset[int]]
"""Images that are the same byte for byte, and the classes that they show."""


def set_aside(source: Source, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of the samples to train on and of those to validate on, each in its order; neither is
    empty.

    About `share` of each class is set aside: at least one image of a class that two or more show,
    and none of a class that one alone shows, as far as the classes of an image with several allow
    it. Images without an object or class are dealt with as one class more. Which ones it is depends
    on the seed and on names, truths and bytes, not on the order of the samples. Copies of an image
    stay on one side.

    Args:
        source: with the classes that are learned; every truth can be read.
        share: above 0 and below 1.

    Raises:
        DataError: there are no two different images.

    Source: the order, rarest class first, is that of Sechidis, Tsoumakas and Vlahavas, "On the
    Stratification of Multi-Label Data" (2011), figure 1.
    """
    shown = [_shown(source.truth(index)) for index in range(len(source))]
    names = sorted(range(len(source)), key=source.name)
    copies = _copies(source)
    groups: dict[bytes, list[int]] = {}
    for index in names:
        groups.setdefault(copies[index], []).append(index)
    if len(groups) < 2:
        what = "one image" if len(source) == 1 else f"{len(source)} copies of one image"
        raise DataError(
            "to validate, some images of the training split are set aside, which needs two "
            f"different ones; it has {what}. Add "
            "images, or name a split to validate on in `data.validate`."
        )
    ordered = list(groups.values())
    order = np.random.default_rng([seed, len(ordered)]).permutation(len(ordered))
    units = [
        (ordered[place], frozenset().union(*(shown[index] for index in ordered[place])))
        for place in order.tolist()
    ]
    chosen = _chosen([classes for _, classes in units], share)
    aside = sorted(index for place in chosen for index in units[place][0])
    return sorted(set(range(len(source))) - set(aside)), aside


def write_names(path: Path, source: Source) -> None:
    """Write the names of all samples of a source, one a line."""
    write_text(path, "".join(f"{one_line(source.name(index))}\n" for index in range(len(source))))


def split_by_names(source: Source, path: Path) -> tuple[list[int], list[int], int]:
    """Indices of the samples that the file of names does not name, of those that it names, and how
    many names are of none.
    """
    named = {line for line in read_text(path, 1000 * MEGABYTE).split("\n") if line}
    lines = [one_line(source.name(index)) for index in range(len(source))]
    rest = [index for index, line in enumerate(lines) if line not in named]
    return (
        rest,
        [index for index, line in enumerate(lines) if line in named],
        len(named - set(lines)),
    )


def _shown(truth: Answer) -> frozenset[int]:
    """The classes that a truth counts as present."""
    return frozenset(truth.present().tolist()) or frozenset({_NOTHING})


def _copies(source: Source) -> list[bytes]:
    """For each sample what its copies share: a digest of the file where another one has its size,
    else something of its own.
    """
    if not source.files:
        images = (source[index].image for index in range(len(source)))
        return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    sizes = [path.stat().st_size for path in source.files]
    alike = Counter(sizes)
    compared = [index for index, size in enumerate(sizes) if alike[size] > 1]
    keys = [b"%d" % index for index in range(len(sizes))]
    if sum(sizes[index] for index in compared) <= _MOST_COMPARED:
        for index in compared:
            keys[index] = hashlib.blake2b(source.files[index].read_bytes(), digest_size=16).digest()
    return keys


def _chosen(units: Sequence[frozenset[int]], share: float) -> set[int]:
    """Which units, given by their classes, are set aside."""
    counts = Counter(label for classes in units for label in classes)
    free = [
        place for place, classes in enumerate(units) if min(counts[label] for label in classes) > 1
    ]
    aside = _dealt(units, free or list(range(len(units))), counts, share)
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
    units: Sequence[frozenset[int]], free: list[int], counts: Counter[int], share: float
) -> set[int]:
    """Deal the `free` units out, the rarest class first, each to the side that lacks more of it;
    return those set aside.
    """
    lacking_aside = {
        c: min(max(share * n, 1.0), n - 1.0) if n > 1 else 0.0 for c, n in counts.items()
    }
    lacking = {label: number - lacking_aside[label] for label, number in counts.items()}
    for place in set(range(len(units))) - set(free):
        for label in units[place]:
            lacking[label] -= 1
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
        for place in of.pop(rarest):
            if place not in left:
                continue
            left.remove(place)
            goes = lacking_aside[rarest] > lacking[rarest]
            side = lacking_aside if goes else lacking
            for label in units[place]:
                side[label] -= 1
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
