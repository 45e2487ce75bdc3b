"""Files that appear: whole, under names that nothing has, several runs at once; what dead runs left
goes, what lives stays.
"""

import csv
import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Instances, Labels, Mask
from cvtasks.cli.one_image import write_new
from cvtasks.errors import DataError, OutputError, UsageError
from cvtasks.evaluation.evaluate import check_new
from cvtasks.files import parts, writing
from cvtasks.files.writing import (
    check_folder,
    check_new_folder,
    folder_held,
    hold,
    made_beside,
    name_held,
    publish,
    publish_new,
    write_text,
    written_whole,
)
from cvtasks.inference.sink import Sink
from cvtasks.media.video_writer import VideoWriter
from cvtasks.tasks import TASKS
from cvtasks.tasks.base import Task
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.instances import SegmentInstances
from cvtasks.tasks.localize import Localize
from cvtasks.tasks.segment import Segment

IMAGE = np.zeros((20, 30, 3), np.uint8)
BOXES = Boxes.of([[1, 2, 10, 12.5]], [1], ("cat", "dog"), (20, 30), scores=[0.75])
NO_BOXES = Boxes.of([], [], ("cat", "dog"), (20, 30))
MASK = Mask(np.eye(20, 30, dtype=np.uint8), ("background", "cat"))
BOX_KINDS = ("image", "voc", "yolo", "coco", "json", "csv")


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture(params=["links", "no links"])
def file_system(request, monkeypatch) -> str:
    """A file system with hard links, and one without, such as FAT."""
    if request.param == "no links":

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    return request.param


# === publishing ===


def test_nothing_is_published_where_nothing_is_made(tmp_path: Path) -> None:
    publish({})
    with made_beside(tmp_path / "new"):
        pass
    assert names(tmp_path / "new") == []


def test_a_group_is_published_together_or_not_at_all(file_system: str, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("mine")
    with made_beside(tmp_path) as place:
        made = {place / name: tmp_path / name for name in ("a.txt", "b.txt", "c.txt")}
        for part in made:
            part.write_text("new")
        with pytest.raises(FileExistsError):
            publish(made)
        assert all(part.read_text() == "new" for part in made), "what was made is still there"
        assert publish_new(tmp_path, "b", {".txt": place / "b.txt", ".csv": place / "c.txt"}) == [
            tmp_path / "b-2.txt",
            tmp_path / "b-2.csv",
        ]
    assert names(tmp_path) == ["b-2.csv", "b-2.txt", "b.txt"]
    assert (tmp_path / "b.txt").read_text() == "mine"


def test_what_appears_at_the_last_moment_is_not_replaced(
    file_system: str, tmp_path: Path, monkeypatch
) -> None:
    """Between the look and the naming there is always a moment: `lexists` says nothing here, as it
    would just before.
    """
    (tmp_path / "a.txt").write_text("mine")
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with made_beside(tmp_path) as place:
        (place / "x").write_text("new")
        assert publish_new(tmp_path, "a", {".txt": place / "x"}) == [tmp_path / "a-2.txt"]
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert (tmp_path / "a-2.txt").read_text() == "new"


def test_a_link_that_leads_nowhere_is_somebodys_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone")
    with made_beside(tmp_path) as place:
        (place / "x").write_text("new")
        assert publish_new(tmp_path, "a", {".txt": place / "x"}) == [tmp_path / "a-2.txt"]
    assert not (tmp_path / "gone").exists()


def test_one_s_own_file_is_replaced(tmp_path: Path) -> None:
    """A checkpoint is written again and again under its name."""
    for text in ("one", "two"):
        write_text(tmp_path / "last", text)
    assert (tmp_path / "last").read_text() == "two"
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "last") as part:
        part.write_text("three")
        raise ZeroDivisionError
    assert (tmp_path / "last").read_text() == "two"
    assert names(tmp_path) == ["last"]


# === many at once ===


