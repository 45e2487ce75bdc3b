"""Sources of image-level labels: every format gives the same truths, damaged files are named, real
data counts as it should.
"""

import gzip
import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels
from cvtasks.data import FORMATS, open_source
from cvtasks.data.checking.statistics import statistics
from cvtasks.data.download import catalogue
from cvtasks.data.formats.class_folders import CLASS_FOLDERS
from cvtasks.data.formats.labels_from_boxes import labels_of
from cvtasks.errors import DataError

ABC = ("ant", "bee", "cow")
ONE = ((0,), (2,), (1,), (0,))
"""Indices of the classes that each of four images shows, for formats with one label an image."""
MANY = ((0, 2), (2,), (), (0, 1))
"""The same for formats with any number."""
_WORDS = {"train": "train", "test": "t10k"}


def image(path: Path, number: int, size: tuple[int, int] = (12, 16)) -> None:
    """Write an image (h, w) of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 10 * number, np.uint8)).save(path)


def idx(array: np.ndarray) -> bytes:
    """An idx file, written with nothing but its description in hand."""
    return (
        bytes([0, 0, 8, array.ndim])
        + b"".join(side.to_bytes(4, "big") for side in array.shape)
        + array.tobytes()
    )


def write_idx(root: Path, split: str = "train", packed: bool = True) -> None:
    """MNIST's files; the classes are ants, bees and cows."""
    greys = np.stack([np.full((28, 28), 10 * number, np.uint8) for number in range(4)])
    labels = np.array([shown[0] for shown in ONE], np.uint8)
    root.mkdir(exist_ok=True)
    for name, array in (("images-idx3", greys), ("labels-idx1", labels)):
        path = root / f"{_WORDS[split]}-{name}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    (root / "classes.txt").write_text("\n".join(ABC) + "\n", encoding="utf-8")


def write_cifar(root: Path) -> None:
    """Two batches of two records; an image's red is its number, green 1, blue 2."""
    root.mkdir()
    for batch in range(2):
        records = b"".join(
            bytes([ONE[number][0]]) + bytes([number] * 1024 + [1] * 1024 + [2] * 1024)
            for number in (2 * batch, 2 * batch + 1)
        )
        (root / f"data_batch_{batch + 1}.bin").write_bytes(records)
    (root / "batches.meta.txt").write_text("\n".join(ABC) + "\n\n", encoding="utf-8")


def write_folders(root: Path) -> None:
    """A folder for each class, of which one has no image in the split `val`."""
    for number, (label,) in enumerate(ONE):
        image(root / "train" / ABC[label] / f"{number}.png", number)
    image(root / "val" / "ant" / "0.png", 0)


