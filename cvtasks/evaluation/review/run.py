"""The images of a data set in the order in which they are worth a look."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from cvtasks.answers import Answer, Sample
from cvtasks.data.loading.workers import prepared
from cvtasks.data.source import Source
from cvtasks.data.views import Subset
from cvtasks.drawing.error_tiles import side_by_side
from cvtasks.engines.predict import predict
from cvtasks.errors import Complain, CVTasksError, strictly
from cvtasks.evaluation import markup
from cvtasks.evaluation.of_model import EvaluationData
from cvtasks.evaluation.review.suspects import (
    AGREED,
    CONFIDENT,
    LEAST,
    NOTHING,
    Said,
    Suspect,
    reviewer_of,
)
from cvtasks.evaluation.review.twins import twins
from cvtasks.evaluation.seen import seen_words
from cvtasks.files.writing import made_beside, publish, write_text
from cvtasks.heads.base import Head
from cvtasks.heads.views import Views
from cvtasks.model import Model
from cvtasks.text import cell, counted

PAGE, TABLE = "review.html", "review.csv"


@dataclass(frozen=True)
class _Twice:
    """A head that says everything, and what it is sure of."""

    head: Head

    def decode_views(
        self, views: Views, classes: tuple[str, ...], threshold: float = 0.0
    ) -> Said[Answer]:
        sure = self.head.decode_views(views, classes, CONFIDENT)
        return Said(self.head.decode_views(views, classes, threshold), sure)


def review(
    model: Model,
    source: Source,
    *,
    labelled: bool = True,
    alike: bool = True,
    only: Sequence[str] | None = None,
    on_image: Callable[[int], None] = lambda done: None,
    on_error: Complain = strictly,
) -> list[Suspect]:
    """One suspect for each image that can be read, from the most to the least likely one; of those
    that give no reason to be looked at the score is 0.

    Args:
        source: the images, with the model's classes and prepared as its task wants them
            (`cvtasks.data.views.fitted`); what it was not trained on, or it agrees with every
            mistake.
        labelled: whether truths count; without, how unsure the model is does.
        alike: whether images that look alike are looked for, which loads Keras.
        only: classes that count where predictions have others too.
        on_image: hears how many are done. on_error: hears of images that cannot be read; if it
            returns, they are left out.
    """
    recipe = model.recipe
    task = recipe.task
    reviewer = reviewer_of(task.answer, task.exclusive)
    head = cast(Head, _Twice(recipe.head))
    least = LEAST if not task.exclusive else 0.0
    images = _images(source, on_error)
    answers = predict(model.engine, head, source.classes, recipe.letterbox, images, least)
    seen = []
    for done, ((index, truth), _, said) in enumerate(answers, start=1):
        both = cast(Said, said)
        if only:
            both = Said(task.scored(both.all, only), task.scored(both.sure, only))
        reviewer.add(index, truth if labelled else None, both)
        seen.append(index)
        on_image(done)
    found = {one.image: one for one in reviewer.suspects()}
    if alike and len(seen) > 1:
        for twin in twins(model, Subset(source, seen), labelled=labelled):
            one = replace(twin, image=seen[twin.image])
            found[one.image] = _joined(found.get(one.image, one), one)
    for index in seen:
        found.setdefault(index, Suspect(index, AGREED if labelled else NOTHING, 0.0, ""))
    return sorted(found.values(), key=lambda one: (-one.score, one.image))


def write_review(
    folder: Path,
    suspects: Sequence[Suspect],
    model: Model,
    source: Source,
    *,
    top: int = 50,
    labelled: bool = True,
    remarks: Sequence[str] = (),
) -> list[str]:
    """Write `review.csv`, all suspects, and `review.html`, the first `top` of those that give a
    reason, with truth and prediction drawn; returns the names of both.

    Raises:
        OutputError: a file cannot be written, or something has its name by now.
    """
    reasons = [one for one in suspects if one.score > 0]
    tiles = [
        markup.figure(markup.jpeg(tile), f"{_title(one)}; {source.name(one.image)}")
        for one, tile in _tiles(reasons[:top], model, source, labelled)
    ]
    shown = f"{len(tiles)} of {counted(len(suspects), 'image')}, the likeliest first"
    body = [
        f"<h1>{markup.escaped(model.name)}: review</h1>",
        *(markup.paragraph(remark, "note") for remark in (*remarks, f"{shown}; {TABLE} has all.")),
        f'<div class="tiles middling">\n{chr(10).join(tiles)}\n</div>',
    ]
    with made_beside(folder) as beside:
        write_text(beside / TABLE, table(suspects, source))
        write_text(beside / PAGE, markup.page(f"{model.name}: review", body))
        publish({beside / name: folder / name for name in (TABLE, PAGE)})
    return [TABLE, PAGE]


def table(suspects: Sequence[Suspect], source: Source) -> str:
    """A CSV of the suspects: name, reason, score, detail, file."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["name", "reason", "score", "detail", "file"])
    for one in suspects:
        file = str(source.files[one.image]) if source.files else ""
        row = [source.name(one.image), one.reason, f"{one.score:.4f}", one.detail, file]
        lines.writerow([cell(text) for text in row])
    return text.getvalue()


def learned_words(model: Model, found: EvaluationData) -> str:
    """What is to be said where a model was trained on the images; empty where it was not, as far
    as is known.
    """
    known = found.seen_by(model.recipe, model.folder or Path())
    seen = seen_words(model.name, known, model.recipe, len(found.source))
    return seen and (
        f"{seen}: it has learned their mistakes as well, and what is wrong looks right to it. "
        "Train with folds, and review by each fold's model what it has not seen"
    )


def _joined(one: Suspect, twin: Suspect) -> Suspect:
    """The stronger of two reasons to look at an image, with the details of both."""
    if one is twin:
        return one
    first, second = (one, twin) if one.score >= twin.score else (twin, one)
    return replace(first, detail=f"{first.detail}; {second.detail}")


def _images(source: Source, on_error: Complain) -> Iterator[tuple[tuple[int, Answer], np.ndarray]]:
    def read(index: int) -> Sample[Answer] | CVTasksError:
        try:
            return source[index]
        except CVTasksError as error:
            return error

    calls = ((source.called(i), partial(read, i)) for i in range(len(source)))
    for index, sample in enumerate(prepared(calls)):
        if isinstance(sample, CVTasksError):
            on_error(sample)
        else:
            yield (index, sample.truth), sample.image


def _tiles(
    suspects: Sequence[Suspect], model: Model, source: Source, labelled: bool
) -> Iterator[tuple[Suspect, np.ndarray]]:
    """Each suspect, and its image with truth and prediction beside each other."""
    recipe = model.recipe
    task = recipe.task

    def images() -> Iterator[tuple[tuple[Suspect, Answer], np.ndarray]]:
        for one in suspects:
            sample = source[one.image]
            yield (one, sample.truth), sample.image

    answers = predict(
        model.engine, recipe.head, source.classes, recipe.letterbox, images(), task.threshold
    )
    for (one, truth), image, answer in answers:
        drawn = {"truth": task.draw(image, truth)} if labelled else {}
        drawn["prediction"] = task.draw(image, task.annotation(answer))
        yield one, side_by_side(drawn, f"{_title(one)} - {source.name(one.image)}")


def _title(one: Suspect) -> str:
    return f"{one.score:.2f} {one.reason}: {one.detail}"
