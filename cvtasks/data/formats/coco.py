"""COCO JSON, for detection."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth, distinct
from cvtasks.data.formats.coco_files import (
    MOST,
    CocoPart,
    coco_parts,
    home_of,
    lies_at,
    listed_in,
    perhaps_at,
    speaks_of_split,
    split_folders,
)
from cvtasks.data.formats.listing import images_in
from cvtasks.data.formats.named_files import NamedFiles, apart
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, CVTasksError, DataError, strictly
from cvtasks.formats.coco import CocoImage, Id, coco_boxes, parse_coco
from cvtasks.formats.drawn import Size, declared_size
from cvtasks.formats.reading import read_annotation
from cvtasks.media.safe_paths import no_name

UNUSED = "folders called like splits are in the names of images, and were not taken as splits"


class COCODetection(BoxesSource):
    """The images of one JSON file, in its order, those without objects too; crowds marked, areas as
    the file has them.

    The root is a folder with `annotations/instances_<split>.json`, `annotations/<split>.json` or
    `<split>.json`, or with one JSON in each `<split>/` beside its images, as Roboflow writes it; or
    such a file itself, which is one split without a name. Images lie in `<split>/`,
    `<split>/images/`, `<split>/data/`, `images/<split>/`, `data/<split>/`, `images/` or `data/`, or
    at the root: the first of these that has most of the first images. Classes are the categories in
    the order of their ids, which may be any. A name is the stem of the file, or its path where
    stems are not unique.

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
            part, split = CocoPart(root), root.stem.removeprefix("instances_")
            root = root.parents[1] if root.parent.name == "annotations" else root.parent
        else:
            parts = coco_parts(root)
            self.split = split = check_split(split, parts, root)
            part = parts[split]
        path = part.path
        self._part, self._root, self._in_split = part, root, split
        content = parse_coco(read_annotation(path, MOST), str(path), complain, outlines=outlines)
        self.notes = content.remarks
        entries = tuple(image for image in content.images if part.has(image.file_name))
        home = home_of(path, root, split, (image.file_name for image in entries))
        images, self._images = self._find(entries, (home, root), split, complain)
        kept = present(f"{str(path)!r}", {"image": images}, complain)
        self.images, self._images = (
            [images[index] for index in kept],
            [self._images[index] for index in kept],
        )
        self._home = home
        if not part.folder and not speaks_of_split(split) and (unused := split_folders(path)):
            self.notes += (f"{UNUSED}: {', '.join(unused)}",)
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
        """Images beside those of this split that no file of the data set lists; in a folder of the
        split alone those of its folders too. None where another split cannot be opened.
        """
        own = self._in_split in self._home.relative_to(self._root).parts
        folders = {self._home} if own else {image.parent for image in self.images}
        listed = {path.resolve() for path in self.images}
        alone = [
            path
            for folder in sorted(folders)
            if folder.is_dir()
            for path in images_in(folder, deep=own)
            if path.resolve() not in listed
        ]
        if not alone:
            return
        try:
            parts = coco_parts(self._root)
            others = [name for name, part in parts.items() if part != self._part]
            for name in others:
                listed |= _listed(parts[name].path, self._root, name)
        except (CVTasksError, OSError):  # told by whoever opens that split
            return
        where = f"any COCO JSON of {str(self._root)!r}" if others else f"{str(self._part.path)!r}"
        for path in alone:
            if path.resolve() not in listed:
                text = f"image {str(path)!r} is not among the images of {where}. List it, or "
                yield DataError(f"{text}remove it.", "image without annotation")

    def _find(
        self,
        images: tuple[CocoImage, ...],
        places: tuple[Path, Path],
        split: str,
        complain: Complain,
    ) -> tuple[list[Path], list[CocoImage]]:
        """The files of the images, and these images; names of another machine, and those that
        climb, are followed as far as that can be.

        Args:
            places: the folder that images are named from, and the one below which they are.
        """
        home, root = places
        names = [image.file_name for image in images]
        named = NamedFiles(home, root, names, split=split, apart=lambda: self._apart(names))
        found, kept = [], []
        for image in images:
            name = image.file_name
            path = self._climbed(name) or named.find(name, _last(name))
            if path is None:
                text = (
                    "a file_name must lead to an image below the data set's folder; "
                    f"{str(self._part.path)!r} has {name[:300]!r}, and "
                    f"not just one file below {str(root)!r} ends like it; folders of other splits "
                    "do not count. Write the path from the folder of the images."
                )
                complain(DataError(text, "image missing"))
            else:
                found.append(path)
                kept.append(image)
        self.notes += named.notes
        return found, kept

    def _apart(self, names: Sequence[str]) -> bool:
        """Whether no other file lists an image of such a name; not where one cannot be read."""
        try:
            parts = coco_parts(self._root).values()
            return all(
                apart(names, listed_in(part.path)) for part in parts if part.path != self._part.path
            )
        except (CVTasksError, OSError):  # told by whoever opens that split
            return False

    def _climbed(self, name: str) -> Path | None:
        """The file below the root to which a name that climbs leads from the JSON's own folder."""
        if ".." not in name.split("/") or no_name(name):
            return None
        path, root = (self._part.path.parent / name).resolve(), self._root.resolve()
        found = self._root / path.relative_to(root) if path.is_relative_to(root) else None
        return found if found is not None and found.is_file() else None

    def _declared(self, index: int) -> Size | None:
        return declared_size(*self._images[index].size)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        name = str(self._part.path)
        return coco_boxes(
            self._images[index],
            self.classes,
            frame.size,
            name,
            complain,
            turn=frame.turn,
            habit=self._habit,
        )


def _last(name: str) -> tuple[str, ...]:
    """The last part of a name that climbs, as a path of another machine; nothing of any other.

    >>> _last("../../upload/1/a.jpg"), _last("upload/a.jpg")
    (('/a.jpg',), ())
    """
    parts = re.split(r"[\\/]+", name)
    return (f"/{parts[-1]}",) if ".." in parts[:-1] and parts[-1] not in ("", "..") else ()


@kept_while_unchanged(16)
def _listed(path: Path, root: Path, split: str) -> frozenset[Path]:
    """The images of another split; `path` is its file."""
    found = COCODetection(root, split, lambda error: None)
    return frozenset(image.resolve() for image in found.images)


COCO = Format(
    "COCO JSON",
    "annotations/instances_<split>.json or <split>.json, and images in <split>/ or images/, or "
    "<split>/_annotations.coco.json",
    Boxes,
    is_at=lies_at,
    perhaps_at=perhaps_at,
    splits_at=lambda root: ("",) if root.is_file() else tuple(coco_parts(root)),
    opens=COCODetection,
    file="COCO JSON",
)
