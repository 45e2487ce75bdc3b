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
    legend = [
        f"target: {target.name}, score {target.score:.3f} before, {target.probability:.3f} after "
        "the activation"
    ]
    if any(one.method in _SIGNED for one in explanations):
        legend.append("integrated, occlusion: red speaks for the target, blue against it")
    return sheet(
        tiles,
        title,
        legend,
        Scale("rainbow", ("0", "most")),
        columns=min(len(tiles), 5),
    )


def overlaid(explanation: Explanation, side: int = 0) -> np.ndarray:
    """The map over the image, (h, w, 3) uint8 RGB; what came down to colours as an image of its
    own, grey for nothing.

    Args:
        side: of the longer side, in pixels, about; 0 for the image's own size.
    """
    side = side or max(explanation.image.shape)
    if explanation.colours is not None:
        return enlarged_to(_as_image(explanation.colours), side)
    image = enlarged_to(explanation.image, side)
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(
        np.float32
    )
    values = explanation.map
    if explanation.method in _PIXELS:
        values = cv2.GaussianBlur(
            values, (0, 0), max(values.shape) / 200
        )  # so that it is seen on a small tile
    most = float(
        np.percentile(np.abs(values), _STRONG)
        if explanation.method in _PIXELS
        else np.abs(values).max()
    )
    share = cv2.resize(
        np.clip(values / most if most else values, -1, 1),
        image.shape[1::-1],
        interpolation=cv2.INTER_LINEAR,
    )
    if explanation.method in _SIGNED:
        colours, weight = blue_red(np.sign(share)), np.abs(share)
        ground = 0.5 * grey + 90
    else:
        colours, weight, ground = heat(share, 1, "rainbow"), np.full_like(share, _OPACITY), grey
    weight = np.minimum(weight, 0.85)[..., None]
    return np.round((1 - weight) * ground + weight * colours).clip(0, 255).astype(np.uint8)


def maps_npz(explanations: Sequence[Explanation]) -> dict[str, bytes]:
    """End of a file's name → content: one NumPy archive, method → (h, w) float32 in pixels of the
    image.
    """
    content = io.BytesIO()
    np.savez_compressed(content, **{one.method: one.map for one in explanations})  # type: ignore[arg-type]  # no method is called allow_pickle
    return {"maps.npz": content.getvalue()}


def maps_png(explanations: Sequence[Explanation]) -> dict[str, bytes]:
    """End of a file's name → content: a grey 16-bit PNG of each map, from its least number (0) to
    its largest (65535).
    """
    found = {}
    for one in explanations:
        low, high = float(one.map.min()), float(one.map.max())
        grey = np.round((one.map - low) * (65535 / ((high - low) or 1.0))).astype(np.uint16)
        found[f"{one.method}.png"] = cv2.imencode(".png", grey)[1].tobytes()
    return found


def _numbers(one: Explanation, check: Sanity | None, curve: Curves | None) -> list[str]:
    """Lines of a caption."""
    lines = []
    if one.inside is not None:
        lines.append(f"{one.inside:.0%} of it inside the target")
    if one.integrated is not None:
        lines.append(f"sum {one.integrated.total:.3f}, difference {one.integrated.difference:.3f}")
    if check is not None:
        lines.append(f"random weights: rank correlation {check.correlation:.2f}")
        lines.append(f"image of one colour: contrast {check.contrast:.2f}")
    if curve is not None:
        lines.append(f"deletion {curve.deletion_auc:.3f}, insertion {curve.insertion_auc:.3f}")
    return lines


def _as_image(colours: np.ndarray) -> np.ndarray:
    """The colours that came down, (h, w, 3) uint8; 128 is nothing."""
    return signed_grey(colours, float(np.percentile(np.abs(colours), _STRONG)) or None)


def _marked(one: Explanation, drawn: np.ndarray) -> np.ndarray:
    """The tile with the target's box or the outline of its region,
    a dark line below a light one.
    """
    drawn = np.ascontiguousarray(drawn).copy()
    scale = np.array(drawn.shape[1::-1]) / one.image.shape[1::-1]
    if one.target.box is not None:
        corners = (
            np.round(one.target.box.reshape(2, 2) * scale)
            .astype(int)
            .clip(1, np.array(drawn.shape[1::-1]) - 2)
            .tolist()
        )
        for colour, thick in (((0, 0, 0), 4), (_FRAME, 2)):
            cv2.rectangle(drawn, corners[0], corners[1], colour, thick, cv2.LINE_AA)
    elif one.target.region is not None:
        region = cv2.resize(
            one.target.region.astype(np.uint8), drawn.shape[1::-1], interpolation=cv2.INTER_NEAREST
        )
        outlines = cv2.findContours(region, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        for colour, thick in (((0, 0, 0), 4), (_FRAME, 2)):
            cv2.drawContours(drawn, outlines, -1, colour, thick, cv2.LINE_AA)
    return drawn


def curves_figure(found: Mapping[str, Curves], title: str) -> np.ndarray:
    """Method → curves, drawn side by side with their areas, (h, w, 3) uint8 RGB."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained", dpi=110)
    drawings = (
        ("deletion", "share of the pixels taken away", "less is better"),
        ("insertion", "share put in", "more is better"),
    )
    for axes, (kind, across, good) in zip(figure.subplots(1, 2), drawings, strict=True):
        for method, own in found.items():
            area = getattr(own, f"{kind}_auc")
            axes.plot(
                own.shares, getattr(own, kind), label=f"{method}: area {area:.3f}", linewidth=1.8
            )
        axes.set(
            xlabel=across,
            ylabel="probability of the target",
            title=f"{kind} ({good})",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    figure.suptitle(written(title))
    return pixels_of(figure)
