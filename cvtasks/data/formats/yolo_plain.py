"""YOLO's labels without a YAML: as Darknet and CVAT describe them, or with their classes alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import class_names
from cvtasks.data.formats.bases.names import is_class_number
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import IMAGES, files_in, images_in
from cvtasks.data.formats.places import files_of, is_split
from cvtasks.data.formats.yolo import YOLODetection
from cvtasks.data.formats.yolo_names import (
    ListOfClasses,
    begins,
    is_label,
    lists_of,
    yamls_of,
)
from cvtasks.data.formats.yolo_places import (
    LabelFiles,
    YoloPlaces,
    holds_labels,
    known_folders,
    plain_path,
    scope,
    split_of,
)
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.yolo import YoloYaml, parse_darknet
from cvtasks.text import some

_OF_OTHERS = (".xml", ".json", ".csv")  # where such lie, labels without names are no sure sign
_MOST_CLASSES = 10_000
_LOOKED_AT = 200  # label files that may be empty before one that tells


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

    Each may have a folder for each split, on either level, or a list of its images at the root
    (`train.txt`); without, all is one split without a name. Folders may have lists of classes of
    their own: labels mean what the list above or beside them says, in all of them the same classes
    if it is called the same. Where no file names the classes, their numbers do.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        self._lists = _lists(root)
        super().__init__(root, split, complain)
        self.notes += _passed_over(root, _splits_of(root))
        if not self._lists:
            self.taken_for = (
                "no classes.txt, which would name the classes, one a line: they are called "
                f"{some(self.classes, 3)}"
            )

    @staticmethod
    def described(root: Path) -> tuple[Path, YoloYaml]:
        """The file of the classes, and the folders of images of each split."""
        lists = _lists(root)
        names = _united(lists) if lists else _numbers(root)
        if not names:
            raise DataError(
                f"YOLO's labels need a 'classes.txt' beside them; {str(root)!r} has none. Write it."
            )
        path = lists[0].path if lists else root
        return path, YoloYaml(str(plain_path(root)), _splits_of(root), names)

    def _compared(self, path: Path, home: Path) -> tuple[str, ...]:
        """What is to be said of lists that differ.

        Raises:
            DataError: they differ, and some of the labels have none.
        """
        self._own = [self.classes] * len(self._labels)
        if not self._lists or not self._lists[0].scope:
            return super()._compared(path, home)
        if all(begins(one.names, self.classes) for one in self._lists):
            return ()
        for index, label in enumerate(self._labels):
            one = _list_for(label.parent, home, self._lists)
            if one is None:
                raise DataError(
                    "labels whose numbers mean different classes need a list of them in each "
                    f"folder; {str(label.parent)!r} has none. Write its classes.txt.",
                    "classes unclear",
                )
            self._own[index] = one.names
        shown = "; ".join(f"{str(one.path)!r} ({some(one.names, 5)})" for one in self._lists)
        return (f"lists of classes differ, and labels are read by their own: {shown}",)

    def _classes_at(self, index: int) -> tuple[str, ...]:
        """What the numbers in the labels of one image mean."""
        return self._own[index]


def _data_file(root: Path) -> Path | None:
    if root.is_file():
        return root if root.suffix.lower() == ".data" else None
    found = files_in(root, ".data")
    return next(
        (one for one in found if one.name == "obj.data"), found[0] if len(found) == 1 else None
    )


def _lists(root: Path) -> list[ListOfClasses]:
    """The lists of classes among the images and labels, and above them."""
    home = plain_path(root)
    files = LabelFiles(home)
    folders = [folder for found in _folders(home).values() for folder in found]
    return lists_of({*folders, *map(files.folder, folders)}, home)


def _has_list(root: Path) -> bool:
    try:
        return bool(_lists(root))
    except DataError:  # of some that are at odds, or cannot be read; told when they are
        return True


def _list_for(folder: Path, home: Path, lists: list[ListOfClasses]) -> ListOfClasses | None:
    """The list of the labels in a folder; None where there is none."""
    said = scope(folder.relative_to(home).parts)
    return next((one for one in lists if said[: len(one.scope)] == one.scope), None)


def _united(lists: list[ListOfClasses]) -> tuple[str, ...]:
    """The classes of all lists, or of the one that is for all labels."""
    every = lists[:1] if not lists[0].scope else lists
    return tuple(dict.fromkeys(name for one in every for name in one.names))


def _folders(home: Path) -> dict[str, list[Path]]:
    """Split → its folders of images; an empty name stands for those of no split."""
    found: dict[str, list[Path]] = {}
    for folder, names in known_folders(home):
        parts = folder.relative_to(home).parts
        if not holds_labels(parts) and any(Path(name).suffix.lower() in IMAGES for name in names):
            folders = found.setdefault(split_of(parts), [])
            if not any(folder.is_relative_to(other) for other in folders):  # searched through
                folders.append(folder)
    return found


def _splits_of(root: Path) -> dict[str, tuple[str, ...]]:
    """Split → its folders or its list of images, from the root."""
    home = plain_path(root)
    found = _folders(home)
    if found.keys() <= {""}:
        lists = [file.name for file in files_in(home, ".txt") if _lists_images(file)]
        if lists:
            return {Path(name).stem: (name,) for name in lists}
    return {
        split: tuple(folder.relative_to(home).as_posix() for folder in folders)
        for split, folders in found.items()
        if split or len(found) == 1
    }


def _lists_images(path: Path) -> bool:
    """Whether a text is called like a split and names images."""
    lines = first_lines(path, 1) if is_split(path.stem) else []
    return bool(lines) and Path(lines[0].strip()).suffix.lower() in IMAGES


def _passed_over(root: Path, splits: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A sentence about images with labels that are in no split, where there are any."""
    home = plain_path(root)
    files, places, homes = LabelFiles(home), YoloPlaces(home, root), dict[Path, Path]()

    def known_by(image: Path) -> tuple[Path, str]:
        """The same for an image that is reached by a link."""
        folder = image.parent
        return homes.get(folder) or homes.setdefault(folder, folder.resolve()), image.name

    known = set[tuple[Path, str]]()
    for place in chain.from_iterable(splits.values()):
        with suppress(DataError):  # told when that split is opened
            known |= {known_by(image) for image in places.images(place)}
    left = Counter(
        image.parent
        for image in images_in(home, deep=True)
        if files.found(image) and known_by(image) not in known
    )
    if not left:
        return ()
    shown = some([repr(folder.relative_to(home).as_posix()) for folder in left], 3)
    return (
        "images with labels that are in no split, and so are not read: "
        f"{left.total()}, in {shown}; move them into a folder that is called like a split",
    )


