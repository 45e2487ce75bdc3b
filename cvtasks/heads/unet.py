"""A U-Net: one class for every pixel (Ronneberger et al., "U-Net: Convolutional Networks for
Biomedical Image Segmentation", 2015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np

from cvtasks.answers import VOID, Mask
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox, Size
from cvtasks.heads.arrays import Arrays, Shapes, mapped
from cvtasks.heads.base import Head, Top, check_class_weights
from cvtasks.heads.blending import Blend
from cvtasks.heads.score import Pick, Score, Seen, no_such_kind
from cvtasks.heads.views import TiledViews, View, Views
from cvtasks.networks.backbones import BACKBONES
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

_PART = (
    8  # one of so many pixels may be open: of a network that has learned something, half as many
)


@dataclass(frozen=True)
class UNet(Head[Mask]):
    """A decoder that joins the feature maps from the coarsest up, to the input's own resolution.

    A target is (H, W, classes) uint8, one-hot, all zero where the truth is void.

    Attributes:
        channels: width of the decoder at strides 16, 8, 4, 2, as many as the decoder has levels;
            after the last the logits are enlarged to the input's resolution.
        convolutions: 3×3 convolutions at each level of the decoder.
        separable: whether these are separable: one of each channel by itself, then one of 1×1. A
            ninth of the multiply-adds, half the time at prediction; not quicker to train on a CPU.
        join: how a level joins with the skip of the backbone: "concatenate" the channels, as the
            paper's, or "add" them, which makes the level's first convolution half as large.
        context: what the coarsest map is joined with: 0 for its mean over the whole image, 1 or
            more for a separable 3×3 convolution with that dilation ([0, 2, 4] is an atrous
            spatial pyramid pooling); empty for nothing.
        upsampling: "bilinear", or "transposed" (a learned 2×2 transposed convolution, the lectures'
            deconvolution).
        input_skip: width of one more level at the input's own resolution, fed with the image; 0 for
            none.
        dropout: share of the coarsest map's channels that is dropped in training, 0 to below 1.
        dice: weight of the Dice loss beside the cross-entropy, at least 0.
        class_weights: one factor a class for the cross-entropy; empty for equal weights.
    """

    name: ClassVar[str] = "unet"

    teachable: ClassVar[bool] = True

    narrows: ClassVar[bool] = True

    meaning: ClassVar[str] = (
        "At each pixel of the input a score for each class, which add up to 1; the class is that "
        "of the largest."
    )

    channels: Annotated[tuple[int, ...], Range(1, 4096)] = (256, 128, 64, 32)
    convolutions: Annotated[int, Range(1, 4)] = 1
    separable: bool = False
    join: Literal["concatenate", "add"] = "concatenate"
    context: Annotated[tuple[int, ...], Range(0, 64)] = ()
    upsampling: Literal["bilinear", "transposed"] = "bilinear"
    input_skip: Annotated[int, Range(0, 512)] = 0
    dropout: Annotated[float, Range(0, 0.95)] = 0.0
    dice: Annotated[float, Range(0, 100)] = 0.5
    class_weights: Annotated[tuple[float, ...], Range(1e-6, 1e6)] = ()

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """A level less where the backbone's finest map is coarser than usual."""
        levels = len(BACKBONES[backbone].strides) - 1 if backbone in BACKBONES else 0
        return {"channels": [*cls.channels[:levels]]} if 0 < levels < len(cls.channels) else {}

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the classes, the backbone's strides or the fields do not fit each
        other.
        """
        levels = len(strides) - 1
        if not 1 <= len(self.channels) <= levels:
            raise ModelError(
                f"`head.channels` must hold 1 to {levels} widths, one a stride from "
                f"{strides[-2]} down; got {len(self.channels)}."
            )
        if self.input_skip and len(self.channels) != levels:
            raise ModelError(
                f"`head.input_skip` continues a decoder that reaches stride {strides[0]}, with "
                f"{levels} widths in `head.channels`; got {len(self.channels)}. Add the missing "
                "ones or set `head.input_skip = 0`."
            )
        if len(set(self.context)) < len(self.context):
            raise ModelError(
                f"`head.context` must name each part once; got {list(self.context)}. Leave the "
                "repeated ones out."
            )
        check_class_weights(self.class_weights, classes)

    def outputs(self, size: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(H, W, classes)."""
        return *size, len(classes)

    def encode(self, truth: Mask, letterbox: Letterbox) -> np.ndarray:
        """Mask → (H, W, classes) uint8, one-hot; all zero where the truth is void or the input
        holds no image.
        """
        rows = np.zeros((256, len(truth.classes)), np.uint8)
        np.fill_diagonal(rows, 1)
        return rows[letterbox.ids_to_input(truth.ids, fill=VOID)]

    def compact(self, truth: Mask, letterbox: Letterbox) -> np.ndarray:
        """Mask → (H, W) uint8, the ids; 255 where the truth is void or the input holds no image."""
        return letterbox.ids_to_input(truth.ids, fill=VOID)

    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Mask:
        """(H, W, classes) → Mask of the image's own size: the scores are resized (bilinear), then
        the best one wins.

        Where no class has any score, as in a target's void, the answer is void; where the best one
        has less than `threshold`, background, or void where no class is.
        """
        height, width = letterbox.size
        best: np.ndarray = np.zeros((height, width), np.float32)
        ids: np.ndarray = np.zeros((height, width), np.uint8)
        inside = letterbox.crop(output)
        for index in range(
            len(classes)
        ):  # OpenCV, one plane at a time: much quicker than an argmax over the last axis
            plane: np.ndarray = np.ascontiguousarray(inside[..., index], np.float32)
            if cv2.minMaxLoc(plane)[1] < 0.999 / len(classes):
                # the scores of a pixel add up to 1, so a class that stays below its share wins
                # nowhere
                continue
            if plane.shape != (height, width):
                plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
            ids = cv2.copyTo(np.full_like(ids, index), cv2.compare(plane, best, cv2.CMP_GT), ids)
            best = cv2.max(best, plane)
        if threshold:
            ids[best < threshold] = 0 if Mask.ground(classes) else VOID
        if cv2.minMaxLoc(best)[0] <= 0:
            ids[best <= 0] = VOID
        return Mask(ids, classes)

    def narrowed(self, outputs: Any) -> tuple[dict[str, Any], Any]:
        """The best class of each pixel, `ids` (batch, H, W) uint8; and where that does not settle
        which class wins around a pixel, however the scores are resized: the pixels' places `at`
        (batch, n) in H × W, and their `scores` (batch, n, classes).

        These are not all where many pixels are open.
        """
        from keras import ops

        from cvtasks.networks.settled import open_pixels

        batch, height, width, classes = ops.shape(outputs)
        number = height * width
        ids, unsettled = open_pixels(outputs)
        unsettled = ops.cast(ops.reshape(unsettled, (batch, number)), "int32")
        most = -(-number // _PART)
        first = ops.top_k(unsettled * (number - ops.arange(number, dtype="int32")), most)[0]
        at = ops.minimum(number - first, number - 1)
        rows = ops.arange(batch, dtype="int32")[:, None] * number + at
        scores = ops.take(ops.reshape(outputs, (-1, classes)), ops.reshape(rows, (-1,)), axis=0)
        parts = {
            "ids": ops.cast(ids, "uint8"),
            "at": at,
            "scores": ops.reshape(scores, (batch, -1, classes)),
        }
        whole = ops.logical_and(
            ops.sum(unsettled, axis=1) <= most, ops.all(ops.isfinite(outputs), axis=(1, 2, 3))
        )
        return parts, whole

    def widened(self, parts: Mapping[str, np.ndarray], shapes: Shapes) -> Arrays:
        """(H, W, classes) float32, one-hot but where pixels are open."""

        def wide(shape: tuple[int, ...]) -> np.ndarray:
            height, width, classes = shape
            planes = np.zeros((classes, height * width), np.float32)
            planes[parts["ids"].reshape(-1), np.arange(height * width)] = 1
            planes[:, parts["at"]] = parts["scores"].T
            return planes.reshape(classes, height, width).transpose(1, 2, 0)

        return mapped(wide, shapes)

    def decode_views(self, views: Views, classes: Classes, threshold: float = 0.0) -> Mask:
        """(H, W, classes) of each view → Mask: the scores' mean."""
        return self.decode(_mean(views), views[0].letterbox, classes, threshold)

    def decode_tiles(
        self, tiles: TiledViews, size: Size, classes: Classes, threshold: float = 0.0
    ) -> Mask:
        """(H, W, classes) of each tile → Mask: the scores blended by the distance to the tile's
        edge, and those of the reduced whole beside them, if there is one.
        """
        blend, whole = None, None
        unsure = 0 if Mask.ground(classes) else VOID
        for tile, views in tiles:
            inside = views[0].letterbox.crop(_mean(views))
            if tile.whole:
                whole = inside
                continue
            if blend is None:
                blend = Blend(size, len(classes), threshold, unsure, whole)
            blend.add(tile, inside)
        if blend is None:
            raise ValueError("an image that is not cut has no tiles to be blended.")
        return Mask(blend.close(), classes)

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, H, W, classes) float32 of a U-Net decoder."""
        from cvtasks.networks.unet import Decoder, unet

        decoder = Decoder(**{key.name: getattr(self, key.name) for key in fields(Decoder)})
        return unet(image, maps, len(classes), decoder)

    def activate(self, logits: Any) -> Any:
        """Softmax over the classes."""
        from keras import ops

        return ops.softmax(logits, axis=-1)

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropy of the pixels that are not void, plus `dice` times one minus the mean soft
        Dice.
        """
        from cvtasks.networks.losses import segmentation_loss

        return segmentation_loss(target, logits, dice=self.dice, class_weights=self.class_weights)

    def taught(self, targets: Any, outputs: Any, mirrored: Any, share: float) -> Any:
        """(batch, H, W, classes) float32: one-hot truth and the teacher's mean scores, mixed; void
        stays void.
        """
        from keras import ops

        from cvtasks.networks.losses import one_hot

        outputs, mirrored = (ops.cast(one, "float32") for one in (outputs, mirrored))
        truth = ops.cast(one_hot(targets, outputs.shape[-1]), "float32")
        mean = (outputs + ops.flip(mirrored, axis=2)) / 2
        seen = ops.max(truth, axis=-1, keepdims=True) > 0
        return ops.where(seen, (1 - share) * truth + share * mean, 0.0)

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The mean of the class's logit over all pixels: of an image that is all of this class."""
        from keras import ops

        return lambda logits: ops.mean(logits[..., index], axis=(1, 2))

    def score(self, kind: str, number: int, seen: Seen[Mask]) -> Score:
        """The mean of a class's logit over the pixels that the answer gives it, or over a region of
        it; the class with most pixels by default.
        """
        mask = seen.answer
        if kind == "box":
            raise no_such_kind(kind, " or region:N")
        if kind == "region":
            index, region = nth_region(mask, number)
            name = f"{mask.classes[index]} region {number}"
        else:
            counts = mask.counts()
            ground = mask.ground(mask.classes)
            index = number if kind else ground + int(counts[ground:].argmax())
            region, name = mask.ids == index, mask.classes[index]
            if not counts[index]:
                what = f'"{name}" has none' if kind else f"only {mask.classes[0]} was found"
                raise UsageError(
                    f"a target must have pixels in the answer; {what}. Found: "
                    f"{', '.join(mask.shares())}. Choose one of these."
                )
        weight = seen.letterbox.ids_to_input(region.astype(np.uint8), fill=0).astype(np.float32)
        if not weight.any():
            raise UsageError(
                f"a region must have pixels on the network input of {seen.letterbox.input_size}; "
                f'that of "{name}" is too small.'
            )
        weight /= weight.sum()
        from keras import ops

        return Score(
            name, lambda logits: ops.sum(logits[..., index] * weight, axis=(1, 2)), region=region
        )


