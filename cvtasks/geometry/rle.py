"""COCO's run-length encoding of a binary mask (cocoapi, common/maskApi.c), by the package that
counts COCO's numbers; what others wrote is checked before the package sees it.

The package is imported where it is used: whoever reads no runs need not wait for it.
"""

import re
from collections.abc import Sequence

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


def rle_extents(runs: Sequence[bytes], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Compressed runs of masks of `size` (height, width) → (n, 4) float32: left, top, right and
    bottom edge of what each shows, and (n,) int64: its pixels; all 0 where it shows nothing.

    >>> [found.tolist() for found in rle_extents([b"13"], (2, 2))]
    [[[0.0, 0.0, 2.0, 2.0]], [3]]
    """
    from faster_coco_eval.core import mask as coco

    if not len(runs):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    masks = [{"size": list(size), "counts": counts} for counts in runs]
    edges = np.array(coco.toBbox(masks), np.float32).reshape(-1, 4)
    edges[:, 2:] += edges[:, :2]
    return edges, np.array(coco.area(masks), np.int64).reshape(-1)


def rle_iou(ours: Sequence[bytes], theirs: Sequence[bytes], size: tuple[int, int]) -> np.ndarray:
    """Compressed runs of n and of m masks of `size` → (n, m) float64: intersection over union,
    0 to 1.

    >>> rle_iou([b"13"], [b"13", b"31"], (2, 2)).round(4).tolist()
    [[1.0, 0.3333]]
    """
    return _overlaps(ours, theirs, size, whole=True)


def rle_inside(ours: Sequence[bytes], theirs: Sequence[bytes], size: tuple[int, int]) -> np.ndarray:
    """Compressed runs of n and of m masks of `size` → (n, m) float64: the share of each of ours
    that lies in each of theirs, 0 to 1.

    >>> rle_inside([b"13"], [b"13", b"31"], (2, 2)).round(4).tolist()
    [[1.0, 0.3333]]
    """
    return _overlaps(ours, theirs, size, whole=False)


def _overlaps(
    ours: Sequence[bytes], theirs: Sequence[bytes], size: tuple[int, int], *, whole: bool
) -> np.ndarray:
    """(n, m) intersections over unions, or unless `whole` over ours; 0 where one shows nothing."""
    from faster_coco_eval.core import mask as coco

    if not (len(ours) and len(theirs)):
        return np.zeros((len(ours), len(theirs)))
    first, second = (
        [{"size": list(size), "counts": counts} for counts in masks] for masks in (ours, theirs)
    )
    crowds = [int(not whole)] * len(second)  # of a crowd the library takes it over ours alone
    return np.asarray(coco.iou(first, second, crowds)).reshape(len(ours), len(theirs))


def rle_union(masks: Sequence[bytes], size: tuple[int, int]) -> bytes:
    """The mask that shows what any of several of `size` (height, width) does; all compressed runs.

    >>> rle_union([b"13", b"04"], (2, 2))
    b'04'
    """
    from faster_coco_eval.core import mask as coco

    if len(masks) == 1:
        return masks[0]
    whole = coco.merge([{"size": list(size), "counts": counts} for counts in masks])
    return bytes(whole["counts"])


def rle_part(counts: bytes, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of a mask of `size` (height, width) that shows something, from its compressed runs:
    (h, w) bool, and its left top corner (x, y).

    Raises:
        ValueError: the runs do not fill the mask.

    >>> part, corner = rle_part(b"231", (2, 3))
    >>> part.tolist(), corner
    ([[True, True], [True, False]], (1, 0))
    """
    from faster_coco_eval.mask_api_new_cpp import toUncompressedRLE

    height, width = size
    runs = np.array(
        toUncompressedRLE([{"size": [height, width], "counts": counts}])[0]["counts"], np.int64
    )
    if runs.sum() != height * width:
        raise ValueError(f"the runs must add up to {height}×{width} pixels; got {runs.sum()}.")
    runs = runs[: len(runs) // 2 * 2]  # without what follows the last pixel that is shown
    first = int(runs[0]) // height if len(runs) else 0
    runs[:1] -= first * height  # columns that show nothing need no room
    columns = np.zeros((-(-int(runs.sum()) // max(height, 1)), height), bool)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    columns.reshape(-1)[: len(flat)] = flat
    wide, tall = np.flatnonzero(columns.any(axis=1)), np.flatnonzero(columns.any(axis=0))
    if not len(wide):
        return np.zeros((0, 0), bool), (0, 0)
    part = columns[wide[0] : wide[-1] + 1, tall[0] : tall[-1] + 1].T
    return np.ascontiguousarray(part), (first + int(wide[0]), int(tall[0]))


def part_rle(part: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> bytes:
    """The inverse of `rle_part`: compressed runs of the mask of `size` (height, width) that shows
    `part` (h, w) bool with its left top at the corner (x, y), and nothing around it. What lies
    outside of the mask is cut off.

    >>> part_rle(np.array([[True, True], [True, False]]), (1, 0), (2, 3))
    b'231'
    """
    from faster_coco_eval.mask_api_new_cpp import frUncompressedRLE

    (height, width), (x, y) = size, corner
    part = part[max(-y, 0) : max(height - y, 0), max(-x, 0) : max(width - x, 0)]
    x, y = max(x, 0), max(y, 0)
    if not part.size:
        return frUncompressedRLE([{"size": [height, width], "counts": [height * width]}])[0][
            "counts"
        ]
    columns = np.zeros((part.shape[1], height), bool)
    columns[:, y : y + part.shape[0]] = part.T
    flat = columns.reshape(-1)
    # where runs begin: a value of nothing before the first pixel and after the last one
    changes = np.flatnonzero(np.diff(flat, prepend=False, append=False)) + x * height
    runs = np.diff(np.concatenate([[0], changes, [height * width]]))
    if len(changes) and not runs[-1]:  # the last pixel is shown: nothing follows it
        runs = runs[:-1]
    return frUncompressedRLE([{"size": [height, width], "counts": runs.tolist()}])[0]["counts"]


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
    return runs_mask(polygons_runs(polygons, size), size)


def polygons_runs(polygons: list[list[float]], size: tuple[int, int]) -> bytes:
    """As `polygons_mask`, as compressed run lengths.

    >>> polygons_runs([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3))
    b'01102'
    """
    from faster_coco_eval.core import mask as coco

    height, width = size
    runs: bytes = coco.merge(coco.frPyObjects(polygons, height, width))["counts"]
    return runs


def runs_mask(runs: bytes, size: tuple[int, int]) -> np.ndarray:
    """Compressed run lengths of this package's own → (h, w) bool; unlike `decode_rle` it checks
    nothing.
    """
    from faster_coco_eval.core import mask as coco

    return coco.decode({"size": list(size), "counts": runs}).astype(bool)


def united_runs(parts: Sequence[bytes], size: tuple[int, int]) -> bytes:
    """Compressed run lengths of masks of `size` → those of what any of them shows.

    >>> united_runs([b"13", b"31"], (2, 2))
    b'13'
    """
    from faster_coco_eval.core import mask as coco

    if len(parts) == 1:
        return parts[0]
    runs: bytes = coco.merge([{"size": list(size), "counts": one} for one in parts])["counts"]
    return runs


def checked_runs(rle: dict) -> bytes:
    """The compressed `counts` of run lengths that others wrote.

    Raises:
        KeyError, TypeError, ValueError: as for `decode_rle`.

    >>> checked_runs({"size": [2, 2], "counts": [1, 3]})
    b'13'
    """
    runs = _checked(rle)["counts"]
    return runs if isinstance(runs, bytes) else runs.encode("ascii")


def _checked(rle: dict) -> dict:
    """The same mask, compressed; ValueError unless its runs fill it."""
    from faster_coco_eval.mask_api_new_cpp import frUncompressedRLE, toUncompressedRLE

    (height, width), counts = rle["size"], rle["counts"]
    if (
        not all(type(side) is int and side >= 0 for side in (height, width))
        or height * width > _MOST
    ):
        raise ValueError(f"`size` must be (height, width), {_MOST:,} pixels at most.")
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    if not isinstance(counts, list):
        if not _RUNS.fullmatch(counts):
            raise ValueError(
                f"`counts` must be whole runs in the characters '0' to 'o'; got {counts[:50]!r}."
            )
        counts = toUncompressedRLE([{"size": [height, width], "counts": counts}])[0]["counts"]
    if any(type(run) is not int or run < 0 for run in counts) or sum(counts) != height * width:
        raise ValueError(f"the runs must be whole numbers and add up to {height}×{width} pixels.")
    return frUncompressedRLE([{"size": [height, width], "counts": counts}])[0]
