"""The page of a report: it stands alone, is small, says what was measured, and nothing in it runs
that others wrote.
"""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.evaluation.evaluate import report, score_text
from cvtasks.evaluation.figures import drawn
from cvtasks.evaluation.report import Subject, report_page
from cvtasks.evaluation.thresholds import MEAN, by_threshold
from cvtasks.metrics.average_precision import THRESHOLDS
from cvtasks.metrics.base import Metric
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, zoo_folder
from tests.metrics.made_up import CLASSES, KINDS, counted, some

TASK = {
    "boxes": "detect-yolox-nano-voc",
    "instances": "detect-yolox-nano-voc",
    "places": "localize-mobilenet-voc",
    "one label": "classify-lenet-mnist",
    "labels": "classify-efficientnet-lite0-voc",
    "masks": "segment-efficientnet-lite0-voc",
}
"""Kind of metric → a model whose recipe stands for that of the model measured."""
SIDES = {"boxes": (100, 120), "instances": (100, 120), "places": (100, 120), "masks": (6, 8)}


class Seen(HTMLParser):
    """The parts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
        if not {"script", "style"} & set(self._open):
            self.text += data

    def row(self, name: str, after: str = "metric") -> list[str]:
        """The row of a name in the table whose head begins with `after`."""
        begun = next(i for i, row in enumerate(self.rows) if row and row[0] == after)
        return next(row for row in self.rows[begun:] if row[0] == name)


def recipe_for(kind: str, classes: tuple[str, ...]) -> Recipe:
    recipe = read_recipe(zoo_folder() / TASK[kind] / RECIPE)
    return replace(recipe, classes=classes)


def page_of(
    kind: str, metric: Metric, folder: Path, images: int, noise: int = 0, command: str = ""
) -> tuple[str, dict]:
    """The page about a metric, and the result it is made of."""
    random = np.random.default_rng(0)
    size = (noise, noise) if noise else SIDES.get(kind, (30, 40))

    def image_of(index: int) -> tuple[str, np.ndarray]:
        return f"<b>{index}</b>.jpg", random.integers(0, 256, (*size, 3), dtype=np.uint8)

    result = report("a <model>", "data & more", "val", images, None, metric)
    subject = Subject(recipe_for(kind, metric.classes), folder, command, ("one > remark",))
    return report_page(result, metric, drawn(metric, image_of), subject), result


def check_stands_alone(page: str) -> None:
    """Nothing is asked of another place, and every image has words for it."""
    assert len(page.encode()) < 2_000_000
    assert not re.search(r"https?:|//[\w-]+\.\w|@import|url\(", page)
    seen = Seen(page)
    assert {tag for tag, _ in seen.tags}.isdisjoint({"link", "iframe", "object", "embed", "base"})
    for tag, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes), "no code within attributes"
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
        if tag == "img":
            assert len(attributes["alt"] or "") > 8
    assert "nan" not in seen.text.lower().split()
    assert "None" not in seen.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_stands_alone_and_says_what_was_measured(kind: str, tmp_path: Path) -> None:
    metric, _ = some(kind, 40)
    page, result = page_of(kind, metric, tmp_path, 40)
    check_stands_alone(page)
    seen = Seen(page)
    for name, number in result["metrics"].items():
        row = seen.row(name)
        assert row[1] == score_text(number)
        if name in result["intervals"]:
            low, high = result["intervals"][name]
            assert row[2] == f"{low:.4f} to {high:.4f}"
    for name, numbers in result["classes"].items():
        assert seen.row(name, "class")[1:] == [score_text(number) for number in numbers.values()]
    assert "a <model>" in seen.text
    assert "data & more:val" in seen.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_about_nothing(kind: str, tmp_path: Path) -> None:
    page, _ = page_of(kind, KINDS[kind][0](CLASSES), tmp_path, 0)
    check_stands_alone(page)


def test_what_others_wrote_does_not_run(tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>", "a & b", "</script><img src=x onerror=alert(1)>", '"x"')
    metric = BoxesMetric(names)
    truth = Boxes.of([[0, 0, 50, 50]] * 4, range(4), names, (100, 120))
    for _ in range(3):
        metric.add(truth, truth)
    page, _ = page_of("boxes", metric, tmp_path, 3, command="cvtasks <evaluate> & 'x'")
    check_stands_alone(page)
    seen = Seen(page)
    assert [tag for tag, _ in seen.tags].count("script") == 2, (
        "the data of the slider, and its code"
    )
    for name in names:
        assert seen.row(name, "class")[1] == "1.0000"
    assert "cvtasks <evaluate> & 'x'" in seen.text
    data = re.search(r'<script type="application/json" id="thresholds">(.*?)</script>', page)
    assert json.loads(data[1])["names"] == [MEAN, *names]


def test_what_a_history_holds_is_text(tmp_path: Path) -> None:
    """A model's folder may be a stranger's; the bars of the report are drawings, and stay."""
    drawing = "<svg onload=alert(1)>"
    lines = ["epoch,loss,val loss", "1,0.5,0.6", f"2,{drawing},<svg><script>alert(1)</script>"]
    (tmp_path / "history.csv").write_text("\n".join(lines) + "\n")
    metric, _ = some("masks", 8)
    page, _ = page_of("masks", metric, tmp_path, 8)
    check_stands_alone(page)
    seen = Seen(page)
    assert seen.row("2", "epoch")[1] == drawing
    drawn_here = [facts for tag, facts in seen.tags if tag == "svg"]
    assert drawn_here and all("onload" not in facts for facts in drawn_here)
    assert [tag for tag, _ in seen.tags].count("script") == 1


def test_five_hundred_large_images_stay_below_two_megabytes(tmp_path: Path) -> None:
    metric, _ = some("boxes", 500)
    page, _ = page_of("boxes", metric, tmp_path, 500, noise=600)
    check_stands_alone(page)
    assert page.count("data:image/jpeg") >= 8


@pytest.mark.parametrize("kind", ["boxes", "instances", "labels"])
def test_the_slider_tells_what_the_metric_does(kind: str) -> None:
    metric, _ = some(kind, 40)
    cut = by_threshold(metric)
    place = int(np.flatnonzero(THRESHOLDS.round(2) == cut.start)[0])
    assert cut.rows[MEAN][2, place] == pytest.approx(metric.best_threshold()[1])
    for name, curve in metric.curves().items():
        if curve.objects:
            np.testing.assert_allclose(cut.rows[name][2], curve.f1(THRESHOLDS))
            # everything is shown at 0, and that is where the curves end
            assert cut.rows[name][0, 0] == pytest.approx(curve.precision[-1])
            assert cut.rows[name][1, 0] == pytest.approx(curve.recall[-1])
    assert next(iter(cut.rows)) == MEAN


@pytest.mark.parametrize("kind", ["one label", "places"])
def test_the_slider_of_one_answer_an_image_shows_coverage(kind: str) -> None:
    metric, _ = some(kind, 60)
    rows = by_threshold(metric).rows["all images"]
    first = next(iter(metric.result().values()))
    shown = metric.coverage(np.array([0.0]))
    assert rows[0, 0] == 1
    assert rows[1, 0] * shown[0][0] == pytest.approx(first * 60)
    assert (np.diff(rows[0]) <= 0).all()


def test_masks_have_no_slider() -> None:
    assert by_threshold(some("masks", 5)[0]) is None


def test_the_course_of_the_training_is_drawn_where_it_is_known(tmp_path: Path) -> None:
    metric, pairs = some("masks", 8)
    plain, _ = page_of("masks", metric, tmp_path, 8)
    assert "Course of the training" not in plain
    history = "epoch,loss,val loss,seconds,VOC mean IoU,train VOC mean IoU\n"
    rows = "".join(
        f"{i},{1 / i},{1.1 / i},60.0,{i / 9 if i % 2 else ''},0.5\n" for i in range(1, 6)
    )
    (tmp_path / "history.csv").write_text(history + rows)
    page, _ = page_of("masks", counted("masks", pairs), tmp_path, 8)
    check_stands_alone(page)
    seen = Seen(page)
    assert "Course of the training" in seen.text
    assert seen.row("3", "epoch")[4:] == [str(3 / 9), "0.5"]
    assert "5 epochs, 5 minutes" in seen.text
    for broken in ("", "no history", "epoch,loss\n1,x,3,4\n"):
        (tmp_path / "history.csv").write_text(broken)
        check_stands_alone(page_of("masks", metric, tmp_path, 8)[0])


@pytest.mark.parametrize(
    ("epochs", "every", "looks", "words"),
    [
        (120, 7, 18, "As in history.csv"),
        (180, 4, 45, "The first epoch, the last and every look at the validation split; "),
        (250, 1, 84, "The first epoch, the last and one look at the validation split in 3; "),
        (1300, 1300, 1, "The first epoch, the last and every look at the validation split; "),
        (300, 0, 0, "The first epoch, the last and one epoch in 3; "),
    ],
)
def test_numbers_by_epoch_list_the_looks(
    tmp_path: Path, epochs: int, every: int, looks: int, words: str
) -> None:
    lines = ["epoch,loss,learning_rate,seconds,VOC mean IoU,val_loss"]
    for epoch in range(1, epochs + 1):
        looked = every and (epoch == epochs or epoch % every == 0)
        lines.append(f"{epoch},0.5,0.001,1.0,{'0.25,0.75' if looked else ','}")
    (tmp_path / "history.csv").write_text("\n".join(lines) + "\n")
    page, _ = page_of("masks", some("masks", 3)[0], tmp_path, 3)
    seen = Seen(page)
    head = next(i for i, row in enumerate(seen.rows) if row[:2] == ["epoch", "loss"])
    rows = [row for row in seen.rows[head + 1 :] if len(row) == len(seen.rows[head])]
    assert rows[0][0] == "1"
    assert rows[-1][0] == str(epochs)
    assert sum(row[4] == "0.25" for row in rows) == looks
    assert len(rows) <= 122
    assert (
        words + (f"history.csv has all the {epochs:,} epochs" if epochs > 120 else "") in seen.text
    )


def test_the_kinds_of_error_are_counted_as_they_are_shown() -> None:
    metric, _ = some("boxes", 40)
    for threshold in (0.0, 0.5, 0.9):
        listed = [
            error.kind for error in metric.false_positives(10_000) if error.score >= threshold
        ]
        listed += [error.kind for error in metric.missed(threshold, 10_000)]
        counts = metric.error_counts(threshold)
        assert {kind: listed.count(kind) for kind in counts} == counts


def test_the_worst_masks_are_kept_and_no_perfect_one() -> None:
    metric, pairs = some("masks", 40)
    alone = [counted("masks", [pair]).result()["VOC mean IoU"] for pair in pairs]
    worst = metric.worst(5)
    assert [one.iou for one in worst] == pytest.approx(sorted(alone)[:5])
    assert [alone[one.image] for one in worst] == pytest.approx(sorted(alone)[:5])
    truth = pairs[0][0]
    assert counted("masks", [(truth, truth)] * 3).worst(5) == []
