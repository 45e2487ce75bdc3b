"""Runs survive what happens to them: stops at bad moments, numbers that are none, hung disks, full
disks, changed data.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.data.checking.statistics import fingerprint
from cvtasks.data.loading.batches import Batches
from cvtasks.data.loading.workers import Workers
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.errors import DataError, InputError, ModelError, NotFinite, UsageError
from cvtasks.files.writing import sha256
from cvtasks.media.opencv import opencv_packages
from cvtasks.recipe.recipe import Recipe, parse_recipe, read_recipe
from cvtasks.training.checkpoint import read_progress
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.loop import train
from cvtasks.training.plan import planned, resumed
from cvtasks.training.progress import Report
from cvtasks.training.run import rehearse, run
from cvtasks.training.stopping import Stopped
from cvtasks.weights.safetensors_file import read_safetensors


def small(shapes: Path, **options: object) -> Recipe:
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 64,
            "classes": ["background", "square", "disc"],
            "segment": {"channels": [16, 16], "dropout": 0.2},
            "data": {"path": str(shapes), "scale": [0.9, 1.1], "workers": 0},
            "train": {
                "epochs": 2,
                "batch": 8,
                "ema": 0.9,
                "precision": "f32",
                "learning_rate": 0.003,
                **options,
            },
        }
    )


def train_in(folder: Path, recipe: Recipe, report: Report | None = None) -> list:
    """Train; returns the history without times."""
    folder.mkdir(exist_ok=True)
    sources = open_sources(recipe)
    return [
        replace(row, seconds=0)
        for row in train(recipe, sources.train, sources.validate, folder, report).history
    ]


def test_a_stop_while_validating_leaves_at_once_and_goes_on_to_the_same_bits(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    history = train_in(tmp_path / "whole", small(shapes))
    from cvtasks.heads.unet import UNet

    looked, decode = [], UNet.decode

    def slow(self: UNet, *arguments: object) -> object:
        looked.append(1)
        if len(looked) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return decode(self, *arguments)

    monkeypatch.setattr(UNet, "decode", slow)
    with pytest.raises(
        Stopped, match=r"while epoch 1 was looked at; saved\. .* can be resumed"
    ) as stopped:
        train_in(tmp_path / "stopped", small(shapes))
    assert stopped.value.ways.keys() == {"resume"}
    assert len(looked) < 8, "the rest of the split is not looked at"
    progress = read_progress(tmp_path / "stopped" / CHECKPOINT)
    assert (progress["epoch"], progress["step"], progress["history"]) == (0, 3, [])
    assert train_in(tmp_path / "stopped", small(shapes)) == history
    assert sha256(tmp_path / "stopped" / BEST) == sha256(tmp_path / "whole" / BEST)


def test_whoever_asks_twice_does_not_wait(shapes: Path, tmp_path: Path) -> None:
    def on_step(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_in(tmp_path, small(shapes), Report(on_step=on_step))


def test_an_average_changes_nothing_about_the_weights_that_it_averages(
    shapes: Path, tmp_path: Path
) -> None:
    def network(folder: Path) -> dict[str, bytes]:
        stored = read_safetensors(folder / CHECKPOINT)
        return {
            key: value.read().tobytes()
            for key, value in stored.items()
            if key.startswith("network/")
        }

    for ema in (0.0, 0.9):
        train_in(tmp_path / f"{ema}", small(shapes, ema=ema))
    assert network(tmp_path / "0.0") == network(tmp_path / "0.9")
    assert sha256(tmp_path / "0.0" / BEST) != sha256(tmp_path / "0.9" / BEST)


# === numbers that are none ===


def poisoned(monkeypatch: pytest.MonkeyPatch, at: int, times: int) -> None:
    """Make a weight infinite in the update of the step `at`, so many times; the step's loss is
    still a number.
    """
    from cvtasks.training.learner import Learner

    real, count = Learner.step, [0]

    def step(self: Learner, *arguments: object) -> None:
        real(self, *arguments)
        count[0] += 1
        if at <= count[0] < at + times:
            self._write_back()
            kernel = self.network.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.inf, "float32"))

    monkeypatch.setattr(Learner, "step", step)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (
            2,
            r"the loss must stay a finite number; it became \S+ in epoch 1, step 3, with",
        ),
        (3, r"weights must stay finite numbers; \S+ did not up to epoch 1, step 3\."),
    ],
)
def test_infinite_weights_stop_the_run_before_it_is_saved(
    shapes: Path, tmp_path: Path, monkeypatch, at: int, message: str
) -> None:
    poisoned(monkeypatch, at=at, times=1)
    with pytest.raises(NotFinite, match=rf"{message}.*Nothing of it was saved"):
        train_in(tmp_path, small(shapes))
    assert list(tmp_path.glob("*.safetensors")) == []


def test_a_run_may_go_back_at_half_the_rate(shapes: Path, tmp_path: Path, monkeypatch) -> None:
    before = train_in(
        tmp_path / "without", small(shapes, schedule="constant", warmup=0.0, epochs=1)
    )
    poisoned(monkeypatch, at=5, times=1)
    said: list[str] = []
    history = train_in(
        tmp_path / "run",
        small(shapes, setbacks=1, schedule="constant", warmup=0.0),
        Report(on_message=said.append),
    )
    (line,) = [text for text in said if "Gone back" in text]
    assert "Gone back to epoch 2, step 1, at half the rate; 1 of 1 such rollbacks." in line
    assert history[0] == before[0], "what was done before stays"
    assert [row.learning_rate for row in history] == [0.003, 0.0015]
    assert read_progress(tmp_path / "run" / CHECKPOINT)["setbacks"] == 1
    for stored in read_safetensors(tmp_path / "run" / BEST).values():
        assert np.isfinite(stored.read()).all()


def test_setbacks_come_to_an_end(shapes: Path, tmp_path: Path, monkeypatch) -> None:
    poisoned(monkeypatch, at=2, times=99)
    said: list[str] = []
    with pytest.raises(NotFinite):
        train_in(tmp_path, small(shapes, setbacks=2), Report(on_message=said.append))
    assert sum("Gone back to epoch 1, step 1" in text for text in said) == 2


# === workers ===


class Slow(Source):
    """Samples of which one never comes."""

    classes = ("a",)
    files = tuple(Path(f"/share/{number}.jpg") for number in range(8))

    def __init__(self, broken: Callable[[], object]) -> None:
        self.broken = broken

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if index == 5:
            self.broken()
        return index


def batches(source: Source) -> Iterator[object]:
    def prepare(
        source: Source, epoch: int, step: int, index: int
    ) -> tuple[np.ndarray, np.ndarray, str]:
        return np.zeros(1), np.zeros(1), str(source[index])

    return Batches(source, prepare, batch=4, seed=0, workers=2).epoch(0)


def test_a_hung_worker_is_named_and_holds_nobody_up(monkeypatch) -> None:
    monkeypatch.setattr("cvtasks.data.loading.workers.PATIENCE_S", 1.0)
    never = threading.Event()
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"prepared within 1 s; '/share/5\.jpg' hung.*be resumed"):
        list(batches(Slow(never.wait)))
    assert time.monotonic() - begun < 15
    never.set()


def test_an_image_that_hangs_an_evaluation_is_named(monkeypatch) -> None:
    from cvtasks.data.loading.workers import prepared

    monkeypatch.setattr("cvtasks.data.loading.workers.PATIENCE_S", 1.0)
    never = threading.Event()
    source = Slow(never.wait)
    with pytest.raises(DataError, match=r"prepared within 1 s; '/share/5\.jpg' hung"):
        list(
            prepared(
                (source.called(index), partial(source.__getitem__, index)) for index in range(8)
            )
        )
    never.set()
    assert list(prepared([])) == []
    assert list(prepared((str(n), lambda n=n: n) for n in range(20))) == list(range(20))


def test_an_error_in_a_worker_names_the_sample() -> None:
    def broken() -> None:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone") as caught:
        list(batches(Slow(broken)))
    assert caught.value.__notes__ == ["while preparing '/share/5.jpg'"]


def test_slow_is_not_hung(monkeypatch) -> None:
    monkeypatch.setattr("cvtasks.data.loading.workers.PATIENCE_S", 0.5)
    workers: Workers[int] = Workers(1)
    futures = [workers.submit(str(n), lambda n=n: time.sleep(0.2) or n) for n in range(6)]
    assert workers.results(futures) == list(range(6))
    workers.close()


# === the data of a run ===


def test_a_run_says_what_decided_about_its_bits_and_refuses_other_data(
    shapes: Path, tmp_path: Path
) -> None:
    import shutil

    data, folder = tmp_path / "data", tmp_path / "run"
    shutil.copytree(shapes, data)
    recipe = small(data, epochs=3)

    def on_step(epoch: int, *_: object) -> None:
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped):
        run(planned(recipe), folder, "cvtasks train x", Report(on_step=on_step))
    facts = json.loads((folder / "run.json").read_text())
    assert facts["seed"] == recipe.train.seed
    assert facts["command"] == "cvtasks train x"
    assert {"keras", "numpy", *opencv_packages()} <= facts["versions"].keys()
    sources = open_sources(recipe)
    assert facts["data"] == {
        "train": fingerprint(sources.train),
        "validate": fingerprint(sources.validate),
    }
    file = next((data / "images" / "train").iterdir())
    with Image.open(file) as image:
        Image.fromarray(255 - np.asarray(image)).save(file)
    with pytest.raises(DataError, match=r"the split to train of .* has changed since"):
        run(resumed(folder, recipe.data.path), folder, "", Report())


def test_a_disk_that_is_too_small_for_a_run_is_refused_before_it_begins(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr("cvtasks.training.run.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(UsageError, match=r"needs about \d+ MB; .* has 1 MB free\. Choose another"):
        run(planned(small(shapes)), tmp_path / "run", "", Report())
    assert not (tmp_path / "run").exists()


def test_data_that_lack_what_they_had_are_named_where_a_run_goes_on(
    shapes: Path, tmp_path: Path
) -> None:
    import shutil

    data, folder = tmp_path / "data", tmp_path / "run"
    shutil.copytree(shapes, data)
    (folder / "checkpoints").mkdir(parents=True)
    planned(small(data)).recipe.save(folder / "recipe.toml")
    (data / "classes.txt").write_text("background\nsquare\nother\n")
    with pytest.raises(DataError, match=r"not as they were: .*\"disc\" is not.*bring back") as gone:
        resumed(folder)
    assert gone.value.ways == {"data": ""}


def test_a_finished_run_is_not_resumed(trained: Path) -> None:
    with pytest.raises(UsageError, match="holds a finished model"):
        resumed(trained)


def test_who_stops_while_steps_are_measured_is_told_how_to_go_on(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cvtasks.training.budget.measured_learner", interrupted)
    plan = planned(small(shapes, minutes=1.0))
    with pytest.raises(Stopped, match=r"before the first step\. .* can be resumed") as stopped:
        run(plan, tmp_path / "run", "", Report())
    assert stopped.value.ways == {"resume": str(tmp_path / "run")}
    assert resumed(tmp_path / "run").recipe.train.minutes == 1


def test_a_stopped_run_becomes_a_model_as_it_stands(shapes: Path, tmp_path: Path, cli) -> None:
    folder = tmp_path / "run"

    def stop_in(wanted: int) -> Report:
        def on_step(epoch: int, *_: object) -> None:
            if epoch == wanted:
                os.kill(os.getpid(), signal.SIGTERM)

        return Report(on_step=on_step)

    def fail_in(wanted: int, error: Exception, said: list[str]) -> Report:
        def on_step(epoch: int, *_: object) -> None:
            if epoch == wanted:
                raise error

        return Report(on_step=on_step, on_message=said.append)

    with pytest.raises(Stopped):
        run(planned(small(shapes, epochs=3)), folder, "cvtasks train x", stop_in(0))
    with pytest.raises(UsageError, match=r"has none yet after 0 epochs\. Resume it"):
        resumed(folder, ends=True)
    kept = f"The run in {str(folder)!r} is kept as of epoch 1. "
    with pytest.raises(InputError) as failed:
        run(resumed(folder), folder, "", fail_in(1, InputError("an image is gone."), []))
    assert str(failed.value) == f"an image is gone. {kept}It can be resumed."
    assert failed.value.ways == {"resume": str(folder)}
    with pytest.raises(NotFinite, match="comes to the same numbers; it can be finished there"):
        run(resumed(folder), folder, "", fail_in(1, NotFinite("the loss is none."), []))
    said: list[str] = []
    with pytest.raises(ZeroDivisionError):
        run(resumed(folder), folder, "", fail_in(1, ZeroDivisionError(), said))
    assert said[-1] == f"{kept}It can be resumed."
    best = sha256(folder / "checkpoints" / BEST)
    code, out, err = cli("train", "--resume", folder, "--finish")
    assert code == 0, err
    assert "VOC mean IoU" in out and sha256(folder / "checkpoints" / BEST) == best
    assert read_recipe(folder / "recipe.toml").train.epochs == 1
    card = (folder / "README.md").read_text()
    assert "1 epoch," in card and "it was ended before its last epoch" in card
    assert (
        f"`cvtasks train x`; it was stopped, and resumed by `cvtasks train --resume {folder}"
        in card
    )
    assert len((folder / "history.csv").read_text().splitlines()) == 2
    with pytest.raises(UsageError, match="holds a finished model"):
        resumed(folder)
    code, _, err = cli("train", "segment", "--data", shapes, "--finish")
    assert code == 2 and "--resume DIR --finish" in err


# === kill -9 while saving ===

SAVER = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from cvtasks.weights.safetensors_file import read_metadata, read_safetensors, write_safetensors

path, rng = Path(sys.argv[1]), random.Random(0)
moments = 0
for trial in range(100):
    child = os.fork()
    if child == 0:
        number = 0
        while True:
            number += 1
            arrays = {name: np.full(200_000, number, np.float32) for name in "abc"}
            write_safetensors(path, arrays, {"number": str(number)})
    time.sleep(0.004 + rng.random() * 0.03)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    moments += any(path.parent.glob(".*.part"))
    if path.exists():
        number = int(read_metadata(path)["number"])
        for name, stored in read_safetensors(path).items():
            if not (stored.read() == number).all():
                sys.exit(f"trial {trial}: {name} is not whole")
    for part in path.parent.glob(".*.part"):
        part.unlink()
print(moments, path.exists())
"""


