"""COCO's compressed run-length encoding of a binary mask (cocoapi, common/maskApi.c), in numpy."""

import numpy as np

_MOST = 1 << 28  # pixels of a mask


def encode_rle(mask: np.ndarray) -> dict:
    """(h, w) bool → {"size": [h, w], "counts": str}, what pycocotools calls a compressed RLE.

    >>> encode_rle(np.array([[0, 1], [1, 1]], bool))
    {'size': [2, 2], 'counts': '13'}
    """
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat.size and flat[0]:
        runs.insert(0, 0)  # the first run counts zeros
    text = []
    for i, run in enumerate(runs):
        value = (
            run - runs[i - 2] if i > 2 else run
        )  # from the fourth on: the difference to the run two before
        more = True
        while more:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(chr((bits | 0x20 if more else bits) + 48))
    return {"size": list(mask.shape), "counts": "".join(text)}


def decode_rle(rle: dict) -> np.ndarray:
    """The inverse of `encode_rle`: (h, w) bool. Takes uncompressed runs too, `counts` as a list.

    Raises:
        KeyError, TypeError, ValueError: it is no such encoding, its runs do not fill the mask, or
            it has more than 2²⁸ pixels.

    >>> decode_rle({"size": [2, 2], "counts": "13"}).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    height, width, runs = _runs(rle)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape((height, width), order="F")


def rle_box(rle: dict) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of what a mask shows, from its runs alone; all 0 where it
    shows nothing.

    Raises:
        KeyError, TypeError, ValueError: as for `decode_rle`.

    >>> rle_box({"size": [2, 2], "counts": [2, 1, 1]})
    (1, 0, 2, 1)
    """
    height, _, runs = _runs(rle)
    ends = np.cumsum(np.array(runs, np.int64))
    first, last = ends[:-1:2], ends[1::2] - 1  # of each run of ones
    first, last = first[last >= first], last[last >= first]
    if not len(first):
        return 0, 0, 0, 0
    across = (last // height) > (
        first // height
    )  # over more than a column: it touches the top or the bottom of both
    top, bottom = np.where(across, 0, first % height), np.where(across, height - 1, last % height)
    return (
        int(first[0] // height),
        int(top.min()),
        int(last[-1] // height) + 1,
        int(bottom.max()) + 1,
    )


def _runs(rle: dict) -> tuple[int, int, list[int]]:
    """Height, width, and the lengths of runs of zeros and ones in turn, down the columns."""
    (height, width), counts = rle["size"], rle["counts"]
    if (
        not all(type(side) is int and side >= 0 for side in (height, width))
        or height * width > _MOST
    ):
        raise ValueError(f"`size` must be (height, width), {_MOST:,} pixels at most.")
    runs = counts if isinstance(counts, list) else _decompressed(counts)
    if any(type(run) is not int or run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(f"the runs must be whole numbers and add up to {height}×{width} pixels.")
    return height, width, runs


def _decompressed(counts: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for char in counts:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(
                f"`counts` must be runs of at most {_MOST:,} pixels in the characters '0' to 'o'; "
                f"got {char!r}."
            )
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if value or shift:
        raise ValueError("the runs must be whole; the last one is cut.")
    return runs
