"""Sources of boxes: three formats that say the same give the same samples; what is wrong is named
before training.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes
from cvtasks.data import Remapped, Source, open_source
from cvtasks.data.formats.coco import COCODetection
from cvtasks.data.formats.voc import VOCDetection
from cvtasks.data.formats.voc_names import VOC_CLASSES
from cvtasks.data.formats.yolo import YOLODetection
from cvtasks.errors import DataError
from cvtasks.formats.coco import coco_document
from cvtasks.formats.reading import CUT, EMPTY, OUTLINES, UNLABELLED
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import yolo_text, yolo_yaml

CLASSES = ("zebra", "cat", "person")  # not in the order of the alphabet
TRUTHS = {
    "one": Boxes.of([[1.5, 2, 20, 30.25], [0, 0, 40, 32]], [1, 0], CLASSES, (32, 40)),
    "two": Boxes.of([], [], CLASSES, (20, 30)),
    "three": Boxes.of([[29, 39, 30, 40]], [2], CLASSES, (40, 30)),
}
SPLITS = {"train": ("one", "two", "three"), "val": ("three",)}


def image(path: Path, size: tuple[int, int]) -> None:
    """An image whose pixels depend on the name, so that no other can be taken for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), len(path.stem) * 20, np.uint8)).save(path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def as_voc(root: Path) -> None:
    for name, truth in TRUTHS.items():
        image(root / "JPEGImages" / f"{name}.jpg", truth.size)
        write(root / "Annotations" / f"{name}.xml", voc_xml(truth, f"{name}.jpg"))
    for split, names in SPLITS.items():
        write(root / "ImageSets" / "Main" / f"{split}.txt", "".join(f"{name}\n" for name in names))
    write(root / "classes.txt", "\n".join(CLASSES))


def as_coco(root: Path) -> None:
    for name, truth in TRUTHS.items():
        image(root / "images" / f"{name}.jpg", truth.size)
    ids = {"zebra": 2, "cat": 40, "person": 77}
    for split, names in SPLITS.items():
        document = coco_document(
            [(f"{name}.jpg", TRUTHS[name]) for name in names], CLASSES, ids=ids
        )
        write(root / "annotations" / f"instances_{split}.json", json.dumps(document))


def as_yolo(root: Path) -> None:
    for split, names in SPLITS.items():
        for name in names:
            image(root / "images" / split / f"{name}.jpg", TRUTHS[name].size)
            if len(TRUTHS[name]):
                write(root / "labels" / split / f"{name}.txt", yolo_text(TRUTHS[name]))
    write(root / "data.yaml", yolo_yaml(CLASSES, tuple(SPLITS)))


FORMATS: dict[str, tuple[Callable[[Path], None], type[Source]]] = {
    "voc": (as_voc, VOCDetection),
    "coco": (as_coco, COCODetection),
    "yolo": (as_yolo, YOLODetection),
}


@pytest.fixture(params=FORMATS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, type[Source]]:
    """The same data set in one of the formats, and its source."""
    lay, source = FORMATS[request.param]
    lay(tmp_path / "set")
    return tmp_path / "set", source


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    as_voc(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    as_coco(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    as_yolo(tmp_path / "set")
    return tmp_path / "set"


# === all formats alike ===


@pytest.mark.parametrize("split", SPLITS)
def test_every_format_gives_the_same_samples(
    written: tuple[Path, type[Source]], split: str
) -> None:
    source = open_source(str(written[0]), split, Boxes)
    assert isinstance(source, written[1])
    assert source.classes == CLASSES
    samples = {source[index].name: source[index] for index in range(len(source))}
    assert list(samples) == (
        sorted(SPLITS[split]) if isinstance(source, YOLODetection) else list(SPLITS[split])
    )
    for name, sample in samples.items():
        truth = TRUTHS[name]
        assert sample.image.shape == (*truth.size, 3)
        assert abs(int(sample.image[0, 0, 0]) - len(name) * 20) < 3
        assert (sample.truth.size, sample.truth.names, sample.truth.classes) == (
            truth.size,
            truth.names,
            CLASSES,
        )
        np.testing.assert_allclose(sample.truth.xyxy, truth.xyxy, rtol=0, atol=2e-6)
        assert sample.truth.counted.all()
    assert list(source.problems()) == []
    assert source.remarks() == (
        [f"{UNLABELLED}: 1"] if isinstance(source, YOLODetection) and split == "train" else []
    )


def test_the_recipes_classes_are_taken_whatever_the_format(
    written: tuple[Path, type[Source]],
) -> None:
    source = Remapped(open_source(str(written[0]), "train", Boxes), ("person", "cat"), "background")
    found = {source[i].name: source[i].truth for i in range(len(source))}
    assert {name: truth.names for name, truth in found.items()} == {
        "one": ("cat",),
        "two": (),
        "three": ("person",),
    }
    assert found["three"].labels.tolist() == [0]
    assert [source.truth(i).names for i in range(len(source))] == [
        source[i].truth.names for i in range(len(source))
    ]
    assert source.remarks() == source.source.remarks()
    with pytest.raises(DataError, match=r'"cta" is not. Did you mean "cat"'):
        Remapped(source, ("cta",), "background")


def test_an_unknown_split_gets_the_nearest(written: tuple[Path, type[Source]]) -> None:
    with pytest.raises(DataError, match=r'"trian" is no split of .*Did you mean "train"'):
        open_source(str(written[0]), "trian", Boxes)


def test_a_missing_image_is_named(written: tuple[Path, type[Source]]) -> None:
    root, source = written
    gone = next(root.rglob("three.jpg"))
    if (
        source is YOLODetection
    ):  # its list of images is the folder's; a written list can name what is not there
        write(
            root / "train.txt", "".join(f"./images/train/{name}.jpg\n" for name in SPLITS["train"])
        )
        write(root / "data.yaml", "train: train.txt\nnames: [zebra, cat, person]")
        gone = root / "images" / "train" / "three.jpg"
    gone.unlink()
    with pytest.raises(DataError, match=r"lacks 1 image: .*three\.jpg"):
        open_source(str(root), "train", Boxes)


def test_a_damaged_image_and_a_wrong_box_are_both_reported(voc: Path) -> None:
    (voc / "JPEGImages" / "one.jpg").write_bytes(b"nothing")
    wide = voc_xml(TRUTHS["one"], "three.jpg").replace(
        "size>", "dimensions>"
    )  # 40 wide, on an image 30 wide
    write(voc / "Annotations" / "three.xml", wide)
    source = open_source(str(voc), "train", Boxes)
    first, second = source.problems()
    assert "one.jpg" in first
    assert "must lie in its image, 30 x 40" in second
    with pytest.raises(DataError, match="must lie in its image, 30 x 40"):
        source[2]


def test_a_folder_of_something_else_is_answered_with_the_known_formats(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()
    write(tmp_path / "notes.json", "{}")
    with pytest.raises(
        DataError,
        match=(
            r"not known for boxes data. It holds no image: where they lie elsewhere, .* "
            r"Known formats: voc-detection, yolo, coco, "
        ),
    ):
        open_source(str(tmp_path), "", Boxes)


@pytest.mark.parametrize("path", ["", "nowhere", "notes.txt"])
def test_what_is_no_data_set_is_refused(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "notes.txt", "")
    with pytest.raises(DataError, match=r"a data set is a folder, or its COCO JSON or .*YOLO YAML"):
        open_source(path, "", Boxes)


def test_the_folder_above_is_answered_with_the_one_below(coco: Path) -> None:
    with pytest.raises(DataError, match=r"holds one below. Give '.*set'"):
        open_source(str(coco.parent), "train", Boxes)


# === Pascal VOC ===


def test_without_a_list_of_classes_they_are_the_challenges(voc: Path) -> None:
    (voc / "classes.txt").unlink()
    path = voc / "Annotations" / "one.xml"
    path.write_text(path.read_text().replace("<name>zebra<", "<name>dog<"))
    assert open_source(str(voc), "train", Boxes).classes == VOC_CLASSES[1:]


def test_the_first_column_of_a_list_counts(voc: Path) -> None:
    write(voc / "ImageSets" / "Main" / "cat_train.txt", "one  1\nthree -1\n")
    source = open_source(str(voc), "cat_train", Boxes)
    assert [source[i].name for i in range(len(source))] == ["one", "three"]


def test_images_may_be_of_another_kind(voc: Path) -> None:
    (voc / "JPEGImages" / "three.jpg").unlink()
    image(voc / "JPEGImages" / "three.PNG", (40, 30))
    assert open_source(str(voc), "val", Boxes)[0].truth.names == ("person",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("../JPEGImages/one", "must be the bare name of an image; got '../JPEGImages/one'"),
        ("/etc/passwd", "must be the bare name"),
        ("", "has none"),
        ("one\none", r"must name every image once; .*one\.jpg' again"),
        ("four", r"every image needs its annotation; .* lacks 1 image: .*four\.jpg"),
    ],
)
def test_a_wrong_list_is_named(voc: Path, line: str, message: str) -> None:
    write(voc / "ImageSets" / "Main" / "train.txt", line)
    with pytest.raises(DataError, match=message):
        open_source(str(voc), "train", Boxes)


def test_a_missing_annotation_is_named(voc: Path) -> None:
    (voc / "Annotations" / "two.xml").unlink()
    with pytest.raises(DataError, match=r"lacks 1 annotation: .*two\.xml"):
        open_source(str(voc), "train", Boxes)


def test_what_reading_changed_is_said_with_counts(voc: Path) -> None:
    shifted = voc_xml(TRUTHS["one"], "one.jpg").replace("<ymax>32<", "<ymax>33<")
    write(voc / "Annotations" / "one.xml", shifted)
    source = open_source(str(voc), "train", Boxes)
    assert list(source.problems()) == []
    assert source.remarks() == [f"{CUT}: 1"]
    assert source[0].truth.xyxy[1].tolist() == [0, 0, 40, 32]


@pytest.fixture
def years(tmp_path: Path) -> Path:
    """A devkit of two years; both have an image "one", 2012 alone a "test" list."""
    for year in ("VOC2007", "VOC2012"):
        as_voc(tmp_path / year)
        (tmp_path / year / "classes.txt").unlink()
    write(tmp_path / "VOC2012" / "ImageSets" / "Main" / "test.txt", "two\n")
    write(tmp_path / "classes.txt", "\n".join(CLASSES))
    return tmp_path


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("2007-val", ["three"]),
        ("2007-val+2012-test", ["three", "two"]),
        ("2012-test+2007-val", ["two", "three"]),
        ("2007+2012-val", ["VOC2007/JPEGImages/three", "VOC2012/JPEGImages/three"]),
    ],
)
def test_years_are_added(years: Path, split: str, names: list[str]) -> None:
    source = open_source(str(years), split, Boxes)
    assert [source[i].name for i in range(len(source))] == names
    assert list(source.problems()) == []


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("2007-test", r'"2007-test" is no split .*Did you mean "2012-test"'),
        ("2007+2012", '"2007" is no split'),
        ("train", '"train" is no split'),
        (
            "",
            "one split must be named .* has 2007-train, 2007-val, 2012-test, 2012-train, 2012-val",
        ),
        ("2007+2007-val", "must name every image once"),
    ],
)
def test_a_wrong_union_is_named(years: Path, split: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_source(str(years), split, Boxes)


# === COCO ===


def test_a_json_file_is_a_data_set_of_its_own(coco: Path) -> None:
    path = coco / "annotations" / "instances_train.json"
    source = open_source(str(path), "", Boxes)
    assert [source[i].name for i in range(len(source))] == ["one", "two", "three"]
    with pytest.raises(DataError, match='has no splits: it is one without a name; got "val"'):
        open_source(str(path), "val", Boxes)


@pytest.mark.parametrize("place", ["train", "images/train", "images", "."])
@pytest.mark.parametrize("name", ["instances_train.json", "train.json", "annotations/train.json"])
def test_images_are_found_where_people_put_them(coco: Path, place: str, name: str) -> None:
    (coco / "annotations" / "instances_train.json").rename(coco / "kept.json")
    for file in (coco / "annotations").iterdir():
        file.unlink()
    if "/" not in name:
        (coco / "annotations").rmdir()
    (coco / "kept.json").rename(coco / name)
    for file in list((coco / "images").iterdir()):
        (coco / place).mkdir(exist_ok=True, parents=True)
        file.rename(coco / place / file.name)
    assert len(open_source(str(coco), "train", Boxes)) == 3
    assert len(open_source(str(coco / name), "", Boxes)) == 3


def test_captions_and_key_points_are_no_splits(coco: Path) -> None:
    write(coco / "annotations" / "captions_train.json", "{}")
    with pytest.raises(
        DataError,
        match=r'"captions_train" is no split of .* (Known: train, val|Did you mean "train")',
    ):
        open_source(str(coco), "captions_train", Boxes)


def test_ids_are_known_by_name(coco: Path) -> None:
    source = open_source(str(coco), "train", Boxes)
    assert source.image_ids == {"one": 1, "two": 2, "three": 3}
    assert source.category_ids == {"zebra": 2, "cat": 40, "person": 77}


def change_images(root: Path, change: Callable[[list[dict]], None]) -> None:
    path = root / "annotations" / "instances_train.json"
    document = json.loads(path.read_text())
    change(document["images"])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "name", ["../one.jpg", "/etc/passwd", "a/../../one.jpg", "..\\one.jpg", "\\\\x\\y", "", "a\0b"]
)
def test_no_file_name_leads_out(coco: Path, name: str) -> None:
    change_images(coco, lambda images: images[1].update(file_name=name))
    with pytest.raises(
        DataError, match="a file_name must lead to an image below the data set's folder"
    ):
        open_source(str(coco), "train", Boxes)


