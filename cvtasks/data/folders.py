"""A folder of pictures beside a folder of masks."""

from pathlib import Path

from cvtasks.data.labels import class_names
from cvtasks.data.source import MaskSource, check_split
from cvtasks.errors import Complain, DataError, strictly

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
"""Endings that pictures have."""

_SYSTEMS = {"__MACOSX", "@eaDir"}  # folders in which macOS and Synology keep their own beside what one sees


def seen(path: Path, root: Path | None = None) -> bool:
    """Whether no part of a path below `root` is hidden (`.ipynb_checkpoints`, `._a.png`) or a system's own; of its name alone
    if there is no root."""
    parts = (path.name,) if root is None else path.relative_to(root).parts
    return not any(part.startswith(".") or part in _SYSTEMS for part in parts)


def images_in(folder: Path, *, deep: bool = False) -> list[Path]:
    """The image files in a folder, sorted, without hidden ones; those of its folders too if `deep`."""
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in found if file.suffix.lower() in PICTURES and seen(file, folder))


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files in a folder with an ending, such as ".txt", however it is spelt, sorted, without hidden ones."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() == ending and seen(file))


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
        return tuple(sorted(folder.name for folder in (root / "images").iterdir() if folder.is_dir() and seen(folder))) or (
            "",
        )

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        names = root / "classes.txt"
        if not names.is_file():
            raise DataError(f"image and mask folders need {str(names)!r}, one class a line, background first. Write it.")
        self.classes = class_names(names)
        self.split = split = check_split(split, self.splits_at(root), root)
        images, masks = root / "images" / split, root / "masks" / split
        pictures = images_in(images)
        stems = {file.stem for file in pictures}
        if len(stems) < len(pictures):
            raise DataError(
                f"pictures are matched to masks by their stems, so these must differ; in {str(images)!r} some do not."
            )
        found = {file.stem: file for file in files_in(masks, ".png")}
        lonely = [file.name for stem, file in found.items() if stem not in stems]
        if lonely:
            text = f"every mask needs its picture; {str(masks)!r} has {len(lonely)} without, such as {lonely[0]!r}."
            complain(DataError(text, "picture missing"))
        others = (file for name in self.splits_at(root) if name != split for file in files_in(root / "masks" / name, ".png"))
        pairs = [(file, found.get(file.stem, masks / f"{file.stem}.png")) for file in pictures]
        self._list(f"{str(images)!r}", pairs, complain, others)
