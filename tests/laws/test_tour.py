"""Wrong inputs end as the manifest says: read as if nothing were wrong, or refused in words, in
bounded time and memory.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("measures memory by /proc, and makes what Linux alone has", allow_module_level=True)

from tests.laws import tour

SECONDS = 2.0  # of the processor
MEGABYTES = 200.0
LONGEST = 2000  # characters of a message
TABLE = {group: tour.cases_of(group) for group in tour.GROUPS}
LEAST = {
    "image": 60,
    "mask": 10,
    "video": 20,
    "voc": 40,
    "coco": 12,
    "yolo": 13,
    "model": 25,
    "archive": 15,
}
"""Kind, as the name of a case begins → how many there must be at least."""


@pytest.fixture(scope="module")
def taken(run_python: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict]:
    """`taken(group)`: what happened to each case of a group, of which one process takes all when
    the first is asked for.
    """
    known: dict[str, dict] = {}

    def take(group: str) -> dict:
        if group not in known:
            target = tmp_path_factory.mktemp("tour") / f"{group}.json"
            done = run_python("-m", "tests.laws.tour", group, target, cwd=Path(__file__).parents[2])
            assert target.is_file(), (
                f"the process that took {group} died ({done.returncode}): {done.stderr[-2000:]}"
            )
            known[group] = json.loads(target.read_text(encoding="utf-8"))
        return known[group]

    return take


def params() -> Iterator[object]:
    """(group, name) of every case."""
    for group, cases in TABLE.items():
        for name in cases:
            yield pytest.param(group, name, id=name)


@pytest.mark.parametrize(("group", "name"), list(params()))
def test_case(taken: Callable[[str], dict], group: str, name: str) -> None:
    case, happened = TABLE[group][name], taken(group)[name]
    assert (happened["outcome"] or "is read") == (case.expect or "is read"), happened["said"]
    assert case.says in happened["said"]
    assert len(happened["said"]) <= LONGEST
    happened["said"].encode()  # it can be printed
    assert happened["seconds"] < SECONDS
    assert happened["megabytes"] < MEGABYTES


def test_the_tour_is_as_long_as_promised() -> None:
    counts = Counter(name.partition(":")[0] for cases in TABLE.values() for name in cases)
    assert counts.keys() == LEAST.keys()
    assert {kind: count for kind, count in counts.items() if count < LEAST[kind]} == {}


def test_every_refusal_is_told_apart_from_others() -> None:
    """A case that says nothing would pass with any error."""
    assert [
        name
        for cases in TABLE.values()
        for name, case in cases.items()
        if case.expect and not case.says
    ] == []


def test_the_manifest_has_a_line_for_every_case(run_python: Callable) -> None:
    done = run_python("-m", "tests.laws.tour", cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == sum(map(len, TABLE.values()))
