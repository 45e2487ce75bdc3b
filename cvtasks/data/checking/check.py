"""What in a data set could spoil a training or its score, found without changing a file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from cvtasks.answers import Answer
from cvtasks.data import open_source, splits_of
from cvtasks.data.alike import Look
from cvtasks.data.checking.balance import absent, alike, balance, tiny
from cvtasks.data.checking.finding import LEVELS, Cause, Finding, Level, causes
from cvtasks.data.checking.leaks import between, in_order, opposed, role_of, within
from cvtasks.data.checking.sample import Seen, file_of, look_alone, see
from cvtasks.data.hints import Hints
from cvtasks.data.source import EMPTY, Source
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.reading import readable
from cvtasks.text import agreeing, counted

__all__ = ["LEVELS", "Cause", "Checked", "Finding", "Level", "causes", "check"]

_SIZE = 320
OnSample = Callable[[int, int], None]


@dataclass(frozen=True)
class Checked:
    """What was looked at, and what was found.

    Attributes:
        format: the data's.
        samples: of all splits that were looked at, images that are in several of them once.
        findings: what was found.
        splits: each split that was looked at, with its number of images.
    """

    format: str
    samples: int
    findings: tuple[Finding, ...]
    splits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Split:
    """A split that was opened: its name, its samples, what was complained about."""

    name: str
    source: Source
    complaints: tuple[CVTasksError, ...]


def check(
    path: str,
    split: str,
    kind: type[Answer],
    on_sample: OnSample = lambda done, total: None,
    *,
    format: str = "",
    lists: str = "",
    hints: Hints | None = None,
    size: int = _SIZE,
) -> Checked:
    """Read every truth and decode every image of a split, or of all; compare each with itself and
    with the splits it must not meet.

    Args:
        path, split, kind, format, lists, hints: as for `open_source`; without a split all are
            looked at.
        on_sample: hears how many images of how many have been looked at.
        size: side of the network's input in pixels, by which objects are tiny.

    Raises:
        DataError: nothing is there, its layout is not known, the split does not exist, or no list
            can be read.
    """
    how: dict[str, Any] = {"format": format, "lists": lists, "hints": hints}
    known = splits_of(path, kind, **how)

    def opens(name: str, complain: Callable[[CVTasksError], None]) -> Source:
        return open_source(path, name, kind, complain, **how)

    wanted = in_order(known) if not split and len(known) > 1 else [split]
    opened, unopened = _opened(wanted, opens)
    if not opened:
        raise unopened[0][1]
    found = [_unopened(name, error) for name, error in unopened]
    others = _others(opened[0], known, opens, found) if len(wanted) == 1 else []
    with readable(path):
        looked = _LookedAt(opened, others, size, on_sample)
        found += looked.findings()
    if len(opened) == 1 and len(known) == 1:
        found = [replace(one, split="") for one in found]
    return Checked(
        opened[0].source.format,
        looked.total,
        tuple(dict.fromkeys(found)),
        {one.name: len(one.source) for one in opened},
    )


Opens = Callable[[str, Callable[[CVTasksError], None]], Source]


def _opened(names: Iterable[str], opens: Opens) -> tuple[list[_Split], list[tuple[str, DataError]]]:
    """The splits of these names that can be opened, and why others cannot."""
    opened, unopened = [], []
    for name in names:
        complaints: list[CVTasksError] = []
        try:
            source = opens(name, complaints.append)
            opened.append(_Split(source.split or name, source, tuple(complaints)))
        except DataError as error:
            unopened.append((name, error))
    return opened, unopened


def _unopened(name: str, error: DataError) -> Finding:
    """That a split cannot be opened; nothing is learned from an empty one to test on, so that it
    is no error.
    """
    idle = error.rule == EMPTY and role_of(name)[0] == "test"
    level: Level = "warning" if idle else "error"
    return Finding(level, error.rule or "split cannot be opened", "", str(error), split=name)


def _others(one: _Split, known: Iterable[str], opens: Opens, found: list[Finding]) -> list[_Split]:
    """The splits that must not share images with this one; a note is added to `found` for each
    that cannot be opened.
    """
    names = [name for name in known if opposed(one.name, name)]
    opened, unopened = _opened(names, opens)
    found += [Finding("note", "split not compared", "", str(error)) for _, error in unopened]
    return opened


class _LookedAt:
    """Splits, every sample of theirs looked at once.

    Args:
        others: splits that are compared, and nothing else. size: see `check`.
    """

    def __init__(
        self, splits: list[_Split], others: list[_Split], size: int, on_sample: OnSample
    ) -> None:
        self._splits, self._others, self._size = splits, others, size
        files = {
            (path or (one.name, index))
            for one in (*splits, *others)
            for index, path in enumerate(one.source.files or [None] * len(one.source))
        }
        self._all, self._done, self._on_sample = len(files), 0, on_sample
        self._seen: dict[Any, Seen] = {}
        self._looks: dict[str, list[tuple[str, Look]]] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}

    @property
    def total(self) -> int:
        """How many samples there are, those of the others left out."""
        return len(self._seen)

    def findings(self) -> Iterator[Finding]:
        """All that is found, in the order in which it is looked for."""
        told = set[str]()
        with ThreadPoolExecutor(2) as pool:
            for one in self._splits:
                for error in (*one.complaints, *one.source.orphans()):
                    if str(error) not in told:
                        told.add(str(error))
                        yield _complaint(one.name, error)
                for note in one.source.notes:
                    if note not in told:
                        told.add(note)
                        yield Finding("note", "settled for the whole split", "", note)
                yield from (replace(f, split=f.split or one.name) for f in self._of(one, pool))
            yield from self._compared(pool)
        first = self._splits[0]
        if first.source.taken_for:
            yield Finding("note", "classes not listed", "", first.source.taken_for)
        yield from alike(first.source.classes)
        if self._seen and all(one.empty for one in self._seen.values()):
            yield from self._nothing()

    def _of(self, one: _Split, pool: ThreadPoolExecutor) -> Iterator[Finding]:
        """What is found in the samples of a split that no other has shown, and in it as a whole."""
        source, keys = one.source, _keys(one)
        fresh = [index for index, key in enumerate(keys) if key not in self._seen]
        for index, seen in zip(
            fresh,
            pool.map(lambda index: see(source, index, self._size), fresh),
            strict=True,
        ):
            self._seen[keys[index]] = seen
            yield from seen.findings
            self._tick()
        every = [self._seen[key] for key in keys]
        self._looks[one.name] = [(seen.name, seen.look) for seen in every if seen.look]
        if not fresh:  # a list of images that others have: all about them was said
            return
        yield from within(self._looks[one.name])
        files = {place: file_of(source, place) for place in range(len(every))}
        yield from tiny(every, self._size, files)
        usable = [index for index, seen in enumerate(every) if seen.empty is not None]
        if usable:
            truths = _truths(source, {index: every[index].truth for index in usable})
            rows = self._rows[one.name] = source.kind.statistics(truths, source.classes)
            learned = next((r for name, r in self._rows.items() if opposed(name, one.name)), None)
            if learned is not None and role_of(one.name)[0] in ("val", "test"):
                yield from absent(learned, rows, one.name)
            else:
                yield from balance(rows)

    def _compared(self, pool: ThreadPoolExecutor) -> Iterator[Finding]:
        """What two splits share."""
        for other in self._others:
            source = other.source
            found = [
                (source.name(index), look)
                for index, look in enumerate(
                    pool.map(lambda index, of=source: look_alone(of, index), range(len(source)))
                )
                if look
            ]
            self._tick(len(source))
            if len(found) < len(source):
                reason = (
                    f"images of {other.name!r} cannot be read and were not compared. Check that "
                    "split too."
                )
                count = len(source) - len(found)
                yield Finding("note", "split not compared", "", reason, count)
            (one,) = self._splits
            yield from between(self._looks[one.name], one.name, found, other.name)
        for place, later in enumerate(self._splits):
            for earlier in self._splits[:place]:
                if opposed(later.name, earlier.name):
                    ours, theirs = self._looks[later.name], self._looks[earlier.name]
                    yield from between(ours, later.name, theirs, earlier.name)

    def _nothing(self) -> Iterator[Finding]:
        """That no truth shows anything, and whether that is because labels are of other images."""
        source = self._splits[0].source
        level: Level = "warning" if source.kind.ground(source.classes) else "error"
        lonely = sum(error.count for one in self._splits for error in one.source.orphans())
        if lonely:
            reason = (
                f"labels must belong to images; none of {counted(self.total, 'image')} has one, "
                f"and of {lonely} no other has the name."
            )
            yield Finding(level, "labels of other images", "", reason)
        else:
            reason = (
                f"some image must show one of the classes; {counted(self.total, 'image')} "
                f"{agreeing(self.total, 'shows', 'show')} none."
            )
            yield Finding(level, "nothing to learn", "", reason)

    def _tick(self, count: int = 1) -> None:
        self._done += count
        self._on_sample(self._done, self._all)


def _truths(source: Source, kept: Mapping[int, Answer | None]) -> Iterator[Answer]:
    """The truths of samples; those that were not kept are read again, if they still can be."""
    for index, truth in kept.items():
        with suppress(CVTasksError):
            yield source.truth(index) if truth is None else truth


def _complaint(split: str, error: CVTasksError) -> Finding:
    lonely = error.rule.endswith(("without image", "without annotation"))
    level: Level = "warning" if lonely else "error"
    return Finding(level, error.rule or "unusable", "", str(error), error.count, split)


def _keys(one: _Split) -> list[Any]:
    """What each sample of a split is known by: its file, where it has one."""
    return list(one.source.files) or [(one.name, index) for index in range(len(one.source))]
