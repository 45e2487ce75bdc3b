"""How much the safe loader costs: `read_picture` against `cv2.imread`, side by side in one run.

    python benchmarks/picture_loader.py [PICTURE] [--repeat 300]

Prints the median milliseconds of both and their ratio (wanted: at most 1.3 for a 500 x 375 JPEG). Without PICTURE a
smooth random one is made. The two alternate in blocks of 20 readings, so that a busy machine slows both and each runs
as in a loop of its own.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from cvtasks.media.pictures import read_picture, write_picture


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", help="any picture that OpenCV can read by name")
    parser.add_argument("--repeat", type=int, default=300, help="readings of each (default: 300)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.picture or make_picture(Path(folder) / "made.jpg")
        readers = {"cv2.imread": cv2.imread, "read_picture": read_picture}
        times = {name: [] for name in readers}
        for _ in range(0, options.repeat, 20):
            for name, read in readers.items():
                for _ in range(20):
                    start = time.perf_counter()
                    image = read(path)
                    times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{image.shape[1]} x {image.shape[0]}, {Path(path).suffix}, median of {len(times['cv2.imread'])}:")
    for name, median in medians.items():
        print(f"  {name:13s} {median:.3f} ms")
    print(f"  ratio         {medians['read_picture'] / medians['cv2.imread']:.2f}")


def make_picture(path: Path) -> str:
    """Write a JPEG of 500 x 375 pixels with as much detail as a photograph; return its path."""
    coarse = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    write_picture(path, cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC))
    return str(path)


if __name__ == "__main__":
    main()
