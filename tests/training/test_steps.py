"""The steps of a training: what they learn, what is fetched of them, and where their time goes."""

import gc
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from cvtasks.data.loading.batches import Batch
from cvtasks.data.opening import open_sources
from cvtasks.errors import ModelError, NotFinite
from cvtasks.media.prefetch import shut
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.learner import Learner
from cvtasks.training.loop import batches_of, train
from cvtasks.training.profile import Recorder
from cvtasks.training.progress import Progress, Report
from cvtasks.training.step_checks import Watch
from cvtasks.training.steps import Steps


def small(shapes: Path, **train_options: object) -> Recipe:
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 32,
            "classes": ["background", "square", "disc"],
            "segment": {"channels": [8, 8], "dropout": 0.2},
            "data": {"path": str(shapes), "workers": 0},
            "train": {"epochs": 1, "batch": 2, "ema": 0.9, "precision": "f32", **train_options},
        }
    )


# === what they learn ===

SAME = """
import keras, numpy as np
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.training.optimizer import compile_network
from cvtasks.training.steps import steps_of

recipe = parse_recipe({"task": "segment", "backbone": "tiny", "size": 32, "classes": ["a", "b"],
    "segment": {"channels": [8, 8], "dropout": 0.2},
    "train": {"precision": "f32", "ema": 0.9, "clip": 1.0, "accumulate": 2}})

def learned(ours):
    keras.utils.set_random_seed(0)
    network = build_network(recipe, recipe.input_size)
    compile_network(network, recipe)
    steps, rng, losses = steps_of(network), np.random.default_rng(0), []
    for number in range(6):
        images = rng.integers(0, 256, (2, 32, 32, 3), np.uint8)
        target = np.eye(2, dtype=np.float32)[rng.integers(0, 2, (2, 32, 32))]
        rate = 1e-3 * (number + 1)
        if ours:
            steps.step(*steps.put((images, target)), rate)
            if number == 3:
                steps.write_back()
        else:
            network.optimizer.learning_rate = rate
            losses.append(float(network.train_on_batch(images, target)))
    if ours:
        seen = steps.recent()
        assert seen.shape == (6, 2) and (seen[:, 1] > 0).all()
        assert steps.recent().shape == (0, 2)
        losses = seen[:, 0]
        steps.write_back()
    return losses, [np.array(v.numpy()) for v in [*network.variables, *network.optimizer.variables]]

(losses, values), (theirs, expected) = learned(True), learned(False)
np.testing.assert_allclose(losses, theirs, rtol=TOLERANCE)
for value, other in zip(values, expected, strict=True):
    np.testing.assert_allclose(value, other, rtol=TOLERANCE, atol=TOLERANCE)
"""


def test_steps_learn_what_keras_would_learn() -> None:
    """Bit by bit: weights, moving average, statistics, random states and moments."""
    exec(SAME.replace("TOLERANCE", "0"), {})


def test_steps_under_jax_learn_the_same(run_python) -> None:
    """But for the order of sums, as XLA compiles them anew."""
    done = run_python("-c", SAME.replace("TOLERANCE", "1e-5"), env={"KERAS_BACKEND": "jax"})
    assert done.returncode == 0, done.stderr


def test_what_is_never_looked_at_is_not_lost_silently(monkeypatch) -> None:
    class Fake(Steps):
        def put(self, batch: object) -> object:
            return batch

        def _do(self, *_: object) -> None: ...

        def _kept(self) -> np.ndarray:
            return np.arange(100, dtype=np.float32).reshape(50, 2)

    steps = Fake(None)
    for _ in range(50):
        steps.step(np.zeros(1), np.zeros(1), 0.1)
    with pytest.raises(ValueError, match="after 50 of them at most"):
        steps.step(np.zeros(1), np.zeros(1), 0.1)
    assert len(steps.recent()) == 50
    steps.step(np.zeros(1), np.zeros(1), 0.1)
    np.testing.assert_array_equal(steps.recent(), [[98, 99]])


