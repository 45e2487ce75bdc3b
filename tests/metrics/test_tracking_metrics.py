"""Scores of tracks: by hand, and what is known of public files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cvtasks.errors import UsageError
from cvtasks.formats.mot import Tracks, parse_mot
from cvtasks.metrics.tracking import track_scores

trackeval = pytest.importorskip("trackeval")


@dataclass
class Way:
    """An object that stands still: its number, and the frames that it is in."""

    number: int
    frames: range
    left: float = 0.0


def tracks(*ways: Way) -> Tracks:
    rows = [(frame, way.number, way.left) for way in ways for frame in way.frames]
    frames, numbers, left = np.array(rows or np.zeros((0, 3)), np.float64).T
    xyxy = np.stack([left, 0 * left, left + 10, 0 * left + 10], axis=1)
    return Tracks(frames.astype(int), numbers.astype(int), xyxy)


TRUTH = tracks(Way(1, range(10)), Way(2, range(10), 100))


def scores(found: Tracks) -> dict[str, float]:
    return track_scores({"x": (found, TRUTH)}).all


def test_the_truth_is_perfect() -> None:
    found = scores(tracks(Way(7, range(10), 100), Way(4, range(10))))
    assert [found[name] for name in ("HOTA", "MOTA", "IDF1", "switches")] == [1, 1, 1, 0]


def test_a_switch_by_hand() -> None:
    """One object is called otherwise from its sixth frame on: 20 boxes, all found."""
    found = scores(tracks(Way(1, range(10)), Way(2, range(5), 100), Way(3, range(5, 10), 100)))
    assert found["switches"] == 1
    assert found["MOTA"] == pytest.approx(1 - 1 / 20)
    assert found["IDF1"] == pytest.approx(2 * 15 / 40)
    # association of its boxes: 5 of 10 common ones; HOTA = √(DetA · AssA)
    assert found["HOTA"] == pytest.approx(np.sqrt((10 * 1 + 10 * 0.5) / 20))


def test_misses_and_false_positives_by_hand() -> None:
    found = scores(tracks(Way(1, range(10)), Way(2, range(8), 100), Way(3, range(3), 500)))
    assert (found["misses"], found["false positives"]) == (2, 3)
    assert found["MOTA"] == pytest.approx(1 - 5 / 20)
    assert (found["recall"], found["precision"]) == pytest.approx((18 / 20, 18 / 21))


def test_nothing_was_found() -> None:
    found = scores(tracks())
    assert (found["HOTA"], found["IDF1"], found["misses"]) == (0, 0, 20)


def test_several_videos_count_together() -> None:
    good, none = (TRUTH, TRUTH), (tracks(), TRUTH)
    result = track_scores({"a": good, "b": none})
    assert (result.each["a"]["MOTA"], result.each["b"]["misses"]) == (1, 20)
    assert result.all["MOTA"] == pytest.approx(0.5)
    assert result.all["IDF1"] == pytest.approx(2 * 20 / (20 + 40))


@pytest.mark.parametrize(
    ("name", "mota", "idf1", "hota"),
    [
        ("TUD-Campus", 0.526462, 0.557659, 0.391397),
        ("TUD-Stadtmitte", 0.564014, 0.644619, 0.397849),
    ],
)
def test_known_scores(cvtasks_data: Path, name: str, mota: float, idf1: float, hota: float) -> None:
    """MOTA, IDF1 and switches as py-motmetrics publishes them with these files, HOTA as TrackEval
    gives it.
    """
    found, truth = (
        parse_mot((cvtasks_data / "mot" / name / file).read_text(), file)
        for file in ("test.txt", "gt.txt")
    )
    known = track_scores({name: (found, truth)}).all
    assert [known["MOTA"], known["IDF1"], known["HOTA"]] == pytest.approx(
        [mota, idf1, hota], abs=1e-6
    )
    assert known["switches"] == 7


def test_without_the_package_it_is_named(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "trackeval.metrics", None)
    with pytest.raises(UsageError, match=r"pip install \"cvtasks\[tracks\]\""):
        scores(TRUTH)
