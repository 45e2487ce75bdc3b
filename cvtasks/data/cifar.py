"""CIFAR-10 in its binary version (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009)."""

from pathlib import Path

import numpy as np

from cvtasks.data.labels import ArrayLabels, class_names
from cvtasks.data.source import check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_annotation

_FILES = {"train": "data_batch_*.bin", "test": "test_batch.bin"}
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue, each row by row
_MOST = 1000 * MEGABYTE  # a file of the real one has 31 MB


class CIFARLabels(ArrayLabels):
    """`data_batch_1.bin` and further ones (split `train`), `test_batch.bin` (`test`), and `batches.meta.txt`, which names the
    classes. Format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """

    format = "CIFAR-10 binary version"
    layout = "data_batch_1.bin …, test_batch.bin and batches.meta.txt"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the files of one of the splits lie at `root`."""
        return bool(_splits(root))

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """Those of "train" and "test" that have batches."""
        return tuple(_splits(root))

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        splits = _splits(root)
        self.split = split = check_split(split, splits, root)
        names = root / "batches.meta.txt"
        self.classes = class_names(names)
        records = np.concatenate([_read(path) for path in splits[split]])
        self.labels = records[:, 0].copy()
        self.images = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self._check(root, names)


def _splits(root: Path) -> dict[str, list[Path]]:
    """Split → its files, the batches by their numbers."""
    found = {split: [path for path in root.glob(name) if path.is_file()] for split, name in _FILES.items()}
    return {split: sorted(paths, key=lambda path: (len(path.name), path.name)) for split, paths in found.items() if paths}


def _read(path: Path) -> np.ndarray:
    """(n, 3073) uint8: the records of one file."""
    content = np.frombuffer(read_annotation(path, _MOST), np.uint8)
    if not len(content) or len(content) % _RECORD:
        raise DataError(
            f"a batch of CIFAR-10 must hold records of {_RECORD:,} bytes; {str(path)!r} has {len(content):,} bytes, which is no "
            "multiple of that. Copy or download it again."
        )
    return content.reshape(-1, _RECORD)