def test_a_hundred_kills_while_saving_leave_a_whole_file(tmp_path: Path, run_python) -> None:
    done = run_python("-c", SAVER, tmp_path / "last.safetensors")
    assert done.returncode == 0, done.stderr
    moments, there = done.stdout.split()
    assert there == "True"
    assert int(moments) > 20, "the kills must have hit the writing itself"


FULL = """
import sys
from pathlib import Path
import numpy as np
from cvtasks.errors import CVTasksError
from cvtasks.weights.safetensors_file import read_safetensors, write_safetensors

path = Path(sys.argv[1]) / "last.safetensors"
saved = 0
for number in range(1, 40):
    arrays = {"a": np.full(number * 60_000, number, np.float32)}
    try:
        write_safetensors(path, arrays)
        saved = number
    except CVTasksError as error:
        print("refused", error)
    value = read_safetensors(path)["a"].read()
    if not (value == saved).all() or len(value) != saved * 60_000:
        sys.exit("the last good file is gone")
print("kept", saved)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system as Linux does")
def test_a_full_file_system_keeps_the_last_good_file(tmp_path: Path, run_python) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        done = run_python("-c", FULL, place)
    finally:
        subprocess.run(["umount", place], check=True)
    assert done.returncode == 0, done.stderr
    assert "No space left" in done.stdout
    assert "Free some space" in done.stdout
    assert int(done.stdout.split("kept")[1]) > 5


# === memory and devices ===


def test_a_batch_that_fits_is_found_from_two_small_steps(shapes: Path, monkeypatch) -> None:
    from cvtasks.training import memory

    tried: list[int] = []

    def step(recipe: Recipe, batch: int) -> dict:
        tried.append(batch)
        return {"gpu": False, "peak": 1_000 + 100 * batch}

    monkeypatch.setattr(memory, "_step", step)
    for free, fitting in (
        (1e9, 64),
        (10_000, 32),
        (4_000, 16),
        (2_000, 4),
    ):  # of which seven tenths are used
        assert memory.fitting_batch(small(shapes), int(free)) == fitting
        assert 1_000 + 100 * fitting <= 0.7 * free
    assert set(tried) == {2, 8}
    with pytest.raises(
        ModelError, match="one image of 64 pixels must fit into memory with tiny; it does not"
    ):
        memory.fitting_batch(small(shapes), 1_000)


def test_on_a_gpu_batches_are_tried(shapes: Path, monkeypatch) -> None:
    from cvtasks.training import memory

    monkeypatch.setattr(
        memory, "_step", lambda recipe, batch: {"gpu": True, "peak": 0} if batch <= 16 else None
    )
    assert memory.fitting_batch(small(shapes)) == 16


def test_where_eight_do_not_fit_fewer_are_tried(shapes: Path, monkeypatch) -> None:
    from cvtasks.training import memory

    monkeypatch.setattr(
        memory, "_step", lambda recipe, batch: {"gpu": False, "peak": 1_000} if batch <= 4 else None
    )
    assert memory.fitting_batch(small(shapes), 10**9) == 4


def test_a_real_step_is_measured(shapes: Path) -> None:
    from cvtasks.training.memory import fitting_batch

    assert fitting_batch(small(shapes), 10**12) == 64


def test_a_step_is_probed_with_the_tasks_target_whatever_the_logits_are(monkeypatch) -> None:
    """Auxiliary classifiers have logits of their own and no target."""
    import keras

    from cvtasks.training.memory_probe import peak, train_once

    def top(features: list, classes: int, dropout: float, auxiliary: bool) -> list:
        mean = keras.layers.GlobalAveragePooling2D()(features[-1])
        return [
            keras.layers.Dense(classes, dtype="float32")(mean) for _ in range(3 if auxiliary else 1)
        ]

    monkeypatch.setattr(
        "cvtasks.networks.build.build_top", lambda name, *arguments: top(*arguments)
    )
    for labels in ("one", "many"):
        recipe = parse_recipe(
            {
                "task": "classify",
                "backbone": "tiny",
                "size": 32,
                "classes": ["a", "b", "c", "d"],
                "classify": {"top": "own", "auxiliary": 0.3, "labels": labels},
                "train": {"ema": 0.9},
            }
        )
        loss = train_once(recipe, 2)
        assert np.isfinite(loss)
        assert (loss == 0) == (
            labels == "one"
        )  # no class is shown: of one class nothing counts, of many all four are wrong
    assert peak() > 1e6 or not Path("/proc/self/status").exists()


def test_a_batch_that_cannot_fit_is_refused_before_anything_is_written(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("cvtasks.engines.keras_engine.has_gpu", lambda: False)
    for free, sides in ((2_000_000, []), (20_000_000, [64, 256])):
        monkeypatch.setattr("cvtasks.training.memory.available", lambda free=free: free)
        recipe = replace(small(shapes), data=replace(small(shapes).data, multi_scale=tuple(sides)))
        with pytest.raises(
            ModelError,
            match=(
                rf"8 images of {max([64, *sides])} pixels with tiny take .* GB are free\. Try a "
                r"smaller `train.batch`"
            ),
        ):
            run(planned(recipe), tmp_path / "run", "cvtasks train x", Report())
        assert not (tmp_path / "run").exists()
        with pytest.raises(ModelError, match=r"with tiny take .* GB are free"):
            rehearse(planned(recipe), Report())


def test_where_it_is_in_doubt_two_small_steps_are_measured(shapes: Path, monkeypatch) -> None:
    from cvtasks.networks.build import build_network
    from cvtasks.training import memory

    recipe = small(shapes)
    network = build_network(recipe, recipe.input_size)
    certain = recipe.train.batch * memory._put_out(network) // 2
    monkeypatch.setattr("cvtasks.engines.keras_engine.has_gpu", lambda: False)
    tried: list[int] = []

    def step(recipe: Recipe, batch: int) -> dict:
        tried.append(batch)
        return {"gpu": False, "peak": 1_000 + 2 * certain * batch // recipe.train.batch}

    monkeypatch.setattr(memory, "_step", step)
    for times, fits in ((1.1, False), (1.9, False), (2.1, True), (5.9, True)):
        monkeypatch.setattr(memory, "available", lambda times=times: int(times * certain))
        with nullcontext() if fits else pytest.raises(ModelError, match=r" GB, and .* free"):
            memory.check_memory(network, recipe)
    assert tried == 4 * [2, 8]
    monkeypatch.setattr(memory, "available", lambda: 7 * certain)
    memory.check_memory(network, recipe)
    assert len(tried) == 8


def test_what_is_certainly_needed_is_less_than_what_a_step_takes(shapes: Path, monkeypatch) -> None:
    import keras

    from cvtasks.networks.build import build_network
    from cvtasks.training import memory

    recipe = small(shapes)
    network = build_network(recipe, recipe.input_size)
    few, more = (memory._step(recipe, batch) for batch in (2, 34))
    assert few and more
    per_image = (more["peak"] - few["peak"]) / 32
    certain = memory._put_out(network) / 2
    assert 0.2 * per_image < certain < per_image
    assert (
        memory._put_out(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 1)]))
        == 4 * 8 * 8 * 4
    )


@pytest.mark.parametrize("when", ["step", "recent"])  # a device may say it late
def test_full_memory_is_named(shapes: Path, tmp_path: Path, monkeypatch, when: str) -> None:
    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr(f"cvtasks.training.steps.Steps.{when}", full)
    with pytest.raises(
        ModelError, match=r"one of 8 images of 64 pixels with tiny does not\. Try a smaller"
    ) as refused:
        train_in(tmp_path, small(shapes))
    assert refused.value.ways == {"batch": "auto"}


def test_a_gpu_that_is_not_there_is_an_error(
    cli, shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("cvtasks.engines.keras_engine.has_gpu", lambda: False)
    (tmp_path / "recipe.toml").write_text(small(shapes).to_toml())
    code, _, err = cli("train", tmp_path / "recipe.toml", "--device", "gpu", "-o", tmp_path / "run")
    assert code == 2
    assert "it sees none. Choose cpu." in err
    assert not (tmp_path / "run").exists()
