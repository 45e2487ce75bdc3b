"""The layers are the folders: who imports whom, and who may load Keras."""

import ast
import graphlib
from collections.abc import Iterator

import pytest

from tests.laws.source_tree import PACKAGE, ROOT, below, imports, sources, tree, where

LAYERS = (
    "__main__",
    "cli",
    "serving",
    "insight",
    "training",
    "bench",
    "export",
    "evaluation",
    "inference",
    "published",
    "model",
    "zoo",
    "engines",
    "data",
    "recipe",
    "heads",
    "tasks",
    "networks",
    "weights",
    "metrics",
    "formats",
    "answers",
    "drawing",
    "media",
    "geometry",
    "files",
    "schema",
    "text",
    "errors",
)
"""Folders and modules of the root from the top down: each imports itself and what is below it."""

KERAS_SIDE = {"networks", "training", "insight"}
"""Folders whose modules may import Keras with their first line."""

KERAS_PERHAPS = {"evaluation", "engines", "weights", "export"}
"""Folders where a module that imports Keras at its own top is on the Keras side; in all others none
may: a compiled model predicts without it. Nor may any further module load it by detours."""

BACK_ENDS = {"keras", "tensorflow", "jax", "torch"}


def layer(name: str) -> int | None:
    """The number of a module's layer, 0 at the top; None if the table does not know it."""
    room = name.split(".")[1]
    return LAYERS.index(room) if room in LAYERS else None


def on_keras_side(name: str) -> bool:
    """Whether importing the module may load Keras."""
    if name == "cvtasks":
        return False
    room = name.split(".")[1]
    own = (one.target.split(".")[0] for one in imports(sources()[name]) if one.first)
    return room in KERAS_SIDE or (room in KERAS_PERHAPS and not BACK_ENDS.isdisjoint(own))


def parents(name: str) -> list[str]:
    """The packages that Python imports before the module."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def test_every_room_has_a_layer_and_the_list_names_no_other():
    rooms = {name.split(".")[1] for name in sources() if name != "cvtasks"}
    assert rooms <= set(LAYERS), "LAYERS must say where each folder and module of the root belongs"
    assert set(LAYERS) - rooms <= {"heads", "schema"}


def test_the_page_of_the_design_shows_the_same_layers():
    page = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    listed = page.split("```\ncvtasks/\n")[1].split("\nmodels/")[0]
    assert [line.split()[0] for line in listed.splitlines()] == list(LAYERS)


def test_the_root_is_small():
    modules = [file.name for file in PACKAGE.glob("*.py")]
    assert len(modules) <= 8, f"a module belongs into a folder; the root has {sorted(modules)}"


def test_the_companion_of_the_lectures_is_imported_by_commands_alone():
    home = "cvtasks.insight.by_hand"
    door = "cvtasks.insight"  # names what notebooks ask it for, and computes nothing
    found = [
        where(file, one.line)
        for name, file in sources().items()
        if name != door and not below(name, home) and not below(name, "cvtasks.cli")
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


def loading_circle(first: str, wanted: dict[str, list[str]]) -> list[str] | None:
    """The chain of modules that leads back to one still being loaded, if a fresh interpreter
    imports `first` before all others: packages are run before what lies in them, as Python does.
    """
    loaded: set[str] = set()
    chain: list[str] = []

    def load(name: str) -> list[str] | None:
        for one in [*parents(name), name]:
            if one in loaded:
                if one == name and one in chain:
                    return [*chain[chain.index(one) :], one]
                continue
            loaded.add(one)
            chain.append(one)
            for target in wanted[one]:
                if target != one and (found := load(target)):
                    return found
            chain.pop()
        return None

    return load(first)


def test_a_circle_by_way_of_a_package_is_found():
    wanted = {"p": ["p.a"], "p.a": ["q.b"], "q": [], "q.b": ["p.a"]}
    assert loading_circle("q.b", wanted) == ["q.b", "p", "p.a", "q.b"]
    assert loading_circle("q.b", {**wanted, "p": [], "p.a": []}) is None
    assert loading_circle("p.a", {"p": ["p.a"], "p.a": ["p.b"], "p.b": []}) is None
    assert loading_circle("p.b", {"p": ["p.a"], "p.a": ["p.b"], "p.b": ["p"]}) == [
        "p", "p.a", "p.b", "p",
    ]  # fmt: skip


def test_every_module_can_be_the_first_that_is_imported():
    wanted = {
        name: [i.target for i in imports(file) if i.first and i.target in sources()]
        for name, file in sources().items()
    }
    circles = [found for name in wanted if (found := loading_circle(name, wanted))]
    assert not circles, "\n".join(" → ".join(circle) for circle in circles)


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


def loaded_with(name: str, light: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Each module outside the package that `import name` loads, but by those that are `light`, and
    the way there.
    """
    seen, waiting = set(), [(name, [name])]
    while waiting:
        here, way = waiting.pop()
        if here in seen or here in light:
            continue
        seen.add(here)
        if here not in sources():
            yield here, way
            continue
        following = [*parents(here), *(i.target for i in imports(sources()[here]) if i.first)]
        waiting += [(target, [*way, target]) for target in following]


def test_modules_load_no_back_end():
    """Importing them must not load Keras, so that inference on a CPU does not pay for it."""
    heavy, light = dict[str, list[str]](), set[str]()
    for name in sources():
        if on_keras_side(name):
            continue
        ways = [
            " → ".join(way)
            for target, way in loaded_with(name, light)
            if target.split(".")[0] in BACK_ENDS
        ]
        heavy |= {name: ways} if ways else {}
        light |= set() if ways else {name}
    assert len(light) > 100
    assert not heavy, "\n".join(f"{name}: {'; '.join(ways)}" for name, ways in heavy.items())


def test_back_ends_and_click_are_never_imported_by_name():
    forbidden = (BACK_ENDS - {"keras"}) | {"click", "_click"}
    chosen = {
        sources()[f"cvtasks.{name}"]
        # Keras has no gradient of its own, no step or call that waits for nothing, no way to lay a
        # batch on several devices, no batch norm in one operation, and does not tell what a GPU
        # can; formats are made and run by their own libraries
        for name in (
            *("insight.gradients", "training.steps", "training.devices"),
            *("networks.quick_training", "training.quick_updates", "training.half_precision"),
            *("engines.on_device", "engines.onnx_export"),
            *("export.litert", "export.onnx_file", "export.saved_model"),
        )
    }
    offences = [
        f"{where(file, i.line)} imports {i.target}"
        for file in [*sources().values(), ROOT / "cli.py"]
        for i in imports(file)
        if file not in chosen or i.first
        if i.target.split(".")[0] in forbidden or "_click" in i.target.split(".")
    ]
    assert not offences, (
        "Keras chooses the back end, and Typer carries its own Click:\n" + "\n".join(offences)
    )


def test_onnx_runtime_is_told_not_to_report_wherever_it_is_imported():
    """Its thread that reports begins with its import: `onnx_runtime()` comes before."""
    own = PACKAGE / "engines" / "onnx_runtime.py"
    for name, file in sources().items():
        text = file.read_text(encoding="utf-8")
        asked = [line.strip() for line in text.splitlines() if "onnxruntime" in line]
        whole = [one for one in asked if one.startswith("import onnxruntime")]
        parts = [one for one in asked if one.startswith("from onnxruntime")]
        assert file == own or not whole, f"{name} must have it from cvtasks.engines.onnx_runtime"
        assert not parts or "onnx_runtime()\n" in text, f"{name} must call onnx_runtime() before"
