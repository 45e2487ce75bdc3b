"""`data check`: each planted fault is found by name, and a good data set has none; what `drop`
leaves out before training.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data.checking.balance import balance
from cvtasks.data.checking.check import Finding, causes, check
from cvtasks.data.checking.finding import IN_TWO, REMEDIES, SCENE
from cvtasks.errors import DataError
from cvtasks.formats.coco import coco_document
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import yolo_text, yolo_yaml
from cvtasks.recipe.recipe import parse_recipe

CLASSES = ("cat", "dog")
SIZE = (96, 128)
NAMES = {"train": [f"t{number}" for number in range(4)], "val": ["v0", "v1"]}
Change = Callable[[Path], None]


def image(path: Path, seed: int, **options: object) -> None:
    """An image of large smooth blots: one that compression leaves recognisable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blots = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    blots.resize(SIZE[::-1], Image.Resampling.BICUBIC).save(path, **options)


def truth(number: int) -> Boxes:
    return Boxes.of([[10, 12, 60 + number, 80], [70, 5, 120, 40]], [number % 2, 1], CLASSES, SIZE)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def numbered() -> list[tuple[str, int, str]]:
    """(split, number, name) of all images."""
    pairs = [(split, name) for split, names in NAMES.items() for name in names]
    return [(split, number, name) for number, (split, name) in enumerate(pairs)]


def voc(root: Path) -> None:
    for _, number, name in numbered():
        image(root / "JPEGImages" / f"{name}.jpg", number, quality=95)
        write(root / "Annotations" / f"{name}.xml", voc_xml(truth(number), f"{name}.jpg"))
    for split, names in NAMES.items():
        write(root / "ImageSets" / "Main" / f"{split}.txt", "".join(f"{name}\n" for name in names))
    write(root / "classes.txt", "\n".join(CLASSES))


def coco(root: Path) -> None:
    for split, names in NAMES.items():
        entries = [
            (f"{name}.jpg", truth(number)) for part, number, name in numbered() if name in names
        ]
        write(
            root / "annotations" / f"instances_{split}.json",
            json.dumps(coco_document(entries, CLASSES)),
        )
    for split, number, name in numbered():
        image(root / split / f"{name}.jpg", number, quality=95)


def yolo(root: Path) -> None:
    for split, number, name in numbered():
        image(root / "images" / split / f"{name}.jpg", number, quality=95)
        write(root / "labels" / split / f"{name}.txt", yolo_text(truth(number)))
    write(root / "data.yaml", yolo_yaml(CLASSES, tuple(NAMES)))


def masks(root: Path) -> None:
    for split, number, name in numbered():
        image(root / "images" / split / f"{name}.jpg", number, quality=95)
        ids = np.zeros(SIZE, np.uint8)
        ids[10:40, 20:60], ids[8:10, 20:60] = 1 + number % 2, 255
        (root / "masks" / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids).save(root / "masks" / split / f"{name}.png")
    write(root / "classes.txt", "background\ncat\ndog\n")


def folders(root: Path) -> None:
    for split, number, name in numbered():
        image(root / split / CLASSES[number % 2] / f"{name}.jpg", number, quality=95)


LAYOUTS = {
    "voc": (voc, Boxes),
    "coco": (coco, Boxes),
    "yolo": (yolo, Boxes),
    "masks": (masks, Mask),
    "folders": (folders, Labels),
}


def replaced(file: str, before: str, after: str) -> Change:
    def change(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert before in text
        write(root / file, text.replace(before, after, 1))

    return change


def lost(file: str) -> Change:
    return lambda root: (root / file).unlink()


def copied(before: str, after: str) -> Change:
    def change(root: Path) -> None:
        (root / after).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / before, root / after)

    return change


def saved(file: str, pixels: np.ndarray) -> Change:
    return lambda root: Image.fromarray(pixels).save(root / file)


def recompressed(before: str, after: str) -> Change:
    def change(root: Path) -> None:
        with Image.open(root / before) as image:
            image.resize((100, 75)).save(root / after, quality=60)

    return change


def cut(file: str) -> Change:
    return lambda root: (root / file).write_bytes((root / file).read_bytes()[:900])


