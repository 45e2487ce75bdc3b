"""A folder of images beside one of masks."""

from pathlib import Path

from cvtasks.answers import Mask
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import MaskSource, class_names
from cvtasks.data.formats.listing import files_in, images_in, seen
from cvtasks.data.source import check_split
from cvtasks.errors import Complain, DataError, strictly


class MaskFolders(MaskSource):
    """Images in `images/`, masks of the same stem in `masks/` (PNG of class ids, 255 = void), names
    in `classes.txt`.

    With splits both folders hold one folder a split (`images/train`, `masks/train`); without, there
    is one split with the empty name.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        names = root / "classes.txt"
        if not names.is_file():
            raise DataError(
                f"image and mask folders need {str(names)!r}, one class a line, background first. "
                "Write it."
            )
        self.classes = class_names(names)
        self.split = split = check_split(split, _splits(root), root)
        images, masks = root / "images" / split, root / "masks" / split
        files = images_in(images)
        stems = {file.stem for file in files}
        if len(stems) < len(files):
            raise DataError(
                "images are matched to masks by their stems, so these must differ; in "
                f"{str(images)!r} some do not."
            )
        found = {file.stem: file for file in files_in(masks, ".png")}
        lonely = [file.name for stem, file in found.items() if stem not in stems]
        if lonely:
            text = (
                f"every mask needs its image; {str(masks)!r} has {len(lonely)} without, such as "
                f"{lonely[0]!r}."
            )
            complain(DataError(text, "image missing"))
        others = (
            file
            for name in _splits(root)
            if name != split
            for file in files_in(root / "masks" / name, ".png")
        )
        pairs = [(file, found.get(file.stem, masks / f"{file.stem}.png")) for file in files]
        self._list(f"{str(images)!r}", pairs, complain, others)


def _is_at(root: Path) -> bool:
    return (root / "images").is_dir() and (root / "masks").is_dir()


def _splits(root: Path) -> tuple[str, ...]:
    """The folders in `images/`."""
    folders = (folder for folder in (root / "images").iterdir() if folder.is_dir())
    return tuple(sorted(folder.name for folder in folders if seen(folder))) or ("",)


MASK_FOLDERS = Format(
    "image and mask folders",
    "images/[SPLIT/], masks/[SPLIT/] and classes.txt (one name a line, background first)",
    Mask,
    is_at=_is_at,
    splits_at=_splits,
    opens=MaskFolders,
)
