"""`cvtasks data split`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtasks.cli.hints import ClassesFromOption, DataSetOption, hints_of
from cvtasks.cli.options import DataArgument, FormatOption, JsonOption, TaskOption, into
from cvtasks.cli.output import say, tell
from cvtasks.errors import UsageError
from cvtasks.tasks import TASKS, USUAL
from cvtasks.text import counted, dumps

if TYPE_CHECKING:
    from cvtasks.data import Hints, Source
    from cvtasks.data.dividing import Divided
    from cvtasks.data.lists import Record
    from cvtasks.data.splits import Opened


def split(
    source: DataArgument,
    output: Annotated[Path, into("New folder for the lists.")] = Path("outputs/split"),
    val: Annotated[
        float | None,
        typer.Option(help="Share of the images to validate on.", show_default="0.2"),
    ] = None,
    test: Annotated[
        float | None, typer.Option(help="Share to test on.", show_default="0.1, with folds none")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Make K folds, each of which is val once.",
            show_default="one division",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="What is drawn depends on it.")
    ] = 0,
    group_by: Annotated[
        str,
        typer.Option(metavar="REGEX", help="Keep images together whose names give the same match."),
    ] = "",
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Keep images together by lines NAME,GROUP."),
    ] = None,
    task: TaskOption = USUAL,
    format_: FormatOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deal a data set out into train, val and test, or folds, by class: lists of names, nothing is
    moved. Near-copies and frames of one scene stay on one side.

    \b
    cvtasks data split my-data -o splits
    cvtasks data split my-data -o splits --val 0.15 --test 0 --seed 7
    cvtasks data split my-data -o folds --folds 5
    cvtasks data split videos -o splits --group-by '^(video\\d+)'
    cvtasks data split scans -o splits --groups patients.csv --task classify

    The folder is data itself: cvtasks train detect --data splits; cvtasks data stats splits:val.
    """
    from cvtasks.data import split_of
    from cvtasks.data.dividing import Shares, divide, write_lists
    from cvtasks.data.splits import Opened
    from cvtasks.files.writing import check_new_folder

    if group_by and groups:
        raise UsageError("groups come from names or from a file; got both. Leave one out.")
    if folds is not None and val is not None:
        raise UsageError(
            f"folds are of one size, and each is val once; got --folds {folds} and --val {val:g}. "
            "Leave one out."
        )
    tested = (0.1 if folds is None else 0.0) if test is None else test
    shares = Shares(0.2 if val is None else val, tested, folds, seed)
    check_new_folder(output)
    path, name = split_of(source)
    hints = hints_of(task, set_, classes_from)
    opened = Opened(path, name, TASKS[task].task.answer, format_, hints=hints)
    usable = _usable(opened, path)
    divided = divide(usable, shares, _keys(usable, group_by, groups))
    record = _record(opened.source, path, format_, hints)
    write_lists(output, divided, record, shares, task=task, group_by=group_by)
    _show(divided, not folds, as_json)
    where = output / "fold0" if folds else output
    say(f"lists → {output}")
    say(f"next: cvtasks train {task} --data {shlex.quote(str(where))}")


def _record(source: "Source", path: str, format_: str, hints: "Hints") -> "Record":
    """What the lists are of: of lists with a record, the data that these are of."""
    from cvtasks.data.download.catalogue import is_known
    from cvtasks.data.lists import Listed, Record, located

    data, lists, format_, hints = located(path, "", format_, hints)
    data = data if is_known(data) else str(Path(data).absolute())
    if lists and isinstance(source, Listed):
        return Record(data, source.source.split, format_, hints, str(Path(lists).absolute()))
    return Record(data, source.split, format_, hints)


def _usable(opened: "Opened", path: str) -> "Source":
    """What can be used of a split; what it is, and what is left out, is said."""
    from cvtasks.data.opening import title

    usable = opened.usable
    say(f"data: {usable.format}, {title(path, usable.split)}, {counted(len(usable), 'image')}")
    if opened.faults:
        left = len(opened.source) - len(usable)
        whole = f"in no list, as faulty: {counted(left, 'image')}; " if left else ""
        say(f"data: {whole}the first of {len(opened.faults)} faults: {opened.faults[0]}")
    return usable


def _keys(source: "Source", group_by: str, groups: Path | None) -> list[str | None] | None:
    """The group of each sample, as far as groups were asked for; what they are is said."""
    from cvtasks.data.together import Keys, keys_by_pattern, keys_from_csv
    from cvtasks.formats.encodings import hearing, said_of

    if not group_by and not groups:
        return None
    with hearing() as heard:
        found = keys_from_csv(source, groups) if groups else Keys(keys_by_pattern(source, group_by))
    for line in said_of(heard):
        say(f"groups: {line}")
    if found.heading:
        say(f"groups: the first line, {found.heading!r}, is taken for a heading")
    keys, lost = found.groups, ""
    if found.strange:
        lost = f"; lines that name no image, or not one alone: {found.strange}, {found.first}"
        lost += " first" if found.strange > 1 else ""
    say(f"groups: {len(set(keys) - {None})}; images without one: {keys.count(None)}{lost}")
    return keys


def _show(divided: "Divided", trained: bool, as_json: bool) -> None:
    """Print what the parts hold; of folds only what each of them is measured on."""
    from cvtasks.cli.data_tables import parts_table

    names = [name for name in divided.parts if trained or not name.endswith("/train")]
    rows, said = divided.rows(names), divided.together.said
    if as_json:
        sizes = {name: len(part) for name, part in divided.parts.items()}
        print(dumps({"images": sizes, "kept_together": said, "classes": rows}))
    else:
        tell(*parts_table({name: len(divided.parts[name]) for name in names}, rows))
    for line in filter(None, (*divided.together.told, divided.missed)):
        say(f"data: {line}")
