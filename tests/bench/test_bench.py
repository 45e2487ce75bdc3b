"""Engines and exported files timed side by side."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cvtasks.bench.contenders import Contender, contenders, exported
from cvtasks.bench.energy import Meter
from cvtasks.bench.run import Times, bench
from cvtasks.cli.bench import _HEADS, _cells, _table
from cvtasks.engines.table import ENGINES, EngineRow
from cvtasks.errors import InputError, ModelError, UsageError
from cvtasks.text import width

MODEL = "classify-lenet-mnist"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture(scope="module")
def folder_of_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an export of the model looks like; the file itself is one of another network."""
    folder = tmp_path_factory.mktemp("exports") / "lenet-openvino"
    folder.mkdir()
    said = {"model": MODEL, "format": "openvino", "precision": "f32"}
    (folder / "check.json").write_text(json.dumps(said))
    (folder / "model.xml").write_text("<net/>")
    return folder


def test_the_command_prints_a_table_and_json_that_say_the_same(photo: Path, cli) -> None:
    asked = ("bench", MODEL, "--images", photo, "--runs", "2", "--engine", "openvino")
    code, out, err = cli(*asked, "--json")
    assert code == 0, err
    said = json.loads(out)
    (model,) = said["models"]
    assert (model["model"], model["images"], model["runs"]) == (MODEL, 1, 2)
    assert said["machine"]["cores"] >= 1
    row = model["rows"][0]
    assert (row["runs_on"], row["precision"], row["file"]) == ("openvino", "f32", None)
    assert 0 < row["network_ms"]["median"] <= row["network_ms"]["p90"]
    assert 0 < row["whole_ms"]["median"] < 1000 * row["cold_s"]
    assert row["images_per_s"] > 0
    assert row["memory_bytes"] is None or row["memory_bytes"] > 2e7
    assert (row["joules_per_image"] is None) == bool(model["no_energy"])


ROWS = [
    ("openvino f32", 0.91, 1.234, 98.7, 310e6, None),
    ("onnxruntime file int8 gpu", 123.4, 1234.5, 0.0123, 20_310e6, 12.345),
]


def test_the_table_fits_eighty_columns() -> None:
    from cvtasks.bench.run import Row

    rows = []
    for label, cold, ms, rate, memory, joules in ROWS:
        runs, *_, precision = label.removesuffix(" gpu").split()
        device, path = ("gpu", "x") if "gpu" in label else ("cpu", "")
        one = Contender(runs, precision, device, path)
        assert one.label == label
        times = Times(ms, 2 * ms)
        rows.append(Row(one, precision, cold, times, times, rate, int(memory), joules))
    lines = _table([*_HEADS, *map(_cells, rows)])
    assert max(map(width, lines)) <= 80
    assert lines[0].split() == [
        "cold",
        "network,",
        "ms",
        "whole,",
        "ms",
        "images",
        "memory",
        "energy",
    ]
    assert lines[2].split()[:4] == ["openvino", "f32", "0.91", "1.2"]
    assert lines[3].startswith("onnxruntime file in… ")


def test_percentiles_are_of_what_was_measured() -> None:
    assert Times.of([5.0]) == Times(5.0, 5.0)
    assert Times.of([float(n) for n in range(100, 0, -1)]) == Times(50.5, 91.0)


# === what is timed, and what is not ===


def test_a_precision_that_the_machine_has_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for able in (False, True):
        monkeypatch.setattr("cvtasks.engines.openvino_models.has_bf16", lambda able=able: able)
        found, left_out = contenders("cpu", ["openvino", "keras"])
        labels = [one.label for one in found]
        assert ("openvino bf16" in labels) == ("keras bf16" in labels) == able
        assert ("openvino bf16" in left_out) != able
    assert contenders("gpu", ["openvino"]) == ([], {"openvino": "it does not run on the gpu"})


