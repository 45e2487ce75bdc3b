"""What strangers' folders have beside what their tools write: empty splits, other names, other
encodings, tags, images elsewhere.
"""

import base64
import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data import Hints, open_source, splits_of
from cvtasks.data.checking.check import check
from cvtasks.data.formats.bases.tool_files import WAITING
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.label_studio import label_studio_choices, label_studio_json
from cvtasks.formats.labelme import labelme_json
from cvtasks.formats.reading import ALIKE
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import yolo_text, yolo_yaml
from cvtasks.recipe.recipe import parse_recipe
from tests.data.formats.layouts import CLASSES, IMAGES, LAYOUTS, pictures, write
from tests.data.formats.test_round_trip import EXPECTED, read

SIZE = (24, 32)


def noise(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), np.uint8)
    ending = path.suffix if path.suffix.lower() in (".jpg", ".png") else ".png"
    path.write_bytes(cv2.imencode(ending, pixels)[1].tobytes())
    return path


def box(*names: str, classes: tuple[str, ...] = ("cat", "dog")) -> Boxes:
    edges = [[2 + 3 * place, 3, 12 + 3 * place, 14] for place in range(len(names))]
    return Boxes.of(edges, [classes.index(name) for name in names], classes, SIZE)


def shown(source: Source) -> dict[str, tuple[str, ...]]:
    return {source.name(index): source.truth(index).names for index in range(len(source))}


# === an empty split ===


def folders_of_classes(root: Path) -> str:
    for split, seeds in {"train": range(4), "val": range(4, 8)}.items():
        for seed in seeds:
            noise(root / split / ("cat", "dog")[seed % 2] / f"{seed}.png", seed)
    (root / "test" / "cat").mkdir(parents=True)
    (root / "test" / "dog").mkdir(parents=True)
    return "classify"


def yolo_with_a_test(root: Path) -> str:
    for split, seeds in {"train": range(4), "val": range(4, 8)}.items():
        for seed in seeds:
            noise(root / "images" / split / f"{seed}.png", seed)
            text = yolo_text(box("cat", "dog"))
            write(root / "labels" / split / f"{seed}.txt", text)
    (root / "images" / "test").mkdir()
    write(root / "data.yaml", yolo_yaml(("cat", "dog"), ("train", "val", "test")))
    return "detect"


def masks_with_a_test(root: Path) -> str:
    for split, seeds in {"train": range(4), "val": range(4, 8)}.items():
        for seed in seeds:
            noise(root / "images" / split / f"{seed}.png", seed)
            (root / "masks" / split).mkdir(parents=True, exist_ok=True)
            ids = np.zeros(SIZE, np.uint8)
            ids[4:9, 3 + seed :] = 1
            Image.fromarray(ids).save(root / "masks" / split / f"{seed}.png")
    (root / "images" / "test").mkdir()
    (root / "masks" / "test").mkdir()
    write(root / "classes.txt", "background\ncat\n")
    return "segment"


@pytest.mark.parametrize("lay", [folders_of_classes, yolo_with_a_test, masks_with_a_test])
def test_an_empty_split_to_test_on_stops_nothing(
    lay: Callable[[Path], str], tmp_path: Path, cli
) -> None:
    task = lay(tmp_path)
    code, out, said = cli("data", "check", tmp_path, "--task", task)
    assert (code, "warning: split empty (1) of test" in out) == (0, True), said + out
    assert "splits: train 4, val 4" in said
    code, out, said = cli("data", "stats", tmp_path, "--task", task)
    assert (code, "data: test: no image" in said) == (0, True), said
    assert "train:" in out and "val:" in out
    code, _, said = cli("data", "stats", f"{tmp_path}:test", "--task", task)
    assert (code, "needs at least one image" in said) == (5, True)


# === classes of XML, and its encodings ===


def test_names_of_voc_outside_its_folders_are_the_classes_that_occur(tmp_path: Path) -> None:
    names = ("cat", "dog", "person")
    for seed, name in enumerate(names):
        noise(tmp_path / f"{seed}.png", seed)
        write(tmp_path / f"{seed}.xml", voc_xml(box(name, classes=names), f"{seed}.png"))
    source = open_source(str(tmp_path), "", Boxes)
    assert source.classes == names
    assert "cat (1), dog (1), person (1)" in source.taken_for
    assert not [one for one in check(str(tmp_path), "", Boxes).findings if "without" in one.rule]


