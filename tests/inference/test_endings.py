"""How runs end: by an error in any stage, by a signal, by an output that is gone. No thread goes
on, what was done is kept.
"""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import cvtasks
from cvtasks.cli import main
from cvtasks.cli.output import ReaderLeft, Results
from cvtasks.errors import CVTasksError, OutputError
from cvtasks.files import parts
from cvtasks.inference.pipeline import Job, VideoRun
from cvtasks.inference.sink import Sink
from cvtasks.media import prefetch
from cvtasks.media.encoders import PyAVEncoder
from cvtasks.media.prefetch import in_thread, left_behind, newest, prefetched, shut
from cvtasks.media.sources import expand
from cvtasks.media.streams import Stream
from cvtasks.model import Model
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.training.stopping import Stopped, stop_asked

DOCUMENT = {
    "task": "segment",
    "backbone": "tiny",
    "size": 32,
    "classes": ["background", "thing"],
    "segment": {"channels": [8]},
}
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
FRAMES = 40


def stages() -> list[str]:
    """The threads of pipelines that are alive."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("stage", "newest", "prefetch"))
    ]


@pytest.fixture(autouse=True)
def _no_thread_goes_on() -> Iterator[None]:
    yield
    assert stages() == []
    assert not left_behind()


class Blank:
    """An engine that sees nothing but background, and calls `each` before every image."""

    name, precision = "blank", "f32"

    def __init__(self, each: Callable[[int], object] = lambda number: None) -> None:
        self.each = each

    def stream(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for number, _ in enumerate(images):
            self.each(number)
            yield np.eye(2, dtype=np.float32)[np.zeros((32, 32), int)]


def model(each: Callable[[int], object] = lambda number: None) -> Model:
    return Model("blank", parse_recipe(DOCUMENT), Blank(each))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 40 frames."""
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.gop_size = 5
        for number in range(FRAMES):
            image = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 images."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.full((48, 64, 3), number, np.uint8))
    return folder


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def frames_of(path: Path) -> int:
    """How many frames a video plays."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(container.streams.video[0]))


def fail(number: int) -> None:
    """Fail at the twentieth."""
    if number == 20:
        raise ZeroDivisionError


# === threads ===


def test_without_items_there_is_nothing_to_close() -> None:
    assert (
        list(in_thread([], 1))
        == list(prefetched([], 1, 1))
        == list(newest([], threading.Event(), lambda: None))
        == []
    )


def calls(items: Iterator[int]) -> Iterator[Callable[[], int]]:
    """Calls that return the items."""
    with shut(items):
        for item in items:
            yield partial(int, item)


WAYS = {
    "in a thread": lambda items: in_thread(items, 2),
    "several threads": lambda items: in_thread(in_thread(in_thread(items, 2), 1), 3),
    "calls": lambda items: prefetched(calls(items), 1, 3),
    "calls in a thread": lambda items: in_thread(prefetched(calls(items), 1, 3), 1),
    "newest": lambda items: newest(items, threading.Event(), lambda: None),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ["all", "error", "left", "consumer", "interrupt"])
def test_however_it_ends_what_was_given_is_closed_and_its_thread_has_ended(
    way: str, ending: str
) -> None:
    closed = []

    def source() -> Iterator[int]:
        try:
            for number in range(100):
                if ending == "error" and number == 50:
                    raise ZeroDivisionError
                time.sleep(0.0005)
                yield number
        finally:
            closed.append(threading.current_thread())

    given = source()  # held, so that nothing but a call closes it
    items = WAYS[way](given)
    errors = {"error": ZeroDivisionError, "consumer": LookupError, "interrupt": KeyboardInterrupt}
    try:
        for number in items:
            if number >= 10 and ending == "left":
                break
            if number >= 10 and ending in ("consumer", "interrupt"):
                raise errors[ending]
    except (ZeroDivisionError, LookupError, KeyboardInterrupt) as error:
        kept = error  # with its traceback, that holds all frames and what they hold
        assert type(kept) is errors[ending]
    items.close()
    assert given.gi_frame is None and len(closed) == 1
    assert stages() == []


def test_a_read_that_never_ends_is_left_and_known(monkeypatch) -> None:
    monkeypatch.setattr(prefetch, "PATIENCE_S", 0.1)
    stop, never = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        yield 1
        never.wait()

    items = in_thread(source(), 1, stop)
    assert next(items) == 1
    stop.set()
    assert list(items) == []
    assert left_behind()
    never.set()
    until = time.monotonic() + 5
    while left_behind() and time.monotonic() < until:
        time.sleep(0.01)


# === errors in each stage of a video ===


class Camera:
    """A capture of 40 frames, that fails at the twentieth where it is told to."""

    def __init__(self, fails: bool) -> None:
        self.reads, self.fails = 0, fails

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.fails:
            fail(self.reads)
        self.reads += 1
        return (
            (True, np.full((48, 64, 3), self.reads, np.uint8))
            if self.reads <= FRAMES
            else (False, None)
        )

    def grab(self) -> bool:
        return self.read()[0]

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: 25.0, cv2.CAP_PROP_POS_MSEC: 40.0 * (self.reads - 1)}.get(
            what, 0.0
        )

    def release(self) -> None:
        """Nothing to release."""


@pytest.mark.parametrize(
    "stage", ["read", "predict", "draw", "encode", "sink", "consumer", "close"]
)
@pytest.mark.parametrize("realtime", [False, True])
def test_a_stage_that_fails_ends_the_others(
    stage: str, realtime: bool, tmp_path: Path, monkeypatch
) -> None:
    work = model(fail if stage == "predict" else lambda number: None)
    calls = []

    def broken(*_: object, **__: object) -> np.ndarray:
        calls.append(1)
        fail(len(calls))
        return np.zeros((48, 64, 3), np.uint8)

    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if stage == "draw":
        monkeypatch.setattr(type(work.recipe.task), "draw", broken)
    if stage == "encode":
        write = PyAVEncoder.write
        monkeypatch.setattr(
            PyAVEncoder, "write", lambda self, *frame: (broken(), write(self, *frame))
        )
    if stage == "sink":
        monkeypatch.setattr("cvtasks.files.writing.os.fsync", no_space)
    if stage == "close":
        monkeypatch.setattr("cvtasks.files.writing.publish", no_space)
    stream = Stream("x", "x", False, lambda: Camera(stage == "read"))
    sink = Sink(tmp_path, work.recipe.task, ("image", "mask"))
    video = stream.open(realtime=realtime)
    monkeypatch.setattr(video, "_paced", lambda frames: frames)
    run = VideoRun(Job(work, sink, ("image", "mask")), stream, video, frame_files=stage == "sink")
    expected = OutputError if stage in ("sink", "close") else ZeroDivisionError
    caught: list[BaseException] = []
    done = 0
    try:
        for _ in run:
            done += 1
            if stage == "consumer":
                fail(20)
    except (ZeroDivisionError, OutputError) as error:
        caught.append(error)  # held, as whoever says it holds it
    assert realtime or [type(error) for error in caught] == [expected]
    assert stages() == []
    sink.close()
    assert not any(map(parts.is_hidden, names(tmp_path)))
    if (
        stage in ("read", "predict", "draw", "encode") and not realtime
    ):  # of those that read, one looks at the frame behind it
        assert frames_of(tmp_path / "x.mp4") == done == (20 if stage == "predict" else 19)


def test_an_image_that_cannot_be_saved_ends_the_others(
    photos: Path, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "file").write_text("mine")
    work = model()
    task = work.recipe.task
    sink = Sink(tmp_path / "out", task, ("mask",))
    saved = []

    def write(*arguments: object) -> Path:
        saved.append(1)
        if len(saved) == 20:
            raise OutputError("'x' could not be written: no space.")
        return real(task, *arguments)

    real = type(task).write
    monkeypatch.setattr(type(task), "write", lambda self, *arguments: write(*arguments))
    with pytest.raises(OutputError):
        for _ in Job(work, sink, ("mask",)).images(expand([str(photos)]), lambda error: None):
            pass
    assert stages() == []
    sink.close()
    there = names(tmp_path / "out")
    assert "18-mask.png" in there and "19-mask.png" not in there and len(there) < 25


# === signals ===


@pytest.fixture
def by_signal(cli, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """`by_signal(number, at, *arguments)`: the command line, with the blank model, that gets the
    signal at the n-th answer.
    """

    def call(number: int, at: int, *arguments: object) -> tuple[int, str, str]:
        def each(answer: int) -> None:
            if answer == at:
                os.kill(os.getpid(), number)
            time.sleep(0.002)

        monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model(each))
        return cli(*arguments)

    return call


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_in_mid_video_keeps_what_was_done(
    number: int, code: int, by_signal, clip: Path, tmp_path: Path
) -> None:
    before = signal.getsignal(number)
    got, said, _ = by_signal(
        number, 12, "segment", clip, "--json", "--save", "image,json", "-o", tmp_path
    )
    assert got == code
    assert names(tmp_path) == ["clip.mp4", "records.jsonl"]
    records = [
        json.loads(line)["frame"] for line in (tmp_path / "records.jsonl").read_text().splitlines()
    ]
    assert records == list(range(len(records))) and 12 <= len(records) < FRAMES
    assert frames_of(tmp_path / "clip.mp4") == len(records) == len(said.splitlines())
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_among_images_keeps_what_was_done(
    number: int, code: int, by_signal, photos: Path, tmp_path: Path
) -> None:
    got, said, _ = by_signal(
        number, 12, "segment", photos, "--json", "--save", "mask,json,csv", "-o", tmp_path
    )
    assert got == code
    records = [
        json.loads(line)["source"] for line in (tmp_path / "records.jsonl").read_text().splitlines()
    ]
    assert (
        records == [str(photos / f"{n:02d}.png") for n in range(len(records))]
        and 12 <= len(records) < FRAMES
    )
    masks = [f"{n:02d}-mask.png" for n in range(len(records))]
    assert names(tmp_path) == [*masks, "records.csv", "records.jsonl"]
    assert len(said.splitlines()) == len(records)


def test_after_a_signal_no_further_source_is_begun(
    by_signal, photos: Path, clip: Path, tmp_path: Path
) -> None:
    assert by_signal(signal.SIGTERM, 3, "segment", photos, clip, clip, "-o", tmp_path)[0] == 143
    assert not list(tmp_path.glob("*.mp4"))
    assert (
        by_signal(signal.SIGTERM, 3, "segment", clip, clip, photos, "-o", tmp_path / "2")[0] == 143
    )
    assert names(tmp_path / "2") == ["clip.mp4"]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_other_commands_end_by_a_signal_too(
    number: int, code: int, cli, tmp_path: Path, monkeypatch
) -> None:
    data = tmp_path / "data"
    for kind in ("images", "labels"):
        (data / kind / "train").mkdir(parents=True)
    for name in "abc":
        cv2.imwrite(str(data / "images" / "train" / f"{name}.png"), np.zeros((20, 30, 3), np.uint8))
        (data / "labels" / "train" / f"{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (data / "data.yaml").write_text("train: images/train\nval: images/train\nnames: {0: cat}\n")
    from cvtasks.data.writing import formats

    real, written = formats.voc_xml, []

    def voc_xml(*arguments: object, **named: object) -> str:
        written.append(1)
        if len(written) == 2:
            os.kill(os.getpid(), number)
        return real(*arguments, **named)

    monkeypatch.setattr(formats, "voc_xml", voc_xml)
    assert cli("data", "convert", f"{data}:train", tmp_path / "voc", "--to", "voc")[0] == code
    assert names(tmp_path / "voc" / "Annotations") == ["a.xml"]
    assert not [path for path in tmp_path.rglob("*") if parts.is_hidden(path.name)]


def test_a_signal_that_is_ignored_stays_so(by_signal, clip: Path, tmp_path: Path) -> None:
    """As `nohup` starts a command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert (
            by_signal(signal.SIGHUP, 12, "segment", clip, "--save", "image", "-o", tmp_path)[0] == 0
        )
        with stop_asked() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert frames_of(tmp_path / "clip.mp4") == FRAMES


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_work_that_was_stopped_says_by_what(number: int, code: int) -> None:
    with stop_asked() as asked:
        os.kill(os.getpid(), number)
        assert asked.is_set()
        assert Stopped("saved").exit_code == code
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