def test_threads_and_sinks_that_share_a_folder_lose_nothing(
    file_system: str, tmp_path: Path
) -> None:
    """Three runs, each of two threads, 5 answers a thread, all called `a`: 30 of each kind, each of
    its own run's.
    """

    def run(number: int) -> None:
        sink = Sink(tmp_path, Detect(), BOX_KINDS)

        def work() -> None:
            for _ in range(5):
                sink.write(sink.stem("a"), IMAGE, BOXES, f"{number}.png")
                sink.record({"source": f"{number}.png"}, BOXES)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sink.close()

    runs = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    there = names(tmp_path)
    count = {
        ending: sum(name.endswith(ending) for name in there)
        for ending in (".jpg", ".xml", ".jsonl", ".csv", ".json")
    }
    assert count == {".jpg": 30, ".xml": 30, ".jsonl": 3, ".csv": 3, ".json": 3}
    assert {Path(name).stem for name in there if name.endswith(".xml")} == {
        Path(name).stem for name in there if name.endswith(".jpg")
    }
    for path in tmp_path.glob("*.jsonl"):
        sources = [json.loads(line)["source"] for line in path.read_text().splitlines()]
        assert len(sources) == 10 and len(set(sources)) == 1
    assert not any(map(parts.is_hidden, there))


PROCESS = """
import sys, time
import numpy as np
from pathlib import Path
from cvtasks.answers import Boxes
from cvtasks.inference.sink import Sink
from cvtasks.tasks.detect import Detect
folder, number, begin = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
found = Boxes.of([[1, 2, 10, 12]], [0], ("cat",), (20, 30), scores=[0.5])
sink = Sink(folder, Detect(), ("image", "voc", "json"))
clip = sink.stem("clip", held=True).name
time.sleep(max(0, begin - time.time()))
for frame in range(10):
    sink.write(sink.stem(f"{clip}-{frame:06d}"), np.zeros((20, 30, 3), np.uint8), found)
    sink.record({"source": number}, found)
    sink.write(sink.stem("a"), np.zeros((20, 30, 3), np.uint8), found, f"{number}.png")
sink.close()
"""


def test_processes_that_share_a_folder_lose_nothing(tmp_path: Path) -> None:
    begin = str(time.time() + 1.5)
    runs = [
        subprocess.Popen([sys.executable, "-c", PROCESS, tmp_path, str(n), begin]) for n in range(2)
    ]
    assert [run.wait(60) for run in runs] == [0, 0]
    there = names(tmp_path)
    stems = {f"{clip}-{frame:06d}" for clip in ("clip", "clip-2") for frame in range(10)}
    stems |= {"a", *(f"a-{number}" for number in range(2, 21))}
    assert there == sorted(
        [
            *(stem + end for stem in stems for end in (".jpg", ".xml")),
            "records-2.jsonl",
            "records.jsonl",
        ]
    )
    for frame in stems - {stem for stem in stems if stem.startswith("a")}:
        assert f"<filename>{frame}.jpg</filename>" in (tmp_path / f"{frame}.xml").read_text()


def test_files_of_one_answer_share_a_stem_where_one_name_is_taken_meanwhile(tmp_path: Path) -> None:
    sink = Sink(tmp_path, Detect(), ("image", "voc"))
    stem = sink.stem("a")
    (tmp_path / "a.xml").write_text("mine")
    assert [path.name for path in sink.write(stem, IMAGE, BOXES)] == ["a-2.jpg", "a-2.xml"]
    assert "<filename>a-2.jpg</filename>" in (tmp_path / "a-2.xml").read_text()
    sink.close()
    assert names(tmp_path) == ["a-2.jpg", "a-2.xml", "a.xml"]
    assert (tmp_path / "a.xml").read_text() == "mine"


@pytest.mark.parametrize("taken", ["records.jsonl", "records.csv", "coco.json", "classes.txt"])
def test_files_for_all_images_leave_a_file_alone_that_appeared_meanwhile(
    taken: str, tmp_path: Path
) -> None:
    sink = Sink(tmp_path, Detect(), ("yolo", "coco", "json", "csv"))
    sink.write(sink.stem("x"), IMAGE, BOXES)
    sink.record({"source": "x.png"}, BOXES)
    (tmp_path / taken).write_text("mine")
    written = {path.name for path in sink.close()}
    assert (tmp_path / taken).read_text() == "mine"
    expected = {"records.jsonl", "records.csv", "coco.json", "classes.txt"}
    together = {"records.jsonl", "records.csv"} if taken.startswith("records") else {taken}
    assert written == (expected - together) | {name.replace(".", "-2.", 1) for name in together}