def test_a_misspelt_name_of_voc_is_a_fault_everywhere(tmp_path: Path) -> None:
    names = ("person", "perosn")
    for seed in range(9):
        noise(tmp_path / f"{seed}.png", seed)
        one = box(names[seed == 8], classes=names)
        write(tmp_path / f"{seed}.xml", voc_xml(one, f"{seed}.png"))
    faults: list[CVTasksError] = []
    assert open_source(str(tmp_path), "", Boxes, faults.append).classes == ("person",)
    assert [fault.rule for fault in faults] == ["class unknown"]


def test_xml_without_any_object_has_no_classes(tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    write(tmp_path / "a.xml", voc_xml(box(), "a.png"))
    with pytest.raises(DataError, match=r"at least one object.*classes\.txt"):
        open_source(str(tmp_path), "", Boxes)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-16", ""),
        ("utf-16", "utf-8"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", ""),
        ("utf-8", "utf-16"),  # as .NET writes it
        ("utf-8-sig", "utf-8"),
        ("gb18030", "GB2312"),
        ("cp932", "Shift_JIS"),
        ("iso-8859-1", "ISO-8859-1"),
        ("cp1252", "windows-1252"),
    ],
)
def test_xml_in_other_encodings(encoding: str, declared: str, tmp_path: Path) -> None:
    name = "猫" if encoding in ("gb18030", "cp932", "utf-16") else "köter"
    noise(tmp_path / "a.png")
    text = voc_xml(box(name, classes=(name,)), "a.png").partition("?>")
    text = text[2] if text[1] else text[0]
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    (tmp_path / "a.xml").write_bytes((head + text).encode(encoding))
    source = open_source(str(tmp_path), "", Boxes)
    assert shown(source) == {"a": (name,)}
    assert source.truth(0).xyxy.tolist() == [[2, 3, 12, 14]]


def test_xml_that_is_not_in_its_encoding_is_told(tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    text = voc_xml(box("köter", classes=("köter",)), "a.png").partition("?>")
    (tmp_path / "a.xml").write_bytes((text[2] or text[0]).encode("cp1252"))
    with pytest.raises(DataError, match=r"byte \d+ is not in UTF-8"):
        open_source(str(tmp_path), "", Boxes, lambda error: None)


# === no labels ===


@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
def test_images_without_labels_are_called_so(task: str, tmp_path: Path, cli) -> None:
    for seed in range(3):
        noise(tmp_path / "my photos" / f"{seed}.jpg", seed)
    write(tmp_path / "my photos" / "README.txt", "mine")
    code, _, said = cli("data", "check", tmp_path / "my photos", "--task", task)
    assert (code, "holds 3 images, and no labels" in said) == (5, True), said
    assert f"cvtasks data prelabel MODEL '{tmp_path / 'my photos'}'" in said
    assert ("folder of its name" in said) == (task == "classify")
    assert len(said) < 600


# === names of images ===


def table(path: Path, rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


NAMES = {
    "images/a 1.jpg": "A 1.JPG",
    "images/b.png": "b",
    "images/c.jpg": "c.png",
    "d.png": "d.png",
}


def _labels_csv(root: Path) -> None:
    labels = ("cat", "dog", "cat", "dog")
    rows = [[name, label] for name, label in zip(NAMES.values(), labels, strict=True)]
    table(root / "labels.csv", [["image", "label"], *rows])


def _one_hot(root: Path) -> None:
    rows = [[name, int(place % 2 == 0), place % 2] for place, name in enumerate(NAMES.values())]
    table(root / "truth.csv", [["filename", "cat", "dog"], *rows])


def _of_boxes(root: Path) -> None:
    head = ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"]
    labels = ("cat", "dog", "cat", "dog")
    rows = [
        [name, SIZE[1], SIZE[0], label, 1, 1, 9, 9]
        for name, label in zip(NAMES.values(), labels, strict=True)
    ]
    table(root / "boxes.csv", [head, *rows])


@pytest.mark.parametrize("lay", [_labels_csv, _one_hot, _of_boxes])
def test_a_table_may_name_images_otherwise(lay: Callable[[Path], None], tmp_path: Path) -> None:
    for seed, name in enumerate(NAMES):
        noise(tmp_path / name, seed)
    lay(tmp_path)
    source = open_source(str(tmp_path), "", Labels)
    assert shown(source) == {"a 1": ("cat",), "b": ("dog",), "c": ("cat",), "d": ("dog",)}
    assert [note for note in source.notes if ALIKE in note] == [f"{ALIKE}: 3"]


def test_a_name_that_two_images_may_be_is_missing(tmp_path: Path) -> None:
    for seed, name in enumerate(("images/a.jpg", "images/a.png", "b.png", "c.png")):
        noise(tmp_path / name, seed)
    rows = [["image", "label"], ["a", "cat"], ["b.jpg", "dog"], ["c.png", "cat"], ["C.jpg", "dog"]]
    table(tmp_path / "labels.csv", rows)
    faults: list[CVTasksError] = []
    source = open_source(str(tmp_path), "", Labels, faults.append)
    assert shown(source) == {"b": ("dog",), "c": ("cat",)}
    assert [(fault.rule, "lacks 2 images" in str(fault)) for fault in faults] == [
        ("image missing", True)
    ], "c.png is named exactly by another line"


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("/data/upload/1/0123abcd-my_photo_1.jpg", "my photo (1).jpg"),
        ("/data/upload/1/0123abcd-my_photo_1.jpg", "images/My photo 1.JPG"),
        ("/data/local-files/?d=x/a%20b.jpg", "89abcdef-a_b.jpg"),
        ("0123abcd-ü_.jpg", "ü+ .jpg"),
    ],
)
def test_an_upload_to_label_studio_is_found(given: str, file: str, tmp_path: Path) -> None:
    noise(tmp_path / file)
    noise(tmp_path / "images" / "other.jpg", 1)
    write(tmp_path / "export.json", label_studio_json([(given, box("cat"))]))
    source = open_source(str(tmp_path), "", Boxes)
    assert [source.files[0].name, source.truth(0).names] == [Path(file).name, ("cat",)]