SLOW = """
import sys, time
import numpy as np
import cvtasks.model
from cvtasks.cli import main
from cvtasks.recipe.recipe import parse_recipe
class Slow:
    name, precision = "slow", "f32"
    def stream(self, images):
        for number, _ in enumerate(images):
            time.sleep(0.01 if number < 5 else 30)
            yield np.eye(2, dtype=np.float32)[np.zeros((32, 32), int)]
slow = cvtasks.model.Model("slow", parse_recipe(%r), Slow())
cvtasks.model.load = lambda *_, **__: slow
main()
"""


def test_whoever_asks_twice_does_not_wait_and_nothing_half_made_is_left(
    clip: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-c",
        SLOW % DOCUMENT,
        "segment",
        clip,
        "--json",
        "--save",
        "image,json",
        "-o",
        tmp_path,
    ]
    home = {**os.environ, "PYTHONPATH": str(Path(cvtasks.__file__).parents[1])}
    with subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home
    ) as running:
        for _ in range(4):
            running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert running.poll() is None, "the first one waits for what is under way"
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=10)
    assert running.returncode == 143, err.decode()
    assert names(tmp_path) == []


# === videos that are cut short ===


def test_a_video_that_is_cut_short_is_done_and_named(
    cli, clip: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model())
    whole = clip.read_bytes()
    cut, damaged = tmp_path / "cut.mp4", tmp_path / "damaged.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    middle = len(whole) // 2
    damaged.write_bytes(whole[:middle] + bytes(3000) + whole[middle + 3000 :])
    out = tmp_path / "out"
    code, said, err = cli("segment", cut, damaged, clip, "--json", "-o", out)
    assert code == 3
    frames = [json.loads(line)["source"] for line in said.splitlines()]
    assert frames_of(out / "cut.mp4") == frames.count(str(cut)) < FRAMES
    assert "it is cut short" in err and "1 of 3 inputs could not be read to the end" in err
    assert cli("segment", damaged, "-o", out)[0] == 0, "damage in the middle is a note"
    (tmp_path / "none.mp4").write_bytes(b"")
    code, _, err = cli("segment", cut, tmp_path / "none.mp4", "-o", out)
    assert (
        code == 3 and "1 of 2 inputs could not be read, and 1 not to the end; 0 were done." in err
    )


