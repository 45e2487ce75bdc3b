"""Which classes a Pascal VOC folder has where no file lists them."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Instances, Labels, Mask
from cvtasks.data import open_source
from cvtasks.data.checking.check import check
from cvtasks.data.checking.statistics import statistics
from cvtasks.data.formats.voc_names import VOC_CLASSES
from cvtasks.data.opening import open_sources
from cvtasks.data.writing.convert import convert
from cvtasks.errors import CVTasksError, DataError
from cvtasks.training.plan import planned

TWENTY = VOC_CLASSES[1:]
MANY = tuple(f"c{number:03}" for number in range(200))
BOX = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"


def year(root: Path, splits: dict[str, Sequence[str]], listed: bool = True) -> Path:
    """A year whose images each show objects of the names in one string, with commas between; `a*3`
    is three of them.
    """
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for split, images in splits.items():
        for number, shown in enumerate(images):
            pixels = np.full((12, 16, 3), 7 * number + len(split), np.uint8)
            Image.fromarray(pixels).save(root / "JPEGImages" / f"{split}{number}.jpg")
            names = [part.split("*") for part in shown.split(",") if part]
            things = [name[0] for name in names for _ in range(int((*name, "1")[1]))]
            boxes = (
                BOX.replace("<xmin>2", f"<xmin>{1 + place / 4096}") for place in itertools.count()
            )  # each another one
            objects = [
                f"<object><name>{name}</name>{box}</object>"
                for name, box in zip(things, boxes, strict=False)
            ]
            (root / "Annotations" / f"{split}{number}.xml").write_text(
                f"<annotation>{''.join(objects)}</annotation>"
            )
        if listed:
            lines = "".join(f"{split}{number}\n" for number in range(len(images)))
            (root / "ImageSets" / "Main" / f"{split}.txt").write_text(lines)
    return root


def opened(root: Path, split: str) -> tuple[tuple[str, ...], str, list[str]]:
    """Classes, what was concluded, and what was complained of."""
    faults: list[CVTasksError] = []
    source = open_source(str(root), split, Boxes, faults.append)
    assert {fault.rule for fault in faults} <= {"class unknown"}
    assert list(source.problems()) == [], "of unknown names it is said once, not for each object"
    return source.classes, source.taken_for, list(map(str, faults))


@pytest.mark.parametrize(
    ("images", "classes", "faults"),
    [
        ([""], TWENTY, []),  # nothing is there to conclude from
        (["person", "dog,cat"], TWENTY, []),
        (["nucleus*1400", "nucleus*1405"], ("nucleus",), []),
        (["helmet*5,person*9"], ("helmet", "person"), []),
        (
            ["person*199", "zebra"],
            TWENTY,
            ['"zebra" is none: 1 object in 1 file'],
        ),  # one of 200 is rare
        (["person*99", "zebra*2"], ("person", "zebra"), []),  # two of 101 are not
        (
            ["person*6,dog*4", "zebra"],
            TWENTY,
            ['"zebra" is none: 1 object in 1 file.* list all classes in classes.txt'],
        ),  # a stray
        (["person*6,dog*3", "zebra"], ("dog", "person", "zebra"), []),  # too few to say so
        ([",".join(MANY)], MANY, []),  # each is rare, and none is VOC's
        ([",".join(MANY), "car*9"], (*MANY, "car"), []),  # the rare ones together are the most
        (
            ["person*9", "perosn"],
            TWENTY,
            ['"perosn" is none: 1 object .* Did you mean "person"'],
        ),  # looks like a misspelling
        (["person*3,persn"], TWENTY, ['"persn" is none']),  # a third as many
        (["person*2,persn"], ("persn", "person"), []),  # half as many: who knows
        (
            ["cat*5,Cat", "Cat "],
            ("cat",),
            ['"Cat" is none: 2 objects in 2 files'],
        ),  # the more frequent of two spellings
        (
            ["cat*60,Cat*2", "cat "],
            TWENTY,
            ['"Cat" is none: 2 objects in 1 file.* Did you mean "cat"'],
        ),
        (["Cat*30,Dog*20"], ("Cat", "Dog"), []),
        (
            ["T V*3,tv_*1,radio*2"],
            ("T V", "radio"),
            ['"tv_" is none: 1 object .* Did you mean "T V"'],
        ),
        (["hen*3,"], ("hen",), []),
        (["hen*3, *2"], ("hen",), ["an object without a name is none: 2 objects"]),
    ],
)
def test_names_that_nothing_lists(
    images: list[str], classes: tuple[str, ...], faults: list[str], tmp_path: Path
) -> None:
    found, said, complaints = opened(year(tmp_path, {"train": images}), "train")
    assert found == classes
    assert len(complaints) == len(faults)
    for text, pattern in zip(complaints, faults, strict=True):
        assert re.search(pattern, text)
    assert bool(said) == (images != [""])


def test_what_was_concluded_is_said_with_counts(tmp_path: Path) -> None:
    said = opened(year(tmp_path, {"train": ["hen*3", "fox*2"]}), "train")[1]
    assert said == (
        'no classes.txt, so the classes are the names in the XML of "train", with their '
        "objects: fox (2), hen (3)"
    )


def test_a_list_of_classes_is_what_counts(tmp_path: Path) -> None:
    root = year(tmp_path, {"train": ["hen*3,person*5"]})
    (root / "classes.txt").write_text("fox\nhen\n")
    classes, said, faults = opened(root, "train")
    assert (classes, said, len(faults)) == (("fox", "hen"), "", 1)
    assert '"person" is none: 5 objects in 1 file' in faults[0]
    with pytest.raises(DataError, match="person"):
        open_source(str(root), "train", Boxes)


def test_val_adds_no_class(tmp_path: Path) -> None:
    root = year(tmp_path, {"train": ["hen", "fox"], "val": ["hen", "hne*2", "owl,owl"]})
    classes, _, faults = opened(root, "val")
    assert classes == ("fox", "hen")
    assert [
        '"hne" is none: 2 objects in 1 file' in faults[0],
        '"owl" is none: 2 objects in 1 file' in faults[1],
    ] == [
        True,
        True,
    ]
    assert 'Did you mean "hen"' in faults[0]
    source = open_source(str(root), "val", Boxes, lambda error: None)
    assert [len(source.truth(index)) for index in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("lists", "split", "classes"),
    [
        ({"val": ["hen"]}, "val", ("hen",)),  # there is nothing to learn from
        ({"trainval": ["hen", "fox"], "test": ["hen"]}, "test", ("fox", "hen")),
        ({"default": ["hen"]}, "default", ("hen",)),
        ({"Train": ["hen", "fox"], "Val": ["fox"]}, "val", ("fox", "hen")),
        ({"train": ["hen"], "trainval": ["hen", "owl"]}, "trainval", ("hen", "owl")),
    ],
)
def test_the_list_to_learn_from_says_the_classes(
    lists: dict, split: str, classes: tuple, tmp_path: Path
) -> None:
    assert opened(year(tmp_path, lists), split)[0] == classes


def test_a_devkit_has_the_classes_of_all_its_years(tmp_path: Path) -> None:
    year(tmp_path / "VOC2007", {"train": ["hen"], "test": ["hen"]})
    year(tmp_path / "VOC2012", {"train": ["fox"]})
    for split in ("2007-test", "2012-train", "2007+2012-train"):
        assert opened(tmp_path, split)[0] == ("fox", "hen")


def test_a_folder_without_lists_is_one_split(tmp_path: Path) -> None:
    root = year(tmp_path, {"a": ["hen", "fox"], "b": ["hen"]}, listed=False)
    assert opened(root, "")[0] == ("fox", "hen")
    (root / "ImageSets" / "Main").rmdir()
    source = open_source(str(root), "", Boxes)
    assert [source.name(index) for index in range(3)] == ["a0", "a1", "b0"]
    assert len(open_source(str(root), "", Labels)) == 3
    (root / "JPEGImages" / "a1.jpg").unlink()
    (root / "Annotations" / "b0.xml").unlink()
    with pytest.raises(DataError, match=r"lacks 1 image: .*a1\.jpg"):
        open_source(str(root), "", Boxes)
    findings = check(str(root), "", Boxes).findings
    assert sorted(one.rule for one in findings if one.level == "error") == [
        "annotation missing",
        "image missing",
    ]


def test_masks_may_have_classes_of_their_own(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / folder).mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "JPEGImages" / "a.png")
    ids = np.full((8, 8), 2, np.uint8)
    Image.fromarray(ids).save(tmp_path / "SegmentationClass" / "a.png")
    for text in ("background\nhen\nfox\n", "hen\nfox\n"):
        for name in ("classes.txt", "class_names.txt", "labels.txt", "labelmap.txt"):
            (tmp_path / name).write_text(text)
            source = open_source(str(tmp_path), "", Mask)
            assert source[0].truth.shares() == {"fox": 1}
            assert name == "classes.txt" or name in source.taken_for
            (tmp_path / name).unlink()
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nhen\nfox\n")  # LabelMe's
    assert open_source(str(tmp_path), "", Mask).classes == ("_background_", "hen", "fox")
    (tmp_path / "labels.txt").write_text("a.png 0\n")
    ids[:4, :2] = (0, 1)
    Image.fromarray(ids).save(tmp_path / "SegmentationClass" / "a.png")
    source = open_source(str(tmp_path), "", Mask)  # nothing names them
    assert source.classes == ("background", "1", "2")
    assert source.taken_for.startswith("masks hold 0, 1 and 2: background, 1 and 2")


@pytest.mark.parametrize(
    ("name", "listed", "said"),
    [("2007_000032", False, ""), ("2007_000032", True, ""), ("a", True, "VOC's 21")],
)
def test_masks_of_the_challenge_have_its_classes(
    name: str, listed: bool, said: str, tmp_path: Path
) -> None:
    """Its own images are known by their names; where lists alone speak for it, a line says so."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "JPEGImages" / f"{name}.png")
    ids = np.full((8, 8), 2, np.uint8)
    Image.fromarray(ids).save(tmp_path / "SegmentationClass" / f"{name}.png")
    if listed:
        (tmp_path / "ImageSets/Segmentation/train.txt").write_text(f"{name}\n")
    source = open_source(str(tmp_path), "train" if listed else "", Mask)
    assert source.classes == VOC_CLASSES and source[0].truth.shares() == {"bicycle": 1}
    assert said in source.taken_for and bool(said) == bool(source.taken_for)