def test_a_video_leaves_a_file_alone_that_appeared_meanwhile(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", Fraction(25))
    writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    (tmp_path / "clip.mp4").write_text("mine")
    assert writer.close() == tmp_path / "clip-2.mp4"
    assert (tmp_path / "clip.mp4").read_text() == "mine"
    assert names(tmp_path) == ["clip-2.mp4", "clip.mp4"]


def test_images_of_a_command_share_a_stem_and_find_the_next(tmp_path: Path) -> None:
    (tmp_path / "dog-curves.png").write_text("mine")
    files = {".png": IMAGE, "-maps.npz": b"bytes"}
    assert [p.name for p in write_new(tmp_path, "dog", files)] == ["dog.png", "dog-maps.npz"]
    assert [p.name for p in write_new(tmp_path, "dog", files)] == ["dog-2.png", "dog-2-maps.npz"]
    assert [p.name for p in write_new(tmp_path, "cat", {".svg": "text"}, ("-curves.png",))] == [
        "cat.svg"
    ]
    assert [p.name for p in write_new(tmp_path, "dog", {".svg": "text"}, ("-curves.png",))] == [
        "dog-2.svg"
    ]


def test_capitals_make_no_other_name(tmp_path: Path) -> None:
    (tmp_path / "Dog.jpg").write_text("mine")
    sink = Sink(tmp_path, Detect(), ("image",))
    assert [sink.stem(name).name for name in ("dog", "DOG", "Cat", "cat")] == [
        "dog-2",
        "DOG-3",
        "Cat",
        "cat-2",
    ]


# === folders ===


def test_a_folder_can_be_held_by_one_run_alone(tmp_path: Path) -> None:
    with folder_held(tmp_path / "out"):
        with (
            pytest.raises(OutputError, match="another one writes into"),
            folder_held(tmp_path / "out"),
        ):
            pass
        with name_held(tmp_path / "out", "clip"), pytest.raises(FileExistsError):
            hold(tmp_path / "out", "CLIP")
        check_new(tmp_path / "out")  # what runs have under way is nothing
    assert not (tmp_path / "out").exists(), "an empty folder that was made for it goes again"
    with folder_held(tmp_path):
        (tmp_path / "a").write_text("")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "place",
    ["file", "file/below", "file/below/it", "x" * 300, "link/below"],
    ids=["file", "below", "deep", "long", "loop"],
)
def test_a_folder_that_cannot_be_is_refused_at_once(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "link")
    for attempt in (
        lambda: check_folder(tmp_path / place),
        lambda: Sink(tmp_path / place, Detect(), ("image",)),
        lambda: check_new(tmp_path / place),
        lambda: write_new(tmp_path / place, "a", {".png": IMAGE}),
        lambda: folder_held(tmp_path / place).__enter__(),
        lambda: write_text(tmp_path / place / "a", ""),
    ):
        with pytest.raises(
            OutputError, match=r"could not be written.*Choose a folder that can be written"
        ):
            attempt()
    assert names(tmp_path) == ["file", "link"]


def test_a_folder_that_may_not_be_written_is_refused_at_once(tmp_path: Path, monkeypatch) -> None:
    check_folder(tmp_path / "a" / "b")
    monkeypatch.setattr(os, "access", lambda path, how: False)  # root may write anywhere
    with pytest.raises(OutputError, match="may not be written"):
        check_folder(tmp_path / "a" / "b")
    assert names(tmp_path) == []


def test_a_new_folder_must_be_new(tmp_path: Path) -> None:
    check_new_folder(tmp_path / "new")
    (tmp_path / "link").symlink_to("nowhere")
    for there in (tmp_path, tmp_path / "link"):
        with pytest.raises(UsageError, match="exists, and nothing is overwritten"):
            check_new_folder(there)


