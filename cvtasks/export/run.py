"""A model exported: written, opened again by the format's own runtime, compared with the model, and
only then given its name.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtasks.engines.int8_graph import REPORT as LOST
from cvtasks.engines.int8_graph import seal
from cvtasks.errors import CVTasksError, ModelError, OutputError, UsageError
from cvtasks.export import F32, INT8, ExportRow, export_row
from cvtasks.export.base import Given
from cvtasks.export.check import BOUNDS, Checked, check, check_passed
from cvtasks.export.decoding import check_decodable
from cvtasks.export.facts import facts_of
from cvtasks.export.images import images_to_check
from cvtasks.export.int8.into_model import check_into_model, place_in_model, publish_in_model
from cvtasks.export.int8.report import Report
from cvtasks.export.int8.written import Int8, write_int8
from cvtasks.export.readme import readme
from cvtasks.files.writing import (
    cannot_write,
    check_folder,
    made_beside,
    name_held,
    numbered,
    write_text,
)
from cvtasks.model import check_files
from cvtasks.recipe.recipe import read_recipe
from cvtasks.text import dumps
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder, with_weights

CHECK, README = "check.json", "README.md"

_NO_SPACE = os.strerror(errno.ENOSPC)

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Exported:
    """What an export has made.

    Attributes:
        folder: that was written.
        path: the file in it, or the folder of a format that is one.
        checked: how its answers compare with the model's.
        size: bytes of the model's own files.
        lost: what the scores lose in int8; None in other precisions.
        answers: how those of a file that answers by itself compare with what the plain file's
            outputs are decoded to; None where it is plain.
    """

    folder: Path
    path: Path
    checked: Checked
    size: int
    lost: Report | None = None
    answers: Checked | None = None


def export(
    model: str | Path,
    format: str,
    folder: str | Path | None = None,
    *,
    precision: str = F32,
    decoded: bool = False,
    images: str = "",
    int8: Int8 | None = None,
    into_model: bool = False,
    say: Say = lambda text: None,
) -> Exported:
    """Write a model for other programs, and check that it gives the same answers there.

    Args:
        model: a name of the zoo, or a folder.
        format: a row of `cvtasks.export.EXPORTS`.
        folder: where it comes to lie; must not exist. `exports/NAME-FORMAT`, with the precision
            where that is not f32, and with a number where that exists, by default.
        precision: "f32", "f16" or "int8".
        decoded: whether the file is to answer by itself: boxes, scores and labels, or class ids,
            instead of what they are decoded from (`cvtasks.export.decoding`).
        images: what it is checked on (`cvtasks.export.images.images_to_check`).
        int8: what is asked for where the precision is int8.
        into_model: whether OpenVINO's graph in int8 is to become a part of the model, which the
            openvino engine runs: in the folder `int8` of its own.
        say: hears what is done, in lines.

    Raises:
        UsageError: there is no such format, it has no such precision, needs packages that are not
            installed, or the folder exists; or what was asked for cannot be a part of the model.
        ModelError: the model cannot be loaded or exported, or the file's answers differ by more
            than `BOUNDS` allow; nothing is left behind.
        OutputError: the folder cannot be written.
    """
    row = export_row(format, precision)
    if into_model:
        check_into_model(model, format, precision, decoded, folder)
    home = with_weights(model_folder(model))
    recipe = read_recipe(home / RECIPE)
    check_files(home, recipe)
    if decoded:
        check_decodable(format)
        from cvtasks.export.decoding.files import answer_shapes, make_answering

        answer_shapes(recipe)
    kind = f"{format}-decoded" if decoded else format
    named = place_in_model(home, recipe) if into_model else None
    named = named or _named(home.name, kind, precision, folder)
    with named as place, made_beside(place.parent) as part:
        facts = facts_of(recipe, home.name, precision)
        given = Given(home, recipe, precision, facts)
        checked_on, drawn = images_to_check(recipe, home, images, say)
        lost: Report | None = None
        if precision == INT8:
            path, lost = _in_int8(row, format, given, part, int8 or Int8(), say)
        else:
            path = _written(row, format, given, part)
        engine = row.open(path, recipe)
        bounds = BOUNDS.get(precision)
        at_once = not (row.one_by_one or decoded)
        checked = check(engine, given.reference(), recipe, checked_on, bounds, drawn, at_once)
        check_passed(checked, f"{home.name} as {format} in {precision}")
        answers = None
        if decoded:
            answers = make_answering(format, path, engine, recipe, checked_on, drawn)
        size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
        said = _report(home.name, format, given, row, checked, size)
        if answers:
            said["decoded"] = {"threshold": recipe.task.threshold, **answers.to_dict()}
        write_text(part / CHECK, dumps(said, indent=2) + "\n")
        page = readme(format, path.name, given, checked, answers)
        if lost:
            page += f"\n{lost.page()}"
        write_text(part / README, page)
        if lost:
            report = {**lost.as_dict(), **seal(part, recipe.files[WEIGHTS])}
            write_text(part / LOST, dumps(report, indent=2) + "\n")
        if into_model:
            publish_in_model(part, place)
        else:
            _publish(part, place)
        return Exported(place, place / path.name, checked, size, lost, answers)


def _publish(part: Path, place: Path) -> None:
    """Give a folder its name."""
    try:
        part.rename(place)
    except OSError as error:
        raise cannot_write(place, error) from error


def _in_int8(
    row: ExportRow, format: str, given: Given, part: Path, asked: Int8, say: Say
) -> tuple[Path, Report]:
    """What a format's tool for int8 writes, and what that loses."""
    with _own_errors(given, f"{format} in int8", part):
        return write_int8(row, format, given, part, asked, say)


