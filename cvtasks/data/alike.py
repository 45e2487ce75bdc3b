"""The same image twice: by its bytes, and by its look after it was compressed, resized or
recoloured a little; and frames of one scene.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

FAR, NEAR = 6, 6.0
"""Bits of 64 in which the hashes of two copies may differ, and levels of 255 by which their pixels
may on average (`benchmarks/twins.py`).
"""
SCENE_FAR, SCENE_NEAR = 16, 20.0
"""The same of two frames that follow each other by their names."""

_CONTRAST = 10.0  # levels: what has less looks like anything
_LEAST = 64  # pixels of the shorter side: smaller images are compared by their bytes alone
_COMPARED = 200_000  # pairs of hashes at a time
_MANY = 10_000  # pairs that are alike at a time: of so many, most are joined already
_RUNNING = re.compile(r"(.*?)(\d{1,18})(\D*)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Look:
    """What an image is recognised by.

    Attributes:
        name: what it is called.
        size: (height, width) in pixels.
        digest: of its bytes.
        bits: uint64, whether each of 8 × 8 places is brighter than the one left of it (the
            difference hash of N. Krawetz, "Kind of Like That", 2013).
        small: (8, 8, 3) uint8, the image at that size.
        plain: whether all its pixels are the same.
    """

    name: str
    size: tuple[int, int]
    digest: bytes
    bits: np.uint64
    small: np.ndarray
    plain: bool

    @property
    def telling(self) -> bool:
        """Whether its look says which image it is."""
        return min(self.size) >= _LEAST and float(self.small.std()) >= _CONTRAST


def look_at(
    content: bytes, image: np.ndarray, name: str, size: tuple[int, int] | None = None
) -> Look:
    """The look of an image (h, w, 3) uint8 that is stored as `content`.

    Args:
        size: (height, width) of the image where what is given was made smaller.
    """
    wide = cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY).astype(np.int16)
    bits = np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)[0]
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA)
    plain = bool((image == image[0, 0]).all())
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return Look(name, size or image.shape[:2], digest, bits, small, plain)


class Groups:
    """Numbers from 0 that are joined to groups (union and find, Tarjan 1975)."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def of(self, number: int) -> int:
        """The least number of its group."""
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def join(self, one: int, other: int) -> bool:
        """Make one group of the groups of both; whether they were two."""
        least, most = sorted((self.of(one), self.of(other)))
        self._parents[most] = least
        return least != most

    def lists(self) -> list[list[int]]:
        """All groups, by their least numbers, each rising."""
        found: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            found.setdefault(self.of(number), []).append(number)
        return list(found.values())


def join_copies(groups: Groups, looks: Sequence[Look | None]) -> None:
    """Join the numbers of images that are the same, by bytes or by look; None is like nothing."""
    stored: dict[bytes, int] = {}
    for number, look in enumerate(looks):
        if look:
            groups.join(stored.setdefault(look.digest, number), number)
    known = [number for number, look in enumerate(looks) if look and look.telling]
    for rows, columns in _alike([look for look in looks if look and look.telling]):
        if len(rows) > _MANY:
            places = np.array([groups.of(number) for number in known])
            two = places[rows] != places[columns]
            rows, columns = rows[two], columns[two]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            groups.join(known[row], known[column])


def frames_of_one_scene(
    names: Sequence[str], looks: Sequence[Look | None]
) -> Iterator[tuple[int, int]]:
    """Pairs of images whose names follow each other by a running number, and that look like frames
    of one scene; None is like nothing.
    """
    for number, following in consecutive(names):
        one, other = looks[number], looks[following]
        if one and other and one.telling and other.telling:
            far = int(np.bitwise_count(one.bits ^ other.bits))
            if far <= SCENE_FAR and apart(one.small, other.small)[0] <= SCENE_NEAR:
                yield number, following


def consecutive(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of indices of names that follow each other: the same but for their last number.

    >>> list(consecutive(["a_7", "b_8", "a_10", "a_9"]))
    [(0, 3), (3, 2)]
    """
    sequences: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for index, name in enumerate(names):
        found = _RUNNING.fullmatch(name)
        if found:
            sequences.setdefault((found[1], found[3]), []).append((int(found[2]), index))
    for frames in sequences.values():
        ordered = [index for _, index in sorted(frames)]
        yield from pairwise(ordered)


def nearest_copies(ours: Sequence[Look], theirs: Sequence[Look]) -> list[tuple[Look, Look]]:
    """For each of our images that is also among theirs, the first of them that is the same: by
    bytes if there is one, else by look.
    """
    places: dict[bytes, Look] = {}
    for look in theirs:
        places.setdefault(look.digest, look)
    mine = [look for look in ours if look.telling]
    others = [look for look in theirs if look.telling]
    first: dict[int, Look] = {}
    for rows, columns in _alike(mine, others):
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            first.setdefault(id(mine[row]), others[column])
    pairs = ((look, places.get(look.digest) or first.get(id(look))) for look in ours)
    return [(look, other) for look, other in pairs if other]


def _alike(
    ours: Sequence[Look], theirs: Sequence[Look] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of ours and of theirs that look the same, block by block; of ours alone without
    theirs, each pair once, the lesser index first.
    """
    others = ours if theirs is None else theirs
    if not ours or not others:
        return
    bits, all_bits = (np.array([look.bits for look in some], np.uint64) for some in (ours, others))
    small, all_small = (np.stack([look.small for look in some]) for some in (ours, others))
    step = max(1, _COMPARED // len(others))
    for start in range(0, len(ours), step):
        first = start if theirs is None else 0
        near = np.bitwise_count(bits[start : start + step, None] ^ all_bits[first:]) <= FAR
        rows, columns = np.nonzero(np.triu(near, 1) if theirs is None else near)
        rows, columns = rows + start, columns + first
        same = apart(small[rows], all_small[columns]) <= NEAR
        yield rows[same], columns[same]


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """By how many levels small images differ on average: uint8 (n, 192), or one of any shape."""
    distance = np.abs(one.astype(np.int16) - other)
    return distance.reshape(-1, 192).mean(axis=1)
