"""The folder of a run in which nothing was learned goes; any other stays."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from cvtasks.errors import InputError, ModelError, UsageError
from cvtasks.networks.backbones import build_backbone
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.new_folder import kept_if_learned
from cvtasks.training.plan import planned
from cvtasks.training.progress import Progress, Report
from cvtasks.training.run import run
from cvtasks.training.run_folder import Lock
from cvtasks.training.start import cross_validate, train
from cvtasks.weights.safetensors_file import write_safetensors


def useless(tmp_path: Path) -> dict[str, Path]:
    """Files of weights that no run can begin with."""
    nothing, holes = tmp_path / "none.npz", tmp_path / "nan.npz"
    np.savez(nothing)
    write_safetensors(tmp_path / "none.safetensors", {})
    network = build_backbone("tiny", (64, 64), "")
    kernel = next(variable for variable in network.weights if variable.path.endswith("kernel"))
    np.savez(holes, **{kernel.path: np.full(kernel.shape, np.nan, np.float32)})
    return {"none": nothing, "header": tmp_path / "none.safetensors", "nan": holes}


def small(shapes: Path, weights: str, **more: object) -> list[tuple[str, object]]:
    wishes = {"data.path": str(shapes), "backbone": "tiny", "size": 64, "data.workers": 0}
    wishes |= {"train.weights": weights, "train.epochs": 1, "train.batch": 8}
    return [*{**wishes, "train.precision": "f32", **more}.items()]


@pytest.mark.parametrize("kind", ["none", "header", "nan"])
def test_a_start_of_no_use_leaves_no_folder_in_the_way(
    shapes: Path, tmp_path: Path, kind: str
) -> None:
    folder, start = tmp_path / "runs" / "mine", useless(tmp_path)[kind]
    with pytest.raises(ModelError, match=start.name):
        run(planned("segment", small(shapes, str(start))), folder, "", Report())
    assert not folder.exists()
    if kind == "nan":
        run(planned("segment", small(shapes, "none")), folder, "", Report())
        assert (folder / "README.md").exists()


def test_a_cross_validation_whose_start_is_of_no_use_leaves_no_folder(
    shapes: Path, tmp_path: Path
) -> None:
    changes = dict(small(shapes, str(useless(tmp_path)["none"])))
    with pytest.raises(ModelError, match=r"none\.npz"):
        cross_validate("segment", folder=tmp_path / "runs", folds=2, changes=changes)
    assert not (tmp_path / "runs").exists()
    with pytest.raises(ModelError, match=r"none\.npz"):
        train("segment", folder=tmp_path / "run", changes=changes)
    assert not (tmp_path / "run").exists()


def test_nothing_but_what_the_run_has_written_is_taken_away(shapes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def fail(*_: object) -> None:
        if not (folder / "mine.txt").exists():
            (folder / "mine.txt").touch()
        raise InputError("an image is gone.")

    plan = planned("segment", small(shapes, "none", **{"train.max_rollbacks": 1}))
    with pytest.raises(InputError):
        run(plan, folder, "", Report(on_step=fail))
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    with pytest.raises(UsageError, match="exists, and nothing is overwritten"):
        run(plan, folder, "", Report())


def test_a_folder_in_which_something_was_learned_or_may_have_been_is_kept(tmp_path: Path) -> None:
    def ended(make: Callable[[Path], object], new: bool = True) -> bool:
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "checkpoints").mkdir(parents=True)
        make(folder)
        with pytest.raises(OSError, match="full"), kept_if_learned(folder, new=new):
            raise OSError("full")
        return folder.exists()

    def checkpoint(done: Progress) -> Callable[[Path], None]:
        said = {"progress": json.dumps(asdict(done))}
        return lambda folder: write_safetensors(folder / inside, {"x": np.zeros(1)}, said)

    inside = Path("checkpoints") / CHECKPOINT
    assert not ended(lambda folder: None)
    assert ended(lambda folder: None, new=False)
    assert not ended(checkpoint(Progress()))
    assert ended(checkpoint(Progress(step=1)))
    assert ended(lambda folder: (folder / inside).write_bytes(b"cut off"))
    assert ended(lambda folder: (folder / "checkpoints" / BEST).touch())
    assert ended(lambda folder: (folder / "fold0").mkdir())


def test_a_run_that_another_one_has_got_hold_of_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    refused = pytest.raises(UsageError, match="another run works in")
    with Lock(tmp_path), refused, kept_if_learned(tmp_path, Lock(tmp_path)):
        pass
    assert (tmp_path / "checkpoints" / "lock").exists()
