"""From images to answers: letterbox, engine, decode; the same for every task,
engine and purpose.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from numbers import Real
from typing import Any, TypeAlias, TypeVar

import numpy as np

from cvtasks.answers import Answer
from cvtasks.engines.base import Engine
from cvtasks.engines.looks import AUGMENTS, Look, augment_of
from cvtasks.errors import NotFinite, UsageError
from cvtasks.geometry.letterbox import Letterbox, Size
from cvtasks.geometry.tiles import Tile, Tiles
from cvtasks.heads.arrays import Arrays
from cvtasks.heads.base import Head
from cvtasks.heads.views import TiledViews, View
from cvtasks.media.prefetch import prefetched, shut
from cvtasks.media.strips import Strips

Tag = TypeVar("Tag")
Result = TypeVar("Result")

Image: TypeAlias = Any
"""(h, w, 3) uint8 RGB, or `Strips`, which are read where they are looked at."""


def predict(
    engine: Engine,
    head: Head,
    classes: tuple[str, ...],
    fit: Callable[[Size], Letterbox],
    images: Iterable[tuple[Tag, Image]],
    threshold: float = 0.0,
    augment: bool | str = False,
    tiles: Tiles | None = None,
    decoders: int = 0,
) -> Iterator[tuple[Tag, Image, Answer]]:
    """(tag, image) pairs → (tag, image, answer), in the same order.

    Args:
        fit: (height, width) of an image → where it lies on the network input (`Recipe.letterbox`).
        images: (h, w, 3) uint8 RGB of any size, prepared as the task wants them, as those of a
            source that is fitted to a recipe are; or, where they are cut into tiles, `Strips`.
        threshold: the least score, 0 to 1, of what the answers hold.
        augment: a row of `AUGMENTS`, the looks whose answers become one (`Head.decode_views`);
            True for an image and its mirror image.
        tiles: how images are cut, and answered tile by tile (`Head.decode_tiles`).
        decoders: threads that decode, where many images are answered and each output is an array of
            its own; 0: whoever takes the answers decodes them.

    Raises:
        UsageError: the threshold is no number from 0 to 1, there is no such averaging, or the task
            knows no tiles; at once, before an image is taken.
        NotFinite: the network's output is no answer.
    """
    if tiles and not head.task.tiled:
        raise UsageError(
            "images are cut into tiles where the answer says where each thing is; "
            f"{head.task.name} answers about the image as a whole. Leave the tiles out."
        )
    looks = AUGMENTS[augment_of(augment)]
    asking = _Asking(fit, looks, tiles)
    answered = _answered(engine, head, classes, asking, images, least_score(threshold))
    return prefetched(answered, decoders, 4 * decoders) if decoders else _called(answered)


def _called(calls: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    with shut(calls):
        for call in calls:
            yield call()


@dataclass(frozen=True, eq=False)
class _Asking:
    """How images are put to the network: cut into tiles, and each looked at in several ways."""

    fit: Callable[[Size], Letterbox]
    looks: tuple[Look, ...]
    tiles: Tiles | None

    def tiles_of(self, size: Size) -> tuple[Tile, ...]:
        """The tiles of an image of (height, width)."""
        if self.tiles is None:
            return (Tile.of_all(size),)
        return self.tiles.of(size, self.fit(size).input_size)

    def letterboxes(self, tile: Tile) -> list[Letterbox]:
        """Where a tile lies on the network input, at each look."""
        plain = self.fit((tile.height, tile.width))
        return [plain if look.zoom == 1 else replace(plain, zoom=look.zoom) for look in self.looks]

    def inputs(self, image: Image, tile: Tile) -> Iterator[np.ndarray]:
        """The network inputs of a tile, at each look."""
        letterboxes = self.letterboxes(tile)
        if isinstance(image, Strips) and tile.whole:
            seen = image.overview
        else:
            left, top, right, bottom = tile.edges
            seen = image[top:bottom, left:right]
        for look, letterbox in zip(self.looks, letterboxes, strict=True):
            turned = np.ascontiguousarray(seen[:, ::-1]) if look.mirrored else seen
            same = turned.shape[:2] == letterbox.size
            yield letterbox.to_input(turned) if same else letterbox.place(turned)

    def views(self, tiles: Iterable[Tile], outputs: Iterator[Arrays]) -> TiledViews:
        """Each tile with what the network answers about its looks; NotFinite where that is none."""
        for tile in tiles:
            yield (
                tile,
                [
                    View(_checked(output), letterbox, look.mirrored)
                    for look, letterbox, output in zip(
                        self.looks, self.letterboxes(tile), outputs, strict=False
                    )
                ],
            )


def _answered(
    engine: Engine,
    head: Head,
    classes: tuple[str, ...],
    asking: _Asking,
    images: Iterable[tuple[Tag, Image]],
    threshold: float,
) -> Iterator[Callable[[], tuple[Tag, Image, Answer]]]:
    """What decodes each image's outputs, once the network has answered; of an image in tiles all is
    done, as it takes them one by one.
    """
    under_way: deque[tuple[Tag, Image, tuple[Tile, ...]]] = deque()

    def inputs() -> Iterator[np.ndarray]:
        for tag, image in images:
            tiles = asking.tiles_of(image.shape[:2])
            under_way.append((tag, image, tiles))
            for tile in tiles:
                yield from asking.inputs(image, tile)

    def decode(tag: Tag, image: Image, views: Sequence[View]) -> tuple[Tag, Image, Answer]:
        return tag, image, head.decode_views(views, classes, threshold)

    with shut(images), shut(engine.stream(inputs())) as outputs:
        found = iter(outputs)
        for first in found:
            tag, image, tiles = under_way.popleft()
            each = asking.views(tiles, chain([first], found))
            if len(tiles) > 1:
                answer = head.decode_tiles(each, image.shape[:2], classes, threshold)
                yield partial(_same, (tag, image, answer))
            else:
                yield partial(decode, tag, image, next(iter(each))[1])


def _same(result: Result) -> Result:
    return result


def _checked(output: Arrays) -> Arrays:
    """The output itself; NotFinite if it holds other things than numbers."""
    if not all(_is_finite(array) for array in _each(output)):
        raise NotFinite(
            "a network must answer with finite numbers; this one does not. Copy or train the model "
            "again."
        )
    return output


def _each(output: Arrays) -> Iterable[np.ndarray]:
    found: Iterable[np.ndarray] = output.values() if isinstance(output, Mapping) else (output,)
    return found


def _is_finite(array: np.ndarray) -> bool:
    """Whether an array holds numbers alone."""
    # Of a map every eighth row and column: a NaN reaches all around it, and to look at all takes as
    # long as to decode.
    return bool(np.isfinite(array[::8, ::8] if array.ndim == 3 else array).all())


def least_score(threshold: object) -> float:
    """A threshold as a float.

    Raises:
        UsageError: it is no number from 0 to 1.

    >>> least_score(np.float32(0.5)), least_score(1)
    (0.5, 1.0)
    """
    given: Any = threshold
    if isinstance(threshold, np.generic) or (
        isinstance(threshold, np.ndarray) and not threshold.ndim
    ):
        given = threshold.item()
    a_number = not isinstance(given, bool) and isinstance(given, Real)
    if a_number:
        if 0 <= given <= 1:
            return float(given)
        what = (
            "one far outside" if abs(given) > 1e9 else f"{given!r}"
        )  # Python does not print whole numbers of any length
        hint = f" {float(given):g} % is {float(given) / 100:g}." if 1 < given <= 100 else ""
    else:
        what, hint = f"{repr(threshold)[:60]}, a {type(threshold).__name__}", ""
    raise UsageError(
        f"a threshold is the least score of what is shown, a number from 0 to 1; got {what}.{hint} "
        "Correct it."
    )