def _written(row: ExportRow, format: str, given: Given, part: Path) -> Path:
    """What a format writes."""
    with _own_errors(given, format, part):
        return row.write(given, part)


@contextmanager
def _own_errors(given: Given, what: str, part: Path) -> Iterator[None]:
    """Whatever libraries raise is an error of ours."""
    try:
        yield
    except (CVTasksError, OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        _check_space(part, (given.folder / WEIGHTS).stat().st_size, error)
        lines = str(error).strip().splitlines() or [""]
        raise ModelError(
            f"{given.folder.name} could not be written as {what}: {type(error).__name__}: "
            f"{lines[0][:300]}. Choose another format."
        ) from error


def _check_space(part: Path, size: int, error: Exception) -> None:
    """Raise OutputError where `part` or the folder of temporary files cannot hold so many bytes:
    libraries name a full disk in many ways.
    """
    temporary = Path(tempfile.gettempdir())
    places = {temporary: temporary, part.parent: part}
    short = [place for place, folder in places.items() if shutil.disk_usage(folder).free < size]
    if short or _NO_SPACE in str(error):
        full = OSError(errno.ENOSPC, _NO_SPACE)
        raise cannot_write(short[0] if short else part.parent, full) from error


def _report(
    name: str, format: str, given: Given, row: ExportRow, checked: Checked, size: int
) -> dict[str, Any]:
    """What `check.json` says."""
    return {
        "model": name,
        "task": given.recipe.task.name,
        "head": given.recipe.head.name,
        "format": format,
        "precision": given.precision,
        "runtime": row.runtime,
        "bytes": size,
        **checked.to_dict(),
    }


@contextmanager
def _named(name: str, format: str, precision: str, folder: str | Path | None) -> Iterator[Path]:
    """The folder to write, which no other run takes as long as the context lasts."""
    if folder is not None:
        place = Path(folder)
        if os.path.lexists(place):
            raise UsageError(
                f"{str(place)!r} exists, and nothing is overwritten. Choose another folder.",
                ways={"output": ""},
            )
        check_folder(place)
        with ExitStack() as leaving:
            if not _held(place, leaving):
                raise OutputError(
                    f"one run at a time writes a folder; another one writes {str(place)!r}. Choose "
                    "another folder.",
                    ways={"output": ""},
                )
            yield place
        return
    base = Path("exports") / "-".join([name, format, *([precision] if precision != F32 else [])])
    check_folder(base.parent)
    for one in numbered(base.name):
        place = base.with_name(one)
        with ExitStack() as leaving:
            # another run may have written and left it since it was looked for
            if not os.path.lexists(place) and _held(place, leaving) and not os.path.lexists(place):
                yield place
                return


def _held(place: Path, leaving: ExitStack) -> bool:
    """Keep other runs away from a name until `leaving`; False where one has it."""
    try:
        leaving.enter_context(name_held(place.parent, place.name))
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot_write(place, error) from error
    return True
