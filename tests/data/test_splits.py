"""Which split is trained and which is validated on, in every layout, and what is set aside where
there is none.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data import FORMATS, open_source, split_of, splits_of
from cvtasks.data.checking.statistics import fingerprint, glance
from cvtasks.data.formats.csv import CSVLabels
from cvtasks.data.held_out import NAMES, _chosen, set_aside, split_by_names, write_names
from cvtasks.data.opening import Sources, open_sources, settled
from cvtasks.data.rare import too_rare
from cvtasks.data.run_facts import ASIDE, FACTS
from cvtasks.data.source import Source
from cvtasks.data.splits import splits_for
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.errors import CVTasksError, DataError, ModelError
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.plan import planned, resumed

SIZE = (24, 32)
XML = (
    "<annotation><object><name>{}</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
    "</annotation>"
)


def image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(
        path
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def folders(
    root: Path, split: str = "", count: int = 10, classes: tuple[str, ...] = ("cat", "dog")
) -> Path:
    """Class folders with `count` images each, all different."""
    for index, name in enumerate(classes):
        for number in range(count):
            image(root / split / name / f"{split}{name}{number}.png", hash_of(split, index, number))
    return root


def hash_of(split: str, index: int, number: int) -> int:
    return sum(map(ord, split)) * 10_000 + index * 1000 + number


def voc(root: Path, lists: dict[str, int], listed: bool = True) -> Path:
    """A year with so many images in each list, each with one object, of "hen" and "fox" in turn."""
    for split, count in lists.items():
        for number in range(count):
            image(root / "JPEGImages" / f"{split}{number}.png", hash_of(split, 0, number))
            write(
                root / "Annotations" / f"{split}{number}.xml",
                XML.format(("hen", "fox")[number % 2]),
            )
        if listed:
            names = "".join(f"{split}{number}\n" for number in range(count))
            write(root / "ImageSets" / "Main" / f"{split}.txt", names)
    return root


def yolo(root: Path, keys: dict[str, int]) -> Path:
    for split, count in keys.items():
        for number in range(count):
            image(root / "images" / split / f"{split}{number}.png", hash_of(split, 0, number))
            write(root / "labels" / split / f"{split}{number}.txt", f"{number % 2} .5 .5 .5 .5\n")
    write(
        root / "data.yaml",
        "".join(f"{split}: images/{split}\n" for split in keys) + "names: [hen, fox]\n",
    )
    return root


def coco(root: Path, files: dict[str, int]) -> Path:
    for split, count in files.items():
        images = [
            {"id": n, "file_name": f"{split}{n}.png", "height": 24, "width": 32}
            for n in range(1, count + 1)
        ]
        boxes = [
            {"id": n, "image_id": n, "category_id": n % 2 + 1, "bbox": [1, 1, 8, 8]}
            for n in range(1, count + 1)
        ]
        names = [{"id": 1, "name": "hen"}, {"id": 2, "name": "fox"}]
        write(
            root / f"{split}.json",
            json.dumps({"images": images, "annotations": boxes, "categories": names}),
        )
        for n in range(1, count + 1):
            image(root / "images" / f"{split}{n}.png", hash_of(split, 0, n))
    return root


def csv(root: Path, splits: dict[str, int]) -> Path:
    lines = ["image,label,split"]
    for split, count in splits.items():
        for number in range(count):
            image(root / f"{split}{number}.png", hash_of(split, 0, number))
            lines.append(f"{split}{number}.png,{('hen', 'fox')[number % 2]},{split}")
    write(root / "labels.csv", "\n".join(lines) + "\n")
    return root


def masks(root: Path, splits: dict[str, int]) -> Path:
    for split, count in splits.items():
        for number in range(count):
            image(root / "images" / split / f"{number}.png", hash_of(split, 0, number))
            path = root / "masks" / split / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full(SIZE, number % 2 + 1, np.uint8)).save(path)
    write(root / "classes.txt", "ground\nhen\nfox\n")
    return root


def voc_masks(root: Path, splits: dict[str, int]) -> Path:
    plain = masks(root / "x", splits if "" in splits else {"": sum(splits.values())})
    for before, after in (
        ("images", "JPEGImages"),
        ("masks", "SegmentationClass"),
        ("classes.txt", "classes.txt"),
    ):
        (plain / before).rename(root / after)
    done = 0
    for split, count in splits.items():
        if split:
            write(
                root / "ImageSets/Segmentation" / f"{split}.txt",
                "".join(f"{n}\n" for n in range(done, done + count)),
            )
        done += count
    return root


def all_folders(root: Path, splits: dict[str, int]) -> Path:
    for split, count in splits.items():
        folders(root, split, count)
    return root


LAYOUTS: dict[str, tuple[str, Callable[[Path, dict[str, int]], Path]]] = {
    "class folders": ("classify", all_folders),
    "csv": ("classify", csv),
    "voc": ("detect", lambda root, splits: voc(root, splits, listed="" not in splits)),
    "yolo": ("detect", yolo),
    "coco": ("detect", coco),
    "masks": ("segment", masks),
    "voc masks": ("segment", voc_masks),
}


def recipe(task: str, root: Path, *changes: str | tuple[str, object], split: str = "") -> Recipe:
    """What `train TASK --data ROOT[:SPLIT]` begins with."""
    named = [("data.train", split)] if split else []
    small = [
        ("backbone", "tiny"),
        ("size", 64),
        *([("segment.channels", [8])] if task == "segment" else []),
    ]
    return planned(task, [("data.path", str(root)), *named, *small, *changes]).recipe


def opened(made: Recipe) -> tuple[Sources, list[str]]:
    said: list[str] = []
    return open_sources(made, said.append), said


def names(source) -> list[str]:
    return [source.name(index) for index in range(len(source))]


# === names ===


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("called", ["val", "valid", "validation", "dev"])
def test_a_split_to_validate_on_is_found_by_each_of_its_names(
    layout: str, called: str, tmp_path: Path
) -> None:
    task, lay = LAYOUTS[layout]
    root = lay(tmp_path, {"train": 6, called: 4, "test": 2})
    made = recipe(task, root)
    assert (made.data.train, made.data.validate, made.data.held_out) == ("train", called, 0)
    for asked in ("val", "valid", "validation", "dev"):
        source = open_source(str(root), asked, made.task.answer)
        assert source.split == called, "one name"
        assert len(source) == (8 if layout == "class folders" else 4)


def test_where_several_are_there_the_exact_name_wins_and_val_comes_first(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "validation", "valid"), start=2):
        folders(tmp_path, split, number)
    assert recipe("classify", tmp_path).data.validate == "valid"
    assert recipe("classify", tmp_path, "data.validate=validation").data.validate == "validation"
    assert len(open_source(str(tmp_path), "validation", Labels)) == 2 * 3
    assert len(open_source(str(tmp_path), "val", Labels)) == 2 * 4


@pytest.mark.parametrize(
    ("lists", "split", "expected"),
    [
        ({"train": 6, "val": 2, "test": 3}, "", ("train", "val", 0)),
        ({"train": 6, "test": 3}, "", ("train", "", 0.2)),  # a test split is never taken unasked
        ({"trainval": 6, "test": 3}, "", ("trainval", "", 0.2)),
        ({"default": 6}, "", ("default", "", 0.2)),
        ({"val": 6}, "val", ("val", "", 0.2)),
        (
            {"fox_train": 6, "fox_val": 2, "train": 6, "val": 3},
            "fox_train",
            ("fox_train", "fox_val", 0),
        ),
        ({"train": 6, "val": 3}, "train", ("train", "val", 0)),
    ],
)
def test_the_lists_of_pascal_voc(
    lists: dict[str, int], split: str, expected: tuple, tmp_path: Path
) -> None:
    made = recipe("detect", voc(tmp_path, lists), split=split)
    assert (made.data.train, made.data.validate, made.data.held_out) == expected
    assert settled(made, splits_for(made)) == made, "settled is settled"


def test_the_years_of_a_devkit_and_of_coco_go_together(tmp_path: Path) -> None:
    for year in ("2007", "2012"):
        voc(tmp_path / "kit" / f"VOC{year}", {"train": 4, "val": 2})
    made = recipe("detect", tmp_path / "kit", split="2007+2012-train")
    assert made.data.validate == "2007+2012-val"
    assert len(opened(made)[0].validate) == 4
    assert recipe("detect", tmp_path / "kit", split="2012-train").data.validate == "2012-val"
    made = recipe("detect", coco(tmp_path / "coco", {"train2017": 6, "val2017": 2}))
    assert (made.data.train, made.data.validate) == ("train2017", "val2017")


def test_trainval_is_not_validated_on_its_own_part(tmp_path: Path) -> None:
    root = voc(tmp_path, {"train": 6, "val": 4})
    lists = root / "ImageSets" / "Main"
    (lists / "trainval.txt").write_text(
        (lists / "train.txt").read_text() + (lists / "val.txt").read_text()
    )
    made = recipe("detect", root, split="trainval")
    assert (made.data.validate, made.data.held_out) == ("", 0.2)
    with pytest.raises(DataError, match="'val' is a part of 'trainval'"):
        recipe("detect", root, "data.validate=val", split="trainval")


def test_letters_of_another_case_are_no_other_name(tmp_path: Path) -> None:
    folders(tmp_path, "Train", 4)
    folders(tmp_path, "Valid", 2)
    made = recipe("classify", tmp_path)
    assert (made.data.train, made.data.validate) == ("Train", "Valid")


@pytest.mark.parametrize(
    "layout", [layout for layout in LAYOUTS if layout != "yolo"]
)  # a YAML always names its splits
def test_data_without_splits_are_one_in_every_layout(layout: str, tmp_path: Path) -> None:
    task, lay = LAYOUTS[layout]
    kind = {"classify": Labels, "detect": Boxes, "segment": Mask}[task]
    root = lay(tmp_path / "set", {"only" if layout == "coco" else "": 10})
    where = root / "only.json" if layout == "coco" else root
    assert splits_of(str(where), kind) == ("",)
    for asked in ("", "all"):
        assert len(open_source(str(where), asked, kind)) == (
            20 if layout == "class folders" else 10
        )
    for asked in ("train", "val"):
        with pytest.raises(DataError, match="has no splits: it is one without a name") as caught:
            open_source(str(where), asked, kind)
        assert caught.value.rule == "split unknown"
    made = recipe(task, where)
    assert (made.data.train, made.data.validate, made.data.held_out) == ("", "", 0.2)
    sources, said = opened(made)
    assert (len(sources.train), len(sources.validate)) == (
        (16, 4) if layout == "class folders" else (8, 2)
    )
    assert any("are set aside to validate" in line for line in said)


def test_lists_without_one_to_train_on_are_named_with_the_way_out(tmp_path: Path) -> None:
    root = voc(tmp_path, {"val": 4, "test": 3})
    with pytest.raises(DataError, match=r"has test, val\. Name one of them in `data\.train`"):
        recipe("detect", root)
    assert recipe("detect", root, split="val").data.train == "val"
    with pytest.raises(DataError, match='"train" is no split of'):
        opened(recipe("detect", root, split="train"))


def test_one_class_to_tell_apart_is_refused_with_the_way_out(tmp_path: Path) -> None:
    image(tmp_path / "cat" / "0.png", 0)
    with pytest.raises(ModelError, match=r"Add images of another class, or set .*many"):
        recipe("classify", tmp_path)


def test_the_only_split_there_is_needs_no_name_and_one_of_several_does(tmp_path: Path) -> None:
    assert open_source(str(voc(tmp_path / "one", {"default": 3})), "", Boxes).split == "default"
    with pytest.raises(
        DataError, match=r"one split must be named .* has test, train\. Write DATA:SPLIT"
    ):
        open_source(str(voc(tmp_path / "two", {"train": 3, "test": 2})), "", Boxes)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (r"C:\data:train", (r"C:\data", "train")),
        (r"C:\data", (r"C:\data", "")),
        ('quo"te:val', ('quo"te', "val")),
        (r"back\slash:val", (r"back\slash", "val")),
        ("a" * 300 + ":val", ("a" * 300, "val")),
    ],
)
def test_a_path_may_hold_any_sign(data: str, parts: tuple[str, str]) -> None:
    assert split_of(data) == parts


def test_a_name_that_no_file_can_have_is_no_data_set() -> None:
    for kind in {one.kind for one in FORMATS.values()}:
        with pytest.raises(DataError):
            open_source("a" * 300, "train", kind)


# === what is validated on must not be trained on ===


@pytest.mark.parametrize(
    "changes", [["data.validate=train"], ["data.train=", "data.validate="], ["data.validate=all"]]
)
def test_one_split_for_both_is_refused(changes: list[str], tmp_path: Path) -> None:
    root = folders(tmp_path, "train" if changes == ["data.validate=train"] else "", 3)
    with pytest.raises(
        DataError,
        match=r"cannot be validated on the images that it is trained on; .* is named for both",
    ):
        recipe("classify", root, *changes)


def linked(root: Path) -> None:
    (root / "val").symlink_to(root / "train")


def copied(root: Path) -> None:
    shutil.copytree(root / "train", root / "val")


def hard(root: Path) -> None:
    for name in ("cat", "dog"):
        (root / "val" / name).mkdir(parents=True)
        for number, file in enumerate(sorted((root / "train" / name).iterdir())):
            os.link(file, root / "val" / name / f"other{number}.png")


@pytest.mark.parametrize("make", [linked, copied, hard])
def test_two_names_for_the_same_files_are_refused(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(folders(tmp_path, "train", 3))
    for faulty in ("refuse", "drop"):  # nothing would be left to train on
        with pytest.raises(
            DataError,
            match="6 of the 6 images of 'train' are also among the 6 of 'val': 'traincat0'",
        ):
            open_sources(recipe("classify", tmp_path, f"data.faulty={faulty}"))


def test_some_shared_images_are_refused_or_left_out_of_training_aloud(tmp_path: Path) -> None:
    folders(folders(tmp_path, "train", 5), "val", 2)
    shutil.copy(tmp_path / "train/cat/traincat0.png", tmp_path / "val/cat/traincat0.png")
    image(tmp_path / "val/dog/traindog0.png", 99)  # of the same name, and another image
    with pytest.raises(
        DataError, match="1 of the 10 images of 'train' is also among the 6 of 'val': 'traincat0'"
    ):
        open_sources(recipe("classify", tmp_path))
    sources, said = opened(recipe("classify", tmp_path, "data.faulty=drop"))
    assert (len(sources.train), len(sources.validate)) == (9, 6)
    assert "traincat0" not in names(sources.train)
    assert any("not trained on, as it is validated on: 1 of the 10" in line for line in said)


def test_a_list_that_names_images_of_the_other_is_refused(tmp_path: Path) -> None:
    root = voc(tmp_path, {"train": 6, "val": 2})
    (root / "ImageSets/Main/val.txt").write_text("val0\nval1\ntrain3\n")
    with pytest.raises(
        DataError, match="1 of the 6 images of 'train' is also among the 3 of 'val': 'train3'"
    ):
        open_sources(recipe("detect", root))


# === what is set aside ===


@pytest.mark.parametrize(
    ("units", "aside"),
    [
        ([[0], [0]], 1),
        ([[0], [1]], 1),  # never empty, though each class has but one image
        ([[0]] * 5, 1),
        ([[0]] * 10, 2),
        ([[0]] * 7, 1),
        ([[0]] * 8, 2),
        ([[0]] * 10 + [[1]] * 10 + [[2]] * 10, 6),
        ([[0]] * 100 + [[1]] * 5, 21),
        ([[0]] * 10 + [[1]], 2),  # the only image of a class stays
    ],
)
def test_a_fifth_of_each_class_is_set_aside(units: list[list[int]], aside: int) -> None:
    chosen = _chosen([frozenset(unit) for unit in units], 0.2)
    assert len(chosen) == aside
    counts, taken = (
        Counter(label for unit in some for label in unit)
        for some in (units, [units[place] for place in chosen])
    )
    for label, count in counts.items():
        if len(units) > 2:
            assert taken[label] == (0 if count == 1 else max(1, round(0.2 * count)))


def test_images_with_several_classes_put_each_class_on_both_sides() -> None:
    rng, lost = np.random.default_rng(0), 0
    for _ in range(200):
        units = [
            frozenset(rng.choice(8, rng.integers(1, 4), replace=False).tolist()) for _ in range(40)
        ]
        chosen = _chosen(units, 0.2)
        counts, taken = (
            Counter(c for unit in some for c in unit)
            for some in (units, [units[place] for place in chosen])
        )
        assert 4 <= len(chosen) <= 16
        lost += sum(not 0 < taken[label] < count for label, count in counts.items() if count > 1)
    assert lost == 0


@pytest.mark.parametrize(
    "units",
    [
        [[1, 2, 3], [3], [0], [0, 1, 3], [1, 2]],
        [[1], [0, 2, 3], [0, 1, 3], [0, 1, 2]],
        [[0, 1], [0, 1], [1, 2], [0, 1], [0, 2, 3], [0, 2, 3], [0, 2, 3], [3]],
    ],
)
def test_where_dealing_out_leaves_a_class_on_one_side_an_image_is_moved(
    units: list[list[int]],
) -> None:
    chosen = _chosen([frozenset(unit) for unit in units], 0.2)
    for label in range(4):
        places = {place for place, unit in enumerate(units) if label in unit}
        assert places & chosen
        assert places - chosen


def test_what_is_set_aside_depends_on_the_seed_alone(tmp_path: Path) -> None:
    folders(tmp_path / "one", "", 10)
    made = recipe("classify", tmp_path / "one")
    first = names(opened(made)[0].validate)
    assert Counter(name[:3] for name in first) == {"cat": 2, "dog": 2}
    assert names(opened(made)[0].validate) == first
    (tmp_path / "one").rename(tmp_path / "two")
    away = replace(made, data=replace(made.data, path=str(tmp_path / "two")))
    assert names(opened(away)[0].validate) == first
    other = {
        tuple(names(opened(replace(away, train=replace(away.train, seed=s)))[0].validate))
        for s in range(1, 6)
    }
    assert len(other) > 1
    assert not set(names(opened(away)[0].train)) & set(first)


def test_the_order_of_a_table_does_not_matter(tmp_path: Path) -> None:
    root = csv(tmp_path, {"train": 12})
    first = {
        names(open_source(str(root), "train", Labels))[i]
        for i in set_aside(CSVLabels(root, "train"), 0.2, 3)[1]
    }
    header, *lines = (root / "labels.csv").read_text().splitlines()
    (root / "labels.csv").write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert {
        names(open_source(str(root), "train", Labels))[i]
        for i in set_aside(CSVLabels(root, "train"), 0.2, 3)[1]
    } == first


def test_copies_of_an_image_stay_together(tmp_path: Path) -> None:
    for number in range(30):
        image(tmp_path / "cat" / f"{number:02d}.png", number // 3)
        image(tmp_path / "dog" / f"{number:02d}.png", 1000 + number)
    source = open_source(str(tmp_path), "", Labels)
    for seed in range(5):
        kept, aside = set_aside(source, 0.2, seed)
        groups = [
            {int(source.name(i).split("/")[1]) // 3 for i in side if i < 30}
            for side in (kept, aside)
        ]
        assert not groups[0] & groups[1]
        assert groups[1]
        assert sorted([*kept, *aside]) == list(range(60))


def test_two_different_images_are_needed(tmp_path: Path) -> None:
    for count, words in ((1, "it has one image"), (3, "it has 3 copies of one image")):
        for number in range(count):
            image(tmp_path / "images" / f"{number}.png", 7)
            write(tmp_path / "labels" / f"{number}.txt", "0 .5 .5 .5 .5\n")
        write(tmp_path / "data.yaml", "train: images\nnames: [hen]\n")
        with pytest.raises(DataError, match=words):
            open_sources(recipe("detect", tmp_path))


def test_a_class_that_no_image_to_train_on_shows_is_named(tmp_path: Path) -> None:
    root = folders(tmp_path, "train", 4)
    folders(root, "val", 2, ("cat", "dog", "emu"))
    (line,) = [line for line in opened(recipe("classify", root))[1] if "no image to train" in line]
    for part in ("shows emu", "scores 0", "Add images of it", "(`classes`)"):
        assert part in line
    assert "--classes" not in " ".join(too_rare({"cat": 1, "dog": 1}, 2)), "no class is left"


def polygons(root: Path, shown: tuple[int, ...]) -> Path:
    """COCO polygons of the classes "hen" and "fox" on five images, of each class on so many; one
    is set aside.
    """
    images = [
        {"id": n, "file_name": f"{n}.png", "height": SIZE[0], "width": SIZE[1]} for n in range(5)
    ]
    objects = [
        {"id": 9 * label + n, "image_id": n, "category_id": label, "iscrowd": 0, "area": 64}
        | {"bbox": [2, 2, 8, 8], "segmentation": [[2, 2, 10, 2, 10, 10, 2, 10]]}
        for label, count in enumerate(shown)
        for n in range(count)
    ]
    classes = [{"id": label, "name": name} for label, name in enumerate(("hen", "fox"))]
    document = {"images": images, "annotations": objects, "categories": classes}
    write(root / "train.json", json.dumps(document))
    for n in range(5):
        image(root / "images" / f"{n}.png", n)
    return root


def test_background_is_no_class_that_images_should_show(tmp_path: Path) -> None:
    said = opened(recipe("segment", polygons(tmp_path / "hens", (5, 0))))[1]
    (line,) = [line for line in said if "no image to train on shows" in line]
    assert "shows fox" in line
    assert any("1 of the 5 images" in line and "is set aside" in line for line in said)
    with pytest.raises(DataError, match="shows one of the classes hen, fox; 4 images"):
        opened(recipe("segment", polygons(tmp_path / "none", (0, 0))))


# === recipes, runs, evaluation ===


def test_a_recipe_of_other_data_is_settled_for_these(tmp_path: Path) -> None:
    root = folders(tmp_path / "set", "", 5)
    parse_recipe(
        {"task": "classify", "backbone": "tiny", "size": 64, "classes": ["cat", "dog"]}
    ).save(tmp_path / "r.toml")
    made = planned(tmp_path / "r.toml", [("data.path", str(root))]).recipe
    assert (made.data.train, made.data.validate, made.data.held_out) == ("", "", 0.2)
    made.save(tmp_path / "again.toml")
    assert planned(str(tmp_path / "again.toml")).recipe == made
    with pytest.raises(DataError, match="has no splits"):
        planned(tmp_path / "r.toml", [("data.path", str(root)), "data.validate=val"])
    with pytest.raises(DataError, match="Set one of them"):
        planned(tmp_path / "again.toml", ["data.held_out=0.3", "data.validate=val"])


def test_a_run_goes_on_with_the_images_that_it_set_aside(tmp_path: Path) -> None:
    made = recipe("classify", folders(tmp_path / "set", "", 5))
    source = open_source(str(tmp_path / "set"), "", Labels)
    other = [2, 7]
    write(tmp_path / "run" / NAMES, "".join(f"{source.name(index)}\n" for index in other))
    assert names(open_sources(made, folder=tmp_path / "run").validate) == [
        source.name(index) for index in other
    ]
    (tmp_path / "set" / "cat" / "cat2.png").unlink()
    with pytest.raises(DataError, match=r"1 of them is not in .*, which has 9"):
        open_sources(made, folder=tmp_path / "run")


def test_names_of_any_sign_stand_in_a_line_each(tmp_path: Path) -> None:
    class Named:
        def __init__(self, *its: str) -> None:
            self.its = its

        def __len__(self) -> int:
            return len(self.its)

        def name(self, index: int) -> str:
            return self.its[index]

    odd = Named("a b ", "ä", "new\nline", "back\\nslash", "\udcff", "\u2028", "plain")
    write_names(tmp_path / NAMES, Named(*odd.its[:-1]))
    assert split_by_names(odd, tmp_path / NAMES) == ([6], [0, 1, 2, 3, 4, 5], 0)
    assert "ä" in (tmp_path / NAMES).read_text(encoding="utf-8")


def begun(run: Path, made: Recipe) -> Source:
    """A run's folder, as far as it tells which images were set aside; returns these."""
    aside = open_sources(made).validate
    write_names(run / NAMES, aside)
    prints = {"validate": fingerprint(aside), ASIDE: glance(aside)}
    (run / FACTS).write_text(json.dumps({"data": prints}))
    return aside