def masks_of_objects(root: Path, *folders: str) -> None:
    """Masks of two images, of classes and of objects, and the images in each of the folders."""
    for name in ("a", "b"):
        for folder in ("SegmentationClass", "SegmentationObject"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            ids = np.full((8, 8), 2, np.uint8)
            ids[0], ids[1] = 0, 1
            Image.fromarray(ids).save(root / folder / f"{name}.png")
        drawn = root / "SegmentationClassVisualization"  # of LabelMe's script
        drawn.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), "white").save(drawn / f"{name}.jpg")
        for folder in folders:
            (root / folder).mkdir(exist_ok=True)
            Image.new("RGB", (8, 8)).save(root / folder / f"{name}.png")


@pytest.mark.parametrize("folder", ["images", "PNGImages", "."])
@pytest.mark.parametrize("kind", [Mask, Instances])
def test_images_may_lie_in_one_other_folder(kind: type, folder: str, tmp_path: Path) -> None:
    masks_of_objects(tmp_path, folder)
    (tmp_path / "more").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "more" / "z.png")
    source = open_source(str(tmp_path), "", kind)
    assert source.format.startswith("Pascal VOC") and [*source.problems()] == []
    assert [source.name(index) for index in range(len(source))] == ["a", "b"]
    assert source.classes[-2:] == ("1", "2")  # no list of the challenge's own speaks for its 20
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("b\n")
    source = open_source(str(tmp_path), "val", kind)
    assert [source.name(0)] == ["b"] and source.classes[-2:] == ("1", "2")


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (("photos", "images"), r"'images', 'photos' each hold images of the names of its masks"),
        ((".", "images"), r"'\.', 'images' each hold"),
        (("other",), r"no images of the names of its masks beside it or in 'other', so that"),
        ((), r"no images of the names of its masks beside it, so that its images are missing"),
    ],
)
@pytest.mark.parametrize("kind", [Mask, Instances])
def test_what_was_looked_for_is_said_where_images_are_unclear(
    kind: type, folders: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    masks_of_objects(tmp_path, *folders)
    for place in (tmp_path / "other").glob("*.png"):
        place.rename(place.with_name(f"other-{place.name}"))
    with pytest.raises(DataError, match=f"SegmentationClass without JPEGImages, and {says}"):
        open_source(str(tmp_path), "", kind)


def test_parts_of_a_body_are_no_objects_and_no_namespace_hides_them(tmp_path: Path) -> None:
    root = year(tmp_path, {"train": ["hen*3"]})
    part = "<part><name>head</name></part>"
    text = (
        f'<v:annotation xmlns:v="x"><v:object>{part}<v:name> hen '
        f"</v:name>{BOX.replace('<', '<v:').replace('<v:/', '</v:')}</v:object>"
    )
    (root / "Annotations" / "train0.xml").write_text(f"{text}</v:annotation>")
    assert opened(root, "train")[0] == ("hen",)


def test_what_has_changed_on_the_disk_is_read_anew(tmp_path: Path) -> None:
    root = year(tmp_path, {"train": ["hen"]})
    assert opened(root, "train")[0] == ("hen",)
    year(tmp_path, {"train": ["goose"]})
    assert opened(root, "train")[0] == ("goose",)


def test_everything_works_on_own_names(tmp_path: Path, cli) -> None:
    root = year(
        tmp_path / "set",
        {"train": ["hen*3", "hen,fox", "fox", "hen", "fox"], "val": ["hen", "fox"]},
    )
    for task in ("detect", "localize", "classify"):
        made = planned(task, [("data.path", str(root)), ("backbone", "tiny"), ("size", 64)]).recipe
        assert made.classes == ("fox", "hen")
        said: list[str] = []
        assert len(open_sources(made, said.append).train) == 5
        assert sum("no classes.txt" in line for line in said) == 1
    one = planned(
        "detect",
        [("data.path", str(root)), ("backbone", "tiny"), ("size", 64), ("classes", ["hen"])],
    ).recipe
    assert open_sources(one).train.classes == ("hen",)
    rows = {
        row["class"]: row["objects"] for row in statistics(open_source(str(root), "train", Boxes))
    }
    assert rows == {"fox": 3, "hen": 5}
    convert(open_source(str(root), "train", Boxes), "yolo", tmp_path / "yolo", "train")
    assert open_source(str(tmp_path / "yolo"), "train", Boxes).classes == ("fox", "hen")
    code, out, err = cli("data", "stats", f"{root}:train")
    assert (code, "no classes.txt" in err, "hen" in out) == (0, True, True)
    bare = year(tmp_path / "bare", {"a": ["hen", "fox"]}, listed=False)
    code, _, err = cli("data", "convert", bare, tmp_path / "coco", "--to", "coco")
    assert (code, "2 images" in err) == (0, True)
    assert open_source(str(tmp_path / "coco"), "train", Boxes).classes == ("fox", "hen")
    (note,) = [
        one for one in check(str(root), "train", Boxes).findings if one.rule == "classes not listed"
    ]
    assert note.level == "note"


def test_an_unknown_name_is_one_finding_with_its_count(tmp_path: Path, cli) -> None:
    root = year(tmp_path, {"train": ["person*990", "dog*10", "zebra*4", "zebra*3"]})
    found = [one for one in check(str(root), "train", Boxes).findings if one.level == "error"]
    assert [(one.rule, one.count) for one in found] == [("class unknown", 7)]
    assert '"zebra" is none: 7 objects in 2 files, the first is' in found[0].reason
    code, out, _ = cli("data", "check", f"{root}:train")
    assert (code, out.count("zebra"), "error: class unknown (7)" in out) == (5, 1, True)
    made = planned(
        "detect", [("data.path", str(root)), ("backbone", "tiny"), ("size", 64), "data.faulty=drop"]
    ).recipe
    said: list[str] = []
    open_sources(made, said.append)
    assert sum("left out as faulty: class unknown: 7" in line for line in said) == 1
