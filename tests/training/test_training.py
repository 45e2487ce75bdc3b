"""Training: a run that stops goes on as if it had not; a run that goes wrong says so and spoils
nothing.
"""

import csv
import json
import os
import re
import signal
import sys
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cvtasks.data import Remapped, open_source
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.batches import Batches
from cvtasks.data.opening import open_sources
from cvtasks.errors import CVTasksError, DataError, ModelError, NotFinite, UsageError
from cvtasks.files.writing import sha256, write_text
from cvtasks.recipe.recipe import Data, Recipe, Train, parse_recipe
from cvtasks.training.checkpoint import load_checkpoint, read_progress, save_checkpoint
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.loop import _rate, train
from cvtasks.training.optimizer import learning_rate
from cvtasks.training.plan import planned, resumed
from cvtasks.training.progress import Epoch, Progress, Report
from cvtasks.training.run import rehearse, run
from cvtasks.training.stopping import Stopped

OPTIONS = {
    "data": {
        "scale": [0.8, 1.2],
        "workers": 0,
        "copy_paste": 0.5,
        "repeat": 0.9,
        "colour_on": "device",
    },
    "train": {
        "epochs": 3,
        "batch": 8,
        "ema": 0.9,
        "freeze": [[0, 2], [2, 0]],
        "accumulate": 2,
        "learning_rate": 0.003,
    },
}


def small(shapes: Path, **train_options: object) -> Recipe:
    """A recipe with everything that has a state or is drawn: dropout, average, accumulation,
    a stage that ends, objects of other images, images seen again, colours on the device.
    """
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 64,
            "classes": ["background", "square", "disc"],
            "segment": {"channels": [16, 16], "dropout": 0.2},
            "data": {**OPTIONS["data"], "path": str(shapes)},
            "train": {**OPTIONS["train"], **train_options},
        }
    )


def trained_in(folder: Path, recipe: Recipe, report: Report | None = None) -> tuple[str, str, list]:
    """Train in `folder`; returns the hashes of checkpoint and best weights, and the history without
    times.
    """
    folder.mkdir(exist_ok=True)
    sources = open_sources(recipe)
    progress = train(recipe, sources.train, sources.validate, folder, report)
    return (
        state_of(folder),
        sha256(folder / BEST),
        [replace(row, seconds=0) for row in progress.history],
    )


def state_of(folder: Path) -> str:
    """Hash of all variables of a checkpoint; its header holds times, which differ."""
    from cvtasks.weights.safetensors_file import read_safetensors

    return repr(
        [
            (key, hash(stored.read().tobytes()))
            for key, stored in sorted(read_safetensors(folder / CHECKPOINT).items())
        ]
    )


@pytest.fixture(scope="module")
def uninterrupted(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list]:
    return trained_in(tmp_path_factory.mktemp("uninterrupted"), small(shapes))


KILLED = """
import os, signal, sys
from pathlib import Path
from cvtasks.recipe.recipe import read_recipe
from cvtasks.data.opening import open_sources
from cvtasks.training.loop import train
from cvtasks.training.progress import Report

def on_step(epoch, step, *_):
    if (epoch, step) == (2, 2):
        os.kill(os.getpid(), signal.SIGKILL)

recipe = read_recipe(sys.argv[1])
sources = open_sources(recipe)
train(recipe, sources.train, sources.validate, Path(sys.argv[2]), Report(on_step=on_step))
"""


def test_a_killed_run_goes_on_to_the_same_bits(
    shapes: Path, tmp_path: Path, run_python, uninterrupted
) -> None:
    recipe = small(shapes)
    recipe.save(tmp_path / "recipe.toml")
    (tmp_path / "run").mkdir()
    killed = run_python("-c", KILLED, tmp_path / "recipe.toml", tmp_path / "run")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert read_progress(tmp_path / "run" / CHECKPOINT)["epoch"] == 2
    with_threads = replace(recipe, data=replace(recipe.data, workers=2))
    assert trained_in(tmp_path / "run", with_threads) == uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_stopped_run_saves_within_the_epoch_and_goes_on(
    shapes: Path, tmp_path: Path, uninterrupted, number: int
) -> None:
    def on_step(epoch: int, step: int, *_: object) -> None:
        if (epoch, step) == (1, 1):
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=r"epoch 2, step 1 of 3; saved.*be resumed"):
        trained_in(tmp_path, small(shapes), Report(on_step=on_step))
    assert signal.getsignal(number) is before
    assert read_progress(tmp_path / CHECKPOINT)["step"] == 1
    assert trained_in(tmp_path, small(shapes)) == uninterrupted


