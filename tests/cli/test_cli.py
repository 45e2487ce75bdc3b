"""The command line as its contract says: what is printed where, what is written, and the exit
codes.
"""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import cvtasks
from cvtasks.cli.train import wishes_of
from cvtasks.drawing.colours import voc_palette
from cvtasks.geometry.rle import decode_rle


@pytest.fixture
def photo(shapes: Path) -> Path:
    return shapes / "images" / "val" / "001.png"  # 48 high, 80 wide


# === help and wrong use ===


def test_help_names_every_command(cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    for command in ("segment", "train", "evaluate", "models", "info"):
        assert command in out
        assert cli(command, "--help")[0] == 0


def test_version(cli) -> None:
    assert cli("--version")[:2] == (0, f"cvtasks {cvtasks.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["segmant", "x.jpg"],
        ["segment"],
        ["segment", "x.jpg", "--engine", "tpu"],
        ["segment", "--modle", "x"],
        ["train"],
    ],
)
def test_wrong_use_is_exit_code_2(cli, arguments: list[str]) -> None:
    code, out, err = cli(*arguments)
    assert code == 2
    assert out == ""
    assert err
    assert "Traceback" not in err


def test_a_wrong_command_gets_the_nearest(cli) -> None:
    assert "segment" in cli("segmant", "x.jpg")[2]


def test_a_command_that_there_is_not_gets_those_of_its_group(cli) -> None:
    code, _, said = cli("by-hand", "relu", "1 2")
    assert code == 2
    assert "by-hand` must be one that it has; got 'relu'." in said
    assert "activations, dropout, iou, norms, pixels, properties, softmax" in " ".join(said.split())


# === segment ===


def test_segment_writes_drawing_and_mask_of_the_images_own_size(
    cli, trained: Path, photo: Path, tmp_path: Path
) -> None:
    code, out, err = cli("segment", photo, "--model", trained, "-o", tmp_path / "out")
    assert (code, out) == (0, "")
    assert str(photo) in err
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"001.jpg", "001-mask.png"}
    with Image.open(tmp_path / "out" / "001-mask.png") as mask:
        assert mask.mode == "P"
        assert mask.size == (80, 48)
        assert np.array(mask.getpalette()).reshape(-1, 3)[:3].tolist() == voc_palette()[:3].tolist()
        assert set(np.unique(mask)) <= {0, 1, 2}
    assert cv2.imread(str(tmp_path / "out" / "001.jpg")).shape == (48, 80, 3)


def test_json_is_one_object_a_line_and_nothing_else(
    cli, trained: Path, shapes: Path, tmp_path: Path
) -> None:
    code, out, _ = cli(
        "segment",
        shapes / "images" / "val",
        "-m",
        trained,
        "--json",
        "--save",
        "none",
        "-o",
        tmp_path / "out",
    )
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [Path(record["source"]).name for record in records] == [f"{i:03d}.png" for i in range(8)]
    assert not (tmp_path / "out").exists()
    for record in records:
        assert {"source", "width", "height", "task", "model", "engine", "mask"} <= record.keys()
        assert record["mask"]["size"] == [record["height"], record["width"]]
        for name, rle in record["mask"]["rle"].items():
            share = decode_rle(rle).mean()
            assert record["mask"]["shares"][name] == pytest.approx(share, abs=1e-6)
        assert sum(record["mask"]["shares"].values()) == pytest.approx(1, abs=1e-5)


def test_records_agree_in_every_form(cli, trained: Path, photo: Path, tmp_path: Path) -> None:
    code, out, _ = cli(
        "segment", photo, "-m", trained, "--json", "--save", "json,csv,mask", "-o", tmp_path
    )
    assert code == 0
    (line,) = (tmp_path / "records.jsonl").read_text().splitlines()
    assert json.loads(line) == json.loads(out)
    rows = list(csv.DictReader((tmp_path / "records.csv").read_text().splitlines()))
    assert {row["class"]: float(row["share"]) for row in rows} == json.loads(line)["mask"]["shares"]
    ids = np.asarray(Image.open(tmp_path / "001-mask.png"))
    assert sum(int(row["pixels"]) for row in rows) == ids.size


