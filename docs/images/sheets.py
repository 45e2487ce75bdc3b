"""Draw the sheets that docs/see-inside.md shows; their commands stand beside them there.

python docs/images/sheets.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

from cvtasks.insight import (
    Filtering,
    RegionPooling,
    dropout_sheet,
    kernel,
    norm_sheet,
    scored,
    scores_sheet,
    way_back,
    way_back_sheet,
)
from cvtasks.insight.by_hand.kernels import matrix
from cvtasks.insight.by_hand.norms import drawn_maps

PLACE = Path(__file__).parent
FIVE = "3 3 2 1 0; 0 0 1 3 1; 3 1 2 2 3; 2 0 0 2 2; 2 0 0 0 1"


def save(name: str, sheet: np.ndarray) -> None:
    """Write a PNG of few colours."""
    file = PLACE / f"{name}.png"
    Image.fromarray(sheet).quantize(64).save(file, optimize=True)
    print(file, f"{file.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Draw all of them."""
    grid, work = matrix(FIVE, "A grid"), Filtering(kernel("0 1 2; 2 2 0; 0 1 2"), padding="valid")
    save("way-back", way_back_sheet(grid, work, way_back(grid, work)))
    grid, pooling = matrix("1 1 2 4; 5 6 7 8; 3 2 1 0; 1 2 3 4", "A grid"), RegionPooling("max")
    back = way_back(grid, pooling, matrix("1 2; 3 4", "A gradient"))
    save("switches", way_back_sheet(grid, pooling, back))
    save("norms", norm_sheet(drawn_maps(2, 4, 2, 0)))
    save("dropout", dropout_sheet(np.arange(1.0, 6.0)))
    save("softmax", scores_sheet(scored(np.array([3.2, 5.1, -1.7]), 0, ["cat", "car", "frog"])))


if __name__ == "__main__":
    main()
