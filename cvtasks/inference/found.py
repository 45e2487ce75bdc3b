"""What was found in all images and frames, under the names that one COCO file gives them."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from cvtasks.answers import Boxes
from cvtasks.files.writing import numbered
from cvtasks.formats.coco import coco_document
from cvtasks.media.addresses import is_address


class Found:
    """Boxes by image. An image is called by its file; a frame of a video as if it had been saved
    beside it.
    """

    def __init__(self) -> None:
        self._boxes: dict[tuple[PurePath, bool], Boxes] = {}  # file, whether it is a frame → boxes
        self._videos: dict[PurePath, str] = {}  # what frames' names begin with → the video

    def __bool__(self) -> bool:
        return bool(self._boxes)

    def add(self, record: dict[str, Any], boxes: Boxes, video: str = "") -> None:
        """Add what a record is about.

        What an address gives gets a number where another was recorded as the same: passwords, and
        what comes at another time, are not in it.

        Args:
            video: tells the videos of a run apart; the record's source by default.
        """
        source, is_frame = record["source"], "frame" in record
        path = PurePath(source)
        if is_frame:
            path = next(
                stem
                for stem in _further(path.with_name(path.stem))
                if self._videos.setdefault(stem, video or source) == (video or source)
            )
            path = path.with_name(f"{path.name}-{record['frame']:06d}.jpg")
        if is_address(source):
            path = next(one for one in _further(path) if (one, is_frame) not in self._boxes)
        self._boxes[path, is_frame] = boxes

    def document(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """The COCO file; folders are in its names where these would be the same without."""
        paths = self._paths()
        names = [path.name for path in paths]
        if len(set(names)) < len(names):
            names = [path.as_posix() for path in paths]
        return coco_document(zip(names, self._boxes.values(), strict=True), classes, scores=True)

    def _paths(self) -> list[PurePath]:
        """The files, in order; a frame that is called as an image gets a number."""
        paths, taken = [], {path for path, _ in self._boxes}
        for path, is_frame in self._boxes:
            if is_frame and (path, False) in self._boxes:
                path = next(one for one in _further(path) if one not in taken)
                taken.add(path)
            paths.append(path)
        return paths


def _further(path: PurePath) -> Iterator[PurePath]:
    """The path, and after it those with a number."""
    return (path.with_name(f"{stem}{path.suffix}") for stem in numbered(path.stem))
