"""Changes of colour that are drawn here and made on the device (`data.colour_on`)."""

import numpy as np

_CHANGED = 0.8
"""Share of the images whose colours change, as on the CPU."""

_COLOURS = 2
"""Names these random numbers beside those of places and of colours on the CPU."""


def drawn_colours(strength: float, seed: int, epoch: int, step: int, images: int) -> np.ndarray:
    """(images, 4) float32, what becomes of each image of a step: factors of its brightness,
    contrast and saturation, and by how much its hue turns, in whole circles.

    Args:
        strength: `data.colour`, 0 to 1; factors are 1 - strength to 1 + strength.

    >>> drawn_colours(0.4, 0, 0, 0, 2).astype(float).round(2).tolist()
    [[1.26, 1.23, 1.37, -0.07], [1.23, 0.75, 0.77, -0.05]]
    """
    rng = np.random.default_rng([seed, epoch, step, _COLOURS])
    reach = strength * np.array([1, 1, 1, 0.25])
    drawn = np.array([1, 1, 1, 0]) + rng.uniform(-reach, reach, (images, 4))
    same = rng.random(images) >= _CHANGED
    drawn[same] = [1, 1, 1, 0]
    return drawn.astype(np.float32)