def test_one_bad_input_does_not_stop_the_others(
    cli, trained: Path, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(photo.read_bytes()[:500])
    names = ["text.jpg", "empty.png", "half.png", "missing.png"]
    code, out, err = cli(
        "segment",
        *(tmp_path / name for name in names),
        photo,
        "-m",
        trained,
        "-o",
        tmp_path / "out",
        "--json",
    )
    assert code == 3
    assert len(out.splitlines()) == 1
    for name in names:
        assert name in err
    assert "4 of 5 inputs" in err
    assert "Traceback" not in err


def test_files_that_exist_are_never_touched(
    cli, trained: Path, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "001.jpg").write_bytes(b"mine")
    (tmp_path / "records.jsonl").write_bytes(b"mine")
    for _ in range(2):
        assert cli("segment", photo, "-m", trained, "-o", tmp_path, "--save", "image,json")[0] == 0
    assert (
        (tmp_path / "001.jpg").read_bytes() == (tmp_path / "records.jsonl").read_bytes() == b"mine"
    )
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {
        "001.jpg",
        "001-2.jpg",
        "001-3.jpg",
        "records.jsonl",
        "records-2.jsonl",
        "records-3.jsonl",
    }


@pytest.mark.parametrize(
    "name", ["with space.png", "ünïcødé 🐈.png", "[x].png", "a%20b#c.png", "-dash.png"]
)
def test_odd_names_work(
    cli, trained: Path, photo: Path, tmp_path: Path, monkeypatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(photo.read_bytes())
    code, out, err = cli(
        "segment", "-m", trained, "--json", "--save", "mask", "-o", "out", "--", name
    )
    assert code == 0, err
    assert json.loads(out)["source"] == name
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_images_of_one_name_do_not_overwrite_each_other(
    cli, trained: Path, photo: Path, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(photo.read_bytes())
    assert (
        cli(
            "segment",
            tmp_path / "a/x.png",
            tmp_path / "b/x.png",
            "-m",
            trained,
            "-o",
            tmp_path / "out",
        )[0]
        == 0
    )
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2


def test_standard_input_is_an_image(run_cli, trained: Path, photo: Path, tmp_path: Path) -> None:
    done = run_cli(
        "segment", "-", "-m", trained, "--json", "-o", tmp_path, stdin=photo.read_bytes()
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["width"] == 80


def test_ctrl_c_keeps_what_was_done(trained: Path, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(10_000):
        (tmp_path / "many" / f"{number}.png").hardlink_to(photo)
    command = [
        sys.executable,
        "-m",
        "cvtasks",
        "segment",
        tmp_path / "many",
        "-m",
        trained,
        "-o",
        tmp_path / "out",
    ]
    home = {**os.environ, "PYTHONPATH": str(Path(cvtasks.__file__).parents[1])}
    with subprocess.Popen(
        [*map(str, command), "--save", "json"], stderr=subprocess.PIPE, env=home
    ) as running:
        running.stderr.readline()  # the first image is done
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read().decode()
        running.wait(60)
    assert running.returncode == 130, rest
    (records,) = (tmp_path / "out").iterdir()
    done = [json.loads(line) for line in records.read_text().splitlines()]
    assert 0 < len(done) < 10_000


def test_only_the_classes_asked_for_are_kept(
    cli, trained: Path, shapes: Path, tmp_path: Path
) -> None:
    code, out, _ = cli(
        "segment",
        shapes / "images/val",
        "-m",
        trained,
        "--classes",
        "disc",
        "--json",
        "-o",
        tmp_path,
    )
    assert code == 0
    assert {name for line in out.splitlines() for name in json.loads(line)["mask"]["rle"]} == {
        "disc"
    }


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--classes", "disk"], 4, 'Did you mean "disc"'),
        (["--save", "images"], 2, 'Did you mean "image"'),
        (["--engine", "openvino", "--device", "gpu"], 2, "runs on the CPU"),
        (["--device", "gpu"], 2, "needs a GPU"),
    ],
)
def test_wrong_values_are_named(
    cli, trained: Path, photo: Path, tmp_path, options: list[str], code: int, words: str
) -> None:
    if options == ["--device", "gpu"]:
        from cvtasks.engines.keras_engine import has_gpu

        if has_gpu():
            pytest.skip("this machine has a GPU")
    got, out, err = cli("segment", photo, "-m", trained, "-o", tmp_path, *options)
    assert (got, out) == (code, "")
    assert words in err


def test_engines_agree(trained: Path, shapes: Path) -> None:
    model = cvtasks.load(trained, engine="openvino", precision="f32")
    keras = cvtasks.load(trained, engine="keras", precision="f32")
    for path in sorted((shapes / "images" / "val").iterdir()):
        assert (model.predict(path).ids == keras.predict(path.read_bytes()).ids).mean() > 0.999


def test_many_at_a_time_are_the_same_as_one_by_one(trained: Path, shapes: Path) -> None:
    from cvtasks.media.images import read_image

    images = [(path.name, read_image(path)) for path in sorted((shapes / "images").rglob("*.png"))]
    one = cvtasks.load(trained, precision="f32")
    many = cvtasks.load(trained, precision="f32", many=True)
    answers = list(many.predict_many(images))
    assert [name for name, _, _ in answers] == [name for name, _ in images]
    for _, image, answer in answers:
        assert (answer.ids == one.predict(image).ids).mean() > 0.999


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
    ],
)
def test_predict_refuses_arrays_that_are_no_image(trained: Path, array: np.ndarray) -> None:
    with pytest.raises(cvtasks.CVTasksError, match=r"\(h, w, 3\) uint8 RGB"):
        cvtasks.load(trained).predict(array)


# === models ===


def test_a_wrong_model_is_exit_code_4(cli, photo: Path, tmp_path: Path) -> None:
    code, _, err = cli("segment", photo, "-m", "segment-efficientnt-lite0-voc")
    assert code == 4
    assert 'Did you mean "segment-efficientnet-lite0-voc"' in err
    code, _, err = cli("segment", photo, "-m", "segment-mobilenet-voc")
    assert code == 4
    assert "shipped no longer; segment-efficientnet-lite0-voc took its place" in err
    code, _, err = cli("segment", photo, "-m", tmp_path)
    assert code == 4
    assert "recipe.toml" in err


def test_models_and_info_speak_json(cli) -> None:
    code, out, _ = cli("models", "--json")
    assert code == 0
    assert {"name", "task", "trained", "metrics"} <= json.loads(out)[0].keys()
    code, out, _ = cli("info", "--json")
    assert code == 0
    assert {"cvtasks", "keras", "cores", "engines"} <= json.loads(out).keys()
    assert cli("models")[0] == cli("info")[0] == 0


# === evaluate ===


def test_evaluate_prints_the_standards_names(cli, trained: Path, shapes: Path) -> None:
    code, out, _ = cli("evaluate", trained, "--data", f"{shapes}:val", "--json")
    assert code == 0
    result = json.loads(out)
    assert list(result) == [
        "model",
        "data",
        "split",
        "images",
        "engine",
        "precision",
        "metrics",
        "intervals",
        "classes",
    ]
    assert list(result["intervals"]) == list(result["metrics"])
    low, high = result["intervals"]["VOC mean IoU"]
    assert 0 < low < result["metrics"]["VOC mean IoU"] < high <= 1
    assert list(result["metrics"]) == ["VOC mean IoU", "pixel accuracy"]
    assert list(result["classes"]) == ["background", "square", "disc"]
    assert (result["images"], result["split"]) == (8, "val")
    assert result["metrics"] == json.loads((trained / "metrics.json").read_text())["metrics"]
    code, out, _ = cli("evaluate", trained)
    assert code == 0
    score = f"{result['metrics']['VOC mean IoU']:.4f} [{low:.4f}, {high:.4f}]"
    assert f"VOC mean IoU: {score}" in out


def test_saved_records_score_as_the_network_does(
    cli, trained: Path, shapes: Path, tmp_path: Path
) -> None:
    assert (
        cli("segment", shapes / "images" / "val", "-m", trained, "--save", "json", "-o", tmp_path)[
            0
        ]
        == 0
    )
    saved = tmp_path / "records.jsonl"
    code, out, _ = cli(
        "evaluate", trained, "--data", f"{shapes}:val", "--predictions", saved, "--json"
    )
    assert code == 0
    assert (
        json.loads(out)["metrics"] == json.loads((trained / "metrics.json").read_text())["metrics"]
    )
    lines = saved.read_text().splitlines(keepends=True)
    for broken, words in (
        (lines[1:], "'000' has none"),
        (lines + lines[:1], "'000' comes again in line 9"),
        (["{}\n"], "line 1"),
    ):
        saved.write_text("".join(broken))
        code, _, err = cli("evaluate", trained, "--data", f"{shapes}:val", "--predictions", saved)
        assert code == 5
        assert words in err


@pytest.mark.parametrize(
    ("data", "words"),
    [("nowhere", "is none"), ("{shapes}:vall", 'Did you mean "val"'), (".", "not known")],
)
def test_data_that_cannot_be_used_is_exit_code_5(
    cli, trained: Path, shapes: Path, tmp_path, monkeypatch, data, words
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("evaluate", trained, "--data", data.format(shapes=shapes))
    assert (code, out) == (5, "")
    assert words in err


# === train ===

QUICK = [
    "--backbone",
    "tiny",
    "--size",
    "64",
    "--set",
    "segment.channels=[8]",
    "--set",
    "train.epochs=1",
]


def test_train_from_a_task_and_again_from_its_recipe(cli, shapes: Path, tmp_path: Path) -> None:
    code, out, err = cli("train", "segment", "--data", shapes, *QUICK, "-o", tmp_path / "first")
    assert code == 0, err
    assert "classes   3: background, square, disc" in out
    assert "24 images" in err
    assert f"report: {tmp_path / 'first' / 'report.html'}" in err
    again = "--show-recipe", "-o", tmp_path / "second"
    code, out, err = cli("train", tmp_path / "first" / "recipe.toml", *again)
    assert code == 0, err
    assert 'classes = [\n    "background",' in out
    for name in ("weights.safetensors", "metrics.json"):
        first, second = ((tmp_path / run / name).read_bytes() for run in ("first", "second"))
        assert first.replace(b'"first"', b'"second"') == second, (
            "the same recipe, data and machine give the same bits"
        )


def test_a_dry_run_writes_nothing(cli, shapes: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("train", "segment", "--data", shapes, *QUICK, "--lr", "1e-4", "--dry-run")
    assert code == 0, err
    assert "--lr 1e-4 is taken for --set train.learning_rate=1e-4" in err
    assert "train.learning_rate = 0.0001" in out
    assert "memory: " in err
    assert "`cvtasks recipe`" in err
    assert list(tmp_path.iterdir()) == []


def test_a_profile_says_where_the_time_went(cli, shapes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    how = [*QUICK, "--batch", "4", "--profile"]
    code, _, err = cli("train", "segment", "--data", shapes, *how, "-o", folder)
    assert code == 0, err
    assert "ms each (the first 2, which compile, took " in err
    assert [line.split()[0] for line in err.splitlines() if "%  " in line] == [
        "data",
        "compute",
        "wait",
        "other",
    ]
    assert f"trace: {folder / 'profile.json'}, for chrome://tracing" in err
    trace = json.loads((folder / "profile.json").read_text())["traceEvents"]
    assert {"data", "compute", "validation", "checkpoint"} <= {event["name"] for event in trace}
    assert "profile: " in (folder / "log.jsonl").read_text()


def test_a_number_of_zero_is_an_answer(
    cli, trained: Path, shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = ["--data", str(shapes), "--backbone", "tiny"]
    limits = [dict(wishes_of({"train.minutes": minutes}, "")) for minutes in (None, 0.0, 3.0)]
    assert limits == [{}, {"train.minutes": 0.0}, {"train.minutes": 3.0}]
    for command in ("train", "lr-find"):
        code, _, err = cli(command, "segment", *data, "--size", "0")
        assert code == 4, err
        assert "got 0" in err
    assert cli("train", "segment", *data, "--epochs", "0")[0] == 2
    code, _, err = cli("train", "--resume", trained, "--minutes", "0")
    assert code == 2
    assert "takes no --minutes" in err


def test_no_limit_of_time_is_none(cli, shapes: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cvtasks.cli.train._rehearse", lambda *what: None)
    words = ["segment", "--data", shapes, "--backbone", "tiny", "--size", "64", "--dry-run"]
    code, out, err = cli("train", *words, "--minutes", "0")
    assert code == 0, err
    assert "min;" not in out
    assert "train.minutes = " not in err


@pytest.mark.parametrize("other", [["--dry-run"], ["--folds", "2"]])
def test_only_a_single_whole_run_has_a_profile(cli, shapes: Path, other: list[str]) -> None:
    code, _, err = cli("train", "segment", "--data", shapes, *QUICK, "--profile", *other)
    assert code == 2
    assert f"--profile looks at one run, and takes no {other[0]}" in err


def test_tensorboard_gets_the_scores_and_says_where_the_extra_is_missing(
    cli, shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    code, _, err = cli(
        "train", "segment", "--data", shapes, *QUICK, "-o", tmp_path / "run", "--tensorboard"
    )
    assert code == 0, err
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert b"VOC" in events.read_bytes()
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    code, _, err = cli(
        "train", "segment", "--data", shapes, *QUICK, "-o", tmp_path / "other", "--tensorboard"
    )
    assert code == 2
    assert "cvtasks[tensorboard]" in err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["segment"], 5, "needs data"),
        (["segmant", "--data", "{shapes}"], 4, 'Did you mean "segment"'),
        (["segment", "--data", "{shapes}", "--set", "train.epoch=3"], 4, 'Did you mean "epochs"'),
        (["segment", "--data", "{shapes}", "--size", "100"], 4, "Try 96 or 128"),
        (
            ["segment", "--data", "{shapes}", "--classes", "background,disk"],
            5,
            'Did you mean "disc"',
        ),
        (["segment", "--data", "{shapes}", "--weights", "nowhere.npz"], 4, "nowhere.npz"),
        (["nowhere.toml", "--data", "{shapes}"], 4, "cannot be read"),
        (["segment", "--resume", "nowhere"], 2, "--resume"),
        (["--resume", "nowhere"], 4, "cannot be read"),
    ],
)
def test_a_run_that_cannot_start_says_why(
    cli, shapes: Path, tmp_path, monkeypatch, arguments, code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = (
        []
        if "--resume" in arguments or arguments == ["segment"]
        else ["--backbone", "tiny", "-o", "out"]
    )
    got, _, err = cli("train", *(argument.format(shapes=shapes) for argument in arguments), *quick)
    assert got == code, err
    assert words in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_a_fault_of_ours_is_exit_code_1_and_debug_shows_it(
    cli, trained: Path, photo: Path, monkeypatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("cvtasks.model.check_files", broken)
    code, _, err = cli("segment", photo, "-m", trained)
    assert code == 1
    assert "ZeroDivisionError: oh" in err
    assert "Traceback" not in err
    assert "Traceback" in cli("--debug", "segment", photo, "-m", trained)[2]


def test_words_of_libraries_do_not_reach_the_terminal(run_python):
    code = """
import os, sys
from cvtasks.cli.output import quiet_libraries, say
if sys.argv[1] == "closed":
    os.close(2)
    sys.stderr = None
with quiet_libraries():
    os.write(2, b"libpng error: IDAT\\n") if sys.argv[1] else None
    say("ours") if sys.stderr else None
os.write(2, b"after\\n") if sys.stderr else None
"""
    assert run_python("-c", code, "open").stderr == "ours\nafter\n"
    done = run_python("-c", code.replace("os.write(2, b", "len(b"), "closed")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "given",
    [
        ["detect", "photo.jpg", "--model", "http://me:s3cret@host/model"],
        ["evaluate", "detect-yolox-nano-voc", "--data", "http://me:s3cret@host/data:val"],
        ["--debug", "evaluate", "http://s3cret@host/model", "--data", "x"],
        ["detect", "photo.jpg", "--device", "https://me:s3cret@host"],
        ["models", "ftp://me:s3cret@host/model"],
    ],
)
def test_no_sentence_of_the_command_line_shows_a_password(given, cli):
    code, out, err = cli(*given)
    assert code in (2, 4, 5)
    assert "s3cret" not in out + err
    assert "***@host" in err
