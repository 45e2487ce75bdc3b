"""The laws of the house, read off the source tree, the zoo and what a fresh process loads."""

import ast
import graphlib
import hashlib
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import cvtasks
from cvtasks import insight
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cvtasks"
ZOO = ROOT / "models"

# from the top down; a module imports from its own layer and from those below. The longest name that
# fits counts
LAYERS = """
    __main__ cli insight training evaluation inference model zoo engines data recipe tasks networks
    weights metrics formats drawing media answers geometry files text errors
""".split()  # folders and modules from the top down; each imports from itself and from those below

KERAS_SIDE = ("networks", "training", "insight")
"""Folders whose modules may import Keras with their first line."""

KERAS_BY_NAME = ("engines.export", "engines.keras_engine")
"""Further modules that may; importing any other must not load it, not even by detours."""

BACK_ENDS = {"keras", "tensorflow", "jax", "torch"}
LONGEST = 400
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Import:
    """One module that another one imports."""

    target: str
    line: int
    first: bool  # runs when the importing module is imported
    typing: bool  # stands below `if TYPE_CHECKING`


@cache
def sources() -> dict[str, Path]:
    """Name → file of every module of the package."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def tree(file: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def where(file: Path, line: int) -> str:
    """How an offence is introduced."""
    return f"{file.relative_to(ROOT)}:{line}"


def imports(file: Path) -> list[Import]:
    """Every import of the file: at its top, in functions, below TYPE_CHECKING, and by
    `import_module("a literal")`.
    """
    found = []

    def add(names: list[str], node: ast.AST, first: bool, typing: bool) -> None:
        found.extend(Import(name, node.lineno, first and not typing, typing) for name in names)

    def walk(node: ast.AST, first: bool, typing: bool) -> None:
        if isinstance(node, ast.Import):
            add([alias.name for alias in node.names], node, first, typing)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            named = [f"{module}.{alias.name}" for alias in node.names]
            add([name if name in sources() else module for name in named], node, first, typing)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            add(
                [a.value for a in node.args[:1] if isinstance(a, ast.Constant)], node, first, typing
            )
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                walk(child, first, True)
            for child in node.orelse:
                walk(child, first, typing)
            return
        for child in ast.iter_child_nodes(node):
            walk(child, first and not inside, typing)

    walk(tree(file), True, False)
    return list(dict.fromkeys(found))


def below(name: str, prefix: str) -> bool:
    """Whether the module `name` is `prefix` or lies in it."""
    return name == prefix or name.startswith(f"{prefix}.")


def layer(name: str) -> int | None:
    """The number of a module's layer, 0 at the top; None if the table does not know it."""
    room = name.split(".")[1]
    return LAYERS.index(room) if room in LAYERS else None


def on_keras_side(name: str) -> bool:
    """Whether importing the module may load Keras."""
    return name.split(".")[1:2] and (
        name.split(".")[1] in KERAS_SIDE or name.removeprefix("cvtasks.") in KERAS_BY_NAME
    )


