"""Very many images in pieces: ids, shards, what a killed run leaves, and what a second one does."""

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.errors import CVTasksError, InputError, UsageError
from cvtasks.geometry.rle import encode_rle
from cvtasks.inference.mapping import in_processes, on_ray
from cvtasks.inference.mapping import work as mapping_work
from cvtasks.inference.mapping.inputs import Input, listed, without_query
from cvtasks.inference.mapping.manifest import MANIFEST, pieces_of
from cvtasks.inference.mapping.parquet import Parquet
from cvtasks.inference.mapping.plan import Plan, planned
from cvtasks.inference.mapping.run import Mapped, mapped
from cvtasks.inference.mapping.work import PieceDone, fault
from cvtasks.media.video_writer import VideoWriter
from cvtasks.tasks.base import Task
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.instances import SegmentInstances
from cvtasks.tasks.localize import Localize
from cvtasks.tasks.segment import Segment

Cli = Callable[..., tuple[int, str, str]]

MODEL = "classify-lenet-mnist"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of ten digits of noise, two of them below it, one file that is none, and one that
    is cut short.
    """
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    (folder / "more").mkdir(parents=True)
    for number in range(10):
        place = folder / "more" if number > 7 else folder
        cv2.imwrite(str(place / f"{number}.png"), rng.integers(0, 256, (28, 28), np.uint8))
    (folder / "text.png").write_text("no image")
    (folder / "short.png").write_bytes((folder / "0.png").read_bytes()[:200])
    return folder


def plan(photos: Path, out: Path, **options: object) -> Plan:
    chosen: dict = {"piece": 4, **options}
    return planned(MODEL, str(photos), out, **chosen)


def records(out: Path, kind: str = "part") -> list[dict]:
    lines = [
        line
        for path in sorted(out.glob(f"{kind}-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [json.loads(line) for line in lines]


IDS = [*(f"{number}.png" for number in range(8)), "more/8.png", "more/9.png"]


def test_every_input_has_one_record_or_one_error(cli: Cli, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, err = cli("map", MODEL, photos, "-o", out, "--piece", 4)
    assert code == 3, err
    assert said == f"{out}\n"
    found = records(out)
    assert [one["id"] for one in found] == IDS
    assert sorted(path.name for path in out.glob("part-*")) == [
        f"part-{number:05d}.jsonl" for number in range(3)
    ]
    faults = {one["id"]: one for one in records(out, "errors")}
    assert sorted(faults) == ["short.png", "text.png"]
    assert faults["text.png"]["rule"].startswith("an image must be one of JPEG")
    assert "holds text" in faults["text.png"]["received"]
    assert "2 inputs of 12 could not be read" in err
    _, lines, _ = cli("classify", photos, photos / "more", "-m", MODEL, "--json", "-o", tmp_path)
    plain = {one["source"]: one for one in map(json.loads, lines.splitlines())}
    assert {one["source"]: {**one} for one in found} == {
        name: {"id": Path(name).relative_to(photos).as_posix(), **one}
        for name, one in plain.items()
    }


def test_a_second_call_keeps_what_is_there_and_other_options_are_refused(
    cli: Cli, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli("map", MODEL, photos, "-o", out, "--piece", 4)
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in out.iterdir()}
    code, _, err = cli("map", MODEL, photos, "-o", out, "--piece", 4)
    assert code == 3
    assert "0 shards written, 3 shards from before" in err
    code, _, err = cli("map", MODEL, photos, "-o", out, "--piece", 5, "--threshold", 0.25)
    assert code == 2
    assert "piece was 4 and is 5; threshold was null and is 0.25" in err
    assert "-o DIR" in err
    (photos / "new.png").write_bytes((photos / "0.png").read_bytes())
    code, _, err = cli("map", MODEL, photos, "-o", out, "--piece", 4)
    assert code == 2
    assert "inputs was 12 and is 13" in err
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in out.iterdir()} == before
    code, _, err = cli("map", MODEL, photos, "-o", photos)
    assert code == 2
    assert MANIFEST in err


def test_a_killed_run_is_gone_on_with_and_nothing_is_done_twice(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    mapped(plan(photos, whole))
    out = tmp_path / "out"
    read = mapping_work.read_image
    calls = list[str]()

    def dies(content: bytes, most: int, *, name: str) -> np.ndarray:
        calls.append(Path(name).name)
        if Path(name).name == "6.png" and calls.count("6.png") < 3:
            raise KeyboardInterrupt("killed")
        return read(content, most, name=name)

    monkeypatch.setattr(mapping_work, "read_image", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            mapped(plan(photos, out))
        assert [path.name for path in sorted(out.glob("part-*"))] == ["part-00000.jsonl"]
    result = mapped(plan(photos, out))
    assert (result.kept, result.pieces, result.done, result.failed) == (1, 2, 6, 2)
    assert calls.count("0.png") == 1, "a shard that is there is not done again"
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in out.iterdir()) == names, "nothing half made is left"
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_shard_that_another_wrote_meanwhile_is_kept(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    read = mapping_work.read_image

    def meanwhile(content: bytes, most: int, *, name: str) -> np.ndarray:
        (out / "part-00001.jsonl").write_text("theirs\n")
        return read(content, most, name=name)

    monkeypatch.setattr(mapping_work, "read_image", meanwhile)
    mapped(plan(photos, out))
    assert (out / "part-00001.jsonl").read_text() == "theirs\n"
    assert not (out / "errors-00001.jsonl").exists()


def test_what_is_asked_to_stop_leaves_whole_shards_alone(photos: Path, tmp_path: Path) -> None:
    out, stop = tmp_path / "out", threading.Event()
    seen = list[int]()

    def enough(done: int) -> None:
        seen.append(done)
        if len(seen) == 5:
            stop.set()

    result = mapped(plan(photos, out), stop, seen=enough)
    assert result.pieces == 1
    assert [one["id"] for one in records(out)] == IDS[:4]
    assert mapped(plan(photos, out)).pieces == 2


def test_frames_have_ids_by_number(cli: Cli, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    writer = VideoWriter(videos / "a.mp4", 10, True)
    for number in range(6):
        writer.write(np.full((32, 32, 3), 40 * number, np.uint8), number / 10)
    writer.close()
    (videos / "b.mp4").write_bytes((videos / "a.mp4").read_bytes()[:300])
    out = tmp_path / "out"
    code, _, err = cli("map", MODEL, videos, "-o", out, "--every", 2)
    assert code == 3, err
    found = records(out)
    assert [(one["id"], one["frame"]) for one in found] == [
        (f"a.mp4#{number:06d}", number) for number in (0, 2, 4)
    ]
    assert [one["time_s"] for one in found] == pytest.approx([0, 0.2, 0.4])
    assert [one["id"] for one in records(out, "errors")] == ["b.mp4"]


def test_a_list_names_paths_and_addresses_each_once(photos: Path) -> None:
    names = photos / "list.txt"
    names.write_text(
        "# which\n\n1.png\nmore/8.png\n1.png\nhttps://me:secret@host/b.jpg?sig=abc\n"
        "https://host/b.jpg?sig=def\n"
    )
    remarks: list[str] = []
    found = listed(str(names), remarks)
    assert [one.id for one in found] == [
        "1.png",
        "https://host/b.jpg",
        "https://host/b.jpg?2",
        "more/8.png",
    ]
    assert remarks == ["1 input named again, done once"]
    assert "secret" not in "".join(one.id + one.source for one in found)


def test_ids_do_not_depend_on_the_order_of_a_list(tmp_path: Path) -> None:
    lines = [f"{number}.png" for number in range(20)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    (tmp_path / "b.txt").write_text("\n".join(reversed(lines)))
    assert listed(str(tmp_path / "a.txt")) == listed(str(tmp_path / "b.txt"))


def test_faults_hold_no_credentials() -> None:
    place = "https://me:secret@host/a.jpg?X-Amz-Signature=abc&x=1"
    one = Input("https://host/a.jpg", place)
    text = json.dumps(fault(one, InputError(f"an address must answer; {place!r} does not. Wait.")))
    assert "secret" not in text and "abc" not in text and "x=1" not in text
    assert without_query(place) == "https://host/a.jpg"


def test_nothing_to_map_is_said(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("map", MODEL, tmp_path / "none", "-o", tmp_path / "out")
    assert code == 2
    assert "gives none" in err
    (tmp_path / "list.txt").write_bytes(b"\0\xff")
    code, _, err = cli("map", MODEL, tmp_path / "list.txt", "-o", tmp_path / "out")
    assert code == 3
    assert "a list must be a text file" in err
    assert not (tmp_path / "out").exists()


def test_pieces_are_of_images_and_one_of_each_video() -> None:
    inputs = [Input(f"{i}.jpg", f"{i}.jpg") for i in range(5)] + [Input("v.mp4", "v.mp4", True)]
    pieces = pieces_of(inputs, 2)
    assert [len(piece.inputs) for piece in pieces] == [2, 2, 1, 1]
    assert [piece.number for piece in pieces] == [0, 1, 2, 3]
    assert pieces_of([], 2) == []
    with pytest.raises(UsageError):
        listed("nothing*here")


def test_costs_are_told_by_stage() -> None:
    result = Mapped(done=4, seconds={"infer": 0.2, "read": 0.1})
    assert result.costs() == "read 25.00 ms (40/s), infer 50.00 ms (20/s)"


RUN_LENGTHS = encode_rle(np.array([[0, 1], [1, 1]], bool))
BOX = {"name": "a", "score": 0.5, "xyxy": [0.0, 0.0, 2.0, 2.0]}
ANSWERS = {
    Classify(): {"labels": [{"name": "b", "score": 0.75}]},
    Localize(): {"boxes": [BOX]},
    Detect(): {"boxes": [BOX, BOX | {"name": "b", "score": 0.25}]},
    SegmentInstances(): {"boxes": [BOX | {"mask": RUN_LENGTHS}]},
    Segment(): {
        "mask": {"size": [2, 2], "shares": {"a": 0.25, "b": 0.75}, "rle": {"b": RUN_LENGTHS}}
    },
}


@pytest.mark.parametrize("task", ANSWERS, ids=lambda task: task.name)
def test_parquet_holds_what_the_lines_hold(task: Task, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is written by pyarrow")
    place = {"id": "x.png", "source": "x.png", "width": 2, "height": 2, "task": task.name}
    record = place | task.record(task.from_record(place | ANSWERS[task], ("a", "b")))
    shard = Parquet(tmp_path / "part.parquet", task.answer)
    for _ in range(3):
        shard.add(record)
    table = parquet.read_table(shard.finish())
    (row, *others) = table.to_pylist(maps_as_pydicts="strict")
    assert others == [row, row]
    assert {name: row[name] for name in record} == record
    assert {name for name in row if row[name] is not None} == {*record}


def test_every_shard_has_the_same_columns(photos: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is written by pyarrow")
    (photos / "none").mkdir()
    (photos / "none" / "x.png").write_text("no image")
    out = tmp_path / "out"
    mapped(plan(photos, out, piece=13, form="parquet"))
    mapped(plan(photos / "none", tmp_path / "empty", form="parquet"))
    whole = parquet.read_table(out / "part-00000.parquet")
    empty = parquet.read_table(tmp_path / "empty" / "part-00000.parquet")
    assert (len(whole), len(empty)) == (10, 0)
    assert whole.schema == empty.schema


def test_objects_of_a_store_are_listed_and_read(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec", reason="object stores are read by fsspec")
    monkeypatch.setattr("cvtasks.media.objects.SCHEMES", ("memory",))
    store = fsspec.filesystem("memory")
    for name in ("0.png", "1.png", "text.png"):
        store.pipe(f"/bucket/{name}", (photos / name).read_bytes())
    store.pipe("/bucket/list.txt", b"0.png\nmemory://bucket/gone.png\n")
    out = tmp_path / "out"
    mapped(planned(MODEL, "memory://bucket/*.png", out))
    assert [one["id"] for one in records(out)] == [f"memory://bucket/{i}.png" for i in (0, 1)]
    assert [one["id"] for one in records(out, "errors")] == ["memory://bucket/text.png"]
    out = tmp_path / "listed"
    mapped(planned(MODEL, "memory://bucket/list.txt", out))
    assert [one["id"] for one in records(out)] == ["memory://bucket/0.png"]
    (missing,) = records(out, "errors")
    assert "it is not there" in missing["received"]


def test_what_a_store_says_of_credentials_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec", reason="object stores are read by fsspec")

    def refuses(*_: object) -> None:
        raise ValueError("the key AKIASECRET is none")

    monkeypatch.setattr(fsspec, "open", refuses)
    with pytest.raises(InputError, match="cannot: ValueError") as refused:
        Input("s3://bucket/a.jpg", "s3://AKIASECRET:x@bucket/a.jpg").item(1000).content()
    assert "AKIASECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(("--ray", "local"), id="ray", marks=pytest.mark.weekly),
        pytest.param((), id="processes"),
    ],
)
def test_workers_that_are_killed_lose_and_double_nothing(
    photos: Path, tmp_path: Path, run_cli: Callable, where: tuple[str, ...]
) -> None:
    if where:
        pytest.importorskip("ray", reason="tests of clusters need ray: pip install cvtasks[ray]")
    many = tmp_path / "many"
    for copy in range(40):
        shutil.copytree(photos, many / str(copy))
    whole, out = tmp_path / "whole", tmp_path / "out"
    mapped(planned(MODEL, str(many), whole, piece=20))
    killed = list[int]()
    over = threading.Event()

    def kills() -> None:
        while len(killed) < 2 and not over.wait(0.05):
            for part in out.glob(".cvtasks-*.part"):
                process = int(part.name.split("-")[2])
                if part.is_dir() and process not in killed:
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)
                    break

    killer = threading.Thread(target=kills)
    killer.start()
    options = ("--piece", "20", *where, "--workers", "2")
    done = run_cli("map", MODEL, many, "-o", out, *options)
    over.set()
    killer.join()
    assert done.returncode == 3, done.stderr
    assert len(killed) == 2
    names = sorted(path.name for path in whole.glob("*-*.jsonl"))
    assert sorted(path.name for path in out.glob("*-*.jsonl")) == names
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_processes_that_are_killed_again_and_again_end_it(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> Iterator[PieceDone]:
        yield PieceDone(next(rounds))
        raise BrokenProcessPool

    rounds = iter(range(100))
    monkeypatch.setattr(in_processes, "_round", lost)
    pieces = plan(photos, tmp_path / "out", piece=1).pieces
    done, seen = list[int](), list[int]()
    with pytest.raises(CVTasksError, match=r"killed 6 times.*What is done is kept"):
        for one in in_processes.in_processes(2)(
            plan(photos, tmp_path / "out").work, pieces, threading.Event(), seen.append
        ):
            done.append(one.number)
    assert done == [*range(6)] and len(seen) == 6


def test_processes_stop_when_they_are_asked_to(photos: Path, tmp_path: Path) -> None:
    out, stop = tmp_path / "out", threading.Event()

    def first(done: int) -> None:
        stop.set()

    result = mapped(plan(photos, out, piece=1), stop, does=in_processes.in_processes(1), seen=first)
    assert 1 <= result.pieces < 12
    assert mapped(plan(photos, out, piece=1)).kept >= result.pieces
    assert sorted(one["id"] for one in records(out)) == sorted(IDS)


def test_a_cluster_needs_ray(
    cli: Cli, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvtasks.inference.mapping.on_ray.find_spec", lambda name: None)
    code, _, err = cli("map", MODEL, photos, "-o", tmp_path / "out", "--ray", "local")
    assert code == 2
    assert 'pip install "cvtasks[ray]"' in err
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_does_not_answer_is_said_at_once() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(UsageError, match="a cluster must be one that answers"):
            on_ray._join(None, address, 1)
