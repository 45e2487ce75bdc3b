"""What a process loads and whom it asks, told by fresh Pythons."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtasks.cli.commands import COMMANDS
from tests.laws.source_tree import sources
from tests.laws.test_layers import BACK_ENDS

REPORT_MODULES = """
import atexit, json, pathlib, sys
_report = pathlib.Path(sys.argv.pop(1))
def _loaded():
    return [name for name, module in sys.modules.items() if module]
atexit.register(lambda: _report.write_text(json.dumps(_loaded())))
"""
COMMAND = """
import runpy
runpy.run_module("cvtasks", run_name="__main__")
"""

HEAVY = {"keras", "cv2", "numpy", "tensorflow", "openvino", "albumentations"}
HEAVY |= {"PIL", "h5py", "jax", "matplotlib", "scipy", "torch", "yaml"}
BESIDE = {"lr-find": {"cvtasks.cli.train"}}
"""Command → the homes of others, whose options it has too."""


@pytest.fixture
def modules_after(run_python, tmp_path) -> Callable[..., set[str]]:
    """`modules_after(code, *arguments)`: the modules a fresh Python holds after
    running the code.
    """

    def run(code: str, *arguments: str | Path) -> set[str]:
        report = tmp_path / "modules.json"
        done = run_python("-c", REPORT_MODULES + code, report, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return set(json.loads(report.read_text()))

    return run


def test_importing_cvtasks_loads_nothing(modules_after):
    assert not modules_after("import cvtasks") & HEAVY


@pytest.mark.parametrize(
    "command",
    [
        *("", "detect", "segment", "train", "evaluate", "compare", "lr-find", "bench"),
        "recipe",
        "data",
        "models",
        "info",
        "serve",
    ],
)
def test_help_loads_nothing_heavy(command, modules_after):
    loaded = modules_after(COMMAND, *filter(None, [command]), "--help")
    assert "cvtasks.cli" in loaded
    assert not loaded & HEAVY
    assert not loaded & {"fastapi", "starlette", "uvicorn", "prometheus_client", "rich"}
    homes = {f"cvtasks.cli.{row.home.partition(':')[0]}" for row in COMMANDS.values()}
    own = f"cvtasks.cli.{COMMANDS[command].home.partition(':')[0]}" if command in COMMANDS else ""
    assert loaded & homes - {own} <= BESIDE.get(command, set()), "no command loads another"


def test_the_list_of_commands_loads_none_of_them(modules_after):
    """Nor what Typer checks values with, and threads."""
    loaded = modules_after(COMMAND, "--help")
    assert "cvtasks.cli.commands" in loaded
    assert not loaded & {"cvtasks.cli.predict", "cvtasks.cli.options", "cvtasks.engines.table"}
    assert not loaded & {"pydantic", "concurrent.futures", "logging", "hashlib"}


def test_prediction_by_the_graph_loads_neither_keras_nor_telemetry(modules_after, trained):
    if not (trained / "graph.xml").is_file():
        pytest.skip("the trained model has no graph: only Keras on TensorFlow exports one")
    code = """
import numpy as np
import cvtasks
model = cvtasks.load(sys.argv[1], engine="openvino")
assert model.predict(np.zeros((40, 50, 3), np.uint8)).size == (40, 50)
"""
    loaded = modules_after(code, trained)
    assert "openvino" in loaded
    assert not loaded & {*BACK_ENDS, "openvino_telemetry", "albumentations", "matplotlib"}


def test_importing_any_module_does_nothing_else(run_python, tmp_path):
    """No environment, working directory, thread, logger or warning filter changes; other packages
    come first.
    """
    code = """
import importlib, logging, os, sys, threading, warnings
sys.modules["openvino_telemetry"] = None
import cv2, h5py, keras, numpy, openvino, PIL.Image, typer
def state():
    filters = [tuple(map(str, one)) for one in warnings.filters]
    place = os.getcwd(), dict(os.environ), threading.active_count(), logging.root.handlers[:]
    return *place, filters, keras.config.dtype_policy().name
before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
    if state() != before:
        changed = [pair for pair in zip(before, state()) if pair[0] != pair[1]]
        sys.exit(f"import {name} has changed {changed}")
"""
    done = run_python(
        "-c", code, *(name for name in sources() if name != "cvtasks.__main__"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "importing has written files"


# === nothing goes out ===

ALARM = """
import os, sys
_calls = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_outward = {f"socket.{call}" for call in ("connect", "getaddrinfo", "gethostbyname", "sendto")}
def _alarm(event, arguments):
    if event in _outward or event == "urllib.Request":
        os.write(_calls, f"{event} {arguments[-1]!r}\\n".encode())
        raise OSError("this test has no network")
sys.addaudithook(_alarm)
"""
ASK_SOMEBODY = """
import socket, urllib.request
asks = {
    socket.create_connection: ("192.0.2.1", 9),
    urllib.request.urlopen: "http://example.invalid",
}
for ask, whom in asks.items():
    try:
        ask(whom)
    except OSError:
        pass
"""
BUILD_AUGMENTATION = """
import numpy as np
from cvtasks.answers import Mask, Sample
from cvtasks.data.loading.augment import Augment
from cvtasks.recipe.recipe import Data
truth = Mask(np.zeros((40, 50), np.uint8), ("background", "disc"))
varied = Augment(Data(), 32, 0, 1)([Sample(np.zeros((40, 50, 3), np.uint8), truth, "x")], 0, 0)
assert varied.image.shape == (32, 32, 3)
"""
IMPORT_GRAPH_ENGINE = """
import cvtasks.engines.openvino_engine
assert sys.modules.get("openvino_telemetry") is None
"""


@pytest.fixture
def calls_of(run_python, tmp_path) -> Callable[..., list[str]]:
    """`calls_of(code, *arguments)`: what a fresh Python asked of the network while it ran the code;
    all was refused.
    """

    def run(code: str, *arguments: str) -> list[str]:
        report = tmp_path / "calls.txt"
        done = run_python("-c", ALARM + code, report, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return report.read_text().splitlines()

    return run


def test_the_alarm_rings(calls_of):
    events = [call.split()[0] for call in calls_of(ASK_SOMEBODY)]
    assert {"socket.getaddrinfo", "urllib.Request"} <= set(events)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [(BUILD_AUGMENTATION, []), (IMPORT_GRAPH_ENGINE, []), (COMMAND, ["models"])],
    ids=["augment", "openvino", "models"],
)
def test_nothing_goes_out(code, arguments, calls_of):
    assert calls_of(code, *arguments) == []
