"""Fetching a published model: once, whole or not at all, and always the same file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cvtasks.errors import CVTasksError, ModelError, OutputError, did_you_mean
from cvtasks.files.writing import (
    cannot_write,
    check_folder,
    made_beside,
    name_held,
    sha256,
    write_text,
)
from cvtasks.media.addresses import shown
from cvtasks.media.download import download_file
from cvtasks.model import check_files
from cvtasks.published.folder import made_into, tried
from cvtasks.recipe.recipe import read_recipe
from cvtasks.weights.published import BASE_URL, PUBLISHED, Published
from cvtasks.zoo import RECIPE, fetched_folder

TIMEOUT_S = 60.0
"""Seconds that the server may be silent."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """A published model on this machine.

    Attributes:
        folder: of the model.
        new: whether it was fetched just now.
        url: where its weights are published.
        sha256: of the file of weights that it was made from.
    """

    folder: Path
    new: bool
    url: str
    sha256: str


def fetch_model(
    name: str,
    file: Path | None = None,
    base: str = "",
    say: Say = lambda text: None,
    report: Say = lambda text: None,
) -> Fetched:
    """Fetch a published model and make its folder in `cvtasks.zoo.fetched_folder()`; what is there
    already is checked and left as it is.

    The SHA-256 of the first file that a name was made from is kept beside the folder, in
    `NAME.sha256`: its publisher names none. Another file under the same name is refused from
    then on.

    Args:
        name: of `PUBLISHED`.
        file: the published file, where it was fetched by hand.
        base: address below which the file lies; its publisher's own if empty.
        say: hears what is done.
        report: hears how far a download is; often.

    Raises:
        ModelError: there is no such model; its file cannot be had, is damaged, or is not the one of
            before; or what is in the model's place is damaged, or no model.
        OutputError: the folder cannot be written, or another process fetches the same model.
    """
    if name not in PUBLISHED:
        raise ModelError(f"{name!r} is no published model. {did_you_mean(name, PUBLISHED)}")
    row, place = PUBLISHED[name], fetched_folder()
    url = f"{(base or BASE_URL).rstrip('/')}/{row.file}"
    folder, record = place / name, place / f"{name}.sha256"
    if os.path.lexists(folder):
        _check_there(folder)
        return Fetched(folder, False, url, _recorded(record))
    check_folder(place)
    with _alone(place, name):
        source = file or _downloaded(row, url, place / row.file, report)
        known, digest = _recorded(record), _digest(source)
        if known and digest != known:
            if file is None:
                source.unlink()
            raise ModelError(
                f"the weights of {name} must be the file that they were made from before, of "
                f"SHA-256 {known}, as {str(record)!r} has it; {str(file or shown(url))!r} has "
                f"{digest}. If its publisher has replaced it and you trust the new one, remove "
                "that record."
            )
        say(f"{row.file}: SHA-256 {digest}, " + ("as before" if known else f"kept in {record}"))
        with _without(None if file else source), made_beside(place) as beside:
            made = made_into(beside / name, name, row, source, shown(url), digest)
            say(f"on a photograph of a cup: {tried(made)}")
            if not known:
                write_text(record, f"{digest}  {row.file}\n")
            _placed(made, folder)
    return Fetched(folder, True, url, digest)


def _downloaded(row: Published, url: str, path: Path, report: Say) -> Path:
    """The published file, at `path`: one that an interrupted call left there is taken."""
    if path.is_file():
        return path
    try:
        download_file(
            url, path, None, report=report, timeout_s=TIMEOUT_S, bounds=(row.least, row.most)
        )
    except OSError as error:
        raise cannot_write(path, error) from error
    except OutputError:
        raise
    except CVTasksError as error:
        raise ModelError(
            f"{error} Or fetch it by hand, and say where it lies.", ways={"from": row.file}
        ) from error
    return path


@contextmanager
def _without(source: Path | None) -> Iterator[None]:
    """Remove what was downloaded when a model was made of it, or it is of no use; what stops in
    between leaves it for the next time.
    """
    try:
        yield
    except ModelError:
        if source:
            source.unlink(missing_ok=True)
        raise
    if source:
        source.unlink(missing_ok=True)


@contextmanager
def _alone(place: Path, name: str) -> Iterator[None]:
    """Keep other processes from fetching the same model meanwhile."""
    try:
        with name_held(place, name):
            yield
    except FileExistsError as error:
        raise OutputError(
            f"one process at a time fetches a model; another one fetches {name}. Wait for it."
        ) from error


def _check_there(folder: Path) -> None:
    """Raise ModelError unless what is in a model's place is that model, whole."""
    try:
        check_files(folder, read_recipe(folder / RECIPE))
    except ModelError as error:
        said = str(error).rstrip(".")
        way = "" if "cvtasks models get" in said else " Remove it, and fetch it again."
        raise ModelError(
            f"a model that is fetched stays as it was made; {str(folder)!r} is not so: {said}.{way}"
        ) from error


def _placed(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError as error:  # something has appeared there
        raise cannot_write(folder, error) from error


def _digest(source: Path) -> str:
    """The SHA-256 of a file of weights."""
    try:
        return sha256(source)
    except OSError as error:
        raise ModelError(
            f"a file of weights must be one that can be read; {str(source)!r} cannot be: "
            f"{error.strerror or error}. Check the path."
        ) from error


def _recorded(record: Path) -> str:
    """The SHA-256 that was kept of a model's file; empty where it was never fetched."""
    try:
        return record.read_text(encoding="utf-8", errors="replace").partition(" ")[0].strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ModelError(
            f"{str(record)!r} must be a file that can be read; it cannot be: "
            f"{error.strerror or error}. Check it, or remove it."
        ) from error
