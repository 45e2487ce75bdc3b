"""Tools that keep the annotations of many images in one file: CVAT, Label Studio, tables …"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cvtasks.answers import Boxes
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.manifests import Manifest
from cvtasks.data.formats.bases.shapes import Collection, Settle, ShapesSource, classes_in
from cvtasks.data.formats.listing import bare, images_in
from cvtasks.data.formats.named_files import NamedFiles, apart
from cvtasks.data.formats.places import files_of, homes, in_no_split, is_split, split_in
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.data.source import Source, check_split
from cvtasks.errors import Complain, CVTasksError, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_annotation
from cvtasks.formats.shapes import ImageShapes, ToolFile
from cvtasks.media.file_types import SUFFIXES
from cvtasks.media.safe_paths import leads_out, of_windows, parts_of

UNNAMED = "images are in no annotation and count as empty"
"""A remark on images that a file would not name if they showed nothing."""
JOINED = "several files hold the annotations of one split and were read together"
"""A note, before the names of the files."""
WAITING = "images that nobody has labelled yet, or that were skipped, were left out"


def with_endings(name: str) -> list[str]:
    """The files that may be meant by a name without its ending."""
    return [f"{name}{ending}" for ending in SUFFIXES]


@dataclass(frozen=True)
class Tool:
    """How a tool's files are told and read.

    Attributes:
        endings: of its files. is_file: whether a file of such an ending is one of the tool's.
        parse: (content, name) → what it holds.
        parts: whether a file may say itself which split an image belongs to.
        names_all: whether it names images without objects too; else those beside it count as such.
        aliases: the name of an image in the file → other names that it may have on the disk.
        plain: a file's name → what of it counts where no file has the image's name.
        manifest: one of its files → where another one says that the images lie.
        most: bytes of a file.
    """

    endings: tuple[str, ...]
    is_file: Callable[[Path], bool]
    parse: Callable[[bytes, str], ToolFile]
    parts: bool = False
    names_all: bool = True
    aliases: Callable[[str], Sequence[str]] = lambda name: ()
    plain: Callable[[str], str] = bare
    manifest: Callable[[Path], Manifest] = lambda path: Manifest()
    most: int = 500 * MEGABYTE

    def files(self, root: Path) -> dict[str, list[Path]]:
        """Split → its files: each in the folder of its split, or with its name in the file's own;
        a single one has no name.
        """
        if root.is_file():
            known = root.suffix.lower() in self.endings and self.is_file(root)
            return {"": [root]} if known else {}
        if not root.is_dir():
            return {}
        found = [path for path in files_of(root, self.endings) if self.is_file(path)]
        named: dict[str, list[Path]] = {}
        for path in found:
            parts = path.relative_to(root).parts[:-1]
            split = next((part for part in parts if is_split(part)), "") or split_in(path.stem)
            if split or len(found) > 1:
                named.setdefault(split or path.stem, []).append(path)
        return named or ({"": found} if found else {})

    def splits(self, root: Path) -> tuple[str, ...]:
        """The names of the splits; one empty name where all is one."""
        files = self.files(root)
        return self._inner(files) or tuple(files)

    def tagged(self, root: Path) -> bool:
        """Whether an image has a tag."""
        return any(image.tags for file in self._every(self.files(root)) for image in file.images)

    def collect(
        self,
        root: Path,
        split: str,
        complain: Complain = strictly,
        settle: Settle = classes_in,
    ) -> Collection:
        """The images of a split, with what the tool holds of them.

        Args:
            settle: finds the classes.

        Raises:
            DataError: there is no such split, its file cannot be read, or it has no image.
        """
        files = self.files(root)
        inner = self._inner(files)
        split = check_split(split, inner or files, root)
        paths = files[next(iter(files)) if inner else split]
        path, content = paths[0], _together(paths, self, complain)
        own = [one for one in content.images if not inner or _split_of(one) == split]
        strays = (one for one in content.images if inner and not _split_of(one))
        entries = [one for one in own if not one.waiting]
        if own and not entries:
            raise DataError(
                f"images must be labelled to be learned from; of the {len(own)} of {str(path)!r} "
                "none is. Label them, and export them again.",
                "no labels",
            )
        every = list(self._every(files))
        listed = [name for file in every for name in file.classes]
        shown = (one for file in every for one in file.images)
        known = settle(root, listed, shown)
        top = root if root.is_dir() else _above(root)
        home = _home(path, top, split, entries, self)
        told = split or ("" if inner else split_in(path.stem))
        places = _Places(home, top, told, lambda: self._others(files, split, bool(inner)))
        found, kept, notes = _found(entries, path, places, self, complain)
        folders = {file.parent for file in found}
        home = folders.pop() if len(folders) == 1 else home  # names may lack folder and ending
        undone, places = [one for one in own if one.waiting], places._replace(home=home)
        waiting = _found(undone, path, places, self, _nothing)[0]
        notes = (
            (*notes, f"{WAITING}: {len(own) - len(entries)}") if len(own) > len(entries) else notes
        )
        notes = (*notes, *in_no_split([one.image for one in strays if not one.waiting]))
        if len(paths) > 1:
            notes = (*notes, f"{JOINED}: {', '.join(file.name for file in paths)}")
        inside = home.is_relative_to(top) and not inner
        rest = list(_unlisted(home, [*found, *waiting])) if inside else []
        if not self.names_all and (len(files) == 1 or home.name == split):
            found += rest
            kept += [ImageShapes(one.name, str(one), remarks=(UNNAMED,)) for one in rest]
            rest = []
        alone = home.name == split or len(files) == 1
        orphans = tuple(_orphan(one, path) for one in rest) if alone else ()
        collection = Collection(
            top, split, found, kept, known.classes, known.taken_for, notes, orphans
        )
        return collection.named(known.meant).kept(repr(str(path)), complain)

    def _every(self, files: Mapping[str, Sequence[Path]]) -> Iterator[ToolFile]:
        """What all files hold."""
        return (_parsed(path, self) for paths in files.values() for path in paths)

    def _others(self, files: Mapping[str, Sequence[Path]], split: str, inner: bool) -> list[str]:
        """The images of other splits; `inner` where the file itself tells these."""
        return [
            image.image
            for name, paths in files.items()
            for file in self._every({name: paths})
            for image in file.images
            if (_split_of(image) if inner else name) != split
        ]

    def _inner(self, files: Mapping[str, Sequence[Path]]) -> tuple[str, ...]:
        """The splits that the file itself names, where there is one alone: for each image, or by
        the folders of all images; none if it does not.
        """
        if len(files) != 1:
            return ()
        images = [image for file in self._every(files) for image in file.images]
        counts = Counter(map(_split_of, images))
        if self.parts and any(image.split for image in images):
            return tuple(sorted(filter(None, counts)))
        return tuple(sorted(counts)) if all(counts) and len(counts) > 1 else ()


def _split_of(image: ImageShapes) -> str:
    """The split that a file gives an image, or the folder called like one that it says it is in."""
    return image.split or next(filter(is_split, parts_of(image.image.strip())[:-1]), "")


def _together(paths: Sequence[Path], tool: Tool, complain: Complain) -> ToolFile:
    """What the files of a split hold; an image that several name has the objects of one of them.

    Args:
        complain: about what cannot be read, and an image that two files say different things of.
    """
    contents = {path: _parsed(path, tool) for path in paths}
    found: dict[str, tuple[Path, list[ImageShapes]]] = {}
    for path, content in contents.items():
        for fault in content.faults:
            complain(fault)
        own: dict[str, list[ImageShapes]] = {}
        for image in content.images:  # one that a file names again is told with the others
            own.setdefault(image.image, []).append(image)
        for name, entries in own.items():
            other, known = found.setdefault(name, (path, entries))
            if [*map(_said, known)] != [*map(_said, entries)]:
                text = (
                    f"an image has its annotations in one file; {str(other)!r} and {str(path)!r} "
                    f"say different things of {name[:200]!r}. Take it out of one, or take "
                    "the file away that does not count."
                )
                complain(DataError(text, "image in two files"))
    if len(contents) == 1:
        return next(iter(contents.values()))
    classes = dict.fromkeys(name for content in contents.values() for name in content.classes)
    images = chain.from_iterable(entries for _, entries in found.values())
    return ToolFile(tuple(images), tuple(classes))


def _said(image: ImageShapes) -> object:
    """What a file says of an image, to be compared."""
    shapes = [(one.name, one.edges, one.outline, one.painted) for one in image.shapes]
    return shapes, image.tags


@kept_while_unchanged(8)
def _parsed(path: Path, tool: Tool) -> ToolFile:
    """What a file of a tool holds."""
    return tool.parse(read_annotation(path, tool.most), str(path))


def tool_format(tool: Tool, name: str, layout: str, file: str) -> Format:
    """The format of a tool's files, for detection."""

    def opens(root: Path, split: str, complain: Complain) -> Source:
        return ShapesSource(tool.collect(root, split, complain), complain)

    return Format(
        name,
        layout,
        Boxes,
        is_at=lambda root: bool(tool.files(root)),
        splits_at=tool.splits,
        opens=opens,
        file=file,
    )


