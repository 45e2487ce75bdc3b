"""Lists, lines, names and paths of other people's data sets: what they can only mean, or a refusal;
hidden files; all formats in turn.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data import open_source
from cvtasks.data.writing.convert import convert
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.reading import ELSEWHERE, KEY_POINTS, MISNAMED, OUTLINES, TRACKS
from cvtasks.formats.yolo import parse_yaml, parse_yolo
from cvtasks.formats.yolo_lines import POSE as KEY_POINT_LINES
from cvtasks.formats.yolo_lines import kinds_of, look_like

SIZE = (100, 200)  # (height, width)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def image(path: Path, level: int = 0, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(path)


def xml(left: int, filename: str = "") -> str:
    """A cat, 20 x 20 pixels, whose left edge is at `left`."""
    corners = f"<xmin>{left + 1}</xmin><ymin>1</ymin><xmax>{left + 20}</xmax><ymax>20</ymax>"
    item = f"<object><name>cat</name><bndbox>{corners}</bndbox></object>"
    return f"<annotation><filename>{filename}</filename>{item}</annotation>"


def voc(root: Path, names: list[str], listed: str, split: str = "train") -> None:
    """Images of these stems, whose cat's left edge is ten times their place here."""
    for place, name in enumerate(names):
        image(root / "JPEGImages" / f"{name}.png", place)
        write(root / "Annotations" / f"{name}.xml", xml(10 * place))
    write(root / "ImageSets/Main" / f"{split}.txt", listed)
    write(root / "classes.txt", "cat\n")


def places(source: object) -> list[int]:
    """Which image and which cat each sample is: the two must be the same."""
    found = [
        (int(sample.image[0, 0, 0]), int(sample.truth.xyxy[0, 0]) // 10)
        for sample in (source[i] for i in range(len(source)))
    ]
    assert all(image == cat for image, cat in found)
    return [image for image, _ in found]


# === Pascal VOC's lists ===

NAMES = ["cat", "cat 1", "cat 2", "a.b", "ü ñ", "-x", "dog"]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("cat 1\n", [1]),
        ("cat 1\ncat 2\n", [1, 2]),
        ("cat\ncat 1\n", [0, 1]),
        ("\ufeffcat 1\r\ncat 2\r\n\r\n", [1, 2]),
        ("cat 1\rcat 2", [1, 2]),
        ("  cat 2  \n\n", [2]),
        ("a.b\nü ñ\n-x\n", [3, 4, 5]),
        ("a.b  1\nü ñ -1\n-x  0\n", [3, 4, 5]),  # a class's list
        ("cat 2\t-1\ndog\t1\n", [2, 6]),
        ("cat 1  1\ncat 1\n", None),  # both ways
        ("cat 1\ndog -1\n", None),
        ("cat 1.png\na.b.png\n", [1, 3]),
        ("dog.png\n", [6]),
    ],
)
def test_a_line_is_the_name_that_there_is(
    listed: str, expected: list[int] | None, tmp_path: Path
) -> None:
    voc(tmp_path, NAMES, listed)
    if expected is None:
        with pytest.raises(
            DataError, match=r"may be either, as there are images 'cat 1' and 'cat'"
        ):
            open_source(str(tmp_path), "train", Boxes)
    else:
        assert places(open_source(str(tmp_path), "train", Boxes)) == expected


@pytest.mark.parametrize("listed", ["cat 3\ndog\n", "cat 3\n"])
def test_a_name_that_is_not_there_is_no_other_one(listed: str, tmp_path: Path) -> None:
    voc(tmp_path, NAMES, listed)
    with pytest.raises(DataError, match=r"lacks 1 image: .*cat 3\.jpg"):
        open_source(str(tmp_path), "train", Boxes)


def test_lists_of_masks_are_read_alike(tmp_path: Path) -> None:
    for place, name in enumerate(NAMES):
        image(tmp_path / "JPEGImages" / f"{name}.jpg", place)
        (tmp_path / "SegmentationClass").mkdir(exist_ok=True)
        Image.fromarray(np.full(SIZE, place, np.uint8)).save(
            tmp_path / "SegmentationClass" / f"{name}.png"
        )
    write(tmp_path / "ImageSets/Segmentation/val.txt", "cat 1\ncat 2\na.b\n")
    source = open_source(str(tmp_path), "val", Mask)
    assert [source.truth(index).ids[0, 0] for index in range(3)] == [1, 2, 3]


