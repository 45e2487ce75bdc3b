"""Saved predictions, whoever saved them, and the report that `evaluate` writes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.formats.coco import coco_document
from cvtasks.formats.voc import to_voc_corners, voc_xml
from cvtasks.media.images import read_image, write_image
from cvtasks.recipe.recipe import parse_recipe

KNOWN = ("person", "cat", "dog")
"""Classes of the data; the model does not know the first."""
CLASSES = ("cat", "dog")
HEIGHT, WIDTH = SIZE = (60, 80)
AREA = "VOC2012 area AP@0.5"
FORMATS = ("records", "results", "document", "comp4")


@dataclass(frozen=True)
class World:
    """A data set as VOC and as COCO have it, a recipe for it, and predictions of its images."""

    root: Path
    predictions: dict[str, Boxes]

    @property
    def data(self) -> str:
        return f"{self.root / 'voc'}:val"

    @property
    def coco(self) -> Path:
        return self.root / "coco" / "annotations" / "val.json"


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 30, (count, 2))
    return np.concatenate([corner, corner + rng.integers(8, 30, (count, 2))], axis=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root, rng, predictions, truths = (
        tmp_path_factory.mktemp("world"),
        np.random.default_rng(1),
        {},
        {},
    )
    voc = root / "voc"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (voc / folder).mkdir(parents=True)
    for number in range(6):
        name = f"{number:06d}"
        image = np.ascontiguousarray(rng.integers(0, 90, (*SIZE, 3)), np.uint8)
        count = number % 4
        truth = Boxes.of(
            _boxes(rng, count),
            rng.integers(0, 3, count),
            KNOWN,
            SIZE,
            difficult=rng.random(count) < 0.2,
        )
        truths[name] = truth
        write_image(voc / "JPEGImages" / f"{name}.jpg", image)
        write_image(root / "coco" / "images" / f"{name}.jpg", image)
        (voc / "Annotations" / f"{name}.xml").write_text(voc_xml(truth, f"{name}.jpg"))
        near = np.clip(truth.xyxy + rng.integers(-2, 3, (count, 4)), 0, 60)
        found, labels = (
            np.concatenate([near, _boxes(rng, 2)]),
            [*truth.labels, *rng.integers(0, 3, 2)],
        )
        scores = np.round(rng.random(count + 2), 4)
        if number != 4:  # one has none
            predictions[name] = Boxes.of(found, labels, KNOWN, SIZE, scores=scores)
    (voc / "ImageSets" / "Main" / "val.txt").write_text("".join(f"{name}\n" for name in truths))
    (voc / "classes.txt").write_text("\n".join(KNOWN))
    document = coco_document([(f"{name}.jpg", truth) for name, truth in truths.items()], KNOWN)
    for image in document["images"]:
        image["id"] += 1000
    for row in document["annotations"]:
        row["image_id"] += 1000
        row["category_id"] += 50
    for row in document["categories"]:
        row["id"] += 50
    (root / "coco" / "annotations").mkdir()
    (root / "coco" / "annotations" / "val.json").write_text(json.dumps(document))
    table = {
        "task": "detect",
        "backbone": "tiny",
        "size": 64,
        "classes": list(CLASSES),
        "data": {"path": str(voc)},
    }
    (root / "model").mkdir()
    parse_recipe(table).save(root / "model" / "recipe.toml")
    return World(root, predictions)


def save(world: World, kind: str, folder: Path) -> Path:
    """The predictions as `kind` has them."""
    rows = [
        (name, *row)
        for name, found in world.predictions.items()
        for row in zip(found.labels, found.scores, found.xyxy, strict=True)
    ]
    if kind == "records":
        lines = []
        for name in [f"{number:06d}" for number in range(6)]:
            mine = [row for row in rows if row[0] == name and row[1] > 0]
            shown = [
                {"name": KNOWN[label], "score": float(s), "xyxy": box.tolist()}
                for _, label, s, box in mine
            ]
            lines.append(
                json.dumps(
                    {"source": f"some/{name}.jpg", "width": WIDTH, "height": HEIGHT, "boxes": shown}
                )
            )
        path, text = folder / "records.jsonl", "\n".join(lines)
    elif kind == "results":
        found = [
            {
                "image_id": int(name),
                "category_id": int(label),
                "bbox": [*box[:2], *(box[2:] - box[:2])],
                "score": score,
            }
            for name, label, score, box in rows
            if label > 0
        ]
        path, text = folder / "results.json", json.dumps(found, default=float)
    elif kind == "document":
        path = folder / "coco.json"
        images = [(f"{name}.jpg", found) for name, found in world.predictions.items()]
        text = json.dumps(coco_document(images, KNOWN, scores=True), indent=1)
    else:
        path = folder / "comp4"
        path.mkdir()
        for label, cls in enumerate(KNOWN):
            lines = [
                " ".join([name, str(score), *map(str, to_voc_corners(box[None])[0])])
                for name, own, score, box in rows
                if own == label
            ]
            (path / f"comp4_det_val_{cls}.txt").write_text("\n".join(lines))
        return path
    path.write_text(text)
    return path


@pytest.fixture
def evaluate(
    world: World, cli: Callable[..., tuple[int, str, str]]
) -> Callable[..., tuple[int, str, str]]:
    """`evaluate(predictions, *options, data=…)` → (exit code, stdout, stderr)."""

    def call(predictions: Path, *options: object, data: object = None) -> tuple[int, str, str]:
        return cli(
            "evaluate",
            world.root / "model",
            "--data",
            data or world.data,
            "--predictions",
            predictions,
            *options,
        )

    return call


@pytest.fixture
def scores(world: World, evaluate, tmp_path: Path) -> dict:
    """What the records score."""
    code, out, err = evaluate(save(world, "records", tmp_path), "--json")
    assert code == 0, err
    return json.loads(out)


# === formats ===


def test_the_table_and_the_names(evaluate, world: World, scores: dict, tmp_path: Path) -> None:
    assert (scores["images"], scores["engine"], list(scores["classes"])) == (6, None, list(CLASSES))
    assert 0.1 < scores["metrics"][AREA] < 1
    _, out, err = evaluate(tmp_path / "records.jsonl")
    head, *rows = out.splitlines()
    assert head.split(None, 1) == ["class", f"{AREA}  VOC2007 11-point AP@0.5     COCO AP"]
    assert [len(row) for row in rows[:2]] == [len(head)] * 2
    low, high = scores["intervals"][AREA]
    assert f"{AREA}: {scores['metrics'][AREA]:.4f} [{low:.4f}, {high:.4f}]" in rows
    assert "predictions: JSON lines" in err


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_scores_the_same(
    evaluate, world: World, scores: dict, tmp_path: Path, kind: str
) -> None:
    (tmp_path / kind).mkdir()
    path = save(world, kind, tmp_path / kind)
    code, out, err = evaluate(path, "--json")
    assert code == 0, err
    assert json.loads(out)["metrics"] == scores["metrics"]
    said = {
        "records": "JSON lines",
        "results": "COCO results",
        "document": "COCO document",
        "comp4": "Pascal VOC comp4 files",
    }
    assert f"predictions: {said[kind]}" in err
    if kind in ("document", "comp4"):
        assert "passed over: person" in err
    if kind == "results":
        assert "1 cat, 2 dog" in err


@pytest.mark.parametrize("kind", ["records", "document", "comp4"])
def test_they_score_the_same_on_coco_data(
    evaluate, world: World, scores: dict, tmp_path: Path, kind: str
) -> None:
    (tmp_path / kind).mkdir()
    code, out, err = evaluate(save(world, kind, tmp_path / kind), "--json", data=world.coco)
    assert code == 0, err
    assert json.loads(out)["metrics"] == scores["metrics"]


def test_on_coco_data_results_have_its_ids(evaluate, world: World, tmp_path: Path) -> None:
    path = save(world, "results", tmp_path)
    code, _, err = evaluate(path, data=world.coco)
    assert code == 5
    assert "must be one of 51, 52, 53" in err
    rows = [row | {"category_id": row["category_id"] + 51} for row in json.loads(path.read_text())]
    path.write_text(json.dumps(rows))
    code, _, err = evaluate(path, data=world.coco)
    assert code == 5
    assert "must be of an image of the data" in err
    path.write_text(json.dumps([row | {"image_id": str(row["image_id"] + 1001)} for row in rows]))
    code, out, err = evaluate(path, "--json", data=world.coco)
    assert code == 0, err
    other = tmp_path / "records"
    other.mkdir()
    assert (
        json.loads(out)["metrics"]
        == json.loads(evaluate(save(world, "records", other), "--json", data=world.coco)[1])[
            "metrics"
        ]
    )


@pytest.mark.parametrize("way", ["lists", "faulty"])
def test_results_have_the_ids_of_coco_data_of_which_some_images_are_left_out(
    evaluate, world: World, scores: dict, tmp_path: Path, way: str
) -> None:
    """By lists, and as they cannot be read: what is left is a view of the data."""
    coco = shutil.copytree(world.root / "coco", tmp_path / "coco")
    rows = json.loads(save(world, "results", tmp_path).read_text())
    ids = {"category_id": 51, "image_id": 1001}
    rows = [row | {key: row[key] + more for key, more in ids.items()} for row in rows]
    left = {1001 + 3}
    if way == "lists":
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists" / "val.txt").write_text(
            "".join(f"{number:06d}\n" for number in range(6) if number != 3)
        )
        how = ["--lists", tmp_path / "lists"]
    else:
        (coco / "images" / "000003.jpg").write_bytes(b"no image")
        how = ["--set", "data.faulty=drop"]
    results = tmp_path / "results.json"
    results.write_text(json.dumps([row for row in rows if row["image_id"] not in left]))
    code, out, err = evaluate(results, *how, "--json", data=f"{coco}:val")
    assert code == 0, err
    fewer = json.loads(out)
    assert fewer["images"] == 5 and "categories are" not in err and "passed over" not in err
    records = save(world, "records", tmp_path)
    code, out, err = evaluate(records, *how, "--json", data=f"{coco}:val")
    assert fewer["metrics"] == json.loads(out)["metrics"] != scores["metrics"]
    results.write_text(json.dumps(rows))
    code, out, err = evaluate(results, *how, "--json", data=f"{coco}:val")
    assert json.loads(out)["metrics"] == fewer["metrics"], err
    assert "predictions of 1 image that this split leaves out were passed over" in err


def test_one_comp4_file_is_one_class(evaluate, world: World, scores: dict, tmp_path: Path) -> None:
    folder = save(world, "comp4", tmp_path)
    code, out, err = evaluate(folder / "comp4_det_val_dog.txt", "--json")
    assert code == 0
    assert json.loads(out)["classes"]["dog"] == scores["classes"]["dog"]
    assert "nothing found, for cat" in err


def test_nothing_found_anywhere_is_zero(evaluate, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    code, out, _ = evaluate(tmp_path / "none.json", "--json")
    assert code == 0
    assert json.loads(out)["metrics"][AREA] == 0


@pytest.mark.parametrize(
    "files",
    [
        ("cat/a.png", "dog/a.png", "dog/b.png"),
        ("cat/im_1.rf.abc.png", "dog/im_1.rf.abc.png"),
        ("cat/a.png", "cat/a.jpg", "dog/a.png"),
        ("cat/a.jpg.png", "cat/a.png", "dog/b.JPG"),
    ],
)
def test_images_of_several_folders_may_have_one_stem(
    files: tuple[str, ...], tmp_path: Path, cli
) -> None:
    """Records call images by their paths; of each the folder and, where that tells images apart,
    the ending count.
    """
    lines = []
    for path in files:
        write_image(tmp_path / "set" / path, np.zeros((8, 8, 3), np.uint8))
        labels = [{"name": path[:3], "score": 1.0}]
        lines.append(json.dumps({"source": f"some/set/{path}", "labels": labels}))
    table = {"task": "classify", "backbone": "tiny", "size": 64, "classes": ["cat", "dog"]}
    (tmp_path / "model").mkdir()
    parse_recipe(table).save(tmp_path / "model" / "recipe.toml")
    records = tmp_path / "records.jsonl"
    for order in (lines, lines[::-1]):
        records.write_text("\n".join(order))
        code, out, err = cli(
            *("evaluate", tmp_path / "model", "--data", tmp_path / "set", "--json"),
            *("--predictions", records),
        )
        assert code == 0, err
        assert json.loads(out)["metrics"]["top-1 accuracy"] == 1
    records.write_text("\n".join(lines[1:]))
    code, _, err = cli(
        *("evaluate", tmp_path / "model", "--data", tmp_path / "set", "--predictions", records)
    )
    assert code == 5 and "every image must have a record" in err


# === mistakes ===


def change(path: Path, **fields: object) -> None:
    """Change the second entry of COCO's results."""
    rows = json.loads(path.read_text())
    rows[1] = {key: value for key, value in (rows[1] | fields).items() if value is not None}
    path.write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"category_id": 3}, "category_id must be one of 1, 2; entry 2 of"),
        ({"image_id": 7}, "must be of an image of the data; '7' (entry 2 of"),
        ({"bbox": [1, 2, 3]}, "bbox (left, top, width, height) and score; entry 2 of"),
        (
            {"bbox": [1, 2, -3, 4]},
            "the left one left of the right one and the top above the bottom; entry 2 of",
        ),
        ({"score": float("nan")}, "finite score and edges"),
        ({"score": None}, "entry 2 of"),
    ],
)
def test_wrong_coco_results(
    evaluate, world: World, tmp_path: Path, fields: dict, words: str
) -> None:
    path = save(world, "results", tmp_path)
    change(path, **fields)
    code, out, err = evaluate(path)
    assert (code, out) == (5, "")
    assert words in err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("results.json", "[{", "are one list in JSON"),
        (
            "coco.json",
            '{"annotations": [],\n"images": []}',
            "images (id, file_name), categories (id, name) and annotations",
        ),
        ("records.jsonl", '{"source": "000000.jpg"}', "line 1 of"),
        ("records.jsonl", '{"source": "000000.jpg", "boxes": []}', "'000001' has none"),
        (
            "records.jsonl",
            '{"source": "000000.jpg", "boxes": []}\n' * 2,
            "'000000' comes again in line 2",
        ),
        (
            "records.jsonl",
            '{"source": "000000.jpg", "width": 8, "height": 9, "boxes": []}',
            "does not fit the image",
        ),
        ("records.jsonl", b"\xff\xfe", "must be text in UTF-8"),
        ("records.jsonl", "", "have a line for every image"),
        ("comp4_det_val_dgo.txt", "", "must end in a class of the data"),
        (
            "comp4_det_val_dog.txt",
            "000001 0.5 1 2 3\n",
            "image score xmin ymin xmax ymax; line 1 of",
        ),
        ("comp4_det_val_dog.txt", "000001 0.5 1 2 3 4\n\n", "line 2 of"),
        (
            "comp4_det_val_dog.txt",
            "000001 0.5 9 2 3 4\n",
            "as left, top, right, bottom, 8, 1, 3, 4",
        ),
        ("comp4_det_val_dog.txt", "000009 0.5 1 2 3 4\n", "'000009' (line 1 of"),
    ],
)
def test_wrong_files(evaluate, tmp_path: Path, name: str, text: str | bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    code, out, err = evaluate(path)
    assert (code, out) == (5, "")
    assert words in err


def test_a_folder_without_predictions(evaluate, tmp_path: Path) -> None:
    code, _, err = evaluate(tmp_path)
    assert code == 5
    assert "comp4_det_test_<class>.txt" in err


def test_the_truth_is_no_prediction(evaluate, world: World) -> None:
    code, _, err = evaluate(world.coco)
    assert code == 5
    assert "Is it the truth?" in err


# === the report ===


def test_the_report(evaluate, world: World, tmp_path: Path) -> None:
    code, out, err = evaluate(save(world, "records", tmp_path), "--json", "-o", tmp_path / "report")
    assert code == 0, err
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == json.loads(out)
    written = {
        path.relative_to(tmp_path / "report").as_posix()
        for path in (tmp_path / "report").rglob("*.*")
    }
    assert {
        "pr-curves.png",
        "f1-curve.png",
        "confusion.png",
        "false-positives.jpg",
        "errors/false-positives-01.jpg",
        "report.html",
    } <= written
    for name in written - {"report.json", "report.html"}:
        assert min(read_image(tmp_path / "report" / name).shape[:2]) > 200
    code, _, err = evaluate(tmp_path / "records.jsonl", "-o", tmp_path / "report")
    assert code == 2
    assert "new or empty" in err
