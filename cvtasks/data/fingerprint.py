"""What a data set is recognised by, so that a run goes on with the data it began with."""

import hashlib

from cvtasks.answers import Boxes, Labels
from cvtasks.data.source import Source
from cvtasks.formats.reading import readable


def fingerprint(source: Source) -> str:
    """A SHA-256 over classes, order, truths and the sizes of the files, in hexadecimal digits.

    Boxes and labels count themselves, masks by the size of their files; pictures are not read. Truths should have been read
    before: then it takes microseconds a sample.
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
        truth = source.truth(index)
        if isinstance(truth, Boxes):
            for part in (truth.xyxy, truth.labels, truth.difficult, truth.crowd):
                digest.update(part.tobytes())
        elif isinstance(truth, Labels):
            digest.update(truth.scores.tobytes() + truth.difficult.tobytes())
    return digest.hexdigest()