def test_tasks_that_nobody_has_labelled_are_no_background(tmp_path: Path) -> None:
    names = ("done.jpg", "empty.jpg", "open.jpg", "skipped.jpg", "guessed.jpg")
    for seed, name in enumerate(names):
        noise(tmp_path / "images" / name, seed)
    tasks = json.loads(label_studio_json([(name, box("cat")) for name in names]))
    done, empty, waiting, skipped, guessed = (task["annotations"] for task in tasks)
    empty[0]["result"] = []
    waiting.clear()
    skipped[0]["was_cancelled"] = True
    tasks[4]["predictions"] = [dict(guessed[0])]
    guessed.clear()
    write(tmp_path / "export.json", json.dumps(tasks))
    source = open_source(str(tmp_path), "", Boxes)
    assert shown(source) == {"done": ("cat",), "empty": ()} and not list(source.orphans())
    assert f"{WAITING}: 3" in source.notes
    assert len(done) == 1
    for task in tasks:
        task["annotations"] = []
    write(tmp_path / "export.json", json.dumps(tasks))
    with pytest.raises(DataError, match=r"of the 5 of .* none is\. Label them"):
        open_source(str(tmp_path), "", Boxes)


def test_an_upload_that_is_not_there_is_told_by_the_name_that_was_looked_for(
    tmp_path: Path,
) -> None:
    for name in ("my photo.jpg", "my (photo).jpg"):
        noise(tmp_path / name)
    tasks = [("/data/upload/1/0123abcd-my_photo.jpg", box("cat"))]
    write(tmp_path / "export.json", label_studio_json(tasks))
    faults: list[CVTasksError] = []
    with pytest.raises(DataError):
        open_source(str(tmp_path), "", Boxes, faults.append)
    assert "is called '0123abcd-my_photo.jpg' or 'my_photo.jpg'" in str(faults[0])


# === LabelMe's images ===


def test_images_that_labelme_names_elsewhere_are_read(tmp_path: Path) -> None:
    pictures(tmp_path / "photos", IMAGES)
    (tmp_path / "photos" / "empty.png").unlink()
    for name, boxes in IMAGES.items():
        text = labelme_json(boxes, name, f"../photos/{name}")
        if len(boxes):
            write(tmp_path / "drawn" / f"{Path(name).stem}.json", text)
    source = open_source(str(tmp_path / "drawn"), "", Boxes)
    expected = {name: truth for name, truth in EXPECTED.items() if name != "empty"}
    assert read(source) == expected
    assert any(note.endswith("where their JSON names them: 4") for note in source.notes)
    write(tmp_path / "notes.txt", "mine")
    write(tmp_path / "drawn" / "z.json", labelme_json(box("cat"), "z", "../notes.txt"))
    faults: list[CVTasksError] = []
    assert len(open_source(str(tmp_path / "drawn"), "", Boxes, faults.append)) == 4
    assert [fault.rule for fault in faults] == ["image missing"], "no image by its ending"


