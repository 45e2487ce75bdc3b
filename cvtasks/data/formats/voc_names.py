"""Which classes a Pascal VOC data set has: as its `classes.txt` says, or as can be concluded from
its annotations.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from cvtasks.data.formats.bases.names import class_names, no_object, plain, spelt
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.drawing.colours import VOC_NAMES
from cvtasks.errors import DataError, did_you_mean
from cvtasks.formats.reading import read_annotation
from cvtasks.formats.xml_reading import parsed_xml, tag_of, text_of
from cvtasks.text import composed, counted

VOC_CLASSES = VOC_NAMES
"""Names of the ids 0 to 20 of `SegmentationClass`."""


Names = dict[str, list[Path]]
"""Name → the file of each object that has it."""

_TWENTY = VOC_CLASSES[1:]
_RARE = 0.01  # of all objects
_STRAY = 10  # objects of the twenty's names among which a name that one single object has is rare
_LIKE, _FEWER = (
    0.8,
    3,
)  # how alike a misspelling is to what was meant (`difflib`'s ratio), and how many times as rare


def names_in(annotations: Iterable[Path]) -> Names:
    """The names of all objects in these XML files. A file that cannot be read has none here: it is
    a fault where it is read.
    """
    found: Names = {}
    for path in annotations:
        try:
            names = _names_of(path)
        except (OSError, ValueError):
            continue
        for name in names:
            found.setdefault(name, []).append(path)
    return found


def broken_among(annotations: Iterable[Path]) -> Iterator[DataError]:
    """Why XML files cannot be read, an error for each that cannot."""
    for path in annotations:
        try:
            parsed_xml(read_annotation(path), str(path))
        except DataError as error:
            yield error


def classes_of(
    roots: Collection[Path],
    learned: Names,
    where: str,
    *,
    own: bool,
    broken: Iterable[DataError] = (),
) -> tuple[tuple[str, ...], str]:
    """The classes of a data set, and what was concluded about them, in a sentence; empty where
    nothing was.

    1. The lines of a file `classes.txt` in one of the `roots`.
    2. Else, if all frequent names of the objects to learn from are among the challenge's twenty,
       and more objects have these than have others: those twenty, in their order, where the folders
       are the challenge's own, else those of them that objects have. A name is frequent unless
       fewer than one object in a hundred has it, or one alone beside ten or more of the twenty, or
       it looks like a misspelling of one of the twenty that at least three times as many have.
    3. Else the names of the objects to learn from, sorted. Of names that differ in case, spaces,
       `-` and `_` alone, only the most frequent is a class, and an empty one is none.

    Args:
        learned: the names in the annotations to learn from.
        where: these, in words.
        own: whether the folders are the challenge's own, with its lists.
        broken: why annotations cannot be read; asked where nothing else tells a class.

    Raises:
        DataError: two of the roots have different lists of classes; or nothing tells a class.
    """
    lists = {
        path: class_names(path)
        for path in (root / "classes.txt" for root in roots)
        if path.is_file()
    }
    if len(set(lists.values())) > 1:
        raise DataError(
            "a data set has one list of classes; "
            f"{' and '.join(repr(str(path)) for path in lists)} differ. Make them the same."
        )
    if lists:
        return next(iter(lists.values())), ""
    counts = Counter({name: len(files) for name, files in learned.items()})
    usual = sum(counts[name] for name in _TWENTY)
    if all(name in _TWENTY or _is_rare(name, counts, usual) for name in counts) and (
        usual > counts.total() / 2 or not counts
    ):
        if not (own or usual):
            raise next(iter(broken), no_object(next(iter(roots))))
        return _of_the_twenty(counts, where, own)
    return spelt(counts, where)


def _of_the_twenty(counts: Counter[str], where: str, own: bool) -> tuple[tuple[str, ...], str]:
    """The twenty classes or those that objects have, and what was concluded."""
    shown = tuple(name for name in _TWENTY if counts[name])
    if not own:
        return spelt({name: counts[name] for name in shown}, where)
    absent = len(_TWENTY) - len(shown)
    said = f"the folders are Pascal VOC's, and so are the classes; {where} lacks {absent} of 20"
    return _TWENTY, said if absent and shown else ""


def unknown(names: Mapping[str, list[Path]], classes: tuple[str, ...]) -> Iterator[DataError]:
    """An error for each name of objects that is no class, the most frequent first."""
    for name, files in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
        if name in classes:
            continue
        what = f'"{_short(name)}"' if name else "an object without a name"
        objects = f"{counted(len(files), 'object')} in {counted(len(set(files)), 'file')}"
        text = (
            f"every object must be of a class of the data set; {what} is none: {objects}, the "
            f"first is {str(files[0])!r}. "
            f"{_meant(name, classes)} Correct the name, or list all classes in classes.txt beside "
            "Annotations/, one a line."
        )
        yield DataError(text, "class unknown", len(files))


def _is_rare(name: str, counts: Counter[str], usual: int) -> bool:
    if counts[name] < _RARE * counts.total() or not name or (counts[name] == 1 and usual >= _STRAY):
        return True
    same = [one for one in _TWENTY if plain(one) == plain(name)]
    like = same or get_close_matches(plain(name), _TWENTY, n=1, cutoff=_LIKE)
    return bool(like) and counts[like[0]] >= _FEWER * counts[name]


def _meant(name: str, classes: tuple[str, ...]) -> str:
    same = next((one for one in classes if plain(one) == plain(name)), "")
    return f'Did you mean "{same}"?' if same else did_you_mean(_short(name), classes)


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:80]}…"


@kept_while_unchanged(1 << 18)
def _names_of(path: Path) -> tuple[str, ...]:
    """The names of one file's objects."""
    try:
        root = parsed_xml(read_annotation(path), str(path))
    except DataError:
        return ()
    if tag_of(root) != "annotation":
        return ()
    return tuple(composed(text_of(item, "name")) for item in root if tag_of(item) == "object")
