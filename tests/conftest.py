"""What every test starts from: an environment of its own, drawn images, a model trained on them,
the command line.
"""

import gc
import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cvtasks

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests that import ONNX Runtime by themselves, too

SHAPES = ("background", "square", "disc")
"""Classes of the drawn data set, in the order of their ids."""

_COLOURS = ((230, 60, 60), (60, 60, 230))  # of squares and of discs
_SIZES = (
    (64, 64),
    (48, 80),
    (97, 65),
)  # (height, width): the network's own, and two that the letterbox must change
_OUR_ENVIRONMENT = ("CVTASKS_CACHE", "CVTASKS_MODELS", "KERAS_HOME", "TF_CPP_MIN_LOG_LEVEL")
_TERMINAL = (
    "COLUMNS",
    "LINES",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "PY_COLORS",
    "GITHUB_ACTIONS",
)  # they change what is printed


POSIX = re.compile(
    r"SIG(KILL|HUP|STOP|CONT|USR)|mkfifo|os\.fork|symlink_to|hardlink_to|/dev/|/proc/|chmod\(|"
    r"preexec_fn|start_new_session|os\.gete?uid|\bresource\.|\bpty\."
)
"""What a test names that Windows lacks, or gives to few: there it is skipped, and says so."""

collect_ignore_glob = ["laws/tour*.py", "laws/test_tour.py"] if sys.platform == "win32" else []
"""Damaged files, among them named pipes: not to be imported on Windows."""

_SLOW = Path(__file__).with_name("slow.txt")
"""What is slow: mark, seconds and test in each line; written by benchmarks/slow_tests.py."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    returncode: int
    stdout: str
    stderr: str


def pytest_configure(config: pytest.Config) -> None:
    """Turn away from the user's own folders before the first test module, and with it Keras, is
    imported.
    """
    config.cvtasks_home = tempfile.mkdtemp(prefix="cvtasks-tests-")
    config.cvtasks_environment = {name: os.environ.get(name) for name in _OUR_ENVIRONMENT}
    os.environ.pop("CVTASKS_MODELS", None)  # then it lies in the folder of caches
    os.environ["CVTASKS_CACHE"] = str(Path(config.cvtasks_home) / "cache")
    os.environ["KERAS_HOME"] = str(
        Path(config.cvtasks_home) / "keras"
    )  # Keras makes it when it is imported
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `slow.txt` lists, a function with all its cases or a single one."""
    rows = [line.split(maxsplit=2) for line in _SLOW.read_text(encoding="utf-8").splitlines()[1:]]
    marks = {test: mark for mark, _, test in rows}
    for item in items:
        mark = marks.get(item.nodeid) or marks.get(item.nodeid.split("[")[0])
        for name in {"slow": ("slow",), "weekly": ("slow", "weekly")}.get(mark, ()):
            item.add_marker(name)
        lacking = _lacking(item) if sys.platform == "win32" else ""
        if lacking:
            item.add_marker(pytest.mark.skip(reason=f"Windows has no {lacking}"))


def _lacking(item: pytest.Item) -> str:
    """What a test names that Windows lacks; empty for a doctest, and for others without."""
    function = getattr(item, "function", None)
    found = POSIX.search(inspect.getsource(function)) if function else None
    return found[0] if found else ""


def pytest_collection_finish() -> None:
    """Keep what was imported, and the tests themselves, out of every later search for garbage."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folders, and give the environment back as it was."""
    shutil.rmtree(config.cvtasks_home, ignore_errors=True)
    for name, value in config.cvtasks_environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session", autouse=True)
def _plain_terminal() -> Iterator[None]:
    """Print the same whatever terminal, width or CI service the tests are started in."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _TERMINAL:
            patch.delenv(name, raising=False)
        patch.setenv("NO_COLOR", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _usual_signals() -> None:
    """Heed signals although whoever started the tests ignores them, as `nohup` and a shell's `&`
    do: commands keep that.
    """
    for name, handler in (("SIGHUP", signal.SIG_DFL), ("SIGINT", signal.default_int_handler)):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
            signal.signal(getattr(signal, name), handler)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Undo what a test, or the library under it, did to the environment and to the working
    directory.
    """
    environment, place = dict(os.environ), Path.cwd()
    yield
    os.chdir(place)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> Iterator[None]:
    """Let go of what a module's tests have made: Python itself looks ever more seldom for rings of
    garbage, the more there is, and networks are such rings.
    """
    yield
    gc.collect()


