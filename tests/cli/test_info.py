"""`cvtasks info`, and what is said where packages are missing."""

import json
import os
import stat
from importlib.machinery import ModuleSpec

import pytest

from cvtasks import zoo
from cvtasks.cli import about, missing
from cvtasks.media import opencv


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """`nvidia_smi(script)`: a stand-in for the driver's tool is the first on the path."""

    def write(script: str) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return write


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            "echo 'NVIDIA T4, 15360 MiB, 580.95'; echo 'NVIDIA T4, 15360 MiB, 580.95'",
            ["NVIDIA T4 (15360 MiB, driver 580.95)"] * 2,
        ),
        ("echo 'No devices were found'; exit 6", []),
        ("echo 'No devices were found'", []),
        (r"printf '\377, 1, 2\n'", []),
    ],
    ids=["two", "none", "says so", "no text"],
)
def test_graphics_cards_are_those_of_the_driver(script, found, nvidia_smi) -> None:
    nvidia_smi(script)
    assert about.graphics_cards() == found


def test_a_graphics_card_that_keras_leaves_idle_is_said(cli, monkeypatch) -> None:
    monkeypatch.setattr(about, "graphics_cards", lambda: ["NVIDIA T4 (15360 MiB, driver 580.95)"])
    code, out, err = cli("info", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["graphics cards"] == ["NVIDIA T4 (15360 MiB, driver 580.95)"]
    if not any("gpu" in device for device in facts["keras devices"]):
        assert 'pip install "cvtasks[gpu]"' in err
        assert "KERAS_BACKEND=jax" in err


def test_an_opencv_that_has_lost_its_windows_is_said(cli, monkeypatch) -> None:
    both = {"opencv-python": "5.0", "opencv-python-headless": "5.0"}
    monkeypatch.setattr(opencv, "opencv_packages", lambda: both)
    monkeypatch.setattr(opencv, "opens_windows", lambda: False)
    code, out, err = cli("info", "--json")
    assert code == 0
    assert json.loads(out)["opencv window"] is False
    assert "--force-reinstall --no-deps opencv-python==5.0" in err
    monkeypatch.setattr(opencv, "opencv_packages", lambda: {"opencv-python-headless": "5.0"})
    assert "reinstall" not in cli("info")[2], "one without windows was meant to be"


def test_info_does_without_keras(cli, monkeypatch) -> None:
    monkeypatch.setattr(about, "find_spec", lambda name: None)
    monkeypatch.setattr(about, "start_keras", lambda: pytest.fail("Keras was asked for"))
    code, out, _ = cli("info", "--json")
    assert code == 0
    assert json.loads(out)["keras devices"] == ["none"]


def lacks(name: str, monkeypatch) -> str:
    """What is said of an import of `name` where its package is not installed."""
    monkeypatch.setattr(missing, "find_spec", lambda package: None)
    return missing.what_is_missing(ModuleNotFoundError(f"No module named {name!r}", name=name))


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("keras", '"cvtasks"'),
        ("tensorflow.python", '"cvtasks"'),
        ("matplotlib", '"cvtasks"'),
        ("jax", '"cvtasks[jax]"'),
    ],
)
def test_a_package_that_is_not_installed_is_named(name, install, monkeypatch) -> None:
    said = lacks(name, monkeypatch)
    assert name.partition(".")[0] in said
    assert said.endswith(f"pip install {install}")


def test_an_opencv_that_lacks_a_library_of_the_desktop_is_said() -> None:
    text = "libGL.so.1: cannot open shared object file: No such file or directory"
    said = missing.what_is_missing(ImportError(text))
    assert "library libGL.so.1," in said
    assert "opencv-python-headless" in said
    assert missing.what_is_missing(ImportError("libcudnn.so.9: cannot open shared object")) == ""


def test_other_errors_are_no_missing_packages(monkeypatch) -> None:
    assert missing.what_is_missing(ValueError("x")) == ""
    assert missing.what_is_missing(ModuleNotFoundError("x")) == ""
    assert lacks("cvtasks.typo", monkeypatch) == ""
    monkeypatch.setattr(missing, "find_spec", lambda package: ModuleSpec(package, None))
    gone = ModuleNotFoundError("No module named 'keras.gone'", name="keras.gone")
    assert missing.what_is_missing(gone) == "", "a module that Keras lacks is a fault of ours"


def test_a_command_says_which_package_it_lacks(cli, monkeypatch) -> None:
    def without() -> None:
        raise ModuleNotFoundError("No module named 'keras'", name="keras")

    monkeypatch.setattr(about, "_keras", without)
    monkeypatch.setattr(missing, "find_spec", lambda package: None)
    code, _, err = cli("info")
    assert code == 2
    assert "needs the package keras" in err
    assert "fault of cvtasks" not in err


@pytest.mark.parametrize(
    ("file", "text", "listed", "said"),
    [
        ("metrics.json", '{"metrics": {"top-1 accuracy": null}}', "top-1 accuracy –", ""),
        ("metrics.json", '{"metrics": {"top-1 accuracy": "high"}}', "10 classes\n", "not, and its"),
        ("metrics.json", '{"metrics": 3}', "10 classes\n", "is listed without them"),
        ("metrics.json", '{"metr', "10 classes\n", "is listed without them"),
        ("metrics.json", "[]", "10 classes\n", "is listed without them"),
        ("recipe.toml", "task = ", "", "left out: a: "),
        ("recipe.toml", 'task = "juggle"', "", "left out: a: "),
    ],
)
def test_a_broken_model_does_not_end_the_list(
    file: str, text: str, listed: str, said: str, cli, tmp_path, monkeypatch
) -> None:
    shipped = zoo.zoo_folder() / "classify-lenet-mnist"
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / zoo.RECIPE).write_bytes((shipped / zoo.RECIPE).read_bytes())
    (tmp_path / "a" / file).write_text(text)
    monkeypatch.setenv("CVTASKS_MODELS", str(tmp_path))
    code, out, err = cli("models")
    assert code == 0, err
    lines = out.splitlines(keepends=True)
    starts = [line.split(" ")[0] for line in lines if line.strip() and not line.startswith(" ")]
    assert {"b", *zoo.shipped()} <= set(starts)
    assert ("a" in starts) == bool(listed)
    if listed:
        at = next(i for i, line in enumerate(lines) if line.startswith("a "))
        assert lines[at + 1].endswith(listed.rstrip("\n") + "\n")
    assert said in err
    code, out, _ = cli("models", "--json")
    rows = {row["name"]: row["metrics"] for row in json.loads(out)}
    assert code == 0 and set(rows) == set(starts)
    if "null" in text:
        assert rows["a"] == {"top-1 accuracy": None}
