"""`cvtasks data prelabel`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtasks.cli import completion
from cvtasks.cli.options import (
    AugmentOption,
    DeviceOption,
    EngineOption,
    PrecisionOption,
    into,
    one_of,
    starts_keras,
)
from cvtasks.cli.output import Ticker, say, start_keras, tell
from cvtasks.cli.predict import ClassesOption, ThresholdOption, kept_classes
from cvtasks.cli.ways import with_options
from cvtasks.data.writing.table import WRITERS
from cvtasks.engines.table import AUTO
from cvtasks.errors import CVTasksError, InputError, UsageError
from cvtasks.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from cvtasks.data.writing.writer import Labelled
    from cvtasks.inference.prelabel import Prelabelled
    from cvtasks.media.sources import Item

_PREFIXED = "label-studio"  # the format whose names have a prefix

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name of `cvtasks models`, or a folder that train wrote.",
        autocompletion=completion.models,
    ),
]


def prelabel(
    model: ModelArgument,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help='Image files, a folder, "globs".')
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar=f"[{'|'.join(WRITERS)}]",
            help="The format; the first of these that can hold the answers.",
            show_default="coco; csv for labels",
            callback=lambda name: name and one_of(lambda: WRITERS)(name),
        ),
    ] = "",
    output: Annotated[
        Path,
        into("Where annotations go; may be the folder of the images itself."),
    ] = Path("outputs/prelabel"),
    threshold: ThresholdOption = None,
    classes: ClassesOption = "",
    scores: Annotated[
        bool,
        typer.Option(
            "--scores/--no-scores",
            help="Write scores; without, as if people had drawn it (labelImg's YOLO needs that).",
        ),
    ] = True,
    prefix: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="For Label Studio: what stands before a name, as /data/local-files/?d=photos/",
        ),
    ] = "",
    augment: AugmentOption = "",
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
) -> None:
    """Label images by a model, with scores, in a format that a labelling tool opens: correct there
    what is wrong, and train on it. Images stay where they are; only yolo copies them.

    \b
    cvtasks data prelabel detect-yolox-nano-voc photos/ --to labelme -o photos
    cvtasks data prelabel detect-yolox-nano-voc photos/ --to cvat --threshold 0.3
    cvtasks data prelabel runs/roads photos/ --to label-studio \\
        --prefix '/data/local-files/?d=photos/'
    cvtasks data prelabel runs/pets 'inbox/**/*.jpg' --to csv -o inbox

    An image that has a file of its own in DIR already is left as it is: run it again when new ones
    have come. Most worth a look is what `data review` puts first.
    """
    from cvtasks.files.writing import check_folder
    from cvtasks.inference.prelabel import format_of, root_of
    from cvtasks.inference.prelabel import prelabel as run
    from cvtasks.media.sources import Item, expand
    from cvtasks.model import load
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, model_folder

    check_folder(output)
    _check_prefix(to, prefix)
    chosen = format_of(to, read_recipe(model_folder(model) / RECIPE).task.answer)
    items = []
    for one in expand(images):
        if not isinstance(one, Item):
            raise InputError(
                f"annotations are of images; {one.source!r} is a video or a camera. Save its "
                "frames first."
            )
        items.append(one)
    labelled = {os.path.abspath(item.source) for item in items}  # noqa: PTH100 - without `..`
    for folder in images:
        own = output / chosen.layout.images("train") if chosen.copied else output
        _tell_of_folders_below(Path(folder), own, labelled)
    if starts_keras(engine, device):
        start_keras()
    loaded = load(
        model, engine=engine, precision=precision, device=device, many=True, augment=augment
    )
    ticker, done, failed = Ticker(), 0, 0

    def report(error: CVTasksError) -> None:
        nonlocal failed
        failed += 1
        ticker.clear()
        say(with_options(error))

    def count(one: "Labelled") -> None:
        nonlocal done
        done += 1
        ticker.show(f"{done} of {len(items)} images")

    try:
        result = run(
            *(loaded, items, output, to),
            threshold=threshold,
            keep=kept_classes(classes, loaded.recipe.classes),
            scores=scores,
            prefix=prefix,
            root=root_of(images),
            on_error=report,
            on_image=count,
        )
    finally:
        ticker.clear()
    _report(result, items, output, failed)


def _check_prefix(to: str, prefix: str) -> None:
    """Raise UsageError for a prefix that would do nothing."""
    if prefix and to != _PREFIXED:
        given = f"--to {to}" if to else "no --to"
        raise UsageError(
            f"--prefix stands before names in {_PREFIXED} alone; got {given}. Give "
            f"--to {_PREFIXED}, or leave --prefix out."
        )


def _tell_of_folders_below(folder: Path, own: Path, labelled: "Set[str]") -> None:
    """Say how many images lie in folders below one that was given, whose own alone are labelled.

    Args:
        own: a folder whose images count for nothing, as they may have been written here.
        labelled: absolute paths of images that are labelled all the same.
    """
    from cvtasks.data.formats.listing import images_in

    if not folder.is_dir():
        return
    home = Path(os.path.abspath(own))  # noqa: PTH100 - without `..`
    inside = Path(os.path.abspath(folder)) in home.parents  # noqa: PTH100
    below = [
        path
        for path in images_in(folder, deep=True)
        if path.parent != folder and os.path.abspath(path) not in labelled  # noqa: PTH100
    ]
    places = (Path(os.path.abspath(path)) for path in below)  # noqa: PTH100
    count = sum(not (inside and place.is_relative_to(home)) for place in places)
    if count:
        say(
            f"{counted(count, 'image')} in folders below {str(folder)!r} passed over; for these "
            f"give the glob {str(folder / '**' / '*')!r}, quoted"
        )


def _report(result: "Prelabelled", items: "Sequence[Item]", output: Path, failed: int) -> None:
    """Print the files that were written, and say what was done, and what was not.

    Raises:
        InputError: an image could not be read, or something given is none.
    """
    none = sum(not Path(item.source).is_file() for item in items)
    images = result.images + result.left + failed - none
    if result.left:
        have, they_are = ("has", "it is") if result.left == 1 else ("have", "they are")
        say(
            f"{result.left} of {counted(images, 'image')} {have} an annotation already: left as "
            f"{they_are}"
        )
    for path in result.files[:1] if len(result.files) > 3 else result.files:
        tell(str(path))
    more = f" and {len(result.files) - 1} more files" if len(result.files) > 3 else ""
    for line in result.lost:
        say(f"data: {line}")
    if result.images:
        say(f"{counted(result.images, 'image')} → {output}{more}; {result.hint}")
    else:
        say("no image was labelled")
    wrong = [f"{counted(none, 'source')} without an image"] if none else []
    if failed > none:
        wrong += [f"{failed - none} of {counted(images, 'image')} could not be read"]
    if failed:
        raise InputError(f"{'; '.join(wrong)}. {counted(result.images, 'image')} labelled.")
