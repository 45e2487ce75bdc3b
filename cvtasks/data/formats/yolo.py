"""YOLO text files and their YAML, for detection."""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth, distinct
from cvtasks.data.formats.listing import files_in, images_in, names_in
from cvtasks.data.formats.yolo_doubts import refuse_rivals
from cvtasks.data.formats.yolo_names import (
    NOT_LABELS,
    begins,
    lists_of,
    refuse_other_order,
    yamls_of,
)
from cvtasks.data.formats.yolo_places import LabelFiles, YoloPlaces, plain_path
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import ELSEWHERE, MEGABYTE, UNLABELLED, UPRIGHT, read_text
from cvtasks.formats.yolo import SPLITS, YoloYaml, parse_yaml, parse_yolo
from cvtasks.formats.yolo_lines import (
    OUTLINE,
    any_long_lines,
    kinds_of,
    long_lines,
    look_like,
    with_scores,
)
from cvtasks.media.safe_paths import no_name
from cvtasks.text import some


class YOLODetection(BoxesSource):
    """Images of one split of a `data.yaml`, sorted by path or in the order of its list, and the
    boxes beside them.

    The root is the YAML file, or the folder it lies in. `train`, `val` and `test` name folders of
    images, searched through, or lists (`.txt`, one image a line). The boxes of `…/images/….jpg` are
    in `…/labels/….txt`, or in a `.txt` elsewhere that belongs to the image (`LabelFiles`); where
    that file is missing, the image has no objects. Everything lies below the folder that `path`
    names, which is the YAML's own unless said; a path of another machine leads to the one file or
    folder below it that ends alike. Two images that would share one label file are a fault, and so
    is a list of classes among the labels that has another order.

    Long lines are outlines, with a score behind all of a split or none, key points or tracks, as
    `task` (`segment`, `obb`, `pose`, `track`) or `kpt_shape` in the YAML says, or as they can only
    be (`cvtasks.formats.yolo_lines`). Labels declare no size: they count as drawn on the upright
    image.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        path, content = self.described(root)
        self.split = split = check_split(split, content.splits, path)
        home = _home(content, path)
        named = [place for places in content.splits.values() for place in places]
        places = YoloPlaces(home, path, named, self.elsewhere)
        images = [image for one in content.splits[split] for image in places.images(one, split)]
        self.notes = (f"{ELSEWHERE}: {places.followed}",) if places.followed else ()
        images = [
            images[index]
            for index in present(f'"{split}" of {str(path)!r}', {"image": images}, complain)
        ]
        self._lines, self._files = content.lines, LabelFiles(home)
        refuse_rivals(images, self._files)
        self.images = _with_own_labels(images, self._files, complain)
        self._labels = [self._files.of(image) for image in self.images]
        if self._labels and not any(file.is_file() for file in self._labels):
            what = f'"{split}" of {str(path)!r}' if split else repr(str(home))
            raise _without_labels(what, self._labels)
        self.classes = content.classes
        self.names = distinct(self.images, home)
        self.notes += self._compared(path, home)

    def _compared(self, path: Path, home: Path) -> tuple[str, ...]:
        """A sentence for each list of classes among the images and labels that calls classes
        otherwise than the file at `path` does.

        Raises:
            DataError: one of them has another order.
        """
        said: tuple[str, ...] = ()
        folders = {file.parent for file in (*self.images, *self._labels)}
        for one in lists_of(folders, home, lambda error: None):
            refuse_other_order(path, self.classes, one.path, one.names)
            if not begins(self.classes, one.names):
                said += (
                    f"classes are called as in {path.name}, not as in {str(one.path)!r}: "
                    f"{some(list(one.names), 5)}",
                )
        return said

    def _classes_at(self, index: int) -> tuple[str, ...]:
        """What the numbers in the labels of one image mean."""
        return self.classes

    elsewhere = False
    """Whether lists name files that lie elsewhere on this machine as a rule."""

    @staticmethod
    def described(root: Path) -> tuple[Path, YoloYaml]:
        """The file that describes the data set, and what it says."""
        path = yaml_of(root)
        if path is None:
            raise DataError(
                f"a YOLO data set needs a YAML with `names` and `train`, such as data.yaml; "
                f"{str(root)!r} has none. Write it."
            )
        return path, parse_yaml(read_text(path, MEGABYTE), str(path))

    def orphans(self) -> Iterator[DataError]:
        """Label files without an image."""
        known = set(self._labels)
        for folder in sorted({path.parent for path in self._labels}):
            images = {self._files.of(image) for image in self._beside(folder)}
            for path in files_in(folder, ".txt"):
                if path not in known and path not in images and not _is_list(path):
                    text = (
                        f"label file {str(path)!r} has no image of its name. Add it, or remove the "
                        "file."
                    )
                    yield DataError(text, "annotation without image")

    def _beside(self, folder: Path) -> list[Path]:
        """The images that a folder of labels may belong to, also those of other splits."""
        parts = ("images" if part == "labels" else part for part in folder.parts)
        own = {image.parent for image in self.images if self._files.folder(image.parent) == folder}
        homes = sorted({Path(*parts), folder, *own, *self._files.homes_of(folder)})
        return [file for place in homes if place.is_dir() for file in images_in(place)]

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        path, size = self._labels[index], frame.size
        if not os.path.lexists(path):  # a link to nowhere is no image without objects
            return parse_yolo("", self.classes, size, str(path))[0], (UNLABELLED,)
        boxes, remarks = parse_yolo(
            read_text(path),
            self._classes_at(index),
            size,
            str(path),
            complain,
            lines=self._lines,
            others=lambda: self._kind,
            scored=lambda: self._scored,
        )
        boxes = boxes.with_classes(self.classes)
        return boxes, (*remarks, *((UPRIGHT,) if frame.turn != 1 and len(boxes) else ()))

    @cached_property
    def _kind(self) -> str:
        """What the long lines of this split are, if they tell all together, or some of its files
        alone, or all look alike.
        """
        every: list[list[float]] = []
        alone: set[str] = set()
        if self._scored:
            return OUTLINE
        for lines in map(long_lines, self._texts()):
            kinds = kinds_of(lines) if lines else set()
            alone |= kinds if len(kinds) == 1 else set()
            every += lines
        kinds = kinds_of(every)
        sure = next((found for found in (kinds, alone) if len(found) == 1), set())
        return sure.pop() if sure else look_like(every)

    @cached_property
    def _scored(self) -> bool:
        """Whether the long lines of this split are outlines with a score behind each."""
        lines = chain.from_iterable(map(any_long_lines, self._texts()))
        return with_scores(lines, self._lines)

    def _texts(self) -> Iterator[str]:
        """The label files that can be read."""
        for path in self._labels:
            try:
                yield read_text(path) if os.path.lexists(path) else ""
            except DataError:  # a fault, which is told when its turn comes
                continue


def _splits(root: Path) -> tuple[str, ...]:
    """The splits that the YAML names."""
    path = yaml_of(root)
    return tuple(parse_yaml(read_text(path, MEGABYTE), str(path)).splits) if path else ()


YOLO = Format(
    "YOLO",
    "data.yaml with names, train and val; images/ and labels/",
    Boxes,
    is_at=lambda root: bool(yamls_of(root)),
    splits_at=_splits,
    opens=YOLODetection,
    file="YOLO YAML",
)


def yaml_of(root: Path) -> Path | None:
    """The YAML of a data set: the root itself, or the one in it that has its names and splits.

    Raises:
        DataError: several may be meant.
    """
    found = yamls_of(root)
    if len(found) > 1:
        raise DataError(
            f"one YAML must describe a data set; {str(root)!r} has "
            f"{some([path.name for path in found], 3)}. Give the path of one.",
            "format unclear",
        )
    return found[0] if found else None


def _without_labels(what: str, labels: Sequence[Path]) -> DataError:
    """The error for images of which none has its text; names those that differ in their letters'
    case alone.
    """
    known: dict[Path, dict[str, str]] = {}
    for file in labels:
        folder = file.parent
        if folder not in known:
            names = names_in(folder) if folder.is_dir() else []
            known[folder] = {name.casefold(): name for name in names}
        if other := known[folder].get(file.name.casefold()):
            return DataError(
                f"a label file must be called as its image, in letters of the same case; {what} "
                f"has no {str(file)!r}, but {other!r}. Rename the label files, or the images."
            )
    return DataError(
        f"{what} has no label file at all, such as {str(labels[0])!r}. Put the labels there."
    )


def _home(content: YoloYaml, path: Path) -> Path:
    """The folder that the splits are named from; the YAML's own where `path` was right on another
    machine only.
    """
    named = path.parent / content.path
    return plain_path(named if not no_name(content.path) and named.is_dir() else path.parent)


def _with_own_labels(images: list[Path], labels: LabelFiles, complain: Complain) -> list[Path]:
    """The images but those that would share a label file with another one; `complain` hears of
    these.
    """
    files: dict[Path, list[Path]] = {}
    for image in images:
        files.setdefault(labels.of(image), []).append(image)
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
        if len(files[label := labels.of(image)]) == 1 or not label.is_file()
    ]


def _is_list(path: Path) -> bool:
    """Whether a text among labels is a list of classes or of images, as tools leave them there."""
    return path.name in NOT_LABELS or path.stem in (*SPLITS, "valid")
