"""Where YOLO's images and labels lie: which text belongs to which image, and what a YAML or a list
names.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from cvtasks.data.formats.listing import IMAGES, folders_below, images_in, names_in
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import EMPTY, split_among
from cvtasks.errors import DataError
from cvtasks.formats.reading import read_text
from cvtasks.media.safe_paths import Ends, no_name, of_windows, parts_of

_LABELS = {"labels", "label", "annotations", "annotation", "anns", "ann"}
_ROLES = {"images", "image", "imgs", "img", "jpegimages", "photos", *_LABELS}
"""Words in the names of folders that say what lies in them."""
_SEPARATORS = re.compile(r"[-_ ]+")


def plain_path(path: Path) -> Path:
    """The absolute path without `..`; links are left as they are,
    for images often lie behind one.
    """
    return Path(os.path.normpath(path.absolute()))


def holds_labels(parts: Iterable[str]) -> bool:
    """Whether a folder of such a path is called after labels."""
    return any(not _LABELS.isdisjoint(_words(part)) for part in parts)


def scope(parts: Iterable[str]) -> tuple[str, ...]:
    """What a path says beside that images or labels lie there: folders with the same belong
    together.

    >>> [scope(parts) for parts in (["images", "train"], ["Train_Labels"], ["labels"])]
    [('train',), ('train',), ()]
    """
    return tuple(rest.casefold() for rest in map(_rest, parts) if rest)


def split_of(parts: Iterable[str]) -> str:
    """The split that a path speaks of first, as it is written there; empty where there is none.

    >>> split_of(["images", "Train"]), split_of(["valid_images"]), split_of(["images", "cam2"])
    ('Train', 'valid', '')
    """
    return next((rest for rest in map(_rest, parts) if is_split(rest)), "")


def known_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """The root, the folders below it that are called like a split or after what lies in them, and
    all that lie in those of the second kind; each with the names of its files.
    """

    def enters(folder: Path) -> bool:
        parts = folder.relative_to(root).parts
        return any(_rest(part) != part for part in parts) or is_split(parts[-1])

    return folders_below(root, enters)


def _words(name: str) -> list[str]:
    return _SEPARATORS.split(name.lower())


def _rest(name: str) -> str:
    """The name of a folder without the words that say what lies in it."""
    if name.lower() == "data":
        return ""
    if _ROLES.isdisjoint(_words(name)):
        return _composed(name)
    words = _SEPARATORS.split(_composed(name))
    return "_".join(word for word in words if word.lower() not in _ROLES)


class LabelFiles:
    """The texts that belong to the images below a folder.

    They lie where YOLO's tools look for them, in `…/labels/a` for images in `…/images/a`; or else
    in a folder of labels that is called alike (`Labels`, `train_labels` for `train_images`,
    `train/labels` for `train`), or beside the images, or in the folder of labels of all splits
    where images of other folders have other names. The first of these that has a text of an image
    is taken for all images of a folder; what others hold is for `refuse_rivals`. A text has its
    image's name, be it written with combined letters or with accents of their own (NFC, NFD).
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folders: dict[Path, Path] = {}
        self._further: dict[Path, dict[Path, set[str]]] = {}
        self._texts: dict[Path, dict[str, Path]] = {}

    def of(self, image: Path) -> Path:
        """The text of an image; where there is none, the one that it would have."""
        return self.found(image) or self.folder(image.parent) / f"{image.stem}.txt"

    def found(self, image: Path) -> Path | None:
        """The text of an image, if it has one."""
        texts = self._texts_in(self.folder(image.parent))
        return texts.get(image.stem) or texts.get(_composed(image.stem))

    def folder(self, images: Path) -> Path:
        """The folder of the texts of the images in a folder."""
        if images not in self._folders:
            self._folders[images] = self._found(images)
        return self._folders[images]

    def others(self, image: Path) -> Iterator[Path]:
        """Texts in further folders where that of an image might lie; none that has an image beside
        it which is another.
        """
        home = image.parent
        stem, chosen = _composed(image.stem), self.folder(home)
        if home not in self._further:
            stems = _stems(_names_in(home))
            places = dict.fromkeys(self._candidates(home, stems))
            self._further[home] = {
                one: set() if one == home else _stems(_names_in(one))
                for one in places
                if one != chosen and not stems.isdisjoint(self._texts_in(one))
            }
        for folder, own in self._further[home].items():
            text = self._texts_in(folder).get(stem)
            if text and stem not in own:
                yield text

    def _found(self, images: Path) -> Path:
        stems = _stems(_names_in(images))
        for folder in self._candidates(images, stems):
            if not stems.isdisjoint(self._texts_in(folder)):
                return folder
        usual = self._usual(images)
        if usual is None or not usual.is_dir():
            return next(iter(self._of_labels(images)), usual or images)
        return usual

    def _candidates(self, images: Path, stems: set[str]) -> Iterator[Path]:
        """Where the texts of the images in a folder may lie, the likeliest place first."""
        if usual := self._usual(images):
            yield usual
        alike = self._alike.get(scope(images.relative_to(self._home).parts), [])
        yield from (*self._of_labels(images), images, *alike)
        if shared := self._of_all(images, stems):
            yield shared

    def _usual(self, images: Path) -> Path | None:
        """Where YOLO's tools look for the texts of the images in a folder."""
        parts = images.relative_to(self._home).parts
        if "images" not in parts:
            return None
        last = len(parts) - 1 - parts[::-1].index("images")
        return self._home.joinpath(*parts[:last], "labels", *parts[last + 1 :])

    def _of_labels(self, images: Path) -> list[Path]:
        """The folders of labels that are called like a folder of images."""
        alike = self._alike.get(scope(images.relative_to(self._home).parts), [])
        return [one for one in alike if holds_labels(one.relative_to(self._home).parts)]

    def _of_all(self, images: Path, stems: set[str]) -> Path | None:
        """The folder of labels for all splits, if it has texts of these images, and other folders
        have no image of the same names.
        """
        for folder in self._alike.get((), []):
            own = stems & self._texts_in(folder).keys()
            if own and holds_labels(folder.relative_to(self._home).parts):
                others = (_stems(names) for one, names in self._known if one != images)
                return folder if all(own.isdisjoint(other) for other in others) else None
        return None

    def homes_of(self, labels: Path) -> list[Path]:
        """The known folders of images whose texts lie in a folder."""
        return [
            folder
            for folder, names in self._known
            if _stems(names) and self.folder(folder) == labels
        ]

    @cached_property
    def _known(self) -> list[tuple[Path, list[str]]]:
        return list(known_folders(self._home))

    @cached_property
    def _alike(self) -> dict[tuple[str, ...], list[Path]]:
        """What paths say (`scope`) → the folders with texts of which they say it."""
        found: dict[tuple[str, ...], list[Path]] = {}
        for folder, names in self._known:
            if any(name.lower().endswith(".txt") for name in names):
                found.setdefault(scope(folder.relative_to(self._home).parts), []).append(folder)
        return found

    def _texts_in(self, folder: Path) -> dict[str, Path]:
        """Name without its ending, as it is and composed → the text of it in a folder."""
        if folder not in self._texts:
            texts = [name for name in _names_in(folder) if name[-4:].lower() == ".txt"]
            texts.sort(key=lambda name: (not name.endswith(".txt"), name))  # .TXT, as of Windows
            found: dict[str, Path] = {}
            for name in texts:
                found.setdefault(name[:-4], folder / name)
            for name in texts:
                if not name.isascii():
                    found.setdefault(_composed(name[:-4]), folder / name)
            self._texts[folder] = found
        return self._texts[folder]


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _stems(names: Iterable[str]) -> set[str]:
    """The names of images among these, composed and without their endings."""
    parts = (name.rpartition(".") for name in names)
    return {_composed(stem) for stem, _, ending in parts if f".{ending.lower()}" in IMAGES}


