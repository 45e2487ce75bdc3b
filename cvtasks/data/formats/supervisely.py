"""A project of Supervisely: datasets of images and a JSON for each."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.image_files import parsed
from cvtasks.data.formats.bases.shapes import Collection, Settle, ShapesSource, classes_in
from cvtasks.data.formats.kinds import SUPERVISELY as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.listing import IMAGES, files_in, images_in, seen
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import Source, check_split
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, UNLABELLED, read_annotation
from cvtasks.formats.shapes import ImageShapes
from cvtasks.formats.supervisely import classes_of_project, parse_supervisely

_MOST = 128 * MEGABYTE
_FILES, _IMAGES = "ann", "img"  # folders of a dataset
_BELOW = "datasets"  # the folder of datasets within a dataset
_LOOKED_AT = 20  # files by which a dataset is known


class _Supervisely:
    """How Supervisely's projects are read."""

    def splits(self, root: Path) -> dict[str, list[Path]]:
        """Split → its datasets. Each dataset is a split where one of them is called like one; else
        all of them are one, without a name.
        """
        found = {"/".join(_name(one, root)): one for one in _datasets(root)}
        if any(is_split(name) for name in found):
            return {name: [one] for name, one in found.items()}
        return {"": list(found.values())} if found else {}

    def tagged(self, root: Path) -> bool:
        """Whether an image has a tag."""
        return any(entry.tags for entry in _every(self.splits(root)))

    def collect(
        self,
        root: Path,
        split: str,
        complain: Complain = strictly,
        settle: Settle = classes_in,
    ) -> Collection:
        """The images of a split, with what Supervisely's files hold of them.

        A dataset has its images in `img/` and a file for each in `ann/`, called like the image with
        `.json` behind. An image without a file has no objects. The classes are those of
        `classes.txt`, or those that `meta.json` lists, or all that objects have, sorted.

        Args:
            settle: finds the classes.

        Raises:
            DataError: there is no such split, or no image.
        """
        splits = self.splits(root)
        split = check_split(split, splits, root)
        images: list[Path] = []
        entries: list[ImageShapes] = []
        for dataset in splits[split]:
            for image, entry in _pairs(dataset, complain):
                images.append(image)
                entries.append(entry)
        listed = next((one for one in (root, root.parent) if (one / "meta.json").is_file()), None)
        names = _classes(listed / "meta.json", complain) if listed else ()
        classes, taken_for = settle(root, names, _every(splits))
        found = Collection(root, split, images, entries, classes, taken_for)
        return found.kept(f'"{split}" of {str(root)!r}' if split else repr(str(root)), complain)


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


def _every(splits: Mapping[str, Sequence[Path]]) -> Iterator[ImageShapes]:
    """What the files of all splits hold; those that cannot be read are told where they are read."""
    for dataset in (one for datasets in splits.values() for one in datasets):
        for file in files_in(dataset / _FILES, ".json"):
            try:
                yield parsed(file, _parse)
            except DataError:
                continue


def _pairs(dataset: Path, complain: Complain) -> Iterator[tuple[Path, ImageShapes]]:
    """Each image of a dataset and what its file holds."""
    home = dataset / _IMAGES
    images = images_in(home) if home.is_dir() else []
    by_stem: dict[str, list[Path]] = {}
    for image in images:
        by_stem.setdefault(image.stem, []).append(image)
    taken: set[Path] = set()
    for file in files_in(dataset / _FILES, ".json"):
        image, alike = home / file.stem, by_stem.get(file.stem, [])
        if image.suffix.lower() not in IMAGES and len(alike) == 1:  # as before 2019: a.jpg, a.json
            image = alike[0]
        taken.add(image)
        try:
            yield image, parsed(file, _parse)
        except DataError as error:
            complain(error)
    for image in images:
        if image not in taken:
            yield image, ImageShapes(image.name, str(image), remarks=(UNLABELLED,))


def _parse(path: str) -> ImageShapes:
    return parse_supervisely(read_annotation(Path(path), _MOST), path, Path(path).stem)


def _classes(file: Path, complain: Complain) -> tuple[str, ...]:
    """The classes of a project."""
    try:
        return classes_of_project(read_annotation(file, _MOST), str(file))
    except DataError as error:
        complain(error)
        return ()


def _opens(root: Path, split: str, complain: Complain) -> Source:
    return ShapesSource(SUPERVISELY_TOOL.collect(root, split, complain), complain)


SUPERVISELY = Format(
    "Supervisely",
    "meta.json, and for each dataset <dataset>/img/ and <dataset>/ann/ with a JSON for each image",
    Boxes,
    is_at=lambda root: next(_datasets(root), None) is not None,
    splits_at=lambda root: tuple(SUPERVISELY_TOOL.splits(root)),
    opens=_opens,
)
