"""Videos whose objects are followed: through the pipeline and the command line, to records, files
and drawings.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Instances
from cvtasks.errors import UnfitInput, UsageError
from cvtasks.evaluation.predictions import read_predictions
from cvtasks.formats.mot import parse_mot
from cvtasks.inference.counting import named, parse_count
from cvtasks.inference.following import Follow
from cvtasks.inference.pipeline import Job, VideoRun
from cvtasks.inference.sink import Sink
from cvtasks.media.streams import Stream
from cvtasks.tasks.base import Task
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.instances import SegmentInstances
from cvtasks.tasks.segment import Segment

HEIGHT, WIDTH, RATE, CLASSES = 120, 160, 10.0, ("dot", "bar")


class Screen:
    """A capture of blank frames; the pixel at the top left says which. A camera's clock, too."""

    now = 0.0

    def __init__(self, frames: int) -> None:
        self._frames, self._next = frames, 0

    def get(self, what: int) -> float:
        known = {cv2.CAP_PROP_FRAME_COUNT: self._frames, cv2.CAP_PROP_FPS: RATE}
        return known.get(what, 1000 * (self._next - 1) / RATE)

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._next += 1
        Screen.now = self._next / RATE
        if self._next > self._frames:
            return False, None
        return True, np.full((HEIGHT, WIDTH, 3), self._next - 1, np.uint8)

    def grab(self) -> bool:
        return self.read()[0]

    def release(self) -> None:
        pass


@dataclass
class Seeing:
    """A model that sees in each frame what it was told."""

    answers: list[Boxes]
    task: Task

    name = "seeing"
    engine = SimpleNamespace(name="none")

    @property
    def recipe(self) -> Any:
        return SimpleNamespace(task=self.task)

    def predict_many(
        self, images: Iterable[Any], threshold: float | None = None, tiles: str = ""
    ) -> Iterator[tuple[Any, np.ndarray, Boxes]]:
        least = self.task.threshold if threshold is None else threshold
        for tag, image in images:
            answer = self.answers[int(image[0, 0, 0])]
            yield tag, image, answer.take(answer.scores >= least)


def falling(score: Callable[[int], float]) -> list[Boxes]:
    """A dot that falls four pixels a frame, and a bar that stays, which is never sure."""
    return [
        Boxes.of(
            [[50, 10 + 4 * n, 70, 30 + 4 * n], [100, 50, 150, 60]],
            [0, 1],
            CLASSES,
            (HEIGHT, WIDTH),
            scores=[score(n), 0.2],
        )
        for n in range(20)
    ]


SURE = falling(lambda n: 0.9)
GAPS = falling(lambda n: {8: 0.15, 9: 0.0, 10: 0.0}.get(n, 0.9))


def run(
    answers: list[Boxes], folder: Path, follow: Follow | None, *kinds: str, live: bool = False
) -> tuple[VideoRun, list[Any]]:
    model: Any = Seeing(answers, Detect(threshold=0.5))
    sink = Sink(folder, model.task, kinds, tracked=follow is not None)
    job = Job(model, sink, kinds, follow=follow)
    stream = Stream("fall", "fall.mp4", live, lambda: Screen(20))
    done = VideoRun(job, stream, stream.open(realtime=False, most=20))
    frames = list(done)
    sink.close()
    return done, frames


def counting(*specs: str, fill: bool = False) -> Follow:
    return Follow(named([parse_count(spec) for spec in specs]), fill)


