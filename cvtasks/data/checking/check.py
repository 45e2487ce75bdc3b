"""What in a data set could spoil a training or its score, found without changing a file."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data import open_source
from cvtasks.data.checking.duplicates import Look, look_at, twins
from cvtasks.data.source import VALIDATION, Source
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.reading import MISNAMED, RESIZED, TWICE, UPRIGHT, ZERO_BASED, readable
from cvtasks.media.images import MAX_PIXELS, read_image
from cvtasks.media.safe_paths import read_regular_file

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

_AGAINST = {
    "train": ("val", "test"),
    "val": ("train", "test"),
    "test": ("train", "val", "trainval"),
    "trainval": ("test",),
}
"""Splits that must not share images with the split of that name."""
_TINY, _LONG = 8, 20  # pixels of the shorter side; times that the longer one is longer
_SURE = {  # remarks that are likely mistakes
    MISNAMED: "names another image",
    RESIZED: "size differs",
    TWICE: "box twice",
    UPRIGHT: "EXIF turn",
    ZERO_BASED: "counted from 0",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: "error" if a sample cannot be used, or is learned and tested on; "warning" for what
            is likely a mistake; "note" for what is good to know.
        rule: what is broken, in a few words, the same for all findings of a kind.
        file: the image or the file it is about; empty for the whole split.
        reason: a sentence.
        count: how many things it stands for.
    """

    level: Level
    rule: str
    file: str
    reason: str
    count: int = 1


@dataclass(frozen=True)
class _Seen:
    """What is kept of a sample: its look, if its image can be read, its truth, if that can be, and
    what was found.
    """

    look: Look | None
    truth: Answer | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Checked:
    """What was looked at, and what was found: its format, how many samples it has, the findings."""

    format: str
    samples: int
    findings: tuple[Finding, ...]


def check(
    path: str,
    split: str,
    kind: type[Answer],
    on_sample: Callable[[int, int], None] = lambda done, total: None,
    *,
    format: str = "",
) -> Checked:
    """Read every truth and decode every image of a split; compare it with itself and with the
    splits it must not meet.

    Args:
        path, split, kind, format: as for `open_source`.
        on_sample: hears how many images of how many have been looked at.

    Raises:
        DataError: nothing is there, its layout is not known, the split does not exist, or its list
            cannot be read.
    """
    complaints: list[CVTasksError] = []
    source = open_source(path, split, kind, complaints.append, format=format)
    others, unopened = _others(path, source.split, kind, format)
    with readable(path):
        found = tuple(_findings(source, split, others, complaints, on_sample))
    return Checked(source.format, len(source), (*found, *unopened))


def _findings(
    source: Source,
    split: str,
    others: dict[str, Source],
    complaints: list[CVTasksError],
    on_sample: Callable[[int, int], None],
) -> Iterator[Finding]:
    """All that is found, in the order in which it is looked for."""
    total = sum(map(len, (source, *others.values())))
    for error in [*complaints, *source.orphans()]:
        level: Level = (
            "warning" if error.rule.endswith(("without image", "without annotation")) else "error"
        )
        yield Finding(level, error.rule or "unusable", "", str(error), error.count)
    yield from (Finding("note", "settled for the whole split", "", note) for note in source.notes)
    looks: list[Look] = []
    truths: list[Answer] = []
    with ThreadPoolExecutor(2) as pool:
        for number, seen in enumerate(
            pool.map(lambda index: _see(source, index), range(len(source))), start=1
        ):
            yield from seen.findings
            looks += [seen.look] if seen.look else []
            truths += [seen.truth] if seen.truth is not None else []
            on_sample(number, total)
        for one, other in twins(looks, looks):
            how = "the same file" if one.digest == other.digest else "the same image by its look"
            yield Finding(
                "warning", "image twice", one.name, f"{one.name!r} and {other.name!r} are {how}."
            )
        done = len(source)
        for name, opened in others.items():
            theirs = pool.map(lambda index, o=opened: _look(o, index), range(len(opened)))
            found = [look for look in theirs if look]
            done += len(opened)
            on_sample(done, total)
            yield from _in_both(looks, split, found, name, len(opened) - len(found))
    if source.taken_for:
        yield Finding("note", "classes not listed", "", source.taken_for)
    yield from _alike(source.classes)
    if truths:
        yield from _balance(source.kind.statistics(truths, source.classes))


def _in_both(
    looks: list[Look], split: str, theirs: list[Look], name: str, unread: int
) -> Iterator[Finding]:
    """Images of a split that are also in the split `name`, of which so many could not be read."""
    if unread:
        reason = f"images of {name!r} cannot be read and were not compared. Check that split too."
        yield Finding("note", "split not compared", "", reason, unread)
    for one, other in twins(looks, theirs):
        same = one.digest == other.digest
        how = "the same file" if same else "the same by its look"
        reason = (
            f"no image may be in two splits; {one.name!r} of {split!r} and {other.name!r} of "
            f"{name!r} are {how}."
        )
        yield Finding("error" if same else "warning", "image in two splits", one.name, reason)


