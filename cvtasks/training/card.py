"""What a reader finds in a model folder: the card and the curves."""

import io
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtasks.data.held_out import NAMES
from cvtasks.data.opening import title as place
from cvtasks.evaluation.evaluate import score_text, with_interval
from cvtasks.evaluation.model_facts import model_bytes
from cvtasks.files.writing import write_bytes, write_text
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.text import agreeing, code, counted, markdown, one_line
from cvtasks.training.first_weights import IMAGENET, RANDOM, is_model
from cvtasks.training.layout import CARD

if TYPE_CHECKING:
    from cvtasks.training.progress import Epoch


def write_card(
    folder: Path,
    recipe: Recipe,
    scores: dict[str, Any],
    *,
    command: str,
    machine: str,
    training_seconds: float,
    epochs: int,
    epoch: int,
    judged: bool,
    train_images: int,
    resumed: str = "",
    ended: bool = False,
) -> None:
    """Write the folder's `README.md` from what was measured.

    Args:
        epochs: that it was trained, fewer than the recipe's where it ended early.
        epoch: whose weights these are, counted from 1; `judged`: whether it had the best score, and
            is not just the last.
        command: that it was begun by; `resumed`: the one that it went on by, if it was resumed.
        ended: whether it was made a model before its last epoch because somebody asked for it.
    """
    title = one_line(folder.name)
    size = model_bytes(folder)
    often = judged and recipe.train.validate_every < recipe.train.epochs
    looks = "which also chose the best epoch" if often else "after the last epoch"
    best = (
        f"the best epoch was {epoch}"
        if judged
        else f"the best epoch is not known, as none has a score; kept is the last, {epoch}"
    )
    again = (
        "it was ended before its last epoch, which no command does again"
        if ended
        else "the same command trains the model again"
    )
    early = f" of {recipe.train.epochs}" if epochs < recipe.train.epochs else ""
    text = f"""# {markdown(title)}

A model for the task *{recipe.task.name}*: {recipe.backbone}, images of \
{recipe.size}×{recipe.size} pixels, {counted(len(recipe.classes), "class")}
({", ".join(map(markdown, recipe.classes))}). {size / 1e6:.1f} MB with its graph.

```
cvtasks {recipe.task.name} image.jpg --model {shlex.quote(title)}
```

{_scores(recipe, scores)}

## How it was made

- command: {_commands(command, resumed)}
{_beginning(recipe, train_images)}
- {counted(epochs, "epoch")}{early}, {training_seconds / 60:.0f} minutes; {best}
- machine: {machine}

`recipe.toml` has every setting; {again}.

## Limits

It knows the classes above and nothing else; what is none of them may be taken for one. It was \
measured on the split named above
only, {looks}, so expect a little less on other images. Do not use it where an error harms someone.
"""
    write_text(folder / CARD, text)


def _commands(begun: str, resumed: str) -> str:
    """The command that a run was begun by, and whether and by which it went on."""
    if not resumed:
        return code(begun)
    by = "" if resumed == begun else f" by {code(resumed)}"
    return f"{code(begun)}; it was stopped, and resumed{by}"


def _scores(recipe: Recipe, scores: dict[str, Any]) -> str:
    """What was measured, on what."""
    measured = code(place(scores["data"], scores["split"]))
    if recipe.data.held_out:
        measured = (
            f"{code(place(scores['data'], recipe.data.train))} that "
            f"{agreeing(scores['images'], 'was', 'were')} set aside "
            f"({recipe.data.held_out:g} of it; `{NAMES}`)"
        )
    metrics = score_lines(scores)
    if scores.get("intervals"):
        metrics += "\n\nIn brackets: 95 % intervals by a bootstrap over the images."
    return f"""## Scores

On {counted(scores["images"], "image")} of {measured}, at their own size, by the \
{scores["engine"]} engine in
{scores["precision"]}:

{metrics}

{class_table(scores)}

`metrics.json` holds these numbers, `report.html` shows them and the worst images; \
`history.csv`, `log.jsonl` and `curves.png`
have the course of the training."""


