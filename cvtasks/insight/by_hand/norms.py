"""What batch, layer, instance and group normalisation average over, with numbers."""

from collections.abc import Sequence
from math import prod, sqrt
from typing import Literal, get_args

import numpy as np

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.by_hand.layout import CAPTION, EDGE, cells, headed, lines, new_page, wide
from cvtasks.insight.by_hand.steps import number

Norm = Literal["batch", "layer", "instance", "group"]
NORMS: tuple[Norm, ...] = get_args(Norm)
EPSILON = 1e-5
"""Is added to the variance, so that nothing is divided by 0."""
MOST_SETS = 12
"""Sets of numbers that a sheet has colours for."""
_COLOURS = np.array(
    (
        *((255, 224, 138), (185, 228, 192), (205, 222, 250), (246, 210, 224)),
        *((222, 214, 244), (255, 205, 170), (190, 232, 232), (226, 226, 150)),
        *((238, 190, 190), (200, 200, 235), (215, 235, 215), (230, 215, 200)),
    ),
    np.uint8,
)


def sets_of(shape: Sequence[int], how: Norm, groups: int = 2) -> np.ndarray:
    """To which set each number of maps belongs: those with the same one share a mean and a
    variance.

    Args:
        shape: (n, h, w, c): images, rows, columns, channels.
        how: batch: each channel by itself, over all images and places; layer: each image by itself,
            over all places and channels; instance: each channel of each image; group: each group of
            neighbouring channels of each image.
        groups: of channels.

    Returns:
        (n, h, w, c) ints from 0 on.

    Raises:
        UsageError: another name or shape, or groups that do not part the channels evenly.

    Wu and He, "Group Normalization", 2018, figure 2.

    >>> sets_of((2, 1, 1, 4), "batch").ravel().tolist()
    [0, 1, 2, 3, 0, 1, 2, 3]
    >>> sets_of((2, 1, 1, 4), "group", 2).ravel().tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    if how not in NORMS:
        raise UsageError(
            f"a normalisation must be {', '.join(NORMS)}; got {how!r}. {did_you_mean(how, NORMS)}"
        )
    if len(shape) != 4 or min(shape) < 1:
        raise UsageError(f"maps to be normalised are (n, h, w, c); got {tuple(shape)}.")
    image, _, _, channel = np.indices(shape)
    channels = shape[3]
    if how == "group" and (groups < 1 or channels % groups):
        fit = ", ".join(str(one) for one in range(1, channels + 1) if channels % one == 0)
        raise UsageError(
            f"the groups must part {channels} channels evenly; got {groups}. These do: {fit}."
        )
    return {
        "batch": channel,
        "layer": image,
        "instance": image * channels + channel,
        "group": image * groups + channel // max(channels // groups, 1),
    }[how]


def normalise(maps: np.ndarray, how: Norm, groups: int = 2, epsilon: float = EPSILON) -> np.ndarray:
    """Maps whose sets of numbers each have mean 0 and variance 1, x̂ = (x − E[x]) / √(Var[x] + ε).

    What a network learns on top, a factor and a summand for each channel, is left at 1 and 0.

    Args:
        maps: (n, h, w, c), any numbers.
        how, groups: as of `sets_of`.

    Returns:
        (n, h, w, c) float64.

    Raises:
        UsageError: as of `sets_of`.

    >>> normalise(np.array([[[[1.0], [3.0]]]]), "instance", epsilon=0.0).ravel().tolist()
    [-1.0, 1.0]
    """
    maps = np.asarray(maps, np.float64)
    sets = sets_of(maps.shape, how, groups)
    result = np.empty(maps.shape)
    for one in range(int(sets.max()) + 1):
        values = maps[sets == one]
        result[sets == one] = (values - values.mean()) / np.sqrt(values.var() + epsilon)
    return result


def drawn_maps(images: int, channels: int, side: int, seed: int) -> np.ndarray:
    """Maps (images, side, side, channels) of whole numbers from 0 to 9, by a seed."""
    return np.random.default_rng(seed).integers(0, 10, (images, side, side, channels)).astype(float)


_OVER = {
    "batch": "each channel, over the batch's images",
    "layer": "each image, over its channels",
    "instance": "each channel of each image",
    "group": "each group of channels of each image",
}


def norm_work(maps: np.ndarray, how: Norm, groups: int = 2) -> list[str]:
    """The arithmetic of the first number of maps (n, h, w, c), line by line.

    >>> norm_work(np.array([[[[1.0], [3.0]]]]), "instance")[-1]
    'x̂ = (1 - 2)/√1 = -1'
    """
    maps = np.asarray(maps, np.float64)
    sets = sets_of(maps.shape, how, groups)
    values, first = maps[sets == sets[0, 0, 0, 0]], float(maps[0, 0, 0, 0])
    mean, variance = float(values.mean()), float(values.var())
    result = (first - mean) / sqrt(variance + EPSILON)
    return [
        f"{int(sets.max()) + 1} sets of {values.size} numbers",
        f"E[x] = {number(values.sum())}/{values.size} = {number(mean)}",
        f"Var[x] = {number(variance)}",
        f"x̂ = ({number(first)} - {number(mean)})/√{number(variance)} = {number(result)}",
    ]


def remarks(maps: np.ndarray, groups: int = 2, momentum: float = 0.99) -> list[str]:
    """What the numbers show beyond the averages: which norms look at the other images, that a
    factor before them vanishes, and batch norm's running average.

    Args:
        maps: (n, h, w, c).
        momentum: of the running average; 0.99 is Keras' default.
    """
    lines = []
    if len(maps) > 1:
        for how in NORMS:
            alone = normalise(maps[:1], how, groups)[0, 0, 0, 0]
            among = normalise(maps, how, groups)[0, 0, 0, 0]
            lines.append(
                f"{how}: the first number becomes {number(among)}, without the other images of the "
                f"batch {number(alone)}"
            )
    scaled = normalise(255 * maps, "batch")[0, 0, 0, 0]
    mean = maps[..., 0].mean()
    return [
        *lines,
        f"of numbers 255 times as large batch norm makes {number(scaled)} too",
        "batch norm predicts with running averages: the first channel's begins at 0 and becomes "
        f"{number(momentum)}·0 + {number(1 - momentum)}·{number(mean)} = "
        f"{number((1 - momentum) * mean)} after this batch",
        "keras.layers.LayerNormalization() averages over the channels of each place by itself; "
        "with axis=(1, 2, 3) it is the layer norm of here",
    ]


def norm_sheet(maps: np.ndarray, groups: int = 2) -> np.ndarray:
    """The same few numbers under each of the four norms: what is averaged together has one colour,
    and the first number is worked out.

    Args:
        maps: (n, h, w, c), so few that every set has a colour.
        groups: of channels.

    Returns:
        (h', w', 3) uint8 RGB.

    Raises:
        UsageError: groups that do not part the channels evenly, or too many numbers.
    """
    maps = np.asarray(maps, np.float64)
    sets = {how: sets_of(maps.shape, how, groups) for how in NORMS}
    count, side, _, channels = maps.shape
    if max(int(each.max()) for each in sets.values()) >= MOST_SETS or prod(maps.shape) > 128:
        raise UsageError(
            f"a sheet shows at most {MOST_SETS} sets, images times channels, and 128 numbers; got "
            f"{count} × {channels} of {side} × {side}."
        )
    page = new_page()
    top = headed(
        page,
        "what is averaged together has one colour",
        f"{count} × {channels} maps of {side} × {side}: a row an image, a column a channel;  "
        "x̂ = (x − E[x]) / √(Var[x] + ε)",
    )
    works = {how: _joined(norm_work(maps, how, groups)) for how in NORMS}
    words = [1.2 * wide(_title(how), CAPTION) for how in NORMS]
    words += [wide(line) for work in works.values() for line in work]
    across = max(channels * (side + 0.4), *words) + 1.0
    tall = count * (side + 0.4) + 3.0
    for place, how in enumerate(NORMS):
        down, right = divmod(place, 2)
        x, y = EDGE + right * across, top + down * tall
        page.text(x, y + 0.4, _title(how), CAPTION * page.unit, bold=True)
        for image, channel in np.ndindex(count, channels):
            left, above = x + channel * (side + 0.4), y + 0.9 + image * (side + 0.4)
            fills = _COLOURS[sets[how][image, ..., channel]]
            cells(page, left, above, maps[image, ..., channel], fills)
        page.frame(x, y + 0.9, 1, 1)
        lines(page, x, y + 1.1 + count * (side + 0.4), works[how])
    return page.pixels()


def _title(how: Norm) -> str:
    return f"{how} norm: {_OVER[how]}"


def _joined(work: list[str]) -> list[str]:
    """Four lines as two."""
    return [f"{work[0]};  {work[1]}", f"{work[2]};  {work[3]}"]
