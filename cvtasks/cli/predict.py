"""The task commands: images, videos, cameras and streams in; drawings, files and records out. One
body for every task.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cvtasks.cli.live import Show, Watch, hold, run_stream
from cvtasks.cli.options import DeviceOption, EngineOption, PrecisionOption, starts_keras
from cvtasks.cli.output import Ticker, say, start_keras
from cvtasks.cli.ways import with_options
from cvtasks.engines.table import AUTO
from cvtasks.errors import CVTasksError, InputError, ModelError, did_you_mean
from cvtasks.text import dumps
from cvtasks.training.stopping import Interrupted, stop_asked

if TYPE_CHECKING:
    from cvtasks.inference.pipeline import Job
    from cvtasks.media.sources import Item
    from cvtasks.media.streams import Stream
    from cvtasks.media.viewer import Viewer

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help=(
            'Images, videos, folders, "globs", URLs, - (stdin), a camera (0), an rtsp:// stream or '
            "sample:NAME."
        ),
    ),
]
ModelOption = Annotated[
    str,
    typer.Option("-m", "--model", metavar="MODEL", help="A name of `cvtasks models` or a folder."),
]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="DIR", help="Default: outputs/TASK.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object a line on stdout, nothing else there.")
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        metavar="X", min=0, max=1, help="Least score of what is shown; default: the model's own."
    ),
]
ClassesOption = Annotated[str, typer.Option(metavar="A,B", help="Keep only these classes.")]
SaveOption = Annotated[
    str,
    typer.Option(
        metavar="KINDS", help="Comma-separated: image, json, csv and the task's own; or none."
    ),
]
BatchOption = Annotated[
    int,
    typer.Option(min=0, help="Images a step of the keras engine; 0: one for one image, else 8."),
]
ShowOption = Annotated[
    Show,
    typer.Option(
        metavar="[auto|window|browser|none]",
        help="Live view: a window if there can be one, else a page on 127.0.0.1.",
        show_default="auto for cameras unless --json",
    ),
]
PortOption = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of that page; 0: any that is free.")
]
EveryOption = Annotated[
    int, typer.Option(metavar="N", min=1, help="Only every N-th frame of a video.")
]
MostOption = Annotated[
    int,
    typer.Option("--max-frames", metavar="N", min=0, help="End a video after N frames; 0: never."),
]
RealtimeOption = Annotated[
    bool | None,
    typer.Option(
        "--realtime/--all-frames",
        help="The newest frame wins, or none is skipped.",
        show_default="realtime for cameras and streams, all frames for files",
    ),
]


@dataclass(frozen=True)
class Wish:
    """What the user asked for, apart from the sources."""

    task: str
    model: str
    output: Path | None
    as_json: bool
    threshold: float | None
    classes: str
    save: str
    watch: Watch
    how: dict[str, Any]  # of `load`


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
        engine: EngineOption = AUTO,
        precision: PrecisionOption = AUTO,
        device: DeviceOption = AUTO,
        batch: BatchOption = 0,
    ) -> None:
        watch = Watch(show, port, every, max_frames, realtime)
        how = {"engine": engine, "precision": precision, "device": device, "batch": batch}
        _run(sources, Wish(task, model, output, as_json, threshold, classes, save, watch, how))

    command.__name__, command.__doc__ = task, text
    return command


def _run(sources: list[str], wish: Wish) -> None:
    """Run a task's model over the sources; one bad source is reported and does not
    stop the others.
    """
    from cvtasks.files.writing import check_folder
    from cvtasks.inference.pipeline import Job
    from cvtasks.inference.sink import Sink
    from cvtasks.media.sources import Item, expand
    from cvtasks.model import load
    from cvtasks.zoo import default_model

    folder = wish.output or Path("outputs") / wish.task
    if wish.save != "none":
        check_folder(folder)
    if starts_keras(wish.how["engine"], wish.how["device"]):
        start_keras()
    items = expand(sources)
    first = list(islice(items, 2))
    many = len(first) > 1 or not all(isinstance(one, Item) or one.live for one in first)
    model = load(wish.model or default_model(wish.task), many=many, **wish.how)
    task = model.recipe.task
    if task.name != wish.task:
        raise ModelError(
            f"{wish.task} needs a model of this task; {model.name} is one for {task.name}. See: "
            "cvtasks models"
        )
    kinds = (
        ()
        if wish.save == "none"
        else tuple(wish.save.split(","))
        if wish.save
        else ("image", *task.files)
    )
    sink = Sink(folder, task, kinds)
    records = wish.as_json or "json" in kinds
    watch = replace(wish.watch, show=_shown(wish, first))
    job = Job(
        model,
        sink,
        kinds,
        _kept(wish.classes, model.recipe.classes),
        wish.threshold,
        records,
        bool(watch.show),
    )
    frame_files = wish.save != "" and not {*kinds}.isdisjoint({*task.files, *task.files_on_request})
    done = failed = cut = 0
    try:
        with watch.opened(f"cvtasks {wish.task}") as viewer:
            for kind, group in groupby(chain(first, items), type):
                if kind is Item:
                    well, ill = _run_images(
                        cast("Iterator[Item]", group), job, viewer, wish.as_json
                    )
                    done, failed = done + well, failed + ill
                for stream in cast("Iterator[Stream]", group) if kind is not Item else ():
                    try:
                        whole = run_stream(stream, job, watch, viewer, wish.as_json, frame_files)
                        done, cut = done + whole, cut + (not whole)
                    except InputError as error:
                        say(with_options(error))
                        failed += 1
    finally:
        for path in sink.close():
            say(f"records → {path}")
    total = done + failed + cut
    if failed:
        ends = f", and {cut} not to the end" if cut else ""
        raise InputError(f"{failed} of {total} inputs could not be read{ends}; {done} were done.")
    if cut:
        raise InputError(
            f"{cut} of {total} inputs could not be read to the end; what was there is done."
        )


def _shown(wish: Wish, first: "list[Item | Stream]") -> Show:
    """The live view that is wanted; whoever names a camera wants to see it."""
    if not wish.watch.show and not wish.as_json and any(one.is_camera for one in first):
        return "auto"
    return "" if wish.watch.show == "none" else wish.watch.show


def _run_images(
    items: "Iterable[Item]", job: "Job", viewer: "Viewer | None", as_json: bool
) -> tuple[int, int]:
    """Do images; returns how many were done and how many could not be read. A signal ends it, and
    Interrupted is raised then.
    """
    from cvtasks.media.prefetch import shut

    ticker, done, failed = Ticker(), 0, 0

    def report(error: CVTasksError) -> None:
        nonlocal failed
        failed += 1
        ticker.clear()
        say(with_options(error))

    def tell(remark: str) -> None:
        ticker.clear()
        say(remark)

    with stop_asked() as asked, shut(job.images(items, report, tell, stop=asked)) as finished:
        for one in finished:
            done += 1
            if as_json:
                print(dumps(one.record), flush=True)
            ticker.clear()
            where = f" → {', '.join(map(str, one.files))}" if one.files else ""
            say(f"{one.record['source']}: {job.summary(one.answer)}{where}")
            ticker.show(f"{done} image{'s' * (done > 1)}")
            if viewer and one.drawn is not None:
                viewer.show(one.drawn, {"image": one.record["source"]})
    ticker.clear()
    if asked.is_set():
        raise Interrupted
    if viewer and done:
        hold(viewer)
    return done, failed


def _kept(classes: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip() for name in classes.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ModelError(
                f'the model does not know the class "{name}". {did_you_mean(name, known)}'
            )
    return tuple(names)
