"""How alike copies of a photograph look to a model, and how alike different photographs do: the
cosine from which on `cvtasks data review` calls two images twins.

    python benchmarks/twins.py IMAGES MODEL...

Prints, for each model, the cosines of copies (the smallest of a hundred, the tenth, the median) and
those of each image with the most similar other one (the median, the tenth and the largest from
above), and how many of both are at least as large as some thresholds.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from cvtasks import load
from cvtasks.data.formats.listing import images_in
from cvtasks.evaluation.review.embedding import embeddings
from cvtasks.media.images import read_image

_COUNT = 100
_LEAST = (0.91, 0.93, 0.95, 0.97)


def _smaller(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _pressed(image: np.ndarray) -> np.ndarray:
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def _cut(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return image[height // 20 : -(height // 20), width // 20 : -(width // 20)]


def _brighter(image: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(image, alpha=1.15, beta=10)


COPIES = {"half the size": _smaller, "JPEG 40": _pressed, "cut by 5 %": _cut, "brighter": _brighter}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    files = images_in(given.images)
    chosen = np.random.default_rng(0).choice(len(files), min(_COUNT, len(files)), replace=False)
    images = [read_image(files[index]) for index in chosen]
    for name in given.models:
        model = load(name, engine="keras")
        whole = embeddings(model, images)
        others = whole @ whole.T - 2 * np.eye(len(whole))
        nearest = np.sort(others.max(axis=1))
        print(
            f"{name}: others {nearest[len(nearest) // 2]:.3f}, {nearest[-10]:.3f}, "
            f"{nearest[-1]:.3f}; from .91 .93 .95 .97: "
            f"{[int((nearest >= least).sum()) for least in _LEAST]}"
        )
        for kind, copy in COPIES.items():
            made = embeddings(model, [copy(image) for image in images])
            same = np.sort((made * whole).sum(axis=1))
            print(
                f"  {kind}: {same[0]:.3f}, {same[9]:.3f}, {same[len(same) // 2]:.3f}; "
                f"{[int((same >= least).sum()) for least in _LEAST]}"
            )


if __name__ == "__main__":
    main()
