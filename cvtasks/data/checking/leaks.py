"""Images that a split has twice or two splits share, and frames of one scene in two of them."""

import re
from collections.abc import Iterator, Sequence

from cvtasks.data.alike import Groups, Look, frames_of_one_scene, join_copies, nearest_copies
from cvtasks.data.checking.finding import IN_TWO, SCENE, Finding, Level
from cvtasks.data.source import VALIDATION

_ROLE = re.compile(r"trainval|train|validation|valid|val|dev(?![a-z])|test", re.IGNORECASE)
_ORDER = {"train": 0, "val": 1, "test": 2, "trainval": 3}

Looked = Sequence[tuple[str, Look]]
"""The name of each sample whose image can be read, and its look."""


def role_of(split: str) -> tuple[str, str]:
    """What a split is for, and what else is in its name; no role where that is not clear.

    >>> role_of("val2017"), role_of("2012-trainval"), role_of("first")
    (('val', '2017'), ('trainval', '2012-'), ('', 'first'))
    """
    found = _ROLE.findall(split)
    if len(found) != 1:
        return "", split
    role = found[0].casefold()
    return "val" if role in VALIDATION else role, _ROLE.sub("", split).casefold()


def in_order(splits: Sequence[str]) -> list[str]:
    """Splits in the order of their use: those to train on first."""
    return sorted(splits, key=lambda split: (len(split) > 12, _ORDER.get(role_of(split)[0], 9)))


def opposed(one: str, other: str) -> bool:
    """Whether no image may be in both of two splits."""
    (role, name), (second, second_name) = role_of(one), role_of(other)
    if name != second_name or not role or not second or role == second:
        return False
    return "trainval" not in (role, second) or "test" in (role, second)


def within(looked: Looked) -> Iterator[Finding]:
    """Images that a split has more than once."""
    looks = [look for _, look in looked]
    groups = Groups(len(looks))
    join_copies(groups, looks)
    for group in groups.lists():
        stored: dict[bytes, Look] = {}
        for place in group:
            look, first = looks[place], stored.setdefault(looks[place].digest, looks[place])
            if first is not look:
                reason = f"{look.name!r} and {first.name!r} are the same file."
                yield Finding("warning", "image twice", look.name, reason)
            elif place != group[0]:
                reason = f"{look.name!r} looks as {looks[group[0]].name!r} does."
                yield Finding("note", "near-copies", look.name, reason)


def between(ours: Looked, split: str, theirs: Looked, other: str) -> Iterator[Finding]:
    """Images of a split that are also in another one, and frames beside some of that one's."""
    shared = set()
    for one, same in nearest_copies([look for _, look in ours], [look for _, look in theirs]):
        shared.add(id(one))
        exact = one.digest == same.digest
        how = "the same file" if exact else "the same by its look"
        reason = (
            f"no image may be in two splits; {one.name!r} of {split!r} and {same.name!r} of "
            f"{other!r} are {how}."
        )
        level: Level = "error" if exact else "warning"
        yield Finding(level, IN_TWO, one.name, reason, split=split, against=other)
    every = [*ours, *theirs]
    frames = dict[int, Look]()
    for one_place, other_place in frames_of_one_scene(
        [name for name, _ in every], [look for _, look in every]
    ):
        first, second = sorted((one_place, other_place))
        if first < len(ours) <= second:
            frames.setdefault(first, every[second][1])
    for place, beside in frames.items():
        look = ours[place][1]
        if id(look) not in shared:
            reason = (
                f"frames of one scene belong into one split; {look.name!r} of {split!r} follows or "
                f"precedes {beside.name!r} of {other!r}."
            )
            yield Finding("warning", SCENE, look.name, reason, split=split, against=other)