# === images that share a name ===


def test_of_two_images_of_one_name_the_annotation_says_which(tmp_path: Path) -> None:
    voc(tmp_path, ["a"], "a\n")
    image(tmp_path / "JPEGImages/a.jpg", 99)
    with pytest.raises(
        DataError,
        match=r"'a\.jpg' and 'a\.png' .* share 'a'. Remove one, or write the one that is meant",
    ):
        open_source(str(tmp_path), "train", Boxes)
    for filename in ("a.png", "C:\\images\\a.png", "/home/me/a.png"):
        write(tmp_path / "Annotations/a.xml", xml(0, filename))
        assert places(open_source(str(tmp_path), "train", Boxes)) == [0]
    write(tmp_path / "Annotations/a.xml", xml(0))
    write(tmp_path / "ImageSets/Main/train.txt", "a.png\n")
    assert places(open_source(str(tmp_path), "train", Boxes)) == [0]


def test_of_two_images_of_one_name_neither_has_the_labels(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.png", "c.png", "c.jpg"):
        image(tmp_path / "images" / name)
    for name in "ab":
        write(tmp_path / "labels" / f"{name}.txt", "0 .5 .5 .1 .2\n")
    write(tmp_path / "data.yaml", "train: images\nnames: [cat]\n")
    found: list = []
    source = open_source(str(tmp_path), "train", Boxes, found.append)
    assert [file.name for file in source.files] == [
        "b.png",
        "c.jpg",
        "c.png",
    ]  # c has no labels, so none are shared
    assert [error.rule for error in found] == ["images share a name"]
    assert "a.png' share" in str(found[0])


def test_an_annotation_of_another_image_is_refused(tmp_path: Path) -> None:
    voc(tmp_path, ["a", "b"], "a\n")
    write(tmp_path / "Annotations/a.xml", xml(0, "b.png"))
    with pytest.raises(
        DataError, match=r"<filename>b\.png</filename>, which is another image beside 'a\.png'"
    ):
        open_source(str(tmp_path), "train", Boxes).truth(0)


@pytest.mark.parametrize(
    ("filename", "remarks"),
    [
        ("", ()),
        ("a", ()),
        ("a.png", ()),
        ("a.JPG", ()),
        ("x\\a.png", ()),
        ("/x/a.jpg", ()),
        ("gone.png", (MISNAMED,)),
    ],
)
def test_a_name_of_an_image_that_is_not_there_is_said(
    filename: str, remarks: tuple, tmp_path: Path
) -> None:
    voc(tmp_path, ["a", "b"], "a\n")
    write(tmp_path / "Annotations/a.xml", xml(0, filename))
    source = open_source(str(tmp_path), "train", Boxes)
    assert (places(source), source.remarks_of(0)) == ([0], remarks)


# === paths of other machines ===


def coco(root: Path, names: list[str]) -> None:
    images = [
        {"id": number, "file_name": name, "width": 200, "height": 100}
        for number, name in enumerate(names, start=1)
    ]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9]}
        for n in range(1, len(names) + 1)
    ]
    write(
        root / "train.json",
        json.dumps(
            {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
        ),
    )


def by_coco(root: Path, name: str) -> object:
    coco(root, ["b.png", name])
    return open_source(str(root), "train", Boxes)


def by_yolo(root: Path, name: str) -> object:
    write(root / "labels/b.txt", "0 .5 .5 .1 .2\n")
    write(root / "list.txt", f"images/b.png\n{name}\n")
    write(root / "data.yaml", "train: list.txt\nnames: [cat]\n")
    return open_source(str(root), "train", Boxes)


def by_csv(root: Path, name: str) -> object:
    write(root / "labels.csv", f"image,label\nimages/b.png,cat\n{name},cat\n")
    return open_source(str(root / "labels.csv"), "", Labels)


DOORS: list[Callable[[Path, str], object]] = [by_coco, by_yolo, by_csv]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", "one/x.png", "two/x.png", "one/y z.png"):
        image(tmp_path / "images" / name)
    return tmp_path


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("/home/me/data/a.png", "a.png"),
        ("C:\\Users\\me\\a.png", "a.png"),
        ("C:a.png", "a.png"),
        ("D:/data/one/x.png", "one/x.png"),
        ("\\\\server\\share\\two\\x.png", "two/x.png"),
        ("images\\one\\x.png", "one/x.png"),
        ("/content/one/y z.png", "one/y z.png"),
    ],
)
def test_a_path_of_another_machine_leads_to_the_one_file_that_fits(
    door: Callable[[Path, str], object], name: str, found: str, images: Path
) -> None:
    source = door(images, name)
    assert sorted(source.files) == sorted(images / "images" / part for part in ("b.png", found))
    assert source.remarks()[0] == f"{ELSEWHERE}: 1"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "name",
    ["/home/me/x.png", "C:\\x.png", "/etc/passwd", "C:\\Windows\\none.png", "/a/../one/x.png"],
)
def test_a_path_of_which_none_or_two_fit_is_refused(
    door: Callable[[Path, str], object], name: str, images: Path
) -> None:
    with pytest.raises(
        DataError,
        match=(
            r"not just one file|must lead to an image below|below the table's folder|must lie below"
        ),
    ):
        door(images, name)


