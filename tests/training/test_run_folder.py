"""A run folder that is damaged, foreign or not whole: going on is refused in words, whatever is
wrong with it.
"""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvtasks.answers import Labels, Sample
from cvtasks.data.run_facts import FACTS
from cvtasks.errors import CVTasksError, DataError, ModelError, UsageError
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.training.card import write_curves
from cvtasks.training.checkpoint import progress_in
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.plan import resumed
from cvtasks.training.progress import Epoch, Progress
from cvtasks.training.run import _show
from cvtasks.training.run_folder import Lock, check_data
from cvtasks.weights.safetensors_file import write_safetensors

ROW = Epoch(
    epoch=0,
    loss=1.5,
    learning_rate=0.001,
    seconds=2.0,
    scores={"top-1 accuracy": 0.5, "nothing to measure": math.nan},
)
SAID = asdict(Progress(epoch=1, step=3, loss_sum=4.5, seconds=1.0, best=0.5, history=[ROW]))


def checkpoint(folder: Path, said: object) -> Path:
    """A checkpoint that says this of where its run stands."""
    path = folder / CHECKPOINT
    write_safetensors(path, {"x": np.zeros(1)}, {"progress": json.dumps(said)})
    return path


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    assert progress_in(tmp_path / CHECKPOINT) == Progress()
    said = progress_in(checkpoint(tmp_path, asdict(Progress())))
    assert said == Progress() and said.best == -math.inf
    again = progress_in(checkpoint(tmp_path, SAID))
    assert (again.epoch, again.step, again.best) == (1, 3, 0.5)
    assert again.history[0].scores["top-1 accuracy"] == 0.5 and math.isnan(
        again.history[0].scores["nothing to measure"]
    )


NO_NUMBERS = ("x", "1", None, True, math.nan, math.inf, [], {}, [1], 10**400)
NUMBERS = ("loss_sum", "seconds", "best")


@pytest.mark.parametrize(
    ("key", "odd"),
    [
        (key, odd)
        for key in SAID
        for odd in (*NO_NUMBERS, *(() if key in NUMBERS else (-1, 1.5, 2**70)))
    ],
)
def test_progress_of_another_type_is_refused(tmp_path: Path, key: str, odd: object) -> None:
    with pytest.raises(
        ModelError,
        match=rf"{CHECKPOINT}' must (be as training wrote it; its {key} is|say)|history in .* must",
    ):
        progress_in(checkpoint(tmp_path, {**SAID, key: odd}))


@pytest.mark.parametrize("key", asdict(ROW))
@pytest.mark.parametrize(
    "odd", ["x", None, True, [], {"a": "b"}, {"a": 10**400}, math.inf, 10**400]
)
def test_a_row_of_another_type_is_refused(tmp_path: Path, key: str, odd: object) -> None:
    with pytest.raises(ModelError, match="must be as training wrote it"):
        progress_in(checkpoint(tmp_path, {**SAID, "history": [{**asdict(ROW), key: odd}]}))


@pytest.mark.parametrize("key", SAID)
def test_progress_without_a_field_or_with_another_is_refused(tmp_path: Path, key: str) -> None:
    for said in (
        {name: value for name, value in SAID.items() if name != key},
        {**SAID, f"{key}2": 1},
    ):
        with pytest.raises(ModelError, match=r"must say epoch, step|its history is"):
            progress_in(checkpoint(tmp_path, said))


@pytest.mark.parametrize(
    "said", [{}, [], None, 7, "x", {**SAID, "history": []}, {**SAID, "history": [asdict(ROW)] * 2}]
)
def test_what_is_no_progress_is_refused(tmp_path: Path, said: object) -> None:
    with pytest.raises(ModelError, match=r"Start the run again"):
        progress_in(checkpoint(tmp_path, said))


# === run.json ===


@pytest.mark.parametrize(
    "content",
    [
        *[
            b"",
            b"{",
            b"null",
            b"[]",
            b"{}",
            b'{"data": null}',
            b'{"data": []}',
            b"\xff\xfe{}",
            bytes(range(256)),
        ],
        *[b"[" * 100_000, b" " * 1_000_001],
    ],
    ids=range(11),
)
def test_a_cut_or_foreign_run_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FACTS).write_bytes(content)
    with pytest.raises(
        ModelError, match=rf"a run goes on by its {FACTS}.*cannot be used: .*Bring it back"
    ):
        check_data(tmp_path, {"train": "x"})


