"""Tables whose cells have an apostrophe before what a spreadsheet would run."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source
from cvtasks.data.writing.convert import convert
from cvtasks.formats.coco import coco_document
from cvtasks.text import dumps

CLASSES = ("+5", "-10C", "@home", "=sum", "'-10C", "cat")


def images(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), np.full((24, 32, 3), number, np.uint8))


@pytest.mark.parametrize("listed", [True, False])
def test_a_table_of_labels_that_was_written_is_read_as_it_was(tmp_path: Path, listed: bool) -> None:
    images(tmp_path / "set", *(f"{name}/=a{n}.png" for n, name in enumerate(CLASSES)))
    source = open_source(str(tmp_path / "set"), "", Labels)
    convert(source, "csv", tmp_path / "out", "train")
    if not listed:
        (tmp_path / "out/classes.txt").unlink(missing_ok=True)
    assert "'=" in (tmp_path / "out/train.csv").read_text()
    read = open_source(str(tmp_path / "out"), "train", Labels)
    assert read.classes == source.classes == tuple(sorted(CLASSES))
    names = {read.name(index): read.truth(index).names for index in range(len(read))}  # type: ignore[attr-defined]
    assert names == {f"=a{n}": (name,) for n, name in enumerate(CLASSES)}


def test_a_table_of_boxes_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    images(tmp_path / "set/images", "a.png")
    edges = [[n, n, n + 5, n + 5] for n in range(len(CLASSES))]
    truth = Boxes.of(edges, list(range(len(CLASSES))), CLASSES, (24, 32))
    (tmp_path / "set/annotations").mkdir()
    (tmp_path / "set/annotations/train.json").write_text(
        dumps(coco_document([("a.png", truth)], CLASSES))
    )
    source = open_source(str(tmp_path / "set"), "train", Boxes)
    convert(source, "tensorflow-csv", tmp_path / "out", "train")
    read = open_source(str(tmp_path / "out"), "train", Boxes)
    assert list(read.problems()) == []
    assert read.truth(0).names == truth.names  # type: ignore[attr-defined]


def test_what_is_called_so_with_its_apostrophe_keeps_it(tmp_path: Path) -> None:
    images(tmp_path, "'-a.png", "'-b.png", "-b.png")
    (tmp_path / "labels.csv").write_text("image,label\n'-a.png,'-x\n-b.png,y\n'-b.png,y|'-x\n")
    (tmp_path / "classes.txt").write_text("'-x\ny\n")
    read = open_source(str(tmp_path), "", Labels)
    names = {read.name(index): read.truth(index).names for index in range(len(read))}  # type: ignore[attr-defined]
    assert names == {"'-a": ("'-x",), "-b": ("y",), "'-b": ("'-x", "y")}