def test_the_first_name_with_other_separators_does_not_move_the_rest(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        image(tmp_path / "train" / name)
    coco(tmp_path, ["train\\a.png", "b.png"])
    assert [file.name for file in open_source(str(tmp_path), "train", Boxes).files] == [
        "a.png",
        "b.png",
    ]


@pytest.mark.parametrize(
    "place", ["/content/data/images/one", "C:\\data\\images\\one", "images\\one", "/x/one"]
)
def test_a_folder_of_another_machine_is_the_one_that_ends_alike(place: str, images: Path) -> None:
    for folder in ("images", "data/images"):  # /x/one: `one` itself lies at the root
        for name in ("x", "y z"):
            write(
                images / folder.replace("images", "labels") / "one" / f"{name}.txt",
                "0 .5 .5 .1 .2\n",
            )
    if place == "/x/one":
        (images / "images/one").rename(images / "one")
        write(images / "one/x.txt", "0 .5 .5 .1 .2\n")
    write(images / "data.yaml", f"train: '{place}'\nnames: [cat]\n")
    source = open_source(str(images), "train", Boxes)
    assert [file.name for file in source.files] == ["x.png", "y z.png"]
    assert f"{ELSEWHERE}: 1" in source.remarks()


def test_files_behind_links_that_lead_round_are_found_once(images: Path) -> None:
    (images / "images/round").symlink_to(images / "images")
    assert by_coco(images, "/home/me/a.png").files[1].name == "a.png"


# === hidden files, and endings in capitals ===

HIDDEN = [
    "._a.png",
    ".a.png",
    ".ipynb_checkpoints/a-checkpoint.png",
    "__MACOSX/._a.png",
    "@eaDir/a.png",
    "Thumbs.db",
    "desktop.ini",
]


def hide(folder: Path) -> None:
    for name in HIDDEN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7" * 9)


def test_hidden_files_of_yolo(tmp_path: Path) -> None:
    image(tmp_path / "images/train/a.PNG")
    write(tmp_path / "labels/train/a.TXT", "0 .5 .5 .1 .2\n")
    write(tmp_path / "labels/train/._a.txt", "\0")
    write(tmp_path / "data.yaml", "train: images/train\nnames: [cat]\n")
    hide(tmp_path / "images/train")
    source = open_source(str(tmp_path), "train", Boxes)
    assert ([file.name for file in source.files], len(source.truth(0))) == (["a.PNG"], 1)
    assert [*source.problems(), *source.remarks(), *source.orphans()] == []


def test_hidden_files_of_voc(tmp_path: Path) -> None:
    voc(tmp_path, ["a"], "a\n")
    (tmp_path / "Annotations/a.xml").rename(tmp_path / "Annotations/a.XML")
    hide(tmp_path / "JPEGImages")
    for name in ("Annotations/._a.xml", "Annotations/.b.xml", "ImageSets/Main/._train.txt"):
        write(tmp_path / name, "\0")
    source = open_source(str(tmp_path), "train", Boxes)
    assert (places(source), list(source.orphans())) == ([0], [])
    with pytest.raises(DataError, match="is no split"):
        open_source(str(tmp_path), "._train", Boxes)


def test_hidden_files_of_coco(tmp_path: Path) -> None:
    image(tmp_path / "train/a.png")
    coco(tmp_path, ["a.png"])
    write(tmp_path / "._train.json", "\0")
    hide(tmp_path / "train")
    source = open_source(str(tmp_path), "train", Boxes)
    assert (len(source), list(source.orphans())) == (1, [])
    with pytest.raises(DataError, match="is no split"):
        open_source(str(tmp_path), "._train", Boxes)


def test_hidden_files_of_masks(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder / "train").mkdir(parents=True)
        hide(tmp_path / folder / "train")
        hide(tmp_path / folder)
    image(tmp_path / "images/train/a.jpg")
    Image.fromarray(np.ones(SIZE, np.uint8)).save(tmp_path / "masks/train/a.PNG")
    write(tmp_path / "classes.txt", "no\nyes\n")
    source = open_source(str(tmp_path), "train", Mask)
    assert [file.name for file in source.files] == ["a.jpg"]


def test_hidden_files_of_class_folders(tmp_path: Path) -> None:
    image(tmp_path / "train/cat/a.png")
    hide(tmp_path / "train/cat")
    hide(tmp_path / "train")
    hide(tmp_path)
    source = open_source(str(tmp_path), "train", Labels)
    assert ([file.name for file in source.files], source.classes) == (["a.png"], ("cat",))


# === lines of YOLO ===

OUTLINE = (
    "0 .1 .1 .5 .1 .5 .5 .3 .6"  # its first two points make no box in the image: it begins below 0
)
DENSE = "0 " + " ".join(
    f"{0.5 + 0.1 * np.cos(a):.4f} {0.5 + 0.1 * np.sin(a):.4f}" for a in np.linspace(0, 6, 20)
)
POSE = "0 .5 .5 .1 .2 .48 .45 .52 .55"
SEEN = "0 .5 .5 .1 .2 .48 .45 2 .52 .55 1"
TRACK = "0 .5 .5 .1 .2 .93 7"
BOX = [90, 40, 110, 60]


@pytest.mark.parametrize(
    ("text", "boxes", "remarks"),
    [
        ("0 .5 .5 .1 .2", [BOX], ()),
        ("0 .5 .5 .1 .2 .93", [BOX], ()),
        (TRACK, [BOX], (TRACKS,)),
        (SEEN, [BOX], (KEY_POINTS,)),
        ("0 .5 .5 .1 .2 .48 .45 2", [BOX], (KEY_POINTS,)),
        ("0 .5 .5 .1 .2 0 0 0 .52 .55 2", [BOX], (KEY_POINTS,)),
        (OUTLINE, [[20, 10, 100, 60]], (OUTLINES,)),
        (
            "0 .45 .4 .55 .4 .55 .6 .45 .6",
            [BOX],
            (OUTLINES,),
        ),  # a rectangle's corners, as oriented boxes are written
        ("0 .5 .35 .6 .5 .5 .65 .4 .5", [[80, 35, 120, 65]], (OUTLINES,)),  # one that is turned
        ("0 .45 .4 .55 .4 .5 .6 .45 .4", [BOX], (OUTLINES,)),  # one that ends where it began
        (
            f"{DENSE}\n0 .45 .4 .55 .4 .5 .6",
            [[80, 40, 120, 60], [90, 40, 110, 60]],
            (OUTLINES, OUTLINES),
        ),  # of two lengths
        (f"0 .5 .5 .1 .2\n{OUTLINE}", [BOX, [20, 10, 100, 60]], (OUTLINES,)),
        (DENSE, [[80, 40, 120, 60]], (OUTLINES,)),  # it does not cross itself
    ],
)
def test_a_line_is_what_it_can_only_be(text: str, boxes: list, remarks: tuple) -> None:
    found, said = parse_yolo(text, ("cat",), SIZE, "a.txt")
    np.testing.assert_allclose(found.xyxy, boxes, atol=0.7)
    assert said == remarks


@pytest.mark.parametrize(
    "text",
    [
        POSE,
        "0 .5 .5 .1 .2 .93 1",
        "0 .5 .5 .1 .2 .93 0",
        f"{POSE}\n{POSE[:-1]}4",
        f"{SEEN}\n{OUTLINE}",
    ],
)
def test_a_line_that_may_be_two_things_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(
        DataError,
        match=r"must be clear what a long line is; line 1 .* Say so in the YAML: `task: segment`",
    ):
        parse_yolo(text, ("cat",), SIZE, "a.txt")


@pytest.mark.parametrize("more", [(), (0.93,), (1,), (0.93, 1)])
def test_key_points_as_a_network_predicts_them_are_no_outline(more: tuple[float, ...]) -> None:
    """Each of 17 or 16 points with its score, that of the box and a track behind them: so many
    numbers are even.
    """
    points = 17 if len(more) == 1 else 16
    rng = np.random.default_rng(0)
    drawn = np.concatenate(
        [rng.uniform([0.45, 0.4], [0.55, 0.6], (points, 2)), rng.uniform(0.5, 1, (points, 1))],
        axis=1,
    )
    line = (
        f"0 .5 .5 .1 .2 {' '.join(f'{number:.4f}' for number in drawn.ravel())} "
        f"{' '.join(map(str, more))}"
    )
    with pytest.raises(DataError, match="must be clear what a long line is"):
        parse_yolo(line, ("cat",), SIZE, "a.txt")
    assert parse_yolo(line, ("cat",), SIZE, "a.txt", lines=KEY_POINT_LINES)[0].xyxy.tolist() == [
        BOX
    ]


def test_a_score_behind_an_outline_is_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match="a track behind an outline must be taken off"):
        parse_yolo(f"{OUTLINE} .93", ("cat",), SIZE, "a.txt")


