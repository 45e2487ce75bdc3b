"""YOLO text files and their YAML, for detection."""

import os
from collections.abc import Iterator
from pathlib import Path

from cvtasks.data.detection import BoxesSource, Truth, distinct
from cvtasks.data.folders import PICTURES
from cvtasks.data.inside import no_name
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, UNLABELLED, read_text
from cvtasks.formats.yolo import SPLITS, YoloYaml, parse_yaml, parse_yolo

_YAML = ("data.yaml", "data.yml", "dataset.yaml")


class YOLODetection(BoxesSource):
    """Pictures of one split of a `data.yaml`, sorted by path or in the order of its list, and the boxes beside them.

    The root is the YAML file, or the folder it lies in. `train`, `val` and `test` name folders of pictures, searched
    through, or lists (`.txt`, one picture a line). The boxes of `…/images/….jpg` are in `…/labels/….txt`, those of another
    path in a `.txt` beside the picture; where that file is missing, the picture has no objects. Everything lies below the
    folder that `path` names, which is the YAML's own unless said.
    """

    format = "YOLO"
    layout = "data.yaml with names, train and val; images/ and labels/"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether `root` is a YAML file or a folder that holds one of the usual name."""
        return _yaml(root) is not None

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The splits that the YAML names."""
        path = _yaml(root)
        return tuple(parse_yaml(read_text(path, MEGABYTE), str(path)).splits) if path else ()

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        path = _yaml(root)
        if path is None:
            raise DataError(f"a YOLO data set needs one of {', '.join(_YAML)}; {str(root)!r} has none. Write it.")
        content = parse_yaml(read_text(path, MEGABYTE), str(path))
        self.split = split = check_split(split, content.splits, path)
        home = _home(content, path)
        pictures = [picture for place in content.splits[split] for picture in _pictures(place, home, path)]
        self.pictures = [pictures[index] for index in present(f'"{split}" of {str(path)!r}', {"picture": pictures}, complain)]
        self._home = home
        self._labels = [_label_file(picture, home) for picture in self.pictures]
        if not any(file.is_file() for file in self._labels):
            raise DataError(
                f'"{split}" of {str(path)!r} has no label file at all, such as {str(self._labels[0])!r}. Put the labels there.'
            )
        self.classes = content.classes
        self.names = distinct(self.pictures, home)

    def orphans(self) -> Iterator[DataError]:
        """Label files without a picture."""
        known = set(self._labels)
        for folder in sorted({path.parent for path in self._labels}):
            pictures = {_label_file(picture, self._home) for picture in _beside(folder, self._home)}
            for path in sorted(file for file in folder.glob("*.txt") if file not in known and file not in pictures):
                if path.stem not in ("classes", *SPLITS):  # tools leave the names of the classes and lists there
                    text = f"label file {str(path)!r} has no picture of its name. Add it, or remove the file."
                    yield DataError(text, "annotation without picture")

    def _read(self, index: int, size: tuple[int, int], complain: Complain) -> Truth:
        path = self._labels[index]
        if not os.path.lexists(path):  # a link to nowhere is no picture without objects
            return parse_yolo("", self.classes, size, str(path))[0], (UNLABELLED,)
        return parse_yolo(read_text(path), self.classes, size, str(path), complain)


def _yaml(root: Path) -> Path | None:
    if root.is_file():
        return root if root.suffix.lower() in (".yaml", ".yml") else None
    return next((root / name for name in _YAML if (root / name).is_file()), None)


def _home(content: YoloYaml, path: Path) -> Path:
    """The folder that the splits are named from; the YAML's own where `path` was right on another machine only."""
    named = path.parent / content.path
    return _plain(named if not no_name(content.path) and named.is_dir() else path.parent)


def _pictures(place: str, home: Path, path: Path) -> list[Path]:
    """The pictures of a folder or a list."""
    source = _below(place, home, home, path)
    if source.is_dir():
        return sorted(file for file in source.rglob("*") if file.suffix.lower() in PICTURES)
    if source.suffix.lower() == ".txt" and source.is_file():
        lines = [line.strip() for line in read_text(source).splitlines() if line.strip()]
        return [_below(line, source.parent if line.startswith("./") else home, home, source) for line in lines]
    raise DataError(f"a split must be a folder or a list of pictures (.txt); {str(path)!r} names {place!r}, which is neither.")


def _below(name: str, base: Path, home: Path, path: Path) -> Path:
    """`name`, as seen from `base`, which must lie below `home`."""
    if no_name(name):
        raise DataError(
            f"a path must be one that a file can have; {str(path)!r} names {name[:300]!r}, of {len(name)} characters."
        )
    found = _plain(base / name)
    if not found.is_relative_to(home) and name.startswith("../"):  # Roboflow names its folders from one that is not there
        found = _plain(base / name.removeprefix("../"))
    if not found.is_relative_to(home):
        raise DataError(f"everything must lie below {str(home)!r}; {str(path)!r} names {name!r}. Set `path` in the YAML.")
    return found


def _plain(path: Path) -> Path:
    """The absolute path without `..`; links are left as they are, for pictures often lie behind one."""
    return Path(os.path.normpath(path.absolute()))


def _beside(folder: Path, home: Path) -> list[Path]:
    """The pictures that a folder of labels may belong to."""
    parts = folder.relative_to(home).parts
    homes = [home.joinpath(*("images" if part == "labels" else part for part in parts)), folder]
    return [file for place in homes if place.is_dir() for file in place.iterdir() if file.suffix.lower() in PICTURES]


def _label_file(picture: Path, home: Path) -> Path:
    """`…/images/a/b.jpg` → `…/labels/a/b.txt`; the last `images` counts, and none above `home`."""
    parts = list(picture.relative_to(home).parts)
    for index in reversed(range(len(parts) - 1)):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return (home / Path(*parts)).with_suffix(".txt")
