"""Images that look alike to a model, and whether they are labelled alike."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from cvtasks.data.loading.workers import prepared
from cvtasks.data.source import Source
from cvtasks.evaluation.review.suspects import Suspect
from cvtasks.model import Model

TWIN = 0.93
"""Cosine of the features of two images from which on they count as one photograph: of a hundred of
Pascal VOC the nearest others have 0.91 at most, copies of half the size, at JPEG quality 40, cut by
a twentieth or brightened 0.94 at least (`benchmarks/twins.py`, two models).
"""
_ROWS = 512  # whose cosines are computed together


def twins(model: Model, source: Source, *, labelled: bool = True) -> Iterator[Suspect]:
    """Images that look like an earlier one; those with other classes than it first.

    Args:
        labelled: whether truths count.
    """
    from cvtasks.evaluation.review.embedding import embeddings

    calls = ((source.called(i), partial(source.__getitem__, i)) for i in range(len(source)))
    found = embeddings(model, (sample.image for sample in prepared(calls)))
    yield from alike(found, source, labelled=labelled)


def alike(found: np.ndarray, source: Source, *, labelled: bool = True) -> Iterator[Suspect]:
    """The same by the features (n, c) of the images, each of length 1."""
    for begun in range(0, len(found), _ROWS):
        cosines = found[begun : begun + _ROWS] @ found.T
        for row, line in enumerate(cosines, start=begun):
            if row == 0:
                continue
            first = int(line[:row].argmax())
            cosine = float(min(line[first], 1))
            if cosine < TWIN:
                continue
            name = source.name(first)
            if labelled and _classes(source, row) != _classes(source, first):
                yield Suspect(row, "twin of other classes", cosine, f"looks like {name}")
            else:
                yield Suspect(row, "twin", 0.5 * cosine, f"looks like {name}")


def _classes(source: Source, index: int) -> list[int]:
    found: list[int] = source.truth(index).present().tolist()
    return found
