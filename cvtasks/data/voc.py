"""Pascal VOC as it is (Everingham et al., "The Pascal Visual Object Classes Challenge", devkit of 2012)."""

from pathlib import Path

from cvtasks.data.folders import PICTURES
from cvtasks.data.labels import class_names
from cvtasks.data.source import MaskSource, check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import read_text

VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Names of the ids 0 to 20 of `SegmentationClass`."""


class VOCSegmentation(MaskSource):
    """Pictures and masks of `ImageSets/Segmentation/<split>.txt`; without such lists, all of them are one split without a name.

    A picture's mask is the devkit's own in `SegmentationClass`, and where that has none the one in
    `SegmentationClassAug` (the SBD masks of Hariharan et al. 2011, as most people keep them). The classes are the challenge's, or
    those of a file `classes.txt` at the root, one name a line, with or without "background" first.
    """

    format = "Pascal VOC segmentation"
    layout = "JPEGImages/, SegmentationClass/ and perhaps ImageSets/Segmentation/<split>.txt"
    classes = VOC_CLASSES

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the devkit's folders for segmentation lie at `root`."""
        lists, masks = root / "ImageSets" / "Segmentation", root / "SegmentationClass"
        return (root / "JPEGImages").is_dir() and (lists.is_dir() or masks.is_dir())

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The names of the lists."""
        return tuple(sorted(file.stem for file in (root / "ImageSets" / "Segmentation").glob("*.txt"))) or ("",)

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        self.split = split = check_split(split, self.splits_at(root), root)
        own, augmented = root / "SegmentationClass", root / "SegmentationClassAug"
        official = {file.stem for file in own.glob("*.png")}
        stored = {file.stem: file for file in (root / "JPEGImages").iterdir() if file.suffix.lower() in PICTURES}
        path = root / "ImageSets" / "Segmentation" / f"{split}.txt" if split else root
        names = _listed(path) if split else sorted({*official, *stored})
        pairs = [
            (
                stored.get(name, root / "JPEGImages" / f"{name}.jpg"),
                (own if name in official else augmented) / f"{name}.png",
            )
            for name in names
        ]
        if (root / "classes.txt").is_file():
            named = class_names(root / "classes.txt")
            self.classes = named if named[0] == VOC_CLASSES[0] else (VOC_CLASSES[0], *named)
        self._list(f"{str(path)!r}", pairs, complain)


def _listed(path: Path) -> list[str]:
    """The first column of a list."""
    names = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise DataError(f"a line of {str(path)!r} must be the bare name of a picture; got {outside[0]!r}.")
    return names
