"""A project of Supervisely: datasets of images and a JSON for each."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cvtasks.data.formats.bases.image_files import ImageFiles, image_files_format
from cvtasks.data.formats.kinds import SUPERVISELY as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.listing import IMAGES, files_in, images_in, seen
from cvtasks.data.formats.places import is_split
from cvtasks.errors import Complain, DataError
from cvtasks.formats.reading import MEGABYTE, UNLABELLED, read_annotation
from cvtasks.formats.shapes import ImageShapes
from cvtasks.formats.supervisely import classes_of_project, parse_supervisely

_MOST = 128 * MEGABYTE
_FILES, _IMAGES = "ann", "img"  # folders of a dataset
_BELOW = "datasets"  # the folder of datasets within a dataset
_LOOKED_AT = 20  # files by which a dataset is known


class _Supervisely(ImageFiles[Sequence[Path]]):
    """How Supervisely's projects are read.

    A dataset has its images in `img/` and a file for each in `ann/`, called like the image with
    `.json` behind. Classes are listed in `meta.json`.
    """

    def splits(self, root: Path) -> dict[str, list[Path]]:
        """Split → its datasets. Each dataset is a split where one of them is called like one; else
        all of them are one, without a name.
        """
        found = {"/".join(_name(one, root)): one for one in _datasets(root)}
        if any(is_split(name) for name in found):
            return {name: [one] for name, one in found.items()}
        return {"": list(found.values())} if found else {}

    def files(self, found: Sequence[Path]) -> Iterator[Path]:
        """The files of a split."""
        return (file for dataset in found for file in files_in(dataset / _FILES, ".json"))

    def parse(self, path: str) -> ImageShapes:
        """What a file holds."""
        return parse_supervisely(read_annotation(Path(path), _MOST), path, Path(path).stem)

    def pairs(
        self, found: Sequence[Path], complain: Complain
    ) -> Iterator[tuple[Path, ImageShapes]]:
        """Each image and what its file holds."""
        for dataset in found:
            yield from self._pairs_of(dataset, complain)

    def listed(self, root: Path, complain: Complain) -> tuple[str, ...]:
        """The classes of the project."""
        for file in (one / "meta.json" for one in (root, root.parent)):
            if file.is_file():
                try:
                    return classes_of_project(read_annotation(file, _MOST), str(file))
                except DataError as error:
                    complain(error)
                    return ()
        return ()

    def _pairs_of(self, dataset: Path, complain: Complain) -> Iterator[tuple[Path, ImageShapes]]:
        home = dataset / _IMAGES
        images = images_in(home) if home.is_dir() else []
        by_stem: dict[str, list[Path]] = {}
        for image in images:
            by_stem.setdefault(image.stem, []).append(image)
        taken: set[Path] = set()
        for file in self.files([dataset]):
            image, alike = home / file.stem, by_stem.get(file.stem, [])
            if image.suffix.lower() not in IMAGES and len(alike) == 1:  # before 2019: a.jpg, a.json
                image = alike[0]
            taken.add(image)
            try:
                yield image, self.parsed(file)
            except DataError as error:
                complain(error)
        for image in images:
            if image not in taken:
                yield image, ImageShapes(image.name, str(image), remarks=(UNLABELLED,))


SUPERVISELY_TOOL = _Supervisely()


def _datasets(root: Path) -> Iterator[Path]:
    """The folders of a root that are datasets: itself, those in it, and those within these."""
    if not root.is_dir():
        return
    if _is_dataset(root):
        yield root
        return
    waiting = _folders(root)
    while waiting:
        one = waiting.pop(0)
        if _is_dataset(one):
            yield one
        waiting += _folders(one / _BELOW)


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(one for one in place.iterdir() if one.is_dir() and seen(one))


def _is_dataset(folder: Path) -> bool:
    place = folder / _FILES
    return place.is_dir() and any(
        json_kind(file) == KIND for file in files_in(place, ".json")[:_LOOKED_AT]
    )


def _name(dataset: Path, root: Path) -> Sequence[str]:
    return [part for part in dataset.relative_to(root).parts if part != _BELOW]


SUPERVISELY = image_files_format(
    SUPERVISELY_TOOL,
    "Supervisely",
    "meta.json, and for each dataset <dataset>/img/ and <dataset>/ann/ with a JSON for each image",
    lambda root: next(_datasets(root), None) is not None,
)
