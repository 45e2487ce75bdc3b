"""Every reader of foreign files against thousands of damaged ones: a valid answer or an error of
ours, and nothing else, ever.

Each reader runs in a process of its own (`fuzz.py`), as a native library may take its process down.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cvtasks

PROGRAM = Path(__file__).with_name("fuzz.py")
SEED = 0
COUNTS = {
    "images": 17_000,
    "masks": 3_000,
    "voc": 20_000,
    "coco": 14_000,
    "predictions": 6_000,
    "yolo": 16_000,
    "yaml": 4_000,
    "recipe": 20_000,
    "weights": 20_000,
    "csv": 2_000,
    "idx": 2_000,
}
"""Mutations of each reader, once a week."""

FEW = 400
"""Mutations of each reader in the usual run, the first of the same ones."""


@dataclass(frozen=True)
class Attacked:
    """What became of a process: how it ended, what it was doing at the end, and its report, where
    it came so far.
    """

    ended: str
    current: bytes
    report: dict[str, Any]


def attacked(name: str, count: int, limit: float = 600) -> Attacked:
    """Start the program and wait for it; its files lie in memory where the system has
    such a place.
    """
    shared = Path("/dev/shm")
    folder = Path(
        tempfile.mkdtemp(prefix="cvtasks-fuzz-", dir=shared if os.access(shared, os.W_OK) else None)
    )
    path = os.pathsep.join(
        filter(None, [str(Path(cvtasks.__file__).parents[1]), os.environ.get("PYTHONPATH")])
    )
    try:
        done = subprocess.run(
            [sys.executable, PROGRAM, name, str(count), str(SEED), folder],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            timeout=limit,
            check=False,
        )
        ended = (
            ""
            if done.returncode == 0
            else f"ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"
        )
    except subprocess.TimeoutExpired:
        ended = f"did not end within {limit:g} s"
    try:
        report, current = folder / "report.json", folder / "current"
        found = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
        return Attacked(ended, current.read_bytes() if current.is_file() else b"", found)
    finally:
        shutil.rmtree(folder)


def complaint(name: str, done: Attacked) -> str:
    """What went wrong, with all that is needed to make it go wrong again;
    empty where nothing did.
    """
    again = f"again: python tests/laws/fuzz.py {name}"
    if done.ended:
        number, _, content = done.current.partition(b" ")
        number = number.decode() or "0"
        shown = base64.b64encode(content).decode()
        return (
            f"{name}: the process {done.ended}\nat mutation {number}; {again} {number} "
            f"{SEED}\n{shown}"
        )
    return "\n\n".join(
        f"{name}: {failure['times']} times {kind}\n{failure['error']}\nfirst at mutation "
        f"{failure['number']}; {again} "
        f"{failure['number']} {SEED}\n{failure['content']}"
        for kind, failure in done.report["failures"].items()
    )


@pytest.fixture(scope="module")
def attacks(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, int], Future[Attacked]]]:
    """The readers that were asked for with their counts, two at a time, those that take longest
    first.
    """
    asked = {
        (item.callspec.params["name"], item.callspec.params["count"])
        for item in request.session.items
        if item.path == request.path
        and hasattr(item, "callspec")
        and "name" in item.callspec.params
    }
    with ThreadPoolExecutor(2) as pool:
        running = {
            one: pool.submit(attacked, *one)
            for one in sorted(asked, key=lambda one: (-one[1], ORDER.index(one[0])))
        }
        yield running
        pool.shutdown(cancel_futures=True)


ORDER = (
    "weights",
    "recipe",
    *sorted(COUNTS.keys() - {"weights", "recipe"}, key=COUNTS.__getitem__, reverse=True),
)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *(pytest.param(name, FEW, id=name) for name in COUNTS),
        *(
            pytest.param(
                name, count, id=f"all {name}", marks=[pytest.mark.slow, pytest.mark.weekly]
            )
            for name, count in COUNTS.items()
        ),
    ],
)
def test_a_damaged_file_is_read_or_refused(
    name: str, count: int, attacks: dict[tuple[str, int], Future[Attacked]]
) -> None:
    done = attacks[name, count].result()
    assert not complaint(name, done), complaint(name, done)
    report = done.report
    assert report["read"] + report["refused"] == count
    # the mutations are neither harmless nor hopeless
    assert min(report["read"], report["refused"]) > count / 100
    print({key: value for key, value in report.items() if key != "failures"})  # shown by pytest -rP


def test_what_is_wrong_with_a_reader_is_found() -> None:
    done = attacked("faulty", 600)
    kinds = done.report["failures"]
    assert any("KeyError: 'planted'" in failure["error"] for failure in kinds.values())
    assert any("AssertionError" in failure["error"] for failure in kinds.values())
    assert any("took" in kind for kind in kinds)
    assert all(
        f"mutation {failure['number']}" in complaint("faulty", done) for failure in kinds.values()
    )
    assert done.report["read"] > 0


def test_a_process_that_dies_names_the_file() -> None:
    done = attacked("fatal", 600)
    assert not done.report
    number, _, content = done.current.partition(b" ")
    assert b"\xff" in content
    assert f"python tests/laws/fuzz.py fatal {number.decode()} {SEED}" in complaint("fatal", done)
    assert base64.b64encode(content).decode() in complaint("fatal", done)


def test_a_mutation_is_the_same_again(run_python: Callable[..., Any]) -> None:
    first = attacked("faulty", 50).report
    again = attacked("faulty", 50).report
    assert {kind: failure["content"] for kind, failure in first["failures"].items()} == {
        kind: failure["content"] for kind, failure in again["failures"].items()
    }
    number = min(failure["number"] for failure in first["failures"].values())
    alone = run_python(PROGRAM, "faulty", str(number), str(SEED))
    assert alone.returncode == 1
    assert f"faulty {number}, seed 0" in alone.stdout