def test_a_loss_that_is_no_number_stops_the_run_and_is_not_saved(
    shapes: Path, tmp_path: Path
) -> None:
    recipe = small(
        shapes, learning_rate=100.0, weight_decay=10.0, optimizer="sgd", warmup=0.0, epochs=30
    )
    with pytest.raises(
        NotFinite, match=r"in epoch \d+.*Nothing of it was saved.*train.learning_rate"
    ):
        trained_in(tmp_path, recipe)
    for file in tmp_path.glob("*.safetensors"):
        from cvtasks.weights.safetensors_file import read_safetensors

        for name, stored in read_safetensors(file).items():
            assert np.isfinite(stored.read()).all(), f"{file.name}: {name}"


def test_answers_that_are_no_numbers_end_a_run_too(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    from cvtasks.engines.at_pace import AtPace

    real = AtPace.stream
    monkeypatch.setattr(
        AtPace,
        "stream",
        lambda self, inputs: (output * np.nan for output in real(self, inputs)),
    )
    said: list[str] = []
    with pytest.raises(
        NotFinite,
        match=(
            r"answers must stay finite.*in epoch 1\. Nothing of it was saved.*train\.learning_rate"
        ),
    ):
        trained_in(tmp_path, small(shapes, setbacks=1), Report(on_message=said.append))
    assert any("Gone back to epoch 1, step 1, at half the rate; 1 of 1" in text for text in said)
    assert not (tmp_path / BEST).exists()


def test_a_loss_that_is_no_number_names_the_images(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    def loss(self, target, logits):
        from keras import ops

        return ops.mean(logits, axis=(1, 2, 3)) * float("nan")

    monkeypatch.setattr("cvtasks.heads.unet.UNet.loss", loss)
    with pytest.raises(
        NotFinite, match=r"became nan in epoch 1, step 1, with the images 0\d\d[ ,].*now 0\.003"
    ):
        trained_in(tmp_path, small(shapes))
    assert list(tmp_path.glob("*.safetensors")) == []


def test_early_stopping_counts_looks_without_a_better_score(shapes: Path, tmp_path: Path) -> None:
    said: list[str] = []
    recipe = small(shapes, epochs=9, patience=2, learning_rate=1e-12, ema=0.0)
    _, _, history = trained_in(tmp_path, recipe, Report(on_message=said.append))
    assert len(history) < 9
    assert any("stopped early" in text for text in said)


def test_a_run_that_has_done_all_its_epochs_has_not_stopped_early(
    shapes: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    recipe = small(shapes, epochs=2, patience=1, learning_rate=1e-12, ema=0.0)
    _, _, history = trained_in(tmp_path, recipe, Report(on_message=said.append))
    assert len(history) == 2
    assert not any("stopped early" in text for text in said)


@pytest.mark.parametrize(
    "options",
    [{"optimizer": "sgd", "schedule": "poly"}, {"precision": "f32", "clip": 1.0, "jit": "off"}],
)
def test_other_ways_to_train_learn_too(shapes: Path, tmp_path: Path, options: dict) -> None:
    recipe = small(
        shapes, **{"learning_rate": 0.01, "freeze": [], "ema": 0.0, "accumulate": 1, **options}
    )
    _, _, history = trained_in(tmp_path, recipe)
    assert history[-1].loss < history[0].loss


def test_frozen_layers_stay_as_they_are(shapes: Path, tmp_path: Path) -> None:
    from cvtasks.networks.build import build_network
    from cvtasks.weights.safetensors_file import read_safetensors

    recipe = small(shapes, freeze=[[0, 32]], epochs=1)
    trained_in(tmp_path, recipe)
    import keras

    keras.utils.set_random_seed(recipe.train.seed)
    fresh = {v.path: v.numpy() for v in build_network(recipe, (64, 64)).weights}
    backbone = [path for path in fresh if path.startswith("conv")]
    saved = read_safetensors(tmp_path / BEST)
    assert backbone
    for path in backbone:
        np.testing.assert_array_equal(saved[path].read(), fresh[path])
    assert any(
        not np.array_equal(saved[path].read(), fresh[path])
        for path in fresh
        if path not in backbone
    )


# === weight decay ===


@pytest.fixture
def with_all_kinds():
    """A network with kernels, biases, gammas and betas, none of which is zero, and its backbone."""
    import keras

    from cvtasks.networks.build import backbone_of, build_network

    its = parse_recipe(
        {
            "task": "classify",
            "backbone": "lenet5",
            "norm": "batch",
            "size": 28,
            "classes": ["a", "b"],
            "classify": {"top": "own"},
        }
    )
    network = build_network(its, its.input_size)
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(keras.ops.convert_to_tensor(rng.uniform(1, 2, variable.shape), "float32"))
    assert {variable.name for variable in network.trainable_variables} == {
        "kernel",
        "bias",
        "gamma",
        "beta",
    }
    return network, backbone_of(network)


@pytest.mark.parametrize(
    "options", [{"optimizer": "adamw"}, {"optimizer": "sgd"}, {"optimizer": "sgd", "clip": 1.0}]
)
def test_weight_decay_shrinks_kernels_and_spares_biases_and_norms(
    options: dict, with_all_kinds
) -> None:
    """Without a gradient, a step takes the learning rate times the decay of each kernel away, and
    nothing else moves.
    """
    import keras

    from cvtasks.training.optimizer import make_optimizer

    network, backbone = with_all_kinds
    optimizer = make_optimizer(
        Train(learning_rate=0.1, weight_decay=0.3, **options), network, backbone
    )
    before = [
        keras.ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables
    ]
    for _ in range(2):
        optimizer.apply(
            [keras.ops.zeros(variable.shape) for variable in network.trainable_variables]
        )
    for variable, old in zip(network.trainable_variables, before, strict=True):
        expected = old * (1 - 0.1 * 0.3) ** 2 if variable.name == "kernel" else old
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable), expected, rtol=1e-6, err_msg=variable.path
        )


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_goes_at_the_backbones_own_rate(
    optimizer: str, share: float, with_all_kinds
) -> None:
    import keras

    from cvtasks.training.optimizer import make_optimizer

    network, backbone = with_all_kinds
    how = Train(optimizer=optimizer, learning_rate=0.1, weight_decay=0.3, backbone_rate=share)
    made = make_optimizer(how, network, backbone)
    before = [
        keras.ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables
    ]
    made.apply([keras.ops.zeros(variable.shape) for variable in network.trainable_variables])
    slow = {id(variable) for variable in backbone.trainable_variables}
    assert 0 < len(slow) < len(before)
    for variable, old in zip(network.trainable_variables, before, strict=True):
        decay = 0.1 * 0.3 * (share if id(variable) in slow else 1) * (variable.name == "kernel")
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable),
            old * (1 - decay),
            rtol=1e-6,
            err_msg=variable.path,
        )


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adamw", "clip": 1.0},
        {"optimizer": "adamw", "accumulate": 2},
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "sgd", "momentum": 0.0},
    ],
    ids=str,
)
def test_quick_updates_are_kerass(options, with_all_kinds, monkeypatch) -> None:
    import keras

    from cvtasks.training import quick_updates
    from cvtasks.training.optimizer import make_optimizer

    network, backbone = with_all_kinds
    how = Train(**{"learning_rate": 0.1, "weight_decay": 0.3, "backbone_rate": 0.2, **options})
    first = [variable.numpy().copy() for variable in network.trainable_variables]
    ends, asked = [], list[bool]()
    for quick in (False, True):
        monkeypatch.setattr(
            quick_updates, "are_possible", lambda quick=quick: asked.append(quick) or quick
        )
        for variable, value in zip(network.trainable_variables, first, strict=True):
            variable.assign(value)
        optimizer, rng = make_optimizer(how, network, backbone), np.random.default_rng(1)
        for _ in range(4):
            slopes = [rng.normal(size=old.shape).astype("float32") for old in first]
            optimizer.apply([keras.ops.convert_to_tensor(slope) for slope in slopes])
        own = [*network.trainable_variables, *optimizer.variables]
        ends.append([variable.numpy().copy() for variable in own])
    assert asked.count(True) == asked.count(False) > 0
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
    assert all((end != old).any() for end, old in zip(ends[1], first, strict=False) if old.ndim > 1)


