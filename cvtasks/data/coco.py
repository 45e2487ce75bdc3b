"""COCO JSON, for detection."""

from collections.abc import Iterator
from pathlib import Path

from cvtasks.data.detection import BoxesSource, Truth, distinct
from cvtasks.data.folders import PICTURES
from cvtasks.data.inside import leads_out, on_disk
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.coco import Id, coco_boxes, parse_coco
from cvtasks.formats.reading import MEGABYTE, read_annotation

_MOST = 2000 * MEGABYTE  # COCO's own largest file has 450 MB


class COCODetection(BoxesSource):
    """The images of one JSON file, in its order, those without objects too; crowds marked, areas as the file has them.

    The root is a folder with `annotations/instances_<split>.json`, `annotations/<split>.json` or `<split>.json`, or such a
    file itself, which is one split without a name. Pictures lie in `<split>/`, `images/<split>/` or `images/`, or at the
    root: the first of these that has the first picture. Classes are the categories in the order of their ids, which may be
    any. A name is the stem of the file, or its path where stems are not unique.

    Attributes:
        image_ids: name of the sample → `id` of the image.
        category_ids: class → `id` of the category. Both for whoever reads results that refer to them.
    """

    format = "COCO JSON"
    layout = "annotations/instances_<split>.json or <split>.json, and pictures in <split>/ or images/"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether `root` is a JSON file, or a folder with one for each split."""
        return _is_json(root) or bool(_splits(root))

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The names of the JSON files; a file itself has no splits."""
        return ("",) if root.is_file() else tuple(_splits(root))

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        if root.is_file():
            check_split(split, ("",), root)
            path, split = root, root.stem.removeprefix("instances_")
            root = root.parents[1] if root.parent.name == "annotations" else root.parent
        else:
            files = _splits(root)
            self.split = split = check_split(split, files, root)
            path = files[split]
        self._path = path
        content = parse_coco(read_annotation(path, _MOST), str(path), complain)
        self._images = content.images
        for image in self._images:
            if leads_out(image.file_name):
                raise DataError(
                    f"a file_name must lead to a picture below the data set's folder; {str(path)!r} has {image.file_name[:300]!r}."
                )
        homes = [root / split, root / "images" / split, root / "images", root]
        first = self._images[0].file_name if self._images else ""
        home = next((home for home in homes if (home / first).is_file()), homes[2])
        pictures = [on_disk(home / image.file_name) for image in self._images]
        kept = present(f"{str(path)!r}", {"picture": pictures}, complain)
        self.pictures, self._images = [pictures[index] for index in kept], tuple(self._images[index] for index in kept)
        self._home, self._split = home, split
        self.classes = tuple(content.categories)
        self.names = distinct(self.pictures, home)
        self.image_ids: dict[str, Id] = {name: image.id for name, image in zip(self.names, self._images, strict=True)}
        self.category_ids: dict[str, Id] = content.categories

    def orphans(self) -> Iterator[DataError]:
        """Pictures in a folder of this split alone that the file does not list."""
        if self._home.name != self._split or not self._home.is_dir():
            return
        listed = {path.resolve() for path in self.pictures}
        for path in sorted(self._home.rglob("*")):
            if path.suffix.lower() in PICTURES and path.resolve() not in listed:
                text = f"picture {str(path)!r} is not among the images of {str(self._path)!r}. List it, or remove it."
                yield DataError(text, "picture without annotation")

    def _read(self, index: int, size: tuple[int, int], complain: Complain) -> Truth:
        return coco_boxes(self._images[index], self.classes, size, str(self._path), complain)


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json" and path.is_file()


def _splits(root: Path) -> dict[str, Path]:
    """Split → its file. Where COCO's own names are, files of other names (captions, key points) are no splits."""
    below = root / "annotations"
    files = sorted(file for file in (below if below.is_dir() else root).glob("*.json") if file.is_file())
    instances = [file for file in files if file.stem.startswith("instances_")]
    splits = {file.stem.removeprefix("instances_"): file for file in instances or files}
    pictures = any((root / name).is_dir() for name in ("images", *splits))
    return splits if pictures or below.is_dir() else {}
