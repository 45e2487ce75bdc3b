"""Counting at lines and in zones, on ways that are drawn up so that the numbers are known."""

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.errors import UsageError
from cvtasks.inference.counting import CountSpec, Line, Zone, named, parse_count, placed

SIZE = (100, 200)
CLASSES = ("person", "dog")


def look(place: Line | Zone, time_s: float, **feet: tuple[float, float]) -> None:
    """One frame: `p1=(x, y)` is a person of track 1 whose box of 10 × 20 stands at (x, y)."""
    xyxy = [[x - 5, y - 20, x + 5, y] for x, y in feet.values()]
    labels = [0 if name[0] == "p" else 1 for name in feet]
    tracks = [int(name[1:]) for name in feet]
    place.look(Boxes.of(xyxy, labels, CLASSES, SIZE, tracks=tracks), time_s)


def line(spec: str = "line 0,0.5 1,0.5") -> Line:
    made = placed(parse_count(spec), SIZE)
    assert isinstance(made, Line)
    return made


def zone(spec: str = "zone 50,20 150,20 150,80 50,80") -> Zone:
    made = placed(parse_count(spec), SIZE)
    assert isinstance(made, Zone)
    return made


# === specs ===


def test_a_spec_says_where_and_what_it_is_called() -> None:
    assert parse_count("line 1,2 30,4.5") == CountSpec("line", ((1, 2), (30, 4.5)))
    assert parse_count("the door = zone 0,0 .5,0 1,1 centre") == CountSpec(
        "zone", ((0, 0), (0.5, 0), (1, 1)), "the door", centre=True
    )


def test_without_a_number_above_1_they_are_shares() -> None:
    assert parse_count("line 0,0.5 1,0.5").placed(SIZE).tolist() == [[0, 50], [200, 50]]
    assert parse_count("line 0,0.5 1,50").placed(SIZE).tolist() == [[0, 0.5], [1, 50]]


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "line",
        "line 1,2",
        "line 1,2 3,4 5,6",
        "line 1,2 1,2",
        "zone 1,2 3,4",
        "line 1 2 3 4",
        "line a,b c,d",
        "circle 1,2 3,4",
        "door=",
        "line 1,2 3,4 somewhere",
        "line 1,2 3,",
        "zone 1,2 3,4 nan,1",
    ],
)
def test_another_spec_is_refused_with_an_example(spec: str) -> None:
    with pytest.raises(UsageError, match="door=line"):
        parse_count(spec)


def test_what_lies_outside_of_the_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="200 × 100"):
        placed(parse_count("line 300,10 400,50"), SIZE)
    assert placed(parse_count("line -10,50 400,50"), SIZE), "its ends may be outside"


def test_each_has_a_name() -> None:
    specs = [parse_count(f"{name}line 0,0 1,1") for name in ("", "x=", "")]
    zones = [parse_count("zone 0,0 1,1 0,1")]
    assert [spec.name for spec in named([*specs, *zones])] == ["line 1", "x", "line 3", "zone 1"]
    with pytest.raises(UsageError, match="x, x"):
        named([specs[1], specs[1]])


# === lines ===


def test_crossings_count_by_class_and_direction() -> None:
    place = line()
    for frame, y in enumerate((30, 40, 60, 70)):
        look(place, frame, p1=(20, y), p2=(60, 100 - y), d3=(100, y), p4=(150, 20))
    assert place.summary() == {
        "crossed": {"person": {"down": 1, "up": 1}, "dog": {"down": 1, "up": 0}}
    }
    assert place.words() == "person 1 down, 1 up; dog 1 down, 0 up"


def test_a_frame_says_who_crosses_in_it() -> None:
    place = line()
    look(place, 0, p7=(20, 40))
    assert place.now()["here"] == []
    look(place, 1, p7=(20, 60))
    assert place.now() == {
        "crossed": {"person": {"down": 1, "up": 0}},
        "here": [{"track": 7, "name": "person", "direction": "down"}],
    }
    look(place, 2, p7=(20, 61))
    assert place.now()["here"] == []


@pytest.mark.parametrize("spec", ["line 100,0 100,100", "line 100,100 100,0"])
def test_directions_do_not_depend_on_which_end_is_first(spec: str) -> None:
    place = line(spec)
    for frame, x in enumerate((80, 120)):
        look(place, frame, p1=(x, 50), p2=(200 - x, 80))
    assert place.summary() == {"crossed": {"person": {"right": 1, "left": 1}}}


