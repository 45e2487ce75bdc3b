"""YOLO text files and their YAML, for detection."""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth, distinct
from cvtasks.data.formats.listing import files_in, images_in
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import ELSEWHERE, MEGABYTE, UNLABELLED, UPRIGHT, read_text
from cvtasks.formats.yolo import SPLITS, YoloYaml, parse_yaml, parse_yolo
from cvtasks.formats.yolo_lines import kinds_of, long_lines, look_like
from cvtasks.media.safe_paths import Ends, no_name, of_windows

_YAML = ("data.yaml", "data.yml", "dataset.yaml")


class YOLODetection(BoxesSource):
    """Images of one split of a `data.yaml`, sorted by path or in the order of its list, and the
    boxes beside them.

    The root is the YAML file, or the folder it lies in. `train`, `val` and `test` name folders of
    images, searched through, or lists (`.txt`, one image a line). The boxes of `…/images/….jpg` are
    in `…/labels/….txt`, those of another path in a `.txt` beside the image; where that file is
    missing, the image has no objects. Everything lies below the folder that `path` names, which is
    the YAML's own unless said; a path of another machine leads to the one file or folder below it
    that ends alike. Two images that would share one label file are a fault.

    Long lines are outlines, key points or tracks, as `task` (`segment`, `obb`, `pose`, `track`) or
    `kpt_shape` in the YAML says, or as they can only be (`cvtasks.formats.yolo_lines`). Labels
    declare no size: they count as drawn on the upright image.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        path, content = self.described(root)
        self.split = split = check_split(split, content.splits, path)
        home = _home(content, path)
        places = YoloPlaces(home, path, self.elsewhere)
        images = [image for place in content.splits[split] for image in places.images(place)]
        self.notes = (f"{ELSEWHERE}: {places.followed}",) if places.followed else ()
        images = [
            images[index]
            for index in present(f'"{split}" of {str(path)!r}', {"image": images}, complain)
        ]
        self._home, self._lines = home, content.lines
        self.images = _with_own_labels(images, home, complain)
        self._labels = [_label_file(image, home) for image in self.images]
        if self._labels and not any(file.is_file() for file in self._labels):
            raise DataError(
                f'"{split}" of {str(path)!r} has no label file at all, such as '
                f"{str(self._labels[0])!r}. Put the labels there."
            )
        self.classes = content.classes
        self.names = distinct(self.images, home)

    elsewhere = False
    """Whether lists name files that lie elsewhere on this machine as a rule."""

    @staticmethod
    def described(root: Path) -> tuple[Path, YoloYaml]:
        """The file that describes the data set, and what it says."""
        path = yaml_of(root)
        if path is None:
            raise DataError(
                f"a YOLO data set needs one of {', '.join(_YAML)}; {str(root)!r} has none. Write "
                "it."
            )
        return path, parse_yaml(read_text(path, MEGABYTE), str(path))

    def orphans(self) -> Iterator[DataError]:
        """Label files without an image."""
        known = set(self._labels)
        for folder in sorted({path.parent for path in self._labels}):
            images = {_label_file(image, self._home) for image in _beside(folder, self._home)}
            for path in (
                file
                for file in files_in(folder, ".txt")
                if file not in known and file not in images
            ):
                if path.stem not in (
                    "classes",
                    *SPLITS,
                ):  # tools leave the names of the classes and lists there
                    text = (
                        f"label file {str(path)!r} has no image of its name. Add it, or remove the "
                        "file."
                    )
                    yield DataError(text, "annotation without image")

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        path, size = self._labels[index], frame.size
        if not os.path.lexists(path):  # a link to nowhere is no image without objects
            return parse_yolo("", self.classes, size, str(path))[0], (UNLABELLED,)
        boxes, remarks = parse_yolo(
            read_text(path),
            self.classes,
            size,
            str(path),
            complain,
            lines=self._lines,
            others=lambda: self._kind,
        )
        return boxes, (*remarks, *((UPRIGHT,) if frame.turn != 1 and len(boxes) else ()))

    @cached_property
    def _kind(self) -> str:
        """What the long lines of this split are, if they tell all together, or some of its files
        alone, or all look alike.
        """
        every: list[list[float]] = []
        alone: set[str] = set()
        for path in self._labels:
            try:
                lines = long_lines(read_text(path)) if os.path.lexists(path) else []
            except DataError:  # a fault, which is told when its turn comes
                continue
            kinds = kinds_of(lines) if lines else set()
            alone |= kinds if len(kinds) == 1 else set()
            every += lines
        kinds = kinds_of(every)
        sure = next((found for found in (kinds, alone) if len(found) == 1), set())
        return sure.pop() if sure else look_like(every)


def _splits(root: Path) -> tuple[str, ...]:
    """The splits that the YAML names."""
    path = yaml_of(root)
    return tuple(parse_yaml(read_text(path, MEGABYTE), str(path)).splits) if path else ()


YOLO = Format(
    "YOLO",
    "data.yaml with names, train and val; images/ and labels/",
    Boxes,
    is_at=lambda root: yaml_of(root) is not None,
    splits_at=_splits,
    opens=YOLODetection,
    file="YOLO YAML",
)


def yaml_of(root: Path) -> Path | None:
    """The YAML of a data set: the root itself, or one of the usual names in it."""
    if root.is_file():
        return root if root.suffix.lower() in (".yaml", ".yml") else None
    return next((root / name for name in _YAML if (root / name).is_file()), None)


def _home(content: YoloYaml, path: Path) -> Path:
    """The folder that the splits are named from; the YAML's own where `path` was right on another
    machine only.
    """
    named = path.parent / content.path
    return _plain(named if not no_name(content.path) and named.is_dir() else path.parent)


class YoloPlaces:
    """The folders and lists that a YAML names, below its home; counts the paths of another machine
    that were `followed`.

    Args:
        elsewhere: whether a path to nowhere may be one of another machine too.
    """

    def __init__(self, home: Path, yaml: Path, elsewhere: bool = False) -> None:
        self._home, self._yaml, self._ends, self.followed = home, yaml, Ends(home), 0
        self._elsewhere = elsewhere

    def images(self, place: str) -> list[Path]:
        """The images of a folder or a list."""
        source = self._below(place, self._home, self._yaml)
        if source.is_dir():
            return images_in(source, deep=True)
        if source.suffix.lower() == ".txt" and source.is_file():
            lines = [line.strip() for line in read_text(source).splitlines() if line.strip()]
            return [
                self._below(line, source.parent if line.startswith("./") else self._home, source)
                for line in lines
            ]
        raise DataError(
            f"a split must be a folder or a list of images (.txt); {str(self._yaml)!r} names "
            f"{place!r}, which is neither. "
            "Put the images there, or correct or remove the line."
        )

    def _below(self, name: str, base: Path, path: Path) -> Path:
        """`name`, as seen from `base`, which must lie below home."""
        if no_name(name):
            raise DataError(
                f"a path must be one that a file can have; {str(path)!r} names {name[:300]!r}, of "
                f"{len(name)} characters."
            )
        found = _plain(base / name)
        # Roboflow names its folders from one that is not there
        if not found.is_relative_to(self._home) and name.startswith("../"):
            found = _plain(base / name.removeprefix("../"))
        inside = found.is_relative_to(self._home)
        if inside and (found.exists() or not (of_windows(name) or self._elsewhere)):
            return found
        elsewhere = self._ends.find(name) or self._ends.folder(name)
        if elsewhere is None and inside and not of_windows(name):
            return found
        if elsewhere is None:
            raise DataError(
                f"everything must lie below {str(self._home)!r}; {str(path)!r} names {name!r}, and "
                "not just one file there ends "
                "like it. Set `path` in the YAML."
            )
        self.followed += 1
        return _plain(elsewhere)


def _with_own_labels(images: list[Path], home: Path, complain: Complain) -> list[Path]:
    """The images but those that would share a label file with another one; `complain` hears of
    these.
    """
    files: dict[Path, list[Path]] = {}
    for image in images:
        files.setdefault(_label_file(image, home), []).append(image)
    for label, sharing in files.items():
        if len(sharing) > 1 and label.is_file():
            text = (
                "every image needs a label file of its own; "
                f"{' and '.join(repr(str(one)) for one in sharing[:2])} share"
            )
            complain(
                DataError(
                    f"{text} {str(label)!r}. Remove an image, or rename it and write its labels.",
                    "images share a name",
                )
            )
    return [
        image
        for image in images
        if len(files[label := _label_file(image, home)]) == 1 or not label.is_file()
    ]


def _plain(path: Path) -> Path:
    """The absolute path without `..`; links are left as they are,
    for images often lie behind one.
    """
    return Path(os.path.normpath(path.absolute()))


def _beside(folder: Path, home: Path) -> list[Path]:
    """The images that a folder of labels may belong to."""
    parts = folder.relative_to(home).parts
    homes = [home.joinpath(*("images" if part == "labels" else part for part in parts)), folder]
    return [file for place in homes if place.is_dir() for file in images_in(place)]


def _label_file(image: Path, home: Path) -> Path:
    """`…/images/a/b.jpg` → `…/labels/a/b.txt`; the last `images` counts, and none above `home`."""
    parts = list(image.relative_to(home).parts)
    for index in reversed(range(len(parts) - 1)):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    path = (home / Path(*parts)).with_suffix(".txt")
    shouted = path.with_suffix(".TXT")  # as some programs of Windows write it
    return shouted if not os.path.lexists(path) and shouted.is_file() else path
