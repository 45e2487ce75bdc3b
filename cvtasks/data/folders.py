"""A folder of pictures beside a folder of masks."""

from pathlib import Path

from cvtasks.data.labels import class_names
from cvtasks.data.source import MaskSource, check_split
from cvtasks.errors import Complain, DataError, strictly

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
"""Endings that pictures have."""


class MaskFolders(MaskSource):
    """Pictures in `images/`, masks of the same stem in `masks/` (PNG of class ids, 255 = void), names in `classes.txt`.

    With splits both folders hold one folder a split (`images/train`, `masks/train`); without, there is one split with
    the empty name.
    """

    format = "image and mask folders"
    layout = "images/[SPLIT/], masks/[SPLIT/] and classes.txt (one name a line, background first)"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether both folders lie at `root`."""
        return (root / "images").is_dir() and (root / "masks").is_dir()

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The folders in `images/`."""
        folders = (folder.name for folder in (root / "images").iterdir() if folder.is_dir())
        return tuple(sorted(name for name in folders if not name.startswith("."))) or ("",)

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        names = root / "classes.txt"
        if not names.is_file():
            raise DataError(f"image and mask folders need {str(names)!r}, one class a line, background first. Write it.")
        self.classes = class_names(names)
        self.split = split = check_split(split, self.splits_at(root), root)
        images, masks = root / "images" / split, root / "masks" / split
        pictures = sorted(file for file in images.iterdir() if file.suffix.lower() in PICTURES)
        stems = {file.stem for file in pictures}
        if len(stems) < len(pictures):
            raise DataError(
                f"pictures are matched to masks by their stems, so these must differ; in {str(images)!r} some do not."
            )
        lonely = sorted(file.name for file in masks.glob("*.png") if file.stem not in stems) if masks.is_dir() else []
        if lonely:
            text = f"every mask needs its picture; {str(masks)!r} has {len(lonely)} without, such as {lonely[0]!r}."
            complain(DataError(text, "picture missing"))
        self._list(f"{str(images)!r}", [(file, masks / f"{file.stem}.png") for file in pictures], complain)
