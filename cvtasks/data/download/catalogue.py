"""Data sets that `cvtasks data get` fetches, and the names by which they are found afterwards.

The MD5 of each file is the one that its authors or torchvision (`torchvision.datasets`) publish.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cvtasks.errors import DataError
from cvtasks.files.cache_folder import cache_folder


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set where its authors, or who mirrors them, offer it.

    Attributes:
        name: its name there and here.
        size: its bytes, to say how far a download is; what is more than a tenth larger is refused.
        md5: 32 hexadecimal digits.
    """

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class KnownData:
    """A data set that can be fetched.

    Attributes:
        title: what it is, in a line.
        page: where its authors speak of it.
        terms: under which terms it may be used, in a sentence.
        base: the address below which the files lie.
        files: all of it; archives (`.tar`, `.tar.gz`, `.tgz`) are unpacked, other files are kept as
            they are.
        folder: the folder below the place of all fetched data that the files go to; data sets may
            share one.
        root: the data set's own folder within that, which the archives bring; "." where there is no
            archive.
        extra: name → text of files that are written beside: the names of the classes.
    """

    title: str
    page: str
    terms: str
    base: str
    files: tuple[RemoteFile, ...]
    folder: str
    root: str = "."
    extra: Mapping[str, str] = field(default_factory=dict)


_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
_VOC_TERMS = (
    "The images are from Flickr and may be used under its terms of use; the University of Oxford "
    "does not own them."
)

KNOWN: dict[str, KnownData] = {
    "mnist": KnownData(
        "MNIST: 70,000 handwritten digits, 28 x 28, grey",
        "http://yann.lecun.com/exdb/mnist",
        "Made by Y. LeCun and C. Cortes from NIST's data, and offered by them under CC BY-SA 3.0.",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            RemoteFile(_IDX[0], 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            RemoteFile(_IDX[1], 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            RemoteFile(_IDX[2], 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            RemoteFile(_IDX[3], 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
        "mnist",
    ),
    "fashion-mnist": KnownData(
        "Fashion-MNIST: 70,000 pieces of clothing, 28 x 28, grey",
        "https://github.com/zalandoresearch/fashion-mnist",
        "Copyright Zalando SE, under the MIT licence.",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            RemoteFile(_IDX[0], 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            RemoteFile(_IDX[1], 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            RemoteFile(_IDX[2], 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            RemoteFile(_IDX[3], 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        "fashion-mnist",
        extra={"classes.txt": "\n".join(_FASHION) + "\n"},
    ),
    "cifar10": KnownData(
        "CIFAR-10: 60,000 photographs of ten classes, 32 x 32",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        "Its authors state no licence; they ask to cite A. Krizhevsky's report of 2009.",
        "https://www.cs.toronto.edu/~kriz/",
        (RemoteFile("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),),
        "cifar10",
        "cifar-10-batches-bin",
    ),
    "voc2007": KnownData(
        "Pascal VOC 2007: 9,963 photographs of twenty classes with boxes, some with masks",
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/",
        _VOC_TERMS,
        "https://thor.robots.ox.ac.uk/pascal/VOC/voc2007/",
        (
            RemoteFile(
                "VOCtrainval_06-Nov-2007.tar", 460_032_000, "c52e279531787c972589f7e41ab4ae64"
            ),
            RemoteFile("VOCtest_06-Nov-2007.tar", 451_020_800, "b6e924de25625d8de591ea690078ad9f"),
        ),
        "voc",
        "VOCdevkit/VOC2007",
    ),
    "voc2012": KnownData(
        "Pascal VOC 2012: 17,125 photographs of twenty classes with boxes, some with masks",
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
        _VOC_TERMS,
        "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/",
        (
            RemoteFile(
                "VOCtrainval_11-May-2012.tar", 1_999_639_040, "6cd6e144f989b92b3379bac3b3de84fd"
            ),
        ),
        "voc",
        "VOCdevkit/VOC2012",
    ),
    "imagenette": KnownData(
        "Imagenette: 13,394 photographs of ten of ImageNet's classes, the shorter side 160",
        "https://github.com/fastai/imagenette",
        "The images are ImageNet's, whose terms of access allow non-commercial research and "
        "education.",
        "https://s3.amazonaws.com/fast-ai-imageclas/",
        (RemoteFile("imagenette2-160.tgz", 99_003_388, "e793b78cc4c9e9a4ccc0c1155377a412"),),
        "imagenette",
        "imagenette2-160",
        {"classes.txt": "".join(f"{wnid} {name}\n" for wnid, name in _IMAGENETTE.items())},
    ),
}
"""Name → data set."""

_TOGETHER: dict[str, tuple[str, ...]] = {"voc2007+2012": ("voc2007", "voc2012")}
"""Names that stand for several, which share a folder: the devkit of both years."""


def place_of(name: str) -> Path:
    """The folder that the files of the data set `name` go to unless another is said."""
    return cache_folder() / "data" / KNOWN[name].folder


def is_complete(known: KnownData, place: Path) -> bool:
    """Whether all of a data set lies at `place`; files are written whole or not at all, so that
    their names suffice.
    """
    root = place / known.root
    files = [] if known.root != "." else [file.name for file in known.files]
    return root.is_dir() and all((root / name).is_file() for name in [*files, *known.extra])


def is_known(data: str) -> bool:
    """Whether this is the name of a data set. What exists is a path, whatever its name."""
    return data in {*KNOWN, *_TOGETHER} and not Path(data).exists()


def resolve(data: str) -> Path:
    """A path, or the name of a known data set → the path. What exists is a path, whatever its name.

    Raises:
        DataError: it is the name of a data set that has not been fetched; says how.
    """
    if not is_known(data):
        return Path(data)
    members = _TOGETHER.get(data, (data,))
    missing = [name for name in members if not is_complete(KNOWN[name], place_of(name))]
    if missing:
        ways = " and ".join(f"`cvtasks data get {name}`" for name in missing)
        raise DataError(
            f"a known data set must be fetched before it is used; {data!r} is not there. Run "
            f"{ways}."
        )
    roots = [place_of(name) / KNOWN[name].root for name in members]
    return roots[0] if len(roots) == 1 else roots[0].parent