def changed_json(edit: Callable[[dict], object]) -> Change:
    def change(root: Path) -> None:
        path = root / "annotations" / "instances_train.json"
        document = json.loads(path.read_text())
        edit(document)
        write(path, json.dumps(document))

    return change


XML = "Annotations/t1.xml"
LABELS = "labels/train/t1.txt"


def without_box(root: Path) -> None:
    write(root / XML, (root / XML).read_text(encoding="utf-8").replace("bndbox>", "box>", 2))


def twelve_bits(root: Path) -> None:
    Image.fromarray(np.tri(*SIZE, dtype=np.uint16) * 4095).save(root / "train" / "cat" / "t.png")


def two_pages(root: Path) -> None:
    pages = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")]
    pages[0].save(root / "train" / "cat" / "t.tif", save_all=True, append_images=pages[1:])


# layout, change, level, rule, part of what is said
FAULTS: dict[str, tuple[str, Change, str, str, str]] = {
    "image cut": ("voc", cut("JPEGImages/t1.jpg"), "error", "image cannot be read", "t1.jpg"),
    "no image": ("voc", lost("JPEGImages/t1.jpg"), "error", "image missing", "t1.jpg"),
    "no annotation": ("voc", lost(XML), "error", "annotation missing", "t1.xml"),
    (
        "a lonely annotation"
    ): ("voc", copied(XML, "Annotations/x.xml"), "warning", "annotation without image", "'x'"),
    (
        "a lonely image"
    ): ((
        "voc"
    ), copied((
        "JPEGImages/v1.jpg"
    ), "JPEGImages/x.jpg"), "warning", "image without annotation", "'x'"),
    (
        "listed twice"
    ): ((
        "voc"
    ), replaced("ImageSets/Main/train.txt", "t1\n", "t1\nt1\n"), "error", "image twice", "t1.jpg"),
    (
        "inverted"
    ): ((
        "voc"
    ), replaced(XML, "<xmax>61</xmax>", "<xmax>3</xmax>"), "error", "box inverted", "object 1"),
    (
        "empty"
    ): ((
        "voc"
    ), replaced(XML, "<xmax>61</xmax>", "<xmax>10</xmax>"), "error", "box empty", "object 1"),
    (
        "outside"
    ): ((
        "voc"
    ), replaced(XML, "<xmax>61</xmax>", "<xmax>610</xmax>"), "error", "box outside", "object 1"),
    (
        "no number"
    ): ((
        "voc"
    ), replaced(XML, "<xmax>61</xmax>", "<xmax>nan</xmax>"), "error", "box not finite", "object 1"),
    "no box": ("voc", without_box, "error", "box missing", "object 1"),
    (
        "other class"
    ): ((
        "voc"
    ), replaced(XML, "<name>dog", "<name>Dog"), "error", "class unknown", 'Did you mean "dog"'),
    (
        "one pixel"
    ): ((
        "voc"
    ), replaced(XML, "<xmax>61</xmax>", "<xmax>11</xmax>"), "warning", "one pixel", "t1.jpg"),
    (
        "from 0"
    ): ((
        "voc"
    ), replaced(XML, "<xmin>11</xmin>", "<xmin>0</xmin>"), "warning", "counted from 0", "from 0"),
    (
        "wrong size"
    ): ("voc", replaced(XML, "<width>128", "<width>96"), "error", "size differs", "another image"),
    (
        "drawn larger"
    ): ((
        "coco"
    ), changed_json(lambda d: d[(
        "images"
    )][1].update(width=256, height=192)), "warning", "size differs", "scaled"),
    (
        "a box again"
    ): ((
        "yolo"
    ), lambda root: write(root / LABELS, (root / LABELS).read_text() * 2), (
        "warning"
    ), "box twice", "same class"),
    (
        "difficult"
    ): ("voc", replaced(XML, "<difficult>0", "<difficult>1"), "note", "difficult", "t1.jpg"),
    (
        "a declared type"
    ): ((
        "voc"
    ), replaced(XML, "<annotation>", "<!DOCTYPE a><annotation>"), "error", "XML", "document type"),
    (
        "the same bytes"
    ): ((
        "voc"
    ), copied("JPEGImages/t0.jpg", "JPEGImages/t1.jpg"), "warning", "image twice", "same file"),
    (
        "in two splits"
    ): ((
        "voc"
    ), copied("JPEGImages/t0.jpg", "JPEGImages/v1.jpg"), "error", "image in two splits", "v1.jpg"),
    (
        "the same look"
    ): ((
        "voc"
    ), recompressed((
        "JPEGImages/t0.jpg"
    ), "JPEGImages/v1.jpg"), "warning", "image in two splits", "its look"),
    (
        "one colour"
    ): ((
        "voc"
    ), saved((
        "JPEGImages/t1.jpg"
    ), np.full((*SIZE, 3), 7, np.uint8)), "warning", "one colour", "t1.jpg"),
    (
        "classes alike"
    ): ((
        "voc"
    ), replaced("classes.txt", "cat", "cat\nDog"), "warning", "classes alike", '"Dog" and "dog"'),
    (
        "an id twice"
    ): ((
        "coco"
    ), changed_json(lambda d: d["annotations"][1].update(id=1)), "error", "id twice", "annotation"),
    (
        "no such image"
    ): ((
        "coco"
    ), changed_json(lambda d: d[(
        "annotations"
    )][1].update(image_id=99)), "error", "image unknown", "99"),
    (
        "no such category"
    ): ((
        "coco"
    ), changed_json(lambda d: d[(
        "annotations"
    )][1].update(category_id=9)), "error", "category unknown", "9"),
    (
        "a crowd"
    ): ((
        "coco"
    ), changed_json(lambda d: d["annotations"][1].update(iscrowd=1)), "note", "crowd", "t0.jpg"),
    (
        "no side"
    ): ((
        "coco"
    ), changed_json(lambda d: d[(
        "annotations"
    )][1].update(bbox=[1, 2, -5, 3])), "error", "box inverted", "annotation 2"),
    (
        "three numbers"
    ): ((
        "coco"
    ), changed_json(lambda d: d[(
        "annotations"
    )][1].update(bbox=[1, 2, 5])), "error", "box missing", "[1, 2, 5]"),
    (
        "not listed"
    ): ((
        "coco"
    ), copied("val/v0.jpg", "train/x.jpg"), "warning", "image without annotation", "x.jpg"),
    (
        "no objects"
    ): ((
        "coco"
    ), changed_json(lambda d: d.update(annotations=d[(
        "annotations"
    )][:-2])), "note", "empty", "t3.jpg"),
    (
        "a lonely label"
    ): ((
        "yolo"
    ), copied((
        "labels/train/t0.txt"
    ), "labels/train/x.txt"), "warning", "annotation without image", "x.txt"),
    (
        "a class number"
    ): ("yolo", replaced("labels/train/t1.txt", "1 ", "7 "), "error", "class unknown", "line 1"),
    "a word": ("yolo", replaced("labels/train/t1.txt", "1 ", "dog "), "error", "line", "line 1"),
    (
        "mask size"
    ): ((
        "masks"
    ), saved("masks/train/t1.png", np.zeros((9, 9), np.uint8)), "error", "mask size", "t1.png"),
    (
        "mask ids"
    ): ((
        "masks"
    ), saved("masks/train/t1.png", np.full(SIZE, 7, np.uint8)), "error", "mask ids", "[7]"),
    (
        "colours"
    ): ((
        "masks"
    ), saved((
        "masks/train/t1.png"
    ), np.zeros((*SIZE, 3), np.uint8)), "error", "mask of colours", "t1.png"),
    (
        "0 and 255"
    ): ((
        "masks"
    ), saved((
        "masks/train/t1.png"
    ), np.tri(*SIZE, dtype=np.uint8) * 255), "warning", "binary mask", "void"),
    "no mask": ("masks", lost("masks/train/t1.png"), "error", "mask missing", "t1.png"),
    "a lonely mask": ("masks", lost("images/train/t1.jpg"), "error", "image missing", "t1.png"),
    (
        "twelve bits"
    ): ("folders", twelve_bits, "note", "changed in reading an image", "of which 12 are used"),
    "two pages": ("folders", two_pages, "note", "changed in reading an image", "2 pages"),
    (
        "no image at all"
    ): ((
        "folders"
    ), lambda root: write(root / (
        "train/cat/x.jpg"
    ), "hello"), "error", "image cannot be read", "x.jpg"),
}  # fmt: skip


