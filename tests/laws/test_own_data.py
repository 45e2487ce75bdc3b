"""The road of docs/own-data.md, from a labelled folder to a model, walked word for word."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
SIDE = 96  # pixels of an image
COLOURS = {"bolt": (40, 40, 220), "nut": (220, 160, 30)}  # blue, green, red


def blocks(text: str) -> list[str]:
    """What stands between ```sh and ```."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, list[dict[str, object]]]:
    """An image, BGR, of one to three parts that do not touch, and LabelMe's shapes of them."""
    ground = rng.integers(60, 200, (4, 4, 3)).astype(np.uint8)
    image = cv2.resize(ground, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    shapes: list[dict[str, object]] = []
    for column in rng.permutation(3)[: rng.integers(1, 4)]:
        name = ("bolt", "nut")[rng.integers(2)]
        width, height = map(int, rng.integers(18, 30, 2))
        x, y = int(column) * 32 + 1, int(rng.integers(1, SIDE - height - 1))
        if name == "bolt":
            cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), COLOURS[name], -1)
        else:
            middle, axes = (x + width // 2, y + height // 2), (width // 2, height // 2)
            cv2.ellipse(image, middle, axes, 0, 0, 360, COLOURS[name], -1)
        shapes.append(
            {
                "label": name,
                "points": [[x, y], [x + width, y + height]],
                "group_id": None,
                "description": "",
                "shape_type": "rectangle",
                "flags": {},
                "mask": None,
            }
        )
    return image, shapes


def a_newcomers_folders(root: Path) -> None:
    """`my-photos` with LabelMe's JSON beside the images, `new-photos` without, and `clip.mp4`."""
    rng = np.random.default_rng(0)
    for folder, count in {"my-photos": 24, "new-photos": 8}.items():
        (root / folder).mkdir()
        for number in range(count):
            image, shapes = drawn(rng)
            file = root / folder / f"IMG_{1004 + 7 * number}.jpg"
            cv2.imwrite(str(file), image)
            if folder == "my-photos":
                document = {
                    "version": "5.5.0",
                    "flags": {},
                    "shapes": shapes,
                    "imagePath": file.name,
                    "imageData": None,
                    "imageHeight": SIDE,
                    "imageWidth": SIDE,
                }
                file.with_suffix(".json").write_text(json.dumps(document, indent=2))
    clip = cv2.VideoWriter(
        str(root / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (SIDE, SIDE)
    )
    for _ in range(5):
        clip.write(drawn(rng)[0])
    clip.release()


def path_with_ours(root: Path) -> str:
    """A PATH on which `cvtasks` is this one, whatever else is installed."""
    program = root / "bin" / "cvtasks"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cvtasks "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def test_the_road_is_walked_word_for_word(tmp_path: Path, run_python: Callable) -> None:
    if not shutil.which("bash"):
        pytest.skip("the page's commands are for a shell")
    road = tmp_path / "road"
    road.mkdir()
    a_newcomers_folders(road)
    before = {file: file.read_bytes() for file in sorted((road / "my-photos").iterdir())}
    path, said = path_with_ours(tmp_path), []
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        words = ["bash", "-e", "-u", "-c", block]
        done = run_python(
            "-c", f"import os; os.execvp('bash', {words!r})", cwd=road, env={"PATH": path}
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        said.append(done.stdout + done.stderr)
    everything = "\n".join(said)
    assert "data: LabelMe JSON, my-photos, 24 images" in said[0]
    assert "Traceback" not in everything and "Warning" not in everything
    # what the page sends its reader to
    for made in (
        *("look/samples.png", "splits/val.txt", "splits/test.txt", "report/report.html"),
        *("runs/first/report.html", "runs/first/curves.png", "runs/longer/weights.safetensors"),
        *("review/review.html", "review/review.csv", "worth/review.html"),
        *("new-photos/IMG_1004.json", "outputs/detect/clip.mp4", "found"),
    ):
        assert (road / made).exists(), made
    assert len(list((road / "outputs" / "detect").glob("IMG_*.jpg"))) == 8
    assert {file: file.read_bytes() for file in sorted((road / "my-photos").iterdir())} == before


def test_every_command_of_the_page_is_in_a_block_that_is_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    run = "".join(blocks(text))
    assert set(re.findall(r"^```(\w*)$", text, re.MULTILINE)) == {"sh", ""}
    assert all(line.startswith("cvtasks ") for line in run.splitlines())
    steps = re.split(r"^## \d\. ", text, flags=re.MULTILINE)[1:]
    assert steps and all(blocks(step) for step in steps)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8")))
def test_links_lead_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()
