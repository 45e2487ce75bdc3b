"""YOLO's labels without a YAML: as Darknet and CVAT describe them, or with their classes alone."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import class_names
from cvtasks.data.formats.bases.names import is_class_number
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in, images_in
from cvtasks.data.formats.places import files_of, is_split, places
from cvtasks.data.formats.yolo import YOLODetection, yaml_of
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.yolo import YoloYaml, parse_darknet
from cvtasks.text import some

_NAMES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
_OF_OTHERS = (".xml", ".json", ".csv")  # where such lie, labels without names are no sure sign
_MOST_CLASSES = 10_000
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
    name. Where no file names the classes, their numbers do.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        if _names_file(root) is None:
            self.taken_for = (
                "no classes.txt, which would name the classes, one a line: they are called "
                f"{some(self.classes, 3)}"
            )

    @staticmethod
    def described(root: Path) -> tuple[Path, YoloYaml]:
        """The file of the classes, and the folders of images of each split."""
        path = _names_file(root)
        names = class_names(path) if path else _numbers(root)
        if not names:
            raise DataError(
                f"YOLO's labels need a 'classes.txt' beside them; {str(root)!r} has none. Write it."
            )
        return path or root, YoloYaml(
            str(root.absolute()),
            {key: tuple(found) for key, found in _folders(root).items()},
            names,
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
    if not root.is_dir() or yaml_of(root) or _data_file(root):
        return False
    if _names_file(root) is None and any(files_of(root, _OF_OTHERS)):
        return False
    for path in islice(_label_files(root), _LOOKED_AT):
        if lines := first_lines(path, 1):
            return _is_label(lines[0])
    return False


def _label_files(root: Path) -> Iterator[Path]:
    return (path for path in files_of(root, (".txt",)) if path.name not in _NAMES)


def _numbers(root: Path) -> tuple[str, ...]:
    """Names for the classes of the labels from 0 to the largest number; none without a label."""
    most = -1
    for path in _label_files(root):
        with suppress(DataError):  # a fault, which is told when its turn comes
            lines = (line.split(maxsplit=1) for line in read_text(path).splitlines())
            most = max(
                [most, *(int(line[0]) for line in lines if line and is_class_number(line[0]))]
            )
    return tuple(map(str, range(min(most, _MOST_CLASSES) + 1)))


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
    "images/ and labels/, or both beside each other, and perhaps classes.txt",
    Boxes,
    is_at=_is_folders,
    splits_at=_splits_of_folders,
    opens=YOLOFolders,
)