def _above(file: Path) -> Path:
    """The folder of a data set whose root is a file."""
    return file.parents[1] if file.parent.name == "annotations" else file.parent


def _home(
    path: Path,
    root: Path,
    split: str,
    entries: Sequence[ImageShapes],
    tool: Tool,
) -> Path:
    """The folder that the images of a file are named from: the first that has one of the first."""
    candidates = homes(path, root, split)
    first = [(entry.image, *tool.aliases(entry.image)) for entry in entries[:20]]
    for home in candidates:
        named = NamedFiles(home, home, split=split)
        for name in (name for names in first for name in names if name):
            if not leads_out(name) and (home / name).is_file():
                return home
            far = named.followed(name) if leads_out(name) or of_windows(name) else None
            if far is not None:
                return far.parent
    return candidates[-1] if candidates else root


class _Places(NamedTuple):
    """Where images of a split are looked for.

    Attributes:
        home: the folder that they are named from. root: the one below which they are.
        split: the one that they are of; empty where none is told. others: the images of others.
    """

    home: Path
    root: Path
    split: str
    others: Callable[[], Iterable[str]]


def _found(
    entries: Sequence[ImageShapes],
    path: Path,
    places: _Places,
    tool: Tool,
    complain: Complain,
) -> tuple[list[Path], list[ImageShapes], tuple[str, ...]]:
    """The files of the entries, those entries whose file is known, and notes."""
    said = tool.manifest(path)
    every = {
        entry.image: (*said.names(entry.image), *tool.aliases(entry.image)) for entry in entries
    }
    known = [name for image, others in every.items() for name in (image, *others) if name]
    named = NamedFiles(
        places.home,
        places.root,
        known,
        tool.plain,
        places.split,
        lambda: apart(every, places.others()),
    )
    files: list[Path] = []
    kept: list[ImageShapes] = []
    blank: dict[tuple[Path, str], int] = {}
    for entry in entries:
        file = said.find(entry.image) or named.find(entry.image, every[entry.image])
        if said.names(entry.image) and (file is None or not file.is_file()):
            complain(said.missing(entry.image, places.root))
            continue
        if file is None:
            complain(_missing(entry.image, every[entry.image], path, places.root))
            continue
        at = blank.setdefault((file, entry.image.strip()), len(kept))
        if at < len(kept) and kept[at].image != entry.image:
            kept[at] = _joined(kept[at], entry)
            continue
        files.append(file)
        kept.append(entry)
    return files, kept, named.notes


