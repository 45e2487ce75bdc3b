"""Sheets of explanations: the image with its target, and each method's map over it."""

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from cvtasks.drawing.plots import pixels_of, written
from cvtasks.drawing.sheets import Scale, Tile, blue_red, enlarged_to, heat, sheet, signed_grey
from cvtasks.insight.explaining.checks import Curves, Sanity
from cvtasks.insight.explaining.explanation import Explanation

_SIDE = 340  # of a tile, in pixels
# percentile of a map about pixels that is drawn as the strongest: single pixels would make all
# others pale
_STRONG = 99.5
_OPACITY = 0.62
_FRAME = (255, 214, 10)  # RGB of the target's box or outline
_SIGNED = ("integrated", "occlusion")
_PIXELS = ("guided", "deconvnet", "smoothgrad", "integrated")


def explanation_sheet(
    explanations: Sequence[Explanation],
    title: str,
    checks: Mapping[str, Sanity] | None = None,
    curves: Mapping[str, Curves] | None = None,
) -> np.ndarray:
    """One image (h, w, 3) uint8 RGB: the image with the target's box or region, then each method's
    map over it.

    Args:
        explanations: at least one, all of one image and target.
        checks, curves: method → what was found about it, for the captions.
    """
    first = explanations[0]
    target = first.target
    tiles = [
        Tile(
            _marked(first, enlarged_to(first.image, _SIDE)),
            f"{target.name}\nscore {target.score:.2f} (logit)",
        )
    ]
    for one in explanations:
        numbers = _numbers(one, (checks or {}).get(one.method), (curves or {}).get(one.method))
        name = f"{one.method}, layer {one.layer}" if one.layer else one.method
        tiles.append(Tile(_marked(one, overlaid(one, _SIDE)), "\n".join([name, *numbers])))
    speaks = "integrated, occlusion: red speaks for the target, blue against it"
    legend = [
        f"target: {target.name}, score {target.score:.3f} before, {target.probability:.3f} after "
        "the activation",
        *([speaks] if any(one.method in _SIGNED for one in explanations) else []),
        *(f"{one.method}: {one.note}" for one in explanations if one.note),
    ]
    return sheet(tiles, title, legend, Scale("rainbow", ("0", "most")), columns=5)


def overlaid(explanation: Explanation, side: int = 0) -> np.ndarray:
    """The map over the image, (h, w, 3) uint8 RGB; what came down to colours as an image of its
    own, grey for nothing.

    Args:
        side: of the longer side, in pixels, about; 0 for the image's own size.
    """
    side = side or max(explanation.image.shape)
    if explanation.colours is not None:
        most = float(np.percentile(np.abs(explanation.colours), _STRONG))
        return enlarged_to(signed_grey(explanation.colours, most or None), side)
    image, values = enlarged_to(explanation.image, side), explanation.map
    percent = 100.0
    if explanation.method in _PIXELS:  # blurred, so that it is seen on a small tile
        values, percent = cv2.GaussianBlur(values, (0, 0), max(values.shape) / 200), _STRONG
    most = float(np.percentile(np.abs(values), percent)) or 1.0
    share = cv2.resize(np.clip(values / most, -1, 1), image.shape[1::-1])
    ground = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    if explanation.method in _SIGNED:
        colours, ground = blue_red(np.sign(share)), 0.5 * ground + 90
        weight = np.minimum(np.abs(share), 0.85)[..., None]
    else:
        colours, weight = heat(share, 1, "rainbow"), np.array(_OPACITY)
    return np.round((1 - weight) * ground + weight * colours).clip(0, 255).astype(np.uint8)


def maps_of(explanations: Sequence[Explanation], kind: str) -> dict[str, bytes]:
    """End of a file's name → content.

    Args:
        kind: "npz", one NumPy archive, method → (h, w) float32 in pixels of the image; or "png", a
            grey 16-bit PNG of each map, from its least number (0) to its largest (65535).
    """
    maps = {one.method: one.map for one in explanations}
    if kind == "npz":
        content = io.BytesIO()
        np.savez_compressed(content, **maps)  # type: ignore[arg-type]  # no method is called allow_pickle
        return {"maps.npz": content.getvalue()}
    found = {}
    for method, values in maps.items():
        low, high = float(values.min()), float(values.max())
        grey = np.round((values - low) * (65535 / ((high - low) or 1.0)))
        found[f"{method}.png"] = cv2.imencode(".png", grey.astype(np.uint16))[1].tobytes()
    return found


def _numbers(one: Explanation, check: Sanity | None, curve: Curves | None) -> list[str]:
    """Lines of a caption."""
    lines = (
        "" if one.inside is None else f"{one.inside:.0%} of it inside the target",
        f"sum {one.integrated.total:.3f}, difference {one.integrated.difference:.3f}"
        if one.integrated
        else "",
        f"random weights: rank correlation {check.correlation:.2f}\n"
        f"image of one colour: contrast {check.contrast:.2f}"
        if check
        else "",
        f"deletion {curve.deletion_auc:.3f}, insertion {curve.insertion_auc:.3f}" if curve else "",
    )
    return list(filter(None, lines))


def _marked(one: Explanation, drawn: np.ndarray) -> np.ndarray:
    """The tile with the outline of the target's box or region, a dark line below a light one."""
    drawn = np.ascontiguousarray(drawn).copy()
    if one.place is not None:
        size = drawn.shape[1::-1]
        place = cv2.resize(one.place.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines = cv2.findContours(place, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        for colour, thick in (((0, 0, 0), 4), (_FRAME, 2)):
            cv2.drawContours(drawn, outlines, -1, colour, thick, cv2.LINE_AA)
    return drawn


_TITLE = 90  # letters above the curves


def curves_figure(found: Mapping[str, Curves], title: str) -> np.ndarray:
    """Method → curves, drawn side by side with their areas, (h, w, 3) uint8 RGB."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained", dpi=110)
    ways = {"deletion": "share of the pixels taken away", "insertion": "share put in"}
    for axes, (kind, across) in zip(figure.subplots(1, 2), ways.items(), strict=True):
        for method, own in found.items():
            axes.plot(
                own.shares,
                getattr(own, kind),
                label=f"{method}: area {getattr(own, f'{kind}_auc'):.3f}",
                linewidth=1.8,
            )
        axes.set(
            xlabel=across,
            ylabel="probability of the target",
            title=f"{kind} ({'less' if kind == 'deletion' else 'more'} is better)",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    figure.suptitle(written(title, _TITLE))
    return pixels_of(figure)