def test_weight_decay_of_plain_sgd_is_the_l2_term(with_all_kinds) -> None:
    """Half the decay times the kernels' squares, added to the loss, has the decay times the kernels
    as its gradient.
    """
    import keras

    from cvtasks.training.optimizer import make_optimizer

    network, backbone = with_all_kinds
    how = Train(optimizer="sgd", momentum=0.0, learning_rate=0.1, weight_decay=0.3)
    optimizer = make_optimizer(how, network, backbone)
    rng = np.random.default_rng(1)
    before = [
        keras.ops.convert_to_numpy(variable).copy() for variable in network.trainable_variables
    ]
    slopes = [rng.normal(size=old.shape).astype("float32") for old in before]
    optimizer.apply([keras.ops.convert_to_tensor(slope) for slope in slopes])
    for variable, old, slope in zip(network.trainable_variables, before, slopes, strict=True):
        expected = old - 0.1 * (slope + (0.3 * old if variable.name == "kernel" else 0))
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable),
            expected,
            rtol=1e-5,
            atol=1e-6,
            err_msg=variable.path,
        )


# === saving ===


@pytest.fixture
def model_and_optimizer():
    import keras

    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(50), keras.layers.Dropout(0.5)]
    )
    optimizer = keras.optimizers.AdamW()
    optimizer.build(network.trainable_variables)
    return network, optimizer