def test_batches_are_put_on_the_device_by_a_thread_of_their_own(shapes: Path) -> None:
    """One ahead of the one that is learned from; and they are closed with it."""
    recipe = small(shapes)
    learner, began = Learner(recipe), []
    learner.restore(None, Progress())

    def batches() -> Iterator[Batch]:
        with suppress(GeneratorExit):
            for batch in batches_of(recipe, open_sources(recipe).train).epoch(0):
                began.append(threading.current_thread())
                yield batch
        began.append("closed")

    with shut(learner.ahead(batches())) as ahead:
        first = next(iter(ahead))
        assert not isinstance(first.images, np.ndarray)
        learner.step(first, 1e-3)
        assert np.isfinite(learner.recent()).all()
    assert began[-1] == "closed" and threading.current_thread() not in began
    assert len(began) <= 4  # of the batches, the one that was asked for and two more


def test_memory_that_is_full_ahead_is_named(shapes: Path) -> None:
    recipe = small(shapes)
    learner = Learner(recipe)
    learner.restore(None, Progress())

    def full(batch: object) -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    learner._steps.put = full
    batches = batches_of(recipe, open_sources(recipe).train).epoch(0)
    with pytest.raises(ModelError, match="memory"), shut(learner.ahead(batches)) as ahead:
        next(iter(ahead))


def test_a_training_leaves_no_graph_in_memory(shapes: Path, tmp_path: Path) -> None:
    """And with a graph the weights and moments of its network."""

    def graphs() -> int:
        gc.collect()
        return sum(type(one).__name__ == "FuncGraph" for one in gc.get_objects())

    recipe = small(shapes)
    sources, known = open_sources(recipe), graphs()
    train(recipe, sources.train, sources.validate, tmp_path)
    assert graphs() == known


# === what is fetched ===

FETCHES = """
import sys
from pathlib import Path
import keras, numpy as np
from cvtasks.data.opening import open_sources
from cvtasks.recipe.recipe import read_recipe
from cvtasks.training import step_checks, steps
from cvtasks.training.loop import train
from cvtasks.training.progress import Report

steps.WATCHED = step_checks.WATCHED = 4
step_checks._AT_LEAST_S = 1e9
fetched = []

def count(kind, name):
    real = getattr(kind, name)
    if isinstance(real, property):
        setattr(kind, name, property(lambda self: fetched.append(name) or real.fget(self)))
    else:
        setattr(kind, name, lambda self, *a, **k: fetched.append(name) or real(self, *a, **k))

if keras.config.backend() == "jax":
    import jax
    array = type(jax.numpy.zeros(1))
    count(array, "_value")  # what float(), int(), .item(), __array__ and device_get come to
else:
    from tensorflow.python.framework.ops import EagerTensor as array
    count(array.__mro__[1], "_numpy")  # what .numpy(), float(), int() and __array__ come to
for name in ("asarray", "array"):  # both may read a buffer of the array without asking it
    def noted(given, *a, _real=getattr(np, name), **k):
        if isinstance(given, (array, keras.Variable)):
            fetched.append(name)
        return _real(given, *a, **k)
    setattr(np, name, noted)

float(keras.ops.ones(1)[0]), np.asarray(keras.ops.ones(1)), keras.Variable([1.0]).numpy()
assert len(fetched) >= 3, fetched
at = {}

def on_step(epoch, step, of, loss, images):
    at.setdefault(step, len(fetched))

recipe = read_recipe(sys.argv[1])
sources = open_sources(recipe)
train(recipe, sources.train, sources.validate, Path(sys.argv[2]), Report(on_step=on_step))
assert len(at) == 12
between = [at[step] - at[1] for step in sorted(at)]
print(between)
assert between == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3], (between, fetched)
"""


@pytest.mark.parametrize("back_end", ["tensorflow", "jax"])
def test_the_loop_fetches_once_in_so_many_steps(
    shapes: Path, tmp_path: Path, run_python, back_end: str
) -> None:
    small(shapes).save(tmp_path / "recipe.toml")
    (tmp_path / "run").mkdir()
    done = run_python(
        "-c",
        FETCHES,
        tmp_path / "recipe.toml",
        tmp_path / "run",
        env={"KERAS_BACKEND": back_end},
    )
    assert done.returncode == 0, done.stderr + done.stdout


# === what is looked at ===


