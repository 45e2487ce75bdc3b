"""What changes over a run: the learning rate, and how much of the backbone is frozen."""

import math

from cvtasks.recipe import Train


def learning_rate(how: Train, updates: float) -> float:
    """The learning rate after `updates` epochs, which may be a fraction.

    Where the frozen part of the backbone changes, a fresh optimizer begins; it is warmed up as the first one is, by a linear
    rise over `warmup` epochs to what the schedule says.

    >>> how = Train(epochs=10, learning_rate=1.0, warmup=1.0, schedule="step", freeze=((0, 4), (2, 0)))
    >>> [round(learning_rate(how, at), 4) for at in (0, 0.5, 1, 1.9, 2, 2.5, 3, 5.9, 6, 8.5)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0, 0.1, 0.01]
    """
    if updates < how.warmup:
        factor = updates / how.warmup
    else:
        done = min(1.0, (updates - how.warmup) / max(how.epochs - how.warmup, 1e-9))
        factor = {
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "poly": (1 - done) ** 0.9,
            "step": 0.1 ** sum(updates >= share * how.epochs for share in (0.6, 0.85)),
            "constant": 1.0,
        }[how.schedule]
    begun = _stage_begun(how, math.floor(updates))
    if begun and updates - begun < how.warmup:
        factor *= (updates - begun) / how.warmup
    return how.learning_rate * factor


def frozen_stride(how: Train, epoch: int) -> int:
    """Stride up to which the backbone is frozen in `epoch`, counted from 0; 0 where all of it learns.

    >>> [frozen_stride(Train(freeze=((1, 8), (3, 0))), epoch) for epoch in range(5)]
    [0, 8, 8, 0, 0]
    """
    return max(((start, stride) for start, stride in how.freeze if start <= max(epoch, 0)), default=(0, 0))[1]


def _stage_begun(how: Train, epoch: int) -> int:
    """The epoch in which what is frozen in `epoch` was frozen; 0 for the run's beginning."""
    changes = (start for start, _ in how.freeze if 0 < start <= epoch)
    return max((start for start in changes if frozen_stride(how, start) != frozen_stride(how, start - 1)), default=0)