def test_a_checkpoint_of_another_network_is_refused(model_and_optimizer, tmp_path: Path) -> None:
    import keras

    save_checkpoint(tmp_path / "c.safetensors", *model_and_optimizer, {"epoch": 1})
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(51), keras.layers.Dropout(0.5)])
    with pytest.raises(ModelError, match="network and optimizer of its recipe"):
        load_checkpoint(tmp_path / "c.safetensors", other, model_and_optimizer[1])


def test_any_flipped_bit_of_a_checkpoints_numbers_is_found(
    model_and_optimizer, tmp_path: Path
) -> None:
    network, optimizer = model_and_optimizer
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, network, optimizer, {"epoch": 1})
    load_checkpoint(path, network, optimizer)
    content, before = path.read_bytes(), [variable.numpy().copy() for variable in network.variables]
    numbers = 8 + int.from_bytes(content[:8], "little")
    for place in np.random.default_rng(0).integers(numbers, len(content), 20):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(
            ModelError, match=r"must be as it was saved; '(network|optimizer)/.*' is damaged"
        ):
            load_checkpoint(path, network, optimizer)
        assert all(
            map(np.array_equal, before, (variable.numpy() for variable in network.variables))
        )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_is_full_keeps_the_last_good_checkpoint(
    model_and_optimizer, tmp_path: Path
) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, *model_and_optimizer, {"epoch": 1})
    good = path.read_bytes()
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, limits[1]))
    try:
        with pytest.raises(
            CVTasksError, match=r"could not be written.*What was there before is unchanged"
        ):
            save_checkpoint(path, *model_and_optimizer, {"epoch": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == good
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CVTasksError, match=r"file/x\.txt.* could not be written"):
        write_text(tmp_path / "file" / "x.txt", "text")
    assert (tmp_path / "file").read_text() == "mine"


# === schedules, batches, augmentation ===


@pytest.mark.parametrize("schedule", ["cosine", "poly", "step", "constant"])
def test_the_rate_warms_up_and_never_rises_again(schedule: str) -> None:
    how = Train(epochs=20, warmup=2.0, learning_rate=0.4, schedule=schedule)
    rates = [learning_rate(how, at / 10) for at in range(201)]
    assert rates[0] == 0
    assert rates[10] == pytest.approx(0.2)
    assert max(rates) == rates[20] == pytest.approx(0.4)
    assert all(later <= earlier for earlier, later in pairwise(rates[20:]))
    ends = {"cosine": 0, "poly": 0, "step": 0.004, "constant": 0.4}
    assert rates[-1] == pytest.approx(ends[schedule])


@pytest.mark.parametrize("schedule", ["cosine", "poly", "step", "constant"])
@pytest.mark.parametrize("steps", [1, 3])
def test_no_step_of_a_run_has_a_rate_of_zero(schedule: str, steps: int) -> None:
    """Its middle counts: with one step an epoch, warmed up over the first of four, the first has
    half the rate.
    """
    how = Train(epochs=4, warmup=1.0, learning_rate=0.4, schedule=schedule)
    rates = [
        _rate(how, Progress(epoch=epoch, step=step), steps)
        for epoch in range(4)
        for step in range(steps)
    ]
    assert min(rates) > 0
    assert rates[: steps + 1] == sorted(rates[: steps + 1])
    assert rates[steps:] == sorted(rates[steps:], reverse=True)
    assert rates[0] == pytest.approx(0.2 / steps)
    assert _rate(how, Progress(epoch=3, step=steps - 1, setbacks=1), steps) == pytest.approx(
        rates[-1] / 2
    )


@pytest.mark.parametrize(
    "freeze, begun",
    [
        ((), []),
        (((0, 8),), []),
        (((0, 8), (3, 0)), [3]),
        (((3, 8),), [3]),
        (((0, 8), (3, 8), (5, 4)), [5]),
        (((2, 8), (4, 0)), [2, 4]),
    ],
)
def test_a_fresh_optimizer_is_warmed_up(freeze: tuple, begun: list[int]) -> None:
    """Where what is frozen changes, the rate rises again from zero over the warmup, to what the
    schedule says.
    """
    how = Train(epochs=8, warmup=1.0, learning_rate=1.0, schedule="poly", freeze=freeze)
    plain = replace(how, freeze=())
    for tenth in range(80):
        at = tenth / 10
        stage = max((start for start in begun if start <= at), default=None)
        share = 1.0 if stage is None else min(1.0, at - stage)
        assert learning_rate(how, at) == pytest.approx(learning_rate(plain, at) * share), at
    assert all(learning_rate(how, start) == 0 for start in begun)
    assert learning_rate(replace(how, warmup=0.0), 3.0) > 0, "who wants no warmup has none"


def _names(source, workers: int, epoch: int, first: int = 0) -> list[tuple[str, ...]]:
    augment = Augment(Data(), 64, seed=5, epochs=5)

    def prepare(source, epoch, step, index):
        sample = augment(source, epoch, index)
        return (
            sample.image,
            sample.truth.ids,
            f"{sample.name}-{sample.image.sum()}-{sample.truth.ids.sum()}",
        )

    batches = Batches(source, prepare, batch=5, seed=5, workers=workers)
    return [batch.names for batch in batches.epoch(epoch, first)]


def test_batches_depend_on_seed_epoch_and_index_alone(shapes: Path) -> None:
    from cvtasks.answers import Mask

    source = open_source(str(shapes), "train", Mask)
    alone = _names(source, workers=0, epoch=3)
    assert _names(source, workers=3, epoch=3) == alone
    assert _names(source, workers=2, epoch=3, first=2) == alone[2:]
    assert _names(source, workers=0, epoch=4) != alone
    flat = [name.split("-")[0] for batch in alone for name in batch]
    assert len(set(flat)) == len(flat) == len(source) // 5 * 5


def test_leaving_an_epoch_early_ends_its_threads(shapes: Path) -> None:
    import threading

    from cvtasks.answers import Mask

    source = open_source(str(shapes), "train", Mask)
    epoch = Batches(
        source, lambda s, e, step, i: (s[i].image[:8, :8], i, "x"), batch=2, seed=0, workers=3
    ).epoch(0)
    next(epoch)
    epoch.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_a_mask_stays_with_its_pixels_under_augmentation(shapes: Path) -> None:
    from cvtasks.answers import Mask

    source = open_source(str(shapes), "train", Mask)
    augment = Augment(Data(scale=(0.7, 1.5), rotate=30.0, colour=0.0), 64, seed=1, epochs=1)
    for index in range(len(source)):
        sample = augment(source, epoch=0, index=index)
        red = (sample.image[..., 0] > 200) & (sample.image[..., 2] < 100)
        square = sample.truth.ids == 1
        assert (red & ~square).sum() <= 0.02 * red.sum() + 5


# === which epoch is kept ===

NAN = float("nan")


@pytest.mark.parametrize(
    "headlines, judged, kept, best",
    [
        ([], True, 0, -np.inf),
        ([0.2, 0.5, 0.5, 0.3], True, 1, 0.5),  # of equal ones the first
        ([0.0, 0.0], True, 0, 0.0),
        ([NAN, NAN, NAN], True, 2, -np.inf),
        ([NAN, 0.1, NAN], True, 1, 0.1),
        (
            [1.0, 0.9, 0.8],
            False,
            2,
            -np.inf,
        ),  # an empty validation split likes the network that finds least
        ([None, 0.3, None], True, 1, 0.3),  # looked at every other epoch
    ],
)
def test_the_best_epoch_is_kept_and_the_last_where_nothing_judges(
    headlines, judged, kept, best
) -> None:
    progress, last = Progress(), 0
    for epoch, headline in enumerate(headlines):
        row = Epoch(
            epoch, 1.0, 0.1, 1.0, {} if headline is None else {"score": headline, "other": 1.0}
        )
        progress, is_kept = progress.after(row, judged)
        last = epoch if is_kept else last
    assert (last, progress.best_epoch, progress.best) == (kept, kept, best)
    assert progress.epoch == len(headlines)
    assert [row.epoch for row in progress.history] == list(range(len(headlines)))


@pytest.mark.parametrize(
    "losses, kept",
    [([0.3, 0.2, 0.25], 1), ([0.3, 0.3, NAN], 0), ([None, 0.2, 0.1], 0), ([0.3, None, 0.1], 2)],
)
def test_the_loss_of_validation_decides_between_equal_scores(losses, kept) -> None:
    progress = Progress()
    for epoch, loss in enumerate(losses):
        known = {} if loss is None else {"validation": loss}
        row = Epoch(epoch, 1.0, 0.1, 1.0, {"score": 0.5}, known)
        progress, _ = Progress.of(asdict(progress)).after(row, True)
    assert (progress.best_epoch, progress.best) == (kept, 0.5)
    assert progress.looks_since_best == 2, "no look had a better score"


def test_scores_that_are_no_numbers_are_written_as_nothing(tmp_path: Path) -> None:
    """JSON has no NaN, and a table shows none."""
    from cvtasks.training.card import write_curves
    from cvtasks.training.run_folder import Log, write_history

    rows = [Epoch(epoch, 1.5, 0.1, 2.0, {"AP": NAN, "AR": 0.25}) for epoch in range(2)]
    for row in rows:
        Log(tmp_path / "log.jsonl", Report()).report().on_epoch(row, False)

    def refuse(word: str) -> None:
        raise ValueError(word)

    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line, parse_constant=refuse)["AP"] for line in lines] == [None, None]
    assert [json.loads(line)["AR"] for line in lines] == [0.25, 0.25]
    write_history(tmp_path, Progress(history=rows))
    assert [
        row["AP"] for row in csv.DictReader((tmp_path / "history.csv").read_text().splitlines())
    ] == ["", ""]
    write_curves(tmp_path / "curves.png", rows)
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "judged, said",
    [(True, "the best epoch was 2"), (False, "the best epoch is not known.*kept is the last, 2")],
)
def test_the_card_says_which_epoch_was_kept(
    shapes: Path, tmp_path: Path, judged: bool, said: str
) -> None:
    from cvtasks.training.card import write_card

    scores = {"images": 3, "data": "d", "split": "val", "engine": "keras", "precision": "f32"}
    scores |= {"metrics": {"IoU": None}, "classes": {"disc": {"IoU": None, "accuracy": 0.5}}}
    how = {"command": "c", "machine": "m", "training_seconds": 60.0, "train_images": 8}
    write_card(tmp_path, small(shapes), scores, **how, epochs=2, epoch=2, judged=judged)
    card = (tmp_path / "README.md").read_text()
    assert "2 epochs of 3, 1 minutes" in card
    assert "- command: `c`\n" in card and "the same command trains the model again" in card
    assert re.search(said, card)
    assert "- **IoU: –**" in card
    assert "| disc | – | 0.500 |" in card