def write_csv(root: Path) -> None:
    """A table with splits and several labels."""
    lines = ["image,label,split"]
    for number, shown in enumerate(MANY):
        image(root / "images" / f"{number}.png", number)
        lines.append(f"images/{number}.png,{'|'.join(ABC[label] for label in shown)},train")
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_one_hot(root: Path) -> None:
    """A table with a column for each class."""
    lines = [f"filename,{','.join(ABC)}"]
    for number, shown in enumerate(MANY):
        image(root / "images" / f"{number}.png", number)
        cells = [str(int(label in shown)) for label in range(3)]
        lines.append(",".join([f"images/{number}.png", *cells]))
    (root / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_lists(root: Path) -> None:
    """A list with numbers, and the names of the classes."""
    for number in range(4):
        image(root / "images" / f"{number}.png", number)
    lines = [f"images/{number}.png {label}\n" for number, (label,) in enumerate(ONE)]
    (root / "train.txt").write_text("".join(lines), encoding="utf-8")
    (root / "classes.txt").write_text("\n".join(ABC), encoding="utf-8")


def write_voc(root: Path, difficult: tuple[int, ...] = ()) -> None:
    """A year of VOC; the objects of the images `difficult` are all difficult."""
    for folder in ("ImageSets/Main", "Annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    for number, shown in enumerate(MANY):
        image(root / "JPEGImages" / f"{number}.jpg", number)
        flag = int(number in difficult)
        corners = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
        box = f"<difficult>{flag}</difficult><bndbox>{corners}</bndbox>"
        objects = "".join(f"<object><name>{ABC[label]}</name>{box}</object>" for label in shown)
        (root / "Annotations" / f"{number}.xml").write_text(
            f"<annotation>{objects}</annotation>", encoding="utf-8"
        )
    (root / "ImageSets" / "Main" / "train.txt").write_text("0\n1\n2\n3\n", encoding="utf-8")
    (root / "ImageSets" / "Main" / "ant_train.txt").write_text(
        "0 -1\n1 -1\n2 -1\n3 -1\n", encoding="utf-8"
    )  # it is wrong
    (root / "classes.txt").write_text("\n".join(ABC) + "\n", encoding="utf-8")


def write_coco(root: Path) -> None:
    """One JSON and its images."""
    for number in range(4):
        image(root / "train" / f"{number}.png", number)
    pairs = [(number, label) for number, shown in enumerate(MANY) for label in shown]
    document = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 12, "width": 16} for n in range(4)],
        "categories": [{"id": label + 1, "name": name} for label, name in enumerate(ABC)],
        "annotations": [
            {"id": i, "image_id": n, "category_id": label + 1, "bbox": [0, 0, 9, 9], "iscrowd": 0}
            for i, (n, label) in enumerate(pairs, start=1)
        ],
    }
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train.json").write_text(
        json.dumps(document), encoding="utf-8"
    )


def write_yolo(root: Path) -> None:
    """A YAML, images and text files."""
    for number, shown in enumerate(MANY):
        image(root / "images" / "train" / f"{number}.png", number)
        labels = root / "labels" / "train" / f"{number}.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(
            "".join(f"{label} 0.5 0.5 0.25 0.25\n" for label in shown), encoding="utf-8"
        )
    (root / "data.yaml").write_text(
        f"train: images/train\nnames: [{', '.join(ABC)}]\n", encoding="utf-8"
    )


WRITTEN: dict[str, tuple[Callable[[Path], None], tuple[tuple[int, ...], ...]]] = {
    "voc-labels": (write_voc, MANY),
    "yolo-labels": (write_yolo, MANY),
    "coco-labels": (write_coco, MANY),
    "csv": (write_csv, MANY),
    "one-hot-csv": (write_one_hot, MANY),
    "label-lists": (write_lists, ONE),
    "idx": (write_idx, ONE),
    "cifar": (write_cifar, ONE),
    "class-folders": (write_folders, ONE),
}


@pytest.fixture(params=WRITTEN)
def written(request, tmp_path) -> tuple[str, Path, list[tuple[int, ...]]]:
    """A format, a data set in it, and what its images show, in order."""
    write, shown = WRITTEN[request.param]
    write(tmp_path / "set")
    return (
        request.param,
        tmp_path / "set",
        sorted(shown) if request.param == "class-folders" else list(shown),
    )


# === every format ===


def test_every_source_of_labels_is_tested_here():
    """The others are formats of boxes, which tests/data/formats reads as labels too, and trees of
    folders, which are none until it is said how they are read.
    """
    boxes = {name for name, one in FORMATS.items() if one.kind is Boxes}
    labels = {name for name, one in FORMATS.items() if one.kind is Labels}
    own = {name for name in labels if name.removesuffix("-labels") not in boxes}
    assert set(WRITTEN) >= {name for name in own if not FORMATS[name].needs}


