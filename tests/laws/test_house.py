"""The rules of the house, read off the source tree, the zoo and pyproject.toml."""

import ast
import hashlib
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import cvtasks
from cvtasks import errors, insight
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS
from tests.laws.source_tree import ROOT, below, functions, imports, sources, tree, where

ZOO = ROOT / "models"
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MEGABYTE = 1_000_000

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


_THINGS = re.compile(
    r" (images|errors|warnings|faults|steps|epochs|objects|labels|files|classes|frames|folds|"
    r"updates|samples|findings|groups|scenes|models|filters|looks)\b(?!/| as )"
)
_OF_SEVERAL = re.compile(r"\b(of|the|these|most|least|than|to)\s*$")


def uncounted(text: ast.JoinedStr) -> Iterator[str]:
    """Numbers of a text before a plural that stays one where the number is one; "3 of 1 images"
    and a constant above one are no fault.
    """
    parts = [ast.Constant(""), *text.values]
    for before, number, after in zip(parts, parts[1:], parts[2:], strict=False):
        if isinstance(number, ast.FormattedValue) and isinstance(after, ast.Constant):
            said = ast.unparse(number.value)
            several = isinstance(before, ast.Constant) and _OF_SEVERAL.search(before.value)
            if _THINGS.match(after.value) and not (several or said.isupper() or "str(" in said):
                yield f"{{{said}}}{after.value[:20]}"


def test_one_thing_is_not_called_by_its_plural():
    offences = [
        f"{where(file, node.lineno)}: {found}"
        for file in sources().values()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.JoinedStr)
        for found in uncounted(node)
    ]
    assert not offences, "text.counted says `1 image`, and 2 images:\n" + "\n".join(offences)
    assert list(uncounted(ast.parse('f"{n} images"').body[0].value)) == ["{n} images"]


_COUNTS = ("counted(", "len(", "sum(")
_VERB_OF_SEVERAL = re.compile(
    r"( of (\{\}|those|them))?( [a-z]+s)? (are|were|have|hold|show|give|name|lie|do)\b"
)


def disagreeing(text: ast.JoinedStr) -> Iterator[str]:
    """Counts of a text, or what is so many of others, with a verb that stays a plural's where they
    are one; a constant above one is no fault.
    """
    parts = text.values
    for place, number in enumerate(parts):
        if isinstance(number, ast.FormattedValue) and number.conversion == -1:
            said = ast.unparse(number.value)
            before = parts[place - 1].value if place else ""
            rest = "".join(
                part.value if isinstance(part, ast.Constant) else "{}"
                for part in parts[place + 1 :]
            )
            found = _VERB_OF_SEVERAL.match(rest)
            counts = (found and found[1]) or said.startswith(_COUNTS)
            of_others = isinstance(before, str) and before.endswith("of ")
            if found and counts and not of_others and said not in _MORE_THAN_ONE:
                yield f"{{{said}}}{found[0]}"


_MORE_THAN_ONE = {"len(measured)"}
"""Counts that are above one where they are said."""


def test_a_verb_goes_with_the_count_before_it():
    offences = [
        f"{where(file, node.lineno)}: {found}"
        for file in sources().values()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.JoinedStr)
        for found in disagreeing(node)
    ]
    assert not offences, "text.agreeing says `1 is`, and 2 are:\n" + "\n".join(offences)
    for wrong in ("{n} of {m} are", "{n} of {m} images hold", "{len(n)} have", "{n} of those lie"):
        assert list(disagreeing(ast.parse(f'f"{wrong} there"').body[0].value)), wrong


def test_files_are_short():
    lengths = {
        str(f.relative_to(ROOT)): len(f.read_text(encoding="utf-8").splitlines())
        for f in sources().values()
    }
    long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert not long, (
        f"no file is longer than {LONGEST_FILE} lines; split by what it is about: {long}"
    )


TOO_LONG = {}
"""Functions still above the limit, and how long each may be at most: to be taken apart, never to
grow. A name leaves the table with its function."""


