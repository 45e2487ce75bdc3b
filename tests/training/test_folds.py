"""Cross-validation: every image is validated on once, what is finished is not repeated, and the
means are those of the folds.
"""

import json
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cvtasks.cli import main
from cvtasks.data.held_out import write_names
from cvtasks.data.run_facts import FACTS
from cvtasks.data.source import Source
from cvtasks.data.tiled import whole
from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.training import folds
from cvtasks.training.budget import Pace
from cvtasks.training.folds import _listed, begin_folds, run_folds, share_of
from cvtasks.training.layout import CARD, FOLDS, LISTS
from cvtasks.training.plan import Plan, planned
from cvtasks.training.progress import Progress, Report
from cvtasks.training.stopping import Stopped


def plan_of(shapes: Path) -> Plan:
    wishes = {
        "backbone": "tiny",
        "size": 64,
        "head.channels": [16, 16],
        "data.path": str(shapes),
        "data.held_out": 0.5,
        "data.workers": 0,
        "train.weights": "none",
        "train.epochs": 1,
        "train.batch": 4,
        "train.precision": "f32",
    }
    return planned("segment", list(wishes.items()))


def test_what_is_said_of_the_data_is_of_the_folds(tmp_path: Path) -> None:
    """Of a class with one image the fold that validates on it has none to train on."""
    data = tmp_path / "data"
    for number, name in enumerate("abc"):
        (data / name).mkdir(parents=True)
        for copy in range(1 + 3 * (name == "c")):
            place = data / name / f"{copy}.png"
            Image.effect_noise((40, 40), 40 * number + 9 * copy + 20).save(place)
    said: list[str] = []
    wishes = {"data.path": str(data), "backbone": "tiny", "data.held_out": share_of(3)}
    plan = planned("classify", list(wishes.items()), said.append, folds=True)
    begin_folds(plan, 3, tmp_path / "runs", "")
    parts = _listed(tmp_path / "runs", plan.recipe, 3, said.append)
    lacking = []
    for number, one in enumerate(parts, 1):
        learned = {name for i in range(len(one.train)) for name in one.train.truth(i).names}
        if missing := sorted({*"abc"} - learned):
            lacking.append(
                f"data: fold {number} of 3 trains on no image that shows {', '.join(missing)}"
            )
    assert lacking
    assert [line for line in said if line.startswith("data: ")] == [
        f"data: {data} has no splits",
        f"data: class folders, {data}, 6 images, 3 classes",
        "data: 3 folds of 6 images; each image is validated on once",
        *lacking,
    ]


def test_folds_of_images_in_tiles_have_all_images_in_tiles(shapes: Path, tmp_path: Path) -> None:
    plan = plan_of(shapes)
    recipe = replace(plan.recipe, data=replace(plan.recipe.data, tiles=(40, 40)))
    begin_folds(plan, 2, tmp_path / "runs", "")
    parts = _listed(tmp_path / "runs", recipe, 2, lambda text: None)
    assert sum(len(whole(one.validate)) for one in parts) == 24
    assert all(len(split) > 12 for one in parts for split in (one.train, one.validate))


def test_tiles_of_a_cross_validation_are_those_of_all_images(shapes: Path) -> None:
    wishes = {"data.path": str(shapes), "backbone": "tiny", "data.tiles": [40, 40]}
    said: list[str] = []
    wishes["data.held_out"] = share_of(2)
    planned("segment", list(wishes.items()), said.append, folds=True)
    tiles = [line for line in said if "larger than a tile" in line]
    assert len(tiles) == 1
    assert tiles[0].startswith("data: train: 24 of 24 images are larger than a tile of 40x40; ")


def test_a_cross_validation_that_sets_nothing_aside_is_refused(shapes: Path) -> None:
    """The folds would be those of data with other classes than the recipe's."""
    wishes = [("data.path", str(shapes)), ("backbone", "tiny"), "data.held_out=0"]
    with pytest.raises(UsageError, match=r"is set aside once; got `data.held_out = 0`"):
        planned("segment", wishes, folds=True)


class Ended(Exception):
    """A run that is cut off."""