def test_the_format_is_recognised_and_gives_what_was_written(written):
    kind, root, shown = written
    source = open_source(str(root), "train", Labels)
    assert source.format == FORMATS[kind].name
    assert source.classes == ABC
    assert [tuple(sorted(source.truth(index).shown)) for index in range(len(source))] == shown
    samples = [source[index] for index in range(len(source))]
    assert [sample.truth.names for sample in samples] == [
        source.truth(index).names for index in range(len(source))
    ]
    assert len({sample.name for sample in samples}) == len(samples)
    assert {(sample.image.dtype.name, sample.image.shape[2]) for sample in samples} == {
        ("uint8", 3)
    }
    assert list(source.problems()) == []


def test_truths_and_problems_decode_no_image(written, monkeypatch):
    _, root, shown = written
    for module in ("labels", "boxes"):
        monkeypatch.setattr(f"cvtasks.data.formats.bases.{module}.read_image", None)
    source = open_source(str(root), "train", Labels)
    assert [len(source.truth(index).shown) for index in range(len(source))] == [
        len(one) for one in shown
    ]
    assert list(source.problems()) == []


def test_a_split_that_is_not_there_is_named(written):
    with pytest.raises(DataError, match=r'"trian" is no split of .*Did you mean "train"'):
        open_source(str(written[1]), "trian", Labels)


def test_statistics_count_images(written):
    _, root, shown = written
    rows = statistics(open_source(str(root), "train", Labels))
    expected = Counter(label for one in shown for label in one)
    assert rows == [
        {"class": name, "images": expected[label], "difficult": 0} for label, name in enumerate(ABC)
    ]


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if kind not in ("idx", "cifar")])
def test_an_image_that_is_damaged_is_a_problem(kind, tmp_path):
    WRITTEN[kind][0](tmp_path / "set")
    source = open_source(str(tmp_path / "set"), "train", Labels)
    victim = next(
        path
        for path in sorted(tmp_path.rglob("*"))
        if path.stem == "1" and path.suffix in (".png", ".jpg")
    )
    victim.write_bytes(b"no image")
    problems = list(source.problems())
    assert len(problems) == 1
    assert str(victim) in problems[0]


def test_nothing_there_says_what_could_be():
    with pytest.raises(
        DataError,
        match=r"folder, or its COCO JSON or CSV or .*YOLO YAML; 'nowhere' is none.*fashion-mnist",
    ):
        open_source("nowhere", "", Labels)


def test_an_unknown_layout_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"the layout .* is not known for labels data") as error:
        open_source(str(tmp_path), "", Labels)
    assert all(f" {name}," in str(error.value).replace(".", ",") for name in WRITTEN)


def test_data_for_another_task_are_called_so(tmp_path):
    write_idx(tmp_path)
    with pytest.raises(DataError, match=r"boxes data. It holds idx files.* for classify: take"):
        open_source(str(tmp_path), "train", Boxes)


def test_a_folder_above_is_told_where_the_set_lies(tmp_path):
    write_idx(tmp_path / "digits")
    with pytest.raises(DataError, match=r"holds one below. Give .*digits"):
        open_source(str(tmp_path), "train", Labels)


# === boxes as labels ===


def test_no_boxes_are_no_labels():
    assert labels_of(Boxes.of([], [], ABC, (5, 5))).names == ()


def test_a_class_with_nothing_but_difficult_objects_or_crowds_is_difficult():
    boxes = Boxes.of(
        [[0, 0, 4, 4]] * 4,
        [0, 0, 1, 2],
        ABC,
        (5, 5),
        difficult=[True, False, True, False],
        crowd=[False, False, False, True],
    )
    labels = labels_of(boxes)
    assert labels.names == ("ant",)
    assert labels.difficult.tolist() == [False, True, True]


def test_voc_marks_difficult_and_does_not_read_the_lists_of_classes(tmp_path):
    write_voc(tmp_path / "VOC2012", difficult=(0,))
    (tmp_path / "VOC2012" / "classes.txt").rename(tmp_path / "classes.txt")
    source = open_source(str(tmp_path), "2012-train", Labels)
    assert source.truth(0).names == ()
    assert source.truth(0).difficult.tolist() == [True, False, True]
    assert source.truth(3).names == ("ant", "bee")
    assert [row["difficult"] for row in statistics(source)] == [1, 0, 1]


