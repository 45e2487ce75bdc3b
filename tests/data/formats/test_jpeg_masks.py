"""Masks of two levels that were saved as JPEG are read, aloud; all others are refused."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.answers import Instances, Mask
from cvtasks.data import Hints, open_source, splits_of
from cvtasks.errors import CVTasksError, DataError
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


def spots(level: int, seed: int = 1) -> np.ndarray:
    """Small squares of another level where else is black."""
    mask, dice = shapes(seed), np.random.default_rng(seed)
    for _ in range(12):
        y, x = int(dice.integers(SIZE[0] - 6)), int(dice.integers(SIZE[1] - 6))
        mask[y : y + 4, x : x + 4] = level
    return mask


def outlined(level: int, width: int = 2) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    for x, y in ((24, 24), (64, 60), (100, 30)):
        cv2.circle(mask, (x, y), 14, 255, -1)
        cv2.circle(mask, (x, y), 14, level, width)
    return mask


def with_void(*ids: int) -> np.ndarray:
    """Numbers of classes in stripes of 16 pixels, and void at the bottom."""
    mask = np.zeros((240, 320), np.uint8)
    for place, number in enumerate(ids):
        mask[16 * place : 16 * place + 16, 40:280] = number
    mask[220:] = 255
    return mask


def ringed(number: int) -> np.ndarray:
    """Small objects in a border of void, as Pascal VOC has them."""
    mask = np.zeros((240, 320), np.uint8)
    for x in range(30, 320, 50):
        for y in range(30, 240, 50):
            cv2.circle(mask, (x, y), 14, 255, -1)
            cv2.circle(mask, (x, y), 11, number, -1)
    return mask


COLOURS = np.zeros((*SIZE, 3), np.uint8)
COLOURS[10:40, 10:40] = (0, 0, 200)
ALL, MORE = "holds more levels than two", "the same in all"
DARK = "holds no level brighter than {}, which is too near to black, so"
REFUSED = {
    "a third level": ([third(128)], ALL),
    "a third level near white": ([third(190)], ALL),
    "dark ground": ([np.maximum(shapes(1), 60)], ALL),
    "ground that is not black": ([np.maximum(shapes(1), 10)], "holds 10 where black is due"),
    "colours": ([COLOURS], "holds colours"),
    "numbers": ([shapes(1, 1), shapes(2, 2)], DARK.format(1)),
    "numbers that are near": ([shapes(1, 20), shapes(2, 40)], DARK.format(20)),
    "other levels elsewhere": ([shapes(1, 255), shapes(2, 255), shapes(3, 128)], MORE),
    "a photograph": ([photo(9), photo(10)], "holds colours"),
    "a grey photograph among masks": ([shapes(1), photo(9)[..., 0]], ALL),
    "numbers and void": ([with_void(10, 2, 13)], ALL),
    "low numbers and void": ([with_void(1, 2, 3)], ALL),
    "one number and void": ([with_void(1)], ALL),
    "numbers up to 34 and void": ([with_void(*range(1, 13)), with_void(34)], ALL),
    "void in some": ([with_void(1, 2), with_void(3)[:220], with_void(2)[:220]], ALL),
    "small objects in rings of void": ([ringed(15), ringed(5)], ALL),
    "a level near the upper one": ([np.where(with_void(1) == 1, 230, with_void(1))], ALL),
    "outlines of a level": ([outlined(128)], ALL),
    "dark outlines": ([outlined(80)], ALL),
    "bright outlines": ([outlined(190)], ALL),
    "thin outlines": ([outlined(128, 1)], ALL),
    "small squares of a level": ([spots(127)], ALL),
    "small dark squares": ([spots(30)], ALL),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_be_more_than_two_levels_is_refused(name: str, tmp_path: Path) -> None:
    masks, says = REFUSED[name]
    with pytest.raises(
        DataError, match=f"in JPEG, whose compression changes values.*{says}"
    ) as one:
        of(lay(tmp_path, *[np.asarray(mask, np.uint8) for mask in masks], quality=90))
    assert str(one.value).endswith("PNG, from the program in which they were drawn.")


@pytest.mark.parametrize("quality", [60, 95])
@pytest.mark.parametrize(
    "said",
    [
        ("classes.txt", "sky\ncat\ndog\nbird\n"),
        ("classes.csv", "name,value\nsky,0\ncat,1\n"),
        {"sky": 0, "cat": 2, "dog": 10},
    ],
)
def test_numbers_and_void_are_refused_whatever_says_what_they_are(
    said: Any, quality: int, tmp_path: Path
) -> None:
    root = lay(tmp_path, with_void(10, 2, 13), with_void(2), quality=quality)
    if isinstance(said, tuple):
        (root / said[0]).write_text(said[1], encoding="utf-8")
    with pytest.raises(DataError, match="Save the masks as PNG"):
        of(root, values=said if isinstance(said, dict) else {})


HONEST = {
    "thin lines": lambda draw: draw(1, cv2.LINE_8),
    "smooth lines": lambda draw: draw(2, cv2.LINE_AA),
    "resized": lambda draw: cv2.resize(draw(9, cv2.LINE_8)[::2, ::2], (320, 240)),
    "resized by cubes": lambda draw: cv2.resize(
        draw(9, cv2.LINE_8)[::2, ::2], (320, 240), interpolation=cv2.INTER_CUBIC
    ),
    "blurred": lambda draw: cv2.GaussianBlur(draw(12, cv2.LINE_8), (0, 0), 1),
    "inverted": lambda draw: 255 - draw(5, cv2.LINE_8),
    "large": lambda draw: cv2.resize(draw(4, cv2.LINE_8), (960, 720), interpolation=0),
    "all of the object": lambda draw: np.full((40, 60), 255, np.uint8),
}


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
@pytest.mark.parametrize("name", HONEST)
def test_masks_of_two_levels_are_not_refused(name: str, quality: int) -> None:
    dice = np.random.default_rng(quality)

    def draw(width: int, kind: int) -> np.ndarray:
        mask = np.zeros((240, 320), np.uint8)
        for _ in range(9):
            points = np.cumsum(dice.integers(-40, 41, (6, 2)), 0) + np.array([160, 120])
            cv2.polylines(mask, [points.astype(np.int32)], False, 255, width, kind)
        return mask

    coded = cv2.imencode(".jpg", HONEST[name](draw), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    assert upper_level(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)) in range(235, 256)


def test_a_few_masks_of_more_levels_are_faults_of_their_images(tmp_path: Path) -> None:
    truths = [shapes(seed) for seed in range(12)]
    root = lay(tmp_path, *truths, quality=95)
    jpeg(root / "masks" / "3.jpg", photo(3)[..., 0])
    jpeg(root / "masks" / "7.jpg", shapes(7, 128))
    source = of(root)
    first, second = source.problems()
    assert len(source) == 12 and "3.jpg' holds more levels than two" in first
    assert "the masks in JPEG hold 0 and 255;" in second and "7.jpg' holds 128" in second
    for number in range(4, 7):
        jpeg(root / "masks" / f"{number}.jpg", photo(number)[..., 0])
    with pytest.raises(DataError, match="holds more levels than two"):
        of(root)


def test_levels_that_differ_are_named_as_masks_hold_them(tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1, 128), shapes(2, 255), quality=95)
    with pytest.raises(DataError, match=r"it is 128 in '.*0\.jpg', and 255 in '.*1\.jpg'"):
        of(root)
    jpeg(root / "masks" / "0.jpg", shapes(1, 236), 95)
    assert NOTE.format(255) in of(root).notes


CRACK = {"background": 0, "crack": 255}


@pytest.mark.parametrize(
    ("level", "values", "named"),
    [
        (255, {"background": 0, "crack": 245}, 245),
        (241, CRACK, 255),
        (233, CRACK, 255),
        (241, {"background": (0, 0, 0), "crack": (255, 255, 255)}, 255),
        (128, {"background": 0, "crack": 127}, 127),
        (128, {"background": 0, "crack": 127, "rust": 255}, 127),
    ],
)
def test_a_named_value_near_the_level_is_meant(
    level: int, values: Any, named: int, tmp_path: Path
) -> None:
    root = lay(tmp_path, shapes(1, level), shapes(2, level), quality=95)
    table = [
        f"{name},{','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in values.items()
    ]
    head = "name,r,g,b" if isinstance(values["crack"], tuple) else "name,value"
    legend = "\n".join([head, *table])
    for hints in ({"values": values}, {}):
        source = of(root, **hints)
        assert source.classes == tuple(values) and list(source.problems()) == []
        assert (source.truth(0).ids != (shapes(1, level) > 0)).mean() < 0.004
        assert NOTE.format(named) in source.notes
        (root / "classes.csv").write_text(legend, encoding="utf-8")


@pytest.mark.parametrize("names", ["sky\ncat\ndog\n", "cat\n", None])
def test_the_level_must_be_a_class(names: str | None, tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1), shapes(2))
    if names:
        (root / "classes.txt").write_text(names, encoding="utf-8")
    with pytest.raises(DataError, match=r"hold 0 and 255, and 255 is void.*cat = 255"):
        of(root, values={} if names else {"sky": 0, "cat": 1})


def test_a_jpeg_of_more_levels_among_others_is_a_fault(tmp_path: Path) -> None:
    root = lay(tmp_path, shapes(1), third(128))
    (root / "masks" / "2.png").write_bytes(cv2.imencode(".png", shapes(2))[1].tobytes())
    jpeg(root / "images" / "2.jpg", photo(2))
    source = of(root)
    (fault,) = source.problems()
    assert "1.jpg' holds more levels than two" in fault
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


def test_masks_of_one_object_each_are_read(tmp_path: Path) -> None:
    for number in range(2):
        jpeg(tmp_path / f"n{number}" / "images" / f"n{number}.jpg", photo(number))
        for place in range(3):
            mask = np.zeros(SIZE, np.uint8)
            mask[10 + 20 * place : 25 + 20 * place, 20:60] = 255
            jpeg(tmp_path / f"n{number}" / "masks" / f"{place}.jpg", mask)
    source = open_source(str(tmp_path), "", Instances)
    assert [len(source.truth(index).labels) for index in range(2)] == [3, 3]
    assert source.truth(0).xyxy.tolist()[0] == [20, 10, 60, 25]
    assert any(one.startswith("masks are JPEG files") for one in source.remarks())
    jpeg(tmp_path / "n0" / "masks" / "1.jpg", third(128))
    faults: list[CVTasksError] = []
    source = open_source(str(tmp_path), "", Instances, faults.append)
    (fault,) = source.problems()
    assert "1.jpg' holds more levels than two" in fault


def test_folders_of_pascal_voc_want_png(tmp_path: Path) -> None:
    for number in range(2):
        jpeg(tmp_path / "JPEGImages" / f"{number}.jpg", photo(number))
        jpeg(tmp_path / "SegmentationClass" / f"{number}.jpg", shapes(number))
    with pytest.raises(DataError, match=r"has 2 JPEG files, such as '0\.jpg', and no PNG\."):
        of(tmp_path)


def test_levels() -> None:
    assert upper_level(np.zeros((8, 8), np.uint8)) == 0
    assert upper_level(np.full((8, 8), 250, np.uint8)) == 255
    assert "brighter than 40" in str(upper_level(np.full((8, 8), 40, np.uint8)))
    assert "brighter than 1," in str(upper_level(np.eye(8, dtype=np.uint8)))
    assert rounded(np.array([[0, 127, 128, 255]], np.uint8), 255).tolist() == [[0, 0, 255, 255]]
    assert rounded(np.full((2, 2), 5, np.uint8), 0).tolist() == [[0, 0], [0, 0]]