def score_lines(scores: dict[str, Any]) -> str:
    """The list of scores of what `metrics.json` holds, with their intervals."""
    spans = scores.get("intervals", {})
    return "\n".join(
        f"- **{name}: {with_interval(number, spans.get(name), 3)}**"
        for name, number in scores["metrics"].items()
    )


def class_table(scores: dict[str, Any]) -> str:
    """The table of its classes' scores."""
    names = list(next(iter(scores["classes"].values())))
    rows = [f"| class | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for name, row in scores["classes"].items():
        rows.append(
            f"| {markdown(name)} | {' | '.join(score_text(row[column], 3) for column in names)} |"
        )
    return "\n".join(rows)


def _beginning(recipe: Recipe, train_images: int) -> str:
    """What the training began with: the data and the weights."""
    others = (
        f"; classes that are not named above count as {recipe.data.unlisted}"
        if recipe.task.answer.keeps_others
        else ""
    )
    images = counted(train_images, "image")
    return f"""\
- data: {images} of {code(place(recipe.data.path, recipe.data.train))}{others}
- start: {_start(recipe.train)}; seed {recipe.train.seed}"""


def _start(how: Train) -> str:
    """The weights that a run began with."""
    if how.weights in ("", RANDOM):
        return "backbone with random weights, head with random weights"
    digest = f" (SHA-256 {how.weights_sha256})" if how.weights_sha256 else ""
    if is_model(how.weights):
        return f"what fits of the model {code(Path(how.weights).name)}{digest}, the rest random"
    name = how.weights if how.weights == IMAGENET else Path(how.weights).name
    return f"backbone with weights from {code(name)}{digest}, head with random weights"


def write_curves(path: Path, history: Sequence["Epoch"], kept: int | None = None) -> None:
    """Draw loss and headline score over the epochs to a PNG, of training and of validation: where
    the two part is over-fitting.

    Args:
        kept: the epoch, counted from 0, whose weights are kept; it is marked.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    sides = figure.subplots(1, 2)
    looks = [row for row in history if row.scores]
    name = next(iter(looks[0].scores)) if looks else "score"
    loss, score = (_axes(side, title) for side, title in zip(sides, ("loss", name), strict=True))
    if history:
        steps = [(row.epoch, row.loss) for row in history]
        _curve(loss, "training, varied images", steps, color="0.6", linewidth=1)
    for split, of_split, style in (
        ("training", "train_scores", {"color": "C0", "linestyle": "--"}),
        ("validation", "scores", {"color": "C1"}),
    ):
        seen = [(row.epoch, row.losses[split]) for row in looks if split in row.losses]
        _curve(loss, split, seen, marker=".", **style)
        scored = [(row.epoch, getattr(row, of_split).get(name, math.nan)) for row in looks]
        _curve(score, split, scored, marker=".", **style)
    for axes in (loss, score):
        if kept is not None and looks:
            axes.axvline(kept + 1, color="0.3", linewidth=1, linestyle=":", label="kept")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
    _fit_losses(loss)
    score.set(ylim=(0, 1))
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    write_bytes(path, content.getvalue())


def _axes(axes: Any, name: str) -> Any:
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    return axes


def _curve(axes: Any, name: str, points: Sequence[tuple[int, float]], **style: Any) -> None:
    """Draw (epoch, number) pairs, but for those that are no numbers."""
    known = [(epoch + 1, number) for epoch, number in points if math.isfinite(number)]
    if known:
        axes.plot(*zip(*known, strict=True), label=name, **style)


def _fit_losses(axes: Any) -> None:
    """From zero up to what the losses are once the first epoch, which may be far above, is over."""
    later = [max(line.get_ydata()[1:], default=math.nan) for line in axes.lines[:3]]
    top = max((one for one in later if math.isfinite(one)), default=math.nan)
    axes.set_ylim(0, 1.1 * top if top > 0 else None)
