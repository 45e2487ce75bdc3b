"""The recipe's table `[data]`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Data:
    """The table `[data]`: which images, and how training varies them.

    Attributes:
        path: the data set, as for `--data`.
        train, validate: names of the splits. "val", "valid" and "validation" are one name.
        held_out: share of the training split that is set aside to validate on, 0 to 0.9, drawn by
            `train.seed` and by class; then `validate` is empty. A run names these images in
            `validation.txt`.
        others: what a class of the data that the recipe does not name becomes: "background" or
            "void"; as a label it plays no part.
        faulty: what cannot be used of the data: "refuse" to begin, or "drop" it, aloud: an object
            (of an unknown class, with a box that cannot be), or else its image. What is left out is
            background to the network.
        crop: side of the square that training cuts, in pixels; 0 for the recipe's size.
        sides: of the squares, where they change: one of these for each step, and all in it larger
            or smaller; empty for always `crop`.
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
        close_mosaic: the last epochs, as many as this, have neither mosaics nor mixtures.
        border: what lies around an image that does not fill its square: "grey", as at prediction,
            or its "edge" repeated.
        visible: least share of an object's box that must show for it to be learned; of the rest,
            what shows is ignored.
        workers: threads that prepare batches; 0 for none beside the main one. The result does not
            depend on it.
    """

    path: str = ""
    train: str = "train"
    validate: str = "val"
    held_out: float = 0.0
    others: Literal["background", "void"] = "background"
    faulty: Literal["refuse", "drop"] = "refuse"
    crop: int = 0
    sides: tuple[int, ...] = ()
    scale: tuple[float, float] = (0.5, 1.5)
    rotate: float = 0.0
    shear: float = 0.0
    flip: float = 0.5
    colour: float = 0.4
    mosaic: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    close_mosaic: int = 0
    border: Literal["grey", "edge"] = "grey"
    visible: float = 0.25
    workers: int = 2

    @property
    def validated_on(self) -> str:
        """The split that is validated on, in a word or in words."""
        return (
            f"{self.held_out:g} of {self.train or 'all'} set aside"
            if self.held_out
            else self.validate
        )


DATA_BOUNDS: dict[str, tuple[float, float]] = {
    "held_out": (0, 0.9),
    "crop": (0, 4096),
    "scale": (0.1, 10),
    "rotate": (0, 180),
    "shear": (0, 45),
    "flip": (0, 1),
    "colour": (0, 1),
    "mosaic": (0, 1),
    "mixup": (0, 1),
    "cutmix": (0, 1),
    "close_mosaic": (0, 100_000),
    "visible": (0, 1),
    "workers": (0, 64),
}
"""Least and largest value of each number, and of each number of a pair."""
