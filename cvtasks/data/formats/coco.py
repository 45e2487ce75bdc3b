"""COCO JSON, for detection."""

from collections.abc import Iterator
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats import kinds
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth, distinct
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.listing import NamedFiles, files_in, images_in
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.coco import CocoImage, Id, coco_boxes, parse_coco
from cvtasks.formats.drawn import Size, declared_size
from cvtasks.formats.reading import MEGABYTE, read_annotation
from cvtasks.media.safe_paths import leads_out, of_windows

_NOTES = "notes.json"  # Label Studio's list of classes beside YOLO's labels
_MOST = 2000 * MEGABYTE  # COCO's own largest file has 450 MB


class COCODetection(BoxesSource):
    """The images of one JSON file, in its order, those without objects too; crowds marked, areas as
    the file has them.

    The root is a folder with `annotations/instances_<split>.json`, `annotations/<split>.json` or
    `<split>.json`, or with one JSON in each `<split>/` beside its images, as Roboflow writes it; or
    such a file itself, which is one split without a name. Images lie in `<split>/`,
    `<split>/images/`, `images/<split>/`, `images/` or `data/`, or at the root: the first of these
    that has the first image. Classes are the categories in the order of their ids, which may be
    any. A name is the stem of the file, or its path where stems are not unique.

    Attributes:
        image_ids: name of the sample → `id` of the image.
        category_ids: class → `id` of the category. Both for whoever reads results that refer to
            them.
    """

    def __init__(
        self, root: Path, split: str, complain: Complain = strictly, *, outlines: bool = False
    ) -> None:
        super().__init__(complain)
        if root.is_file():
            check_split(split, ("",), root)
            path, split = root, root.stem.removeprefix("instances_")
            root = root.parents[1] if root.parent.name == "annotations" else root.parent
        else:
            files = coco_files(root)
            self.split = split = check_split(split, files, root)
            path = files[split]
        self._path = path
        content = parse_coco(read_annotation(path, _MOST), str(path), complain, outlines=outlines)
        self.notes = content.remarks
        homes = [
            *(root / split, root / split / "images", root / "images" / split),
            *(root / "images", root / "data", root),
        ]
        names = (image.file_name for image in content.images)
        first = next((name for name in names if not leads_out(name) and not of_windows(name)), "")
        home = next((home for home in homes if first and (home / first).is_file()), homes[3])
        images, self._images = self._find(content.images, home, root, complain)
        kept = present(f"{str(path)!r}", {"image": images}, complain)
        self.images, self._images = (
            [images[index] for index in kept],
            [self._images[index] for index in kept],
        )
        self._home, self._split = home, split
        self.classes = tuple(content.categories)
        self.names = distinct(
            self.images, home if all(image.is_relative_to(home) for image in self.images) else root
        )
        self.image_ids: dict[str, Id] = {
            name: image.id for name, image in zip(self.names, self._images, strict=True)
        }
        self.category_ids: dict[str, Id] = content.categories

    @property
    def entries(self) -> list[CocoImage]:
        """What the file holds of each image."""
        return self._images

    def orphans(self) -> Iterator[DataError]:
        """Images in a folder of this split alone that the file does not list."""
        if self._home.name != self._split or not self._home.is_dir():
            return
        listed = {path.resolve() for path in self.images}
        for path in images_in(self._home, deep=True):
            if path.resolve() not in listed:
                text = (
                    f"image {str(path)!r} is not among the images of {str(self._path)!r}. List it, "
                    "or remove it."
                )
                yield DataError(text, "image without annotation")

    def _find(
        self, images: tuple[CocoImage, ...], home: Path, root: Path, complain: Complain
    ) -> tuple[list[Path], list[CocoImage]]:
        """The files of the images, and these images; names of another machine are followed as far
        as that can be.
        """
        named = NamedFiles(home, root, [image.file_name for image in images])
        found, kept = [], []
        for image in images:
            name = image.file_name
            path = named.find(name)
            if path is None:
                text = (
                    "a file_name must lead to an image below the data set's folder; "
                    f"{str(self._path)!r} has {name[:300]!r}, and "
                    f"not just one file below {str(root)!r} ends like it. Write the path from the "
                    "folder of the images."
                )
                complain(DataError(text, "image missing"))
            else:
                found.append(path)
                kept.append(image)
        self.notes += named.notes
        return found, kept

    def _declared(self, index: int) -> Size | None:
        return declared_size(*self._images[index].size)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        name = str(self._path)
        return coco_boxes(
            self._images[index],
            self.classes,
            frame.size,
            name,
            complain,
            turn=frame.turn,
            habit=self._habit,
        )


def _is_coco(path: Path, *, perhaps: bool = True) -> bool:
    """Whether a file is COCO's JSON by its beginning; `perhaps`: or one of nobody's that is known,
    to be complained of where it is read.
    """
    if path.suffix.lower() != ".json" or path.name == _NOTES or not path.is_file():
        return False
    return json_kind(path) in ((kinds.COCO, "") if perhaps else (kinds.COCO,))


def coco_files(root: Path) -> dict[str, Path]:
    """Split → its file. Where COCO's own names are, files of other names (captions, key points) are
    no splits; where there is none beside or above the images, each split may have its own in its
    folder.
    """
    below = root / "annotations"
    home = below if below.is_dir() else root
    files = [file for file in files_in(home, ".json") if _is_coco(file)]
    instances = [file for file in files if file.stem.startswith("instances_")]
    splits = {file.stem.removeprefix("instances_"): file for file in instances or files}
    images = any((root / name).is_dir() for name in ("images", "data", *splits))
    if splits and (images or below.is_dir()):
        return splits
    own = _split_folders(root) if root.is_dir() else {}
    if own:
        return own
    sure = {name: file for name, file in splits.items() if _is_coco(file, perhaps=False)}
    return sure if sure and images_in(root) else {}


def _split_folders(root: Path) -> dict[str, Path]:
    """Folder → the one COCO JSON in it, of those that are called like splits."""
    found = {}
    for folder in sorted(one for one in root.iterdir() if one.is_dir() and is_split(one.name)):
        files = [
            file
            for place in (folder, folder / "annotations")
            for file in files_in(place, ".json")
            if _is_coco(file, perhaps=False)
        ]
        if len(files) == 1:
            found[folder.name] = files[0]
    return found


COCO = Format(
    "COCO JSON",
    "annotations/instances_<split>.json or <split>.json, and images in <split>/ or images/, or "
    "<split>/_annotations.coco.json",
    Boxes,
    is_at=lambda root: _is_coco(root) or bool(coco_files(root)),
    splits_at=lambda root: ("",) if root.is_file() else tuple(coco_files(root)),
    opens=COCODetection,
    file="COCO JSON",
)
