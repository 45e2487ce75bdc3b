"""Models on data with other classes: what both have is scored, the rest is named."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data import open_source
from cvtasks.data.shared_classes import read_map, shared
from cvtasks.data.views import Renamed
from cvtasks.errors import DataError, UsageError
from cvtasks.geometry.rle import encode_rle
from cvtasks.recipe.recipe import parse_recipe

SIZE = (20, 30)
WIDE = {"width": 30, "height": 20}


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path)


def model(root: Path, task: str, classes: list[str], **data: str) -> Path:
    """A model folder as far as scoring saved predictions needs one."""
    own = {"segment": {"channels": [8]}} if task == "segment" else {}
    folder = root / "model"
    parse_recipe(
        {"task": task, "backbone": "tiny", "size": 64, "classes": classes, "data": data, **own}
    ).save(folder / "recipe.toml")
    return folder


def saved(root: Path, records: dict[str, dict]) -> Path:
    path = root / "saved.jsonl"
    path.write_text(
        "".join(
            json.dumps({"source": f"{name}.png", **WIDE, **record}) + "\n"
            for name, record in records.items()
        )
    )
    return path


def score(cli, *arguments: object) -> tuple[dict, str]:
    code, out, err = cli("evaluate", *arguments, "--json")
    assert code == 0, err
    return json.loads(out), err


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    """Three images with a jet in the middle and a cat in the corner; zebras are in none."""
    for name in "abc":
        image(tmp_path / "images" / f"{name}.png")
        path = tmp_path / "labels" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("0 0.5 0.5 0.4 0.4\n1 0.1 0.1 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text("val: images\nnames: [jet, cat, zebra]\n")
    return tmp_path


PLANE, CAT, DOG = [9, 6, 21, 14], [0, 0, 6, 4], [20, 10, 29, 19]


def boxes(plane: str = "aeroplane") -> dict[str, dict]:
    """The cats are all found; of the planes one; and dogs are seen everywhere,
    surer than all else.
    """
    found = [{"name": "cat", "score": 0.5, "xyxy": CAT}, {"name": "dog", "score": 0.9, "xyxy": DOG}]
    extra = [{"name": plane, "score": 0.8, "xyxy": PLANE}]
    return {name: {"boxes": [*found, *(extra if name == "a" else [])]} for name in "abc"}


AP = "VOC2012 area AP@0.5"


def test_boxes_of_shared_classes_are_scored_and_the_rest_is_named(planes: Path, cli) -> None:
    made, found = model(planes, "detect", ["aeroplane", "cat", "dog"]), saved(planes, boxes())
    result, err = score(cli, made, "--data", planes, "--predictions", found)
    assert result["metrics"][AP] == 1  # the cats alone; no dog counts against them
    assert list(result["classes"]) == ["cat"]
    assert result["not_scored"] == {"model": ["aeroplane", "dog"], "data": ["jet", "zebra"]}
    for words in (
        "do not have these classes of the model: aeroplane, dog",
        "become background: jet, zebra",
    ):
        assert words in err


@pytest.mark.parametrize("plane", ["aeroplane", "jet"])
def test_a_map_says_which_class_is_which(plane: str, planes: Path, cli) -> None:
    made, found = model(planes, "detect", ["aeroplane", "cat", "dog"]), saved(planes, boxes(plane))
    result, _ = score(cli, made, "--data", planes, "--predictions", found, "--map", "jet=aeroplane")
    assert result["classes"]["aeroplane"][AP] == pytest.approx(
        1 / 3
    )  # one of three, without a false one
    assert result["metrics"][AP] == pytest.approx(2 / 3)
    assert (result["map"], result["not_scored"]) == (
        {"jet": "aeroplane"},
        {"model": ["dog"], "data": ["zebra"]},
    )


@pytest.fixture
def airplanes(planes: Path) -> Path:
    """The same images, with COCO's names of classes, and none of zebras."""
    (planes / "data.yaml").write_text("val: images\nnames: [airplane, cat, tv]\n")
    return planes


