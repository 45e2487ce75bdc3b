"""Pascal VOC as it is, one year or a devkit that holds several (Everingham et al., "The Pascal
Visual Object Classes Challenge", 2010).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cvtasks.answers import Boxes, Mask
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import MaskSource, distinct
from cvtasks.data.formats.bases.coding import coding_of_names
from cvtasks.data.formats.bases.held import palettes_differ
from cvtasks.data.formats.bases.legends import classes_and_coding, coding_beside_names, names_at
from cvtasks.data.formats.listing import files_in
from cvtasks.data.formats.voc_files import VOCFiles
from cvtasks.data.formats.voc_lists import Stored, by_stem, image_folders, names_of
from cvtasks.data.formats.voc_names import VOC_CLASSES, classes_of, names_in, unknown
from cvtasks.data.source import check_split, present, split_among, split_parts
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.recipe.data_table import VOID, Value
from cvtasks.text import counted


class VOCDetection(VOCFiles):
    """Images of `ImageSets/Main/<split>.txt` and the objects of their XML files, difficult ones
    marked.

    Without such lists a year is one split, of all its images and XML files; it has no name, or that
    of its year.

    The root is one year (`VOCdevkit/VOC2012`, split `trainval`), or a devkit that holds several
    (`VOCdevkit`, with `VOC2007` and `VOC2012`). Then a split begins with its year, and several are
    added: `2007-test`, `2007-trainval+2012-trainval`, for short `2007+2012-trainval`: a year alone
    takes the split of the next one.

    Of a class's list the first column counts, so `cat_train` is a list like any other (`names_of`
    of `cvtasks.data.formats.voc_lists`). An image belongs to the XML file of its own name and may
    be of any kind; an XML file that names another image that is there is a fault. The classes are
    those of a file `classes.txt` at the root, one name a line; without it, the challenge's twenty
    or the names in the XML files of the training list
    (`cvtasks.data.formats.voc_names.classes_of`). An object of another name is a fault, one for
    each name.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        splits = _splits(root)
        images: list[Path] = []
        annotations: list[Path] = []
        beside: list[Stored] = []
        self._listed = {one.folder for one in splits.values() if one.listed}
        parts = [
            check_split(part, splits, root)
            for part in ([split] if _is_year(root) else split_parts(split))
        ]
        self.split = "+".join(parts)
        for part in parts:
            stored = splits[part].stored
            for name in splits[part].names():
                annotation = stored.annotation(name)
                image = stored.image(name, annotation, complain)
                if image is not None:
                    images.append(image)
                    annotations.append(annotation)
                    beside.append(stored)
        files = {"image": images, "annotation": annotations}
        kept = present(f'"{split}" of {str(root)!r}', files, complain)
        self.images, annotations = ([paths[index] for index in kept] for paths in files.values())
        self._annotations, self._beside = annotations, [beside[index] for index in kept]
        self.names = distinct(self.images, root)
        learned = _learned(splits, parts)
        words = " and ".join(f'"{name}"' for name in learned if name) or "the data"
        names = names_in(path for name in learned for path in splits[name].annotations())
        self.classes, self.taken_for = classes_of(
            {root, *(one.folder for one in splits.values())},
            names,
            f"the XML of {words}",
            own=bool(self._listed),
        )
        for error in unknown(names_in(annotations), self.classes):
            complain(error)

    def orphans(self) -> Iterator[DataError]:
        """Annotations without an image, and images without an annotation, whether listed or not."""
        for folder in (
            self._listed
        ):  # elsewhere everything is in the split, and what lacks the other is a fault
            stored = Stored(folder)
            images, annotations = set(stored.images), set(stored.annotations)
            for what, other, lonely in (
                ("annotation", "image", annotations - images),
                ("image", "annotation", images - annotations),
            ):
                for name in sorted(lonely):
                    text = (
                        f"{what} {name!r} of {str(folder)!r} has no {other} of its name. Add it, "
                        "or remove it."
                    )
                    yield DataError(text, f"{what} without {other}")