def test_equal_stems_are_told_apart_by_their_folders(coco: Path) -> None:
    (coco / "images" / "deep").mkdir()
    (coco / "images" / "two.jpg").rename(coco / "images" / "deep" / "one.jpg")
    change_images(coco, lambda images: images[1].update(file_name="deep/one.jpg"))
    source = open_source(str(coco), "train", Boxes)
    assert [source[i].name for i in range(3)] == ["one", "deep/one", "three"]
    assert source.image_ids["deep/one"] == 2


def test_a_file_without_images_is_refused(coco: Path) -> None:
    write(
        coco / "annotations" / "instances_train.json",
        '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}',
    )
    with pytest.raises(DataError, match="needs at least one image"):
        open_source(str(coco), "train", Boxes)


def test_a_box_without_a_side_is_passed_over_aloud(coco: Path) -> None:
    path = coco / "annotations" / "instances_val.json"
    document = json.loads(path.read_text())
    document["annotations"].append({**document["annotations"][0], "id": 9, "bbox": [3, 3, 0, 5]})
    path.write_text(json.dumps(document))
    source = open_source(str(coco), "val", Boxes)
    assert list(source.problems()) == []
    assert source.remarks() == [f"{EMPTY}: 1"]
    assert len(source[0].truth) == 1


# === YOLO ===