def test_names_of_one_class_are_paired_aloud_and_scored_under_those_of_the_data(
    airplanes: Path, cli
) -> None:
    made = model(airplanes, "detect", ["aeroplane", "cat", "dog", "tvmonitor"])
    told = "names of one class in the data and in the model: airplane is aeroplane, tv is tvmonitor"
    for plane in ("aeroplane", "airplane", "Aeroplane"):  # the model's, the data's, another's
        found = saved(airplanes, boxes(plane))
        result, err = score(cli, made, "--data", airplanes, "--predictions", found)
        assert list(result["classes"]) == ["airplane", "cat", "tv"]
        assert result["classes"]["airplane"][AP] == pytest.approx(1 / 3)
        assert result["synonyms"] == {"airplane": "aeroplane", "tv": "tvmonitor"}
        assert result["not_scored"] == {"model": ["dog"], "data": []}
        assert told in err
    assert "predictions: names of one class: Aeroplane is airplane" in err


def test_what_a_user_says_of_a_class_comes_before_what_is_known_of_names(
    airplanes: Path, cli
) -> None:
    made, found = model(airplanes, "detect", ["aeroplane", "cat", "dog"]), saved(airplanes, boxes())
    result, err = score(
        cli, made, "--data", airplanes, "--predictions", found, "--map", "airplane=dog"
    )
    assert result["map"] == {"airplane": "dog"} and "synonyms" not in result
    assert result["not_scored"]["model"] == ["aeroplane"]
    assert "names of one class" not in err


def test_a_coco_document_and_comp4_files_may_have_the_model_s_names(airplanes: Path, cli) -> None:
    made = model(airplanes, "detect", ["aeroplane", "cat"])
    files = airplanes / "files"
    files.mkdir()
    for name in ("aeroplane", "cat"):
        (files / f"comp4_det_test_{name}.txt").write_text(
            "".join(f"{one} 0.9 10 7 21 14\n" for one in "abc")
        )
    result, _ = score(cli, made, "--data", airplanes, "--predictions", files)
    assert result["classes"]["airplane"][AP] == 1
    document = {
        "images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("abc", 1)],
        "categories": [{"id": 1, "name": "Airplane"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [9, 6, 12, 8], "score": 0.9}
            for n in (1, 2, 3)
        ],
    }
    (files / "found.json").write_text(json.dumps(document))
    result, err = score(cli, made, "--data", airplanes, "--predictions", files / "found.json")
    assert result["classes"]["airplane"][AP] == 1
    assert "names of one class: Airplane is airplane" in err


@pytest.mark.parametrize(
    "maps",
    [["jet=cat"], ["jet = cat , zebra=cat"], ["jet=cat", "--map", "zebra=dog"]],
)
def test_two_classes_of_the_data_may_be_one_of_the_model(
    maps: list[str], planes: Path, cli
) -> None:
    made, found = model(planes, "detect", ["aeroplane", "cat", "dog"]), saved(planes, boxes())
    result, _ = score(cli, made, "--data", planes, "--predictions", found, "--map", *maps)
    assert result["classes"]["cat"][AP] == pytest.approx(0.5)  # three of six


