"""COCO's compressed run-length encoding of a binary mask (cocoapi, common/maskApi.c), in numpy."""

import numpy as np


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
        value = run - runs[i - 2] if i > 2 else run  # from the fourth on: the difference to the run two before
        more = True
        while more:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(chr((bits | 0x20 if more else bits) + 48))
    return {"size": list(mask.shape), "counts": "".join(text)}


def decode_rle(rle: dict) -> np.ndarray:
    """The inverse of `encode_rle`: (h, w) bool.

    >>> decode_rle({"size": [2, 2], "counts": "13"}).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    runs: list[int] = []
    value = shift = 0
    for char in rle["counts"]:
        bits = ord(char) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if any(run < 0 for run in runs) or sum(runs) != rle["size"][0] * rle["size"][1]:
        raise ValueError(f"the runs must add up to {rle['size'][0]}×{rle['size'][1]} pixels; got {sum(runs)}.")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(rle["size"], order="F")
