"""The page's scripts, run by Node: run lengths as COCO's package has them, colours and filters as
the program's own.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from cvtasks.drawing.colours import distinct_palette, shade, voc_palette
from cvtasks.media.page_files import page_files

SCRIPTS = Path(__file__).parents[2] / "cvtasks" / "media" / "web"

_PROGRAM = """
import { readFileSync } from "node:fs";
import { decodeRle, runsOf } from "./rle.js";
import * as colours from "./colours.js";
import * as records from "./records.js";
const { call, given } = JSON.parse(readFileSync(0, "utf8"));
const called = {
  decoded: rle => {
    const { pixels, ...rest } = decodeRle(rle);
    return { ...rest, pixels: [...pixels] };
  },
  refused: rle => {
    try {
      decodeRle(rle);
    } catch (error) {
      return error instanceof RangeError;
    }
    return false;
  },
  runs: runsOf,
  shade: ([colour, number]) => colours.shade(colour, number),
  distinct: colours.distinct,
  boxColours: ([record, model]) => colours.boxColours(record, model),
  filtered: ([record, threshold, off]) => records.filtered(record, threshold, new Set(off)),
  rows: ([record, threshold]) => records.classRows(record, threshold),
  summary: records.summaryOf,
  percent: records.percent,
}[call];
console.log(JSON.stringify(given.map(called)));
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the scripts, as modules for Node."""
    if not shutil.which("node"):
        pytest.skip(
            "the page's scripts need Node to be tested; there is none here. Install nodejs."
        )
    folder = tmp_path_factory.mktemp("scripts")
    for script in SCRIPTS.glob("*.js"):
        shutil.copy(script, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "main.js").write_text(_PROGRAM)
    return folder


def called(scripts: Path, call: str, given: list[Any]) -> list[Any]:
    """What a function of the scripts returns for each of what is given."""
    done = subprocess.run(
        ["node", scripts / "main.js"],
        input=json.dumps({"call": call, "given": given}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def css(colour: Any) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def masks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    made = [np.zeros((1, 1), bool), np.ones((1, 1), bool), np.zeros((5, 7), bool)]
    made += [np.ones((5, 7), bool), rng.random((31, 17)) < 0.5, rng.random((3, 40)) < 0.1]
    long = np.zeros((300, 400), bool)
    long[:, 100:101] = long[250:, 399] = long[10:20, 7] = True
    discs = np.add.outer((np.arange(90) - 30) ** 2, (np.arange(70) - 50) ** 2) < 500
    return [*made, long, discs]


def test_run_lengths_are_decoded_as_by_pycocotools(scripts):
    given = [coco.encode(np.asfortranarray(mask, np.uint8)) for mask in masks()]
    runs = [{"size": rle["size"], "counts": rle["counts"].decode()} for rle in given]
    for found, mask, rle in zip(called(scripts, "decoded", runs), masks(), given, strict=True):
        pixels = np.array(found["pixels"], bool).reshape(mask.shape, order="F")
        assert (pixels == mask).all()
        left, top, width, height = coco.toBbox(rle).astype(int).tolist()
        edges = [found[name] for name in ("left", "top", "right", "bottom")]
        assert edges == [left, top, left + width, top + height]


def test_run_lengths_that_are_none_are_refused(scripts):
    rng = np.random.default_rng(1)
    bad = [
        {"size": [2, 2], "counts": counts}
        for counts in ("", "1", "5", "~~~", "é", "_____________", "\x00", "o" * 50)
    ]
    bad += [{"size": size, "counts": "13"} for size in ([0, 2], [-2, 2], [1 << 20, 1 << 20])]
    bad += [
        {"size": [9, 9], "counts": bytes(rng.integers(48, 112, 12).astype(np.uint8)).decode()}
        for _ in range(50)
    ]
    assert all(called(scripts, "refused", bad))


def test_colours_are_those_of_the_drawings(scripts):
    assert called(scripts, "distinct", list(range(254))) == [
        css(colour) for colour in distinct_palette()[1:255].tolist()
    ]
    shaded = [(colour, n) for colour in voc_palette()[:32].tolist() for n in range(7)]
    found = called(scripts, "shade", [(css(colour), n) for colour, n in shaded])
    assert found == [css(shade(tuple(colour), n)) for colour, n in shaded]
    greys = [((v, v, v), n) for v in range(256) for n in range(6)]  # halves are rounded as here
    found = called(scripts, "shade", [(css(colour), n) for colour, n in greys])
    assert found == [css(shade(colour, n)) for colour, n in greys]


def test_objects_of_one_class_are_told_apart(scripts):
    box = {"name": "cell", "score": 1, "xyxy": [0, 0, 1, 1], "mask": {}}
    one = {"classes": ["cell"], "colours": ["#ff0000"]}
    two = {"classes": ["cell", "clot"], "colours": ["#800000", "#008000"]}
    plain = {key: value for key, value in box.items() if key != "mask"}
    given = [
        [{"boxes": [box, box]}, one],
        [{"boxes": [box, box]}, two],
        [{"boxes": [plain, plain]}, two],
        [{"boxes": []}, two],
    ]
    apart = [css(colour) for colour in distinct_palette()[1:3].tolist()]
    shades = [css(shade((128, 0, 0), n)) for n in (0, 1)]
    assert called(scripts, "boxColours", given) == [apart, shades, ["#800000"] * 2, []]


def test_a_record_is_filtered_by_score_and_class(scripts):
    boxes = [
        {"name": name, "score": score} for name, score in (("cat", 0.9), ("dog", 0.5), ("cat", 0.2))
    ]
    rle = {"size": [1, 4], "counts": "13"}
    mask = {
        "size": [1, 4],
        "shares": {"background": 0.25, "cat": 0.5, "dog": 0.25},
        "rle": {"cat": rle, "dog": rle},
    }
    found = called(
        scripts,
        "filtered",
        [
            [{"boxes": boxes, "width": 4}, 0.5, []],
            [{"boxes": boxes}, 0.1, ["cat"]],
            [{"labels": boxes}, 0.5, ["dog"]],
            [{"mask": mask}, 0.99, ["cat"]],
            [{"boxes": []}, 0, []],
        ],
    )
    assert found[0] == {"boxes": boxes[:2], "width": 4}
    assert found[1] == {"boxes": boxes[1:2]}
    assert found[2] == {"labels": boxes[:1]}
    assert found[3]["mask"]["shares"] == {"background": 0.75, "dog": 0.25}
    assert list(found[3]["mask"]["rle"]) == ["dog"]
    assert found[4] == {"boxes": []}


def test_words(scripts):
    cat, dog = {"name": "cat", "score": 0.97}, {"name": "dog", "score": 0.0004}
    nothing = {"size": [1, 4], "shares": {"background": 1}, "rle": {}}
    given = [{"boxes": []}, {"boxes": [cat]}, {"boxes": [cat, dog, cat]}, {"labels": []}]
    given += [{"labels": [cat, dog]}, {"mask": nothing}]
    assert called(scripts, "summary", given) == [
        "Nothing is sure enough.",
        "cat 97\u00a0%",
        "2 × cat, 1 × dog",
        "No class is sure enough.",
        "cat 97\u00a0%, dog <0.1\u00a0%",
        "Nothing but background.",
    ]
    words = ["0", "100", "50", "3.4", "99.6", ">99.9"]
    found = called(scripts, "percent", [0, 1, 0.5, 0.034, 0.9961, 0.99966])
    assert found == [f"{word}\u00a0%" for word in words]
    rows = called(scripts, "rows", [[{"boxes": [cat, dog, cat]}, 0.5], [{"mask": nothing}, 0]])
    assert [(row["name"], row["value"]) for row in rows[0]] == [("cat", "2 ×")]
    assert rows[1][0]["fixed"]


def test_the_page_loads_nothing_from_elsewhere_and_writes_no_markup():
    files = page_files("serve")
    assert {"", "page/app.js", "page/style.css"} <= set(files)
    for name, (content, kind) in files.items():
        text = content.decode()
        assert kind.startswith("text/")
        for wrong in (
            "://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "@import",
            "document.write",
        ):
            assert wrong not in text, f"{name} has {wrong}"
    page = files[""][0].decode()
    assert " style=" not in page and "<style" not in page and " onclick" not in page
    assert 'data-mode="serve"' in page and 'data-mode="live"' in page_files("live")[""][0].decode()
