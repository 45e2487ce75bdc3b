"""Objects of a video keep their numbers: the filter against the matrices of its textbook, and the
tracker on made-up scenes.
"""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.formats.mot import mot_text, parse_mot
from cvtasks.inference import motion
from cvtasks.inference.gaps import MOST, filled
from cvtasks.inference.motion import Motion
from cvtasks.inference.tracking import Tracker
from cvtasks.metrics.tracking import track_scores

CLASSES = ("person", "dog")
SIZE = (480, 640)
STEP = 1 / 30


def boxes(
    xyxy: list[list[float]], labels: list[int] | None = None, scores: list[float] | None = None
) -> Boxes:
    return Boxes.of(xyxy, labels or [0] * len(xyxy), CLASSES, SIZE, scores=scores)


def at(x: float, y: float = 100.0, score: float = 0.9) -> Boxes:
    """One person in a box of 40 × 100 pixels."""
    return boxes([[x, y, x + 40, y + 100]], scores=[score])


# === the filter ===


def by_matrices(xyxy: np.ndarray, times: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """State (8) and covariance (8, 8) of one object, by the equations with matrices."""
    edges = xyxy.astype(np.float64)
    seen = np.concatenate([(edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]], axis=1)
    look = np.eye(4, 8)
    scale = np.tile(seen[0, 2:], 2)
    state = np.concatenate([seen[0], np.zeros(4)])
    rate = motion._RATE
    cov = np.diag(np.concatenate([2 * motion._PLACE * scale, motion._UNKNOWN * rate * scale]) ** 2)
    for (before, now), place in zip(pairwise(times), seen[1:], strict=True):
        dt = now - before
        scale = np.tile(state[2:4], 2)
        move = np.eye(8) + dt * np.eye(8, k=4)
        walk = rate * np.diag((motion._SPEED * rate * scale) ** 2)
        noise = np.block(
            [
                [
                    dt * rate * np.diag((motion._WALK * scale) ** 2) + dt**3 / 3 * walk,
                    dt**2 / 2 * walk,
                ],
                [dt**2 / 2 * walk, dt * walk],
            ]
        )
        state, cov = move @ state, move @ cov @ move.T + noise
        spread = look @ cov @ look.T + np.diag((motion._PLACE * np.tile(state[2:4], 2)) ** 2)
        gain = cov @ look.T @ np.linalg.inv(spread)
        state, cov = state + gain @ (place - look @ state), cov - gain @ look @ cov
    return state, cov


def test_the_filter_is_the_one_with_matrices() -> None:
    rng = np.random.default_rng(0)
    times = [0.0, 0.03, 0.1, 0.11, 0.4]
    xyxy = np.array([[100.0, 50, 160, 180]]) + np.cumsum(rng.normal(0, 3, (5, 4)), axis=0)
    state = Motion.begun(xyxy[:1])
    for (before, now), box in zip(pairwise(times), xyxy[1:], strict=True):
        state = state.after(now - before, np.zeros(1, bool)).seen(box[None])
    wanted, cov = by_matrices(xyxy, times)
    np.testing.assert_allclose(np.concatenate([state.at, state.speed], axis=1)[0], wanted)
    np.testing.assert_allclose(state.at_at[0], np.diag(cov)[:4])
    np.testing.assert_allclose(state.speed_speed[0], np.diag(cov)[4:])
    np.testing.assert_allclose(state.at_speed[0], np.diag(cov[:4, 4:]))


def test_two_steps_of_time_are_one_of_both() -> None:
    """Frames that are missing change nothing about what is expected."""
    state = replace(
        Motion.begun(np.array([[10.0, 20, 50, 80]])), speed=np.array([[30.0, -9, 0, 0]])
    )
    still = np.zeros(1, bool)
    once, twice = state.after(0.5, still), state.after(0.2, still).after(0.3, still)
    for name in ("at", "speed", "at_at", "at_speed", "speed_speed"):
        np.testing.assert_allclose(getattr(once, name), getattr(twice, name))


# === the tracker ===


def test_nothing_in_nothing_out() -> None:
    tracker = Tracker(0.5)
    for frame in range(3):
        assert len(tracker(boxes([]), frame * STEP)) == 0


def test_objects_that_pass_each_other_keep_their_numbers() -> None:
    tracker = Tracker(0.5)
    for frame in range(60):
        one, two = 20 + 5 * frame, 320 - 5 * frame
        pair = [[one, 100, one + 40, 200], [two, 110, two + 44, 204]]
        found = tracker(boxes(pair if frame % 2 else pair[::-1]), frame * STEP)
        by_track = dict(zip(found.tracks.tolist(), found.xyxy[:, 0].tolist(), strict=True))
        assert by_track == {2: one, 1: two}, f"frame {frame}"


def test_a_number_is_of_one_class() -> None:
    tracker = Tracker(0.5)
    first = tracker(boxes([[10, 10, 60, 60]], [0]), 0)
    other = tracker(boxes([[10, 10, 60, 60]], [1]), STEP)
    again = tracker(boxes([[10, 10, 60, 60], [10, 10, 60, 60]], [1, 0]), 2 * STEP)
    assert [first.tracks.tolist(), other.tracks.tolist(), again.tracks.tolist()] == [
        [1],
        [2],
        [2, 1],
    ]


def test_an_unsure_box_goes_on_with_a_track_and_begins_none() -> None:
    tracker = Tracker(0.5)
    ghost = boxes([[300, 300, 340, 400]], scores=[0.3])
    assert len(tracker(ghost, 0)) == 0
    assert tracker(at(10), STEP).tracks.tolist() == [1]
    found = tracker(at(12, score=0.2), 2 * STEP)
    assert (found.tracks.tolist(), found.scores.tolist()) == ([1], pytest.approx([0.2]))
    assert len(tracker(at(14, score=0.05), 3 * STEP)) == 0, "that is noise"


def test_an_unsure_box_does_not_bring_back_what_was_out_of_sight() -> None:
    tracker = Tracker(0.5)
    tracker(at(10), 0)
    tracker(boxes([]), STEP)
    assert len(tracker(at(10, score=0.2), 2 * STEP)) == 0
    assert tracker(at(10), 3 * STEP).tracks.tolist() == [1]


@pytest.mark.parametrize(("away_s", "track"), [(0.95, 1), (1.2, 2)])
@pytest.mark.parametrize("rate", [5, 30, 120])
def test_patience_is_of_time(rate: int, away_s: float, track: int) -> None:
    tracker = Tracker(0.5, patience_s=1.0)
    tracker(at(10), 0)
    last = 0
    for frame in range(1, round(away_s * rate)):
        last = frame / rate
        tracker(boxes([]), last)
    assert tracker(at(10), max(away_s, last)).tracks.tolist() == [track]


def test_however_far_apart_frames_are_the_next_one_goes_on() -> None:
    tracker = Tracker(0.5)
    for frame in range(4):
        assert tracker(at(10 + frame), frame * 60.0).tracks.tolist() == [1]


def test_dropped_frames_count_by_time() -> None:
    """Where a runner is expected after half a second depends on the time, not on the frames."""
    seen = [*range(15), 30]
    tracker = Tracker(0.5)
    for frame in seen:
        found = tracker(at(10 + 8 * frame), frame * STEP)
        assert found.tracks.tolist() == [1], f"frame {frame}"
    blind = Tracker(0.5)
    for number, frame in enumerate(seen):
        found = blind(at(10 + 8 * frame), number * STEP)
    assert found.tracks.tolist() == [2], "by frames alone it is lost: the scene tells the two apart"


def test_every_box_keeps_what_else_is_known_of_it() -> None:
    found = replace(boxes([[10, 10, 60, 60]]), areas=np.array([7], np.float32))
    assert Tracker(0.5)(found, 0).areas.tolist() == [7]


@pytest.mark.parametrize("seed", range(5))
def test_people_who_pass_each_other(cvtasks_data: Path, seed: int) -> None:
    """A fifth of the true boxes is dropped, the others moved by 3 pixels: IDF1 is within 0.03 of
    what found boxes can have at best, and 0.95 with gaps filled.
    """
    pytest.importorskip("trackeval")
    truth = parse_mot((cvtasks_data / "mot/TUD-Campus/gt.txt").read_text(), "gt.txt")
    rng = np.random.default_rng(seed)
    kept = rng.random(len(truth.frames)) >= 0.2
    moved = truth.xyxy + rng.normal(0, 3, truth.xyxy.shape)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    tracker, tracked = Tracker(0.5), []
    for frame in range(truth.frames.max() + 1):
        there = kept & (truth.frames == frame)
        tracked.append((frame, frame / 25, tracker(boxes(moved[there].tolist()), frame / 25)))
    bound = 2 * kept.sum() / (kept.sum() + len(kept))
    for answers, least in (
        ([(frame, found) for frame, _, found in tracked], 0.97 * bound),
        (list(filled(tracked, 0.5)), 0.95),
    ):
        found = parse_mot("".join(mot_text(one, frame) for frame, one in answers), "found")
        assert track_scores({"x": (found, truth)}).all["IDF1"] >= least


# === gaps ===


def through(frames: list[Boxes], most: int = MOST) -> list[Boxes]:
    """What comes out of tracking and filling, in order."""
    tracker = Tracker(0.5)
    tracked = ((n, n * STEP, tracker(one, n * STEP)) for n, one in enumerate(frames))
    numbers, answers = zip(*filled(tracked, 0.5, most), strict=True)
    assert list(numbers) == list(range(len(frames)))
    return list(answers)


def test_a_gap_is_filled_on_the_way_and_marked() -> None:
    frames = [at(10), at(14), boxes([]), boxes([]), at(26, score=0.7), at(30)]
    found = through(frames)
    assert [one.xyxy[:, 0].tolist() for one in found] == [[10], [14], [18], [22], [26], [30]]
    assert [one.filled.tolist() for one in found] == [[False]] * 2 + [[True]] * 2 + [[False]] * 2
    assert [one.tracks.tolist() for one in found] == [[1]] * 6
    assert found[2].scores.tolist() == pytest.approx([0.7]), "the lower of the two"
    assert found[2].to_dict()["boxes"][0]["filled"] is True
    assert "filled" not in found[1].to_dict()["boxes"][0]


def test_an_unsure_box_is_taken_for_what_is_between() -> None:
    frames = [at(10), at(14), at(19.5, score=0.2), at(22), at(26, score=0.2)]
    found = through(frames)
    assert found[2].xyxy[0, 0] == 19.5
    assert (found[2].filled.tolist(), found[2].scores.tolist()) == ([True], pytest.approx([0.2]))
    assert len(found[4]) == 0, "nothing sure follows"


@pytest.mark.parametrize(("gap", "full"), [(3, True), (4, False)])
def test_a_longer_gap_stays(gap: int, full: bool) -> None:
    frames = [at(10), at(10), *[boxes([])] * gap, at(10)]
    assert all(map(len, through(frames, most=3)[2:-1])) is full
    assert not full or len(through(frames, most=3)[2]) == 1


def test_no_more_frames_are_held_back_than_a_gap_may_have() -> None:
    taken = 0

    def frames():
        nonlocal taken
        tracker = Tracker(0.5)
        for taken in range(200):
            there = at(10) if taken % 40 == 0 else boxes([])
            yield taken, taken * STEP, tracker(there, taken * STEP)

    behind = [taken - number for number, _ in filled(frames(), 0.5, 5)]
    assert max(behind) == 5
    assert behind[20] == 0, "nobody can still come back"