def test_where_no_image_is_left_that_is_no_fault_of_ours(tmp_path: Path) -> None:
    for ending in ("png", "jpg"):
        image(tmp_path / f"images/a.{ending}")
    write(tmp_path / "labels/a.txt", "0 .5 .5 .1 .2")
    write(tmp_path / "data.yaml", "train: images\nnames: [cat]\n")
    faults: list[CVTasksError] = []
    assert len(open_source(str(tmp_path), "train", Boxes, faults.append)) == 0
    assert [fault.rule for fault in faults] == ["images share a name"]


@pytest.mark.parametrize(
    "line",
    [
        "0 .5 .5 .1 .2 .3 .3 .3",
        "0 .5 .5 .1 .2 .3 .3 3",
        "0 .1 .5 .5 .2 .3 .3 1",
        "0 .5 .5 .1 .2 .1 .1 .1 .1 .1",
    ],
)
def test_an_odd_line_without_marks_is_none(line: str) -> None:
    with pytest.raises(DataError, match="a line must be numbers"):
        parse_yolo(line, ("cat",), SIZE, "a.txt")


@pytest.mark.parametrize(
    ("yaml", "line", "box", "remark"),
    [
        ("task: pose", POSE, BOX, KEY_POINTS),
        ("kpt_shape: [2, 2]", POSE, BOX, KEY_POINTS),
        ("kpt_shape: [1, 3]", "0 .5 .5 .1 .2 .9 .9 0.5", BOX, KEY_POINTS),
        ("task: segment", POSE, [20, 20, 104, 55], OUTLINES),
        ("task: obb", POSE, [20, 20, 104, 55], OUTLINES),
        ("task: track", "0 .5 .5 .1 .2 .93 1", BOX, TRACKS),
    ],
)
def test_the_yaml_says_what_lines_are(
    yaml: str, line: str, box: list, remark: str, tmp_path: Path
) -> None:
    image(tmp_path / "images/a.png")
    write(tmp_path / "labels/a.txt", line)
    write(tmp_path / "data.yaml", f"train: images\nnames: [cat]\n{yaml}\n")
    source = open_source(str(tmp_path), "train", Boxes)
    assert (source.truth(0).xyxy.tolist(), source.remarks_of(0)) == ([box], (remark,))


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("task: segment", SEEN + " 2"),
        ("task: track", POSE),
        ("kpt_shape: [1, 2]", "0 .5 .5 .1 .2 1 1 1 1 1"),
    ],
)
def test_a_line_that_is_not_what_the_yaml_says_is_refused(yaml: str, line: str) -> None:
    lines = parse_yaml(f"names: [cat]\n{yaml}", "data.yaml").lines
    with pytest.raises(DataError, match=f"a line must be numbers.*The YAML says: {lines}"):
        parse_yolo(line, ("cat",), SIZE, "a.txt", lines=lines)