def _mean(views: Views) -> np.ndarray:
    """(H, W, classes): the mean scores of views, where the image of the first lies."""
    first = views[0]
    whole: np.ndarray = np.asarray(first.output)
    if len(views) == 1:
        return whole
    mean = whole.copy()
    inside = first.letterbox.crop(mean)
    for view in views[1:]:
        inside += _as_large(view, inside.shape[:2])
    inside /= len(views)
    return mean


def _as_large(view: View, size: tuple[int, int]) -> np.ndarray:
    """The scores of a view's image, not mirrored, at another (height, width): bilinear."""
    scores = view.letterbox.crop(np.asarray(view.output))
    if view.mirrored:
        scores = scores[:, ::-1]
    if scores.shape[:2] == size:
        return scores
    planes = [
        cv2.resize(np.ascontiguousarray(scores[..., index]), size[::-1])
        for index in range(scores.shape[-1])
    ]
    return np.stack(planes, axis=-1)


def nth_region(mask: Mask, number: int) -> tuple[int, np.ndarray]:
    """The `number`-th largest connected region of any class but the background, from 0: its class,
    and (h, w) bool.

    Raises:
        UsageError: there are fewer.
    """
    regions = []
    for index in mask.present():
        count, parts = cv2.connectedComponents((mask.ids == index).astype(np.uint8), connectivity=8)
        sizes = np.bincount(parts.ravel(), minlength=count)
        regions += [(-int(sizes[part]), int(index), parts == part) for part in range(1, count)]
    regions.sort(key=lambda region: region[:2])
    if number >= len(regions):
        there = (
            f"region:0 to region:{len(regions) - 1}" if regions else f"none, only {mask.classes[0]}"
        )
        raise UsageError(
            f"a target must be in the answer, whose regions are {there}; got region:{number}."
        )
    return regions[number][1], regions[number][2]