# === full disks ===


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing more be put on the disk."""

    def fsync(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", fsync)


def test_a_full_disk_is_said_by_the_name_that_the_user_knows(tmp_path: Path, monkeypatch) -> None:
    full(monkeypatch)
    sink = Sink(tmp_path, Segment(), ("image", "mask"))
    writes: dict[str, Callable[[], object]] = {
        "out/a": lambda: Sink(tmp_path / "out", Segment(), ("mask",)).write(
            tmp_path / "out" / "a", IMAGE, MASK
        ),
        "a": lambda: sink.write(sink.stem("a"), IMAGE, MASK),
        "images": lambda: write_new(tmp_path / "images", "a", {".png": IMAGE}),
        "last": lambda: write_text(tmp_path / "last", ""),
    }
    for name, write in writes.items():
        with pytest.raises(OutputError) as caught:
            write()
        said = str(caught.value)
        assert said == (
            f"'{tmp_path / name}' could not be written: No space left on device. What was there "
            "before is unchanged. "
            "Free some space or choose another folder."
        )
    sink.close()
    assert [name for name in names(tmp_path) if name != "out"] == ["images"]


def test_what_is_too_large_is_called_by_the_name_that_the_user_knows(tmp_path: Path) -> None:
    width = 1_000_001  # too many for a PNG, which is written where a JPEG cannot be
    wide = np.zeros((1, width, 3), np.uint8)
    sink = Sink(tmp_path, Detect(), ("image",))
    for name, write in (
        ("a.jpg", lambda: write_new(tmp_path, "a", {".jpg": wide})),
        ("a.png", lambda: sink.write(sink.stem("a"), wide, Boxes.of([], [], ("cat",), (1, width)))),
    ):
        with pytest.raises(OutputError) as caught:
            write()
        assert f"'{tmp_path / name}' was to hold {width} x 1" in str(caught.value)
        assert ".cvtasks" not in str(caught.value)
    sink.close()
    assert names(tmp_path) == []


def test_records_before_the_one_that_does_not_fit_are_kept_whole(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    sink = Sink(tmp_path, Detect(), ("json", "csv"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    done = 0
    try:
        with pytest.raises(OutputError, match=r"records\.jsonl' could not be written"):
            for done in range(100):
                sink.record({"source": f"{done}.png", "boxes": "x" * 80}, BOXES)
        written = sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (
        [path.name for path in written] == ["records.jsonl", "records.csv"] == names(tmp_path)[::-1]
    )
    lines = [json.loads(line)["source"] for line in written[0].read_text().splitlines()]
    assert lines == [f"{number}.png" for number in range(done)] and 5 < done < 20
    assert [row["source"] for row in csv.DictReader(written[1].read_text().splitlines())] == lines


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path) -> None:
    import shutil

    sink = Sink(tmp_path / "out", Detect(), ("image",))
    sink.write(sink.stem("a"), IMAGE, BOXES)
    shutil.rmtree(tmp_path / "out")
    assert sink.write(sink.stem("b"), IMAGE, BOXES) == [tmp_path / "out" / "b.jpg"]
    sink.close()
    assert names(tmp_path / "out") == ["b.jpg"]


# === what dead runs left ===


def test_what_dead_runs_left_goes_and_what_may_live_stays(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [f".cvtasks-{parts.machine()}-{pid}-1.part" for pid in (dead.pid, os.getpid())]
    stays = [
        f".cvtasks-{parts.machine()}-{os.getppid()}-1.part",  # lives
        f".cvtasks-00000000-{dead.pid}-1.part",  # of another machine
        ".cvtasks-mine.part",
        f".last.safetensors.{dead.pid}.part",
    ]
    for name in (left[0], stays[0]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "video.mp4").write_text("half")
    for name in (left[1], *stays[1:]):
        (tmp_path / name).write_text("half")
    for name, process in (("gone", dead.pid), ("lives", os.getppid())):
        (tmp_path / f".cvtasks-{name}.held").symlink_to(f"{parts.machine()}-{process}")
    write_text(tmp_path / "a", "")
    assert names(tmp_path) == sorted(["a", ".cvtasks-lives.held", *stays])


def test_what_a_dead_run_held_is_free_again(tmp_path: Path) -> None:
    held = hold(tmp_path, "clip")
    parts.remove_part(held)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    held.symlink_to(f"{parts.machine()}-{dead.pid}")
    assert hold(tmp_path, "clip") == held
    parts.remove_parts()
    held.symlink_to(f"00000000-{dead.pid}")
    with pytest.raises(FileExistsError):
        hold(tmp_path, "clip")


def test_a_process_that_leaves_at_once_leaves_nothing_half_made(tmp_path: Path) -> None:
    with made_beside(tmp_path) as place:
        (place / "video.mp4").write_text("half")
        hold(tmp_path, "clip")
        parts.remove_parts()
        assert names(tmp_path) == []


# === the CSV's header ===


@pytest.mark.parametrize(
    ("task", "nothing", "something"),
    [
        (Detect(), NO_BOXES, BOXES),
        (Localize(), NO_BOXES, BOXES),
        (
            SegmentInstances(),
            Instances.nothing((20, 30), ("cat", "dog")),
            Instances.of([np.ones((20, 30), bool)], [1], ("cat", "dog"), (20, 30)),
        ),
        (Segment(), Mask(np.full((20, 30), 255, np.uint8), ("background", "cat")), MASK),
        (Classify(), Labels.of([], ("cat", "dog")), Labels.of([1], ("cat", "dog"))),
    ],
    ids=["detect", "localize", "instances", "segment", "classify"],
)
def test_the_table_has_its_columns_whatever_was_found(
    task: Task, nothing: object, something: object, tmp_path: Path
) -> None:
    for answer in (nothing, something):
        sink = Sink(tmp_path, task, ("csv",))
        sink.record({"source": "x.png"}, answer)
        (path,) = sink.close()
        header, *rows = csv.reader(path.read_text().splitlines())
        assert tuple(header) == ("source", "frame", "time_s", *task.columns)
        assert len(rows) == len(task.rows(answer))
        assert all(tuple(row) == task.columns for row in task.rows(answer))
    assert tuple(TASKS) and all(row.task.columns for row in TASKS.values())


# === data that are written anew ===


def test_converting_replaces_nothing_of_the_users(tmp_path: Path) -> None:
    from cvtasks.data import open_source
    from cvtasks.data.writing.convert import convert

    data = tmp_path / "data"
    for split in ("train", "val"):
        (data / "images" / split).mkdir(parents=True)
        (data / "labels" / split).mkdir(parents=True)
        cv2.imwrite(str(data / "images" / split / f"{split}.png"), IMAGE)
        (data / "labels" / split / f"{split}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (data / "data.yaml").write_text("train: images/train\nval: images/val\nnames: {0: cat}\n")
    source = open_source(str(data), "train", Boxes)
    for to, theirs in (
        ("voc", "Annotations/train.xml"),
        ("yolo", "labels/train/train.txt"),
        ("voc", "JPEGImages/train.png"),
    ):
        folder = tmp_path / theirs.replace("/", "-")
        (folder / theirs).parent.mkdir(parents=True)
        (folder / theirs).write_text("mine")
        with pytest.raises(DataError, match="exists and is another"):
            convert(source, to, folder, "train")
        assert (folder / theirs).read_text() == "mine"
        assert not list(folder.glob(".cvtasks-*"))
    own = tmp_path / "own"
    convert(source, "yolo", own, "train")
    written = (own / "data.yaml").read_text()
    (own / "data.yaml").write_text(f"# where it comes from: our own camera\n{written}")
    with pytest.raises(DataError, match="would lose by it"):
        convert(open_source(str(data), "val", Boxes), "yolo", own, "val")
    assert (own / "data.yaml").read_text().startswith("# where it comes from")
    (own / "data.yaml").write_text(written)
    with folder_held(own), pytest.raises(OutputError, match="another one writes into"):
        convert(open_source(str(data), "val", Boxes), "yolo", own, "val")
    convert(open_source(str(data), "val", Boxes), "yolo", own, "val")
    assert (
        len(open_source(str(own), "val", Boxes)) == len(open_source(str(own), "train", Boxes)) == 1
    )
