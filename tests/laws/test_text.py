"""Names that others chose, hostile or unlucky ones: each comes through every door, and harms
nothing behind it.
"""

import csv
import io
import json
import os
import re
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes
from cvtasks.cli.output import Ticker, say, say_warning, tell
from cvtasks.data import open_source
from cvtasks.data.writing.convert import convert
from cvtasks.drawing.plots import class_bars, count_bars, f1_curves, matrix
from cvtasks.evaluation.predictions import read_predictions
from cvtasks.files.writing import write_text
from cvtasks.formats.coco import coco_document, parse_coco
from cvtasks.formats.voc import parse_voc, voc_xml
from cvtasks.formats.yolo import parse_yaml, yolo_yaml
from cvtasks.inference.sink import Sink
from cvtasks.media.names import distinct_stems, safe_stem
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.tasks.detect import Detect
from cvtasks.text import (
    cell,
    class_name,
    code,
    dumps,
    encodable,
    listed,
    markdown,
    table,
    visible,
    width,
)
from cvtasks.training.card import write_card

LATIN_1 = os.fsdecode(b"caf\xe9")  # how Python holds a name whose bytes are no UTF-8
NASTY = {
    "line break": "cat\ndog",
    "carriage return": "cat\rdog",
    "tab": "\tcat",
    "null": "cat\0",
    "escape sequence": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "C1 sequence": "\x9b31mred",
    "delete": "a\x7fb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "bidi override": "\u202egpj.exe",
    "zero width": "a\u200bb",
    "formula": "=1+1",
    "plus": "+1",
    "minus": "-1+1",
    "at": "@SUM(1)",
    "number": "-3.5",
    "pipe": "a|b",
    "backtick": "a`b",
    "dollars": "$x$ $",
    "backslash": "a\\nb",
    "markup": "[red]a[/red] <b>&amp;",
    "quotes": "a,\"b\"'c'",
    "braces": "{0} %s",
    "space around": " cat ",
    "another alphabet": "日本",
    "two code points": "e\u0301",
    "not UTF-8": LATIN_1,
    "half a letter": "\ud800",
    "underscore": "_hidden_",
    "plain": "cat",
}
CLASSES = tuple(map(class_name, NASTY.values()))  # as sources give them
FOUND = Boxes.of([[1, 2, 10, 12]] * len(CLASSES), range(len(CLASSES)), CLASSES, (20, 30))
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # categories of what steers or hides


def harmless(text: str) -> bool:
    return text.isprintable() and not any(unicodedata.category(c) in UNSEEN for c in text)


every_name = pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)


