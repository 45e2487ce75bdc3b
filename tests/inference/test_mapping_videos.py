"""Videos in pieces: the frames and ids of one pass over the whole, and each piece done alone."""

import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.inference.mapping import run as mapping_run
from cvtasks.inference.mapping import work as mapping_work
from cvtasks.inference.mapping.inputs import Input
from cvtasks.inference.mapping.manifest import Part, pieces_of
from cvtasks.inference.mapping.plan import Plan, planned
from cvtasks.inference.mapping.run import Mapped, mapped
from cvtasks.media import seeking
from cvtasks.media.capture import quiet_opencv
from cvtasks.model import Model, load

MODEL = "classify-lenet-mnist"
FRAMES = 130


class Told:
    """A model whose scores are a check sum of the image."""

    def __init__(self, model: Model) -> None:
        self.recipe, self.engine, self.name = model.recipe, model.engine, model.name
        self._answer = model.predict(np.zeros((28, 28, 3), np.uint8))

    def predict_many(
        self, images: Iterable[tuple[Any, np.ndarray]], threshold: float | None, tiles: Any
    ) -> Iterator[tuple[Any, np.ndarray, Any]]:
        for tag, image in images:
            sum_of = int(hashlib.sha256(image.tobytes()).hexdigest()[:6], 16) / 2**24
            scores = np.full_like(self._answer.scores, sum_of)
            yield tag, image, replace(self._answer, scores=scores)


@pytest.fixture(scope="module")
def told() -> Told:
    return Told(load(MODEL))


@pytest.fixture(autouse=True)
def _no_network(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_work, "load", lambda *_, **__: told)


