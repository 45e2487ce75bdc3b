"""Images through a model into files of annotations, for correction elsewhere."""

import filecmp
import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from cvtasks.answers import Answer
from cvtasks.data.writing.convert import no_writer, writers_of
from cvtasks.data.writing.files import copy_image, write_new
from cvtasks.data.writing.table import WRITERS
from cvtasks.data.writing.writer import How, Labelled, Loss, Writer
from cvtasks.errors import CVTasksError, DataError, UsageError, did_you_mean
from cvtasks.files.writing import folder_held
from cvtasks.media.prefetch import in_thread, shut
from cvtasks.text import listed

if TYPE_CHECKING:
    import numpy as np

    from cvtasks.media.sources import Item
    from cvtasks.model import Model

_AHEAD = 4  # images that are read ahead


@dataclass(frozen=True)
class Prelabelled:
    """What was done: images that have an annotation now, those that had one and were left as they
    are, the files that were written but for copies of images, what to do with them, and what the
    format could not say, in sentences with counts.
    """

    images: int
    left: int
    files: tuple[Path, ...]
    hint: str
    lost: tuple[str, ...] = ()


def root_of(sources: Sequence[str]) -> Path | None:
    """The folder that names of images begin at: the lowest one around the folders that are given,
    those before the first wildcard of globs, and those of single files. None where there is none.

    It is known from what was typed alone: an image has the same name when others have come.

    >>> root_of(["/photos/2024*/*.jpg"]).as_posix()
    '/photos'
    """
    found = [root for root in map(_begin, sources) if root is not None]
    return Path(os.path.commonpath(found)) if found else None


def _begin(source: str) -> Path | None:
    path = Path(source)
    if os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises for names too long
        return _plain(path)
    if os.path.lexists(source):
        return _plain(path.parent)
    fixed = next((at for at, part in enumerate(path.parts) if glob.has_magic(part)), None)
    if fixed is None or "://" in source:
        return None
    return _plain(Path(*path.parts[:fixed]))


def _plain(folder: Path) -> Path:
    """The absolute path of a folder without `..`: as it is typed where that leads to the same
    place, which it does not behind some links.
    """
    typed = Path(os.path.abspath(folder))  # noqa: PTH100 - Path.absolute keeps `..`
    return typed if typed.resolve() == folder.resolve() else folder.resolve()


def _way(folder: Path, home: Path) -> str:
    """The way from a folder to another, with `/` behind it; empty where they are one. Links lead
    elsewhere than the names that they have.
    """
    here, there = folder.resolve(), home.resolve()
    typed = os.path.relpath(home, _plain(folder))
    own = typed if (here / typed).resolve() == there else os.path.relpath(there, here)
    return "" if here == there else f"{own.replace(os.sep, '/')}/"


def format_of(to: str, kind: type[Answer]) -> Writer:
    """The format of that name, or the usual one of answers of a kind where it is empty.

    Raises:
        UsageError: there is no such format, or it cannot hold such answers.
    """
    fitting = writers_of(kind)
    if not fitting:
        raise UsageError(no_writer(kind))
    if (to or fitting[0]) not in fitting:
        known = to in WRITERS
        why = "cannot hold them" if known else "is unknown"
        raise UsageError(
            f"answers of this model are written as {', '.join(fitting)}; {to!r} {why}. "
            f"{'Choose one of these.' if known else did_you_mean(to, fitting)}"
        )
    found: Writer = resolve_name(WRITERS[to or fitting[0]])
    return found.others.get(kind, found)


def prelabel(
    model: "Model",
    items: "Sequence[Item]",
    folder: Path,
    to: str = "",
    *,
    threshold: float | None = None,
    keep: Sequence[str] = (),
    scores: bool = True,
    prefix: str = "",
    root: Path | None = None,
    on_error: Callable[[CVTasksError], None] | None = None,
    on_image: Callable[[Labelled], None] = lambda one: None,
) -> Prelabelled:
    """Write what a model says of images into `folder`; nothing that is there is replaced, and an
    image whose own file of annotations is there is left out.

    Images are copied only where the format wants it: `yolo`.

    Args:
        items: images that are files.
        to: one of `WRITERS`; the first that holds the model's answers by default.
        threshold: least score; the model's own by default.
        keep: classes that are written; all by default.
        scores: whether scores are written; without, Label Studio takes them for annotations.
        prefix: what stands before an image's name in Label Studio.
        root: the folder that names of images begin at (`root_of`); by default the lowest that holds
            them all, which another image may change.
        on_error: hears of images that cannot be read, which are left out; raised by default. Where
            none can be, nothing is written.
        on_image: hears of each that is done.

    Raises:
        UsageError: the format is unknown or cannot hold such answers, or an image is no file.
        DataError: the format's one file is there already, two images would share an annotation, or
            one may have its annotation under another name.
        OutputError: the folder cannot be written.
    """
    task = model.recipe.task
    chosen = format_of(to, task.answer)
    classes = tuple(map(listed, model.recipe.classes))
    named = _without_written(_named(items, root, on_error), chosen, folder)
    home = named[0][2] if named else folder
    waiting, left = _waiting(chosen, named, folder)
    how = How(
        classes,
        scores,
        several=not task.exclusive,
        prefix=prefix,
        images=_way(folder, home),
    )
    done, lost = 0, Counter[Loss]()

    def answered() -> Iterator[Labelled]:
        nonlocal done
        with shut(model.predict_many(_readable(waiting, on_error), threshold)) as answers:
            for (name, path), _, answer in answers:
                kept = task.annotation(task.keep(answer, keep) if keep else answer)
                one = Labelled(name, path, kept)
                if chosen.copied and chosen.layout:
                    copy_image(path, folder / chosen.layout.images("train") / name)
                for loss in chosen.losses.get(task.answer, ()):
                    lost[loss] += loss.count(kept)
                on_image(one)
                done += 1
                yield one

    files = []
    with folder_held(folder):
        if waiting:
            chosen.begins(folder, classes, "", ())
            for name, content in chosen.writes[task.answer](answered(), how):
                if done:
                    write_new(folder / name, content)
                    files.append(folder / name)
            if done:
                chosen.ends(folder, classes, "", [name for name, _, _ in waiting])
    hint = f"{chosen.hint}; {chosen.scored}" if scores and chosen.scored else chosen.hint
    said = tuple(f"{loss.said}: {count}" for loss, count in lost.items() if count)
    return Prelabelled(done, left, tuple(files), hint, said)


