"""What the terminal shows of a training run."""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.cli.output import Ticker, duration, say
from cvtasks.cli.pace import Pace
from cvtasks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cvtasks.recipe.recipe import Recipe
    from cvtasks.training.progress import Epoch, Report, Verdict

_SCORES = 2  # that an epoch's line shows; the history has all


def terminal_report(recipe: "Recipe", folder: Path, tensorboard: bool = False) -> "Report":
    """What the terminal shows of a run in a folder."""
    from cvtasks.training.progress import Report

    ticker, epochs = Ticker(), recipe.train.epochs
    pace = Pace(epochs)
    board = board_in(folder) if tensorboard else None

    def on_begin(number: int) -> None:
        nonlocal epochs, pace
        epochs, pace = number, Pace(number)

    def on_step(epoch: int, step: int, steps: int, loss: float, images: int) -> None:
        pace.step()
        speed, left = pace.speed, pace.left(epoch, step, steps)
        foretold = (
            ""
            if speed is None or left is None
            else f"  {images * speed:.1f} images/s  {duration(left)} left"
        )
        said = "" if math.isnan(loss) else f"  loss {loss:.4f}"
        ticker.show(f"epoch {epoch + 1}/{epochs}  step {step}/{steps}{said}{foretold}")

    def on_epoch(row: "Epoch", best: bool) -> None:
        pace.epoch()
        ticker.clear()
        say(f"epoch {row.epoch + 1}/{epochs}  {epoch_words(row, best)}")
        if board:
            board(row)

    return Report(
        on_message=say,
        on_begin=on_begin,
        on_step=on_step,
        on_epoch=on_epoch,
        on_verdict=lambda told: say(told.text + way_on(folder, told)),
    )


def way_on(folder: Path, told: "Verdict") -> str:
    """The command that goes on with a finished run, where that may pay.

    >>> from cvtasks.training.progress import Verdict
    >>> way_on(Path("mine"), Verdict("it has not converged.", more=30))
    ' Go on with it: cvtasks train ./mine --epochs 30'
    """
    if not told.more:
        return ""
    where = str(folder) if len(folder.parts) > 1 else f"./{folder}"  # a bare name is the zoo's
    return f" Go on with it: cvtasks train {shlex.quote(where)} --epochs {told.more}"


def epoch_words(row: "Epoch", best: bool) -> str:
    """What an epoch's line says: the loss, that of validation, the headline with that of the
    training images beside it, or else the first scores, whether the weights are kept, and the time.

    >>> from cvtasks.training.progress import Epoch
    >>> scores = {"AP": 0.41, "AP50": 0.6}
    >>> epoch_words(Epoch(2, 0.81, 0.1, 12.0, scores, {"validation": 0.92}, {"AP": 0.55}), True)
    'loss 0.810 | val 0.920  AP 0.410 (train 0.550)  best  12 s'
    """
    from cvtasks.evaluation.evaluate import score_text

    words = f"loss {row.loss:.3f}"
    if "validation" in row.losses:
        words += f" | val {score_text(row.losses['validation'], 3)}"
    first = next(iter(row.train_scores), "")
    for name, score in list(row.scores.items())[: 1 if first else _SCORES]:
        beside = f" (train {score_text(row.train_scores[name], 3)})" if name == first else ""
        words += f"  {name} {score_text(score, 3)}{beside}"
    return f"{words}{'  best' if best else ''}  {duration(row.seconds)}"


def board_in(folder: Path) -> "Callable[[Epoch], None]":
    """What appends an epoch to TensorBoard's files in `folder`; an error now, not later, where the
    extra is missing.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UsageError(
            '--tensorboard needs an extra. Install it: pip install "cvtasks[tensorboard]"'
        ) from error

    def write(row: "Epoch") -> None:
        with SummaryWriter(
            str(folder / "tensorboard")
        ) as writer:  # a file an epoch: nothing is made before the run has begun
            for name, number in {
                "loss": row.loss,
                "learning rate": row.learning_rate,
                **row.columns(),
            }.items():
                if not math.isnan(number):
                    writer.add_scalar(name, number, row.epoch + 1)

    return write
