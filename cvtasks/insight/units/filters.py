"""The filters of a convolution: its weights as images and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from cvtasks.drawing.sheets import Scale, Tile, enlarged_to, grid, sheet, signed_grey
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.graph import walk
from cvtasks.insight.units.map_geometry import check_units
from cvtasks.text import counted

DEAD = 1e-3
"""A filter is called dead where its largest absolute weight is below this share of the layer's:
nothing it sees changes what comes out, apart from its bias. Weight decay makes such filters of
those that a normalisation behind them has switched off.
"""

_CHANNELS = 16  # of the input that a filter's row shows
_MOST = {"colours": 256, "grey": 256, "rows": 32}  # filters of a sheet
_SIDE = 64  # of the images that a network of open size is measured with
_PERMUTATION = (
    0.99  # share of a channel's answer that one colour must have, so that it counts as that colour
)


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one layer.

    Attributes:
        layer: its name.
        weights: (kh, kw, channels, filters) float32; the channels are red, green, blue where
            `colours` is set, and otherwise what comes into the layer (of a group, or the one of a
            depthwise convolution).
        colours: whether the layer sees the image's own colours.
        kind: the layer's class, such as "Conv2D".
    """

    layer: str
    weights: np.ndarray
    colours: bool
    kind: str

    def __len__(self) -> int:
        return self.weights.shape[3]

    @property
    def peaks(self) -> np.ndarray:
        """(filters,) float32: the largest absolute weight of each."""
        return np.abs(self.weights).max(axis=(0, 1, 2))

    @property
    def dead(self) -> np.ndarray:
        """(n,) int64: the filters that are dead, see `DEAD`; all of them where every weight is
        zero.
        """
        return np.flatnonzero(self.peaks <= DEAD * self.peaks.max(initial=0))

    def statistics(self) -> dict[str, Any]:
        """What `cvtasks filters --json` prints: sizes, smallest and largest weight, dead filters,
        and a row for each filter.
        """
        flat = self.weights.reshape(-1, len(self)).astype(np.float64)
        rows = zip(flat.min(axis=0), flat.max(axis=0), np.sqrt((flat**2).sum(axis=0)), strict=True)
        return {
            "layer": self.layer,
            "kind": self.kind,
            "kernel": list(self.weights.shape[:2]),
            "channels": self.weights.shape[2],
            "filters": len(self),
            "min": float(flat.min()),
            "max": float(flat.max()),
            "mean": float(flat.mean()),
            "std": float(flat.std()),
            "dead": self.dead.tolist(),
            "units": [
                {"unit": unit, "min": float(low), "max": float(high), "norm": float(norm)}
                for unit, (low, high, norm) in enumerate(rows)
            ],
        }


def filters_of(network: keras.Model, layer: str = "") -> Filters:
    """The filters of a layer, also of one within a network of the network.

    Args:
        layer: its name; the first convolution by default.

    Raises:
        UsageError: the network has no such layer, or it is no two-dimensional convolution.
    """
    known = {call.operation.name: call.operation for call in walk(network).calls}
    kernels = {name: kernel for name, one in known.items() if (kernel := _kernel(one)) is not None}
    if not kernels:
        raise UsageError(
            f"filters are those of convolutions; {network.name!r} has none. See `cvtasks inspect`."
        )
    name = layer or next(iter(kernels))
    if name not in known:
        raise UsageError(f'the network has no layer "{name}". {did_you_mean(name, kernels)}')
    kind = type(known[name]).__name__
    if name not in kernels:
        raise UsageError(
            f'filters are those of convolutions; "{name}" is of the kind {kind}. Known: '
            f"{', '.join(kernels)}."
        )
    weights = kernels[name]
    order = _colours(network, name) if weights.shape[2] == 3 and kind == "Conv2D" else None
    weights = weights if order is None else weights[:, :, order]
    return Filters(name, weights, order is not None, kind)


