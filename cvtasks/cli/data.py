"""`cvtasks data check`, `stats`, `show`, `split`, `convert`, `prelabel`, `review` and `get`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli.commands import COMMANDS
from cvtasks.cli.data_prelabel import prelabel
from cvtasks.cli.data_review import review
from cvtasks.cli.data_split import split
from cvtasks.cli.help import Group, HelpfulCommand
from cvtasks.cli.hints import (
    ClassesFromOption,
    DataSetOption,
    WholeDataSetOption,
    hints_of,
    past_damage,
)
from cvtasks.cli.options import (
    DataArgument,
    FormatOption,
    JsonOption,
    ListsOption,
    TaskOption,
    choice,
    into,
    one_of,
)
from cvtasks.cli.output import Ticker, say, tell
from cvtasks.data.download.catalogue import KNOWN, place_of
from cvtasks.data.writing.table import WRITERS
from cvtasks.errors import DataError, UsageError
from cvtasks.tasks import TASKS, USUAL
from cvtasks.text import counted, dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cvtasks.answers import Answer
    from cvtasks.data import Hints, Source

_MOST_SIDE = 4096  # of a recipe's `size`

data = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=Group,
    help=COMMANDS["data"].help,
)


@data.command(cls=HelpfulCommand)
def check(
    source: DataArgument,
    task: TaskOption = USUAL,
    format_: FormatOption = "",
    lists: ListsOption = "",
    size: Annotated[
        int,
        typer.Option(
            metavar="PIXELS",
            help="Network size by which objects are tiny.",
            show_default="a new recipe's",
        ),
    ] = 0,
    tiles: Annotated[
        str,
        typer.Option(metavar="HxW[:OVERLAP]", help="Count the tiles that data.tiles would make."),
    ] = "",
    classes_from: ClassesFromOption = "",
    set_: WholeDataSetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every truth and every image; list what could spoil a training, a line a cause. Changes
    nothing; exit code 5 if there are errors.

    \b
    cvtasks data check VOCdevkit/VOC2012
    cvtasks data check coco:val2017
    cvtasks data check --task segment VOCdevkit/VOC2012:val
    cvtasks data check --task classify photos/labels.csv
    cvtasks data check --json coco:val2017 | jq '.findings[].file'

    Without a split all of them are looked at, and compared with each other.
    """
    from cvtasks.cli.data_tables import cause_lines
    from cvtasks.data import open_source, split_of
    from cvtasks.data.checking.check import LEVELS, causes, check
    from cvtasks.data.tiled import tiles_words
    from cvtasks.geometry.tiles import tiles_of

    if size and not 8 <= size <= _MOST_SIDE:
        raise UsageError(
            f"a network sees images of 8 to {_MOST_SIDE} pixels a side; got {size}. Give its size."
        )
    path, split = split_of(source)
    asked = tiles_of(tiles)
    if asked and not asked.size:
        raise UsageError("tiles of data have a size, HxW in pixels; got auto. Give their size.")
    ticker, start = Ticker(), TASKS[task].task
    hints = hints_of(task, set_, classes_from, whole=True)
    try:
        progress = lambda done, total: ticker.show(f"{done} of {total} images")  # noqa: E731
        checked = check(
            *(path, split, start.answer, progress),
            format=format_,
            lists=lists,
            hints=hints,
            size=size or start.start_size,
        )
    finally:
        ticker.clear()
    findings = checked.findings
    say(f"data: {checked.format}, {source}, {counted(checked.samples, 'image')}")
    if len(checked.splits) > 1:
        parts = ", ".join(f"{name} {count}" for name, count in checked.splits.items())
        say(f"data: splits: {parts}")
    read_as: dict[str, Any] = {"format": format_, "lists": lists, "hints": hints}
    if asked:
        for name in checked.splits:
            opened = open_source(path, name, start.answer, lambda error: None, **read_as)
            say(f"data: {tiles_words(opened, asked)}")
    counts = {
        f"{level}s": sum(one.count for one in findings if one.level == level) for level in LEVELS
    }
    if as_json:
        document = {"data": path, "split": split, "task": task, "samples": checked.samples}
        document |= {"splits": checked.splits, **counts, "findings": list(map(asdict, findings))}
        print(dumps(document))
    else:
        tell(*(line for cause in causes(findings) for line in cause_lines(cause)))
    if counts["errors"]:
        raise DataError(
            f"{counted(counts['errors'], 'error')} and {counted(counts['warnings'], 'warning')} "
            f"in {source}. Correct the data."
        )
    say(
        f"no error, {counted(counts['warnings'], 'warning')}; notes: {counts['notes']}. Checked: "
        f"{source}"
    )