@pytest.mark.parametrize(
    ("beside", "box", "remark"),
    [
        (OUTLINE, [20, 20, 104, 55], OUTLINES),
        (DENSE, [20, 20, 104, 55], OUTLINES),  # of another length
        (POSE, None, ""),
        ("0 .5 .5 .1 .2", None, ""),
        ("nonsense", None, ""),
        (SEEN, BOX, KEY_POINTS),
        (TRACK, None, ""),
    ],
)
def test_other_files_of_the_split_tell(
    beside: str, box: list | None, remark: str, tmp_path: Path
) -> None:
    for name, text in (("a", POSE), ("b", beside)):
        image(tmp_path / f"images/{name}.png")
        write(tmp_path / f"labels/{name}.txt", text)
    write(tmp_path / "data.yaml", "train: images\nnames: [cat]\n")
    source = open_source(str(tmp_path), "train", Boxes)
    if box is None:
        assert [fault.rule for fault in source.faults(0)] == ["line unclear"]
    else:
        assert (source.truth(0).xyxy.tolist(), source.remarks_of(0)) == ([box], (remark,))


def test_lines_of_key_points_are_never_taken_for_outlines_alone() -> None:
    """Bodies of 17 points at random places, some of them outside their box or unseen: 200 sets of 5
    lines.
    """
    rng = np.random.default_rng(0)
    for _ in range(200):
        lines = []
        for _ in range(5):
            sides = rng.uniform(0.05, 0.6, 2)
            centre = rng.uniform(sides / 2, 1 - sides / 2)
            points = centre + rng.uniform(-0.6, 0.6, (17, 2)) * sides
            points[rng.random(17) < 0.2] = 0
            lines.append([*centre, *sides, *points.ravel()])
        assert "key points" in kinds_of(lines)
        assert look_like(lines) == ""


