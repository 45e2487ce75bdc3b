"""Reading no more of a stream than is sensible: what others packed may unpack to anything."""

import io
from collections.abc import Callable


class BoundedReader(io.BufferedReader):
    """A stream of which no more than so many bytes are read, those read twice counted twice.

    Args:
        raw: the stream below; it is closed with this one.
        most: bytes; None for no limit, also later on.
        error: makes the exception that is raised for more.

    >>> stream = BoundedReader(io.BytesIO(b"abcdef"), 4, ValueError)
    >>> stream.read(4)
    b'abcd'
    >>> stream.read(1)
    Traceback (most recent call last):
    ValueError
    """

    def __init__(
        self,
        raw: io.RawIOBase | io.BufferedIOBase,
        most: int | None,
        error: Callable[[], Exception],
    ) -> None:
        super().__init__(raw)
        self.most, self._error = most, error

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, or all there are."""
        if self.most is None:
            return super().read(size)
        within = size is not None and 0 <= size <= self.most
        content = super().read(size if within else self.most + 1)
        self.most -= len(content)
        if self.most < 0:
            raise self._error()
        return content