def test_a_model_is_measured_on_what_it_was_validated_on(tmp_path: Path) -> None:
    root, run = folders(tmp_path / "set", "", 5), tmp_path / "run"
    made, said = recipe("classify", root), []
    drawn = open_to_evaluate(made, run, "")  # the recipe alone was kept
    aside = begun(run, made)
    assert [drawn.source.name(index) for index in drawn.kept] == names(aside)
    again = open_to_evaluate(made, run, f"{root.parent}/./set/", said.append)
    assert (len(again.kept), said) == (len(aside), []), "the place is the recipe's"
    (tmp_path / "set").rename(tmp_path / "moved")
    moved = str(tmp_path / "moved")
    found = open_to_evaluate(made, run, moved, said.append)
    assert [found.source.name(index) for index in found.kept] == names(aside)
    assert found.split == "set aside from all"
    assert "the very images" in said[-1] and said[-1].endswith(f"All of them: {moved}:all")
    other_order = replace(made, classes=made.classes[::-1])  # as a comparison asks
    assert open_to_evaluate(other_order, run, moved).kept is None
    assert open_to_evaluate(other_order, run, moved, run=made).kept == found.kept
    assert open_to_evaluate(made, run, f"{moved}:all").kept is None
    folders(tmp_path / "other", "test", 2)
    assert (
        open_to_evaluate(made, run, str(tmp_path / "other")).split
    ) == "test"  # other data: the only split
    own = replace(made, data=replace(made.data, path=moved))
    said.clear()
    assert (open_to_evaluate(own, run, moved, said.append).kept, said) == (found.kept, [])
    changed = (tmp_path / "moved" / "cat" / aside.name(0)).with_suffix(".png")
    Image.fromarray(np.full((9, 7, 3), 77, np.uint8)).save(changed)
    assert open_to_evaluate(own, run, moved, said.append).kept == found.kept
    assert "are not as the run saw them" in said[-1]
    (tmp_path / "moved" / "cat" / aside.name(0)).with_suffix(".png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 is not in .* DATA:all"):
        open_to_evaluate(own, run, moved)
    assert open_to_evaluate(made, run, moved).kept is None, "no longer these images"


