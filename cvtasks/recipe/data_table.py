"""The recipe's table `[data]`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from cvtasks.errors import ModelError
from cvtasks.schema import Range
from cvtasks.tasks.base import Task
from cvtasks.text import byte_count

Value = int | tuple[int, int, int]
"""What a pixel of a mask holds: a number, or a colour (red, green, blue)."""

VOID = 255
"""The value of pixels that count for nothing, by convention."""

_MOST_VALUE = 65535  # of 16 bits


@dataclass(frozen=True)
class Data:
    """The table `[data]`: which images, and how training varies them.

    Attributes:
        path: the data set, as for `--data`.
        format: in which format it is (docs/formats.md); empty for the one that is recognised.
        train, validate: names of the splits. "val", "valid", "validation" and "dev" are one name.
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
        values: of masks whose pixels hold other things than the ids of the classes: class → the
            value or the colour (red, green, blue) that stands for it, in the order of the classes.
        void: of masks: the value or colour of pixels that count for nothing, beside 255.
        classes_from: of a folder tree of images: whether a class is the name of the "parent" folder
            of its images, or the beginning of each file's "name": `Abyssinian_12.jpg`.
        tiles: [height, width] in pixels of the tiles that large images are cut into, each a
            sample, with a fifth of their sides in common; empty for whole images. What such a
            model has learned is asked by `tiles` of the same size.
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
        colour_on: where colours change: on the "cpu", by Albumentations, or on the "device" that
            learns, for where it waits for images: a mosaic has one change then and not four, and
            nothing but grey of exactly the letterbox's is taken for what is around an image.
        mosaic: probability that four images with boxes are joined around a random centre.
        mixup: probability that a mosaic is averaged with another one, or an image with labels with
            another image.
        cutmix: probability that a window of an image with labels shows another image.
        copy_paste: probability that objects of another image, with a box or a mask, are pasted into
            an image.
        close_mosaic: the last epochs, as many as this, have neither mosaics nor mixtures, and
            nothing is pasted; the head "yolox" learns boxes by their L1 distance too then.
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
        processes: whether the workers are processes of their own and not threads: for machines with
            many cores, where threads are the brake (docs/scale.md). The result does not depend on
            it.
        cache: memory that all workers share for decoded images, such as "4 GB": what is kept there
            is not decoded again (docs/scale.md); empty for none. The result does not depend on it.
    """

    path: str = ""
    format: str = ""
    train: str = "train"
    validate: str = "val"
    lists: str = ""
    held_out: Annotated[float, Range(0, 0.9)] = 0.0
    unlisted: Literal["background", "void"] = "background"
    faulty: Literal["refuse", "drop"] = "refuse"
    values: Mapping[str, Value] = field(default_factory=dict)
    void: Value = VOID
    classes_from: Literal["", "parent", "name"] = ""
    tiles: Annotated[tuple[int, ...], Range(32, 100_000)] = ()
    crop: Annotated[int, Range(0, 4096)] = 0
    multi_scale: tuple[int, ...] = ()
    scale: Annotated[tuple[float, float], Range(0.1, 10)] = (0.5, 1.5)
    rotate: Annotated[float, Range(0, 180)] = 0.0
    shear: Annotated[float, Range(0, 45)] = 0.0
    flip: Annotated[float, Range(0, 1)] = 0.5
    colour: Annotated[float, Range(0, 1)] = 0.4
    colour_on: Literal["cpu", "device"] = "cpu"
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
    processes: bool = False
    cache: str = ""

    @property
    def cache_bytes(self) -> int:
        """Bytes of memory for decoded images; 0 for none."""
        return byte_count(self.cache) if self.cache else 0

    @property
    def colour_here(self) -> float:
        """`colour`, as far as it is the CPU's work."""
        return self.colour if self.colour_on == "cpu" else 0.0

    @property
    def colour_there(self) -> float:
        """`colour`, as far as it is the device's work."""
        return self.colour if self.colour_on == "device" else 0.0

    @property
    def validated_on(self) -> str:
        """The split that is validated on, in a word or in words."""
        return f"set aside from {self.train or 'all'}" if self.held_out else self.validate

    def check(self, task: Task) -> None:
        """Raise ModelError where the table does not fit itself or the task."""
        if self.scale[0] > self.scale[1]:
            raise ModelError(f"`data.scale` must be (low, high); got {self.scale}.")
        self._check_values()
        self._check_tiles(task)
        self._check_cache()
        if self.processes and not self.workers:
            raise ModelError(
                "`data.processes` makes processes of the workers, of which `data.workers = 0` has "
                "none; got true. Set `data.workers` to their number."
            )
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
        if self.policy and self.colour_on != "cpu":
            raise ModelError(
                f"`data.policy` changes images on the CPU, in the place of `data.colour`; got "
                f'"{self.policy}" and `data.colour_on = "{self.colour_on}"`. Leave one of them out.'
            )
        if self.mixup and not self.mosaic and task.answer.mixing != "shares":
            raise ModelError(
                "`data.mixup` mixes mosaics, of which `data.mosaic = 0` makes none; got "
                f"{self.mixup:g}."
            )

    def _check_cache(self) -> None:
        """Raise ModelError where what is said of memory cannot be."""
        try:
            if self.cache and not self.cache_bytes:
                raise ValueError("it is nothing")
        except ValueError as error:
            raise ModelError(
                '`data.cache` must be an amount of memory, such as "500 MB" or "4 GB", or empty; '
                f'got "{self.cache}": {error}. Give a number and its unit.'
            ) from error

    def _check_tiles(self, task: Task) -> None:
        """Raise ModelError where images cannot be cut so."""
        if len(self.tiles) not in (0, 2):
            raise ModelError(
                "`data.tiles` must be [height, width] of a tile, or empty; got "
                f"{list(self.tiles)}. Give two numbers."
            )
        if self.tiles and not task.tiled:
            raise ModelError(
                "`data.tiles` cuts images whose answer says where each thing is; got "
                f"{list(self.tiles)} for {task.name}. Leave it out."
            )

    def _check_values(self) -> None:
        """Raise ModelError where what is said of masks cannot be."""
        named = {"void": self.void} | {f"values.{name}": one for name, one in self.values.items()}
        for key, value in named.items():
            numbers, most = (value, 255) if isinstance(value, tuple) else ((value,), _MOST_VALUE)
            if not all(0 <= number <= most for number in numbers):
                raise ModelError(
                    f"`data.{key}` must be a value of 0 to {_MOST_VALUE} or a colour of three "
                    f"numbers of 0 to 255; got {value}."
                )
        kinds = {type(value) for value in self.values.values()}
        if len(set(self.values.values())) < len(self.values) or "" in self.values or len(kinds) > 1:
            raise ModelError(
                "`data.values` must give each class a value of its own, all numbers or all "
                f"colours, and no empty name; got {dict(self.values)}."
            )
