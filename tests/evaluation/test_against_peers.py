"""`benchmarks/against_peers.py`: what peers find is read as they mean it, and the tables say what
was measured.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cvtasks.formats.coco_names import COCO_NAMES
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import cells

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def contestants(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("contestants")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("accuracy_and_time")


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("boards")


def test_a_benchmark_without_its_data_says_where_they_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    data_folder = importlib.import_module("compare").data_folder
    monkeypatch.setenv("CVTASKS_DATA", str(tmp_path))
    assert data_folder("nuclei") == tmp_path / "nuclei"
    monkeypatch.setenv("CVTASKS_DATA", str(tmp_path / "gone"))
    with pytest.raises(SystemExit, match="gone', which is no folder"):
        data_folder()
    monkeypatch.delenv("CVTASKS_DATA")
    with pytest.raises(SystemExit, match="CVTASKS_DATA names; it is not set"):
        data_folder()


# === what peers find ===

SIZE, SIDE = (60, 120), 96  # of the image, of the network's input
TRUTH = np.array([[10.0, 5, 50, 45], [60, 20, 110, 58]], np.float32)


def placed(corner: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both boxes on the network's input, and the cell of the coarsest map in which each has its
    centre: its number among all cells, and its upper left corner.
    """
    boxes = Letterbox(SIZE, (SIDE, SIDE), corner).boxes_to_input(TRUTH)
    centres, sizes = cells((SIDE, SIDE), (8, 16, 32))
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (np.abs(centres[None] - middle[:, None]) < 16).all(axis=2) & (sizes[:, 0] == 32)
    owner = inside.argmax(axis=1)
    return boxes, owner, centres[owner] - 16


def test_what_yolox_finds_is_read(contestants: ModuleType) -> None:
    boxes, owner, corner = placed("corner")
    output = np.zeros((len(cells((SIDE, SIDE), (8, 16, 32))[0]), 5 + len(COCO_NAMES)), np.float32)
    middle, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    output[owner, :4] = np.concatenate([(middle - corner) / 32, np.log(sides / 32)], axis=1)
    output[owner, 4], output[owner, [5, 6]] = 0.8, 0.5
    found = contestants._yolox_output(output, SIDE, SIZE)
    np.testing.assert_allclose(found.xyxy[np.argsort(found.labels)], TRUTH, atol=1e-3)
    assert sorted(found.names) == ["bicycle", "person"]
    np.testing.assert_allclose(found.scores, 0.4)


def test_what_yolo11_finds_is_read(contestants: ModuleType) -> None:
    boxes, owner, _ = placed("centre")
    output = np.zeros((4 + len(COCO_NAMES), len(cells((SIDE, SIDE), (8, 16, 32))[0])), np.float32)
    middle, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    output[:4, owner] = np.concatenate([middle, sides], axis=1).T
    output[[4, 5], owner] = 0.7, 0.6
    found = contestants._yolo11_output(output, SIDE, SIZE)
    assert found.names == ("person", "bicycle")
    np.testing.assert_allclose(found.xyxy, TRUTH, atol=1e-3)


def test_multiply_adds_are_counted(contestants: ModuleType) -> None:
    from openvino import opset13 as ops

    def kernel(*shape: int) -> Any:
        return ops.constant(np.zeros(shape, np.float32))

    image = ops.parameter([1, 3, 8, 8], np.float32)
    strides = [2, 2], [1, 1], [1, 1], [1, 1]
    first = ops.convolution(image, kernel(6, 3, 3, 3), *strides)  # 6 × 4 × 4, of 27 each
    depth = ops.group_convolution(first, kernel(6, 1, 1, 3, 3), [1, 1], *strides[1:])  # of 9 each
    flat = ops.reshape(depth, ops.constant(np.array([1, 96])), False)
    dense = ops.matmul(flat, kernel(10, 96), False, True)
    from openvino import Model

    assert contestants.multiply_adds(Model([dense], [image])) == 96 * 27 + 96 * 9 + 10 * 96


