"""`cvtasks data review`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli.data_prelabel import ModelArgument
from cvtasks.cli.hints import ClassesFromOption, DataSetOption, hints_of
from cvtasks.cli.options import (
    DataArgument,
    DeviceOption,
    EngineOption,
    FormatOption,
    ListsOption,
    MapOption,
    PrecisionOption,
    into,
    starts_keras,
)
from cvtasks.cli.output import Ticker, say, start_keras, tell
from cvtasks.cli.ways import with_options
from cvtasks.engines.table import AUTO
from cvtasks.errors import CVTasksError, InputError, UsageError
from cvtasks.text import agreeing, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvtasks.data import Source
    from cvtasks.model import Model

_TOLD = 5  # images of which it is said why they are left out


def review(
    context: typer.Context,
    model: ModelArgument,
    source: DataArgument,
    output: Annotated[Path, into("New folder for the sheet.")] = Path("outputs/review"),
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="Images on the page; the table has all.")
    ] = 50,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled",
            help="DATA is a folder of images: those first of which the model is least sure.",
        ),
    ] = False,
    twins: Annotated[
        bool,
        typer.Option("--twins/--no-twins", help="Also look for images that look alike; slower."),
    ] = True,
    format_: FormatOption = "",
    lists: ListsOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
    map_: MapOption = None,
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
) -> None:
    """Put first what is most likely mislabelled, or most worth labelling: a page with truth and
    prediction of the first N images, and a table of all.

    \b
    cvtasks data review runs/mine my-data -o look
    cvtasks data review runs/mine/fold1 my-data -o look1
    cvtasks data review detect-yolox-nano-voc coco:val2017 --top 100
    cvtasks data review runs/mine inbox/ --unlabelled

    Objects without a label, labels without an object, other classes than the model is sure of,
    images that look alike. The model should not have learned these images: train with --folds 5,
    and review the data by each fold's model. Without a split those are looked at that were set
    aside in its training.
    """
    from cvtasks.evaluation.evaluate import check_new
    from cvtasks.evaluation.review.run import PAGE, TABLE, write_review
    from cvtasks.evaluation.review.run import review as run
    from cvtasks.files.writing import folder_held
    from cvtasks.model import load

    if unlabelled:
        _refuse_beside_photos(
            {"--format": format_, "--lists": lists, "--classes-from": classes_from}
            | {"--set": set_, "--map": map_}
        )
    context.with_resource(folder_held(output))
    check_new(output)
    if twins or starts_keras(engine, device):
        start_keras()
    loaded = load(model, many=True, engine=engine, precision=precision, device=device)
    read_as: dict[str, Any] = {"format": format_, "lists": lists}
    read_as |= {"hints": hints_of(loaded.recipe.task.name, set_, classes_from)}
    ticker = Ticker()
    faults = _Faults(ticker)
    only: Sequence[str] | None = None
    remarks: list[str] = []
    if unlabelled:
        data = _photos(source, loaded, faults)
    else:
        data, only, remarks = _labelled(source, loaded, faults, map_ or (), read_as)
    try:
        suspects = run(
            loaded,
            data,
            labelled=not unlabelled,
            alike=twins,
            only=only,
            on_image=lambda done: ticker.show(f"{done} of {len(data)} images"),
            on_error=faults,
        )
    finally:
        ticker.clear()
    write_review(
        *(output, suspects, loaded, data), top=top, labelled=not unlabelled, remarks=remarks
    )
    reasons = [one for one in suspects if one.score > 0]
    for one in reasons[:5]:
        say(f"{one.score:.2f} {data.name(one.image)}: {one.reason}, {one.detail}")
    sure = sum(one.score > 0.5 for one in reasons)
    say(
        f"{len(reasons)} of {counted(len(suspects), 'image')} "
        f"{agreeing(len(reasons), 'gives', 'give')} a reason to look at "
        f"{agreeing(len(reasons), 'it', 'them')}, {sure} with a score above 0.5 "
        f"→ {output}, every image in {TABLE}"
    )
    tell(str(output / PAGE))
    if faults.count:
        raise InputError(
            f"left out as faulty: {counted(faults.count, 'image')}. "
            f"{counted(len(suspects), 'image')} reviewed."
        )


def _refuse_beside_photos(options: "Mapping[str, object]") -> None:
    """Raise UsageError for options that say how labels are read, where none are."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(
            f"images without labels are read as they lie; {' and '.join(given)} "
            f"{agreeing(len(given), 'says', 'say')} how labels are read. Leave "
            f"{agreeing(len(given), 'it', 'them')} out, or --unlabelled."
        )


class _Faults:
    """Says why the first images are left out, and counts them all."""

    def __init__(self, ticker: Ticker) -> None:
        self.count, self._ticker = 0, ticker

    def __call__(self, error: CVTasksError) -> None:
        self.count += 1
        if self.count <= _TOLD:
            self._ticker.clear()
            say(with_options(error))


def _usable(source: "Source", faults: _Faults) -> "Source":
    """What can be used of a source."""
    from cvtasks.data.views import without_faults

    found: list[CVTasksError] = []
    usable = without_faults(source, found)
    for fault in found:
        faults(fault)
    return usable


def _photos(folder: str, model: "Model", faults: _Faults) -> "Source":
    """The images of a folder."""
    from cvtasks.evaluation.review.photos import Photos

    photos = _usable(Photos(Path(folder), model.recipe), faults)
    deep = sum("/" in photos.name(index) for index in range(len(photos)))
    below = f", {deep} of them in folders below" if deep else ""
    say(f"data: {counted(len(photos), 'image')} without labels{below}")
    return photos


def _labelled(
    source: str,
    model: "Model",
    faults: _Faults,
    renamed: "Iterable[str]",
    read_as: dict[str, Any],
) -> "tuple[Source, Sequence[str] | None, list[str]]":
    """The images of DATA[:SPLIT], the classes that count, and what the model knows of them."""
    from cvtasks.evaluation.of_model import evaluation_data
    from cvtasks.evaluation.review.run import learned_words

    found = evaluation_data(model.recipe, model.folder or Path(), source, renamed, say, **read_as)
    remarks = [line for line in [learned_words(model, found)] if line]
    for line in remarks:
        say(f"review: {line}")
    return _usable(found.source, faults), found.only, remarks
