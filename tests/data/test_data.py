"""Sources: what each layout gives, and what is refused, by name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import VOID, Mask
from cvtasks.data import Remapped, open_source, split_of
from cvtasks.data.formats.voc import VOCSegmentation
from cvtasks.data.formats.voc_names import VOC_CLASSES
from cvtasks.drawing.colours import voc_palette
from cvtasks.errors import DataError

SEVEN = ("background", "person", "cat", "cow", "dog", "horse", "sheep")


def save_mask(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids.astype(np.uint8), "L").convert("P")
    image.putdata(ids.ravel().tolist())
    image.putpalette(voc_palette().ravel().tolist())
    image.save(path)


def save_image(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(path)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A devkit of three images; the mask of the third is in SegmentationClassAug alone."""
    for name, size, ids in (("a", (4, 6), 15), ("b", (5, 5), 8), ("c", (6, 4), 20)):
        save_image(tmp_path / "JPEGImages" / f"{name}.jpg", size)
        mask = np.zeros(size, np.uint8)
        mask[1], mask[2] = ids, 255
        save_mask(
            tmp_path
            / ("SegmentationClassAug" if name == "c" else "SegmentationClass")
            / f"{name}.png",
            mask,
        )
        save_mask(
            tmp_path / "SegmentationClassAug" / "a.png", np.zeros((4, 6))
        )  # the official one counts
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb \n\nc\n")
    (lists / "val.txt").write_text("b\n")
    return tmp_path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in ("one", "two"):
        save_image(root / "images" / f"{name}.png", (4, 4))
        save_mask(root / "masks" / f"{name}.png", np.eye(4))
    (root / "classes.txt").write_text("background\nline\n")
    return root


# === Pascal VOC ===


def test_voc_masks_are_read_as_indices(voc: Path) -> None:
    source = open_source(str(voc), "train", Mask)
    assert isinstance(source, VOCSegmentation)
    assert [source[i].name for i in range(len(source))] == ["a", "b", "c"]
    for index, expected in enumerate((15, 8, 20)):
        sample = source[index]
        assert sample.truth.size == sample.image.shape[:2]
        assert set(sample.truth.ids[1].tolist()) == {expected}
        assert set(sample.truth.ids[2].tolist()) == {VOID}
        assert set(sample.truth.ids[3:].ravel().tolist()) <= {0}
    assert list(source.problems()) == []


@pytest.mark.parametrize(("others", "expected"), [("background", 0), ("void", VOID)])
def test_classes_that_are_not_asked_for_become_what_the_recipe_says(
    voc: Path, others: str, expected: int
) -> None:
    source = Remapped(open_source(str(voc), "train", Mask), ("background", "cat", "person"), others)
    rows = [source[i].truth.ids[1, 0] for i in range(3)]
    assert rows == [2, 1, expected]
    assert source[0].truth.ids[2, 0] == VOID


def test_background_need_not_be_the_first_of_the_data(voc: Path) -> None:
    assert open_source(str(voc), "train", Mask).classes == VOC_CLASSES
    assert VOC_CLASSES[0] == "background"
    assert len(VOC_CLASSES) == 21


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "SegmentationClass" / "b.png").unlink(), "lacks 1 mask: .*b.png"),
        (lambda root: (root / "JPEGImages" / "b.jpg").unlink(), "lacks 1 image: .*b.jpg"),
        (lambda root: (root / "ImageSets/Segmentation/train.txt").write_text(""), "has none"),
        (
            lambda root: (root / "ImageSets/Segmentation/train.txt").write_text("../../etc/passwd"),
            "bare name of an image",
        ),
    ],
)
def test_a_devkit_with_holes_is_refused(voc: Path, change, message: str) -> None:
    change(voc)
    with pytest.raises(DataError, match=message):
        open_source(str(voc), "train", Mask)


