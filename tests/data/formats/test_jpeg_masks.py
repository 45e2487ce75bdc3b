"""Masks of two levels that were saved as JPEG are read, aloud; all others are refused."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.answers import Instances, Mask
from cvtasks.data import Hints, open_source, splits_of
from cvtasks.errors import DataError
from cvtasks.media.two_levels import rounded, upper_level

SIZE = (96, 128)
NOTE = "masks are JPEG files: values were rounded to 0 and {}; borders may be off by a pixel or so"


def jpeg(path: Path, pixels: np.ndarray, quality: int = 75) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def shapes(seed: int, level: int = 255) -> np.ndarray:
    dice, mask = np.random.default_rng(seed), np.zeros(SIZE, np.uint8)
    for _ in range(4):
        centre = int(dice.integers(SIZE[1])), int(dice.integers(SIZE[0]))
        cv2.circle(mask, centre, int(dice.integers(3, 25)), level, -1)
    return mask


def photo(seed: int) -> np.ndarray:
    """Blurred noise, as spread over the levels as a photograph's."""
    noise = np.random.default_rng(seed).normal(0, 1, (*SIZE, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def lay(root: Path, *masks: np.ndarray, quality: int = 75) -> Path:
    for number, mask in enumerate(masks):
        jpeg(root / "images" / f"{number}.jpg", photo(number))
        jpeg(root / "masks" / f"{number}.jpg", mask, quality)
    return root


def of(root: Path, split: str = "", **hints: Any) -> Any:
    return open_source(str(root), split, Mask, hints=Hints(**hints))


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
@pytest.mark.parametrize("level", [100, 128, 200, 255])
def test_masks_of_two_levels_are_read_and_it_is_said(
    level: int, quality: int, tmp_path: Path
) -> None:
    truths = [shapes(seed, level) for seed in range(3)]
    black = np.zeros(SIZE, np.uint8)
    source = of(lay(tmp_path, *truths, black, quality=quality))
    assert source.classes == ("background", "object") and list(source.problems()) == []
    (note,) = [one for one in source.remarks() if "JPEG" in one]
    said = int(note.split(" and ")[1].split(";")[0])
    assert note == NOTE.format(said) and abs(said - level) <= 2
    for index, truth in enumerate([*truths, black]):
        ids = source.truth(index).ids
        assert (ids != truth // level).mean() < 0.004
        edges = cv2.morphologyEx(truth, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
        np.testing.assert_array_equal(ids[~edges], (truth // level)[~edges])


def test_borders_that_were_resized_are_no_level(tmp_path: Path) -> None:
    small = cv2.resize(shapes(1), (61, 47), interpolation=cv2.INTER_LINEAR)
    source = of(lay(tmp_path, cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_LINEAR)))
    assert (source.truth(0).ids != shapes(1) // 255).mean() < 0.05


def test_grey_written_as_colour_and_a_file_of_another_ending(tmp_path: Path) -> None:
    root = lay(tmp_path, np.dstack([shapes(1)] * 3))
    (root / "masks" / "0.jpg").rename(root / "masks" / "0.png")
    assert NOTE.format(255) in of(root).remarks()
    assert (of(root).truth(0).ids != shapes(1) // 255).mean() < 0.004


def test_names_values_and_legends_say_which_classes_they_are(tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1), shapes(2))
    source = of(root, values={"sky": 255, "ground": 0})
    assert source.classes == ("sky", "ground") and NOTE.format(255) in source.notes
    assert (source.truth(0).ids == (shapes(1) == 0)).mean() > 0.99
    (root / "classes.txt").write_text("paper\nink\n", encoding="utf-8")
    assert of(root).classes == ("paper", "ink")
    assert (of(root).truth(0).ids == shapes(1) // 255).mean() > 0.99
    (root / "classes.txt").unlink()
    (root / "classes.csv").write_text("name,value\nland,0\nlake,255\n", encoding="utf-8")
    assert of(root).classes == ("land", "lake") and NOTE.format(255) in of(root).notes
    assert (of(root).truth(1).ids == shapes(2) // 255).mean() > 0.99


def test_masks_beside_their_images_and_in_splits(tmp_path: Path) -> None:
    for number, split in enumerate(["train", "train", "val"]):
        jpeg(tmp_path / split / f"{number}.jpg", photo(number))
        jpeg(tmp_path / split / f"{number}_mask.jpg", shapes(number))
    assert splits_of(str(tmp_path), Mask) == ("train", "val")
    assert len(of(tmp_path, "train")) == 2 and NOTE.format(255) in of(tmp_path, "val").notes


def third(level: int) -> np.ndarray:
    mask = shapes(1)
    mask[40:52, 40:52] = level
    return mask


COLOURS = np.zeros((*SIZE, 3), np.uint8)
COLOURS[10:40, 10:40] = (0, 0, 200)
FEW, MORE = r"holds more, or colours, so that the numbers of classes cannot", "the same in all"
REFUSED = {
    "a third level": ([third(128)], FEW),
    "a third level near white": ([third(190)], FEW),
    "dark ground": ([np.maximum(shapes(1), 60)], FEW),
    "colours": ([COLOURS], FEW),
    "numbers": ([shapes(1, 1), shapes(2, 2)], "are all but black"),
    "numbers that are near": ([shapes(1, 20), shapes(2, 40)], FEW),
    "other levels elsewhere": ([shapes(1, 255), shapes(2, 255), shapes(3, 128)], MORE),
    "a photograph": ([photo(9), photo(10)], FEW),
    "a grey photograph among masks": ([shapes(1), photo(9)[..., 0]], FEW),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_be_more_than_two_levels_is_refused(name: str, tmp_path: Path) -> None:
    masks, says = REFUSED[name]
    with pytest.raises(
        DataError, match=f"in JPEG, whose compression changes values.*{says}"
    ) as one:
        of(lay(tmp_path, *masks, quality=90))
    assert str(one.value).endswith("PNG, from the program in which they were drawn.")


def test_a_jpeg_of_more_levels_among_others_is_a_fault(tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1), third(128))
    (root / "masks" / "2.png").write_bytes(cv2.imencode(".png", shapes(2))[1].tobytes())
    jpeg(root / "images" / "2.jpg", photo(2))
    source = of(root)
    (fault,) = source.problems()
    assert "1.jpg' holds more, or colours" in fault
    np.testing.assert_array_equal(source.truth(2).ids, shapes(2) // 255)


def test_masks_that_may_be_meant_otherwise_are_asked_for(tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1), shapes(2))
    for number in range(2):
        jpeg(root / "gt" / f"{number}.jpg", shapes(number + 7))
    with pytest.raises(DataError, match="it must be clear which masks are meant"):
        of(root)


def test_photographs_are_no_masks(tmp_path: Path) -> None:
    """Two folders of JPEG whose names pair up are not guessed to be images and masks."""
    for number in range(4):
        jpeg(tmp_path / "one" / f"{number}.jpg", photo(number))
        jpeg(tmp_path / "two" / f"{number}.jpg", photo(number + 10))
    with pytest.raises(DataError, match="must lie in folders that are called so"):
        of(tmp_path)


def test_numbers_of_objects_stay_refused(tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1), shapes(2))
    source = open_source(str(root), "", Instances)
    assert all("is a JPEG, whose compression smears them" in one for one in source.problems())


def test_levels() -> None:
    assert upper_level(np.zeros((8, 8), np.uint8)) == 0
    assert upper_level(np.full((8, 8), 250, np.uint8)) == 255
    assert upper_level(np.full((8, 8), 40, np.uint8)) is None
    assert rounded(np.array([[0, 127, 128, 255]], np.uint8), 255).tolist() == [[0, 0, 255, 255]]
    assert rounded(np.full((2, 2), 5, np.uint8), 0).tolist() == [[0, 0], [0, 0]]
