"""The effective receptive field: how strongly each pixel moves a unit, measured by gradients.

Luo, Li, Urtasun, Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural
Networks", NIPS 2016: the gradient of the unit in the middle of a map, its channels summed, with
respect to the image, averaged over images. It has about the shape of a Gaussian and fills only a
part of the theoretical field.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cvtasks.drawing.sheets import Scale, Tile, heat, sheet
from cvtasks.insight.gradients import value_and_gradient
from cvtasks.insight.inspecting.inspect import Inspection, Row
from cvtasks.insight.inspecting.receptive_field import Axis

_FRAME = (255, 255, 255)  # RGB, around the theoretical field
_SHOWN = 256  # pixels: smaller images are drawn larger
LEAST = 1 - 0.9545
"""Share of the largest gradient from which on a pixel belongs to the field: two standard deviations
of a Gaussian, as in the paper.
"""


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """What was measured.

    Attributes:
        strength: (h, w) float32, 0 to 1: mean size of the gradient at each pixel, over its largest.
        unit: (row, column) of the unit in its map; None for a layer whose units have no places.
        side: square root of the number of pixels above `LEAST`, the paper's size.
        box: top, left, bottom, right of all pixels with any gradient; the last two are the first
            pixels outside. None: there is no gradient at all.
        theory: the same box by the theory, cut to the image.
    """

    strength: np.ndarray
    unit: tuple[int, int] | None
    side: float
    box: tuple[int, int, int, int] | None
    theory: tuple[int, int, int, int]


def effective_field(inspection: Inspection, row: Row, images: np.ndarray) -> EffectiveField:
    """Measure the field of the unit in the middle of a layer's map.

    Args:
        row: of the inspection, not one within a layer of one's own.
        images: (n, h, w, channels) 0–255, of the network's size; one at a time goes through the
            network.
    """
    unit = (row.shape[0] // 2, row.shape[1] // 2) if len(row.shape) == 3 else None

    def units(batch: Any) -> Any:
        made = inspection.graph.run([batch], row.number)
        return made[:, unit[0], unit[1]] if unit else made

    height, width = images.shape[1:3]
    total = np.zeros((height, width), np.float64)
    for image in images:
        _, gradient = value_and_gradient(units, image[None])
        total += np.abs(gradient[0]).sum(axis=-1)
    strength = (total / (total.max() or 1)).astype(np.float32)
    local, theory = row.field.local, (0, 0, height, width)
    if unit and local is not None and not row.field.whole:
        (top, bottom), (left, right) = map(Axis.span, local, unit)
        theory = (max(top, 0), max(left, 0), min(bottom + 1, height), min(right + 1, width))
    ys, xs = np.nonzero(total)
    box = (int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1) if len(ys) else None
    return EffectiveField(strength, unit, float(np.sqrt((strength > LEAST).sum())), box, theory)


def random_images(size: tuple[int, int, int], count: int, seed: int = 0) -> np.ndarray:
    """`count` images of noise, (count, height, width, channels) float32 0–255: what the paper
    measures with.
    """
    return np.random.default_rng(seed).uniform(0, 255, (count, *size)).astype(np.float32)


def drawn(field: EffectiveField, title: str) -> np.ndarray:
    """The field on a sheet (h, w, 3) uint8, whole times its size: the roots of the gradients, so
    that the tails are seen, and a frame around the theoretical field.
    """
    scale = max(1, _SHOWN // min(field.strength.shape))
    image = heat(np.sqrt(field.strength)).repeat(scale, axis=0).repeat(scale, axis=1)
    top, left, bottom, right = (scale * edge for edge in field.theory)
    framed = cv2.rectangle(image, (left, top), (right - 1, bottom - 1), _FRAME)
    height, width = field.strength.shape
    tall, wide = (field.theory[end] - field.theory[end - 2] for end in (2, 3))
    legend = (
        "how strongly each pixel moves the unit in the middle: root of its gradient",
        f"white frame: the theoretical field, {tall} × {wide} of {height} × {width} pixels",
        f"strong, above {LEAST:.2g} of the largest gradient: as many pixels as "
        f"{field.side:.0f} × {field.side:.0f}",
    )
    tile = Tile(framed, f"{height} × {width} pixels, each drawn {scale} × {scale}")
    return sheet([tile], title, legend, Scale("heat", ("0", "most")))