def test_run_json_that_is_no_file_is_refused(tmp_path: Path) -> None:
    check_data(tmp_path, {"train": "x"})  # a run of an older version has none
    (tmp_path / FACTS).mkdir()
    with pytest.raises(ModelError, match="Is a directory"):
        check_data(tmp_path, {"train": "x"})
    (tmp_path / FACTS).rmdir()
    (tmp_path / FACTS).write_text('{"data": {"train": NaN}}')
    with pytest.raises(DataError, match="has changed since"):
        check_data(tmp_path, {"train": "x"})


# === folders ===


RECIPE = {
    "task": "classify",
    "backbone": "tiny",
    "size": 32,
    "classes": ["a", "b"],
    "data": {"path": "/no/such/data"},
}


def whole(folder: Path) -> None:
    """What a stopped run leaves, as far as it is looked at before the data are opened."""
    parse_recipe(RECIPE).save(folder / "recipe.toml")
    (folder / "checkpoints").mkdir()
    for name in (CHECKPOINT, BEST):
        (folder / "checkpoints" / name).touch()


def lose_folder(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoints")


def put_file(folder: Path) -> None:
    lose_folder(folder)
    (folder / "checkpoints").touch()


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (lambda folder: None, DataError, "/no/such/data"),
        (
            lambda folder: [path.unlink() for path in (folder / "checkpoints").iterdir()],
            DataError,
            "/no/such/data",
        ),
        (
            lambda folder: (folder / "checkpoints" / CHECKPOINT).unlink(),
            ModelError,
            rf"has no {CHECKPOINT}\. Bring it back",
        ),
        (lose_folder, ModelError, "has no checkpoints"),
        (put_file, ModelError, "has no checkpoints"),
        (lambda folder: shutil.rmtree(folder), ModelError, "No such file or directory"),
        (lambda folder: (shutil.rmtree(folder), folder.touch()), ModelError, "Not a directory"),
        (
            lambda folder: (folder / "recipe.toml").write_bytes(bytes(range(256))),
            ModelError,
            "a recipe is a TOML file in UTF-8",
        ),
        (
            lambda folder: (folder / "recipe.toml").write_text(""),
            ModelError,
            "`task.name` must be one of",
        ),
        (lambda folder: (folder / "README.md").touch(), UsageError, "holds a finished model"),
    ],
)
def test_what_is_no_run_cannot_go_on(
    tmp_path: Path, harm: Callable[[Path], Any], kind: type[CVTasksError], words: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    whole(folder)
    harm(folder)
    with pytest.raises(kind, match=words):
        resumed(folder)


def test_the_curves_of_a_history_whose_rows_have_other_scores(tmp_path: Path) -> None:
    write_curves(tmp_path / "curves.png", [])
    write_curves(
        tmp_path / "curves.png",
        [ROW, replace(ROW, epoch=1, scores={"x": 0.5}), replace(ROW, epoch=2, scores={})],
    )
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_samples_of_every_name_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no file can have would end the run when all is learned, and again whenever it
    goes on.
    """
    names = ["a/x", "b/x", "A/X", "é" * 200 + "1", "é" * 200 + "2", "..", "\x1b\n/\u202e", "con"]
    image = np.zeros((8, 8, 3), np.uint8)
    samples = [Sample(image, Labels.of([0], ("a", "b")), name) for name in names]
    monkeypatch.setattr(
        "cvtasks.training.run.predict",
        lambda *asked: ((one, shown, one.truth) for one, shown in asked[4]),
    )
    _show(parse_recipe(RECIPE), None, samples, tmp_path / "samples")
    assert len(list((tmp_path / "samples").iterdir())) == len(names)


def test_a_lock_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "lock").mkdir(parents=True)
    with pytest.raises(CVTasksError, match="lock' could not be written"), Lock(tmp_path):
        pass
