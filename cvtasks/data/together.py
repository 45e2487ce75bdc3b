"""Images that must not lie on two sides of a split: copies, near-copies, frames of one scene, and
what the user's own groups hold together.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from cvtasks.data.alike import Groups, Look, frames_of_one_scene, join_copies, look_at
from cvtasks.data.formats.listed import Names
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError, DataError, UsageError
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.tables import IMAGE_COLUMNS, plain_name, table_lines
from cvtasks.media.file_types import SUFFIXES, UNREAD
from cvtasks.media.reduced import read_reduced
from cvtasks.media.safe_paths import read_regular_file
from cvtasks.text import counted

_MOST_COMPARED = 1000 * MEGABYTE  # bytes that are read to find copies
_MOST_LOOKED_AT = 2000 * MEGABYTE  # bytes of files that are decoded to find near-copies
_SIDE = 32  # pixels of the shorter side that are enough for a look
_TOO_LARGE = 1.5  # times what is to be set aside


@dataclass(frozen=True)
class Together:
    """What stays together.

    Attributes:
        groups: indices of samples, every one in one group; the groups and what is in them in the
            order of names.
        copies, copied: groups of copies and near-copies, and how many images are in them.
        scenes, frames: groups of frames that follow each other, and how many images are in them.
        divided: groups that were larger than the side they would have to fit, and were divided in
            the order of names.
        unseen: whether there was too much to look at, so that near-copies were not looked for.
    """

    groups: tuple[tuple[int, ...], ...]
    copies: int = 0
    copied: int = 0
    scenes: int = 0
    frames: int = 0
    divided: int = 0
    unseen: bool = False

    @property
    def said(self) -> str:
        """In words; empty where there is nothing to say."""
        return ", ".join(self.told)

    @property
    def told(self) -> list[str]:
        """In words, a thing at a time."""
        found = [
            (
                self.copies,
                f"{counted(self.copies, 'group')} of near-copies ({counted(self.copied, 'image')})",
            ),
            (self.scenes, f"{counted(self.scenes, 'scene')} ({counted(self.frames, 'frame')})"),
        ]
        words = " and ".join(text for count, text in found if count)
        said = [f"{words} kept together"] if words else []
        if self.divided:
            said.append(f"{self.divided} of them too large for that, divided in order of names")
        if self.unseen:
            said.append("too many bytes to look for near-copies")
        return said


def kept_together(
    source: Source, share: float, keys: Sequence[str | None] | None = None
) -> Together:
    """Which samples stay together where `share` of them, and as much at least of the rest, is to be
    set aside.

    Files with the same bytes always do, and what has the same key. Near-copies and scenes that are
    half as many again as is to be set aside are divided in the order of names, so that the images
    of a camera that never moves can be split at all.

    Args:
        keys: for each sample the group it belongs to, or None for none.
    """
    order = sorted(range(len(source)), key=source.name)
    names = [source.name(index) for index in order]
    whole = Groups(len(order))
    own = keys or [None] * len(order)
    for copies in (_copies(source), own):
        places: dict[object, int] = {}
        for place, index in enumerate(order):
            if copies[index] is not None:
                whole.join(places.setdefault(copies[index], place), place)
    atoms = whole.lists()
    looks = _looks(source, order)
    joined = Groups(len(order))
    for atom in atoms:
        for place in atom[1:]:
            joined.join(atom[0], place)
    join_copies(joined, looks or [])
    alone = joined.lists()
    for frame, following in frames_of_one_scene(names, looks) if looks else ():
        joined.join(frame, following)
    groups = joined.lists()
    scenes = {tuple(group) for group in groups} - {tuple(group) for group in alone}
    atom_of = {place: atom for atom in atoms for place in atom}
    keyed = {place for place, index in enumerate(order) if own[index] is not None}
    copied = [
        group
        for group in groups
        if len(group) > (len(atom_of[group[0]]) if group[0] in keyed else 1)
        and tuple(group) not in scenes
    ]
    aside = min(share, 1 - share) * len(order)
    parts = [_divided(group, atom_of, aside) for group in groups]
    return Together(
        tuple(tuple(order[place] for place in part) for part in chain.from_iterable(parts)),
        len(copied),
        sum(map(len, copied)),
        len(scenes),
        sum(map(len, scenes)),
        sum(len(part) > 1 for part in parts),
        looks is None,
    )


def keys_by_pattern(source: Source, pattern: str) -> list[str | None]:
    """For each sample what a regular expression finds in its name: the first of its groups that
    took part if it has any, else all that it matches; None where it finds nothing.

    Raises:
        UsageError: it is no regular expression, or matches no name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"groups are found by a regular expression; {pattern!r} is none: {error}. Example: "
            r"'^(video\d+)'"
        ) from error
    found = [compiled.search(source.name(index)) for index in range(len(source))]
    if not any(found):
        raise UsageError(
            f"groups are found in the names of samples, such as {source.name(0)!r}; {pattern!r} "
            f"matches none of {len(source)}. Correct it."
        )
    return [_key(match) if match else None for match in found]


