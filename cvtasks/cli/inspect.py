"""`cvtasks inspect`: a network layer by layer, or one layer as an exercise."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.one_image import fitted, write_new
from cvtasks.cli.options import JsonOption, into
from cvtasks.cli.output import say, start_keras, tell, terminal_columns, wrapped
from cvtasks.errors import UsageError
from cvtasks.files.writing import check_folder
from cvtasks.text import counted, dumps

if TYPE_CHECKING:
    import numpy as np

    from cvtasks.insight.by_hand.exercises import Solution
    from cvtasks.insight.inspecting.inspect import Inspection
    from cvtasks.insight.open import Values

_EXERCISE = "Of an exercise: "
_ROWS = 24  # of a table that is read at once
_IMAGES = 8  # of noise, for the effective field

SubjectArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK|MODEL",
        autocompletion=completion.models,
        help=(
            "A network of a paper, a model (see `cvtasks models`), a folder; conv, transposed, "
            "pool or dense; networks, for those of ImageNet's years."
        ),
    ),
]
SizeOption = Annotated[
    str,
    typer.Option(
        metavar="N|HxW", help="The image's size.", show_default="the paper's or the model's"
    ),
]
LayerOption = Annotated[str, typer.Option(metavar="NAME", help="Only this layer.")]
WorkOption = Annotated[
    bool, typer.Option("--show-work", help="The formulas of that layer, with its numbers put in.")
]
EffectiveOption = Annotated[
    bool,
    typer.Option(
        "--effective", help="Measure what the layer, or the last map, sees, by gradients."
    ),
]
CsvOption = Annotated[
    bool, typer.Option("--csv", help="Print CSV on stdout and nothing else there.")
]
OutputOption = Annotated[
    Path | None,
    into("Draw the architecture (SVG), or the exercise, there."),
]
GraphOption = Annotated[
    str,
    typer.Option(
        metavar="A[,…]",
        help="Draw the layers whose names begin so as a graph, with branches and skips.",
    ),
]
InputOption = Annotated[
    str, typer.Option("--input", metavar="N|HxW|HxWxC", help=f"{_EXERCISE}the input.")
]
KernelOption = Annotated[
    str,
    typer.Option(
        metavar="K|HxW[,…]",
        help=f"{_EXERCISE}the kernel; several are convolutions one after the other.",
    ),
]
StrideOption = Annotated[
    str,
    typer.Option(
        metavar="S[,…]",
        help=f"{_EXERCISE}the stride, of each kernel.",
        show_default="1, of pool: the kernel",
    ),
]
PaddingOption = Annotated[
    str,
    typer.Option(
        metavar="P|same|valid[,…]",
        help=f"{_EXERCISE}zeros on each side, of each kernel.",
        show_default="0",
    ),
]
DilationOption = Annotated[
    str,
    typer.Option(
        metavar="D", help=f"{_EXERCISE}distance of the inputs it looks at.", show_default="1"
    ),
]
FiltersOption = Annotated[
    str,
    typer.Option(
        "--filters",
        "--units",
        metavar="F[,…]",
        help=f"{_EXERCISE}how many outputs, of each kernel; pool of a pooling in a chain.",
        show_default="1",
    ),
]
ChannelsOption = Annotated[
    int, typer.Option(metavar="C", min=0, help=f"{_EXERCISE}of the input.", show_default="1")
]
LayersOption = Annotated[
    str,
    typer.Option(
        metavar="all|L",
        help=f"all: a row for each layer of a long network. {_EXERCISE}so many convolutions one "
        "after the other.",
        show_default="stages of a long network; 1",
    ),
]


def inspect(
    subject: SubjectArgument,
    size: SizeOption = "",
    layer: LayerOption = "",
    show_work: WorkOption = False,
    effective: EffectiveOption = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    graph: GraphOption = "",
    output: OutputOption = None,
    input_size: InputOption = "",
    kernel: KernelOption = "",
    stride: StrideOption = "",
    padding: PaddingOption = "",
    dilation: DilationOption = "",
    filters: FiltersOption = "",
    channels: ChannelsOption = 0,
    layers: LayersOption = "",
) -> None:
    """Show what every layer computes, what it costs, and what its units see of the image.

    \b
    cvtasks inspect resnet50
    cvtasks inspect resnet50 --layers all
    cvtasks inspect vgg16 --size 320x480 -o outputs/inspect
    cvtasks inspect alexnet --layer conv1 --show-work
    cvtasks inspect detect-yolox-nano-voc --csv > layers.csv
    cvtasks inspect resnet18 --effective -o outputs/inspect
    cvtasks inspect resnet18 --graph conv2_block1
    cvtasks inspect nin --graph conv1,cccp1,cccp2
    cvtasks inspect networks -o outputs/inspect
    cvtasks inspect conv --input 7 --kernel 3 --stride 2 --padding 0
    cvtasks inspect conv --input 32x32x3 --kernel 5 --padding 2 --filters 10
    cvtasks inspect conv --kernel 3 --layers 3
    cvtasks inspect conv --kernel 5,2,5,2 --stride 1,2,1,2 --input 32
    cvtasks inspect conv --kernel 1,3,1 --filters 64,64,256 --input 56x56x256
    cvtasks inspect transposed --input 14x14x8 --kernel 2 --stride 2 --filters 4
    """
    from cvtasks.cli.exercise import KINDS, answer, refuse

    if as_json and as_csv:
        raise UsageError("--json and --csv are two ways to print the same; choose one.")
    given = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "filters": filters,
    }
    if subject in KINDS:
        others = {
            "size": size,
            "layer": layer,
            "effective": effective,
            "csv": as_csv,
            "graph": graph,
        }
        refuse(others, f"{subject} is one layer by itself and takes --input, --kernel, --stride …")
        if layers and not layers.isdecimal():
            raise UsageError(f"--layers of an exercise is a number, like 3; got {layers!r}.")
        count = int(layers or 1)
        solved = answer(subject, size=input_size, channels=channels, layers=count, **given)
        _answered(subject, solved, as_json, output)
        return
    if subject == "networks":
        others = {"size": size, "layer": layer, "effective": effective, "graph": graph}
        refuse({**others, "input": input_size, **given}, "networks compares those of the papers")
        _networks(as_json, as_csv, output)
        return
    chosen = {"input": input_size, **given, "channels": channels}
    chosen["layers"] = layers not in ("", "all")
    refuse(chosen, f"that is for {', '.join(KINDS)}; {subject} takes --size and --layer")
    if show_work and not layer:
        raise UsageError("--show-work shows the work of one layer; name it with --layer.")
    if graph.strip(", "):
        refuse({"layer": layer, "effective": effective}, "--graph draws layers, it measures none")
        _graph(subject, size, graph, as_json, as_csv, output or Path("outputs/inspect"))
        return
    every = layers == "all"
    _network(subject, size, layer, show_work, every, effective, as_json, as_csv, output)


def _answered(subject: str, solved: "Solution", as_json: bool, output: Path | None) -> None:
    """Print the solution of an exercise, and draw it where it is asked for."""
    files = []
    if output:
        if not solved.draw:
            raise UsageError(
                "a sheet is drawn of conv and pool with one kernel, or with --layers; of this "
                "there is none. Leave --output out."
            )
        check_folder(output)
        files = write_new(output, subject, {".png": solved.draw()})
    if as_json:
        written = {"files": [str(path) for path in files]} if output else {}
        print(dumps({**solved.values, **written}))
    else:
        tell(*fitted(solved.lines))
    for path in files:
        say(f"→ {path}")


def _networks(as_json: bool, as_csv: bool, output: Path | None) -> None:
    """What the networks of ImageNet's years cost, by their graphs, and reach, by their papers."""
    from cvtasks.cli.output import Ticker

    if output:
        check_folder(output)
    start_keras()
    from cvtasks.insight.inspecting.published import costed, csv_of, lines_of, plot, records

    ticker = Ticker()
    try:
        rows = costed(progress=ticker.show)
    finally:
        ticker.clear()
    if as_json:
        print(dumps({"networks": records(rows)}))
    else:
        tell(*(csv_of(rows) if as_csv else lines_of(rows)))
    say("errors: of the papers, as their tables have them; costs: counted at the papers' sizes")
    if output:
        (path,) = write_new(output, "networks", {".png": plot(rows)})
        say(f"→ {path}")


