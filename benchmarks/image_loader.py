"""How much the safe loader costs: `read_image` against `cv2.imread`, side by side in one run.

    python benchmarks/image_loader.py [IMAGE] [--runs 300]

Wanted: at most 1.3 times the time for a 500 x 375 JPEG. Without IMAGE one is made. The two
alternate in blocks of 20 readings, so that a busy machine slows both and each runs as in a loop of
its own. Takes a second.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import cv2
from compare import interleaved, made_image, medians, print_times, report

from cvtasks.media.images import read_image, write_image

RATIO = "read_image / cv2.imread"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", help="any image that OpenCV can read by name")
    parser.add_argument("--runs", type=int, default=300, help="readings of each (default: 300)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.image or f"{folder}/made.jpg"
        if not options.image:
            write_image(path, made_image(500, 375))
        height, width = read_image(path).shape[:2]
        readers = {"cv2.imread": partial(cv2.imread, path), "read_image": partial(read_image, path)}
        times = interleaved(readers, options.runs, block=20)
    print_times(f"{width} x {height}, {Path(path).suffix}", times)
    each = medians(times)
    report(
        "image_loader",
        {RATIO: "<= 1.3"},
        ratio={RATIO: round(each["read_image"] / each["cv2.imread"], 3)},
    )


if __name__ == "__main__":
    main()