def yaml(root: Path, train: str, more: str = "") -> None:
    write(root / "data.yaml", f"train: {train}\n{more}\nnames: [zebra, cat, person]\n")


def names_of(root: Path, split: str = "train") -> list[str]:
    source = open_source(str(root), split, Boxes)
    assert list(source.problems()) == []
    return [source[i].name for i in range(len(source))]


@pytest.mark.parametrize(
    "place",
    [
        "images/train",
        "./images/train",
        "../images/train",
        "[images/train]",
        "list.txt",
        "images/here.txt",
        "{root}/images/train",
    ],
)
def test_images_of_a_split_are_a_folder_or_a_list(yolo: Path, place: str) -> None:
    write(
        yolo / "list.txt",
        f"./images/train/one.jpg\nimages/train/three.jpg\n\n{yolo}/images/train/two.jpg\n",
    )
    write(
        yolo / "images" / "here.txt",
        "./train/one.jpg\nimages/train/three.jpg\nimages/train/two.jpg\n",
    )
    yaml(yolo, place.format(root=yolo))
    assert names_of(yolo) == ["one", "three", "two"]


def test_several_folders_are_added_and_searched_through(yolo: Path) -> None:
    yaml(yolo, "[images/val, images/train]")
    assert len(names_of(yolo)) == 4  # "three" lies in both, so all are told apart by their paths
    yaml(yolo, "images")
    assert names_of(yolo)[-1] == "images/val/three"


