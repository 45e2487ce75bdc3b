"""CIFAR-10 in its binary version."""

from pathlib import Path

import numpy as np

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import ArrayLabels, class_names
from cvtasks.data.source import check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_annotation

_FILES = {"train": "data_batch_*.bin", "test": "test_batch.bin"}
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue, each row by row
_MOST_BATCH = 1000 * MEGABYTE  # a file of the real one has 31 MB


class CIFARLabels(ArrayLabels):
    """`data_batch_1.bin` and further ones (split `train`), `test_batch.bin` (`test`), and
    `batches.meta.txt`, which names the classes. Format:
    https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        splits = _batch_files(root)
        self.split = split = check_split(split, splits, root)
        names = root / "batches.meta.txt"
        self.classes = class_names(names)
        records = np.concatenate([_read_batch(path) for path in splits[split]])
        self.labels = records[:, 0].copy()
        self.images = np.ascontiguousarray(
            records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        )
        self._check(root, names)


def _batch_files(root: Path) -> dict[str, list[Path]]:
    """Split → its files, the batches by their numbers."""
    found = {
        split: [path for path in root.glob(name) if path.is_file()]
        for split, name in _FILES.items()
    }
    return {
        split: sorted(paths, key=lambda path: (len(path.name), path.name))
        for split, paths in found.items()
        if paths
    }


def _read_batch(path: Path) -> np.ndarray:
    """(n, 3073) uint8: the records of one file."""
    content = np.frombuffer(read_annotation(path, _MOST_BATCH), np.uint8)
    if not len(content) or len(content) % _RECORD:
        raise DataError(
            f"a batch of CIFAR-10 must hold records of {_RECORD:,} bytes; {str(path)!r} has "
            f"{len(content):,} bytes, which is no "
            "multiple of that. Copy or download it again."
        )
    return content.reshape(-1, _RECORD)


CIFAR = Format(
    "CIFAR-10 binary version",
    "data_batch_1.bin …, test_batch.bin and batches.meta.txt",
    Labels,
    is_at=lambda root: bool(_batch_files(root)),
    splits_at=lambda root: tuple(_batch_files(root)),
    opens=CIFARLabels,
)
