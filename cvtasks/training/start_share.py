"""The weights that a run began with, of which what is measured and kept has a share.

Wortsman et al., "Robust fine-tuning of zero-shot models" (2022): between a network that knows much
and the same network fine-tuned on little, the straight line of weights often leads over better ones
than both.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import final

import keras
import numpy as np

from cvtasks.weights.safetensors_file import read_safetensors, write_safetensors
from cvtasks.weights.transfer import by_path


@final
class StartShare:
    """Draws weights back towards those of the start.

    Args:
        network: with the weights that its run begins with.
        share: of the start's weights, 0 to 1.
        given: paths of the variables that the start gave; the others stay as they are learned.
        file: where the start's weights are kept, so that a run that is resumed knows them: written
            where it is not there yet.
    """

    def __init__(
        self, network: keras.Model, share: float, given: Collection[str], file: Path
    ) -> None:
        self._share = share
        if not file.exists():
            values = {
                path: np.array(variable.numpy())
                for path, variable in by_path(network).items()
                if path in given
            }
            write_safetensors(file, values)
        stored = read_safetensors(file)
        self._start = [stored[path].read() if path in stored else None for path in by_path(network)]

    def drawn(self, learned: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Weights in the network's order, between what was learned and the start."""
        return [
            value if start is None else value + np.float32(self._share) * (start - value)
            for value, start in zip(learned, self._start, strict=True)
        ]