def _is_detection(root: Path) -> bool:
    """Whether the devkit's folders for detection lie at `root`, or below it in folders of years."""
    return _is_year(root) or bool(_years(root))


def _is_year(root: Path) -> bool:
    annotations = root / "Annotations"
    if not annotations.is_dir() or not (root / "JPEGImages").is_dir():
        return False
    return (root / "ImageSets" / "Main").is_dir() or bool(files_in(annotations, ".xml"))


@dataclass(frozen=True)
class _Split:
    """A list of a year (empty for the root itself), or all of a year that has none."""

    year: str
    stored: Stored
    listed: Path | None

    @property
    def folder(self) -> Path:
        """That of the year."""
        return self.stored.year

    def names(self) -> list[str]:
        """The names of its images, and of annotations that have none."""
        stems = {*self.stored.images, *self.stored.annotations}
        return names_of(self.listed, stems | self.stored.names) if self.listed else sorted(stems)

    def annotations(self) -> list[Path]:
        """The XML files, whether they are there or not."""
        return [self.stored.annotation(name) for name in self.names()]


def _splits(root: Path) -> dict[str, _Split]:
    """The splits of all years by their names."""
    found: dict[str, _Split] = {}
    for year, folder in {"": root}.items() if _is_year(root) else _years(root).items():
        stored, lists = Stored(folder), files_in(folder / "ImageSets" / "Main", ".txt")
        found |= {
            f"{year}-{file.stem}" if year else file.stem: _Split(year, stored, file)
            for file in lists
        }
        found |= {} if lists else {year: _Split(year, stored, None)}
    return found


def _learned(splits: dict[str, _Split], parts: list[str]) -> list[str]:
    """The splits whose annotations say which classes there are, one of each year: what is there to
    learn from, whichever part is opened, so that the classes to validate and to test are the same.
    """
    learned = []
    for year in dict.fromkeys(one.year for one in splits.values()):
        own = [part for part in parts if splits[part].year == year]
        usual = [f"{year}-{name}" if year else name for name in ("train", "trainval")]
        wanted = [*(part for part in own if "trainval" in part), *usual]
        learned += [found for one in wanted if (found := split_among(one, splits))][:1] or own
    return list(dict.fromkeys(learned))


def _years(root: Path) -> dict[str, Path]:
    """Year → its folder; the year is the folder's name without "VOC"."""
    return {
        child.name.removeprefix("VOC"): child
        for child in sorted(root.glob("VOC?*"))
        if _is_year(child)
    }


VOC_DETECTION = Format(
    "Pascal VOC detection",
    "JPEGImages/, Annotations/ and perhaps ImageSets/Main/<split>.txt, or a folder of such years",
    Boxes,
    is_at=_is_detection,
    splits_at=lambda root: tuple(_splits(root)),
    opens=VOCDetection,
)


_VOCS_OWN = re.compile(r"\d{4}_\d{6}")  # 2007_000032
_ASSUMED = (
    "nothing names the classes, so they are Pascal VOC's 21; a classes.txt, one name a line, names "
    "others"
)