def test_folds_are_run_resumed_and_summed_up(shapes: Path, tmp_path: Path) -> None:
    folder, heard = tmp_path / "runs", []

    def report_of(recipe, place: Path) -> Report:
        heard.append(place.name)

        def cut(epoch: int, step: int, *_: object) -> None:
            if len(heard) == 2:
                raise Ended

        return Report(on_step=cut)

    begin_folds(plan_of(shapes), 2, folder, "cvtasks train segment")
    with pytest.raises(UsageError, match="exists, and nothing is overwritten"):
        begin_folds(plan_of(shapes), 2, folder, "")
    with pytest.raises(Ended):
        run_folds(folder, report_of)
    assert (folder / "fold0" / CARD).exists() and not (folder / "fold1" / CARD).exists()
    before = (folder / "fold0" / CARD).stat().st_mtime_ns
    result = run_folds(folder, report_of)
    assert heard == ["fold0", "fold1", "fold1"]
    assert (folder / "fold0" / CARD).stat().st_mtime_ns == before

    names = [
        (folder / f"fold{number}" / "validation.txt").read_text().splitlines() for number in (0, 1)
    ]
    assert not set(names[0]) & set(names[1])
    assert len(names[0]) + len(names[1]) == 24  # all images of the training split
    assert result == json.loads((folder / FOLDS).read_text())
    scores = [
        json.loads((folder / f"fold{number}" / "metrics.json").read_text())["metrics"]
        for number in (0, 1)
    ]
    for name, found in result["metrics"].items():
        numbers = [one[name] for one in scores]
        assert found["mean"] == pytest.approx(statistics.mean(numbers), abs=1e-6)
        assert found["spread"] == pytest.approx(statistics.stdev(numbers), abs=1e-6)
    mean = result["metrics"]["VOC mean IoU"]["mean"]
    assert f"{mean:.3f} ± " in (folder / CARD).read_text()


@pytest.mark.parametrize(("finished", "ways"), [(0, True), (1, True), (0, False), (1, False)])
def test_a_fold_that_is_stopped_names_the_whole_cross_validation(
    shapes: Path, tmp_path: Path, monkeypatch, finished: int, ways: bool
) -> None:
    """Who resumes the fold alone would never have the others trained."""
    folder = tmp_path / "runs"
    begin_folds(plan_of(shapes), 2, folder, "")

    def stopping(plan: Plan, place: Path, command: str, report: Report) -> None:
        if place.name == f"fold{finished}":
            raise Stopped("stopped; saved.", ways={"resume": str(place)} if ways else {})
        place.mkdir()
        (place / CARD).touch()
        (place / "metrics.json").write_text(json.dumps({"images": 4, "metrics": {}}))

    monkeypatch.setattr("cvtasks.training.run.run", stopping)
    with pytest.raises(Stopped) as told:
        run_folds(folder, lambda recipe, place: Report())
    if not (finished or ways):  # nothing is kept of it
        assert (str(told.value), told.value.ways) == ("stopped; saved.", {})
        return
    assert told.value.ways == {"resume": str(folder)}
    assert str(told.value) == (
        f"stopped; saved. Resume the whole cross-validation in {str(folder)!r}: "
        f"{finished} of 2 folds {'is' if finished else 'are'} finished."
    )


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch) -> tuple[Path, Path]:
    """Data, and a cross-validation of three folds in which one was trained, and another version
    would deal them otherwise.
    """
    data, folder = tmp_path / "data", tmp_path / "runs"
    for number in range(12):
        place = data / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 40), 15 * number + 20).save(place)

    def ended(plan: Plan, place: Path, command: str, report: Report) -> None:
        if (folder / "fold0").exists() and not (folder / "again").exists():
            raise Ended
        place.mkdir()
        write_names(place / "validation.txt", plan.sources.validate)
        (place / CARD).touch()
        (place / "metrics.json").write_text(json.dumps({"images": 4, "metrics": {}}))

    monkeypatch.setattr("cvtasks.training.run.run", ended)
    wishes = {"data.path": str(data), "backbone": "tiny", "data.held_out": share_of(3)}
    begin_folds(planned("classify", list(wishes.items())), 3, folder, "")
    with pytest.raises(Ended):
        run_folds(folder, lambda recipe, place: Report())
    (folder / "again").touch()
    usual = folds._dealt

    def otherwise(every: Source, count: int, seed: int) -> list[list[int]]:
        return usual(every, count, seed + 1)

    monkeypatch.setattr(folds, "_dealt", otherwise)
    return data, folder


def resume(folder: Path) -> list[str]:
    run_folds(folder, lambda recipe, place: Report())
    lines = [(folder / f"fold{number}" / "validation.txt").read_text() for number in range(3)]
    return "".join(lines).splitlines()


