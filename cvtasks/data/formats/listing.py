"""What lies in a folder, without what is hidden."""

from pathlib import Path

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
"""Endings that images have."""

_SYSTEMS = {
    "__MACOSX",
    "@eaDir",
}  # folders in which macOS and Synology keep their own beside what one sees


def seen(path: Path, root: Path | None = None) -> bool:
    """Whether no part of a path below `root` is hidden (`.ipynb_checkpoints`, `._a.png`) or a
    system's own; of its name alone if there is no root."""
    parts = (path.name,) if root is None else path.relative_to(root).parts
    return not any(part.startswith(".") or part in _SYSTEMS for part in parts)


def images_in(folder: Path, *, deep: bool = False) -> list[Path]:
    """The image files in a folder, sorted, without hidden ones;
    those of its folders too if `deep`.
    """
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in found if file.suffix.lower() in IMAGES and seen(file, folder))


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files in a folder with an ending, such as ".txt", however it is spelt, sorted, without
    hidden ones.
    """
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() == ending and seen(file))
