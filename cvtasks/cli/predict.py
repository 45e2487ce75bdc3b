"""The task commands: pictures in; drawings, files and records out. One body for every task."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cvtasks.cli.output import Ticker, say, start_keras
from cvtasks.errors import CVTasksError, InputError, ModelError, did_you_mean

SourcesArgument = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help='Pictures, folders, "globs", URLs, - (stdin) or sample:NAME.')
]
ModelOption = Annotated[str, typer.Option("-m", "--model", metavar="MODEL", help="A name of `cvtasks models` or a folder.")]
OutputOption = Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Default: outputs/TASK.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout, nothing else there.")]
ClassesOption = Annotated[str, typer.Option(metavar="A,B", help="Keep only these classes.")]
SaveOption = Annotated[
    str, typer.Option(metavar="KINDS", help="Comma-separated: picture, json, csv and the task's own; or none.")
]
BatchOption = Annotated[int, typer.Option(min=0, help="Pictures a step of the keras engine; 0: one for one picture, else 8.")]
EngineOption = Annotated[
    Literal["auto", "keras", "openvino"], typer.Option(help="What runs the network; auto: openvino on a CPU, keras on a GPU.")
]
PrecisionOption = Annotated[
    Literal["auto", "f32", "bf16"], typer.Option(help="What the network computes in; auto: bf16 on a CPU that has it.")
]
DeviceOption = Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="Where the network runs.")]


def segment(
    sources: SourcesArgument,
    model: ModelOption = "",
    output: OutputOption = None,
    as_json: JsonOption = False,
    classes: ClassesOption = "",
    save: SaveOption = "",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    batch: BatchOption = 0,
) -> None:
    """Say for every pixel what it shows: an overlay with a legend, an indexed mask, a record.

    \b
    cvtasks segment photo.jpg
    cvtasks segment holidays/ --save mask,json -o masks
    cvtasks segment --json sample:chelsea | jq .mask.shares
    """
    _run(
        "segment",
        sources,
        model,
        output,
        as_json,
        classes,
        save,
        {"engine": engine, "precision": precision, "device": device},
        batch,
    )


def _run(
    task: str,
    sources: list[str],
    model: str,
    output: Path | None,
    as_json: bool,
    classes: str,
    save: str,
    how: dict[str, Any],
    batch: int,
) -> None:
    """Run a task's model over the sources; one bad source is reported and does not stop the others."""
    from cvtasks.media.prefetch import prefetched
    from cvtasks.media.sink import Sink
    from cvtasks.media.sources import Item, expand
    from cvtasks.model import load
    from cvtasks.zoo import default_model

    if how["engine"] == "keras" or how["device"] == "gpu":
        start_keras()
    items = expand(sources)
    first = [item for _, item in zip(range(2), items, strict=False)]
    loaded = load(model or default_model(task), many=len(first) > 1, batch=batch, **how)
    recipe = loaded.recipe
    if recipe.task.name != task:
        raise ModelError(
            f"{task} needs a model of this task; {loaded.name} is one for {recipe.task.name}. See: cvtasks models"
        )
    keep = _kept(classes, recipe.classes)
    kinds = ("picture", *recipe.task.files) if not save else () if save == "none" else tuple(save.split(","))
    sink = Sink(output or Path("outputs") / task, recipe.task, kinds)
    ticker, done, failed = Ticker(), 0, 0

    def all_items() -> Iterator[Item]:
        yield from first
        yield from items

    def read(item: Item) -> tuple[Item, Any]:
        try:
            return item, item.read()
        except CVTasksError as error:
            return item, error

    def pictures() -> Iterator[tuple[Item, Any]]:
        nonlocal failed
        for item, image in prefetched((partial(read, item) for item in all_items()), threads=1, ahead=4):
            if isinstance(image, CVTasksError):
                failed += 1
                ticker.clear()
                say(str(image))
                continue
            yield item, image

    def finished() -> Iterator[tuple[dict[str, Any], Any, list[Path]]]:
        def write(item: Item, image: Any, answer: Any, stem: Path) -> tuple[dict[str, Any], Any, list[Path]]:
            facts = {"source": item.source, "width": image.shape[1], "height": image.shape[0], "task": task}
            facts |= {"model": loaded.name, "engine": loaded.engine.name}
            return facts | recipe.task.record(answer), answer, sink.write(stem, image, answer)

        def calls() -> Iterator[Any]:
            for item, image, answer in loaded.predict_many(pictures()):
                kept = recipe.task.keep(answer, keep) if keep else answer
                yield partial(write, item, image, kept, sink.stem(item.name))

        yield from prefetched(calls(), threads=1, ahead=4)

    try:
        for record, answer, files in finished():
            done += 1
            sink.record(record, answer)
            if as_json:
                print(json.dumps(record), flush=True)
            ticker.clear()
            where = f" → {', '.join(map(str, files))}" if files else ""
            say(f"{record['source']}: {recipe.task.summary(answer)}{where}")
            ticker.show(f"{done} pictures")
    finally:
        ticker.clear()
        for path in sink.close():
            say(f"records → {path}")
    if failed:
        raise InputError(f"{failed} of {done + failed} inputs could not be read; {done} were done.")


def _kept(classes: str, known: tuple[str, ...]) -> list[str]:
    names = [name.strip() for name in classes.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ModelError(f'the model does not know the class "{name}". {did_you_mean(name, known)}')
    return names
