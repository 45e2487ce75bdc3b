"""Pascal VOC as it is, for detection: one year, or a devkit that holds several."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data.detection import BoxesSource, Truth, distinct
from cvtasks.data.folders import PICTURES
from cvtasks.data.inside import no_name
from cvtasks.data.source import check_split, present, split_among
from cvtasks.data.voc_names import classes_of, names_in, unknown
from cvtasks.errors import Complain, CVTasksError, DataError, strictly
from cvtasks.formats.reading import read_annotation, read_text
from cvtasks.formats.voc import parse_voc


class VOCDetection(BoxesSource):
    """Pictures of `ImageSets/Main/<split>.txt` and the objects of their XML files, difficult ones marked.

    Without such lists a year is one split, of all its pictures and XML files; it has no name, or that of its year.

    The root is one year (`VOCdevkit/VOC2012`, split `trainval`), or a devkit that holds several (`VOCdevkit`, with `VOC2007`
    and `VOC2012`). Then a split begins with its year, and several are added: `2007-test`, `2007-trainval+2012-trainval`, for
    short `2007+2012-trainval`: a year alone takes the split of the next one.

    A list's first column counts, so `cat_train` is a list like any other. A picture belongs to the XML file of its own
    name, whatever `<filename>` says, and may be of any kind. The classes are those of a file `classes.txt` at the root, one name
    a line; without it, the challenge's twenty or the names in the XML files of the training list
    (`cvtasks.data.voc_names.classes_of`). An object of another name is a fault, one for each name.
    """

    format = "Pascal VOC detection"
    layout = "JPEGImages/, Annotations/ and perhaps ImageSets/Main/<split>.txt, or a folder of such years"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the devkit's folders for detection lie at `root`, or below it in folders of years."""
        return _is_year(root) or bool(_years(root))

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The names of the lists, those of a devkit with their years."""
        return tuple(_splits(root))

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        splits = _splits(root)
        self.pictures, self._annotations = [], []
        self._listed = {one.folder for one in splits.values() if one.listed}
        parts = [check_split(part, splits, root) for part in ([split] if _is_year(root) else split_parts(split))]
        self.split = "+".join(parts)
        for part in parts:
            folder, stored, annotations = splits[part].folder, _stored(splits[part].folder), splits[part].annotations()
            self.pictures += [stored.get(path.stem, folder / "JPEGImages" / f"{path.stem}.jpg") for path in annotations]
            self._annotations += annotations
        files = {"picture": self.pictures, "annotation": self._annotations}
        kept = present(f'"{split}" of {str(root)!r}', files, complain)
        self.pictures, self._annotations = ([paths[index] for index in kept] for paths in files.values())
        self.names = distinct(self.pictures, root)
        learned = _learned(splits, parts)
        words = " and ".join(f'"{name}"' for name in learned if name) or "the data"
        names = names_in(path for name in learned for path in splits[name].annotations())
        self.classes, self.taken_for = classes_of(
            {root, *(one.folder for one in splits.values())}, names, f"the XML of {words}"
        )
        for error in unknown(names_in(self._annotations), self.classes):
            complain(error)

    def orphans(self) -> Iterator[DataError]:
        """Annotations without a picture, and pictures without an annotation, whether listed or not."""
        for folder in self._listed:  # elsewhere everything is in the split, and what lacks the other is a fault
            pictures = set(_stored(folder))
            annotations = {file.stem for file in (folder / "Annotations").glob("*.xml")}
            for what, other, lonely in (
                ("annotation", "picture", annotations - pictures),
                ("picture", "annotation", pictures - annotations),
            ):
                for name in sorted(lonely):
                    text = f"{what} {name!r} of {str(folder)!r} has no {other} of its name. Add it, or remove it."
                    yield DataError(text, f"{what} without {other}")

    def _read(self, index: int, size: tuple[int, int], complain: Complain) -> Truth:
        def unless_named(error: CVTasksError) -> None:  # of unknown names it was said once each, with their counts
            if error.rule != "class unknown":
                complain(error)

        path = self._annotations[index]
        return parse_voc(read_annotation(path), self.classes, size, str(path), unless_named)


def _stored(folder: Path) -> dict[str, Path]:
    """Stem → file of each picture of a year."""
    return {file.stem: file for file in sorted((folder / "JPEGImages").iterdir()) if file.suffix.lower() in PICTURES}


def _is_year(root: Path) -> bool:
    annotations = root / "Annotations"
    if not annotations.is_dir() or not (root / "JPEGImages").is_dir():
        return False
    return (root / "ImageSets" / "Main").is_dir() or next(annotations.glob("*.xml"), None) is not None


@dataclass(frozen=True)
class _Split:
    """A list of a year (empty for the root itself), or all of a year that has none."""

    year: str
    folder: Path
    listed: Path | None

    def annotations(self) -> list[Path]:
        """The XML files, whether they are there or not."""
        names = _names(self.listed) if self.listed else _all_names(self.folder)
        return [self.folder / "Annotations" / f"{name}.xml" for name in names]


def _splits(root: Path) -> dict[str, _Split]:
    """The splits of all years by their names."""
    found: dict[str, _Split] = {}
    for year, folder in {"": root}.items() if _is_year(root) else _years(root).items():
        lists = sorted((folder / "ImageSets" / "Main").glob("*.txt"))
        found |= {f"{year}-{file.stem}" if year else file.stem: _Split(year, folder, file) for file in lists}
        found |= {} if lists else {year: _Split(year, folder, None)}
    return found


def _learned(splits: dict[str, _Split], parts: list[str]) -> list[str]:
    """The splits whose annotations say which classes there are, one of each year: what is there to learn from, whichever part
    is opened, so that the classes to validate and to test are the same."""
    learned = []
    for year in dict.fromkeys(one.year for one in splits.values()):
        own = [part for part in parts if splits[part].year == year]
        usual = [f"{year}-{name}" if year else name for name in ("train", "trainval")]
        wanted = [*(part for part in own if "trainval" in part), *usual]
        learned += [found for one in wanted if (found := split_among(one, splits))][:1] or own
    return list(dict.fromkeys(learned))


def _all_names(folder: Path) -> list[str]:
    """The stems of all pictures and XML files of a year."""
    return sorted({*_stored(folder), *(file.stem for file in (folder / "Annotations").glob("*.xml"))})


def _years(root: Path) -> dict[str, Path]:
    """Year → its folder; the year is the folder's name without "VOC"."""
    return {child.name.removeprefix("VOC"): child for child in sorted(root.glob("VOC?*")) if _is_year(child)}


def split_parts(split: str) -> list[str]:
    """`2007+2012-test` → ["2007-test", "2012-test"]."""
    parts: list[str] = []
    for part in reversed(split.split("+")):
        borrowed = "" if "-" in part or not parts else "".join(parts[0].partition("-")[1:])
        parts.insert(0, part + borrowed)
    return parts


def _names(path: Path) -> list[str]:
    """The first column of a list."""
    names = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    outside = [name for name in names if Path(name).name != name or name == ".." or no_name(f"{name}.jpeg")]
    if outside:
        raise DataError(f"a line of {str(path)!r} must be the bare name of a picture; got {outside[0][:300]!r}.")
    return names