@pytest.mark.parametrize("count", [2, 5, 9])
def test_images_that_have_the_names_of_a_run_s_are_other_images(tmp_path: Path, count: int) -> None:
    """All of them are measured, whether all, some or none of the names are there."""
    run, root = tmp_path / "run", tmp_path / "new"
    made = recipe("classify", folders(tmp_path / "set", "", 5))
    aside, said = begun(run, made), []
    for label, name in enumerate(("cat", "dog")):
        for number in range(count):
            image(root / name / f"{name}{number}.png", 1000 * count + 100 * label + number)
    found = open_to_evaluate(made, run, str(root), said.append)
    assert (len(found.source), found.kept, found.split) == (2 * count, None, "")
    there = {found.source.name(index) for index in range(2 * count)}
    common = len(there & set(names(aside)))
    assert len(said) == bool(common)
    for line in said:
        assert f"it names {common} of {2 * count} images" in line
        assert f"{NAMES} leaves none of it out" in line and "`data.path`" in line
    (run / FACTS).unlink()  # nothing tells whether it is the run's
    assert open_to_evaluate(made, run, str(root), said.append).kept is None
    assert not common or f"no {FACTS} tells whether" in said[-1]
    shutil.copytree(root, tmp_path / "there" / "set")
    found = open_to_evaluate(made, run, str(tmp_path / "there" / "set"), said.append)
    assert (found.kept is not None) == (common == len(aside)), "the data set's name and all names"
    assert (found.kept is None) or "by the names of all" in said[-1]


