"""MNIST and its relatives: pictures and labels in idx files."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cvtasks.answers import Labels, Sample
from cvtasks.data.source import Source
from cvtasks.errors import DataError, did_you_mean
from cvtasks.formats.reading import read_text

_FILES = {"train": "train", "test": "t10k"}
_MOST = 1 << 30  # bytes of an unpacked file; MNIST's largest has 47 million


class IdxLabels(Source):
    """`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, `t10k-…` for the split `test`; each may be `.gz`.

    The classes are those of a file `classes.txt` at the root, one name a line, or else the digits 0 to 9.
    Format: http://yann.lecun.com/exdb/mnist, "File formats".
    """

    format = "idx files"
    layout = "train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], and the same for t10k"
    kind = Labels

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether pictures of one of the splits lie at `root`."""
        return any(_file(root, f"{stem}-images-idx3-ubyte") is not None for stem in _FILES.values())

    def __init__(self, root: Path, split: str) -> None:
        known = [name for name, stem in _FILES.items() if _file(root, f"{stem}-images-idx3-ubyte")]
        if split not in known:
            raise DataError(f'"{split}" is no split of {str(root)!r}. {did_you_mean(split, known)} Write DATA:SPLIT.')
        self._split = split
        self._images = _read(root, f"{_FILES[split]}-images-idx3-ubyte", 3)
        self._labels = _read(root, f"{_FILES[split]}-labels-idx1-ubyte", 1)
        if len(self._images) != len(self._labels) or not len(self._images):
            raise DataError(
                f'every picture needs its label; "{split}" of {str(root)!r} has {len(self._images)} pictures and '
                f"{len(self._labels)} labels."
            )
        names = root / "classes.txt"
        listed = [line.strip() for line in read_text(names).splitlines() if line.strip()] if names.is_file() else []
        self.classes = tuple(listed) or tuple(map(str, range(10)))
        if self._labels.max() >= len(self.classes):
            raise DataError(
                f"every label must be below {len(self.classes)}, the number of classes; {str(root)!r} has "
                f"{int(self._labels.max())}. Name the classes in {str(names)!r}, one a line."
            )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Sample:
        image = np.repeat(self._images[index][..., None], 3, axis=2)
        return Sample(image, self.truth(index), f"{self._split}-{index:05d}")

    def truth(self, index: int) -> Labels:
        """The label of one picture."""
        return Labels.of([int(self._labels[index])], self.classes)

    def problems(self) -> Iterator[str]:
        """None: the files were checked when they were read."""
        return iter(())


def _file(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)


def _read(root: Path, name: str, axes: int) -> np.ndarray:
    """The array of uint8 with so many axes in an idx file; the header is checked before anything is read."""
    path = _file(root, name)
    if path is None:
        raise DataError(f"pictures and labels belong together; {str(root)!r} lacks {name!r}. Add the file.")
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            head = np.frombuffer(file.read(4 + 4 * axes), ">u4").astype(np.int64)
            size = int(np.prod(head[1:])) if len(head) == axes + 1 else -1
            if size < 0 or head[0] != 0x800 + axes or size > _MOST:
                raise DataError(f"an idx file of bytes with {axes} axes begins with its sizes; {str(path)!r} does not.")
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}. Copy or download it again.") from error
    if len(content) != size:
        raise DataError(f"{str(path)!r} must hold the {size} bytes that its header says; it has {len(content)} or more.")
    return np.frombuffer(content, np.uint8).reshape(head[1:])
