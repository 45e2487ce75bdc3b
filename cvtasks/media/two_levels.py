"""Masks of two levels that JPEG has smeared: what they held before, as far as that can be told.

JPEG changes values within blocks of 8 × 8 pixels that have an edge in them, and leaves all others
as flat as they were. So what is neither black nor the other level is looked for where no edge can
have made it: far from edges, in regions that an edge encloses, and as a step between both levels.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

LEAST = 64
"""Grey levels that lie farther apart than JPEG's noise reaches, in a mask that is to be told."""

_BLACK = 2  # what quantisation makes of black at most, where there is nothing else
_TINTED = 8  # the most that red, green and blue of a grey differ by
_NOISE = (0.12, 4)  # times the upper level, and levels: what is as near as that is of a level
_WHITE = 247  # and above is 255
_BETWEEN = 0.2  # of the pixels, at most: borders, also of masks that were resized
_PATCH = 5  # pixels of a side: borders between two levels are narrower
_PATCHES = (4, 2e-5)  # centres of such patches that thin lines may leave: some, and of all pixels
_NEXT_TO = 0.6  # of the way from a level to the other: so far an edge's own pixels reach
_FAR = {False: 12, True: 16}  # pixels from an edge, in black and in the upper level
_STRAY = (32, 0.05)  # pixels far from edges that two compressions leave: some, and of edges'
_ENCLOSED = 3  # pixels from a border in a region that is looked at by itself
_OFF = (32, 0.015)  # pixels of such regions with another middle value: some, and of edges'
_APART = {False: 3, True: 8}  # levels by which that is another, in black and in the upper level
_STEP = 16  # levels, at most, that four pixels of one value differ by after compression
_CLEAR = 1.5  # times the reach of noise from both levels: what lies between them for certain
_STEPS = (20, 0.01)  # such fours between both levels where lines blur: some, and of edges'
_ALONE = 3  # such fours in regions without a pixel of the upper level
_RIDGE = (64, 0.2, 0.7)  # pixels in between, and of edges', of which that share is one level
_TOGETHER = 12  # levels from that level, at most