@pytest.mark.parametrize("text", ["0 .5 .5 .1 .2\n", ""])
@pytest.mark.parametrize("yaml", [True, False])
def test_the_labels_of_an_image_are_no_list_of_classes(
    text: str, yaml: bool, tmp_path: Path
) -> None:
    for name, label in (("classes", text), ("b", "1 .5 .5 .1 .2\n")):
        image(tmp_path / f"images/train/{name}.png")
        write(tmp_path / f"labels/train/{name}.txt", label)
    if yaml:
        write(tmp_path / "data.yaml", "train: images/train\nnames: [cat, dog]\n")
    else:
        write(tmp_path / "classes.txt", "cat\ndog\n")
    source = open_source(str(tmp_path), "train", Boxes)
    assert (list(source.problems()), source.notes, source.classes) == ([], (), ("cat", "dog"))
    assert sorted(source.truth(index).names for index in range(2)) == (
        [("cat",), ("dog",)] if text else [(), ("dog",)]
    )


def test_a_list_of_classes_beside_an_image_of_its_name_is_one(tmp_path: Path) -> None:
    for name, label in (("classes", "cat\ndog\n"), ("b", "1 .5 .5 .1 .2\n")):
        image(tmp_path / f"{name}.png")
        write(tmp_path / f"{name}.txt", label)
    assert open_source(str(tmp_path), "", Boxes, lambda error: None).classes == ("cat", "dog")


# === YAML ===

SCALARS = (
    "on",
    "off",
    "yes",
    "No",
    "true",
    "null",
    "~",
    "010",
    "0x10",
    "1:30",
    "1_0",
    "1e3",
    "1.0",
    "2024-01-02",
    "y",
    ".inf",
    "-1",
    "=",
    "<<",
)


