"""FiftyOne's own exports: boxes, and labels of whole images, by places in a list or by names."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source, splits_of
from cvtasks.data.formats.kinds import FIFTYONE, json_kind
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.fiftyone import parse_fiftyone

CLASSES = ["ant", "bee fly", "cow"]


def lay(root: Path, labels: dict[str, Any], classes: list[str] | None = CLASSES) -> Path:
    """Images of 16 × 12 pixels in `data/`, and the file beside it."""
    for number, name in enumerate(labels):
        path = root / "data" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), 9 * number, np.uint8)).save(path)
    document = json.dumps({"classes": classes, "labels": labels})
    (root / "labels.json").write_text(document, encoding="utf-8")
    return root


def box(label: int | str, *sides: float, **attributes: Any) -> dict[str, Any]:
    more = {"confidence": 0.5, "attributes": attributes} if attributes else {}
    return {"label": label, "bounding_box": [*sides], **more}


def shown(root: Path, split: str = "") -> dict[str, tuple[str, ...]]:
    source = open_source(str(root), split, Labels)
    assert list(source.problems()) == list(source.orphans()) == []
    return {source.name(index): source.truth(index).names for index in range(len(source))}


def test_boxes_are_shares_of_the_sides(tmp_path: Path) -> None:
    labels = {
        "a": [box(0, 0.25, 0.5, 0.5, 0.25), box(2, 0, 0, 1, 1, iscrowd=1, pose="left")],
        "v1.2": [],
        "deep/c": [box("bee fly", 0.5, 0.5, 0.25, 0.25, difficult=True)],
        "waiting": None,
    }
    source = open_source(str(lay(tmp_path, labels)), "", Boxes)
    assert source.format == "FiftyOne JSON" and source.classes == tuple(CLASSES)
    found = {source.name(index): source.truth(index) for index in range(3)}
    assert found["a"].xyxy.tolist() == [[4, 6, 12, 9], [0, 0, 16, 12]]
    assert found["a"].counted.tolist() == [True, False]
    assert (found["c"].names, found["c"].difficult.tolist()) == (("bee fly",), [True])
    assert len(source) == 3 and len(found["v1.2"]) == 0
    assert any("nobody has labelled yet" in one and "1" in one for one in source.remarks())
    assert list(source.orphans()) == []


def test_names_stand_for_themselves_where_classes_are_not_listed(tmp_path: Path) -> None:
    labels = {"a": [box("cow", 0, 0, 0.5, 0.5)], "b": [box("ant", 0, 0, 0.5, 0.5)]}
    source = open_source(str(lay(tmp_path, labels, None)), "", Boxes)
    assert source.classes == ("ant", "cow") and "no classes.txt" in source.taken_for


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_labels_are_numbers_names_or_objects(classes: list[str] | None, tmp_path: Path) -> None:
    first: Any = 0 if classes else "ant"
    more = {"label": "cow", "confidence": 0.25, "attributes": {"by": "me"}}
    labels = {"a": first, "b": "cow", "c": more, "d": None}
    root = lay(tmp_path, labels, classes)
    assert shown(root) == {"a": ("ant",), "b": ("cow",), "c": ("cow",)}
    source = open_source(str(root), "", Labels)
    assert source.classes == (tuple(CLASSES) if classes else ("ant", "cow"))
    assert any("nobody has labelled yet" in one for one in source.remarks())


def test_several_labels_and_splits(tmp_path: Path) -> None:
    lay(tmp_path / "train", {"a": [0, 2], "b": [{"label": 1}]})
    lay(tmp_path / "validation", {"c": [1]})
    assert set(splits_of(str(tmp_path), Labels)) == {"train", "validation"}
    assert shown(tmp_path, "train") == {"a": ("ant", "cow"), "b": ("bee fly",)}
    assert shown(tmp_path, "val") == {"c": ("bee fly",)}


def test_labels_are_no_boxes_and_boxes_are_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"It holds FiftyOne JSON as labels.*classify"):
        open_source(str(lay(tmp_path / "labels", {"a": 0, "b": 1})), "", Boxes)
    boxes = {"a": [box(0, 0, 0, 1, 1), box(2, 0, 0, 0.5, 1)], "b": [box(1, 0, 0, 1, 1)]}
    found = shown(lay(tmp_path / "boxes", boxes))
    assert found == {"a": ("ant", "cow"), "b": ("bee fly",)}


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (box(3, 0, 0, 1, 1), r"a place in `classes`, 0 to 2; got 3"),
        (box(-1, 0, 0, 1, 1), "a label is a class or the number of one; got '-1'"),
        (box(True, 0, 0, 1, 1), "got 'True'"),
        (box(0, 0, 0, 1), "cannot be read"),
        (box(0, 0, 0, float("nan"), 1), "`bounding_box` must be a finite number"),
        (box(0, 2, 3, 4, 5), "a box must lie in its image"),
        (box("wolf", 0, 0, 1, 1), '"wolf" of label 2 of'),
        ({"bounding_box": [0, 0, 1, 1]}, "it lacks or misstates 'label'"),
        ([1], "cannot be read"),
        (1, "most are boxes, and 'a' has the class 'bee fly'"),
        ({"label": "cow"}, "most are boxes, and 'a' has the class 'cow'"),
        ({"label": 0, "points": [[[0, 0], [1, 1]]]}, "this one has `points`"),
        ({**box(0, 0, 0, 1, 1), "attributes": [1]}, "`attributes` must be an object with their"),
    ],
)
def test_what_cannot_be_read_is_a_fault_of_its_image(label: Any, says: str, tmp_path: Path) -> None:
    root = lay(tmp_path, {"a": [box(0, 0, 0, 0.5, 0.5), label], "b": [box(1, 0, 0, 1, 1)]})
    faults: list[CVTasksError] = []
    source = open_source(str(root), "", Boxes, format="fiftyone")
    for index in range(len(source)):
        faults += source.faults(index)
    (fault,) = faults
    assert says.replace("\\", "") in str(fault)


@pytest.mark.parametrize(
    "document",
    ['{"classes": 3, "labels": {}}', '{"classes": [1], "labels": {}}', '{"labels": {}}', "[", "[]"],
)
def test_what_is_no_such_json_is_told(document: str) -> None:
    with pytest.raises(DataError, match="JSON"):
        parse_fiftyone(document.encode(), "labels.json")


@pytest.mark.parametrize(
    "document",
    [
        {"classes": ["a"], "labels": ["a"]},
        {"classes": ["a"], "labels": {"b": 0}, "images": []},
        {"labels": {"b": 0}},
        {"names": ["a"]},
    ],
)
def test_other_json_is_none_of_it(document: Any, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert json_kind(path) != FIFTYONE


def test_a_box_among_classes_is_a_fault(tmp_path: Path) -> None:
    root = lay(tmp_path, {"a": 0, "b": 1, "c": box(2, 0, 0, 1, 1), "d": 3})
    faults: list[CVTasksError] = []
    source = open_source(str(root), "", Labels, faults.append)
    assert [source.truth(index).names for index in range(2)] == [("ant",), ("bee fly",)]
    first, second = map(str, sorted(faults, key=str))
    assert "a place in `classes`, 0 to 2; got 3" in first
    assert "most are classes of whole images, and 'c' has the box of 'cow'" in second
    with pytest.raises(DataError, match="It holds FiftyOne JSON as labels"):
        open_source(str(root), "", Boxes)


def test_classes_beside_boxes_are_passed_over_and_the_other_way_round(tmp_path: Path) -> None:
    root = lay(tmp_path, {"a": [box(0, 0, 0, 1, 1)], "b": [box(1, 0, 0, 1, 1)]})
    document = {"classes": ["day", "night"], "labels": {"a": 1, "b": 0}}
    (root / "times.json").write_text(json.dumps(document), encoding="utf-8")
    for kind, classes, note in (
        (Boxes, CLASSES, "files of classes of whole images were not read: times.json"),
        (Labels, ["day", "night"], "files of boxes were not read: labels.json"),
    ):
        assert splits_of(str(root), kind) == ("",)
        source = open_source(str(root), "", kind)
        assert [*source.classes] == classes and f"FiftyOne's {note}" in source.notes
        assert len(source) == 2 and list(source.problems()) == list(source.orphans()) == []


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"labels": {}}, "this one is empty"),
        ({"classes": ["a"], "labels": {}}, "this one is empty"),
        ({"classes": ["a"], "labels": ["a"]}, "this one is a list"),
        ({"labels": {"a": [box("a", 0, 0, 1, 1)]}}, "add the list of them, or null"),
    ],
)
def test_what_is_not_quite_its_json_is_told_what_it_lacks(
    document: Any, says: str, tmp_path: Path
) -> None:
    root = lay(tmp_path, {"a": 0})
    (root / "labels.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=f"labels.json': FiftyOne's .*{says}"):
        open_source(str(root), "labels", Boxes)


# === without images ===

EITHER = {
    Boxes: {"a": [box(0, 0, 0, 1, 1)], "a-2": [box(1, 0, 0, 1, 1)], "c": []},
    Labels: {"a": 0, "a-2": 1, "c": 2},
}


def lay_apart(root: Path, photos: Path, kind: type, said: str, name: str = "data.json") -> Path:
    """Labels whose images lie in `photos`, two of one name in folders there, and a file beside them
    which says so of each, from the folder `said`.
    """
    lay(root, EITHER[kind])
    paths = {"a": "1/x.png", "a-2": "2/x.png", "c": "c.png"}
    for number, path in enumerate([*paths.values(), "not exported.png"]):
        (photos / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), 9 * number, np.uint8)).save(photos / path)
    for image in (root / "data").iterdir():
        image.unlink()
    manifest = {image: f"{said}/{path}" for image, path in paths.items()}
    (root / name).write_text(json.dumps(manifest), encoding="utf-8")
    return root


@pytest.mark.parametrize("name", ["data.json", "manifest.json"])
@pytest.mark.parametrize("kind", [Boxes, Labels])
def test_images_lie_where_a_file_says(kind: type, name: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    root = lay_apart(tmp_path / "data set", photos, kind, str(photos), name)
    source = open_source(str(root), "", kind)
    assert source.files == [photos / path for path in ("1/x.png", "2/x.png", "c.png")]
    assert [source[index].image[0, 0, 0] for index in range(3)] == [0, 9, 18]
    assert list(source.problems()) == list(source.orphans()) == [] and source.classes == (*CLASSES,)


@pytest.mark.parametrize("said", ["photos", "/another/machine", "D:\\photos"])
def test_images_may_be_brought_along(said: str, tmp_path: Path) -> None:
    root = lay_apart(tmp_path, tmp_path / "photos", Boxes, said)
    source = open_source(str(root), "", Boxes)
    found = [path.relative_to(root).as_posix() for path in source.files]
    assert found == ["photos/1/x.png", "photos/2/x.png", "photos/c.png"]
    assert any("paths of another machine" in note for note in source.notes) == (said != "photos")


@pytest.mark.parametrize("kind", [Boxes, Labels])
@pytest.mark.parametrize("place", ["/another/machine", "D:\\photos", "gone", "\0", "x" * 2000])
def test_an_image_that_is_not_where_a_file_says_is_told(
    place: str, kind: type, tmp_path: Path
) -> None:
    root = lay_apart(tmp_path / "data set", tmp_path / "photos", kind, place)
    with pytest.raises(DataError, match=r"data\.json' says of 'a' '.*which is not there, and not"):
        open_source(str(root), "", kind)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"d": "/d.jpg"}'])
def test_other_files_of_that_name_say_nothing(text: str, tmp_path: Path) -> None:
    root = lay(tmp_path, EITHER[Boxes])
    (root / "data.json").write_text(text)
    source = open_source(str(root), "", Boxes)
    assert len(source) == 3 and list(source.problems()) == []


def test_its_own_data_set_is_named(tmp_path: Path) -> None:
    root = lay(tmp_path, {"a": 0})
    (root / "labels.json").unlink()
    (root / "metadata.json").write_text('{"name": "mine"}', encoding="utf-8")
    sample = {"filepath": "data/a.jpg", "ground_truth": {"_cls": "Detections", "detections": []}}
    (root / "samples.json").write_text(json.dumps({"samples": [sample]}), encoding="utf-8")
    (split,) = splits_of(str(root), Boxes)
    with pytest.raises(DataError, match=r"\(FiftyOneDataset\), which is not read: export as"):
        open_source(str(root), split, Boxes)
