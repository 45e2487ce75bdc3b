"""A Keras network at the pace of its device, where many images are answered whatever the answers
are: the next images are made ready, and given to the device, while the last ones are read.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, final

import numpy as np

from cvtasks.heads.arrays import Arrays, mapped
from cvtasks.heads.base import Head
from cvtasks.media.prefetch import in_thread, shut

if TYPE_CHECKING:
    from cvtasks.engines.on_device import OnDevice

Begin = Callable[[np.ndarray, int], Any]
"""Images (n, H, W, 3) uint8, of which so many are no filling → the activated outputs (n, …), on the
device.
"""

_UNDER_WAY = 2  # batches that the device has been given and nobody has fetched


@final
class AtPace:
    """An engine for images that are there already, or come as quickly as they can be read.

    Its answers are those of `KerasEngine` for batches of this size, bit by bit.

    Args:
        precision: what is computed in.
        begin: runs the network.
        device: fetches what `begin` gives.
        batch: images a step; the last step of a stream is filled up.
        head: what the network is for.
        narrow: its `narrowed`, where outputs are seen by its `decode` alone and need not be fetched
            as a whole; None where they are wanted as they are.
    """

    name = "keras"

    def __init__(
        self,
        precision: str,
        begin: Begin,
        device: "OnDevice",
        batch: int,
        head: Head,
        narrow: "OnDevice | None" = None,
    ) -> None:
        self.precision = precision
        self._begin, self._device, self._batch, self._head = begin, device, batch, head
        self._narrow = narrow

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """See `Engine.stream`. Images are taken by a thread of their own."""
        under_way: deque[tuple[Any, Any, int]] = deque()
        with shut(in_thread(self._filled(images), 1)) as batches:
            for batch, number in batches:
                outputs = self._begin(batch, number)
                narrow = self._narrow(outputs) if self._narrow else None
                under_way.append((outputs, narrow, number))
                if len(under_way) == _UNDER_WAY:
                    yield from self._fetched(*under_way.popleft())
            while under_way:
                yield from self._fetched(*under_way.popleft())

    def _filled(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
        """Images (batch, H, W, 3), and how many of them are no filling."""
        with shut(images):
            left = iter(images)
            while chunk := list(islice(left, self._batch)):
                yield np.stack(chunk + chunk[-1:] * (self._batch - len(chunk))), len(chunk)

    def _fetched(self, outputs: Any, narrow: Any, number: int) -> Iterator[Arrays]:
        """The outputs of the first `number` images of a batch."""
        if narrow is None:
            found = mapped(plain, self._device.fetch(outputs))
            for index in range(number):
                yield mapped(lambda array, index=index: array[index], found)
            return
        parts, whole = self._device.fetch(narrow)
        shapes = mapped(lambda array: tuple(array.shape[1:]), outputs)
        for index in range(number):
            if whole[index]:
                own = {name: part[index] for name, part in parts.items()}
                yield self._head.widened(own, shapes)
            else:
                one = mapped(lambda array, index=index: array[index], outputs)
                yield mapped(plain, self._device.fetch(one))


def plain(array: Any) -> np.ndarray:
    """A back end's array as NumPy's, float32 or int32."""
    found = np.asarray(array)
    return found.astype(np.int32 if found.dtype.kind in "iu" else np.float32, copy=False)