def upper_level(pixels: np.ndarray) -> int | str:
    """The level of (h, w) or (h, w, 3) uint8 beside black, 64 to 255; 0 where all is black, and in
    words what it holds where that is not black and one other level.

    Levels are two where all pixels lie near them but for borders, which are less than five pixels
    wide; where what is far from borders is flat; and where borders are no level of their own.

    >>> mask = np.zeros((32, 32), np.uint8)
    >>> mask[8:20, 8:20] = 251
    >>> upper_level(mask), upper_level(mask // 2), upper_level(0 * mask)
    (255, 125, 0)
    >>> mask[24:30, 8:16] = 120
    >>> upper_level(mask)
    'holds more levels than two'
    >>> upper_level(mask // 16)
    'holds no level brighter than 15, which is too near to black'
    """
    grey = _grey(pixels)
    if grey is None:
        return "holds colours"
    most = int(grey.max())
    if most <= _BLACK and grey.min() == most:
        return 0
    counts = cv2.calcHist([grey], [0], None, [256], (0, 256)).ravel()
    counts[:LEAST] = 0
    if not counts.any():
        brightest = _commonest(grey[grey >= (most + 1) // 2])
        return f"holds no level brighter than {brightest}, which is too near to black"
    peak = int(np.convolve(counts, np.ones(_PATCH), "same").argmax())
    parts = _Parts(grey, peak)
    between = parts.between.astype(np.uint8)
    patches = cv2.erode(between, np.ones((_PATCH, _PATCH), np.uint8), borderValue=0).sum()
    if between.mean() > _BETWEEN or patches > _PATCHES[0] + _PATCHES[1] * grey.size:
        return "holds more levels than two"
    if found := parts.beside_black() or parts.step():
        return found
    level = int(np.median(grey[parts.high]))
    return 255 if level >= _WHITE else level


def rounded(pixels: np.ndarray, level: int) -> np.ndarray:
    """(h, w) uint8 of 0 and `level`, whichever is nearer."""
    grey = _grey(pixels)
    if grey is None or not level:
        return np.zeros(pixels.shape[:2], np.uint8)
    return np.where(2 * grey.astype(np.int16) > level, np.uint8(level), np.uint8(0))


@dataclass(frozen=True, eq=False)
class _Parts:
    """The pixels of (h, w) uint8 that are near black, near `peak`, and between both."""

    grey: np.ndarray
    peak: int

    @cached_property
    def near(self) -> float:
        """How far from a level JPEG's noise reaches."""
        return _NOISE[0] * self.peak + _NOISE[1]

    @cached_property
    def low(self) -> np.ndarray:
        return self.grey <= self.near

    @cached_property
    def high(self) -> np.ndarray:
        return np.abs(self.grey.astype(np.int16) - self.peak) <= self.near

    @property
    def between(self) -> np.ndarray:
        return ~self.low & ~self.high

    @cached_property
    def edges(self) -> int:
        """How many pixels lie along edges, on either side."""
        lit = (2 * self.grey.astype(np.int16) > self.peak).astype(np.uint8)
        return int(cv2.morphologyEx(lit, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).sum())

    def beside_black(self) -> str:
        """What is neither black nor the upper level where no edge has made it; nothing where that
        is not so.
        """
        reach = (1 - _NEXT_TO) * self.peak, _NEXT_TO * self.peak
        for upper, own in ((False, self.grey <= reach[0]), (True, self.grey >= reach[1])):
            far = _inside(own) > _FAR[upper]
            usual = _commonest(self.grey[far])
            if usual is None:
                continue
            if not upper and usual > _BLACK:
                return f"holds {usual} where black is due"
            stray = self.grey[far & (self.grey != usual)]
            if stray.size > _STRAY[0] + _STRAY[1] * self.edges:
                other = _commonest(stray)
                return f"holds more levels than two, such as {usual} and {other}"
        for upper in (False, True):
            if (level := self._enclosed(upper)) is not None:
                return f"holds more levels than two, such as {level}"
        return ""

    def _enclosed(self, upper: bool) -> int | None:
        """A level of regions that are near black, or near the upper level, and yet have another
        middle value than most; none where there are few.
        """
        own = self.high if upper else self.low
        usual = _commonest(self.grey[own])
        if usual is None:
            return None
        core = _inside(own) > _ENCLOSED
        off = core & (np.abs(self.grey.astype(np.int16) - usual) >= _APART[upper])
        most = _OFF[0] + _OFF[1] * self.edges
        if 2 * np.count_nonzero(off) <= most:
            return None
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            core.astype(np.uint8), connectivity=4
        )
        sizes = stats[:, cv2.CC_STAT_AREA]
        strange = 2 * np.bincount(labels[off], minlength=count) > sizes
        return _commonest(self.grey[strange[labels] & off]) if sizes[strange].sum() > most else None

    def step(self) -> str:
        """That there is a level between both, by pixels that are no border's; nothing where there
        is none.
        """
        clear, ones = _CLEAR * self.near, np.ones((2, 2), np.uint8)
        darkest, brightest = cv2.erode(self.grey, ones), cv2.dilate(self.grey, ones)
        flat = (darkest > clear) & (brightest < self.peak - clear)
        flat &= brightest - darkest <= _STEP
        if flat.sum() > _STEPS[0] + _STEPS[1] * self.edges or (
            flat.any() and flat[self._without_upper()].sum() >= _ALONE
        ):
            return f"holds more levels than two, such as {_usual(self.grey[flat])[0]}"
        between = self.grey[self.between]
        level, share = _usual(between)
        many = between.size > max(_RIDGE[0], _RIDGE[1] * self.edges)
        return f"holds more levels than two, such as {level}" if many and share > _RIDGE[2] else ""

    def _without_upper(self) -> np.ndarray:
        """(h, w) bool: regions that are not near black and have no pixel of the upper level."""
        count, labels = cv2.connectedComponents((~self.low).astype(np.uint8), connectivity=8)
        with_it = np.bincount(labels[self.high], minlength=count) > 0
        return ~self.low & ~with_it[labels]


def _inside(part: np.ndarray) -> np.ndarray:
    """(h, w): how many pixels, diagonal steps among them, to the next pixel outside a part; the
    frame of the mask is no border.
    """
    framed = cv2.copyMakeBorder(part.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.distanceTransform(framed, cv2.DIST_C, 3)[1:-1, 1:-1]


def _commonest(values: np.ndarray) -> int | None:
    """The most frequent of uint8 values; None of none."""
    return int(cv2.calcHist([values], [0], None, [256], (0, 256)).argmax()) if values.size else None


def _usual(values: np.ndarray) -> tuple[int, float]:
    """The level that most of uint8 values are near, and their share; 0 of none."""
    if not values.size:
        return 0, 0.0
    sums = np.convolve(np.bincount(values, minlength=256), np.ones(2 * _TOGETHER + 1, int), "same")
    near = np.abs(values.astype(np.int16) - int(sums.argmax())) <= _TOGETHER
    return int(np.median(values[near])), float(near.mean())


def _grey(pixels: np.ndarray) -> np.ndarray | None:
    """(h, w) uint8; None for colours."""
    if pixels.ndim == 2:
        return pixels
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return None if spread.max(initial=0) > _TINTED else np.ascontiguousarray(pixels[..., 1])