def _graph(name: str, size: str, names: str, as_json: bool, as_csv: bool, output: Path) -> None:
    """Draw a part of a network as a graph; its layers as a table, JSON or CSV."""
    from cvtasks.media.names import safe_stem

    inspection, said = _inspected(name, size, "none", output)
    from cvtasks.insight.inspecting.block import graph_page, part_of
    from cvtasks.insight.inspecting.table import record, summary, table, to_csv

    wanted = [part.strip() for part in names.split(",") if part.strip()]
    rows = part_of(inspection, wanted)
    page = graph_page(inspection, rows, f"{inspection.name}: {', '.join(wanted)}")
    stem = safe_stem("-".join((Path(name).resolve().name, *wanted)))
    paths = write_new(output, stem, {".svg": page.svg(), ".png": page.pixels()})
    say(said)
    if as_json:
        drawn = {"files": list(map(str, paths))}
        print(dumps({**summary(inspection), **drawn, "rows": [record(row) for row in rows]}))
    else:
        tell(
            *(to_csv(rows).rstrip("\n").split("\n") if as_csv else table(rows, terminal_columns()))
        )
    say(f"{inspection.name} → {', '.join(map(str, paths))}")


def _inspected(
    name: str, size: str, values: "Values", output: Path | None
) -> "tuple[Inspection, str]":
    """The network, opened and inspected, and what is said of it."""
    from cvtasks.cli.exercise import pair
    from cvtasks.insight.open import is_backbone

    wanted = pair(size, "size") if size else None
    is_backbone(name)  # names what cannot be opened before Keras is loaded
    if output:
        check_folder(output)
    start_keras()
    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.open import open_network

    found = open_network(name, wanted, values=values, top=True)
    said = found.said if values == "none" else f"{found.said}, {found.weights}"
    return inspect_network(found.network, found.name), said