# === idx ===


def test_idx_files_are_read_packed_and_plain_and_keep_their_pixels(tmp_path):
    for packed in (True, False):
        write_idx(tmp_path / str(packed), "test", packed)
        sample = open_source(str(tmp_path / str(packed)), "test", Labels)[3]
        assert sample.name == "test-00003"
        np.testing.assert_array_equal(sample.image, np.full((28, 28, 3), 30, np.uint8))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_may_have_a_dot_before_their_kind(tmp_path, packed):
    write_idx(tmp_path, packed=packed)
    for path in tmp_path.glob("*ubyte*"):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(open_source(str(tmp_path), "train", Labels)) == 4


def test_idx_classes_are_digits_unless_said(tmp_path):
    write_idx(tmp_path / "set")
    (tmp_path / "set" / "classes.txt").unlink()
    assert open_source(str(tmp_path / "set"), "train", Labels).classes == tuple("0123456789")


def _header(*sides: int, magic: tuple[int, ...] = (0, 0, 8, 3)) -> bytes:
    return bytes(magic) + b"".join(side.to_bytes(4, "big") for side in sides)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (_header(4, 28), "begins with 0, 0, 8, 3 and its sizes"),
        (_header(4, 28, 28, magic=(0, 0, 13, 3)) + bytes(3136), "begins with 0, 0, 13, 3"),
        (_header(4, 28, 28) + bytes(3135), "it says|says 4 x 28 x 28|holds 3,135"),
        (_header(4, 28, 28) + bytes(3137), "holds more"),
        (_header(4, 0, 28), "says 4 x 0 x 28"),
        (_header(2**22, 2**21, 2**21), "says 4,194,304 x 2,097,152"),  # 2 to the 64th: 0 in 64 bits
        (_header(2**32 - 1, 2**32 - 1, 2**32 - 1), "says 4,294,967,295"),
        (_header(0, 28, 28), "has 0 images and 4 labels"),
        (_header(3, 28, 28) + bytes(2352), "has 3 images and 4 labels"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_idx_files_are_named(tmp_path, content, message, packed):
    write_idx(tmp_path / "set", packed=packed)
    name = tmp_path / "set" / f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    name.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path / "set"), "train", Labels)


def test_a_packed_file_that_is_cut_or_none_is_named(tmp_path):
    write_idx(tmp_path / "set")
    path = tmp_path / "set" / "train-labels-idx1-ubyte.gz"
    for content in (path.read_bytes()[:-12], b"no gzip"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"must be whole; .*labels-idx1-ubyte.gz"):
            open_source(str(tmp_path / "set"), "train", Labels)


def test_of_a_packed_bomb_no_more_is_read_than_its_header_says(tmp_path):
    write_idx(tmp_path / "set")
    (tmp_path / "set" / "train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(_header(4, 28, 28) + bytes(50_000_000), 1)
    )
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="holds more"):
            open_source(str(tmp_path / "set"), "train", Labels)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_idx_labels_need_classes_and_images_their_labels(tmp_path):
    write_idx(tmp_path / "set")
    (tmp_path / "set" / "classes.txt").write_text("ant\nbee\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"below 2, the number of classes; .* has 2\. Name all classes"
    ):
        open_source(str(tmp_path / "set"), "train", Labels)
    (tmp_path / "set" / "classes.txt").write_text("ant\nant\n", encoding="utf-8")
    with pytest.raises(DataError, match="one class a line, each once"):
        open_source(str(tmp_path / "set"), "train", Labels)
    (tmp_path / "set" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="lacks 'train-labels-idx1-ubyte'"):
        open_source(str(tmp_path / "set"), "train", Labels)


# === CIFAR-10 ===