@pytest.mark.parametrize("kind", ["records", "document", "comp4"])
def test_a_map_does_not_rename_what_the_model_answers(kind: str, planes: Path, cli) -> None:
    """Of data whose cat is the model's dog, the dogs that it has found are right, and its cats are
    what the data do not have.
    """
    made = model(planes, "detect", ["cat", "dog"])
    rows = [("dog", 0.5, CAT), ("cat", 0.9, PLANE)]  # the box of the data's cat, and another
    if kind == "records":
        shown = [{"name": name, "score": sure, "xyxy": box} for name, sure, box in rows]
        found = saved(planes, {name: {"boxes": shown} for name in "abc"})
    elif kind == "document":
        found = planes / "files" / "found.json"
        found.parent.mkdir()
        answers = [
            {"image_id": image, "category_id": number, "score": sure}
            | {"bbox": [*box[:2], box[2] - box[0], box[3] - box[1]]}
            for image in (1, 2, 3)
            for number, (_, sure, box) in enumerate(rows)
        ]
        document = {
            "images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("abc", 1)],
            "categories": [{"id": n, "name": name} for n, (name, _, _) in enumerate(rows)],
            "annotations": answers,
        }
        found.write_text(json.dumps(document))
    else:
        found = planes / "comp4"
        found.mkdir()
        for name, sure, (left, top, right, bottom) in rows:
            corners = f"{left + 1} {top + 1} {right} {bottom}"
            (found / f"comp4_det_val_{name}.txt").write_text(
                "".join(f"{one} {sure} {corners}\n" for one in "abc")
            )
    result, _ = score(cli, made, "--data", planes, "--predictions", found, "--map", "cat=dog")
    assert result["not_scored"]["model"] == ["cat"]
    assert result["metrics"][AP] == 1


def test_the_files_of_others_have_the_names_of_the_data(planes: Path, cli) -> None:
    made = model(planes, "detect", ["aeroplane", "cat", "dog"])
    (planes / "comp4_det_test_jet.txt").write_text(
        "".join(f"{name} 0.9 10 7 21 14\n" for name in "abc")
    )
    result, _ = score(
        cli,
        made,
        "--data",
        planes,
        "--predictions",
        planes / "comp4_det_test_jet.txt",
        "--map",
        "jet=aeroplane",
    )
    assert result["classes"]["aeroplane"][AP] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jett=aeroplane", '"jett" is none of the data. Did you mean "jet"?'),
        ("jet=aeroplan", '"aeroplan" is none of the model. Did you mean "aeroplane"?'),
        ("aeroplane=jet", "It is written the other way round."),
        ("jet", "a map is written DATA'S=MODEL'S; got 'jet'"),
        ("", "a map is written"),
        ("jet=cat,jet=dog", '"jet" is given two'),
    ],
)
def test_a_wrong_map_is_refused(text: str, words: str, planes: Path, cli) -> None:
    made = model(planes, "detect", ["aeroplane", "cat", "dog"])
    code, _, err = cli(
        "evaluate", made, "--data", planes, "--predictions", saved(planes, boxes()), "--map", text
    )
    assert (code, words in err) == (2, True), err


def test_names_with_commas_and_signs_can_be_mapped(planes: Path) -> None:
    (planes / "data.yaml").write_text('val: images\nnames: ["a=b", "c, d", zebra]\n')
    source = open_source(str(planes), "val", Boxes)
    assert read_map(["a=b=x=y", "c, d=z"], source, ("x=y", "z")) == {"a=b": "x=y", "c, d": "z"}
    with pytest.raises(UsageError):
        read_map(["c=z"], source, ("x=y", "z"))


def test_accents_of_their_own_make_no_other_name(planes: Path, cli) -> None:
    """As macOS types and writes them: in a map, in a COCO document and in names of files."""
    (planes / "data.yaml").write_text('val: images\nnames: ["kätzchen", "dóg", zebra]\n')
    made = model(planes, "detect", ["kätzchen", "vögel"])
    apart = {name: unicodedata.normalize("NFD", name) for name in ("kätzchen", "dóg", "vögel")}
    assert all(name != other for name, other in apart.items())
    files = planes / "files"
    files.mkdir()
    document = {
        "images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("abc", 1)],
        "categories": [{"id": 1, "name": apart["kätzchen"]}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [9, 6, 12, 8], "score": 0.9}
            for n in (1, 2, 3)
        ],
    }
    (files / "found.json").write_text(json.dumps(document))
    comp4 = files / f"comp4_det_test_{apart['kätzchen']}.txt"
    comp4.write_text("".join(f"{name} 0.9 10 7 21 14\n" for name in "abc"))
    for found in (files / "found.json", comp4):
        said = f"{apart['dóg']}={apart['vögel']}"
        result, _ = score(cli, made, "--data", planes, "--predictions", found, "--map", said)
        assert result["classes"]["kätzchen"][AP] == 1
        assert result["map"] == {"dóg": "vögel"}


