"""The way back through a filter or a pooling over one channel, with its arithmetic written out: the
exercise "write down the gradients, and take account of weight sharing".
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.backward import (
    convolution_gradients,
    norm_slopes,
    pool_gradient,
    pool_switches,
)
from cvtasks.insight.by_hand.convolution import region
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling, Step, Work, factor, number


@dataclass(frozen=True, eq=False)
class Back:
    """What comes back through a `Filtering` or a `RegionPooling`.

    Attributes:
        forward: (h', w') S, what came out on the way there.
        upstream: (h', w') δ = ∂L/∂S, what comes back.
        passed: (h', w') δ behind a ReLU, which lets it through where its input was above 0; else
            the upstream itself.
        image: (h, w) ∂L/∂I.
        kernel: (k, l) ∂L/∂K of the kernel's cells as they are typed; None of a pooling.
        bias: ∂L/∂b, the sum of δ over all places; None of a pooling.
        steps: of a filter one for each cell of the kernel: what it lay on as `values` and δ as
            `weights`. Of a pooling one for each place of the output: the region, and in `weights`
            what each of its cells gets.
    """

    forward: np.ndarray
    upstream: np.ndarray
    passed: np.ndarray
    image: np.ndarray
    kernel: np.ndarray | None
    bias: float | None
    steps: tuple[Step, ...]


def way_back(channel: np.ndarray, work: Work, upstream: np.ndarray | None = None) -> Back:
    """Lead a gradient back through a filter or a pooling over one channel.

    Args:
        channel: (h, w), any numbers.
        upstream: (h', w') δ = ∂L/∂S; ones by default, as of the loss L = Σ S.

    Raises:
        UsageError: δ has not the output's shape; or a padding that repeats cells.

    >>> from cvtasks.insight.by_hand.kernels import kernel
    >>> grid = np.array([[1, 2, 0], [0, 1, 3], [4, 0, 1]])
    >>> back = way_back(grid, Filtering(kernel("1 0; 0 1"), padding="valid"))
    >>> back.kernel.tolist(), back.bias
    ([[4.0, 6.0], [5.0, 5.0]], 4.0)
    >>> back.steps[0].work
    ('1·1 + 1·2', '+ 1·0 + 1·1 = 4')
    """
    channel = np.asarray(channel, np.float64)
    forward = work.apply(channel)
    delta = np.ones(forward.shape) if upstream is None else np.asarray(upstream, np.float64)
    if delta.shape != forward.shape:
        raise UsageError(
            "what comes back must have the output's rows and columns, "
            f"{' and '.join(map(str, forward.shape))}; got "
            f"{' and '.join(map(str, delta.shape))}. Leave it out for ones."
        )
    if isinstance(work, RegionPooling):
        image = pool_gradient(
            channel[..., None],
            delta[..., None],
            work.size,
            work.how,
            stride=work.stride,
            padding=work.padding,
            p=work.p,
        )
        steps = _pool_steps(channel, work, delta, forward)
        return Back(forward, delta, delta, image[..., 0], None, None, steps)
    passed = np.where(forward > 0, delta, 0.0) if work.relu else delta
    found = convolution_gradients(
        channel[..., None],
        work.kernel.weights[..., None, None],
        passed[..., None],
        stride=work.stride,
        padding=work.padding,
        dilation=work.dilation,
        mode=work.mode,
    )
    kernel = found.kernel[..., 0, 0] / work.kernel.divisor
    steps = tuple(_kernel_step(channel, work, passed, (m, n)) for m, n in np.ndindex(kernel.shape))
    return Back(forward, delta, passed, found.image[..., 0], kernel, float(found.bias[0]), steps)


def laid_at(work: Filtering, cell: tuple[int, int]) -> tuple[int, int]:
    """Where a cell of the kernel lies in the window: a convolution turns it by half a circle."""
    if work.mode == "cross-correlation":
        return cell
    tall, wide = work.kernel.cells.shape
    return tall - 1 - cell[0], wide - 1 - cell[1]


def _kernel_step(
    channel: np.ndarray, work: Filtering, delta: np.ndarray, cell: tuple[int, int]
) -> Step:
    """∂L/∂K of one cell: δ times what the cell lay on, added up over all places."""
    (rows, columns), (m, n) = work.extents(channel.shape), laid_at(work, cell)
    under = work.ground(channel)[rows.under(m), columns.under(n)]
    result = float((delta * under).sum())
    texts = [
        " + ".join(f"{factor(d)}·{factor(v)}" for d, v in zip(*line, strict=True))
        for line in zip(delta, under, strict=True)
    ]
    texts = [*texts[:1], *(f"+ {text}" for text in texts[1:])]
    texts[-1] += f" = {number(result)}"
    if work.kernel.divisor != 1:
        result /= work.kernel.divisor
        texts[-1] += f"; /{work.kernel.divisor} = {number(result)}"
    return Step(*cell, under, delta, result, tuple(texts))


def _pool_steps(
    channel: np.ndarray, work: RegionPooling, delta: np.ndarray, forward: np.ndarray
) -> tuple[Step, ...]:
    rows, columns = work.extents(channel.shape)
    switches = pool_switches(
        channel[..., None], work.size, stride=work.stride, padding=work.padding
    )[..., 0, :]
    steps = []
    for i, j in np.ndindex(delta.shape):
        place = region(rows, i), region(columns, j)
        values, back = channel[place], float(delta[i, j])
        if work.how == "max":
            row, column = map(int, switches[i, j])
            shares = np.zeros(values.shape)
            shares[row - place[0].start, column - place[1].start] = delta[i, j]
            at = f"row {row}, column {column}"
            text = f"{number(float(forward[i, j]))} was at {at}: it gets {number(back)}"
        elif work.how == "lp":
            shares = back * norm_slopes(values[..., None], work.p)[..., 0]
            power = number(work.p - 1)
            texts = (
                f"{factor(back)}·sign({number(value)})·({number(abs(value))}/"
                f"{number(float(forward[i, j]))})^{power} = {number(share)}"
                for value, share in zip(values.flat, shares.flat, strict=True)
            )
            text = "; ".join(texts) if forward[i, j] else "all of it is 0: nothing comes back"
        else:
            count = values.size if work.how == "average" else 1
            shares = np.full(values.shape, delta[i, j] / count)
            each = f"{factor(back)}/{count} = {number(back / count)}"
            text = f"each of {values.size} gets {each if count > 1 else number(back)}"
        steps.append(Step(i, j, values, shares, float(forward[i, j]), (text,)))
    return tuple(steps)
