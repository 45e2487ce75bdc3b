"""Activation functions and their derivatives, as numbers and as curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np

from cvtasks.drawing.plots import function_curves
from cvtasks.errors import UsageError, did_you_mean

_erf = np.vectorize(erf, otypes=[np.float64])
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Activation:
    """A function of a unit's sum z.

    Attributes:
        formula: as it is written.
        value, slope: f and its derivative f′, float64 of any shape to the same shape. Where f has a
            corner, at 0, f′ is that from the left, as networks take it.
        remark: what is to be known of it.
    """

    formula: str
    value: Function
    slope: Function
    remark: str


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(z / 2))  # of large |z| too


def _normal(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + _erf(z / sqrt(2)))


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(
        "max(0, z)",
        lambda z: np.maximum(z, 0.0),
        lambda z: np.where(z > 0, 1.0, 0.0),
        "never negative; below 0 nothing comes back",
    ),
    "leaky-relu": Activation(
        "z, below 0: 0.2 z",
        lambda z: np.where(z > 0, z, 0.2 * z),
        lambda z: np.where(z > 0, 1.0, 0.2),
        "something comes back everywhere",
    ),
    "elu": Activation(
        "z, below 0: exp z − 1",
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0))),
        "smooth at 0, not below −1",
    ),
    "softplus": Activation(
        "log(1 + exp z)",
        lambda z: np.logaddexp(0.0, z),
        _sigmoid,
        "never negative: a smooth ReLU",
    ),
    "sigmoid": Activation(
        "1 / (1 + exp −z)",
        _sigmoid,
        lambda z: _sigmoid(z) * (1 - _sigmoid(z)),
        "0 to 1, a probability; flat far from 0",
    ),
    "tanh": Activation(
        "tanh z",
        np.tanh,
        lambda z: 1 - np.tanh(z) ** 2,
        "−1 to 1; flat far from 0",
    ),
    "gelu": Activation(
        "z · Φ(z)",
        lambda z: z * _normal(z),
        lambda z: _normal(z) + z * np.exp(-(z**2) / 2) / sqrt(2 * np.pi),
        "Φ: the normal distribution's share below z",
    ),
    "silu": Activation(
        "z · sigmoid z",
        lambda z: z * _sigmoid(z),
        lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z))),
        "also called swish",
    ),
}
"""Name → function. `leaky-relu`, `elu` and `gelu` are Keras' with its defaults."""


def activation(name: str) -> Activation:
    """An activation function by its name.

    Raises:
        UsageError: there is none.

    >>> activation("relu").value(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    if name not in ACTIVATIONS:
        raise UsageError(
            f"an activation function must be {', '.join(ACTIVATIONS)}; got {name!r}. "
            f"{did_you_mean(name, ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


def activation_sheet(names: Sequence[str] = tuple(ACTIVATIONS), reach: float = 4.0) -> np.ndarray:
    """Curves of activation functions from −`reach` to `reach`, their derivatives dashed.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        UsageError: there is no such function.
    """
    z = np.linspace(-reach, reach, 401)
    chosen = [(name, activation(name)) for name in names]
    return function_curves(
        z,
        {f"{name}: {one.formula}": (one.value(z), one.slope(z)) for name, one in chosen},
    )