class VOCSegmentation(MaskSource):
    """Images and masks of `ImageSets/Segmentation/<split>.txt`; without such lists, all of them are
    one split without a name. Where there is no JPEGImages, the one folder is meant that holds
    images of the names of the masks.

    An image's mask is the devkit's own in `SegmentationClass`, and where that has none the one in
    `SegmentationClassAug` (the SBD masks of Hariharan et al. 2011, as most people keep them). The
    classes are those of a file `classes.txt` at the root, or of LabelMe's `class_names.txt` and the
    like, one name a line, with or without "background" first. Where a legend lies there, such as
    the labelmap.txt of CVAT's segmentation masks, masks hold its colours. Without names they are
    the challenge's where images are called as its own are or lists lie in `ImageSets/`, and what
    masks hold says them elsewhere (`cvtasks.data.formats.bases.coding`).
    """

    classes: tuple[str, ...] = VOC_CLASSES

    def __init__(
        self,
        root: Path,
        split: str,
        complain: Complain = strictly,
        values: Mapping[str, Value] | None = None,
        void: Value = VOID,
    ) -> None:
        self.split = split = check_split(split, _segmentation_splits(root), root)
        images = next(iter(image_folders(root)), root / "JPEGImages")
        stored, augmented = Stored(root, images), root / "SegmentationClassAug"
        official = by_stem(root / "SegmentationClass", ".png")
        masks = by_stem(augmented, ".png") | official
        _refuse_jpeg(root / "SegmentationClass", masks)
        lacking = augmented if augmented.is_dir() else root / "SegmentationClass"
        path = _lists(root)[split] if split else root
        names = (
            names_of(path, {*stored.images, *stored.names, *masks})
            if split
            else sorted({*official, *stored.images})
        )
        pairs = []
        for name in names:
            image, stem = stored.image(name, None, complain), stored.stem(name)
            if image is not None:
                pairs.append((image, masks.get(stem, lacking / f"{stem}.png")))
        files = list(masks.values())
        named, said = names_at(root)
        if named:
            self.classes = named if Mask.ground(named) else (VOC_CLASSES[0], *named)
        own = all(_VOCS_OWN.fullmatch(image.stem) for image, _ in pairs)
        if named or own or (split and images.name == "JPEGImages"):
            coding = coding_beside_names(root, self.classes, files, values or {}, void)
            if coding is None and not own and palettes_differ(files):
                coding = coding_of_names(self.classes, files, void)
            said = said if named or own else _ASSUMED
            self.classes = coding.classes if coding else self.classes
        else:
            self.classes, coding = classes_and_coding(root, files, values or {}, void)
        self._list(f"{str(path)!r}", pairs, complain, masks.values(), coding)
        self.taken_for = self.taken_for or ("" if coding else said)


def _refuse_jpeg(folder: Path, masks: Mapping[str, Path]) -> None:
    """Raise DataError where all masks are JPEG files."""
    found = [] if masks else [*files_in(folder, ".jpg"), *files_in(folder, ".jpeg")]
    if found:
        raise DataError(
            f"masks in {folder.name!r} are PNG files of the numbers of classes; {str(folder)!r} "
            f"has {counted(len(found), 'JPEG file')}, such as {found[0].name!r}, and no PNG. Save "
            "them as PNG, from the program in which they were drawn; or, if they are black and "
            "white, call the folders 'images' and 'masks'.",
            "mask smeared",
        )


def _lists(root: Path) -> dict[str, Path]:
    """Split → its list."""
    return {file.stem: file for file in files_in(root / "ImageSets" / "Segmentation", ".txt")}


def _is_segmentation(root: Path) -> bool:
    """Whether the devkit's folders for segmentation lie at `root`."""
    lists, masks = root / "ImageSets" / "Segmentation", root / "SegmentationClass"
    return (root / "JPEGImages").is_dir() and (lists.is_dir() or masks.is_dir())


def has_images_elsewhere(root: Path) -> bool:
    """Whether masks lie in the devkit's folder, and images of their names in one other folder."""
    return not (root / "JPEGImages").is_dir() and len(image_folders(root)) == 1


def _segmentation_splits(root: Path) -> tuple[str, ...]:
    return tuple(_lists(root)) or ("",)


VOC_SEGMENTATION = Format(
    "Pascal VOC segmentation",
    "JPEGImages/ (or one other folder of images), SegmentationClass/ and perhaps "
    "ImageSets/Segmentation/<split>.txt",
    Mask,
    is_at=_is_segmentation,
    perhaps_at=has_images_elsewhere,
    splits_at=_segmentation_splits,
    opens=VOCSegmentation,
    heeds=("values", "void"),
)
