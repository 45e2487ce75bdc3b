"""The code beside an exported file runs, and tells what the model finds."""

import ast
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from cvtasks.engines.openvino_engine import core, ov
from cvtasks.export.decoding.join import answering_onnx
from cvtasks.export.samples import SAMPLES, Told, samples
from cvtasks.recipe.recipe import Recipe
from tests.export.test_decoding import SIZE, onnx_network, recipe_of, some_output

HOSTILE = ('it\'s "quoted" \\ ```', "$cow @FILE@ @TOP@", "猫")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 256, (48, 90, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    return tmp_path / "photo.png"


def code_of(told: Told, language: str) -> str:
    [found] = [code for sample, code in samples(told) if sample.language == language]
    assert not re.search(r"@[A-Z]+@", found.replace("$cow @FILE@ @TOP@", ""))
    return found


def told_by(code: str, words: list[str], folder: Path, monkeypatch, capsys) -> list[str]:
    """The lines that a Python sample prints, run within this process."""
    (folder / "sample.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["sample.py", *words])
    capsys.readouterr()
    runpy.run_path(str(folder / "sample.py"), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def with_classes(recipe: Recipe, classes: tuple[str, ...]) -> Recipe:
    return recipe.with_task(recipe.task, classes)


def test_python_tells_the_boxes_in_pixels_of_the_image(
    tmp_path: Path, photo: Path, monkeypatch, capsys
) -> None:
    recipe = with_classes(recipe_of("yolox"), HOSTILE)
    output = some_output(recipe, np.random.default_rng(5), 0.02)
    threshold = recipe.task.threshold
    joined = answering_onnx(onnx_network(output), recipe, threshold)
    onnx.helper.set_model_props(joined, {"classes": json.dumps(HOSTILE)})
    onnx.save(joined, str(tmp_path / "model.onnx"))
    code = code_of(Told("model.onnx", "onnx", recipe, decoded=True), "python")
    lines = told_by(code, [str(photo)], tmp_path, monkeypatch, capsys)
    wanted = recipe.head.decode(output, recipe.letterbox((48, 90)), HOSTILE, threshold)
    assert len(wanted) >= 3
    # suppression knows the edges of the input, and not those of the image: another may be left
    for name, score, box in zip(wanted.names, wanted.scores, wanted.xyxy, strict=True):
        near = [
            line
            for line in lines
            if line.startswith(f"{name} {round(float(score), 3)} ")
            and np.allclose(ast.literal_eval(line[line.rindex("[") :]), box, atol=0.06)
        ]
        assert near, f"{name} {score} {box} is not among {lines}"
    assert len(lines) <= len(wanted) + 2


@pytest.mark.parametrize("size", [(2 * SIZE - 1, 2 * SIZE), (3 * SIZE, SIZE), (SIZE, SIZE - 1)])
def test_python_gives_the_network_what_the_model_gives_it(
    size: tuple[int, int], tmp_path: Path, monkeypatch
) -> None:
    """Also where only a rounded side is below half of the image's."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), image[:, :, ::-1])
    recipe = recipe_of("yolox")
    code = code_of(Told("model.onnx", "onnx", recipe, decoded=True), "python")
    scaling = code.partition("network = ")[0].replace("import onnxruntime", "")
    monkeypatch.setattr(sys, "argv", ["sample.py", str(tmp_path / "photo.png")])
    (tmp_path / "sample.py").write_text(scaling, encoding="utf-8")
    placed = runpy.run_path(str(tmp_path / "sample.py"))["placed"]
    assert np.array_equal(placed[0], recipe.letterbox(size).to_input(image))


def test_python_by_openvino_tells_names_and_shapes_or_shares(
    tmp_path: Path, photo: Path, monkeypatch, capsys
) -> None:
    recipe = with_classes(recipe_of("segment"), HOSTILE)
    output = np.zeros((SIZE, SIZE, 3), np.float32)
    output[:, :32, 2] = output[:, 32:, 0] = 1
    network = onnx_network(output)
    ov.save_model(core().read_model(network.SerializeToString()), str(tmp_path / "model.xml"))
    code = code_of(Told("model.xml", "openvino", recipe, decoded=False), "python")
    lines = told_by(code, [str(photo)], tmp_path, monkeypatch, capsys)
    assert lines == ["output (1, 64, 64, 3) float32"]
    joined = answering_onnx(network, recipe, 0.0)
    ov.save_model(core().read_model(joined.SerializeToString()), str(tmp_path / "model.xml"))
    code = code_of(Told("model.xml", "openvino", recipe, decoded=True), "python")
    lines = told_by(code, [str(photo)], tmp_path, monkeypatch, capsys)
    assert lines == [f"{HOSTILE[0]} 0.5", f"{HOSTILE[2]} 0.5"]


def test_every_sample_says_whether_it_is_run_and_numbers_fit_the_placement() -> None:
    assert all(sample.tried for sample in SAMPLES)
    recipe = recipe_of("dense")
    corner = Recipe(**{**vars(recipe), "placement": "corner"})
    assert "left = int((64 - width) / 2)" in code_of(
        Told("m.onnx", "onnx", recipe, False), "python"
    ).replace("top, left = int((64 - height) / 2), int", "left = int")
    assert "top, left = int(0), int(0)" in code_of(Told("m.onnx", "onnx", corner, False), "python")
    kotlin = code_of(Told("m.tflite", "litert", with_classes(recipe, HOSTILE), False), "kotlin")
    assert "\\$cow" in kotlin
    assert not samples(Told("m", "keras", recipe, False))


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize(
    ("case", "decoded"), [("dense", True), ("segment", True), ("dense", False)]
)
def test_javascript_is_well_formed(case: str, decoded: int, tmp_path: Path) -> None:
    recipe = with_classes(recipe_of(case), HOSTILE)
    file = tmp_path / "sample.mjs"
    file.write_text(
        code_of(Told("model.onnx", "onnx", recipe, bool(decoded)), "js"), encoding="utf-8"
    )
    done = subprocess.run(["node", "--check", file], capture_output=True, text=True)
    assert not done.returncode, done.stderr


HEADERS = next(
    (
        one
        for one in ("/usr/include/opencv4", "/usr/local/include/opencv4")
        if Path(one, "opencv2/dnn.hpp").exists()
    ),
    "",
)


@pytest.mark.skipif(
    not (HEADERS and shutil.which("g++")), reason="g++ and OpenCV's headers are not installed"
)
def test_cpp_compiles(tmp_path: Path) -> None:
    """All kinds of it, in one go: OpenCV's headers take seconds."""
    parts = []
    for number, (case, decoded) in enumerate([("dense", 1), ("segment", 1), ("localize", 0)]):
        recipe = with_classes(recipe_of(case), HOSTILE)
        code = code_of(Told("model.onnx", "onnx", recipe, bool(decoded)), "cpp")
        parts.append(code.replace("int main(", f"int main{number}("))
    source = tmp_path / "samples.cpp"
    source.write_text("\n".join(parts), encoding="utf-8")
    command = ["g++", "-fsyntax-only", "-Wall", f"-I{HEADERS}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode and not re.findall("warning: (?!no return)", done.stderr), (
        done.stderr
    )