def _others(
    path: str, split: str, kind: type[Answer], format: str
) -> tuple[dict[str, Source], list[Finding]]:
    """The splits that must not share images with this one, where they exist, and a note for each
    that cannot be opened.
    """
    found, unopened = {}, []
    for name in _AGAINST.get("val" if split.casefold() in VALIDATION else split.casefold(), ()):
        try:
            found[name] = open_source(path, name, kind, lambda error: None, format=format)
        except DataError as error:
            if error.rule != "split unknown":
                unopened.append(Finding("note", "split not compared", "", str(error)))
    return found, unopened


def _see(source: Source, index: int) -> _Seen:
    """Look at one sample."""
    findings = []
    for error in source.faults(index):
        rule = error.rule or (
            "image cannot be read" if error.exit_code == 3 else "truth cannot be read"
        )
        findings.append(Finding("error", rule, _name(source, index), str(error)))
    look, truth = None, None
    remarks: list[str] = []
    broken = any(finding.rule == "image cannot be read" for finding in findings)
    try:
        look = (
            None
            if broken
            else look_at(*_image(source, index, remarks.append), _name(source, index))
        )
        findings += [
            Finding("note", "changed in reading an image", _name(source, index), remark)
            for remark in remarks
        ]
    except CVTasksError as error:
        findings.append(Finding("error", "image cannot be read", _name(source, index), str(error)))
    try:
        truth = source.truth(index)
    except CVTasksError:  # a fault, which has been told
        return _Seen(look, None, tuple(findings))
    for remark, count in Counter(source.remarks_of(index)).items():
        findings.append(
            Finding(
                *("warning", _SURE[remark]) if remark in _SURE else ("note", remark),
                _name(source, index),
                remark,
                count,
            )
        )
    if look is not None:
        findings += _suspicions(look)
    return _Seen(look, truth, (*findings, *_odd(truth, _name(source, index))))


def _look(source: Source, index: int) -> Look | None:
    try:
        return look_at(*_image(source, index), _name(source, index))
    except CVTasksError:
        return None


def _image(
    source: Source, index: int, remark: Callable[[str], None] = lambda text: None
) -> tuple[bytes, np.ndarray]:
    """The bytes of an image as it is stored, and its pixels."""
    if not source.files:
        image = source[index].image
        return image.tobytes(), image
    name = repr(str(source.files[index]))
    content = read_regular_file(source.files[index], name, most=8 * MAX_PIXELS)
    return content, read_image(content, name=str(source.files[index]), remark=remark)


def _name(source: Source, index: int) -> str:
    return str(source.files[index]) if source.files else f"sample {index}"


def _suspicions(look: Look) -> Iterator[Finding]:
    """What is odd about an image that can be read."""
    height, width = look.size
    if min(height, width) < _TINY or max(height, width) > _LONG * min(height, width):
        yield Finding(
            "warning",
            "odd size",
            look.name,
            f"images have sides of usual lengths; this one is {width} x {height}.",
        )
    if look.plain:
        yield Finding(
            "warning",
            "one colour",
            look.name,
            "an image shows something; all pixels of this one are the same.",
        )


def _odd(truth: Answer, name: str) -> Iterator[Finding]:
    """What is odd about a truth that can be used."""
    for odd in truth.oddities():
        yield Finding("warning" if odd.mistake else "note", odd.rule, name, odd.reason, odd.count)
    if truth.empty:
        yield Finding(
            "note", "empty", name, "nothing is to be found in it; it teaches what is background."
        )


def _alike(classes: tuple[str, ...]) -> Iterator[Finding]:
    """Names that differ in case, spaces and signs alone."""
    plain: dict[str, str] = {}
    for name in classes:
        key = "".join(letter for letter in name.casefold() if letter.isalnum())
        if key and key in plain:
            yield Finding(
                "warning",
                "classes alike",
                "",
                f'"{plain[key]}" and "{name}" are two classes. Are they meant to be one?',
            )
        plain.setdefault(key, name)


def _balance(rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """How often each class comes, by the `statistics` of truths."""
    counts = {row["class"]: row.get("objects", row["images"]) for row in rows}
    yield from (
        Finding("note", "class without truth", "", f'no sample that can be used shows "{name}".')
        for name, count in counts.items()
        if not count
    )
    shown = [(count, name) for name, count in counts.items() if count]
    if shown and max(shown)[0] > 10 * min(shown)[0]:
        (most, common), (least, rare) = max(shown), min(shown)
        yield Finding(
            "note", "balance", "", f'"{common}" comes {most} times, "{rare}" {least} times.'
        )
