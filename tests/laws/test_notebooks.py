"""The notebooks of `examples/`: they run from the first cell to the last, and what is committed of
their outputs is small and clean.
"""

import json
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
MOST = 500_000  # bytes of a notebook with its outputs

# Runs the cells of each notebook in one namespace, as a kernel does, without needing one: no
# sockets, no time limit for its start; one import of Keras for all.
RUNNER = """
import ast, json, sys

cells = []
for name in sys.argv[1:]:
    cells.append({"cell_type": "name", "source": name})
    cells += json.load(open(name, encoding="utf-8"))["cells"]
for number, cell in enumerate(cells):
    if cell["cell_type"] == "name":
        namespace = {}
        print("begun:", cell["source"], file=sys.stderr)
    if cell["cell_type"] == "code":
        body = ast.parse("".join(cell["source"]), f"cell {number}").body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), f"cell {number}", "exec"), namespace)
        shown = None
        if last:
            shown = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), namespace)
        if hasattr(shown, "_repr_png_"):
            assert shown._repr_png_()[:4] == bytes([137]) + b"PNG", f"cell {number} shows no image"
        print(f"cell {number} done", file=sys.stderr)
"""


def cells(name: str) -> list[dict]:
    """The notebook's code cells."""
    notebook = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS == [
        "1-convolution-and-pooling.ipynb",
        "2-local-and-moved.ipynb",
        "3-lenet-to-resnet.ipynb",
        "4-small-filters.ipynb",
        "5-feature-maps.ipynb",
        "train-your-own.ipynb",
    ]


@pytest.mark.parametrize("which", ["lectures", "train-your-own"])
def test_it_runs_from_the_first_cell_to_the_last(run_python, tmp_path: Path, which: str) -> None:
    """The lectures' notebooks one after the other in one process."""
    own = [name for name in NOTEBOOKS if (which == "lectures") == name[0].isdigit()]
    files = [EXAMPLES / name for name in own]
    done = run_python("-c", RUNNER, *files, env={"TMPDIR": str(tmp_path)}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    if which == "train-your-own":
        score = float(re.search(r"VOC2012 area AP@0.5: (\d\.\d+)", done.stdout)[1])
        assert score > 0.5  # it has learned what it was shown
        return
    right = int(re.search(r"right: (\d+) of 10", done.stdout)[1])
    assert right >= 8
    differences = re.findall(r"largest difference: (\S+)", done.stdout)
    assert len(differences) == 2 and max(map(float, differences)) < 1e-3
    for line in ("moved along: True", "parameters: 760", "[5, 5]", "225 connections"):
        assert line in done.stdout, line


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_outputs_are_small_and_its_own(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(text.encode()) < MOST
    assert not re.search(
        r"/(home|root|work|tmp|Users)/", text
    )  # no path of the machine that it ran on
    code = cells(name)
    assert [cell["execution_count"] for cell in code] in (
        [None] * len(code),
        list(range(1, len(code) + 1)),
    )
    for cell in code:
        assert all(
            output["output_type"] != "error" and output.get("name") != "stderr"
            for output in cell["outputs"]
        )


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_leaves_no_line_too_long_for_a_page(name: str) -> None:
    for cell in cells(name):
        assert max(map(len, "".join(cell["source"]).splitlines())) <= 127