def watched(rows: Sequence[tuple[float, float]], names: Sequence[str]) -> Callable[[], Progress]:
    watch = Watch(lambda: np.array(rows, np.float32), 0.1)
    for name in names:
        watch.stepped((name, name.upper()))
    return lambda: watch.look(Progress(epoch=2, step=7, loss_sum=1.0))


def test_losses_are_summed_one_by_one() -> None:
    assert watched([(0.5, 1), (0.25, 1)], ["a", "b"])().loss_sum == 1.75


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((np.nan, 1), "the loss must stay a finite number; it became nan"),
        ((np.inf, 1), "the loss must stay a finite number; it became inf"),
        ((1, np.nan), "gradients must stay finite numbers; their norm became nan"),
    ],
)
def test_the_step_that_went_wrong_is_named_however_late(
    row: tuple[float, float], said: str
) -> None:
    look = watched([(1, 1), row, (np.nan, np.nan)], ["a", "b", "c"])
    with pytest.raises(
        NotFinite, match=rf"{said} in epoch 3, step 6, with the images b, B\. Nothing .*now 0\.1"
    ):
        look()


def test_slow_steps_are_looked_at_by_the_clock(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("cvtasks.training.step_checks.time.monotonic", lambda: now[0])
    watch = Watch(lambda: np.ones((1, 2), np.float32), 0.1)
    watch.stepped(("a",))
    assert not watch.is_due
    now[0] = 5.0
    assert watch.is_due
    watch.look(Progress(step=1))
    assert not watch.is_due


def test_the_last_known_loss_is_told(shapes: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("cvtasks.training.steps.WATCHED", 4)
    monkeypatch.setattr("cvtasks.training.step_checks.WATCHED", 4)
    monkeypatch.setattr("cvtasks.training.step_checks._AT_LEAST_S", 1e9)
    told: list[float] = []
    recipe = small(shapes)
    sources = open_sources(recipe)
    report = Report(on_step=lambda *facts: told.append(facts[3]))
    train(recipe, sources.train, sources.validate, tmp_path, report)
    assert np.isnan(told[:3]).all()
    assert np.isfinite(told[3:]).all()
    assert told[3] == told[6] != told[7]


# === where the time goes ===


def test_the_parts_of_a_step_add_up() -> None:
    """A step of 10 s: 2 for its batch, 5 of the step, 1 of waiting, 2 of nothing in particular."""
    now = [0.0]

    def do(seconds: float) -> None:
        now[0] += seconds

    def batches() -> object:
        for number in range(5):
            do(2)
            yield number

    recorder = Recorder(lambda: now[0])
    for _ in recorder.iterated(batches()):
        with recorder.span("compute", device=True):
            do(5)
        with recorder.span("wait"):
            do(1)
        do(2)
        recorder.step()
    with recorder.span("checkpoint"):
        do(3)
    lines = recorder.lines()
    assert lines[0].startswith("profile: 3 steps, 10000.00 ms each (the first 2, which compile, ")
    shares = {line.split()[0]: line.split()[3] for line in lines[1:5]}
    assert shares == {
        "data": "20.0%",
        "compute": "50.0%",
        "wait": "10.0%",
        "other": "20.0%",
    }
    assert lines[5:] == ["  the device was busy 50% of it", "  between: checkpoint 3.0 s"]


def test_a_device_is_watched_from_aside(tmp_path: Path) -> None:
    times = count()
    recorder = Recorder(lambda: float(next(times)))
    for _ in recorder.iterated(range(4)):
        with recorder.span("compute"):
            pass
        recorder.given(lambda: None)
        recorder.step()
    assert "the device was busy" in "".join(recorder.lines())
    first, second = (recorder.write(tmp_path) for _ in range(2))
    assert (first.name, second.name) == ("profile.json", "profile-2.json")
    events = json.loads(first.read_text())["traceEvents"]
    names = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    steps = [event for event in events if event["tid"] == names["device"] and event["ph"] == "X"]
    assert len(steps) == 4
    for event in events:
        assert event["ph"] == "M" or (event["dur"] >= 0 and event["ts"] >= 0)


def test_too_few_steps_are_said_to_be() -> None:
    assert Recorder().lines() == ["profile: 0 steps: too few for a table"]