def _is_folders(root: Path) -> bool:
    if not root.is_dir() or yamls_of(root) or _data_file(root):
        return False
    if any(files_of(root, _OF_OTHERS)) and not _has_list(root):
        return False
    return _some_label(_label_files(root)) or (
        any(_folders(plain_path(root)).values()) and _some_label(_texts_of_labels(root))
    )


def _some_label(paths: Iterable[Path]) -> bool:
    """Whether one of the first of these texts begins with a label."""
    return any(
        is_label(line) for path in islice(paths, _LOOKED_AT) for line in first_lines(path, 1)
    )


def _texts_of_labels(root: Path) -> Iterator[Path]:
    """The texts in folders of labels: without images of their names, they lie in a wrong place."""
    return (
        path
        for path in files_of(root, (".txt",))
        if holds_labels(path.parent.relative_to(root).parts)
    )


def _label_files(root: Path) -> Iterator[Path]:
    """The texts that belong to images."""
    home = plain_path(root)
    files = LabelFiles(home)
    for folders in _folders(home).values():
        for image in chain.from_iterable(images_in(folder, deep=True) for folder in folders):
            if path := files.found(image):
                yield path


def _numbers(root: Path) -> tuple[str, ...]:
    """Names for the classes of the labels from 0 to the largest number; none without a label.
    Where no image has labels, they are of those that lie in a wrong place, which is told later.
    """
    most = -1
    for path in [*_label_files(root)] or _texts_of_labels(root):
        with suppress(DataError):  # a fault, which is told when its turn comes
            lines = (line.split(maxsplit=1) for line in read_text(path).splitlines())
            most = max(
                [most, *(int(line[0]) for line in lines if line and is_class_number(line[0]))]
            )
    return tuple(map(str, range(min(most, _MOST_CLASSES) + 1)))


def _splits_of_folders(root: Path) -> tuple[str, ...]:
    return tuple(_splits_of(root))


DARKNET = Format(
    "Darknet YOLO",
    "obj.data, obj.names, train.txt and obj_train_data/",
    Boxes,
    is_at=lambda root: _data_file(root) is not None and not yamls_of(root),
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
