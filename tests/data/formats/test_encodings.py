"""Tables, lists and legends in other encodings than UTF-8, as Windows' spreadsheets write them."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Answer, Boxes, Labels, Mask
from cvtasks.data import open_source
from cvtasks.errors import DataError
from cvtasks.formats.encodings import begun_text, text_of
from tests.data.formats.layouts import IMAGES, LAYOUTS, lay_darknet, lay_kitti, lay_yolo

SAID = "read as Windows-1252"
NAMES = ("Hündin", "pièce")
SHAPE = (12, 16)


def image(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (*SHAPE, 3), np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def put(path: Path, text: str, encoding: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def images(root: Path) -> None:
    for number in range(4):
        image(root / f"{number}.png", number)


def label_table(root: Path, encoding: str) -> None:
    images(root)
    rows = "".join(f"{number}.png;{NAMES[number % 2]}\r\n" for number in range(4))
    put(root / "labels.csv", f"image;label\r\n{rows}", encoding)


def class_columns(root: Path, encoding: str) -> None:
    images(root)
    rows = "".join(f"{number}.png;{number % 2};{1 - number % 2}\r\n" for number in range(4))
    put(root / "t.csv", f"image;{NAMES[1]};{NAMES[0]}\r\n{rows}", encoding)


def label_list(root: Path, encoding: str) -> None:
    images(root)
    rows = "".join(f"{number}.png {NAMES[number % 2]}\n" for number in range(4))
    put(root / "train.txt", rows, encoding)


def numbered(root: Path, encoding: str) -> None:
    images(root)
    put(root / "classes.txt", "\n".join(NAMES), encoding)
    rows = "".join(f"{number}.png,{number % 2}\n" for number in range(4))
    put(root / "labels.csv", f"image,label\n{rows}", "utf-8")


def class_folders(root: Path, encoding: str) -> None:
    for number in range(4):
        image(root / "ab"[number % 2] / f"{number}.png", number)
    put(
        root / "classes.txt",
        "".join(f"{k} {name}\n" for k, name in zip("ab", NAMES, strict=True)),
        encoding,
    )


def box_table(root: Path, encoding: str) -> None:
    images(root)
    rows = "".join(f"{number}.png;1;2;7;8,5;{NAMES[number % 2]}\r\n" for number in range(4))
    put(root / "t.csv", f"filename;xmin;ymin;xmax;ymax;class\r\n{rows}", encoding)


def yolo_lists(root: Path, encoding: str) -> None:
    for number in range(4):
        image(root / "images" / f"{number}.png", number)
        put(root / "labels" / f"{number}.txt", f"{number % 2} .5 .5 .2 .2\n", "utf-8")
    put(root / "classes.txt", "\n".join(NAMES), encoding)


def yolo_yaml(root: Path, encoding: str) -> None:
    yolo_lists(root, encoding)
    (root / "classes.txt").unlink()
    put(
        root / "data.yaml",
        f"train: images\nnames: {json.dumps(NAMES, ensure_ascii=False)}\n",
        encoding,
    )


def masks(root: Path) -> None:
    for number in range(4):
        image(root / "images" / f"{number}.png", number)
        ids = np.zeros(SHAPE, np.uint8)
        ids[2:6, number : number + 5] = 1
        (root / "masks").mkdir(exist_ok=True)
        (root / "masks" / f"{number}.png").write_bytes(cv2.imencode(".png", ids)[1].tobytes())


def mask_names(root: Path, encoding: str) -> None:
    masks(root)
    put(root / "classes.txt", "\n".join(NAMES), encoding)


def mask_legend(root: Path, encoding: str) -> None:
    masks(root)
    put(root / "classes.csv", f"name;value\r\n{NAMES[0]};0\r\n{NAMES[1]};1\r\n", encoding)


WRITTEN: dict[str, tuple[Callable[[Path, str], None], type[Answer]]] = {
    "labels.csv": (label_table, Labels),
    "a column a class": (class_columns, Labels),
    "lists of labels": (label_list, Labels),
    "classes.txt of numbers": (numbered, Labels),
    "classes.txt of folders": (class_folders, Labels),
    "a table of boxes": (box_table, Boxes),
    "classes.txt of YOLO": (yolo_lists, Boxes),
    "data.yaml": (yolo_yaml, Boxes),
    "classes.txt of masks": (mask_names, Mask),
    "a legend of masks": (mask_legend, Mask),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("name", WRITTEN)
def test_names_are_read_in_the_encodings_of_spreadsheets(
    name: str, encoding: str, tmp_path: Path
) -> None:
    lay, kind = WRITTEN[name]
    lay(tmp_path, encoding)
    for _ in range(2):  # the second time what was read is known
        source = open_source(str(tmp_path), "", kind)
        assert set(source.classes) == {*NAMES} and list(source.problems()) == []
        told = [line for line in source.remarks() if SAID in line]
        assert len(told) == (encoding == "cp1252")
    if told:
        assert " such as 'Hündin': " in told[0] or " such as 'pièce': " in told[0]
        assert told[0].endswith("where letters are wrong, save it as UTF-8")


def test_a_list_of_images_and_names_of_darknet(tmp_path: Path) -> None:
    lay_darknet(tmp_path, IMAGES)
    for name in ("train.txt", "obj.names"):
        put(tmp_path / name, (tmp_path / name).read_text(encoding="utf-8"), "cp1252")
    source = open_source(str(tmp_path), "train", Boxes)
    assert "zürich cow" in source.classes and "ü" in {source.name(i) for i in range(len(source))}
    (told,) = [line for line in source.remarks() if SAID in line]
    assert "train.txt" in told and "obj.names" in told


def test_a_text_for_each_image_is_told_once_for_all(tmp_path: Path) -> None:
    lay_kitti(tmp_path, IMAGES)
    for path in (tmp_path / "training" / "label_2").iterdir():
        put(path, path.read_text(encoding="utf-8"), "cp1252")
    source = open_source(str(tmp_path), "", Boxes)
    assert "zürich" in " ".join(source.classes)
    assert len([line for line in source.remarks() if SAID in line]) == 1


def test_lists_of_a_split_tell_it_too(tmp_path: Path) -> None:
    lay_yolo(tmp_path / "data", IMAGES)
    put(tmp_path / "lists" / "train.txt", "ü.png\na.png\n", "cp1252")
    lists = str(tmp_path / "lists")
    source = open_source(str(tmp_path / "data"), "train", Boxes, lists=lists)
    assert [source.name(index) for index in range(2)] == ["a", "ü"]
    assert any(SAID in line and "'ü'" in line for line in source.remarks())


@pytest.mark.parametrize(
    "content",
    [
        b"image,label\n0.png,H\xfcndin\n1.png,\x81\n",  # stands for nothing
        b"image,label\n0.png,H\xfcndin\n1.png,\0\n",
        "image,label\n0.png,Hündin\n".encode() + b"1.png,pi\xe8ce\n",  # of two encodings
        "image,label\n0.png,Hündin\n".encode("utf-16")[:-1],
    ],
)
def test_what_is_in_no_encoding_is_an_error(content: bytes, tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"must be text in UTF-8.*Save it as UTF-8"):
        open_source(str(tmp_path), "", Labels)


HONEST = [
    *("Hündin", "pièce", "Straße", "Ångström", "señal", "naïve", "été", "à", "Öl", "äöü", "Œuf"),
    *("café|thé", "menü_1", "“quotes”", "„Wort“", "l’œil", "Ost–West", "©", "–", "¿Qué?", "5 °C"),
    *("m²", "nº 1", "½ Liter", "Kärcher®", "10 µm", "€ 5", "a×b", "col·lecció", "RoteÄpfel", "[…]"),
    *("Þjóð", "þýskur", "íþrótt", "kvæði", "rødgrød", "blåbær", "Giæver", "Škoda", "žakett", "põe"),
    *(
        "autosõit",
        "jõgi",
        "aèria",
        "ciència",
        "herència",
        "pròpia",
        "città",
        "così",
        "più",
        "perché",
    ),
    *("scène", "où", "sûr", "île", "gîte", "français", "élève", "reçût", "órgãos", "avô", "nënë"),
]


@pytest.mark.parametrize("word", HONEST)
def test_western_words_are_read(word: str) -> None:
    assert (
        text_of(f"0.png {word}\n1.png dog\n".encode("cp1252"), "t.txt").split("\n")[0][6:] == word
    )


FOREIGN = {
    "shift_jis": ["ポット 犬", "猫", "ソファ", "表示", "りんご", "木", "人"],
    "euc_jp": ["りんご"],
    "big5": ["功能", "狗", "汽車"],
    "gbk": ["汽车", "香蕉"],
    "euc_kr": ["고양이", "개"],
    "cp1251": ["кошка", "Кот", "ёлка", "кіт"],
    "koi8-r": ["кошка"],
    "cp1253": ["γάτα"],
    "cp1255": ["חתול"],
    "cp1256": ["قطة"],
    "tis-620": ["แมว"],
    "cp1250": ["żółw", "małpa", "ryż", "kočka", "Červený", "kůň", "MEDVĚD", "ptáček", "vľavo"],
    "windows-1250": ["mačka", "žabič", "meč a štít", "erdő", "ellenőrző"],
    "cp1254": ["kuş", "kırmızı", "ağı", "İşaret", "Taşlar", "dağcı", "ışık"],
    "cp1257": ["šuo", "ąžuolas", "putniņš", "kāja", "vējš", "gulbīši"],
    "mac_roman": ["Hündin", "Straße", "Mädchen"],
    "cp850": ["Hündin", "Kätzchen"],
}


@pytest.mark.parametrize(
    ("encoding", "word"), [(one, word) for one, words in FOREIGN.items() for word in words]
)
@pytest.mark.parametrize("text", ["image,label\n0.png,{}\n1.png,dog\n", "{}\ndog\n"])
def test_words_of_other_encodings_are_refused(encoding: str, word: str, text: str) -> None:
    with pytest.raises(DataError, match=r"must be text in UTF-8.*Save it as UTF-8\.$"):
        text_of(text.format(word).encode(encoding), "t.csv")


def test_one_rare_word_is_no_reason_to_refuse_a_text() -> None:
    words = [f"{name}{letter}" for name in NAMES for letter in "abcdef"]
    for text in ("\n".join([*words, "subìto"]), "\n".join([*words, "kùò"])):
        assert text_of(text.encode("cp1252"), "t.txt") == text


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize(
    ("encoding", "says"),
    [("utf-16-le", "looks like UTF-16 without its mark"), ("utf-32-be", "UTF-32 without")],
)
def test_wide_texts_without_a_mark_are_refused(
    name: str, encoding: str, says: str, tmp_path: Path
) -> None:
    lay, kind = WRITTEN[name]
    lay(tmp_path, encoding)
    with pytest.raises(DataError, match=says):
        open_source(str(tmp_path), "", kind)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("sign", ["\0", "\1", "\x1b", "\x1a", "\x7f"])
def test_control_characters_are_refused_in_every_encoding(encoding: str, sign: str) -> None:
    word = "dog" if encoding == "ascii" else "Hündin"
    content = f"cat\r\n{word}{sign}\nx".encode(encoding)
    with pytest.raises(DataError, match="line 2 has the control character") as error:
        text_of(content, "t.txt")
    assert repr(sign) in str(error.value)
    assert ("padded text" in str(error.value)) == (sign == "\0")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", WRITTEN)
def test_the_sign_that_ends_texts_of_dos_is_none(name: str, encoding: str, tmp_path: Path) -> None:
    lay, kind = WRITTEN[name]
    lay(tmp_path, encoding)
    for path in tmp_path.rglob("*"):
        if path.suffix in (".txt", ".csv", ".yaml"):
            wide = path.read_bytes()[:1] > b"\xf0"
            written = encoding if wide or encoding != "utf-16" else "utf-8"
            put(path, f"{path.read_text(written)}\x1a\x1a", written)
    assert set(open_source(str(tmp_path), "", kind).classes) == {*NAMES}


def test_a_list_may_end_with_the_sign_of_dos(tmp_path: Path) -> None:
    label_list(tmp_path, "utf-8")
    put(tmp_path / "train.txt", "0.png cat\r\n1.png dog\r\n\x1a", "utf-8")
    assert len(open_source(str(tmp_path), "train", Labels)) == 2


def test_an_error_says_that_a_text_was_read_as_windows_1252(tmp_path: Path) -> None:
    class_folders(tmp_path, "cp1252")
    put(tmp_path / "classes.txt", "a Hündin\nç pièce\n", "cp1252")
    with pytest.raises(DataError, match="line 2, 'ç pièce', does not") as error:
        open_source(str(tmp_path), "", Labels)
    end = ", such as 'Hündin': classes.txt; where letters are wrong, save it as UTF-8."
    assert str(error.value).count(SAID) == 1 and str(error.value).endswith(end)


def test_the_first_fault_says_it_where_nothing_is_left(tmp_path: Path) -> None:
    label_list(tmp_path, "cp1252")
    put(tmp_path / "classes.txt", "a\nb\n", "utf-8")
    with pytest.raises(DataError, match=r'"Hündin", line 1 of .* read as Windows-1252') as error:
        open_source(str(tmp_path), "train", Labels)
    assert str(error.value).count(SAID) == 1
    for number in range(4):
        (tmp_path / f"{number}.png").unlink()
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(DataError, match="read as Windows-1252"):
        open_source(str(tmp_path), "train", Labels)


def test_json_is_in_utf_8(tmp_path: Path) -> None:
    masks(tmp_path)
    put(tmp_path / "classes.json", '{"Hündin": 0, "b": 1}', "cp1252")
    with pytest.raises(DataError, match="must be text in UTF-8"):
        open_source(str(tmp_path), "", Mask)


def test_other_formats_say_nothing(tmp_path: Path) -> None:
    LAYOUTS["tensorflow-csv"].lay(tmp_path, IMAGES)
    assert not any(SAID in line for line in open_source(str(tmp_path), "", Boxes).remarks())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_beginning_may_end_within_a_letter(encoding: str) -> None:
    content = ("a,ü\n" * 4).encode(encoding)
    for end in range(4, len(content)):
        assert begun_text(content[:end]).startswith("a")
        assert set(begun_text(content[:end])) <= {*"a,ü\n�"}
    assert begun_text(content) == text_of(content, "t.csv") == "a,ü\n" * 4


def test_groups_of_a_split_may_come_from_a_spreadsheet(tmp_path: Path, cli) -> None:
    label_table(tmp_path / "data", "utf-8")
    rows = "".join(f"{number}.png;{'Zoë' if number < 2 else 'Max'}\r\n" for number in range(4))
    put(tmp_path / "g.csv", f"image;who\r\n{rows}", "cp1252")
    told = ["--groups", tmp_path / "g.csv", "--folds", 2, "-o", tmp_path / "out"]
    code, _, said = cli("data", "split", tmp_path / "data", "--task", "classify", *told)
    assert code == 0 and "groups: 2; images without one: 0" in said, said
    assert SAID in said and "'Zoë'" in said
