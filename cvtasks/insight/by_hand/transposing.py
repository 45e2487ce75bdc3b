"""A transposed convolution over one channel with its arithmetic: every number of the input writes
the kernel onto the output.
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.insight.by_hand.backward import convolve_transposed
from cvtasks.insight.by_hand.kernels import Kernel
from cvtasks.insight.by_hand.steps import Step, factor, number


@dataclass(frozen=True, eq=False)
class Transposing:
    """A kernel and how it is laid onto the output; see `convolve_transposed`.

    Attributes:
        stride: of the steps on the output.
        padding: what is cut off the output on each side.
    """

    kernel: Kernel
    stride: int = 1
    padding: int = 0

    @property
    def heading(self) -> str:
        """What is done, in a line."""
        size = " × ".join(map(str, self.kernel.cells.shape))
        cut = f", {self.padding} cut off on each side" if self.padding else ""
        return f"transposed {self.kernel.name or 'kernel'} {size}, stride {self.stride}{cut}"

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(h, w) or (h, w, c), each channel by itself → float64 of the same kind.

        Raises:
            UsageError: nothing is left, or a stride below 1.
        """
        image = np.asarray(image, np.float64)
        weights = self.kernel.weights[..., None, None]
        channels = image[..., None] if image.ndim == 2 else image
        made = [
            convolve_transposed(one[..., None], weights, stride=self.stride, padding=self.padding)
            for one in np.moveaxis(channels, -1, 0)
        ]
        return made[0][..., 0] if image.ndim == 2 else np.concatenate(made, axis=-1)

    def formulas(self, shape: tuple[int, ...]) -> tuple[str, str]:
        """(W - 1)·S + K - 2P of rows and of columns, with their numbers."""
        rows, columns = (
            f"({side} - 1)·{self.stride} + {window}"
            + (f" - 2·{self.padding}" if self.padding else "")
            + f" = {(side - 1) * self.stride + window - 2 * self.padding}"
            for side, window in zip(shape[:2], self.kernel.cells.shape, strict=True)
        )
        return rows, columns

    def brightness(self) -> str:
        """How bright the output is beside the input, in a sentence."""
        total, cells = float(self.kernel.weights.sum()), self.stride**2
        share = f"ΣK / S² = {number(total)} / {cells} = {number(total / cells)}"
        return f"the output has S² times as many numbers: on average {share} times the input's"

    def steps(self, channel: np.ndarray) -> list[Step]:
        """For each number of a channel (h, w), row by row: what it adds, (k, l) as `values`, and
        where.
        """
        found = []
        for (i, j), value in np.ndenumerate(np.asarray(channel, np.float64)):
            added = value * self.kernel.weights
            top, left = (at * self.stride - self.padding for at in (i, j))
            rows, columns = (
                f"{first}" if side == 1 else f"{first} to {first + side - 1}"
                for first, side in zip((top, left), added.shape, strict=True)
            )
            cells = "; ".join(" ".join(map(number, line)) for line in added)
            text = f"{factor(value)}·K = {cells} is added at rows {rows}, columns {columns}"
            found.append(Step(i, j, added, self.kernel.cells, float(value), (text,)))
        return found

    def spread(self, channel: np.ndarray) -> np.ndarray:
        """The channel with zeros between its numbers and around it: the transposed convolution is a
        convolution of this with the kernel turned by half a circle, and stride 1.

        >>> from cvtasks.insight.by_hand.convolution import convolve
        >>> from cvtasks.insight.by_hand.kernels import kernel
        >>> work, two = Transposing(kernel("1 2; 3 4"), stride=2), np.array([[1, 5]])
        >>> work.spread(two).astype(int).tolist()
        [[0, 0, 0, 0, 0], [0, 1, 0, 5, 0], [0, 0, 0, 0, 0]]
        >>> turned = work.kernel.cells[::-1, ::-1]
        >>> (convolve(work.spread(two), turned) == work.apply(two)).all()
        np.True_
        """
        channel = np.asarray(channel, np.float64)
        tall, wide = ((side - 1) * self.stride + 1 for side in channel.shape)
        apart = np.zeros((tall, wide))
        apart[:: self.stride, :: self.stride] = channel
        around = [side - 1 - self.padding for side in self.kernel.cells.shape]
        padded = np.pad(apart, [(max(one, 0),) * 2 for one in around])
        down, across = (max(-one, 0) for one in around)
        return padded[down : padded.shape[0] - down, across : padded.shape[1] - across]