def test_cifar_keeps_its_planes_and_the_order_of_its_batches(tmp_path):
    write_cifar(tmp_path / "set")
    (tmp_path / "set" / "data_batch_10.bin").write_bytes(bytes(3073))
    source = open_source(str(tmp_path / "set"), "train", Labels)
    assert len(source) == 5
    assert [source[i].image[31, 0].tolist() for i in range(5)] == [
        [0, 1, 2],
        [1, 1, 2],
        [2, 1, 2],
        [3, 1, 2],
        [0, 0, 0],
    ]
    assert source[2].name == "train-00002"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "has 0 bytes"), (bytes(3072), "3,072 bytes"), (b"\3" + bytes(3072), "has 3")],
)
def test_damaged_batches_are_named(tmp_path, content, message):
    write_cifar(tmp_path / "set")
    (tmp_path / "set" / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path / "set"), "train", Labels)


# === class folders ===


def test_class_folders_without_splits_are_one(tmp_path):
    write_folders(tmp_path / "set")
    source = open_source(str(tmp_path / "set" / "train"), "", Labels)
    assert len(source) == 4
    with pytest.raises(DataError, match='has no splits: it is one without a name; got "train"'):
        open_source(str(tmp_path / "set" / "train"), "train", Labels)


def test_all_splits_have_the_same_classes(tmp_path):
    write_folders(tmp_path / "set")
    source = open_source(str(tmp_path / "set"), "val", Labels)
    assert source.classes == ABC
    assert source.truth(0).names == ("ant",)