def test_a_resumed_cross_validation_has_the_folds_that_it_began_with(stopped) -> None:
    _, folder = stopped
    names = resume(folder)
    assert len(names) == len(set(names)) == 12, "each image is validated on once"
    for number in range(3):
        begun = (folder / LISTS / f"fold{number}" / "validation.txt").read_text()
        assert (folder / f"fold{number}" / "validation.txt").read_text() == begun


@pytest.mark.parametrize("number", [0, 2])
def test_a_fold_whose_images_are_gone_is_no_other_fold(stopped, number: int) -> None:
    data, folder = stopped
    path = folder / LISTS / f"fold{number}" / "validation.txt"
    gone = path.read_text().splitlines()[0]
    next(data.rglob(f"{Path(gone).stem}.png")).unlink()
    with pytest.raises(DataError, match=r"; 1 of them is not in .*, which has 11. Bring") as told:
        resume(folder)
    assert repr(str(path)) in str(told.value)


def test_images_that_came_after_the_folds_were_dealt_are_refused(stopped) -> None:
    data, folder = stopped
    Image.effect_noise((40, 40), 7).save(data / "a" / "new.png")
    with pytest.raises(DataError, match=r"; 1 image of .* is in none of .*, or in several: .*new"):
        resume(folder)


def test_an_older_cross_validation_without_lists_goes_on_where_it_is_dealt_alike(
    stopped, monkeypatch
) -> None:
    _, folder = stopped
    shutil.rmtree(folder / LISTS)
    with pytest.raises(DataError, match=r"fold0.* names other images than this version deals out"):
        resume(folder)
    assert not (folder / LISTS).exists()
    otherwise = folds._dealt
    monkeypatch.setattr(
        folds, "_dealt", lambda every, count, seed: otherwise(every, count, seed - 1)
    )
    assert len(set(resume(folder))) == 12


def test_data_that_cannot_be_dealt_out_leave_no_folder(stopped, tmp_path: Path) -> None:
    data, _ = stopped
    wishes = {"data.path": str(data), "backbone": "tiny", "data.held_out": share_of(20)}
    with pytest.raises(DataError, match="20 parts need as many groups"):
        begin_folds(planned("classify", list(wishes.items())), 20, tmp_path / "new", "")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", ["", "{}", '{"folds": 1, "command": ""}', "[]", None])
def test_a_folder_without_a_cross_validation_is_refused(tmp_path: Path, content) -> None:
    if content is not None:
        (tmp_path / FOLDS).write_text(content)
    with pytest.raises(ModelError, match="a cross-validation goes on by"):
        run_folds(tmp_path, lambda recipe, place: Report())


@pytest.mark.parametrize("count", [1, 101])
def test_too_few_or_too_many_folds_are_refused(shapes: Path, tmp_path: Path, count: int) -> None:
    with pytest.raises(UsageError, match="2 to 100 folds"):
        begin_folds(plan_of(shapes), count, tmp_path / "new", "")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "words", [["--dry-run"], ["--show-recipe"], ["--show-recipe", "--dry-run"], ["--devices", "2"]]
)
def test_a_resumed_cross_validation_is_not_trained_where_it_is_to_be_looked_at(
    shapes: Path, tmp_path: Path, monkeypatch, cli, words: list[str]
) -> None:
    def trained(*what: object) -> None:
        raise AssertionError("a training begins")

    monkeypatch.setattr("cvtasks.training.run.run", trained)
    begin_folds(plan_of(shapes), 2, tmp_path / "runs", "")
    code, _, err = cli("train", "--resume", tmp_path / "runs", *words)
    assert code == 2
    assert f"'{tmp_path / 'runs'}', and takes no {sorted(words)[0]}. Leave it out" in err