# === the rules ===


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("cat", "cat"),
        ("日本 é", "日本 é"),
        ("a\nb\t\r\0", "a\\nb\\t\\r\\x00"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b", "\\x9b"),
        ("\u202e\u200b\u2028", "\\u202e\\u200b\\u2028"),
        (LATIN_1, "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_what_cannot_be_seen_is_escaped_and_nothing_else(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_names_that_are_no_utf_8_stay_apart() -> None:
    assert encodable(LATIN_1) == "caf\\xe9" != encodable(os.fsdecode(b"caf\xe8"))
    assert encodable("a\nb\x1b é") == "a\nb\x1b é", "JSON can say these"


def test_tables_stay_aligned() -> None:
    lines = table([["class", "n"], ["日本", "1"], ["e\u0301", "22"], ["\x1b[2K", "3"]])
    assert lines == ["class     n", "日本      1", "e\u0301        22", "\\x1b[2K   3"]
    assert len({width(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *[
            ("", ""),
            ("cat", "cat"),
            ("=1", "'=1"),
            ("\t=1", "'\\t=1"),
            ("\r=1", "'\\r=1"),
            ("-", "-"),
            ("＝1", "'＝1"),
        ],
        *[(-3.5, -3.5), (-3, -3), (None, None), ("-3.5", "'-3.5"), ("a=b", "a=b")],
    ],
)
def test_a_spreadsheet_runs_no_name(value: object, written: object) -> None:
    assert cell(value) == written


# === the terminal ===


@every_name
def test_nothing_steers_the_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    say(f"{name}: found")
    tell(f"{name}: 1", name)
    say_warning(UserWarning(name), UserWarning, f"{name}.py", 3)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ticker = Ticker()
    ticker._next = 0
    ticker.show(name)
    out, err = capsys.readouterr()
    assert all(map(harmless, out.rstrip("\n").split("\n"))) and out.count("\n") == 2
    assert (
        all(map(harmless, err.replace("\r", "").rstrip("\n").split("\n"))) and err.count("\n") == 2
    )


def test_nobody_steers_the_terminal(cli) -> None:
    """Typer quotes what it does not know; so does an error in a traceback."""
    for arguments in (
        ["--\x1b[31m.jpg"],
        ["detect", "--\x9b31m\u202e"],
        ["--debug", "data", "check", "\x1b[31m\u202e"],
    ):
        code, out, err = cli(*arguments)
        assert code in (2, 5) and all(map(harmless, (out + err).split("\n")))
        assert "\\x1b[31m" in err or "\\x9b31m" in err


def test_a_terminal_that_knows_ascii_alone_gets_escapes(monkeypatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    tell("– 日本", "\udce9")
    __import__("sys").stdout.flush()
    assert raw.getvalue() == b"\\u2013 \\u65e5\\u672c\n\\xe9\n"


# === files ===


@every_name
def test_json_is_for_every_reader(name: str) -> None:
    text = dumps({"source": name, "list": [(name,)], name: 1})
    assert text.isascii() and harmless(text)
    assert not re.search(r"\\ud8..(?!\\ud)|(?<!\\ud8..)\\udc", text.replace("\\\\", "")), (
        "strict readers refuse half a letter"
    )
    read = json.loads(text)
    assert read == {"source": encodable(name), "list": [[encodable(name)]], encodable(name): 1}


@every_name
def test_a_name_as_a_line_of_a_list(name: str) -> None:
    line = listed(name)
    assert [line] == f"{line}\n".splitlines() and line.strip() == line and line


def test_voc_says_every_name_and_reads_it_again() -> None:
    xml = voc_xml(FOUND, f"{LATIN_1}\x1b.jpg")
    assert re.sub(r"[\t\n]", "", xml).isprintable() or "\u202e" in xml or "\u200b" in xml
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", xml)
    assert parse_voc(xml.encode(), CLASSES, (20, 30), "x")[0].names == CLASSES


def test_coco_and_yaml_say_every_name() -> None:
    document = dumps(coco_document([("a.jpg", FOUND)], CLASSES))
    assert tuple(parse_coco(document.encode(), "x").categories) == CLASSES
    raw = json.dumps(coco_document([], tuple(NASTY.values())))
    assert tuple(parse_coco(raw.encode(), "x").categories) == CLASSES, (
        "JSON can write half a letter; nobody else can"
    )
    assert parse_yaml(yolo_yaml(CLASSES, ("train",)), "x").classes == CLASSES


def test_a_recipe_says_every_name() -> None:
    recipe = parse_recipe(
        {"task": "detect", "backbone": "tiny", "size": 64, "classes": list(CLASSES)}
    )
    import tomllib

    assert parse_recipe(tomllib.loads(recipe.to_toml().encode().decode())) == recipe


def test_saved_answers_say_every_name(tmp_path: Path) -> None:
    sink = Sink(tmp_path, Detect(), ("image", "voc", "yolo", "coco", "json", "csv"))
    for name in (
        f"x/{LATIN_1}.jpg",
        "=x.jpg",
        "-",
        "\x1b\n.jpg",
        "e" * 300 + ".jpg",
        "é" * 140 + "1.jpg",
        "é" * 140 + "2.jpg",
    ):
        stem = sink.stem(safe_stem(Path(name).stem))
        sink.write(stem, np.zeros((20, 30, 3), np.uint8), FOUND, name)
        sink.record({"source": name, "width": 30, "height": 20, **Detect().record(FOUND)}, FOUND)
    sink.close()
    assert len(list(tmp_path.iterdir())) == 7 * 3 + 4, "nothing overwritten"
    assert len((tmp_path / "classes.txt").read_text().split("\n")) == len(CLASSES) + 1
    text = (tmp_path / "records.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 7 * len(CLASSES) == text.count("\n") - 1
    assert [row["source"] for row in rows[:: len(CLASSES)]][:4] == [
        "x/caf\\xe9.jpg",
        "'=x.jpg",
        "-",
        "\\x1b\\n.jpg",
    ]
    for row in rows:
        assert not row["class"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert float(row["score"]) == 1
    for path in tmp_path.glob("*.xml"):
        assert parse_voc(path.read_bytes(), CLASSES, (20, 30), "x")[0].names == CLASSES
    assert tuple(parse_coco((tmp_path / "coco.json").read_bytes(), "x").categories) == CLASSES
    sources = [
        json.loads(line)["source"] for line in (tmp_path / "records.jsonl").read_text().splitlines()
    ]
    assert sources[:2] == ["x/caf\\xe9.jpg", "=x.jpg"]


@pytest.mark.parametrize("to", ["voc", "coco", "yolo"])
def test_a_data_set_of_odd_names_is_written_anew_and_read_again(to: str, tmp_path: Path) -> None:
    names = [
        LATIN_1,
        os.fsdecode(b"caf\xe8"),
        "ab\n",
        "-x",
        ".x\x1b",
        "é" * 120,
        "sub/" + "é" * 120,
        "sub/日本",
    ]
    root = tmp_path / "first"
    for number, name in enumerate(names):
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), (number, 0, 0)).save(io_path := root / "images" / "x.png")
        io_path.rename(root / "images" / f"{name}.png")
    document = coco_document([(f"{name}.png", FOUND) for name in names], CLASSES)
    (root / "annotations").mkdir()
    (root / "annotations" / "train.json").write_text(json.dumps(document))
    first = open_source(str(root), "train", Boxes)
    said = convert(first, to, tmp_path / "second", "train")
    second = open_source(str(tmp_path / "second"), "train", Boxes)
    assert len(second) == len(names) and list(second.problems()) == []
    written = tuple(map(listed, CLASSES)) if to == "voc" else CLASSES
    assert second.classes == written
    for index in range(len(names)):
        assert second.truth(index).names == written
    assert bool(said) == (to == "voc"), "what is changed is said"


def test_a_folder_of_classes_that_are_no_utf_8(tmp_path: Path) -> None:
    from cvtasks.answers import Labels
    from cvtasks.data.checking.statistics import fingerprint

    for name in (b"caf\xe9", b"caf\xe8", b"dog"):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
        (tmp_path / "x.png").rename(folder / os.fsdecode(b"im\xff.png"))
    source = open_source(str(tmp_path), "", Labels)
    assert source.classes == ("caf\\xe8", "caf\\xe9", "dog")
    assert [source[index].truth.names for index in range(3)] == [
        ("caf\\xe8",),
        ("caf\\xe9",),
        ("dog",),
    ]
    assert len({source[index].name for index in range(3)}) == 3 and source[2].name == "dog/im\\xff"
    assert len(fingerprint(source)) == 64


def test_predictions_find_the_image_that_is_no_utf_8(tmp_path: Path) -> None:
    from cvtasks.evaluation.evaluate import score_saved

    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    Image.new("RGB", (30, 20)).save(root / "x.png")
    (root / "x.png").rename(root / "images" / f"{LATIN_1}.png")
    (root / "train.json").write_text(
        json.dumps(coco_document([(f"{LATIN_1}.png", FOUND)], CLASSES))
    )
    source = open_source(str(root), "train", Boxes)
    sink = Sink(tmp_path / "out", Detect(), ("json", "coco"))
    sink.record(
        {
            "source": str(root / "images" / f"{LATIN_1}.png"),
            "width": 30,
            "height": 20,
            **Detect().record(FOUND),
        },
        FOUND,
    )
    for path in sink.close():
        saved = read_predictions(path, Detect(), source, CLASSES)
        assert score_saved(saved, Detect(), source).result()["VOC2012 area AP@0.5"] == 1
    (tmp_path / "out" / "coco.json").rename(root / "again.json")
    again = open_source(str(root), "again", Boxes)
    assert again.files == source.files and again[0].truth.names == CLASSES, (
        "what was written leads to the image again"
    )


def test_the_card_says_every_name(tmp_path: Path) -> None:
    recipe = parse_recipe(
        {
            "task": "detect",
            "backbone": "tiny",
            "size": 64,
            "classes": list(CLASSES),
            "data": {"path": "a`b|c\n# d"},
        }
    )
    scores = {
        "classes": {name: {"AP": 0.5} for name in CLASSES},
        "metrics": {"AP": 0.5},
        "images": 1,
        "data": "a`b",
    }
    scores |= {"split": "val", "engine": "x", "precision": "f32"}
    folder = tmp_path / f"mine{LATIN_1}\n# x"
    folder.mkdir()
    how = {
        "command": "cvtasks train `id` \x1b\n# owned",
        "machine": "m",
        "training_seconds": 1,
        "epoch": 1,
        "judged": True,
    }
    write_card(folder, recipe, scores, **how, epochs=1, train_images=1)
    lines = (folder / "README.md").read_text().split("\n")
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 1 + len(CLASSES)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows), "two columns each"
    assert sum(line.startswith("# ") for line in lines) == 1
    assert "`` cvtasks train `id` \\x1b\\n# owned ``" in "\n".join(lines)


def test_figures_draw_every_name_without_a_word() -> None:
    curve = np.linspace(1, 0, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        long = [f"{letter * 300}{place}" for place, letter in enumerate("xM猫")]
        for some in (CLASSES[:12], CLASSES[12:], long[:1], long[1:2], long):
            drawn = (
                class_bars({name: {"$x": 0.5} for name in some}),
                count_bars(dict.fromkeys(some, 2), "objects", 2 * len(some)),
            )
            drawn += (f1_curves(dict.fromkeys(some, curve), np.linspace(0, 1, 5), 0.5),)
            drawn += (matrix(np.eye(len(some), dtype=int), some, some, "objects"),)
            assert all(image.std() > 0 for image in drawn)


# === names of files ===


def test_stems_of_one_folder_stay_apart() -> None:
    assert distinct_stems([]) == []
    names = [
        "a/x",
        "b/x",
        "A/X",
        "..",
        "",
        "con",
        "é" * 100 + "1",
        "é" * 100 + "2",
        LATIN_1,
        os.fsdecode(b"caf\xe8"),
        "a\nb",
    ]
    stems = distinct_stems([*names, *names])
    assert len({stem.casefold() for stem in stems}) == 2 * len(names)
    for stem in stems:
        assert (
            len(stem.encode()) <= 160
            and harmless(stem)
            and Path(stem).name == stem
            and not stem.startswith((".", "-"))
        )


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127 + "a", "a" * 251 + ".txt"])
def test_a_name_that_fits_can_be_written(name: str, tmp_path: Path) -> None:
    write_text(tmp_path / name, f"{LATIN_1}\n")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "caf\\xe9\n"


def test_code_and_words_of_markdown() -> None:
    assert code("a``b") == "``` a``b ```"
    assert markdown("a|b\n<x>") == "a\\|b\\\\n\\<x\\>"
