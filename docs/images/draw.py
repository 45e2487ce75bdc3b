"""Draw the README's images: what the zoo's models say about samples of scikit-image (CC0 or
public domain).

    python docs/images/draw.py        # needs: pip install "cvtasks[samples]"
"""

from pathlib import Path

import cv2
import numpy as np
import skimage

import cvtasks
from cvtasks.insight import explain
from cvtasks.insight.explaining.sheets import overlaid
from cvtasks.media.images import read_image
from cvtasks.zoo import default_model

PLACE = Path(__file__).parent
SAMPLES = Path(skimage.__file__).parent / "data"
HIGH = 320  # pixels of the small ones
WIDE = 1280  # of the large one
SHOWN = {
    "detect": "motorcycle_left.png",
    "segment": "astronaut.png",
    "instances": "ihc.png",
}


def sample(name: str) -> np.ndarray:
    """A photograph, (h, w, 3) uint8 RGB."""
    return read_image(SAMPLES / name)


def answered(task: str, image: np.ndarray) -> np.ndarray:
    """The image with what the task's model says drawn on it."""
    return cvtasks.load(default_model(task)).predict(image).draw(image)


def explained(image: np.ndarray, target: str) -> np.ndarray:
    """Grad-CAM over the image."""
    return overlaid(explain(default_model("classify"), image, target, "grad-cam"))


def square(image: np.ndarray) -> np.ndarray:
    """Its middle."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def save(name: str, image: np.ndarray, scale: float) -> None:
    """Write a JPEG, scaled."""
    size = tuple(round(length * scale) for length in image.shape[1::-1])
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    file = PLACE / f"{name}.jpg"
    cv2.imwrite(str(file), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(file, f"{file.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Draw them all."""
    cat = sample("chelsea.png")
    drawn = [cat, *(answered(task, cat) for task in ("detect", "segment", "localize"))]
    gap = np.full((len(cat), 6, 3), 255, np.uint8)
    row = [part for image in drawn for part in (image, gap)][:-1]
    hero = np.hstack(row)
    save("hero", hero, WIDE / hero.shape[1])
    for task, name in SHOWN.items():
        image = square(answered(task, sample(name)))
        save(task, image, HIGH / len(image))
    image = square(explained(cat, "cat"))
    save("explain", image, HIGH / len(image))


if __name__ == "__main__":
    main()