# === streams ===


def call_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of the command line, within this process."""
    monkeypatch.setattr(sys, "argv", ["cvtasks", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.mark.parametrize("where", ["pipe", "full", "closed", "none"])
def test_results_that_cannot_be_written(
    where: str, photos: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model())
    if where == "pipe":
        reading, writing = os.pipe()
        os.close(reading)
        out: io.TextIOBase | None = os.fdopen(writing, "w")
    elif where == "full":
        out = open("/dev/full", "w")  # noqa: SIM115, PTH123 - closed below
    else:
        out = io.StringIO() if where == "closed" else None
        if out:
            out.close()
    monkeypatch.setattr(sys, "stdout", out)
    code = call_main(
        monkeypatch, "segment", photos, "--json", "--save", "mask,json", "-o", tmp_path
    )
    assert sys.stdout is out
    if out and not out.closed:
        out.close()  # what could not be written does not fail again
    err = capsys.readouterr().err
    assert "fault" not in err
    assert code == (0 if where == "pipe" else 2)
    assert ("standard output could not be written" in err) == (where != "pipe")
    there = names(tmp_path)
    assert "records.jsonl" in there and 0 < len(there) < FRAMES, (
        "what was done is kept, and no more is begun"
    )
    assert not any(map(parts.is_hidden, there))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["detect", "--help"], ["--version"], ["models"], ["models", "--json"]]
)
def test_a_full_disk_below_any_command(arguments: list[str], monkeypatch, capsys) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - no file
        monkeypatch.setattr(sys, "stdout", full)
        assert call_main(monkeypatch, *arguments) == 2
    assert "standard output could not be written" in capsys.readouterr().err


def test_results_are_only_missed_where_there_are_some(
    photos: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model())
    monkeypatch.setattr(sys, "stdout", None)
    assert call_main(monkeypatch, "segment", photos / "00.png", "-o", tmp_path) == 0
    assert call_main(monkeypatch, "models") == 2


def test_nobody_who_listens_is_no_reason_to_stop(
    photos: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model())
    for number, err in enumerate((None, open(("/dev/full"), "w"))):  # noqa: SIM115, PTH123 - closed below
        monkeypatch.setattr(sys, "stderr", err)
        assert (
            call_main(monkeypatch, "segment", photos, "--json", "-o", tmp_path / str(number)) == 0
        )
        assert len(capsys.readouterr().out.splitlines()) == FRAMES
        assert call_main(monkeypatch, "segment", tmp_path / "none.png", "-o", tmp_path) == 3
        if err:
            err.close()


def test_a_stream_that_is_closed_is_not_the_next_file(run_python, tmp_path: Path) -> None:
    """A file that is opened gets the lowest free number; with 2 closed, what libraries say would be
    written into it.
    """
    code = """