def test_an_image_within_labelmes_file_is_read_where_no_file_is_there(tmp_path: Path) -> None:
    pictures(tmp_path / "away", IMAGES)
    pixels = {}
    for name, boxes in IMAGES.items():
        if not len(boxes):
            continue
        content = (tmp_path / "away" / name).read_bytes()
        pixels[Path(name).stem] = cv2.imdecode(np.frombuffer(content, np.uint8), 1)[..., ::-1]
        document = json.loads(labelme_json(boxes, name))
        document["imageData"] = base64.b64encode(content).decode()
        write(tmp_path / "drawn" / f"{Path(name).stem}.json", json.dumps(document))
    shutil.rmtree(tmp_path / "away")
    before = sorted(tmp_path.rglob("*"))
    source = open_source(str(tmp_path / "drawn"), "", Boxes)
    assert sorted(tmp_path.rglob("*")) == before, "the user's folder stays as it is"
    for index in range(len(source)):
        stem = source.files[index].stem
        assert np.array_equal(source[index].image, pixels.pop(stem, pixels.get("b c", 0)))
    assert any("taken out of the JSON that holds them" in note for note in source.notes)


@pytest.mark.parametrize("held", ["", "AAAA", "no base64", base64.b64encode(b"GIF").decode()])
def test_what_is_no_image_within_labelmes_file_is_a_missing_one(held: str, tmp_path: Path) -> None:
    noise(tmp_path / "b.png")
    write(tmp_path / "b.json", labelme_json(box("cat"), "b.png"))
    document = json.loads(labelme_json(box("cat"), "a.png")) | {"imageData": held}
    write(tmp_path / "a.json", json.dumps(document))
    faults: list[CVTasksError] = []
    assert shown(open_source(str(tmp_path), "", Boxes, faults.append)) == {"b": ("cat",)}
    assert [fault.rule for fault in faults] == ["image missing"]


# === tags ===


def _cvat_tags(root: Path) -> None:
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("dog", "cat", "box"))
    images = "".join(
        f'<image id="{place}" name="{name}.png" width="32" height="24">{inside}</image>'
        for place, (name, inside) in enumerate(
            {
                "a": '<tag label="cat" source="manual"/>',
                "b": '<tag label="dog"/><box label="box" xtl="1" ytl="1" xbr="9" ybr="9"/>',
                "c": '<tag label="cat"/><tag label="dog"/>',
                "d": "",
            }.items()
        )
    )
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    write(root / "annotations.xml", f"<annotations>{meta}{images}</annotations>")


def _labelme_flags(root: Path) -> None:
    flags = {"a": ("cat",), "b": ("dog",), "c": ("cat", "dog"), "d": ()}
    for name, own in flags.items():
        document = json.loads(labelme_json(box("cat") if name == "b" else box(), f"{name}.png"))
        document["flags"] = {one: one in own for one in ("cat", "dog")}
        write(root / f"{name}.json", json.dumps(document))


def _label_studio_choices(root: Path) -> None:
    classes = ("cat", "dog")
    own = {"a": [0], "b": [1], "c": [0, 1], "d": []}
    tasks = [(f"{name}.png", Labels.of(one, classes)) for name, one in own.items()]
    write(root / "export.json", label_studio_choices(tasks))


def _label_studio_min(root: Path) -> None:
    own = {"a": ["cat"], "b": ["dog"], "c": ["cat", "dog"]}
    tasks = [
        {"id": place, "image": f"{name}.png", "kinds": {"choices": one}, "annotator": 1}
        for place, (name, one) in enumerate(own.items())
    ]
    tasks.append({"id": 9, "image": "d.png", "annotator": 1})
    write(root / "export.json", json.dumps(tasks))


TAGGED = [_cvat_tags, _labelme_flags, _label_studio_choices, _label_studio_min]


@pytest.mark.parametrize("lay", TAGGED)
def test_tags_are_labels(lay: Callable[[Path], None], tmp_path: Path) -> None:
    for seed, name in enumerate("abcd"):
        noise(tmp_path / f"{name}.png", seed)
    lay(tmp_path)
    source = open_source(str(tmp_path), "", Labels)
    assert sorted(source.classes) == ["cat", "dog"]
    found = {name: sorted(names) for name, names in shown(source).items()}
    assert found == {"a": ["cat"], "b": ["dog"], "c": ["cat", "dog"], "d": []}
    drawn = lay in (_cvat_tags, _labelme_flags)
    assert any("plays no part" in note for note in source.notes) == drawn


def test_a_single_choice_of_json_min_is_a_word(tmp_path: Path) -> None:
    for seed, name in enumerate("abc"):
        noise(tmp_path / f"{name}.png", seed)
    about = {"annotator": 1, "annotation_id": 2, "created_at": "2026-01-02T03:04:05Z"}
    tasks = [
        {"id": 1, "image": "a.png", "choice": "cat", **about},
        {"id": 2, "image": "b.png", "choice": "dog", **about},
        {"id": 3, "image": "c.png", **about},
    ]
    write(tmp_path / "export.json", json.dumps(tasks))
    source = open_source(str(tmp_path), "", Labels)
    assert shown(source) == {"a": ("cat",), "b": ("dog",), "c": ()}


