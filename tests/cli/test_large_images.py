"""Large images on the command line: tiles, strips, the limit of pixels, and several looks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.cli import _with_values
from cvtasks.media.images import read_image

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photograph-like image of 800 × 700 pixels as TIFF and as PNG."""
    place, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70, 80, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    Image.fromarray(pixels).save(place / "large.tif", compression="tiff_lzw")
    Image.fromarray(pixels).save(place / "large.png")
    return place


@pytest.mark.parametrize(("task", "side"), [("detect", 416), ("segment", 320)])
def test_tiles_are_said_with_their_price_and_the_answer_is_about_the_whole(
    cli: Cli, large: Path, tmp_path: Path, task: str, side: int
) -> None:
    photo, width, height = tmp_path / "photo.png", side * 5 // 2, side * 35 // 16
    Image.open(large / "large.png").resize((width, height)).save(photo)
    code, out, err = cli(task, photo, "--tiles", "auto", "--json", "--threshold", 0, "-o", tmp_path)
    assert code == 0, err
    assert f"9 tiles of {side}x{side} and the whole, reduced: 10 times the network's time" in err
    record = json.loads(out)
    assert (record["width"], record["height"]) == (width, height)
    assert read_image(tmp_path / "photo.jpg").shape == (height, width, 3)
    code, _, err = cli(task, photo, "--tiles", "1100x1100", "-o", tmp_path)
    assert code == 0
    assert "times" not in err


def test_what_is_beyond_the_usual_limit_is_read_by_strips_and_drawn_smaller(
    cli: Cli, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cli("detect", large / "large.tif", "--tiles", "auto", "--json", "-o", tmp_path)
    monkeypatch.setattr("cvtasks.media.strips.MAX_PIXELS", 100_000)
    monkeypatch.setattr("cvtasks.media.strips.OVERVIEW", 400)
    again = cli(
        *("detect", large / "large.tif", "--tiles", "auto", "--json", "--threshold", 0.05),
        *("--save", "image,crops", "-o", tmp_path / "strips"),
    )
    assert whole[0] == again[0] == 0, again[2]
    assert "read by strips, drawn at 400 x 350 pixels" in again[2]
    assert read_image(tmp_path / "strips" / "large.jpg").shape == (350, 400, 3)
    boxes = json.loads(again[1])["boxes"]
    assert len(list((tmp_path / "strips").iterdir())) == 1 + len(boxes)
    code, _, err = cli("detect", large / "large.png", "--tiles", "auto", "-o", tmp_path)
    assert code == 0
    assert "read as a whole" in err


def test_a_limit_of_pixels_is_an_option_and_the_error_names_it(
    cli: Cli, large: Path, tmp_path: Path
) -> None:
    code, _, err = cli("detect", large / "large.png", "--most-pixels", 1000, "-o", tmp_path)
    assert code == 3
    assert "at most 1,000 pixels" in err
    assert "--most-pixels N" in err


@pytest.mark.parametrize("task", ["classify", "localize"])
def test_tasks_about_the_whole_image_refuse_tiles(
    cli: Cli, large: Path, tmp_path: Path, task: str
) -> None:
    code, _, err = cli(task, large / "large.png", "--tiles", "auto", "-o", tmp_path)
    assert code == 2
    assert f"{task} answers about the image as a whole" in err


def test_tiles_that_cannot_be_are_refused_before_anything_is_read(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("detect", "nowhere.jpg", "--tiles", "12x", "-o", tmp_path)
    assert code == 2
    assert "HEIGHTxWIDTH" in err


@pytest.mark.parametrize("task", ["classify", "detect", "localize", "segment"])
def test_images_are_looked_at_in_several_sizes(
    cli: Cli, large: Path, tmp_path: Path, task: str
) -> None:
    photo = large / "large.png"
    code, out, err = cli(task, "--augment", "flip,scales", photo, "--json", "-o", tmp_path)
    assert code == 0, err
    assert json.loads(out)["task"] == task
    code, _, err = cli(task, "--augment=scalse", photo, "-o", tmp_path)
    assert code == 2
    assert "averaged over" in err


def test_an_option_alone_has_its_usual_value() -> None:
    assert _with_values(["--augment", "a.jpg", "--show"]) == [
        "--augment=flip",
        "a.jpg",
        "--show=auto",
    ]
    assert _with_values(["--augment", "scales", "--tta", "--", "--show"]) == [
        *("--augment", "scales", "--tta=flip", "--", "--show")
    ]