def test_the_yaml_may_lie_elsewhere(yolo: Path) -> None:
    (yolo.parent / "recipes").mkdir()
    (yolo / "data.yaml").rename(yolo.parent / "recipes" / "mine.yml")
    path = yolo.parent / "recipes" / "mine.yml"
    path.write_text("path: ../set\n" + path.read_text())
    assert len(open_source(str(path), "train", Boxes)) == 3
    path.rename(yolo / "mine.yml")  # `path` was right where it came from
    assert len(open_source(str(yolo / "mine.yml"), "train", Boxes)) == 3


def test_labels_may_lie_beside_their_images(yolo: Path) -> None:
    (yolo / "images" / "train").rename(yolo / "obj")
    for file in (yolo / "labels" / "train").iterdir():
        file.rename(yolo / "obj" / file.name)
    yaml(yolo, "obj")
    assert names_of(yolo) == ["one", "three", "two"]


def test_a_set_without_any_label_is_refused(yolo: Path) -> None:
    (yolo / "labels").rename(yolo / "elsewhere")
    with pytest.raises(DataError, match=r"no label file at all, such as '.*labels.train.one\.txt'"):
        open_source(str(yolo), "train", Boxes)


def test_an_outline_is_read_as_its_box_aloud(yolo: Path) -> None:
    write(yolo / "labels" / "val" / "three.txt", "2 0.1 0.1 0.5 0.1 0.5 0.5")
    source = open_source(str(yolo), "val", Boxes)
    assert source.remarks() == [f"{OUTLINES}: 1"]
    assert source[0].truth.xyxy.tolist() == [[3, 4, 15, 20]]


