"""Convolution and pooling by hand, the companion of the lectures: written to be read, and drawn
step by step.
"""

from cvtasks.insight.by_hand.backward import (
    convolution_gradients,
    convolve_transposed,
    pool_gradient,
    pool_switches,
)
from cvtasks.insight.by_hand.convolution import along, convolve, pool
from cvtasks.insight.by_hand.kernels import kernel

__all__ = [
    "along",
    "convolution_gradients",
    "convolve",
    "convolve_transposed",
    "kernel",
    "pool",
    "pool_gradient",
    "pool_switches",
]