def test_without_tags_objects_are_the_labels(tmp_path: Path) -> None:
    LAYOUTS["labelme"].lay(tmp_path, IMAGES)
    assert shown(open_source(str(tmp_path), "", Labels))["d.e"] == (CLASSES[0], CLASSES[2])


def test_a_tag_that_is_no_class_is_a_fault(tmp_path: Path) -> None:
    for seed, name in enumerate("abcd"):
        noise(tmp_path / f"{name}.png", seed)
    _cvat_tags(tmp_path)
    write(tmp_path / "classes.txt", "cat\nfox\n")
    with pytest.raises(DataError, match=r'every tag must be of a class .* "dog" of b\.png'):
        open_source(str(tmp_path), "", Labels)


# === two formats ===


def test_two_formats_that_say_the_same_are_no_question(tmp_path: Path) -> None:
    LAYOUTS["yolo"].lay(tmp_path, IMAGES)
    LAYOUTS["coco"].lay(tmp_path / "other", IMAGES)
    shutil.move(tmp_path / "other" / "annotations", tmp_path / "annotations")
    (tmp_path / "annotations" / "instances_default.json").rename(
        tmp_path / "annotations" / "instances_train.json"
    )
    source = open_source(str(tmp_path), "train", Boxes)
    assert source.format == "YOLO"
    assert "read as YOLO; COCO JSON lies there too, and says the same" in source.notes
    assert open_source(str(tmp_path), "train", Boxes, format="coco").format == "COCO JSON"
    assert open_source(str(tmp_path), "train", Labels).format == "YOLO boxes as labels"
    label = tmp_path / "labels" / "train" / "a.txt"
    whole = label.read_text()
    for changed in (whole.replace("0 ", "1 ", 1), whole.partition("\n")[2]):
        label.write_text(changed)
        with pytest.raises(DataError, match="in which format"):
            open_source(str(tmp_path), "train", Boxes)


# === what is said beside the data ===


def masks_of_values(root: Path, count: int = 8) -> Path:
    for seed in range(count):
        noise(root / "images" / f"{seed}.png", seed)
        (root / "masks").mkdir(exist_ok=True)
        ids = np.zeros(SIZE, np.uint8)
        ids[4:9, 3 + seed :], ids[12:20, :9] = 7, 9
        Image.fromarray(ids).save(root / "masks" / f"{seed}.png")
    return root


SAID = "data.values={ground = 0, cell = 7, wall = 9}"


def test_lists_of_a_split_remember_what_was_said_of_the_data(tmp_path: Path, cli) -> None:
    root, out = masks_of_values(tmp_path / "set"), tmp_path / "lists"
    given = ("--task", "segment", "--set", SAID, "-o", out)
    code, _, said = cli("data", "split", root, *given)
    assert code == 0, said
    train = open_source(str(out), "train", Mask)
    assert train.classes == ("ground", "cell", "wall")
    assert train.truth(0).names == ("ground", "cell", "wall")
    other = Hints(values={"wall": 9, "cell": 7, "ground": 0})
    assert open_source(str(out), "val", Mask, hints=other).classes == ("wall", "cell", "ground")
    code, shown_, said = cli("data", "stats", out, "--task", "segment")
    assert (code, shown_.count("wall")) == (0, 3), said
    record = json.loads((out / "split.json").read_text())
    for wrong in ({"values": 3}, {"value": {}}, 7):
        (out / "split.json").write_text(json.dumps(record | {"hints": wrong}))
        with pytest.raises(DataError, match="a record of lists is JSON"):
            splits_of(str(out), Mask)


def test_a_tree_of_folders_is_split_and_opens_alike(tmp_path: Path, cli) -> None:
    for seed in range(12):
        noise(tmp_path / "set" / "deep" / f"{('cat', 'dog')[seed % 2]}_{seed}.png", seed)
    given = ("--task", "classify", "--classes-from", "name", "-o", tmp_path / "lists")
    code, _, said = cli("data", "split", tmp_path / "set", *given)
    assert code == 0, said
    assert open_source(str(tmp_path / "lists"), "train", Labels).classes == ("cat", "dog")


