"""Label Studio's run lengths of a painted mask, thi.ng's "rle-pack": a stream of bits
(https://github.com/thi-ng/umbrella, packages/rle-pack; label-studio-converter, brush.py).

The stream begins with the number of values (32 bits), the width of a value less 1 (5 bits) and four
widths less 1 of lengths (4 bits each). Then each run is a bit that says whether one value repeats,
two bits that choose the width of its length, the length less 1, and its value or values.
"""

import numpy as np

_MOST = 1 << 28
"""Values of a stream."""


def brushed(rle: list[int], size: tuple[int, int]) -> np.ndarray:
    """(height, width) bool: the pixels of a brush, from the opacity of its RGBA image.

    Raises:
        TypeError, ValueError: the bytes are no such stream, or one of another size.
    """
    height, width = size
    if not isinstance(rle, list) or not all(type(byte) is int and 0 <= byte < 256 for byte in rle):
        raise TypeError("`rle`, a list of bytes")
    bits = _Bits(bytes(rle))
    count, value_bits = bits.take(32), bits.take(5) + 1
    widths = [bits.take(4) + 1 for _ in range(4)]
    if count != height * width * 4 or count > _MOST:
        raise ValueError(f"its runs are of {count:,} values, not of {height * width * 4:,}")
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeats, length = bits.take(1), bits.take(widths[bits.take(2)]) + 1
        end = at + length
        if end > count:
            raise ValueError("its runs are longer than the image")
        if repeats:
            values[at:end] = bits.take(value_bits) & 255
        else:
            values[at:end] = [bits.take(value_bits) & 255 for _ in range(length)]
        at = end
    return values.reshape(height, width, 4)[..., 3] > 0


class _Bits:
    """A stream of bits, the highest of each byte first."""

    def __init__(self, content: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(content, np.uint8))
        self._at = 0

    def take(self, count: int) -> int:
        """The next bits as a number; ValueError where there are none left."""
        end = self._at + count
        if end > len(self._bits):
            raise ValueError("its runs end early")
        found = 0
        for bit in self._bits[self._at : end].tolist():
            found = found << 1 | bit
        self._at = end
        return found