@data.command(cls=HelpfulCommand)
def stats(
    source: DataArgument,
    task: TaskOption = USUAL,
    format_: FormatOption = "",
    lists: ListsOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count what a data set holds, class by class: images, objects, their median width and height,
    and the side that a tenth of them is below (small) and above (large), in pixels; of masks of
    objects also their median area, and the share of its box that a mask fills.

    \b
    cvtasks data stats VOCdevkit:2007+2012-trainval
    cvtasks data stats --task classify imagenette:train
    cvtasks data stats --json coco:train2017 | jq '.[] | select(.objects < 1000)'

    Without a split there is a table for each; --json is of one.
    """
    from cvtasks.cli.data_tables import narrow
    from cvtasks.data import split_of
    from cvtasks.data.checking.statistics import statistics

    kind, hints = TASKS[task].task.answer, hints_of(task, set_, classes_from)
    path, split = split_of(source)
    how: dict[str, Any] = {"format": format_, "lists": lists, "hints": hints}
    known = [split] if as_json else None
    told: set[str] = set()
    for name, opened in _opened(path, split, kind, told, known, **how):
        with past_damage():
            rows = statistics(opened)
        _say_once(opened.remarks(), told)
        if as_json:
            print(dumps(rows))
            return
        columns = list(rows[0])
        cells = [
            ["–" if row[column] is None else str(row[column]) for column in columns] for row in rows
        ]
        tell(*([f"{name}:"] if name else []), *narrow([columns, *cells]))


data.command(cls=HelpfulCommand)(split)
data.command(cls=HelpfulCommand)(prelabel)
data.command(cls=HelpfulCommand)(review)


@data.command(cls=HelpfulCommand)
def show(
    context: typer.Context,
    source: DataArgument,
    task: TaskOption = USUAL,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="RECIPE", help="Also draw the batches that training makes by this recipe.toml."
        ),
    ] = None,
    output: Annotated[Path, into("Where the images go.")] = Path("outputs/show"),
    format_: FormatOption = "",
    lists: ListsOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
) -> None:
    """Draw samples with their truths, how often each class comes, how large objects are; and
    batches as the network gets them.

    \b
    cvtasks data show VOCdevkit/VOC2012:train
    cvtasks data show --task segment VOCdevkit/VOC2012:val -o look
    cvtasks data show VOCdevkit/VOC2012:train --recipe runs/mine/recipe.toml

    Without a split each of them is drawn.
    """
    from cvtasks.data import Hints, split_of
    from cvtasks.data.checking.show import batch_sheet, sheets
    from cvtasks.data.views import fitted
    from cvtasks.evaluation.evaluate import check_new
    from cvtasks.files.writing import folder_held, made_beside, publish
    from cvtasks.media.images import write_image
    from cvtasks.media.names import safe_stem
    from cvtasks.recipe.recipe import read_recipe

    context.with_resource(folder_held(output))
    check_new(output)
    wanted = read_recipe(recipe) if recipe else None
    which = wanted.task if wanted else TASKS[task].task()
    told = Hints.of(wanted.data) if wanted else hints_of(task, set_, classes_from)
    path, split = split_of(source)
    how: dict[str, Any] = {"format": format_, "lists": lists, "hints": told}
    drawn: dict[str, Any] = {}
    for name, opened in _opened(path, split, which.answer, set(), **how):
        before = f"{safe_stem(name)}-" if name else ""
        with past_damage():
            drawn |= sheets(opened, which.draw, before)
        if wanted:
            drawn[f"{before}batches.png"] = batch_sheet(fitted(opened, wanted), wanted)
    with made_beside(output) as place:
        for name, image in drawn.items():
            write_image(place / name, image)
        publish({place / name: output / name for name in drawn})
    for name in drawn:
        tell(str(output / name))


@data.command(cls=HelpfulCommand)
def convert(
    source: DataArgument,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Where the new data set goes; may hold other splits of it."
        ),
    ],
    to: Annotated[str, choice(lambda: WRITERS, "The new format.")],
    task: TaskOption = USUAL,
    split: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The new split's name; by default the old one's, or train."
        ),
    ] = "",
    format_: FormatOption = "",
    lists: ListsOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
) -> None:
    """Write a data set in another format, images and all.

    \b
    cvtasks data convert VOCdevkit/VOC2012:train voc-as-coco --to coco
    cvtasks data convert coco:val2017 coco-as-yolo --to yolo --split val
    cvtasks data convert --task segment VOCdevkit/VOC2012:val for-cvat --to cvat
    cvtasks data convert --task instances coco:val2017 outlines --to yolo
    """
    from cvtasks.data import split_of
    from cvtasks.data.writing.convert import convert as write
    from cvtasks.files.writing import check_folder

    check_folder(folder)
    hints = hints_of(task, set_, classes_from)
    opened = _open(source, TASKS[task].task.answer, format_, lists, hints)
    name = split or (split_of(source)[1] or opened.split if opened.split else "train")
    with past_damage():
        lost = write(opened, to, folder, name)
    for remark in [*opened.remarks(), *lost]:
        say(f"data: {remark}")
    say(f"{counted(len(opened), 'image')} → {folder}:{name}")


@data.command(cls=HelpfulCommand)
def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"Which data set: {', '.join(KNOWN)}.",
            callback=one_of(lambda: KNOWN),
        ),
    ],
    output: Annotated[
        Path | None,
        into("Where it goes; the folder of caches by default."),
    ] = None,
    url: Annotated[
        str,
        typer.Option(
            metavar="BASE", help="Address below which its files lie, if not its authors'."
        ),
    ] = "",
) -> None:
    """Fetch a well-known data set, check it, and unpack it; print its folder.

    \b
    cvtasks data get fashion-mnist
    cvtasks data stats --task classify fashion-mnist:train
    cvtasks data get voc2012 -o data --url https://mirror.example/voc
    """
    from cvtasks.data.download.fetch import fetch
    from cvtasks.files.writing import check_folder

    known, place, ticker = KNOWN[name], output or place_of(name), Ticker()
    check_folder(place)
    say(
        f"{known.title} ({known.page}), {sum(file.size for file in known.files) / 1e6:,.0f} MB. "
        f"{known.terms}"
    )
    try:
        new = fetch(known, place, url, ticker.show)
    finally:
        ticker.clear()
    done = "fetched" if new else "there already, left as it is"
    say(f"{done}: {place / known.root}")
    tell(str(place / known.root))


def _opened(
    path: str,
    split: str,
    kind: "type[Answer]",
    told: set[str],
    names: "Sequence[str] | None" = None,
    **how: Any,
) -> "Iterator[tuple[str, Source]]":
    """A split, or where none is named each that has an image, with its name, which is empty where
    it is the only one.

    Args:
        told: what was said. names: of the splits; all of the data's by default.
        how: format, lists and hints.
    """
    from cvtasks.data import splits_of
    from cvtasks.data.checking.leaks import in_order
    from cvtasks.data.source import EMPTY

    known = names or ([split] if split else in_order(splits_of(path, kind, **how)))
    for name in known:
        data = f"{path}:{name}" if name else path
        try:
            opened = _open(data, kind, how["format"], how["lists"], how["hints"], told)
        except DataError as error:
            if error.rule != EMPTY or len(known) < 2:
                raise
            say(f"data: {name}: no image")
        else:
            yield name if len(known) > 1 else "", opened


def _open(
    data: str,
    kind: "type[Answer]",
    format: str,
    lists: str = "",
    hints: "Hints | None" = None,
    told: set[str] | None = None,
) -> "Source":
    from cvtasks.data import split_of
    from cvtasks.data.opening import title
    from cvtasks.data.splits import open_usable

    path, split = split_of(data)
    opened = open_usable(path, split, kind, say, format=format, lists=lists, hints=hints)
    say(f"data: {opened.format}, {title(path, opened.split)}, {counted(len(opened), 'image')}")
    _say_once([opened.taken_for] if opened.taken_for else [], set() if told is None else told)
    return opened


def _say_once(remarks: "Iterable[str]", told: set[str]) -> None:
    """Say what was not said before, of another split of the same data, and note that it was."""
    for remark in remarks:
        if remark not in told:
            told.add(remark)
            say(f"data: {remark}")
