"""The recipe's table `[data]`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cvtasks.errors import ModelError
from cvtasks.schema import Range
from cvtasks.tasks.base import Task


@dataclass(frozen=True)
class Data:
    """The table `[data]`: which images, and how training varies them.

    Attributes:
        path: the data set, as for `--data`.
        format: in which format it is (docs/formats.md); empty for the one that is recognised.
        train, validate: names of the splits. "val", "valid" and "validation" are one name.
        lists: a folder of lists that say which samples the splits have, train.txt, val.txt …, one
            name a line, as `data split` writes them; the data's own splits by default.
        held_out: share of the training split that is set aside to validate on, 0 to 0.9, drawn by
            `train.seed` and by class; then `validate` is empty. A run names these images in
            `validation.txt`.
        unlisted: what a class of the data that the recipe does not name becomes: "background" or
            "void"; as a label it plays no part.
        faulty: what cannot be used of the data: "refuse" to begin, or "drop" it, aloud: an object
            (of an unknown class, with a box that cannot be), or else its image. What is left out is
            background to the network.
        crop: side of the square that training cuts, in pixels; 0 for the recipe's size.
        multi_scale: sides of the squares, where they change: one of these for each step, and all in
            it larger or smaller; empty for always `crop`.
        scale: (low, high) factor on the image, first scaled so that its longest side is the
            recipe's size.
        rotate: degrees to either side; boxes stay good around objects up to about 15.
        shear: degrees to either side, across and down.
        flip: probability of a mirrored image.
        colour: strength of brightness, contrast, saturation and hue changes of each image, not of
            the grey around it; 0 for none.
        mosaic: probability that four images with boxes are joined around a random centre.
        mixup: probability that a mosaic is averaged with another one, or an image with labels with
            another image.
        cutmix: probability that a window of an image with labels shows another image.
        copy_paste: probability that objects of another image, with a box or a mask, are pasted into
            an image.
        close_mosaic: the last epochs, as many as this, have neither mosaics nor mixtures, and
            nothing is pasted.
        policy: "" or, for images with labels, "randaugment": two changes of colour or place, drawn
            from many, in the place of `colour`.
        resized_crop: least share of an image's area that a crop with an aspect of 3:4 to 4:3 of its
            own, resized to the square, shows; 0 for crops by `scale`.
        repeat: share of the images below which a class is rare: an image with it is seen root of
            `repeat` / the class's share times an epoch; 0 for each image once.
        border: what lies around an image that does not fill its square: "grey", as at prediction,
            or its "edge" repeated.
        min_visibility: least share of an object's box that must show for it to be learned; of the
            rest, what shows is ignored.
        workers: threads that prepare batches; 0 for none beside the main one. The result does not
            depend on it.
    """

    path: str = ""
    format: str = ""
    train: str = "train"
    validate: str = "val"
    lists: str = ""
    held_out: Annotated[float, Range(0, 0.9)] = 0.0
    unlisted: Literal["background", "void"] = "background"
    faulty: Literal["refuse", "drop"] = "refuse"
    crop: Annotated[int, Range(0, 4096)] = 0
    multi_scale: tuple[int, ...] = ()
    scale: Annotated[tuple[float, float], Range(0.1, 10)] = (0.5, 1.5)
    rotate: Annotated[float, Range(0, 180)] = 0.0
    shear: Annotated[float, Range(0, 45)] = 0.0
    flip: Annotated[float, Range(0, 1)] = 0.5
    colour: Annotated[float, Range(0, 1)] = 0.4
    mosaic: Annotated[float, Range(0, 1)] = 0.0
    mixup: Annotated[float, Range(0, 1)] = 0.0
    cutmix: Annotated[float, Range(0, 1)] = 0.0
    copy_paste: Annotated[float, Range(0, 1)] = 0.0
    close_mosaic: Annotated[int, Range(0, 100_000)] = 0
    policy: Literal["", "randaugment"] = ""
    resized_crop: Annotated[float, Range(0, 1)] = 0.0
    repeat: Annotated[float, Range(0, 1)] = 0.0
    border: Literal["grey", "edge"] = "grey"
    min_visibility: Annotated[float, Range(0, 1)] = 0.25
    workers: Annotated[int, Range(0, 64)] = 2

    @property
    def validated_on(self) -> str:
        """The split that is validated on, in a word or in words."""
        return (
            f"{self.held_out:g} of {self.train or 'all'} set aside"
            if self.held_out
            else self.validate
        )

    def check(self, task: Task) -> None:
        """Raise ModelError where the table does not fit itself or the task."""
        if self.scale[0] > self.scale[1]:
            raise ModelError(f"`data.scale` must be (low, high); got {self.scale}.")
        if self.mosaic and not task.mosaics:
            raise ModelError(
                f"`data.mosaic` joins images with boxes, which {task.name} does not learn from; "
                f"got {self.mosaic:g}. Set it to 0."
            )
        if self.border != "grey" and task.void:
            raise ModelError(
                f'`data.border` is "grey" for {task.name}: there is void around its images; got '
                f'"{self.border}". Leave it out.'
            )
        if self.cutmix and task.answer.mixing != "shares":
            raise ModelError(
                f"`data.cutmix` mixes images with labels, which {task.name} does not learn; got "
                f"{self.cutmix:g}. Set it to 0."
            )
        if self.copy_paste and not (task.mosaics or task.void):
            raise ModelError(
                "`data.copy_paste` pastes objects that detection or segmentation learns; got "
                f"{self.copy_paste:g} for {task.name}. Set it to 0."
            )
        if self.policy and task.answer.mixing != "shares":
            raise ModelError(
                f"`data.policy` changes images with labels, which {task.name} does not learn; got "
                f'"{self.policy}". Leave it out; `data.colour`, `data.rotate` and `data.shear` '
                "keep the places right."
            )
        if self.mixup and not self.mosaic and task.answer.mixing != "shares":
            raise ModelError(
                "`data.mixup` mixes mosaics, of which `data.mosaic = 0` makes none; got "
                f"{self.mixup:g}."
            )