def test_past_its_ends_nothing_crosses_a_line() -> None:
    place = line("line 50,50 100,50")
    for frame, y in enumerate((40, 60)):
        look(place, frame, p1=(49, y), p2=(101, y), p3=(51, y))
    assert place.summary() == {"crossed": {"person": {"down": 1, "up": 0}}}


def test_who_trembles_on_a_line_does_not_cross_it_again_and_again() -> None:
    place = line()
    heights = [30, *(50 + 0.5 * (-1) ** n for n in range(20)), 70, 71, 69]
    for frame, y in enumerate(heights):
        look(place, frame, p1=(20, y))
    assert place.summary() == {"crossed": {"person": {"down": 1, "up": 0}}}


def test_who_comes_onto_a_line_and_goes_back_did_not_cross_it() -> None:
    place = line()
    for frame, y in enumerate((30, 50, 30)):
        look(place, frame, p1=(20, y))
    assert place.summary() == {"crossed": {}}


def test_who_is_out_of_sight_for_a_while_has_crossed_all_the_same() -> None:
    place = line()
    look(place, 0, p1=(20, 40))
    look(place, 0.5)
    look(place, 1, p1=(20, 60))
    assert place.summary() == {"crossed": {"person": {"down": 1, "up": 0}}}


def test_the_point_that_counts_is_the_middle_of_the_lower_edge_or_the_centre() -> None:
    feet, middle = line(), line("line 0,0.5 1,0.5 centre")
    for frame, y in enumerate((45, 55)):  # the centre is ten pixels higher
        look(feet, frame, p1=(20, y))
        look(middle, frame, p1=(20, y))
    assert feet.summary()["crossed"]
    assert not middle.summary()["crossed"]


def test_boxes_without_a_track_do_not_count() -> None:
    place = line()
    for frame, y in enumerate((30, 70)):
        place.look(Boxes.of([[0, y - 10, 10, y]], [0], CLASSES, SIZE), frame)
    assert place.summary() == {"crossed": {}}


# === zones ===


def test_presence_and_dwell() -> None:
    place = zone()
    look(place, 0.0, p1=(20, 50), d2=(100, 50))
    assert place.now() == {
        "present": {"dog": 1},
        "inside": [{"track": 2, "name": "dog", "dwell_s": 0.0}],
    }
    look(place, 0.5, p1=(60, 50), d2=(100, 50), p3=(70, 50))
    look(place, 1.5, p1=(100, 50), d2=(100, 50))
    assert place.now()["present"] == {"person": 1, "dog": 1}
    look(place, 2.0, p1=(180, 50), d2=(100, 50))
    assert place.summary() == {
        "zone": {
            "dog": {"entered": 1, "most": 1, "mean_dwell_s": 2.0, "longest_dwell_s": 2.0},
            "person": {"entered": 2, "most": 2, "mean_dwell_s": 0.75, "longest_dwell_s": 1.5},
        }
    }
    assert place.words() == (
        "dog 1 entered, 1 at a time at most, 2.0 s each on average; "
        "person 2 entered, 2 at a time at most, 0.8 s each on average"
    )


def test_who_comes_back_goes_on_with_its_stay() -> None:
    place = zone()
    for time_s, x in ((0, 100), (1, 100), (2, 10), (3, 100), (4, 100)):
        look(place, time_s, p1=(x, 50))
    numbers = place.summary()["zone"]["person"]
    assert (numbers["entered"], numbers["longest_dwell_s"]) == (1, 3.0)


def test_what_was_counted_stays_when_objects_are_forgotten() -> None:
    place = zone()
    look(place, 0.0, p1=(100, 50))
    look(place, 2.0, p1=(100, 50))
    before = place.summary()
    look(place, 60.0)
    assert (place.summary(), len(place._last), len(place._stays)) == (before, 0, 0)
    look(place, 61.0, p9=(100, 50))
    assert place.summary()["zone"]["person"]["entered"] == 2


def test_memory_does_not_grow_with_the_objects() -> None:
    places = (line(), zone())
    for number in range(300):
        for place in places:
            look(place, number, **{f"p{number}": (100, 49 + number % 3)})
    assert all(len(place._last) <= 11 for place in places)


def test_nothing_in_nothing_out() -> None:
    for place in (line(), zone()):
        look(place, 0)
    assert line().words() == "nothing crossed it"
    assert zone().words() == "nothing was in it"
    assert np.isfinite(zone().points).all()