# === a run and its folder ===


def test_a_run_writes_what_the_contract_names(trained: Path) -> None:
    names = {file.name for file in trained.iterdir()}
    assert {
        "recipe.toml",
        "weights.safetensors",
        "metrics.json",
        "history.csv",
        "README.md",
        "curves.png",
        "report.html",
    } <= names
    assert {"graph.xml", "graph.safetensors", "log.jsonl", "samples", "checkpoints"} <= names
    assert len(list((trained / "samples").glob("*.jpg"))) == 8
    rows = list(csv.DictReader((trained / "history.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
    metrics = json.loads((trained / "metrics.json").read_text())
    score = metrics["metrics"]["VOC mean IoU"]
    low, high = metrics["intervals"]["VOC mean IoU"]
    assert f"{score:.3f} [{low:.3f}, {high:.3f}]" in (trained / "README.md").read_text()
    page = (trained / "report.html").read_text()
    assert f"VOC mean IoU {score:.4f} [{low:.4f}, {high:.4f}]" in page
    assert "Course of the training" in page
    events = [
        json.loads(line)["event"] for line in (trained / "log.jsonl").read_text().splitlines()
    ]
    assert events[0] == "begun"
    assert events[-1] == "finished"


def test_a_folder_that_exists_is_never_overwritten(shapes: Path, trained: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in trained.rglob("*")}
    with pytest.raises(UsageError, match="exists, and nothing is overwritten"):
        run(planned(small(shapes)), trained, "cvtasks train", Report())
    with pytest.raises(UsageError, match="finished model; there is nothing to resume"):
        resumed(trained)
    assert {file: file.stat().st_mtime_ns for file in trained.rglob("*")} == before


def test_two_runs_never_share_a_folder(shapes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    errors: list[CVTasksError] = []

    def on_step(epoch: int, step: int, *_: object) -> None:
        if not errors:
            try:
                run(resumed(folder), folder, "cvtasks train", Report())
            except UsageError as error:
                errors.append(error)

    run(planned(small(shapes, epochs=1)), folder, "", Report(on_step=on_step))
    assert "another run works in" in str(errors[0])


def test_a_rehearsal_trains_a_step_and_writes_nothing(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    rehearse(planned(small(shapes), say=said.append), Report())
    assert list(tmp_path.iterdir()) == []
    assert any("24 images" in text for text in said)


def test_a_stopped_rehearsal_leaves_nothing_to_go_on_with(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    plan = planned(small(shapes))
    with pytest.raises(Stopped) as stopped:
        rehearse(plan, Report(on_step=stop))
    assert "resume" not in str(stopped.value) and "nothing was written" in str(stopped.value)
    assert not stopped.value.ways and stopped.value.exit_code == 130
    assert list(tmp_path.iterdir()) == []


# === data ===


def test_classes_are_taken_by_name_and_the_rest_becomes_what_the_recipe_says(shapes: Path) -> None:
    from cvtasks.answers import VOID, Mask

    source = open_source(str(shapes), "train", Mask)
    swapped = Remapped(source, ("background", "disc"), "void")
    for index in range(len(source)):
        ids, ours = source[index].truth.ids, swapped[index].truth.ids
        np.testing.assert_array_equal(ours, np.select([ids == 2, ids == 1], [1, VOID], 0))
    with pytest.raises(DataError, match=r'"disk" is not\. Did you mean "disc"'):
        Remapped(source, ("background", "disk"), "void")
