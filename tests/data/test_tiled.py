"""Large images cut into tiles to train on."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Mask, Sample
from cvtasks.data import open_source
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.data.splits import splits_for
from cvtasks.data.tiled import Tiled, cut, tiles_words, whole
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.errors import ModelError
from cvtasks.geometry.tiles import Tiles
from cvtasks.recipe.data_table import Data
from cvtasks.recipe.recipe import parse_recipe, read_recipe

SIZES = [(300, 420), (100, 90), (120, 500)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A YOLO data set of three images a split, with white boxes on black."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number, (height, width) in enumerate(SIZES):
            image = rng.integers(0, 40, (height, width, 3), dtype=np.uint8)
            lines = []
            for _ in range(6):
                x, y = int(rng.integers(0, width - 20)), int(rng.integers(0, height - 20))
                image[y : y + 20, x : x + 20] = 255
                numbers = (x + 10) / width, (y + 10) / height, 20 / width, 20 / height
                lines.append("0 " + " ".join(f"{one:.6f}" for one in numbers))
            for folder, content in (("images", None), ("labels", "\n".join(lines))):
                place = tmp_path / folder / split
                place.mkdir(parents=True, exist_ok=True)
                if content is None:
                    cv2.imwrite(str(place / f"{number}.png"), image)
                else:
                    (place / f"{number}.txt").write_text(content)
    (tmp_path / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames: [box]\n"
    )
    return tmp_path


def document(photos: Path, **data: object) -> dict[str, object]:
    return {
        "task": {"name": "detect"},
        "head": {"width": 8, "depth": 0},
        "backbone": "tiny",
        "size": 64,
        "classes": ["box"],
        "data": {"path": str(photos / "data.yaml"), **data},
    }


def test_tiles_show_the_image_and_what_of_its_truth_lies_there(photos: Path) -> None:
    source = open_source(str(photos / "data.yaml"), "train", Boxes)
    tiled = Tiled(source, Tiles((120, 160)), 0.25)
    tiles = [tile for size in SIZES for tile in Tiles((120, 160)).of(size, size)]
    assert len(tiled) == len(tiles) > len(source)
    names = [tiled.name(index) for index in range(len(tiled))]
    assert len(set(names)) == len(names)
    seen = 0
    for index in range(len(tiled)):
        sample = tiled[index]
        assert sample.name == names[index]
        assert sample.truth.content() == tiled.truth(index).content()
        assert isinstance(sample.truth, Boxes)
        assert sample.truth.size == sample.image.shape[:2]
        for left, top, right, bottom in sample.truth.xyxy.round().astype(int):
            assert (sample.image[top:bottom, left:right] > 200).mean() > 0.9
        seen += int(sample.truth.counted.sum())
    assert seen >= 6 * len(source)
    assert whole(tiled) is source
    assert whole(source) is source
    assert tiles_words(source, Tiles((120, 160))).startswith("train: 2 of 3 images are larger")


def test_masks_are_cut_with_their_image() -> None:
    ids = np.random.default_rng(0).integers(0, 2, (90, 130), dtype=np.uint8)

    class Masks(Source):
        kind, classes = Mask, ("background", "a")

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Sample:
            return Sample(ids[..., None].repeat(3, axis=2), Mask(ids, self.classes), "one")

    tiled = Tiled(Masks(), Tiles((64, 64)), 0.25)
    assert len(tiled) == 6
    for index in range(6):
        sample = tiled[index]
        assert isinstance(sample.truth, Mask)
        assert (sample.image[..., 0] == sample.truth.ids).all()


def test_a_recipe_cuts_both_splits_and_says_so(photos: Path) -> None:
    said: list[str] = []
    recipe = parse_recipe(document(photos, tiles=[120, 160]))
    sources = open_sources(recipe, said.append, splits=splits_for(recipe))
    assert isinstance(sources.train, Tiled)
    assert isinstance(sources.validate, Tiled)
    assert sum("larger than a tile of 120x160" in line for line in said) == 2
    assert cut(sources.train, Data()) is sources.train


@pytest.mark.parametrize(
    ("tiles", "words"), [([64], "height, width"), ([8, 64], "32"), ([64, 64, 64], "height, width")]
)
def test_tiles_that_cannot_be_are_refused(photos: Path, tiles: list[int], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        parse_recipe(document(photos, tiles=tiles))


def test_labels_know_no_tiles() -> None:
    table = {"task": {"name": "classify"}, "backbone": "tiny", "size": 64, "classes": ["a", "b"]}
    with pytest.raises(ModelError, match="classify"):
        parse_recipe({**table, "data": {"tiles": [64, 64]}})


def test_data_check_counts_them(cli: Callable[..., tuple[int, str, str]], photos: Path) -> None:
    code, _, err = cli("data", "check", photos / "data.yaml", "--tiles", "120x160")
    assert code == 0, err
    assert err.count("2 of 3 images are larger than a tile of 120x160") == 2
    assert cli("data", "check", photos / "data.yaml", "--tiles", "auto")[0] == 2


def test_a_run_on_tiles_ends_in_a_model_and_goes_on_where_it_was_set_aside(
    cli: Callable[..., tuple[int, str, str]], photos: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    table = document(photos, tiles=[120, 160], validate="", held_out=0.34, workers=0)
    table["train"] = {"epochs": 1, "batch": 4, "weights": ""}
    parse_recipe(table).save(recipe)
    run = tmp_path / "run"
    code, _, err = cli("train", recipe, "-o", run)
    assert code == 0, err
    assert "larger than a tile of 120x160" in err
    names = (run / "validation.txt").read_text().split()
    assert set(names) <= {"0", "1", "2"}, "images are set aside, not tiles"
    photo = photos / "images" / "val" / "0.png"
    code, _, err = cli("detect", photo, "-m", run, "--save", "none", "-o", tmp_path / "o")
    assert code == 0, err
    assert "--tiles 120x160" in err
    code, out, err = cli(
        "evaluate", run, "--data", f"{photos / 'data.yaml'}:val", "--tiles", "120x160", "--json"
    )
    assert code == 0, err
    assert '"tiles": "120x160"' in out
    for name in ("images", "labels", "data.yaml"):
        (tmp_path / "moved").mkdir(exist_ok=True)
        (photos / name).rename(tmp_path / "moved" / name)
    moved = str(tmp_path / "moved" / "data.yaml")
    found = open_to_evaluate(read_recipe(run / "recipe.toml"), run, moved)
    assert found.kept is not None, "the run's own images, by what it noted of them"
    assert {found.source.name(index) for index in found.kept} == set(names)
    cv2.imwrite(found.source.files[found.kept[0]], np.zeros((300, 420, 3), np.uint8))
    other = open_to_evaluate(read_recipe(run / "recipe.toml"), run, moved)
    assert (other.kept, other.split) == (None, "val")
