"""The task commands: images, videos, cameras and streams in; drawings, files and records out. One
body for every task.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.hints import hint_at_tiles
from cvtasks.cli.inputs import Run, check_all_read
from cvtasks.cli.live import (
    EveryOption,
    MostOption,
    PortOption,
    RealtimeOption,
    Show,
    ShowOption,
    SmoothOption,
    Watch,
)
from cvtasks.cli.options import (
    AugmentOption,
    BatchOption,
    DeviceOption,
    EngineOption,
    MostPixelsOption,
    PrecisionOption,
    TilesOption,
    into,
    starts_keras,
)
from cvtasks.cli.output import say, start_keras
from cvtasks.cli.tracks import CountOption, FillOption, TrackOption, follow_of
from cvtasks.engines.table import AUTO
from cvtasks.errors import ModelError, UsageError, did_you_mean
from cvtasks.media.image_headers import MAX_PIXELS
from cvtasks.text import composed

if TYPE_CHECKING:
    from cvtasks.inference.following import Follow
    from cvtasks.media.sources import Item
    from cvtasks.media.streams import Stream
    from cvtasks.model import Model

_BEFORE = {"picture": "image"}
"""Kinds of files by the names that they had before → their names."""

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help=(
            'Images, videos, folders, "globs", URLs, - (stdin), a camera (0), an rtsp:// stream or '
            "sample:NAME."
        ),
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL",
        help="A name of `cvtasks models` or a folder.",
        autocompletion=completion.models,
    ),
]
OutputOption = Annotated[
    Path | None,
    into("Folder for what is written.", show_default="outputs/ and the command's name"),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object a line on stdout, nothing else there.")
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        min=0,
        max=1,
        help="Least score of what is shown.",
        show_default="the model's own",
    ),
]
ClassesOption = Annotated[
    str,
    typer.Option(metavar="A,B", help="Keep only these classes.", autocompletion=completion.classes),
]
SaveOption = Annotated[
    str,
    typer.Option(
        metavar="KINDS", help="Comma-separated: image, json, csv and the task's own; or none."
    ),
]


@dataclass(frozen=True)
class Options:
    """What the user asked for, apart from the sources."""

    task: str
    model: str
    output: Path | None
    as_json: bool
    threshold: float | None
    classes: str
    save: str
    watch: Watch
    follow: "Follow | None"
    how: dict[str, Any]  # of `load`
    tiles: str = ""
    most_pixels: int = MAX_PIXELS


def task_command(task: str, text: str) -> Callable[..., None]:
    """Make the command of a task; `text` is its help."""

    def command(
        sources: SourcesArgument,
        model: ModelOption = "",
        output: OutputOption = None,
        as_json: JsonOption = False,
        threshold: ThresholdOption = None,
        classes: ClassesOption = "",
        save: SaveOption = "",
        show: ShowOption = "",
        port: PortOption = 0,
        every: EveryOption = 1,
        max_frames: MostOption = 0,
        realtime: RealtimeOption = None,
        smooth: SmoothOption = 0,
        track: TrackOption = False,
        count: CountOption = None,
        fill_gaps: FillOption = False,
        augment: AugmentOption = "",
        tiles: TilesOption = "",
        most_pixels: MostPixelsOption = MAX_PIXELS,
        engine: EngineOption = AUTO,
        precision: PrecisionOption = AUTO,
        device: DeviceOption = AUTO,
        batch: BatchOption = 0,
    ) -> None:
        watch = Watch(show, port, every, max_frames, realtime, smooth)
        how = {"engine": engine, "precision": precision, "device": device, "batch": batch}
        how["augment"] = augment
        follow = follow_of(track or "mot" in save.split(","), count, fill_gaps)
        chosen = (output, as_json, threshold, classes, save, watch, follow)
        _run(sources, Options(task, model, *chosen, how, tiles, most_pixels))

    command.__name__, command.__doc__ = task, text
    return command


def _run(sources: list[str], options: Options) -> None:
    """Run a task's model over the sources; one bad source is reported and does not
    stop the others.
    """
    from cvtasks.files.writing import check_folder
    from cvtasks.geometry.tiles import tiles_of
    from cvtasks.inference.pipeline import Job
    from cvtasks.inference.sink import Sink
    from cvtasks.media.sources import Item, expand

    tiles = tiles_of(options.tiles)
    folder = options.output or Path("outputs") / options.task
    if options.save != "none":
        check_folder(folder)
    items = expand(sources, max_pixels=options.most_pixels)
    first = list(islice(items, 2))
    watch = replace(options.watch, show=_shown(options, first))
    watch.check_port()
    if starts_keras(options.how["engine"], options.how["device"]):
        start_keras()
    many = len(first) > 1 or not all(isinstance(one, Item) or one.live for one in first)
    model = _model(options, many)
    task = model.recipe.task
    hint_at_tiles(model.recipe, tiles)
    kinds = kinds_of(options.save, ("image", *task.files))
    sink = Sink(folder, task, kinds, tracked=options.follow is not None)
    kept = kept_classes(options.classes, model.recipe.classes)
    records = options.as_json or "json" in kinds
    job = Job(
        model,
        sink,
        kinds,
        kept,
        options.threshold,
        records,
        bool(watch.show),
        smooth=watch.smooth,
        follow=options.follow,
        tiles=tiles,
    )
    frame_files = options.save != "" and not {*kinds}.isdisjoint(
        {*task.files, *task.files_on_request}
    )
    try:
        with watch.opened(f"cvtasks {options.task}") as viewer:
            run = Run(job, watch, viewer, options.as_json, frame_files)
            counts = run.over(chain(first, items))
    finally:
        for path in sink.close():
            say(f"records → {path}")
    check_all_read(counts)


def _model(options: Options, many: bool) -> "Model":
    """The model that is wanted, ready to run; raises ModelError if it is one for another task."""
    from cvtasks.model import load
    from cvtasks.zoo import default_model

    model = load(options.model or default_model(options.task), many=many, **options.how)
    if model.recipe.task.name != options.task:
        raise ModelError(
            f"{options.task} needs a model of this task; {model.name} is one for "
            f"{model.recipe.task.name}. See: cvtasks models"
        )
    return model


def kinds_of(save: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of files that `--save` asks for; `usual` are those where it is not given.

    >>> kinds_of("picture,json", ()), kinds_of("none", ("image",)), kinds_of("", ("image",))
    (('image', 'json'), (), ('image',))
    """
    if save == "none":
        return ()
    return tuple(_BEFORE.get(kind, kind) for kind in save.split(",")) if save else usual


def _shown(options: Options, first: "list[Item | Stream]") -> Show:
    """The live view that is wanted; whoever names a camera wants to see it."""
    if not options.watch.show and not options.as_json and any(one.is_camera for one in first):
        return "auto"
    return "" if options.watch.show == "none" else options.watch.show


def kept_classes(classes: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The classes to keep, of those that the model knows; raises ModelError for another one, and
    UsageError for commas alone.

    Another name of such a class (`cvtasks.answers.synonyms`) is taken for it, and it is said.
    """
    from cvtasks.answers.synonyms import called_otherwise, in_words

    names = [composed(name.strip()) for name in classes.split(",") if name.strip()]
    if classes and not names:
        raise UsageError(
            f"--classes must name a class or several, with commas between; got {classes!r}. Name "
            "one, or leave it out."
        )
    called = called_otherwise(names, known)
    if called:
        say(f"classes of the model: {in_words(called)}")
    names = [called.get(name, name) for name in names]
    for name in names:
        if name not in known:
            raise ModelError(
                f'the model does not know the class "{name}". {did_you_mean(name, known)}'
            )
    return tuple(names)