@pytest.mark.parametrize("word", SCALARS)
def test_a_name_is_the_text_that_stands_there(word: str) -> None:
    for text in (
        f"names: [{word}, cat]",
        f"names: {{0: {word}, 1: cat}}",
        f"names:\n- {word}\n- cat",
        f'names:\n  "1": cat\n  "0": {word}',
    ):
        assert parse_yaml(text, "data.yaml").classes == (word, "cat")
    assert parse_yaml(f"names: ['{word}', \"cat\"]", "x").classes == (word, "cat")


@pytest.mark.parametrize("count", ["2", '"2"', "2.0", "'2'", "", "null", "~"])
def test_the_number_of_names_may_be_text(count: str) -> None:
    assert parse_yaml(f"nc: {count}\nnames: [cat, dog]", "x").classes == ("cat", "dog")


def test_what_is_null_is_no_split_and_a_number_is_a_folder() -> None:
    read = parse_yaml("names: [a]\npath: null\ntrain: 2024\nval: ~\ntest: null\nkpt_shape:\n", "x")
    assert (read.path, read.splits, read.lines) == ("", {"train": ("2024",)}, "")
    assert parse_yaml("names: [a]\nval: 'null'", "x").splits == {"val": ("null",)}


# === what is written is read ===

HOSTILE = [
    "a 1",
    "a",
    "cat -1",
    'it\'s "q"',
    "ünï",
    "a.b",
    "a.b.c",
    "-dash",
    "deep/a",
    "deep/x",
    " space",
    "100%",
    "#1",
    "a,b;c",
    "[0]",
    "~",
]


@pytest.mark.parametrize("to", ["voc", "coco", "yolo"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_names_of_every_kind_come_back(to: str, split: str, tmp_path: Path) -> None:
    """An image is known by its pixels: with each comes the box that is its own."""
    classes = ["on", "null", "010", "a b", 'q"', "ü", "1:30", "#"]
    images, annotations = [], []
    for number, name in enumerate(HOSTILE, start=1):
        image(tmp_path / "in/images" / f"{name}.png", number)
        images.append({"id": number, "file_name": f"{name}.png", "width": 200, "height": 100})
        entry = {
            "id": number,
            "image_id": number,
            "category_id": number % 8 + 1,
            "bbox": [number, 2.5, 30.25, 40],
        }
        annotations.append(entry)
    named = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    write(
        tmp_path / "in/train.json",
        json.dumps({"images": images, "annotations": annotations, "categories": named}),
    )
    first = open_source(str(tmp_path / "in"), "train", Boxes)
    convert(first, to, tmp_path / "out", split)
    second = open_source(str(tmp_path / "out"), split, Boxes)
    assert (list(second.problems()), second.remarks(), second.classes) == ([], [], tuple(classes))
    assert len(second) == len(HOSTILE)
    for index in range(len(second)):
        sample = second[index]
        number = int(sample.image[0, 0, 0])
        np.testing.assert_allclose(
            sample.truth.xyxy, [[number, 2.5, number + 30.25, 42.5]], atol=1e-4
        )
        assert sample.truth.names == (classes[number % 8],)


@pytest.mark.parametrize("to", ["voc", "coco", "yolo"])
@pytest.mark.parametrize("turn", [1, 3, 6])
def test_boxes_of_turned_images_come_back(to: str, turn: int, tmp_path: Path) -> None:
    """What this package writes lies on upright images, whatever their tags say, and it says so."""
    exif = Image.Exif()
    exif[0x112] = turn
    (tmp_path / "in/images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(tmp_path / "in/images/a.jpg", exif=exif)
    document = {
        "info": {"contributor": "cvtasks"},
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    write(tmp_path / "in/train.json", json.dumps(document))
    source = open_source(str(tmp_path / "in"), "train", Boxes)
    convert(source, to, tmp_path / "out", "train")
    back = open_source(str(tmp_path / "out"), "train", Boxes)
    assert (back.truth(0).xyxy.tolist(), list(back.problems())) == ([[1, 2, 4, 6]], [])
