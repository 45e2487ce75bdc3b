"""Where annotations of a model go, and how they name their images."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.inference.prelabel import prelabel, root_of
from cvtasks.media.sources import expand
from cvtasks.tasks import TASKS

SIZE = (40, 60)


class Stub:
    """A model that finds the same box on all images."""

    recipe: Any = SimpleNamespace(task=TASKS["detect"].task(), classes=("cat",))

    def predict_many(self, images: Any, threshold: float | None = None) -> Iterator[Any]:
        for tag, image in images:
            yield tag, image, Boxes.of([[3, 4, 20, 30]], [0], ("cat",), SIZE, scores=[0.5])


def drawn(*places: Path) -> None:
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (*SIZE, 3), np.uint8)
        cv2.imwrite(str(place), pixels)


def label(sources: list[str], folder: Path, to: str) -> None:
    items = list(expand(sources))
    prelabel(Stub(), items, folder, to, root=root_of(sources))  # type: ignore[arg-type]


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", ["labelme", "yolo"])
@pytest.mark.parametrize("second", ["here/b.png", "here", "here/*.png"])
def test_what_is_typed_with_two_dots_is_written_below_the_folder(
    to: str, second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    drawn(tmp_path / "photos/a.png", work / "here/b.png")
    monkeypatch.chdir(work)
    before = files(tmp_path)
    label(["../photos", second], Path("out"), to)
    made = files(tmp_path) - before
    assert made and all(name.startswith("work/out/") for name in made)
    texts = {"a.json", "b.json"} if to == "labelme" else {"a.png", "b.png", "a.txt", "b.txt"}
    assert texts <= {Path(name).name for name in made}
    for name in made if to == "labelme" else ():
        if name.endswith(".json"):
            way = json.loads((tmp_path / name).read_bytes())["imagePath"]
            assert (tmp_path / name).parent.joinpath(way).resolve().is_file()


def test_two_dots_behind_a_link_mean_the_folder_they_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path / "far/photos/a.png", tmp_path / "photos/wrong.png")
    (tmp_path / "far/deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far/deep")
    monkeypatch.chdir(tmp_path)
    label(["link/../photos"], Path("out"), "labelme")
    way = json.loads(Path("out/a.json").read_bytes())["imagePath"]
    assert Path("out", way).resolve() == tmp_path / "far/photos/a.png"


@pytest.mark.parametrize("home", ["photos", "photos/deep"])
def test_labelme_behind_a_link_finds_its_images(home: str, tmp_path: Path) -> None:
    drawn(tmp_path / home / "a.png", tmp_path / home / "sub/b.png")
    (tmp_path / "far/away/out").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "far/away/out")
    label([str(tmp_path / home / "**" / "*.png")], tmp_path / "out", "labelme")
    found = sorted((tmp_path / "far/away/out").rglob("*.json"))
    ways = [file.parent / json.loads(file.read_bytes())["imagePath"] for file in found]
    assert [os.path.realpath(way) for way in ways] == [
        str(tmp_path / home / "a.png"),
        str(tmp_path / home / "sub/b.png"),
    ]


def test_a_link_to_the_folder_of_the_images_is_that_folder(tmp_path: Path) -> None:
    drawn(tmp_path / "photos/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    label([str(tmp_path / "photos")], tmp_path / "link", "labelme")
    assert json.loads((tmp_path / "photos/a.json").read_bytes())["imagePath"] == "a.png"
