"""Where a run stands, its history, and what it tells whoever watches it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """One row of the history. All but `loss` is of the averaged weights where the recipe asks for
    an average.

    Attributes:
        loss: mean over the epoch's steps, of varied images and while the weights change.
        scores: of the validation split; empty where it was not looked at.
        losses: "validation", "training" → mean loss of that split's images as they are; of the
            training split a fixed sample.
        train_scores: of that sample.
    """

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    train_scores: dict[str, float] = field(default_factory=dict)

    def columns(self) -> dict[str, float]:
        """What was looked at, by the names that it has in `history.csv` and the log: `val_loss`,
        `train_loss` and the scores of both splits, those of the training split behind "train ".
        """
        short = {"validation": "val_loss", "training": "train_loss"}
        return {
            **self.scores,
            **{short.get(split, split): loss for split, loss in self.losses.items()},
            **{f"train {name}": score for name, score in self.train_scores.items()},
        }


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `epoch` and `step` are the next ones to do; `seconds` were spent before
    on the epoch.

    After the last step of an epoch what is left to do of it is the look at the validation split.
    `best` is the best score so far, -inf before there was one; `best_epoch` the epoch, counted from
    0, whose weights are kept.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best: float = -math.inf
    best_epoch: int = 0
    looks_since_best: int = 0
    setbacks: int = 0
    history: tuple[Epoch, ...] = ()

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Progress":
        """What `dataclasses.asdict` made a dictionary of, which JSON may have held."""
        return cls(**{**said, "history": tuple(Epoch(**row) for row in said["history"])})

    def after(self, row: Epoch, judged: bool) -> tuple["Progress", bool]:
        """Where the run stands after an epoch, and whether that one's weights are to be kept.

        Of equal scores the one with the lowest loss of validation is kept, though no look counts as
        a better one by its loss. Where nothing judges the epochs, none is known to be better than
        another: the one that has learned longest is kept.

        Args:
            judged: whether the validation split can tell a good epoch from a bad one.
        """
        headline = next(iter(row.scores.values()), math.nan) if judged else math.nan
        best = max(self.best, -math.inf if math.isnan(headline) else headline)
        better = bool(row.scores) and (best > self.best or best == -math.inf)
        kept = better or (headline == self.best and self._loss_falls_in(row))
        return Progress(
            epoch=self.epoch + 1,
            best=best,
            best_epoch=self.epoch if kept else self.best_epoch,
            looks_since_best=0 if better else self.looks_since_best + bool(row.scores),
            setbacks=self.setbacks,
            history=(*self.history, row),
        ), kept

    def _loss_falls_in(self, row: Epoch) -> bool:
        """Whether the loss of validation is lower than that of the weights that are kept; False
        where one of them is not known.
        """
        before = self.history[self.best_epoch].losses.get("validation", math.nan)
        return row.losses.get("validation", math.nan) < before


@dataclass(frozen=True)
class Verdict:
    """What the curves of a finished run say.

    Attributes:
        text: one sentence, and what helps.
        more: epochs that to go on with it may pay for; 0 where they would not.
    """

    text: str
    more: int = 0


def _on_step(epoch: int, step: int, steps: int, loss: float, images: int) -> None:
    """Hear of a step that was begun, counted from 1, and of the images in it. The loss is the last
    one that is known, of this step or one before; NaN while there is none.
    """


@dataclass(frozen=True)
class Report:
    """What a run tells whoever watches it; every function may be left as it is.

    `on_begin` hears how many epochs there will be, which minutes may have decided;
    `on_verdict` what the curves say at the end, if anything.
    """

    on_message: Callable[[str], None] = lambda text: None
    on_begin: Callable[[int], None] = lambda epochs: None
    on_step: Callable[[int, int, int, float, int], None] = _on_step
    on_epoch: Callable[[Epoch, bool], None] = lambda row, best: None
    on_verdict: Callable[[Verdict], None] = lambda told: None
