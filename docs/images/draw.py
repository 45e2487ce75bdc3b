"""Draw the images of README and pages: what the zoo's models say about samples of scikit-image,
which may be shown: CC0, in the public domain, or without known restrictions; and drawings of
networks.

    python docs/images/draw.py            # needs: pip install "cvtasks[samples]"
    python docs/images/draw.py explain    # one of them
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import skimage
from PIL import Image

import cvtasks
from cvtasks.drawing.sheets import Page
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
BLOCKS = (
    ("resnet18", "A residual block (ResNet-18)", ["conv2_block1"]),
    ("googlenet", "An Inception module (GoogLeNet)", ["inception_3a"]),
    ("nin", "An mlpconv block (NiN)", ["conv1", "cccp1", "cccp2"]),
)
LADDER = {  # steps, and whether each is done for every proposal
    "R-CNN (2014)": [
        ("2,000 proposals,\nselective search", False),
        ("cut out,\nwarp to a square", True),
        ("the whole CNN", True),
        ("class, and\nmove of the box", True),
    ],
    "Fast R-CNN (2015)": [
        ("2,000 proposals,\nselective search", False),
        ("the CNN, once", False),
        ("RoI pooling\nfrom its map", True),
        ("two dense layers", True),
        ("class, and\nmove of the box", True),
    ],
    "Faster R-CNN (2015)": [
        ("the CNN, once", False),
        ("proposals by a\nsmall head on it", False),
        ("RoI pooling\nfrom its map", True),
        ("two dense layers", True),
        ("class, and\nmove of the box", True),
    ],
    "One stage (YOLO, 2016)": [
        ("the CNN, once", False),
        ("class and box\nin every cell", False),
    ],
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


def digit() -> np.ndarray:
    """A 3 in ink on paper, (120, 120, 3) uint8 RGB."""
    paper = np.full((120, 120, 3), 250, np.uint8)
    place, ink = (30, 95), (30, 30, 60)
    return cv2.putText(paper, "3", place, cv2.FONT_HERSHEY_SIMPLEX, 3.2, ink, 9, cv2.LINE_AA)


def moves() -> np.ndarray:
    """What LeNet answers to a digit that moves."""
    from cvtasks.insight import open_network, shift_page, shifted_answers

    lenet = open_network("classify-lenet-mnist")
    recipe = lenet.recipe
    found = shifted_answers(
        lenet.network, digit(), 4, prepare=recipe.task.prepare, activate=recipe.head.activate
    )
    return shift_page(found, "LeNet-5: the image moves to the right", recipe.classes)


def tensors() -> np.ndarray:
    """What becomes of a digit in LeNet."""
    from cvtasks.insight import flow_page, open_network, tensors_of

    lenet = open_network("classify-lenet-mnist")
    recipe = lenet.recipe
    found = tensors_of(
        lenet.network, digit(), prepare=recipe.task.prepare, activate=recipe.head.activate
    )
    return flow_page(found, "LeNet-5: what becomes of the image", recipe.classes)


def blocks() -> np.ndarray:
    """A residual block, an Inception module and an mlpconv block beside each other."""
    from cvtasks.insight import graph_page, inspect_network, open_network, part_of

    drawn = []
    for name, title, part in BLOCKS:
        inspection = inspect_network(open_network(name, values="none", top=True).network, name)
        drawn.append(graph_page(inspection, part_of(inspection, part), title).pixels())
    high = max(map(len, drawn))
    return np.hstack(
        [
            cv2.copyMakeBorder(one, 0, high - len(one), 0, 0, cv2.BORDER_CONSTANT, value=(255,) * 3)
            for one in drawn
        ]
    )


def networks() -> np.ndarray:
    """Published accuracy against work."""
    from cvtasks.insight.inspecting.published import costed, plot

    return plot(costed())


def ladder() -> np.ndarray:
    """From R-CNN to one stage: what is done once an image, and what for every proposal."""
    page, wide, high = Page(margin=26), 196.0, 64.0
    page.text(26, 36, "From R-CNN to one stage", 26, bold=True)
    x = 26.0
    for colour, said in zip(("#6fa8dc", "#e4715f"), ("once an image", "for each box"), strict=True):
        page.shape([(x, 64), (x + 22, 64), (x + 22, 84), (x, 84)], colour, 0.25)
        page.text(x + 32, 74, said, 19)
        x += 200
    y = 116.0
    for title, steps in LADDER.items():
        page.text(26, y, title, 20, bold=True)
        x = 26.0
        for number, (step, often) in enumerate(steps):
            top = y + 22
            corners = [(x, top), (x + wide, top), (x + wide, top + high), (x, top + high)]
            page.shape(corners, "#e4715f" if often else "#6fa8dc", 0.25)
            for line, text in enumerate(lines := step.split("\n")):
                at = top + high / 2 + 23 * (line - (len(lines) - 1) / 2)
                page.text(x + wide / 2, at, text, 18, at="center")
            if number + 1 < len(steps):
                middle = top + high / 2
                page.arrow([(x + wide, middle), (x + wide + 36, middle)], thick=2.5)
            x += wide + 36
        y += high + 74
    return page.pixels()


def save_drawing(name: str, image: np.ndarray) -> None:
    """Write a PNG of few colours."""
    file = PLACE / f"{name}.png"
    Image.fromarray(image).quantize(256).save(file, optimize=True)
    print(file, f"{file.stat().st_size / 1000:.0f} kB")


DRAWN = {
    "blocks": blocks,
    "ladder": ladder,
    "moves": moves,
    "networks": networks,
    "tensors": tensors,
}


def main(names: list[str]) -> None:
    """Draw those that are named, or all."""
    for name in names or ["hero", *SHOWN, *DRAWN]:
        if name == "hero":
            hero()
            continue
        if name in DRAWN:
            save_drawing(name, DRAWN[name]())
            continue
        image = sample(SHOWN[name])
        drawn = explained(image, "cat") if name == "explain" else answered(name, image)
        save(name, drawn, HIGH / len(drawn))


if __name__ == "__main__":
    main(sys.argv[1:])