def parents(name: str) -> list[str]:
    """The packages that Python imports before the module."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


# === imports ===


def test_every_room_has_a_layer_and_the_list_names_no_other():
    rooms = {name.split(".")[1] for name in sources() if name != "cvtasks"}
    assert rooms == set(LAYERS), "LAYERS must say where each folder and module of the root belongs"


def test_the_root_is_small():
    modules = [file.name for file in PACKAGE.glob("*.py")]
    assert len(modules) <= 8, f"a module belongs into a folder; the root has {sorted(modules)}"


def test_the_companion_of_the_lectures_is_imported_by_commands_alone():
    home = "cvtasks.insight.by_hand"
    found = [
        where(file, one.line)
        for name, file in sources().items()
        if not below(name, home) and not below(name, "cvtasks.cli")
        for one in imports(file)
        if below(one.target, home)
    ]
    assert not found, "nothing may need what was written to be read:\n" + "\n".join(found)


def test_imports_point_down():
    offences = []
    for name, file in sources().items():
        for target in imports(file):
            if "cvtasks" in (name, target.target) or not below(target.target, "cvtasks"):
                continue
            mine, theirs = layer(name), layer(target.target)
            if mine is None or theirs is None or theirs < mine:
                offences.append(f"{where(file, target.line)} imports {target.target}, above it")
    assert not offences, "\n".join(offences)


def test_imports_make_no_circle():
    graph = {
        name: {i.target for i in imports(file) if below(i.target, "cvtasks") and not i.typing}
        - {name, "cvtasks"}
        for name, file in sources().items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' ← '.join(error.args[1])}")


def test_imports_are_absolute():
    offences = [
        where(file, i.line)
        for file in sources().values()
        for i in imports(file)
        if i.target.startswith(".")
    ]
    assert not offences, f"write `from cvtasks.x import y`, which says where it leads: {offences}"


def test_only_the_launchers_import_the_command_line():
    launchers = {PACKAGE / "__main__.py", ROOT / "cli.py"}
    knowing = {
        file
        for file in [*sources().values(), ROOT / "cli.py"]
        if PACKAGE / "cli" not in file.parents
        and any(below(i.target, "cvtasks.cli") for i in imports(file))
    }
    assert knowing == launchers


def test_the_front_imports_nothing_and_nobody_imports_from_it():
    """`cvtasks/__init__.py` shows names of modules from everywhere, so a module that used it would
    import upwards.
    """
    eager = [i.target for i in imports(PACKAGE / "__init__.py") if i.first and i.target != "typing"]
    assert not eager, f"`import cvtasks` must stay light; it imports {eager}"
    offences = [
        f"{where(file, node.lineno)} takes {alias.name!r} from the front; import it from its own "
        "module"
        for file in sources().values()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ImportFrom) and node.module == "cvtasks"
        for alias in node.names
        if f"cvtasks.{alias.name}" not in sources() and alias.name != "__version__"
    ]
    assert not offences, "\n".join(offences)


def loaded_with(name: str) -> Iterator[tuple[str, list[str]]]:
    """Each module outside the package that `import name` loads, and the way there."""
    seen, waiting = set(), [(name, [name])]
    while waiting:
        here, way = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        if here not in sources():
            yield here, way
            continue
        following = [*parents(here), *(i.target for i in imports(sources()[here]) if i.first)]
        waiting += [(target, [*way, target]) for target in following]


@pytest.mark.parametrize("name", [name for name in sources() if not on_keras_side(name)])
def test_module_loads_no_back_end(name):
    ways = [
        " → ".join(way) for target, way in loaded_with(name) if target.split(".")[0] in BACK_ENDS
    ]
    assert not ways, (
        f"importing {name} must not load Keras, so that inference on a CPU does not pay for it: "
        f"{ways}"
    )


def test_the_modules_named_on_the_keras_side_load_keras():
    idle = [
        name
        for name in KERAS_BY_NAME
        if not any(t.split(".")[0] in BACK_ENDS for t, _ in loaded_with(f"cvtasks.{name}"))
    ]
    assert not idle, f"these load no back end; take them off KERAS_BY_NAME: {idle}"


def test_back_ends_and_click_are_never_imported_by_name():
    forbidden = (BACK_ENDS - {"keras"}) | {"click", "_click"}
    chosen = sources()["cvtasks.insight.gradients"]  # Keras has no gradient of its own
    offences = [
        f"{where(file, i.line)} imports {i.target}"
        for file in [*sources().values(), ROOT / "cli.py"]
        for i in imports(file)
        if file != chosen or i.first
        if i.target.split(".")[0] in forbidden or "_click" in i.target.split(".")
    ]
    assert not offences, (
        "Keras chooses the back end, and Typer carries its own Click:\n" + "\n".join(offences)
    )


# === style ===


def offence(node: ast.AST, in_cli: bool) -> str | None:
    """What is wrong with this piece of code."""
    match node:
        case ast.Assert():
            return "`assert` vanishes under -O: raise one of cvtasks.errors"
        case ast.ExceptHandler(type=None):
            return "a bare `except` catches Ctrl-C too: name the exception"
        case ast.Call(func=ast.Name(id="print")) if not in_cli:
            return "only the command line prints: return the text or report it"
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return "`import *` hides where names come from"
    return None


def test_library_code_has_no_assert_no_bare_except_and_prints_nothing():
    offences = [
        f"{where(file, node.lineno)}: {wrong}"
        for name, file in sources().items()
        for node in ast.walk(tree(file))
        if (wrong := offence(node, below(name, "cvtasks.cli")))
    ]
    assert not offences, "\n".join(offences)


def test_files_are_short():
    lengths = {
        str(f.relative_to(ROOT)): len(f.read_text(encoding="utf-8").splitlines())
        for f in sources().values()
    }
    long = {name: length for name, length in lengths.items() if length > LONGEST}
    assert not long, f"no file is longer than {LONGEST} lines; split by what it is about: {long}"


def test_no_module_is_called_utils():
    vague = [
        name
        for name in sources()
        if re.fullmatch(r"_?(utils?|helpers?|common|misc)", name.split(".")[-1])
    ]
    assert not vague, f"a module is called after what it is about: {vague}"


def undocumented(body: list[ast.stmt], path: str) -> Iterator[str]:
    """Public functions, classes and their methods that have no docstring."""
    for node in body:
        if isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and not node.name.startswith("_"):
            name = f"{path}.{node.name}"
            if not ast.get_docstring(node):
                yield name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, name)


def test_everything_public_has_a_docstring():
    missing = [
        entry for name, file in sources().items() for entry in undocumented(tree(file).body, name)
    ]
    missing += [
        name
        for name, file in sources().items()
        if tree(file).body and not ast.get_docstring(tree(file))
    ]
    assert not missing, "say in one line what these are:\n" + "\n".join(missing)


# === the public surface ===


FRONTS = pytest.mark.parametrize("front", [cvtasks, insight], ids=lambda front: front.__name__)


@FRONTS
def test_a_front_shows_exactly_what_it_serves(front: ModuleType):
    assert front.__all__ == sorted(front.__all__)
    assert set(front.__all__) == front._HOME.keys()
    assert set(front.__all__) <= set(dir(front))
    for name, home in front._HOME.items():
        assert getattr(front, name) is getattr(importlib.import_module(home), name)


@FRONTS
def test_a_front_tells_type_checkers_the_same(front: ModuleType):
    """What stands below TYPE_CHECKING, which no test runs, agrees with what is served
    at run time.
    """
    told = {
        alias.name: node.module
        for node in ast.walk(tree(Path(front.__file__)))
        if isinstance(node, ast.ImportFrom) and below(node.module or "", "cvtasks")
        for alias in node.names
    }
    assert told == front._HOME


@FRONTS
def test_an_unknown_name_is_an_attribute_error(front: ModuleType):
    with pytest.raises(AttributeError, match="no attribute 'segmemt'"):
        _ = front.segmemt


# === what a process loads ===

REPORT_MODULES = """
import atexit, json, pathlib, sys
_report = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: _report.write_text(json.dumps([name for name, module in sys.modules.items() if module])))
"""
COMMAND = """
import runpy
runpy.run_module("cvtasks", run_name="__main__")
"""


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
    assert not modules_after("import cvtasks") & {
        "keras",
        "cv2",
        "numpy",
        "tensorflow",
        "openvino",
        "albumentations",
    }


@pytest.mark.parametrize(
    "command", ["", "detect", "segment", "train", "evaluate", "data", "models", "info"]
)
def test_help_loads_nothing_heavy(command, modules_after):
    loaded = modules_after(COMMAND, *filter(None, [command]), "--help")
    assert "cvtasks.cli" in loaded
    assert not loaded & {"keras", "cv2", "numpy", "tensorflow", "openvino", "albumentations"}


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
    place = os.getcwd(), dict(os.environ)
    return *place, threading.active_count(), logging.root.handlers[:], filters, keras.config.dtype_policy().name
before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
    if state() != before:
        sys.exit(f"import {name} has changed {[pair for pair in zip(before, state()) if pair[0] != pair[1]]}")
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
def _alarm(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        os.write(_calls, f"{event} {arguments[-1]!r}\\n".encode())
        raise OSError("this test has no network")
sys.addaudithook(_alarm)
"""
ASK_SOMEBODY = """
import socket, urllib.request
for ask in (lambda: socket.create_connection(("192.0.2.1", 9)), lambda: urllib.request.urlopen("http://example.invalid")):
    try:
        ask()
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


# === the zoo ===

ZOO_FOLDERS = sorted(folder for folder in ZOO.iterdir() if folder.is_dir())


def zoo_files() -> list[Path]:
    """Every file below the zoo."""
    return [file for file in ZOO.rglob("*") if file.is_file()]


def test_zoo_is_data_alone_and_small():
    sizes = {str(file.relative_to(ROOT)): file.stat().st_size for file in zoo_files()}
    code = [name for name in sizes if name.endswith((".py", ".pyi", ".so", ".pkl", ".keras"))]
    large = {name: size for name, size in sizes.items() if size >= 16 * MEGABYTE}
    assert not code, f"models/ holds data only, and a .py there breaks the editable install: {code}"
    assert not large, f"a file of the zoo is smaller than 16 MB: {large}"
    assert sum(sizes.values()) <= 60 * MEGABYTE, (
        f"the zoo is at most 60 MB; it has {sum(sizes.values()) / MEGABYTE:.1f}"
    )


def test_zoo_holds_folders_of_models_and_nothing_else():
    assert ZOO_FOLDERS, "the zoo is empty"
    stray = [path.name for path in ZOO.iterdir() if not path.is_dir()]
    assert not stray, f"files lie beside the models: {stray}"


@pytest.mark.parametrize("folder", ZOO_FOLDERS, ids=lambda folder: folder.name)
def test_zoo_model_is_complete(folder):
    recipe = read_recipe(folder / RECIPE)
    assert folder.name.startswith(f"{recipe.task.name}-"), (
        "the name of a shipped model begins with its task"
    )
    received = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in recipe.files
    }
    assert received == dict(recipe.files), (
        "the recipe lists the SHA-256 of each file that was trained"
    )
    if (folder / WEIGHTS).is_file():
        assert WEIGHTS in recipe.files
        assert (folder / "README.md").read_text(encoding="utf-8").startswith(f"# {folder.name}\n")
        measured = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        assert measured["model"] == folder.name
        assert list(measured["classes"]) == list(recipe.classes)
        assert all(0 <= number <= 1 for number in measured["metrics"].values())


# === dependencies ===

PACKAGE_OF = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "tomli_w": "tomli-w",
    "yaml": "pyyaml",
    "faster_coco_eval": "faster-coco-eval",
}


def declared(*lines: str) -> set[str]:
    """The names of the packages in lines such as "numpy>=2.0"."""
    return {re.match(r"[\w-]+", line)[0] for line in lines}


def undeclared(file: Path, always: set[str], in_functions: set[str]) -> list[str]:
    """The imports of other people's packages that are in neither set."""
    known = sys.stdlib_module_names | {"cvtasks", "tests"}
    others = [(i, i.target.split(".")[0]) for i in imports(file)]
    others = [(i, PACKAGE_OF.get(name, name)) for i, name in others if name not in known]
    return [
        f"{where(file, i.line)} imports {name}"
        for i, name in others
        if name not in (always if i.first else always | in_functions)
    ]


def test_what_is_imported_is_declared():
    """The library imports its dependencies, and within functions what an extra brings; the tests
    also their own extra.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    plain, extras = declared(*project["dependencies"]), project["optional-dependencies"]
    offered = declared(
        *(line for name, lines in extras.items() if name != "test" for line in lines)
    )
    offences = [line for file in sources().values() for line in undeclared(file, plain, offered)]
    for file in (ROOT / "tests").glob("*.py"):
        offences += undeclared(file, plain | declared(*extras["test"]), set())
    assert not offences, "pyproject.toml does not declare these:\n" + "\n".join(offences)