def filter_sheet(
    filters: Filters, units: Sequence[int] = (), shared: bool = False, title: str = ""
) -> np.ndarray:
    """(h, w, 3) uint8 RGB: the filters with their numbers; zero is mid-grey.

    In colours where the layer sees the image's; otherwise grey, of several input channels the first
    16 in a row.

    Args:
        units: which filters; `shown` by default.
        shared: one scale for the whole layer, so that filters can be compared; by default each
            filter has its own.

    Raises:
        UsageError: there is no such filter.
    """
    chosen, count = shown(filters, units), len(filters)
    most, style, dead = float(filters.peaks.max()), _style(filters), set(filters.dead.tolist())
    channels, side = filters.weights.shape[2], 52 if len(chosen) > 64 else 88
    tiles = []
    for unit in chosen:
        limit = most if shared or unit in dead else None  # noise of dead ones is not blown up
        pixels = signed_grey(filters.weights[..., unit], limit)
        if style == "colours":
            image = enlarged_to(pixels, side)
        else:
            image = _row(pixels, side if style == "grey" else 26 if channels > 8 else 44)
        tiles.append(Tile(image, f"{unit}\ndead" if unit in dead else f"{unit}"))
    kernel = "×".join(map(str, filters.weights.shape[:3]))
    every = counted(count, "filter")
    of = f"{len(chosen)} of {every}" if len(chosen) < count else f"all {every}"
    whose, largest = ("the layer's", f", {most:.3g}") if shared else ("each filter's own", "")
    seen = {
        "colours": "colours: the weights on red, green and blue of the image, one scale for the "
        "three",
        "rows": "a row is a filter; its tiles are the input channels 0 to "
        f"{min(_CHANNELS, channels) - 1} of {channels}",
    }
    gone = (
        f"dead: {len(dead)} of {count}, all weights below {DEAD:g} of the layer's largest; shown "
        "on the layer's scale"
    )
    legend = [
        f"{of}, {kernel} (height × width × channels)",
        f"zero is mid-grey; max is {whose} largest absolute weight{largest}",
        *([seen[style]] if style in seen else []),
        *([gone] if dead else []),
    ]
    columns = 2 if style == "rows" else 8 if side == 88 else 16
    title = title or f"filters of {filters.layer}"
    return sheet(tiles, title, legend, Scale("signed_grey"), columns)


def shown(filters: Filters, units: Sequence[int] = ()) -> list[int]:
    """The filters that a sheet shows: those that are asked for, or the first ones, as many as can
    be read.

    Raises:
        UsageError: there is no such filter.
    """
    check_units(units, len(filters), filters.layer)
    return list(units) or list(range(min(len(filters), _MOST[_style(filters)])))


def _style(filters: Filters) -> str:
    return "colours" if filters.colours else "grey" if filters.weights.shape[2] == 1 else "rows"


def _row(pixels: np.ndarray, side: int) -> np.ndarray:
    """(kh, kw, channels) uint8 → (h, w, 3): the channels beside each other."""
    channels = np.moveaxis(pixels[..., :_CHANNELS], 2, 0)[..., None].repeat(3, axis=3)
    return grid([enlarged_to(channel, side) for channel in channels], len(channels))


def _kernel(layer: Any) -> np.ndarray | None:
    """The weights (kh, kw, channels, filters) of a two-dimensional convolution; None for other
    layers.
    """
    for kind, kernel in _KERNELS.items():
        if isinstance(layer, kind):
            return np.asarray(keras.ops.convert_to_numpy(kernel(layer)), np.float32)
    return None


def _single(kernel: Any) -> Any:
    """(kh, kw, channels, multiplier) → (kh, kw, 1, channels × multiplier): each filter sees one
    channel.
    """
    return keras.ops.reshape(kernel, (*kernel.shape[:2], 1, -1))


def _colours(network: keras.Model, name: str) -> list[int] | None:
    """Where red, green and blue are among the three channels that a layer gets; None if these are
    no colours of the image.

    Networks may swap the colours before their first convolution (VGG's weights want blue first), so
    it is measured: which channel answers, in the middle, to more red, green or blue.
    """
    graph = walk(network)
    given = next(call.inputs[0] for call in graph.calls if call.operation.name == name)
    images = np.zeros((4, *(side or _SIDE for side in network.input_shape[1:3]), 3), np.float32)
    for colour in range(3):
        images[1 + colour, ..., colour] = 255
    made = graph.run([keras.ops.convert_to_tensor(images)], given)
    seen = np.asarray(keras.ops.convert_to_numpy(made))
    middle = seen[:, seen.shape[1] // 2, seen.shape[2] // 2]
    answers = middle[1:] - middle[0]
    order = answers.argmax(axis=1)  # (3 colours, 3 channels)
    share = answers.max(axis=1) / np.maximum(np.abs(answers).sum(axis=1), np.finfo(np.float32).tiny)
    return order.tolist() if sorted(order) == [0, 1, 2] and share.min() >= _PERMUTATION else None


_KERNELS = {
    keras.layers.Conv2D: lambda layer: layer.kernel,
    keras.layers.Conv2DTranspose: lambda layer: keras.ops.transpose(layer.kernel, (0, 1, 3, 2)),
    keras.layers.DepthwiseConv2D: lambda layer: _single(layer.kernel),
    keras.layers.SeparableConv2D: lambda layer: _single(layer.depthwise_kernel),
}
