"""YOLO's labels without a YAML: as Darknet and CVAT describe them, or with their classes alone."""

from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import class_names
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in, images_in
from cvtasks.data.formats.places import is_split, places
from cvtasks.data.formats.yolo import YOLODetection, yaml_of
from cvtasks.errors import DataError
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.yolo import YoloYaml, parse_darknet

_NAMES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
_LOOKED_AT = 20  # label files that may be empty before one that tells


class Darknet(YOLODetection):
    """The images that the lists of an `obj.data` name, and the boxes beside them: Darknet, CVAT's
    "YOLO 1.1".

    The root is the `….data` file, or the folder it lies in. `names`, `train`, `valid` and `test`
    are files; a path of another machine leads to the one file below the folder that ends alike.
    """

    elsewhere = True

    @staticmethod
    def described(root: Path) -> tuple[Path, YoloYaml]:
        """The `….data` file, and what it says."""
        path = _data_file(root)
        if path is None:
            raise DataError(f"Darknet's data need an 'obj.data'; {str(root)!r} has none. Write it.")
        names, splits = parse_darknet(read_text(path, MEGABYTE), str(path))
        bare = Path(names.replace("\\", "/")).name
        listed = next(
            (one for one in (path.parent / names, path.parent / bare) if one.is_file()), None
        )
        if listed is None:
            raise DataError(
                f"Darknet's `names` must be a file of the classes; {str(path)!r} names "
                f"{names[:300]!r}, which is not there. Correct it."
            )
        return path, YoloYaml(
            "", {key: (place,) for key, place in splits.items()}, class_names(listed)
        )


class YOLOFolders(YOLODetection):
    """Images and label files in `images/` and `labels/`, or beside each other, and their classes in
    a `classes.txt`: what Label Studio and labelImg write.

    Each may have a folder for each split, on either level; without, all is one split without a
    name.
    """

    @staticmethod
    def described(root: Path) -> tuple[Path, YoloYaml]:
        """The file of the classes, and the folders of images of each split."""
        path = _names_file(root)
        if path is None:
            raise DataError(
                f"YOLO's labels need a 'classes.txt' beside them; {str(root)!r} has none. Write it."
            )
        return path, YoloYaml(
            str(root.absolute()),
            {key: tuple(found) for key, found in _folders(root).items()},
            class_names(path),
        )


def _data_file(root: Path) -> Path | None:
    if root.is_file():
        return root if root.suffix.lower() == ".data" else None
    found = files_in(root, ".data")
    return next(
        (one for one in found if one.name == "obj.data"), found[0] if len(found) == 1 else None
    )


def _names_file(root: Path) -> Path | None:
    """The list of the classes at the root, or among the labels."""
    homes = (
        root,
        root / "labels",
        root / "train",
        root / "train" / "labels",
        root / "labels" / "train",
    )
    return next((home / name for home in homes for name in _NAMES if (home / name).is_file()), None)


def _folders(root: Path) -> dict[str, list[str]]:
    """Split → its folders of images, from the root."""
    found: dict[str, list[str]] = {}
    for folder, _ in places(root):
        parts = folder.relative_to(root).parts
        if not any(part == "labels" for part in parts) and images_in(folder):
            split = next((part for part in parts if is_split(part)), "")
            found.setdefault(split, []).append("/".join(parts) or ".")
    named = {split: folders for split, folders in found.items() if split}
    return named or found


def _is_folders(root: Path) -> bool:
    if not root.is_dir() or yaml_of(root) or _data_file(root) or _names_file(root) is None:
        return False
    looked = 0
    for folder, names in places(root):
        for name in names:
            if name.lower().endswith(".txt") and name not in _NAMES:
                lines = first_lines(folder / name, 1)
                if lines:
                    return _is_label(lines[0])
                looked += 1
                if looked > _LOOKED_AT:
                    return False
    return False


def _is_label(line: str) -> bool:
    """Whether a line is a class and four numbers or more."""
    fields = line.split()
    try:
        return len(fields) >= 5 and float(fields[0]) % 1 == 0 and bool([*map(float, fields)])
    except ValueError:
        return False


def _splits_of_folders(root: Path) -> tuple[str, ...]:
    return tuple(_folders(root))


DARKNET = Format(
    "Darknet YOLO",
    "obj.data, obj.names, train.txt and obj_train_data/",
    Boxes,
    is_at=lambda root: _data_file(root) is not None and not yaml_of(root),
    splits_at=lambda root: tuple(Darknet.described(root)[1].splits),
    opens=Darknet,
    file="Darknet .data",
)
YOLO_FOLDERS = Format(
    "YOLO folders",
    "images/ and labels/, or both beside each other, and classes.txt",
    Boxes,
    is_at=_is_folders,
    splits_at=_splits_of_folders,
    opens=YOLOFolders,
)
