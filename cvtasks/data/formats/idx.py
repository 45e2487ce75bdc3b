"""MNIST and its relatives: idx files."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import ArrayLabels, class_names
from cvtasks.data.source import check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.text import counted

_STEMS = {"train": "train", "test": "t10k"}
_MOST = 1 << 30  # bytes of an unpacked file; MNIST's largest has 47 million
_DEFLATE = 1032  # deflate shrinks at most so many times (RFC 1951: 258 bytes in two bits)


class IdxLabels(ArrayLabels):
    """`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, `t10k-…` for the split `test`; each
    may be `.gz`.

    The classes are those of a file `classes.txt` at the root, one name a line, or else the digits 0
    to 9. Images are grey. Format: http://yann.lecun.com/exdb/mnist, "File formats".
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        self.split = split = check_split(split, _splits(root), root)
        self.images = _read(root, f"{_STEMS[split]}-images-idx3-ubyte", 3)
        self.labels = _read(root, f"{_STEMS[split]}-labels-idx1-ubyte", 1)
        if len(self.images) != len(self.labels):
            raise DataError(
                f'every image needs its label; "{split}" of {str(root)!r} has '
                f"{counted(len(self.images), 'image')} and {counted(len(self.labels), 'label')}. "
                "Copy or download the files again."
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
    """The file of a name, packed or not; also with a dot before `idx`, as unpacked copies have."""
    names = (name, name.replace("-idx", ".idx"))
    paths = (root / f"{one}{ending}" for one in names for ending in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


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


IDX = Format(
    "idx files",
    "train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], and the same for t10k",
    Labels,
    is_at=lambda root: bool(_splits(root)),
    splits_at=lambda root: tuple(_splits(root)),
    opens=IdxLabels,
)
