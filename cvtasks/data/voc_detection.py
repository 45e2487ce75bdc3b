"""Pascal VOC as it is, for detection: one year, or a devkit that holds several."""

from collections.abc import Iterator
from pathlib import Path

from cvtasks.data.detection import BoxesSource, Truth, distinct
from cvtasks.data.folders import PICTURES
from cvtasks.data.inside import no_name
from cvtasks.data.labels import class_names
from cvtasks.data.source import check_split, present
from cvtasks.data.voc import VOC_CLASSES
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import read_annotation, read_text
from cvtasks.formats.voc import parse_voc


class VOCDetection(BoxesSource):
    """Pictures of `ImageSets/Main/<split>.txt` and the objects of their XML files, difficult ones marked.

    The root is one year (`VOCdevkit/VOC2012`, split `trainval`), or a devkit that holds several (`VOCdevkit`, with `VOC2007`
    and `VOC2012`). Then a split begins with its year, and several are added: `2007-test`, `2007-trainval+2012-trainval`, for
    short `2007+2012-trainval`: a year alone takes the split of the next one.

    A list's first column counts, so `cat_train` is a list like any other. A picture belongs to the XML file of its own
    name, whatever `<filename>` says, and may be of any kind. The classes are the challenge's twenty, or those of a file
    `classes.txt` at the root, one name a line.
    """

    format = "Pascal VOC detection"
    layout = "JPEGImages/, Annotations/ and ImageSets/Main/<split>.txt, or a folder of such years"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the devkit's folders for detection lie at `root`, or below it in folders of years."""
        return _is_year(root) or bool(_years(root))

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        years = {"": root} if _is_year(root) else _years(root)
        lists = {
            f"{year}-{file.stem}" if year else file.stem: file
            for year, folder in years.items()
            for file in sorted((folder / "ImageSets" / "Main").glob("*.txt"))
        }
        self.pictures, self._annotations, self._folders = [], [], set(years.values())
        for part in [split] if "" in years else _parts(split):
            check_split(part, lists, root)
            folder, names = lists[part].parents[2], _names(lists[part])
            stored = _stored(folder)
            self.pictures += [stored.get(name, folder / "JPEGImages" / f"{name}.jpg") for name in names]
            self._annotations += [folder / "Annotations" / f"{name}.xml" for name in names]
        files = {"picture": self.pictures, "annotation": self._annotations}
        kept = present(f'"{split}" of {str(root)!r}', files, complain)
        self.pictures, self._annotations = ([paths[index] for index in kept] for paths in files.values())
        self.names = distinct(self.pictures, root)
        self.classes = _classes(root)

    def orphans(self) -> Iterator[DataError]:
        """Annotations without a picture, and pictures without an annotation, whether listed or not."""
        for folder in self._folders:
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
        path = self._annotations[index]
        return parse_voc(read_annotation(path), self.classes, size, str(path), complain)


def _stored(folder: Path) -> dict[str, Path]:
    """Stem → file of each picture of a year."""
    return {file.stem: file for file in sorted((folder / "JPEGImages").iterdir()) if file.suffix.lower() in PICTURES}


def _is_year(root: Path) -> bool:
    return all((root / name).is_dir() for name in ("ImageSets/Main", "Annotations", "JPEGImages"))


def _years(root: Path) -> dict[str, Path]:
    """Year → its folder; the year is the folder's name without "VOC"."""
    return {child.name.removeprefix("VOC"): child for child in sorted(root.glob("VOC*")) if _is_year(child)}


def _parts(split: str) -> list[str]:
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


def _classes(root: Path) -> tuple[str, ...]:
    """The names of `classes.txt`, or the challenge's twenty."""
    path = root / "classes.txt"
    if not path.is_file():
        return VOC_CLASSES[1:]
    return class_names(path)
