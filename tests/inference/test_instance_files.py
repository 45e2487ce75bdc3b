"""What is saved of objects with masks, each kind read again as its format says."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Instances
from cvtasks.errors import UsageError
from cvtasks.formats.instance_files import geojson, numbers_png, yolo_segments
from cvtasks.geometry.rle import decode_rle, polygons_mask
from cvtasks.inference.sink import Sink
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.instances import SegmentInstances
from cvtasks.tasks.localize import Localize

CLASSES, SIZE = ("cat", "dog/hound"), (20, 30)


def some() -> Instances:
    """A ring and, over it, a block of two pieces; a mask that shows nothing."""
    ring, block = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    ring[2:12, 3:15] = True
    ring[5:9, 6:12] = False
    block[10:14, 8:28] = True
    block[16:19, 1:3] = True
    return Instances.of(
        [ring, block, np.zeros(SIZE, bool)],
        [0, 1, 0],
        CLASSES,
        SIZE,
        xyxy=[[3, 2, 15, 12], [1, 10, 28, 19], [0, 0, 4, 4]],
        scores=[0.75, 0.5, 0.4],
    )


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def save(folder: Path, *kinds: str) -> dict[str, Path]:
    task = SegmentInstances()
    sink = Sink(folder, task, kinds)
    sink.write(sink.stem("a"), image(), some(), "a.jpg")
    place = {"source": "a.jpg", "width": 30, "height": 20}
    sink.record(place | task.record(some()), some())
    sink.close()
    return {path.name: path for path in sorted(folder.iterdir())}


def test_every_kind_has_its_files(tmp_path: Path) -> None:
    kinds = ("image", "masks", "yolo-seg", "geojson", "crops", "coco", "json", "csv")
    assert list(save(tmp_path, *kinds)) == [
        *("a-01-cat.png", "a-02-dog_hound.png", "a-masks.png", "a.geojson", "a.jpg", "a.txt"),
        *("classes.txt", "coco.json", "records.csv", "records.jsonl"),
    ]


def test_numbers_are_those_of_the_record(tmp_path: Path) -> None:
    found = save(tmp_path, "masks", "json")
    record = json.loads(found["records.jsonl"].read_text())
    with Image.open(found["a-masks.png"]) as written:
        assert written.mode == "P"
        numbers = np.array(written)
    first, second = (decode_rle(entry["mask"]) for entry in record["boxes"][:2])
    assert (numbers[first] == 1).all(), "the surer lies above"
    assert (numbers[second & ~first] == 2).all() and not numbers[~(first | second)].any()


def test_many_objects_have_sixteen_bits() -> None:
    numbers = np.arange(30 * 40, dtype=np.int32).reshape(30, 40)
    read = np.array(Image.open(io.BytesIO(numbers_png(numbers))))
    np.testing.assert_array_equal(read, numbers)
    with pytest.raises(ValueError, match="up to 65,535"):
        numbers_png(numbers + 70_000)


def test_outlines_of_yolo_give_the_masks_back() -> None:
    lines = [line.split() for line in yolo_segments(some(), scores=True).splitlines()]
    assert [line[0] for line in lines] == ["0", "1"], "what shows nothing has no outline"
    assert [float(line[-1]) for line in lines] == [0.75, 0.5]
    for number, line in enumerate(lines):
        corners = np.array(line[1:-1], float).reshape(-1, 2) * (30, 20)
        mask = polygons_mask([corners.round(6).reshape(-1).tolist()], SIZE)
        np.testing.assert_array_equal(mask, some().plane(number))
    assert len(yolo_segments(some()).split()) == sum(map(len, lines)) - 2


def test_geojson_has_pieces_and_holes() -> None:
    first, second = geojson(some())["features"]
    assert first["geometry"]["type"] == "Polygon" and len(first["geometry"]["coordinates"]) == 2
    assert second["geometry"]["type"] == "MultiPolygon"
    assert first["properties"]["classification"] == {"name": "cat"}
    plane = np.zeros(SIZE, bool)
    for ring in first["geometry"]["coordinates"]:
        assert ring[0] == ring[-1]
        plane ^= polygons_mask([np.array(ring[:-1], float).reshape(-1).tolist()], SIZE)
    np.testing.assert_array_equal(plane, some().plane(0))


def test_cut_outs_are_what_masks_show(tmp_path: Path) -> None:
    cut = np.array(Image.open(save(tmp_path, "crops")["a-01-cat.png"]))
    assert cut.shape == (10, 12, 4)
    np.testing.assert_array_equal(cut[..., 3] == 255, some().plane(0)[2:12, 3:15])
    np.testing.assert_array_equal(cut[..., :3], image()[2:12, 3:15])


def test_cut_outs_of_boxes_are_their_places(tmp_path: Path) -> None:
    boxes = Boxes.of(some().xyxy - [[5.4, 0, 0, 0]], some().labels, CLASSES, SIZE)
    for task, count in ((Detect(), 3), (Localize(), 1)):
        folder = tmp_path / task.name
        sink = Sink(folder, task, ("crops",))
        files = sink.write(sink.stem("b"), image(), boxes)
        assert len(files) == count
        with Image.open(folder / "b-01-cat.jpg") as cut:
            assert cut.size == (15, 10)


def test_coco_has_masks_and_scores(tmp_path: Path) -> None:
    document = json.loads(save(tmp_path, "coco")["coco.json"].read_text())
    for number, entry in enumerate(document["annotations"]):
        np.testing.assert_array_equal(decode_rle(entry["segmentation"]), some().plane(number))
        assert entry["score"] == pytest.approx(some().scores[number])
    assert document["annotations"][0]["bbox"] == [3, 2, 12, 10]


def test_rows_have_areas(tmp_path: Path) -> None:
    lines = save(tmp_path, "csv")["records.csv"].read_text().splitlines()
    assert lines[0].endswith("class,score,x1,y1,x2,y2,area")
    assert [int(line.rsplit(",", 1)[1]) for line in lines[1:]] == [96, 86, 0]


def test_kinds_of_boxes_are_none_of_instances(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"instances can save .*yolo-seg.* got 'yolo'"):
        Sink(tmp_path, SegmentInstances(), ("yolo",))


def test_drawings_tell_objects_apart() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    left = np.zeros((200, 200), bool)
    left[50:150, 20:90] = True
    for classes in (CLASSES, ("cat",)):
        two = Instances.of([left, left[:, ::-1]], [0, 0], classes, (200, 200))
        drawn = two.draw(grey)
        assert (drawn[140, 50] != drawn[140, 150]).any(), "each has a colour of its own"
        assert (drawn[10, 100] == 128).all()
        tracked = replace(two, tracks=np.array([4, 1]))
        swapped = tracked.take(np.array([1, 0]))
        assert (tracked.draw(grey)[140, 50] == swapped.draw(grey)[140, 50]).all()
    crowd = Instances.of([left], [0], CLASSES, (200, 200), crowd=[True]).draw(grey)
    assert (crowd[140, 50] == 128).all() and (crowd[140, 20] != 128).any(), "an outline alone"
