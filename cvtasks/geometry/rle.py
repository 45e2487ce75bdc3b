"""COCO's run-length encoding of a binary mask (cocoapi, common/maskApi.c), by the package that
counts COCO's numbers; what others wrote is checked before the package sees it.

The package is imported where it is used: whoever reads no runs need not wait for it.
"""

import re

import numpy as np

_MOST = 1 << 28
"""Pixels of a mask."""

# One run is a character of '0' to 'O' at its end, after up to six of 'P' to 'o'.
_RUNS = re.compile("(?:[P-o]{0,6}[0-O])*")


def encode_rle(mask: np.ndarray) -> dict:
    """(h, w) bool → {"size": [h, w], "counts": str}, what pycocotools calls a compressed RLE.

    >>> encode_rle(np.array([[0, 1], [1, 1]], bool))
    {'size': [2, 2], 'counts': '13'}
    """
    from faster_coco_eval.core import mask as coco

    rle = coco.encode(np.asfortranarray(np.asarray(mask, bool), np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: dict) -> np.ndarray:
    """The inverse of `encode_rle`: (h, w) bool. Takes uncompressed runs too, `counts` as a list.

    Raises:
        KeyError, TypeError, ValueError: it is no such encoding, its runs do not fill the mask, or
            it has more than 2²⁸ pixels.

    >>> decode_rle({"size": [2, 2], "counts": "13"}).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    from faster_coco_eval.core import mask as coco

    return coco.decode(_checked(rle)).astype(bool)


def rle_box(rle: dict) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of what a mask shows, from its runs alone; all 0 where it
    shows nothing.

    Raises:
        KeyError, TypeError, ValueError: as for `decode_rle`.

    >>> rle_box({"size": [2, 2], "counts": [2, 1, 1]})
    (1, 0, 2, 1)
    """
    from faster_coco_eval.core import mask as coco

    left, top, width, height = coco.toBbox(_checked(rle)).astype(int).tolist()
    return left, top, left + width, top + height


def column_runs(runs: list[int], size: tuple[int, int]) -> dict:
    """Run lengths of a mask row by row, as CVAT writes them, the first of what it does not show →
    COCO's, which go column by column.

    Args:
        size: (height, width).

    Raises:
        ValueError: the runs do not fill the mask, or it has more than 2²⁸ pixels.

    >>> decode_rle(column_runs([1, 3], (2, 2))).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    height, width = size
    by_rows = {"size": [width, height], "counts": runs}  # the transposed mask, column by column
    return encode_rle(decode_rle(by_rows).T)


def polygons_mask(polygons: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    """Polygons, each x, y, x, y … in pixels within the image → (h, w) bool: what any of them
    covers, by COCO's rasteriser.

    >>> polygons_mask([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3)).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    from faster_coco_eval.core import mask as coco

    height, width = size
    return coco.decode(coco.merge(coco.frPyObjects(polygons, height, width))).astype(bool)


def _checked(rle: dict) -> dict:
    """The same mask, compressed; ValueError unless its runs fill it."""
    from faster_coco_eval.mask_api_new_cpp import frUncompressedRLE, toUncompressedRLE

    (height, width), counts = rle["size"], rle["counts"]
    if (
        not all(type(side) is int and side >= 0 for side in (height, width))
        or height * width > _MOST
    ):
        raise ValueError(f"`size` must be (height, width), {_MOST:,} pixels at most.")
    if not isinstance(counts, list):
        if not _RUNS.fullmatch(counts):
            raise ValueError(
                f"`counts` must be whole runs in the characters '0' to 'o'; got {counts[:50]!r}."
            )
        counts = toUncompressedRLE([{"size": [height, width], "counts": counts}])[0]["counts"]
    if any(type(run) is not int or run < 0 for run in counts) or sum(counts) != height * width:
        raise ValueError(f"the runs must be whole numbers and add up to {height}×{width} pixels.")
    return frUncompressedRLE([{"size": [height, width], "counts": counts}])[0]
