"""What a data set holds, class by class, and the fingerprint that it is recognised by."""

import hashlib
from typing import Any

import numpy as np

from cvtasks.data.source import Source
from cvtasks.formats.reading import readable

_GLANCE = 16  # images


def statistics(source: Source) -> list[dict[str, Any]]:
    """One row a class, in the order of the classes: what `Answer.statistics` says of its kind of
    truth.
    """
    truths = (source.truth(index) for index in range(len(source)))
    return source.kind.statistics(truths, source.classes)


def fingerprint(source: Source) -> str:
    """A SHA-256 over classes, order, truths and the sizes of the files, in hexadecimal digits.

    Boxes and labels count themselves, masks by the size of their files; images are not read. Truths
    should have been read before: then it takes microseconds a sample.
    """
    digest = hashlib.sha256("\n".join([source.format, *source.classes]).encode())
    for index in range(len(source)):
        for files in (source.files, source.truth_files):
            if files:
                with readable(files[index]):
                    size = files[index].stat().st_size
                digest.update(f"{files[index].name}\0{size}\0".encode(errors="surrogateescape"))
        if source.truth_files:
            continue
        digest.update(source.truth(index).content())
    return digest.hexdigest()


def glance(source: Source) -> str:
    """A SHA-256 over a few of the images, evenly spread, in hexadecimal digits: it tells images
    apart that have the same names, truths and sizes.
    """
    digest = hashlib.sha256()
    for index in np.unique(np.linspace(0, len(source) - 1, _GLANCE).round().astype(int)).tolist():
        if not source.files:
            digest.update(source[index].image.tobytes())
            continue
        with readable(source.files[index]):
            digest.update(source.files[index].read_bytes())
    return digest.hexdigest()
