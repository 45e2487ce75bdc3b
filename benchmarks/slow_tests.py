"""Which tests are slow: measures each test's processor time and writes tests/slow.txt from it.

    python benchmarks/slow_tests.py measure durations.jsonl   # goes on where it was stopped
    python benchmarks/slow_tests.py mark durations.jsonl
    pytest -n 2 --junitxml=usual.xml && python benchmarks/slow_tests.py mark usual.xml

The last is the quick way: of what `pytest` runs anyway, by the clock of the machine at hand; what
it left out stays weekly.

A test costs the seconds of processor that it and the processes it starts use, and, with `--quiet`,
at least the seconds that it takes by the clock: say so where nothing else runs. What a fixture that
is shared costs is shared by those who use it. Two marks follow from what fits into the time:

slow    is left out by `pytest -m "not slow"`, which takes two minutes on two cores;
weekly  is left out by `pytest`, which takes seven; `pytest -m ""` runs everything.

Where not everything fits, a function of many cases keeps the cheaper ones, before any single test
is left out, and one of them in any case: so each property stays, and only its number of cases
differs. Then the most expensive tests go first. A law is never weekly for the smallest backbone and
the usual head of each task, nor is one of the source. A log of some files alone is held to
`--share` of the time.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "slow.txt"
QUICK_S, USUAL_S = 100.0, 440.0
"""Seconds of processor that two workers have together, without starting and imports."""
CLOCK_QUICK_S, CLOCK_USUAL_S = 170.0, 750.0
"""The same by the clock, where two workers and an install run at once with them."""
QUICK_FAMILY_S, USUAL_FAMILY_S = 0.8, 12.0
"""What the cases of one function may cost together before they are thinned out."""
JOINT = ("tests/laws/test_tour.py::test_case", "tests/laws/test_fuzz.py::test_a_damaged_file")
"""Functions whose cases are worked off together when the first is asked for: all cost the same."""
USUAL = re.compile(
    r"tests/laws/test_laws\.py::\w+(\[\w+\]|\[\w+-(tiny|pooled|dense|unet|prototypes)\])?"
    r"|tests/laws/test_(house|layers)\.py::.*"
)
"""Tests that are never weekly."""
LEAST_S = 0.1
"""Who costs less is never marked for its own sake."""
NOTHING_S = 0.05
"""What costs less is left in whatever its function costs."""


def used() -> float:
    """Seconds of processor that this process and its ended children have used."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


class Watch:
    """A plugin of pytest that writes a line for each test: what it cost, and its fixtures."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.shared: dict[str, tuple[float, float]] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        processor, clock = used(), time.monotonic()
        inside = dict(self.shared)
        yield
        if fixturedef.scope in ("session", "module", "package"):
            new = [cost for name, cost in self.shared.items() if name not in inside]
            self.shared[f"{fixturedef.baseid}::{fixturedef.argname}"] = (
                used() - processor - sum(cost[0] for cost in new),
                time.monotonic() - clock - sum(cost[1] for cost in new),
            )

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.shared = {}
        processor, clock = used(), time.monotonic()
        yield
        processor, clock = used() - processor, time.monotonic() - clock
        line = {
            "test": item.nodeid,
            "processor": round(processor - sum(cost[0] for cost in self.shared.values()), 3),
            "clock": round(clock - sum(cost[1] for cost in self.shared.values()), 3),
            "made": {name: [round(x, 3) for x in cost] for name, cost in self.shared.items()},
            "uses": sorted(item.fixturenames),
        }
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def measure(log: Path, files: list[str]) -> None:
    """Run each test file by itself, those that the log has finished aside."""
    for file in files or sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("tests/**/test_*.py")):
        done = log.is_file() and f'"finished": "{file}"' in log.read_text(encoding="utf-8")
        if done:
            continue
        code = (
            "import sys, pytest; from pathlib import Path; sys.path.insert(0, 'benchmarks'); "
            "from slow_tests import Watch; "
            "sys.exit(pytest.main(sys.argv[2:], [Watch(Path(sys.argv[1]))]))"
        )
        options = ["-q", "-m", "", "-p", "no:cacheprovider", file]
        ended = subprocess.run([sys.executable, "-c", code, log.resolve(), *options], cwd=ROOT)
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"finished": file, "code": ended.returncode}) + "\n")


def costs_of(log: Path, quiet: bool) -> dict[str, float]:
    """Seconds of each test, its share of the fixtures it uses included; the last word counts."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    tests = {line["test"]: line for line in lines if "test" in line}

    def cost(processor: float, clock: float) -> float:
        return max(processor, clock) if quiet else processor

    made = {name: cost(*both) for line in tests.values() for name, both in line["made"].items()}
    users = defaultdict(list)
    for test, line in tests.items():
        for name in made:
            base, _, fixture = name.rpartition("::")
            if fixture in line["uses"] and test.startswith(base):
                users[name].append(test)
    costs = {test: cost(line["processor"], line["clock"]) for test, line in tests.items()}
    for name, seconds in made.items():
        for test in users[name]:
            costs[test] += seconds / len(users[name])
    for joint in JOINT:
        cases = [test for test in costs if test.startswith(joint)]
        costs |= dict.fromkeys(cases, sum(costs[case] for case in cases) / max(1, len(cases)))
    return costs