def test_a_model_is_measured_on_masks_of_other_values(tmp_path: Path) -> None:
    root = masks_of_values(tmp_path)
    document = {"task": {"name": "segment"}, "backbone": "tiny", "size": 64}
    recipe = parse_recipe({**document, "classes": ["ground", "cell", "wall"]})
    hints = Hints(values={"ground": 0, "cell": 7, "wall": 9})
    found = open_to_evaluate(recipe, tmp_path, str(root), hints=hints)
    assert found.source.classes == ("ground", "cell", "wall")
    own = parse_recipe({**document, "classes": ["a", "b"]}, [SAID])
    assert open_to_evaluate(own, tmp_path, str(root)).source.classes[1] == "cell"
    other = Hints(values={"x": 0, "y": 7, "z": 9})
    assert open_to_evaluate(own, tmp_path, str(root), hints=other).source.classes[1] == "y"


def test_masks_of_other_values_are_written_anew(tmp_path: Path, cli) -> None:
    root, out = masks_of_values(tmp_path / "set"), tmp_path / "out"
    given = ("--task", "segment", "--to", "masks", "--set", SAID)
    code, _, said = cli("data", "convert", root, out, *given)
    assert code == 0, said
    found = open_source(str(out), "train", Mask)
    assert found.classes == ("ground", "cell", "wall") and len(found) == 8
    for index in range(len(found)):
        values = np.array([0, 7, 9])[found.truth(index).ids]
        assert np.array_equal(values, np.asarray(Image.open(root / "masks" / f"{index}.png")))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("data.values={a", r"`data\.values` must be a table, \{name = whole number or \["),
        ("data.void=70000", r"`data\.void` must be a value of 0 to 65535"),
        ("data.classes_from=folder", r"must be one of parent, name; got 'folder'"),
    ],
)
def test_a_wrong_value_is_told_in_words(given: str, says: str, tmp_path: Path, cli) -> None:
    code, _, said = cli("data", "stats", tmp_path, "--task", "segment", "--set", given)
    assert (code, "Mapping" in said) == (4, False)
    with pytest.raises(CVTasksError, match=says):
        parse_recipe(
            {"task": {"name": "segment"}, "backbone": "tiny", "size": 64, "classes": ["a", "b"]},
            [given],
        )


@pytest.mark.parametrize(("void", "absent"), [(300, True), (9, False)])
def test_a_void_value_that_no_mask_holds_is_said(void: int, absent: bool, tmp_path: Path) -> None:
    values = {"ground": 0, "cell": 7, "wall": 9} if absent else {"ground": 0, "cell": 7}
    hints = Hints(values=values, void=void)
    source = open_source(str(masks_of_values(tmp_path)), "", Mask, hints=hints)
    assert (source.taken_for == f"no mask holds {void}, which `data.void` names") == absent


@pytest.mark.parametrize("size", ["-1", "7", "100000"])
def test_a_size_has_bounds(size: str, tmp_path: Path, cli) -> None:
    code, _, said = cli("data", "check", tmp_path, "--size", size)
    assert (code, f"8 to 4096 pixels a side; got {size}" in said) == (2, True)


def test_each_split_is_shown(tmp_path: Path, cli) -> None:
    task = yolo_with_a_test(tmp_path / "set")
    out = tmp_path / "look"
    code, shown_, said = cli("data", "show", tmp_path / "set", "--task", task, "-o", out)
    assert (code, "data: test: no image" in said) == (0, True), said
    kinds = ("samples", "classes", "sizes")
    expected = {f"{split}-{kind}.png" for split in ("train", "val") for kind in kinds}
    assert {path.name for path in out.iterdir()} == expected
    assert {Path(line).name for line in shown_.split()} == expected


def test_the_line_about_data_counts_classes(tmp_path: Path) -> None:
    yolo_with_a_test(tmp_path)
    document = {"task": {"name": "detect"}, "backbone": "tiny", "size": 64}
    made = parse_recipe({**document, "classes": ["cat", "dog"], "data": {"path": str(tmp_path)}})
    said: list[str] = []
    open_sources(made, said.append)
    assert f"data: YOLO, {tmp_path}:train, 4 images, 2 classes" in said


# === files ===


def test_a_gif_is_an_image_by_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((*SIZE, 3), grey, np.uint8)) for grey in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    write(tmp_path / "a.xml", voc_xml(box("cat"), "a.gif"))
    source = open_source(str(tmp_path), "", Boxes)
    assert (source[0].image == 10).all() and source[0].truth.names == ("cat",)


def test_what_was_read_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    path, reads = tmp_path / "a.txt", []

    @kept_while_unchanged(4)
    def read_upper(path: Path, ending: str) -> str:
        reads.append(ending)
        return path.read_text() + ending

    with pytest.raises(OSError, match="No such file"):
        read_upper(path, "!")
    path.write_text("a")
    assert [read_upper(path, "!"), read_upper(path, "!"), read_upper(path, "?")] == [
        "a!",
        "a!",
        "a?",
    ]
    assert reads == ["!", "?"]
    path.write_text("bc")
    assert read_upper(path, "!") == "bc!"


