"""A VOCdevkit of Pascal VOC 2012 and of images of COCO, whose objects are called as in VOC.

    python benchmarks/voc_and_coco.py VOC2012 COCO OUT
    cvtasks train detect --data OUT/VOCdevkit --set data.train=2012+2017-train …

VOC2012 is the devkit's folder, COCO a data set with a split train and a split val. OUT/VOCdevkit
has VOC2012, as a link, and VOC2017, the images of COCO with those objects alone that have a class
of VOC's. A model for webcams and streets wants more chairs, bottles and cars than VOC's lists have.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from cvtasks.answers.synonyms import called_otherwise
from cvtasks.drawing.colours import VOC_NAMES
from cvtasks.files.writing import write_text
from cvtasks.formats.coco_names import COCO_NAMES

NAMES = called_otherwise(COCO_NAMES, VOC_NAMES)
"""COCO's name of a class → VOC's, where they differ."""


def main() -> None:
    """Convert both splits, rename, leave out, link."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voc", type=Path)
    parser.add_argument("coco", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    year = options.out / "VOCdevkit" / "VOC2017"
    for split in ("train", "val"):
        command = [sys.executable, "-m", "cvtasks", "data", "convert", f"{options.coco}:{split}"]
        subprocess.run([*command, str(year), "--to", "voc", "--split", split], check=True)
    (year / "classes.txt").unlink()
    for file in (year / "Annotations").iterdir():
        rename(file)
    (options.out / "VOCdevkit" / "VOC2012").symlink_to(options.voc.resolve())


def rename(file: Path) -> None:
    """Give an XML file's objects VOC's names, and leave out those of other classes."""
    tree = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    for thing in tree.findall("object"):
        name = thing.find("name")
        if name is None or NAMES.get(name.text or "", name.text) not in VOC_NAMES:
            tree.remove(thing)
        else:
            name.text = NAMES.get(name.text or "", name.text)
    write_text(file, ElementTree.tostring(tree, encoding="unicode"))


if __name__ == "__main__":
    main()
