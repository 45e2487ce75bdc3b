"""What was found in data, and what to do about each cause."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

IN_TWO, SCENE = "image in two splits", "scene in two splits"
_EXAMPLES = 3


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
        split: the split it was found in; empty where the data have one alone.
        against: the other split, of what is in two.
    """

    level: Level
    rule: str
    file: str
    reason: str
    count: int = 1
    split: str = ""
    against: str = ""


@dataclass(frozen=True)
class Cause:
    """All findings of one kind.

    Attributes:
        level, rule: theirs.
        where: the splits they are in, in words.
        count: how many things they stand for.
        examples: up to three files, or, where they are about none, up to three reasons.
        first: the reason of the first; empty where rule and remedy say it all, or the examples do.
        remedy: what to do about it; empty where there is nothing to do.
    """

    level: Level
    rule: str
    where: str
    count: int
    examples: tuple[str, ...]
    in_files: bool
    remedy: str
    first: str = ""


def causes(findings: Sequence[Finding]) -> list[Cause]:
    """The findings by their causes: errors first, then in the order in which they were found."""
    kinds = dict.fromkeys(
        (one.level, one.rule, one.against)
        for level in LEVELS
        for one in findings
        if one.level == level
    )
    found = []
    for level, rule, against in kinds:
        own = [f for f in findings if (f.level, f.rule, f.against) == (level, rule, against)]
        files = list(dict.fromkeys(one.file for one in own if one.file))
        reasons = list(dict.fromkeys(one.reason for one in own if not one.file))
        found.append(
            Cause(
                level,
                rule,
                _where(own, against),
                sum(one.count for one in own),
                tuple((files or reasons)[:_EXAMPLES]),
                bool(files),
                REMEDIES.get(rule, _USUAL[level]),
                own[0].reason if files and level == "error" and rule not in _SAID else "",
            )
        )
    return found


def _where(findings: Sequence[Finding], against: str) -> str:
    """In which splits findings are: `of train`, or `of train 3, val 1`."""
    counts = Counter[str]()
    for one in findings:
        counts[one.split] += one.count
    counts.pop("", None)
    if not counts:
        return ""
    several = ", ".join(f"{split} {count}" for split, count in counts.items())
    where = f"of {next(iter(counts))}" if len(counts) == 1 else f"of {several}"
    if not against:
        return where
    rule, level = findings[0].rule, findings[0].level
    copies = "copies" if level == "error" else "near-copies"
    how = "frames beside images in" if rule == SCENE else f"{copies} of images in"
    return f"{where}, {how} {against}"


_USUAL: dict[Level, str] = {
    "error": "correct them; `data.faulty=drop` trains without them",
    "warning": "look at them",
    "note": "",
}
_DEAL_OUT = "split anew, `cvtasks data split` keeps them together; or take them off one"
REMEDIES = {
    IN_TWO: _DEAL_OUT,
    SCENE: _DEAL_OUT,
    "image in two lists": _DEAL_OUT,
    "image twice": "take the copies out",
    "near-copies": "none in training; they count several times in a score",
    "image missing": "bring the images back, or take their names off the list",
    "annotation missing": "add the annotations, or take the names off the list",
    "annotation without image": "add the images, or remove the annotations",
    "image without annotation": "annotate them, or remove them",
    "image cannot be read": "copy these files again, or remove them",
    "class unknown": "rename these objects, or add the class to the list of classes",
    "classes alike": "make one class of both, if they are one",
    "class in one image": "add images of it, or leave the class out: `classes`",
    "class absent": "split anew by class: `cvtasks data split`; no score measures it so",
    "class without truth": "leave the class out (`classes`), or add images of it",
    "balance": "see `cvtasks data stats`; add images of the rare classes",
    "tiny objects": "train at a larger size (`size`), or on tiles of the images",
    "boxes alike": "leave one of both classes on each object",
    "masks alike": "leave one of both, or draw each of its object alone",
    "mask empty": "draw these masks again, or remove the objects",
    "one-pixel mask": "draw these masks again, or remove the objects",
    "mask outside its box": "look whether box and mask are of one object; the mask counts",
    "one pixel": "draw these boxes again, or remove them",
    "long box": "look whether they are meant so",
    "odd size": "look whether they are meant so",
    "one colour": "look whether these images are whole",
    "nothing to learn": "check that labels and images belong together (names, folders)",
    "labels of other images": "give labels and images the same names",
    "list names no image": "take these lines out of the list, or bring the images back",
    "list empty": "write names into it, or remove it",
    "split empty": "bring its images, or remove it",
    "split cannot be opened": "correct its list or its file",
    "size differs": "export the annotations anew for these images",
    "names another image": "look whether these annotations belong to their images",
    "counted from 0": "export as Pascal VOC counts, from 1",
}
"""Rule → what to do about it."""

_SAID = REMEDIES.keys() - {"class unknown"}  # which class is unknown, the first reason says
