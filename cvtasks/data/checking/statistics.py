"""What a data set holds, class by class, and the fingerprint that it is recognised by."""

import hashlib
from typing import Any

import numpy as np

from cvtasks.answers import Answer, Boxes, Labels, Mask
from cvtasks.data.source import Source
from cvtasks.formats.reading import readable


def shows_nothing(truth: Answer) -> bool:
    """Whether a truth has nothing that is to be found: no object, no class, background and void
    alone.
    """
    if isinstance(truth, Mask):
        return not truth.counts()[1:].any()
    return not (truth.counted.any() if isinstance(truth, Boxes) else len(truth.shown))


def statistics(source: Source) -> list[dict[str, Any]]:
    """One row a class, in the order of the classes.

    For boxes: `class`, `objects`, `images` that hold one, `difficult`, `crowds`, and the median
    `width` and `height` of the objects in pixels. For masks: `class`, `images`, and `share` of all
    pixels that are not void, 0 to 1. For labels: `class`, `images` that show it, and `difficult`:
    images in which it is neither to be found nor counted against whoever finds it.
    """
    truths = [source.truth(index) for index in range(len(source))]
    masks = [truth for truth in truths if isinstance(truth, Mask)]
    boxes = [truth for truth in truths if isinstance(truth, Boxes)]
    labels = [truth for truth in truths if isinstance(truth, Labels)]
    if labels:
        return _of_labels(labels, source.classes)
    return _of_masks(masks, source.classes) if masks else _of_boxes(boxes, source.classes)


def _of_labels(truths: list[Labels], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    shown, difficult = np.zeros(len(classes), np.int64), np.zeros(len(classes), np.int64)
    for truth in truths:
        shown += (truth.scores > 0) & ~truth.difficult
        difficult += truth.difficult
    return [
        {"class": name, "images": int(images), "difficult": int(hard)}
        for name, images, hard in zip(classes, shown, difficult, strict=True)
    ]


def _of_boxes(truths: list[Boxes], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    for label, name in enumerate(classes):
        own = [truth.take(truth.labels == label) for truth in truths]
        sides = np.concatenate([boxes.xyxy[:, 2:] - boxes.xyxy[:, :2] for boxes in own])
        width, height = np.median(sides, axis=0).round(1).tolist() if len(sides) else (None, None)
        rows.append(
            {
                "class": name,
                "objects": len(sides),
                "images": sum(len(boxes) > 0 for boxes in own),
                "difficult": sum(int(boxes.difficult.sum()) for boxes in own),
                "crowds": sum(int(boxes.crowd.sum()) for boxes in own),
                "width": width,
                "height": height,
            }
        )
    return rows


def _of_masks(truths: list[Mask], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    counts = np.array([truth.counts() for truth in truths])
    total = max(int(counts.sum()), 1)
    return [
        {
            "class": name,
            "images": int((column > 0).sum()),
            "share": round(int(column.sum()) / total, 6),
        }
        for name, column in zip(classes, counts.T, strict=True)
    ]


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
        truth = source.truth(index)
        if isinstance(truth, Boxes):
            for part in (truth.xyxy, truth.labels, truth.difficult, truth.crowd):
                digest.update(part.tobytes())
        elif isinstance(truth, Labels):
            digest.update(truth.scores.tobytes() + truth.difficult.tobytes())
    return digest.hexdigest()