def test_class_folders_take_names_and_their_order_from_a_list(tmp_path):
    write_folders(tmp_path / "set")
    for split in ("train", "val"):
        (tmp_path / "set" / split / "ant").rename(
            tmp_path / "set" / split / "n01 ant"
        )  # names of folders may have blanks
    (tmp_path / "set" / "classes.txt").write_text(
        "cow Holstein cow\nn01 ant  fire ant\n\nbee\n", encoding="utf-8"
    )
    source = open_source(str(tmp_path / "set"), "train", Labels)
    assert source.classes == ("Holstein cow", "fire ant", "bee")
    assert source.truth(0).names == ("bee",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant\nbee\n", "must name every class's folder; 'cow' is not in it"),
        ("ant\nbee\ncow\ndog\n", "line 4, 'dog', does not"),
        ("ant\nbee\ncow\nant\n", "line 4, 'ant', names a folder again"),
        ("ant x\nbee x\ncow\n", "every class a name of its own"),
    ],
)
def test_a_list_of_names_that_does_not_fit_is_refused(tmp_path, text, message):
    write_folders(tmp_path / "set")
    (tmp_path / "set" / "classes.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path / "set"), "train", Labels)


def test_folders_of_both_kinds_are_refused(tmp_path):
    write_folders(tmp_path / "set")
    image(tmp_path / "set" / "cow" / "0.png", 0)
    with pytest.raises(DataError, match=r"train' holds folders and .*cow' images"):
        open_source(str(tmp_path / "set"), "train", Labels)


def test_a_folder_below_a_class_is_refused_and_other_files_are_told(tmp_path):
    write_folders(tmp_path / "set")
    (tmp_path / "set" / "train" / "ant" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "set" / "train" / "ant" / "._0.png").write_bytes(b"")
    source = open_source(str(tmp_path / "set"), "train", Labels)
    assert len(source) == 4
    assert source.remarks() == ["files beside the images were passed over: 1"]
    (tmp_path / "set" / "train" / "ant" / "more").mkdir()
    with pytest.raises(DataError, match="has the folder 'more'"):
        open_source(str(tmp_path / "set"), "train", Labels)


def test_folders_of_other_formats_are_no_classes(tmp_path):
    for name in ("images", "masks"):
        image(tmp_path / name / "0.png", 0)
    assert not CLASS_FOLDERS.is_at(tmp_path)
    assert not CLASS_FOLDERS.is_at(tmp_path / "images")


# === CSV ===


def test_a_csv_file_is_data_itself_and_has_its_splits(tmp_path):
    write_csv(tmp_path / "set")
    path = tmp_path / "set" / "labels.csv"
    path.rename(tmp_path / "set" / "mine.csv")
    source = open_source(str(tmp_path / "set" / "mine.csv"), "train", Labels)
    assert len(source) == 4
    assert source[0].name == "0"


def test_csv_may_have_other_orders_quotes_and_a_mark(tmp_path):
    image(tmp_path / "a, b.png", 0)
    text = '\ufefflabel, image\r\n"bee | ant","a, b.png"\r\n\r\n'
    (tmp_path / "labels.csv").write_bytes(text.encode())
    source = open_source(str(tmp_path), "", Labels)
    assert source.classes == ("ant", "bee")
    assert source.truth(0).names == ("ant", "bee")


def test_csv_classes_are_of_all_splits_or_as_listed(tmp_path):
    for number in range(2):
        image(tmp_path / f"{number}.png", number)
    (tmp_path / "labels.csv").write_text(
        "image,label,split\n0.png,cow,train\n1.png,ant,val\n", encoding="utf-8"
    )
    assert open_source(str(tmp_path), "val", Labels).classes == ("ant", "cow")
    (tmp_path / "classes.txt").write_text("\n".join(ABC[::-1]), encoding="utf-8")
    assert open_source(str(tmp_path), "val", Labels).classes == ABC[::-1]
    (tmp_path / "classes.txt").write_text("ant\ncows\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'"cow", line 2 of .*, is not. Did you mean "cows"'):
        open_source(str(tmp_path), "val", Labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a column that names images and one of labels"),
        ("file,a,b\n0.png,ant,2\n", "must have a column .* has 'file,a,b'"),
        ("image,xmin,class\n0.png,4,ant\n", "must have a column"),
        ("image,label\n", "needs at least one image"),
        ("image,label\n0.png,\n", "needs at least one class"),
        ("image,label\n0.png\n", "must have 2 columns; line 2 has 1"),
        ("image,label\n0.png,ant\n0.png,bee\n", "names '.*0.png' again"),
        ("image,label\n./0.png,ant\n0.png,bee\n", "names '.*0.png' again"),
        ("image,label\n0.png,ant|\n", "labels must be names, each once; line 2"),
        ("image,label\n0.png,ant|ant\n", "labels must be names, each once; line 2"),
        ("image,label\n9.png,ant\n", "lacks 1 image"),
        ('image,label\n0.png,"ant\n', "line 2 of .* is not one's"),
        *(
            (f"image,label\n{name},ant\n", "below the table's folder; line 2")
            for name in ("../0.png", "/1.png", "C:\\1.png", "")
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, message):
    image(tmp_path / "0.png", 0)
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path), "", Labels)


# === names of known data sets ===


def test_a_known_name_is_a_path_once_it_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=r"'fashion-mnist' is not there. Run `cvtasks data get fashion-mnist`"
    ):
        open_source("fashion-mnist", "train", Labels)
    place = catalogue.place_of("fashion-mnist")
    place.mkdir(parents=True)
    write_idx(place)
    write_idx(place, "test")
    assert len(open_source("fashion-mnist", "train", Labels)) == 4
    (tmp_path / "fashion-mnist").mkdir()  # what exists is a path
    with pytest.raises(DataError, match="layout of 'fashion-mnist' is not known"):
        open_source("fashion-mnist", "train", Labels)


