"""What a shell completes, by Typer's own way to ask."""

import json
import time
from pathlib import Path

import pytest

from cvtasks.cli.completion import settings
from cvtasks.data.formats import FORMATS
from cvtasks.insight.explaining import METHODS
from cvtasks.insight.explaining.methods import CAMS
from cvtasks.networks.backbones import BACKBONES
from cvtasks.recipe.words import OWN_KEYS, dotted_keys
from cvtasks.tasks import TASKS
from cvtasks.zoo import names

ASK = """
import atexit, json, sys
def _loaded():
    heavy = ("keras", "cv2.cv2", "cv2.typing", "tensorflow")
    return [name for name in heavy if name in sys.modules]
atexit.register(lambda: print(json.dumps(_loaded()), file=sys.stderr))
from cvtasks.cli import main
sys.argv = ["cvtasks"]
main()
"""


@pytest.fixture
def complete(run_python, tmp_path: Path):
    """`complete(*words)`: what completes the last of them behind `cvtasks`, where a run lies in
    `runs`.
    """
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "recipe.toml").write_text('classes = ["cat", "cow", "dog"]')

    def ask(*words: str) -> list[str]:
        line = ["cvtasks", *words]
        done = run_python(
            "-c",
            ASK,
            env={
                "_CVTASKS_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(line),
                "COMP_CWORD": str(len(line) - 1),
            },
            cwd=tmp_path,
        )
        assert json.loads(done.stderr.splitlines()[-1]) == [], "it loads neither Keras nor OpenCV"
        return done.stdout.split()

    return ask


def test_names_complete(complete) -> None:
    assert {*TASKS, "train", "recipe", "data"} <= set(complete(""))
    assert complete("detect", "--model", "") == [*names(), "runs/mine"]
    assert complete("evaluate", "runs/") == ["runs/mine"]
    assert complete("train", "--backbone", "res") == [one for one in BACKBONES if one[:3] == "res"]
    assert "detect" in complete("train", "")
    assert complete("train", "detect", "--weights", "im") == ["imagenet"]
    assert complete("data", "check", "--task", "seg") == ["segment"]


def test_keys_methods_and_formats_complete(complete) -> None:
    keys = {*OWN_KEYS, "files", *dotted_keys()}
    assert set(complete("train", "detect", "--set", "")) == {f"{key}=" for key in keys}
    assert complete("explain", "x.jpg", "--method", "grad") == ["grad-cam", "grad-cam++"]
    assert complete("data", "check", "--format", "") == list(FORMATS)
    assert "train.epochs" in complete("recipe", "train.ep")


def test_very_many_images_complete(complete) -> None:
    assert "map" in complete("ma")
    assert complete("map", "") == [*names(), "runs/mine"]
    assert complete("map", "runs/mine", "data", "--format", "") == ["jsonl", "parquet"]
    assert complete("map", "runs/mine", "data", "--ray", "") == ["auto", "local"]
    assert {"--ray", "--workers", "--piece"} <= set(complete("map", "runs/mine", "--"))


def test_classes_complete_behind_the_model_that_is_named(complete) -> None:
    assert complete("segment", "a.jpg", "-m", "runs/mine", "--classes", "c") == ["cat", "cow"]
    assert complete("data", "prelabel", "runs/mine", "a", "--classes", "cow,") == [
        "cow,cat",
        "cow,dog",
    ]
    assert complete("segment", "a.jpg", "--model", "nowhere", "--classes", "c") == []
    assert "horse" in complete("segment", "a.jpg", "--classes", "")


def test_values_complete_behind_their_key() -> None:
    assert settings("head.name=un") == ["head.name=unet"]
    assert settings("train.optimizer=") == ["train.optimizer=adamw", "train.optimizer=sgd"]
    assert settings("train.epochs=") == []
    assert "data.format=coco" in settings("data.format=c")


def test_the_methods_of_layers_are_listed_first() -> None:
    assert METHODS[: len(CAMS)] == tuple(CAMS)


def test_completion_is_quick(complete) -> None:
    """The best of three, in processor time of this machine's children, start of Python included."""
    import resource

    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    spent = []
    for _ in range(3):
        begun, clock = seconds(), time.monotonic()
        complete("train", "detect", "--set", "train.")
        spent.append(min(seconds() - begun, time.monotonic() - clock))
    assert min(spent) < 1.0, "half a second, with room for slow machines"
