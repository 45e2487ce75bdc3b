"""The learning rate over a run."""

import math

from cvtasks.recipe import Train


def learning_rate(how: Train, updates: float) -> float:
    """The learning rate after `updates` epochs, which may be a fraction.

    >>> how = Train(epochs=10, learning_rate=1.0, warmup=1.0, schedule="step")
    >>> [round(learning_rate(how, at), 4) for at in (0, 0.5, 1, 5.9, 6, 8.5)]
    [0.0, 0.5, 1.0, 1.0, 0.1, 0.01]
    """
    if updates < how.warmup:
        return how.learning_rate * updates / how.warmup
    done = min(1.0, (updates - how.warmup) / max(how.epochs - how.warmup, 1e-9))
    factor = {
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "poly": (1 - done) ** 0.9,
        "step": 0.1 ** sum(updates >= share * how.epochs for share in (0.6, 0.85)),
        "constant": 1.0,
    }[how.schedule]
    return how.learning_rate * factor