def _key(match: re.Match[str]) -> str | None:
    """The first group that took part, or all of a match without groups."""
    groups: tuple[str | None, ...] = match.groups() if match.re.groups else (match[0],)
    return next((group for group in groups if group is not None), None)


@dataclass(frozen=True)
class Keys:
    """What a file of groups says.

    Attributes:
        groups: for each sample its group, or None for none.
        strange: how many lines name no sample, or none alone.
        first: the first of these, in words; empty without one.
        heading: the first line, where it is taken for a heading; empty where there is none.
    """

    groups: list[str | None]
    strange: int = 0
    first: str = ""
    heading: str = ""


def keys_from_csv(source: Source, path: Path) -> Keys:
    """The groups of samples by a CSV file of name and group. Blanks around both do not count, and
    an empty group is none.

    A first line that names no sample is a heading where its first cell is called like a column of
    images, or where it does not end like an image and its second cell is no other line's; else it
    is a line like any other, of which a mistake is counted.

    Raises:
        DataError: it cannot be read, a line has not two values, a sample is in two groups, or no
            line names a sample.
    """
    rows, names = _pairs(path), Names.of(source)
    found: list[str | None] = [None] * len(source)
    heading = rows[0] if rows and _is_heading(rows, names) else None
    strange = []
    for number, name, group in rows[heading is not None :]:
        index = names.find(name)
        if index is None:
            strange.append(f"{name!r} in line {number}")
            continue
        if found[index] not in (None, group):
            raise DataError(
                f"an image belongs to one group; {str(path)!r} gives {name!r} the groups "
                f"{found[index]!r} and {group!r}. Correct it."
            )
        found[index] = group or None
    if all(key is None for key in found):
        raise DataError(
            f"the file of groups must name images of the data, such as {source.name(0)!r}; "
            f"{str(path)!r} names none. Write lines NAME,GROUP."
        )
    said = ",".join(heading[1:]) if heading else ""
    return Keys(found, len(strange), next(iter(strange), ""), said)


def _pairs(path: Path) -> list[tuple[int, str, str]]:
    """The lines of a file of groups that are not blank: number, name and group."""
    lines, sign, before = table_lines(read_text(path, 100 * MEGABYTE).splitlines())
    table, rows = csv.reader(lines, delimiter=sign), []
    for row in table:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != 2:
            raise DataError(
                "a line of groups is the name of an image and its group, NAME,GROUP; line "
                f"{table.line_num + before} of {str(path)!r} has {counted(len(row), 'value')}. "
                "Correct it."
            )
        rows.append((table.line_num + before, row[0], row[1].strip()))
    return rows


def _is_heading(rows: Sequence[tuple[int, str, str]], names: Names) -> bool:
    """Whether the first line of a file of groups is none of an image."""
    (_, name, group), *others = rows
    if names.find(name) is not None or names.means_several(name):
        return False
    if plain_name(name) in IMAGE_COLUMNS:
        return True
    is_file = name.strip().casefold().endswith((*SUFFIXES, *UNREAD))
    return not is_file and all(group != other for *_, other in others)


def _divided(group: list[int], atom_of: dict[int, list[int]], aside: float) -> list[list[int]]:
    """A group, or where it is too large beside what is set aside, so many images, runs of its
    atoms, which stay whole, in their order.
    """
    if len(group) <= max(_TOO_LARGE * aside, 2):
        return [group]
    largest = max(round(aside / 3), 1)
    parts: list[list[int]] = [[]]
    for place in group:
        atom = atom_of[place]
        if atom[0] != place:
            continue
        if parts[-1] and len(parts[-1]) + len(atom) > largest:
            parts.append([])
        parts[-1] += atom
    return [sorted(part) for part in parts]


def _looks(source: Source, order: Sequence[int]) -> list[Look | None] | None:
    """The looks of samples, None for one that cannot be read; empty where images are no files, and
    None where their files are too many bytes.
    """
    if not source.files:
        return []
    if sum(source.files[index].stat().st_size for index in order) > _MOST_LOOKED_AT:
        return None

    def look(index: int) -> Look | None:
        path = source.files[index]
        try:
            content = read_regular_file(path, repr(str(path)), most=_MOST_LOOKED_AT)
            image, size = read_reduced(content, _SIDE, name=str(path))
        except CVTasksError:  # a fault, which whoever checks the data is told
            return None
        return look_at(content, image, source.name(index), size)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(look, order))


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