def found(root: Path, layout: str) -> list[Finding]:
    return list(check(str(root), "train", LAYOUTS[layout][1]).findings)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_good_data_set_has_no_fault(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout][0](tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert [one for one in found(tmp_path, layout) if one.level != "note"] == []
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_by_name(fault: str, tmp_path: Path) -> None:
    layout, change, level, rule, says = FAULTS[fault]
    LAYOUTS[layout][0](tmp_path)
    change(tmp_path)
    findings = found(tmp_path, layout)
    (hit,) = [one for one in findings if (one.level, one.rule) == (level, rule)]
    assert says in f"{hit.file}: {hit.reason}"
    others = [one for one in findings if one.level == "error" and one is not hit]
    assert others == [], "one fault is one error"


def test_what_was_not_compared_is_said(tmp_path: Path) -> None:
    voc(tmp_path)
    cut("JPEGImages/v1.jpg")(tmp_path)
    (note,) = [one for one in found(tmp_path, "voc") if one.rule == "split not compared"]
    assert (note.count, "images of 'val' cannot be read" in note.reason) == (1, True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_bytes(b"\xff\0")
    (note,) = [one for one in found(tmp_path, "voc") if one.rule == "split not compared"]
    assert "UTF-8" in note.reason


def test_all_objects_of_a_file_are_told_and_the_good_ones_stay(tmp_path: Path) -> None:
    voc(tmp_path)
    for number in (1, 2):
        replaced(XML, "<name>dog", f"<name>wolf{number}")(tmp_path)
    replaced("Annotations/t2.xml", "<xmax>62", "<xmax>999")(tmp_path)
    rules = [one.rule for one in found(tmp_path, "voc") if one.level == "error"]
    assert rules == ["class unknown", "class unknown", "box outside"]


def test_the_command_lists_and_counts_and_leaves_with_5(tmp_path: Path, cli) -> None:
    voc(tmp_path)
    code, out, err = cli("data", "check", f"{tmp_path}:train")
    assert (code, "no error, 0 warnings" in err) == (0, True)
    replaced(XML, "<xmax>61</xmax>", "<xmax>610</xmax>")(tmp_path)
    code, out, err = cli("data", "check", f"{tmp_path}:train")
    assert code == 5
    assert "error: box outside (1)" in out
    assert "1 error and 0 warnings" in err
    code, out, _ = cli("data", "check", "--json", f"{tmp_path}:train")
    document = json.loads(out)
    assert (code, document["errors"], document["findings"][0]["rule"]) == (5, 1, "box outside")
    assert document["findings"][0]["file"].endswith("t1.jpg")


@pytest.mark.parametrize(("split", "task"), [("train", "detect"), ("val", "segment")])
def test_real_data_raise_no_alarm(
    split: str, task: str, cvtasks_data: Path, tmp_path: Path
) -> None:
    """A hundred images of the genuine set; nothing but notes."""
    year = cvtasks_data / "voc2012" / "VOCdevkit" / "VOC2012"
    lists = "Main" if task == "detect" else "Segmentation"
    names = (year / "ImageSets" / lists / f"{split}.txt").read_text().split("\n")[:100]
    for folder in ("JPEGImages", "Annotations", "SegmentationClass"):
        (tmp_path / folder).symlink_to(year / folder)
    write(tmp_path / "ImageSets" / lists / f"{split}.txt", "\n".join(names))
    findings = check(str(tmp_path), split, Boxes if task == "detect" else Mask).findings
    assert [one for one in findings if one.level != "note"] == []


# === all splits ===


def all_of(root: Path, layout: str = "voc") -> list[Finding]:
    return list(check(str(root), "", LAYOUTS[layout][1]).findings)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_a_split_all_are_looked_at(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout][0](tmp_path)
    checked = check(str(tmp_path), "", LAYOUTS[layout][1])
    assert (checked.splits, checked.samples) == ({"train": 4, "val": 2}, 6)
    assert [one for one in checked.findings if one.level != "note"] == []


def test_a_list_of_images_that_others_have_is_not_looked_at_again(tmp_path: Path) -> None:
    voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    write(lists / "trainval.txt", (lists / "train.txt").read_text() + "v0\nv1\n")
    cut("JPEGImages/v1.jpg")(tmp_path)
    seen: list[tuple[int, int]] = []
    checked = check(str(tmp_path), "", Boxes, lambda *done: seen.append(done))
    assert (checked.samples, seen[-1], len(seen)) == (6, (6, 6), 6)
    assert [one.split for one in checked.findings if one.level == "error"] == ["val"]


def test_what_two_splits_share_is_one_cause(tmp_path: Path) -> None:
    voc(tmp_path)
    for number in (0, 1):
        recompressed(f"JPEGImages/t{number}.jpg", f"JPEGImages/v{number}.jpg")(tmp_path)
    found = all_of(tmp_path)
    (cause,) = [one for one in causes(found) if one.rule == "image in two splits"]
    assert (cause.level, cause.count) == ("warning", 2)
    assert cause.where == "of val, near-copies of images in train"
    assert "data split" in cause.remedy
    copied("JPEGImages/t2.jpg", "JPEGImages/v0.jpg")(tmp_path)
    levels = [(one.level, one.count) for one in causes(all_of(tmp_path)) if one.rule == cause.rule]
    assert levels == [("error", 1), ("warning", 1)]


def test_frames_of_one_scene_in_two_splits_are_one_line(tmp_path: Path, cli) -> None:
    wide = np.random.default_rng(0).integers(0, 256, (6, 20, 3), dtype=np.uint8)
    scene = np.asarray(Image.fromarray(wide).resize((640, 96), Image.Resampling.BICUBIC))
    names: dict[str, list[str]] = {"train": [], "val": []}
    for step in range(24):
        name = f"clip_{step:03d}"
        names["val" if step % 4 == 3 else "train"].append(name)
        frame = Image.fromarray(scene[:, 7 * step :][:, :128])
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        frame.save(tmp_path / "JPEGImages" / f"{name}.jpg", quality=95)
        write(tmp_path / "Annotations" / f"{name}.xml", voc_xml(truth(step), f"{name}.jpg"))
    for split, listed in names.items():
        write(tmp_path / "ImageSets" / "Main" / f"{split}.txt", "\n".join(listed))
    write(tmp_path / "classes.txt", "\n".join(CLASSES))
    code, shown, _ = cli("data", "check", tmp_path)
    lines = [line for line in shown.splitlines() if "two splits" in line]
    assert (code, len(lines)) == (0, 1), shown
    assert lines[0].startswith("warning: scene in two splits (6) of val, frames beside images in")
    assert max(map(len, shown.splitlines())) <= 80
    assert cli("data", "split", f"{tmp_path}:train", "-o", tmp_path / "l", "--test", 0)[0] == 0


def test_a_class_that_cannot_be_measured_is_named(tmp_path: Path) -> None:
    voc(tmp_path)
    write(tmp_path / "Annotations" / "v1.xml", voc_xml(truth(4).take(slice(0, 1)), "v1.jpg"))
    write(tmp_path / "Annotations" / "v0.xml", voc_xml(truth(4).take(slice(0, 1)), "v0.jpg"))
    (one,) = [one for one in all_of(tmp_path) if one.rule == "class absent"]
    assert (one.level, one.split) == ("warning", "val")
    assert one.reason == "\"dog\" is in the images to train on and in none of 'val'."


def test_objects_tiny_to_the_network_are_counted(tmp_path: Path) -> None:
    voc(tmp_path)
    small = Boxes.of([[10, 10, 14, 14], [20, 20, 60, 60]], [0, 1], CLASSES, SIZE)
    write(tmp_path / "Annotations" / "t1.xml", voc_xml(small, "t1.jpg"))
    for size, count in ((128, 1), (640, 0)):
        found = check(str(tmp_path), "train", Boxes, size=size).findings
        assert sum(one.count for one in found if one.rule == "tiny objects") == count


def test_one_box_of_two_classes_and_a_long_one_are_odd() -> None:
    boxes = Boxes.of(
        [[10, 10, 40, 40], [10, 10, 40, 40], [0, 0, 90, 4], [0, 9, 50, 39]],
        [0, 1, 0, 0],
        CLASSES,
        SIZE,
    )
    odd = {one.rule: (one.count, one.mistake) for one in boxes.oddities()}
    assert odd == {"boxes alike": (1, True), "long box": (1, False)}
    assert list(Boxes.nothing(SIZE, CLASSES).oddities()) == []


def test_causes_fit_a_terminal(tmp_path: Path, cli) -> None:
    voc(tmp_path)
    for number in range(3):
        long = f"{'x' * 90}{number}"
        shutil.copy(tmp_path / "JPEGImages" / "t0.jpg", tmp_path / "JPEGImages" / f"{long}.jpg")
        write(tmp_path / "Annotations" / f"{long}.xml", voc_xml(truth(0), f"{long}.jpg"))
        with (tmp_path / "ImageSets" / "Main" / "train.txt").open("a") as file:
            file.write(f"{long}\n")
    code, shown, _ = cli("data", "check", tmp_path)
    assert (code, "warning: image twice (3) of train: " in shown) == (0, True), shown
    assert max(map(len, shown.splitlines())) <= 80
    code, shown, _ = cli("data", "check", "--json", tmp_path)
    document = json.loads(shown)
    assert document["splits"] == {"train": 7, "val": 2}
    assert sum(one["rule"] == "image twice" for one in document["findings"]) == 3


def test_every_remedy_is_of_a_rule_that_there_is() -> None:
    import cvtasks

    package = Path(cvtasks.__file__).parent
    files = [path for path in package.rglob("*.py") if path.name != "finding.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    for rule in set(REMEDIES) - {IN_TWO, SCENE}:
        role, _, rest = rule.partition(" ")
        assert f'"{rule}"' in text or f"}} {rest}" in text, (role, rule)


# === what training does about faults ===


def recipe(root: Path, **data: object) -> object:
    document = {"task": "detect", "backbone": "tiny", "size": 64, "classes": list(CLASSES)}
    return parse_recipe({**document, "data": {"path": str(root), **data}})


def test_training_refuses_faults_and_names_the_way_out(tmp_path: Path) -> None:
    from cvtasks.data.opening import open_sources

    voc(tmp_path)
    replaced(XML, "<name>dog", "<name>wolf")(tmp_path)
    with pytest.raises(DataError, match=r"1 fault in 'train'.*wolf.*data\.faulty=drop"):
        open_sources(recipe(tmp_path))


def test_training_drops_faults_aloud_where_the_recipe_says_so(tmp_path: Path) -> None:
    from cvtasks.data.opening import open_sources

    voc(tmp_path)
    replaced(XML, "<name>dog", "<name>wolf")(tmp_path)
    lost("Annotations/t2.xml")(tmp_path)
    write(tmp_path / "Annotations" / "t3.xml", "<annotation>")
    said: list[str] = []
    sources = open_sources(recipe(tmp_path, faulty="drop"), said.append)
    assert [sources.train[index].name for index in range(len(sources.train))] == ["t0", "t1"]
    assert [len(sources.train.truth(index)) for index in range(2)] == [2, 1]
    (line,) = [text for text in said if "faulty" in text]
    assert "class unknown: 1" in line
    assert "annotation missing: 1" in line
    assert "XML: 1" in line


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    from cvtasks.data.opening import open_sources

    voc(tmp_path)
    for name in NAMES["train"]:
        write(tmp_path / "Annotations" / f"{name}.xml", "<annotation/>")
    with pytest.raises(
        DataError,
        match="at least one image that shows one of the classes cat, dog; 4 images of 'train'",
    ):
        open_sources(recipe(tmp_path))


@pytest.mark.parametrize(
    ("rare", "few", "frequent", "told"),
    [
        ("Pfred", 1, "Pferd", True),
        ("pferde", 2, "Pferd", True),
        ("Pfred", 20, "Pferd", False),
        ("cow", 1, "cat", False),
        ("lane 2", 1, "lane 1", False),
    ],
)
def test_a_rare_class_that_is_called_nearly_like_a_frequent_one_is_told(
    rare: str, few: int, frequent: str, told: bool
) -> None:
    rows = [
        {"class": name, "objects": count, "images": count}
        for name, count in ((frequent, 60), (rare, few), ("sheep", 50))
    ]
    found = [one for one in balance(rows) if one.rule == "classes alike"]
    assert bool(found) == told
    if told:
        assert found[0].level == "warning" and f'"{frequent}" 60 times' in found[0].reason
