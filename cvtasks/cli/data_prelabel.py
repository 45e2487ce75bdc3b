"""`cvtasks data prelabel`."""

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
from cvtasks.errors import CVTasksError, InputError
from cvtasks.text import counted

if TYPE_CHECKING:
    from cvtasks.data.writing.writer import Labelled

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
    from cvtasks.inference.prelabel import format_of
    from cvtasks.inference.prelabel import prelabel as run
    from cvtasks.media.sources import Item, expand
    from cvtasks.model import load
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, model_folder

    check_folder(output)
    format_of(to, read_recipe(model_folder(model) / RECIPE).task.answer)
    items = []
    for one in expand(images):
        if not isinstance(one, Item):
            raise InputError(
                f"annotations are of images; {one.source!r} is a video or a camera. Save its "
                "frames first."
            )
        items.append(one)
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
            on_error=report,
            on_image=count,
        )
    finally:
        ticker.clear()
    if result.left:
        say(f"{result.left} of {len(items)} images have an annotation already: left as they are")
    for path in result.files[:1] if len(result.files) > 3 else result.files:
        tell(str(path))
    more = f" and {len(result.files) - 1} more files" if len(result.files) > 3 else ""
    say(f"{counted(result.images, 'image')} → {output}{more}; {result.hint}")
    if failed:
        raise InputError(
            f"{failed} of {len(items)} images could not be read; {result.images} were labelled."
        )
