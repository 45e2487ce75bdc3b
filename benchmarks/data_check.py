"""How long `data check` takes over a large data set, and whether it finds what was planted there.

    python benchmarks/data_check.py [--images 10000]
    python benchmarks/data_check.py --data VOCdevkit/VOC2012:train

Makes a Pascal VOC data set of so many images of 500 x 375 in a temporary folder (a gigabyte or
less), with one fault of each kind, and checks it. Wanted: at most 60 s for 10,000 images on two
cores, each fault found by name, and no other error or warning. The peer reads the same files and
looks at nothing: `cv2.imread` and `xml.etree`, in two threads. With `--data` it measures how long
it takes to find what must stay together in a real split of boxes, and says what was found.
"""

import argparse
import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from compare import report

from cvtasks.answers import Boxes
from cvtasks.data import open_source, split_of
from cvtasks.data.checking.check import check
from cvtasks.data.formats.voc_names import VOC_CLASSES
from cvtasks.data.together import kept_together
from cvtasks.formats.voc import voc_xml

_CLASSES = VOC_CLASSES[1:]
_SIZE = (375, 500)
_PLANTED = {
    "image cannot be read": "an image is cut",
    "image missing": "an image is not there",
    "annotation missing": "an annotation is not there",
    "annotation without image": "",  # what the missing image leaves
    "image without annotation": "",  # what the missing annotation leaves
    "box inverted": "xmin and xmax are exchanged",
    "box outside": "xmax is 5000",
    "class unknown": '"cat" is written "Cat"',
    "size differs": "<width> is another",
    "counted from 0": "xmin is 0",
    "one pixel": "a box has one pixel",
    "image twice": "an image is copied",
    "image in two splits": "an image is in val too, compressed again",
}


def main() -> None:
    """Make, check, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--images", type=int, default=10_000, help="how many there are, a tenth of them in val"
    )
    parser.add_argument("--data", help="DATA:SPLIT of which near-copies and scenes are grouped")
    options = parser.parse_args()
    if options.data:
        group(options.data)
        return
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        names = make(root, options.images)
        plant(root, names)
        begun = time.perf_counter()
        findings = [one for one in check(str(root), "train", Boxes).findings if one.level != "note"]
        ours = time.perf_counter() - begun
        begun = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(read, sorted((root / "JPEGImages").iterdir())))
            list(pool.map(ElementTree.parse, sorted((root / "Annotations").iterdir())))
        peer = time.perf_counter() - begun
    rules = Counter(one.rule for one in findings)
    for rule, what in _PLANTED.items():
        print(
            f"{'found' if rules[rule] == 1 else f'FOUND {rules[rule]} TIMES':<8} "
            f"{rule}{f': {what}' if what else ''}"
        )
    strange = sorted(set(rules) - set(_PLANTED))
    print(f"other errors and warnings: {', '.join(strange) or 'none'}")
    print(f"{options.images} images: check {ours:.1f} s, reading alone {peer:.1f} s")
    report(
        "data_check",
        {"seconds": "<= 60 for 10000 images", "found": str(len(_PLANTED)), "others": "0"},
        seconds=round(ours, 1),
        ratio={"check / reading alone": round(ours / peer, 2)},
        found=sum(rules[rule] == 1 for rule in _PLANTED),
        others=len(strange),
    )


def group(data: str) -> None:
    """Find what must stay together in a split; print what, and how long it took."""
    source = open_source(*split_of(data), Boxes)
    begun = time.perf_counter()
    together = kept_together(source, 0.2)
    seconds = time.perf_counter() - begun
    print(f"{len(source)} images in {seconds:.1f} s: {together.said or 'nothing stays together'}")
    report("grouping", {"seconds": "<= 30 for 5000 images"}, seconds=round(seconds, 1))


def read(path: Path) -> np.ndarray | None:
    """The peer's way to read an image."""
    return cv2.imread(str(path))


def make(root: Path, count: int) -> list[str]:
    """Write a data set without faults; returns the names of the split train."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    names = [f"{number:06d}" for number in range(count)]

    def write(name: str) -> None:
        rng = np.random.default_rng(int(name))
        blots = cv2.resize(
            rng.integers(0, 256, (9, 12, 3), dtype=np.uint8),
            _SIZE[::-1],
            interpolation=cv2.INTER_CUBIC,
        )
        image = cv2.add(blots, rng.integers(0, 24, (*_SIZE, 3), dtype=np.uint8))
        cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), image, (cv2.IMWRITE_JPEG_QUALITY, 90))
        corners = np.stack(
            [rng.integers(1, 200, (2, 2)), rng.integers(220, 370, (2, 2))], axis=1
        ).reshape(2, 4)
        truth = Boxes.of(corners, rng.integers(20, size=2), _CLASSES, _SIZE)
        (root / "Annotations" / f"{name}.xml").write_text(voc_xml(truth, f"{name}.jpg"))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, names))
    tenth = count // 10
    (root / "ImageSets/Main/val.txt").write_text("".join(f"{name}\n" for name in names[:tenth]))
    (root / "ImageSets/Main/train.txt").write_text("".join(f"{name}\n" for name in names[tenth:]))
    return names[tenth:]


def plant(root: Path, names: list[str]) -> None:
    """Break one thing of each kind."""
    images = iter(root / "JPEGImages" / f"{name}.jpg" for name in names[::7])
    xmls = iter(root / "Annotations" / f"{name}.xml" for name in names[3::7])
    cut, lost, copy, again = (next(images) for _ in range(4))
    cut.write_bytes(cut.read_bytes()[:5000])
    lost.unlink()
    shutil.copy(root / "JPEGImages" / f"{names[-1]}.jpg", copy)
    cv2.imwrite(
        str(again),
        cv2.imread(str(root / "JPEGImages" / "000000.jpg")),
        (cv2.IMWRITE_JPEG_QUALITY, 60),
    )
    next(xmls).unlink()
    for edit in (
        lambda box: box.update(xmin=box["xmax"] + 3),
        lambda box: box.update(xmax=5000),
        lambda box: box.update(name="Cat"),
        lambda box: box.update(width=640),
        lambda box: box.update(xmin=0),
        lambda box: box.update(xmax=box["xmin"], ymax=box["ymin"]),
    ):
        path = next(xmls)
        tree = ElementTree.parse(path)
        item = tree.getroot().find("object")
        places = {tag: item.find(f"bndbox/{tag}") for tag in ("xmin", "ymin", "xmax", "ymax")}
        box = {tag: int(place.text) for tag, place in places.items()}
        edit(box)
        for tag, place in {
            **places,
            "name": item.find("name"),
            "width": tree.getroot().find("size/width"),
        }.items():
            place.text = str(box.get(tag, place.text))
        tree.write(path)


if __name__ == "__main__":
    main()
