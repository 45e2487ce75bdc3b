"""Whether the formats that lie at one place say the same."""

from collections.abc import Sequence
from pathlib import Path

from cvtasks.data.format import Format
from cvtasks.data.hints import Hints
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError

_LOOKED_AT = 100  # truths of a split


def agree(root: Path, formats: Sequence[Format], hints: Hints | None) -> bool:
    """Whether formats give the same splits of the same images, the same classes, and the same
    truths, of which a hundred of each split are looked at. False where one has a fault.
    """
    try:
        first, *others = formats
        return all(_agree(root, first, other, hints) for other in others)
    except (CVTasksError, OSError):  # told by whoever reads the one that is chosen
        return False


def _agree(root: Path, one: Format, other: Format, hints: Hints | None) -> bool:
    ours, theirs = one.splits_at(root), other.splits_at(root)
    if len(ours) == len(theirs) == 1:
        pairs = [(ours[0], theirs[0])]
    elif set(ours) == set(theirs):
        pairs = [(name, name) for name in ours]
    else:
        return False
    return all(
        _same(one.open(root, first, hints=hints), other.open(root, second, hints=hints))
        for first, second in pairs
    )


def _same(ours: Source, theirs: Source) -> bool:
    if set(ours.classes) != set(theirs.classes) or len(ours) != len(theirs) or not ours.files:
        return False
    places = {path.resolve(): index for index, path in enumerate(theirs.files)}
    if {path.resolve() for path in ours.files} != places.keys():
        return False
    for index in range(0, len(ours), -(-len(ours) // _LOOKED_AT)):
        place = places[ours.files[index].resolve()]
        truth = theirs.truth(place).with_classes(ours.classes)
        if not ours.truth(index).agrees(truth):
            return False
    return True