def test_without_a_split_a_model_is_measured_on_the_one_that_validates(tmp_path: Path) -> None:
    made = recipe("classify", folders(folders(tmp_path / "set", "train", 4), "val", 2))
    assert open_to_evaluate(made, tmp_path, "").split == "val"
    folders(folders(tmp_path / "one", "train", 4), "validation", 2)
    assert open_to_evaluate(made, tmp_path, str(tmp_path / "one")).split == "validation"
    assert open_to_evaluate(made, tmp_path, str(folders(tmp_path / "two", "", 2))).split == ""
    folders(folders(tmp_path / "three", "train", 4), "test", 2)
    with pytest.raises(DataError, match='"val" is no split'):
        open_to_evaluate(made, tmp_path, str(tmp_path / "three"))


def test_the_data_of_a_run_may_have_moved_and_its_splits_stay(tmp_path: Path, cli) -> None:
    made = recipe("classify", folders(tmp_path / "set", "train", 4))
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    made.save(tmp_path / "run" / "recipe.toml")
    assert resumed(tmp_path / "run").recipe == made
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    plan = resumed(tmp_path / "run", str(tmp_path / "elsewhere"))
    assert plan.resumes
    assert plan.recipe.data == replace(made.data, path=str(tmp_path / "elsewhere"))
    code, _, err = cli("train", "--resume", tmp_path / "run", "--data", "elsewhere:val")
    assert (code, "Leave ':val' out" in err) == (2, True)


@pytest.mark.parametrize("lists", [("train", "val"), ("trainval", "val")])
def test_each_split_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: tuple[str, ...]
) -> None:
    root = voc(tmp_path, {name: 5 + number for number, name in enumerate(lists)})
    asked: list[str] = []

    def counted(path: str, split: str, *rest: object, **named: object) -> Source:
        asked.append(split)
        return open_source(path, split, *rest, **named)

    monkeypatch.setattr("cvtasks.data.splits.open_source", counted)
    recipe("detect", root)
    assert sorted(asked) == sorted(lists)


def test_a_recipe_begins_although_data_to_be_dropped_have_faults(tmp_path: Path) -> None:
    root = voc(tmp_path, {"train": 8})
    write(root / "Annotations" / "train3.xml", "<annotation>")
    made = recipe("classify", root, "data.faulty=drop")
    sources, _ = opened(made)
    assert "train3" not in [*names(sources.train), *names(sources.validate)]
    with pytest.raises(CVTasksError, match="1 fault in 'train'"):
        open_sources(recipe("classify", root))