def test_a_wrong_line_is_named_before_training(yolo: Path) -> None:
    write(yolo / "labels" / "train" / "three.txt", "2 0.5 0.5 0.5 0.5\n2 0.5 oops 0.5 0.5\n")
    (problem,) = open_source(str(yolo), "train", Boxes).problems()
    assert "line 2 of" in problem
    assert "three.txt" in problem


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "images/trian",
            "must be a folder or a list of images .* names 'images/trian', which is neither",
        ),
        ("../../elsewhere", "everything must lie below"),
        ("/etc", "everything must lie below"),
        ("out.txt", "everything must lie below .*out.txt' names '/etc/passwd'"),
        ("empty.txt", "needs at least one image"),
        ("twice.txt", "must name every image once"),
    ],
)
def test_a_wrong_place_is_named(yolo: Path, place: str, message: str) -> None:
    write(yolo / "out.txt", "/etc/passwd\n")
    write(yolo / "empty.txt", "")
    write(yolo / "twice.txt", "images/train/one.jpg\n./images/train/one.jpg\n")
    yaml(yolo, place)
    with pytest.raises(DataError, match=message):
        open_source(str(yolo), "train", Boxes)


# === the real ones ===


@pytest.mark.parametrize(("split", "images"), [("train", 3199), ("val", 485)])
def test_the_real_devkit_reads_without_a_remark(
    cvtasks_data: Path, split: str, images: int
) -> None:
    source = open_source(str(cvtasks_data / "voc2012" / "VOCdevkit" / "VOC2012"), split, Boxes)
    assert (len(source), source.classes) == (images, VOC_CLASSES[1:])
    assert list(source.problems()) == []
    assert source.remarks() == []
    assert (
        len(open_source(str(cvtasks_data / "voc2012" / "VOCdevkit"), f"2012-{split}", Boxes))
        == images
    )


def test_real_difficult_objects_are_marked(cvtasks_data: Path) -> None:
    root = cvtasks_data / "voc2012" / "VOCdevkit" / "VOC2012"
    source = open_source(str(root), "real_xml", Boxes)
    marked = sum(
        path.read_text().count("<difficult>1")
        for path in (root / "Annotations" / f"{n}.xml" for n in source.names)
    )
    assert sum(int(source[i].truth.difficult.sum()) for i in range(len(source))) == marked > 0


def test_real_coco_reads_without_a_remark(cvtasks_data: Path) -> None:
    source = open_source(str(cvtasks_data / "nuclei"), "val", Boxes)
    assert list(source.problems()) == []
    assert source.remarks() == []
    document = json.loads((cvtasks_data / "nuclei" / "val.json").read_text())
    assert len(source) == len(document["images"])
    assert sum(len(source[i].truth) for i in range(len(source))) == len(document["annotations"])
