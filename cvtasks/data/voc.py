"""Pascal VOC as it is (Everingham et al., "The Pascal Visual Object Classes Challenge", devkit of 2012)."""

from pathlib import Path

from cvtasks.data.source import MaskSource, check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import read_text

VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Names of the ids 0 to 20 of `SegmentationClass`."""


class VOCSegmentation(MaskSource):
    """Pictures and masks of `ImageSets/Segmentation/<split>.txt`.

    A picture's mask is the devkit's own in `SegmentationClass`, and where that has none the one in
    `SegmentationClassAug` (the SBD masks of Hariharan et al. 2011, as most people keep them).
    """

    format = "Pascal VOC segmentation"
    layout = "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/<split>.txt"
    classes = VOC_CLASSES

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the devkit's folders for segmentation lie at `root`."""
        return (root / "ImageSets" / "Segmentation").is_dir() and (root / "JPEGImages").is_dir()

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        lists = root / "ImageSets" / "Segmentation"
        path = lists / f"{split}.txt"
        splits = sorted(file.stem for file in lists.glob("*.txt"))
        check_split(split, splits, root)
        names = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
        outside = [name for name in names if Path(name).name != name]
        if outside:
            raise DataError(f"a line of {str(path)!r} must be the bare name of a picture; got {outside[0]!r}.")
        own, augmented = root / "SegmentationClass", root / "SegmentationClassAug"
        official = {file.stem for file in own.glob("*.png")}
        pairs = [
            (root / "JPEGImages" / f"{name}.jpg", (own if name in official else augmented) / f"{name}.png") for name in names
        ]
        self._list(f"{str(path)!r}", pairs, complain)