@pytest.mark.parametrize("split", ["", "train"])
def test_yolos_labels_without_names_are_numbered(split: str, tmp_path: Path) -> None:
    for number in (0, 1):
        noise(tmp_path / "images" / split / f"{number}.jpg", number)
        line = f"{2 - number} 0.5 0.5 0.25 0.5\n"
        write(tmp_path / "labels" / split / f"{number}.txt", line)
    source = open_source(str(tmp_path), split, Boxes)
    assert source.classes == ("0", "1", "2") and "called 0, 1, 2" in source.taken_for
    assert shown(source) == {"0": ("2",), "1": ("1",)}
    write(tmp_path / "classes.txt", "a\nb\nc\n")
    source = open_source(str(tmp_path), split, Boxes)
    assert source.classes == ("a", "b", "c") and not source.taken_for


def test_numbered_labels_beside_another_tools_files_are_no_question(tmp_path: Path) -> None:
    truth = box("cat")
    noise(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", yolo_text(truth))
    write(tmp_path / "a.xml", voc_xml(truth, "a.jpg"))
    assert open_source(str(tmp_path), "", Boxes).classes == ("cat",)


def test_masks_may_lie_in_the_one_folder_below(tmp_path: Path) -> None:
    for number in range(2):
        noise(tmp_path / "images" / f"pet_{number}.jpg", number)
        ids = np.full(SIZE, number, np.uint8)
        write(tmp_path / "annotations" / "list.txt", "pet_0 1 1 1\n")
        place = tmp_path / "annotations" / "trimaps" / f"pet_{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(ids).save(place)
    write(tmp_path / "classes.txt", "wall\npet\n")
    source = open_source(str(tmp_path), "", Mask)
    assert [source.truth(index).ids.max() for index in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("head", "rows", "classes"),
    [
        ("image,xmin,ymin,xmax,ymax", "a.jpg,2,3,12,23", ("object",)),
        ("image_id,class_name,x_min,y_min,x_max,y_max", "a,cow,2,3,12,23", ("cow",)),
        ("id,label,x1,y1,x2,y2,file_name", "7,cow,2,3,12,23,a.jpg", ("cow",)),
        ("img;x;y;w;h;species", "a.jpg;2;3;10;20;cow", ("cow",)),
        ("Image,X,Y,Width,Height,Category", "a.jpg,2,3,10,20,cow", ("cow",)),
        ("path,left,top,right,bottom,class", "photos/a.jpg,2,3,12,23,cow", ("cow",)),
    ],
)
def test_a_table_of_boxes_may_have_other_columns(
    head: str, rows: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    noise(tmp_path / "photos" / "a.jpg")
    write(tmp_path / "boxes.csv", f"{head}\n{rows}\n")
    source = open_source(str(tmp_path), "", Boxes)
    assert (source.classes, len(source)) == (classes, 1)
    np.testing.assert_array_equal(source.truth(0).xyxy, [[2, 3, 12, 23]])
    assert open_source(str(tmp_path), "", Labels).classes == classes


TWO = [[2, 3, 12, 23], [20, 3, 25, 11]]


@pytest.mark.parametrize(
    ("head", "rows", "boxes"),
    [
        ("image_id,bbox,x", ['a,"[2.0, 3, 10, 20]",r', 'a,"[20, 3, 5, 8]",r'], TWO),
        ("bbox,id,width,height", ['"2 3 12 23",a,32,24', '"20 3 25 11",a,32,24'], TWO),
        ("image,bbox_xyxy", ["a.jpg,2 3 12 23", "b.jpg,"], TWO[:1]),
        ("image;bbox_xywh", ["a.jpg;(2, 3, 10, 20)"], TWO[:1]),
        ("image,bboxes", ['a.jpg,"[[2, 3, 10, 20], [20, 3, 5, 8]]"', "b.jpg,[]"], TWO),
    ],
)
def test_a_cell_may_hold_a_whole_box(
    head: str, rows: list[str], boxes: list[list[int]], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        noise(tmp_path / "photos" / f"{name}.jpg")
    write(tmp_path / "boxes.csv", "\n".join([head, *rows]))
    source = open_source(str(tmp_path), "", Boxes)
    assert (source.classes, len(source)) == (("object",), 2)
    np.testing.assert_array_equal(source.truth(0).xyxy, boxes)
    assert len(source.truth(1)) == 0


def test_whole_boxes_that_may_be_two_things_are_asked_about(tmp_path: Path) -> None:
    noise(tmp_path / "photos" / "a.jpg")
    write(tmp_path / "boxes.csv", 'image,bbox\na.jpg,"[2, 3, 10, 20]"\n')
    with pytest.raises(DataError, match="Call it `bbox_xyxy`") as error:
        open_source(str(tmp_path), "", Boxes)
    assert error.value.rule == "boxes unclear"
    write(tmp_path / "boxes.csv", 'image,bbox_xywh\na.jpg,"[2, 3, 10]"\na.jpg,"[1, 1, 2, 2]"\n')
    source = open_source(str(tmp_path), "", Boxes, complain=lambda error: None)
    assert len(source.truth(0)) == 1 and "a box has four numbers; got 3" in str(source.faults(0)[0])


def test_a_table_of_unknown_columns_beside_folders_is_told(tmp_path: Path) -> None:
    for number, folder in enumerate(("camera1", "camera2")):
        noise(tmp_path / folder / f"{number}.jpg", number)
    write(tmp_path / "notes.csv", "When;What\nMonday;rain\n")
    source = open_source(str(tmp_path), "", Labels)
    assert source.classes == ("camera1", "camera2") and not any("table" in n for n in source.notes)
    write(tmp_path / "what.csv", "Shot;Animal\ncamera1/0.jpg;cow\n1.jpg;pig\n")
    (note,) = (n for n in open_source(str(tmp_path), "", Labels).notes if "table" in n)
    assert "'what.csv' names these images" in note and "(Shot, Animal)" in note
    write(tmp_path / "what.csv", "Datei;Klasse\ncamera1/0.jpg;cow\n1.jpg;pig\n")
    assert open_source(str(tmp_path / "what.csv"), "", Labels).classes == ("cow", "pig")


def test_a_folder_of_images_points_to_the_one_above_with_its_annotations(tmp_path: Path) -> None:
    noise(tmp_path / "Bilder" / "a.jpg")
    write(tmp_path / "export.json", label_studio_json([("a.jpg", box("cat"))]))
    with pytest.raises(DataError, match=r"the folder above it \(Label Studio.*\)\. Give") as error:
        open_source(str(tmp_path / "Bilder"), "", Boxes)
    assert error.value.ways == {"data": str(tmp_path)}
    assert len(open_source(str(tmp_path), "", Boxes)) == 1


def test_images_to_test_on_need_no_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        noise(tmp_path / "train" / name / "1.jpg")
    noise(tmp_path / "test1" / "1.jpg")
    assert splits_of(str(tmp_path), Labels) == ("train",)
    source = open_source(str(tmp_path), "train", Labels)
    assert source.classes == ("cat", "dog") and len(source) == 2
    assert "images that no folder gives a class were passed over: test1" in source.notes
    noise(tmp_path / "cow" / "1.jpg")
    with pytest.raises(DataError, match="must be a split, which holds folders alone, or a class"):
        open_source(str(tmp_path), "train", Labels)


@pytest.mark.parametrize(
    ("images", "files"),
    [("train_images", "train_annotations"), ("images-train", "xmls-train")],
)
def test_a_folders_name_may_say_split_and_content(images: str, files: str, tmp_path: Path) -> None:
    for number in range(2):
        noise(tmp_path / images / f"{number}.jpg", number)
        write(tmp_path / files / f"{number}.xml", voc_xml(box("cat"), f"{number}.jpg"))
    assert splits_of(str(tmp_path), Boxes) == ("train",)
    assert shown(open_source(str(tmp_path), "train", Boxes)) == {"0": ("cat",), "1": ("cat",)}


@pytest.mark.parametrize("home", ["", "train"])
def test_names_that_may_tell_classes_are_pointed_to(home: str, tmp_path: Path, cli) -> None:
    for name in ("cat.1", "cat.2", "dog.1", "dog.2"):
        noise(tmp_path / home / f"{name}.jpg")
    if home:
        noise(tmp_path / "test1" / "1.jpg")
    code, _, err = cli("data", "check", tmp_path, "--task", "classify")
    assert code == 5 and "names begin with cat, dog: where these are the classes, set" in err
    assert "--set data.classes_from=name" in err
    hints = Hints(classes_from="name")
    assert open_source(str(tmp_path), home, Labels, hints=hints).classes == ("cat", "dog")


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "data.zip", "PK")
    with pytest.raises(DataError, match=r"data\.zip' is an archive\. Unpack it"):
        open_source(str(tmp_path / "data.zip"), "", Boxes)
