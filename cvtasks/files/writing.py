"""Writing files whole or not at all, replacing one's own or finding a new name, and telling files
apart.
"""

import errno
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from cvtasks.errors import OutputError, UsageError
from cvtasks.files.parts import (
    is_left,
    keep_track,
    machine,
    new_part,
    owner_of,
    remove_part,
    without_hidden,
)
from cvtasks.text import encodable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What file systems say that have no links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)

# === replacing what one wrote before ===


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on leaving without an error it replaces `path`,
    otherwise it is removed.

    For files that are the caller's own, such as a run's checkpoint; `publish` never replaces
    anything. The content is on the disk (fsync) before the name changes, so a crash or a full disk
    leaves the old file as it was.

    Raises:
        OutputError: the disk is full or the folder cannot be written; says which file was meant.
    """
    path = Path(path)
    part = new_part(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _on_disk(part)
        part.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        remove_part(part)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; what UTF-8 cannot hold is escaped
    (`cvtasks.text.encodable`).
    """
    with written_whole(path) as part:
        part.write_text(encodable(text), encoding="utf-8", newline="\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(content)


# === under new names, replacing nothing ===


@contextmanager
def made_beside(folder: str | Path) -> Iterator[Path]:
    """Give a hidden folder within `folder`, where files are made before `publish` names them; it
    goes on leaving.

    Raises:
        OutputError: the folder cannot be made or written; also in place of one that names a file of
            the hidden folder.
    """
    folder = Path(folder)
    part = new_part(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.mkdir()
        yield part
    except OutputError as error:
        if str(part) in str(error):
            raise as_meant(folder, error) from error
        raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        remove_part(part)


def publish(made: Mapping[Path, Path]) -> None:
    """Give files (of `made_beside`) their names, all of them or none. A file that has such a name
    is never replaced.

    Raises:
        FileExistsError: one of the names is taken; all files are where they were. OSError: another
            reason, likewise.
    """
    named: dict[Path, Path] = {}
    try:
        for part, path in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _name(part, path)
            named[part] = path
    except BaseException:
        for part, path in named.items():
            if part.exists():
                path.unlink()
            else:
                path.replace(part)
        raise
    for part in named:
        part.unlink(missing_ok=True)


def publish_new(
    folder: Path, stem: str, made: Mapping[str, Path], also: Iterable[str] = ()
) -> list[Path]:
    """Name files `stem` with an ending each, or `stem-2` …: the first stem under which none of the
    names is taken.

    Args:
        made: ending, such as "-mask.png" → the file, in a `made_beside` of the folder.
        also: further endings under which there must be nothing: of what belongs together by its
            stem.

    Returns:
        the files, all of one stem.
    """
    names = numbered(stem)
    while True:
        name = next(names)
        paths = [folder / f"{name}{ending}" for ending in made]
        if any(map(os.path.lexists, (*paths, *(folder / f"{name}{ending}" for ending in also)))):
            continue
        with suppress(FileExistsError):  # it appeared just now
            publish(dict(zip(made.values(), paths, strict=True)))
            return paths


def numbered(stem: str, first: int = 1) -> Iterator[str]:
    """The stem, and after it stem-2, stem-3 …; from the `first` of them on.

    >>> from itertools import islice
    >>> list(islice(numbered("dog"), 3))
    ['dog', 'dog-2', 'dog-3']
    """
    return (stem if number == 1 else f"{stem}-{number}" for number in count(first))


def hold(folder: Path, name: str) -> Path | None:
    """Keep other runs away from a name in the folder (or from the folder itself) for as long as
    this one goes on.

    Returns:
        what `remove_part` lets go of; None where the file system cannot do that.

    Raises:
        FileExistsError: another run that lives, or may live on another machine, has it. OSError:
            the folder cannot be written.
    """
    claim = (
        folder
        / f".cvtasks-{hashlib.sha256(encodable(name.casefold()).encode()).hexdigest()[:16]}.held"
    )
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            claim.symlink_to(f"{machine()}-{os.getpid()}")  # made and filled in one step
        except FileExistsError:
            if is_left(claim, *owner_of(claim)):
                remove_part(claim)
            continue
        except NotImplementedError:
            return None
        except OSError as error:
            if error.errno in _NO_LINKS:
                return None
            raise
        keep_track(claim)
        return claim
    raise FileExistsError(errno.EEXIST, "another run writes it", str(folder / name))


@contextmanager
def name_held(folder: Path, name: str) -> Iterator[None]:
    """`hold` for as long as the context lasts. A folder that was made for it and stays empty goes
    again.
    """
    new = not folder.exists()
    claim = hold(folder, name)
    try:
        yield
    finally:
        if claim:
            remove_part(claim)
        if new:
            with suppress(OSError):  # it holds something
                folder.rmdir()


@contextmanager
def folder_held(folder: Path) -> Iterator[None]:
    """Have a folder for oneself as long as the context lasts.

    Raises:
        OutputError: another run writes into it, or it cannot be written.
    """
    with ExitStack() as leaving:
        try:
            leaving.enter_context(name_held(folder, ""))
        except FileExistsError as error:
            check_folder(folder)
            raise OutputError(
                f"one run at a time writes into a folder; another one writes into {str(folder)!r}. "
                "Wait for it, or choose another."
            ) from error
        except OSError as error:
            raise cannot_write(folder, error) from error
        yield


def check_folder(folder: str | Path) -> None:
    """Raise OutputError unless files can be written into the folder, which need not exist. Writes
    nothing.

    For the beginning of a long piece of work; a disk may still fill up before its end.
    """
    folder = Path(folder)
    try:
        for place in (folder, *folder.absolute().parents):
            try:
                place.lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not place.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{str(place)!r} is no folder")
            if not os.access(place, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, f"{str(place)!r} may not be written")
            return
    except OSError as error:  # also names that are too long, and loops of links
        raise cannot_write(folder, error) from error


def check_new_folder(folder: Path, *, run: bool = False) -> None:
    """Raise UsageError if there is anything of this name, OutputError if no such folder can be
    made; `run`: it is to be that of a training, which may be resumed.
    """
    if os.path.lexists(folder):
        resume = ", or resume the run in it" if run else ""
        raise UsageError(
            f"{str(folder)!r} exists, and nothing is overwritten. Choose another folder{resume}.",
            ways={"output": "", **({"resume": str(folder)} if run else {})},
        )
    check_folder(folder)


# === errors and identity ===


def cannot_write(path: str | Path, error: Exception) -> OutputError:
    """The error that says why `path` could not be written and what to do about it."""
    full = getattr(error, "errno", None) in _FULL
    way_out = (
        "Free some space or choose another folder."
        if full
        else "Choose a folder that can be written."
    )
    reason = (
        getattr(error, "strerror", None) or error
    )  # FFmpeg's errors have it too; the path in the rest may be a hidden one
    return OutputError(
        f"{str(path)!r} could not be written: {reason}. What was there before is unchanged. "
        f"{way_out}"
    )


def as_meant(path: str | Path, error: OutputError) -> OutputError:
    """An error about a file of a hidden folder as one about the path that the user knows."""
    cause: BaseException | None = error
    while isinstance(cause, OutputError):
        cause = cause.__cause__
    return (
        cannot_write(path, cause)
        if isinstance(cause, Exception)
        else OutputError(without_hidden(str(error)))
    )


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _on_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _name(part: Path, path: Path) -> None:
    """Give a file another name, unless something has that name: then FileExistsError."""
    if sys.platform == "win32":
        part.rename(path)  # replaces nothing there
        return
    try:
        os.link(part, path)
    except FileExistsError as error:
        raise FileExistsError(
            errno.EEXIST, f"{path.name!r} has appeared there meanwhile"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links, such as FAT: the name is claimed by an empty file, which
        # then is ours to replace.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            part.replace(path)
        except OSError:
            path.unlink()
            raise
