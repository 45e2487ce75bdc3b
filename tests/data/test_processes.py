"""Batches from processes: the same bits as from threads, and what happens when one dies."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.data.loading.batches import Batch, Batches
from cvtasks.data.loading.preparing import Item, Preparing
from cvtasks.data.loading.room import Room, new_room
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.heads.arrays import mapped
from cvtasks.recipe.recipe import Recipe, parse_recipe, read_recipe
from cvtasks.zoo import zoo_folder


def small(shapes: Path, **data: object) -> Recipe:
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 32,
            "classes": ["background", "square", "disc"],
            "data": {"path": str(shapes), "multi_scale": [32, 64], "copy_paste": 0.5, **data},
        }
    )


class Numbers(Source):
    """Eight samples that are their index."""

    classes = ("a",)
    files = tuple(Path(f"/share/{number}.jpg") for number in range(8))

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        return index


def fed(prepare: Callable[..., Item], source: Source | None = None) -> list[Batch]:
    """An epoch of four steps, by two processes."""
    batches = Batches(source or Numbers(), prepare, batch=2, seed=0, workers=2, processes=True)
    try:
        return list(batches.epoch(0))
    finally:
        batches.close()


def telling(source: Source, epoch: int, step: int, index: int) -> Item:
    """What the process that prepares has loaded, and how many threads OpenCV takes there."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    back_ends = sorted(loaded & {"keras", "tensorflow", "jax", "openvino"})
    print("a library that prints disturbs nobody")
    return np.zeros((2, 2)), {"pid": os.getpid()}, f"{back_ends} {cv2.getNumThreads()}"


def ending(how: Callable[[], object], source: Source, epoch: int, step: int, index: int) -> Item:
    """A sample, but for number 5, of which none comes."""
    if index == 5:
        how()
    return np.zeros((2, 2)), np.float32(index), str(index)


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise OSError("the disk is gone")


def refuse() -> None:
    raise DataError("a rule.", "the rule", ways={"resume": ""})


# === what they make ===


def test_bits_do_not_depend_on_who_prepares(shapes: Path) -> None:
    recipe = small(shapes)
    source = open_sources(recipe).train

    def made(workers: int, processes: bool) -> list[list[Batch]]:
        prepare = Preparing(recipe)
        batches = Batches(
            source, prepare, batch=5, seed=3, workers=workers, processes=processes, most=3
        )
        try:
            return [list(batches.epoch(0)), list(batches.epoch(1, first=1))]
        finally:
            batches.close()

    alone = made(0, False)
    assert {batch.images.shape[1] for batch in alone[0] + alone[1]} == {32, 64}
    for workers, processes in ((1, False), (4, False), (1, True), (3, True)):
        for epoch, others in zip(alone, made(workers, processes), strict=True):
            for batch, other in zip(epoch, others, strict=True):
                assert batch.names == other.names
                np.testing.assert_array_equal(batch.images, other.images)
                mapped(np.testing.assert_array_equal, batch.targets, other.targets)


def test_what_prepares_goes_to_processes_whatever_the_recipe() -> None:
    recipes = sorted(zoo_folder().glob("*/recipe.toml"))
    assert recipes
    for path in recipes:
        recipe = read_recipe(path)
        there = pickle.loads(pickle.dumps(recipe))
        assert there.to_toml() == recipe.to_toml()
        pickle.dumps(Preparing(recipe))


def test_a_class_of_the_script_itself_is_named(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from cvtasks.data.loading.batches import Batches\n"
        "from cvtasks.data.source import Source\n"
        "class Mine(Source):\n"
        "    classes = ('a',)\n"
        "    def __len__(self): return 2\n"
        "    def __getitem__(self, index): return index\n"
        "batches = Batches(Mine(), print, batch=1, seed=0, workers=1, processes=True)\n"
        "try: next(batches.epoch(0))\n"
        "finally: batches.close()\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode and "UsageError" in last and "'Mine'" in last
    assert "into a module" in last and "data.processes = false" in last


def test_processes_load_no_back_end_and_last_for_all_epochs() -> None:
    batches = Batches(Numbers(), telling, batch=4, seed=0, workers=2, processes=True)
    said = [batch for epoch in (0, 1) for batch in batches.epoch(epoch)]
    assert {name for batch in said for name in batch.names} == {"[] 1"}
    pids = {int(pid) for batch in said for pid in batch.targets["pid"]}
    assert len(pids) <= 2 and os.getpid() not in pids
    batches.close()
    assert not any(map(is_alive, pids))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_room_grows_with_what_is_laid_into_it() -> None:
    descriptor = new_room()
    here, there = Room(descriptor), Room(descriptor)
    rng = np.random.default_rng(0)
    items: list[Item] = [
        (rng.integers(0, 256, (side, side, 3), np.uint8), target, f"{side}")
        for side in (3, 700, 5)
        for target in (
            rng.random((side, 7), np.float32)[:, ::2],
            {"own": np.zeros(0, np.int8), "cells": rng.random((2, side))},
            np.int64(side),
        )
    ]
    for image, target, name in items:
        found = there.take(here.lay((image, target, name)))
        np.testing.assert_array_equal(found[0], image)
        mapped(np.testing.assert_array_equal, found[1], target)
        assert found[2] == name and found[0].flags.owndata
    os.close(descriptor)


# === what goes wrong ===


def test_a_process_that_is_killed_is_named_with_its_image() -> None:
    begun = time.monotonic()
    said = r"\(process \d+\) was killed by SIGKILL while it prepared '/share/5\.jpg'\. .*resumed"
    with pytest.raises(DataError, match=said):
        fed(partial(ending, kill_me))
    assert time.monotonic() - begun < 30


def test_what_a_process_raises_comes_to_the_run() -> None:
    with pytest.raises(OSError, match="the disk is gone") as caught:
        fed(partial(ending, fail))
    *whence, where = caught.value.__notes__
    assert "in fail" in whence[0] and where == "while preparing '/share/5.jpg'"
    with pytest.raises(DataError, match=r"a rule\.") as refused:
        fed(partial(ending, refuse))
    assert refused.value.rule == "the rule" and refused.value.ways == {"resume": ""}


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(UsageError, match=r"got Numbers, which cannot be.*data\.processes = false"):
        fed(lambda *_: (np.zeros(1), np.zeros(1), ""))
    with pytest.raises(ModelError, match=r"`data\.workers = 0` has none"):
        small(Path(), workers=0, processes=True)


KILLED = """
import os, signal, sys
from cvtasks.data.loading.batches import Batches
from tests.data.test_processes import Numbers, telling

batches = Batches(Numbers(), telling, batch=2, seed=0, workers=2, processes=True)
epoch = batches.epoch(0)
next(epoch)
print(*(process._popen.pid for process in batches._processes._all), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_process_outlives_a_run_that_was_killed(run_python) -> None:
    done = run_python("-c", KILLED, env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    assert done.returncode == -signal.SIGKILL, done.stderr
    until = time.monotonic() + 20
    while alive := [pid for pid in map(int, done.stdout.split()) if is_alive(pid)]:
        assert time.monotonic() < until, alive
        time.sleep(0.1)