import os, sys
from cvtasks.cli.output import streams
for number in (0, 1, 2):
    os.close(number)
with streams(), open(sys.argv[1], "w") as file:
    assert file.fileno() > 2, file.fileno()
    os.write(2, b"words of a library")
    file.write("mine")
"""
    assert run_python("-c", code, tmp_path / "a").returncode == 0
    assert (tmp_path / "a").read_text() == "mine"


def test_results_say_what_a_stream_has_no_letters_for() -> None:
    raw = io.BytesIO()
    results = Results(io.TextIOWrapper(raw, "ascii"))
    assert print("Straße", file=results) is None
    assert raw.getvalue() == b"Stra\\xdfe\n"
    assert (results.encoding, results.isatty(), results.writable()) == ("ascii", False, True)
    assert issubclass(ReaderLeft, CVTasksError)


# === outputs that are refused at once ===

COMMANDS = {
    "classify photo.jpg": "",
    "segment clip.mp4 --save json": "",
    "evaluate segment-efficientnet-lite0-voc --data DATA": "",
    "explain photo.jpg": "",
    "filters classify-lenet-mnist": "",
    "features classify-lenet-mnist photo.jpg": "",
    "filter photo.jpg --kernel blur": "",
    "inspect lenet5": "",
    "data show DATA:val": "",
    "data get mnist": "",
    "train segment --data DATA": "exists, and nothing is overwritten",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_cannot_be_is_refused_before_anything_else(
    command: str, cli, tmp_path: Path, monkeypatch
) -> None:
    """Nothing of what the commands name is there: whoever looked at it first would say so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("mine")
    code, _, err = cli(*command.split(), "-o", "mine")
    assert code == 2
    assert (COMMANDS[command] or "'mine' could not be written: 'mine' is no folder") in err
    code, _, err = cli(*command.split(), "-o", "mine/below")
    assert code == 2
    assert "'mine/below' could not be written" in err
    assert names(tmp_path) == ["mine"] and (tmp_path / "mine").read_text() == "mine"


def test_what_writes_nothing_needs_no_folder(
    cli, photos: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model())
    (tmp_path / "mine").write_text("mine")
    assert cli("segment", photos / "00.png", "--save", "none", "-o", tmp_path / "mine")[0] == 0


# === a real engine ===


def test_a_failed_write_ends_a_run_of_the_real_engine_in_words(
    trained: Path, clip: Path, run_python, tmp_path: Path
) -> None:
    """With OpenVINO's and FFmpeg's threads under way, the interpreter must not end before them."""
    pytest.importorskip("resource")
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from cvtasks.cli import main
main()
"""
    done = run_python("-c", code, "segment", clip, "-m", trained, "-o", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert "clip.mp4' could not be written: File too large" in done.stderr
    assert names(tmp_path / "out") == []
