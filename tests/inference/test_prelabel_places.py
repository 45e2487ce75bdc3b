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

from cvtasks.answers import Boxes, Instances, Labels, Mask
from cvtasks.data import open_source
from cvtasks.errors import CVTasksError
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


def answered(kind: str) -> Any:
    """A model that finds the same on all images, for one kind of answers."""
    model = Stub()
    box = np.zeros(SIZE, bool)
    box[4:30, 3:20] = True
    answers: dict[str, Any] = {
        "detect": Boxes.of([[3, 4, 20, 30]], [0], ("cat",), SIZE),
        "segment": Mask(box.astype(np.uint8), ("background", "cat")),
        "instances": Instances.of([box], [0], ("cat",), SIZE),
    }
    answer = answers[kind]
    model.recipe = SimpleNamespace(task=TASKS[kind].task(), classes=answer.classes)
    model.predict_many = lambda images, threshold=None: ((t, i, answer) for t, i in images)  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize(
    ("kind", "to"),
    [
        ("detect", "labelme"),
        ("detect", "voc"),
        ("segment", "labelme"),
        ("segment", "masks"),
        ("instances", "labelme"),
        ("instances", "masks"),
    ],
)
@pytest.mark.parametrize("own", [(), ("top.png",)])
def test_folders_below_are_read_again(
    kind: str, to: str, own: tuple[str, ...], tmp_path: Path
) -> None:
    names = ["2024/a.png", "2024/b.png", "2025/deep/a.png", *own]
    drawn(*(tmp_path / name for name in names))
    model = answered(kind)
    source = [str(tmp_path / "**" / "*.png")]
    prelabel(model, list(expand(source)), tmp_path, to, root=root_of(source), scores=False)
    task = TASKS[kind].task()
    read = open_source(str(tmp_path), "", task.answer)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in read.files) == sorted(names)
    assert read.classes == model.recipe.classes and not read.notes
    for index in range(len(read)):
        truth = read.truth(index)
        if isinstance(truth, Mask):
            assert truth.ids[10, 10] == 1 and truth.ids[0, 0] == 0
        else:
            assert isinstance(truth, Boxes) and truth.names == ("cat",)
            np.testing.assert_allclose(truth.xyxy, [[3, 4, 20, 30]], atol=1)


def test_a_mask_that_is_missing_below_is_told_by_its_own_place(tmp_path: Path) -> None:
    names = ["a.png", "sub/b.png", "sub/in/c.png", "sub/in/d.png"]
    drawn(*(tmp_path / name for name in names))
    source = [str(tmp_path / "**" / "*.png")]
    prelabel(answered("segment"), list(expand(source)), tmp_path, "masks", root=root_of(source))
    (tmp_path / "sub/in/d_mask.png").unlink()
    told: list[CVTasksError] = []
    assert len(open_source(str(tmp_path), "", Mask, told.append)) == 3
    assert any(f"{tmp_path / 'sub/in/d_mask.png'}. Add" in str(one) for one in told), told


def test_labelme_of_deep_images_is_read_from_elsewhere(tmp_path: Path) -> None:
    drawn(tmp_path / "photos/2024/a.png", tmp_path / "photos/2025/a.png")
    label([str(tmp_path / "photos/**/*.png")], tmp_path / "out", "labelme")
    read = open_source(str(tmp_path / "out"), "", Boxes)
    assert len(read) == 2 and read.classes == ("cat",)


@pytest.mark.parametrize("more", ["old", "train"])
def test_folders_below_that_are_no_part_of_the_data_stay_out(more: str, tmp_path: Path) -> None:
    """Files without their images, and any folders beside splits, are told and not read."""
    drawn(tmp_path / "a.png")
    label([str(tmp_path)], tmp_path, "labelme")
    (tmp_path / more).mkdir()
    (tmp_path / more / "b.json").write_bytes((tmp_path / "a.json").read_bytes())
    if more == "train":
        drawn(tmp_path / "train/b.png", tmp_path / "other/c.png")
        (tmp_path / "train/b.json").write_bytes(
            (tmp_path / "a.json").read_bytes().replace(b"a.png", b"b.png")
        )
        (tmp_path / "other/c.json").write_bytes(
            (tmp_path / "a.json").read_bytes().replace(b"a.png", b"c.png")
        )
    read = open_source(str(tmp_path), "", Boxes)
    assert len(read) == 1
    assert any(
        "were not read" in note and ("other/" in note or "old/" in note) for note in read.notes
    )


def test_folders_of_classes_stay_classes_beside_files_of_labelme(tmp_path: Path) -> None:
    drawn(*(tmp_path / name for name in ("cat/a.png", "dog/b.png")))
    label([str(tmp_path / "**/*.png")], tmp_path, "labelme")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert open_source(str(tmp_path), "", Labels).format == "class folders"