@pytest.mark.parametrize(
    ("task", "classes"),
    [("detect", ["sofa", "dog"]), ("localize", ["sofa"]), ("classify", ["sofa", "dog"])],
)
def test_where_no_class_is_shared_there_is_nothing_to_score(
    task: str, classes: list[str], planes: Path, cli
) -> None:
    code, _, err = cli(
        "evaluate",
        model(planes, task, classes),
        "--data",
        planes,
        "--predictions",
        saved(planes, boxes()),
    )
    assert code == 5
    assert "it has sofa" in err
    assert "the data have jet, cat, zebra" in err


def test_an_object_is_localized_among_all_classes_of_the_model(planes: Path, cli) -> None:
    """The largest object of the shared classes counts; a better guess of a class that the data lack
    is wrong.
    """
    made = model(planes, "localize", ["cat", "dog"])
    guess = (
        [{"name": "cat", "score": 0.9, "xyxy": CAT}],
        [{"name": "dog", "score": 0.9, "xyxy": CAT}],
    )
    found = saved(planes, {name: {"boxes": guess[name == "c"]} for name in "abc"})
    result, err = score(cli, made, "--data", planes, "--predictions", found)
    assert result["metrics"]["top-1 localization accuracy"] == pytest.approx(2 / 3)
    assert "an answer of one of them is wrong" in err


