"""A tree of folders of any depth, whose classes are told by folders' or files' names."""

import re
from collections.abc import Sequence
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import FileLabels, class_names, distinct
from cvtasks.data.formats.listing import files_in, images_in, seen
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.text import class_name, some

_MOST = 500 * MEGABYTE


class ClassTree(FileLabels):
    """All images below the root, as deep as they lie.

    Their class is the name of the folder that they lie in, or the beginning of their own: what
    stands before the first digit (`american_bulldog_12.jpg`), and where there is none, before the
    first `_`. Splits are folders of such names right below the root (`train`, `val`), or lists
    `<split>.txt` there that name images by their paths or stems; without either, all is one split
    without a name. The classes are the lines of a `classes.txt`, or else all that there are,
    sorted.
    """

    def __init__(
        self, root: Path, split: str, complain: Complain = strictly, classes_from: str = "parent"
    ) -> None:
        super().__init__()
        folders, lists = _folders(root), _lists(root)
        self.split = split = check_split(split, _splits(root), root)
        images = images_in(root, deep=True)
        found = {image: class_of(image, root, classes_from) for image in images}
        if folders:
            images = [image for image in images if image.is_relative_to(root / split)]
        elif lists:
            images = _listed(lists[split], images, root, complain)
        where = "folder" if classes_from == "parent" else "name"
        named = sorted({class_name(name) for name in found.values() if name})
        if (root / "classes.txt").is_file():
            named = list(class_names(root / "classes.txt"))
        if not named:
            raise DataError(
                f"a data set needs at least one class; no image of {str(root)!r} tells one by its "
                f"{where}. Sort the images into folders, or choose the other way "
                "(`data.classes_from`)."
            )
        self.classes = tuple(named)
        places = {name: number for number, name in enumerate(named)}
        self.files, self.shown = [], []
        kept = present(f"{str(root / split)!r}", {"image": images}, complain)
        for image in (images[index] for index in kept):
            name = class_name(found[image])
            if name not in places:
                what = f'"{name}" is none' if name else "nothing tells one"
                text = (
                    f"every image must tell one of the classes by its {where}; of {str(image)!r} "
                    f"{what}. Rename it, or move it away."
                )
                complain(DataError(text, "class unknown"))
                continue
            self.files.append(image)
            self.shown.append((places[name],))
        self.names = distinct(self.files, root)
        told = "folders" if classes_from == "parent" else "beginnings of files' names"
        self.taken_for = f"classes are the {told}: {some(self.classes, 5)}"


def class_of(image: Path, root: Path, classes_from: str) -> str:
    """The class that an image tells; empty for none.

    >>> [class_of(Path(f"r/{name}"), Path("r"), "name") for name in ("a_b_12.jpg", "cat_left.jpg")]
    ['a_b', 'cat']
    """
    if classes_from == "parent":
        return image.parent.name if image.parent != root else ""
    digit = re.search(r"\d", image.stem)
    return image.stem[: digit.start()].strip(" _-.()") if digit else image.stem.partition("_")[0]


def _folders(root: Path) -> list[str]:
    """The folders that are splits."""
    return [
        child.name
        for child in sorted(root.iterdir())
        if is_split(child.name) and seen(child) and child.is_dir()
    ]


def _lists(root: Path) -> dict[str, Path]:
    """Split → its list."""
    return {path.stem: path for path in files_in(root, ".txt") if is_split(path.stem)}


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(_folders(root)) or tuple(_lists(root)) or ("",)


def _listed(path: Path, images: Sequence[Path], root: Path, complain: Complain) -> list[Path]:
    """The images that a list names, by their paths from the root or without endings, in its
    order; what stands behind a name in its line plays no part.

    Args:
        complain: about a line that names none, or may mean several; if it returns, the line is
            passed over.
    """
    known = _called(images, root)
    found = []
    for number, line in enumerate(read_text(path, _MOST).splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        names = (text, text.split()[0].rstrip(","))
        means = next((known[name] for name in names if name in known), [])
        if len(means) == 1:
            found.append(means[0])
            continue
        where = f"line {number} of {str(path)!r}, {text[:120]!r}, "
        if means:
            may = " or ".join(repr(one.relative_to(root).as_posix()) for one in means[:2])
            wrong, kind = f"may mean {may}. Write the folder before it.", "image unclear"
        else:
            wrong, kind = "names none. Correct it.", "image missing"
        complain(DataError(f"a list names images below its folder; {where}{wrong}", kind))
    return found


def _called(images: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """What a line may call an image → the images that may be meant: the one of that path, or else
    those of that path without its ending, or else those of that name or stem.
    """
    found: dict[str, list[Path]] = {}
    paths: dict[str, list[Path]] = {}
    for image in images:
        for name in {image.name, image.stem}:
            found.setdefault(name, []).append(image)
        paths.setdefault(image.relative_to(root).with_suffix("").as_posix(), []).append(image)
    whole = {image.relative_to(root).as_posix(): [image] for image in images}
    return found | paths | whole


CLASS_TREE = Format(
    "tree of folders",
    "images in folders of any depth, [SPLIT/]…/CLASS/a.jpg or CLASS_12.jpg, where "
    "`data.classes_from` says which",
    Labels,
    is_at=lambda root: root.is_dir() and bool(images_in(root, deep=True)),
    splits_at=_splits,
    opens=ClassTree,
    heeds=("classes_from",),
    needs="classes_from",
)
