"""Colours of a batch that change on the device, where the CPU cannot keep up with it."""

from typing import Any, final

from keras import ops

from cvtasks.engines.on_device import on_device
from cvtasks.geometry.letterbox import GREY

_LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are to the eye (ITU-R BT.601), as in OpenCV's grey."""


@final
class Recolouring:
    """Changes the colours of images on the device.

    What is changed is what torchvision's ColorJitter changes, and Albumentations' on the CPU:
    brightness, contrast, saturation, then hue, each rounded into 0 to 255 but for the last digit.
    """

    def __init__(self) -> None:
        self._changed = on_device(_changed)

    def changed(self, images: Any, colours: Any) -> Any:
        """(n, H, W, 3) uint8 → the same in other colours, on the device, for which nobody waits.
        Pixels of the letterbox's grey stay as they are.

        Args:
            colours: (n, 4), of `cvtasks.data.loading.colours.drawn_colours`.
        """
        return self._changed((images, colours))


def _changed(batch: tuple[Any, Any]) -> Any:
    images, colours = batch
    around = ops.all(ops.equal(images, GREY), axis=-1, keepdims=True)
    brightness, contrast, saturation, turn = (
        ops.cast(colours[:, at], "float32")[:, None, None, None] for at in range(4)
    )
    levels = _levels(ops.cast(images, "float32") * brightness)
    seen = ops.cast(ops.logical_not(around), "float32")
    bright = ops.sum(_luma(levels) * seen, axis=(1, 2, 3), keepdims=True)
    mean = bright / ops.maximum(ops.sum(seen, axis=(1, 2, 3), keepdims=True), 1.0)
    levels = _levels(levels * contrast + mean * (1 - contrast))
    levels = _levels(levels * saturation + _luma(levels) * (1 - saturation))
    levels = _levels(_turned(levels, turn))
    return ops.where(around, images, ops.cast(ops.round(levels), "uint8"))


def _levels(values: Any) -> Any:
    return ops.clip(values, 0.0, 255.0)


def _luma(levels: Any) -> Any:
    """(n, H, W, 3) → (n, H, W, 1)."""
    red, green, blue = (levels[..., at : at + 1] * weight for at, weight in enumerate(_LUMA))
    return red + green + blue


def _turned(levels: Any, turn: Any) -> Any:
    """Levels whose hues are turned by a share of the circle; value and saturation stay.

    Source: https://en.wikipedia.org/wiki/HSL_and_HSV, "HSV to RGB alternative".
    """
    red, green, blue = (levels[..., at : at + 1] for at in range(3))
    high = ops.max(levels, axis=-1, keepdims=True)
    spread = high - ops.min(levels, axis=-1, keepdims=True)
    safe = ops.maximum(spread, 1e-6)
    sector = ops.where(
        ops.equal(high, red),
        (green - blue) / safe,
        ops.where(ops.equal(high, green), (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    parts = []
    for first in (5, 3, 1):
        k = ops.mod(sector + 6 * turn + first, 6.0)
        parts.append(high - spread * ops.clip(ops.minimum(k, 4 - k), 0.0, 1.0))
    return ops.concatenate(parts, axis=-1)
