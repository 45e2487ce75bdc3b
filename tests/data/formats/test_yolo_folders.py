"""Where YOLO's images, labels and lists of classes lie in strangers' folders."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source, splits_of
from cvtasks.data.formats import yolo_places
from cvtasks.data.formats.listing import images_in, names_in
from cvtasks.data.source import Source
from cvtasks.errors import DataError
from cvtasks.formats.reading import ELSEWHERE
from tests.data.formats.layouts import write
from tests.data.formats.test_strangers import noise, shown

FIRST, SECOND = "0 .25 .25 .25 .25\n", "1 .75 .75 .25 .25\n"
BOTH = FIRST + SECOND


def lay(root: Path, images: str, labels: str, names: Iterable[object], text: str = BOTH) -> None:
    for name in names:
        noise(root / images / f"{name}.png", int(str(name)))
        write(root / labels / f"{name}.txt", text)


def of(root: Path, split: str = "") -> Source:
    return open_source(str(root), split, Boxes)


# === lists of classes ===


def test_labels_mean_what_the_list_in_their_folder_says(tmp_path: Path) -> None:
    lay(tmp_path, "train", "train", (0, 1))
    lay(tmp_path, "val", "val", (2,), FIRST)
    write(tmp_path / "train" / "classes.txt", "cat\ndog\n")
    write(tmp_path / "val" / "classes.txt", "dog\ncat\n")
    train, val = of(tmp_path, "train"), of(tmp_path, "val")
    assert train.classes == val.classes == ("cat", "dog")
    assert shown(train)["0"] == ("cat", "dog") and shown(val) == {"2": ("dog",)}
    for source in (train, val):
        (note,) = source.notes
        assert "read by their own" in note and "train/classes.txt' (cat, dog); " in note
        assert "val/classes.txt' (dog, cat)" in note
    lay(tmp_path, "test", "test", (3,))
    with pytest.raises(DataError, match=r"test' has none\. Write its classes\.txt"):
        of(tmp_path, "test")


@pytest.mark.parametrize("outlines", [False, True])
def test_lists_of_first_use_have_other_classes(outlines: bool, tmp_path: Path) -> None:
    from cvtasks.answers import Instances

    text = "0 .1 .1 .9 .1 .9 .9 .1 .9\n" if outlines else FIRST
    for number, (split, name) in enumerate({"train": "cat", "val": "cow"}.items()):
        lay(tmp_path, f"images/{split}", f"labels/{split}", (number,), text)
        write(tmp_path / "labels" / split / "classes.txt", f"{name}\n")
    for split, names in {"train": {"0": ("cat",)}, "val": {"1": ("cow",)}}.items():
        source = open_source(str(tmp_path), split, Instances if outlines else Boxes)
        assert source.classes == ("cat", "cow") and shown(source) == names


def test_a_list_that_begins_another_says_the_same(tmp_path: Path) -> None:
    lay(tmp_path, "train", "train", (0,))
    lay(tmp_path, "val", "val", (1,), FIRST)
    write(tmp_path / "train" / "classes.txt", "cat\ndog\n")
    write(tmp_path / "val" / "classes.txt", "cat\n")
    source = of(tmp_path, "val")
    assert (source.classes, source.notes, shown(source)) == (("cat", "dog"), (), {"1": ("cat",)})


@pytest.mark.parametrize("place", ["", "labels", "images", "labels/train"])
@pytest.mark.parametrize("yaml", [False, True])
def test_lists_of_another_order_are_refused(place: str, yaml: bool, tmp_path: Path) -> None:
    lay(tmp_path, "images/train", "labels/train", (0,))
    first = "data.yaml" if yaml else "obj.names" if place else "labels/obj.names"
    text = "train: images/train\nnames: [cat, dog]\n" if yaml else "cat\ndog\n"
    write(tmp_path / first, text)
    write(tmp_path / place / "classes.txt", "dog\ncat\n")
    with pytest.raises(DataError, match="must mean one list of classes; ") as error:
        of(tmp_path, "train")
    for part in (Path(first).name, "classes.txt", "lists cat, dog", "lists dog, cat", "Remove"):
        assert part in str(error.value)
    write(tmp_path / place / "classes.txt", "Cat\nDOG\n")
    assert of(tmp_path, "train").notes == ()
    write(tmp_path / place / "classes.txt", "Katze\nHund\n")
    if yaml:
        (note,) = of(tmp_path, "train").notes
        assert "called as in data.yaml, not as in" in note and note.endswith(": Katze, Hund")


def test_a_yaml_of_names_is_a_list_among_others(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", (0,))
    write(tmp_path / "classes.txt", "dog\ncat\n")
    write(tmp_path / "data.yaml", "names: [cat, dog]\n")
    with pytest.raises(DataError, match=r"classes\.txt' lists dog, cat, .*data\.yaml' lists cat"):
        of(tmp_path)


def test_a_list_beside_a_yaml_need_not_be_one(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", (0,))
    write(tmp_path / "data.yaml", "train: images\nnames: [cat, dog]\n")
    write(tmp_path / "classes.txt", "a\na\n")
    assert of(tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("classes.txt", "cat\ndog\n"),
        ("images/classes.txt", "cat\ndog\n"),
        ("labels/val/classes.txt", "cat\ndog\n"),
        ("images/train/_darknet.labels", "cat\ndog"),
        ("cats.names", "cat\ndog\n"),
        ("names.txt", "cat\ndog\n"),
        ("labels.txt", "cat\ndog\n"),
        ("cats.yaml", "nc: 2\nnames: [cat, dog]\n"),
        ("dataset.yml", "names:\n  0: cat\n  1: dog\n"),
        ("data.yaml", "names: [cat, dog]\n"),
        ("cats.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]\n"),
    ],
)
def test_classes_are_named_by_a_list_or_a_yaml(path: str, text: str, tmp_path: Path) -> None:
    lay(tmp_path, "images/train", "labels/train", (0, 1))
    lay(tmp_path, "images/val", "labels/val", (2,))
    write(tmp_path / path, text)
    source = of(tmp_path, "val")
    assert (source.classes, source.taken_for) == (("cat", "dog"), "")
    assert shown(source) == {"2": ("cat", "dog")} and not list(source.orphans())
    assert splits_of(str(tmp_path), Boxes) == ("train", "val")


def test_one_of_several_yamls_is_to_be_named(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", (0,))
    for name in ("a", "b"):
        write(tmp_path / f"{name}.yaml", f"train: images\nnames: [{name}, dog]\n")
    with pytest.raises(DataError, match=r"has a\.yaml, b\.yaml\. Give the path of one"):
        of(tmp_path)
    assert of(tmp_path / "b.yaml").classes == ("b", "dog")
    write(tmp_path / "hyp.yaml", "lr0: 0.01\n")
    (tmp_path / "a.yaml").unlink()
    assert of(tmp_path).classes == ("b", "dog")


# === images in no split ===


@pytest.mark.parametrize(
    ("images", "labels", "shown_"),
    [("", "", "'.'"), ("images/eval", "labels/eval", "'images/eval'"), ("b", "b", "'b'")],
)
def test_labelled_images_in_no_split_are_told(
    images: str, labels: str, shown_: str, tmp_path: Path
) -> None:
    lay(tmp_path, images, labels, range(6))
    lay(tmp_path, "images/train", "labels/train", range(6, 10))
    noise(tmp_path / "unlabelled" / "10.png", 10)
    write(tmp_path / "classes.txt", "cat\ndog\n")
    source = of(tmp_path)
    assert len(source) == 4
    (note,) = source.notes
    assert f"in no split, and so are not read: 6, in {shown_}; move them" in note


def test_lists_of_images_beside_folders_are_splits(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", range(4))
    write(tmp_path / "train.txt", "./images/0.png\nimages/1.png\n")
    write(tmp_path / "val.txt", "data/x/images/2.png\n")
    assert set(splits_of(str(tmp_path), Boxes)) == {"train", "val"}
    assert [*shown(of(tmp_path, "train"))] == ["0", "1"]
    source = of(tmp_path, "val")
    assert [*shown(source)] == ["2"]
    assert any("are not read: 1, in 'images'" in note for note in source.notes)


def test_a_folder_around_another_holds_its_images_once(tmp_path: Path) -> None:
    lay(tmp_path, "train", "train", (0,))
    lay(tmp_path, "train/images", "train/labels", (1,))
    write(tmp_path / "classes.txt", "cat\ndog\n")
    assert shown(of(tmp_path)) == {"0": ("cat", "dog"), "1": ("cat", "dog")}


# === links ===


def test_linked_folders_below_are_followed(tmp_path: Path) -> None:
    root = tmp_path / "set"
    lay(root, "images/a", "labels/a", range(3))
    lay(tmp_path, "far", "set/labels/b", range(3, 8))
    (root / "images" / "b").symlink_to(tmp_path / "far")
    write(root / "data.yaml", "train: images\nnames: [cat, dog]\n")
    assert [file.parent.name for file in of(root).files] == ["a"] * 3 + ["b"] * 5
    (root / "data.yaml").rename(root / "b.yaml")
    assert all(names == ("cat", "dog") for names in shown(of(root)).values())


def test_links_that_lead_round_in_a_circle_end(tmp_path: Path) -> None:
    noise(tmp_path / "b" / "0.png")
    (tmp_path / "a").symlink_to("b")  # before its own path, in the alphabet
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "here").symlink_to(".")
    (tmp_path / "nowhere").symlink_to("gone")
    assert images_in(tmp_path, deep=True) == [tmp_path / "b" / "0.png"]
    lay(tmp_path, "images", "labels", (1,))
    (tmp_path / "images" / "images").symlink_to(tmp_path)
    assert "1" in shown(of(tmp_path))


# === texts that belong to no image ===


@pytest.mark.parametrize(
    "stray", ["README.roboflow.txt", "train.txt", "names.txt", "labels.txt", "0 notes.txt"]
)
def test_a_stray_text_hides_nothing(stray: str, tmp_path: Path) -> None:
    numbers = {"train": range(3), "valid": range(3, 5), "test": range(5, 6)}
    for split, names in numbers.items():
        lay(tmp_path, split, split, names)
        write(tmp_path / split / "_darknet.labels", "cat\ndog")
    write(tmp_path / stray, "cats - v1\nExported in 2024\n")
    sources = {split: of(tmp_path, split) for split in splits_of(str(tmp_path), Boxes)}
    assert {split: len(source) for split, source in sources.items()} == {
        "train": 3,
        "valid": 2,
        "test": 1,
    }
    if stray not in ("names.txt", "labels.txt"):
        assert {source.classes for source in sources.values()} == {("cat", "dog")}


def test_numbers_are_those_of_images(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", range(2))
    write(tmp_path / "labels" / "zz_log.txt", "2024\n")
    source = of(tmp_path)
    assert source.classes == ("0", "1")
    assert ["zz_log.txt" in str(error) for error in source.orphans()] == [True]


def test_captions_are_no_labels(tmp_path: Path) -> None:
    lay(tmp_path, "images", "images", range(2), "a cat on a mat, and a dog\n")
    with pytest.raises(DataError, match="not known"):
        of(tmp_path)


def test_no_part_of_a_data_set_is_taken_for_it(tmp_path: Path) -> None:
    for split in ("train", "val"):
        lay(tmp_path, f"{split}/a", f"{split}/a", range(2), "a cat\n")
        lay(tmp_path, split, split, range(2))
    write(tmp_path / "obj.data", "nothing")
    write(tmp_path / "labels" / "a.txt", FIRST)
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path), "", Boxes, format="yolo-folders")
    assert "holds one below" not in str(error.value)


def test_several_data_sets_below_are_all_named(tmp_path: Path) -> None:
    for name in ("cam1", "cam2"):
        lay(tmp_path, name, name, (0,))
    with pytest.raises(DataError, match=r"holds 2 below\. Give one of '.*cam1', '.*cam2'\."):
        of(tmp_path)


# === where labels lie ===


@pytest.mark.parametrize(
    ("images", "labels", "split"),
    [
        ("Images", "Labels", ""),
        ("", "labels", ""),
        ("train", "train/labels", "train"),
        ("img", "labels", ""),
        ("train_images", "train_labels", "train"),
        ("images-val", "labels-val", "val"),
        ("images", "images", ""),
        ("images/cam2", "labels/cam2", ""),
        ("Train/Images", "Train/Labels", "Train"),
        ("train", "labels/train", "train"),
        ("images/train", "train/labels", "train"),
        ("data", "data", ""),
        ("images/train/cam1", "labels/train/cam1", "train"),
    ],
)
def test_labels_lie_where_folders_are_called_alike(
    images: str, labels: str, split: str, tmp_path: Path
) -> None:
    lay(tmp_path, images, labels, range(3))
    noise(tmp_path / images / "9.png", 9)
    write(tmp_path / "classes.txt", "cat\ndog\n")
    expected = {**dict.fromkeys("012", ("cat", "dog")), "9": ()}
    source = of(tmp_path, split)
    assert shown(source) == expected and source.split == split
    assert not list(source.orphans())
    write(tmp_path / "data.yaml", f"train: {images or '.'}\nnames: [cat, dog]\n")
    assert shown(of(tmp_path, "train")) == expected
    assert open_source(str(tmp_path), "train", Labels).classes == ("cat", "dog")


def test_labels_in_a_wrong_place_are_told_where_to_lie(tmp_path: Path) -> None:
    for split in ("train", "val"):
        lay(tmp_path, f"images/{split}", "labels", range(2))
    with pytest.raises(DataError, match=r"no label file at all, such as '.*labels/train/0\.txt'"):
        of(tmp_path, "train")


def test_one_folder_of_labels_may_serve_all_splits(tmp_path: Path) -> None:
    lay(tmp_path, "images/train", "labels", range(2))
    lay(tmp_path, "images/val", "labels", range(2, 4))
    write(tmp_path / "labels" / "classes.txt", "cat\ndog\n")
    for split, names in {"train": ("0", "1"), "val": ("2", "3")}.items():
        source = of(tmp_path, split)
        assert shown(source) == dict.fromkeys(names, ("cat", "dog"))
        assert not list(source.orphans())


def test_the_usual_folder_of_labels_comes_first(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", range(2), FIRST)
    for folder in ("images", "Labels"):  # copies
        write(tmp_path / folder / "0.txt", FIRST.replace(" ", "  "))
        write(tmp_path / folder / "1.txt", "a caption\n")
    write(tmp_path / "data.yaml", "train: images\nnames: [cat, dog]\n")
    assert set(shown(of(tmp_path)).values()) == {("cat",)}


@pytest.mark.parametrize("yaml", [True, False])
@pytest.mark.parametrize("other", ["images", "Labels"])
@pytest.mark.parametrize("first", [range(1), range(3)])
def test_labels_in_two_places_are_asked_about(
    yaml: bool, other: str, first: range, tmp_path: Path
) -> None:
    lay(tmp_path, "images", other, range(3), SECOND)
    for number in first:
        write(tmp_path / "labels" / f"{number}.txt", SECOND if number < 1 else FIRST)
    write(tmp_path / "classes.txt", "cat\ndog\n")
    if yaml:
        write(tmp_path / "data.yaml", "train: images\nnames: [cat, dog]\n")
    said = "another one" if len(first) > 1 else "none"
    with pytest.raises(
        DataError, match=rf"labels' and '.*{other}' hold some, .* has '1.txt', the first has {said}"
    ):
        of(tmp_path)
    for number in range(3):
        (tmp_path / other / f"{number}.txt").rename(tmp_path / "labels" / f"{number}.txt")
    assert set(shown(of(tmp_path)).values()) == {("dog",)}


def test_texts_beside_images_of_the_same_names_are_theirs(tmp_path: Path) -> None:
    lay(tmp_path, "train/images", "train/labels", range(2), FIRST)
    lay(tmp_path, "train", "train", range(2), SECOND)
    write(tmp_path / "data.yaml", "train: train/images\nnames: [cat, dog]\n")
    assert set(shown(of(tmp_path)).values()) == {("cat",)}


@pytest.mark.parametrize(("image", "label"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_letters_may_be_composed_otherwise(image: str, label: str, tmp_path: Path) -> None:
    name = {form: unicodedata.normalize(form, "café0") for form in ("NFC", "NFD")}
    noise(tmp_path / "images" / f"{name[image]}.png")
    write(tmp_path / "labels" / f"{name[label]}.txt", BOTH)
    write(tmp_path / "list.txt", f"images/{name[label]}.png\n")
    for place in ("images", "list.txt"):
        write(tmp_path / "data.yaml", f"train: {place}\nnames: [cat, dog]\n")
        source = of(tmp_path)
        assert shown(source) == {name[image]: ("cat", "dog")} and not list(source.orphans())


# === splits that are not there, and paths of other machines ===


def test_a_split_to_test_on_that_is_not_there_stops_nothing(tmp_path: Path, cli) -> None:
    for split, names in {"train": range(4), "valid": range(4, 6)}.items():
        lay(tmp_path, f"{split}/images", f"{split}/labels", names)
    lines = [f"{key}: ../{key}/images" for key in ("train", "valid", "test")]
    write(tmp_path / "data.yaml", "\n".join([*lines, "names: [cat, dog]"]))
    code, out, said = cli("data", "check", tmp_path, "--task", "detect")
    assert (code, "warning: split empty (1) of test" in out) == (0, True), said + out
    code, out, said = cli("data", "check", f"{tmp_path}:test", "--task", "detect")
    assert (code, "which is neither" in said) == (5, True), said
    write(tmp_path / "data.yaml", "\n".join([*lines, "val: ../vla", "names: [cat, dog]"]))
    code, out, _ = cli("data", "check", tmp_path, "--task", "detect")
    assert (code, "'../vla', which is neither" in " ".join(out.split())) == (5, True), out


@pytest.mark.parametrize("first", ["data/", "datasets/x/", "./data/", "/home/me/x/", "D:\\x\\"])
def test_lists_name_images_from_folders_that_are_not_there(first: str, tmp_path: Path) -> None:
    lay(tmp_path, "images/train", "labels/train", range(3))
    lay(tmp_path, "images/val", "labels/val", (3,))
    write(tmp_path / "train.txt", "".join(f"{first}images/train/{n}.png\n" for n in range(3)))
    write(tmp_path / "data.yaml", "train: train.txt\nnames: [cat, dog]\n")
    source = of(tmp_path)
    assert [*shown(source)] == ["0", "1", "2"] and source.notes == (f"{ELSEWHERE}: 3",)


def test_an_image_that_is_gone_is_no_other(tmp_path: Path) -> None:
    lay(tmp_path, "images/train", "labels/train", (0,))
    lay(tmp_path, "images/val", "labels/val", (1,))
    noise(tmp_path / "1.png", 1)
    write(tmp_path / "train.txt", "images/train/0.png\nimages/train/1.png\n")
    write(tmp_path / "data.yaml", "train: train.txt\nnames: [cat, dog]\n")
    with pytest.raises(DataError, match=r"lacks 1 image: .*images/train/1\.png\."):
        of(tmp_path)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("/home/me/ds/{}/images", "images/{}"),
        ("/home/dev/ds/{}/images", "images/{}"),
        ("D:\\ds\\{}\\images", "images/{}"),
        ("/home/me/ds/images/{}", "{}/images"),
        ("datasets/ds/{}/images", "images/{}"),
    ],
)
def test_each_split_of_another_machine_has_its_own_folder(
    there: str, here: str, tmp_path: Path
) -> None:
    for number, split in enumerate(("train", "val")):
        images = here.format(split)
        lay(tmp_path, images, images.replace("images", "labels"), (number,))
    lines = [f"{split}: '{there.format(split)}'" for split in ("train", "val")]
    write(tmp_path / "data.yaml", "\n".join([*lines, "names: [cat, dog]"]))
    for number, split in enumerate(("train", "val")):
        source = of(tmp_path, split)
        assert [*shown(source)] == [str(number)] and source.notes == (f"{ELSEWHERE}: 1",)


@pytest.mark.parametrize("there", ["/home/me/ds/{}/images", "datasets/{}/images"])
def test_splits_of_another_machine_that_lead_to_one_folder_are_refused(
    there: str, tmp_path: Path
) -> None:
    lay(tmp_path, "images", "labels", range(3))
    lines = [f"{split}: {there.format(split)}" for split in ("train", "val")]
    write(tmp_path / "data.yaml", "\n".join([*lines, "names: [cat, dog]"]))
    for split in ("train", "val"):
        with pytest.raises(DataError, match=r"everything must lie below|neither"):
            of(tmp_path, split)
    write(tmp_path / "data.yaml", "\n".join([lines[0], "names: [cat, dog]"]))
    assert len(of(tmp_path)) == 3


def test_labels_in_letters_of_another_case_are_named(tmp_path: Path) -> None:
    lay(tmp_path, "images", "labels", range(2))
    write(tmp_path / "classes.txt", "cat\ndog\n")
    for number in range(2):
        image = tmp_path / "images" / f"{number}.png"
        image.rename(image.with_name(f"Img{number}.png"))
        label = tmp_path / "labels" / f"{number}.txt"
        label.rename(label.with_name(f"img{number}.txt"))
    with pytest.raises(DataError) as error:
        of(tmp_path)
    assert "letters of the same case" in str(error.value) and "'img0.txt'" in str(error.value)
    assert '""' not in str(error.value)


def test_a_folder_is_not_listed_for_each_line_of_a_list(tmp_path: Path, monkeypatch) -> None:
    listed: list[Path] = []
    monkeypatch.setattr(
        yolo_places, "names_in", lambda folder: listed.append(folder) or names_in(folder)
    )
    names = [f"\u00e9{number}" for number in range(12)]
    for number, name in enumerate(names):
        noise(tmp_path / "images" / f"{unicodedata.normalize('NFD', name)}.png", number)
        write(tmp_path / "labels" / f"{unicodedata.normalize('NFD', name)}.txt", BOTH)
    write(tmp_path / "train.txt", "".join(f"images/{name}.png\n" for name in names))
    write(tmp_path / "data.yaml", "train: train.txt\nnames: [cat, dog]\n")
    assert len(of(tmp_path, "train")) == len(names)
    assert len(listed) < len(names)
