"""Labels as they stand in a cell of a table or behind an image in a list: one, several, or none."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from cvtasks.text import some

_NONE = ("", "nan")  # what an image without a label has, as pandas writes it
_ITEM = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^,\"'\[\]]+)")
_QUOTES = "'\""
_SPACES = r"\s+"
_SHOWN = 3  # cells in a note


@dataclass(frozen=True)
class Cells:
    """The labels of cells.

    Attributes:
        labels: cell → its labels. classes: those that there are, also where no label has them.
        notes: what was settled, in sentences.
    """

    labels: dict[str, tuple[str, ...]]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def labels_in(cells: Iterable[str], known: Collection[str] = (), signs: str = "") -> Cells:
    """The labels that cells hold: several have `|` between them, are a list in brackets, or have
    other signs between them where each of them is a class by itself elsewhere, or a number.

    Args:
        cells: without blanks around them.
        known: names of classes. signs: those that stand between several labels, whatever they are.

    Raises:
        ValueError: cells hold numbers of which it is not known what they mean; says which, for a
            sentence that begins with the rule.

    >>> [*labels_in(["cat|dog", "['cat', 'dog']", "nan"]).labels.values()]
    [('cat', 'dog'), ('cat', 'dog'), ()]
    >>> [*labels_in(["cat;dog", "cat", "dog", "ant;cow"]).labels.values()]
    [('cat', 'dog'), ('cat',), ('dog',), ('ant;cow',)]
    """
    counts, known = Counter(cells), frozenset(known)
    texts, notes = list(counts), list[str]()
    if missing := sum(counts[text] for text in texts if text and text.casefold() in _NONE):
        notes.append(f"labels that are called nan were taken for none: {missing}")
    texts = ["" if text.casefold() in _NONE else text for text in texts]
    labels = [_parts(text, known, signs) for text in texts]
    listed = {at for at, text in enumerate(texts) if _is_list(text)}
    if listed and all(text[:1] + text[-1:] == "[]" for text in texts if text):
        listed = {at for at, text in enumerate(texts) if text}
    for at in listed:
        labels[at] = _items(texts[at])
    if listed:
        count = sum(counts[texts[at]] for at in listed)
        notes.append(f"labels in brackets were read as lists: {count}")
    if signs and any(
        len(found) > 1 and at not in listed and "|" not in texts[at]
        for at, found in enumerate(labels)
    ):
        notes.append(f"between several labels of an image stands one of {signs + '|'!r}")
    clear = listed | {at for at, text in enumerate(texts) if signs or "|" in text}
    numbers = _numbers(labels, known)
    if numbers is not None:
        found, names = _of_numbers(numbers, texts, clear, notes)
        return Cells(dict(zip(counts, found, strict=True)), names, tuple(notes))
    for sign in (";", ",", _SPACES):
        notes += _split_where_clear(labels, known, sign)
    return Cells(dict(zip(counts, labels, strict=True)), (), tuple(notes))


def _parts(text: str, known: Collection[str], signs: str) -> tuple[str, ...]:
    """The parts of a cell between its signs, all of which mean so."""
    if not text or text in known:
        return (text,) if text else ()
    if "|" in text or not any(sign in text for sign in signs):
        return tuple(part.strip() for part in text.split("|"))
    return tuple(part for part in re.split(f"\\s*[{re.escape(signs)}]\\s*", text) if part)


def _is_list(text: str) -> bool:
    """Whether a cell is a list of quoted labels, or an empty one."""
    inner = text[1:-1].strip() if text[:1] + text[-1:] == "[]" else "-"
    return not inner or (len(inner) > 1 and inner[0] in _QUOTES and inner[-1] in _QUOTES)


def _items(text: str) -> tuple[str, ...]:
    found = ("".join(match).strip() for match in _ITEM.findall(text[1:-1]))
    return tuple(item for item in found if item)


def _numbers(
    labels: Sequence[tuple[str, ...]], known: Collection[str]
) -> list[tuple[str, ...]] | None:
    """The numbers in cells, if there are no others, and several in one; else None."""
    found = []
    for parts in labels:
        if len(parts) == 1 and parts[0] not in known:
            parts = tuple(filter(None, re.split(r"[\s,;]+", parts[0])))
        if not all(part.isdecimal() for part in parts):
            return None
        found.append(parts)
    return found if any(len(parts) > 1 for parts in found) else None


def _of_numbers(
    numbers: list[tuple[str, ...]], texts: Sequence[str], clear: Collection[int], notes: list[str]
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Numbers as labels, or one of 0 and 1 for each class, and these classes.

    Args:
        clear: places of cells whose signs say that they hold several labels.
    """
    (size, *others) = {len(parts) for parts in numbers if parts}
    marks = {part for parts in numbers for part in parts} <= {"0", "1"}
    again = any(len(set(parts)) < len(parts) for parts in numbers)
    unclear = [at for at, parts in enumerate(numbers) if parts and at not in clear]
    if not others and marks and (again or unclear) and not any("|" in text for text in texts):
        names = tuple(map(str, range(size)))
        labels = [
            tuple(name for name, mark in zip(names, parts, strict=False) if mark == "1")
            for parts in numbers
        ]
        notes.append(f"{size} numbers behind each image, 0 or 1, were read as one for each class")
        return labels, names
    if not others and unclear:
        raise ValueError(f"{size} numbers, such as {texts[unclear[0]][:80]!r}")
    if any(len(numbers[at]) > 1 for at in unclear):
        notes.append("numbers beside each other were read as several labels of an image")
    return numbers, ()


def _split_where_clear(
    labels: list[tuple[str, ...]], known: Collection[str], sign: str
) -> list[str]:
    """Part the single labels that hold a sign, where each part is a label by itself; of blanks,
    which stand in names too, all or none. What was parted, and what was not, is told.
    """
    holds: Callable[[str], object] = re.compile(sign).search
    single = {parts[0] for parts in labels if len(parts) == 1}
    alone = {label for label in single if not holds(label)}.union(known)
    alone |= {label for parts in labels if len(parts) > 1 for label in parts}
    found = sorted(label for label in single if holds(label) and label not in known)
    parted = {label: tuple(part.strip() for part in re.split(sign, label)) for label in found}
    clear = {
        label: parts
        for label, parts in parted.items()
        if alone.issuperset(parts) and len(set(parts)) == len(parts)
    }
    if sign == _SPACES and len(clear) < len(parted):
        return []
    for at, parts in enumerate(labels):
        if len(parts) == 1 and parts[0] in clear:
            labels[at] = clear[parts[0]]
    between = "a blank" if sign == _SPACES else repr(sign)
    notes = []
    if clear:
        notes.append(
            f"labels with {between} between them, each of which is a class by itself, were taken "
            f"for several: {some(list(clear), _SHOWN)}"
        )
    if whole := [label for label in found if label not in clear]:
        notes.append(
            f"labels with {between} were taken for one class each: {some(whole, _SHOWN)}; where "
            "they are several, write | between them"
        )
    return notes
