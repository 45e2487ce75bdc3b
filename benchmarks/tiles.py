"""Small objects in a large image: how many are found tile by tile, beside the same small images
asked about one by one, and beside the large image at once.

    python benchmarks/tiles.py --data VOCdevkit/VOC2012:val [--model MODEL] [--seed 0] [--page PAGE]

A mosaic of 4,000 × 3,000 pixels is made of images of the split, each shrunk until the sides of all
of its objects, the roots of their areas, are 12 to 20 pixels; an image whose objects differ too
much for that, or that is larger than 75 × 100 pixels then, is left out, and the others come several
times, at sizes of their own. There are two of them: 1,600 images close to each other, and 400
apart, with grey between them. An object is found where a box of its class has an IoU of at least
0.5 with it and a score of at least 0.1; each box finds one. Beside the recall stands the share of
boxes that find one.

One by one, each small image lies alone in the middle of a grey network input, as large as a tile
shows it. Wanted: tiles find at least 0.95 times as many. As tiles do not have them in their middle,
a further row has each at a place of its own, drawn anew. Takes about two minutes on two cores.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from compare import report

from cvtasks.answers import Boxes, Sample
from cvtasks.data import open_source, split_of
from cvtasks.data.views import fitted
from cvtasks.engines.predict import predict
from cvtasks.geometry.boxes import iou, paired
from cvtasks.geometry.letterbox import GREY, scaled
from cvtasks.geometry.tiles import Tiles
from cvtasks.model import Model, load

SIZE = (3000, 4000)
MOST = (75, 100)
CELLS = {"close to each other": MOST, "apart": (150, 200)}
SIDES = (12.0, 20.0)
LEAST = 0.1  # score of a box that counts
SAME = 0.5  # IoU


@dataclass(frozen=True)
class Row:
    """One way of asking: what it finds, and what that takes.

    Attributes:
        inputs: of the network.
        found: share of the objects; `right`: share of the boxes that find one.
    """

    name: str
    inputs: int
    found: float
    right: float
    seconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="detect-yolox-nano-voc", help="a name or a folder")
    parser.add_argument("--data", required=True, metavar="DATA[:SPLIT]", help="the data set")
    parser.add_argument("--seed", type=int, default=0, help="of the mosaic (default: 0)")
    parser.add_argument("--page", type=Path, help="a page whose table is written anew")
    options = parser.parse_args()
    model = load(options.model, many=True)
    path, split = split_of(options.data)
    recipe = model.recipe
    source = fitted(open_source(path, split or recipe.data.validate, Boxes), recipe)
    small = shrunk([source[index] for index in range(len(source))], options.seed)
    text, ratios = [], {}
    for name, cell in CELLS.items():
        few = small[: (SIZE[0] // cell[0]) * (SIZE[1] // cell[1])]
        mosaic, truth = joined(few, cell)
        rows = [asked(model, mosaic, truth, "", "the mosaic at once")]
        for tile in (recipe.size, recipe.size // 2):
            alone = one_by_one(model, few, tile)
            anywhere = one_by_one(model, few, tile, np.random.default_rng(options.seed))
            tiles = "auto" if tile == recipe.size else f"{tile}x{tile}"
            rows += [alone, anywhere, asked(model, mosaic, truth, tiles, f"--tiles {tiles}")]
            for other in (alone, anywhere):
                ratios[f"{name}: {rows[-1].name} / {other.name}"] = rows[-1].found / other.found
        text += [f"{len(few):,} images {name}, {len(truth):,} objects:", "", *lines(rows), ""]
    print(*text, sep="\n")
    if options.page:
        write(options.page, text)
    rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
    report("tiles", dict.fromkeys(ratios, ">= 0.95"), ratio=rounded, seed=options.seed)


def shrunk(samples: Sequence[Sample], seed: int) -> list[tuple[np.ndarray, Boxes]]:
    """As many small images as the closer mosaic has cells, and their truths."""
    fitting = []
    for sample in samples:
        counted = sample.truth.take(sample.truth.counted)
        lengths = counted.xyxy[:, 2:] - counted.xyxy[:, :2]
        if not len(counted) or len(counted) < len(sample.truth) or lengths.min() < 1:
            continue
        sides = np.sqrt(lengths.prod(axis=1))
        low, high = SIDES[0] / sides.min(), SIDES[1] / sides.max()
        fits = min(most / its for most, its in zip(MOST, sample.image.shape, strict=False))
        if low <= min(high, fits):
            fitting.append((sample.image, counted, low, min(high, fits)))
    rng = np.random.default_rng(seed)
    count = (SIZE[0] // MOST[0]) * (SIZE[1] // MOST[1])
    small = []
    for index in range(count):
        image, truth, low, high = fitting[index % len(fitting)]
        scale = rng.uniform(low, high)
        size = tuple(max(1, int(side * scale)) for side in image.shape[:2])
        ratio = np.array([size[1] / image.shape[1], size[0] / image.shape[0]] * 2, np.float32)
        small.append((scaled(image, size), replace(truth, xyxy=truth.xyxy * ratio, size=size)))
    return [small[place] for place in rng.permutation(count)]


def joined(
    small: Sequence[tuple[np.ndarray, Boxes]], cell: tuple[int, int]
) -> tuple[np.ndarray, Boxes]:
    """The mosaic and its truth."""
    mosaic = np.full((*SIZE, 3), GREY, np.uint8)
    across = SIZE[1] // cell[1]
    corners = []
    for number, (image, _) in enumerate(small):
        top, left = number // across * cell[0], number % across * cell[1]
        mosaic[top : top + image.shape[0], left : left + image.shape[1]] = image
        corners.append((left, top))
    first, *others = (truth for _, truth in small)
    return mosaic, first.joined(others, corners, SIZE)


def one_by_one(
    model: Model,
    small: Sequence[tuple[np.ndarray, Boxes]],
    tile: int,
    places: np.random.Generator | None = None,
) -> Row:
    """Each small image alone in a grey tile: in its middle, or at a place that is drawn."""
    pairs = []
    for image, truth in small:
        alone = np.full((tile, tile, 3), GREY, np.uint8)
        height, width = image.shape[:2]
        room = np.array([tile - height, tile - width])
        top, left = (places.integers(0, room + 1) if places else room // 2).tolist()
        alone[top : top + height, left : left + width] = image
        pairs.append((truth.joined([], [(left, top)], (tile, tile)), alone))
    recipe, begun, hits, boxes, objects = model.recipe, time.monotonic(), 0, 0, 0
    for truth, _, found in predict(
        model.engine, recipe.head, recipe.classes, recipe.letterbox, pairs, LEAST
    ):
        hits += found_of(truth, found)
        boxes, objects = boxes + len(found), objects + len(truth)
    seconds = time.monotonic() - begun
    name = f"one by one, {tile}x{tile}{', anywhere' if places else ''}"
    return Row(name, len(small), hits / objects, hits / boxes, seconds)


def asked(model: Model, mosaic: np.ndarray, truth: Boxes, tiles: str, name: str) -> Row:
    """The mosaic, in tiles or not."""
    begun = time.monotonic()
    found = model.predict(mosaic, LEAST, tiles=tiles)
    seconds = time.monotonic() - begun
    inputs = len(Tiles.read(tiles).of(SIZE, model.recipe.input_size)) if tiles else 1
    hits = found_of(truth, found)
    return Row(name, inputs, hits / len(truth), hits / max(len(found), 1), seconds)


def found_of(truth: Boxes, found: Boxes) -> int:
    """How many objects are found, the surest boxes first where several fit one."""
    same = truth.labels[:, None] == found.labels[None]
    return len(paired(np.where(same, iou(truth.xyxy, found.xyxy), 0), SAME)[0])


def lines(rows: Sequence[Row]) -> list[str]:
    """The table, in Markdown."""
    head = ["", "network inputs", "recall", "right boxes", "seconds"]
    body = [
        [row.name, f"{row.inputs:,}", f"{row.found:.3f}", f"{row.right:.3f}", f"{row.seconds:.1f}"]
        for row in rows
    ]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body]]


def write(page: Path, table: Sequence[str]) -> None:
    """Put the tables between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, mark, rest = text.partition("<!-- table -->\n")
    end = "<!-- end -->"
    page.write_text(
        before + mark + "\n".join(table) + "\n" + end + rest.partition(end)[2], encoding="utf-8"
    )


if __name__ == "__main__":
    main()
