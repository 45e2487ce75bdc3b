"""The report of a measurement: one page that stands alone, and the files beside it."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.data import Source
from cvtasks.data.opening import title as place
from cvtasks.drawing.plots import history_curves
from cvtasks.evaluation import markup
from cvtasks.evaluation.evaluate import score_text, with_interval
from cvtasks.evaluation.figures import Drawn, Gallery, ImageOf, drawn
from cvtasks.evaluation.model_facts import ModelFacts, model_facts
from cvtasks.evaluation.thresholds import ByThreshold, by_threshold
from cvtasks.files.writing import made_beside, publish, write_text
from cvtasks.media.images import write_image
from cvtasks.metrics.average_precision import THRESHOLDS
from cvtasks.metrics.base import Metric
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted, dumps, some
from cvtasks.zoo import with_weights

PAGE = "report.html"

_MOST = 1_900_000  # bytes of a page
_TILES = 8  # of a gallery
_EPOCHS = 120  # of a history that are listed, beside the first and the last
_NAMED = 30  # classes that a line lists
_CLASSES = 40  # more of them are folded
_SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, math.inf)}

_COLOURS = "Green, solid: what is there. Red, dashed: what was found."

_PLOTS = {
    "pr-curves.png": (
        "Precision and recall",
        "Precision against recall, a curve for each class; the legend has the area below each.",
    ),
    "f1-curve.png": (
        "F1 by threshold",
        "F1 against the least score of what is shown, a curve for each class and the mean; a "
        "dotted line marks the best threshold that may be chosen.",
    ),
    "confusion.png": (
        "What is taken for what",
        "A table of truth by prediction, as shares of each row.",
    ),
    "classes.png": ("By class", "Bars of the numbers of each class, the lowest on top."),
    "iou-curve.png": (
        "By how well a box must fit",
        "The share of images that are right against the least IoU that is asked for.",
    ),
}


@dataclass(frozen=True)
class Subject:
    """What a report is about, beside its numbers.

    Attributes:
        recipe: the model's; `folder` the model's.
        command: what was typed to have the report.
        remarks: what was said of the data.
    """

    recipe: Recipe
    folder: Path
    command: str = ""
    remarks: tuple[str, ...] = ()


def write_report(
    folder: Path, result: dict[str, Any], metric: Metric, source: Source, subject: Subject
) -> list[str]:
    """Write `report.html`, `report.json`, which is `result`, and the metric's figures; returns the
    names of all files.

    Args:
        source: what the metric has counted, all of it and in this order.

    Raises:
        OutputError: a file cannot be written, or something has its name by now.
    """
    figures = drawn(metric, _images_of(source))
    written = [PAGE, "report.json"]
    with made_beside(folder) as beside:
        write_text(beside / PAGE, report_page(result, metric, figures, subject))
        write_text(beside / "report.json", dumps(result, indent=2) + "\n")
        for name, image in figures.files():
            write_image(beside / name, image)
            written.append(name)
        publish({beside / name: folder / name for name in written})
    return written


def write_page(
    path: Path, result: dict[str, Any], metric: Metric, source: Source, subject: Subject
) -> None:
    """Write the page alone; `source` as for `write_report`."""
    figures = drawn(metric, _images_of(source))
    write_text(path, report_page(result, metric, figures, subject))


def report_page(result: Mapping[str, Any], metric: Metric, figures: Drawn, subject: Subject) -> str:
    """The page: scores with intervals, the course of training, plots, a slider of the threshold,
    the worst images, and what was measured on what.

    It is one file of less than two megabytes that asks nothing of any other place.

    Args:
        result: what `cvtasks.evaluation.evaluate.report` says of the metric; `figures` what
            `drawn` makes of it.
    """
    # a model that was run has its weights
    known = model_facts(with_weights(subject.folder) if result["engine"] else subject.folder)
    cut = by_threshold(metric)
    parts = [
        _head(result, subject),
        markup.section("Scores", *_scores(result)),
        markup.section("Course of the training", *_course(known, next(iter(result["metrics"])))),
        markup.section("Threshold", *_threshold(cut, subject.recipe)),
        markup.section("Plots", *_plots(figures)),
        markup.section("Errors", *_errors(metric, result, cut)),
    ]
    facts = markup.section("Model and data", *_facts(result, subject, known))
    room = _MOST - sum(map(len, (*parts, facts)))
    return markup.page(
        f"{result['model']}: report", [*parts, *_galleries(figures.galleries, room), facts]
    )


def _images_of(source: Source) -> ImageOf:
    def image_of(index: int) -> tuple[str, np.ndarray]:
        sample = source[index]
        return sample.name, sample.image

    return image_of


def _head(result: Mapping[str, Any], subject: Subject) -> str:
    name, number = next(iter(result["metrics"].items()))
    score = with_interval(number, result["intervals"].get(name))
    where = f"{counted(result['images'], 'image')} of {place(result['data'], result['split'])}"
    return (
        f"<header>\n<h1>{markup.escaped(result['model'])}</h1>\n"
        + markup.paragraph(f"{subject.recipe.task.name}, measured on {where}", "under")
        + markup.paragraph(f"{name} {score}", "headline")
        + "\n</header>"
    )


def _scores(result: Mapping[str, Any]) -> Iterable[str]:
    spans = result["intervals"]
    rows = []
    for name, number in result["metrics"].items():
        span = spans.get(name)
        ends = f"{score_text(span[0])} to {score_text(span[1])}" if span else ""
        shown = "" if number is None else markup.bar(number, span)
        rows.append([name, score_text(number), ends, shown])
    yield markup.table(
        "Each number by the standard that it is named after, from 0 to 1",
        ["metric", "score", "95 % interval", ""],
        rows,
    )
    if spans:
        yield markup.paragraph(
            "The interval is a percentile bootstrap over the images: what other images of the same "
            "kind might have given. It does not cover another training, nor other kinds of images.",
            "note",
        )
    classes = result["classes"]
    if classes:
        columns = list(next(iter(classes.values())))
        lines = [
            [name, *(score_text(row[key]) for key in columns)] for name, row in classes.items()
        ]
        listed = markup.table("By class", ["class", *columns], lines)
        yield (
            markup.folded(counted(len(lines), "class"), listed) if len(lines) > _CLASSES else listed
        )


def _course(known: ModelFacts, headline: str) -> Iterable[str]:
    columns = known.columns()
    if "epoch" not in columns or "loss" not in columns:
        return
    epochs = columns["epoch"]
    curves = {name: row for name, row in columns.items() if name not in _NO_CURVES}
    losses = {name: row for name, row in curves.items() if "loss" in name}
    scores = {name: row for name, row in curves.items() if "loss" not in name}
    shown = {name: row for name, row in scores.items() if headline in name}
    yield markup.figure(
        markup.png(history_curves(epochs, losses, shown)),
        f"Loss and {headline} over {counted(len(epochs), 'epoch')}; the table has the numbers.",
        "Loss and score by epoch; where training and validation part, it is over-fitting.",
        plot=True,
    )
    names = [name for name in known.history[0] if name not in scores or name in shown]
    caption, kept = _listed(known)
    yield markup.folded(
        "Numbers by epoch",
        markup.table(caption, names, [[row[name] for name in names] for row in kept]),
    )


def _listed(known: ModelFacts) -> tuple[str, list[dict[str, str]]]:
    """The rows of a history that are listed, all where they are few, and what is said of them."""
    rows = list(known.history)
    if len(rows) <= _EPOCHS:
        return "As in history.csv", rows
    columns = [row for name, row in known.columns().items() if name not in (*_NO_CURVES, "loss")]
    looked = [i for i in range(len(rows)) if any(not math.isnan(row[i]) for row in columns)]
    what, found = "look at the validation split", looked
    if not looked:
        what, found = "epoch", list(range(len(rows)))
    step = -(-len(found) // _EPOCHS)
    kept = sorted({0, *found[::-step], len(rows) - 1})  # from the end: it has learned most there
    every = f"every {what}" if step == 1 else f"one {what} in {step}"
    return (
        f"The first epoch, the last and {every}; history.csv has all the {len(rows):,} epochs",
        [rows[i] for i in kept],
    )


_NO_CURVES = ("epoch", "learning_rate", "seconds")


def _threshold(cut: ByThreshold | None, recipe: Recipe) -> Iterable[str]:
    if cut is None:
        return
    yield markup.paragraph(f"{cut.meaning} {cut.why}")
    yield markup.paragraph(
        f"The model's own threshold, below which nothing is shown, is {recipe.task.threshold:g}."
    )
    numbers = [
        [[None if math.isnan(x) else round(float(x), 6) for x in column] for column in rows]
        for rows in cut.rows.values()
    ]
    told = {"columns": cut.columns, "names": list(cut.rows), "numbers": numbers}
    # within a script only `<` could end it
    data = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    shown = "\n".join(
        f'<div>{name}: <output id="number{i}" for="range which"></output></div>'
        for i, name in enumerate(cut.columns)
    )
    yield (
        '<div id="slider" hidden>\n'
        '<label for="range">threshold <output id="at" for="range"></output></label>\n'
        f'<input id="range" type="range" min="0" max="100" value="{round(100 * cut.start)}">\n'
        '<label for="which">class</label><select id="which"></select>\n'
        f"{shown}\n</div>\n"
        f'<script type="application/json" id="thresholds">{data}</script>'
    )
    name, rows = next(iter(cut.rows.items()))
    lines = [
        [f"{THRESHOLDS[i]:.2f}", *(score_text(float(x), 3) for x in rows[:, i])]
        for i in range(0, len(THRESHOLDS), 5)
    ]
    listed = markup.table(name.capitalize(), ["threshold", *cut.columns], lines)
    yield markup.folded("The same as a table", listed)


def _plots(figures: Drawn) -> Iterable[str]:
    for name, image in figures.plots.items():
        caption, said = _PLOTS.get(name, (name, name))
        yield markup.figure(
            markup.png(image), f"{caption}. {said}", f"{caption}. {said}", plot=True
        )


@singledispatch
def _errors(metric: Metric, result: Mapping[str, Any], cut: ByThreshold | None) -> Iterable[str]:
    """Tables of what is wrong, for those metrics that tell."""
    return ()


@_errors.register
def _(metric: BoxesMetric, result: Mapping[str, Any], cut: ByThreshold | None) -> Iterable[str]:
    threshold = cut.start if cut else 0.5
    counts = metric.error_counts(threshold)
    rows = [[f"{kind}: {_ERRORS[kind]}", f"{count:,}"] for kind, count in counts.items()]
    yield markup.table(
        f"Kinds of error among what is shown at scores from {threshold:.2f}",
        ["kind", "how many"],
        rows,
    )
    objects = metric.counted_areas()
    rows, kind = [], "COCO segm AP" if "COCO segm AP" in result["metrics"] else "COCO AP"
    for name, (low, high) in _SIZES.items():
        score = result["metrics"].get(f"{kind} {name}")
        many = int(((objects >= low) & (objects < high)).sum())
        bar = "" if score is None else markup.bar(score)
        rows.append([name, f"{many:,}", score_text(score), bar])
    yield markup.table(
        "By size of the object: small below 32² pixels, large from 96² on",
        ["size", "objects", kind, ""],
        rows,
    )


_ERRORS = {
    "background": "nothing such is there",
    "confused": "an object of another class",
    "duplicate": "an object that was found before",
    "poorly localized": "near an object of its class, but the IoU is below 0.5",
    "missed": "an object that nothing has found",
}


def _galleries(galleries: Iterable[Gallery], room: int) -> Iterable[str]:
    """The worst images, as many as there is room for, in bytes."""
    for gallery in galleries:
        tiles: list[str] = []
        for image, said in gallery.tiles[:_TILES]:
            tile = markup.figure(markup.jpeg(image), said)
            room -= len(tile)
            if room < 0:
                break
            tiles.append(tile)
        if tiles:
            wide = gallery.tiles[0][0].shape[1] > 500
            note = _COLOURS if gallery.colours else ""
            yield markup.section(
                gallery.title,
                markup.paragraph(note, "note"),
                f'<div class="tiles{" wide" if wide else ""}">\n{chr(10).join(tiles)}\n</div>',
            )


def _facts(result: Mapping[str, Any], subject: Subject, known: ModelFacts) -> Iterable[str]:
    recipe, how = subject.recipe, subject.recipe.train
    unscored = result.get("not_scored", {})
    seconds = known.seconds
    yield markup.facts(
        {
            "model": str(result["model"]),
            "task": recipe.task.name,
            "backbone": recipe.backbone,
            "input": f"{recipe.size} × {recipe.size} pixels",
            "classes": f"{len(recipe.classes)}: {some(recipe.classes, _NAMED)}",
            "size": f"{known.bytes / 1e6:.1f} MB with its graph" if known.bytes else "",
            "engine": f"{result['engine']}, {result['precision']}" if result["engine"] else "",
            "trained on": place(recipe.data.path, recipe.data.train) if recipe.data.path else "",
            "start": (
                "random weights"
                if how.weights in ("", "none")
                else f"weights of {Path(how.weights).name}"
            ),
            "training": (
                f"{counted(len(known.history), 'epoch')}, {seconds / 60:.0f} minutes, seed "
                f"{how.seed}"
                if seconds is not None
                else ""
            ),
            "measured on": place(str(result["data"]), str(result["split"])),
            "images": f"{result['images']:,}",
            "not scored of the model": some(unscored.get("model", ()), _NAMED),
            "not scored of the data": some(unscored.get("data", ()), _NAMED),
            "taken for": some([f"{a} = {b}" for a, b in result.get("map", {}).items()], _NAMED),
            "remarks": "; ".join(subject.remarks),
            "command": subject.command,
        }
    )
