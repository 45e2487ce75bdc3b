"""Pascal VOC as it is (Everingham et al., "The Pascal Visual Object Classes Challenge", devkit of 2012)."""

from pathlib import Path

from cvtasks.data.folders import files_in
from cvtasks.data.labels import class_names
from cvtasks.data.source import MaskSource, check_split
from cvtasks.data.voc_lists import Stored, by_stem, names_of
from cvtasks.errors import Complain, strictly

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
    classes: tuple[str, ...] = VOC_CLASSES

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the devkit's folders for segmentation lie at `root`."""
        lists, masks = root / "ImageSets" / "Segmentation", root / "SegmentationClass"
        return (root / "JPEGImages").is_dir() and (lists.is_dir() or masks.is_dir())

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The names of the lists."""
        return tuple(_lists(root)) or ("",)

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        self.split = split = check_split(split, self.splits_at(root), root)
        stored, augmented = Stored(root), root / "SegmentationClassAug"
        official = by_stem(root / "SegmentationClass", ".png")
        masks = by_stem(augmented, ".png") | official
        path = _lists(root)[split] if split else root
        names = names_of(path, {*stored.images, *stored.names, *masks}) if split else sorted({*official, *stored.images})
        pairs = []
        for name in names:
            picture, stem = stored.image(name, None, complain), stored.stem(name)
            if picture is not None:
                pairs.append((picture, masks.get(stem, augmented / f"{stem}.png")))
        if (root / "classes.txt").is_file():
            named = class_names(root / "classes.txt")
            self.classes = named if named[0] == VOC_CLASSES[0] else (VOC_CLASSES[0], *named)
        self._list(f"{str(path)!r}", pairs, complain, masks.values())


def _lists(root: Path) -> dict[str, Path]:
    """Split → its list."""
    return {file.stem: file for file in files_in(root / "ImageSets" / "Segmentation", ".txt")}