def _joined(one: ImageShapes, other: ImageShapes) -> ImageShapes:
    """What a file says of one image whose names differ in the blanks around them alone."""
    return replace(
        one,
        size=one.size or other.size,
        shapes=(*one.shapes, *other.shapes),
        tags=tuple(dict.fromkeys((*one.tags, *other.tags))),
        faults=(*one.faults, *other.faults),
        remarks=(*one.remarks, *other.remarks),
    )


def _nothing(error: CVTasksError) -> None:
    """Images that are left out may be missing."""


def _missing(image: str, others: Sequence[str], path: Path, root: Path) -> DataError:
    """The error for an image that no file, or more than one, may be."""
    looked = dict.fromkeys(re.split(r"[\\/]+", name)[-1] for name in others or (image,))
    called = " or ".join(repr(name[:120]) for name in looked)
    return DataError(
        "an image must be named by its path below the data set's folder; "
        f"{str(path)!r} has {image[:300]!r}, and not just one file below {str(root)!r} is called "
        f"{called}, nor much like it; folders of other splits do not count. Put the image there, "
        "or correct the name.",
        "image missing",
    )


def _unlisted(home: Path, listed: Sequence[Path]) -> Iterator[Path]:
    """The images in a folder that are not among those that are listed."""
    known = {path.resolve() for path in listed}
    if home.is_dir():
        yield from (path for path in images_in(home) if path.resolve() not in known)


def _orphan(image: Path, path: Path) -> DataError:
    return DataError(
        f"image {str(image)!r} is not among the images of {str(path)!r}. List it, or remove it.",
        "image without annotation",
    )
