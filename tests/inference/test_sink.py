"""What is saved: each kind under its name, one file for all images where the format wants it,
nothing overwritten.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes, Mask
from cvtasks.data import open_source
from cvtasks.errors import UsageError
from cvtasks.evaluation.evaluate import score_saved
from cvtasks.evaluation.predictions import read_predictions
from cvtasks.formats.coco import coco_boxes, parse_coco
from cvtasks.formats.voc import parse_voc
from cvtasks.formats.yolo import parse_yolo
from cvtasks.inference.sink import Sink
from cvtasks.media.images import JPEG_SIDE, image_size, read_image, write_image
from cvtasks.tasks.base import Task
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.segment import Segment

CLASSES = ("cat", "dog")
IMAGE = np.zeros((20, 30, 3), np.uint8)
FOUND = Boxes.of([[1, 2, 10, 12.5], [3, 4, 30, 20]], [1, 0], CLASSES, (20, 30), scores=[0.75, 1.0])
NOTHING = Boxes.of([], [], CLASSES, (20, 30))
ALL = ("image", "voc", "yolo", "coco", "json", "csv")


def save(
    folder: Path, kinds: tuple[str, ...], answers: dict[str, Boxes | Mask], task: Task | None = None
) -> list[str]:
    """Write the answers as the task commands do; returns the names of the files that are there
    afterwards.
    """
    task = task or Detect()
    sink = Sink(folder, task, kinds)
    written = []
    for source, answer in answers.items():
        written += sink.write(sink.stem(Path(source).stem), IMAGE, answer, source)
        sink.record({"source": source, "width": 30, "height": 20, **task.record(answer)}, answer)
    written += sink.close()
    there = sorted(file.name for file in folder.iterdir()) if folder.exists() else []
    assert {file.name for file in written} <= set(there)
    return there


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    assert save(tmp_path / "out", ALL, {}) == []
    assert save(tmp_path / "out", (), {"a.jpg": FOUND}) == []


def test_every_kind_has_its_file(tmp_path: Path) -> None:
    names = save(tmp_path, ALL, {"x/a.png": FOUND, "b.jpg": NOTHING})
    images = ["a.jpg", "a.txt", "a.xml", "b.jpg", "b.txt", "b.xml"]
    assert names == sorted([*images, "classes.txt", "coco.json", "records.csv", "records.jsonl"])


def test_every_kind_says_the_same(tmp_path: Path) -> None:
    save(tmp_path, ALL, {"x/a.png": FOUND, "b.jpg": NOTHING})
    assert (tmp_path / "classes.txt").read_text() == "cat\ndog\n"
    assert "<filename>a.png</filename>" in (tmp_path / "a.xml").read_text()
    file = parse_coco((tmp_path / "coco.json").read_bytes(), "x")
    assert [image.file_name for image in file.images] == ["a.png", "b.jpg"]
    for index, (stem, truth) in enumerate((("a", FOUND), ("b", NOTHING))):
        for read, _ in (
            parse_voc((tmp_path / f"{stem}.xml").read_bytes(), CLASSES, (20, 30), "x"),
            parse_yolo((tmp_path / f"{stem}.txt").read_text(), CLASSES, (20, 30), "x"),
            coco_boxes(file.images[index], CLASSES, (20, 30), "x"),
        ):
            assert read.names == truth.names
            np.testing.assert_allclose(read.xyxy, truth.xyxy, rtol=0, atol=2e-6)
    scores = [
        [float(line.split()[5]) for line in (tmp_path / "a.txt").read_text().splitlines()],
        [
            entry["score"]
            for entry in json.loads((tmp_path / "coco.json").read_text())["annotations"]
        ],
        [
            float(row["score"])
            for row in csv.DictReader((tmp_path / "records.csv").read_text().splitlines())
        ],
        [
            box["score"]
            for box in json.loads((tmp_path / "records.jsonl").read_text().splitlines()[0])["boxes"]
        ],
    ]
    assert scores == [[0.75, 1.0]] * 4


def test_what_is_too_long_for_a_jpeg_is_a_png(tmp_path: Path) -> None:
    """Drawings and cut-outs; an image beside it is written as ever."""
    high = np.zeros((JPEG_SIDE + 1, 8, 3), np.uint8)
    high[60_000:] = 255
    boxes = [[1, 0, 5, JPEG_SIDE + 1], [1, 60_000, 5, 60_010]]
    found = Boxes.of(boxes, [0, 1], CLASSES, high.shape[:2])
    sink = Sink(tmp_path, Detect(), ("image", "crops"))
    for _ in range(2):
        files = sink.write(sink.stem("high"), high, found, "high.png")
        name = files[0].stem
        assert [file.name for file in files] == [
            f"{name}.png",
            f"{name}-01-cat.png",
            f"{name}-02-dog.jpg",
        ]
        assert image_size(files[0]) == high.shape[:2]
        np.testing.assert_array_equal(read_image(files[1]), high[:, 1:5])
    assert name == "high-2"
    nothing = Boxes.of([], [], CLASSES, (JPEG_SIDE, 8))
    low = sink.write(sink.stem("high"), high[1:], nothing, "high.png")
    assert [file.name for file in low] == ["high-3.jpg"]
    assert Sink(tmp_path, Detect(), ("image",)).stem("high").name == "high-4"
    (tmp_path / "old.png").touch()
    assert Sink(tmp_path, Detect(), ("image",)).stem("old").name == "old-2"


def test_the_coco_file_is_a_data_set(tmp_path: Path) -> None:
    save(tmp_path, ("coco",), {"x/a.png": FOUND, "b.png": NOTHING})
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "images" / name, IMAGE)
    source = open_source(str(tmp_path), "coco", Boxes)
    np.testing.assert_array_equal(source[0].truth.xyxy, FOUND.xyxy)
    assert (source[0].truth.names, len(source[1].truth)) == (FOUND.names, 0)


def test_the_coco_file_is_scored_as_predictions(tmp_path: Path) -> None:
    """Against itself as the truth it is perfect."""
    save(tmp_path, ("coco",), {"x/a.png": FOUND, "b.png": NOTHING})
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "images" / name, IMAGE)
    source = open_source(str(tmp_path), "coco", Boxes)
    saved = read_predictions(tmp_path / "coco.json", Detect(), source, CLASSES)
    scores = score_saved(saved, Detect(), source).result()
    assert scores["VOC2012 area AP@0.5"] == 1


def test_images_of_the_same_name_stay_apart_in_the_coco_file(tmp_path: Path) -> None:
    save(tmp_path, ("coco",), {"x/a.png": FOUND, "y/a.png": NOTHING, "a.png": FOUND})
    images = json.loads((tmp_path / "coco.json").read_text())["images"]
    assert [image["file_name"] for image in images] == ["x/a.png", "y/a.png", "a.png"]


def test_frames_of_a_video_stay_apart_in_the_coco_file(tmp_path: Path) -> None:
    sink = Sink(tmp_path, Detect(), ("coco",))
    for frame in (0, 12):
        sink.record({"source": "x/clip.mp4", "frame": frame}, FOUND)
    (path,) = sink.close()
    assert [i["file_name"] for i in json.loads(path.read_text())["images"]] == [
        "clip-000000.jpg",
        "clip-000012.jpg",
    ]


def test_frames_of_videos_that_are_called_alike_stay_apart_in_the_coco_file(tmp_path: Path) -> None:
    sink = Sink(tmp_path, Detect(), ("coco",))
    for video, source in (("a", "v/a.mp4"), ("a-2", "v/a.mov"), ("a-3", "v/a.mov")):
        for frame in (0, 1):
            sink.record({"source": source, "frame": frame}, FOUND, video)
    for photo in ("v/a-000000.jpg", "v/a-2-000001.png"):
        sink.record({"source": photo}, NOTHING)
    (path,) = sink.close()
    document = json.loads(path.read_text())
    assert [image["file_name"] for image in document["images"]] == [
        "a-000000-2.jpg",  # the photo is called so
        "a-000001.jpg",
        "a-2-000000.jpg",
        "a-2-000001.jpg",
        "a-3-000000.jpg",
        "a-3-000001.jpg",
        "a-000000.jpg",
        "a-2-000001.png",
    ]
    assert len(document["annotations"]) == 6 * len(FOUND)


def test_addresses_that_are_shown_alike_stay_apart_in_the_coco_file(tmp_path: Path) -> None:
    sink = Sink(tmp_path, Detect(), ("coco",))
    for answer in (FOUND, NOTHING):  # of two cameras whose passwords are hidden
        sink.record({"source": "http://me:***@host/a.jpg"}, answer)
    for frame in (0, 0):
        sink.record({"source": "rtsp://***@host/live", "frame": frame}, NOTHING)
    (path,) = sink.close()
    document = json.loads(path.read_text())
    assert [image["file_name"] for image in document["images"]] == [
        "a.jpg",
        "a-2.jpg",
        "live-000000.jpg",
        "live-000000-2.jpg",
    ]
    assert {entry["image_id"] for entry in document["annotations"]} == {1}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    answers = {
        "a.jpg": FOUND,
        "b/a.jpg": NOTHING,
        "classes.jpg": NOTHING,
        "coco.jpg": FOUND,
        "records.jpg": FOUND,
    }
    before: dict[str, bytes] = {}
    for _ in range(2):
        save(tmp_path, ALL, answers)
        after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert {name: after[name] for name in before} == before
        assert len(after) == len(before) + 3 * len(answers) + 4
        before = after


@pytest.mark.parametrize(
    ("task", "kind"),
    [(Segment(), "coco"), (Segment(), "voc"), (Detect(), "mask"), (Detect(), "vco")],
)
def test_a_kind_the_task_does_not_have_is_refused(task: Task, kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{task.name} can save image, .*json, csv; got '{kind}'"):
        Sink(tmp_path, task, (kind,))


def test_masks_are_saved_as_before(tmp_path: Path) -> None:
    mask = Mask(np.eye(20, 30, dtype=np.uint8), ("background", "cat"))
    assert save(tmp_path, ("image", *Segment.files), {"a.jpg": mask}, Segment()) == [
        "a-mask.png",
        "a.jpg",
    ]
