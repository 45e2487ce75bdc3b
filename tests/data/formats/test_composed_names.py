"""A class is one whether its letters are composed (NFC) or have accents of their own (NFD), as
file names of macOS do.
"""

import re
import unicodedata
from itertools import count
from pathlib import Path

import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.cli.predict import kept_classes
from cvtasks.data import open_source, splits_of
from cvtasks.data.checking.balance import alike
from cvtasks.formats.legend import parse_legend
from cvtasks.recipe.recipe import parse_recipe
from tests.data.formats.layouts import CLASSES, IMAGES, LAYOUTS, pictures
from tests.data.formats.test_label_tables import lay
from tests.data.formats.test_round_trip import EXPECTED, only_split, read

ONE, OTHER = "Hündin", unicodedata.normalize("NFD", "Hündin")
assert ONE != OTHER


def every_second(text: str, number: "count[int]") -> str:
    """The text with every second "zürich" in the other form, also where JSON escapes it."""
    forms = {"ü": "u\u0308", "\\u00fc": "u\\u0308"}

    def changed(match: re.Match[str]) -> str:
        return match[0] if next(number) % 2 else f"z{forms[match[1]]}rich"

    return re.sub(r"z(ü|\\u00fc)rich", changed, text)


@pytest.mark.parametrize("name", LAYOUTS)
def test_classes_of_boxes_are_one_in_both_forms(name: str, tmp_path: Path) -> None:
    LAYOUTS[name].lay(tmp_path, IMAGES)
    number = count()
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file() and path.suffix != ".png":
            path.write_text(every_second(path.read_text("utf-8"), number), encoding="utf-8")
    assert next(number) > 0
    source = open_source(str(tmp_path), only_split(tmp_path), Boxes)
    assert list(source.problems()) == []
    assert (source.classes, read(source)) == (CLASSES, EXPECTED)


@pytest.mark.parametrize("text", ["", f"dog\n{OTHER}\n", f"dog Hund\n{ONE}  {OTHER}\n"])
def test_folders_in_both_forms_are_one_class(text: str, tmp_path: Path) -> None:
    images = [f"train/{ONE}/0.jpg", "train/dog/1.jpg", f"val/{OTHER}/2.jpg", "val/dog/3.jpg"]
    lay(tmp_path, images, classes_txt=text) if text else lay(tmp_path, images)
    for split in splits_of(str(tmp_path), Labels):
        source = open_source(str(tmp_path), split, Labels)
        assert ONE in source.classes and len(source.classes) == 2
        assert {source.truth(index).names for index in range(2)} == {
            (name,) for name in source.classes
        }


@pytest.mark.parametrize(
    "texts",
    [
        {"labels_csv": f"image,label\n0,{OTHER}\n1,{ONE}\n2,dog\n3,dog|{OTHER}\n"},
        {"labels_csv": f"image,dog,{OTHER}\n0,0,1\n1,0,1\n2,1,0\n3,1,1\n"},
        {
            "labels_csv": f"image,label\n0,{OTHER}\n1,{ONE}\n2,dog\n3,dog|{ONE}\n",
            "classes_txt": f"dog\n{OTHER}\n",
        },
    ],
)
def test_labels_in_both_forms_are_one_class(texts: dict[str, str], tmp_path: Path) -> None:
    source = open_source(
        str(lay(tmp_path, [f"{number}.jpg" for number in range(4)], **texts)), "", Labels
    )
    assert set(source.classes) == {ONE, "dog"}
    found = [set(source.truth(index).names) for index in range(4)]
    assert found == [{ONE}, {ONE}, {"dog"}, {"dog", ONE}]


def test_a_column_for_each_form_is_one_class(tmp_path: Path) -> None:
    text = f"image,dog,{OTHER},{ONE}\n0,0,1,0\n1,0,0,1\n2,1,0,0\n3,0,1,1\n"
    root = lay(tmp_path, [f"{number}.jpg" for number in range(4)], labels_csv=text)
    source = open_source(str(root), "", Labels)
    assert [source.truth(index).names for index in range(4)] == [(ONE,), (ONE,), ("dog",), (ONE,)]


def test_files_of_two_forms_are_one_class_of_a_tool(tmp_path: Path) -> None:
    pictures(tmp_path, {name: IMAGES[name] for name in ("a.png", "ü.png")})
    for stem, label in {"a": OTHER, "ü": ONE}.items():
        shape = f'{{"label": "{label}", "points": [[1, 2], [9, 8]], "shape_type": "rectangle"}}'
        (tmp_path / f"{stem}.json").write_text(
            f'{{"shapes": [{shape}], "imagePath": "{stem}.png"}}', encoding="utf-8"
        )
    source = open_source(str(tmp_path), "", Boxes)
    assert source.classes == (ONE,) and not list(source.problems())


def test_what_is_said_beside_data_is_composed() -> None:
    assert kept_classes(OTHER, (ONE, "dog")) == (ONE,)
    document = {"backbone": "lenet5", "size": 32, "classes": [OTHER, "dog"]}
    assert parse_recipe({**document, "task": {"name": "classify"}}).classes == (ONE, "dog")
    assert [one.name for one in parse_legend(f"{OTHER},1\n", "a.txt")] == [ONE]
    assert [one.rule for one in alike((ONE, OTHER))] == ["classes alike"]
