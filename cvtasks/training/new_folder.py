"""The folder that a new run is made in."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cvtasks.errors import UsageError
from cvtasks.files.writing import cannot_write, check_folder, name_held, numbered
from cvtasks.recipe.recipe import Recipe


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
