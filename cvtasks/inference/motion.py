"""Where objects of a video are and how fast they move: a Kalman filter of constant velocity.

The two coordinates of a centre and the two sides of a box are filtered each by itself, so that no
matrix is needed: what is known of each is two numbers and three of their covariance.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

_RATE = 30.0
"""Frames a second that the deviations below are of; any other rate, and gaps, count by time."""

_PLACE = 1 / 20
"""Deviation of what a detector says of a place, as a share of the box's width or height. Source:
Wojke, Bewley and Paulus, "Simple Online and Realtime Tracking with a Deep Association Metric"
(2017), and the code that was published with it.
"""

_WALK, _SPEED = 1 / 80, 1 / 320
"""Deviations by which a place and a speed change in a frame, beyond what the speed says: a quarter
and half of that source's. Objects that pass each other keep their numbers more often so
(docs/tracking.md).
"""

_UNKNOWN = 1 / 16  # deviation of a first speed, in a frame, as there


@dataclass(frozen=True, eq=False)
class Motion:
    """The state of n objects.

    Attributes:
        at: (n, 4) float64: centre x and y, width and height in pixels.
        speed: (n, 4) float64: pixels a second.
        at_at, at_speed, speed_speed: (n, 4) float64: their variances, and between them the
            covariance.
    """

    at: np.ndarray
    speed: np.ndarray
    at_at: np.ndarray
    at_speed: np.ndarray
    speed_speed: np.ndarray

    @classmethod
    def begun(cls, xyxy: np.ndarray) -> Self:
        """Objects that are seen for the first time in boxes, (n, 4); how they move is not known."""
        at = _centred(xyxy)
        scale = _scale(at)
        nothing = np.zeros_like(at)
        return cls(at, nothing, (2 * _PLACE * scale) ** 2, nothing, (_UNKNOWN * _RATE * scale) ** 2)

    def __len__(self) -> int:
        return len(self.at)

    @property
    def xyxy(self) -> np.ndarray:
        """(n, 4) float64: the boxes; no side is below a pixel."""
        half = np.maximum(self.at[:, 2:], 1) / 2
        return np.concatenate([self.at[:, :2] - half, self.at[:, :2] + half], axis=1)

    def after(self, seconds: float, keep_size: np.ndarray) -> Self:
        """The state some time later, without a look at the objects.

        Args:
            keep_size: (n,) bool: objects out of sight, whose boxes grow and shrink no further.
        """
        speed = self.speed.copy()
        speed[keep_size, 2:] = 0
        # The speed is a random walk, and so is what the place deviates by.
        scale = _scale(self.at) ** 2
        walk = (_SPEED * _RATE) ** 2 * _RATE * scale
        return type(self)(
            self.at + seconds * speed,
            speed,
            self.at_at
            + seconds * (2 * self.at_speed + seconds * self.speed_speed)
            + seconds * _WALK**2 * _RATE * scale
            + seconds**3 / 3 * walk,
            self.at_speed + seconds * self.speed_speed + seconds**2 / 2 * walk,
            self.speed_speed + seconds * walk,
        )

    def seen(self, xyxy: np.ndarray) -> Self:
        """The state once the objects are seen in boxes, (n, 4)."""
        spread = self.at_at + (_PLACE * _scale(self.at)) ** 2
        at_gain, speed_gain = self.at_at / spread, self.at_speed / spread
        off = _centred(xyxy) - self.at
        return type(self)(
            self.at + at_gain * off,
            self.speed + speed_gain * off,
            self.at_at - at_gain * self.at_at,
            self.at_speed - at_gain * self.at_speed,
            self.speed_speed - speed_gain * self.at_speed,
        )

    def take(self, which: np.ndarray) -> Self:
        """The objects that `which` picks: indices, or (n,) bool."""
        return type(self)(*(getattr(self, one.name)[which] for one in fields(self)))

    def joined(self, other: Self) -> Self:
        """These objects and behind them others."""
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return type(self)(*(np.concatenate(pair) for pair in pairs))


def _centred(xyxy: np.ndarray) -> np.ndarray:
    """(n, 4) left, top, right, bottom → centre x and y, width and height, float64."""
    low, high = np.split(xyxy.astype(np.float64), 2, axis=1)
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def _scale(at: np.ndarray) -> np.ndarray:
    """(n, 4): the sides that the deviations of each number are shares of."""
    return np.maximum(np.tile(at[:, 2:], 2), 1)
