"""`evaluate --tracks`: files and folders of the MOT Challenge."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtasks.errors import DataError
from cvtasks.evaluation.tracks import score_tracks

pytest.importorskip("trackeval")

TEXT = "".join(
    f"{frame},{track},{30 * track},1,20,20,1,-1,-1,-1\n" for frame in (1, 2) for track in (1, 2)
)
WORSE = TEXT.replace("2,2,60", "2,3,60")


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_two_files(tmp_path: Path, cli: Callable[..., tuple[int, str, str]]) -> None:
    found = folder(tmp_path, {"street-mot.txt": WORSE, "gt.txt": TEXT})
    code, out, _ = cli("evaluate", "--tracks", found / "street-mot.txt", found / "gt.txt", "--json")
    result = json.loads(out)
    assert (code, list(result["videos"])) == (0, ["street"])
    assert (result["metrics"]["MOTA"], result["metrics"]["switches"]) == (0.75, 1)
    code, out, _ = cli("evaluate", "--tracks", found / "street-mot.txt", found / "gt.txt")
    assert code == 0
    assert "MOTA: 0.7500" in out
    assert "switches: 1" in out


def test_two_folders(tmp_path: Path) -> None:
    truth = folder(tmp_path / "truth", {"a/gt/gt.txt": TEXT, "b/gt.txt": TEXT, "c.txt": TEXT})
    found = folder(
        tmp_path / "found", {"a.txt": TEXT, "b-mot.txt": WORSE, "c/test.txt": TEXT, "d.txt": TEXT}
    )
    result = score_tracks(found, truth)
    assert {name: one["switches"] for name, one in result["videos"].items()} == {
        "a": 0,
        "b": 1,
        "c": 0,
    }
    assert result["metrics"]["MOTA"] == pytest.approx(1 - 1 / 12)
    assert result["remarks"] == ["no truth for d, which is left out"]


def test_a_folder_of_one_video(tmp_path: Path) -> None:
    both = folder(tmp_path / "x", {"gt.txt": TEXT, "test.txt": WORSE})
    assert list(score_tracks(both, both)["videos"]) == ["x"]


@pytest.mark.parametrize(
    ("files", "pair", "said"),
    [
        ({"t/a.txt": TEXT, "f/b.txt": TEXT}, ("f", "t"), "'a' has none"),
        ({"t/x.md": "", "f/b.txt": TEXT}, ("f", "t"), "no video"),
        ({"t/a.txt": TEXT, "f.txt": TEXT}, ("f.txt", "t"), "two files or two folders"),
        (
            {"t/a.txt": TEXT, "f/a.txt": TEXT, "f/a-mot.txt": WORSE},
            ("f", "t"),
            "has 'a-mot.txt' and 'a.txt' of 'a'",
        ),
        (
            {"t/a.txt": TEXT, "t/a/gt/gt.txt": TEXT, "f/a.txt": TEXT},
            ("f", "t"),
            "has 'a.txt' and 'a/gt/gt.txt' of 'a'",
        ),
        ({"t.txt": "1,2", "f.txt": TEXT}, ("f.txt", "t.txt"), "line 1"),
        ({"t.txt": TEXT}, ("f.txt", "t.txt"), "f.txt"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, files: dict[str, str], pair: tuple[str, str], said: str
) -> None:
    folder(tmp_path, files)
    with pytest.raises(DataError, match=said):
        score_tracks(*(tmp_path / name for name in pair))


@pytest.mark.parametrize(
    "other",
    [
        "detect-model",
        "--data DATA",
        "--map a=b",
        "--predictions FILE",
        "--output report",
        "--format coco",
        "--augment",
        "--tiles auto",
        "--lists DIR",
        "--classes-from parent",
        "--set data.faulty=drop",
        "--engine keras",
        "--precision f32",
        "--device cpu",
    ],
)
def test_what_has_no_effect_on_tracks_is_refused(
    tmp_path: Path, cli: Callable[..., tuple[int, str, str]], other: str
) -> None:
    found = folder(tmp_path, {"found.txt": WORSE, "gt.txt": TEXT})
    words = [str(found / "gt.txt") if word == "FILE" else word for word in other.split()]
    tracks = ("--tracks", found / "found.txt", found / "gt.txt")
    code, out, err = cli("evaluate", *words, *tracks)
    name = words[0] if words[0].startswith("-") else "MODEL"
    assert (code, out) == (2, "")
    assert "--tracks scores tracks as they are, without a model or data, and goes with" in err
    assert f"got {name} too" in err
    assert not (tmp_path / "report").exists()


def test_without_a_model_and_without_tracks(cli: Callable[..., tuple[int, str, str]]) -> None:
    code, _, said = cli("evaluate")
    assert code == 2
    assert "--tracks" in said