_Named = tuple[str, "Item", Path]
"""The name of an image below the folder that holds all, the image, and that folder."""


def _named(
    items: "Sequence[Item]", root: Path | None, on_error: Callable[[CVTasksError], None] | None
) -> list[_Named]:
    """Images by their names from `root`, or from the lowest folder that holds them all, each once.

    Raises:
        UsageError: one is no file.
    """
    found: dict[Path, Item] = {}
    for item in items:
        path = Path(item.source)
        if path.is_file():
            found.setdefault(_plain(path.parent) / path.name, item)
            continue
        try:
            item.read()  # says what is wrong with it
        except CVTasksError as error:
            if on_error is None:
                raise
            on_error(error)
        else:
            raise UsageError(
                f"images to be labelled are files, so that their annotations can name them; "
                f"{item.source!r} is none. Save it first."
            )
    if not found:
        return []
    above = [*(path.parent for path in found), *([_plain(root)] if root else [])]
    home = Path(os.path.commonpath(above))
    return [(path.relative_to(home).as_posix(), item, home) for path, item in found.items()]


def _without_written(named: list[_Named], chosen: Writer, folder: Path) -> list[_Named]:
    """The images but those that were written here: masks of others, and copies of yolo."""
    if chosen.single:
        return named
    place = _plain(folder)
    copies = place / chosen.layout.images("train")
    of_image = copies.joinpath if chosen.copied else lambda name: place / chosen.of_image(name)
    written = {of_image(name) for name, _, _ in named}

    def is_own(name: str, path: Path) -> bool:
        return path not in written or (chosen.copied and path == copies / name)

    return [one for one in named if is_own(one[0], one[2] / one[0])]


def _readable(
    named: list[_Named], on_error: Callable[[CVTasksError], None] | None
) -> "Iterator[tuple[tuple[str, Path], np.ndarray]]":
    """(name, file) and image of each that can be read, while a thread reads ahead."""

    def read() -> "Iterator[tuple[tuple[str, Path], np.ndarray | CVTasksError]]":
        for name, item, _ in named:
            try:
                yield (name, Path(item.source)), item.read()
            except CVTasksError as error:
                yield (name, Path(item.source)), error

    with shut(in_thread(read(), _AHEAD)) as found:
        for place, image in found:
            if not isinstance(image, CVTasksError):
                yield place, image
            elif on_error is None:
                raise image
            else:
                on_error(image)


def _waiting(chosen: Writer, named: list[_Named], folder: Path) -> tuple[list[_Named], int]:
    """The images that have no annotation yet, and how many have one."""
    if chosen.single:
        if named and os.path.lexists(folder / chosen.single):
            raise DataError(
                f"{str(folder / chosen.single)!r} exists, and nothing is overwritten. Choose "
                "another folder, or move it away.",
                ways={"output": ""},
            )
        return named, 0
    owner: dict[str, str] = {}
    for name, _, _ in named:
        other = owner.setdefault(chosen.of_image(name).casefold(), name)
        if other != name:
            raise DataError(
                f"every image needs a file of annotations of its own; {other!r} and {name!r} "
                "would share one. Rename one of them."
            )
    new = [one for one in named if not _has_annotation(chosen, one, folder)]
    return new, len(named) - len(new)


def _has_annotation(chosen: Writer, named: _Named, folder: Path) -> bool:
    """Whether an image has its file of annotations already, also under a longer or shorter name
    where its copy beside it tells so.

    Raises:
        DataError: it may have one under another name, or what has its name is another image.
    """
    name, item, root = named
    path, own = Path(item.source), folder / chosen.of_image(name)
    copies = folder / chosen.layout.images("train") if chosen.copied else None
    if os.path.lexists(own):
        if copies and (copies / name).is_file() and not _same(copies / name, path):
            raise DataError(
                f"every image needs a name of its own; {str(copies / name)!r} is another image "
                f"than {str(path)!r}. Rename one, or choose another folder."
            )
        return True
    for other in _other_names(name, root):
        there = folder / chosen.of_image(other)
        if not os.path.lexists(there) or (root / other).is_file():
            continue
        if copies is None:
            raise DataError(
                f"an image has one file of annotations; {str(there)!r} may be that of "
                f"{str(path)!r}, whose name now begins at {str(root)!r}. Give the folder that it "
                "began at before, choose another folder, or move the file away."
            )
        if (copies / other).is_file() and _same(copies / other, path):
            return True
    return False


def _same(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)


def _other_names(name: str, root: Path) -> Iterator[str]:
    """The names of an image that begin at a folder below or above the root."""
    parts, above = PurePosixPath(name).parts, root.parts[1:]
    shorter = (parts[start:] for start in range(1, len(parts)))
    longer = ((*above[start:], *parts) for start in reversed(range(len(above))))
    return ("/".join(one) for one in chain(shorter, longer))
