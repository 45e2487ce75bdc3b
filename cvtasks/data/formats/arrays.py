"""Image-level labels in arrays: MNIST and its relatives in idx files, CIFAR-10 in its binary
version.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from cvtasks.data.formats.bases import ArrayLabels, class_names
from cvtasks.data.source import check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_annotation

_STEMS = {"train": "train", "test": "t10k"}
_MOST = 1 << 30  # bytes of an unpacked file; MNIST's largest has 47 million
_DEFLATE = 1032  # deflate shrinks at most so many times (RFC 1951: 258 bytes in two bits)


class IdxLabels(ArrayLabels):
    """`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, `t10k-…` for the split `test`; each
    may be `.gz`.

    The classes are those of a file `classes.txt` at the root, one name a line, or else the digits 0
    to 9. Images are grey. Format: http://yann.lecun.com/exdb/mnist, "File formats".
    """

    format = "idx files"
    layout = "train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], and the same for t10k"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether images of one of the splits lie at `root`."""
        return bool(_splits(root))

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """Those of "train" and "test" that have images."""
        return tuple(_splits(root))

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        self.split = split = check_split(split, _splits(root), root)
        self.images = _read(root, f"{_STEMS[split]}-images-idx3-ubyte", 3)
        self.labels = _read(root, f"{_STEMS[split]}-labels-idx1-ubyte", 1)
        if len(self.images) != len(self.labels):
            raise DataError(
                f'every image needs its label; "{split}" of {str(root)!r} has {len(self.images)} '
                "images and "
                f"{len(self.labels)} labels. Copy or download the files again."
            )
        names = root / "classes.txt"
        self.classes = class_names(names) if names.is_file() else tuple(map(str, range(10)))
        self._check(root, names)


def _splits(root: Path) -> list[str]:
    return [
        split
        for split, stem in _STEMS.items()
        if _file(root, f"{stem}-images-idx3-ubyte") is not None
    ]


def _file(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)


def _read(root: Path, name: str, axes: int) -> np.ndarray:
    """The array of uint8 with so many axes in an idx file; what its header says is checked before
    it is believed.
    """
    path = _file(root, name)
    if path is None:
        raise DataError(
            f"images and labels belong together; {str(root)!r} lacks {name!r}. Add the file."
        )
    packed = path.suffix == ".gz"
    try:
        stored = path.stat().st_size * (_DEFLATE if packed else 1)
        with (gzip.open if packed else open)(path, "rb") as file:
            head = file.read(4 + 4 * axes)
            if len(head) < 4 + 4 * axes or head[:4] != bytes([0, 0, 8, axes]):  # 8: bytes
                raise DataError(
                    f"an idx file of {axes}-dimensional bytes begins with 0, 0, 8, {axes} and its "
                    f"sizes; {str(path)!r} begins "
                    f"with {', '.join(map(str, head[:4])) or 'nothing'}. Is it another file?"
                )
            shape = tuple(np.frombuffer(head, ">u4", offset=4).tolist())
            size = math.prod(shape)
            sides = " x ".join(f"{side:,}" for side in shape)
            if size > min(_MOST, stored) or 0 in shape[1:]:
                raise DataError(
                    f"an idx file must hold the bytes that its header says, {_MOST:,} at most; "
                    f"{str(path)!r} says {sides}, and "
                    f"has {path.stat().st_size:,} bytes{' packed' if packed else ''}. Copy or "
                    "download it again."
                )
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"an idx file must be whole; {str(path)!r} is not: {error}. Copy or download it again."
        ) from error
    if len(content) != size:
        more = "more" if len(content) > size else f"{len(content):,}"
        raise DataError(
            f"an idx file must hold the bytes that its header says, {sides}; {str(path)!r} holds "
            f"{more}. Copy or download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


_FILES = {"train": "data_batch_*.bin", "test": "test_batch.bin"}
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue, each row by row
_MOST_BATCH = 1000 * MEGABYTE  # a file of the real one has 31 MB


class CIFARLabels(ArrayLabels):
    """`data_batch_1.bin` and further ones (split `train`), `test_batch.bin` (`test`), and
    `batches.meta.txt`, which names the classes. Format:
    https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """

    format = "CIFAR-10 binary version"
    layout = "data_batch_1.bin …, test_batch.bin and batches.meta.txt"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the files of one of the splits lie at `root`."""
        return bool(_batch_files(root))

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """Those of "train" and "test" that have batches."""
        return tuple(_batch_files(root))

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
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