def test_an_unknown_split_gets_the_nearest(voc: Path) -> None:
    with pytest.raises(DataError, match=r'"trian" is no split.*Did you mean "train"'):
        open_source(str(voc), "trian", Mask)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            np.zeros((5, 4)),
            r"must have its image's size \(height, width\) \(5, 5\); .*b\.png' has \(5, 4\)",
        ),
        (np.full((5, 5), 77), r"b\.png.*every id must be below 21.*got \[77\]"),
    ],
)
def test_a_mask_that_does_not_fit_is_named_when_checked_and_when_read(
    voc: Path, ids: np.ndarray, message: str
) -> None:
    save_mask(voc / "SegmentationClass" / "b.png", ids)
    source = open_source(str(voc), "train", Mask)
    (problem,) = source.problems()
    with pytest.raises(DataError, match=message) as refused:
        source[1]
    assert str(refused.value) == problem


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_coloured_mask_is_refused(voc: Path, mode: str) -> None:
    Image.new(mode, (5, 5)).save(voc / "SegmentationClass" / "b.png")
    with pytest.raises(DataError, match=r"b\.png"):
        open_source(str(voc), "train", Mask)[1]


def test_a_damaged_image_is_named_before_training(voc: Path) -> None:
    (voc / "JPEGImages" / "b.jpg").write_bytes(b"no image")
    (problem,) = open_source(str(voc), "train", Mask).problems()
    assert "b.jpg" in problem


# === folders ===


def test_folders_without_splits_have_the_empty_one(folders: Path) -> None:
    source = open_source(str(folders), "", Mask)
    assert source.classes == ("background", "line")
    assert [source[i].name for i in range(2)] == ["one", "two"]
    np.testing.assert_array_equal(source[0].truth.ids, np.eye(4))
    with pytest.raises(DataError, match="has no splits"):
        open_source(str(folders), "train", Mask)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "masks" / "one.png").unlink(), "lacks 1 mask"),
        (lambda root: (root / "images" / "one.png").unlink(), "1 without, such as 'one.png'"),
        (lambda root: save_image(root / "images" / "one.jpg", (4, 4)), "stems"),
    ],
)
def test_folders_with_holes_are_refused(folders: Path, change, message: str) -> None:
    change(folders)
    with pytest.raises(DataError, match=message):
        open_source(str(folders), "", Mask)


def test_folders_without_names_of_classes_say_what_they_were_taken_for(folders: Path) -> None:
    (folders / "classes.txt").unlink()
    source = open_source(str(folders), "", Mask)
    assert source.classes == ("background", "object")
    assert source.taken_for == "masks hold 0 and 1: background, object"
    np.testing.assert_array_equal(source[0].truth.ids, np.eye(4))


# === what lies at a path ===


def test_an_unknown_layout_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Known formats: voc-segmentation, mask-folders, "):
        open_source(str(tmp_path), "", Mask)
    save_image(tmp_path / "inside" / "images" / "a.png", (2, 2))
    save_mask(tmp_path / "inside" / "masks" / "a.png", np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"holds one below\. Give '.*inside'"):
        open_source(str(tmp_path), "", Mask)
    with pytest.raises(DataError, match="'' is none"):
        open_source("", "", Mask)


def test_a_colon_within_a_path_is_no_split(tmp_path: Path) -> None:
    odd = tmp_path / "a:b"
    odd.mkdir()
    assert split_of(str(odd)) == (str(odd), "")
    assert split_of(f"{odd}:val") == (str(odd), "val")
    assert split_of("data") == ("data", "")
    assert split_of("C:/data") == ("C:/data", "")


# === the real thing ===


@pytest.fixture
def real(cvtasks_data: Path) -> Iterator[str]:
    yield str(cvtasks_data / "voc2012" / "VOCdevkit" / "VOC2012")


@pytest.mark.parametrize(("split", "count"), [("train", 464), ("val", 485), ("train_aug", 3159)])
def test_the_lists_of_the_subset_are_whole(real: str, split: str, count: int) -> None:
    assert len(open_source(real, split, Mask)) == count


def test_the_official_masks_have_nothing_wrong(real: str) -> None:
    source = open_source(real, "val", Mask)
    assert list(source.problems()) == []
    seven = Remapped(source, SEVEN, "background")
    pixels = np.zeros(len(SEVEN), np.int64)
    for index in range(0, len(seven), 10):
        sample = seven[index]
        assert sample.image.shape[:2] == sample.truth.size
        pixels += sample.truth.counts()
    assert (pixels > 0).all()
    assert pixels[0] > pixels[1:].sum()


def test_a_folder_that_is_spelt_wrongly_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"phots' is none. Did you mean '.*photos'\?"):
        open_source(str(tmp_path / "phots"), "", Mask)
    with pytest.raises(DataError) as nowhere:
        open_source(str(tmp_path / "elsewhere" / "phots"), "", Mask)
    assert "Did you mean" not in str(nowhere.value)