def film(path: Path, code: str = "mp4v", frames: int = FRAMES) -> Path:
    """A file of frames as OpenCV writes it, with a key frame every 12."""
    still = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    still = cv2.GaussianBlur(still, (0, 0), 2)
    with quiet_opencv():
        writer = cv2.VideoWriter(
            str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 25, (64, 48)
        )
    for number in range(frames):
        writer.write(np.roll(still, 2 * number, axis=1))
    writer.release()
    return path


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of an image, a video of many frames and one of the same that is damaged."""
    folder = tmp_path / "films"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((28, 28), np.uint8))
    film(folder / "b.mp4")
    hole(film(folder / "c.mp4", frames=2 * FRAMES))
    return folder


def hole(path: Path) -> Path:
    """Zeros instead of some frames, which OpenCV passes over: all behind them have lower
    numbers.
    """
    content = bytearray(path.read_bytes())
    begin, end = (int(share * len(content)) for share in (0.8, 0.85))
    content[begin:end] = bytes(end - begin)
    path.write_bytes(content)
    return path


def plan(films: Path, out: Path, **options: object) -> Plan:
    chosen: dict = {"frames": 40, **options}
    return planned(MODEL, str(films), out, **chosen)


def lines(out: Path, kind: str = "part") -> list[str]:
    paths = sorted(out.glob(f"{kind}-*.jsonl"))
    return [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def misplaced(plan: Plan) -> list[int]:
    """The pieces of a plan whose frames are not those that the packets announce."""
    worker = mapping_work.Worker(plan.work)
    plan.work.folder.mkdir(exist_ok=True)
    return [piece.number for piece in plan.pieces if worker.do(piece).misplaced]


def test_a_video_is_several_pieces_and_the_records_are_those_of_one(
    films: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert [len(one.pieces) for one in (plan(films, whole, frames=0), plan(films, out))] == [3, 12]
    mapped(plan(films, whole, frames=0))
    result = mapped(plan(films, out))
    assert lines(out) == lines(whole)
    assert lines(out, "errors") == lines(whole, "errors")
    ids = [json.loads(line)["id"] for line in lines(out)]
    assert ids[:131] == ["a.png", *(f"b.mp4#{number:06d}" for number in range(FRAMES))]
    assert result.done == len(set(ids)) == len(ids) > 3 * 100
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["frames"], manifest["pieces"]) == (40, 12)


def test_every_nth_frame_is_that_of_the_whole(films: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    mapped(plan(films, whole, frames=0, every=7))
    began = list[int]()
    mapped(plan(films, out, every=7), begun=began.append)
    assert lines(out) == lines(whole)
    assert began == [1 + (6 + 6 + 6 + 1) + (6 + 6 + 6 + 5 + 6 + 6 + 1)], (
        "what is known of the frames that are left"
    )


def test_a_damaged_video_is_known_and_counted_from_its_beginning(
    films: Path, tmp_path: Path
) -> None:
    (films / "b.mp4").unlink()
    wrong = misplaced(plan(films, tmp_path / "looked"))
    assert wrong and min(wrong) > 1, "the first part is as it should be"
    whole, out = tmp_path / "whole", tmp_path / "out"
    mapped(plan(films, whole, frames=0))
    mapped(plan(films, out))
    assert lines(out) == lines(whole)
    assert len(lines(out)) < 2 * FRAMES
    assert len(list(out.glob("part-*"))) == 8


@pytest.mark.parametrize("dies_at", range(1, 5))
def test_a_run_that_is_killed_while_it_counts_begins_with_that_again(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    (films / "b.mp4").unlink()
    whole, out = tmp_path / "whole", tmp_path / "out"
    mapped(plan(films, whole, frames=0))
    do, counted = mapping_work.Worker.do, list[int]()

    def dies(self: mapping_work.Worker, piece: Any, *rest: Any) -> Any:
        if piece.part and piece.part.counted:
            counted.append(piece.number)
            if len(counted) == dies_at:
                raise KeyboardInterrupt("killed")
        return do(self, piece, *rest)

    monkeypatch.setattr(mapping_work.Worker, "do", dies)
    try:
        mapped(plan(films, out))
    except KeyboardInterrupt:
        assert len(lines(out)) < len(lines(whole))
    again = mapped(plan(films, out))
    assert lines(out) == lines(whole)
    assert len(counted) < dies_at or again.pieces > 0
    assert mapped(plan(films, out)).pieces == 0


def test_a_piece_that_was_killed_is_done_again_alone(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    (films / "c.mp4").unlink()
    mapped(plan(films, whole))
    open_part, begun = seeking.open_part, list[int]()

    def dies(path: str, begin: int, *rest: Any) -> object:
        begun.append(begin)
        if begin == 80 and begun.count(80) < 3:
            raise KeyboardInterrupt("killed")
        return open_part(path, begin, *rest)

    monkeypatch.setattr(mapping_work, "open_part", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            mapped(plan(films, out))
    result = mapped(plan(films, out))
    assert begun == [0, 40, 80, 80, 80, 120]
    assert (result.kept, result.pieces, result.done) == (3, 2, 50)
    assert lines(out) == lines(whole)


@pytest.mark.parametrize("declared", [50, 1000])
def test_headers_that_lie_lose_and_double_nothing(
    tmp_path: Path, declared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    content = film(films / "a.avi", "MJPG").read_bytes()
    head, told = content[: content.index(b"movi")], struct.pack("<I", FRAMES)
    (films / "a.avi").write_bytes(
        head.replace(told, struct.pack("<I", declared)) + content[len(head) :]
    )
    whole, out = tmp_path / "whole", tmp_path / "out"
    mapped(plan(films, whole, frames=0))
    begun = plan(films, out)
    assert len(begun.pieces) == -(-declared // 40)
    mapped(begun)
    assert len(lines(out)) == FRAMES
    assert lines(out) == lines(whole)
    assert len(list(out.glob("part-*"))) == len(begun.pieces), "those behind the end are empty"


def test_a_video_that_is_gone_is_one_input_that_could_not_be_read(
    films: Path, tmp_path: Path
) -> None:
    (films / "c.mp4").unlink()
    begun = plan(films, tmp_path / "out")
    (films / "b.mp4").unlink()
    result = mapped(begun)
    assert (result.done, result.failed) == (1, 1)
    assert {json.loads(line)["id"] for line in lines(tmp_path / "out", "errors")} == {"b.mp4"}


def test_processes_share_one_video(
    films: Path, tmp_path: Path, run_cli: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    (films / "c.mp4").unlink()
    whole, out = tmp_path / "whole", tmp_path / "out"
    mapped(plan(films, whole, frames=0))
    done = run_cli("map", MODEL, films, "-o", out, "--frames", "40", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "2 inputs (1 video) in 5 shards" in done.stderr
    assert lines(out) == lines(whole)


def test_pieces_of_videos_have_an_end_but_for_the_last() -> None:
    videos = [Input(f"{name}.mp4", f"{name}.mp4", True) for name in "abc"]
    pieces = pieces_of(videos, 10, 100, {"a.mp4": 250, "c.mp4": 100})
    assert [(piece.inputs[0].id, piece.part) for piece in pieces] == [
        ("a.mp4", Part(0, 100)),
        ("a.mp4", Part(100, 200)),
        ("a.mp4", Part(200, None)),
        ("b.mp4", None),
        ("c.mp4", None),
    ]
    assert [piece.size(30) for piece in pieces] == [4, 3, 1, 1, 1]
    assert [piece.part for piece in pieces_of(videos, 10, 0, {"a.mp4": 250})] == [None] * 3


def test_what_was_kept_and_is_counted_again_is_no_longer_kept(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (films / "b.mp4").unlink()
    out = tmp_path / "out"
    monkeypatch.setattr(mapping_run, "_counted", lambda plan, misplaced: ())
    first = mapped(plan(films, out))
    monkeypatch.undo()
    monkeypatch.setattr(mapping_work, "load", lambda *_, **__: Told(load(MODEL)))
    second = mapped(plan(films, out))
    assert isinstance(second, Mapped) and first.pieces < 8
    assert second.kept + second.pieces == 8