def test_an_engine_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "nowhere", EngineRow("nowhere", ("cpu",), ("no_such_package",)))
    assert contenders("cpu", ["nowhere"]) == ([], {"nowhere": "no_such_package is not installed"})
    with pytest.raises(UsageError, match="`engine` must be one of"):
        contenders("cpu", ["openvin"])


def test_what_fails_is_said_and_the_others_are_timed(photo: Path, folder_of_export: Path) -> None:
    found = bench(
        MODEL,
        str(photo),
        runs=1,
        seconds=0.01,
        engines=["openvino"],
        exports=[folder_of_export],
    )
    assert found.rows[0].contender.label == "openvino f32"
    assert found.left_out["openvino file f32"]


def test_where_nothing_runs_that_is_an_error(photo: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing runs .*: openvino: it does not run on the gpu"):
        bench(MODEL, str(photo), device="gpu", engines=["openvino"])
    with pytest.raises(UsageError, match="a number of rounds, 1 or more; got 0"):
        bench(MODEL, runs=0)


DAMAGED: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: (folder / "check.json").unlink(),
    "no JSON": lambda folder: (folder / "check.json").write_text("{"),
    "a list": lambda folder: (folder / "check.json").write_text("[]"),
    "no such format": lambda folder: (folder / "check.json").write_text(
        '{"model": "a", "format": "b", "precision": "f32"}'
    ),
    "no file": lambda folder: (folder / "model.xml").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_folder_that_is_no_export_is_an_input_error(
    damage, folder_of_export: Path, tmp_path: Path
) -> None:
    import shutil

    folder = shutil.copytree(folder_of_export, tmp_path / "export")
    DAMAGED[damage](folder)
    with pytest.raises(InputError, match="Export the model by"):
        list(exported([folder]))


def test_an_export_of_a_model_that_is_not_named_is_refused(folder_of_export: Path, cli) -> None:
    code, _, err = cli("bench", "detect-yolox-nano-voc", "--exported", folder_of_export)
    assert code == 2
    assert "is one of 'classify-lenet-mnist', which is not named" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["no-such-model"], 4, "no-such-model"),
        ([MODEL, "--images", "no/such"], 3, "no/such"),
        ([MODEL, "--engine", "openvin"], 2, "openvin"),
        ([MODEL, "--runs", "0"], 2, "--runs"),
        ([MODEL, "--exported", "no/such"], 3, "no/such"),
    ],
)
def test_bad_input_is_a_sentence(arguments, code, words, cli) -> None:
    found, out, err = cli("bench", *arguments)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err


# === energy ===


def counters(place: Path, *values: int) -> None:
    for number, value in enumerate(values):
        package = place / f"intel-rapl:{number}"
        package.mkdir(parents=True, exist_ok=True)
        (package / "energy_uj").write_text(f"{value}\n")
        (package / "max_energy_range_uj").write_text("9999999\n")
        part = place / f"intel-rapl:{number}:0"
        part.mkdir(exist_ok=True)
        (part / "energy_uj").write_text("5\n")


def test_joules_are_of_all_packages_also_where_a_counter_begins_anew(tmp_path: Path) -> None:
    counters(tmp_path, 1_000_000, 9_000_000)
    meter = Meter(tmp_path)
    before = meter.read()
    counters(tmp_path, 3_500_000, 500_000)
    assert meter.since(before) == pytest.approx(2.5 + 1.5)
    assert not meter.missing


def test_without_counters_there_is_no_energy_and_a_reason(tmp_path: Path) -> None:
    meter = Meter(tmp_path / "none")
    assert meter.since(meter.read()) is None
    assert "no counters" in meter.missing
    counters(tmp_path, 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("much")
    assert "cannot be read" in Meter(tmp_path).missing


def test_what_only_the_administrator_may_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> int:
        raise PermissionError

    counters(tmp_path, 1)
    monkeypatch.setattr("cvtasks.bench.energy._number", refuse)
    assert "only the administrator" in Meter(tmp_path).missing
