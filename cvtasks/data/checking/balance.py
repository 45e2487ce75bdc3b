"""How often classes come in each split, and how large objects are there."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cvtasks.data.checking.finding import Finding, Level
from cvtasks.data.checking.sample import Seen
from cvtasks.errors import nearest
from cvtasks.text import agreeing, composed

_STRONG = 10  # times that the most frequent class comes more often than the rarest
_RARE = 3  # objects or images of a class that may be a slip
_ALIKE = 0.8  # likeness of two names (difflib's ratio), from which on one may be the other misspelt
_NUMBER = re.compile(r"\d+")
_MANY_TINY = 0.25  # share of the objects of a split, above which their size is likely a mistake


def alike(classes: tuple[str, ...]) -> Iterator[Finding]:
    """Names that differ in case, spaces and signs alone."""
    plain: dict[str, str] = {}
    for name in classes:
        key = "".join(letter for letter in composed(name).casefold() if letter.isalnum())
        if key and key in plain:
            yield Finding(
                "warning",
                "classes alike",
                "",
                f'"{plain[key]}" and "{name}" are two classes. Are they meant to be one?',
            )
        plain.setdefault(key, name)


def balance(rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """How often each class comes, by the `statistics` of truths."""
    counts = {row["class"]: row.get("objects", row["images"]) for row in rows}
    yield from (
        Finding("note", "class without truth", "", f'no sample that can be used shows "{name}".')
        for name, count in counts.items()
        if not count
    )
    yield from (
        Finding(
            "note",
            "class in one image",
            "",
            f'one image alone shows "{row["class"]}": it can be learned or measured, not both.',
        )
        for row in rows
        if row["images"] == 1
    )
    yield from _misspelt(counts)
    shown = [(count, name) for name, count in counts.items() if count]
    if shown and max(shown)[0] > _STRONG * min(shown)[0]:
        (most, common), (least, rare) = max(shown), min(shown)
        yield Finding(
            "note", "balance", "", f'"{common}" comes {most} times, "{rare}" {least} times.'
        )


def _misspelt(counts: Mapping[str, int]) -> Iterator[Finding]:
    """Rare classes that are called nearly like a frequent one, but for numbers in them."""
    for rare, few in counts.items():
        often = [name for name, count in counts.items() if count >= _STRONG * max(few, 1)]
        spelt = {name.lower(): name for name in often}
        near = spelt.get(nearest(rare, spelt, _ALIKE), "")
        if 0 < few <= _RARE and near and _NUMBER.sub("", near) != _NUMBER.sub("", rare):
            yield Finding(
                "warning",
                "classes alike",
                "",
                f'"{rare}" comes {few} times and "{near}" {counts[near]} times. Is it misspelt?',
            )


def absent(
    learned: list[dict[str, Any]], measured: list[dict[str, Any]], split: str
) -> Iterator[Finding]:
    """Classes that are learned, and that the split to measure on does not show."""
    there = {row["class"] for row in measured if row["images"]}
    for row in learned:
        if row["images"] and row["class"] not in there:
            reason = f'"{row["class"]}" is in the images to train on and in none of {split!r}.'
            yield Finding("warning", "class absent", "", reason, split=split)


def tiny(seen: Sequence[Seen], size: int, files: Mapping[int, str]) -> Iterator[Finding]:
    """Objects that are too small for the network, a finding for each image that has some.

    Args:
        size: side of its input in pixels. files: place → what the sample is called.
    """
    objects, small = sum(one.objects for one in seen), sum(one.tiny for one in seen)
    level: Level = "warning" if small > _MANY_TINY * objects else "note"
    for place, one in enumerate(seen):
        if one.tiny:
            reason = (
                f"at {size} pixels, {one.tiny} of {one.objects} objects "
                f"{agreeing(one.tiny, 'has', 'have')} a side under 8 pixels."
            )
            yield Finding(level, "tiny objects", files[place], reason, one.tiny)
