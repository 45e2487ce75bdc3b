"""What a model says of images is written for correction, and read back as it was."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask
from cvtasks.data import open_source
from cvtasks.data.writing.convert import writers_of
from cvtasks.errors import CVTasksError, DataError, UsageError
from cvtasks.inference.prelabel import Prelabelled, format_of, prelabel, root_of
from cvtasks.media.sources import expand
from cvtasks.tasks import TASKS

CLASSES = ("cat", "traffic light", "zürich cow")
SIZE = (60, 90)
NAMES = ("a.png", "b c.png", "empty.png", "ü.png")
HARD = (" lead.png", "#hash%20.png", "a+b&c=d.png", "quote'\"<b>;.png")


def found(*rows: tuple[float, ...]) -> Boxes:
    """Rows of class, score and edges."""
    scores = [row[1] for row in rows]
    return Boxes.of(
        [row[2:] for row in rows], [int(r[0]) for r in rows], CLASSES, SIZE, scores=scores
    )


BOXES = (
    found((0, 0.9, 3, 4, 20, 30), (1, 0.5, 10.5, 2.25, 40, 31.5)),
    found((2, 0.75, 0, 0, 90, 60)),
    found(),
    found((1, 0.625, 80, 5, 90, 33)),
)


@dataclass
class Stub:
    """A model whose answers about images, in their order, are known."""

    recipe: Any
    answers: dict[str, Answer]

    def predict_many(self, images: Any, threshold: float | None = None) -> Iterator[Any]:
        for tag, image in images:
            yield tag, image, self.answers[Path(tag[0]).name]


def stub(task: str, answers: tuple[Answer, ...], **fields: Any) -> Stub:
    recipe = SimpleNamespace(task=TASKS[task].task(**fields), classes=answers[0].classes)
    return Stub(recipe, dict(zip(NAMES, answers, strict=True)))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        pixels = np.random.default_rng(number).integers(0, 255, (*SIZE, 3), np.uint8)
        (folder / name).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return folder


def write(model: Any, photos: Path, folder: Path, to: str, **how: Any) -> Prelabelled:
    return prelabel(model, list(expand([str(photos)])), folder, to, **how)  # type: ignore[arg-type]


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("to", [name for name in writers_of(Boxes) if name != "label-studio"])
@pytest.mark.parametrize("scores", [True, False])
def test_boxes_are_read_back_by_the_formats_own_reader(to, scores, photos):
    before = content(photos)
    home = photos.parent / "yolo" if to == "yolo" else photos
    done = write(stub("detect", BOXES), photos, home, to, scores=scores)
    assert done.images == len(NAMES) and all(path.is_file() for path in done.files)
    assert before.items() <= content(photos).items(), "images stay where and as they are"
    opened = open_source(str(home), "", Boxes)
    assert opened.classes == CLASSES
    read = {Path(opened.files[i]).name: opened.truth(i) for i in range(len(opened))}
    for name, boxes in zip(NAMES, BOXES, strict=True):
        np.testing.assert_allclose(read[name].xyxy, boxes.xyxy, atol=1 if to == "voc" else 1e-4)
        assert read[name].names == boxes.names


def hard(photos: Path) -> Path:
    """The photos under names that are hard to write."""
    for name, other in zip(NAMES, HARD, strict=True):
        (photos / name).rename(photos / other)
    return photos


@pytest.mark.parametrize("to", writers_of(Boxes))
def test_any_name_of_an_image_is_read_back(to, photos):
    home = photos.parent / "yolo" if to == "yolo" else hard(photos)
    model = stub("detect", BOXES)
    model.answers = dict(zip(HARD, BOXES, strict=True))
    write(model, hard(photos) if to == "yolo" else photos, home, to, scores=False)
    opened = open_source(str(home), "", Boxes)
    read = {Path(opened.files[i]).name: opened.truth(i).names for i in range(len(opened))}
    assert read == {name: boxes.names for name, boxes in zip(HARD, BOXES, strict=True)}


@pytest.mark.parametrize(
    "prefix", ["/data/local-files/?d=photos/", "http://x/photos/", "/data/upload/1/", "photos/"]
)
def test_any_name_behind_a_prefix_is_read_back(prefix, photos):
    model = stub("detect", BOXES)
    model.answers = dict(zip(HARD, BOXES, strict=True))
    write(model, hard(photos), photos, "label-studio", scores=False, prefix=prefix)
    tasks = json.loads((photos / "label-studio.json").read_bytes())
    told = [task["data"]["image"].removeprefix(prefix) for task in tasks]
    assert ("%23hash%2520.png" if prefix != "photos/" else "#hash%20.png") in told
    opened = open_source(str(photos), "", Boxes)
    read = {Path(opened.files[i]).name: opened.truth(i).names for i in range(len(opened))}
    assert read == {name: boxes.names for name, boxes in zip(HARD, BOXES, strict=True)}


@pytest.mark.parametrize("to", ["csv", "list"])
def test_any_name_of_an_image_with_labels_is_read_back(to, photos):
    model = stub("classify", LABELS)
    model.answers = dict(zip(HARD, LABELS, strict=True))
    write(model, hard(photos), photos, to)
    opened = open_source(str(photos), "", Labels)
    read = {Path(opened.files[i]).name: opened.truth(i).names for i in range(len(opened))}
    assert read == {name: one.names[:1] for name, one in zip(HARD, LABELS, strict=True)}


def test_label_studio_gets_predictions_that_are_no_truth(photos):
    write(stub("detect", BOXES), photos, photos, "label-studio", prefix="/data/local-files/?d=x/")
    tasks = json.loads((photos / "label-studio.json").read_bytes())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=x/a.png"
    assert all(not task["annotations"] for task in tasks)
    scores = [one["score"] for one in tasks[0]["predictions"][0]["result"]]
    assert scores == [0.9, 0.5] and tasks[0]["predictions"][0]["score"] == 0.5
    assert '<Label value="traffic light"' in (photos / "label-studio-setup.xml").read_text()
    with pytest.raises(DataError, match=r"none is\. Label them"):  # a guess is no label
        open_source(str(photos), "", Boxes)


def test_scores_are_written_and_left_out(photos, tmp_path):
    for name, scores in (("with", True), ("without", False)):
        write(stub("detect", BOXES), photos, tmp_path / name, "coco", scores=scores)
        document = json.loads((tmp_path / name / "annotations/instances_default.json").read_bytes())
        assert [one.get("score") for one in document["annotations"]] == (
            [0.9, 0.5, 0.75, 0.625] if scores else [None] * 4
        )


def test_an_image_with_an_annotation_is_left_as_it_is(photos):
    mine = photos / "a.json"
    mine.write_text("mine")
    done = write(stub("detect", BOXES), photos, photos, "labelme")
    assert (done.images, done.left, mine.read_text()) == (3, 1, "mine")
    again = write(stub("detect", BOXES), photos, photos, "labelme")
    assert (again.images, again.left, again.files) == (0, 4, ())


def test_what_is_no_readable_file_is_told_and_the_others_are_labelled(photos, tmp_path):
    os.mkfifo(photos / "pipe.png")
    (photos / "cut.png").write_bytes((photos / "a.png").read_bytes()[:60])
    told: list[Any] = []
    again = [str(photos), str(photos / "a.png"), str(photos / "gone.png")]
    items = list(expand(again))
    done = prelabel(stub("detect", BOXES), items, tmp_path / "out", "coco", on_error=told.append)
    assert (done.images, len(told)) == (4, 3)
    assert sum("named pipe" in str(error) for error in told) == 1
    document = json.loads((tmp_path / "out/annotations/instances_default.json").read_bytes())
    assert [one["file_name"] for one in document["images"]] == sorted(NAMES), "each once"
    with pytest.raises(CVTasksError, match=r"cut\.png"):
        cut = [item for item in items if item.source.endswith("cut.png")]
        prelabel(stub("detect", BOXES), cut, tmp_path / "new", "coco")


@pytest.mark.parametrize("to", ["coco", "yolo", "labelme", "label-studio"])
def test_where_no_image_can_be_read_no_annotations_are_written(to, photos, tmp_path):
    for name in NAMES:
        (photos / name).write_bytes(b"no image")
    told: list[Any] = []
    done = write(stub("detect", BOXES), photos, tmp_path / "out", to, on_error=told.append)
    assert (done.images, done.files, len(told)) == (0, (), 4)
    assert set(content(tmp_path / "out")) <= {"classes.txt"}


def test_the_one_file_of_a_format_is_not_replaced(photos):
    write(stub("detect", BOXES), photos, photos, "cvat")
    before = content(photos)
    with pytest.raises(DataError, match="nothing is overwritten"):
        write(stub("detect", BOXES), photos, photos, "cvat")
    assert content(photos) == before


def test_labelme_finds_images_that_lie_elsewhere(photos, tmp_path):
    folder = tmp_path / "out" / "here"
    write(stub("detect", BOXES), photos, folder, "labelme")
    way = json.loads((folder / "a.json").read_bytes())["imagePath"]
    assert (folder / way).resolve() == (photos / "a.png").resolve()


def test_an_image_is_localized_by_its_best_class(photos):
    two = found((1, 0.7, 1, 2, 30, 40), (0, 0.2, 1, 2, 30, 40))
    write(stub("localize", (two,) * 4), photos, photos, "tensorflow-csv")
    lines = (photos / "_annotations.csv").read_text().splitlines()
    assert len(lines) == 5 and all(",traffic light," in line for line in lines[1:])


MASK_CLASSES = ("background", "cat", "dog")


def painted(seed: int) -> Mask:
    ids = np.zeros(SIZE, np.uint8)
    rng = np.random.default_rng(seed)
    for label in (1, 2):
        centre = int(rng.integers(20, 70)), int(rng.integers(15, 45))
        cv2.ellipse(ids, centre, (17, 11), 30 * seed, 0, 360, label, -1)
    return Mask(ids, MASK_CLASSES)


MASKS = (painted(1), painted(2), Mask.nothing(SIZE, MASK_CLASSES), painted(3))


@pytest.mark.parametrize(
    ("to", "least"), [("masks", 1), ("coco", 1), ("labelme", 0.93), ("cvat", 0.93)]
)
def test_masks_are_read_back_by_the_formats_own_reader(to, least, photos):
    write(stub("segment", MASKS), photos, photos, to)
    opened = open_source(str(photos), "", Mask)
    assert opened.classes == MASK_CLASSES
    for index in range(len(opened)):
        wanted = dict(zip(NAMES, MASKS, strict=True))[Path(opened.files[index]).name].ids
        read = opened.truth(index).ids
        for label in np.union1d(wanted, read):
            both = ((read == label) & (wanted == label)).sum()
            assert both / ((read == label) | (wanted == label)).sum() >= least


def test_masks_without_a_background_keep_their_first_class(photos):
    classes = ("road", "sky")
    halves = Mask(np.repeat([[0], [1]], 30, axis=0).repeat(90, axis=1).astype(np.uint8), classes)
    write(stub("segment", (halves,) * 4), photos, photos, "coco")
    document = json.loads((photos / "annotations/instances_default.json").read_bytes())
    assert [one["name"] for one in document["categories"]] == ["road", "sky"]
    assert [one["category_id"] for one in document["annotations"][:2]] == [1, 2]


def labelled(*scores: float) -> Labels:
    return Labels(np.array(scores, np.float32), np.zeros(3, bool), CLASSES)


LABELS = (
    labelled(0.7, 0.2, 0.1),
    labelled(0.1, 0.1, 0.8),
    labelled(0, 1, 0),
    labelled(0.4, 0.6, 0),
)


@pytest.mark.parametrize("to", ["csv", "list"])
def test_labels_are_read_back_by_the_formats_own_reader(to, photos):
    write(stub("classify", LABELS), photos, photos, to)
    opened = open_source(str(photos), "", Labels)
    read = {Path(opened.files[i]).name: opened.truth(i).names for i in range(len(opened))}
    assert read == {name: one.names[:1] for name, one in zip(NAMES, LABELS, strict=True)}
    assert opened.classes == CLASSES


def test_several_labels_become_choices(photos):
    write(stub("classify", LABELS, labels="many"), photos, photos, "label-studio")
    tasks = json.loads((photos / "label-studio.json").read_bytes())
    (result,) = tasks[0]["predictions"][0]["result"]
    assert result["value"]["choices"] == ["cat", "traffic light", "zürich cow"]
    assert 'choice="multiple"' in (photos / "label-studio-setup.xml").read_text()


def test_a_format_that_cannot_hold_the_answers_is_refused():
    with pytest.raises(UsageError, match="'yolo' cannot hold them"):
        format_of("yolo", Labels)
    with pytest.raises(UsageError, match="unknown"):
        format_of("yol", Boxes)
    assert all(format_of("", kind) for kind in (Boxes, Mask, Labels))


def test_what_cannot_be_read_is_told_and_left_out(photos):
    (photos / "a.png").write_bytes(b"no image")
    errors: list[Exception] = []
    done = write(stub("detect", BOXES), photos, photos, "labelme", on_error=errors.append)
    assert (done.images, len(errors)) == (3, 1) and not (photos / "a.json").exists()


def discs(*centres: tuple[int, int]) -> Instances:
    planes = [np.zeros(SIZE, np.uint8) for _ in centres]
    for plane, centre in zip(planes, centres, strict=True):
        cv2.circle(plane, centre, 12, 1, -1)
    scores = [0.5 + number / 8 for number in range(len(centres))]
    masks = [plane > 0 for plane in planes]
    return Instances.of(masks, [0] * len(centres), ("cell",), SIZE, scores=scores)


DISCS = (discs((20, 20), (30, 25)), discs((40, 30)), discs(), discs((30, 25), (70, 30), (36, 34)))


@pytest.mark.parametrize(("to", "lost"), [("masks", "2"), ("voc", "2"), ("coco", ""), ("yolo", "")])
def test_what_a_format_cannot_say_is_told_with_its_count(to, lost, photos, tmp_path):
    done = write(stub("instances", DISCS), photos, tmp_path / "out", to)
    said = [line.rpartition(": ")[2] for line in done.lost if "lie above a part" in line]
    assert said == ([lost] if lost else [])


@pytest.mark.parametrize("to", [to for to in writers_of(Instances) if to != "label-studio"])
@pytest.mark.parametrize("scores", [True, False])
def test_instances_are_read_back_by_the_formats_own_reader(to, scores, photos, tmp_path):
    if to == "voc":
        photos = photos.rename(tmp_path / "JPEGImages")
    home = tmp_path if to in ("voc", "yolo") else photos
    write(stub("instances", DISCS), photos, home, to, scores=scores)
    opened = open_source(str(home), "", Instances)
    read = {Path(opened.files[i]).name: opened.truth(i) for i in range(len(opened))}
    assert {name: len(one) for name, one in read.items()} == {
        name: len(one) for name, one in zip(NAMES, DISCS, strict=True)
    }


def test_the_score_at_a_lines_end_is_told_where_it_is_written(photos, tmp_path):
    for scores in (True, False):
        done = write(stub("detect", BOXES), photos, tmp_path / f"{scores}", "yolo", scores=scores)
        assert ("its score" in done.hint) == scores and "images were copied" in done.hint


def grown(photos: Path, later: str = "") -> list[str]:
    """Images in `grow/a`, and one in `grow/later`; a glob of all."""
    home = photos.parent / "grow" / (later or "a")
    home.mkdir(parents=True)
    name = "ü.png" if later else "a.png"
    (home / name).write_bytes((photos / name).read_bytes())
    return [str(photos.parent / "grow" / "**" / "*")]


@pytest.mark.parametrize("to", ["yolo", "labelme", "voc"])
def test_names_stay_when_another_folder_comes(to, photos, tmp_path):
    sources, model, out = grown(photos), stub("detect", BOXES), tmp_path / "out"
    first = prelabel(model, list(expand(sources)), out, to, root=root_of(sources))  # type: ignore[arg-type]
    grown(photos, "b")
    again = prelabel(model, list(expand(sources)), out, to, root=root_of(sources))  # type: ignore[arg-type]
    assert (first.images, again.images, again.left) == (1, 1, 1)
    assert len([name for name in content(out) if Path(name).stem == "a"]) == (
        2 if to == "yolo" else 1
    )


def test_an_annotation_under_an_older_name_is_known_by_its_copy_or_refused(photos, tmp_path):
    sources, model = grown(photos), stub("detect", BOXES)
    for to in ("yolo", "labelme"):
        prelabel(model, list(expand(sources)), tmp_path / to, to)  # type: ignore[arg-type]
    assert (tmp_path / "labelme" / "a.json").is_file()
    grown(photos, "b")
    items, root = list(expand(sources)), root_of(sources)
    done = prelabel(model, items, tmp_path / "yolo", "yolo", root=root)  # type: ignore[arg-type]
    assert (done.images, done.left) == (1, 1)
    before = content(tmp_path / "labelme")
    with pytest.raises(DataError, match="has one file of annotations"):
        prelabel(model, items, tmp_path / "labelme", "labelme", root=root)  # type: ignore[arg-type]
    assert content(tmp_path / "labelme") == before


@pytest.mark.parametrize("to", ["masks", "yolo"])
def test_what_was_written_here_is_no_image_to_label(to, photos):
    sources = [str(photos / "**" / "*")]
    for images, left in ((4, 0), (0, 4)):
        items = list(expand(sources))
        done = prelabel(stub("instances", DISCS), items, photos, to, root=root_of(sources))  # type: ignore[arg-type]
        assert (done.images, done.left) == (images, left)


def test_another_image_of_a_copys_name_is_refused(photos, tmp_path):
    write(stub("detect", BOXES), photos, tmp_path / "out", "yolo")
    (photos / "a.png").write_bytes((photos / "ü.png").read_bytes())
    with pytest.raises(DataError, match="needs a name of its own"):
        write(stub("detect", BOXES), photos, tmp_path / "out", "yolo")


def test_names_begin_at_what_was_typed(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    assert root_of(["photos"]) == root_of(["photos/*.png"]) == root_of(["photos/a.png"]) == photos
    assert root_of(["photos/**/*"]) == root_of(["photos/sub[12]/*"]) == photos
    assert root_of(["photos", "other/*"]) == photos.parent
    assert root_of(["-", "http://x/*.png", "photos/gone.png"]) is None
    (photos / "a[1]").mkdir()
    assert root_of(["photos/a[1]"]) == photos / "a[1]", "what lies on the disk is that file"
