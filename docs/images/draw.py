"""Draw the README's images: what the zoo's models say about samples of scikit-image, which may be
shown: CC0, in the public domain, or without known restrictions.

    python docs/images/draw.py            # needs: pip install "cvtasks[samples]"
    python docs/images/draw.py explain    # one of them
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import skimage

import cvtasks
from cvtasks.media.images import read_image
from cvtasks.zoo import default_model

PLACE = Path(__file__).parent
SAMPLES = Path(skimage.__file__).parent / "data"
HIGH = 300  # pixels of the small ones
WIDE = 1280  # of the large one
NUCLEI = "instances-cspdarknet-nano-nuclei"
SHOWN = {
    "detect": "motorcycle_left.png",
    "segment": "chelsea.png",
    "instances": "coins.png",
    "explain": "chelsea.png",
}


def sample(name: str) -> np.ndarray:
    """A photograph, (h, w, 3) uint8 RGB."""
    return read_image(SAMPLES / name)


def answered(task: str, image: np.ndarray) -> np.ndarray:
    """The image with what a model of the task says drawn on it."""
    model = NUCLEI if task == "instances" else default_model(task)
    return cvtasks.load(model).predict(image).draw(image)


def explained(image: np.ndarray, target: str) -> np.ndarray:
    """Grad-CAM over the image."""
    from cvtasks.insight import explain  # Keras: the others do without
    from cvtasks.insight.explaining.sheets import overlaid

    return overlaid(explain(default_model("classify"), image, target, "grad-cam"))


def save(name: str, image: np.ndarray, scale: float) -> None:
    """Write a JPEG, scaled."""
    size = tuple(round(length * scale) for length in image.shape[1::-1])
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    file = PLACE / f"{name}.jpg"
    cv2.imwrite(str(file), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(file, f"{file.stat().st_size / 1000:.0f} kB")


def hero() -> None:
    """One photograph, and what three models say about it."""
    woman = sample("astronaut.png")
    gap = np.full((len(woman), 6, 3), 255, np.uint8)
    row = [woman]
    for task in ("detect", "segment", "localize"):
        row += [gap, answered(task, woman)]
    image = np.hstack(row)
    save("hero", image, WIDE / image.shape[1])


def main(names: list[str]) -> None:
    """Draw those that are named, or all."""
    for name in names or ["hero", *SHOWN]:
        if name == "hero":
            hero()
            continue
        image = sample(SHOWN[name])
        drawn = explained(image, "cat") if name == "explain" else answered(name, image)
        save(name, drawn, HIGH / len(drawn))


if __name__ == "__main__":
    main(sys.argv[1:])