def test_objects_have_numbers_and_what_is_unsure_is_not_shown(tmp_path: Path) -> None:
    done, frames = run(SURE, tmp_path, Follow(), "json", "csv", "mot")
    assert [one.answer.tracks.tolist() for one in frames] == [[1]] * 20
    assert [one.record["boxes"][0]["track"] for one in frames] == [1] * 20
    assert done.summary is None
    assert "track" in str(done.stages)
    with (tmp_path / "records.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["track"], row["filled"]) for row in rows] == [("1", "0")] * 20
    tracks = parse_mot((tmp_path / "fall-mot.txt").read_text(), "x")
    assert tracks.frames.tolist() == list(range(20))
    np.testing.assert_array_equal(tracks.xyxy, np.concatenate([one.xyxy[:1] for one in SURE]))


def test_without_tracking_all_is_as_it_was(tmp_path: Path) -> None:
    done, frames = run(GAPS, tmp_path, None, "json", "csv")
    assert [len(one.answer) for one in frames] == [1] * 8 + [0] * 3 + [1] * 9
    assert "track" not in frames[0].record["boxes"][0]
    assert "track" not in str(done.stages)
    assert (tmp_path / "records.csv").read_text().splitlines()[0].endswith("x1,y1,x2,y2")


def test_gaps_stay_unless_they_are_to_be_filled(tmp_path: Path) -> None:
    _, frames = run(GAPS, tmp_path / "a", Follow(), "json")
    assert [len(one.answer) for one in frames] == [1] * 8 + [0] * 3 + [1] * 9
    assert frames[11].answer.tracks.tolist() == [1]
    _, frames = run(GAPS, tmp_path / "b", Follow(fill_gaps=True), "json", "mot")
    assert [one.record["frame"] for one in frames] == list(range(20))
    assert [one.record["boxes"][0].get("filled", False) for one in frames] == (
        [False] * 8 + [True] * 3 + [False] * 9
    )
    assert frames[8].record["boxes"][0]["score"] == 0.15, "an unsure box is better than none"
    tops = [one.answer.xyxy[0, 1] for one in frames]
    assert tops == pytest.approx([10 + 4 * n for n in range(20)])
    assert len((tmp_path / "b" / "fall-mot.txt").read_text().splitlines()) == 20


def test_videos_that_are_called_alike_stay_apart_in_every_file(tmp_path: Path) -> None:
    model: Any = Seeing(SURE, Detect(threshold=0.5))
    kinds = ("coco", "mot", "yolo", "json")
    sink = Sink(tmp_path, model.task, kinds, tracked=True)
    for source in ("fall.mp4", "fall.mov", "fall.mov"):
        stream = Stream("fall", source, False, lambda: Screen(2))
        job = Job(model, sink, kinds, follow=Follow())
        assert len(list(VideoRun(job, stream, stream.open(), frame_files=True))) == 2
    sink.close()
    frames = [f"{video}-00000{frame}" for video in ("fall", "fall-2", "fall-3") for frame in (0, 1)]
    images = json.loads((tmp_path / "coco.json").read_text())["images"]
    assert [image["file_name"] for image in images] == [f"{frame}.jpg" for frame in frames]
    written = {"classes", *frames, "fall-mot", "fall-2-mot", "fall-3-mot"}
    assert {file.stem for file in tmp_path.glob("*.txt")} == written
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == len(frames)


def test_masks_of_instances_fill_gaps_too(tmp_path: Path) -> None:
    answers = []
    for found in GAPS:
        planes = np.zeros((len(found), HEIGHT, WIDTH), bool)
        for plane, (left, top, right, bottom) in zip(planes, found.xyxy.astype(int), strict=True):
            plane[top:bottom, left:right] = True
        given = (planes, found.labels, CLASSES, found.size)
        answers.append(Instances.of(*given, scores=found.scores))
    model: Any = Seeing(answers, SegmentInstances(threshold=0.5))
    job = Job(model, Sink(tmp_path, model.task, ()), (), show=True, follow=Follow(fill_gaps=True))
    stream = Stream("fall", "fall.mp4", False, lambda: Screen(20))
    for n, one in enumerate(VideoRun(job, stream, stream.open())):
        np.testing.assert_array_equal(one.answer.plane(0), answers[n].plane(0))
        assert one.record["boxes"][0]["track"] == 1
        assert one.record["boxes"][0]["mask"]["size"] == [HEIGHT, WIDTH]


@pytest.mark.parametrize("live", [False, True])
def test_counts_are_in_the_records_and_at_the_end(
    tmp_path: Path, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if live:  # its frames are timed as they come, and these come as fast as the machine may
        clock = SimpleNamespace(monotonic=lambda: Screen.now)
        monkeypatch.setattr("cvtasks.media.video.time", clock)
    follow = counting("gate=line 0,0.5 1,0.5", "zone 0,0 1,0 1,.5 0,.5")
    done, frames = run(SURE, tmp_path, follow, "json", live=live)
    crossed = [one.record["counts"]["gate"]["crossed"] for one in frames]
    assert crossed[0] == {}
    assert crossed[-1] == {"dot": {"down": 1, "up": 0}}
    here = [n for n, one in enumerate(frames) if one.record["counts"]["gate"]["here"]]
    assert here == [8], "its lower edge is at 30 + 4 n; half of the height is 60, and 1 of slack"
    assert frames[5].record["counts"]["zone 1"]["present"] == {"dot": 1}
    assert frames[9].record["counts"]["zone 1"]["present"] == {}
    assert done.summary is not None
    assert done.summary["summary"]["frames"] == 20
    assert done.summary["summary"]["counts"]["gate"] == {"crossed": {"dot": {"down": 1, "up": 0}}}
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [*(one.record for one in frames), done.summary]
    assert "gate: dot 1 down, 0 up" in done.notes()


def test_records_with_a_summary_are_read_as_predictions(tmp_path: Path) -> None:
    run(SURE, tmp_path, counting("line 0,0.5 1,0.5"), "json")
    data: Any = SimpleNamespace(classes=CLASSES)
    saved = read_predictions(tmp_path / "records.jsonl", Detect(), data, CLASSES)
    (entries,) = saved.entries.values()
    assert len(entries) == 20
    assert [one.answer.tracks.tolist() for one in entries] == [[1]] * 20


def test_a_line_outside_of_the_frame_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnfitInput, match=r"fall.*160 × 120"):
        run(SURE, tmp_path / "out", counting("line 500,5 900,5"), "image")
    assert not list(tmp_path.rglob("*.mp4"))


def test_only_boxes_are_followed(tmp_path: Path) -> None:
    model: Any = Seeing([], Segment())
    with pytest.raises(UsageError, match="segment has none"):
        Job(model, Sink(tmp_path, model.task, ()), (), follow=Follow())


def test_ways_lines_and_zones_are_drawn(tmp_path: Path) -> None:
    follow = counting("line 0,0.9 1,0.9", "zone 0,0 .2,0 .2,.2 0,.2")
    model: Any = Seeing(SURE, Detect(threshold=0.5))
    stream = Stream("fall", "fall.mp4", False, lambda: Screen(20))
    shown = {}
    for name, how in (("plain", None), ("followed", follow)):
        job = Job(model, Sink(tmp_path, model.task, ()), (), show=True, follow=how)
        shown[name] = [one.drawn for one in VideoRun(job, stream, stream.open())]
    changed = (shown["plain"][10] != shown["followed"][10]).any(axis=2)
    assert changed[108, 5], "the line"
    assert changed[0, 5], "the zone"
    assert changed[52:68, 60].any(), "the way of the lower edge"
    assert not changed[70:85, 130:160].any()


def test_the_command_line_says_what_cannot_be(
    tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, said = cli("detect", tmp_path, "--count", "line 1,2")
    assert code == 2
    assert "door=line" in said


def test_a_video_too_small_to_count_in_does_not_stop_the_others(
    tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    sizes = {"large": 128, "small": 64, "large-too": 128}
    for name, side in sizes.items():
        path, codec = tmp_path / f"{name}.avi", cv2.VideoWriter.fourcc(*"MJPG")
        clip = cv2.VideoWriter(str(path), codec, 10, (side, side))
        for _ in range(2):
            clip.write(np.zeros((side, side, 3), np.uint8))
        clip.release()
    code, _, said = cli(
        *("detect", *(tmp_path / f"{name}.avi" for name in sizes), "-o", tmp_path / "out"),
        *("--count", "line 0,100 100,100", "--fill-gaps"),
    )
    assert code == 3
    assert re.search(r"small\.avi: a line to count at must .* 64 × 64 .* got 0,100 100,100", said)
    assert "1 of 3 inputs could not be used; 2 were done" in said
    made = {file.name for file in (tmp_path / "out").iterdir()}
    assert made == {"large.mp4", "large-too.mp4"}


def test_command_line(
    tmp_path: Path, cli: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a model of the shop and a video of noise: all options go through, whatever is found."""
    clip = cv2.VideoWriter(
        str(tmp_path / "noise.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 64)
    )
    rng = np.random.default_rng(0)
    for _ in range(4):
        clip.write(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    clip.release()
    code, out, said = cli(
        *("detect", tmp_path / "noise.avi", "--json", "--save", "json,mot,csv"),
        *("-o", tmp_path / "out", "--fill-gaps", "--threshold", "0.9"),
        *("--count", "gate=line 0,0.5 1,0.5", "--count", "zone 0,0 1,0 1,1"),
    )
    assert code == 0, said
    records = [json.loads(line) for line in out.splitlines()]
    assert [record.get("frame") for record in records] == [0, 1, 2, 3, None]
    assert records[-1]["summary"]["counts"] == {"gate": {"crossed": {}}, "zone 1": {"zone": {}}}
    assert "gate: nothing crossed it" in said
    assert "up to 15 frames late" in said
    assert (tmp_path / "out" / "noise-mot.txt").exists()