def _network(
    name: str,
    size: str,
    layer: str,
    show_work: bool,
    every: bool,
    effective: bool,
    as_json: bool,
    as_csv: bool,
    output: Path | None,
) -> None:
    from cvtasks.media.names import safe_stem

    inspection, said = _inspected(name, size, "any" if effective else "none", output)
    from cvtasks.insight.inspecting.stages import by_stage, stage_table
    from cvtasks.insight.inspecting.table import (
        LEGEND,
        layer_lines,
        record,
        summary,
        table,
        to_csv,
        totals,
    )

    say(said)
    rows = [inspection.row(layer)] if layer else list(inspection.rows)
    measured, drawn = _measured(inspection, layer) if effective else (None, None)
    if as_json:
        extra = {"effective_field": measured} if measured else {}
        print(dumps({**summary(inspection), **extra, "rows": [record(row) for row in rows]}))
    elif as_csv:
        tell(*to_csv(rows).rstrip("\n").split("\n"))
    else:
        columns, staged = terminal_columns(), len(rows) > _ROWS and not every
        if staged:
            lines = stage_table(by_stage(rows), columns)
        else:
            lines = layer_lines(rows[0]) if show_work else table(rows, columns)
        lines += totals(inspection) if not layer else []
        lines += [_sentence(measured)] if measured else []
        tell(*(line for whole in lines for line in wrapped(whole, columns=max(columns, 80))))
        for line in wrapped(LEGEND) if not show_work else ():
            say(line)
        if staged:
            say(f"--layers all shows each of the {len(rows)} layers, --layer NAME one of them")
    if output:
        from cvtasks.insight.inspecting.diagram import volumes

        files = {".svg": volumes(inspection)} | (
            {"-effective.png": drawn} if drawn is not None else {}
        )
        paths = write_new(
            output, safe_stem(Path(name).resolve().name), files, (".svg", "-effective.png")
        )
        say(f"{inspection.name} → {', '.join(map(str, paths))}")


def _measured(inspection: "Inspection", layer: str) -> "tuple[dict[str, Any], np.ndarray]":
    """Measure the effective field of the layer, or of the last map; what was found, and an image of
    it.
    """
    from cvtasks.insight.inspecting.effective_field import drawn, effective_field, random_images

    row = inspection.row(layer) if layer else inspection.last_map()
    field = effective_field(inspection, row, random_images(inspection.size, _IMAGES))
    about = {
        "layer": row.name,
        "unit": field.unit,
        "images": _IMAGES,
        "side": round(field.side, 1),
        "box": field.box,
        "theoretical_box": field.theory,
    }
    return about, drawn(field, f"effective receptive field: {inspection.name}, {row.name}")


def _sentence(measured: dict[str, Any]) -> str:
    """What was measured, in a sentence."""
    top, left, bottom, right = measured["theoretical_box"]
    unit = (
        f"unit {measured['unit']} of {measured['layer']}" if measured["unit"] else measured["layer"]
    )
    if measured["box"] is None:
        return f"effective field: {unit} has no gradient at any pixel"
    y, x, down, across = measured["box"]
    return (
        f"effective field: {unit} hears mostly an area of "
        f"{measured['side']:.0f}×{measured['side']:.0f} pixels "
        f"({counted(measured['images'], 'image')} of noise); any gradient within "
        f"{down - y}×{across - x}; in theory {bottom - top}×{right - left} of the image"
    )