@pytest.fixture
def paced(monkeypatch) -> None:
    """A dry run that trains nothing: a step takes a second, a look ten."""
    pace = Pace(start=5.0, step=1.0, look=10.0, save=0.0)
    monkeypatch.setattr("cvtasks.training.run.rehearse", lambda plan, report: None)
    monkeypatch.setattr("cvtasks.training.budget.measured_learner", lambda *plan: (None, pace))
    monkeypatch.setattr("cvtasks.training.budget.measured", lambda *plan: pace)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        # 3 steps of 4 of the 12 images in each fold, and 2 looks
        (["--epochs", "4"], "time: about 37 s for each of 2 folds, together 1 min 14 s: 12 steps"),
        (["--minutes", "3"], "time: at most 3 min 00 s for each of 2 folds, together 6 min 00 s"),
    ],
)
def test_the_time_of_a_cross_validation_is_that_of_all_folds(
    shapes: Path, tmp_path: Path, paced, monkeypatch, cli, limit: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    how = ["--backbone", "tiny", "--size", 64, "--weights", "none", "--batch", 4]
    how += ["--validate_every", 2, "--folds", 2, "--dry-run", *limit]
    code, _, err = cli("train", "segment", "--data", shapes, *how)
    assert code == 0, err
    assert words in err


@pytest.mark.parametrize(
    ("folds", "words", "time"),
    [
        # of 11 images 4, 4 and 3 are validated on, at a step an image
        (
            3,
            ("11 in 3 folds", "4 epochs of 7 to 8 steps in each of 3 folds at batch 1"),
            "1 min 13 s to 1 min 17 s for each of 3 folds, together 3 min 43 s: 28 to 32 steps",
        ),
        (
            11,
            ("11 in 11 folds", "4 epochs of 10 steps in each of 11 folds at batch 1"),
            "1 min 25 s for each of 11 folds, together 15 min 35 s: 40 steps",
        ),
    ],
)
def test_a_plan_of_folds_has_the_steps_of_each(
    tmp_path: Path, paced, cli, folds: int, words: tuple[str, ...], time: str
) -> None:
    """They are not those of the two parts that the plan has the data in."""
    for number in range(11):
        place = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 40), 20 + 9 * number).save(place)
    how = ["--backbone", "tiny", "--size", 32, "--weights", "none", "--batch", 1, "--epochs", 4]
    how += ["--folds", folds, "--dry-run"]
    code, out, err = cli("train", "classify", "--data", tmp_path / "data", *how)
    assert code == 0, err
    said = " ".join(out.split())
    for word in words:
        assert word in said
    assert f"time: about {time} of 1 s, and 4 looks" in err


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Progress(), "37 s for what is left after 0 epochs: 12 steps of 1 s, and 2 looks"),
        (Progress(epoch=3, step=1), "17 s for what is left after 3 epochs: 2 steps of 1 s, and 1 "),
        (Progress(epoch=4), "5 s for what is left after 4 epochs: 0 steps of 1 s, and 0 looks"),
    ],
)
def test_the_time_of_a_resumed_run_is_that_of_what_is_left(
    shapes: Path, tmp_path: Path, paced, monkeypatch, cli, done: Progress, words: str
) -> None:
    plan = plan_of(shapes)
    how = replace(plan.recipe.train, epochs=4, validate_every=2)
    plan = replace(plan, recipe=replace(plan.recipe, train=how), resumes=True)
    monkeypatch.setattr("cvtasks.training.plan.resumed", lambda *what, **more: plan)
    monkeypatch.setattr("cvtasks.training.checkpoint.progress_in", lambda path: done)
    code, _, err = cli("train", "--resume", tmp_path, "--dry-run")
    assert code == 0, err
    assert f"time: about {words}" in err


def test_one_fold_alone_is_refused(shapes: Path, monkeypatch, capsys) -> None:
    words = ["cvtasks", "train", "detect", "--data", str(shapes), "--folds", "1", "--dry-run"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "from 2 to 100; got" in capsys.readouterr().err


@pytest.mark.parametrize("older", [False, True])
def test_a_fold_that_is_stopped_while_it_is_measured_goes_on_with_what_fits(
    older: bool, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what its run noted as chosen, and where an older version noted nothing, by the folds."""
    made, folder = plan_of(shapes), tmp_path / "runs"
    recipe = replace(made.recipe, train=replace(made.recipe.train, epochs=90, minutes=1.0))
    begin_folds(replace(made, recipe=recipe), 2, folder, "")

    def stopped(*plan: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cvtasks.training.budget.measured_learner", stopped)
    with pytest.raises(Stopped):
        run_folds(folder, lambda recipe, place: Report())
    facts = json.loads((folder / "fold0" / FACTS).read_text())
    noted = facts.pop("chosen")
    assert noted == sorted(made.chosen) and "train.warmup" in noted
    if older:
        (folder / "fold0" / FACTS).write_text(json.dumps(facts))

    def goes_on(plan: Plan, place: Path, command: str, report: Report) -> None:
        assert plan.resumes
        assert plan.chosen == made.chosen
        raise Ended

    monkeypatch.setattr("cvtasks.training.run.run", goes_on)
    with pytest.raises(Ended):
        run_folds(folder, lambda recipe, place: Report())