def _names_in(folder: Path) -> list[str]:
    """The names in a folder; none where it is none, or cannot be listed."""
    try:
        return names_in(folder)
    except OSError:
        return []


class YoloPlaces:
    """The folders and lists that a YAML names, below its home; counts the paths of another machine
    that were `followed`.

    Args:
        named: all that it names for its splits.
        elsewhere: whether a path to nowhere may be one of another machine too.
    """

    def __init__(
        self, home: Path, yaml: Path, named: Iterable[str] = (), elsewhere: bool = False
    ) -> None:
        self._home, self._yaml, self._ends, self.followed = home, yaml, Ends(home), 0
        self._named, self._elsewhere = tuple(named), elsewhere
        self._composed: dict[Path, dict[str, str]] = {}

    def images(self, place: str, split: str = "") -> list[Path]:
        """The images of a folder or a list.

        Raises:
            DataError: it is neither. The rule is that of an empty split where a split to test on is
                not there: exports without one name it all the same.
        """
        rule = EMPTY if split == "test" else ""
        source = self._below(place, self._home, self._yaml, rule)
        if source.is_dir():
            return images_in(source, deep=True)
        if source.suffix.lower() == ".txt" and source.is_file():
            lines = [line.strip() for line in read_text(source).splitlines() if line.strip()]
            return [
                self._below(line, source.parent if line.startswith("./") else self._home, source)
                for line in lines
            ]
        raise DataError(
            f"a split must be a folder or a list of images (.txt); {str(self._yaml)!r} names "
            f"{place!r}, which is neither. "
            "Put the images there, or correct or remove the line.",
            "" if source.exists() else rule,
        )

    def _below(self, name: str, base: Path, path: Path, rule: str = "") -> Path:
        """`name`, as seen from `base`, which must lie below home."""
        if no_name(name):
            raise DataError(
                f"a path must be one that a file can have; {str(path)!r} names {name[:300]!r}, of "
                f"{len(name)} characters."
            )
        own = self._own(name, base)
        inside = own.is_relative_to(self._home)
        if inside and own.exists():
            return own
        found = self._followed(name, base)
        if found is not None and found.is_dir() and self._is_anothers(name, found):
            found = None
        if found is None and inside and not of_windows(name):
            return own
        if found is None:
            raise DataError(
                f"everything must lie below {str(self._home)!r}; {str(path)!r} names {name!r}, and "
                "not just one file or folder there ends like it. Set `path` in the YAML, or "
                "correct the line.",
                rule,
            )
        self.followed += 1
        return found

    def _own(self, name: str, base: Path) -> Path:
        """The file of just that name, whether or not it is there; one there may be whose letters
        are composed otherwise.
        """
        found = plain_path(base / name)
        # Roboflow names its folders from one that is not there
        if not found.is_relative_to(self._home) and name.startswith("../"):
            found = plain_path(base / name.removeprefix("../"))
        if found.is_relative_to(self._home) and not found.exists() and not found.name.isascii():
            alike = self._composed_in(found.parent)
            return found.with_name(alike.get(_composed(found.name), found.name))
        return found

    def _composed_in(self, folder: Path) -> dict[str, str]:
        """Composed name → the name, of what lies in a folder."""
        if folder not in self._composed:
            self._composed[folder] = {_composed(name): name for name in _names_in(folder)[::-1]}
        return self._composed[folder]

    def _followed(self, name: str, base: Path) -> Path | None:
        """Where a path of another machine leads here, by its last parts; None if nowhere."""
        inside = self._own(name, base).is_relative_to(self._home)
        if not inside or of_windows(name) or self._elsewhere:
            file = self._ends.find(name)
            folder = None if file else self._of_split(name, self._ends.folder(name))
            found = file or folder
        else:
            found = self._of_split(name, self._without_first(name, base))
        return plain_path(found) if found else None

    def _without_first(self, name: str, base: Path) -> Path | None:
        """What the longest end of a path leads to whose first folder is not there."""
        parts = parts_of(name.removeprefix("../"))
        for home in dict.fromkeys((base, self._home)):
            if parts and not (home / parts[0]).exists():
                ends = (home.joinpath(*parts[start:]) for start in range(1, len(parts)))
                if found := next((end for end in ends if end.exists()), None):
                    return found
        return None

    def _of_split(self, name: str, found: Path | None) -> Path | None:
        """What was found for a path, or the folder in it that is called like the split in the path;
        None where it has folders for other splits alone.
        """
        told = split_of(reversed(parts_of(name.removeprefix("../"))))
        if found is None or not told or not found.is_dir():
            return found
        own = split_of(found.relative_to(self._home).parts)
        if own and split_among(told, [own]) is not None:
            return found
        splits = [one for one in _names_in(found) if is_split(one) and (found / one).is_dir()]
        inner = split_among(told, splits) if splits else ""
        return None if inner is None else found / inner

    def _is_anothers(self, name: str, found: Path) -> bool:
        """Whether another path that is named leads to the same folder, or to one around or in it:
        then the last parts do not tell them apart.
        """
        for other in self._named:
            own = self._own(other, self._home)
            there = own.is_relative_to(self._home) and own.exists()
            place = own if there else self._followed(other, self._home)
            if other == name or place is None:
                continue
            if place.is_relative_to(found) or found.is_relative_to(place):
                return True
        return False
