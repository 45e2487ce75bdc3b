"""`cvtasks export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.options import into, one_of
from cvtasks.cli.output import say, start_keras, tell
from cvtasks.errors import UsageError
from cvtasks.export import EXPORTS, F16, F32, INT8, export_row
from cvtasks.export.decoding import check_decodable
from cvtasks.text import counted, table

if TYPE_CHECKING:
    from cvtasks.export.check import Checked


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name of `cvtasks models`, or a folder that train wrote.",
            autocompletion=completion.models,
        ),
    ],
    format_: Annotated[
        str,
        typer.Option(
            "-f",
            "--format",
            metavar=f"[{'|'.join(EXPORTS)}]",
            help="What it is written as.",
            callback=one_of(lambda: EXPORTS),
            autocompletion=completion.any_of(lambda: EXPORTS),
        ),
    ],
    output: Annotated[
        Path | None,
        into("The new folder to write.", show_default="exports/MODEL-FORMAT"),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store its weights in 16 bits, in half the space.")
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Compute in whole numbers of 8 bits; refused where that loses too much.",
        ),
    ] = False,
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA[:SPLIT]",
            help=(
                "For --int8: ranges are measured on images of its training split, scores on the "
                "split; by default the data of the model's recipe."
            ),
        ),
    ] = "",
    calibration: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="For --int8: images to measure ranges on.", show_default="200"
        ),
    ] = None,
    measured: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="For --int8: images to measure scores on, 0 for all.",
            show_default="500",
        ),
    ] = None,
    most_loss: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="For --int8: hundredths of the first metric that may be lost.",
            show_default="1",
        ),
    ] = None,
    into_model: Annotated[
        bool,
        typer.Option(
            "--into-model",
            help="Put OpenVINO's --int8 into the model's own folder, for --precision int8.",
        ),
    ] = False,
    decoded: Annotated[
        bool,
        typer.Option(
            "--decoded",
            help="Answer in the graph, for one image at a time: boxes, scores and labels after "
            "threshold and suppression, or class ids (onnx, openvino).",
        ),
    ] = False,
    check: Annotated[
        str,
        typer.Option(
            metavar="IMAGES|DATA[:SPLIT]",
            help="Compare answers on these; by default on what the model was validated on.",
        ),
    ] = "",
) -> None:
    """Write a model for other programs, and check that it gives the same answers there.

    \b
    cvtasks export detect-yolox-nano-voc --format onnx
    cvtasks export runs/mine --format openvino --half -o phone/
    cvtasks export detect-yolox-nano-voc --format onnx --decoded
    cvtasks export runs/mine --format saved-model --check photos/
    cvtasks export runs/mine --format openvino --int8 --data farm/data.yaml
    cvtasks export runs/mine --format openvino --int8 --into-model

    The file is opened again by its own runtime and asked about images; its answers must be the
    model's within bounds, else nothing is left behind.
    """
    if half and int8:
        raise UsageError("a file has one precision; got --half and --int8. Give one of them.")
    further: dict[str, Any] = {
        "data": data or None,
        "images": calibration,
        "measured": measured,
        "most_loss": most_loss,
    }
    asked = {name: value for name, value in further.items() if value is not None}
    if asked and not int8:
        raise UsageError(
            "--data, --calibration, --measured and --most-loss say how int8 is made; got one "
            "without --int8. Add it, or leave them out."
        )
    precision = INT8 if int8 else F16 if half else F32
    export_row(format_, precision)
    if decoded:
        check_decodable(format_)
    start_keras()
    from cvtasks.export.int8.written import Int8
    from cvtasks.export.run import export as write

    how = Int8(**asked) if int8 else None
    done = write(
        model,
        format_,
        output,
        precision=precision,
        decoded=decoded,
        images=check,
        int8=how,
        into_model=into_model,
        say=say,
    )
    tell(*_rows(done.checked))
    if done.lost:
        tell(f"scores on {done.lost.measured}", *done.lost.lines())
    if done.answers:
        tell(*_rows(done.answers, "in the graph, "))
    how_to = (
        "run it by --precision int8"
        if into_model
        else f"how to feed it says {done.folder / 'README.md'}"
    )
    say(f"{done.path}: {done.size / 1e6:.1f} MB; {how_to}")


def _rows(checked: "Checked", what: str = "") -> list[str]:
    """The differences beside their bounds, in a table."""
    bounds = checked.to_dict()["bounds"] or {}
    rows = [[what, found, str(bounds.get(bound, bound))] for what, found, bound in checked.rows()]
    head = f"{what}compared on {counted(len(checked.images), 'image')}"
    return table([[head, "found", "allowed"], *rows], least=10)
