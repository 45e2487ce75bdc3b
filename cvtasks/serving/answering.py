"""From the bytes of an image to its part of a response: decode, ask, draw; each in its place, and
none in the way of the server's own thread.
"""

import asyncio
import base64
import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self, TypeVar

import cv2
import numpy as np

from cvtasks.answers import Answer, Mask
from cvtasks.answers.synonyms import called_otherwise
from cvtasks.drawing.colours import voc_palette
from cvtasks.engines.looks import AUGMENTS, augment_of
from cvtasks.engines.predict import least_score
from cvtasks.errors import did_you_mean
from cvtasks.geometry.tiles import tiles_of
from cvtasks.media.images import image_size, mask_png, read_image
from cvtasks.model import Model
from cvtasks.serving.bodies import Upload
from cvtasks.serving.limits import Limits
from cvtasks.serving.refusals import Refused
from cvtasks.serving.room import Room
from cvtasks.serving.shelf import Served
from cvtasks.serving.worker import How
from cvtasks.text import dumps

T = TypeVar("T")
Drawn = Literal["", "jpeg", "png"]

_DECODED_PIXELS = 64_000_000  # of all images that are decoded and not yet answered
_QUALITY = 90
_SMALL = 64_000  # bytes


@dataclass(frozen=True)
class Wish:
    """What a request wants to have of each image.

    Attributes:
        keep: classes that are kept; empty for all.
        drawn: the kind of image on which the answer is drawn; "" for none.
        mask: whether the ids are wanted as an indexed PNG.
    """

    how: How
    keep: tuple[str, ...] = ()
    drawn: Drawn = ""
    mask: bool = False


def wish_of(
    model: Model,
    threshold: float | None,
    classes: str,
    tiles: str,
    augment: str,
    drawn: Drawn,
    mask: bool,
) -> Wish:
    """What a request asks for, checked against the model.

    Raises:
        UsageError, Refused: it cannot be had of this model.
    """
    least = None if threshold is None else least_score(threshold)
    looks = augment_of(augment)
    task = model.recipe.task
    if tiles:
        tiles = str(tiles_of(tiles))
        if not task.tiled:
            raise Refused(
                422,
                "`tiles` are for answers that say where each thing is; "
                f"{task.name} answers about the image as a whole. Leave them out.",
            )
    if mask and task.answer is not Mask:
        raise Refused(
            422,
            f"`mask` is for models that segment; {model.name} is one for {task.name}. Leave it out",
        )
    how = How(least, tiles, looks)
    return Wish(how, _kept(classes, model.recipe.classes), drawn, mask)


def _kept(classes: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The classes to keep, by the model's names; Refused for one that it does not know."""
    names = [name.strip() for name in classes.split(",") if name.strip()]
    called = called_otherwise(names, known)
    names = [called.get(name, name) for name in names]
    for name in names:
        if name not in known:
            raise Refused(
                422,
                f'`classes` must be ones that the model knows; "{name[:100]}" is none. '
                f"{did_you_mean(name[:100], known)}",
            )
    return tuple(names)


@dataclass(frozen=True)
class Told:
    """The record of an image, and the same as JSON."""

    record: Mapping[str, Any]
    text: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """A record with its JSON."""
        return cls(record, dumps(record))


class Answering:
    """The threads that decode and draw, and how much they may hold."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        threads = max(2, min(8, os.cpu_count() or 2))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self._pixels = Room(max(_DECODED_PIXELS, limits.pixels))

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns, from one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """End the threads, when what they do is done."""
        self._pool.shutdown(cancel_futures=True)

    async def answer(self, served: Served, upload: Upload, wish: Wish) -> Told:
        """The record of an image, with what else is wanted.

        Raises:
            CVTasksError: it cannot be read, or the model fails. Refused: it has too many tiles.
        """
        size = await self.size(upload)
        _check_tiles(served.model, size, wish.how, self.limits.tiles)
        async with self._pixels.taken(math.prod(size)):
            worker = served.enter()
            try:
                image, remarks = await self.read(upload)
                asked = worker.ask(image, wish.how)
            finally:
                worker.arrived()
            answer = await asyncio.wrap_future(asked)
            made = partial(result, worker.model, upload.name, image, answer, remarks, wish)
            return await self.run(lambda: Told.of(made()))

    async def reduced(self, upload: Upload, most: int) -> tuple[np.ndarray, tuple[int, int]]:
        """The image (h, w, 3) uint8 RGB with `most` pixels at most, and its own (height, width).

        It counts as decoded until it is reduced: what is returned may wait, and keeps no one out.
        """
        async with self._pixels.taken(math.prod(await self.size(upload))):
            image, _ = await self.read(upload)
            height, width = image.shape[:2]
            return await self.run(partial(_reduced, image, most)), (height, width)

    async def size(self, upload: Upload) -> tuple[int, int]:
        """(height, width) of the image, by its header; raises InputError as `read_image`."""
        look = partial(image_size, upload.content, self.limits.pixels, name=upload.name)
        # the header of a small file has few parts, and is read sooner than a thread begins
        return look() if len(upload.content) <= _SMALL else await self.run(look)

    async def read(self, upload: Upload) -> tuple[np.ndarray, list[str]]:
        """The image (h, w, 3) uint8 RGB, and what was passed over in reading it."""
        remarks: list[str] = []
        read = partial(read_image, upload.content, self.limits.pixels, name=upload.name)
        return await self.run(partial(read, remark=remarks.append)), remarks


def _reduced(image: np.ndarray, most: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = (most / (height * width)) ** 0.5
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _check_tiles(model: Model, size: tuple[int, int], how: How, most: int) -> None:
    """Raise Refused where the network would look at an image more often than is allowed."""
    tiles = tiles_of(how.tiles)
    count = tiles.count(size, model.recipe.input_size) if tiles else 1
    looks = count * len(AUGMENTS[how.augment])
    if looks > most:
        raise Refused(
            422,
            f"the network may look at one image {most} times at most; these tiles and looks are "
            f"{looks:,}. Ask for larger tiles or a smaller image.",
        )


def result(
    model: Model, name: str, image: np.ndarray, answer: Answer, remarks: list[str], wish: Wish
) -> dict[str, Any]:
    """The record of an answer, as the command line has it, and behind it what else is wanted."""
    task = model.recipe.task
    if wish.keep:
        answer = task.keep(answer, wish.keep)
    record = {
        "source": name,
        "width": image.shape[1],
        "height": image.shape[0],
        "task": task.name,
        "model": model.name,
        "engine": model.engine.name,
        **task.record(answer),
    }
    if remarks:
        record["remarks"] = remarks
    if wish.drawn:
        content = encoded(task.draw(image, answer), wish.drawn)
        record["image"] = data_url(f"image/{wish.drawn}", content)
    if wish.mask and isinstance(answer, Mask):
        record["mask_png"] = data_url("image/png", mask_png(answer.ids, voc_palette()))
    return record


def encoded(image: np.ndarray, kind: str) -> bytes:
    """An image (h, w, 3) uint8 RGB as a file of the kind "jpeg" or "png".

    Raises:
        Refused: it is too large for the kind.
    """
    suffix, options = (
        (".png", ()) if kind == "png" else (".jpg", (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    )
    try:
        done, content = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise Refused(
            422,
            f"a side of a JPEG may have at most 65,500 pixels; this one is {width} x {height}. Ask "
            "for a PNG.",
        )
    return content.tobytes()


def data_url(kind: str, content: bytes) -> str:
    """The content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def from_data_url(url: str) -> bytes:
    """The inverse of `data_url`."""
    return base64.b64decode(url.partition(",")[2])