def test_both_years_of_voc_are_one_devkit(tmp_path, monkeypatch):
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path))
    place = catalogue.place_of("voc2007")
    write_voc(place / "VOCdevkit" / "VOC2012")
    with pytest.raises(DataError, match=r"Run `cvtasks data get voc2007`\.$"):
        open_source("voc2007+2012", "2007+2012-train", Labels)
    write_voc(place / "VOCdevkit" / "VOC2007")
    (place / "VOCdevkit" / "classes.txt").write_text("\n".join(ABC), encoding="utf-8")
    assert len(open_source("voc2007+2012", "2007+2012-train", Boxes)) == 8
    assert len(open_source("voc2007", "train", Labels)) == 4


# === the command line ===


@pytest.mark.parametrize("task", ["classify", "localize"])
def test_check_and_stats_know_the_tasks_of_whole_images(task, cli, tmp_path):
    write_voc(tmp_path / "set")
    code, out, err = cli("data", "check", "--task", task, f"{tmp_path / 'set'}:train")
    assert code == 0
    assert "error" not in out
    assert "no error, " in err
    code, out, _ = cli("data", "stats", "--json", "--task", task, f"{tmp_path / 'set'}:train")
    assert code == 0
    assert [row["images"] for row in json.loads(out)] == [2, 1, 2]


# === real data ===


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_idx_files(cvtasks_data, name):
    for split, count in (("train", 60_000), ("test", 10_000)):
        source = open_source(str(cvtasks_data / name), split, Labels)
        assert len(source) == count
        stem = {"train": "train", "test": "t10k"}[split]
        with gzip.open(cvtasks_data / name / f"{stem}-labels-idx1-ubyte.gz") as file:
            labels = file.read()[8:]
        assert [row["images"] for row in statistics(source)] == [
            labels.count(label) for label in range(10)
        ]
        assert source[count - 1].image.shape == (28, 28, 3)


def test_real_class_folders(cvtasks_data):
    for split, count in (("train", 9469), ("val", 3925)):
        source = open_source(str(cvtasks_data / "imagenette"), split, Labels)
        assert len(source) == count
        folders = {
            folder.name: len(list(folder.iterdir()))
            for folder in (cvtasks_data / "imagenette" / split).iterdir()
        }
        assert {row["class"]: row["images"] for row in statistics(source)} == folders
    assert list(source.problems()) == []


@pytest.mark.parametrize(("split", "count"), [("train", 3199), ("val", 485)])
def test_real_voc_counts_as_its_files_do(cvtasks_data, split, count):
    root = cvtasks_data / "voc2012" / "VOCdevkit" / "VOC2012"
    source = open_source(str(root), split, Labels)
    assert len(source) == count
    shown, hard = Counter(), Counter()
    for name in (root / "ImageSets" / "Main" / f"{split}.txt").read_text(encoding="utf-8").split():
        found = [
            (item.findtext("name"), item.findtext("difficult", "0"))
            for item in ElementTree.parse(root / "Annotations" / f"{name}.xml")
            .getroot()
            .findall("object")
        ]
        plain = {what for what, difficult in found if difficult == "0"}
        shown.update(plain)
        hard.update({what for what, _ in found} - plain)
    rows = statistics(source)
    assert {row["class"]: row["images"] for row in rows} == {
        name: shown[name] for name in source.classes
    }
    assert {row["class"]: row["difficult"] for row in rows} == {
        name: hard[name] for name in source.classes
    }


def test_a_table_of_a_spreadsheet_is_read_with_its_semicolons(tmp_path):
    for name in ("a", "b"):
        image(tmp_path / f"{name}.png", 1)
    table = "\ufeffimage;label\r\na.png;gro\u00dfe \u00c4hre, reif\r\nb.png;x\r\n"
    (tmp_path / "labels.csv").write_bytes(table.encode())
    source = open_source(str(tmp_path), "", Labels)
    assert source.classes == ("gro\u00dfe \u00c4hre, reif", "x") and len(source) == 2


def test_a_folder_without_an_image_is_called_so(tmp_path):
    with pytest.raises(DataError, match=r"boxes data\. It holds no image: .+ Known formats: "):
        open_source(str(tmp_path), "", Boxes)
