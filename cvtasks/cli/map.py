"""`cvtasks map`: very many images and videos, in pieces that a killed run need not do again."""

import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from cvtasks.cli import completion
from cvtasks.cli.data_prelabel import ModelArgument
from cvtasks.cli.live import EveryOption
from cvtasks.cli.options import (
    AugmentOption,
    BatchOption,
    DeviceOption,
    EngineOption,
    MostPixelsOption,
    PrecisionOption,
    TilesOption,
    into,
    one_of,
    starts_keras,
)
from cvtasks.cli.output import Ticker, duration, say, start_keras, tell
from cvtasks.cli.predict import ClassesOption, ThresholdOption, kept_classes
from cvtasks.engines.table import AUTO
from cvtasks.errors import InputError
from cvtasks.media.image_headers import MAX_PIXELS
from cvtasks.text import agreeing, counted
from cvtasks.training.stopping import Interrupted, stop_asked

_FORMS = ("jsonl", "parquet")


def map(
    model: ModelArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help='A folder and those below it, a "glob", a list of paths and URLs, DATA:SPLIT.',
        ),
    ],
    output: Annotated[
        Path,
        into("Where the shards go; again, to go on."),
    ] = Path("outputs/map"),
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar=f"[{'|'.join(_FORMS)}]",
            help="The files of the records.",
            callback=one_of(lambda: _FORMS),
            autocompletion=completion.any_of(lambda: _FORMS),
        ),
    ] = "jsonl",
    piece: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1_000_000, help="Images in a shard."),
    ] = 1000,
    frames: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Frames of a video in a shard; 0: all of them."),
    ] = 10_000,
    threshold: ThresholdOption = None,
    classes: ClassesOption = "",
    every: EveryOption = 1,
    tiles: TilesOption = "",
    augment: AugmentOption = "",
    most_pixels: MostPixelsOption = MAX_PIXELS,
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
    batch: BatchOption = 0,
    ray: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Workers of a Ray cluster do it: auto, ray://HOST:10001, or local for one here.",
            autocompletion=completion.any_of(lambda: ("auto", "local")),
        ),
    ] = "",
    workers: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=512,
            help="Processes that have the model loaded; with --ray, there.",
        ),
    ] = 1,
) -> None:
    """Put very many images and videos through a model, piece by piece: what is done stays done,
    however the run ends, and the same command goes on with the rest.

    \b
    cvtasks map detect-yolox-nano-voc photos/ -o found
    cvtasks map runs/mine 'archive/**/*.jpg' -o masks --piece 200
    cvtasks map runs/mine paths.txt -o found --workers 4
    cvtasks map runs/mine VOCdevkit/VOC2012:val -o found --format parquet
    cvtasks map runs/mine 's3://bucket/*.jpg' -o /shared/found --ray auto

    A shard, part-00012.jsonl or .parquet, holds the records of `--json` with an id each: the path
    below DATA, or the address without login and query. Inputs that cannot be read are listed in
    errors-00012.jsonl. Nothing is drawn; `detect` and the others do that.
    """
    from cvtasks.geometry.tiles import tiles_of
    from cvtasks.inference.mapping.in_processes import in_processes
    from cvtasks.inference.mapping.on_ray import on_ray
    from cvtasks.inference.mapping.plan import planned, recipe_of
    from cvtasks.inference.mapping.run import Does, locally, mapped

    tiles_of(tiles)
    apart = bool(ray) or workers > 1
    does: Does = locally
    if apart:
        does = on_ray(ray, workers) if ray else in_processes(workers)
    keep = kept_classes(classes, recipe_of(model).classes)
    how = {"engine": engine, "precision": precision, "batch": batch, "augment": augment}
    plan = planned(
        model,
        data,
        output,
        piece=piece,
        frames=frames,
        form=form,
        how={**how, "device": device},
        keep=keep,
        threshold=threshold,
        tiles=tiles,
        every=every,
        most_pixels=most_pixels,
    )
    for remark in plan.remarks:
        say(remark)
    total = plan.manifest.inputs
    shards = counted(len(plan.pieces), "shard", ",")
    say(f"{counted(total, 'input', ',')} ({counted(plan.videos, 'video', ',')}) in {shards}")
    if not apart and starts_keras(engine, device):
        start_keras()
    progress = _Progress()
    with stop_asked() as asked:
        try:
            result = mapped(plan, asked, does=does, begun=progress.begin, seen=progress.add)
        finally:
            progress.ticker.clear()
    kept = f", {counted(result.kept, 'shard', ',')} from before" if result.kept else ""
    say(f"{counted(result.pieces, 'shard', ',')} written{kept} → {output}")
    if result.done:
        elapsed = progress.elapsed
        speed = f"{result.done / max(elapsed, 1e-9):,.1f} images/s"
        say(f"{result.done:,} records in {duration(elapsed)}, {speed}: {result.costs()}")
    if asked.is_set():
        say("stopped; the same command goes on with the rest")
        raise Interrupted
    tell(str(output))
    if result.failed:
        raise InputError(
            f"{counted(result.failed, 'input', ',')} of {total:,} could not be read; "
            f"{agreeing(result.failed, 'it is', 'they are')} listed in "
            f"{str(output / 'errors-*.jsonl')!r}, and the others are done."
        )


class _Progress:
    """A line about how far the run is."""

    def __init__(self) -> None:
        self.ticker = Ticker()
        self._lock = threading.Lock()
        self._left = self._done = 0
        self._begun: float | None = None
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._start

    def begin(self, inputs: int) -> None:
        """So many inputs are left."""
        self._left, self._start = inputs, time.monotonic()

    def add(self, done: int) -> None:
        """So many more are done."""
        with self._lock:
            if self._begun is None:  # what comes before is the start of the model
                self._begun = time.monotonic()
            else:
                self._done += done
            seconds = time.monotonic() - self._begun
            if self._done and seconds:
                speed = self._done / seconds
                left = max(0, self._left - self._done) / speed
                self.ticker.show(
                    f"{self._done:,} of {self._left:,}, {speed:,.1f} images/s, "
                    f"{duration(left)} left"
                )
