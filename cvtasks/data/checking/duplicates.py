"""The same image twice: by its bytes, and by its look after it was compressed, resized or
recoloured a little.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_FAR = 4  # bits of 64 in which the hashes of two copies may differ
_NEAR = 6.0  # levels of 255 by which the pixels of two copies may differ on average
_CONTRAST = 10.0  # levels: what has less looks like anything
_LEAST = 64  # pixels of the shorter side: smaller images are compared by their bytes alone
_BLOCK = 1024


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


def look_at(content: bytes, image: np.ndarray, name: str) -> Look:
    """The look of an image (h, w, 3) uint8 that is stored as `content`."""
    wide = cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY).astype(np.int16)
    bits = np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)[0]
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA)
    plain = bool((image == image[0, 0]).all())
    return Look(
        name, image.shape[:2], hashlib.blake2b(content, digest_size=16).digest(), bits, small, plain
    )


def twins(ours: Sequence[Look], theirs: Sequence[Look]) -> Iterator[tuple[Look, Look]]:
    """Pairs that are the same image; if both lists are one, each pair once."""
    alone = ours is theirs
    places: dict[bytes, list[int]] = {}
    for index, look in enumerate(theirs):
        places.setdefault(look.digest, []).append(index)
    for index, look in enumerate(ours):
        yield from (
            (look, theirs[place])
            for place in places.get(look.digest, ())
            if not alone or place > index
        )
    if not theirs:
        return
    bits = np.array([look.bits for look in theirs], np.uint64)
    for start in range(0, len(ours), _BLOCK):
        block = np.array([look.bits for look in ours[start : start + _BLOCK]], np.uint64)
        for row, place in np.argwhere(np.bitwise_count(block[:, None] ^ bits) <= _FAR).tolist():
            one, other = ours[start + row], theirs[place]
            if (
                (not alone or place > start + row)
                and one.digest != other.digest
                and _same(one, other)
            ):
                yield one, other


def _same(one: Look, other: Look) -> bool:
    distance = np.abs(one.small.astype(np.int16) - other.small).mean()
    return one.telling and other.telling and float(distance) <= _NEAR
