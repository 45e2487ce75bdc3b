"""What a file of weights holds, whatever its format: tensors that are described before they are
read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtasks.errors import ModelError

NAME_LIMIT = 1000
"""Characters of a tensor's name."""


@dataclass(frozen=True)
class Stored:
    """One tensor of a file: what it declares, and `read()`, which returns it as an array of that
    shape and dtype; and whether it is of a network that flattens a map channel by channel.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]
    channels_first: bool = False


def damaged(path: Path, what: str) -> ModelError:
    """The error for a file that is not what its ending says; `what` gives the rule and what
    was found.
    """
    return ModelError(
        f"{str(path)!r} cannot be used as a file of weights: {what}. Fetch or save it again."
    )