def test_functions_are_short():
    """A body counts from behind the docstring: the options of a command are its table, no work."""
    lengths = {}
    for file in sources().values():
        for name, node in functions(tree(file).body):
            work = node.body[1:] if ast.get_docstring(node) else node.body
            if work:
                length = (node.end_lineno or 0) - work[0].lineno + 1
                lengths[f"{file.relative_to(ROOT).as_posix()} {name}"] = length
    long = {
        name: length
        for name, length in lengths.items()
        if length > TOO_LONG.get(name, LONGEST_FUNCTION)
    }
    assert not long, f"no function is longer than {LONGEST_FUNCTION} lines: {long}"
    done = [name for name in TOO_LONG if lengths.get(name, 0) <= LONGEST_FUNCTION]
    assert not done, f"these are short by now or gone; take them off TOO_LONG: {done}"


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


MANNER = re.compile(
    r"(?!This (function|class|method|module)|(Return|Get|Set|Give|Make|Read|Write|Create)s |"
    r"Return |(.|\n)*\b[Yy]our?\b)\S"
)
"""How a docstring begins: with what is given back ("The area …") or what is done ("Write …")."""


def test_docstrings_are_of_one_manner():
    """The first paragraph is a sentence: neither "Return …" nor "This function …", its
    reader is not spoken to, a full stop.
    """
    offences = []
    for file in sources().values():
        for node in ast.walk(tree(file)):
            if isinstance(
                node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Module
            ) and (said := ast.get_docstring(node)):
                first = said.split("\n\n")[0]
                if not MANNER.match(first) or first[-1] not in ".:…?":
                    offences.append(f"{where(file, getattr(node, 'lineno', 1))}: {first!r}")
    assert not offences, "\n".join(offences)


PROPER = (
    *("COCO", "CSV", "CVAT", "Create ML", "Darknet", "ImageNet", "KITTI", "Keras"),
    *("Label Studio", "LabelMe", "OpenVINO", "Pascal VOC", "VIA", "YOLO"),
)
"""Names that are written with a capital wherever they stand."""


def first_words(node: ast.expr) -> str:
    """The text that a message begins with, as far as it stands in the code; empty where it is
    computed.
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case ast.BinOp(left=left):
            return first_words(left)
    return ""


def test_messages_are_of_one_manner():
    """They stand behind the program's name and a colon, and so begin with a small letter."""
    ours = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    offences = [
        f"{where(file, node.lineno)}: {begun[:60]!r}"
        for file in sources().values()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ours
        and node.args
        and (begun := first_words(node.args[0]))[:1].isupper()
        and not begun.startswith(PROPER)
    ]
    assert not offences, "\n".join(offences)


# === tests ===


def test_the_table_of_slow_tests_names_tests():
    """A row whose test is gone or renamed marks nothing."""
    lines = (ROOT / "tests/slow.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split(maxsplit=2) for line in lines[1:]]
    assert {mark for mark, _, _ in rows} <= {"slow", "weekly"}
    gone = []
    for _, _, test in rows:
        file, *way = test.split("[")[0].split("::")
        there = (
            {name for name, _ in functions(tree(ROOT / file).body)}
            if (ROOT / file).is_file()
            else ()
        )
        module = file.removesuffix(".py").replace("/", ".")
        if ".".join(way).removeprefix(f"{module}.") not in there:  # a doctest says its module
            gone.append(test)
    assert not gone, f"take these out of tests/slow.txt, or give their new names: {gone}"


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
        known = [number for number in measured["metrics"].values() if number is not None]
        assert known
        assert all(0 <= number <= 1 for number in known)


# === dependencies ===

PACKAGE_OF = {
    "ai_edge_litert": "ai-edge-litert",
    "ai_edge_quantizer": "ai-edge-quantizer",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "tomli_w": "tomli-w",
    "yaml": "pyyaml",
    "faster_coco_eval": "faster-coco-eval",
    "prometheus_client": "prometheus-client",
}

ROOM_OF_AN_EXTRA = {"serving": "serve"}
"""Folder → the extra that it is all about: only the command that needs it imports it."""


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
    offences = []
    for name, file in sources().items():
        extra = ROOM_OF_AN_EXTRA.get(".".join(name.split(".")[1:2]), "")
        own = declared(*extras[extra]) if extra else set()
        offences += undeclared(file, plain | own, offered)
    for file in (ROOT / "tests").glob("*.py"):
        offences += undeclared(file, plain | declared(*extras["test"]), set())
    assert not offences, "pyproject.toml does not declare these:\n" + "\n".join(offences)
