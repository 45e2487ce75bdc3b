"""Filter responses, which may be negative or beyond white, as images that can be looked at."""

from dataclasses import dataclass

import numpy as np

from cvtasks.drawing.sheets import signed_grey
from cvtasks.insight.by_hand.steps import Filtering, Work, number

_MOST_CLIPPED = (
    0.25  # share of values beyond black and white; above it the range is stretched instead
)
# percentile of |response| that is drawn white: the few strongest edges would make all others grey
_WHITE_AT = 99.5


@dataclass(frozen=True, eq=False)
class Display:
    """An image (h, w, 3) uint8 of a response, and what its brightness means."""

    image: np.ndarray
    legend: str


def displayed(response: np.ndarray, work: Work) -> Display:
    """A response (h, w) or (h, w, 3) to 0..255 input as an image; channels stay channels.

    Kernels whose weights add up to nothing, or less, answer with signs where no ReLU follows: mid
    grey stands for 0. All others keep to brightness: beyond 0..255 is clipped or, where that would
    be much of the image, all of it stretched. The legend says which.
    """
    if _answers_with_signs(work):
        most = (
            float(np.percentile(np.abs(response), _WHITE_AT))
            or float(np.abs(response).max())
            or 1.0
        )
        beyond = float((np.abs(response) > most).mean())
        clipped = f"; {_percent(beyond)} is beyond and clipped" if beyond else ""
        return Display(
            _grey(signed_grey(response, most)),
            f"mid grey: 0, white: {number(most)}, black: -{number(most)}{clipped}",
        )
    low, high = float((response < -0.5).mean()), float((response > 255.5).mean())
    if low + high > _MOST_CLIPPED:
        least, most = float(response.min()), float(response.max())
        legend = f"black: {number(least)}, white: {number(most)} (stretched)"
        return Display(_grey((response - least) * 255 / ((most - least) or 1.0)), legend)
    parts = [
        f"{_percent(share)} {what} clipped"
        for share, what in ((low, "below 0"), (high, "above 255"))
        if share
    ]
    return Display(_grey(response), "black: 0, white: 255" + "".join(f"; {part}" for part in parts))


def _answers_with_signs(work: Work) -> bool:
    if not isinstance(work, Filtering) or work.relu:
        return False
    cells = work.kernel.cells
    return bool(cells.sum() <= 1e-9 * np.abs(cells).sum())


def _grey(values: np.ndarray) -> np.ndarray:
    """Any numbers (h, w) or (h, w, 3) → (h, w, 3) uint8, rounded and clipped."""
    levels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def _percent(share: float) -> str:
    return "less than 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")