@pytest.fixture(scope="session")
def cvtasks_data() -> Path:
    """The folder of real data that `CVTASKS_DATA` names; without it the test is skipped."""
    folder = os.environ.get("CVTASKS_DATA")
    if not folder:
        pytest.skip(
            "CVTASKS_DATA is not set: set it to the folder of the real data sets to run this test"
        )
    if not Path(folder).is_dir():
        pytest.fail(f"CVTASKS_DATA must name a folder; {folder!r} is none")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def run_python() -> Callable[..., Finished]:
    """`run_python(*arguments, env=None, stdin=None, cwd=None)`: a new Python that finds the same
    cvtasks as this one.
    """

    def run(
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        cwd: Path | None = None,
    ) -> Finished:
        home = str(Path(cvtasks.__file__).parents[1])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **(env or {})},
            input=stdin or b"",
            capture_output=True,
            cwd=cwd,
            timeout=600,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))

    return run


@pytest.fixture(scope="session")
def run_cli(run_python: Callable[..., Finished]) -> Callable[..., Finished]:
    """`run_cli(*arguments, env=None, stdin=None, cwd=None)`: the real command line, in a process of
    its own.
    """

    def run(*arguments: str | Path, **how: object) -> Finished:
        return run_python("-m", "cvtasks", *arguments, **how)

    return run


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`cli(*arguments)` → (exit code, stdout, stderr), within this process."""

    from cvtasks.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cvtasks", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
            raise SystemExit(0)
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return call


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of drawn squares and discs: images and masks in folders, 24 to train, 8 to
    validate.
    """
    root = tmp_path_factory.mktemp("data") / "shapes"
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 8)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            image, ids = _draw(rng, _SIZES[number % len(_SIZES)])
            Image.fromarray(image).save(root / "images" / split / f"{number:03d}.png")
            Image.fromarray(ids).save(root / "masks" / split / f"{number:03d}.png")
    (root / "classes.txt").write_text("\n".join(SHAPES) + "\n", encoding="utf-8")
    return root


def _draw(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An image (h, w, 3) uint8 of dark noise with one shape in two or three of its quarters, and
    its ids (h, w) uint8.
    """
    height, width = size
    image = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    ids = np.zeros(size, np.uint8)
    y, x = np.mgrid[:height, :width]
    for quarter in rng.permutation(4)[: rng.integers(2, 4)]:
        kind, radius = int(rng.integers(2)), int(rng.integers(8, min(size) // 4))
        dy, dx = (
            abs(y - (2 * (quarter // 2) + 1) * height // 4),
            abs(x - (2 * (quarter % 2) + 1) * width // 4),
        )
        inside = (np.maximum(dy, dx) < radius) if kind == 0 else (dy**2 + dx**2 < radius**2)
        image[inside], ids[inside] = _COLOURS[kind], kind + 1
    return image, ids


@pytest.fixture(scope="session")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model that has learned `shapes`. For all tests: look at it, copy it,
    leave it as it is.
    """
    from cvtasks.recipe.recipe import parse_recipe
    from cvtasks.training.plan import planned
    from cvtasks.training.progress import Report
    from cvtasks.training.run import run

    recipe = parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 64,
            "classes": list(SHAPES),
            "segment": {"channels": [32, 16]},
            "data": {"path": str(shapes), "scale": [0.9, 1.1], "colour": 0.0, "workers": 0},
            "train": {
                "epochs": 24,
                "batch": 8,
                "learning_rate": 0.01,
                "precision": "f32",
                "validate_every": 12,
            },
        }
    )
    folder = tmp_path_factory.mktemp("models") / "segment-tiny-shapes"
    finished = run(planned(recipe), folder, "cvtasks train segment", Report())
    score = finished["metrics"]["VOC mean IoU"]
    if not score > 0.5:
        pytest.fail(
            "the model that other tests use must have learned the drawn shapes, mean IoU above "
            f"0.5; it has {score}"
        )
    return folder