def test_images_are_classified_among_all_classes_of_the_model(tmp_path: Path, cli) -> None:
    """Two cats, one taken for a dog, which the data do not know; a mouse, which the model does not,
    is left out.
    """
    for place in ("cat/a", "cat/b", "mouse/c"):
        image(tmp_path / "set" / f"{place}.png")
    made = model(tmp_path, "classify", ["cat", "dog", "cow"])
    labels = {"a": {"cat": 0.9, "dog": 0.1}, "b": {"cat": 0.4, "dog": 0.6}, "c": {"cow": 1.0}}
    found = saved(
        tmp_path,
        {k: {"labels": [{"name": n, "score": s} for n, s in v.items()]} for k, v in labels.items()},
    )
    result, _ = score(cli, made, "--data", tmp_path / "set", "--predictions", found)
    assert result["metrics"]["top-1 accuracy"] == 0.5
    assert list(result["classes"]) == ["cat"]
    result, _ = score(
        cli, made, "--data", tmp_path / "set", "--predictions", found, "--map", "mouse=cow"
    )
    assert result["metrics"]["top-1 accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("others", "accuracy"), [("background", 2 / 3), ("void", 1.0)])
def test_pixels_of_other_classes_are_background_or_void(
    others: str, accuracy: float, tmp_path: Path, cli
) -> None:
    """A third each of background ("ground" there), cat, and a zebra that the model takes for a cat;
    the dog it sees on the background is of a class that the data do not have, and counts as
    background.
    """
    ids = np.repeat(np.array([[0, 1, 2]], np.uint8), 10, axis=1).repeat(20, axis=0)
    for folder in ("images", "masks"):
        image(tmp_path / folder / "a.png")
    Image.fromarray(ids).save(tmp_path / "masks" / "a.png")
    (tmp_path / "classes.txt").write_text("ground\ncat\nzebra\n")
    made = model(tmp_path, "segment", ["background", "cat", "dog"], others=others)
    runs = {"cat": encode_rle(ids > 0), "dog": encode_rle((ids == 0) & (np.arange(30) < 5))}
    found = saved(tmp_path, {"a": {"mask": {"size": list(SIZE), "rle": runs}}})
    result, err = score(cli, made, "--data", tmp_path, "--predictions", found)
    assert result["metrics"]["pixel accuracy"] == pytest.approx(accuracy)
    assert list(result["classes"]) == ["background", "cat"]
    assert result["not_scored"] == {"model": ["dog"], "data": ["zebra"]}
    code, _, err = cli(
        "evaluate", made, "--data", tmp_path, "--predictions", found, "--map", "zebra=background"
    )
    assert code == 0, err
    (tmp_path / "classes.txt").write_text(
        "background\nhen\nzebra\n"
    )  # the background alone is nothing to score
    code, _, err = cli("evaluate", made, "--data", tmp_path, "--predictions", found)
    assert code == 5


@pytest.mark.parametrize(
    ("names", "others", "scored", "miou"),
    [
        (("person", "cat"), "background", ["person", "cat"], (0.8 + 1) / 2),
        (("person", "cow"), "background", ["background", "person"], (300 / 360 + 0.8) / 2),
        (("person", "cow"), "void", ["person"], 0.8),
    ],
)
def test_a_background_that_the_data_do_not_have_is_no_class_of_the_mean(
    names: tuple[str, str], others: str, scored: list[str], miou: float, tmp_path: Path, cli
) -> None:
    """Every pixel has a class, half of them each; a fifth of the persons is taken for background,
    which is a miss of theirs and of no other class. Where the data's cow becomes background, the
    model finds that, and 60 pixels of persons more: then it is scored, and said to be.
    """
    ids = np.repeat(np.array([[0, 1]], np.uint8), 15, axis=1).repeat(20, axis=0)
    for folder in ("images", "masks"):
        image(tmp_path / folder / "a.png")
    Image.fromarray(ids).save(tmp_path / "masks" / "a.png")
    (tmp_path / "classes.txt").write_text("\n".join(names) + "\n")
    made = model(tmp_path, "segment", ["background", "person", "cat"], others=others)
    runs = {"person": encode_rle((ids == 0) & (np.arange(30) >= 3))}
    if "cat" in names:
        runs["cat"] = encode_rle(ids == 1)
    found = saved(tmp_path, {"a": {"mask": {"size": list(SIZE), "rle": runs}}})
    (tmp_path / "report").mkdir()
    result, err = score(
        cli, made, "--data", tmp_path, "--predictions", found, "-o", tmp_path / "report"
    )
    assert result["metrics"]["VOC mean IoU"] == pytest.approx(miou)
    assert list(result["classes"]) == scored
    known = [row["IoU"] for row in result["classes"].values()]
    assert result["metrics"]["VOC mean IoU"] == pytest.approx(np.mean(known), abs=1e-5)
    assert f"scored: {', '.join(scored)}; the data do not have" in err


def test_renaming_merges_labels_masks_and_boxes() -> None:
    names = {"b": "a", "c": "z"}
    mask = Mask(np.array([[0, 1, 2, 255]], np.uint8), ("a", "b", "c")).renamed(names)
    assert (mask.ids.tolist(), mask.classes) == ([[0, 0, 1, 255]], ("a", "z"))
    one = Labels.of([1], ("a", "b", "c"), difficult=[0, 2])
    assert (one.renamed(names).scores.tolist(), one.renamed(names).difficult.tolist()) == (
        [1, 0],
        [False, True],
    )
    both = Boxes.of([[0, 0, 1, 1]] * 3, [0, 1, 2], ("a", "b", "c"), (9, 9)).renamed(names)
    assert (both.labels.tolist(), both.classes) == ([0, 0, 1], ("a", "z"))
    assert one.renamed({}) is one


def test_wrapped_data_stay_what_they_are(planes: Path) -> None:
    source = open_source(str(planes), "val", Boxes)
    wrapped = Renamed(source, {"jet": "aeroplane"})
    assert (wrapped.classes, wrapped.name(0), len(wrapped), wrapped.split) == (
        ("aeroplane", "cat", "zebra"),
        "a",
        3,
        "val",
    )
    assert (wrapped[0].truth.names, wrapped.truth(0).names) == (("aeroplane", "cat"),) * 2
    assert (wrapped.faults(0), wrapped.remarks(), list(wrapped.problems())) == ([], [], [])
    assert shared(wrapped, ("cat", "cow")).data == ("aeroplane", "zebra")
    with pytest.raises(DataError, match="and 18 more"):
        shared(wrapped, tuple(f"class {number}" for number in range(30)))
