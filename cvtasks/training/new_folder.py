"""The folder that a new run is made in, and taken away with where nothing came of it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from cvtasks.data.held_out import NAMES
from cvtasks.data.run_facts import FACTS
from cvtasks.errors import CVTasksError, UsageError
from cvtasks.files.writing import cannot_write, check_folder, name_held, numbered
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.checkpoint import progress_in
from cvtasks.training.layout import BEST, CHECKPOINT, CHECKPOINTS, FOLDS, LISTS, LOG
from cvtasks.training.stopping import Stopped
from cvtasks.zoo import RECIPE

_FILES = (RECIPE, FACTS, LOG, NAMES, FOLDS)  # of a run, or several, in which nothing was learned


@contextmanager
def unused_folder(recipe: Recipe) -> Iterator[Path]:
    """`runs/TASK-BACKBONE`, with a number where that exists; no other run takes it as long as the
    context lasts.

    Raises:
        OutputError: `runs` cannot be written.
    """
    base = Path("runs") / f"{recipe.task.name}-{recipe.backbone}"
    check_folder(base.parent)
    with ExitStack() as held:
        for name in numbered(base.name):
            folder = base.with_name(name)
            if os.path.lexists(folder):
                continue
            try:
                held.enter_context(name_held(folder.parent, name))
                break
            except FileExistsError:  # another run that begins just now
                continue
            except OSError as error:
                raise cannot_write(folder, error) from error
        yield folder


def make_folder(folder: Path, inside: str = "") -> None:
    """Make the folder of a run, or of several, and one inside it.

    Raises:
        UsageError: it exists. OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
        (folder / inside).mkdir(exist_ok=not inside)
    except FileExistsError as error:
        raise UsageError(
            f"{str(folder)!r} exists, and nothing is overwritten. Choose another folder, or resume "
            "what was begun in it.",
            ways={"output": "", "resume": str(folder)},
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error


@contextmanager
def kept_if_learned(
    folder: Path, lock: AbstractContextManager[None] | None = None, new: bool = True
) -> Iterator[None]:
    """Where an error ends a new run, or several, before anything was learned, take away what they
    have written, and the folder if nothing else is in it; the same command, corrected, can have it.

    A run that was asked to stop keeps its folder: it can go on.

    Args:
        lock: held meanwhile, but let go of before.
        new: whether the run is; one that was begun before keeps everything.
    """
    in_vain = False
    try:
        with lock or nullcontext():
            try:
                yield
            except Stopped:
                raise
            except Exception:
                in_vain = new and not _has_learned(folder)
                raise
    finally:
        if in_vain:
            _take_away(folder)


def _has_learned(folder: Path) -> bool:
    """Whether something was learned in the folder of a run, or there is a run in that of several;
    also where that cannot be told.
    """
    inside = folder / CHECKPOINTS
    try:
        done = progress_in(inside / CHECKPOINT)
        begun = [path for path in folder.glob("fold*") if path.is_dir()]
    except (CVTasksError, OSError):
        return True
    return bool(done.epoch or done.step or begun) or os.path.lexists(inside / BEST)


def _take_away(folder: Path) -> None:
    for name in (CHECKPOINTS, LISTS):
        shutil.rmtree(folder / name, ignore_errors=True)
    with suppress(OSError):  # of the disk, say; the error that ended the run is told
        for path in (*(folder / name for name in _FILES), *folder.glob("profile*.json")):
            path.unlink(missing_ok=True)
        folder.rmdir()
