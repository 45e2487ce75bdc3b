"""Why a network said what it said: a map over the image, by one of several methods."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import keras
import numpy as np
from keras import ops

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.heads.arrays import Arrays, mapped
from cvtasks.heads.score import Pick, Score
from cvtasks.insight.explaining import METHODS
from cvtasks.insight.explaining.explainer import Explainer, Scene
from cvtasks.insight.explaining.methods import (
    CAMS,
    Integrated,
    class_activation_map,
    integrated_gradients,
    occlusion,
    pixel_gradient,
    smooth_gradient,
    strongest,
)
from cvtasks.insight.gradients import NO_SWITCHES, Rule, has_switches
from cvtasks.insight.units.map_geometry import Axes


@dataclass(frozen=True, eq=False)
class Target(Score):
    """What is explained: a score of the answer, and how high it is.

    Attributes:
        score: what `pick` takes of this image's logits; for a region the mean over its pixels.
            Grad-CAM's papers take the number before the softmax, so that a class is not explained
            by the absence of others.
        probability: the same of the activated output, 0 to 1.
    """

    score: float = 0.0
    probability: float = 0.0


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where the reasons for a target lie.

    Attributes:
        method: of `METHODS`.
        layer: whose map it was made of; "" for methods about pixels.
        target: what is explained, with its score.
        image: (h, w, 3) uint8 RGB, as the task prepares it.
        map: (h, w) float32 in pixels of the image. It is at least 0 but for `integrated` and
            `occlusion`, in which what is below 0 speaks against the target.
        on_input: (H, W) float32, the map in pixels of what the network sees; that of `integrated`
            adds up to its total.
        colours: (h, w, 3) float32 in pixels of the image: the signal that came down to each colour
            of each pixel; None for methods without one.
        integrated: the numbers of `integrated`; None for others.
        note: what should be known about a map of this method and this network; "" for nothing.
    """

    method: str
    layer: str
    target: Target
    image: np.ndarray
    map: np.ndarray
    on_input: np.ndarray
    colours: np.ndarray | None = None
    integrated: Integrated | None = None
    note: str = ""

    @property
    def score(self) -> float:
        """The target's logit."""
        return self.target.score

    @property
    def peak(self) -> tuple[int, int] | None:
        """(x, y) of the pixel of the image with the largest value, the middle one of several; None
        where all are equal.
        """
        if self.map.min() == self.map.max():
            return None
        rows, columns = np.nonzero(self.map == self.map.max())
        return int(columns[len(columns) // 2]), int(rows[len(rows) // 2])

    @property
    def inside(self) -> float | None:
        """Share of the map above 0 that lies in the target's box or region, 0 to 1; None where it
        has none, or the map is empty.

        That is the energy-based pointing game of Wang et al., "Score-CAM", 2020, section 4.3.
        """
        weight, place = np.maximum(self.map, 0).astype(np.float64), self.place
        if place is None or not weight.any():
            return None
        return float(weight[place].sum() / weight.sum())

    @property
    def place(self) -> np.ndarray | None:
        """(h, w) bool: the pixels of the target's region or box; None where it has none."""
        place = self.target.region
        if place is None and self.target.box is not None:
            left, top, right, bottom = np.round(self.target.box).astype(int).clip(0).tolist()
            place = np.zeros(self.map.shape, bool)
            place[top:bottom, left:right] = True
        return place


def explain(
    model: str | Path | keras.Model | Explainer,
    image: np.ndarray,
    target: str = "",
    method: str = "",
    layer: str = "",
    threshold: float | None = None,
) -> Explanation:
    """Explain one target of one image.

    Args:
        model: a name of the zoo, a model folder, a classifier in Keras, or an `Explainer`, which is
            the quickest for many images.
        image: (h, w, 3) uint8 RGB of any size.
        target: a class, "box:0", "region:0" …; by default what the answer is surest of, see
            `find_target`.
        method: of `METHODS`; by default the target's, see `default_method`.
        layer: whose map is looked at, for class activation maps; by default the backbone's
            coarsest, or for a box that of the stride at which it was found.
        threshold: the least score of what the answer holds; None for the model's own.

    Raises:
        UsageError: no such target, method or layer, or a layer without places. ModelError: the
            model is not usable.
    """
    explainer = Explainer.of(model)
    scene = explainer.look(image, threshold)
    return explain_scene(explainer, scene, find_target(explainer, scene, target), method, layer)


def explain_scene(
    explainer: Explainer, scene: Scene, target: Target, method: str = "", layer: str = ""
) -> Explanation:
    """`explain`, of an image that the network has seen: for several methods or targets of one
    image.

    Raises:
        UsageError: no such method or layer, a layer without places, or a method that the network
            does not allow.
    """
    method = method or default_method(target)
    check_method(method)
    if layer and method not in CAMS:
        raise UsageError(
            f"`layer` is for class activation maps, {', '.join(CAMS)}; got the method {method!r}. "
            "Leave it out."
        )
    given, pick = scene.input, target.pick
    colours = integrated = None
    if method in CAMS:
        layer = layer or explainer.last_map(target.stride)
        explainer.check_layer(layer)
        small = class_activation_map(explainer, given, pick, layer, method)
        values = spread(small, explainer.axes(layer), explainer.size)
    elif method in ("guided", "deconvnet"):
        signal = pixel_gradient(explainer, given, pick, cast(Rule, method))
        values, colours = strongest(signal), _on_image(signal, scene)
    elif method == "integrated":
        integrated = integrated_gradients(explainer, given, pick)
        values = integrated.values.sum(axis=2)
    elif method == "smoothgrad":
        values = strongest(smooth_gradient(explainer, given, pick))
    else:
        values = occlusion(explainer, given, scene.letterbox, pick)
    on_image, note = _on_image(values, scene), NO_SWITCHES
    if method != "deconvnet" or has_switches(explainer.network):
        note = ""
    return Explanation(
        method, layer, target, scene.image, on_image, values, colours, integrated, note
    )


def _on_image(values: np.ndarray, scene: Scene) -> np.ndarray:
    """What lies on the network input, (H, W) or (H, W, 3), in pixels of the image."""
    cut = np.ascontiguousarray(scene.letterbox.crop(values))
    return cv2.resize(cut, scene.image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def default_method(target: Target) -> str:
    """`layercam` for a detector's box, `grad-cam` for all else.

    Grad-CAM takes a channel's weight from the mean of its gradient over all places and gives it to
    all of them. The score of a box depends on the places around one cell alone, so such weights say
    nothing about the others; LayerCAM weighs each place by its own gradient.
    """
    return "layercam" if target.stride else "grad-cam"


def check_method(method: str) -> None:
    """Raise UsageError unless there is such a method."""
    if method not in METHODS:
        raise UsageError(
            f"a method is one of {', '.join(METHODS)}; got {method!r}. "
            f"{did_you_mean(method, METHODS)}"
        )


def spread(values: np.ndarray, axes: Axes, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) of a layer → (H, W) float32 on the network input: on the lines between its
    places, beyond the last ones constant.

    A place lies where the middle of its receptive field is, also for networks that do not pad.
    """
    rows, columns = (_between(one.middles, side) for one, side in zip(axes, size, strict=True))
    return (rows @ values.astype(np.float64) @ columns.T).astype(np.float32)


def _between(middles: np.ndarray, side: int) -> np.ndarray:
    """(side, places): how much each place counts for each pixel of an axis."""
    pixels, places = np.arange(side) + 0.5, np.eye(len(middles))
    return np.stack([np.interp(pixels, middles, one) for one in places], axis=1)


# === targets ===


def find_target(explainer: Explainer, scene: Scene, wish: str = "") -> Target:
    """What the user wants explained.

    Args:
        wish: a class; "box:0", the first box of the answer of a detector or localizer, "box:1" …;
            "region:0", the largest connected region of a segmentation, "region:1" …; "" for the
            best class or box, or the class with most pixels.

    Raises:
        UsageError: the model has no such class, the answer has no such box or region, or none at
            all.
    """
    found = explainer.head.score(*_parsed(wish, explainer.classes), scene)
    score, likely = (_one(found.pick, array) for array in (scene.logits, scene.output))
    return Target(**vars(found), score=score, probability=likely)


def _one(pick: Pick, arrays: Arrays) -> float:
    batch = mapped(lambda array: ops.convert_to_tensor(array[None]), arrays)
    return float(ops.convert_to_numpy(pick(batch))[0])


def _parsed(wish: str, classes: tuple[str, ...]) -> tuple[str, int]:
    """A wish → its class, "box", "region" or "", and the number of the class, the box or the
    region.
    """
    if not wish:
        return "", 0
    if wish in classes:
        return "class", classes.index(wish)
    numbered = re.fullmatch(r"(box|region):(\d{1,6})", wish)
    if numbered:
        return numbered[1], int(numbered[2])
    raise UsageError(
        f'a target is a class of the model, box:N or region:N; got "{wish}". '
        f"{did_you_mean(wish, classes)}"
    )