def clocks_of(report: Path) -> dict[str, float]:
    """Seconds of each test in a JUnit report of pytest's, by the clock."""
    costs = {}
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "").replace(".", "/")
        costs[f"{module}.py::{case.get('name')}"] = float(case.get("time", 0.0))
    return costs


def kept_rows(costs: dict[str, float]) -> dict[str, tuple[str, float]]:
    """Test or function → mark and seconds, of the table as it is, where `costs` lack them."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    rows = (line.split(maxsplit=2) for line in lines)
    functions = {function_of(test) for test in costs}
    return {
        test: (mark, float(seconds))
        for mark, seconds, test in rows
        if test not in costs and not (test in functions and "[" not in test)
    }


def function_of(test: str) -> str:
    """The name of a test without its case."""
    return test.split("[")[0]


def thinned(cases: list[str], costs: dict[str, float], most: float) -> Iterator[str]:
    """The cases that go, so that those left cost about `most` seconds; one stays in any case."""
    spent = 0.0
    for number, case in enumerate(sorted(cases, key=costs.__getitem__)):
        spent += costs[case]
        if number and spent > most and costs[case] > NOTHING_S:
            yield case


def left_out(costs: dict[str, float], budget: float, family: float) -> set[str]:
    """The tests that do not fit into the budget of seconds."""
    families = defaultdict(list)
    for test in costs:
        families[function_of(test)].append(test)
    gone: set[str] = set()
    if sum(costs.values()) <= budget:
        return gone
    for cases in families.values():
        if len(cases) > 3 and sum(costs[case] for case in cases) > family:
            gone.update(thinned(cases, costs, family))
    kept = {min(cases, key=costs.__getitem__) for cases in families.values() if len(cases) > 1}
    budget -= sum(costs[test] for test in kept)
    rest = sorted((test for test in costs if test not in gone | kept), key=costs.__getitem__)
    while rest and costs[rest[-1]] > LEAST_S and sum(costs[test] for test in rest) > budget:
        gone.add(rest.pop())
    return gone


def rows(mark: str, tests: Iterable[str], costs: dict[str, float]) -> Iterator[str]:
    """Lines of the table; a function all of whose cases are marked has one line."""
    tests = set(tests)
    families = defaultdict(list)
    for test in costs:
        families[function_of(test)].append(test)
    for function, cases in sorted(families.items()):
        marked = [case for case in cases if case in tests]
        if marked and len(marked) == len(cases):
            yield f"{mark:6} {sum(costs[case] for case in cases):7.1f}  {function}"
        else:
            yield from (f"{mark:6} {costs[case]:7.1f}  {case}" for case in marked)


def mark(log: Path, quiet: bool, share: float) -> str:
    """The table's text."""
    by_clock = log.suffix == ".xml"
    costs = clocks_of(log) if by_clock else costs_of(log, quiet)
    most_quick, most_usual = (CLOCK_QUICK_S, CLOCK_USUAL_S) if by_clock else (QUICK_S, USUAL_S)
    others = kept_rows(costs) if by_clock else {}
    movable = {test: cost for test, cost in costs.items() if not USUAL.fullmatch(test)}
    fixed = sum(costs.values()) - sum(movable.values())
    weekly = left_out(movable, share * most_usual - fixed, USUAL_FAMILY_S)
    usual = {test: cost for test, cost in costs.items() if test not in weekly}
    slow = left_out(usual, share * most_quick, QUICK_FAMILY_S)
    head = "# mark, seconds of processor, test; written by benchmarks/slow_tests.py"
    known = costs | {test: seconds for test, (_, seconds) in others.items()}
    kept = [f"{mark:6} {seconds:7.1f}  {test}" for test, (mark, seconds) in others.items()]
    found = [*rows("slow", slow, known), *rows("weekly", weekly, known), *kept]
    lines = [head, *sorted(found, key=lambda row: (row.split()[0], row.split(maxsplit=2)[2]))]
    quick = sum(cost for test, cost in usual.items() if test not in slow)
    print(
        f"all {sum(costs.values()):.0f} s, usual {sum(usual.values()):.0f} s, quick {quick:.0f} s"
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=("measure", "mark"))
    parser.add_argument("log", type=Path)
    parser.add_argument("files", nargs="*", help="test files; all of them by default")
    parser.add_argument("--quiet", action="store_true", help="nothing else ran: the clock counts")
    parser.add_argument("--share", type=float, default=1.0, help="of all tests, the log's: 0 to 1")
    asked = parser.parse_args()
    if asked.action == "measure":
        measure(asked.log, asked.files)
    else:
        TABLE.write_text(mark(asked.log, asked.quiet, asked.share), encoding="utf-8")


if __name__ == "__main__":
    main()