def test_yolox_scores_what_is_known_of_it(
    contestants: ModuleType, boards: ModuleType, cvtasks_data: Path, tmp_path: Path
) -> None:
    """On the 485 images, by the file that others gave; .7805 and .519 were measured by another
    program's predictions.
    """
    file = cvtasks_data / "peers/yolox_nano.onnx"
    one = next(
        one
        for one in contestants.yolox(file)
        if (one.runtime, one.precision, one.size) == ("OpenVINO", "f32", 416)
    )
    board = boards.BOARDS[0]
    scored = board.scored(one, board.opened(cvtasks_data), tmp_path / "found.jsonl")
    assert scored.numbers["images"] == 485
    assert scored.numbers["metrics"]["VOC2012 area AP@0.5"] == pytest.approx(0.7805, abs=0.002)
    assert scored.numbers["metrics"]["COCO AP"] == pytest.approx(0.519, abs=0.002)


# === what is said of it ===


def row(name: str, ours: bool, precision: str, score: float, ms: float) -> dict[str, Any]:
    metrics = {"VOC2012 area AP@0.5": score, "COCO AP": score / 2}
    interval = {"VOC2012 area AP@0.5": [score - 0.1, score + 0.1]}
    return {
        "name": name,
        "size": 320,
        "runtime": "R",
        "precision": precision,
        "task": "detect",
        "bytes": 3_600_000,
        "ours": ours,
        "scores": {"detect-voc": {"metrics": metrics, "intervals": interval, "images": 4}},
        "ms": {"network": [ms - 1, ms, ms + 1], "whole": [ms, ms + 2, ms + 3]},
        "timed": "1 May 2026",
        "multiply_adds": 540_000_000,
    }


def results(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{row['name']} {row['precision']}": row for row in rows}


def test_the_front_names_peers_that_are_better_and_quicker(tables: ModuleType) -> None:
    found = results(
        row("mine", True, "f32", 0.7, 20.0),
        row("mine", True, "bf16", 0.7, 9.0),
        row("both", False, "f32", 0.8, 10.0),
        row("worse", False, "f32", 0.6, 5.0),
        row("slower", False, "f32", 0.9, 30.0),
        row("both", False, "bf16", 0.8, 6.0),
    )
    assert list(tables.front(found)) == [
        "mine f32: better and quicker: both f32",
        "mine bf16: better and quicker: both bf16",
    ]
    assert list(tables.front(results(row("mine", True, "f32", 0.7, 20.0)))) == [
        "mine f32: on the front"
    ]


def test_the_bounds_compare_with_the_model_before(tables: ModuleType) -> None:
    found = results(
        row("old", True, "f32", 0.7, 20.0),
        row("old", True, "bf16", 0.7, 10.0),
        row("new", True, "f32", 0.7, 8.0),
        row("new", True, "bf16", 0.7, 7.0),
        row("peer", False, "f32", 0.7, 1.0),
    )
    assert list(tables.bounds(found, ["some/old"])) == [
        "new f32: 0.40 of the time of old (at most 0.45): as wanted",
        "new bf16: 0.70 of the time of old (at most 0.45): TOO SLOW",
    ]


def test_a_page_is_written_between_its_markers(tables: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n\n<!-- detect -->\nold\n<!-- end -->\n\n<!-- front -->\n<!-- end -->\n"
    )
    untimed = row("peer", False, "f32", 0.8, 10.0)
    del untimed["ms"], untimed["timed"]
    found = results(row("mine", True, "f32", 0.71, 20.0), untimed)
    tables.write_page(page, found)
    text = page.read_text()
    assert text.startswith("before\n\n<!-- detect -->\n\n| model |")
    assert "old" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in rows[1:]] == ["| peer", "| **mine**"]  # the best first
    assert "| R f32 | .710 [.610, .810] | – | .355 |" in rows[2]
    assert rows[2].endswith("| 20.0 | 19.0–21.0 | 22.0 | 1.00 | 0.54 | 3.6 |")
    assert rows[1].endswith("| – | – | – | – | 0.54 | 3.6 |")
    assert "![" in text and (tmp_path / "page.svg").read_bytes().count(b"<svg") == 1
    tables.write_page(page, found)
    assert page.read_text() == text
