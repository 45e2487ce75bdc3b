"""The arithmetic of a window that slides over a map: how large the output is, and how often the
window is used.

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016. Everything is about
one axis; an image has two.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from cvtasks.errors import UsageError


@dataclass(frozen=True)
class Window:
    """A window along one axis: output i looks at the inputs i · stride − before + 0, dilation, 2 ·
    dilation, …

    Attributes:
        kernel: how many inputs it looks at, K.
        stride: how far it moves from one output to the next, S.
        before: zeros put before the first input, P; negative where inputs are cut off.
        after: those put behind the last.
        dilation: distance between the inputs that it looks at.
        transposed: the window of a transposed convolution: input i writes to the outputs i · stride
            − before + 0, dilation, …
    """

    kernel: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    transposed: bool = False

    @property
    def reach(self) -> int:
        """How many inputs lie between its first and its last, both counted: D (K − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def exact(self, size: int) -> Fraction:
        """(W − K + P before + P after) / S + 1, which is a whole number where the windows fill the
        padded input exactly.

        (W − 1) · S + K − P before − P after of a transposed convolution.
        """
        if self.transposed:
            return Fraction((size - 1) * self.stride + self.reach - self.before - self.after)
        return Fraction(size - self.reach + self.before + self.after, self.stride) + 1

    def fits(self, size: int) -> bool:
        """Whether the windows fill an input of that size exactly:
        nothing is left over at its end.
        """
        exact = self.exact(size)
        return exact.denominator == 1 and exact >= 1

    def taps(self, size: int, output: int) -> int:
        """How many pairs of one of `output` outputs and one of `size` inputs the window joins; what
        meets padding is none.
        """
        if self.transposed:
            size, output = output, size
        total = 0
        for offset in range(0, self.reach, self.dilation):
            shift = offset - self.before  # output i looks at input i · stride + shift
            first = max(0, -(shift // self.stride))  # the least i with i · stride + shift ≥ 0
            total += max(0, min(output, (size - 1 - shift) // self.stride + 1) - first)
        return total


Windows = tuple[Window, Window]
"""Of rows and columns."""
Sides = tuple[int, ...]
"""The shape of a map without the batch."""


def same(size: int, kernel: int, stride: int, dilation: int = 1) -> Window:
    """The window whose padding makes the output `size` / `stride`, rounded up; an odd zero goes
    behind, as TensorFlow has it.

    >>> same(7, 3, 1).before, same(7, 3, 1).after
    (1, 1)
    >>> same(224, 3, 2).before, same(224, 3, 2).after
    (0, 1)
    """
    reach = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return Window(kernel, stride, total // 2, total - total // 2, dilation)


def transposed(
    size: int, kernel: int, stride: int, padding: str | int, dilation: int = 1
) -> Window:
    """The window of a transposed convolution, which undoes what a convolution of these numbers does
    to sizes.

    Args:
        padding: what is cut off the output at both ends; "valid" cuts nothing, "same" what makes it
            `size` · `stride`.

    Raises:
        UsageError: a number that no window has.

    >>> [output_size(4, transposed(4, 3, 2, padding)) for padding in ("valid", 1, "same")]
    [9, 7, 8]
    """
    one = padded(size, kernel, stride, 0 if padding == "same" else padding, dilation)
    if padding == "same":
        surplus = one.reach - stride
        one = replace(one, before=max(surplus, 0) // 2, after=surplus - max(surplus, 0) // 2)
    return replace(one, transposed=True)


def padded(size: int, kernel: int, stride: int, padding: str | int, dilation: int = 1) -> Window:
    """The window for a padding as users write it: "same", "valid", or so many zeros at both ends.

    Raises:
        UsageError: a number that no window has.
    """
    sizes = {"input": size, "kernel": kernel, "stride": stride, "dilation": dilation}
    for name, value in sizes.items():
        if value < 1:
            raise UsageError(f"the {name} must be at least 1; got {value}.")
    if padding == "same":
        return same(size, kernel, stride, dilation)
    zeros = 0 if padding == "valid" else padding
    if isinstance(zeros, str) or zeros < 0:
        raise UsageError(
            f'the padding must be "same", "valid" or a number from 0 on; got {padding!r}.'
        )
    return Window(kernel, stride, zeros, zeros, dilation)


def output_size(size: int, window: Window) -> int:
    """How many outputs a window has on `size` inputs: (W − K + 2P) / S + 1, rounded down; 0 where
    it does not fit once.

    (W − 1) · S + K − 2P of a transposed convolution.

    >>> [output_size(7, Window(3, stride)) for stride in (1, 2, 3)]
    [5, 3, 2]
    >>> [Window(3, stride).fits(7) for stride in (1, 2, 3)]
    [True, True, False]
    """
    return max(0, int(window.exact(size) // 1))


def stacked_field(layers: int, kernel: int, stride: int = 1, dilation: int = 1) -> int:
    """How many inputs one output of `layers` equal convolutions sees: 1 + L (K − 1) for stride 1.

    With a stride S every layer's step is S times that of the one before: 1 + D (K − 1) (1 + S + S²
    + …).

    >>> [stacked_field(layers, 3) for layers in (1, 2, 3)]
    [3, 5, 7]
    """
    return 1 + dilation * (kernel - 1) * sum(stride**number for number in range(layers))
